//! What Entra, a metadata service or the registry refused, told by status and AADSTS code. Their words are not repeated:
//! they name the tenant's things, and anybody may have written them.
//!
//! <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>,
//! <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-login>

use std::fmt;
use std::time::Duration;

use super::PART;
use super::identity::Identity;
use crate::error::{Error, Problem};
use crate::http::{Fault, Kind, Response};

/// Why a request of the SDK's came to nothing; travels through the SDK as the source of its errors.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There was no answer.
    Fault(Fault),
    /// There was one, and it is no token.
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

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::Answer { host, status, .. } => write!(f, "{host} answered {status}"),
        }
    }
}

impl std::error::Error for Refusal {}

/// The error of a login that the SDK gave up.
pub(super) fn entra(error: &azure_core::Error, identity: &Identity) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let refusal = loop {
        match cause {
            None => return no_token("Entra"),
            Some(error) => match error.downcast_ref::<Refusal>() {
                Some(refusal) => break refusal,
                None => cause = error.source(),
            },
        }
    };
    match (refusal, identity) {
        (Refusal::Fault(fault), Identity::Managed { .. }) if is_absent(fault.kind()) => {
            Problem::new(
                PART,
                format_args!("no managed identity on this node: {fault}"),
            )
            .fix(NOT_ON_AZURE)
            .unreachable()
        }
        (Refusal::Fault(fault), _) => fault.error(PART),
        (
            Refusal::Answer {
                host,
                status,
                code,
                retry_after,
            },
            _,
        ) => common(host, *status, *retry_after).unwrap_or_else(|| {
            let refused = match identity {
                Identity::Managed { .. } => metadata(host, *status),
                _ => login(*status, *code),
            };
            refused.answered()
        }),
    }
}

/// The error of a registry's answer that is no token.
pub(super) fn registry(host: &str, answer: &Response) -> Error {
    let status = answer.status;
    common(host, status, answer.retry_after()).unwrap_or_else(|| {
        let (cause, fix) = match status {
            400 => ("the registry does not know this kind of login", "see whether AZURE_TENANT_ID is the registry's tenant"),
            401 => (
                "the registry refused the identity",
                "give it AcrPull on the registry (Container Registry Repository Reader where ABAC is on), and see whether its tenant is the registry's",
            ),
            403 => ("the registry's network rules keep this node out", "allow its address there, or use a private endpoint"),
            404 => ("no registry of this name exchanges tokens", "see whether the registry's name is right"),
            _ => ("the registry refused the login", "see whether it is what it should be"),
        };
        Problem::new(PART, format_args!("{cause} ({status})")).fix(fix).failed().answered()
    })
}

/// A success that holds no token.
pub(super) fn no_token(who: &str) -> Error {
    Problem::new(PART, format_args!("the answer of {who} holds no token"))
        .fix("see who answers in its place")
        .failed()
}

/// An identity that the SDK will not try.
pub(super) fn unusable(identity: &Identity) -> Error {
    match identity {
        Identity::Managed { .. } => Problem::new(PART, "this kind of managed identity is not supported")
            .fix("unset IDENTITY_ENDPOINT and MSI_ENDPOINT where the node is a virtual machine; App Service sets IDENTITY_ENDPOINT and IDENTITY_HEADER"),
        Identity::Secret { .. } | Identity::Certificate { .. } | Identity::Workload { .. } => Problem::new(PART, "the application cannot log in as it is configured")
            .fix("correct AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_AUTHORITY_HOST"),
    }
    .failed()
}

/// The node had an identity a moment ago.
pub(super) fn nobody() -> Error {
    Problem::new(PART, "the node has no Azure identity any more")
        .fix("try again")
        .failed()
}

/// What any of them may answer.
fn common(host: &str, status: u16, retry_after: Option<Duration>) -> Option<Error> {
    let problem =
        |cause: &dyn fmt::Display| Problem::new(PART, format_args!("{host} {cause} ({status})"));
    let later = || {
        retry_after.map_or("try again later".to_owned(), |wait| {
            format!("try again in {} s", wait.as_secs())
        })
    };
    Some(match status {
        200..300 => problem(&"answered with something that is not JSON")
            .fix(IMPOSTOR)
            .failed(),
        300..400 => problem(&"redirects, which is never followed with a credential")
            .fix(IMPOSTOR)
            .failed(),
        429 => problem(&"is asked too often")
            .fix(later())
            .unreachable()
            .answered(),
        410 => problem(&"is being updated")
            .fix("try again in a minute")
            .unreachable()
            .answered(),
        500.. => problem(&"has a failure of its own")
            .fix(later())
            .unreachable()
            .answered(),
        _ => return None,
    })
}

fn login(status: u16, code: Option<u32>) -> Error {
    let Some(code) = code else {
        return Problem::new(PART, format_args!("Entra refused the login ({status})"))
            .fix(IMPOSTOR)
            .failed();
    };
    let row = CODES.iter().find(|(codes, ..)| codes.contains(&code));
    let (_, cause, fix) = row.unwrap_or(&(
        &[],
        "Entra refused the login",
        "look it up at https://login.microsoftonline.com/error",
    ));
    Problem::new(PART, format_args!("{cause} (AADSTS{code})"))
        .fix(fix)
        .failed()
}

fn metadata(host: &str, status: u16) -> Error {
    let (cause, fix) = match status {
        400 => (
            "the node has no such managed identity",
            "assign one to it, or set AZURE_CLIENT_ID to the one it has",
        ),
        401 | 403 => (
            "the node's identity endpoint refused this process",
            "see IDENTITY_ENDPOINT and IDENTITY_HEADER",
        ),
        _ => ("no managed identity on this node", NOT_ON_AZURE),
    };
    Problem::new(PART, format_args!("{cause}: {host} answered {status}"))
        .fix(fix)
        .failed()
}

fn is_absent(kind: Kind) -> bool {
    matches!(kind, Kind::Nobody | Kind::Refused)
}

/// The code of an error, and nothing else of its text.
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

const IMPOSTOR: &str = "see whether a proxy or a sign-in page answers in its place";
const NOT_ON_AZURE: &str = "give the node an identity, or turn ambient off where it is no Azure machine; set AZURE_TENANT_ID and the rest for another identity";

const CODES: &[(&[u32], &str, &str)] = &[
    (
        &[7_000_215],
        "the client secret is wrong",
        "set AZURE_CLIENT_SECRET to the secret's value, not to its ID",
    ),
    (
        &[7_000_222],
        "the client secret has expired",
        "make a new one for the application and set AZURE_CLIENT_SECRET",
    ),
    (
        &[700_016, 7_000_229],
        "the application is unknown in this tenant",
        "correct AZURE_CLIENT_ID or AZURE_TENANT_ID",
    ),
    (
        &[7_000_112],
        "the application is disabled",
        "enable it, or use another one",
    ),
    (
        &[90_002, 900_023],
        "the tenant is unknown in this cloud",
        "correct AZURE_TENANT_ID",
    ),
    (
        &[700_024],
        "the federated token is not within its time",
        "see whether the node's clock is right and AZURE_FEDERATED_TOKEN_FILE, where that is used, is renewed",
    ),
    (
        &[700_211],
        "the federated token has another issuer",
        "give the application a federated credential for it",
    ),
    (
        &[700_212],
        "the federated token is for another audience",
        "let it be for api://AzureADTokenExchange",
    ),
    (
        &[700_213],
        "the federated token has another subject",
        "give the application a federated credential for it",
    ),
    (
        &[70_021],
        "the application has no federated credential for this token",
        "give it one",
    ),
    (
        &[50_027, 700_027, 5_002_738],
        "the federated token's signature does not verify",
        "see whether its issuer publishes the key it signs with",
    ),
    (
        &[500_011],
        "the tenant does not know the registry service",
        "register the provider Microsoft.ContainerRegistry there",
    ),
    (
        &[53_003],
        "conditional access keeps the application out",
        "exempt it, or use it from where it may be used",
    ),
];

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
            (700_024, "see whether the node's clock is right"),
            (
                1_234_567,
                "Entra refused the login (AADSTS1234567); look it up",
            ),
        ] {
            let text = login(400, Some(code)).to_string();
            assert!(
                text.starts_with("backend azure: ") && text.contains(part),
                "{text}"
            );
        }
    }

    #[test]
    fn what_may_pass_is_unreachable_and_what_somebody_must_mend_is_not() {
        for (status, passes) in [
            (429, true),
            (410, true),
            (500, true),
            (503, true),
            (307, false),
            (200, false),
        ] {
            let error = common("login.microsoftonline.com", status, None).unwrap();
            assert_eq!(matches!(error, Error::Unreachable(_)), passes, "{error}");
        }
        let throttled = common("myreg.azurecr.io", 429, Some(Duration::from_secs(7)))
            .unwrap()
            .to_string();
        assert_eq!(
            throttled,
            "backend azure: myreg.azurecr.io is asked too often (429); try again in 7 s"
        );
    }
}
