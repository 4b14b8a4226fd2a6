//! Lists the entries, and other workspaces that have one for a registry.

use std::path::Path;

use super::errors::FileStoreError;
use super::{FileStore, dir, entry, notes};
use crate::error::Error;
use crate::host::{Host, ServerUrl};
use crate::seal::SealKey;
use crate::store::{Listed, Username};
use crate::trusted;

impl FileStore {
    /// Lists the entries whose server URLs are wanted. Entries that can't be read are passed to `skipped`.
    pub fn list(
        &self,
        wanted: impl Fn(&ServerUrl) -> bool,
        skipped: &mut dyn FnMut(&Error),
    ) -> Result<Vec<Listed>, Error> {
        let mut listed = Vec::new();
        let Some((_, files, key)) = self.sealed()? else {
            return Ok(listed);
        };
        for path in files {
            match self.listed(&path, &key) {
                Ok(Some(line)) if wanted(&line.url) => listed.push(line),
                Ok(_) => {}
                Err(error) => skipped(&error),
            }
        }
        listed.sort_by(|a: &Listed, b| a.url.label().cmp(b.url.label()));
        Ok(listed)
    }

    /// The other workspaces in this store with an entry for this registry; `None` for those without a recorded name.
    pub(crate) fn elsewhere(&self, host: &Host) -> Vec<Option<String>> {
        let (Some(root), Some(own)) = (&self.root, self.dir()) else {
            return Vec::new();
        };
        // This is only a hint, so unreadable directories are skipped.
        let mut dirs = match trusted::directory(root) {
            Ok(true) => dir::others(root, &own),
            _ => Vec::new(),
        };
        let server = host.as_str();
        let names = [entry::file_name(server), entry::first_file_name(server)];
        let is_there = |path: &Path| trusted::exists(path).unwrap_or(false);
        dirs.retain(|dir| names.iter().any(|name| is_there(&dir.join(name))));
        dirs.iter().map(|dir| dir::workspace(dir)).collect()
    }

    /// A line of the list; `None` for a note, or if the file has disappeared.
    fn listed(&self, path: &Path, key: &SealKey) -> Result<Option<Listed>, Error> {
        let about = self.about(path, key)?;
        let Some(about) = about.filter(|about| !notes::is_note(&about.server)) else {
            return Ok(None);
        };
        let url = ServerUrl::parse(about.server.as_bytes()).map_err(|error| {
            Error::from(FileStoreError::Damaged(error.to_string())).about(&about.server)
        })?;
        Ok(Some(Listed {
            url,
            username: Username::Recorded(about.username),
        }))
    }
}
