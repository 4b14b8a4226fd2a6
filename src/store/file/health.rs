//! Checks that all entries open.

use std::path::Path;

use super::dir::{file_name, read, shadowed_files};
use super::entry::Entry;
use super::errors::FileStoreError;
use super::{FileStore, notes};
use crate::error::Error;
use crate::seal::SealKey;
use crate::store::Health;

impl FileStore {
    /// Opens both parts of every entry.
    pub(in crate::store) fn examine(&self) -> Result<Health, Error> {
        let mut health = Health::default();
        let Some((dir, files, key)) = self.sealed()? else {
            health.well.push("nothing is stored yet".to_owned());
            return Ok(health);
        };
        let (mut opened, mut older) = (0, 0);
        for path in files {
            match self.opens(&path, &key) {
                Ok(Some(stored)) => {
                    opened += 1;
                    older += usize::from(stored.by_first);
                }
                Ok(None) => {}
                Err(error) => health.ill.push(error),
            }
        }
        let open = if opened == 1 {
            "entry opens"
        } else {
            "entries open"
        };
        let counted = format!("{opened} stored {open} with the key");
        health.well.push(counted);
        if older > 0 {
            health.older.push(format!(
                "{older} of them are in the format of 0.1, and stay in it until the next docker login for their registry"
            ));
        }
        for path in shadowed_files(&dir)? {
            // A file that does not open names no registry, so it doesn't matter whether it is used.
            if let Ok(Some(stored)) = self.opens(&path, &key) {
                let shadowed = Error::from(FileStoreError::Shadowed);
                health.shadowed.push(shadowed.about(&stored.server));
            }
        }
        Ok(health)
    }

    /// Opens a file; `None` for a note, or if the file has disappeared.
    fn opens(&self, path: &Path, key: &SealKey) -> Result<Option<Stored>, Error> {
        let Some(bytes) = read(path)? else {
            return Ok(None);
        };
        let entry = self.opened(path, Entry::parse(file_name(path), &bytes))?;
        let server = self.opened(path, entry.about(key, &self.workspace))?.server;
        entry
            .secret(key, &self.workspace)
            .map_err(|unopened| self.unopened(unopened).about(&server))?;
        let by_first = entry.is_first();
        Ok((!notes::is_note(&server)).then_some(Stored { server, by_first }))
    }
}

/// A credential that opens.
struct Stored {
    server: String,
    /// Whether it is in the format of 0.1.
    by_first: bool,
}
