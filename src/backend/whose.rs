//! `Whose`: whose token a login mints, as far as it can be told without asking anybody.

use aws_lc_rs::digest::{SHA256, digest as hash};

use crate::credential::Redacted;
use crate::jwt;
use crate::keys::Keys;
use crate::seal::hex;

/// Whose token a login mints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Nobody's who could be told again: the token is not kept.
    Unknown,
    /// The node has no identity of that cloud, for this reason.
    Nobody(String),
    /// This identity's.
    Known(Scope),
    /// The machine's own, or that of whoever it speaks for: its metadata service has to say which one that is.
    Machine(Unnamed),
}

/// What tells one minted token from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    identity: String,
    parts: Vec<String>,
}

/// A scope that lacks the identity's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unnamed(Scope);

impl Scope {
    /// The scope of an identity, as people read it, that is told from all others by these texts.
    #[must_use]
    pub fn new(identity: impl Into<String>, parts: Vec<String>) -> Self {
        Self {
            identity: identity.into(),
            parts,
        }
    }

    /// The scope of a token that is minted with these keys: another value of any of them is another token.
    #[must_use]
    pub fn of_keys(keys: &Keys) -> Self {
        let value = |name: &str| keys.get(name).map_or("", Redacted::expose).to_owned();
        let pairs = keys.names().flat_map(|name| [name.to_owned(), value(name)]);
        Self::new(
            "",
            ["keys of a secret".to_owned()]
                .into_iter()
                .chain(pairs)
                .collect(),
        )
    }

    /// Who logs in where it is no secret's keys that do, as people read it: never a secret.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// What the token depends on besides workspace, host and backend; only a keyed hash of it is ever written.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(String::as_str)
    }

    /// The same scope, which depends on these texts too.
    #[must_use]
    pub fn with(mut self, parts: impl IntoIterator<Item = String>) -> Self {
        self.parts.extend(parts);
        self
    }

    /// The same scope of an identity that is called otherwise.
    #[must_use]
    pub fn called(mut self, name: impl FnOnce(&str) -> String) -> Self {
        self.identity = name(&self.identity);
        self
    }
}

impl Unnamed {
    /// The scope of an identity of this kind.
    #[must_use]
    pub fn new(kind: Scope) -> Self {
        Self(kind)
    }

    /// The scope of the one that the metadata service names.
    #[must_use]
    pub fn named(&self, name: &str) -> Scope {
        self.0
            .clone()
            .with([name.to_owned()])
            .called(|kind| format!("{kind} {}", shown(name)))
    }

    /// The kind of identity that it is.
    #[must_use]
    pub fn kind(&self) -> &Scope {
        &self.0
    }
}

impl Whose {
    /// The same identity, on which more depends.
    #[must_use]
    pub fn map(self, change: impl FnOnce(Scope) -> Scope) -> Self {
        match self {
            Self::Known(scope) => Self::Known(change(scope)),
            Self::Machine(Unnamed(scope)) => Self::Machine(Unnamed(change(scope))),
            other => other,
        }
    }
}

/// Whose a token is that proves an identity to others: of a JWT who it is by whose word and for whom, so that its renewal is
/// no other identity; else the token itself.
pub(super) struct Bearer {
    /// Its subject, as people read it, where it says one.
    pub(super) subject: Option<String>,
    pub(super) parts: Vec<String>,
}

impl Bearer {
    pub(super) fn of(token: &Redacted) -> Self {
        let token = Redacted::from(token.expose().trim());
        match jwt::Subject::of(&token) {
            Some(jwt::Subject {
                issuer,
                name,
                audiences,
            }) => {
                let parts = ["token of".to_owned(), issuer, name.clone()]
                    .into_iter()
                    .chain(audiences);
                Self {
                    subject: Some(shown(&name)),
                    parts: parts.collect(),
                }
            }
            None => Self {
                subject: None,
                parts: vec!["token".to_owned(), digest(token.expose().as_bytes())],
            },
        }
    }
}

/// What stands for a file's content or a secret.
pub(super) fn digest(content: &[u8]) -> String {
    hex(hash(&SHA256, content).as_ref())
}

/// A name that somebody else wrote, as it may be shown.
pub(super) fn shown(name: &str) -> String {
    name.chars()
        .take(LONGEST_NAME)
        .map(|c| {
            if c.is_ascii_graphic() || c == ' ' {
                c
            } else {
                '?'
            }
        })
        .collect()
}

const LONGEST_NAME: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::tests::token;

    #[test]
    fn a_renewed_token_is_the_same_identitys_and_another_subjects_is_not() {
        let parts = |claims: &str| Bearer::of(&token(claims)).parts;
        let first = parts(r#"{"iss":"i","sub":"s","aud":"a","iat":1,"exp":2,"jti":"x"}"#);
        assert_eq!(
            first,
            parts(r#"{"iss":"i","sub":"s","aud":["a"],"iat":3,"exp":4,"jti":"y"}"#)
        );
        for other in [
            r#"{"iss":"i","sub":"other","aud":"a"}"#,
            r#"{"iss":"other","sub":"s","aud":"a"}"#,
            r#"{"iss":"i","sub":"s","aud":"b"}"#,
            r#"{"iss":"i","sub":"s"}"#,
            r#"{"sub":"s","aud":"a"}"#,
            "{}",
        ] {
            assert_ne!(first, parts(other), "{other}");
        }
        assert_ne!(
            parts(r#"{"sub":"s"}"#),
            parts(r#"{"sub":"s","exp":1}"#),
            "without an issuer it is nobody's"
        );
    }

    #[test]
    fn a_token_that_says_nothing_is_only_itself_and_is_not_shown() {
        let (one, two) = (Bearer::of(&"hunter2".into()), Bearer::of(&"hunter3".into()));
        assert!(one.subject.is_none() && one.parts != two.parts);
        assert!(!one.parts.concat().contains("hunter2"));
    }

    #[test]
    fn a_machines_identity_is_its_kind_and_its_name() {
        let kind = Unnamed::new(Scope::new("instance role", vec!["machine".into()]));
        let (one, two) = (kind.named("one"), kind.named("two\n"));
        assert_eq!(
            (one.identity(), two.identity()),
            ("instance role one", "instance role two?")
        );
        assert_ne!(one, two);
        assert_eq!(shown(&"a".repeat(300)).len(), 200);
    }
}
