//! Makes the payload of `resolve --mint`, for workers that get tokens instead of keys.

use std::time::{Duration, Instant, SystemTime};

use super::Resolver;
use super::answer::Who;
use super::end::{earlier, end_of};
use super::errors::ResolverError;
use super::shared::Sharing;
use crate::backend::{Backend, GCP_KEYS};
use crate::credential::Redacted;
use crate::error::Error;
use crate::host::{Host, ImageRef, Scheme};
use crate::keys::{Blob, CredentialType, Keys};
use crate::registry::{choose, detect, detect_by_keys};
use crate::store::{Keep, Store, Times};

impl Resolver {
    /// The same resolver, returning only tokens with at least this much life left, if the provider issues such tokens.
    #[must_use]
    pub fn with_min_life(self, min_life: Duration) -> Self {
        Self { min_life, ..self }
    }

    /// The same resolver for many images in sequence: it keeps its connection to the database.
    #[must_use]
    pub fn for_many(mut self) -> Self {
        if let Store::Postgres(store) = &mut self.workspace {
            store.keep_session();
        }
        self
    }

    /// Restarts the timeout for the next image.
    pub fn restart(&self) {
        self.started.set(Instant::now());
    }

    /// The payloads of an image, one for each registry. A cloud's keys are replaced by a user name and a password with
    /// their expiry; a stored user name and password are unchanged. No payload has a key that tokens are minted from.
    /// Fails if any mint fails.
    pub fn minted_payloads(
        &self,
        image_id: &str,
        image: Option<&ImageRef>,
    ) -> Result<Vec<Redacted>, Error> {
        let payloads = self.payloads(image_id, image)?;
        payloads
            .iter()
            .map(|(text, keep)| self.minted_payload(text, *keep, image))
            .collect()
    }

    fn minted_payload(
        &self,
        text: &Redacted,
        keep: Keep,
        image: Option<&ImageRef>,
    ) -> Result<Redacted, Error> {
        let blob = Blob::parse(text.expose()).map_err(ResolverError::Payload)?;
        let registry = blob.registry.as_ref();
        let Some(host) = registry.or(image.map(|image| &image.host)) else {
            return if has_lasting(&blob.keys) {
                Err(ResolverError::MintForWhom.into())
            } else {
                Ok(one_line(text, "", detect_by_keys(&blob.keys), &blob.keys))
            };
        };
        let path = image
            .filter(|image| image.host == *host)
            .map_or("", |image| image.repository.as_str());
        self.payload_for(host, path, text, &blob, keep)
            .map_err(|error| error.about(host.as_reference()))
    }

    fn payload_for(
        &self,
        host: &Host,
        path: &str,
        text: &Redacted,
        blob: &Blob,
        keep: Keep,
    ) -> Result<Redacted, Error> {
        let route = self
            .route(host, Scheme::Https, path)
            .filter(|route| !route.is_public())
            .ok_or(Error::NotFound)?;
        let times = Times {
            expires_at: blob.expires_at,
            ..Times::default()
        };
        let choice = choose(route.row, route.real, blob.keys.clone())?;
        let store = self.workspace_store();
        if let Some(ended) = self.ended(&route, store, &choice, times) {
            return Err(ended);
        }
        let registry = host.as_reference();
        if !choice.backend.is_cloud() {
            if !has_lasting(&blob.keys) && !has_lasting_name(text) {
                let kind = detect(host, &blob.keys);
                return Ok(one_line(text, registry, kind, &blob.keys));
            }
            // Only what a `get` would return.
            let plain = choice.backend.plain(&choice.keys);
            let (username, password) = plain.ok_or(Error::NotFound)?;
            let login = (username.to_owned(), password.clone());
            return Ok(basic(registry, login, blob.expires_at));
        }
        let who = Who::new(store, Some(&choice.keys), Sharing::Ask);
        let minted = self.login(&choice.backend, &route, who, keep)?;
        let expires = earlier(minted.expires, end_of(&choice, times));
        self.check_life(registry, expires);
        Ok(basic(registry, minted.credential.into_parts(), expires))
    }

    fn check_life(&self, registry: &str, expires: Option<SystemTime>) {
        let left = expires.map(|end| end.duration_since(SystemTime::now()).unwrap_or_default());
        if let Some(left) = left.filter(|left| *left + MARGIN < self.min_life) {
            self.warnings.add(format_args!(
                "{registry}: the token lives for {} s, which is less than --min-life",
                left.as_secs()
            ));
        }
    }
}

fn basic(
    registry: &str,
    (username, password): (String, Redacted),
    end: Option<SystemTime>,
) -> Redacted {
    let keys = Keys::user_password(username, password);
    Blob::marshal_until(registry, CredentialType::Basic, &keys, end)
}

/// The text unchanged, if it is one line of JSON.
fn one_line(text: &Redacted, registry: &str, kind: CredentialType, keys: &Keys) -> Redacted {
    let stored = text.expose().trim();
    if stored.starts_with('{') && !stored.contains(['\n', '\r']) {
        stored.into()
    } else {
        Blob::marshal(registry, kind, keys)
    }
}

/// Whether any of the keys is one that tokens are minted from.
fn has_lasting(keys: &Keys) -> bool {
    let is_key_document =
        |value: &str| value.contains("PRIVATE KEY") || value.starts_with("_json_key");
    keys.names().any(|name| {
        let value = keys.get(name).map_or("", Redacted::expose);
        lasting_names().any(|lasting| lasting.eq_ignore_ascii_case(name)) || is_key_document(value)
    })
}

/// The same for a text, including members that parsing ignores.
fn has_lasting_name(text: &Redacted) -> bool {
    let upper = zeroize::Zeroizing::new(text.expose().to_ascii_uppercase());
    upper.contains("PRIVATE") || lasting_names().any(|name| upper.contains(name))
}

fn lasting_names() -> impl Iterator<Item = &'static str> {
    let clouds = [Backend::Aws, Backend::Azure, Backend::Gcp];
    let names = clouds.into_iter().flat_map(|cloud| cloud.key_sets());
    names
        .flat_map(|set| set.names().collect::<Vec<_>>())
        .filter(|name| ![GCP_KEYS[0], "AWS_REGION"].contains(name))
}

/// A tolerance for clock differences, plus the last minute.
const MARGIN: Duration = Duration::from_secs(65);
