//! `resolve IMAGE_ID`: at run time, the payload for `BETA9_IMAGE_CREDENTIALS`, for a scheduler or a script.

use clap::{Arg, ArgMatches, Command};

use super::errors::CliError;
use super::{image, unwritable};
use crate::Io;
use crate::config::{Config, Env};
use crate::error::Error;
use crate::resolver::Resolver;

pub(super) fn command() -> Command {
    Command::new("resolve")
        .about("Print the secret of an image id, in the form of BETA9_IMAGE_CREDENTIALS")
        .arg(Arg::new("image-id").value_name("IMAGE_ID").required(true).help("The image's id"))
        .arg(Arg::new("image").long("image").value_name("REF").help("Its reference, for stores that know no image ids"))
        .after_help("It prints a secret: pass it on, do not log it.\nExit status: 0 with the payload; 1 if there is none, or on failure, with the\nreason on standard error.\n\nExample: BETA9_IMAGE_CREDENTIALS=\"$(docker-credential-beta9 resolve 7d1c)\" skopeo copy …")
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let id = matches
        .get_one::<String>("image-id")
        .map_or("", String::as_str);
    resolve(id, matches, env, io).map_err(|error| match error {
        Error::NotFound => CliError::Anonymous(id.to_owned()).into(),
        error => error,
    })
}

fn resolve(id: &str, matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let image = matches
        .get_one::<String>("image")
        .map(|text| image(text))
        .transpose()?;
    let resolver = Resolver::new(Config::load(env)?)?;
    let host = image.as_ref().map(|image| image.host.as_reference());
    let payload = resolver.audited("resolve", host, |resolver| {
        resolver.payload(id, image.as_ref())
    });
    super::warn(io, &resolver);
    writeln!(io.out, "{}", payload?.expose()).map_err(unwritable)
}
