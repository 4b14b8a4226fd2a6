//! `Whose`: whose token a login mints, as far as it can be told without asking anybody.

use aws_lc_rs::digest::{SHA256, digest as hash};

use crate::credential::Redacted;
use crate::jwt;
use crate::seal::hex;
use crate::token::{Scope, Unnamed, shown};

/// Whose token a login mints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Nobody's who could be told again: the token is not kept.
    Unknown,
    /// The node has no identity of that cloud, for this reason.
    Nobody(String),
    /// This identity's.
    Known(Scope),
    /// The machine's own, or that of the party it speaks for: its metadata service has to say which one that is.
    Machine(Unnamed),
}

impl Whose {
    /// The same identity, on which more depends.
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
