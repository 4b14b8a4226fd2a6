//! Registries that accept the secret's keys as they are.
//!
//! If a vendor requires a fixed user name with a token (`$oauthtoken`, `iamapikey`, `nologin`, …), the table in
//! `registry.rs` has it, with the vendor's page.

use super::Login;
use crate::credential::{Credential, CredentialError, Redacted};
use crate::error::{Code, Error, Fault, Meaning};
use crate::keys::Keys;
use crate::token::Minted;

/// Where the user name comes from.
#[derive(Clone, Copy, Debug)]
pub enum User {
    /// A key of the secret.
    Key(&'static str),
    /// A fixed word.
    Literal(&'static str),
    /// The token is both user name and password (`DigitalOcean`).
    Secret,
}

impl User {
    /// The user name, if these keys have one.
    pub fn name<'k>(self, keys: &'k Keys, secret: &str) -> Option<&'k str> {
        match self {
            Self::Key(key) => keys.get(key).map(Redacted::expose),
            Self::Literal(word) => Some(word),
            Self::Secret => keys.get(secret).map(Redacted::expose),
        }
    }
}

pub(super) fn login(user: User, secret: &'static str, login: &Login) -> Result<Minted, Error> {
    let pair = login
        .keys
        .and_then(|keys| Some((user.name(keys, secret)?, keys.get(secret)?)));
    let (username, password) = pair.ok_or(FixedError::Lacks(secret))?;
    let credential =
        Credential::new(username.to_owned(), password.clone()).map_err(FixedError::Unusable)?;
    Ok(Minted {
        credential,
        expires: None,
    })
}

/// What is wrong with the secret.
#[derive(Debug, thiserror::Error)]
enum FixedError {
    #[error("it lacks {0}")]
    Lacks(&'static str),
    #[error("{0}")]
    Unusable(CredentialError),
}

impl Fault for FixedError {
    fn meaning(&self) -> Meaning {
        let code = match self {
            Self::Lacks(_) => Code::SecretHalfPair,
            Self::Unusable(_) => Code::SecretInvalid,
        };
        Meaning::new(code, "its secret")
            .fix("correct the secret, or store it again with docker login")
    }
}

#[cfg(test)]
mod tests {
    use super::super::Backend;
    use super::super::tests::{test_keys as keys, test_login};
    use super::*;

    #[test]
    fn the_user_name_is_a_key_a_fixed_word_or_the_token_itself() {
        let keys = keys(&[("NAME", "n"), ("TOKEN", "t")]);
        for (user, expected) in [
            (User::Key("NAME"), "n"),
            (User::Literal("$oauthtoken"), "$oauthtoken"),
            (User::Secret, "t"),
        ] {
            let credential = Backend::Fixed {
                user,
                secret: "TOKEN",
            }
            .login(&test_login("registry.example.com", &keys))
            .unwrap()
            .credential;
            assert_eq!(
                (credential.username(), credential.secret().expose()),
                (expected, "t")
            );
        }
    }

    #[test]
    fn a_secret_that_no_header_can_carry_is_refused_by_name() {
        let keys = keys(&[("USERNAME", "u"), ("PASSWORD", "hunter2\n")]);
        let backend = Backend::Fixed {
            user: User::Key("USERNAME"),
            secret: "PASSWORD",
        };
        let error = backend.login(&test_login("registry.example.com", &keys));
        let text = error.unwrap_err().to_string();
        assert_eq!(
            text,
            "registry.example.com: its secret: the secret holds a control character (a line end copied along with it?); correct the secret, or store it again with docker login"
        );
    }
}
