//! Errors in the keys, rule or files that a login starts from, or in the token that it returns.

use std::path::PathBuf;

use thiserror::Error;

use super::super::{PART, POD_ROLES};
use crate::credential::CredentialError;
use crate::error::{Code, Fault, Meaning};
use crate::token::shown;

/// Why a login can't start, or its result can't be used.
#[derive(Debug, Error)]
pub(in crate::backend::aws) enum AwsError {
    #[error("the node's own identity may not be used here")]
    NotAllowed,
    #[error("the rule's region isn't a valid one, such as us-east-1")]
    RuleRegion,
    #[error("the host does not say which registry of ECR it is")]
    NoRegistry,
    /// The registry's partition has no such region.
    #[error("there is no region {0} where this host is")]
    UnknownRegion(String),
    /// A variable in a secret that would make an SDK read files, run programs or call other servers.
    #[error("{} controls the node, which a secret may not do", crate::shown::shown(.0))]
    Steers(String),
    /// A key of the secret has an invalid value.
    #[error("{0} {1}")]
    Key(&'static str, &'static str),
    #[error("the rule's {0} {1}")]
    Rule(&'static str, &'static str),
    #[error("the service account {0} names no role")]
    NoRole(String),
    #[error("STS returned no session for the role")]
    NoSession,
    #[error("the profile {} {what}", shown(name))]
    Profile { name: String, what: ProfileFault },
    /// A named profile is missing: who names it, and the files that were searched.
    #[error("{who} names the profile {name}, which is not in {places}")]
    NoProfile {
        who: String,
        name: String,
        places: String,
    },
    #[error("{name} names {}, which does not exist", path.display())]
    NoTokenFile { name: String, path: PathBuf },
    #[error("{name} names {}, which is empty", path.display())]
    EmptyTokenFile { name: String, path: PathBuf },
    #[error("{} is not UTF-8", .0.display())]
    NotUtf8(PathBuf),
    /// A profile file can't be parsed: the files, and the line if known.
    #[error("{0} cannot be parsed{1}")]
    Unparsed(String, String),
    /// The token is for another registry. Its host is shown if it is an ECR host.
    #[error("ECR returned a token for {0}")]
    OtherRegistry(String),
    #[error("the answer holds no token")]
    NoToken,
    #[error("the token isn't a credential: {0}")]
    Unusable(CredentialError),
}

/// What is wrong with a profile.
#[derive(Debug, Error)]
pub(in crate::backend::aws) enum ProfileFault {
    #[error("has no credentials")]
    Empty,
    #[error("leads back to itself")]
    Circle,
    #[error("has mfa_serial: a person is asked for a code, which a helper cannot do")]
    Mfa,
    #[error("has a web_identity_token_file that is not an absolute path")]
    Relative,
    #[error("is a login_session of aws login, which this helper cannot use")]
    LoginSession,
    #[error("has no SSO session: it is missing or was logged out of")]
    NoSession,
}

impl AwsError {
    pub(in crate::backend::aws) fn profile(name: &str, what: ProfileFault) -> Self {
        let name = name.to_owned();
        Self::Profile { name, what }
    }
}

impl Fault for AwsError {
    fn meaning(&self) -> Meaning {
        let of = |code, fix: &'static str| Meaning::new(code, PART).fix(fix);
        let no_identity = |fix| of(Code::MintNoIdentity, fix);
        let in_secret = |fix: &'static str| Meaning::new(Code::MintInvalidKeys, SECRET).fix(fix);
        match self {
            Self::NotAllowed => no_identity(
                "store a secret for this registry, or set ambient = true for it in the configuration",
            ),
            Self::RuleRegion | Self::Rule(..) => {
                of(Code::ConfigInvalid, "correct it in the configuration")
            }
            Self::NoRegistry => of(
                Code::ConfigMissing,
                "set alias_of to the registry's own host in the rule, or region to its region",
            ),
            Self::UnknownRegion(_) => of(
                Code::InputBadServerUrl,
                "correct the registry's name in the image reference",
            ),
            Self::Steers(_) => in_secret(
                "take it out of the secret; where the node needs it, its operator sets it in the configuration",
            ),
            Self::Key(..) => in_secret("correct the keys in the secret"),
            Self::NoRole(_) => no_identity("").fix(format!("annotate it with {}", POD_ROLES[0])),
            Self::NoSession => of(
                Code::MintUnexpected,
                "check whether a proxy puts something else in its place",
            ),
            Self::Profile { name, what } => match what {
                ProfileFault::Empty => no_identity("give it keys, a role or another source"),
                ProfileFault::Circle => of(Code::ConfigInvalid, "correct source_profile"),
                ProfileFault::Mfa | ProfileFault::LoginSession => no_identity(SESSIONS),
                ProfileFault::Relative => of(Code::ConfigInvalid, "give the whole path, from /"),
                ProfileFault::NoSession => {
                    no_identity("").fix(format!("aws sso login --profile {}", shown(name)))
                }
            },
            Self::NoProfile { name, .. } => of(Code::ConfigMissing, "")
                .fix(format!("correct the name, or add [profile {name}]")),
            Self::NoTokenFile { .. } => no_identity("mount the token, or correct the path"),
            Self::EmptyTokenFile { .. } => no_identity("see what writes the token"),
            Self::NotUtf8(_) | Self::Unparsed(..) => of(Code::ConfigUnreadable, "correct the file"),
            Self::OtherRegistry(_) => of(
                Code::MintUnexpected,
                "check that endpoint_url in the configuration leads to this registry's region and partition",
            ),
            Self::NoToken => of(
                Code::MintUnexpected,
                "check whether a proxy or endpoint_url puts something else in ECR's place",
            ),
            Self::Unusable(_) => of(Code::MintUnexpected, ""),
        }
    }
}

const SECRET: &str = "its secret";
const SESSIONS: &str = "give the node a session instead: aws sso login, or the keys that aws sts get-session-token gives";
