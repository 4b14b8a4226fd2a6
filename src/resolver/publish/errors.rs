//! Failures of publishing and of undoing it.

use thiserror::Error;

use crate::error::{Code, Fault, Meaning};
use crate::host::Host;
use crate::keys::KeysError;

/// Why a token was not published or removed.
#[derive(Debug, Error)]
pub(super) enum PublishError {
    /// The configured store, which has no workspace secrets.
    #[error("the {0} store isn't a workspace to publish to")]
    NoWorkspace(&'static str),
    /// An entry of the control plane's own store that cannot be read.
    #[error("{cause}")]
    Unlisted { cause: String, code: Code },
    #[error("the token is past half of its life, and no newer one could be minted")]
    NotRenewed,
    #[error("this node has published nothing for it")]
    Nothing,
    #[error("a rule says that the registry is public")]
    Public,
    #[error("no tokens are minted for this registry, whose credential lasts")]
    NotMinted(Host),
    #[error("the control plane's own store has a user name and password for it, which last")]
    Lasting(Host),
    #[error(
        "the control plane's own store has no keys for it, and the node does not log in itself"
    )]
    Keyless(Host),
    #[error("its token has no time of expiry, so it cannot be renewed")]
    Endless,
    #[error("{name} holds the token that is published for {host}")]
    Shared { name: &'static str, host: Host },
    #[error("the workspace has other secrets under {0}")]
    NamesTaken(String),
    #[error("{} are other registries' secrets", .0.join(", "))]
    Taken(Vec<String>),
    #[error("the secret {} cannot be read: {error}", name.escape_debug())]
    Damaged { name: String, error: KeysError },
    #[error("the names in the rule's secrets are not those of a user name and a password")]
    WrongNames,
    #[error("the workspace has a secret {} that this node did not write", name.escape_debug())]
    NotOurs { name: String, host: Host },
    #[error("the secret {} was changed since it was published", name.escape_debug())]
    Changed { name: String, host: Host },
    /// The same when removing it.
    #[error("the secret {} was changed since it was published", .0.escape_debug())]
    Kept(String),
}

impl Fault for PublishError {
    fn meaning(&self) -> Meaning {
        let of = |code| Meaning::new(code, "publish");
        match self {
            Self::NoWorkspace(_) => of(Code::ConfigInvalid)
                .fix("set store.kind (or BETA9_STORE) to gateway or postgres"),
            Self::Unlisted { code, .. } => {
                of(*code).fix("name the registries that are to be published")
            }
            Self::NotRenewed => {
                of(Code::MintUnreachable).fix("see the warnings, and run it again")
            }
            Self::Nothing => of(Code::StoreNotFound).fix("run docker-credential-beta9 status"),
            Self::Public => of(Code::ConfigConflict).fix("remove the rule"),
            Self::NotMinted(host) | Self::Lasting(host) => {
                of(Code::MintNoIdentity).fix(format!(
                    "store it in the workspace with docker-credential-beta9 provision {host}/IMAGE"
                ))
            }
            Self::Keyless(host) => of(Code::MintNoIdentity).fix(format!(
                "store them with BETA9_STORE=file docker-credential-beta9 provision {host}/IMAGE --creds NAMES, or set ambient = true in a rule for it on a node that has an identity of this cloud"
            )),
            Self::Endless => of(Code::MintUnexpected)
                .fix("store keys that tokens are minted from, and not a token"),
            Self::Shared { .. } => of(Code::StoreConflict).fix(
                "name it in the images of both where one account may pull from both, or set secrets = [\"X_USERNAME\", \"X_PASSWORD\"] in a rule for this registry",
            ),
            Self::NamesTaken(_) => of(Code::StoreConflict)
                .fix("set secrets = [\"X_USERNAME\", \"X_PASSWORD\"] in a rule for this registry"),
            Self::Taken(_) => of(Code::StoreConflict)
                .fix("set secret = \"NAME\" in a rule for this registry"),
            Self::Damaged { error, .. } => of(error.code()).fix("correct or delete it"),
            Self::WrongNames => of(Code::ConfigInvalid)
                .fix("set secrets = [\"X_USERNAME\", \"X_PASSWORD\"]"),
            Self::NotOurs { host, .. } | Self::Changed { host, .. } => {
                of(Code::StoreConflict).fix(format!(
                    "to take it over, run docker-credential-beta9 publish {host} --force; to leave it, name another in a rule for this registry"
                ))
            }
            Self::Kept(_) => {
                of(Code::StoreConflict).fix("to leave it as it is, add --force")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn what_is_not_this_nodes_is_a_conflict_and_no_keys_are_no_identity() {
        let host = || Host::parse(b"gcr.io").unwrap();
        let name = || "N".to_owned();
        let table = [
            (
                PublishError::NotOurs {
                    name: name(),
                    host: host(),
                },
                Code::StoreConflict,
            ),
            (PublishError::Kept(name()), Code::StoreConflict),
            (PublishError::Keyless(host()), Code::MintNoIdentity),
            (PublishError::Nothing, Code::StoreNotFound),
            (PublishError::NoWorkspace("file"), Code::ConfigInvalid),
        ];
        for (error, code) in table {
            let error = Error::from(error);
            assert_eq!(error.code(), Some(code), "{error}");
            assert!(error.to_string().starts_with("publish: "), "{error}");
        }
    }
}
