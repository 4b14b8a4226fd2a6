//! Chooses the names under which a registry's token is published.
//!
//! In Beta9's third generation, images name single secrets: `GCP_ACCESS_TOKEN` for Google; otherwise a user name and
//! password, with the prefix `REGISTRY_` or none, whichever is free. Docker Hub's pair, the third that a build reads,
//! is not used, because docker.io uses it without being named, and would get another registry's token. A rule's
//! `secrets` sets other names. In earlier generations, it is one secret, named after the registry and with the registry
//! recorded in it. If the generation is unknown (the gateway's API), `--names` or earlier publishing decides.

use super::errors::PublishError;
use super::token::{Login, Token};
use super::{How, Publisher};
use crate::backend::{Backend, GCP_KEYS};
use crate::credential::Redacted;
use crate::error::Error;
use crate::host::Host;
use crate::keys::{Blob, Keys};
use crate::registry::{NOBODYS_PAIRS, detect};
use crate::store::{Lookup, Owner, Published, Single, name};

/// The secrets that a token is written to.
pub(super) struct Plan {
    pub(super) by_names: bool,
    /// The places, in the order of writing.
    pub(super) places: Vec<Place>,
}

/// A secret's name and its current value.
pub(super) struct Place {
    pub(super) name: String,
    pub(super) there: Option<Redacted>,
}

impl Plan {
    fn of<N: AsRef<str>>(by_names: bool, names: &[N], there: &[Single]) -> Self {
        let value = |name: &str| {
            there
                .iter()
                .find(|single| single.name == name)
                .map(|single| single.value.clone())
        };
        let place = |name: &N| Place {
            name: name.as_ref().to_owned(),
            there: value(name.as_ref()),
        };
        Self {
            by_names,
            places: names.iter().map(place).collect(),
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.places.iter().map(|place| place.name.as_str())
    }

    /// Whether all of its secrets exist.
    pub(super) fn is_there(&self) -> bool {
        self.places.iter().all(|place| place.there.is_some())
    }

    /// Whether the secrets already have these values.
    pub(super) fn holds(&self, values: &[Redacted]) -> bool {
        self.places
            .iter()
            .zip(values)
            .all(|(place, value)| place.there.as_ref() == Some(value))
    }

    /// The values to write, place by place.
    pub(super) fn values(&self, host: &Host, backend: &Backend, token: &Token) -> Vec<Redacted> {
        let (username, secret) = (token.credential.username(), token.credential.secret());
        match (self.by_names, self.places.len()) {
            (true, 1) => vec![secret.clone()],
            (true, _) => vec![username.into(), secret.clone()],
            (false, _) => {
                let secret = secret.clone();
                let (keys, end) = match backend {
                    Backend::Gcp => (Keys::default().with(GOOGLE, secret), Some(token.expires)),
                    // The other clouds' tokens contain their expiry.
                    _ => (Keys::user_password(username.to_owned(), secret), None),
                };
                let kind = detect(host, &keys);
                vec![Blob::marshal_until(host.as_str(), kind, &keys, end)]
            }
        }
    }
}

impl Publisher {
    pub(super) fn plan(
        &self,
        host: &Host,
        login: &Login,
        noted: Option<&Published>,
        how: How,
    ) -> Result<Plan, Error> {
        let route = self.target_route(host);
        let of_rule = route.rule.and_then(|rule| rule.secrets.as_deref());
        let by_names = how.by_names
            || of_rule.is_some()
            || match self.target.workspace.binds_names(self.target.deadline())? {
                Some(by_names) => by_names,
                None => noted.is_some_and(|noted| noted.by_names),
            };
        let before = noted
            .filter(|noted| noted.by_names == by_names)
            .map(|noted| noted.names().collect::<Vec<_>>());
        match (by_names, of_rule, before) {
            (true, Some(names), _) => self.at(&in_order(names, &login.backend)?),
            (true, None, Some(names)) => self.at(&names),
            (true, None, None) => self.free_names(host, login),
            (false, _, Some(names)) => Ok(Plan {
                by_names,
                ..self.at(&names)?
            }),
            (false, ..) => self.blob(&self.target.lookup(&route, host)?),
        }
    }

    /// A plan with single secrets of these names.
    fn at<N: AsRef<str>>(&self, names: &[N]) -> Result<Plan, Error> {
        Ok(Plan::of(true, names, &self.singles(names)?))
    }

    /// The first pair of names that is free, or whose user name shows that it has a token of this cloud.
    fn free_names(&self, host: &Host, login: &Login) -> Result<Plan, Error> {
        let mut others = Vec::new();
        for other in self
            .notes
            .published_hosts()?
            .into_iter()
            .filter(|other| other != host)
        {
            others.extend(self.notes.published(&other)?.map(|noted| (other, noted)));
        }
        let other = |name: &str| {
            others
                .iter()
                .find(|(_, noted)| noted.names().any(|one| one == name))
        };
        if matches!(login.backend, Backend::Gcp) {
            if let Some((other, _)) = other(GOOGLE) {
                let (name, host) = (GOOGLE, other.clone());
                return Err(PublishError::Shared { name, host }.into());
            }
            return self.at(&[GOOGLE]);
        }
        let pairs = NOBODYS_PAIRS.map(|(username, password)| [username, password]);
        let there = self.singles(pairs.as_flattened())?;
        let none = Keys::default();
        let username = login.backend.username(&none);
        let mut free = None;
        for pair in pairs
            .iter()
            .filter(|pair| pair.iter().all(|name| other(name).is_none()))
        {
            let plan = Plan::of(true, pair, &there);
            match &plan.places[0].there {
                // This node may have published it and lost the note.
                Some(there) if there.expose() == username => return Ok(plan),
                None if plan.places[1].there.is_none() => _ = free.get_or_insert(plan),
                _ => {}
            }
        }
        free.ok_or_else(|| {
            let names = pairs.map(|[_, password]| password).join(" and ");
            PublishError::NamesTaken(names).into()
        })
    }

    /// The secret that readers use for this registry, or a new one.
    fn blob(&self, lookup: &Lookup) -> Result<Plan, Error> {
        let names = lookup.names();
        let there = self.singles(&names)?;
        for name in &names {
            let Some(single) = there.iter().find(|single| single.name == *name) else {
                continue;
            };
            let blob = Blob::parse(single.value.expose()).map_err(|error| {
                let name = name.clone();
                PublishError::Damaged { name, error }
            })?;
            if lookup.owner(name, blob.registry.as_ref()) == Owner::Ours {
                return Ok(Plan::of(false, &[name], &there));
            }
        }
        let new = match lookup.secret {
            Some(name) => vec![name.to_owned()],
            None => self.target.workspace.new_names(lookup.host),
        };
        let free = new
            .iter()
            .find(|name| there.iter().all(|single| single.name != **name));
        let name = free.ok_or_else(|| PublishError::Taken(new.clone()))?;
        Ok(Plan::of(false, &[name], &[]))
    }

    fn singles<N: AsRef<str>>(&self, names: &[N]) -> Result<Vec<Single>, Error> {
        let names: Vec<_> = names.iter().map(|name| name.as_ref().to_owned()).collect();
        self.target
            .workspace
            .singles(&names, self.target.deadline())
    }
}

/// A rule's names in order: the user name and the password, or the one name of Google's token.
fn in_order<'n>(names: &'n [String], backend: &Backend) -> Result<Vec<&'n str>, Error> {
    let ends = |ending: &str| {
        names
            .iter()
            .find(|name| name.to_ascii_uppercase().ends_with(ending))
            .map(String::as_str)
    };
    let in_order = match (names, ends("USERNAME"), ends("PASSWORD")) {
        ([token], ..) if token == GOOGLE && matches!(backend, Backend::Gcp) => Some(vec![GOOGLE]),
        ([_, _], Some(username), Some(password)) => Some(vec![username, password]),
        _ => None,
    };
    in_order
        .filter(|names| names.iter().all(|name| name::can_be_created(name)))
        .ok_or_else(|| PublishError::WrongNames.into())
}

const GOOGLE: &str = GCP_KEYS[0];
