//! Walks a path name by name, each looked up in the directory that the previous one led to.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat};
use rustix::io::Errno;

/// A walk in progress.
pub(crate) struct Walk {
    /// The current directory.
    pub(crate) dir: OwnedFd,
    /// Its path, without links.
    pub(crate) path: PathBuf,
    rest: Vec<u8>,
    at: usize,
    followed: usize,
}

/// The result of a step.
pub(crate) enum Step {
    /// Into this directory.
    Down(Stat),
    /// Back into the directory above.
    Up,
    /// A link; its target comes next.
    Link(Stat),
    /// Nothing, or not a directory; the walk has not moved.
    End(Option<FileType>),
    /// More links than Linux follows.
    Circle,
}

impl Walk {
    /// A walk along `rest` from the directory `start`, whose path has no links.
    pub(crate) fn from(start: &Path, rest: &Path) -> Result<Self, Errno> {
        let dir = openat(CWD, start, WAY, Mode::empty())?;
        let mut path = PathBuf::with_capacity(start.as_os_str().len() + rest.as_os_str().len() + 1);
        path.push(start);
        Ok(Self {
            dir,
            path,
            rest: rest.as_os_str().as_bytes().to_vec(),
            at: 0,
            followed: 0,
        })
    }

    /// The next name; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<OsString> {
        loop {
            let left = &self.rest[self.at..];
            if left.is_empty() {
                return None;
            }
            let length = left
                .iter()
                .position(|byte| *byte == b'/')
                .unwrap_or(left.len());
            let name = &left[..length];
            let name = (!matches!(name, b"" | b".")).then(|| OsStr::from_bytes(name).to_owned());
            self.at = self.rest.len().min(self.at + length + 1);
            if name.is_some() {
                return name;
            }
        }
    }

    /// Whether no name is left.
    pub(crate) fn is_over(&self) -> bool {
        self.rest[self.at..]
            .split(|byte| *byte == b'/')
            .all(|name| matches!(name, b"" | b"."))
    }

    /// Goes one step on, by this name.
    pub(crate) fn step(&mut self, name: &OsStr) -> Result<Step, Errno> {
        if name == ".." {
            self.dir = openat(&self.dir, "..", WAY, Mode::empty())?;
            self.path.pop();
            return Ok(Step::Up);
        }
        let here = match openat(
            &self.dir,
            name,
            OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        ) {
            Err(Errno::NOENT) => return Ok(Step::End(None)),
            here => here?,
        };
        let stat = fstat(&here)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => {
                self.followed += 1;
                if self.followed > MAX_LINKS {
                    return Ok(Step::Circle);
                }
                self.follow(readlinkat(&here, "", Vec::new())?.into_bytes())?;
                Ok(Step::Link(stat))
            }
            FileType::Directory => {
                self.dir = here;
                self.path.push(name);
                Ok(Step::Down(stat))
            }
            other => Ok(Step::End(Some(other))),
        }
    }

    fn follow(&mut self, mut target: Vec<u8>) -> Result<(), Errno> {
        if target.first() == Some(&b'/') {
            self.dir = openat(CWD, "/", WAY, Mode::empty())?;
            self.path = PathBuf::from("/");
        }
        if !self.is_over() {
            target.push(b'/');
            target.extend_from_slice(&self.rest[self.at..]);
        }
        (self.rest, self.at) = (target, 0);
        Ok(())
    }

    /// The remaining names.
    pub(crate) fn rest(&mut self) -> Vec<OsString> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

/// Flags for a directory that is only passed through, which need not be readable.
pub(crate) const WAY: OFlags = OFlags::PATH.union(DIRECTORY);
/// Flags for a directory that isn't a link.
pub(crate) const DIRECTORY: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// The same limit as Linux.
const MAX_LINKS: usize = 40;
