//! Exchanges an Entra token for the registry's own refresh token, which docker then logs in with.
//!
//! <https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md#calling-post-oauth2exchange-to-get-an-acr-refresh-token>,
//! <https://learn.microsoft.com/rest/api/containerregistry/refresh-tokens/get-from-exchange>
//!
//! The registry's challenge is not requested, because its realm and service are the registry itself and it names no
//! tenant. An unknown tenant is omitted; the registry then uses the token's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::PART;
use super::errors::{self, AzureError};
use crate::backend::Backend;
use crate::credential::{Credential, Redacted};
use crate::error::Error;
use crate::host::Host;
use crate::http::{Http, Request};
use crate::json::{self, Loose};
use crate::jwt;
use crate::keys::Keys;
use crate::token::Minted;

/// Gets the registry's refresh token for an Entra token. The Entra token is sent only to this registry.
pub(super) async fn refresh_token(
    http: &Http,
    host: &Host,
    tenant: Option<&str>,
    token: &Redacted,
) -> Result<Minted, Error> {
    let fields = [
        ("grant_type", "access_token".into()),
        ("service", host.name().into()),
    ];
    let tenant = tenant.map(|tenant| ("tenant", tenant.into()));
    let fields = fields
        .into_iter()
        .chain(tenant)
        .chain([("access_token", token.clone())]);
    let asked = SystemTime::now();
    let request = Request::post(format!("https://{}/oauth2/exchange", host.name())).form(fields);
    let answer = http
        .send(&request)
        .await
        .map_err(|fault| fault.error(PART))?;
    if !answer.is_success() || !answer.is_json() {
        return Err(errors::registry(host.name(), &answer).into());
    }
    let no_token = || AzureError::NoToken("the registry");
    let exchanged: Exchanged = json::object(&answer.body).map_err(|_| no_token())?;
    let username = Backend::Azure.username(&Keys::default()).to_owned();
    Ok(Minted {
        expires: end(&exchanged.refresh_token, asked),
        credential: Credential::new(username, exchanged.refresh_token).map_err(|_| no_token())?,
    })
}

#[derive(Deserialize)]
struct Exchanged {
    refresh_token: Redacted,
}

/// When a token expires on this node's clock: after its life, so that a slow clock does not keep it too long, but never
/// after the expiry in the token, so that a fast clock that is later corrected doesn't either.
///
/// The signature need not be checked: a token with a false expiry would merely be refused.
fn end(token: &Redacted, asked: SystemTime) -> Option<SystemTime> {
    let claims: Claims = jwt::claims(token)?;
    let end = claims.exp.seconds()?;
    let life = claims
        .iat
        .seconds()
        .map_or(Some(DOCUMENTED_LIFE), |begin| end.checked_sub(begin))?;
    Some(asked.checked_add(life)?.min(UNIX_EPOCH.checked_add(end)?))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Claims {
    iat: Loose<f64>,
    exp: Loose<f64>,
}

/// The life of a refresh token without an issue time
/// (<https://learn.microsoft.com/azure/container-registry/container-registry-authentication#individual-login-with-microsoft-entra-id>).
const DOCUMENTED_LIFE: Duration = Duration::from_hours(3);

#[cfg(test)]
mod tests {
    use super::*;

    fn end_of(claims: &str, now: u64) -> Option<u64> {
        let end = end(
            &jwt::tests::token(claims),
            UNIX_EPOCH + Duration::from_secs(now),
        )?;
        Some(end.duration_since(UNIX_EPOCH).unwrap().as_secs())
    }

    #[test]
    fn a_token_ends_after_its_life_and_never_after_its_written_end() {
        let claims = r#"{"iat":100000,"exp":110800}"#;
        for (now, expected, clock) in [
            (100_000, 110_800, "right"),
            (90_000, 100_800, "slow"),
            (105_000, 110_800, "fast"),
            (200_000, 110_800, "far ahead"),
        ] {
            assert_eq!(end_of(claims, now), Some(expected), "{clock}");
        }
    }

    #[test]
    fn without_its_beginning_a_token_lives_no_longer_than_is_documented() {
        assert_eq!(end_of(r#"{"exp":900000}"#, 100_000), Some(110_800));
        assert_eq!(end_of(r#"{"exp":100060}"#, 100_000), Some(100_060));
    }

    #[test]
    fn an_end_that_is_not_said_or_makes_no_sense_is_unknown() {
        for claims in [
            "{}",
            r#"{"exp":"110800"}"#,
            r#"{"exp":-1}"#,
            r#"{"exp":1e300,"iat":1}"#,
            r#"{"iat":5,"exp":4}"#,
            "[]",
            "x",
            r#"{"exp":1,"exp":2}"#,
        ] {
            assert_eq!(end_of(claims, 100_000), None, "{claims}");
        }
        for token in ["", "opaque", "a.%%%.c", "a..c"] {
            assert_eq!(end(&token.into(), UNIX_EPOCH), None, "{token}");
        }
    }

    #[test]
    fn no_error_quotes_what_the_registry_gave() {
        let sound = r#"{"refresh_token":"hunter2"}"#;
        json::tests::no_error_quotes_a_value(sound, json::object::<Exchanged>);
    }
}
