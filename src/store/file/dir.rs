//! The directory of one workspace: its sealed files, and the lock of those who write them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io};

use super::entry::{self, first_file_name};
use super::{PART, notes, problem};
use crate::error::{Error, Problem};
use crate::lock::Lock;
use crate::private;
use crate::seal::sha256_hex;
use crate::trusted::{self, FileError, MAX_TEXT, Readers};

/// The sealed files of a workspace that count, notes among them, in no order.
pub(super) fn sealed_files(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = paths_in(dir).map_err(|error| unreadable(dir, &error))?;
    files.retain(|path| entry::is_sealed(file_name(path)));
    let names: BTreeSet<String> = files
        .iter()
        .map(|path| file_name(path).to_owned())
        .collect();
    files.retain(|path| {
        entry::successor(file_name(path)).is_none_or(|newer| !names.contains(&newer))
    });
    Ok(files)
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
    for dir in paths_in(root).map_err(|error| unreadable(root, &error))? {
        match paths_in(&dir) {
            Ok(files) if files.iter().any(|path| entry::is_sealed(file_name(path))) => {
                return Ok(true);
            }
            Ok(_) => {}
            Err(error) if trusted::is_absent(&error) => {}
            Err(error) => return Err(unreadable(&dir, &error)),
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
    let path = dir.join(LOCK);
    let lock = Lock::acquire(&path, Instant::now() + PATIENCE).map_err(|error| {
        problem(FileError::new(
            &path,
            format_args!("cannot be written ({error})"),
            "make room or make it writable, or choose another place in the configuration",
        ))
    })?;
    lock.ok_or_else(|| {
        Problem::new(PART, "another process is writing and has not finished")
            .fix("try again")
            .failed()
    })
}

pub(super) fn file_name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

fn paths_in(dir: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(dir)?
        .map(|file| file.map(|file| file.path()))
        .collect()
}

fn unreadable(dir: &Path, error: &io::Error) -> Error {
    problem(FileError::new(
        dir,
        format_args!("cannot be read ({error})"),
        "give this user access to it",
    ))
}

const LOCK: &str = "lock";
/// The file that says which workspace a directory is for.
const WORKSPACE: &str = "workspace";
/// Whoever holds the lock writes one file, which takes a slow disk a moment.
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_cannot_be_read_is_no_damaged_entry() {
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
