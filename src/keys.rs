//! `Keys`: the credential map inside a workspace secret. Half of a pair is an error.

mod blob;
mod collect;
mod pairs;

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::credential::Redacted;
use crate::error::Code;
use crate::shown::{shown, shown_list};

pub use blob::{Blob, CredentialType};
pub use collect::BaseImageCreds;
pub use pairs::UserPassword;

/// Names such as `AWS_ACCESS_KEY_ID` with their secret values. An empty value counts as missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    texts: BTreeMap<String, Redacted>,
    /// Names whose value isn't a usable string. They are ignored if the other keys are complete.
    unusable: Vec<String>,
    /// Whether the image names single secrets and the workspace has none of them.
    names_missing: bool,
}

impl Keys {
    /// The keys of a user name and a password, as `docker login` gives them.
    pub fn user_password(username: String, password: Redacted) -> Self {
        let pair = [
            ("USERNAME".to_owned(), username.into()),
            ("PASSWORD".to_owned(), password),
        ];
        Self {
            texts: BTreeMap::from(pair),
            ..Self::default()
        }
    }

    /// The value of a key; `None` if it is missing or empty.
    pub fn get(&self, name: &str) -> Option<&Redacted> {
        self.texts.get(name)
    }

    /// Whether a key is present and not empty.
    pub fn has(&self, name: &str) -> bool {
        self.texts.contains_key(name)
    }

    /// The names of the keys, sorted; names are not secret.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().map(String::as_str)
    }

    /// Whether there are no keys, as for a public registry.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.unusable.is_empty()
    }

    /// A fault other than an incomplete pair: missing single secrets, or an unusable value.
    pub fn fault(&self) -> Option<KeysError> {
        let missing = self.names_missing.then_some(KeysError::NamesMissing);
        missing.or_else(|| self.unusable.first().cloned().map(KeysError::Value))
    }

    /// The first key whose value is a Beta9 sandbox's placeholder.
    pub fn placeholder(&self) -> Option<&str> {
        self.iter()
            .find_map(|(name, value)| value.expose().starts_with(PLACEHOLDER).then_some(name))
    }

    /// Adds a key, unless its value is empty or the key is already present. Fails on an invalid name or value.
    pub fn insert(&mut self, name: &str, value: Redacted) -> Result<(), KeysError> {
        if name.is_empty() || name.contains(char::is_control) {
            return Err(KeysError::Name);
        }
        if value.expose().contains('\0') {
            return Err(KeysError::Value(name.to_owned()));
        }
        if !value.is_empty() {
            self.texts.entry(name.to_owned()).or_insert(value);
        }
        Ok(())
    }

    /// Sets one key, replacing any of that name.
    pub fn with(mut self, name: &'static str, value: Redacted) -> Self {
        self.texts.insert(name.to_owned(), value);
        self
    }

    /// The keys whose names match.
    pub fn only(&self, wanted: impl Fn(&str) -> bool) -> Self {
        let texts = self
            .iter()
            .filter(|(name, _)| wanted(name))
            .map(|(name, value)| (name.to_owned(), value.clone()));
        Self {
            texts: texts.collect(),
            ..Self::default()
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &Redacted)> {
        self.texts
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }
}

/// Keys that log in together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    /// All of these are needed.
    pub needed: Vec<&'static str>,
    /// These are used if present.
    pub more: &'static [&'static str],
    /// Whether the set is a user name and its secret.
    pub is_pair: bool,
}

impl KeySet {
    /// All names in the set.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.needed.iter().chain(self.more).copied()
    }
}

/// What is wrong with a credential map or its blob. Contains names of keys, never values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// One half of a pair.
    #[error(
        "{} is set without {}; set both or neither",
        shown(present),
        alternatives(missing)
    )]
    HalfPair {
        /// The key that is present.
        present: String,
        /// The missing key; if there are several, any one of them is enough.
        missing: Vec<String>,
    },
    /// Several complete pairs, and no rule for choosing one.
    #[error("it has several user names, {}, and nothing says which one the registry takes", shown_list(.0))]
    ManyPairs(Vec<String>),
    /// A payload without keys: the image names secrets, and the workspace has none of them.
    #[error("it has no keys: the image names secrets, and the workspace has none of them")]
    NamesMissing,
    /// A Beta9 sandbox's placeholder for a secret.
    #[error("it is the placeholder that a Beta9 sandbox shows in place of a secret")]
    Placeholder,
    /// Named environment variables that are unset or empty.
    #[error("{} unset or empty in the environment", subject(.0))]
    Unset(Vec<String>),
    /// Names that are in neither the environment nor the workspace.
    #[error("{} in neither the environment nor the workspace", subject(.0))]
    Absent(Vec<String>),
    /// Names of workspace secrets that are empty.
    #[error("{} empty in the workspace", subject(.0))]
    Empty(Vec<String>),
    /// A named environment variable that is this program's own setting.
    #[error("{0} is a setting of this program, not a registry's key")]
    Setting(String),
    /// A blob that is neither JSON of a known shape nor `username:password`.
    #[error("{0}")]
    Shape(Cow<'static, str>),
    /// A key whose value isn't a usable string.
    #[error("the value of {} is not a usable text", shown(.0))]
    Value(String),
    /// A key with an empty name or with control characters in it.
    #[error("a key's name is empty or holds a control character")]
    Name,
}

impl KeysError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::HalfPair { .. } => Code::SecretHalfPair,
            Self::NamesMissing | Self::Unset(_) | Self::Absent(_) | Self::Empty(_) => {
                Code::SecretNamesMissing
            }
            _ => Code::SecretInvalid,
        }
    }

    /// The fix for a secret with this fault.
    pub fn fix(&self) -> &'static str {
        match self {
            Self::NamesMissing => "create them with: beta9 secret create NAME VALUE",
            _ => "correct the keys in the secret",
        }
    }
}

fn alternatives(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| shown(name).to_string()).collect();
    names.join(" or ")
}

/// The names and the matching verb: "A is", "A and B are".
fn subject(names: &[String]) -> String {
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", shown_list(names))
}

/// The start of a placeholder. Beta9 replaces placeholders only in the headers of requests that leave a sandbox.
const PLACEHOLDER: &str = "beam_secret_";
