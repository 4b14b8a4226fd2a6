//! `completions bash|zsh|fish`: the shell's completion script.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command};
use clap_complete::{Generator, Shell};

use super::unwritable;
use crate::Io;
use crate::config::Env;
use crate::error::Error;

pub(super) fn command() -> Command {
    let shell = Arg::new("shell").value_name("SHELL").required(true).value_parser(PossibleValuesParser::new(SHELLS));
    Command::new("completions")
        .about("Print a shell's completion script")
        .arg(shell.help("The shell that will read it"))
        .after_help(HELP)
}

pub(super) fn run(matches: &ArgMatches, _env: &Env, io: &mut Io) -> Result<(), Error> {
    let shell = match matches.get_one::<String>("shell").map(String::as_str) {
        Some("zsh") => Shell::Zsh,
        Some("fish") => Shell::Fish,
        _ => Shell::Bash,
    };
    let mut all = super::whole();
    all.set_bin_name(env!("CARGO_PKG_NAME"));
    all.build();
    shell.try_generate(&all, io.out).map_err(unwritable)
}

const SHELLS: [&str; 3] = ["bash", "fish", "zsh"];
const HELP: &str = "\
The packages bring these files. By hand, the script's place is
  bash  ~/.local/share/bash-completion/completions/docker-credential-beta9
  zsh   _docker-credential-beta9 in a directory of $fpath
  fish  ~/.config/fish/completions/docker-credential-beta9.fish

Exit status: 0; 1 on a failure.

Example: source <(docker-credential-beta9 completions bash)";
