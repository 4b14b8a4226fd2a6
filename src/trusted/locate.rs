//! Resolves a path, checking every directory and link on the way.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, fstat, openat, statat};
use rustix::io::Errno;

use super::error::{FileError, circle, foreign, not_plain, unreadable};
use super::judge::{Way, is_ours, judge_directory, plain_directory};
use super::walk::{Step, Walk};
use super::{FILE, Origin, exists, session};

/// What a path leads to.
pub(super) enum Found {
    /// The opened file, its real path and its directory's state.
    File(OwnedFd, PathBuf, Way),
    Directory(Way),
    /// Something that `open` refuses.
    Other,
    /// Nothing, in this directory.
    Nothing(Way),
}

/// Opens a path, and returns its real path and directory too; `None` if it does not exist.
pub(super) fn open(
    path: &Path,
    origin: Origin,
) -> Result<Option<(OwnedFd, PathBuf, Way)>, FileError> {
    // If the system's file is missing, as it usually is, nothing needs to be checked: whoever can write to /etc does
    // not need our configuration.
    if origin == Origin::System && !exists(path)? {
        return Ok(None);
    }
    let path = absolute(path)?;
    let above = match parent(&path).map(|above| descend(above, false)) {
        Some(Plain::Nothing(_)) => return Ok(None),
        Some(Plain::Directory(way)) => Some(way),
        _ => None,
    };
    if let Some(way) = above {
        match openat(CWD, &*path, FILE, Mode::empty()) {
            Ok(file) => return Ok(Some((file, path.into_owned(), way))),
            Err(Errno::NOENT) => return Ok(None),
            // The walk will follow a link or report the fault.
            Err(_) => {}
        }
    }
    let file = |dir: &OwnedFd, name: &OsStr| match openat(dir, name, FILE, Mode::empty()) {
        Err(Errno::LOOP) => Ok(None),
        opened => opened.map(Some),
    };
    match walk(&path, file, false)? {
        Found::File(file, path, way) => Ok(Some((file, path, way))),
        Found::Nothing(_) => Ok(None),
        Found::Directory(_) | Found::Other => Err(not_plain(&path)),
    }
}

/// The result of a path without links.
enum Plain {
    Directory(Way),
    /// Nothing, in this directory.
    Nothing(Way),
    /// Something on the way needs the full walk.
    Other,
}

/// Checks the directories of a path by name, as long as they are ordinary. Whoever could replace one meanwhile can also
/// write to the directory above, for which that was already checked.
fn descend(path: &Path, own: bool) -> Plain {
    let bytes = path.as_os_str().as_bytes();
    let at = |end: usize| Path::new(OsStr::from_bytes(&bytes[..end]));
    // Starts at the deepest directory already checked.
    let mut end = bytes.len();
    let mut judged = session::known(path).filter(|_| !own);
    while judged.is_none() && end > 1 {
        let slash = bytes[..end].iter().rposition(|byte| *byte == b'/');
        end = slash.unwrap_or_default().max(1);
        judged = session::known(at(end));
    }
    let mut way = match judged.map_or_else(|| look(at(1), &Way::default(), false), Plain::Directory)
    {
        Plain::Directory(way) => way,
        other => return other,
    };
    while end < bytes.len() {
        let begin = if end == 1 { 1 } else { end + 1 };
        let length = bytes[begin..].iter().take_while(|byte| **byte != b'/');
        end = begin + length.count();
        if matches!(&bytes[begin..end], b"" | b"." | b"..") {
            return Plain::Other;
        }
        match look(at(end), &way, own && end == bytes.len()) {
            Plain::Directory(below) => way = below,
            other => return other,
        }
    }
    Plain::Directory(way)
}

fn look(path: &Path, above: &Way, last: bool) -> Plain {
    match statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Plain::Nothing(above.clone()),
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
            plain_directory(&stat, above, last).map_or(Plain::Other, |way| {
                session::know(path, &way);
                Plain::Directory(way)
            })
        }
        _ => Plain::Other,
    }
}

/// The textual parent of a path.
fn parent(path: &Path) -> Option<&Path> {
    let bytes = path.as_os_str().as_bytes();
    let slash = bytes.iter().rposition(|byte| *byte == b'/')?;
    let is_name = !matches!(&bytes[slash + 1..], b"" | b"." | b"..");
    is_name.then(|| Path::new(OsStr::from_bytes(&bytes[..slash.max(1)])))
}

/// Walks a path and checks every directory; `open` opens the last component. `own`: the path is a private directory of
/// ours.
pub(super) fn walk(
    path: &Path,
    open: impl Fn(&OwnedFd, &OsStr) -> Result<Option<OwnedFd>, Errno>,
    own: bool,
) -> Result<Found, FileError> {
    if own {
        match descend(path, own) {
            Plain::Directory(way) => return Ok(Found::Directory(way)),
            Plain::Nothing(way) => return Ok(Found::Nothing(way)),
            Plain::Other => {}
        }
    }
    let (mut walk, mut way) = start(path)?;
    while let Some(name) = walk.next() {
        let failed = |walk: &Walk, error| {
            let owner = statat(&walk.dir, &name, AtFlags::SYMLINK_NOFOLLOW)
                .ok()
                .map(|stat| stat.st_uid);
            unreadable(&walk.path.join(&name), error, owner)
        };
        if walk.is_over() && name != ".." {
            match open(&walk.dir, &name) {
                Ok(Some(file)) => return Ok(Found::File(file, walk.path.join(&name), way)),
                Ok(None) => {}
                Err(Errno::NOENT) => return Ok(Found::Nothing(way)),
                Err(Errno::NXIO) => return Ok(Found::Other),
                Err(error) => return Err(failed(&walk, error)),
            }
        }
        let here = way.is_shared().then(|| walk.path.join(&name));
        match walk.step(&name).map_err(|error| failed(&walk, error))? {
            Step::Down(stat) => {
                way = judge_directory(
                    path,
                    &walk.path,
                    &walk.dir,
                    &stat,
                    &way,
                    own && walk.is_over(),
                )?;
                session::know(&walk.path, &way);
            }
            Step::Up => way = session::known(&walk.path).map_or_else(|| top(path, &walk), Ok)?,
            Step::Link(stat) => {
                if let Some(link) = here.filter(|_| !is_ours(stat.st_uid)) {
                    return Err(foreign(path, &link, stat.st_uid));
                }
                if walk.path == Path::new("/") {
                    way = top(path, &walk)?;
                }
            }
            Step::End(Some(_)) if walk.is_over() => return Ok(Found::Other),
            // A file has nothing below it.
            Step::End(_) => return Ok(Found::Nothing(way)),
            Step::Circle => return Err(circle(path)),
        }
    }
    Ok(Found::Directory(way))
}

/// The deepest directory above a path that was already checked, else `/`.
fn start(path: &Path) -> Result<(Walk, Way), FileError> {
    let plain = !path.components().any(|name| name == Component::ParentDir);
    let root = Path::new("/");
    let judged = path
        .ancestors()
        .skip(1)
        .filter(|_| plain)
        .find_map(|above| Some((above, session::known(above)?)));
    if let Some((above, way)) = judged
        && let Ok(walk) = Walk::from(above, path.strip_prefix(above).unwrap_or(path))
    {
        return Ok((walk, way));
    }
    let walk = Walk::from(root, path).map_err(|error| unreadable(root, error, None))?;
    let way = top(path, &walk)?;
    Ok((walk, way))
}

/// The state of `/`.
fn top(asked: &Path, walk: &Walk) -> Result<Way, FileError> {
    let root = Path::new("/");
    if let Some(way) = session::known(root) {
        return Ok(way);
    }
    let stat = fstat(&walk.dir).map_err(|error| unreadable(root, error, None))?;
    let way = judge_directory(asked, root, &walk.dir, &stat, &Way::default(), false)?;
    session::know(root, &way);
    Ok(way)
}

pub(super) fn absolute(path: &Path) -> Result<Cow<'_, Path>, FileError> {
    if path.is_absolute() {
        return Ok(path.into());
    }
    std::path::absolute(path).map(Cow::Owned).map_err(|error| {
        let error = Errno::from_io_error(&error).unwrap_or(Errno::NOENT);
        unreadable(path, error, None)
    })
}
