//! `explain HOST|IMAGE`: shows what would be returned, and why, without showing secrets or minting tokens.

mod answer;
mod remedy;
mod told;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use clap::builder::OsStringValueParser;
use clap::{Arg, ArgMatches, Command};

use self::answer::Answer;

use super::clients::ClientLines;
use super::{flag, outcome, show, warn};
use crate::Io;
use crate::client::spelling::as_typed;
use crate::config::Env;
use crate::error::Error;
use crate::host::{Host, HostError, Reference, Scheme, ServerUrl, strip_line_end};
use crate::resolver::Resolver;

pub(super) fn command() -> Command {
    let input = Arg::new("input")
        .value_name("HOST|IMAGE")
        .required(true)
        .value_parser(OsStringValueParser::new());
    Command::new("explain")
        .about("Show which credential a registry or an image gets, and why")
        .arg(input.help("A registry host, a server URL, or an image reference"))
        .arg(flag("json", "Print one JSON object"))
        .after_help("Exit status: 0, even if there is no credential; 1 when the argument is neither a registry nor an image, or the configuration is wrong.\n\nExample: docker-credential-beta9 explain ghcr.io/org/app:1.2 --json")
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let input = matches.get_one::<OsString>("input");
    let input = input.cloned().unwrap_or_default();
    let resolver = Resolver::of(env)?;
    let target = parse(input.as_bytes());
    let answer = match &target {
        Ok(target) => match resolver.route(&target.host, target.scheme, &target.path) {
            Some(route) => {
                let clients = ClientLines::of(env, &target.spelling, &target.path);
                Answer::about(&route, &target.path, clients, &resolver)
            }
            None => Answer::rejected(PLAIN_HTTP, format!("ask for https://{}", target.host)),
        },
        Err(why) => Answer::rejected(*why, remedy::of_input(&input)),
    };
    warn(io, &resolver);
    let files = resolver.config().files.iter();
    let files: Vec<String> = files.map(|file| file.display().to_string()).collect();
    let json = |answer: &Answer| answer.json(&input.to_string_lossy(), &files);
    show(matches, env, io, &answer, json, |answer, style| {
        answer.human(&files, style)
    })?;
    // The report says why. Docker's own keys aren't an error.
    outcome(target.is_err_and(|why| why != ITEM))
}

/// The host and path of a registry or an image.
struct Target {
    host: Host,
    scheme: Scheme,
    path: String,
    /// The host in the spelling that clients look up.
    spelling: String,
}

fn parse(input: &[u8]) -> Result<Target, HostError> {
    match Reference::parse(input)? {
        Reference::Server(ServerUrl::Registry { host, scheme, path }) => Ok(Target {
            // Whatever name of Docker Hub is typed, its images are meant.
            spelling: match std::str::from_utf8(strip_line_end(input)) {
                Ok(typed) if !host.is_docker_hub() => as_typed(&host, typed).to_owned(),
                _ => host.as_reference().to_owned(),
            },
            host,
            scheme,
            path,
        }),
        Reference::Server(ServerUrl::Item(_)) => Err(ITEM),
        Reference::Image(image) => Ok(Target {
            host: image.host,
            scheme: Scheme::Https,
            path: image.repository,
            spelling: image.spelling,
        }),
    }
}

const ITEM: HostError = HostError("it is an item that is kept verbatim, not a registry");
const PLAIN_HTTP: HostError = HostError("a vendor's credential never goes over plain HTTP");
