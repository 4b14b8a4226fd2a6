//! `completions bash|zsh|fish`: the shell's completion script.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgMatches, Command};
use clap_complete::{Generator, Shell};

use super::print;
use crate::Io;
use crate::config::Env;
use crate::error::Error;

pub(super) fn command() -> Command {
    let shell = Arg::new("shell")
        .value_name("SHELL")
        .required(true)
        .value_parser(PossibleValuesParser::new(SHELLS).try_map(|name| name.parse::<Shell>()));
    Command::new("completions")
        .about("Print a shell's completion script")
        .arg(shell.help("The shell that will read it"))
        .after_help(HELP)
}

pub(super) fn run(matches: &ArgMatches, _env: &Env, io: &mut Io) -> Result<(), Error> {
    let shell = matches.get_one("shell").copied().unwrap_or(Shell::Bash);
    print(io.out, script(shell))
}

/// The generator for bash (`clap_complete` 4.6) reads each hyphen in the program's name as the start of a subcommand,
/// and then completes no options. So it gets a name without hyphens, which is replaced by the real one where bash reads
/// it.
fn script(shell: Shell) -> String {
    let name = env!("CARGO_PKG_NAME");
    let shown = if shell == Shell::Bash {
        NAME_FOR_BASH
    } else {
        name
    };
    let mut all = super::whole().name(shown).bin_name(shown);
    all.build();
    let mut script = Vec::new();
    shell.generate(&all, &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    if shown == NAME_FOR_BASH {
        script.replace(&format!(" {shown}\n"), &format!(" {name}\n"))
    } else {
        script
    }
}

const NAME_FOR_BASH: &str = "docker_credential_beta9";
const SHELLS: [&str; 3] = ["bash", "fish", "zsh"];
const HELP: &str = "\
The packages install these files. To install one by hand, write it to
  bash  ~/.local/share/bash-completion/completions/docker-credential-beta9
  zsh   _docker-credential-beta9 in a directory of $fpath
  fish  ~/.config/fish/completions/docker-credential-beta9.fish

Exit status: 0; 1 on failure.

Example: source <(docker-credential-beta9 completions bash)";
