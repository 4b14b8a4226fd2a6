//! Failures of the worker API. Its own messages are never shown, because they may contain anything.

use thiserror::Error;
use tonic::Code as Status;

use super::PART;
use super::address::{Address, NotAnAddress};
use super::message::Request;
use crate::error::{self, Code, Fault, Meaning};
use crate::host::Host;
use crate::http::{HttpError, Kind};
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
    Unreached(HttpError),
    #[error("the answer of {} cannot be read", .0.address)]
    Unreadable(Asked),
    #[error("the worker token is empty or holds a character that no token has")]
    BadToken(Asked),
    /// The token is wrong, revoked, disabled or of another kind.
    #[error("{} does not accept the worker token, for {}", .0.address, .0.subject)]
    Unauthorized(Asked),
    #[error("the worker token may not ask {} for {}", .0.address, .0.subject)]
    Forbidden(Asked),
    #[error("the gateway refused to vend credentials for {}", .0.subject)]
    Refused(Asked),
    #[error("{} does not know GetCacheOriginCredentials", .0.address)]
    Unknown(Asked),
    #[error("{} has failed (gRPC status {:?})", .0.address, .1)]
    Failed(Asked, Status),
    #[error("{} refused the question about {} (gRPC status {:?})", .0.address, .0.subject, .1)]
    Rejected(Asked, Status),
}

/// A request in errors; never contains the token.
#[derive(Debug)]
pub(super) struct Asked {
    address: Address,
    /// The token's source.
    token: String,
    /// `workspace w, stub s, image i`.
    subject: String,
    has_stub: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The gateway was not reached, or the connection broke.
    Connection(HttpError),
    /// The gateway answered with this status. Its message is discarded, because it may contain anything.
    Status(Status),
    /// The answer isn't the expected message.
    Unreadable,
    /// The token is missing or can't be sent.
    Token,
    /// A refusal without a status, such as a private pool's for a stub that isn't its own.
    Refused,
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
            Self::BadToken(Asked { token, .. }) => {
                of(Code::ConfigInvalid).fix(format!("correct it ({token})"))
            }
            Self::Unauthorized(Asked { token, .. }) => of(Code::StoreRefused).fix(format!(
                "check that it is a current worker token, and not a workspace's ({token})"
            )),
            Self::Forbidden(Asked { token, .. }) => of(Code::StoreRefused).fix(format!(
                "check whether the token ({token}) is for this workspace and its pool for this stub"
            )),
            Self::Refused(Asked { has_stub: false, .. }) => of(Code::StoreRefused).fix(
                "a worker of a private pool must name its stub: set BETA9_STUB_ID, and check whether the worker token is for this workspace; the gateway's log says more",
            ),
            Self::Refused(_) => of(Code::StoreRefused).fix(
                "check whether the worker token, the stub and the image are of this workspace; the gateway's log says more",
            ),
            Self::Unknown(_) => of(Code::StoreUnexpected).fix(
                "check whether it is the gateway's gRPC address, and recent enough to vend credentials to workers",
            ),
            Self::Failed(..) => of(Code::StoreUnreachable)
                .fix("try again; the gateway's log says more")
                .unreachable(),
            Self::Rejected(..) => of(Code::StoreRefused).fix(
                "check whether the workspace, the stub and the image are right; the gateway's log says more",
            ),
        }
    }
}

impl Asked {
    pub(super) fn new(address: &Address, token: String, request: &Request) -> Self {
        let part = |what, id: &str| match id {
            "" => format!(", no {what}"),
            id => format!(", {what} {}", shown(id)),
        };
        let workspace = shown(&request.workspace_id);
        let (stub, image) = (
            part("stub", &request.stub_id),
            part("image", &request.image_id),
        );
        Self {
            address: address.clone(),
            token,
            subject: format!("workspace {workspace}{stub}{image}"),
            has_stub: !request.stub_id.is_empty(),
        }
    }

    /// The error for a request without an answer.
    pub(super) fn error(self, trouble: Trouble) -> error::Error {
        match trouble {
            Trouble::Connection(fault) => match fault.kind() {
                Kind::Nobody | Kind::Refused | Kind::Closed | Kind::Truncated => {
                    WorkerError::Unreached(fault).into()
                }
                _ => fault.error(PART),
            },
            Trouble::Status(status) => self.status(status).into(),
            Trouble::Unreadable => WorkerError::Unreadable(self).into(),
            Trouble::Token => WorkerError::BadToken(self).into(),
            Trouble::Refused => WorkerError::Refused(self).into(),
        }
    }

    /// Classifies a status like an HTTP status: a fault on this side ends the request, a fault on the other side counts
    /// as an outage.
    fn status(self, status: Status) -> WorkerError {
        match status {
            Status::Unauthenticated => WorkerError::Unauthorized(self),
            Status::PermissionDenied => WorkerError::Forbidden(self),
            Status::Unimplemented => WorkerError::Unknown(self),
            Status::Unavailable
            | Status::DeadlineExceeded
            | Status::Cancelled
            | Status::Aborted
            | Status::ResourceExhausted
            | Status::Internal
            | Status::Unknown
            | Status::DataLoss => WorkerError::Failed(self, status),
            _ => WorkerError::Rejected(self, status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn error(code: Status) -> Error {
        let address = Address::parse("gateway:1993").unwrap();
        let request = Request {
            workspace_id: "w".into(),
            image_id: "i".into(),
            ..Request::default()
        };
        Asked::new(&address, "/run/token".into(), &request).error(Trouble::Status(code))
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
