//! Writes private directories and files, which nobody else can read. [`trusted`] reads them.

use std::fs::{self, DirBuilder, File, FileTimes, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::trusted::{self, FileError, is_absent};

/// Makes a directory and its missing parents, each with mode 0700. Fails, and makes nothing, if another user could
/// change it.
pub fn make_dir(path: &Path) -> Result<(), FileError> {
    if trusted::directory(path)? {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| {
            FileError::new(
                path,
                format_args!("cannot be made ({})", error.kind()),
                "make its parent writable, or choose another place in the configuration",
            )
        })?;
    trusted::directory(path).map(|_| ())
}

/// Replaces a file atomically: writes a temporary file, syncs it, renames it and syncs the directory.
pub fn replace(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), FileError> {
    let (aside, file) = write_aside(dir, bytes)?;
    file.sync_all()
        .map_err(|error| discard(&aside, unwritable(&aside, &error)))?;
    put(&aside, &dir.join(name))?;
    sync_dir(dir)
}

/// The same without syncing, for a file that can be recreated and whose damage is detected on reading, as for sealed
/// files. After a power failure, it may be missing or damaged. Its times are set before the rename.
pub fn replace_unsynced(
    dir: &Path,
    name: &str,
    bytes: &[u8],
    times: Option<FileTimes>,
) -> Result<(), FileError> {
    let (aside, file) = write_aside(dir, bytes)?;
    times
        .map_or(Ok(()), |times| file.set_times(times))
        .map_err(|error| discard(&aside, unwritable(&aside, &error)))?;
    put(&aside, &dir.join(name))
}

fn put(aside: &Path, target: &Path) -> Result<(), FileError> {
    fs::rename(aside, target).map_err(|error| discard(aside, unwritable(target, &error)))
}

/// Creates a complete file at `target`, written first in the private `dir` on the same file system. Returns `false`,
/// and changes nothing, if `target` already exists.
pub fn create_new(dir: &Path, target: &Path, bytes: &[u8]) -> Result<bool, FileError> {
    let (aside, file) = write_aside(dir, bytes)?;
    file.sync_all()
        .map_err(|error| discard(&aside, unwritable(&aside, &error)))?;
    // A hard link appears atomically and never replaces an existing name: O_EXCL for a file with its content.
    let linked = fs::hard_link(&aside, target);
    fs::remove_file(&aside).map_err(|error| unwritable(&aside, &error))?;
    match linked {
        Ok(()) => sync_dir(target.parent().unwrap_or(dir)).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(unwritable(target, &error)),
    }
}

/// Removes a file durably; `false` if it did not exist.
pub fn remove(dir: &Path, name: &str) -> Result<bool, FileError> {
    let target = dir.join(name);
    match fs::remove_file(&target) {
        Ok(()) => sync_dir(dir).map(|()| true),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(unwritable(&target, &error)),
    }
}

/// Writes a file under a unique name in `dir/tmp`, so that a killed process leaves nothing among the real files.
fn write_aside(dir: &Path, bytes: &[u8]) -> Result<(PathBuf, File), FileError> {
    let aside_dir = dir.join(ASIDE);
    make_dir(&aside_dir)?;
    sweep(&aside_dir);
    let mut random = [0; 8];
    aws_lc_rs::rand::fill(&mut random)
        .map_err(|_| FileError::new(dir, "has no random bytes for a name", "try again"))?;
    let path = aside_dir.join(format!("{:016x}", u64::from_ne_bytes(random)));
    let open = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path);
    let mut file = open.map_err(|error| unwritable(&path, &error))?;
    file.write_all(bytes)
        .map_err(|error| discard(&path, unwritable(&path, &error)))?;
    Ok((path, file))
}

/// Removes temporary files of killed processes. If that fails, the next writer tries again.
fn sweep(aside_dir: &Path) {
    let Ok(entries) = fs::read_dir(aside_dir) else {
        return;
    };
    for entry in entries.flatten() {
        let age = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .map(|time| SystemTime::now().duration_since(time));
        if matches!(age, Ok(Ok(age)) if age > STALE) {
            _ = fs::remove_file(entry.path());
        }
    }
}

fn sync_dir(dir: &Path) -> Result<(), FileError> {
    let open = openat(CWD, dir, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(io::Error::from);
    open.and_then(|dir| File::from(dir).sync_all())
        .map_err(|error| unwritable(dir, &error))
}

fn discard(aside: &Path, fault: FileError) -> FileError {
    _ = fs::remove_file(aside);
    fault
}

fn unwritable(path: &Path, error: &io::Error) -> FileError {
    FileError::new(
        path,
        format_args!("cannot be written ({error})"),
        "make room or make it writable, or choose another place in the configuration",
    )
}

const ASIDE: &str = "tmp";
const STALE: Duration = Duration::from_mins(10);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;
    use crate::trusted::Readers;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn what_is_made_is_for_the_owner_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("a/b");
        make_dir(&dir).unwrap();
        replace(&dir, "file", b"one").unwrap();
        replace(&dir, "file", b"two").unwrap();
        assert_eq!(
            (
                mode(&dir),
                mode(&scratch.path().join("a")),
                mode(&dir.join("file"))
            ),
            (0o700, 0o700, 0o600)
        );
        assert_eq!(
            trusted::read_inside(&dir.join("file"), Readers::Owner, 99)
                .unwrap()
                .unwrap()
                .as_slice(),
            b"two"
        );
        assert_eq!(fs::read_dir(dir.join(ASIDE)).unwrap().count(), 0);
    }

    #[test]
    fn the_first_to_create_wins_and_the_second_changes_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let key = scratch.path().join("key");
        assert!(create_new(scratch.path(), &key, b"first").unwrap());
        assert!(!create_new(scratch.path(), &key, b"second").unwrap());
        assert_eq!(fs::read(key).unwrap(), b"first");
    }

    #[test]
    fn leftovers_of_killed_writers_are_swept_when_they_are_old() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("d");
        make_dir(&dir.join(ASIDE)).unwrap();
        let (old, young) = (dir.join(ASIDE).join("old"), dir.join(ASIDE).join("young"));
        fs::write(&young, b"").unwrap();
        fs::write(&old, b"").unwrap();
        File::options()
            .write(true)
            .open(&old)
            .unwrap()
            .set_modified(SystemTime::now() - STALE * 2)
            .unwrap();
        replace(&dir, "file", b"x").unwrap();
        assert!(young.exists() && !old.exists());
    }
}
