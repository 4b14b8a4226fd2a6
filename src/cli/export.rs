//! `export`: writes the logins in the embedded store as a docker configuration file, in plain text.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::builder::PossibleValuesParser;
use clap::{ArgMatches, Command, value_parser};
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use zeroize::Zeroizing;

use super::errors::ExportError;
use super::question::yes;
use super::{flag, option, outcome, print, warn};
use crate::Io;
use crate::backend::Backend;
use crate::client::file::Readers;
use crate::client::place::Place;
use crate::config::{Config, Env, Request, StoreKind};
use crate::credential::Credential;
use crate::error::Error;
use crate::host::{Scheme, ServerUrl};
use crate::registry::choose;
use crate::resolver::Resolver;
use crate::shown::shown_list;

pub(super) fn command() -> Command {
    let file = "A new file that only its owner can read, instead of standard output";
    let format = option("format", "FORMAT", "What is written").default_value("docker");
    Command::new("export")
        .about("Write the logins of the built-in store as a docker configuration, in plain text")
        .long_about(LONG)
        .arg(format.value_parser(PossibleValuesParser::new(["docker"])))
        .arg(option("output", "FILE", file).value_parser(value_parser!(PathBuf)))
        .arg(flag("yes", "Do not ask"))
        .after_help(HELP)
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let mut config = Config::load(env)?;
    if config.store != StoreKind::File {
        return Err(ExportError::OtherStore.into());
    }
    // A request's credential is not part of the store.
    config.request = Request::default();
    let resolver = Resolver::new(config)?;
    let file = matches.get_one::<PathBuf>("output");
    let place = file.map(|path| Place::of(path)).transpose()?;
    if let Some(place) = &place
        && place.read()?.is_some()
    {
        return Err(ExportError::Exists(place.path().display().to_string()).into());
    }
    let mut skipped = Vec::new();
    let listed = resolver.list(&mut |error| skipped.push(crate::one_line(error)))?;
    let urls: Vec<String> = listed.into_keys().collect();
    if urls.is_empty() && skipped.is_empty() {
        return Err(ExportError::Empty.into());
    }
    let target = place.as_ref().map_or_else(
        || "standard output".to_owned(),
        |place| place.path().display().to_string(),
    );
    if !matches.get_flag("yes") {
        if !io.input.is_terminal() {
            return Err(ExportError::NoTerminal.into());
        }
        let names = shown_list(urls.iter().map(String::as_str));
        let question = format!("Write the passwords for {names} in plain text to {target}?");
        if !yes(io.input, io.err, &question)? {
            return Err(ExportError::Declined.into());
        }
    }
    let mut logins = BTreeMap::new();
    for url in &urls {
        let exported = resolver
            .audited("export", Some(url), |resolver| held(resolver, url))
            .and_then(|credential| login(&credential));
        match exported {
            Ok(login) => _ = logins.insert(url.as_str(), login),
            Err(error) => skipped.push(crate::one_line(&error.about(url))),
        }
    }
    warn(io, &resolver);
    let text = document(&logins)?;
    match &place {
        Some(place) => place.replace(None, &text, Readers::Owner)?,
        None => print(io.out, text.as_str())?,
    }
    for error in &skipped {
        crate::warn(io.err, &format_args!("left out: {error}"));
    }
    outcome(!skipped.is_empty())
}

/// A stored login as a user name and a password that docker can use itself.
fn held(resolver: &Resolver, url: &str) -> Result<Credential, Error> {
    let url = ServerUrl::parse(url.as_bytes()).map_err(|_| Error::NotFound)?;
    if let ServerUrl::Registry { host, path, .. } = &url {
        let route = resolver
            .route(host, Scheme::Https, path)
            .ok_or(Error::NotFound)?;
        let (_, found) = resolver.find(&route)?.ok_or(Error::NotFound)?;
        let [username, password] =
            ["USERNAME", "PASSWORD"].map(|name| found.keys.get(name).cloned());
        if !matches!(
            choose(route.row, route.real, found.keys)?.backend,
            Backend::Fixed { .. }
        ) {
            let (Some(username), Some(password)) = (username, password) else {
                return Err(ExportError::Minted.into());
            };
            let credential = Credential::new(username.expose().to_owned(), password);
            return Ok(credential.map_err(ExportError::Credential)?);
        }
    }
    resolver.get(&url)
}

/// The member of `auths` with its value
/// (<https://github.com/docker/cli/blob/master/cli/config/types/authconfig.go>).
type Login = (&'static str, Zeroizing<String>);

fn login(credential: &Credential) -> Result<Login, Error> {
    let (username, secret) = (credential.username(), credential.secret().expose());
    if username == "<token>" {
        return Ok(("identitytoken", Zeroizing::new(secret.to_owned())));
    }
    if username.contains(':') {
        return Err(ExportError::Colon.into());
    }
    let pair = Zeroizing::new(format!("{username}:{secret}"));
    Ok(("auth", Zeroizing::new(STANDARD.encode(pair.as_bytes()))))
}

fn document(logins: &BTreeMap<&str, Login>) -> Result<Zeroizing<String>, Error> {
    let logins = logins.iter();
    let auths: BTreeMap<_, _> = logins
        .map(|(url, (name, secret))| (url, BTreeMap::from([(name, secret.as_str())])))
        .collect();
    let mut text = Zeroizing::new(Vec::with_capacity(16 << 10));
    let mut writer = Serializer::with_formatter(&mut *text, PrettyFormatter::with_indent(b"\t"));
    let unwritten = |_| ExportError::Document("cannot be made");
    BTreeMap::from([("auths", auths)])
        .serialize(&mut writer)
        .map_err(unwritten)?;
    text.push(b'\n');
    let text = std::str::from_utf8(&text).map_err(|_| ExportError::Document("is not UTF-8"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

const LONG: &str = "\
Writes the logins that this workspace has in the built-in store as a docker configuration file, in plain text, so that \
docker, podman and others work without this helper. It asks first at a terminal; without a terminal, --yes is \
required.

Tokens minted from cloud keys are not exported: they live only for hours.";
const HELP: &str = "\
Exit status: 0 when every login was written; 1 when nothing was written, or a login was left out, which standard error \
names.

Example: docker-credential-beta9 export --output config.json";
