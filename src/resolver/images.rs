//! The payloads of an image, which a scheduler hands to a worker. What the database said of one last is kept for when it cannot
//! be reached, as a registry's secret is.

use std::time::Instant;

use super::Resolver;
use super::end::unwritten_end;
use super::errors::ResolverError;
use super::shared::halfway;
use crate::cache::{Cache, Recalled};
use crate::credential::Redacted;
use crate::error::Error;
use crate::host::{ImageRef, Scheme};
use crate::json;
use crate::keys::{Blob, Keys};
use crate::registry::{choose, detect, detect_by_keys};
use crate::shown::shown;
use crate::store::{Found, ImageSecrets, Keep, Single, Store, StoreError};

impl Resolver {
    /// The payload for `BETA9_IMAGE_CREDENTIALS`: the secret of an image, an array of its secrets, or what Beta9 makes of the
    /// single secrets that it names. Where the store does not know the image, the reference says which registry it is.
    /// `NotFound` for an image that is bound to nothing.
    pub fn payload(&self, image_id: &str, image: Option<&ImageRef>) -> Result<Redacted, Error> {
        let payloads = self.payloads(image_id, image)?;
        let texts: Vec<_> = payloads.iter().map(|(text, _)| text.expose()).collect();
        Ok(match texts.as_slice() {
            [one] => (*one).into(),
            all => format!("[{}]", all.join(",")).into(),
        })
    }

    /// The secrets of an image, at least one, and where what comes of them may be kept.
    pub(super) fn payloads(
        &self,
        image_id: &str,
        image: Option<&ImageRef>,
    ) -> Result<Vec<(Redacted, Keep)>, Error> {
        let image_id = check_image_id(image_id)?;
        let memory = self.cache_of_images().map(Cache::memory);
        let Some(memory) = &memory else {
            return self.ask_for_payloads(image_id, image, self.deadline());
        };
        let notes = self.image_notes(memory, image_id, image);
        let last = notes.last();
        let last = last.and_then(|noted| Some((kept_payloads(&noted)?, noted)));
        let asked = memory.asked_now();
        // With an answer at hand a server that says nothing is not waited for so long that no time is left to mint.
        let deadline = match &last {
            Some(_) => halfway(self.deadline()),
            None => self.deadline(),
        };
        let error = match self.ask_for_payloads(image_id, image, deadline) {
            Ok(payloads) => {
                // One of them may have to stay off the disk.
                if payloads.iter().all(|(_, keep)| *keep == Keep::Disk) {
                    let texts: Vec<_> = payloads.iter().map(|(text, _)| text.expose()).collect();
                    let last = last.as_ref().map(|(_, noted)| noted);
                    notes.keep(&json::text(&texts), last, asked);
                }
                return Ok(payloads);
            }
            Err(error) => error,
        };
        match (error, last) {
            (error @ Error::Unreachable(_), Some((payloads, _))) => {
                self.warnings
                    .add(format_args!("{error}; its last answer is used"));
                Ok(payloads)
            }
            (error, _) => {
                notes.refused(&error);
                Err(error)
            }
        }
    }

    /// Where it is kept what the store said of images, if it is.
    fn cache_of_images(&self) -> Option<&Cache> {
        let is_kept = matches!(self.workspace, Store::Postgres(_))
            && !self.config.cache.stale_if_error.is_zero();
        is_kept.then(|| self.cache_for(Keep::Disk)).flatten()
    }

    fn ask_for_payloads(
        &self,
        image_id: &str,
        image: Option<&ImageRef>,
        deadline: Instant,
    ) -> Result<Vec<(Redacted, Keep)>, Error> {
        let of_registry = || -> Result<Option<Vec<_>>, Error> {
            let found = image.map_or(Ok(None), |image| self.payload_of_registry(image))?;
            Ok(found.map(|found| vec![found]))
        };
        match self.workspace.image_secrets(image_id, deadline)? {
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
        let payload = |found: Found| {
            let Found { keys, times, .. } = found;
            let choice = choose(route.row, route.real, keys.clone());
            let end = choice.map_or(times.expires_at, |choice| unwritten_end(&choice, times));
            let kind = detect(host, &keys);
            let text = Blob::marshal_until(host.as_reference(), kind, &keys, end);
            (text, found.keep)
        };
        Ok(found.map(payload))
    }

    /// Byte for byte what Beta9 makes of the secrets that an image names: no registry, and the type by the keys alone. It
    /// drops a secret that is missing without a word, which is a warning here, and an error where none is there.
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
}

/// The payloads in a note.
fn kept_payloads(noted: &Recalled) -> Option<Vec<(Redacted, Keep)>> {
    let texts: Vec<Redacted> = json::parse(noted.text.expose().as_bytes()).ok()?;
    Some(texts.into_iter().map(|text| (text, Keep::Disk)).collect())
}

/// Image ids are hashes or short names; what else it may be has no business in a query or a file name.
pub(super) fn check_image_id(image_id: &str) -> Result<&str, Error> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    if !image_id.is_empty() && image_id.len() <= 255 && image_id.bytes().all(allowed) {
        return Ok(image_id);
    }
    Err(ResolverError::ImageId.into())
}
