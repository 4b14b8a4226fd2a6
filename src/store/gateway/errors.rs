//! Failures of the gateway. Bodies are never quoted, because they may contain anything.

use thiserror::Error;
use tokio::task::JoinError;

use super::PART;
use crate::config::Endpoint;
use crate::error::{Code, Fault, Meaning};
use crate::http::Response;
use crate::keys::KeysError;
use crate::shown::shown;

/// A failure of the gateway.
#[derive(Debug, Error)]
pub(super) enum GatewayError {
    // While its database is down, the gateway also refuses valid tokens that it has not cached, with the same answer.
    #[error(
        "{url} refused the token from {token_source} for {workspace} ({status}), or cannot look the token up"
    )]
    Refused {
        url: String,
        token_source: String,
        workspace: String,
        status: u16,
    },
    #[error("{url} does not know {workspace} (400)")]
    UnknownWorkspace { url: String, workspace: String },
    /// The gateway also calls a workspace "invalid" when its database is down.
    #[error("{url} cannot look up workspace {workspace} any more (400)")]
    Lost { url: String, workspace: String },
    #[error("{url} redirects elsewhere ({status}), and no token is sent there")]
    Redirect { url: String, status: u16 },
    /// `what` was requested, as in "it could not …".
    #[error("{url} could not {what} ({status})")]
    Unable {
        url: String,
        what: String,
        status: u16,
    },
    #[error("{0} limits its requests (429)")]
    Throttled(String),
    #[error("what answers at {0} is not Beta9's gateway")]
    Stranger(String),
    #[error("a request was given up: {0}")]
    GivenUp(JoinError),
    #[error("{0} does not say which workspace the token is for")]
    NoWorkspace(String),
    /// The gateway also says "not found" for a secret that it lists but can't read.
    #[error("{url} lists the secret {} and cannot read it", shown(name))]
    Unreadable { url: String, name: String },
    /// A secret's hosts have an unknown form.
    #[error("the hosts of the secret {} are not a list of names", shown(.0))]
    UnknownHosts(String),
    /// A name or an id that a URL can't contain.
    #[error("\"{}\" cannot be {}", shown(.1), .0)]
    Unfit(&'static str, String),
    /// A secret that isn't a credential.
    #[error("the secret {} cannot be used: {}", shown(.0), .1)]
    Damaged(String, KeysError),
    /// A secret that cannot be listed.
    #[error("the secret {} does not say which registry it is for", shown(.0))]
    Unnamed(String),
    /// Other hosts' secrets have all possible names.
    #[error("{}", taken(.0))]
    Taken(Vec<String>),
    /// A secret that a rule names is missing, and the API can't create that name.
    #[error(
        "the secret {} is not there, and a new one's name takes only letters, digits and underscores, no digit first, and at most 64 of them",
        shown(.0)
    )]
    Uncreatable(String),
    /// A name for a single secret that the API can't create.
    #[error(
        "\"{}\" is not a valid name for a secret: it takes letters, digits and underscores, no digit first, and at most 64 of them",
        shown(.0)
    )]
    InvalidName(String),
    /// A single secret that was changed concurrently.
    #[error("the secret {} {}", shown(.0), .1)]
    Changed(String, &'static str),
    /// Concurrent changes every time, or listed secrets that are never returned.
    #[error(
        "this registry's secrets keep changing, or the gateway cannot read or change what it lists"
    )]
    Contested,
}

impl Fault for GatewayError {
    fn meaning(&self) -> Meaning {
        let of = |code| Meaning::new(code, PART);
        match self {
            Self::Refused { .. } => of(Code::StoreRefused)
                .fix("give it a token of that workspace that is not restricted, or check whether the gateway's database is up")
                .refused(),
            Self::UnknownWorkspace { .. } => of(Code::StoreNotFound)
                .fix("correct the workspace's id, or unset it: the token's own is used then"),
            Self::Lost { .. } => of(Code::StoreUnreachable)
                .fix("check the gateway's log, and whether its database is up")
                .unreachable(),
            Self::Redirect { .. } => of(Code::StoreUnexpected).fix("set store.gateway.url to where the gateway is"),
            Self::Unable { .. } => of(Code::StoreUnreachable)
                .fix("check the gateway's log, and whether its database is there")
                .unreachable(),
            Self::Throttled(_) => of(Code::StoreUnreachable).fix("try again in a while").unreachable(),
            Self::Stranger(_) => {
                of(Code::StoreUnexpected).fix("check whether store.gateway.url is the gateway's HTTP address")
            }
            Self::GivenUp(_) => of(Code::SystemResources),
            Self::NoWorkspace(_) => of(Code::StoreUnexpected).fix(
                "check whether store.gateway.url is the gateway's HTTP address, or set workspace or BETA9_WORKSPACE_ID",
            ),
            Self::Unreadable { .. } => of(Code::StoreUnreachable)
                .fix("check the gateway's log, and whether its database is up; a value that does not decrypt has to be stored again")
                .unreachable(),
            Self::UnknownHosts(_) => of(Code::SecretInvalid).fix("update this program, or set the hosts again"),
            Self::Unfit(..) => of(Code::ConfigInvalid).fix("correct it"),
            Self::Damaged(..) => of(Code::SecretInvalid).fix("correct or delete it in the workspace"),
            Self::Unnamed(_) => of(Code::SecretUnbound),
            Self::Taken(_) => of(Code::StoreConflict)
                .fix("nothing was stored; delete what is not needed, or name a secret in a rule"),
            Self::Uncreatable(_) => {
                of(Code::ConfigInvalid).fix("nothing was stored; choose another name in the rule")
            }
            Self::InvalidName(_) => of(Code::ConfigInvalid).fix("nothing was stored; choose another name"),
            Self::Changed(name, _) => of(Code::StoreConflict).fix(format!(
                "nothing was stored; look at it with: beta9 secret show {}",
                shown(name)
            )),
            Self::Contested => of(Code::StoreConflict)
                .fix("nothing was stored; try again, and see the gateway's log"),
        }
    }
}

impl GatewayError {
    /// The failure for any other unsuccessful answer.
    pub(super) fn status(
        endpoint: &Endpoint,
        workspace: Option<&str>,
        answer: &Response,
        what: &str,
    ) -> Self {
        let url = endpoint.url.clone();
        let shown = workspace.map_or("its own workspace".to_owned(), |id| {
            format!("workspace {id}")
        });
        match answer.status {
            status @ (401 | 403) => Self::Refused {
                url,
                token_source: endpoint.token_source.clone(),
                workspace: shown,
                status,
            },
            400 if workspace.is_some() => Self::UnknownWorkspace {
                url,
                workspace: shown,
            },
            status @ 300..400 => Self::Redirect { url, status },
            status @ 500.. => Self::Unable {
                url,
                what: what.to_owned(),
                status,
            },
            429 => Self::Throttled(url),
            _ => Self::Stranger(url),
        }
    }
}

fn taken(names: &[String]) -> String {
    match names {
        [name] => format!("{} is another registry's secret", shown(name)),
        names => format!("{} are other registries' secrets", names.join(", ")),
    }
}
