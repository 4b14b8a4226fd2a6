//! The directory of one workspace: its sealed files, and the lock of those who write them.

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

/// The sealed files of a workspace that count, notes among them, in no order.
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

/// The files of 0.1 that were written after the ones that count.
pub(super) fn shadowed_files(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let modified = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    let mut paths = paths_in(dir)?;
    paths.retain(|path| {
        let newer = entry::name_after_first(file_name(path));
        let newer = newer.and_then(|name| modified(&dir.join(name)));
        newer.is_some_and(|newer| modified(path) > Some(newer))
    });
    Ok(paths)
}

/// What is in an entry's file, unless its name says that a newer version of this program wrote it.
pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    if entry::has_newer_name(file_name(path)) {
        return Err(FileStoreError::Newer.into());
    }
    trusted::read_inside(path, Readers::Owner, MAX_ENTRY).map_err(problem)
}

/// Refuses what stands in the shadow of the next format's file.
pub(super) fn check_next(dir: &Path, server: &str) -> Result<(), Error> {
    if trusted::exists(&dir.join(entry::next_file_name(server))).map_err(problem)? {
        return Err(FileStoreError::Newer.into());
    }
    Ok(())
}

/// Refuses a server of which there is a file of any newer format.
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

/// Refuses to lose what a newer version of this program has written of a server, under whichever name.
pub(super) fn check_replaceable(dir: &Path, server: &str) -> Result<(), Error> {
    check_newer(dir, server)?;
    for name in [entry::file_name(server), first_file_name(server)] {
        // What cannot be read at all is replaced or erased as anything else that does not open.
        let bytes = trusted::read_inside(&dir.join(name), Readers::Owner, MAX_ENTRY);
        if matches!(bytes, Ok(Some(bytes)) if entry::has_newer_header(&bytes)) {
            return Err(FileStoreError::Newer.into());
        }
    }
    Ok(())
}

/// What a workspace's directory is called. Its id may be any text; the hash is a file name that no other id has.
pub(super) fn name(workspace: &str) -> String {
    sha256_hex(workspace)[..32].to_owned()
}

/// Notes in a workspace's directory which one it is.
pub(super) fn note_workspace(dir: &Path, workspace: &str) -> Result<(), Error> {
    if trusted::exists(&dir.join(WORKSPACE)).map_err(problem)? {
        return Ok(());
    }
    private::replace(dir, WORKSPACE, workspace.as_bytes()).map_err(problem)
}

/// The workspace that a directory is for; `None` where that is not noted, or the note is not true.
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

/// Removes what there is of a server. What counts goes last, so that nothing older takes its place.
pub(super) fn remove(dir: &Path, server: &str) -> Result<(), Error> {
    remove_first(dir, server)?;
    private::remove(dir, &entry::file_name(server))
        .map(|_| ())
        .map_err(problem)
}

/// Removes what 0.1 has written of a server.
pub(super) fn remove_first(dir: &Path, server: &str) -> Result<(), Error> {
    for old in [
        first_file_name(server),
        first_file_name(&notes::expiry_note(server)),
    ] {
        private::remove(dir, &old).map_err(problem)?;
    }
    Ok(())
}

/// Keeps all others out who store or prune, for as long as it is held. Erasing needs no lock.
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
/// The file that says which workspace a directory is for.
const WORKSPACE: &str = "workspace";
/// Anyone who holds the lock writes one file, which takes a slow disk a moment.
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
