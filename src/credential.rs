//! `Credential`, the answer to a client, and `Redacted`, the wrapper around every secret.

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// A secret. It has no `Display`, its `Debug` prints `****`, and its memory is zeroed on drop.
///
/// [`Redacted::expose`] is the only way to read it, and is easy to search for.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Redacted(Zeroizing<String>);

impl Redacted {
    /// The secret itself. Call it only where the value is really needed.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the secret is empty.
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

/// A user name and its password or token, as a registry accepts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Never empty: clients give a secret with an empty user name another meaning.
    username: String,
    secret: Redacted,
}

impl Credential {
    /// Makes a pair that a client can use. Fails if either part is empty or has a control character.
    ///
    /// Only a Google service-account key may contain line ends: it is JSON, and its user name is `_json_key`
    /// (<https://docs.cloud.google.com/artifact-registry/docs/docker/authentication#json-key>).
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

    /// The user name; `<token>` if the secret is an OAuth identity token.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The user name for logs and reports: see [`shown_username`].
    pub fn shown_username(&self) -> Option<&str> {
        shown_username(&self.username, &self.secret)
    }

    /// The password or token.
    pub fn secret(&self) -> &Redacted {
        &self.secret
    }

    /// The user name and the secret, by value.
    pub fn into_parts(self) -> (String, Redacted) {
        (self.username, self.secret)
    }
}

/// The user name for logs and reports; `None` if it is itself the secret, as for `DigitalOcean`.
pub fn shown_username<'u>(username: &'u str, secret: &Redacted) -> Option<&'u str> {
    (username != secret.expose()).then_some(username)
}

/// Whether the text has a control character that is not allowed. Most tokens are long and have none, so a first pass
/// without early exit, which the compiler vectorizes, rules that out.
fn has_control(text: &str, allowed: &[char]) -> bool {
    let suspicious = text
        .bytes()
        .fold(false, |found, byte| found | !matches!(byte, b' '..=b'~'));
    suspicious && text.contains(|c: char| c.is_control() && !allowed.contains(&c))
}

/// Why a pair isn't a valid credential.
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

/// What `list` shows in place of a user name that is itself the secret.
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
