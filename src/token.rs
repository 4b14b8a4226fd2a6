//! `Minted`, the outcome of a login, and `Scope`, which distinguishes its token from all others.

use std::time::SystemTime;

use crate::credential::{Credential, Redacted};
use crate::keys::Keys;

/// The outcome of a login.
#[derive(Debug)]
pub struct Minted {
    /// The credential to return.
    pub credential: Credential,
    /// When it expires; `None` if unknown, and then it is not cached.
    pub expires: Option<SystemTime>,
}

/// What distinguishes one minted token from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    identity: String,
    parts: Vec<String>,
}

/// A scope that lacks the identity's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unnamed(pub(crate) Scope);

impl Scope {
    /// The scope of an identity: its name for people, and the texts that distinguish it from all others.
    pub fn new(identity: impl Into<String>, parts: Vec<String>) -> Self {
        let identity = identity.into();
        Self { identity, parts }
    }

    /// The same for a fixed number of parts.
    pub fn of<const N: usize>(identity: impl Into<String>, parts: [&str; N]) -> Self {
        Self::new(identity, parts.map(str::to_owned).to_vec())
    }

    /// The scope of a token minted with these keys. Changing any value changes the scope.
    pub fn of_keys(keys: &Keys) -> Self {
        let value = |name: &str| keys.get(name).map_or("", Redacted::expose).to_owned();
        let pairs = keys.names().flat_map(|name| [name.to_owned(), value(name)]);
        Self::of("", ["keys of a secret"]).with(pairs)
    }

    /// The name of the identity, if it is not a secret's keys, for people. Never a secret.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// What the token depends on besides workspace, host and backend; only a keyed hash of it is ever written.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(String::as_str)
    }

    /// Adds texts that the scope depends on.
    pub fn with(mut self, parts: impl IntoIterator<Item = String>) -> Self {
        self.parts.extend(parts);
        self
    }

    /// Changes the identity's name.
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

    /// The scope of the identity with the name that the metadata service gives.
    pub fn named(&self, name: &str) -> Scope {
        self.0
            .clone()
            .with([name.to_owned()])
            .called(|kind| format!("{kind} {}", shown(name)))
    }

    /// The kind of identity.
    pub fn kind(&self) -> &Scope {
        &self.0
    }
}

/// A name that someone else wrote, made safe to show.
pub(crate) fn shown(name: &str) -> String {
    let name: String = name.chars().take(LONGEST_NAME).collect();
    name.replace(|c: char| !c.is_ascii_graphic() && c != ' ', "?")
}

const LONGEST_NAME: usize = 200;
