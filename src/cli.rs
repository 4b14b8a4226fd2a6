//! The operator's commands: one file each, and one table of them.

mod check;
mod clients;
mod completions;
mod configure;
mod doctor;
mod explain;
mod export;
mod import;
mod man;
mod migrate;
mod provision;
mod prune;
mod publish;
mod question;
mod refresh;
mod resolve;
mod rows;
mod slip;
mod status;
mod style;
mod wired;

use std::ffi::OsString;
use std::fmt;

use clap::{ArgMatches, Command};
use style::Style;

use crate::Io;
use crate::config::Env;
use crate::error::{Error, Problem};
use crate::host::{ImageRef, Reference};
use crate::resolver::Resolver;
use crate::shown::shown;

/// A command: its argument parser, and what it does. A new one is one file and one row.
struct Entry {
    command: fn() -> Command,
    run: fn(&ArgMatches, &Env, &mut Io) -> Result<(), Error>,
}

const COMMANDS: &[Entry] = &[
    Entry {
        command: check::command,
        run: check::run,
    },
    Entry {
        command: doctor::command,
        run: doctor::run,
    },
    Entry {
        command: explain::command,
        run: explain::run,
    },
    Entry {
        command: configure::command,
        run: configure::run,
    },
    Entry {
        command: import::command,
        run: import::run,
    },
    Entry {
        command: export::command,
        run: export::run,
    },
    Entry {
        command: status::command,
        run: status::run,
    },
    Entry {
        command: refresh::command,
        run: refresh::run,
    },
    Entry {
        command: migrate::command,
        run: migrate::run,
    },
    Entry {
        command: provision::command,
        run: provision::run,
    },
    Entry {
        command: resolve::command,
        run: resolve::run,
    },
    Entry {
        command: publish::command,
        run: publish::run,
    },
    Entry {
        command: prune::command,
        run: prune::run,
    },
    Entry {
        command: completions::command,
        run: completions::run,
    },
    Entry {
        command: man::command,
        run: man::run,
    },
    Entry {
        command: wired::command,
        run: wired::run,
    },
];

/// Runs one of the operator's commands, or shows the usage.
#[cold] // Kept out of the pages that a `get` needs.
pub fn run(args: &[OsString], env: &Env, io: &mut Io) -> u8 {
    // The protocol's verbs come here with words behind them, or as `help get`.
    let all = root()
        .bin_name(env!("CARGO_PKG_NAME"))
        .no_binary_name(true)
        .subcommands(verbs().map(|verb| verb.hide(true)));
    let matches = match all.try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => return usage(&error, env, io),
    };
    let chosen = matches.subcommand().and_then(|(name, matches)| {
        COMMANDS
            .iter()
            .find(|entry| (entry.command)().get_name() == name)
            .map(|entry| (entry.run)(matches, env, io))
    });
    match chosen {
        Some(Ok(())) => 0,
        Some(Err(Error::Told)) => 1,
        Some(Err(error)) => crate::fail(&error, io),
        None => crate::fail(&Error::Usage, io),
    }
}

/// The image references of a command.
fn images(matches: &ArgMatches) -> Result<Vec<ImageRef>, Error> {
    matches
        .get_many::<String>("image")
        .unwrap_or_default()
        .map(|text| image(text))
        .collect()
}

/// An argument that has to be an image.
fn image(text: &str) -> Result<ImageRef, Error> {
    let problem = |cause: &dyn fmt::Display, fix: &str| {
        Problem::new("image reference", cause)
            .fix(fix)
            .failed()
            .about(&shown(text).to_string())
    };
    match Reference::parse(text.as_bytes()) {
        Ok(Reference::Image(image)) => Ok(image),
        Ok(Reference::Server(url)) => {
            let example = url
                .host()
                .map_or(String::new(), |host| format!(", such as {host}/org/app"));
            Err(problem(
                &"it names a registry, not an image",
                &format!("name an image{example}"),
            ))
        }
        Err(error) => Err(problem(&error, "give it as docker pull takes it")),
    }
}

/// Passes on what went wrong on the way without hindering anything, also before a failure.
fn warn(io: &mut Io, resolver: &Resolver) {
    resolver
        .warnings()
        .iter()
        .for_each(|warning| crate::warn(io.err, warning));
}

/// Reports a failure on standard error, for a command whose standard output is passed on to other programs.
fn on_standard_error(error: &dyn fmt::Display, io: &mut Io) -> Error {
    crate::warn(io.err, &crate::one_line(error));
    Error::Told
}

fn unwritable(error: std::io::Error) -> Error {
    Problem::new("standard output", "it cannot be written")
        .source(error)
        .failed()
}

fn root() -> Command {
    Command::new(env!("CARGO_PKG_NAME"))
        .version(env!("CARGO_PKG_VERSION"))
        .about("Answers registry credentials to docker, podman, kubelet and every other puller")
        .after_help(PROTOCOL_HELP)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(COMMANDS.iter().map(|entry| (entry.command)()))
}

/// With the protocol's verbs, which the parser never sees, for those who type them.
fn whole() -> Command {
    root().subcommands(verbs())
}

fn verbs() -> impl Iterator<Item = Command> {
    VERBS
        .iter()
        .map(|(verb, about)| Command::new(*verb).about(*about))
}

/// Help that was asked for is a success; everything else is usage on standard output and exit 1, as clients expect.
fn usage(error: &clap::Error, env: &Env, io: &mut Io) -> u8 {
    let asked = matches!(
        error.kind(),
        clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion
    );
    let text = error.render();
    let written = if Style::of(io.out, env).is_on() {
        write!(io.out, "{}", text.ansi())
    } else {
        write!(io.out, "{text}")
    };
    u8::from(!asked || written.is_err())
}

const VERBS: [(&str, &str); 6] = [
    (
        "get",
        "Answer the credential of the server URL on standard input",
    ),
    ("store", "Keep the credential on standard input"),
    (
        "erase",
        "Forget the credential of the server URL on standard input",
    ),
    ("list", "List the server URLs and user names that are kept"),
    (
        "kubelet",
        "Answer the CredentialProviderRequest on standard input",
    ),
    ("version", "Print name and version"),
];

const PROTOCOL_HELP: &str = "\
Called by docker, podman and other clients, which write to standard input:
  get      a server URL        -> {\"ServerURL\",\"Username\",\"Secret\"}
  store    that object         -> kept
  erase    a server URL        -> forgotten
  list                         -> {\"<server URL>\":\"<user name>\"}
  kubelet  a CredentialProviderRequest -> a CredentialProviderResponse
  version                      -> name and version

Exit status: 0 when it is done; 1 when not, with one line of text on standard
output that says why and what to do, also with --json.

Example: echo ghcr.io | docker-credential-beta9 get";
