//! `Store`: where a workspace's secrets are. Stores are asked in order, and only "nothing here" moves on to the next.

mod file;
pub mod name;
mod request;

pub use file::FileStore;
pub use request::RequestStore;

use crate::credential::{Credential, Redacted};
use crate::error::Error;
use crate::host::{Host, ServerUrl};
use crate::keys::Keys;

/// A secret that is for the host asked for, by what is recorded inside it or by its carrier.
#[derive(Debug)]
pub struct Found {
    /// Its keys.
    pub keys: Keys,
    /// Whether what comes of them may be kept.
    pub keep: Keep,
}

/// Where a token that is minted from a secret may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Sealed, on disk.
    Disk,
    /// In memory only.
    Memory,
}

/// What a store has for one server URL, as far as `list` needs it.
#[derive(Debug)]
pub struct Listed {
    /// A registry, or an item's key.
    pub url: ServerUrl,
    /// The user name, or what it follows from.
    pub username: Username,
}

/// A user name, as a store knows it.
#[derive(Debug)]
pub enum Username {
    /// Recorded beside the secret, which stays sealed.
    Recorded(String),
    /// Follows from the keys.
    Of(Keys),
}

/// What a store keeps for one server URL.
#[derive(Debug)]
pub struct Secret {
    /// The user name that `list` shows.
    pub username: String,
    /// The marshalled blob.
    pub blob: Redacted,
}

/// The stores, dispatched by enum: each is one file and one variant.
#[derive(Debug)]
pub enum Store {
    /// What the request itself brought.
    Request(RequestStore),
    /// The embedded encrypted store.
    File(FileStore),
}

impl Store {
    /// Its name in `explain` and in errors.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Request(_) => "request",
            Self::File(_) => "file",
        }
    }

    /// The secret for this host, if it has one.
    pub fn get(&self, host: &Host) -> Result<Option<Found>, Error> {
        match self {
            Self::Request(store) => store.get(host),
            Self::File(store) => store.get(host),
        }
    }

    /// An item that is kept verbatim: docker's OAuth items and nerdctl's keys.
    pub fn item(&self, item: &str) -> Result<Option<Credential>, Error> {
        match self {
            Self::Request(_) => Ok(None),
            Self::File(store) => store.item(item),
        }
    }

    /// Keeps a credential for a registry, or an item; it replaces the old one as a whole.
    pub fn store(&self, url: &ServerUrl, secret: &Secret) -> Result<(), Error> {
        match self {
            Self::Request(store) => store.read_only(),
            Self::File(store) => store.store(url, secret),
        }
    }

    /// Forgets a registry's credential, or an item; it is no error when there is none.
    pub fn erase(&self, url: &ServerUrl) -> Result<(), Error> {
        match self {
            Self::Request(store) => store.read_only(),
            Self::File(store) => store.erase(url),
        }
    }

    /// What there is, by server URL; entries that cannot be read are passed to `skipped`.
    pub fn list(&self, skipped: &mut dyn FnMut(&Error)) -> Result<Vec<Listed>, Error> {
        match self {
            Self::Request(store) => store.list(),
            Self::File(store) => store.list(skipped),
        }
    }
}
