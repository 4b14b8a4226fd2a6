//! The directory of one workspace: its sealed files, and the lock for writers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::entry::{self, first_file_name};
use super::errors::FileStoreError;
use super::{notes, problem};
use crate::error::Error;
use crate::lock::Lock;
use crate::private;
use crate::seal::sha256_hex;
use crate::trusted::{self, MAX_TEXT, Readers};

/// The current sealed files of a workspace, including notes, by name.
pub(super) fn sealed_files(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut newest = BTreeMap::new();
    for path in paths_in(dir)? {
        if let Some((stem, version)) = entry::stem_and_version(file_name(&path)) {
            let known = newest
                .entry(stem.to_owned())
                .or_insert((version, path.clone()));
            if known.0 < version {
                *known = (version, path);
            }
        }
    }
    Ok(newest.into_values().map(|(_, path)| path).collect())
}

/// The files that 0.1 wrote after the current ones.
pub(super) fn shadowed_files(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let modified = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    let mut paths = paths_in(dir)?;
    paths.retain(|path| {
        let newer = entry::name_after_first(file_name(path));
        let newer = newer.and_then(|name| modified(&dir.join(name)));
        newer.is_some_and(|newer| modified(path) > Some(newer))
    });
    paths.sort();
    Ok(paths)
}

/// Reads an entry's file. Fails if its name shows that a newer version wrote it.
pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    if entry::has_newer_name(file_name(path)) {
        return Err(FileStoreError::Newer.into());
    }
    trusted::read_inside(path, Readers::Owner, MAX_ENTRY).map_err(problem)
}

/// Fails if a file in the next format exists for this server.
pub(super) fn check_next(dir: &Path, server: &str) -> Result<(), Error> {
    if trusted::exists(&dir.join(entry::next_file_name(server))).map_err(problem)? {
        return Err(FileStoreError::Newer.into());
    }
    Ok(())
}

/// Fails if a file in any newer format exists for this server.
pub(super) fn check_newer(dir: &Path, server: &str) -> Result<(), Error> {
    let own = entry::file_name(server);
    let own = entry::stem_and_version(&own).map(|(stem, _)| stem);
    let is_newer = |path: &PathBuf| {
        let name = file_name(path);
        entry::has_newer_name(name) && entry::stem_and_version(name).map(|(stem, _)| stem) == own
    };
    if paths_in(dir)?.iter().any(is_newer) {
        return Err(FileStoreError::Newer.into());
    }
    Ok(())
}

/// Fails if replacing this server's entry would lose one that a newer version wrote, under any name.
pub(super) fn check_replaceable(dir: &Path, server: &str) -> Result<(), Error> {
    check_newer(dir, server)?;
    for name in [entry::file_name(server), first_file_name(server)] {
        // An unreadable file may be replaced or erased, like any other that does not open.
        let bytes = trusted::read_inside(&dir.join(name), Readers::Owner, MAX_ENTRY);
        if matches!(bytes, Ok(Some(bytes)) if entry::has_newer_header(&bytes)) {
            return Err(FileStoreError::Newer.into());
        }
    }
    Ok(())
}

/// The name of a workspace's directory. The id may be any text, so its hash is used.
pub(super) fn name(workspace: &str) -> String {
    sha256_hex(workspace)[..32].to_owned()
}

/// Records the workspace's name in its directory.
pub(super) fn note_workspace(dir: &Path, workspace: &str) -> Result<(), Error> {
    if trusted::exists(&dir.join(WORKSPACE)).map_err(problem)? {
        return Ok(());
    }
    private::replace(dir, WORKSPACE, workspace.as_bytes()).map_err(problem)
}

/// The workspace that a directory belongs to; `None` if it is not recorded or the record is wrong.
pub(super) fn workspace(dir: &Path) -> Option<String> {
    let note = trusted::read_inside(&dir.join(WORKSPACE), Readers::Owner, MAX_TEXT).ok()??;
    let text = std::str::from_utf8(&note).ok()?;
    (name(text) == file_name(dir)).then(|| text.to_owned())
}

/// The directories of other workspaces.
pub(super) fn others(root: &Path, own: &Path) -> Vec<PathBuf> {
    let mut dirs = paths_in(root).unwrap_or_default();
    dirs.retain(|dir| dir != own && dir.is_dir());
    dirs.sort();
    dirs
}

/// Whether any workspace below this directory has an entry.
pub(super) fn has_entries(root: &Path) -> Result<bool, Error> {
    for dir in paths_in(root)? {
        let is_entry = |path: &PathBuf| entry::stem_and_version(file_name(path)).is_some();
        match paths_in(&dir) {
            Ok(files) if files.iter().any(is_entry) => return Ok(true),
            Ok(_) => {}
            Err(FileStoreError::Unreadable { error, .. }) if trusted::is_absent(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}

/// Removes a server's files. The current one goes last, so that no older one takes its place.
pub(super) fn remove(dir: &Path, server: &str) -> Result<(), Error> {
    remove_first(dir, server)?;
    private::remove(dir, &entry::file_name(server))
        .map(|_| ())
        .map_err(problem)
}

/// Removes a server's files of 0.1.
pub(super) fn remove_first(dir: &Path, server: &str) -> Result<(), Error> {
    for old in [server, &notes::expiry_note(server)] {
        private::remove(dir, &first_file_name(old)).map_err(problem)?;
    }
    Ok(())
}

/// Takes the lock for storing and pruning. Erasing needs no lock.
pub(super) fn lock(dir: &Path) -> Result<Lock, Error> {
    let lock = dir.join(LOCK);
    Lock::acquire(&lock, Instant::now() + PATIENCE)
        .map_err(|error| FileStoreError::Unwritable { lock, error })?
        .ok_or_else(|| FileStoreError::Busy.into())
}

pub(super) fn file_name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

fn paths_in(dir: &Path) -> Result<Vec<PathBuf>, FileStoreError> {
    let files = fs::read_dir(dir)
        .and_then(|files| files.map(|file| file.map(|file| file.path())).collect());
    files.map_err(|error| FileStoreError::Unreadable {
        dir: dir.to_owned(),
        error,
    })
}

const MAX_ENTRY: u64 = 8 << 20;
const LOCK: &str = "lock";
/// The file with the workspace's name.
const WORKSPACE: &str = "workspace";
/// The lock's holder writes only one file, which is quick even on a slow disk.
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_cannot_be_read_is_not_a_damaged_entry() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(
            sealed_files(&file).unwrap_err().to_string(),
            format!(
                "file store: {} cannot be read (Not a directory (os error 20)); give this user access to it",
                file.display()
            )
        );
    }
}
