//! What Beta9 does at build time and at run time: a workspace secret for an image's registry, and the payload that a
//! scheduler hands to a worker.

use std::time::{Duration, SystemTime};

use super::Resolver;
use super::answer::Who;
use crate::credential::{Credential, Redacted};
use crate::error::{Error, Problem};
use crate::host::{ImageRef, Scheme};
use crate::keys::{Blob, Keys};
use crate::registry::{choose, detect};
use crate::store::{Binding, Secret};

impl Resolver {
    /// The credential that these keys would give for the image's registry; `NotFound` for a public one. Nothing is kept.
    pub fn credential_of(&self, image: &ImageRef, keys: &Keys) -> Result<Credential, Error> {
        let route = self.route(&image.host, Scheme::Https, &image.repository).ok_or(Error::NotFound)?;
        let choice = choose(route.row, route.real, keys.clone())?;
        let who = Who { store: GIVEN, keys: Some(&choice.keys), pod: None };
        self.login(&choice.backend, &route, who, crate::store::Keep::Memory).map(|minted| minted.credential)
    }

    /// Keeps these keys as the secret of the image's registry, for as long as `ttl` says; answers the secret's name.
    /// Keys that the registry cannot take are refused.
    pub fn provision(&self, image: &ImageRef, keys: &Keys, ttl: Option<Duration>) -> Result<String, Error> {
        let host = &image.host;
        let route = self.route(host, Scheme::Https, &image.repository).ok_or(Error::NotFound)?;
        let choice = choose(route.row, route.real, keys.clone())?;
        let (username, blob) =
            (choice.listed_username().to_owned(), Blob::marshal(host.as_reference(), detect(host, keys), keys));
        let name = self.change(&route, |lookup| self.workspace.store(lookup, &Secret { username, blob }))?;
        if let Some(ttl) = ttl {
            let lookup = self.lookup(&route, host)?;
            self.workspace.set_expiry(&lookup, ttl).map_err(|error| error.about(host.as_reference()))?;
        }
        Ok(name)
    }

    /// Refuses, before anything is changed, what cannot be done to its end.
    pub fn check_provision(&self, registries: usize, image_id: Option<&str>, ttl: bool) -> Result<(), Error> {
        image_id.map(check_image_id).transpose()?;
        self.workspace.check_provision(registries, image_id.is_some(), ttl)
    }

    /// Binds an image to the secrets of its registries.
    pub fn bind_image(&self, image_id: &str, images: &[&ImageRef]) -> Result<Binding, Error> {
        let routes: Vec<_> =
            images.iter().filter_map(|image| self.route(&image.host, Scheme::Https, &image.repository)).collect();
        let lookups = routes.iter().map(|route| self.lookup(route, route.host)).collect::<Result<Vec<_>, _>>()?;
        self.workspace.bind_image(check_image_id(image_id)?, &lookups)
    }

    /// The payload for `BETA9_IMAGE_CREDENTIALS`: the secret of an image, or an array of its secrets. Where the store
    /// knows no images, the reference says which registry it is.
    pub fn payload(&self, image_id: &str, image: Option<&ImageRef>) -> Result<Redacted, Error> {
        let mut blobs = self.workspace.image_blobs(check_image_id(image_id)?, self.deadline())?;
        if let (true, Some(image)) = (blobs.is_empty(), image) {
            let route = self.route(&image.host, Scheme::Https, &image.repository).ok_or(Error::NotFound)?;
            let found = self.find(&route)?.map(|(_, found)| found.keys).filter(|keys| !keys.is_empty());
            let marshal = |keys: Keys| Blob::marshal(image.host.as_reference(), detect(&image.host, &keys), &keys);
            blobs.extend(found.map(marshal));
        }
        match blobs.as_slice() {
            [] => Err(Error::NotFound),
            [blob] => Ok(blob.clone()),
            several => Ok(format!("[{}]", several.iter().map(Redacted::expose).collect::<Vec<_>>().join(",")).into()),
        }
    }

    /// Removes the secrets whose time is over, and answers what they were called.
    pub fn prune(&self) -> Result<Vec<String>, Error> {
        let pruned = self.workspace.prune(SystemTime::now(), self.deadline());
        if !matches!(&pruned, Ok(names) if names.is_empty()) {
            self.changed_somewhere();
        }
        pruned
    }
}

/// Image ids are hashes or short names; what else it may be has no business in a query or a file name.
fn check_image_id(image_id: &str) -> Result<&str, Error> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    if !image_id.is_empty() && image_id.len() <= 255 && image_id.bytes().all(allowed) {
        return Ok(image_id);
    }
    Err(Problem::new("image id", "it is not of letters, digits and . _ : -")
        .fix("give the id as Beta9 has it")
        .failed())
}

/// In place of a store: keys that were handed over.
const GIVEN: &str = "given";
