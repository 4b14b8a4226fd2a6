//! The causes and fixes of Google's refusals.
//!
//! An answer's texts are examined but never repeated; all messages are this file's own.

use serde::Deserialize;

use super::answer::Answer;
use super::errors::{GcpError, Refusal};
use crate::credential::Redacted;
use crate::json::{Loose, Value};

/// The request that was refused.
pub(super) enum Grant<'a> {
    /// A token for a service account's key.
    Account { email: &'a str },
    /// A token for a user's refresh token.
    User,
    /// A token for another provider's token.
    Federation,
    /// A token of another account.
    Impersonation { url: &'a str },
    /// The machine's own token.
    Metadata,
}

/// The error for a refusal.
pub(super) fn refused(answer: &Answer, origin: &str, grant: &Grant) -> GcpError {
    let body: Body = answer.refusal();
    let said = Said {
        host: &answer.host,
        status: answer.response.status,
        code: code(&body),
        words: words(body),
    };
    let refusal = match grant {
        Grant::Account { email } => account(&said, &shown(email)),
        Grant::User => user(&said),
        Grant::Federation => federation(&said),
        Grant::Impersonation { url } => impersonation(&said, &shown(target(url))),
        Grant::Metadata => metadata(&said),
    };
    let origin = origin.to_owned();
    GcpError::Refused { origin, refusal }
}

struct Said<'a> {
    host: &'a str,
    status: u16,
    code: String,
    words: String,
}

fn told(cause: impl Into<String>, fix: impl Into<String>) -> Refusal {
    let (cause, fix) = (cause.into(), fix.into());
    Refusal { cause, fix }
}

fn account(said: &Said, email: &str) -> Refusal {
    let new_key = format!("make a new key for {email} and store it");
    match said.code.as_str() {
        "invalid_grant" if said.says(&["signature"]) => told(
            "Google does not know the key that signed: it was deleted or disabled, or is another account's",
            new_key,
        ),
        "invalid_grant" if said.says(&["short-lived", "timeframe"]) => told(
            "Google finds the time of the request wrong: this node's clock is off",
            "set the clock (chrony, timedatectl)",
        ),
        "invalid_grant" if said.says(&["disabled"]) => told(
            format!("the service account {email} is disabled"),
            format!("gcloud iam service-accounts enable {email}"),
        ),
        "invalid_grant" if said.says(&["not found", "not a valid email", "deleted"]) => told(
            format!("there is no service account {email} (any more)"),
            "use another account's key",
        ),
        "invalid_grant" => told(
            format!(
                "Google refuses the key of {email} {}: deleted, disabled, or this node's clock is off",
                said.label()
            ),
            new_key,
        ),
        "invalid_client" | "unauthorized_client" | "deleted_client" | "disabled_client" => told(
            format!("Google lets {email} ask for no tokens {}", said.label()),
            new_key,
        ),
        _ => said.otherwise(),
    }
}

fn user(said: &Said) -> Refusal {
    const AGAIN: &str =
        "log in again (gcloud auth application-default login) and use what it writes";
    match said.code.as_str() {
        "invalid_grant" if said.says(&["disabled", "deleted"]) => {
            told("the user's account is disabled or deleted", AGAIN)
        }
        "invalid_grant" => told("the refresh token has expired or was revoked", AGAIN),
        "invalid_client" | "unauthorized_client" | "deleted_client" | "disabled_client" => told(
            "Google does not accept \"client_id\" and \"client_secret\"",
            AGAIN,
        ),
        _ => said.otherwise(),
    }
}

fn federation(said: &Said) -> Refusal {
    const POOL: &str = "compare it with the workload identity provider (gcloud iam workload-identity-pools providers describe)";
    let said_grant = matches!(
        said.code.as_str(),
        "invalid_grant" | "invalid_request" | "invalid_target"
    );
    match said.code.as_str() {
        _ if said_grant && said.says(&["audience"]) || said.code == "invalid_target" => told(
            "the audience is wrong: the provider does not exist or is disabled, or the subject token is for another one",
            POOL,
        ),
        "invalid_grant" if said.says(&["aws"]) => told(
            "AWS does not accept this node's AWS credentials",
            "see what gives it an AWS identity, and its clock",
        ),
        "invalid_grant" if said.says(&["stale", "expired"]) => told(
            "the subject token has expired",
            "see what renews it, and this node's clock",
        ),
        "invalid_grant" if said.says(&["signature", "issuer"]) => told(
            "the provider does not trust the issuer or the signature of the subject token",
            POOL,
        ),
        "invalid_grant" => told(
            format!("Google does not accept the subject token {}", said.label()),
            POOL,
        ),
        "unauthorized_client" | "access_denied" => told(
            "the provider's attribute condition does not let this identity in",
            POOL,
        ),
        "invalid_client" => told(
            "Google does not accept \"client_id\" and \"client_secret\"",
            POOL,
        ),
        _ => said.otherwise(),
    }
}

fn impersonation(said: &Said, target: &str) -> Refusal {
    match said.status {
        403 if said.says(&["has not been used", "service_disabled"]) => told(
            "the IAM Service Account Credentials API is off in the project",
            "gcloud services enable iamcredentials.googleapis.com",
        ),
        403 => told(
            format!(
                "permission iam.serviceAccounts.getAccessToken is denied on {target} (status 403), or there is no such account"
            ),
            "grant roles/iam.serviceAccountTokenCreator on it to the identity that asks",
        ),
        404 => told(
            format!("there is no service account {target}"),
            "correct \"service_account_impersonation_url\"",
        ),
        400 if said.says(&["disabled", "precondition"]) => told(
            format!("the service account {target} is disabled"),
            format!("gcloud iam service-accounts enable {target}"),
        ),
        401 => told(
            "the token of the identity that asks is not accepted (status 401)",
            "check whether that identity still exists",
        ),
        _ => said.otherwise(),
    }
}

fn metadata(said: &Said) -> Refusal {
    let fix = "attach a service account to this machine or workload, with access to the registry";
    match said.status {
        404 => told(
            "it has no service account to give a token of (status 404)",
            fix,
        ),
        403 => told("it gives this process no token (status 403)", fix),
        _ => said.otherwise(),
    }
}

impl Said<'_> {
    fn says(&self, any: &[&str]) -> bool {
        any.iter().any(|part| self.words.contains(part))
    }

    fn otherwise(&self) -> Refusal {
        told(
            format!("{} refuses the request {}", self.host, self.label()),
            UNKNOWN,
        )
    }

    /// The status, and the code if it is a standard one.
    fn label(&self) -> String {
        match CODES.iter().find(|code| **code == self.code) {
            Some(code) => format!("(status {}, {code})", self.status),
            None => format!("(status {})", self.status),
        }
    }
}

/// The body: `error` is OAuth 2.0's code, or an object with the status of an API error.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    error: Option<Value>,
    error_description: Loose<Redacted>,
}

fn code(body: &Body) -> String {
    match &body.error {
        Some(Value::Text(code)) => code.expose().to_owned(),
        Some(Value::Object(error)) => error
            .text("status")
            .map_or_else(String::new, |code| code.expose().to_owned()),
        _ => String::new(),
    }
}

fn words(body: Body) -> String {
    let inner = match &body.error {
        Some(Value::Object(error)) => error.text("message").cloned(),
        _ => None,
    };
    let found = inner.or(body.error_description.take()).unwrap_or_default();
    found.expose().to_ascii_lowercase()
}

/// A name from a document, if it is safe to show.
pub(super) fn shown(name: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "@.-_".contains(c);
    if !name.is_empty() && name.len() <= 200 && name.chars().all(is_name) {
        name.to_owned()
    } else {
        "?".to_owned()
    }
}

/// `…/serviceAccounts/NAME:generateAccessToken`
pub(super) fn target(url: &str) -> &str {
    url.rsplit('/')
        .next()
        .and_then(|last| last.split(':').next())
        .unwrap_or_default()
}

const UNKNOWN: &str =
    "check whether the identity still exists and what its project's policies forbid";
/// <https://www.rfc-editor.org/rfc/rfc6749#section-5.2>, and Google's own.
const CODES: [&str; 9] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
    "access_denied",
    "org_internal",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn said(status: u16, text: &str) -> Said<'static> {
        let body = json::object(text.as_bytes()).unwrap();
        Said {
            host: "host",
            status,
            code: code(&body),
            words: words(body),
        }
    }

    #[test]
    fn what_an_answer_says_is_looked_at_and_never_repeated() {
        let oauth = said(
            400,
            r#"{"error":"invalid_grant","error_description":"Robot is DISABLED. hunter2"}"#,
        );
        let Refusal { cause, fix } = account(&oauth, "a@p");
        assert_eq!(
            (cause.as_str(), fix.as_str()),
            (
                "the service account a@p is disabled",
                "gcloud iam service-accounts enable a@p"
            )
        );
        let api = said(
            403,
            r#"{"error":{"code":403,"status":"PERMISSION_DENIED","message":"hunter2"}}"#,
        );
        let Refusal { cause, .. } = impersonation(&api, "b@p");
        assert!(
            cause.contains("iam.serviceAccounts.getAccessToken is denied on b@p (status 403)"),
            "{cause}"
        );
        assert_eq!(oauth.label(), "(status 400, invalid_grant)");
        assert_eq!(said(400, r#"{"error":"hunter2"}"#).label(), "(status 400)");
    }

    #[test]
    fn names_from_documents_are_shown_where_they_are_names() {
        let url = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/b@p.iam.gserviceaccount.com:generateAccessToken";
        assert_eq!(target(url), "b@p.iam.gserviceaccount.com");
        for name in ["", "a b", "a\nb", "\u{1b}[31m", &"a".repeat(201)] {
            assert_eq!(shown(name), "?");
        }
    }
}
