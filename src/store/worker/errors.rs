//! Failures of the worker API. Its own messages are never shown, because they may contain anything.

use std::fmt;

use thiserror::Error;
use tonic::Code as Status;

use super::PART;
use super::address::{Address, NotAnAddress};
use super::call::Trouble;
use crate::error::{self, Code, Fault, Meaning};
use crate::host::Host;
use crate::http::{self, Kind};
use crate::keys::KeysError;
use crate::shown::shown;

/// Why nothing was vended.
#[derive(Debug, Error)]
pub(super) enum WorkerError {
    #[error("a rule names the secret \"{}\", and a worker cannot choose", shown(.0))]
    NoChoice(String),
    /// The registry must have a credential; `why` it must.
    #[error(
        "the gateway vended nothing for {host}, which requires a credential ({why}), and this API cannot tell a missing secret from one that the gateway failed to read"
    )]
    Lacking {
        host: Host,
        why: String,
        workspace: String,
        image: Option<String>,
    },
    #[error("it is read-only")]
    ReadOnly,
    /// Missing settings, and their variables.
    #[error("no {} is configured", names.join(", no "))]
    Unset {
        names: Vec<&'static str>,
        variables: Vec<&'static str>,
    },
    #[error("{error}")]
    Address {
        error: NotAnAddress,
        source_name: &'static str,
    },
    #[error("{0}")]
    Blob(KeysError),
    #[error(
        "required applies to the registry of the image that is pulled, and neither BETA9_IMAGE nor BETA9_REGISTRY is set"
    )]
    RequiredOfNothing,
    #[error("{0}")]
    Unreached(http::HttpError),
    #[error("the answer of {0} cannot be read")]
    Unreadable(Address),
    #[error("the worker token is empty or holds a character that no token has")]
    BadToken { token: String },
    /// The token is wrong, revoked, disabled or of another kind.
    #[error("{address} does not accept the worker token, for {asked}")]
    Unauthorized {
        address: Address,
        token: String,
        asked: String,
    },
    #[error("the worker token may not ask {address} for {asked}")]
    Forbidden {
        address: Address,
        token: String,
        asked: String,
    },
    #[error("the gateway refused to vend credentials for {asked}")]
    Refused { asked: String, has_stub: bool },
    #[error("{0} does not know GetCacheOriginCredentials")]
    Unknown(Address),
    #[error("{address} has failed (gRPC status {status:?})")]
    Failed { address: Address, status: Status },
    #[error("{address} refused the question about {asked} (gRPC status {status:?})")]
    Rejected {
        address: Address,
        asked: String,
        status: Status,
    },
}

impl Fault for WorkerError {
    fn meaning(&self) -> Meaning {
        let of = |code| Meaning::new(code, PART);
        match self {
            Self::NoChoice(_) => of(Code::StoreUnsupported)
                .fix("remove secret from the rule: the gateway goes by the image"),
            Self::Lacking { workspace, image, .. } => {
                let workspace = shown(workspace);
                of(Code::CredentialNotFound).fix(match image {
                    Some(image) => format!(
                        "check the gateway's log, and the secret of image {} in workspace {workspace}",
                        shown(image)
                    ),
                    None => format!(
                        "set BETA9_IMAGE_ID to the image's id, and check the gateway's log for workspace {workspace}"
                    ),
                })
            }
            Self::ReadOnly => of(Code::StoreUnsupported).fix(
                "change the secret where the workspace keeps it; the next pull has the new one",
            ),
            Self::Unset { variables, .. } => of(Code::ConfigMissing).fix(format!(
                "set {}, or the same in the configuration",
                variables.join(", ")
            )),
            Self::Address { source_name, .. } => {
                of(Code::ConfigInvalid).fix(format!("correct {source_name}: host:port"))
            }
            Self::Blob(error) => of(error.code())
                .fix("correct the secret that the gateway vends for this image"),
            Self::RequiredOfNothing => of(Code::ConfigMissing).fix(
                "set BETA9_IMAGE where images are pulled, or required = true in a [[registry]] rule",
            ),
            Self::Unreached(_) => of(Code::StoreUnreachable)
                .fix("check whether the node reaches it, and whether it is the gateway's gRPC address (1993, or 443 with TLS)")
                .unreachable(),
            Self::Unreadable(_) => of(Code::StoreUnexpected)
                .fix("check whether the address is the gateway's, and whether a newer helper is needed"),
            Self::BadToken { token } => {
                of(Code::ConfigInvalid).fix(format!("correct it ({token})"))
            }
            Self::Unauthorized { token, .. } => of(Code::StoreRefused).fix(format!(
                "check that it is a current worker token, and not a workspace's ({token})"
            )),
            Self::Forbidden { token, .. } => of(Code::StoreRefused).fix(format!(
                "check whether the token ({token}) is for this workspace and its pool for this stub"
            )),
            Self::Refused { has_stub: false, .. } => of(Code::StoreRefused).fix(
                "a worker of a private pool must name its stub: set BETA9_STUB_ID, and check whether the worker token is for this workspace; the gateway's log says more",
            ),
            Self::Refused { .. } => of(Code::StoreRefused).fix(
                "check whether the worker token, the stub and the image are of this workspace; the gateway's log says more",
            ),
            Self::Unknown(_) => of(Code::StoreUnexpected).fix(
                "check whether it is the gateway's gRPC address, and recent enough to vend credentials to workers",
            ),
            Self::Failed { .. } => of(Code::StoreUnreachable)
                .fix("try again; the gateway's log says more")
                .unreachable(),
            Self::Rejected { .. } => of(Code::StoreRefused).fix(
                "check whether the workspace, the stub and the image are right; the gateway's log says more",
            ),
        }
    }
}

/// The subject of a request for error messages; never contains the token.
pub(super) struct Asked<'a> {
    pub(super) address: &'a Address,
    /// The token's source.
    pub(super) token: String,
    pub(super) workspace: &'a str,
    pub(super) stub: Option<&'a str>,
    pub(super) image: Option<&'a str>,
}

impl Asked<'_> {
    /// The error for a request without an answer.
    pub(super) fn error(&self, trouble: Trouble) -> error::Error {
        match trouble {
            Trouble::Connection(fault) => match fault.kind() {
                Kind::Nobody | Kind::Refused | Kind::Closed | Kind::Truncated => {
                    WorkerError::Unreached(fault).into()
                }
                _ => fault.error(PART),
            },
            Trouble::Status(status) => self.status(status).into(),
            Trouble::Unreadable => WorkerError::Unreadable(self.address.clone()).into(),
            Trouble::Token => {
                let token = self.token.clone();
                WorkerError::BadToken { token }.into()
            }
        }
    }

    pub(super) fn unauthorized(&self) -> WorkerError {
        WorkerError::Unauthorized {
            address: self.address.clone(),
            token: self.token.clone(),
            asked: self.to_string(),
        }
    }

    pub(super) fn refused(&self) -> WorkerError {
        WorkerError::Refused {
            asked: self.to_string(),
            has_stub: self.stub.is_some(),
        }
    }

    /// Classifies a status like an HTTP status: a fault on this side ends the request, a fault on the other side counts
    /// as an outage.
    fn status(&self, status: Status) -> WorkerError {
        let (address, asked) = (self.address.clone(), self.to_string());
        match status {
            Status::Unauthenticated => self.unauthorized(),
            Status::PermissionDenied => WorkerError::Forbidden {
                address,
                token: self.token.clone(),
                asked,
            },
            Status::Unimplemented => WorkerError::Unknown(address),
            Status::Unavailable
            | Status::DeadlineExceeded
            | Status::Cancelled
            | Status::Aborted
            | Status::ResourceExhausted
            | Status::Internal
            | Status::Unknown
            | Status::DataLoss => WorkerError::Failed { address, status },
            _ => WorkerError::Rejected {
                address,
                asked,
                status,
            },
        }
    }
}

/// Formats `workspace w, stub s, image i`, without unset parts.
impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "workspace {}", shown(self.workspace))?;
        for (what, id) in [("stub", self.stub), ("image", self.image)] {
            match id {
                Some(id) => write!(f, ", {what} {}", shown(id))?,
                None => write!(f, ", no {what}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn error(code: Status) -> Error {
        let address = Address::parse("gateway:1993").unwrap();
        let asked = Asked {
            address: &address,
            token: "/run/token".into(),
            workspace: "w",
            stub: None,
            image: Some("i"),
        };
        asked.error(Trouble::Status(code))
    }

    #[test]
    fn a_status_that_may_pass_is_out_of_reach_and_every_other_one_stops() {
        for number in 1..=16 {
            let code = Status::from_i32(number);
            let passing = [
                Status::Unavailable,
                Status::DeadlineExceeded,
                Status::Cancelled,
                Status::Aborted,
                Status::ResourceExhausted,
                Status::Internal,
                Status::Unknown,
                Status::DataLoss,
            ];
            assert_eq!(
                matches!(error(code), Error::Unreachable(_)),
                passing.contains(&code),
                "{code:?}"
            );
            let is_unreachable = error(code).code() == Some(Code::StoreUnreachable);
            assert_eq!(is_unreachable, passing.contains(&code), "{code:?}");
        }
    }

    #[test]
    fn a_token_that_is_not_accepted_is_named_by_its_place_beside_the_workspace() {
        assert_eq!(
            error(Status::Unauthenticated).to_string(),
            "worker store: gateway:1993 does not accept the worker token, for workspace w, no stub, image i; check that it is a current worker token, and not a workspace's (/run/token)"
        );
    }
}
