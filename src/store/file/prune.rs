//! Removes secrets whose `--ttl` is over. A newly stored secret must not be removed by mistake: a file is removed only
//! if it is unchanged, under the lock that excludes other writers.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::dir::{self, file_name, read};
use super::entry::{self, Entry};
use super::{FileStore, notes};
use crate::error::Error;
use crate::seal::SealKey;

impl FileStore {
    /// Removes expired secrets and returns their hosts. Entries whose expiry can't be read are passed to `skipped`.
    pub(in crate::store) fn prune(
        &self,
        now: SystemTime,
        skipped: &mut dyn FnMut(&Error),
    ) -> Result<Vec<String>, Error> {
        let mut pruned = Vec::new();
        let Some((dir, files, key)) = self.sealed()? else {
            return Ok(pruned);
        };
        for path in files {
            match self.prune_file(&dir, &path, &key, now) {
                Ok(host) => pruned.extend(host),
                Err(error) => skipped(&error),
            }
        }
        pruned.sort();
        Ok(pruned)
    }

    /// Removes the secret in this file, or of this note of 0.1, if it has expired; returns its host.
    fn prune_file(
        &self,
        dir: &Path,
        path: &Path,
        key: &SealKey,
        now: SystemTime,
    ) -> Result<Option<String>, Error> {
        let Some(bytes) = read(path)? else {
            return Ok(None);
        };
        let is_over = |end: SystemTime| end <= now;
        let entry = self.opened(path, Entry::parse(file_name(path), &bytes))?;
        let about = self.opened(path, entry.about(key, &self.workspace))?;
        if about.expires_at.is_some_and(is_over) {
            let _held = dir::lock(dir)?;
            if read(path)?.as_ref() != Some(&bytes) {
                return Ok(None);
            }
            dir::remove(dir, &about.server)?;
            return Ok(Some(about.server));
        }
        let Some(server) = notes::ended_by(&about.server) else {
            return Ok(None);
        };
        let text = self.opened(path, entry.secret(key, &self.workspace))?;
        let end = text
            .parse()
            .ok()
            .and_then(|end| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(end)));
        if !end.is_some_and(is_over) {
            return Ok(None);
        }
        let secret = dir.join(entry::first_file_name(server));
        let looked_at = read(&secret)?;
        let _held = dir::lock(dir)?;
        let is_superseded = read(&dir.join(entry::file_name(server)))?.is_some();
        if is_superseded || read(&secret)? != looked_at || read(path)?.as_ref() != Some(&bytes) {
            return Ok(None);
        }
        dir::remove(dir, server)?;
        Ok(looked_at.map(|_| server.to_owned()))
    }
}
