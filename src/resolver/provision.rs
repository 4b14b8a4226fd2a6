//! What Beta9 does at build and run time: writes a workspace secret for an image's registry, and makes the payload that
//! a scheduler passes to a worker.

use std::time::{Duration, SystemTime};

use super::answer::Who;
use super::end::unwritten_end;
use super::errors::ResolverError;
use super::names::Planned;
use super::shared::Sharing;
use super::{Resolver, Route};
use crate::backend::Backend;
use crate::credential::{Credential, Redacted};
use crate::error::Error;
use crate::host::{ImageRef, Scheme};
use crate::keys::{Blob, Keys};
use crate::registry::{Choice, Written, choose, detect, detect_by_keys, written};
use crate::shown::shown;
use crate::store::{Binding, Found, ImageSecrets, Keep, Secret, Single, StoreError};

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
        let who = Who {
            store: GIVEN,
            keys: Some(&choice.keys),
            pod: None,
            sharing: Sharing::No,
        };
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

    /// The payload for `BETA9_IMAGE_CREDENTIALS`: an image's secret, an array of its secrets, or the payload that Beta9
    /// makes from the single secrets that it names. If the store does not know images, the reference names the
    /// registry. `NotFound` if the image is bound to nothing.
    pub fn payload(&self, image_id: &str, image: Option<&ImageRef>) -> Result<Redacted, Error> {
        let payloads = self.payloads(image_id, image)?;
        let texts: Vec<_> = payloads.iter().map(|(text, _)| text.expose()).collect();
        Ok(match texts.as_slice() {
            [one] => (*one).into(),
            all => format!("[{}]", all.join(",")).into(),
        })
    }

    /// The secrets of an image, at least one, and where tokens minted from them may be cached.
    pub(super) fn payloads(
        &self,
        image_id: &str,
        image: Option<&ImageRef>,
    ) -> Result<Vec<(Redacted, Keep)>, Error> {
        let of_registry = || -> Result<Option<Vec<_>>, Error> {
            let found = image.map_or(Ok(None), |image| self.payload_of_registry(image))?;
            Ok(found.map(|found| vec![found]))
        };
        match self
            .workspace
            .image_secrets(check_image_id(image_id)?, self.deadline())?
        {
            ImageSecrets::Elsewhere if image.is_none() => {
                Err(self.workspace.error(StoreError::NoImages))
            }
            ImageSecrets::Unknown(why) => of_registry()?.ok_or(why),
            ImageSecrets::Elsewhere | ImageSecrets::Unbound => {
                of_registry()?.ok_or(Error::NotFound)
            }
            ImageSecrets::Names { names, there } => {
                let payload = self.payload_of_names(image_id, image, &names, &there)?;
                Ok(vec![(payload, Keep::Disk)])
            }
            ImageSecrets::Blobs(blobs) if blobs.is_empty() => Err(Error::NotFound),
            ImageSecrets::Blobs(blobs) => {
                Ok(blobs.into_iter().map(|blob| (blob, Keep::Disk)).collect())
            }
        }
    }

    fn payload_of_registry(&self, image: &ImageRef) -> Result<Option<(Redacted, Keep)>, Error> {
        let host = &image.host;
        let Some(route) = self.route(host, Scheme::Https, &image.repository) else {
            return Ok(None);
        };
        let found = self
            .find(&route)?
            .map(|(_, found)| found)
            .filter(|found| !found.keys.is_empty());
        let payload = |Found {
                           keys, times, keep, ..
                       }| {
            let choice = choose(route.row, route.real, keys.clone());
            let end = choice.map_or(times.expires_at, |choice| unwritten_end(&choice, times));
            let kind = detect(host, &keys);
            let text = Blob::marshal_until(host.as_reference(), kind, &keys, end);
            (text, keep)
        };
        Ok(found.map(payload))
    }

    /// The payload that Beta9 makes from an image's named secrets, byte for byte: without a registry, and with the type
    /// detected from the keys. Beta9 silently omits missing secrets; here that is a warning, and an error if all are
    /// missing.
    fn payload_of_names(
        &self,
        image_id: &str,
        image: Option<&ImageRef>,
        names: &[String],
        there: &[Single],
    ) -> Result<Redacted, Error> {
        let part = format!("{} store", self.workspace_store());
        let route =
            image.and_then(|image| self.route(&image.host, Scheme::Https, &image.repository));
        let lookup = route
            .as_ref()
            .map(|route| self.lookup(route, route.host))
            .transpose()?;
        let mut keys = Keys::default();
        for single in there {
            lookup
                .as_ref()
                .map_or(Ok(()), |lookup| lookup.check_hosts(&part, single))?;
            single.add_to(&mut keys, &part)?;
        }
        let missing = names
            .iter()
            .filter(|name| !keys.has(name))
            .map(|name| shown(name).to_string());
        let missing = missing.collect::<Vec<_>>().join(", ");
        let image = image_id.to_owned();
        if keys.is_empty() {
            return Err(ResolverError::NoneOfNames { image, missing }.into());
        }
        if !missing.is_empty() {
            let lacking = ResolverError::SomeOfNames { image, missing };
            self.warnings.add(Error::from(lacking));
        }
        Ok(Blob::marshal("", detect_by_keys(&keys), &keys))
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

/// Validates an image id. Ids are hashes or short names; nothing else may get into a query or a file name.
fn check_image_id(image_id: &str) -> Result<&str, Error> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    if !image_id.is_empty() && image_id.len() <= 255 && image_id.bytes().all(allowed) {
        return Ok(image_id);
    }
    Err(ResolverError::ImageId.into())
}

/// The `store` of keys that the caller gave.
const GIVEN: &str = "given";
const REGION: &str = "AWS_REGION";
