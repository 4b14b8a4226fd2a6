//! Creates the missing directories of a client's file, and removes them when the file is removed.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::fchown;
use std::path::Path;
use std::rc::Rc;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, fstat, mkdirat, openat, statat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::{Place, Readers, unwritable};
use crate::error::Error;
use crate::trusted::{DIRECTORY, WAY};

impl Place {
    /// Creates the missing directories, and returns their number.
    pub fn with_dirs(&self, readers: Readers) -> Result<(Self, usize), Error> {
        let mode = readers.mode();
        let mode = Mode::from_raw_mode(mode | (mode & 0o444) >> 2);
        let (mut place, mut count) = (self.clone(), 0);
        let depth = place.missing.len();
        for (index, name) in std::mem::take(&mut place.missing).iter().enumerate() {
            let path = self.path.ancestors().nth(depth - index);
            let path = path.unwrap_or(&self.path);
            let failed = |error: Errno| unwritable(path, error);
            let is_new = match mkdirat(&place.dir, name, mode) {
                Err(Errno::EXIST) => false,
                done => done.map(|()| true).map_err(failed)?,
            };
            let flags = DIRECTORY | OFlags::RDONLY;
            let dir = openat(&place.dir, name, flags, Mode::empty()).map_err(failed)?;
            if is_new {
                count += 1;
                give(&place.dir, &dir).map_err(|error| unwritable(path, error))?;
            }
            place.dir = Rc::new(dir);
        }
        Ok((place, count))
    }

    /// Removes up to `dirs` directories above the file, as long as they are empty and have the same owner.
    pub fn remove_dirs(&self, dirs: usize) {
        let (mut dir, mut owner) = (Rc::clone(&self.dir), None);
        let above = self.path.ancestors().skip(1).take(dirs);
        for name in above.map_while(Path::file_name) {
            let Ok(here) = fstat(&dir) else { return };
            if *owner.get_or_insert(here.st_uid) != here.st_uid {
                return;
            }
            let Ok(above) = openat(&dir, "..", WAY, Mode::empty()) else {
                return;
            };
            // It may have been moved, and another may have its name now.
            let is_it = statat(&above, name, AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|there| (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino));
            if !is_it || unlinkat(&above, name, AtFlags::REMOVEDIR).is_err() {
                return;
            }
            dir = Rc::new(above);
        }
    }
}

/// A directory that root creates in a user's home directory belongs to that user. Only a directory that was just
/// created is changed.
fn give(above: &OwnedFd, dir: &OwnedFd) -> io::Result<()> {
    let (above, own) = (fstat(above)?, fstat(dir)?);
    if !geteuid().is_root() || above.st_uid == 0 {
        return Ok(());
    }
    let mut entries = Dir::read_from(dir)?;
    let is_empty = entries
        .all(|entry| entry.is_ok_and(|entry| matches!(entry.file_name().to_bytes(), b"." | b"..")));
    if own.st_uid != 0 || !is_empty {
        return Err(io::Error::other("another program has changed it meanwhile"));
    }
    fchown(dir, Some(above.st_uid), Some(above.st_gid))
}
