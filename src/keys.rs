//! `Keys`: the credential map inside a workspace secret, and the rule that a pair is whole or an error.

mod blob;
mod collect;
mod pairs;

use std::collections::BTreeMap;
use std::fmt;

use crate::credential::Redacted;

pub use blob::{Blob, CredentialType};
pub use pairs::{PAIRS, Pair};

/// Names such as `AWS_ACCESS_KEY_ID` with their secret values. An empty value counts as not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(BTreeMap<String, Redacted>);

impl Keys {
    /// The keys of a user name and a password, as `docker login` gives them.
    #[must_use]
    pub fn user_password(username: String, password: Redacted) -> Self {
        let pair = [("USERNAME".to_owned(), username.into()), ("PASSWORD".to_owned(), password)];
        Self(BTreeMap::from(pair))
    }

    /// The value of a key that is there and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Redacted> {
        self.0.get(name)
    }

    /// Whether a key is there and not empty.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The names of the keys, sorted; names are not secret.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether there is no key at all: then the registry is public.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a key, unless its value is empty or it is there already.
    pub fn insert(&mut self, name: &str, value: Redacted) -> Result<(), KeysError> {
        if name.is_empty() || name.contains(char::is_control) {
            return Err(KeysError::Name);
        }
        if value.expose().contains('\0') {
            return Err(KeysError::Value { key: name.to_owned() });
        }
        if !value.is_empty() {
            self.0.entry(name.to_owned()).or_insert(value);
        }
        Ok(())
    }

    /// Every pair that is begun must be whole; the error names both of its keys.
    pub fn check_pairs(&self) -> Result<(), KeysError> {
        PAIRS.iter().try_for_each(|pair| pair.check(self))
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &Redacted)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

/// What is wrong with a credential map or its blob. Names keys, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeysError {
    /// One half of a pair.
    HalfPair {
        /// The key that is there.
        present: &'static str,
        /// The key, or the keys any of which would do, that is not.
        missing: &'static [&'static str],
    },
    /// Environment variables that were named but are unset or empty.
    Unset(Vec<String>),
    /// An environment variable that was named and is this program's own setting.
    Setting(String),
    /// A blob that is neither JSON of a known shape nor `username:password`.
    Shape(String),
    /// A key whose value is not a usable text.
    Value {
        /// The key.
        key: String,
    },
    /// A key with an empty name or with control characters in it.
    Name,
}

impl fmt::Display for KeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HalfPair { present, missing } => {
                write!(f, "{present} is set without {}; set both or neither", missing.join(" or "))
            }
            Self::Unset(names) => {
                write!(
                    f,
                    "{} {} unset or empty in the environment",
                    names.join(", "),
                    if names.len() == 1 { "is" } else { "are" }
                )
            }
            Self::Setting(name) => write!(f, "{name} is a setting of this program and no registry's key"),
            Self::Shape(what) => f.write_str(what),
            Self::Value { key } => write!(f, "the value of {} is not a usable text", key.escape_debug()),
            Self::Name => f.write_str("a key's name is empty or holds a control character"),
        }
    }
}

impl std::error::Error for KeysError {}
