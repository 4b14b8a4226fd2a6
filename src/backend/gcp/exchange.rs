//! The exchanges that end in an access token.
//!
//! Service account: <https://developers.google.com/identity/protocols/oauth2/service-account#httprest>. User:
//! <https://developers.google.com/identity/protocols/oauth2/web-server#offline>. Federation:
//! <https://docs.cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token>. Impersonation:
//! <https://docs.cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken>.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use serde::Deserialize;
use serde_json::json;

use super::answer::{Answer, Asker};
use super::document::{Account, ActsAs, Base, External, Identity, User};
use super::errors::GcpError;
use super::federation;
use super::refusal::{Grant, refused};
use crate::config::Node;
use crate::credential::Redacted;
use crate::error::Error;
use crate::http::{Http, Request};
use crate::json::Loose;
use crate::jwt;

/// An access token.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) secret: Redacted,
    pub(super) expires: Option<SystemTime>,
}

/// Gets an identity's token for registries.
pub(super) async fn token(http: &Http, identity: &Identity, node: &Node) -> Result<Token, Error> {
    let origin = identity.origin.as_str();
    let asker = Asker { http, node, origin };
    // To impersonate another account, a token needs only that scope.
    let scope = |done| {
        if done == identity.acts_as.len() {
            SCOPE
        } else {
            IAM_SCOPE
        }
    };
    let mut token = match &identity.base {
        Base::Account(account) => of_account(asker, account, scope(0)).await?,
        Base::User(user) => of_user(asker, user).await?,
        Base::External(external) => of_external(asker, external, scope(0)).await?,
    };
    for (index, target) in identity.acts_as.iter().enumerate() {
        token = acting_as(asker, target, &token, scope(index + 1)).await?;
    }
    Ok(token)
}

async fn of_account(asker: Asker<'_>, account: &Account, scope: &str) -> Result<Token, Error> {
    let assertion = assertion(asker.origin, account, scope)?;
    let request = Request::post(&account.token_uri)
        .form([("grant_type", JWT_BEARER.into()), ("assertion", assertion)]);
    let email = &account.email;
    let answer = asker.ask(&request).await?;
    granted(&answer, asker.origin, &Grant::Account { email })
}

async fn of_user(asker: Asker<'_>, user: &User) -> Result<Token, Error> {
    let request = Request::post(&user.token_uri).form([
        ("grant_type", "refresh_token".into()),
        ("client_id", user.client_id.as_str().into()),
        ("client_secret", user.client_secret.clone()),
        ("refresh_token", user.refresh_token.clone()),
    ]);
    granted(&asker.ask(&request).await?, asker.origin, &Grant::User)
}

async fn of_external(asker: Asker<'_>, external: &External, scope: &str) -> Result<Token, Error> {
    let subject = federation::subject_token(asker, external).await?;
    let subject_type = external.subject_token_type.as_str();
    let mut form = vec![
        ("grant_type", TOKEN_EXCHANGE.into()),
        ("audience", external.audience.as_str().into()),
        ("scope", scope.into()),
        ("requested_token_type", ACCESS_TOKEN_TYPE.into()),
        ("subject_token_type", subject_type.into()),
        ("subject_token", subject),
    ];
    form.extend(external.user_project.as_ref().map(|project| {
        let options = json!({ "userProject": project });
        ("options", options.to_string().into())
    }));
    let mut request = Request::post(&external.token_url).form(form);
    if let Some((id, secret)) = &external.client {
        request = request.basic(id, secret);
    }
    let answer = asker.ask(&request).await?;
    granted(&answer, asker.origin, &Grant::Federation)
}

async fn acting_as(
    asker: Asker<'_>,
    target: &ActsAs,
    own: &Token,
    scope: &str,
) -> Result<Token, Error> {
    let body =
        json!({ "scope": [scope], "lifetime": format!("{LIFE}s"), "delegates": target.delegates });
    let request = Request::post(&target.url)
        .bearer(&own.secret)
        .json(body.to_string().into());
    let answer = asker.ask(&request).await?;
    if !answer.response.is_success() {
        let grant = Grant::Impersonation { url: &target.url };
        return Err(refused(&answer, asker.origin, &grant).into());
    }
    let vended: Vended = answer.object()?;
    let ends = vended.expire_time.take();
    Ok(Token {
        secret: filled(vended.access_token, &answer)?,
        expires: ends.and_then(|time| humantime::parse_rfc3339(&time).ok()),
    })
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Vended {
    access_token: Loose<Redacted>,
    expire_time: Loose<String>,
}

/// The token in an OAuth 2.0 answer, or why there is none.
pub(super) fn granted(answer: &Answer, origin: &str, grant: &Grant) -> Result<Token, Error> {
    if !answer.response.is_success() {
        return Err(refused(answer, origin, grant).into());
    }
    let granted: Granted = answer.object()?;
    Ok(Token {
        expires: end(&granted),
        secret: filled(granted.access_token, answer)?,
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Granted {
    access_token: Loose<Redacted>,
    expires_in: Loose<f64>,
}

/// When the token expires; `expires_in` counts from the answer.
fn end(granted: &Granted) -> Option<SystemTime> {
    SystemTime::now().checked_add(granted.expires_in.seconds()?)
}

fn filled(token: Loose<Redacted>, answer: &Answer) -> Result<Redacted, GcpError> {
    token
        .take()
        .filter(|token| !token.is_empty())
        .ok_or_else(|| GcpError::NoToken(answer.host.clone()))
}

/// An assertion signed with the account's key: the account, the scope, valid for one hour.
fn assertion(origin: &str, account: &Account, scope: &str) -> Result<Redacted, GcpError> {
    let unusable = || GcpError::PrivateKey(origin.to_owned());
    let key = jwt::rsa_key(account.key.expose()).ok_or_else(unusable)?;
    // Google refuses assertions from the future, which a slightly fast clock would make.
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
        .saturating_sub(LEEWAY);
    let header = json!({ "alg": "RS256", "kid": account.key_id, "typ": "JWT" });
    let claims = json!({
        "aud": account.token_uri, "exp": now + LIFE, "iat": now, "iss": account.email, "scope": scope,
    });
    jwt::signed(&header, &claims, &key, &RSA_PKCS1_SHA256).ok_or_else(unusable)
}

/// Artifact Registry documents no narrower scope that allows pushing, and the helper can't tell pulls from pushes. The
/// identity's roles decide what is allowed.
pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const IAM_SCOPE: &str = "https://www.googleapis.com/auth/iam";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";
/// Google's maximum life, and its tolerance for clocks, in seconds.
pub(super) const LIFE: u64 = 3600;
const LEEWAY: u64 = 10;

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as URL};

    use std::time::Duration;

    use super::*;
    use crate::json::{self, Value};

    fn account(pem: &str) -> Account {
        Account {
            email: "a@p".to_owned(),
            key_id: Some("7".to_owned()),
            key: pem.into(),
            token_uri: "https://oauth2.googleapis.com/token".to_owned(),
        }
    }

    #[test]
    fn an_assertion_is_signed_says_who_asks_for_what_and_lives_an_hour() {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: aws_lc_rs::encoding::Pkcs8V1Der = pair.as_der().unwrap();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der.as_ref())
        );
        for pem in [
            pem.clone(),
            pem.replace('\n', "\\n"),
            pem.replace('\n', "\r\n"),
        ] {
            let jwt = assertion("KEY", &account(&pem), SCOPE).unwrap();
            let (signed, signature) = jwt.expose().rsplit_once('.').unwrap();
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref())
                .verify(signed.as_bytes(), &URL.decode(signature).unwrap())
                .unwrap();
            let (header, claims) = signed.split_once('.').unwrap();
            assert_eq!(
                URL.decode(header).unwrap(),
                br#"{"alg":"RS256","kid":"7","typ":"JWT"}"#
            );
            let claims = json::parse_object(&URL.decode(claims).unwrap()).unwrap();
            let text = |name| claims.text(name).unwrap().expose();
            assert_eq!(
                (text("iss"), text("scope"), text("aud")),
                ("a@p", SCOPE, "https://oauth2.googleapis.com/token")
            );
            let number = |name| {
                if let Some(Value::Number(number)) = claims.get(name) {
                    *number
                } else {
                    panic!("{name}")
                }
            };
            assert!((number("exp") - number("iat") - 3600.0).abs() < f64::EPSILON);
        }
    }

    #[test]
    fn a_key_that_is_not_one_is_refused_and_not_quoted() {
        let hunter2 = STANDARD.encode("hunter2");
        for pem in [
            "hunter2",
            "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----",
            &format!("-----BEGIN PRIVATE KEY-----\n{hunter2}\n-----END PRIVATE KEY-----"),
            &format!("-----BEGIN RSA PRIVATE KEY-----\n{hunter2}\n-----END RSA PRIVATE KEY-----"),
        ] {
            let error = assertion("KEY", &account(pem), SCOPE)
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("KEY: \"private_key\" is not an RSA key in PEM"),
                "{error}"
            );
            assert!(!error.contains("hunter2"));
        }
    }

    #[test]
    fn a_token_ends_when_it_is_said_to_and_otherwise_nobody_knows() {
        let end = |text: &str| end(&json::object(text.as_bytes()).unwrap());
        let life = end(r#"{"expires_in":3599}"#)
            .unwrap()
            .duration_since(SystemTime::now())
            .unwrap();
        assert!(life <= Duration::from_secs(3599) && life > Duration::from_secs(3500));
        for text in [
            "{}",
            r#"{"expires_in":"soon"}"#,
            r#"{"expires_in":-1}"#,
            r#"{"expires_in":1e300}"#,
        ] {
            assert_eq!(end(text), None, "{text}");
        }
    }

    #[test]
    fn no_error_quotes_a_token() {
        let granted = r#"{"access_token":"hunter2","expires_in":3599,"scope":"hunter2"}"#;
        json::tests::no_error_quotes_a_value(granted, json::object::<Granted>);
        let vended = r#"{"accessToken":"hunter2","expireTime":"2026-11-27T13:00:00Z"}"#;
        json::tests::no_error_quotes_a_value(vended, json::object::<Vended>);
    }
}
