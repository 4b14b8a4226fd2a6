//! Errors common to all stores: unusable secrets, and unsupported operations.

use std::path::PathBuf;

use thiserror::Error;

use crate::error::{self, Code, Fault, Meaning};
use crate::host::{Host, HostError};
use crate::keys::KeysError;
use crate::shown::{shown, shown_list};

/// An error in a store; [`StoreError::at`] adds which one.
#[derive(Debug, Error)]
pub(crate) enum StoreError {
    /// No credential for a host that must have one; `why` it must.
    #[error("it has nothing for {host}, which requires a credential ({why})")]
    Lacking { host: Host, why: String },
    #[error("it keeps no single secrets by name")]
    NoSingles,
    #[error("an image's row has room for one secret")]
    OneSecretAnImage,
    #[error("it cannot note when a secret may go")]
    NoExpiry,
    #[error("it knows no images")]
    NoImages,
    #[error("single secrets are named for {0}, and this store keeps none")]
    NamedInVain(Host),
    #[error("they are read-only")]
    ReadOnly,
    /// Not a workspace id; Beta9's are UUIDs.
    #[error("the workspace \"{}\" is not the id of one", shown(.0))]
    NotAWorkspace(String),
    /// The secret has no registry, and other hosts map to its name.
    #[error(
        "the secret {} does not say which registry it is for, and other hosts have that name too",
        shown(.0)
    )]
    Unbound(String),
    /// A payload from a request or a gateway without a registry; `what` describes it.
    #[error("{what} does not say which registry it is for")]
    Nobodys { what: &'static str },
    #[error("the workspace has no secret {}, or it is empty", .0.join(", no "))]
    Missing(Vec<String>),
    #[error("its credential is the single secrets {}", shown(.0))]
    Named(String),
    #[error("the secret {}: {error}", shown(name))]
    Single { name: String, error: KeysError },
    #[error("the secret {} is only for {}", shown(name), shown_list(hosts))]
    OnlyFor {
        name: String,
        hosts: Vec<String>,
        host: Host,
    },
    /// Unusable keys, whatever their registry.
    #[error("{0}")]
    Keys(KeysError),
    /// An invalid payload in the request.
    #[error("{0}")]
    Request(KeysError),
    /// An invalid registry or image in the request.
    #[error("{0}")]
    Pulled(HostError),
    #[error("there is no file {}", .0.display())]
    NoFile(PathBuf),
    #[error("the file is not UTF-8")]
    NotText,
}

impl StoreError {
    /// Turns this into a failure of `part`, the store.
    pub(crate) fn at(self, part: &str) -> error::Error {
        let part = part.to_owned();
        At { part, error: self }.into()
    }

    /// The error for a secret whose hosts don't include this registry.
    pub(super) fn only_for(name: &str, hosts: &[String], host: &Host) -> Self {
        Self::OnlyFor {
            name: name.to_owned(),
            hosts: hosts.to_vec(),
            host: host.clone(),
        }
    }

    /// The error for unbound keys; a fault in the keys themselves takes precedence.
    pub(super) fn nobodys(what: &'static str, keys: &crate::keys::Keys) -> Self {
        let fault = keys.fault().filter(|_| keys.names().next().is_none());
        fault.map_or(Self::Nobodys { what }, Self::Keys)
    }
}

#[derive(Debug, Error)]
#[error("{error}")]
struct At {
    part: String,
    error: StoreError,
}

impl Fault for At {
    fn meaning(&self) -> Meaning {
        use StoreError as E;
        let of = |code| Meaning::new(code, self.part.clone());
        match &self.error {
            E::Lacking { host, .. } => of(Code::CredentialNotFound).fix(format!(
                "store one with docker login {host}, or remove required from the rule"
            )),
            E::NoSingles => of(Code::StoreUnsupported).fix("use the gateway or the postgres store"),
            E::OneSecretAnImage => of(Code::StoreUnsupported)
                .fix("give --image-id with the one registry that it is pulled from"),
            E::NoExpiry => of(Code::StoreUnsupported)
                .fix("leave out --ttl, or use the file or the postgres store"),
            E::NoImages => of(Code::StoreUnsupported).fix("give the image's reference with --image"),
            E::NamedInVain(_) => of(Code::StoreUnsupported).fix(
                "use the gateway or the postgres store, or remove secrets from the rule and BETA9_IMAGE_SECRETS",
            ),
            E::ReadOnly => of(Code::StoreUnsupported),
            E::NotAWorkspace(_) => of(Code::ConfigInvalid).fix(
                "set workspace in the configuration, or BETA9_WORKSPACE_ID, to its external id, a UUID",
            ),
            E::Unbound(name) => of(Code::SecretUnbound).fix(format!(
                "add \"registry\" to it, or set secret = \"{}\" in a rule for this registry",
                shown(name)
            )),
            E::Nobodys { .. } => {
                of(Code::SecretUnbound).fix("set BETA9_IMAGE to the image that is pulled")
            }
            E::Missing(names) => of(Code::SecretNamesMissing).fix(format!(
                "create it with: beta9 secret create {} VALUE",
                names[0]
            )),
            E::Named(_) => of(Code::StoreUnsupported).fix(
                "nothing was changed; change those in the workspace, or do not name them in a rule or BETA9_IMAGE_SECRETS",
            ),
            E::Single { error, .. } => of(error.code()).fix("correct it in the workspace"),
            E::OnlyFor { host, .. } => of(Code::SecretWrongRegistry).fix(format!(
                "add {} to its hosts, or name another secret",
                host.name()
            )),
            E::Keys(error) => of(error.code()).fix(error.fix()),
            E::Request(error) => of(error.code()).fix("correct the value, or unset it"),
            E::Pulled(_) => of(Code::ConfigInvalid).fix("correct or unset it"),
            E::NoFile(_) => of(Code::ConfigUnreadable).fix("mount it, or unset the variable"),
            E::NotText => of(Code::SecretInvalid).fix("correct the file"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_secret_has_the_code_of_its_kind_and_the_stores_name() {
        let half = || KeysError::HalfPair {
            present: "A_USERNAME".to_owned(),
            missing: vec!["A_PASSWORD".to_owned()],
        };
        let names = || vec!["A".to_owned(), "B".to_owned()];
        let table = [
            (StoreError::Unbound("n".to_owned()), "secret.unbound"),
            (StoreError::Missing(names()), "secret.names_missing"),
            (StoreError::Keys(half()), "secret.half_pair"),
            (StoreError::Request(KeysError::Name), "secret.invalid"),
            (StoreError::NoSingles, "store.unsupported"),
            (
                StoreError::OnlyFor {
                    name: "n".to_owned(),
                    hosts: names(),
                    host: Host::parse(b"ghcr.io").unwrap(),
                },
                "secret.wrong_registry",
            ),
        ];
        for (error, code) in table {
            let error = error.at("a store");
            assert_eq!(error.code().map(Code::as_str), Some(code), "{error}");
            assert!(error.to_string().starts_with("a store: "), "{error}");
        }
    }
}
