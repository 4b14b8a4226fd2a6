//! Opens every file that controls this program or contains a secret.
//!
//! Anyone who can change such a file decides where secrets go, and anyone who can replace a directory above it can
//! change it. The whole path is therefore checked, link by link and directory by directory, down from `/`:
//!
//! - The file is a plain file of a plausible size, and opening it never blocks.
//! - It and every directory above it belong to this user or to root, and nobody else can write to them. In a sticky
//!   directory such as `/tmp`, the next name must be ours or root's.
//! - A group may write if it is the owner's private group, or if a directory of mode 0700 keeps all other users out.
//! - A path that the operator named may be in an open directory inside a closed one, and any path may be in a mount of
//!   its own, such as a Kubernetes emptyDir. Both give a warning.
//! - In a user namespace without the host's root, such as rootless podman's, directories and system files without an
//!   owner in the namespace count as root's.
//!
//! A directory is checked once per thread, until the thread forgets it.

mod error;
mod judge;
mod locate;
mod session;
#[cfg(test)]
mod tests;
mod users;
mod walk;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, Stat, Timespec, Timestamps, fstat, openat, statat, utimensat,
};
use rustix::io::Errno;
use zeroize::Zeroizing;

pub use self::error::FileError;
use self::error::{not_a_directory, not_plain, too_large, unreadable};
pub(crate) use self::judge::ACL;
use self::judge::{Way, admit, judge_file};
use self::locate::{Found, absolute, open, walk};
pub use self::session::{forget, forget_directories, set_home, take_warnings};
pub use self::users::{account_home, homes};
pub(crate) use self::walk::{DIRECTORY, Step, WAY, Walk};

/// Who chose a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// This program: below the home directory, in a directory whose name begins with a dot.
    Standard,
    /// The operator, by a variable or a setting.
    Named,
    /// This program, for the whole system: the path is compiled in.
    System,
}

impl Origin {
    fn of(path: &Path) -> Self {
        if session::is_standard(path) {
            Self::Standard
        } else {
            Self::Named
        }
    }
}

/// Who may read a file, in addition to its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Nobody: the file contains a long-lived secret of ours.
    Owner,
    /// The group, although the file contains a secret: systemd sets an access list on a service's credentials, which
    /// shows as group bits.
    Group,
    /// The group; if root owns the file, everybody, with a warning: Kubernetes mounts tokens like that.
    Token,
    /// Everybody, although the file contains a secret: whoever mounted it is responsible for its readers.
    Mounted,
    /// Everybody: the file controls the program but contains no secret.
    Anybody,
}

/// Reads a file of at most `limit` bytes, after checking it and its path; `None` if it does not exist.
pub fn read(
    path: &Path,
    readers: Readers,
    limit: u64,
) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
    read_of(path, Origin::of(path), readers, limit)
}

/// The same for a system file, whose path is compiled in.
pub fn read_system(
    path: &Path,
    readers: Readers,
    limit: u64,
) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
    read_of(path, Origin::System, readers, limit)
}

/// Either of the two functions above.
pub type Reader = fn(&Path, Readers, u64) -> Result<Option<Zeroizing<Vec<u8>>>, FileError>;

fn read_of(
    path: &Path,
    origin: Origin,
    readers: Readers,
    limit: u64,
) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
    let Some((file, real, stat)) = opened(path, origin, readers)? else {
        return Ok(None);
    };
    read_bounded(&real, file, &stat, limit).map(Some)
}

/// Opens a file and checks it and its path; also returns its real path. `/dev/null` stands for an empty file.
fn opened(
    path: &Path,
    origin: Origin,
    readers: Readers,
) -> Result<Option<(OwnedFd, PathBuf, Stat)>, FileError> {
    let Some((file, real, way)) = open(path, origin)? else {
        return Ok(None);
    };
    let stat = fstat(&file).map_err(|error| unreadable(&real, error, None))?;
    if !judge::is_null(&stat) {
        judge_file(&real, &file, &stat, &way, origin, readers)?;
        admit(path, &way, origin)?;
    }
    Ok(Some((file, real, stat)))
}

/// Reads a file in a directory that has already been checked; `None` if it does not exist.
pub fn read_inside(
    path: &Path,
    readers: Readers,
    limit: u64,
) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
    let file = match openat(CWD, path, FILE, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(Errno::LOOP | Errno::NXIO) => return Err(not_plain(path)),
        Err(error) => return Err(unreadable(path, error, None)),
    };
    let stat = fstat(&file).map_err(|error| unreadable(path, error, None))?;
    judge_file(path, &file, &stat, &Way::default(), Origin::Named, readers)?;
    read_bounded(path, file, &stat, limit).map(Some)
}

/// Decodes the content of a controlling file as UTF-8.
pub fn text_of(path: &Path, mut bytes: Zeroizing<Vec<u8>>) -> Result<Zeroizing<String>, FileError> {
    String::from_utf8(std::mem::take(&mut *bytes))
        .map(Zeroizing::new)
        .map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            FileError::new(path, "is not UTF-8", "correct the file")
        })
}

/// Checks a file that another program will read, and its path; returns whether it exists.
pub fn check(path: &Path, readers: Readers) -> Result<bool, FileError> {
    Ok(opened(path, Origin::of(path), readers)?.is_some())
}

/// Checks a private directory and its path; returns whether it exists.
pub fn directory(path: &Path) -> Result<bool, FileError> {
    let origin = Origin::of(path);
    let absolute = absolute(path)?;
    let is_own = |way: &Way| {
        statat(CWD, &*absolute, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|now| way.is_own(&now))
    };
    if let Some(way) = session::known(&absolute).filter(is_own) {
        return admit(path, &way, origin).map(|()| true);
    }
    match walk(&absolute, |_, _| Ok(None), true)? {
        Found::Directory(way) => admit(path, &way, origin).map(|()| true),
        Found::Nothing(way) => admit(path, &way, origin).map(|()| false),
        Found::File(..) | Found::Other => Err(not_a_directory(path)),
    }
}

/// Whether the operator named this path, as opposed to a default below the home directory.
pub fn is_named(path: &Path) -> bool {
    Origin::of(path) == Origin::Named
}

/// Whether something exists at this path. Fails if that can't be determined.
pub fn exists(path: &Path) -> Result<bool, FileError> {
    match statat(CWD, path, AtFlags::empty()) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(false),
        Err(error) => Err(unreadable(path, error, None)),
    }
}

/// Sets a file's access and modification times without opening it.
pub fn set_times(path: &Path, used: SystemTime, changed: SystemTime) -> io::Result<()> {
    let time = |time: SystemTime| {
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        let since = since.unwrap_or_default();
        Timespec {
            tv_sec: since.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: since.subsec_nanos().into(),
        }
    };
    let times = Timestamps {
        last_access: time(used),
        last_modification: time(changed),
    };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// The owner of the file at this path, if that is neither this user nor root.
pub fn foreign_owner(path: &Path) -> Option<u32> {
    let owner = statat(CWD, path, AtFlags::empty()).ok()?.st_uid;
    (!judge::is_ours(owner) && users::unmapped_root() != Some(owner)).then_some(owner)
}

/// Fails unless the owner is this user or root.
pub fn check_owner(path: &Path, owner: u32) -> Result<(), FileError> {
    if judge::is_ours(owner) {
        Ok(())
    } else {
        Err(error::foreign(path, path, owner))
    }
}

/// Whether the error means that certainly nothing is there: no such file, or a file in place of a directory.
pub fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn read_bounded(
    path: &Path,
    file: OwnedFd,
    stat: &Stat,
    limit: u64,
) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let size = u64::try_from(stat.st_size).unwrap_or_default().min(limit);
    let room = usize::try_from(size).unwrap_or_default() + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    let read = File::from(file).take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|error| {
        let error = Errno::from_io_error(&error).unwrap_or(Errno::IO);
        unreadable(path, error, None)
    })?;
    if bytes.len() as u64 > limit {
        Err(too_large(path, limit))
    } else {
        Ok(bytes)
    }
}

/// Without `O_NONBLOCK`, opening a named pipe without a writer would block forever.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// In bytes. Controlling files are a few kilobytes.
pub const MAX_TEXT: u64 = 1 << 20;
