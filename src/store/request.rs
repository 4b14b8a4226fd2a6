//! Credentials that come with the request (`BETA9_IMAGE_CREDENTIALS` or `_FILE`) and are never written to disk.

use super::errors::StoreError;
use super::{Found, Keep, Listed, Lookup, Username};
use crate::config::{Pulled, Request};
use crate::error::Error;
use crate::host::{Host, HostError, Reference, ServerUrl};
use crate::keys::Blob;
use crate::registry::bound_by_keys;
use crate::trusted::{self, Readers};

/// One blob or an array of blobs. Each is bound to the registry recorded in it or, without one, to `BETA9_REGISTRY` or
/// `BETA9_IMAGE`, or else to the only vendor with such keys.
#[derive(Debug)]
pub struct RequestStore(Request);

impl RequestStore {
    /// A store for a request with credentials; `None` without any.
    pub fn new(request: Request) -> Option<Self> {
        (request.credentials.is_some() || request.file.is_some()).then_some(Self(request))
    }

    pub(super) fn get(&self, lookup: &Lookup) -> Result<Option<Found>, Error> {
        let (carrier, blobs) = self.blobs()?;
        let (mut public, mut unknown) = (None, Ok(()));
        for (host, blob) in blobs {
            let ours = match &host {
                Some(host) => Some(host == lookup.host),
                None => bound_by_keys(lookup.row, &blob.keys),
            };
            match ours {
                // A later blob may have the keys.
                Some(true) if blob.keys.is_empty() && blob.keys.fault().is_none() => {
                    public = Some(blob.keys);
                }
                Some(true) => return Ok(Some(Found::of(blob, Keep::MemoryFirst))),
                Some(false) => {}
                None => unknown = Err(StoreError::nobodys("it", &blob.keys).at(carrier)),
            }
        }
        unknown.map(|()| public.map(|keys| Found::new(keys, Keep::MemoryFirst)))
    }

    pub(super) fn list(&self) -> Result<Vec<Listed>, Error> {
        let line = |(host, blob): (Option<Host>, Blob)| {
            Some(Listed {
                url: host?.into(),
                username: Username::Of(blob.keys),
            })
        };
        Ok(self.blobs()?.1.into_iter().filter_map(line).collect())
    }

    #[expect(clippy::unused_self, reason = "it answers for this store")]
    pub(super) fn read_only(&self) -> Result<(), Error> {
        Err(StoreError::ReadOnly.at("the request's own credentials"))
    }

    /// The name of the variable, and the blobs with their registries, if known.
    fn blobs(&self) -> Result<(&'static str, Vec<(Option<Host>, Blob)>), Error> {
        let Some((carrier, text)) = self.text()? else {
            return Ok((VARIABLE, Vec::new()));
        };
        let blobs =
            Blob::parse_all(&text).map_err(|error| StoreError::Request(error).at(carrier))?;
        // An image has one registry, so it can bind only one blob; several can only be bound by their keys.
        let is_bound = blobs.iter().filter(|blob| blob.registry.is_none()).count() < 2;
        let bound = |mut blob: Blob| match blob.registry.take() {
            None if is_bound => Ok((self.0.pulled.host()?, blob)),
            host => Ok((host, blob)),
        };
        let blobs: Result<_, Error> = blobs.into_iter().map(bound).collect();
        Ok((carrier, blobs?))
    }

    fn text(&self) -> Result<Option<(&'static str, zeroize::Zeroizing<String>)>, Error> {
        if let Some(text) = &self.0.credentials {
            return Ok(Some((VARIABLE, text.expose().to_owned().into())));
        }
        let Some(path) = &self.0.file else {
            return Ok(None);
        };
        let bytes = trusted::read(path, Readers::Mounted, MAX_BLOB)
            .map_err(|fault| fault.problem(FILE_VARIABLE))?
            .ok_or_else(|| StoreError::NoFile(path.clone()).at(FILE_VARIABLE))?;
        let text =
            std::str::from_utf8(&bytes).map_err(|_| StoreError::NotText.at(FILE_VARIABLE))?;
        Ok(Some((FILE_VARIABLE, text.to_owned().into())))
    }
}

impl Pulled {
    /// The registry that the request names.
    pub fn host(&self) -> Result<Option<Host>, Error> {
        let wrong = |name, cause| StoreError::Pulled(cause).at(name);
        if let Some(text) = &self.registry {
            let url = ServerUrl::parse(text.as_bytes())
                .map_err(|error| wrong("BETA9_REGISTRY", error))?;
            return Ok(url.host().cloned());
        }
        let Some(image) = &self.image else {
            return Ok(None);
        };
        match Reference::parse(image.as_bytes()) {
            Ok(Reference::Image(image)) => Ok(Some(image.host)),
            Ok(Reference::Server(_)) => Err(wrong("BETA9_IMAGE", REGISTRY_ALONE)),
            Err(error) => Err(wrong("BETA9_IMAGE", error)),
        }
    }
}

const VARIABLE: &str = "BETA9_IMAGE_CREDENTIALS";
const FILE_VARIABLE: &str = "BETA9_IMAGE_CREDENTIALS_FILE";
const REGISTRY_ALONE: HostError = HostError("it names a registry, not an image");
const MAX_BLOB: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn user(
        blob: &str,
        registry: &str,
        image: &str,
        asked: &str,
    ) -> Result<Option<String>, String> {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let request = Request {
            credentials: some(blob).map(Into::into),
            file: None,
            pulled: Pulled {
                registry: some(registry),
                image: some(image),
                ..Pulled::default()
            },
        };
        let host = Host::parse(asked.as_bytes()).unwrap();
        let found = RequestStore::new(request).unwrap().get(&Lookup::of(&host));
        let user = |found: Found| {
            found.keys.names().find_map(|key| {
                key.ends_with("USERNAME")
                    .then(|| found.keys.get(key).unwrap().expose().to_owned())
            })
        };
        found
            .map(|found| found.map(|found| user(found).unwrap()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_blob_is_for_the_registry_inside_it_whatever_stands_beside_it() {
        let blob = r#"{"registry":"index.docker.io","type":"basic","credentials":{"USERNAME":"u","PASSWORD":"p"}}"#;
        assert_eq!(user(blob, "", "", "docker.io"), Ok(Some("u".into())));
        assert_eq!(user(blob, "ghcr.io", "ghcr.io/a", "ghcr.io"), Ok(None));
    }

    #[test]
    fn a_blob_without_a_registry_is_bound_by_its_carrier_or_is_an_error() {
        let assembled =
            r#"{"credentials":{"PASSWORD":"p","USERNAME":"u"},"registry":"","type":"basic"}"#;
        for blob in ["u:p", r#"{"USERNAME":"u","PASSWORD":"p"}"#, assembled] {
            let error = user(blob, "", "", "ghcr.io").unwrap_err();
            assert_eq!(
                error,
                "BETA9_IMAGE_CREDENTIALS: it does not say which registry it is for; set BETA9_IMAGE to the image that is pulled"
            );
            assert_eq!(
                user(blob, "https://ghcr.io/v2/", "", "ghcr.io"),
                Ok(Some("u".into()))
            );
            assert_eq!(
                user(blob, "", "ghcr.io/org/app:1", "ghcr.io"),
                Ok(Some("u".into()))
            );
            assert_eq!(user(blob, "", "org/app", "docker.io"), Ok(Some("u".into())));
            assert_eq!(user(blob, "", "ghcr.io/org/app", "ghcr.io:5000"), Ok(None));
        }
    }

    #[test]
    fn keys_that_only_one_vendor_has_are_for_its_registry_and_no_other() {
        let ghcr = r#"{"credentials":{"GITHUB_TOKEN":"t","GITHUB_USERNAME":"u"},"registry":"","type":"token"}"#;
        assert_eq!(user(ghcr, "", "", "ghcr.io"), Ok(Some("u".into())));
        assert_eq!(user(ghcr, "", "", "docker.io"), Ok(None));
        assert_eq!(
            user(ghcr, "", "ghcr.io/org/app", "docker.pkg.github.com"),
            Ok(None)
        );
        let hub = r#"{"credentials":{"DOCKERHUB_PASSWORD":"p","DOCKERHUB_USERNAME":"u"},"registry":"","type":"basic"}"#;
        assert_eq!(user(hub, "", "", "docker.io"), Ok(Some("u".into())));
        assert!(
            user(hub, "", "", "harbor.example")
                .unwrap_err()
                .contains("set BETA9_IMAGE")
        );
        assert_eq!(
            user(hub, "", "harbor.example/org/app", "harbor.example"),
            Ok(Some("u".into()))
        );
        assert_eq!(
            user(hub, "", "harbor.example/org/app", "docker.io"),
            Ok(None)
        );
    }

    #[test]
    fn of_several_blobs_without_a_registry_an_image_binds_none() {
        let blobs = r#"[{"DOCKERHUB_USERNAME":"hub","DOCKERHUB_PASSWORD":"p"},{"GITHUB_USERNAME":"g","GITHUB_TOKEN":"t"}]"#;
        assert_eq!(
            user(blobs, "", "ghcr.io/org/app", "ghcr.io"),
            Ok(Some("g".into()))
        );
        assert_eq!(
            user(blobs, "", "ghcr.io/org/app", "docker.io"),
            Ok(Some("hub".into()))
        );
        let error = user(blobs, "", "harbor.example/org/app", "harbor.example").unwrap_err();
        assert!(error.contains("does not say which registry"), "{error}");
    }

    #[test]
    fn the_remedy_for_keys_that_nothing_binds_is_one_that_works() {
        for (blob, remedy) in [
            (
                r#"{"credentials":{},"registry":"","type":"public"}"#,
                "create them with: beta9 secret create NAME VALUE",
            ),
            (
                r#"{"auths":{"ghcr.io":{"auth":"dTpw"}}}"#,
                "correct the keys in the secret",
            ),
            (
                r#"{"USERNAME":"u","PASSWORD":"p","MORE":1}"#,
                "set BETA9_IMAGE to the image that is pulled",
            ),
        ] {
            let error = user(blob, "", "", "ghcr.io").unwrap_err();
            assert!(error.ends_with(remedy), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error_for_every_host_since_it_may_be_for_this_one() {
        let error = user("{\"hunter2", "", "", "ghcr.io").unwrap_err();
        assert_eq!(
            error,
            "BETA9_IMAGE_CREDENTIALS: the secret isn't a JSON object: it ends too early (line 1, column 9); correct the value, or unset it"
        );
        assert!(
            user("u:p", "gcr.io@evil", "", "ghcr.io")
                .unwrap_err()
                .starts_with("BETA9_REGISTRY: ")
        );
        assert!(
            user("u:p", "", "a b", "ghcr.io")
                .unwrap_err()
                .starts_with("BETA9_IMAGE: ")
        );
    }

    #[test]
    fn an_array_brings_the_secrets_of_several_registries() {
        let blobs = r#"[{"registry":"ghcr.io","credentials":{"USERNAME":"g","PASSWORD":"p"}},{"registry":"quay.io","credentials":{"USERNAME":"q","PASSWORD":"p"}}]"#;
        assert_eq!(user(blobs, "", "", "ghcr.io"), Ok(Some("g".into())));
        assert_eq!(user(blobs, "", "", "quay.io"), Ok(Some("q".into())));
        assert_eq!(user(blobs, "", "", "nvcr.io"), Ok(None));
        let second = r#"[{"registry":"ghcr.io","credentials":{}},{"registry":"ghcr.io","credentials":{"USERNAME":"g","PASSWORD":"p"}}]"#;
        assert_eq!(user(second, "", "", "ghcr.io"), Ok(Some("g".into())));
        assert!(
            user("[1]", "", "", "ghcr.io")
                .unwrap_err()
                .contains("the array holds more than secrets' objects")
        );
        assert!(
            user("[{]", "", "", "ghcr.io")
                .unwrap_err()
                .contains("the secrets aren't a JSON array")
        );
    }
}
