//! Why the mirror does not start, or refuses a request.

use std::io;

use hyper::StatusCode;
use thiserror::Error;

use crate::error::{Code, Error, Fault, Meaning};
use crate::host::{Host, ImageRef};
use crate::http::{HttpError, Kind};
use crate::trusted::FileError;
use crate::verify::Verdict;

/// Why the mirror does not start.
#[derive(Debug, Error)]
pub(crate) enum MirrorError {
    #[error("systemd passed no socket, and --listen is not given")]
    NoSocket,
    #[error("systemd passed {0} sockets")]
    Sockets(usize),
    #[error("{0} is not an address of this node's loopback")]
    NotLoopback(String),
    #[error("it cannot listen there")]
    Listen(#[source] io::Error),
    #[error("{0} does not exist")]
    NoCertificate(String),
    #[error("{0} is not a certificate and key for this")]
    Certificate(String),
    #[error("certificates cannot be made")]
    Making(#[source] rcgen::Error),
}

impl Fault for MirrorError {
    fn meaning(&self) -> Meaning {
        let of = |code| Meaning::new(code, PART);
        match self {
            Self::NoSocket => of(Code::ConfigMissing)
                .fix("systemctl enable --now beta9-mirror.socket, or give --listen 127.0.0.1:PORT"),
            Self::Sockets(_) => {
                of(Code::ConfigInvalid).fix("leave one ListenStream= in beta9-mirror.socket")
            }
            Self::NotLoopback(_) => of(Code::ConfigInvalid)
                .fix("listen on 127.0.0.1: credentials are used for all who may connect"),
            Self::Listen(_) => {
                of(Code::SystemResources).fix("stop what listens there, or choose another port")
            }
            Self::NoCertificate(_) | Self::Certificate(_) => of(Code::SystemFile)
                .fix("make it: docker-credential-beta9 configure containerd --hosts HOST,…"),
            Self::Making(_) => of(Code::SystemResources).fix("try again"),
        }
    }
}

/// Why a request is refused.
#[derive(Debug, Error)]
enum Refused {
    #[error("it is not set up for the mirror")]
    NotNamed(Host),
    #[error("{cause}")]
    Verdict { cause: String, fix: String },
    #[error("it did not answer in time")]
    Late,
}

impl Fault for Refused {
    fn meaning(&self) -> Meaning {
        match self {
            Self::NotNamed(host) => Meaning::new(Code::ConfigMissing, PART).fix(format!(
                "docker-credential-beta9 configure containerd --hosts {host}"
            )),
            Self::Verdict { fix, .. } => {
                Meaning::new(Code::RegistryRefused, REGISTRY).fix(fix.clone())
            }
            Self::Late => Meaning::new(Code::RegistryUnreachable, REGISTRY)
                .fix("check whether the node reaches it"),
        }
    }
}

/// A refusal for the client, and for the operator's log: one line without secrets.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) line: String,
}

impl Refusal {
    fn new(status: StatusCode, host: &Host, error: Error) -> Self {
        let line = crate::one_line(&error.about(host.as_reference()));
        Self { status, line }
    }

    /// The credential's look-up failed.
    pub(super) fn error(host: &Host, error: Error) -> Self {
        Self::new(StatusCode::FORBIDDEN, host, error)
    }

    /// The list of hosts or a file of certs.d can't be used.
    pub(super) fn file(host: &Host, fault: FileError) -> Self {
        Self::error(host, fault.problem(PART))
    }

    /// The registry isn't configured.
    pub(super) fn not_named(host: &Host) -> Self {
        Self::error(host, Refused::NotNamed(host.clone()).into())
    }

    /// The registry did not answer within the time that a client waits.
    pub(super) fn late(host: &Host) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, host, Refused::Late.into())
    }

    /// The login at the registry failed.
    pub(super) fn verdict(image: &ImageRef, verdict: &Verdict) -> Self {
        let status = match verdict {
            Verdict::NoAnswer(fault) => unreached(fault),
            _ => StatusCode::FORBIDDEN,
        };
        let (cause, fix) = (verdict.to_string(), verdict.fix(image));
        Self::new(status, &image.host, Refused::Verdict { cause, fix }.into())
    }
}

/// The status for a registry that could not be reached.
fn unreached(fault: &HttpError) -> StatusCode {
    if fault.kind() == Kind::Timeout {
        StatusCode::GATEWAY_TIMEOUT
    } else {
        StatusCode::BAD_GATEWAY
    }
}

const PART: &str = "mirror";
const REGISTRY: &str = "registry";
