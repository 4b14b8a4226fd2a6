//! What is answered (`Credential`), and the wrapper that every secret lives in (`Redacted`).

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// A secret: it has no `Display`, its `Debug` is `****`, and its memory is zeroed when it is dropped.
///
/// [`Redacted::expose`] is the one door, and easy to search for.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Redacted(Zeroizing<String>);

impl Redacted {
    /// The secret itself, for the one place that must have it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Redacted {
    fn from(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }
}

impl From<Zeroizing<String>> for Redacted {
    fn from(secret: Zeroizing<String>) -> Self {
        Self(secret)
    }
}

impl From<&str> for Redacted {
    fn from(secret: &str) -> Self {
        secret.to_owned().into()
    }
}

impl<'de> Deserialize<'de> for Redacted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

/// A user name and its password or token, as a registry takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Never empty: clients read an empty name beside a secret as something else.
    username: String,
    secret: Redacted,
}

impl Credential {
    /// A pair that a client can use: neither part empty, no control characters in either.
    ///
    /// A Google service-account key is the one secret that has line ends of its own: it is JSON, and goes with the user
    /// names `_json_key` (<https://docs.cloud.google.com/artifact-registry/docs/docker/authentication#json-key>).
    pub fn new(username: String, secret: Redacted) -> Result<Self, CredentialError> {
        if username.trim().is_empty() {
            return Err(CredentialError::NoUsername);
        }
        if has_control(&username, &[]) {
            return Err(CredentialError::ControlInUsername);
        }
        if secret.expose().trim().is_empty() {
            return Err(CredentialError::NoSecret);
        }
        let json_key = username == JSON_KEY_USER && secret.expose().trim_start().starts_with('{');
        if has_control(
            secret.expose(),
            if json_key { &['\n', '\r', '\t'] } else { &[] },
        ) {
            return Err(CredentialError::ControlInSecret);
        }
        Ok(Self { username, secret })
    }

    /// The user name; `<token>` when the secret is an OAuth identity token.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The user name for all that is not the answer itself: [`shown_username`].
    pub fn shown_username(&self) -> Option<&str> {
        shown_username(&self.username, &self.secret)
    }

    /// The password or token.
    pub fn secret(&self) -> &Redacted {
        &self.secret
    }

    /// Takes the pair apart, to keep it.
    pub fn into_parts(self) -> (String, Redacted) {
        (self.username, self.secret)
    }
}

/// The user name, unless it is the secret itself, as `DigitalOcean` has it: then it is shown to nobody.
pub fn shown_username<'u>(username: &'u str, secret: &Redacted) -> Option<&'u str> {
    (username != secret.expose()).then_some(username)
}

/// Whether a control character is in it, but for the allowed ones. Tokens are long and almost always have none, which is
/// found out first, many bytes at a time: without an early end, so that the loop is one of vectors.
fn has_control(text: &str, allowed: &[char]) -> bool {
    let suspicious = text
        .bytes()
        .fold(false, |found, byte| found | !matches!(byte, b' '..=b'~'));
    suspicious && text.contains(|c: char| c.is_control() && !allowed.contains(&c))
}

/// Why a pair cannot be a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The user name is empty.
    #[error("the user name is empty")]
    NoUsername,
    /// The secret is empty.
    #[error("the secret is empty")]
    NoSecret,
    /// The user name has a control character.
    #[error("the user name holds a control character")]
    ControlInUsername,
    /// The secret has a control character.
    #[error("the secret holds a control character (a line end copied along with it?)")]
    ControlInSecret,
}

/// What is listed in place of a user name that is the secret itself.
pub const SECRET_FOR_USERNAME: &str = "(token)";

/// The user name that goes with a Google service-account key in JSON.
pub const JSON_KEY_USER: &str = "_json_key";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_never_holds_the_secret() {
        let credential = Credential::new("octo".into(), "ghp_secret".into()).unwrap();
        assert_eq!(
            format!("{credential:?}"),
            r#"Credential { username: "octo", secret: **** }"#
        );
    }

    #[test]
    fn a_pair_that_no_client_can_use_is_not_a_credential() {
        let new =
            |user: &str, secret: &str| Credential::new(user.into(), secret.into()).map(|_| ());
        assert_eq!(new("", "s"), Err(CredentialError::NoUsername));
        assert_eq!(new("u", ""), Err(CredentialError::NoSecret));
        assert_eq!(new("u\0", "s"), Err(CredentialError::ControlInUsername));
        assert_eq!(new("u", "s\n"), Err(CredentialError::ControlInSecret));
        assert_eq!(new("u", "s\u{85}"), Err(CredentialError::ControlInSecret));
        assert_eq!(
            new("_json_key", "not json\n"),
            Err(CredentialError::ControlInSecret)
        );
        assert_eq!(
            new("_json_key", "{\n\t\"type\": \"service_account\"\r\n}"),
            Ok(())
        );
        assert_eq!(
            new("_json_key", "{\0}"),
            Err(CredentialError::ControlInSecret)
        );
    }
}
