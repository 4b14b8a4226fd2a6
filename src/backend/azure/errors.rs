//! Errors for refusals by Entra, a metadata service or the registry, by status and AADSTS code. Their messages are not
//! repeated, because they name the tenant's resources and anyone may have written them.
//!
//! <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>,
//! <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-login>

mod refusals;

use std::path::PathBuf;
use std::time::Duration;

use super::PART;
use super::authority::AUTHORITY_HOST;
use super::identity::{Identity, POD_CLIENT_ID};
use crate::error::{Code, Error, Fault, Meaning};
use crate::http::{HttpError, Kind, Response};
use crate::shown::shown;
use refusals::{NOT_ON_AZURE, of_code, of_metadata, of_registry};

/// Why a request of the SDK failed; passed through the SDK as the source of its errors.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// There was no answer.
    #[error("{0}")]
    NoAnswer(HttpError),
    /// The answer isn't a token.
    #[error("{host} answered {status}")]
    Answer {
        host: String,
        status: u16,
        code: Option<u32>,
        retry_after: Option<Duration>,
    },
}

impl Refusal {
    pub(super) fn answer(host: &str, answer: &Response) -> Self {
        let (status, retry_after) = (answer.status, answer.retry_after());
        Self::Answer {
            host: host.to_owned(),
            status,
            code: aadsts(&answer.body),
            retry_after,
        }
    }
}

/// The error for a login that failed in the SDK.
pub(super) fn entra(error: &azure_core::Error, identity: &Identity) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let refusal = loop {
        match cause {
            None => return AzureError::NoToken("Entra").into(),
            Some(error) => match error.downcast_ref::<Refusal>() {
                Some(refusal) => break refusal,
                None => cause = error.source(),
            },
        }
    };
    match (refusal, identity) {
        (Refusal::NoAnswer(fault), Identity::Managed { .. }) if is_absent(fault.kind()) => {
            AzureError::NoMetadata(Box::new(fault.clone())).into()
        }
        (Refusal::NoAnswer(fault), _) => fault.error(PART),
        (
            Refusal::Answer {
                host,
                status,
                code,
                retry_after,
            },
            _,
        ) => {
            let common = common(host, *status, *retry_after);
            let error = common.unwrap_or_else(|| match identity {
                Identity::Managed { .. } => AzureError::Metadata {
                    host: host.clone(),
                    status: *status,
                },
                _ => match *code {
                    Some(code) => AzureError::Entra { code },
                    None => AzureError::Login(*status),
                },
            });
            error.into()
        }
    }
}

/// The error for a registry's answer that isn't a token.
pub(super) fn registry(host: &str, answer: &Response) -> AzureError {
    let status = answer.status;
    common(host, status, answer.retry_after()).unwrap_or(AzureError::Registry { status })
}

/// Errors that any of these servers may answer with.
fn common(host: &str, status: u16, retry_after: Option<Duration>) -> Option<AzureError> {
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
    #[error("{name} names {}, which {what}", path.display())]
    TokenFile {
        name: &'static str,
        path: PathBuf,
        what: &'static str,
    },
    #[error("{name} names {}, which does not exist", path.display())]
    NoCertificate { name: String, path: PathBuf },
    #[error(
        "{name} names {}, which is not a PEM file with a certificate and its RSA key without a password",
        path.display()
    )]
    Certificate { name: String, path: PathBuf },
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

impl AzureError {
    /// The error for an identity that the SDK does not support.
    pub(super) fn unusable(identity: &Identity) -> Self {
        match identity {
            Identity::Managed { .. } => Self::OtherManaged,
            Identity::Secret { .. } | Identity::Certificate { .. } | Identity::Workload { .. } => {
                Self::Unconfigured
            }
        }
    }
}

impl Fault for AzureError {
    fn meaning(&self) -> Meaning {
        let of = |code, fix: &'static str| Meaning::new(code, PART).fix(fix);
        let refused = |fix| of(Code::MintRefused, fix);
        let later = |code, wait: &Option<Duration>| {
            let wait = wait.map(|wait| format!("try again in {} s", wait.as_secs()));
            let fix = wait.unwrap_or_else(|| "try again later".to_owned());
            of(code, "").fix(fix).unreachable().answered()
        };
        match self {
            Self::NoMetadata(_) => of(Code::MintNoIdentity, NOT_ON_AZURE).unreachable(),
            Self::Common { what, .. } => match what {
                Common::NoJson | Common::Redirect => of(Code::MintUnexpected, IMPOSTOR),
                Common::Throttled(wait) => later(Code::MintThrottled, wait),
                Common::Updating => of(Code::MintUnreachable, "try again in a minute")
                    .unreachable()
                    .answered(),
                Common::Failing(wait) => later(Code::MintUnreachable, wait),
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
            Self::NoCertificate { .. } => of(Code::MintNoIdentity, "correct or unset it"),
            Self::Certificate { path, .. } => {
                let path = path.display();
                of(Code::MintInvalidKeys, "").fix(format!(
                    "convert it: openssl pkcs12 -in {path} -nodes -out {path}.pem"
                ))
            }
        }
    }
}

fn is_absent(kind: Kind) -> bool {
    matches!(kind, Kind::Nobody | Kind::Refused)
}

/// The AADSTS code of an error; nothing else of its text is used.
fn aadsts(body: &[u8]) -> Option<u32> {
    const MARK: &[u8] = b"AADSTS";
    let start = body.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
    let digits = body[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    std::str::from_utf8(&body[start..start + digits])
        .ok()?
        .parse()
        .ok()
}

const IMPOSTOR: &str = "check whether a proxy or a sign-in page answers in its place";
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_code_of_an_error_is_read() {
        for (body, code) in [
            (
                r#"{"error_description":"AADSTS7000215: Invalid client secret hunter2"}"#,
                Some(7_000_215),
            ),
            ("AADSTS90002", Some(90_002)),
            ("AADSTS: none", None),
            ("AADSTS99999999999999999999", None),
            ("aadsts1", None),
            ("", None),
        ] {
            assert_eq!(aadsts(body.as_bytes()), code, "{body}");
        }
    }

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
