//! The cache's contents for reports: without secrets, and read without changing anything.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use super::entry::{Entry, State};
use super::failure::{self, LastFailure};
use super::origin::Origin;
use super::place::key_place;
use super::token_files::{MAX_TOKEN, TokenFiles};
use super::{Cache, FAULT, Moment, TOKEN};
use crate::config::{CacheConfig, KeyPlace};
use crate::error::Code;
use crate::error::Warnings;
use crate::seal::{KeyFile, SealKey, keyring};
use crate::trusted::{self, FileError, Readers};

/// The contents of a cache's directory.
#[derive(Debug, Default)]
pub struct Inventory {
    /// An entry for each token, and for each failed mint without a token; sorted by registry.
    pub entries: Vec<InventoryEntry>,
    /// How many token files don't open, because they have another version, are damaged or were sealed with another key.
    /// They are misses.
    pub unreadable: usize,
}

/// A token or a failed mint.
#[derive(Clone, Debug)]
pub struct InventoryEntry {
    /// What it is for.
    pub origin: Origin,
    /// Its life; `None` if the mint failed.
    pub token: Option<TokenLife>,
    /// The last failed mint, even if a later one succeeded.
    pub last_failure: Option<LastFailure>,
    /// Its file's name, without the extension.
    pub(super) name: String,
}

/// The life of a token.
#[derive(Clone, Copy, Debug)]
pub struct TokenLife {
    /// When it was minted.
    pub minted: SystemTime,
    /// When it expires.
    pub expires: SystemTime,
    /// Its age, by the clock that shows more.
    pub age: Duration,
    /// How long it may still be used; excludes the last minute of its life.
    pub left: Duration,
    /// The age at which this node renews it.
    pub renewed_after: Duration,
    /// Whether it is still used.
    pub state: State,
    /// When it was last used.
    pub used: SystemTime,
    /// When it was minted, by both clocks.
    pub minted_at: Moment,
}

impl Cache {
    /// The first configured directory that exists and can be used, even while the cache is off. Makes nothing. Fails if
    /// directories exist but none can be used.
    pub fn existing(
        config: &CacheConfig,
        key: &KeyPlace,
        warnings: &Rc<Warnings>,
    ) -> Result<Option<Self>, FileError> {
        let mut first_fault = None;
        for dir in &config.dirs {
            match existing_key(dir, key) {
                Ok(Some(key)) => {
                    let (config, dir) = (config.clone(), dir.clone());
                    return Ok(Some(Self::new(config, dir, key, warnings.clone())));
                }
                Ok(None) => {}
                Err(fault) => _ = first_fault.get_or_insert(fault),
            }
        }
        first_fault.map_or(Ok(None), Err)
    }

    /// The cache's directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Reads the contents. Fails if the directory can't be read.
    pub fn inventory(&self) -> Result<Inventory, FileError> {
        let files = fs::read_dir(&self.dir).map_err(|error| {
            FileError::new(
                &self.dir,
                format_args!("cannot be read ({error})"),
                "give this user access to it",
            )
        })?;
        let (mut inventory, mut faults) = (Inventory::default(), Vec::new());
        for path in files.flatten().map(|file| file.path()) {
            match path.extension().and_then(OsStr::to_str) {
                Some(TOKEN) => match self.token(&path) {
                    Some(token) => inventory.entries.push(token),
                    // Ignore one that disappeared while we read.
                    None => {
                        inventory.unreadable += usize::from(trusted::exists(&path).unwrap_or(true));
                    }
                },
                Some(FAULT) => faults.extend(self.fault(&path)),
                _ => {}
            }
        }
        for fault in faults {
            inventory.add_fault(fault);
        }
        inventory.entries.sort_by_cached_key(order);
        Ok(inventory)
    }

    fn token(&self, path: &Path) -> Option<InventoryEntry> {
        let files = self.files_of(path)?;
        // Reading changes the access time on most file systems, so it is restored.
        let used = files.last_used()?;
        let bytes = trusted::read_inside(path, Readers::Owner, MAX_TOKEN).ok()??;
        let (entry, origin) = Entry::open_with_origin(&bytes, &self.key, &files.name)?;
        files.stamp(&entry, used);
        let token = Some(life(&entry, (self.clock)(), used));
        Some(InventoryEntry {
            origin,
            token,
            last_failure: None,
            name: files.name,
        })
    }

    fn fault(&self, path: &Path) -> Option<InventoryEntry> {
        let files = self.files_of(path)?;
        let bytes = trusted::read_inside(path, Readers::Owner, MAX_TOKEN).ok()??;
        let (origin, last_failure) = failure::open_last(&bytes, &self.key, &files.name)?;
        Some(InventoryEntry {
            origin,
            token: None,
            last_failure: Some(last_failure),
            name: files.name,
        })
    }

    fn files_of(&self, path: &Path) -> Option<TokenFiles<'_>> {
        Some(TokenFiles {
            dir: &self.dir,
            key: &self.key,
            name: path.file_stem()?.to_str()?.to_owned(),
            min_life: Duration::ZERO,
        })
    }
}

impl Inventory {
    /// The contents of several caches. If two share a directory, a file that only one of them can open isn't damaged.
    pub fn of(caches: &[Cache]) -> Result<Self, FileError> {
        let (mut all, mut opened) = (Self::default(), Vec::new());
        for cache in caches {
            let Self {
                entries,
                unreadable,
            } = cache.inventory()?;
            let here = entries.iter().filter(|entry| entry.token.is_some()).count();
            let shared = opened.iter().find(|(dir, _)| *dir == cache.dir());
            all.unreadable = match shared {
                Some((_, others)) => unreadable.saturating_sub(*others),
                None => all.unreadable + unreadable,
            };
            opened.push((cache.dir(), here));
            all.entries.extend(entries);
        }
        all.entries.sort_by_cached_key(order);
        Ok(all)
    }

    /// Attaches a failure to its token; if that is missing, to another token of the same registry, workspace and
    /// backend, because then the keys have changed; else it becomes an entry of its own.
    fn add_fault(&mut self, fault: InventoryEntry) {
        let is_it = |entry: &InventoryEntry| entry.name == fault.name;
        let is_about = |entry: &InventoryEntry| {
            let (one, other) = (&entry.origin, &fault.origin);
            (&one.registry, &one.workspace, &one.backend)
                == (&other.registry, &other.workspace, &other.backend)
        };
        let mut entries = self.entries.iter();
        let at = entries.position(is_it);
        let Some(at) = at.or_else(|| self.entries.iter().position(is_about)) else {
            return self.entries.push(fault);
        };
        // The later one is kept.
        let known = &mut self.entries[at].last_failure;
        let both = fault.last_failure.into_iter().chain(known.take());
        *known = both.max_by_key(|failure| failure.at);
    }
}

fn order(entry: &InventoryEntry) -> (Origin, Option<SystemTime>, String) {
    (
        entry.origin.clone(),
        entry.token.map(|token| token.minted),
        entry.name.clone(),
    )
}

fn life(entry: &Entry, now: Moment, used: SystemTime) -> TokenLife {
    let state = entry.state(now);
    let minted = SystemTime::UNIX_EPOCH + Duration::from_secs(entry.minted.wall);
    let expires = entry.expires();
    let age = now.since(entry.minted).unwrap_or_default();
    let whole = expires.duration_since(minted).unwrap_or_default();
    let left = if state == State::Over {
        Duration::ZERO
    } else {
        whole.saturating_sub(age)
    };
    TokenLife {
        minted,
        expires,
        age,
        left,
        renewed_after: Duration::from_secs(entry.renewed_after()),
        state,
        used,
        minted_at: entry.minted,
    }
}

/// The key of an existing directory; `None` if the directory is missing or empty.
fn existing_key(dir: &Path, store_key: &KeyPlace) -> Result<Option<SealKey>, FileError> {
    check_owner(dir)?;
    if !trusted::directory(dir)? {
        return Ok(None);
    }
    let key = KeyFile::new(key_place(dir, store_key));
    match key.read()? {
        // A lost keyring key is simply made again.
        None if !keyring::is_marked(dir) && has_tokens(dir) => key.existing(dir).map(Some),
        key => Ok(key),
    }
}

/// Fails with the owner's name if the cache belongs to another user, rather than asking to change its modes.
fn check_owner(dir: &Path) -> Result<(), FileError> {
    let me = rustix::process::geteuid().as_raw();
    match fs::metadata(dir) {
        Ok(metadata) if metadata.uid() != me && metadata.uid() != 0 => Err(FileError {
            code: Code::ConfigForeignOwner,
            ..FileError::new(
                dir,
                format_args!("belongs to uid {}, and this is uid {me}", metadata.uid()),
                format!("run this as that user: sudo -u '#{}' …", metadata.uid()),
            )
        }),
        _ => Ok(()),
    }
}

fn has_tokens(dir: &Path) -> bool {
    let files = fs::read_dir(dir).into_iter().flatten().flatten();
    files
        .map(|file| file.path())
        .any(|path| path.extension().is_some_and(|extension| extension == TOKEN))
}
