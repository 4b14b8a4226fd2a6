//! `Whose`: the identity whose token a login mints, as far as it is known without network requests.

use aws_lc_rs::digest::{SHA256, digest as hash};

use crate::credential::Redacted;
use crate::jwt;
use crate::seal::hex;
use crate::token::{Scope, Unnamed, shown};

/// Whose token a login mints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Unknown: the identity can't be recognised again, so the token is not cached.
    Unknown,
    /// The node has no identity for this cloud, for this reason.
    Nobody(String),
    /// A known identity.
    Known(Scope),
    /// The machine's own identity, or one that it acts for; the metadata service must be asked for its name.
    Machine(Unnamed),
}

impl Whose {
    /// Changes the scope of the identity.
    pub fn map(self, change: impl FnOnce(Scope) -> Scope) -> Self {
        match self {
            Self::Known(scope) => Self::Known(change(scope)),
            Self::Machine(Unnamed(scope)) => Self::Machine(Unnamed(change(scope))),
            other => other,
        }
    }
}

/// The identity in a bearer token: a JWT's subject, issuer and audiences, so that a renewed token is the same identity;
/// for any other token, the token itself.
pub(super) struct Bearer {
    /// Its subject, for people, if it has one.
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

/// A digest that stands for a file's content or a secret.
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
