//! Docker's credential-helper protocol: `get`, `store`, `erase`, `list`
//! (<https://github.com/docker/docker-credential-helpers>).

use std::io::Write;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::errors::DockerError;
use super::{Input, kubelet, read_all};
use crate::config::Env;
use crate::credential::{Credential, CredentialError, Redacted};
use crate::error::{Error, NO_SERVER_URL, NO_USERNAME};
use crate::host::{ServerUrl, strip_line_end};
use crate::json::{self, Loose};
use crate::resolver::Resolver;
use crate::{warn, warn_all};

/// A verb of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Returns a server URL's user name and password.
    Get,
    /// Stores one.
    Store,
    /// Erases one.
    Erase,
    /// Lists all.
    List,
}

impl Verb {
    /// The verb with this name.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "get" => Some(Self::Get),
            "store" => Some(Self::Store),
            "erase" => Some(Self::Erase),
            "list" => Some(Self::List),
            _ => None,
        }
    }

    fn limit(self) -> usize {
        match self {
            Self::Store => 1 << 20,
            _ => 64 << 10,
        }
    }
}

/// Answers one verb with the whole text for standard output, so that nothing is printed before everything has
/// succeeded.
pub fn answer(
    verb: Verb,
    env: &Env,
    input: &mut dyn Input,
    err: &mut dyn Write,
) -> Result<Zeroizing<String>, Error> {
    // Always read the input first: a client that is still writing when the helper exits fails with a broken pipe.
    let step = env.log().step();
    let text = read_all(input, verb.limit(), PATIENCE).map_err(|error| error.with_example(EXAMPLE));
    env.log()
        .done(step, format_args!("{verb:?}: standard input read"));
    match verb {
        Verb::Get => get(&text?, env, err),
        Verb::Store => store(&text?, env, err),
        Verb::Erase => erase(&text?, env, err),
        Verb::List => list(env, err),
    }
}

/// Does an audited piece of work, and then prints the resolver's warnings.
fn work<T>(
    (verb, host): (&'static str, Option<&str>),
    env: &Env,
    err: &mut dyn Write,
    work: impl FnOnce(&Resolver) -> Result<T, Error>,
) -> Result<T, Error> {
    let resolver = resolver(env)?;
    let done = resolver.audited(verb, host, work);
    warn_all(err, resolver.warnings());
    done
}

/// The resolver of this environment. On the heap, so that what reads the configuration has given its stack back when a
/// store is asked.
#[inline(never)]
fn resolver(env: &Env) -> Result<Box<Resolver>, Error> {
    Resolver::of(env).map(Box::new)
}

/// The input of `get` and `erase`, without the line end that a person's `echo` adds.
fn server_url(text: &[u8]) -> Result<&[u8], Error> {
    let asked = strip_line_end(text);
    if asked.is_empty() {
        Err(Error::Protocol(NO_SERVER_URL))
    } else {
        Ok(asked)
    }
}

fn get(text: &[u8], env: &Env, err: &mut dyn Write) -> Result<Zeroizing<String>, Error> {
    let asked = server_url(text)?;
    // A text that can't be a registry certainly has no credential, so no store is asked and no configuration is read.
    let Ok(url) = ServerUrl::parse(text) else {
        kubelet::is_misdirected(asked, err);
        return Err(Error::NotFound);
    };
    let credential = work(("get", Some(url.label())), env, err, |resolver| {
        resolver.get(&url)
    })?;
    Ok(json::line(&Answer {
        server_url: &String::from_utf8_lossy(asked),
        username: credential.username(),
        secret: credential.secret().expose(),
    }))
}

fn store(text: &[u8], env: &Env, err: &mut dyn Write) -> Result<Zeroizing<String>, Error> {
    let (server_url, username, secret) = StoreRequest::parse(text)?;
    let url = ServerUrl::parse(server_url.expose().as_bytes()).map_err(DockerError::ServerUrl)?;
    let credential =
        Credential::new(username.expose().to_owned(), secret).map_err(|error| match error {
            CredentialError::NoUsername => Error::Protocol(NO_USERNAME),
            other => Error::from(DockerError::Credential(other)).about(url.label()),
        })?;
    work(("store", Some(url.label())), env, err, |resolver| {
        resolver.store(&url, credential)
    })?;
    Ok(Zeroizing::default())
}

fn erase(text: &[u8], env: &Env, err: &mut dyn Write) -> Result<Zeroizing<String>, Error> {
    let asked = server_url(text)?;
    if std::str::from_utf8(asked).is_err() || asked.iter().any(u8::is_ascii_control) {
        return Err(DockerError::NotALine.into());
    }
    // docker logout also erases spellings under which nothing can be stored. They need no work.
    if let Ok(url) = ServerUrl::parse(text) {
        work(("erase", Some(url.label())), env, err, |resolver| {
            resolver.erase(&url)
        })?;
    }
    Ok(Zeroizing::default())
}

/// Ignores standard input (clients send `unused` or nothing), and answers even if the store can't be reached. Fails if
/// the store refuses the token or password, because an empty list would look like an empty store.
fn list(env: &Env, err: &mut dyn Write) -> Result<Zeroizing<String>, Error> {
    let (mut skipped, mut refusal) = (Vec::new(), None);
    let lines = work(("list", None), env, err, |resolver| {
        let lines = resolver.list(&mut |error| {
            refusal = refusal.take().or_else(|| error.refusal());
            skipped.push(error.to_string());
        })?;
        refusal.map_or(Ok(lines), Err)
    });
    for error in skipped {
        warn(err, &format_args!("left out of the list: {error}"));
    }
    Ok(json::line(&lines?))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    #[serde(rename = "ServerURL")]
    server_url: &'a str,
    username: &'a str,
    secret: &'a str,
}

/// A missing or null member is empty, as in Go's decoder. Clients rely on that.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct StoreRequest {
    #[serde(rename = "ServerURL")]
    server_url: Loose<Option<Redacted>>,
    username: Loose<Option<Redacted>>,
    secret: Loose<Option<Redacted>>,
}

impl StoreRequest {
    /// Parses the server URL, user name and secret.
    fn parse(text: &[u8]) -> Result<(Redacted, Redacted, Redacted), Error> {
        let request: Self = json::object(text).map_err(DockerError::Json)?;
        let field = |member: Loose<Option<Redacted>>, name| {
            member.or_default().ok_or(DockerError::NotText(name))
        };
        let server_url = field(request.server_url, "ServerURL")?;
        let username = field(request.username, "Username")?;
        let secret = field(request.secret, "Secret")?;
        if server_url.is_empty() {
            return Err(Error::Protocol(NO_SERVER_URL));
        }
        Ok((server_url, username, secret))
    }
}

const PATIENCE: Duration = Duration::from_secs(5);
const EXAMPLE: &str =
    "pipe the server URL in: echo registry.example.com | docker-credential-beta9 get";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_quotes_what_is_to_be_stored() {
        let sound = r#"{"ServerURL":"ghcr.io","Username":"octo","Secret":"hunter2"}"#;
        crate::json::tests::no_error_quotes_a_value(sound, StoreRequest::parse);
    }
}
