//! A registry's token server: the request, the token, and the token's permissions
//! (<https://distribution.github.io/distribution/spec/auth/oauth/>).

use std::fmt::Write;
use std::time::Duration;

use serde::Deserialize;

use super::challenge::Bearer;
use crate::credential::{Credential, Redacted};
use crate::http::{Request, Response, percent_encoded};
use crate::json::{self, Loose};
use crate::jwt;

/// The request for a token: anonymously, with a user name and password, or with an identity token, which must be in a
/// form.
pub(super) fn request(
    bearer: &Bearer,
    scope: Option<&str>,
    credential: Option<&Credential>,
) -> Request {
    let service = bearer.service.as_deref();
    if let Some(credential) = credential
        && credential.username() == IDENTITY_TOKEN
    {
        let mut form: Vec<(&'static str, Redacted)> = vec![
            ("grant_type", "refresh_token".into()),
            ("client_id", CLIENT.into()),
            ("service", service.unwrap_or_default().into()),
            ("refresh_token", credential.secret().clone()),
        ];
        form.extend(scope.map(|scope| ("scope", scope.into())));
        return Request::post(bearer.realm.clone()).form(form);
    }
    let mut url = bearer.realm.clone();
    for (name, value) in [("service", service), ("scope", scope)] {
        if let Some(value) = value {
            url.push(if url.contains('?') { '&' } else { '?' });
            _ = write!(url, "{name}={}", percent_encoded(value, b":/"));
        }
    }
    let request = Request::get(url);
    match credential {
        Some(credential) => request.basic(credential.username(), credential.secret()),
        None => request,
    }
}

/// A token, and how long it is valid.
pub(super) struct Given {
    pub(super) token: Redacted,
    pub(super) life: Duration,
}

/// The token in an answer, under either of its two names.
pub(super) fn read(answer: &Response) -> Option<Given> {
    let said: Said = json::object(&answer.body).ok()?;
    let tokens = [said.token, said.access_token].into_iter();
    Some(Given {
        token: tokens
            .filter_map(Loose::take)
            .find(|token| !token.is_empty())?,
        life: said.expires_in.seconds().unwrap_or(UNSAID).min(LONGEST),
    })
}

/// <https://distribution.github.io/distribution/spec/auth/token/#token-response-fields>
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    token: Loose<Redacted>,
    access_token: Loose<Redacted>,
    expires_in: Loose<f64>,
}

/// Whether a token's claims allow pulling this repository; `false` for an opaque token. It only affects the wording of
/// the report, so the signature is not checked.
pub(super) fn says_pull(token: &Redacted, repository: &str) -> bool {
    let access = jwt::claims::<Claims>(token).and_then(|claims| claims.access.take());
    let mut access = access.unwrap_or_default().into_iter();
    access.any(|access| {
        let access = access.take().unwrap_or_default();
        let mut actions = access.actions.take().unwrap_or_default().into_iter();
        access.kind == Loose::Is("repository".to_owned())
            && access.name == Loose::Is(repository.to_owned())
            && actions
                .any(|action| matches!(action, Loose::Is(word) if word == "pull" || word == "*"))
    })
}

/// <https://distribution.github.io/distribution/spec/auth/jwt/>
#[derive(Default, Deserialize)]
#[serde(default)]
struct Claims {
    access: Loose<Vec<Loose<Access>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Access {
    #[serde(rename = "type")]
    kind: Loose<String>,
    name: Loose<String>,
    actions: Loose<Vec<Loose<String>>>,
}

/// How long a token without an expiry is valid (<https://distribution.github.io/distribution/spec/auth/token/>).
const UNSAID: Duration = Duration::from_mins(1);
/// The longest that any token is used.
const LONGEST: Duration = Duration::from_hours(24);
const CLIENT: &str = env!("CARGO_PKG_NAME");
/// The user name that marks the secret as an identity token.
const IDENTITY_TOKEN: &str = "<token>";
