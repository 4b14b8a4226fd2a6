//! Whether everything that is kept opens.

use std::fs;
use std::path::{Path, PathBuf};

use super::entry::Entry;
use super::{EXTENSION, FileStore, MAX_ENTRY, damaged, notes, problem};
use crate::error::Error;
use crate::private::{self, Readers};
use crate::seal::SealKey;
use crate::store::Health;

impl FileStore {
    /// Opens every entry, both parts of it.
    pub(in crate::store) fn examine(&self) -> Result<Health, Error> {
        let files = self.checked_dir()?.map_or(Ok(Vec::new()), |dir| sealed_files(&dir))?;
        let mut health = Health::default();
        if files.is_empty() {
            health.well.push("nothing is stored yet".to_owned());
            return Ok(health);
        }
        let key = self.key.existing().map_err(problem)?;
        let mut opened = 0;
        for path in files {
            match self.opens(&path, &key) {
                Ok(counts) => opened += usize::from(counts),
                Err(error) => health.ill.push(error),
            }
        }
        let entries = if opened == 1 { "entry opens" } else { "entries open" };
        health.well.push(format!("{opened} stored {entries} with the key"));
        Ok(health)
    }

    /// Whether it is a credential that opens; `false` for a note, and for what has gone in the meantime.
    fn opens(&self, path: &Path, key: &SealKey) -> Result<bool, Error> {
        let Some(bytes) = private::read(path, Readers::Owner, MAX_ENTRY).map_err(problem)? else { return Ok(false) };
        let entry = Entry::parse(&bytes).map_err(|error| damaged(error).about(&path.display().to_string()))?;
        let both = entry.open_username(key, &self.workspace).and_then(|_| entry.open_secret(key, &self.workspace));
        both.map_err(|error| damaged(&error).about(&entry.server))?;
        Ok(!notes::is_note(&entry.server))
    }
}

fn sealed_files(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let unreadable = |error: std::io::Error| damaged(&format!("{} cannot be read ({error})", dir.display()));
    let mut files = Vec::new();
    for file in fs::read_dir(dir).map_err(unreadable)? {
        let path = file.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
