//! What is in the cache, for those who look: nothing secret, and looking changes nothing.

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

/// What is in a cache's directory.
#[derive(Debug, Default)]
pub struct Inventory {
    /// One for each token, and for each failure to mint one where there is none; by registry.
    pub entries: Vec<InventoryEntry>,
    /// How many token files do not open: of another version, damaged, or sealed with another key. They are misses.
    pub unreadable: usize,
}

/// A token, or the failure to mint one.
#[derive(Clone, Debug)]
pub struct InventoryEntry {
    /// What it is for.
    pub origin: Origin,
    /// Its life; `None` where it could not be minted.
    pub token: Option<TokenLife>,
    /// The last failure to mint it, also when it succeeded later.
    pub last_failure: Option<LastFailure>,
    /// Its file's name, without the extension.
    pub(super) name: String,
}

/// The life of a token.
#[derive(Clone, Copy, Debug)]
pub struct TokenLife {
    /// When it was minted.
    pub minted: SystemTime,
    /// When it ends.
    pub expires: SystemTime,
    /// How old it is, by the clock that says more.
    pub age: Duration,
    /// How long it is still good, but for the last minute, which it is not served in.
    pub left: Duration,
    /// How old it is when this node renews it.
    pub renewed_after: Duration,
    /// Whether it is still served.
    pub state: State,
    /// When it was last asked for.
    pub used: SystemTime,
    /// When it was minted, by both clocks.
    pub minted_at: Moment,
}

impl Cache {
    /// The first of the configured directories that is there and can be used, also while the cache is switched off;
    /// nothing is made. An error where none can be used that is there.
    pub fn existing(
        config: &CacheConfig,
        key: &KeyPlace,
        warnings: &Rc<Warnings>,
    ) -> Result<Option<Self>, FileError> {
        let mut first_fault = None;
        for dir in &config.dirs {
            match existing_key(dir, key) {
                Ok(Some(key)) => {
                    let config = CacheConfig {
                        enabled: true,
                        dirs: vec![dir.clone()],
                        ..config.clone()
                    };
                    return Ok(Some(Self::new(config, dir.clone(), key, warnings.clone())));
                }
                Ok(None) => {}
                Err(fault) => _ = first_fault.get_or_insert(fault),
            }
        }
        first_fault.map_or(Ok(None), Err)
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What is in it.
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
        // Reading sets the time of the last use on most file systems; it is set back.
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
    /// What is in several caches. In a directory that two of them share, a file that only one can open isn't damage.
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

    /// A failure belongs to its token; where that is none, to another of the same registry, workspace and backend, since
    /// it is the keys that have changed; else it stands alone.
    fn add_fault(&mut self, fault: InventoryEntry) {
        let mut of_name = self
            .entries
            .iter_mut()
            .filter(|entry| entry.name == fault.name);
        if let Some(entry) = of_name.next() {
            return entry.add_failure(fault.last_failure);
        }
        let subject = |entry: &InventoryEntry| {
            let Origin {
                registry,
                workspace,
                backend,
                ..
            } = entry.origin.clone();
            (registry, workspace, backend)
        };
        let mut of_subject = self
            .entries
            .iter_mut()
            .filter(|entry| subject(entry) == subject(&fault));
        match of_subject.next() {
            Some(entry) => entry.add_failure(fault.last_failure),
            None => self.entries.push(fault),
        }
    }
}

impl InventoryEntry {
    /// The later one counts.
    fn add_failure(&mut self, failure: Option<LastFailure>) {
        let at = |failure: &Option<LastFailure>| failure.as_ref().map(|failure| failure.at);
        if at(&failure) > at(&self.last_failure) {
            self.last_failure = failure;
        }
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
    let expires = SystemTime::UNIX_EPOCH + entry.expires();
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

/// The key of a directory that is there; it is `None` where there is no directory, or nothing in it.
fn existing_key(dir: &Path, store_key: &KeyPlace) -> Result<Option<SealKey>, FileError> {
    check_owner(dir)?;
    if !trusted::directory(dir)? {
        return Ok(None);
    }
    let key = KeyFile::new(key_place(dir, store_key));
    match key.read()? {
        // A key of the keyring's that is lost is made again.
        None if !keyring::is_marked(dir) && has_tokens(dir) => key.existing(dir).map(Some),
        key => Ok(key),
    }
}

/// Anyone who looks at another user's cache sees whose it is: nothing has to be changed about it.
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
