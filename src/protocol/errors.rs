//! Errors in requests of clients and kubelet.

use thiserror::Error;

use super::kubelet::API_VERSION;
use crate::credential::CredentialError;
use crate::error::{Code, Fault, Meaning};
use crate::host::HostError;
use crate::json::JsonError;

/// Why a request of docker's protocol is refused.
#[derive(Debug, Error)]
pub(super) enum DockerError {
    #[error("{0}")]
    ServerUrl(HostError),
    #[error("{0}")]
    Credential(CredentialError),
    #[error("the server URL is not a line of text")]
    NotALine,
    #[error("standard input is not one JSON object with ServerURL, Username and Secret: {0}")]
    Json(JsonError),
    #[error(
        "standard input is not one JSON object with ServerURL, Username and Secret: {0} is not a text"
    )]
    NotText(&'static str),
}

impl Fault for DockerError {
    fn meaning(&self) -> Meaning {
        let of = |code, part| Meaning::new(code, part).fix("nothing was stored");
        match self {
            Self::ServerUrl(_) => of(Code::InputBadServerUrl, "server URL"),
            Self::Credential(_) => of(Code::SecretInvalid, "store"),
            Self::NotALine => of(Code::InputBadServerUrl, "erase").fix("nothing was erased"),
            Self::Json(_) | Self::NotText(_) => of(Code::InputUnreadable, "store"),
        }
    }
}

/// Why a request of kubelet's is refused.
#[derive(Debug, Error)]
pub(super) enum KubeletError {
    #[error("it takes no arguments")]
    Arguments,
    #[error("its request came without the argument \"kubelet\"")]
    NoArgument,
    #[error("the credential is an OAuth identity token, which kubelet cannot pass on")]
    IdentityToken,
    #[error("standard input is not one JSON object: {0}")]
    Json(JsonError),
    #[error("\"kind\" is not {0}")]
    Kind(&'static str),
    #[error("\"apiVersion\" is not {API_VERSION}")]
    Version,
    #[error("\"{0}\" is {1}")]
    Member(&'static str, &'static str),
}

impl Fault for KubeletError {
    fn meaning(&self) -> Meaning {
        match self {
            Self::Arguments | Self::NoArgument => Meaning::new(Code::InputUsage, "kubelet")
                .fix("let args be [\"kubelet\"] in kubelet's CredentialProviderConfig"),
            Self::IdentityToken => Meaning::new(Code::SecretInvalid, "kubelet")
                .fix("store a user name and a password or access token for this registry"),
            Self::Version => Meaning::new(Code::InputUnreadable, REQUEST)
                .fix("set it as the provider's apiVersion in kubelet's CredentialProviderConfig"),
            Self::Json(_) | Self::Kind(_) | Self::Member(..) => {
                Meaning::new(Code::InputUnreadable, REQUEST)
                    .fix("it is kubelet that runs this; by hand, see --help")
            }
        }
    }
}

const REQUEST: &str = "kubelet's request";
