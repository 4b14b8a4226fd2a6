//! Finds the values of the keys: in a file, the environment, or the workspace's single secrets.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use clap::ArgMatches;

use crate::Io;
use crate::cli::errors::CliError;
use crate::config::Env;
use crate::credential::Redacted;
use crate::error::Error;
use crate::host::ImageRef;
use crate::keys::{BaseImageCreds, Keys, KeysError};
use crate::registry::build_key_names;
use crate::resolver::Resolver;
use crate::store::{Single, name};
use crate::trusted::{self, Readers};

/// The keys with known values, and the names of the others.
pub(super) fn asked(
    matches: &ArgMatches,
    env: &Env,
    io: &mut Io,
) -> Result<(Keys, Vec<String>), Error> {
    // An unreadable variable counts as unset, and is named in the error.
    let lookup = |name: &str| env.secret(name).ok().flatten();
    let asked = if let Some(names) = matches.get_many::<String>("creds") {
        Keys::found(names.map(|name| name.trim()), lookup)
    } else if let Some(file) = matches.get_one::<String>("creds-json") {
        BaseImageCreds::parse(read(file, io)?.expose().as_bytes()).and_then(|creds| match creds {
            BaseImageCreds::Names(names) => Keys::found(names.iter().map(String::as_str), lookup),
            BaseImageCreds::Keys(keys) => Ok((keys, Vec::new())),
        })
    } else {
        Ok((Keys::default(), Vec::new()))
    };
    asked.map_err(refused)
}

/// All keys, with missing values taken from the workspace's single secrets; and those secrets.
pub(super) fn given(
    resolver: &Resolver,
    images: &[&ImageRef],
    mut keys: Keys,
    missing: &[String],
    names: bool,
) -> Result<(Keys, Vec<Single>), Error> {
    if !missing.is_empty() && !resolver.names_secrets() {
        return Err(refused(KeysError::Unset(missing.to_vec())));
    }
    let creatable = missing.iter().filter(|name| name::can_be_created(name));
    let mut wanted: BTreeSet<String> = creatable.cloned().collect();
    for image in images.iter().filter(|_| names) {
        let names = build_key_names(&image.host).into_iter();
        wanted.extend(names.map(str::to_owned));
    }
    let there = resolver.singles(&wanted.into_iter().collect::<Vec<_>>())?;
    let (mut absent, mut empty) = (Vec::new(), Vec::new());
    for name in missing {
        match there.iter().find(|single| single.name == *name) {
            Some(single) if single.value.is_empty() => empty.push(name.clone()),
            Some(single) => keys.insert(name, single.value.clone()).map_err(refused)?,
            None => absent.push(name.clone()),
        }
    }
    if !absent.is_empty() {
        return Err(refused(KeysError::Absent(absent)));
    }
    if !empty.is_empty() {
        return Err(refused(KeysError::Empty(empty)));
    }
    keys.check_pairs().map_err(refused)?;
    if let Some(name) = keys.placeholder() {
        return Err(CliError::Placeholder(name.to_owned()).into());
    }
    for image in images {
        resolver.check_hosts(image, missing, &there)?;
    }
    Ok((keys, there))
}

fn refused(error: KeysError) -> Error {
    CliError::Keys(error).into()
}

fn read(file: &str, io: &mut Io) -> Result<Redacted, Error> {
    let problem = |what| CliError::Given(file.to_owned(), what);
    let bytes = if file == "-" {
        crate::protocol::read_all(io.input, MAX_KEYS, PATIENCE)
            .map_err(|_| problem("(standard input) is too long, a terminal, or has no end"))?
    } else {
        trusted::read(Path::new(file), Readers::Mounted, MAX_KEYS as u64)
            .map_err(|fault| fault.problem("credentials"))?
            .ok_or_else(|| problem("does not exist"))?
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| problem("is not UTF-8"))?;
    Ok(text.into())
}

const MAX_KEYS: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(5);
