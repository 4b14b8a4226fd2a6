//! The kinds of arguments that commands share.

use clap::{Arg, ArgAction, ArgMatches};

use super::errors::CliError;
use crate::error::Error;
use crate::host::{ImageRef, Reference};
use crate::shown::shown;

/// A switch of a command.
pub(super) fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

/// An option of a command with a value.
pub(super) fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

/// A command's image references.
pub(super) fn image_arg() -> Arg {
    let arg = Arg::new("image").value_name("IMAGE").num_args(1..);
    arg.required(true).help("The image references")
}

/// What was given for them.
pub(super) fn images(matches: &ArgMatches) -> Result<Vec<ImageRef>, Error> {
    let texts = matches.get_many::<String>("image").unwrap_or_default();
    texts.map(|text| image(text)).collect()
}

/// An argument that must be an image reference.
pub(super) fn image(text: &str) -> Result<ImageRef, Error> {
    let error = match Reference::parse(text.as_bytes()) {
        Ok(Reference::Image(image)) => return Ok(image),
        Ok(Reference::Server(url)) => {
            let host = url.host().map(ToString::to_string);
            CliError::NoImage { host }
        }
        Err(error) => CliError::Reference(error),
    };
    Err(Error::from(error).about(&shown(text).to_string()))
}
