//! From a path to what it leads to, with every directory and every link on the way judged.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, fstat, openat, statat};
use rustix::io::Errno;

use super::judge::{Way, is_ours, judge_directory};
use super::refusal::{Fault, circle, foreign, not_plain, unreadable};
use super::walk::{Step, Walk};
use super::{FILE, Origin, exists, session};

/// What a path leads to.
pub(super) enum Found {
    /// What `open` made of it, where it really is.
    File(OwnedFd, PathBuf, Way),
    Directory(Way),
    /// Neither a directory nor what `open` would take.
    Other,
    /// Nothing, below a directory that is like this.
    Nothing(Way),
}

/// Opens what a path leads to, and says where that really is and what is above it; `None` where it does not exist.
pub(super) fn open(path: &Path, origin: Origin) -> Result<Option<(OwnedFd, PathBuf, Way)>, Fault> {
    // Where the system's file is missing, as it mostly is, nothing has to be judged: those who can write to /etc need no
    // configuration of ours.
    if origin == Origin::System && !exists(path)? {
        return Ok(None);
    }
    let path = absolute(path)?;
    let known = path
        .parent()
        .filter(|_| path.file_name().is_some())
        .and_then(session::known);
    if let Some(way) = known {
        match openat(CWD, &*path, FILE, Mode::empty()) {
            Ok(file) => return Ok(Some((file, path.into_owned(), way))),
            Err(Errno::NOENT) => return Ok(None),
            // The walk follows a link, and says what is wrong.
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

/// Walks along a path and judges what it leads through; what is last is opened by `open`, where that takes it. `own` says
/// that the path is a directory for what is ours alone.
pub(super) fn walk(
    path: &Path,
    open: impl Fn(&OwnedFd, &OsStr) -> Result<Option<OwnedFd>, Errno>,
    own: bool,
) -> Result<Found, Fault> {
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
            // Below a file there is nothing.
            Step::End(_) => return Ok(Found::Nothing(way)),
            Step::Circle => return Err(circle(path)),
        }
    }
    Ok(Found::Directory(way))
}

/// The deepest directory above a path that was judged already, else `/`.
fn start(path: &Path) -> Result<(Walk, Way), Fault> {
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

/// What `/` is like, where a walk stands.
fn top(asked: &Path, walk: &Walk) -> Result<Way, Fault> {
    let root = Path::new("/");
    if let Some(way) = session::known(root) {
        return Ok(way);
    }
    let stat = fstat(&walk.dir).map_err(|error| unreadable(root, error, None))?;
    let way = judge_directory(asked, root, &walk.dir, &stat, &Way::default(), false)?;
    session::know(root, &way);
    Ok(way)
}

pub(super) fn absolute(path: &Path) -> Result<Cow<'_, Path>, Fault> {
    if path.is_absolute() {
        return Ok(path.into());
    }
    let failed = |error| {
        unreadable(
            path,
            Errno::from_io_error(&error).unwrap_or(Errno::NOENT),
            None,
        )
    };
    std::path::absolute(path).map(Cow::Owned).map_err(failed)
}
