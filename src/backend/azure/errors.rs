//! Errors for refusals by Entra, a metadata service or the registry, by status and AADSTS code. Their messages are not
//! repeated, because they name the tenant's resources and anyone may have written them.
//!
//! <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>,
//! <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-login>

mod refusals;

use std::path::PathBuf;
use std::time::Duration;

use super::authority::AUTHORITY_HOST;
use super::{CERTIFICATE, PART, POD_CLIENT_ID, TOKEN_FILE};
use crate::error::{Code, Fault, Meaning};
use crate::http::{HttpError, Response};
use crate::shown::shown;
use refusals::{NOT_ON_AZURE, of_code, of_metadata, of_registry};

/// The error for a registry's answer that isn't a token.
pub(super) fn registry(host: &str, answer: &Response) -> AzureError {
    let status = answer.status;
    common(host, status, answer.retry_after()).unwrap_or(AzureError::Registry { status })
}

/// Errors that any of these servers may answer with.
pub(super) fn common(host: &str, status: u16, retry_after: Option<Duration>) -> Option<AzureError> {
    let what = match status {
        200..300 => Common::NoJson,
        300..400 => Common::Redirect,
        429 => Common::Throttled(retry_after),
        410 => Common::Updating,
        500.. => Common::Failing(retry_after),
        _ => return None,
    };
    let host = host.to_owned();
    Some(AzureError::Common { host, what, status })
}

/// Why there is no Azure token.
#[derive(Debug, thiserror::Error)]
pub(super) enum AzureError {
    #[error("no managed identity on this node: {0}")]
    NoMetadata(Box<HttpError>),
    #[error("{host} {what} ({status})")]
    Common {
        host: String,
        what: Common,
        status: u16,
    },
    /// The registry refused the exchange.
    #[error("{} ({status})", of_registry(*status).0)]
    Registry { status: u16 },
    #[error("{}: {host} answered {status}", of_metadata(*status).0)]
    Metadata { host: String, status: u16 },
    /// A refusal by Entra without a code.
    #[error("Entra refused the login ({0})")]
    Login(u16),
    #[error("{} (AADSTS{code})", of_code(*code).1)]
    Entra { code: u32 },
    /// A success without a token.
    #[error("the answer of {0} holds no token")]
    NoToken(&'static str),
    /// A kind of managed identity that the SDK does not support.
    #[error("this kind of managed identity is not supported")]
    OtherManaged,
    #[error("the application cannot log in as it is configured")]
    Unconfigured,
    /// The identity disappeared between two reads.
    #[error("the node has no Azure identity any more")]
    Gone,
    #[error("it isn't an Azure registry (*.azurecr.io, *.azurecr.cn, *.azurecr.us)")]
    NotAzures,
    #[error("{AUTHORITY_HOST} in the node's environment isn't an https:// URL of a host")]
    Authority,
    #[error("the service account {0} names no application")]
    NoApplication(String),
    /// A key of Azure's tools that names a file or a server.
    #[error("a secret may not say {}", shown(.0))]
    Steers(String),
    /// One of the variables that belong together is missing.
    #[error("{name} is not in {place}")]
    Missing {
        name: &'static str,
        place: &'static str,
        together: &'static str,
    },
    #[error("{name} in {place} {what}")]
    Invalid {
        name: &'static str,
        place: &'static str,
        what: &'static str,
        fix: &'static str,
    },
    #[error("{TOKEN_FILE} names {}, which {what}", path.display())]
    TokenFile { path: PathBuf, what: &'static str },
    #[error("{CERTIFICATE} names {}, which does not exist", .0.display())]
    NoCertificate(PathBuf),
    #[error(
        "{CERTIFICATE} names {}, which is not a PEM file with a certificate and its RSA key without a password",
        .0.display()
    )]
    Certificate(PathBuf),
}

/// Errors that any server may answer with.
#[derive(Debug, thiserror::Error)]
pub(super) enum Common {
    #[error("answered with something that is not JSON")]
    NoJson,
    #[error("redirects, which is never followed with a credential")]
    Redirect,
    #[error("limits its requests")]
    Throttled(Option<Duration>),
    #[error("is being updated")]
    Updating,
    #[error("has a failure of its own")]
    Failing(Option<Duration>),
}

impl Fault for AzureError {
    fn meaning(&self) -> Meaning {
        let of = |code, fix: &'static str| Meaning::new(code, PART).fix(fix);
        let refused = |fix| of(Code::MintRefused, fix);
        let later = |code, when: String| {
            let meaning = Meaning::new(code, PART).fix(format!("try again {when}"));
            meaning.unreachable().answered()
        };
        let in_seconds = |wait: &Option<Duration>| match wait {
            Some(wait) => format!("in {} s", wait.as_secs()),
            None => "later".to_owned(),
        };
        match self {
            Self::NoMetadata(_) => of(Code::MintNoIdentity, NOT_ON_AZURE).unreachable(),
            Self::Common { what, .. } => match what {
                Common::NoJson | Common::Redirect => of(Code::MintUnexpected, IMPOSTOR),
                Common::Throttled(wait) => later(Code::MintThrottled, in_seconds(wait)),
                Common::Updating => later(Code::MintUnreachable, "in a minute".to_owned()),
                Common::Failing(wait) => later(Code::MintUnreachable, in_seconds(wait)),
            },
            Self::Registry { status } => refused(of_registry(*status).1).answered(),
            Self::Metadata { status, .. } => refused(of_metadata(*status).1).answered(),
            Self::Login(_) => refused(IMPOSTOR).answered(),
            Self::Entra { code } => refused(of_code(*code).2).answered(),
            Self::NoToken(_) => of(Code::MintUnexpected, "check what answers in its place"),
            Self::OtherManaged => of(
                Code::MintNoIdentity,
                "unset IDENTITY_ENDPOINT and MSI_ENDPOINT where the node is a virtual machine; App Service sets IDENTITY_ENDPOINT and IDENTITY_HEADER",
            ),
            Self::Unconfigured => of(
                Code::MintInvalidKeys,
                "correct AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_AUTHORITY_HOST",
            ),
            Self::Gone => of(Code::MintNoIdentity, "try again"),
            Self::NotAzures => of(
                Code::ConfigInvalid,
                "name the registry that it stands for with alias_of",
            ),
            Self::Authority => of(
                Code::ConfigInvalid,
                "set it to one such as https://login.microsoftonline.com/",
            ),
            Self::NoApplication(_) => {
                of(Code::MintNoIdentity, "").fix(format!("annotate it with {POD_CLIENT_ID}"))
            }
            Self::Steers(_) => of(
                Code::MintInvalidKeys,
                "take it out of the secret; only AZURE_CLIENT_ID, AZURE_CLIENT_SECRET and AZURE_TENANT_ID are read",
            ),
            Self::Missing { together, .. } => of(Code::MintInvalidKeys, together),
            Self::Invalid { fix, .. } => of(Code::MintInvalidKeys, fix),
            Self::TokenFile { .. } => of(
                Code::MintNoIdentity,
                "see what mounts it, or correct or unset the variable",
            ),
            Self::NoCertificate(_) => of(Code::MintNoIdentity, "correct or unset it"),
            Self::Certificate(path) => {
                let path = path.display();
                of(Code::MintInvalidKeys, "").fix(format!(
                    "convert it: openssl pkcs12 -in {path} -nodes -out {path}.pem"
                ))
            }
        }
    }
}

const IMPOSTOR: &str = "check whether a proxy or a sign-in page answers in its place";
#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn each_code_says_what_to_do_and_an_unknown_one_is_still_told() {
        for (code, part) in [
            (
                7_000_215,
                "the client secret is wrong (AADSTS7000215); set AZURE_CLIENT_SECRET",
            ),
            (7_000_222, "has expired (AADSTS7000222)"),
            (
                700_016,
                "the application is unknown in this tenant (AADSTS700016); correct AZURE_CLIENT_ID",
            ),
            (
                90_002,
                "the tenant is unknown in this cloud (AADSTS90002); correct AZURE_TENANT_ID",
            ),
            (700_024, "check whether the node's clock is right"),
            (
                1_234_567,
                "Entra refused the login (AADSTS1234567); look it up",
            ),
        ] {
            let text = Error::from(AzureError::Entra { code }).to_string();
            assert!(
                text.starts_with("backend azure: ") && text.contains(part),
                "{text}"
            );
        }
    }

    #[test]
    fn what_may_pass_is_unreachable_and_what_somebody_must_fix_is_not() {
        for (status, passes) in [
            (429, true),
            (410, true),
            (500, true),
            (503, true),
            (307, false),
            (200, false),
        ] {
            let error = Error::from(common("login.microsoftonline.com", status, None).unwrap());
            assert_eq!(matches!(error, Error::Unreachable(_)), passes, "{error}");
        }
        let throttled = common("myreg.azurecr.io", 429, Some(Duration::from_secs(7))).unwrap();
        let throttled = Error::from(throttled);
        assert_eq!(throttled.code(), Some(Code::MintThrottled));
        assert_eq!(
            throttled.to_string(),
            "backend azure: myreg.azurecr.io limits its requests (429); try again in 7 s"
        );
    }
}
