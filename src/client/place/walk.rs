//! The way to a file, one name after the other, each looked up in the directory that the one before led to.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat, readlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

/// A path on its way to the file.
pub(super) struct Walk {
    pub(super) dir: OwnedFd,
    pub(super) path: PathBuf,
    pub(super) rest: VecDeque<OsString>,
    /// The links of others that root has followed, and whose they are.
    pub(super) links: Vec<(PathBuf, u32)>,
    followed: usize,
}

pub(super) enum Step {
    Taken,
    /// It is the file itself, or there is no such directory.
    End,
    Circle,
}

impl Walk {
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        let dir = openat(CWD, "/", WAY, Mode::empty())?;
        Ok(Self { dir, path: PathBuf::from("/"), rest: steps(path), links: Vec::new(), followed: 0 })
    }

    /// Goes one step on.
    pub(super) fn step(&mut self, name: &OsString) -> Result<Step, Errno> {
        if name == ".." {
            self.dir = openat(&self.dir, "..", WAY, Mode::empty())?;
            self.path.pop();
            return Ok(Step::Taken);
        }
        let here = match openat(&self.dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(Step::End),
            here => here?,
        };
        let stat = fstat(&here)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => {
                self.followed += 1;
                if self.followed > MAX_LINKS {
                    return Ok(Step::Circle);
                }
                if geteuid().is_root() && stat.st_uid != 0 {
                    self.links.push((self.path.join(name), stat.st_uid));
                }
                let target = PathBuf::from(OsString::from_vec(readlinkat(&here, "", Vec::new())?.into_bytes()));
                if target.is_absolute() {
                    self.dir = openat(CWD, "/", WAY, Mode::empty())?;
                    self.path = PathBuf::from("/");
                }
                steps(&target).into_iter().rev().for_each(|step| self.rest.push_front(step));
                Ok(Step::Taken)
            }
            FileType::Directory if !self.rest.is_empty() => {
                self.dir = here;
                self.path.push(name);
                Ok(Step::Taken)
            }
            _ => Ok(Step::End),
        }
    }
}

fn steps(path: &Path) -> VecDeque<OsString> {
    let steps = path.components().filter(|step| matches!(step, Component::Normal(_) | Component::ParentDir));
    steps.map(|step| step.as_os_str().to_owned()).collect()
}

/// A directory that is only passed through need not be readable.
pub(super) const WAY: OFlags = OFlags::PATH.union(DIRECTORY);
pub(super) const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// As many as Linux follows.
const MAX_LINKS: usize = 40;
