//! Whether everything that is kept opens.

use std::path::Path;

use super::dir::{file_name, read, sealed_files};
use super::entry::Entry;
use super::{FileStore, notes};
use crate::error::Error;
use crate::seal::SealKey;
use crate::store::Health;

impl FileStore {
    /// Opens every entry, both parts of it.
    pub(in crate::store) fn examine(&self) -> Result<Health, Error> {
        let mut files = self
            .checked_dir()?
            .map_or(Ok(Vec::new()), |dir| sealed_files(&dir))?;
        files.sort();
        let mut health = Health::default();
        if files.is_empty() {
            health.well.push("nothing is stored yet".to_owned());
            return Ok(health);
        }
        let key = self.existing_key()?;
        let mut opened = 0;
        for path in files {
            match self.opens(&path, &key) {
                Ok(counts) => opened += usize::from(counts),
                Err(error) => health.ill.push(error),
            }
        }
        let entries = if opened == 1 {
            "entry opens"
        } else {
            "entries open"
        };
        health
            .well
            .push(format!("{opened} stored {entries} with the key"));
        Ok(health)
    }

    /// Whether it is a credential that opens; `false` for a note, and for what has gone in the meantime.
    fn opens(&self, path: &Path, key: &SealKey) -> Result<bool, Error> {
        let Some(bytes) = read(path)? else {
            return Ok(false);
        };
        let entry = self.opened(path, Entry::parse(file_name(path), &bytes))?;
        let server = self.opened(path, entry.about(key, &self.workspace))?.server;
        entry
            .secret(key, &self.workspace)
            .map_err(|unopened| self.unopened(unopened).about(&server))?;
        Ok(!notes::is_note(&server))
    }
}
