//! Failures of Google logins. Nothing from a document or an answer is repeated, except names with strict syntax.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::{ACCESS_TOKEN, KEY, PART, PROJECT, TOKEN_URI, VARIABLE};
use crate::credential::CredentialError;
use crate::error::{Code, Fault, Meaning};
use crate::http::HttpError;
use crate::json::JsonError;

/// A failed login. `origin` is the key of the secret, the file or the service account that defines the identity; `host`
/// is the server.
#[derive(Debug, Error)]
pub(super) enum GcpError {
    /// The node has no identity; the text says what was tried.
    #[error("{0}")]
    NoIdentity(String),
    /// The metadata server does not answer.
    #[error("{tried}{error}")]
    NoMetadata {
        tried: String,
        error: Box<HttpError>,
    },
    #[error("{tried}what answers at {host} is not Google's metadata server (status {status})")]
    NotMetadata {
        tried: String,
        host: String,
        status: u16,
    },
    #[error("there is no file {}", .0.display())]
    NoDocument(PathBuf),
    #[error("{PROJECT} alone means the node's own identity, which is off for this registry")]
    ProjectAlone,
    #[error("the access token cannot be used: {0}")]
    Unusable(CredentialError),
    #[error("{origin}{what}")]
    Document { origin: String, what: DocumentFault },
    #[error("{0}: \"private_key\" is not an RSA key in PEM")]
    PrivateKey(String),
    #[error("the service account {0} asks for workload identity, and no provider is set")]
    NoProvider(String),
    #[error("{origin}: there is no token file {}", path.display())]
    NoTokenFile { origin: String, path: PathBuf },
    #[error("{host} gives no subject token (status {status})")]
    NoSubject {
        host: String,
        status: u16,
        origin: String,
    },
    #[error("what {place} gives holds no subject token in the format that {origin} names")]
    SubjectFormat { place: String, origin: String },
    #[error("{origin}: {what}")]
    Aws { origin: String, what: AwsProof },
    #[error("{host} throttles: it gets too many requests (status 429)")]
    Throttled {
        host: String,
        retry_after: Option<Duration>,
    },
    #[error("{host} fails (status {status})")]
    Failing { host: String, status: u16 },
    #[error("{host} redirects to another place, which is not followed (status {status})")]
    Redirect { host: String, status: u16 },
    #[error("{host} answered {what}")]
    NoJson { host: String, what: &'static str },
    #[error("{0} answered without a token")]
    NoToken(String),
    #[error("{origin}: {refusal}")]
    Refused { origin: String, refusal: Refusal },
}

/// Why a node on AWS can't prove its identity to Google.
#[derive(Debug, Error)]
pub(super) enum AwsProof {
    #[error("the source of this node's AWS identity did not answer in time")]
    LateIdentity,
    #[error("the source of this node's AWS credentials did not answer in time")]
    LateCredentials,
    #[error("\"regional_cred_verification_url\" is not an https:// address")]
    Url,
    #[error("the request that proves the AWS identity cannot be signed")]
    Unsigned,
    #[error("this node's AWS region is not known")]
    NoRegion,
    #[error("this node has no AWS credentials to prove itself with")]
    NoCredentials,
    /// The source's message is omitted, because it may quote an answer.
    #[error("the source of this node's AWS credentials fails")]
    Failing,
}

/// What is wrong with a document; printed after its origin.
#[derive(Debug, Error)]
pub(super) enum DocumentFault {
    #[error(" is a path, and a secret may not name files of the node")]
    Path,
    #[error(" is neither JSON nor base64 of JSON")]
    Neither,
    #[error(" is not a JSON object: {0}")]
    Json(JsonError),
    #[error(": \"type\" isn't one that this helper knows")]
    Type,
    /// The type, and why a tenant's document may not have it.
    #[error(": \"type\" is {0}")]
    TenantsType(&'static str),
    #[error(": \"token_uri\" is not Google's own, and a secret may not say where its key is sent")]
    TokenUri,
    #[error(
        ": \"universe_domain\" is not googleapis.com, whose registries are the ones this helper knows"
    )]
    Universe,
    #[error(": \"credential_source\" is neither a file, a URL nor AWS")]
    Source,
    #[error(": \"{0}\" is not an https:// address")]
    NotHttps(&'static str),
    /// A member, and what it should be.
    #[error(": \"{0}\" is missing or no {1}")]
    Missing(&'static str, &'static str),
}

impl DocumentFault {
    pub(super) fn of(self, origin: &str) -> GcpError {
        let (origin, what) = (origin.to_owned(), self);
        GcpError::Document { origin, what }
    }

    pub(super) fn fix(&self) -> Cow<'static, str> {
        match self {
            Self::Path | Self::Neither => {
                "put the JSON of a service-account key itself, or base64 of it, into the secret".into()
            }
            Self::Json(_) | Self::Missing(..) => "put the file as Google gave it".into(),
            Self::Type => {
                "use a service account, a user, an external account or an impersonated service account".into()
            }
            Self::TenantsType(_) | Self::Universe => {
                format!("use a service account's own key, or {ACCESS_TOKEN}").into()
            }
            Self::TokenUri => format!("set it to {TOKEN_URI}, or leave it out").into(),
            Self::Source => {
                "programs and certificates are not supported: let them write the token to a file".into()
            }
            Self::NotHttps(_) => "correct it".into(),
        }
    }
}

/// The cause and fix of a refusal.
#[derive(Debug, Error)]
#[error("{cause}")]
pub(super) struct Refusal {
    pub(super) cause: String,
    pub(super) fix: String,
}

impl AwsProof {
    pub(super) fn of(self, origin: &str) -> GcpError {
        let (origin, what) = (origin.to_owned(), self);
        GcpError::Aws { origin, what }
    }
}

impl Fault for GcpError {
    fn meaning(&self) -> Meaning {
        let of = |code, fix: &'static str| Meaning::new(code, PART).fix(fix);
        match self {
            Self::NoIdentity(_) => of(Code::MintNoIdentity, NO_IDENTITY),
            Self::NoMetadata { .. } => of(Code::MintNoIdentity, NO_IDENTITY).unreachable(),
            Self::NotMetadata { .. } => of(Code::MintUnexpected, NO_IDENTITY),
            Self::NoDocument(_) => {
                Meaning::new(Code::ConfigUnreadable, VARIABLE).fix("correct or unset it")
            }
            Self::ProjectAlone => of(Code::MintNoIdentity, "").fix(format!(
                "put {ACCESS_TOKEN} or {KEY} into the secret, or let the operator set ambient = true for this registry, where pods do not log in as themselves"
            )),
            Self::Unusable(_) => of(Code::SecretInvalid, "store it again"),
            Self::Document { what, .. } => of(Code::MintInvalidKeys, "").fix(what.fix()),
            Self::PrivateKey(_) => of(
                Code::MintInvalidKeys,
                "put the key as Google gave it, with its line ends",
            ),
            Self::NoProvider(_) => of(
                Code::ConfigMissing,
                "set workload_identity_provider in a rule for this registry",
            ),
            Self::NoTokenFile { .. } => of(
                Code::MintNoIdentity,
                "mount it, or correct \"credential_source\"",
            ),
            Self::NoSubject { origin, .. } => of(Code::MintNoIdentity, "")
                .fix(format!("see \"credential_source\" in {origin}")),
            Self::SubjectFormat { .. } => of(
                Code::MintNoIdentity,
                "correct \"format\" in \"credential_source\"",
            ),
            Self::Aws { what, .. } => match what {
                AwsProof::LateIdentity | AwsProof::LateCredentials => {
                    of(Code::MintUnreachable, WHENCE).unreachable()
                }
                AwsProof::Url => of(Code::MintInvalidKeys, "correct it"),
                AwsProof::NoRegion => of(
                    Code::MintNoIdentity,
                    "set AWS_REGION, or let the metadata service be reached",
                ),
                AwsProof::Unsigned | AwsProof::NoCredentials | AwsProof::Failing => {
                    of(Code::MintNoIdentity, WHENCE)
                }
            },
            Self::Throttled { retry_after, .. } => {
                let after = retry_after.map(|after| format!("in {} s", after.as_secs()));
                let after = after.as_deref().unwrap_or("later");
                of(Code::MintThrottled, "")
                    .fix(format!(
                        "try again {after}, and see who else asks for tokens with this identity"
                    ))
                    .unreachable()
                    .answered()
            }
            Self::Failing { .. } => of(Code::MintUnreachable, "try again later; there is nothing to fix on your side")
                .unreachable()
                .answered(),
            Self::Redirect { .. } | Self::NoJson { .. } => of(
                Code::MintUnexpected,
                "check whether a proxy or a sign-in page of the network answers in its place",
            ),
            Self::NoToken(_) => of(
                Code::MintUnexpected,
                "check whether a proxy answers in its place",
            ),
            Self::Refused { refusal, .. } => {
                of(Code::MintRefused, "").fix(refusal.fix.clone()).answered()
            }
        }
    }
}

const NO_IDENTITY: &str = "give it one: attach a service account, or name a credential file in GOOGLE_APPLICATION_CREDENTIALS";
const WHENCE: &str =
    "see what gives it an AWS identity (AWS_PROFILE, web identity, the metadata service)";
