//! `resolve IMAGE_ID`: at run time, prints the payload for `BETA9_IMAGE_CREDENTIALS`, for a scheduler or a script. With
//! `--mint`, the payload has tokens instead of keys.

mod many;

use std::time::Duration;

use clap::{Arg, ArgMatches, Command};

use super::errors::CliError;
use super::{flag, image, option, print, warn};
use crate::Io;
use crate::config::Env;
use crate::credential::Redacted;
use crate::error::Error;
use crate::host::ImageRef;
use crate::resolver::Resolver;

pub(super) fn command() -> Command {
    let id = Arg::new("image-id").value_name("IMAGE_ID");
    let image = "The image's reference, for stores that don't know image ids";
    let mint =
        "Print a token with its expiry instead of a cloud's keys, one line for each registry";
    let min_life = "The shortest remaining life of a token, such as 30m [default: 30m]";
    let min_life = option("min-life", "TIME", min_life).requires("mint");
    let stdin = "Read one image id per line, and print one line of JSON for each";
    Command::new("resolve")
        .about("Print the secret of an image id, in the form of BETA9_IMAGE_CREDENTIALS")
        .arg(
            id.required_unless_present("stdin")
                .conflicts_with("stdin")
                .help("The image's id"),
        )
        .arg(option("image", "REF", image).conflicts_with("stdin"))
        .arg(flag("mint", mint))
        .arg(min_life.value_parser(humantime::parse_duration))
        .arg(flag("stdin", stdin).requires("mint"))
        .after_help(HELP)
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    if matches.get_flag("stdin") {
        return many::run(&resolver(matches, env)?.for_many(), io);
    }
    let id = matches.get_one::<String>("image-id");
    let id = id.map_or("", String::as_str);
    resolve(id, matches, env, io).map_err(|error| anonymous(error, id))
}

fn resolve(id: &str, matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let text = matches.get_one::<String>("image");
    let image = text.map(|text| image(text)).transpose()?;
    let resolver = resolver(matches, env)?;
    let payloads = payloads(&resolver, id, image.as_ref(), matches.get_flag("mint"));
    warn(io, &resolver);
    // All or nothing: if one registry fails, nothing is printed.
    for payload in payloads? {
        print(io.out, format_args!("{}\n", payload.expose()))?;
    }
    Ok(())
}

/// The failure if an image certainly has no credential.
fn anonymous(error: Error, id: &str) -> Error {
    match error {
        Error::NotFound => CliError::Anonymous(id.to_owned()).into(),
        error => error,
    }
}

fn resolver(matches: &ArgMatches, env: &Env) -> Result<Resolver, Error> {
    let resolver = Resolver::of(env)?;
    let min_life = matches.get_one("min-life").copied();
    Ok(if matches.get_flag("mint") {
        resolver.with_min_life(min_life.unwrap_or(MIN_LIFE))
    } else {
        resolver
    })
}

/// The payloads of an image, with tokens or with keys.
fn payloads(
    resolver: &Resolver,
    id: &str,
    image: Option<&ImageRef>,
    mint: bool,
) -> Result<Vec<Redacted>, Error> {
    let host = image.map(|image| image.host.as_reference());
    resolver.audited("resolve", host, |resolver| {
        if mint {
            return resolver.minted_payloads(id, image);
        }
        Ok(vec![resolver.payload(id, image)?])
    })
}

/// Enough for a pull of many layers and the time before it.
const MIN_LIFE: Duration = Duration::from_mins(30);
const HELP: &str = "\
It prints a secret: pass it on, do not log it.

With --mint a cloud's keys become a user name and a password with expires_at, as Beta9's workers and CLIP read them; \
what is a user name and a password already is printed as it is. No key that tokens are minted from is printed, and a \
mint that fails prints nothing. --stdin keeps one process and one connection for many images: a line in is IMAGE_ID, or \
IMAGE_ID and the image's reference; a line out is the payload, an array of several, or {\"error\":{…}}. SIGTERM answers \
what has come in, and ends.

Exit status: 0 with the payload, and with --stdin at the end of the input; 1 if there is none, or on failure, with \
the reason on standard error.

Example: BETA9_IMAGE_CREDENTIALS=\"$(docker-credential-beta9 resolve 7d1c)\" skopeo copy …";
