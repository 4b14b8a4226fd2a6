//! The operator's commands: one file each, listed in one table.

mod args;
mod check;
mod clients;
mod completions;
mod configure;
mod doctor;
mod errors;
mod explain;
mod export;
mod import;
mod man;
mod migrate;
mod mirror;
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
mod with;

use std::ffi::OsString;
use std::fmt::Display;

use clap::{ArgMatches, Command};
use zeroize::Zeroizing;

use crate::config::Env;
use crate::error::Error;
use crate::protocol::kubelet;
use crate::resolver::Resolver;
use crate::{Io, Output};
use args::{flag, image, image_arg, images, option};
use errors::CliError;
use style::Style;

/// A command: its argument parser and its function. A new command is one file and one row.
type Entry = (
    fn() -> Command,
    fn(&ArgMatches, &Env, &mut Io) -> Result<(), Error>,
);

const COMMANDS: &[Entry] = &[
    (check::command, check::run),
    (doctor::command, doctor::run),
    (explain::command, explain::run),
    (with::command, with::run),
    (configure::command, configure::run),
    (mirror::command, mirror::run),
    (import::command, import::run),
    (export::command, export::run),
    (status::command, status::run),
    (refresh::command, refresh::run),
    (migrate::command, migrate::run),
    (provision::command, provision::run),
    (resolve::command, resolve::run),
    (publish::command, publish::run),
    (prune::command, prune::run),
    (completions::command, completions::run),
    (man::command, man::run),
    (wired::command, wired::run),
];

/// Runs one of the operator's commands, or shows the usage.
pub fn run(args: &[OsString], env: &Env, io: &mut Io) -> u8 {
    // Protocol verbs get here with extra arguments, or as `help get`.
    let all = root()
        .bin_name(env!("CARGO_PKG_NAME"))
        .no_binary_name(true)
        .subcommands(verbs().map(|verb| verb.hide(true)));
    let matches = match all.try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => return usage(&error, args, env, io),
    };
    let Some((name, matches)) = matches.subcommand() else {
        return fail(&Error::Usage, false, io);
    };
    let Some((_, run)) = (COMMANDS.iter()).find(|(command, _)| command().get_name() == name) else {
        return fail(&Error::Usage, false, io);
    };
    match run(matches, env, io) {
        Ok(()) => 0,
        Err(Error::Told) => 1,
        Err(Error::Exited(status)) => status,
        Err(error) => {
            let json = matches.try_get_one::<bool>("json");
            fail(&error, matches!(json, Ok(Some(true))), io)
        }
    }
}

/// Writes a failure to standard error, because a program may read the command's standard output.
fn fail(error: &Error, json: bool, io: &mut Io) -> u8 {
    if json {
        _ = writeln!(io.err, "{}", error.json());
    } else {
        crate::warn(io.err, error);
    }
    if matches!(error, Error::Usage) {
        USAGE
    } else {
        1
    }
}

/// Prints the resolver's warnings, even before a failure.
fn warn(io: &mut Io, resolver: &Resolver) {
    crate::warn_all(io.err, resolver.warnings());
}

/// Prints a report for programs with `--json`, otherwise for people.
fn show<T>(
    matches: &ArgMatches,
    env: &Env,
    io: &mut Io,
    report: &T,
    json: impl FnOnce(&T) -> Zeroizing<String>,
    human: impl FnOnce(&T, Style) -> String,
) -> Result<(), Error> {
    if matches.get_flag("json") {
        return print(io.out, json(report).as_str());
    }
    let style = Style::of(io.out, env);
    print(io.out, human(report, style))
}

/// Prints what a reader may be waiting for.
fn print(out: &mut dyn Output, text: impl Display) -> Result<(), Error> {
    write!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(|error| CliError::Unwritable(error).into())
}

/// The result of a command whose report says what failed.
fn outcome(failed: bool) -> Result<(), Error> {
    if failed { Err(Error::Told) } else { Ok(()) }
}

fn root() -> Command {
    Command::new(env!("CARGO_PKG_NAME"))
        .version(env!("CARGO_PKG_VERSION"))
        .about("Gives docker, podman, kubelet and other clients their registry credentials")
        .after_help(PROTOCOL_HELP)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(COMMANDS.iter().map(|(command, _)| command()))
}

/// The whole command line, with the protocol verbs listed in the help although the parser never sees them.
fn whole() -> Command {
    root().subcommands(verbs())
}

fn verbs() -> impl Iterator<Item = Command> {
    VERBS
        .iter()
        .map(|(verb, about)| Command::new(*verb).about(*about))
}

/// Requested help is a success. Anything else is a mistake on the command line and goes to standard error, except
/// without any argument: the caller may then be a client, which reads standard output.
fn usage(error: &clap::Error, args: &[OsString], env: &Env, io: &mut Io) -> u8 {
    let status = match args {
        _ if !error.use_stderr() => 0,
        [] => 1,
        _ if kubelet::is_misdirected_input(io) => return USAGE,
        _ => USAGE,
    };
    let text = error.render();
    if status == USAGE && args.iter().any(|arg| arg == "--json") {
        let text = text.to_string();
        let lines = text.lines().map(str::trim);
        let cause: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
        let cause = cause.join(" ");
        let cause = cause.strip_prefix("error: ").unwrap_or(&cause);
        return fail(&CliError::Usage(cause.to_owned()).into(), true, io).max(USAGE);
    }
    let out = if status == USAGE {
        &mut io.err
    } else {
        &mut io.out
    };
    let written = if Style::of(*out, env).is_on() {
        write!(out, "{}", text.ansi())
    } else {
        write!(out, "{text}")
    };
    status.max(u8::from(written.is_err()))
}

/// The exit status of a mistake on the command line.
const USAGE: u8 = 2;

const VERBS: [(&str, &str); 6] = [
    (
        "get",
        "Print the credential for the server URL on standard input",
    ),
    ("store", "Store the credential on standard input"),
    (
        "erase",
        "Erase the credential for the server URL on standard input",
    ),
    ("list", "List the stored server URLs and user names"),
    (
        "kubelet",
        "Answer the CredentialProviderRequest on standard input",
    ),
    ("version", "Print name and version"),
];

const PROTOCOL_HELP: &str = "\
Clients call these, and write to standard input:
  get      a server URL        -> {\"ServerURL\",\"Username\",\"Secret\"}
  store    that object         -> stored
  erase    a server URL        -> erased
  list                         -> {\"<server URL>\":\"<user name>\"}
  kubelet  a CredentialProviderRequest -> a CredentialProviderResponse
  version                      -> name and version

Exit status: 0 on success; 1 on failure; 2 for a mistake on the command line.
get, store, erase and list print their error on standard output, where clients
read it; all other commands on standard error, with --json as one JSON object.

Example: echo ghcr.io | docker-credential-beta9 get";
