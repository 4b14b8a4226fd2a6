//! Finds the cache: the first configured directory that can be used.

use std::path::Path;
use std::rc::Rc;

use rustix::fs::{Access, access, statfs};
use rustix::io::Errno;

use super::Cache;
use crate::config::{CacheConfig, Config, KeyPlace};
use crate::error::Warnings;
use crate::private;
use crate::seal::{KeyFile, SealKey};
use crate::trusted::{self, FileError};

impl Cache {
    /// The cache on tmpfs, made if necessary, or why there is none.
    pub fn open_memory(config: &CacheConfig, warnings: &Rc<Warnings>) -> Result<Self, FileError> {
        let Some(dir) = config.dirs.first().filter(|_| config.enabled) else {
            return Err(FileError::with("it is off", "set cache.memory_dir"));
        };
        check_memory(dir)?;
        let key = open_dir(dir, &memory_key(config))?;
        let cache = Self::new(config.clone(), dir.clone(), key, warnings.clone());
        Ok(cache.in_memory())
    }

    /// The same cache if it already exists, even while it is off. Makes nothing.
    pub fn existing_memory(config: &CacheConfig, warnings: &Rc<Warnings>) -> Option<Self> {
        let dir = config.dirs.first()?;
        if !trusted::exists(dir).ok()? {
            return None;
        }
        check_memory(dir).ok()?;
        let cache = Self::existing(config, &memory_key(config), warnings);
        cache.ok()?.map(Self::in_memory)
    }

    /// Whether such a cache seems possible here. Makes nothing, so only the first use tells for certain.
    #[must_use]
    pub fn is_possible_in_memory(config: &CacheConfig) -> bool {
        let dir = config.dirs.first().filter(|_| config.enabled);
        dir.is_some_and(|dir| check_memory(dir).is_ok())
    }

    /// All existing caches. Fails if the one on disk can't be used.
    pub fn all_existing(config: &Config, warnings: &Rc<Warnings>) -> Result<Vec<Self>, FileError> {
        let on_disk = Self::existing(&config.cache, &config.file_key, warnings)?;
        let in_memory = Self::existing_memory(&config.memory_cache, warnings);
        Ok(on_disk.into_iter().chain(in_memory).collect())
    }

    /// The first configured directory that can be used, made if necessary; `None` if there is none.
    pub fn open(config: &CacheConfig, key: &KeyPlace, warnings: &Rc<Warnings>) -> Option<Self> {
        if !config.enabled {
            return None;
        }
        config.dirs.iter().find_map(|dir| match open_dir(dir, key) {
            Ok(key) => {
                let (config, dir) = (config.clone(), dir.clone());
                Some(Self::new(config, dir, key, warnings.clone()))
            }
            Err(fault) => {
                warnings.add(format_args!("token cache: {fault}"));
                None
            }
        })
    }
}

/// The key of the cache on tmpfs.
pub(super) fn memory_key(config: &CacheConfig) -> KeyPlace {
    let dir = config.dirs.first().cloned();
    dir.map_or(KeyPlace::Nowhere, KeyPlace::Keyring)
}

/// Refuses a directory that isn't, or wouldn't be, on tmpfs. For a missing directory, its nearest existing parent
/// decides.
fn check_memory(dir: &Path) -> Result<(), FileError> {
    let nearest = dir.ancestors().map(|dir| (dir, statfs(dir)));
    let mut known = nearest.skip_while(|(_, known)| matches!(known, Err(Errno::NOENT)));
    match known.next() {
        Some((_, Ok(known)))
            if [TMPFS, RAMFS].contains(&(i128::from(known.f_type) & 0xffff_ffff)) =>
        {
            Ok(())
        }
        _ => Err(FileError::new(
            dir,
            "is not on tmpfs",
            "mount one, or set cache.memory_dir to a directory that is",
        )),
    }
}

fn open_dir(dir: &Path, store_key: &KeyPlace) -> Result<SealKey, FileError> {
    private::make_dir(dir)?;
    access(dir, Access::WRITE_OK).map_err(|error| {
        let cause = format_args!("cannot be written ({error})");
        FileError::new(dir, cause, "make it writable, or set cache.dir")
    })?;
    KeyFile::new(key_place(dir, store_key)).read_or_make(dir)
}

/// The key of a cache in this directory: systemd's credential if the store uses one, else a file of its own.
pub(super) fn key_place(dir: &Path, store_key: &KeyPlace) -> KeyPlace {
    match store_key {
        KeyPlace::Credential(_) | KeyPlace::Keyring(_) => store_key.clone(),
        _ => KeyPlace::File(dir.join("key")),
    }
}

/// `TMPFS_MAGIC` and `RAMFS_MAGIC` (statfs(2)); the field's type differs between C libraries.
const TMPFS: i128 = 0x0102_1994;
const RAMFS: i128 = 0x8584_58f6;
