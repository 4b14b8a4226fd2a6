//! Credentials that come with the request (`BETA9_IMAGE_CREDENTIALS` or `_FILE`) and are never written to disk.

use super::{Found, Keep, Listed, Username};
use crate::config::{Pulled, Request};
use crate::error::{Error, Problem};
use crate::host::{Host, ImageRef, ServerUrl};
use crate::keys::Blob;
use crate::trusted::{self, Readers};

/// One blob or an array of them, each bound to the registry recorded inside it or, where there is none, to `BETA9_REGISTRY` or `BETA9_IMAGE`.
#[derive(Debug)]
pub struct RequestStore(Request);

impl RequestStore {
    /// The store of a request that brought credentials.
    #[must_use]
    pub fn new(request: Request) -> Option<Self> {
        (request.credentials.is_some() || request.file.is_some()).then_some(Self(request))
    }

    pub(super) fn get(&self, host: &Host) -> Result<Option<Found>, Error> {
        let ours = self.bound()?.into_iter().find(|(bound_to, _)| bound_to == host);
        Ok(ours.map(|(_, blob)| Found { keys: blob.keys, keep: Keep::Disk }))
    }

    pub(super) fn list(&self) -> Result<Vec<Listed>, Error> {
        let line = |(host, blob): (Host, Blob)| Listed { url: host.into(), username: Username::Of(blob.keys) };
        Ok(self.bound()?.into_iter().map(line).collect())
    }

    #[expect(clippy::unused_self, reason = "it answers for this store")]
    pub(super) fn read_only(&self) -> Result<(), Error> {
        Err(Problem::new("the request's own credentials", "they are read-only").failed())
    }

    /// The blobs and the registry that each is for. One without a binding is not used.
    fn bound(&self) -> Result<Vec<(Host, Blob)>, Error> {
        let Some((carrier, text)) = self.text()? else { return Ok(Vec::new()) };
        let blobs = Blob::parse_all(&text).map_err(|error| {
            Problem::new(carrier, error).fix("correct what the scheduler passes on, or unset it").failed()
        })?;
        let mut bound = Vec::new();
        for mut blob in blobs {
            let host = match blob.registry.take() {
                Some(host) => Some(host),
                None => self.0.pulled.registry()?,
            };
            bound.extend(host.map(|host| (host, blob)));
        }
        Ok(bound)
    }

    fn text(&self) -> Result<Option<(&'static str, zeroize::Zeroizing<String>)>, Error> {
        if let Some(text) = &self.0.credentials {
            return Ok(Some((VARIABLE, text.expose().to_owned().into())));
        }
        let Some(path) = &self.0.file else { return Ok(None) };
        let problem = |cause: String, fix: String| Problem::new(FILE_VARIABLE, cause).fix(fix).failed();
        let bytes = trusted::read(path, Readers::Mounted, MAX_BLOB)
            .map_err(|fault| problem(fault.cause, fault.fix))?
            .ok_or_else(|| {
            problem(format!("there is no file {}", path.display()), "mount it, or unset the variable".to_owned())
        })?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| problem("the file is not UTF-8".to_owned(), "correct the file".to_owned()))?;
        Ok(Some((FILE_VARIABLE, text.to_owned().into())))
    }
}

impl Pulled {
    /// The registry that the request says it pulls from.
    pub(super) fn registry(&self) -> Result<Option<Host>, Error> {
        let problem = |name: &str, cause| Problem::new(name, cause).fix("correct or unset it").failed();
        if let Some(text) = &self.registry {
            let url = ServerUrl::parse(text.as_bytes()).map_err(|error| problem("BETA9_REGISTRY", error))?;
            return Ok(url.host().cloned());
        }
        let Some(image) = &self.image else { return Ok(None) };
        ImageRef::parse(image).map(|image| Some(image.host)).map_err(|error| problem("BETA9_IMAGE", error))
    }
}

const VARIABLE: &str = "BETA9_IMAGE_CREDENTIALS";
const FILE_VARIABLE: &str = "BETA9_IMAGE_CREDENTIALS_FILE";
const MAX_BLOB: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn user(blob: &str, registry: &str, image: &str, asked: &str) -> Result<Option<String>, String> {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let request = Request {
            credentials: some(blob).map(Into::into),
            file: None,
            pulled: Pulled { registry: some(registry), image: some(image) },
        };
        let found = RequestStore::new(request).unwrap().get(&Host::parse(asked.as_bytes()).unwrap());
        found
            .map(|found| found.map(|found| found.keys.get("USERNAME").unwrap().expose().to_owned()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_blob_is_for_the_registry_inside_it_whatever_stands_beside_it() {
        let blob = r#"{"registry":"index.docker.io","type":"basic","credentials":{"USERNAME":"u","PASSWORD":"p"}}"#;
        assert_eq!(user(blob, "", "", "docker.io"), Ok(Some("u".into())));
        assert_eq!(user(blob, "ghcr.io", "ghcr.io/a", "ghcr.io"), Ok(None));
    }

    #[test]
    fn a_blob_without_a_registry_is_bound_by_its_carrier_or_not_used() {
        for blob in ["u:p", r#"{"USERNAME":"u","PASSWORD":"p"}"#] {
            assert_eq!(user(blob, "", "", "ghcr.io"), Ok(None));
            assert_eq!(user(blob, "https://ghcr.io/v2/", "", "ghcr.io"), Ok(Some("u".into())));
            assert_eq!(user(blob, "", "ghcr.io/org/app:1", "ghcr.io"), Ok(Some("u".into())));
            assert_eq!(user(blob, "", "org/app", "docker.io"), Ok(Some("u".into())));
            assert_eq!(user(blob, "", "ghcr.io/org/app", "ghcr.io:5000"), Ok(None));
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error_for_every_host_since_it_may_be_for_this_one() {
        let error = user("{\"hunter2", "", "", "ghcr.io").unwrap_err();
        assert_eq!(
            error,
            "BETA9_IMAGE_CREDENTIALS: the secret is no JSON object: it ends too early (line 1, column 9); correct what the scheduler passes on, or unset it"
        );
        assert!(user("u:p", "gcr.io@evil", "", "ghcr.io").unwrap_err().starts_with("BETA9_REGISTRY: "));
        assert!(user("u:p", "", "a b", "ghcr.io").unwrap_err().starts_with("BETA9_IMAGE: "));
    }

    #[test]
    fn an_array_brings_the_secrets_of_several_registries() {
        let blobs = r#"[{"registry":"ghcr.io","credentials":{"USERNAME":"g","PASSWORD":"p"}},{"registry":"quay.io","credentials":{"USERNAME":"q","PASSWORD":"p"}}]"#;
        assert_eq!(user(blobs, "", "", "ghcr.io"), Ok(Some("g".into())));
        assert_eq!(user(blobs, "", "", "quay.io"), Ok(Some("q".into())));
        assert_eq!(user(blobs, "", "", "nvcr.io"), Ok(None));
        assert!(user("[1]", "", "", "ghcr.io").unwrap_err().contains("the array holds more than secrets' objects"));
        assert!(user("[{]", "", "", "ghcr.io").unwrap_err().contains("the secrets are no JSON array"));
    }
}
