//! Private directories and files: made so that nobody else can read them, refused when somebody else could.

use std::fmt;
use std::fs::{self, DirBuilder, File, FileTimes, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

/// Why a private place cannot be used: which one, and how to mend it.
#[derive(Debug)]
pub struct Fault {
    /// What is wrong, with the path.
    pub cause: String,
    /// The command or setting that mends it.
    pub fix: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.cause, self.fix)
    }
}

/// Who may read a private file besides its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Nobody.
    Owner,
    /// The group too: systemd gives a service its credentials with an access list, which shows as group bits.
    Group,
    /// Everybody, and it may be anybody's file: whoever named it (a mounted Kubernetes secret) answers for its readers.
    Anybody,
}

/// Makes a directory and what is missing above it, 0700 each, and checks it.
pub fn make_dir(path: &Path) -> Result<(), Fault> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        fault(
            path,
            format!("cannot be made ({})", error.kind()),
            "make its parent writable, or choose another place in the configuration",
        )
    })?;
    check_dir(path).map(|_| ())
}

/// Whether the directory is there; an error when others could have put something into it.
pub fn check_dir(path: &Path) -> Result<bool, Fault> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if is_absent(&error) => return Ok(false),
        Err(error) => return Err(unreadable(path, &error)),
    };
    if !metadata.is_dir() {
        return Err(fault(path, "is not a directory", "move it out of the way"));
    }
    check_owner(path, metadata.uid())?;
    if metadata.mode() & 0o022 != 0 {
        let cause = format!("can be written by others (mode {:04o})", metadata.mode() & 0o7777);
        return Err(fault(path, cause, &format!("chmod 700 {}", path.display())));
    }
    Ok(true)
}

/// Reads a file that only its owner may have touched; `None` when there is none.
pub fn read(path: &Path, readers: Readers, limit: u64) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
    // Without O_NONBLOCK, opening a named pipe that nobody writes to would never end.
    let nonblocking = OpenOptions::new().read(true).custom_flags(NONBLOCK).open(path);
    let file = match nonblocking {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(unreadable(path, &error)),
    };
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    if !metadata.is_file() {
        return Err(fault(path, "is not a plain file", "name a file"));
    }
    if readers != Readers::Anybody {
        check_owner(path, metadata.uid())?;
    }
    let forbidden = match readers {
        Readers::Owner => 0o077,
        Readers::Group => 0o027,
        Readers::Anybody => 0o002,
    };
    if metadata.mode() & forbidden != 0 {
        let cause = format!("is open to others (mode {:04o})", metadata.mode() & 0o7777);
        return Err(fault(path, cause, &format!("chmod 600 {}", path.display())));
    }
    read_bounded(path, file, metadata.len(), limit).map(Some)
}

fn read_bounded(path: &Path, file: File, size: u64, limit: u64) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(size.min(limit)).unwrap_or(0) + 1));
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > limit {
        return Err(fault(path, format!("is larger than {limit} bytes"), "it is not what belongs here: move it away"));
    }
    Ok(bytes)
}

/// Puts a whole file in place of the old one, or leaves the old one: written aside, synced, renamed, directory synced.
pub fn replace(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), Fault> {
    let (aside, file) = write_aside(dir, bytes)?;
    file.sync_all().map_err(|error| discard(&aside, unwritable(&aside, &error)))?;
    put(&aside, &dir.join(name))?;
    sync_dir(dir)
}

/// The same for what can be had again and proves itself whole when it is read, as what is sealed does: nothing waits for
/// the disk, and after a power failure it may be gone, or no longer open. It has its times from the moment it is there.
pub fn replace_unsynced(dir: &Path, name: &str, bytes: &[u8], times: Option<FileTimes>) -> Result<(), Fault> {
    let (aside, file) = write_aside(dir, bytes)?;
    times.map_or(Ok(()), |times| file.set_times(times)).map_err(|error| discard(&aside, unwritable(&aside, &error)))?;
    put(&aside, &dir.join(name))
}

fn put(aside: &Path, target: &Path) -> Result<(), Fault> {
    fs::rename(aside, target).map_err(|error| discard(aside, unwritable(target, &error)))
}

/// Puts a whole file where there is none, written first in the private `dir` of the same file system; `false` when
/// somebody else's stands there already, untouched.
pub fn create_new(dir: &Path, target: &Path, bytes: &[u8]) -> Result<bool, Fault> {
    let (aside, file) = write_aside(dir, bytes)?;
    file.sync_all().map_err(|error| discard(&aside, unwritable(&aside, &error)))?;
    // A hard link is made whole or not at all, and never over an existing name: O_EXCL for a file with its content.
    let linked = fs::hard_link(&aside, target);
    fs::remove_file(&aside).map_err(|error| unwritable(&aside, &error))?;
    match linked {
        Ok(()) => sync_dir(target.parent().unwrap_or(dir)).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(unwritable(target, &error)),
    }
}

/// Removes a file for good; `false` when there was none.
pub fn remove(dir: &Path, name: &str) -> Result<bool, Fault> {
    let target = dir.join(name);
    match fs::remove_file(&target) {
        Ok(()) => sync_dir(dir).map(|()| true),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(unwritable(&target, &error)),
    }
}

/// Writes a file under a name of its own in `dir/tmp`, so that a killed process leaves nothing among the real ones.
fn write_aside(dir: &Path, bytes: &[u8]) -> Result<(PathBuf, File), Fault> {
    let aside_dir = dir.join(ASIDE);
    make_dir(&aside_dir)?;
    sweep(&aside_dir);
    let mut random = [0; 8];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| fault(dir, "has no random bytes for a name", "try again"))?;
    let path = aside_dir.join(format!("{:016x}", u64::from_ne_bytes(random)));
    let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let mut file = open.map_err(|error| unwritable(&path, &error))?;
    file.write_all(bytes).map_err(|error| discard(&path, unwritable(&path, &error)))?;
    Ok((path, file))
}

/// Removes what killed processes left behind. Failing to is harmless: the next writer tries again.
fn sweep(aside_dir: &Path) {
    let Ok(entries) = fs::read_dir(aside_dir) else { return };
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

fn sync_dir(dir: &Path) -> Result<(), Fault> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| unwritable(dir, &error))
}

fn discard(aside: &Path, fault: Fault) -> Fault {
    _ = fs::remove_file(aside);
    fault
}

/// Whether it is this user's, or root's.
pub(crate) fn check_owner(path: &Path, owner: u32) -> Result<(), Fault> {
    let me = rustix::process::geteuid().as_raw();
    if owner == me || owner == 0 {
        return Ok(());
    }
    let cause = format!("belongs to uid {owner}, and this is uid {me}");
    Err(fault(path, cause, &format!("chown {me} {}, or choose another place in the configuration", path.display())))
}

/// Nothing there, for certain: no such file, or a file where a directory of the path would be.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn unreadable(path: &Path, error: &io::Error) -> Fault {
    fault(
        path,
        format!("cannot be read ({error})"),
        "give this user access to it, or choose another place in the configuration",
    )
}

fn unwritable(path: &Path, error: &io::Error) -> Fault {
    fault(
        path,
        format!("cannot be written ({error})"),
        "make room or make it writable, or choose another place in the configuration",
    )
}

fn fault(path: &Path, cause: impl fmt::Display, fix: &str) -> Fault {
    Fault { cause: format!("{} {cause}", path.display()), fix: fix.to_owned() }
}

const NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
const ASIDE: &str = "tmp";
const STALE: Duration = Duration::from_mins(10);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

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
        assert_eq!((mode(&dir), mode(&scratch.path().join("a")), mode(&dir.join("file"))), (0o700, 0o700, 0o600));
        assert_eq!(read(&dir.join("file"), Readers::Owner, 99).unwrap().unwrap().as_slice(), b"two");
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
    fn what_others_could_have_touched_is_refused_by_name_with_the_remedy() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("key");
        fs::write(&file, b"x").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let text = read(&file, Readers::Owner, 99).unwrap_err().to_string();
        assert_eq!(text, format!("{0} is open to others (mode 0640); chmod 600 {0}", file.display()));
        assert!(read(&file, Readers::Group, 99).unwrap().is_some());
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let text = check_dir(scratch.path()).unwrap_err().to_string();
        assert_eq!(text, format!("{0} can be written by others (mode 0777); chmod 700 {0}", scratch.path().display()));
    }

    #[test]
    fn leftovers_of_killed_writers_are_swept_when_they_are_old() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("d");
        make_dir(&dir.join(ASIDE)).unwrap();
        let (old, young) = (dir.join(ASIDE).join("old"), dir.join(ASIDE).join("young"));
        fs::write(&young, b"").unwrap();
        fs::write(&old, b"").unwrap();
        File::options().write(true).open(&old).unwrap().set_modified(SystemTime::now() - STALE * 2).unwrap();
        replace(&dir, "file", b"x").unwrap();
        assert!(young.exists() && !old.exists());
    }

    #[test]
    fn a_named_pipe_is_no_file_and_nobody_waits_for_it() {
        let scratch = tempfile::tempdir().unwrap();
        let pipe = scratch.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
        let text = read(&pipe, Readers::Owner, 99).unwrap_err().to_string();
        assert_eq!(text, format!("{} is not a plain file; name a file", pipe.display()));
    }
}
