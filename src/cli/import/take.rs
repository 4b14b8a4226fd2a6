//! Each entry goes into the store and is read back; what comes of it.

use super::plain::PlainFile;
use crate::backend::Backend;
use crate::client::{AuthEntry, Held};
use crate::credential::Credential;
use crate::error::Error;
use crate::host::{Host, Scheme, ServerUrl};
use crate::keys::Keys;
use crate::registry::choose;
use crate::resolver::Resolver;
use crate::shown::shown;
use crate::store::Times;

/// One entry of one file.
pub(super) struct Entry {
    /// The file's place among the files.
    pub(super) file: usize,
    /// The registry as the file spells it.
    pub(super) key: String,
    /// The registry as this program spells it.
    pub(super) host: String,
    pub(super) fate: Fate,
}

/// What became of it.
#[derive(Clone)]
pub(super) enum Fate {
    /// The store has it now.
    Imported,
    /// The store had it already.
    Unchanged,
    /// It stays where it is; why, and what next.
    Left(String),
}

impl Fate {
    /// Whether the store answers it identically.
    pub(super) fn is_kept(&self) -> bool {
        matches!(self, Self::Imported | Self::Unchanged)
    }

    pub(super) fn is_failure(&self) -> bool {
        self.why().is_some()
    }

    pub(super) fn why(&self) -> Option<&str> {
        match self {
            Self::Left(why) => Some(why),
            _ => None,
        }
    }
}

impl Entry {
    /// What became of it, and of what; for a row.
    pub(super) fn told(&self, dry_run: bool) -> (&'static str, String) {
        let key = shown(&self.key);
        match &self.fate {
            Fate::Imported if dry_run => ("would take over", key.to_string()),
            Fate::Imported => ("taken over", key.to_string()),
            Fate::Unchanged => ("there already", key.to_string()),
            Fate::Left(why) => ("left", format!("{key}: {why}")),
        }
    }
}

/// What all entries have in common.
pub(super) struct Import<'a> {
    /// Opens the store.
    pub(super) open: &'a dyn Fn() -> Result<Resolver, Error>,
    /// Whether another credential of the store's is replaced.
    pub(super) force: bool,
    pub(super) dry_run: bool,
    /// What went wrong on the way without hindering anything.
    pub(super) warnings: Vec<String>,
}

/// A registry's first credential, and what became of it.
type Taken<'a> = (ServerUrl, &'a Credential, Fate);

impl Import<'_> {
    /// Takes over every credential of these files; of two for one registry, the first.
    pub(super) fn all(&mut self, files: &[PlainFile]) -> Result<Vec<Entry>, Error> {
        // A wrong configuration is no entry's fault.
        (self.open)()?;
        let mut taken: Vec<Taken> = Vec::new();
        let mut entries = Vec::new();
        for (file, plain) in files.iter().enumerate() {
            for entry in &plain.auths {
                // What is no registry are docker's own items, which go where Docker Hub's credential goes.
                let host = entry.host().unwrap_or_else(Host::docker_hub).to_string();
                let fate = match &entry.held {
                    Held::Nothing => continue,
                    Held::Malformed(why) => Fate::Left(format!("{why}; {}", again(entry, plain))),
                    Held::Credential(credential) => target(entry, plain)
                        .map_or_else(Fate::Left, |url| self.once(url, credential, &mut taken)),
                };
                entries.push(Entry {
                    file,
                    key: entry.key.clone(),
                    host,
                    fate,
                });
            }
        }
        Ok(entries)
    }

    /// Takes a registry's first credential over; what comes after it is that one again, or another.
    fn once<'a>(
        &mut self,
        url: ServerUrl,
        credential: &'a Credential,
        taken: &mut Vec<Taken<'a>>,
    ) -> Fate {
        match taken.iter().find(|(other, ..)| *other == url) {
            Some((_, first, fate)) if *first == credential => match fate {
                Fate::Imported => Fate::Unchanged,
                as_the_first => as_the_first.clone(),
            },
            Some(_) => Fate::Left(
                "another entry for the same registry comes first; remove one of the two".into(),
            ),
            None => {
                let fate = (self.open)().and_then(|resolver| {
                    let fate = self.take(&resolver, &url, credential);
                    self.warnings.extend(resolver.warnings());
                    fate
                });
                let fate = fate.unwrap_or_else(|error| {
                    Fate::Left(without_name(&crate::one_line(&error), &url))
                });
                taken.push((url, credential, fate.clone()));
                fate
            }
        }
    }

    fn take(
        &self,
        resolver: &Resolver,
        url: &ServerUrl,
        credential: &Credential,
    ) -> Result<Fate, Error> {
        if let ServerUrl::Registry { host, path, .. } = url
            && resolver
                .route(host, Scheme::Https, path)
                .is_some_and(|route| route.is_public())
        {
            return Ok(Fate::Left(
                "a rule says that nothing is ever answered for it; remove it, or the rule".into(),
            ));
        }
        if let Some(ended) = ended(resolver, url, given(credential), Times::default()) {
            return Err(ended);
        }
        let before = read_back(resolver, url, credential)?;
        match before {
            Some(true) => return Ok(Fate::Unchanged),
            Some(false) if !self.force => {
                return Ok(Fate::Left(
                    "the store has another credential for it; --force replaces that".into(),
                ));
            }
            _ if self.dry_run => return Ok(Fate::Imported),
            _ => {}
        }
        resolver.store(url, credential.clone())?;
        if read_back(resolver, url, credential)? == Some(true) {
            return Ok(Fate::Imported);
        }
        if before.is_none() {
            resolver.erase(url)?;
        }
        let next = format!("docker-credential-beta9 explain {} says why", url.label());
        Ok(Fate::Left(format!(
            "the store does not answer it as it was given, so it was not taken over; {next}"
        )))
    }
}

/// What the store keeps it under: the whole registry, or one of docker's own items.
fn target(entry: &AuthEntry, file: &PlainFile) -> Result<ServerUrl, String> {
    if let Some(host) = entry.host() {
        return Ok(host.into());
    }
    match ServerUrl::parse(entry.key.as_bytes()) {
        Ok(item @ ServerUrl::Item(_)) => Ok(item),
        Ok(_) => Err(format!(
            "it is for a part of the registry, and the store keeps one credential for the whole; {}",
            again(entry, file)
        )),
        Err(rejected) => Err(format!("{rejected}; remove that entry")),
    }
}

/// How the registry gets a credential that can be kept.
fn again(entry: &AuthEntry, file: &PlainFile) -> String {
    match (ServerUrl::parse(entry.key.as_bytes()), file.client) {
        (Ok(ServerUrl::Registry { host, .. }), Some(client)) => {
            format!("log in anew: {client} login {host}")
        }
        _ => "correct that entry, and import it again".to_owned(),
    }
}

/// An error's text behind the registry's name, which the row has already.
fn without_name(error: &str, url: &ServerUrl) -> String {
    let named = error
        .strip_prefix(url.label())
        .and_then(|rest| rest.strip_prefix(": "));
    named.unwrap_or(error).to_owned()
}

/// The keys that a client's credential is kept as.
fn given(credential: &Credential) -> Keys {
    Keys::user_password(
        credential.username().to_owned(),
        credential.secret().clone(),
    )
}

/// The error for a registry's credential that is past its end.
fn ended(resolver: &Resolver, url: &ServerUrl, keys: Keys, times: Times) -> Option<Error> {
    let ServerUrl::Registry { host, path, .. } = url else {
        return None;
    };
    let route = resolver.route(host, Scheme::Https, path)?;
    let choice = choose(route.row, route.real, keys).ok()?;
    resolver.ended(&route, resolver.workspace_store(), &choice, times)
}

/// Whether the store has exactly this, and clients get exactly this; `None` when it has nothing.
fn read_back(
    resolver: &Resolver,
    url: &ServerUrl,
    credential: &Credential,
) -> Result<Option<bool>, Error> {
    let answered = || match resolver.get(url) {
        Ok(held) => Ok(Some(held == *credential)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    };
    let ServerUrl::Registry { host, path, .. } = url else {
        return answered();
    };
    let Some(route) = resolver.route(host, Scheme::Https, path) else {
        return Ok(None);
    };
    let Some((_, found)) = resolver
        .find(&route)
        .map_err(|error| error.about(host.as_reference()))?
    else {
        return Ok(None);
    };
    let keys = given(credential);
    if found.keys != keys {
        // What has ended is in nobody's way.
        let has_ended = ended(resolver, url, found.keys, found.times).is_some();
        return Ok((!has_ended).then_some(false));
    }
    // What a client gets for a cloud's key is a token of that cloud, which is not asked for one here.
    match choose(route.row, route.real, keys)?.backend {
        Backend::Fixed { .. } => answered(),
        _ => Ok(Some(true)),
    }
}
