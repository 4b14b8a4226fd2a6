//! The questions to a store, and its answers.

use std::time::{Instant, SystemTime};

use super::errors::StoreError;
use super::{Shared, Single, name};
use crate::cache::Memory;
use crate::config::Singles;
use crate::credential::Redacted;
use crate::error::Error;
use crate::host::{Host, ServerUrl};
use crate::keys::{Blob, Keys};
use crate::registry::Registry;

/// A secret for the requested host, according to the registry recorded in it or to where it was found.
#[derive(Debug)]
pub struct Found {
    /// Its keys.
    pub keys: Keys,
    /// Where tokens minted from it may be cached.
    pub keep: Keep,
    /// Whether it was made of single secrets that were not named for this registry. A refusal then counts as not found.
    pub guessed: bool,
    /// Its times, as far as known.
    pub times: Times,
    /// The shared tokens that were read with it, if its store has them.
    pub shared: Option<Shared>,
}

/// A secret's times, apart from those in its keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// When it was stored, if known.
    pub stored_at: Option<SystemTime>,
    /// When it expires, if recorded.
    pub expires_at: Option<SystemTime>,
}

impl Times {
    /// The times of a secret that is stored now.
    pub fn now() -> Self {
        Self {
            stored_at: Some(SystemTime::now()),
            expires_at: None,
        }
    }
}

impl Found {
    /// A secret for this registry.
    pub fn new(keys: Keys, keep: Keep) -> Self {
        Self {
            keys,
            keep,
            guessed: false,
            times: Times::default(),
            shared: None,
        }
    }

    /// The secret in a blob for this registry.
    pub fn of(blob: Blob, keep: Keep) -> Self {
        let times = Times {
            expires_at: blob.expires_at,
            ..Times::default()
        };
        Self {
            times,
            ..Self::new(blob.keys, keep)
        }
    }
}

/// Where a token minted from a secret may be cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Sealed, on disk.
    Disk,
    /// Sealed, on tmpfs only.
    Memory,
    /// On tmpfs if possible, else on disk.
    MemoryFirst,
    /// Nowhere.
    Nowhere,
}

/// A store's entry for one server URL, as `list` needs it.
#[derive(Debug)]
pub struct Listed {
    /// A registry, or an item's key.
    pub url: ServerUrl,
    /// The user name, or the keys that determine it.
    pub username: Username,
}

/// A user name, as a store knows it.
#[derive(Debug)]
pub enum Username {
    /// Recorded beside the secret, which stays sealed.
    Recorded(String),
    /// Determined by the keys.
    Of(Keys),
}

/// An entry to store for one server URL.
#[derive(Debug)]
pub struct Secret {
    /// The user name that `list` shows.
    pub username: String,
    /// The marshalled blob.
    pub blob: Redacted,
}

/// Who binds an image to its secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// This store.
    Kept,
    /// Somebody else; the caller must pass on the secret's name.
    Elsewhere,
}

/// A question to a store.
#[derive(Clone, Copy)]
pub struct Lookup<'a> {
    /// The registry.
    pub host: &'a Host,
    /// The registry that it stands for according to a rule.
    pub alias_of: Option<&'a Host>,
    /// A secret named by a rule, instead of the derived names.
    pub secret: Option<&'a str>,
    /// Single secrets named by a rule or the request, instead of the derived names.
    pub named: &'a [String],
    /// Its row in the table of registries.
    pub row: &'static Registry,
    /// Which of its vendor's keys are looked up as single secrets without being named.
    pub singles: Singles,
    /// Whether a secret without a registry counts as this host's although other hosts map to the same name. It does if
    /// a rule names it, or if the host is a known vendor's.
    pub by_shared_name: bool,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// The cached answers on this node, if there is a cache.
    pub memory: Option<&'a Memory<'a>>,
}

impl<'a> Lookup<'a> {
    /// A question about a registry without a rule, whose deadline has already passed.
    pub fn of(host: &'a Host) -> Self {
        Self {
            host,
            alias_of: None,
            secret: None,
            named: &[],
            row: Registry::of(host),
            singles: Singles::Named,
            by_shared_name: false,
            deadline: Instant::now(),
            memory: None,
        }
    }

    /// The possible names of the registry's whole secret, in order of precedence. Empty if single secrets are named.
    pub fn names(&self) -> Vec<String> {
        match self.secret {
            Some(name) => vec![name.to_owned()],
            None if self.named.is_empty() => name::candidates(self.host),
            None => Vec::new(),
        }
    }
}

/// A store's secrets for an image.
#[derive(Debug)]
pub enum ImageSecrets {
    /// None, because the store does not know images.
    Elsewhere,
    /// None, because the store does not know this image, as the error says.
    Unknown(Error),
    /// The image is known but has no secrets.
    Unbound,
    /// The blobs of its registries' secrets.
    Blobs(Vec<Redacted>),
    /// The names of single secrets, sorted.
    Names {
        /// All names.
        names: Vec<String>,
        /// The secrets that exist in the workspace.
        there: Vec<Single>,
    },
}

/// The registry that a secret belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The requested host.
    Ours,
    /// Another host, which is recorded in it.
    Another,
    /// Unknown: no registry is recorded, and other hosts map to the same name.
    Unknown,
}

impl Lookup<'_> {
    /// The owner of the secret with this name and this recorded registry.
    pub fn owner(&self, name: &str, recorded: Option<&Host>) -> Owner {
        match recorded {
            Some(registry) if registry == self.host => Owner::Ours,
            Some(_) => Owner::Another,
            None if self.by_shared_name || name::is_one_hosts(name, self.host) => Owner::Ours,
            None => Owner::Unknown,
        }
    }
}

/// Checks that a workspace's id is a UUID, as in Beta9. Otherwise a failure of the store, `part`.
pub(super) fn workspace_id<'a>(part: &str, id: &'a str) -> Result<&'a str, Error> {
    let is_uuid = id.len() == 36
        && id.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    if is_uuid {
        return Ok(id);
    }
    Err(StoreError::NotAWorkspace(id.to_owned()).at(part))
}

/// The result of examining a store, for `doctor`.
#[derive(Debug, Default)]
pub struct Health {
    /// What works, in words.
    pub well: Vec<String>,
    /// Faults that make some requests fail, with fixes.
    pub ill: Vec<Error>,
    /// Missing parts that don't affect `get`.
    pub lacking: Vec<Error>,
    /// Entries of older versions that are still used, in words.
    pub older: Vec<String>,
    /// Entries that an older version stored after a newer one, and that are not used.
    pub shadowed: Vec<Error>,
    /// The token's workspace, if the store shows it.
    pub workspace: Option<String>,
    /// The store's clock, if it shows it.
    pub clock: Option<SystemTime>,
}
