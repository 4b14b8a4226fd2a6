//! The resolver's own failures, as opposed to those of a store or backend.

use thiserror::Error;

use crate::config::Pulled;
use crate::credential::CredentialError;
use crate::error::{Code, Fault, Meaning};
use crate::host::{Host, HostError, Pattern};
use crate::keys::KeysError;
use crate::shown::shown;

/// Why there is no answer, or nothing was stored.
#[derive(Debug, Error)]
pub(super) enum ResolverError {
    #[error("rule for {rule}: there is no backend \"{}\"", shown(word))]
    UnknownBackend {
        rule: Pattern,
        word: String,
        nearest: Option<&'static str>,
    },
    #[error("rule for {0}: required = true and backend = \"public\" contradict each other")]
    RequiredAndPublic(Pattern),
    #[error("a vendor's credential never goes over plain HTTP")]
    Cleartext,
    #[error("the login holds the placeholder that a Beta9 sandbox shows in place of a secret")]
    Placeholder,
    #[error("{}", ended(time, *is_over))]
    Ended {
        time: String,
        is_over: bool,
        /// The name of the store that had the expired credential.
        store: String,
        host: Host,
    },
    #[error("nothing says which registry these secrets are for")]
    NobodysSecrets,
    #[error("nothing says which registry a token is to be minted for")]
    MintForWhom,
    #[error("{0}")]
    Payload(KeysError),
    /// The workspace has other values for these names; `free` are names that could be used instead.
    #[error("the workspace has another value for {}", names.join(", "))]
    OtherValues {
        names: Vec<&'static str>,
        free: Option<String>,
    },
    #[error("{0}")]
    Unusable(CredentialError),
    #[error("it is not of letters, digits and . _ : -")]
    ImageId,
    #[error("the workspace has none of the secrets that it names: {missing}")]
    NoneOfNames { image: String, missing: String },
    #[error("of the secrets that it names the workspace lacks {missing}; the others are used")]
    SomeOfNames { image: String, missing: String },
    /// A cached token whose registry is not valid.
    #[error("{0}")]
    Origin(HostError),
    /// A secret that means the node's identity, which the node does not have.
    #[error("it has no key of its own, and {0}")]
    NoIdentity(String),
}

impl Fault for ResolverError {
    fn meaning(&self) -> Meaning {
        match self {
            Self::UnknownBackend { nearest, .. } => {
                Meaning::new(Code::ConfigInvalid, CONFIGURATION).fix(match nearest {
                    Some(nearest) => format!("did you mean \"{nearest}\"?"),
                    None => {
                        "leave it out, or use a word of the table in docs/registries.md".to_owned()
                    }
                })
            }
            Self::RequiredAndPublic(_) => {
                Meaning::new(Code::ConfigConflict, CONFIGURATION).fix("remove one of them")
            }
            Self::Cleartext => Meaning::new(Code::InputBadServerUrl, "store").fix("use https://"),
            Self::Placeholder => {
                Meaning::new(Code::SecretInvalid, "store").fix("log in outside of the sandbox")
            }
            Self::Ended { store, host, .. } => {
                Meaning::new(Code::CredentialExpired, "").fix(match store.as_str() {
                    "request" => "pass a new one in BETA9_IMAGE_CREDENTIALS".to_owned(),
                    "worker" => "store a new one in the workspace".to_owned(),
                    _ => format!("log in again with: docker login {host}"),
                })
            }
            Self::NobodysSecrets => Meaning::new(Code::SecretUnbound, Pulled::SECRETS)
                .fix("set BETA9_IMAGE to the image that is pulled"),
            Self::MintForWhom => Meaning::new(Code::SecretUnbound, SECRET)
                .fix("give the image's reference: --image REF, or behind its id"),
            Self::Payload(error) => Meaning::new(error.code(), SECRET).fix(error.fix()),
            Self::OtherValues { free, .. } => {
                let free = free
                    .as_ref()
                    .map(|names| format!(", or export this login as {names}"));
                Meaning::new(Code::StoreConflict, CREDENTIALS).fix(format!(
                    "to replace it for everything that uses it, add --force{}; nothing was stored",
                    free.unwrap_or_default()
                ))
            }
            Self::Unusable(_) => Meaning::new(Code::SecretInvalid, CREDENTIALS)
                .fix("correct the value; nothing was stored"),
            Self::ImageId => {
                Meaning::new(Code::InputBadReference, "image id").fix("give the id as Beta9 has it")
            }
            Self::NoneOfNames { image, .. } | Self::SomeOfNames { image, .. } => {
                Meaning::new(Code::SecretNamesMissing, format!("image {image}"))
                    .fix("create each with: beta9 secret create NAME VALUE")
            }
            Self::Origin(_) => {
                Meaning::new(Code::CacheUnusable, "token cache").fix("remove the cache's directory")
            }
            Self::NoIdentity(_) => Meaning::new(Code::MintNoIdentity, "its secret")
                .fix("put a key into the secret, or give the node an identity"),
        }
    }
}

fn ended(time: &str, is_over: bool) -> String {
    if is_over {
        format!("the credential expired at {time}")
    } else {
        format!("the credential expires at {time}, and a pull may take longer")
    }
}

const CONFIGURATION: &str = "configuration";
const CREDENTIALS: &str = "credentials";
const SECRET: &str = "the image's secret";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn each_failure_has_the_code_of_its_kind_and_names_its_remedy() {
        let host = || Host::parse(b"ghcr.io").unwrap();
        let names = || ("i".to_owned(), "A, B".to_owned());
        let ended = |store: &str| ResolverError::Ended {
            time: "2026-01-01T00:00:00Z".to_owned(),
            is_over: true,
            store: store.to_owned(),
            host: host(),
        };
        let ((image, missing), fix) = (names(), "; log in again with: docker login ghcr.io");
        let table = [
            (ended("file"), Code::CredentialExpired, fix),
            (
                ended("request"),
                Code::CredentialExpired,
                "BETA9_IMAGE_CREDENTIALS",
            ),
            (
                ResolverError::Cleartext,
                Code::InputBadServerUrl,
                "; use https://",
            ),
            (
                ResolverError::ImageId,
                Code::InputBadReference,
                "image id: ",
            ),
            (
                ResolverError::NobodysSecrets,
                Code::SecretUnbound,
                "BETA9_IMAGE_SECRETS: ",
            ),
            (
                ResolverError::NoneOfNames { image, missing },
                Code::SecretNamesMissing,
                "image i: the workspace has none of the secrets that it names: A, B; ",
            ),
        ];
        for (error, code, words) in table {
            let error = Error::from(error);
            assert_eq!(error.code(), Some(code), "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
