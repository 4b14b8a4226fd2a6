//! What Beta9 does at build and run time: writes a workspace secret for an image's registry, and makes the payload that
//! a scheduler passes to a worker.

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

/// A planned secret for an image's registry.
#[derive(Debug)]
pub struct Prepared<'i> {
    /// The image.
    pub image: &'i ImageRef,
    /// How it is stored.
    pub form: Form,
    /// The keys that readers will find.
    pub keys: Keys,
    /// The given keys that are not written.
    pub left_out: Vec<String>,
    /// Remarks for the user.
    pub notes: Vec<String>,
}

/// How a login is stored in the workspace.
#[derive(Debug)]
pub enum Form {
    /// As the registry's own secret, with all keys.
    Secret(Secret),
    /// As single secrets, whose names the image has.
    Names(Vec<Planned>),
}

impl Resolver {
    /// The credential that these keys give for the image's registry; `NotFound` for a public one. Stores nothing.
    pub fn credential_of(&self, image: &ImageRef, keys: &Keys) -> Result<Credential, Error> {
        let route = self.image_route(image)?;
        let choice = choose(route.row, route.real, keys.clone())?;
        let who = Who::new(GIVEN, Some(&choice.keys), Sharing::No);
        self.login(&choice.backend, &route, who, Keep::Nowhere)
            .map(|minted| minted.credential)
    }

    /// Plans the secret for the image's registry. Fails if the registry can't use the keys.
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

    /// Writes a planned secret, which expires after `ttl` if given. Returns the name or names.
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
                // Other registries may use the single secrets too.
                self.changed_somewhere();
                return names;
            }
        };
        self.change(&route, |lookup| {
            self.workspace.store_for(lookup, secret, ttl)
        })
        .map(|name| vec![name])
    }

    /// Whether the workspace store binds images to names; `None` if unknown.
    pub fn binds_names(&self) -> Result<Option<bool>, Error> {
        self.workspace.binds_names(self.deadline())
    }

    /// Checks, before anything is changed, whether all steps are possible.
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

    /// Binds an image to the secrets that were written for it.
    pub fn bind_image(&self, image_id: &str, written: &[Prepared]) -> Result<Binding, Error> {
        let image_id = check_image_id(image_id)?;
        if let [one] = written
            && let Form::Names(planned) = &one.form
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

    /// Removes expired secrets, and returns their names.
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

/// The choice, if it makes a valid credential.
pub(super) fn usable(route: &Route, choice: Choice) -> Result<Choice, Error> {
    if let Some((username, secret)) = choice.backend.plain(&choice.keys) {
        Credential::new(username.to_owned(), secret.clone()).map_err(|unusable| {
            Error::from(ResolverError::Unusable(unusable)).about(route.host.as_reference())
        })?;
    }
    Ok(choice)
}

/// The keys, with the region if only a rule has it.
pub(super) fn with_region(route: &Route, keys: Keys) -> Keys {
    let is_aws = matches!(route.row.cloud(), Some(Backend::Aws));
    match &route.settings().region {
        Some(region) if is_aws && !keys.has(REGION) => keys.with(REGION, region.as_str().into()),
        _ => keys,
    }
}

/// A note if the given region isn't the registry's.
pub(super) fn other_region(given: &Keys, kept: &Keys) -> Option<String> {
    let (given, kept) = (given.get(REGION)?, kept.get(REGION)?);
    (given != kept).then(|| {
        format!(
            "{REGION} is {}, as the registry's name says, and not what was given",
            kept.expose()
        )
    })
}

/// The names of the given keys that are not stored.
pub(super) fn left_out(given: &Keys, is_kept: impl Fn(&str) -> bool) -> Vec<String> {
    given
        .names()
        .filter(|name| !is_kept(name))
        .map(|name| shown(name).to_string())
        .collect()
}

/// The `store` of keys that the caller gave.
const GIVEN: &str = "given";
const REGION: &str = "AWS_REGION";
