//! `man`: the manual pages, one for the program and one for each command.

use std::io::Write;

use clap::{Arg, ArgMatches, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::errors::CliError;
use crate::Io;
use crate::config::Env;
use crate::error::Error;

pub(super) fn command() -> Command {
    Command::new("man")
        .about("Print the manual page, or that of a command, in roff")
        .arg(
            Arg::new("page")
                .value_name("COMMAND")
                .help("The command whose page it is"),
        )
        .after_help(
            "Exit status: 0; 1 on failure.\n\nExample: docker-credential-beta9 man | man -l -",
        )
}

pub(super) fn run(matches: &ArgMatches, _env: &Env, io: &mut Io) -> Result<(), Error> {
    let mut root = super::root();
    root.build();
    let mut page = Vec::new();
    let written = match matches.get_one::<String>("page") {
        None => whole(root, &mut page),
        Some(name) => {
            let command = root.find_subcommand(name);
            let command = command.ok_or_else(|| CliError::NoCommand(name.clone()))?;
            of_command(command.clone(), &mut page)
        }
    };
    let printed = written.and_then(|()| io.out.write_all(&page));
    Ok(printed.map_err(CliError::Unwritable)?)
}

/// The program's own page, with one line for each command.
fn whole(root: Command, out: &mut dyn Write) -> Result {
    let protocol = text(root.get_after_help());
    let man = Man::new(root.long_about(DESCRIPTION));
    start(&man, env!("CARGO_PKG_NAME"), out)?;
    section("PROTOCOL", &protocol, out)?;
    man.render_options_section(out)?;
    man.render_subcommands_section(out)?;
    for (name, text) in CLOSING {
        section(name, text, out)?;
    }
    Ok(())
}

fn of_command(command: Command, out: &mut dyn Write) -> Result {
    let notes = text(command.get_after_long_help().or(command.get_after_help()));
    let name = [env!("CARGO_PKG_NAME"), "-", command.get_name()].concat();
    let man = Man::new(command);
    start(&man, &name, out)?;
    man.render_options_section(out)?;
    section("NOTES", &notes, out)
}

/// The start of a page. Its title has no date, so that the same source gives the same page.
fn start(man: &Man, name: &str, out: &mut dyn Write) -> Result {
    writeln!(
        out,
        ".TH {name} 1 \"\" \"{SOURCE}\" \"User Commands\"\n.nh\n.ad l"
    )?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)
}

/// A section of paragraphs. Indented lines are printed as they are.
fn section(name: &str, text: &str, out: &mut dyn Write) -> Result {
    let mut roff = Roff::default();
    roff.control("SH", [name]);
    for (place, paragraph) in text.split("\n\n").enumerate() {
        let kept = paragraph.contains("\n  ") || paragraph.starts_with("  ");
        if place > 0 {
            roff.control("PP", []);
        }
        if kept {
            roff.control("nf", []);
        }
        for line in paragraph.lines() {
            roff.text([roman(line)]);
        }
        if kept {
            roff.control("fi", []);
        }
    }
    roff.to_writer(out)
}

fn text(styled: Option<&clap::builder::StyledStr>) -> String {
    styled.map(ToString::to_string).unwrap_or_default()
}

type Result<T = (), E = std::io::Error> = std::result::Result<T, E>;

const SOURCE: &str = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
const DESCRIPTION: &str = "\
Finds the credential that a Beta9 workspace has for a registry, and returns the user name and password. For Amazon ECR, \
Google Artifact Registry and Azure Container Registry it mints a short-lived token and caches it, sealed, for all processes \
of the user. A failure is never reported as \"no credential\".";

const CLOSING: [(&str, &str); 4] = [
    (
        "EXIT STATUS",
        "0 on success, 2 for a mistake on the command line, 1 otherwise. A failure is one line: the registry, the part, the cause and the remedy.",
    ),
    (
        "ENVIRONMENT",
        "Every setting has a variable: docs/configuration.md. Often used:\n\n  \
         BETA9_CREDENTIAL_CONFIG  the configuration file\n  \
         BETA9_WORKSPACE_ID       whose credentials are asked for\n  \
         BETA9_IMAGE_CREDENTIALS  a request's own credential\n  \
         DOCKER_CONFIG            where docker's config.json is\n  \
         NO_COLOR                 no colour, also on a terminal",
    ),
    (
        "FILES",
        "  /etc/beta9/credential-helper.toml       settings of the node\n  \
         ~/.config/beta9/credential-helper.toml  settings of the user, over them\n  \
         ~/.local/share/beta9/credentials        the built-in store, sealed\n  \
         ~/.cache/beta9/tokens                   minted tokens, sealed",
    ),
    (
        "SEE ALSO",
        "docker(1), docker-login(1), podman(1), containers-auth.json(5), containers-registries.conf(5)",
    ),
];
