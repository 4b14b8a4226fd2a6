//! `Minted`, what a login came to, and `Scope`, what tells its token from all others.

use std::time::SystemTime;

use crate::credential::{Credential, Redacted};
use crate::keys::Keys;

/// A login's outcome.
#[derive(Debug)]
pub struct Minted {
    /// What is answered.
    pub credential: Credential,
    /// When it ends; `None` where nobody said, and then it is not cached.
    pub expires: Option<SystemTime>,
}

/// What tells one minted token from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    identity: String,
    parts: Vec<String>,
}

/// A scope that lacks the identity's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unnamed(pub(crate) Scope);

impl Scope {
    /// The scope of an identity, as people read it, that is distinguished from all others by these texts.
    pub fn new(identity: impl Into<String>, parts: Vec<String>) -> Self {
        let identity = identity.into();
        Self { identity, parts }
    }

    /// The same of parts that are known one by one.
    pub fn of<const N: usize>(identity: impl Into<String>, parts: [&str; N]) -> Self {
        Self::new(identity, parts.map(str::to_owned).to_vec())
    }

    /// The scope of a token that is minted with these keys: another value of any of them is another token.
    pub fn of_keys(keys: &Keys) -> Self {
        let value = |name: &str| keys.get(name).map_or("", Redacted::expose).to_owned();
        let pairs = keys.names().flat_map(|name| [name.to_owned(), value(name)]);
        Self::of("", ["keys of a secret"]).with(pairs)
    }

    /// Who logs in where it isn't a secret's keys that do, as people read it: never a secret.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// What the token depends on besides workspace, host and backend; only a keyed hash of it is ever written.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(String::as_str)
    }

    /// The same scope, which depends on these texts too.
    pub fn with(mut self, parts: impl IntoIterator<Item = String>) -> Self {
        self.parts.extend(parts);
        self
    }

    /// The same scope of an identity that is called otherwise.
    pub fn called(mut self, name: impl FnOnce(&str) -> String) -> Self {
        self.identity = name(&self.identity);
        self
    }
}

impl Unnamed {
    /// The scope of an identity of this kind.
    pub fn new(kind: Scope) -> Self {
        Self(kind)
    }

    /// The scope of the one that the metadata service names.
    pub fn named(&self, name: &str) -> Scope {
        self.0
            .clone()
            .with([name.to_owned()])
            .called(|kind| format!("{kind} {}", shown(name)))
    }

    /// The kind of identity that it is.
    pub fn kind(&self) -> &Scope {
        &self.0
    }
}

/// A name that somebody else wrote, as it may be shown.
pub(crate) fn shown(name: &str) -> String {
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
