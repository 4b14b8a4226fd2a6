//! Where a cache is: the first of the configured directories that can be used.

use std::path::Path;
use std::rc::Rc;

use rustix::fs::{Access, access};

use super::Cache;
use crate::config::{CacheConfig, KeyPlace};
use crate::error::Warnings;
use crate::private;
use crate::seal::{KeyFile, SealKey};
use crate::trusted::FileError;

impl Cache {
    /// The first of the configured directories that can be used, made if need be; `None` where there is none.
    pub fn open(config: &CacheConfig, key: &KeyPlace, warnings: &Rc<Warnings>) -> Option<Self> {
        if !config.enabled {
            return None;
        }
        config.dirs.iter().find_map(|dir| match open_dir(dir, key) {
            Ok(key) => Some(Self::new(
                config.clone(),
                dir.clone(),
                key,
                warnings.clone(),
            )),
            Err(fault) => {
                warnings.add(format_args!("token cache: {fault}"));
                None
            }
        })
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

/// The key of a cache in this directory: systemd's credential, if the store has one, else a file of its own.
pub(super) fn key_place(dir: &Path, store_key: &KeyPlace) -> KeyPlace {
    match store_key {
        KeyPlace::Credential(path) => KeyPlace::Credential(path.clone()),
        _ => KeyPlace::File(dir.join("key")),
    }
}
