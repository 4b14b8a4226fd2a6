//! What Beta9 does at build time: a workspace secret for an image's registry.

use std::time::{Duration, SystemTime};

use super::answer::Who;
use super::errors::ResolverError;
use super::images::check_image_id;
use super::names::Planned;
use super::shared::Sharing;
use super::{Resolver, Route};
use crate::backend::Backend;
use crate::credential::Credential;
use crate::error::Error;
use crate::host::{ImageRef, Scheme};
use crate::keys::{Blob, Keys};
use crate::registry::{Choice, Written, choose, detect, written};
use crate::shown::shown;
use crate::store::{Binding, Keep, Secret};

/// What is going to be written for an image's registry.
#[derive(Debug)]
pub struct Prepared<'i> {
    /// The image.
    pub image: &'i ImageRef,
    /// As what.
    pub form: Form,
    /// The keys that a reader will find.
    pub keys: Keys,
    /// The keys that were given and are not among them.
    pub left_out: Vec<String>,
    /// What else there is to say of it.
    pub notes: Vec<String>,
}

/// How a login is kept in the workspace.
#[derive(Debug)]
pub enum Form {
    /// As the registry's own secret, with all keys in it.
    Secret(Secret),
    /// As single secrets, whose names an image has.
    Names(Vec<Planned>),
}

impl Resolver {
    /// The credential that these keys would give for the image's registry; `NotFound` for a public one. Nothing is kept.
    pub fn credential_of(&self, image: &ImageRef, keys: &Keys) -> Result<Credential, Error> {
        let route = self.image_route(image)?;
        let choice = choose(route.row, route.real, keys.clone())?;
        let who = Who {
            store: GIVEN,
            keys: Some(&choice.keys),
            pod: None,
            sharing: Sharing::No,
        };
        self.login(&choice.backend, &route, who, Keep::Nowhere)
            .map(|minted| minted.credential)
    }

    /// The secret of the image's registry, with these keys. Keys that the registry cannot take are refused.
    pub fn prepare_secret<'i>(
        &self,
        image: &'i ImageRef,
        given: &Keys,
    ) -> Result<Prepared<'i>, Error> {
        let route = self.image_route(image)?;
        let choice = usable(&route, choose(route.row, route.real, given.clone())?)?;
        let Written { keys, is_for_clip } =
            written(route.real, &choice, &with_region(&route, given.clone()));
        let (username, kind) = (
            choice.listed_username().to_owned(),
            detect(&image.host, &keys),
        );
        let blob = Blob::marshal(&image.spelling, kind, &keys);
        let mut notes: Vec<String> = other_region(given, &keys).into_iter().collect();
        if !is_for_clip {
            let host = &image.host;
            notes.push(format!(
                "Beta9's workers cannot log in to {host} with these keys: a token has to be minted; run in the control plane: docker-credential-beta9 publish {host}"
            ));
        }
        let left_out = left_out(given, |name| keys.has(name));
        Ok(Prepared {
            image,
            form: Form::Secret(Secret { username, blob }),
            keys,
            left_out,
            notes,
        })
    }

    /// Writes what was prepared; a secret for as long as `ttl` says. Answers the secret's name, or the names.
    pub fn provision(
        &self,
        prepared: &Prepared,
        ttl: Option<Duration>,
    ) -> Result<Vec<String>, Error> {
        let route = self.image_route(prepared.image)?;
        let secret = match &prepared.form {
            Form::Secret(secret) => secret,
            Form::Names(planned) => {
                let names = self.change(&route, |_| self.write_names(planned));
                // Other registries may use them too.
                self.changed_somewhere();
                return names;
            }
        };
        self.change(&route, |lookup| {
            self.workspace.store_for(lookup, secret, ttl)
        })
        .map(|name| vec![name])
    }

    /// Whether images are bound to names in the workspace store; `None` where nothing shows it.
    pub fn binds_names(&self) -> Result<Option<bool>, Error> {
        self.workspace.binds_names(self.deadline())
    }

    /// Refuses, before anything is changed, what cannot be done to its end.
    pub fn check_provision(
        &self,
        registries: usize,
        image_id: Option<&str>,
        ttl: bool,
    ) -> Result<(), Error> {
        image_id.map(check_image_id).transpose()?;
        self.workspace
            .check_provision(registries, image_id, ttl, self.deadline())
    }

    /// Binds an image to what was written for it.
    pub fn bind_image(&self, image_id: &str, written: &[Prepared]) -> Result<Binding, Error> {
        let image_id = check_image_id(image_id)?;
        if let [
            Prepared {
                form: Form::Names(planned),
                ..
            },
        ] = written
        {
            let names: Vec<String> = planned.iter().map(|one| one.name.to_owned()).collect();
            return self.workspace.bind_names(image_id, &names, self.deadline());
        }
        let routes = written
            .iter()
            .map(|one| self.image_route(one.image))
            .collect::<Result<Vec<_>, _>>()?;
        let lookups = routes
            .iter()
            .map(|route| self.lookup(route, route.host))
            .collect::<Result<Vec<_>, _>>()?;
        self.workspace.bind_image(image_id, &lookups)
    }

    pub(super) fn image_route<'a>(&'a self, image: &'a ImageRef) -> Result<Route<'a>, Error> {
        self.route(&image.host, Scheme::Https, &image.repository)
            .ok_or(Error::NotFound)
    }

    /// Removes the secrets whose time is over, and answers what they were called.
    pub fn prune(&self) -> Result<Vec<String>, Error> {
        let mut skipped = |error: &Error| self.warnings.add(format_args!("left alone: {error}"));
        let pruned = self
            .workspace
            .prune(SystemTime::now(), self.deadline(), &mut skipped);
        if !matches!(&pruned, Ok(names) if names.is_empty()) {
            self.changed_somewhere();
        }
        pruned
    }
}

/// The choice, if what it gives can be shown to a registry at all.
pub(super) fn usable(route: &Route, choice: Choice) -> Result<Choice, Error> {
    if let Some((username, secret)) = choice.backend.plain(&choice.keys) {
        Credential::new(username.to_owned(), secret.clone()).map_err(|unusable| {
            Error::from(ResolverError::Unusable(unusable)).about(route.host.as_reference())
        })?;
    }
    Ok(choice)
}

/// The keys, with the region that only a rule tells of a host.
pub(super) fn with_region(route: &Route, keys: Keys) -> Keys {
    match &route.settings().region {
        Some(region)
            if route
                .row
                .cloud()
                .is_some_and(|cloud| matches!(cloud, Backend::Aws))
                && !keys.has(REGION) =>
        {
            keys.with(REGION, region.as_str().into())
        }
        _ => keys,
    }
}

/// What is to be said of a region that was given and is not the registry's.
pub(super) fn other_region(given: &Keys, kept: &Keys) -> Option<String> {
    let (given, kept) = (given.get(REGION)?, kept.get(REGION)?);
    (given != kept).then(|| {
        format!(
            "{REGION} is {}, as the registry's name says, and not what was given",
            kept.expose()
        )
    })
}

/// The names of the keys that are not among those that are kept.
pub(super) fn left_out(given: &Keys, is_kept: impl Fn(&str) -> bool) -> Vec<String> {
    given
        .names()
        .filter(|name| !is_kept(name))
        .map(|name| shown(name).to_string())
        .collect()
}

/// In place of a store: keys that were handed over.
const GIVEN: &str = "given";
const REGION: &str = "AWS_REGION";
