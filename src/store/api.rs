//! What is asked of a store, and what it answers.

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

/// A secret that is for the host asked for, by what is recorded inside it or by its carrier.
#[derive(Debug)]
pub struct Found {
    /// Its keys.
    pub keys: Keys,
    /// Whether what comes of them may be kept.
    pub keep: Keep,
    /// Whether it was made of single secrets that nobody named for this registry: what refuses them then is not found.
    pub guessed: bool,
    /// What is known of its time.
    pub times: Times,
    /// The tokens that were read with it, where its store has a place for them.
    pub shared: Option<Shared>,
}

/// What is known of a secret's time beside what its keys say themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// When it was stored, where the store knows.
    pub stored_at: Option<SystemTime>,
    /// When it ends, where that is recorded in it.
    pub expires_at: Option<SystemTime>,
}

impl Times {
    /// Of what is stored now.
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

    /// What is in a blob of this registry.
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

/// Where a token that is minted from a secret may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Sealed, on disk.
    Disk,
    /// Sealed, in memory only.
    Memory,
    /// The same; and where there is no place for it in memory, on disk.
    MemoryFirst,
    /// Nowhere.
    Nowhere,
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

/// Where an image is bound to its secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// In this store.
    Kept,
    /// By somebody else: the caller must pass the secret's name on.
    Elsewhere,
}

/// What a store is asked for.
#[derive(Clone, Copy)]
pub struct Lookup<'a> {
    /// The registry.
    pub host: &'a Host,
    /// The registry that it stands for, by the operator's rule.
    pub alias_of: Option<&'a Host>,
    /// A named secret instead of the derived names, by the operator's rule.
    pub secret: Option<&'a str>,
    /// Single secrets instead of the derived names, by the operator's rule or by the request.
    pub named: &'a [String],
    /// Its row in the table of registries.
    pub row: &'static Registry,
    /// Which of its vendor's keys are looked for as single secrets although nobody named them.
    pub singles: Singles,
    /// Whether a secret that names no registry is this host's by a name that other hosts' secrets have too: so it is where
    /// the operator has named it, and where the host is a vendor's, whom everybody knows.
    pub by_shared_name: bool,
    /// When an answer is of no use any more.
    pub deadline: Instant,
    /// What is remembered on this node, where there is a place for it.
    pub memory: Option<&'a Memory<'a>>,
}

impl<'a> Lookup<'a> {
    /// A question about a registry of which no rule says anything, without a moment to answer it.
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

    /// The names under which the whole credential of the registry may stand, those that count most first. There are none
    /// where single secrets are named.
    pub fn names(&self) -> Vec<String> {
        match self.secret {
            Some(name) => vec![name.to_owned()],
            None if self.named.is_empty() => name::candidates(self.host),
            None => Vec::new(),
        }
    }
}

/// What a store has for an image's credential.
#[derive(Debug)]
pub enum ImageSecrets {
    /// Nothing, since it knows no images.
    Elsewhere,
    /// Nothing, since it does not know this image. This says why.
    Unknown(Error),
    /// The image is known, and bound to nothing.
    Unbound,
    /// The secrets of its registries as they stand, one text each.
    Blobs(Vec<Redacted>),
    /// The names of single secrets, sorted.
    Names {
        /// All that the image names.
        names: Vec<String>,
        /// Those that the workspace has.
        there: Vec<Single>,
    },
}

/// Whose a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The host's that is asked for.
    Ours,
    /// Another's, which is recorded in it.
    Another,
    /// Nobody can tell: nothing is recorded in it, and its name may follow from another host.
    Unknown,
}

impl Lookup<'_> {
    /// Whose the secret is that stands under this name and has this registry recorded in it.
    pub fn owner(&self, name: &str, recorded: Option<&Host>) -> Owner {
        match recorded {
            Some(registry) if registry == self.host => Owner::Ours,
            Some(_) => Owner::Another,
            None if self.by_shared_name || name::is_one_hosts(name, self.host) => Owner::Ours,
            None => Owner::Unknown,
        }
    }
}

/// The id of a workspace, which Beta9 knows as a UUID; what is something else names none, and is an error of a store,
/// `part`.
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

/// What a look at a store came to, for the node's operator.
#[derive(Debug, Default)]
pub struct Health {
    /// What is as it should be, in words.
    pub well: Vec<String>,
    /// What hinders some answers, and what would fix it.
    pub ill: Vec<Error>,
    /// What is missing and hinders no `get`.
    pub lacking: Vec<Error>,
    /// What an older version of this program left and is used as it is, in words.
    pub older: Vec<String>,
    /// What an older version of this program stored after a newer one, which is not used.
    pub shadowed: Vec<Error>,
    /// The workspace that the token is for, where the store says it.
    pub workspace: Option<String>,
    /// The store's own clock, where it shows it.
    pub clock: Option<SystemTime>,
}
