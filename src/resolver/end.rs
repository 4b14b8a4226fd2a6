//! Finds out when a stored or vended credential expires, and makes the error for an expired one.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::errors::ResolverError;
use super::{Resolver, Route};
use crate::backend::{Backend, GCP_KEYS};
use crate::credential::Redacted;
use crate::error::Error;
use crate::json::{self, Loose};
use crate::jwt;
use crate::registry::Choice;
use crate::store::Times;

/// When a secret's login expires: the earlier of the time recorded beside its keys and the time in the keys themselves.
pub(super) fn end_of(choice: &Choice, times: Times) -> Option<SystemTime> {
    earlier(
        unwritten_end(choice, times),
        secret(choice).and_then(written_end),
    )
}

/// The expiry if it is not in the credential itself, so that it must be passed along.
pub(super) fn unwritten_end(choice: &Choice, times: Times) -> Option<SystemTime> {
    let google = secret(choice).filter(|secret| secret.expose().starts_with(GOOGLE));
    let google = google
        .and(times.stored_at)
        .and_then(|stored| stored.checked_add(GOOGLE_LIFE));
    earlier(times.expires_at, google)
}

pub(super) fn earlier(one: Option<SystemTime>, other: Option<SystemTime>) -> Option<SystemTime> {
    one.into_iter().chain(other).min()
}

impl Resolver {
    /// The error for a login that has expired, or is so close to it that a pull may take longer.
    pub fn ended(
        &self,
        route: &Route,
        store: &str,
        choice: &Choice,
        times: Times,
    ) -> Option<Error> {
        let now = SystemTime::now();
        let end = end_of(choice, times).filter(|end| *end <= now + MARGIN)?;
        let ended = ResolverError::Ended {
            time: humantime::format_rfc3339_seconds(end).to_string(),
            is_over: end <= now,
            store: store.to_owned(),
            host: route.host.clone(),
        };
        self.log.note(format_args!("store {store}: {ended}"));
        Some(Error::from(ended).about(route.host.as_str()))
    }
}

/// The secret that is returned as it is. A minted token has an expiry of its own.
fn secret(choice: &Choice) -> Option<&Redacted> {
    match choice.backend {
        Backend::Fixed { secret, .. } => choice.keys.get(secret),
        Backend::Gcp => choice.keys.get(GCP_KEYS[0]),
        Backend::Aws | Backend::Azure => None,
    }
}

/// The expiry in a JSON Web Token, such as an Azure registry's, or in an ECR password
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html>): base64 of an object with
/// `expiration`.
fn written_end(secret: &Redacted) -> Option<SystemTime> {
    let text = secret.expose();
    let seconds = if text.contains('.') {
        jwt::claims::<Written>(secret)?.exp.seconds()
    } else if text.starts_with(BASE64_OF_OBJECT) {
        let payload = Zeroizing::new(STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok()?);
        let written: Written = json::object(&payload).ok()?;
        written.expiration.seconds()
    } else {
        None
    };
    SystemTime::UNIX_EPOCH.checked_add(seconds?)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Written {
    /// In a JSON Web Token.
    exp: Loose<f64>,
    /// In an ECR password.
    expiration: Loose<f64>,
}

/// As for minted tokens, because the pull takes time.
const MARGIN: Duration = Duration::from_mins(1);
/// The start of `{"` in base64.
const BASE64_OF_OBJECT: &str = "eyJ";
/// The prefix of Google's opaque access tokens, which live for an hour
/// (<https://docs.cloud.google.com/docs/authentication/token-types#access>).
const GOOGLE: &str = "ya29.";
const GOOGLE_LIFE: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::host::Host;
    use crate::keys::Keys;
    use crate::registry::{Registry, choose};

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn end(host: &str, keys: &[(&str, &str)], times: Times) -> Option<u64> {
        let host = Host::parse(host.as_bytes()).unwrap();
        let mut all = Keys::default();
        for (name, value) in keys {
            all.insert(name, (*value).into()).unwrap();
        }
        let choice = choose(Registry::of(&host), &host, all).unwrap();
        end_of(&choice, times).map(|end| {
            end.duration_since(SystemTime::UNIX_EPOCH)
                .unwrap()
                .as_secs()
        })
    }

    #[test]
    fn the_end_is_read_from_what_each_vendor_gives() {
        let ecr = STANDARD.encode(
            r#"{"payload":"p","datakey":"k","version":"2","type":"DATA_KEY","expiration":4000}"#,
        );
        let jwt = jwt::tests::token(r#"{"exp":5000}"#).expose().to_owned();
        let aws = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
        let table = [
            (aws, "AWS", ecr.as_str(), Some(4000)),
            (aws, "AWS", ecr.trim_end_matches('='), Some(4000)),
            ("public.ecr.aws", "AWS", &ecr, Some(4000)),
            ("mirror.example", "AWS", &ecr, Some(4000)),
            (
                "myreg.azurecr.io",
                "00000000-0000-0000-0000-000000000000",
                &jwt,
                Some(5000),
            ),
            ("myreg.azurecr.io", "<token>", &jwt, Some(5000)),
            ("registry.example.com", "u", &jwt, Some(5000)),
            ("gcr.io", "oauth2accesstoken", "ya29.opaque", Some(3700)),
            ("gcr.io", "_dcgcloud_token", "ya29.c.opaque", Some(3700)),
            ("ghcr.io", "u", "ghp_opaque", None),
            ("ghcr.io", "u", "eyJub3QganNvbg", None),
            ("ghcr.io", "u", "a.b.c", None),
            ("ghcr.io", "u", "1.2", None),
        ];
        for (host, user, password, expected) in table {
            let pair = [("USERNAME", user), ("PASSWORD", password)];
            let times = Times {
                stored_at: Some(at(100)),
                expires_at: None,
            };
            assert_eq!(end(host, &pair, times), expected, "{host} {user}");
        }
        let token = [("GCP_ACCESS_TOKEN", "ya29.opaque")];
        assert_eq!(
            end(
                "gcr.io",
                &token,
                Times {
                    stored_at: Some(at(100)),
                    expires_at: None
                }
            ),
            Some(3700)
        );
        assert_eq!(
            end("gcr.io", &token, Times::default()),
            None,
            "nobody knows when it was stored"
        );
    }

    #[test]
    fn an_end_that_is_not_a_time_is_unknown() {
        for claims in [
            r#"{"exp":"5000"}"#,
            r#"{"exp":-1}"#,
            r#"{"exp":1e300}"#,
            "{}",
            r#"{"exp":null}"#,
        ] {
            let pair = [
                ("USERNAME", "u"),
                ("PASSWORD", jwt::tests::token(claims).expose()),
            ]
            .map(|(k, v)| (k, v.to_owned()));
            let pair: Vec<_> = pair
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            assert_eq!(
                end("registry.example.com", &pair, Times::default()),
                None,
                "{claims}"
            );
        }
    }

    #[test]
    fn the_earliest_expiry_counts_and_minting_keys_have_only_the_recorded_one() {
        let jwt = jwt::tests::token(r#"{"exp":5000}"#).expose().to_owned();
        let recorded = |seconds| Times {
            stored_at: None,
            expires_at: Some(at(seconds)),
        };
        let pair = [("USERNAME", "u"), ("PASSWORD", jwt.as_str())];
        assert_eq!(
            end("registry.example.com", &pair, recorded(4000)),
            Some(4000)
        );
        assert_eq!(
            end("registry.example.com", &pair, recorded(6000)),
            Some(5000)
        );
        let keys = [
            ("AZURE_CLIENT_ID", "c"),
            ("AZURE_CLIENT_SECRET", jwt.as_str()),
            ("AZURE_TENANT_ID", "t"),
        ];
        assert_eq!(end("myreg.azurecr.io", &keys, Times::default()), None);
        assert_eq!(end("myreg.azurecr.io", &keys, recorded(6000)), Some(6000));
    }
}
