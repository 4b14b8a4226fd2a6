//! The place of a client's file: the directory that it really is in, held open, and its name there.
//!
//! A path is resolved once, and everything is done in that directory by its descriptor: anyone who may rename what a path
//! leads through, as a user may in a home directory in which root works, cannot lead it elsewhere between two steps.

mod aside;
mod checks;
mod dirs;

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, flock, openat, renameat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::file::{Readers, Text};
use super::refusal::{FileFault, unchanged, unwritable};
use crate::error::Error;
use crate::trusted::{DIRECTORY, Step, Walk};
use aside::Aside;

/// Where a client's file is, or would be made.
#[derive(Clone)]
pub struct Place {
    /// The directory, or what there is above it.
    dir: Rc<OwnedFd>,
    /// The directories that are missing below that.
    missing: Vec<OsString>,
    name: OsString,
    /// All of it, for people.
    path: PathBuf,
}

impl Place {
    /// Follows symbolic links to where the file is, or would be made. Root follows one of another user only to what is that
    /// user's own.
    pub fn of(path: &Path) -> Result<Self, Error> {
        let unreadable = |error: Errno| FileFault::Unreadable(error.into()).of(path);
        let absolute =
            std::path::absolute(path).map_err(|error| FileFault::Unreadable(error).of(path))?;
        let mut walk = Walk::from(Path::new("/"), &absolute).map_err(unreadable)?;
        let mut links = Vec::new();
        let mut missing: Vec<OsString> = loop {
            let Some(step) = walk.next() else {
                return Err(FileFault::NotPlain.of(path));
            };
            let here = walk.path.join(&step);
            match walk.step(&step).map_err(unreadable)? {
                Step::Link(stat) if geteuid().is_root() && stat.st_uid != 0 => {
                    links.push((here, stat.st_uid));
                }
                Step::Down(_) | Step::Up | Step::Link(_) => {}
                Step::Circle => {
                    return Err(FileFault::Circle.of(path));
                }
                Step::End(_) => break std::iter::once(step).chain(walk.rest()).collect(),
            }
        };
        if missing.iter().any(|name| name == "..") {
            return Err(unreadable(Errno::NOENT));
        }
        let mut path = walk.path;
        path.extend(&missing);
        let place = Self {
            dir: Rc::new(walk.dir),
            name: missing.pop().unwrap_or_default(),
            missing,
            path,
        };
        place.check_links(&links)?;
        Ok(place)
    }

    /// The place of a file in the same directory, whose name adds this to the file's.
    pub fn beside(&self, add: &str) -> Self {
        let [mut name, mut path] = [self.name.clone(), self.path.clone().into_os_string()];
        name.push(add);
        path.push(add);
        Self {
            name,
            path: path.into(),
            ..self.clone()
        }
    }

    /// Where it is, in words.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file; `None` if there is none.
    pub fn read(&self) -> Result<Option<Text>, Error> {
        if !self.missing.is_empty() {
            return Ok(None);
        }
        // Without O_NONBLOCK, opening a named pipe that nobody writes to would never end.
        let flags =
            OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&self.dir, &self.name, flags, Mode::empty()) {
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            file => {
                let file =
                    file.map_err(|error| FileFault::Unreadable(error.into()).of(&self.path))?;
                Text::of(&self.path, file.into()).map(Some)
            }
        }
    }

    /// Puts `text` in place of what is there, unless that is no longer `old`, and waits until the disk has it. The new file
    /// has the mode, the owner and the access list of the old one; one that is made is for these `readers`.
    pub fn replace(&self, old: Option<&Text>, text: &str, readers: Readers) -> Result<(), Error> {
        self.put(old, text, old, readers)?;
        let synced = self.open_dir().and_then(|dir| dir.sync_all());
        synced.map_err(|error| FileFault::Unsynced(error).of(&self.path))
    }

    /// The same without the wait for the directory, with the rights of the file `like`: written aside, synced, renamed. A
    /// killed process leaves nothing, or a file whose name the next one takes over.
    pub(super) fn put(
        &self,
        old: Option<&Text>,
        text: &str,
        like: Option<&Text>,
        readers: Readers,
    ) -> Result<(), Error> {
        self.check_writable(old)?;
        let dir = self
            .open_dir()
            .map_err(|error| unwritable(&self.path, error))?;
        // Where locks are unknown to the file system, there is no need to refuse.
        if flock(&dir, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            return Err(FileFault::Locked.of(&self.path));
        }
        self.discard_aside();
        let new = Aside {
            place: self,
            name: self.aside(),
            text,
            like,
            readers,
        };
        let done = new
            .write(true)
            .or_else(|_| new.write(false))
            .and_then(|()| self.is_still(old))
            .and_then(|()| {
                renameat(&self.dir, &new.name, &self.dir, &self.name)
                    .map_err(|error| unwritable(&self.path, error))
            });
        if done.is_err() {
            self.discard_aside();
        }
        done
    }

    /// The name under which the new file is written: one for all processes, so that each removes what a killed one left.
    fn aside(&self) -> OsString {
        [".".as_ref(), self.name.as_os_str(), ASIDE.as_ref()]
            .into_iter()
            .collect()
    }

    fn discard_aside(&self) {
        _ = unlinkat(&self.dir, self.aside(), AtFlags::empty());
    }

    fn open_dir(&self) -> io::Result<File> {
        Ok(openat(&self.dir, ".", DIRECTORY | OFlags::RDONLY, Mode::empty())?.into())
    }

    /// Removes the file, unless it is no longer `old`, and as many directories above it as were made for it and are empty.
    pub fn remove(&self, old: Option<&Text>, dirs: usize) -> Result<(), Error> {
        if old.is_some() {
            self.is_still(old)?;
        }
        self.discard_aside();
        // Nothing is said of what was done before: the file of a note that stays is undone already.
        unlinkat(&self.dir, &self.name, AtFlags::empty())
            .map_err(|error| FileFault::Irremovable(error.into()).of(&self.path))?;
        self.remove_dirs(dirs);
        Ok(())
    }

    fn is_still(&self, old: Option<&Text>) -> Result<(), Error> {
        // What cannot be read any more is no longer what was read.
        let same = match (self.read(), old) {
            (Ok(None), None) => true,
            (Ok(Some(now)), Some(old)) => {
                let [one, other] = [&now, old]
                    .map(|Text { metadata: m, .. }| (m.dev(), m.ino(), m.uid(), m.gid()));
                one == other && now.text == old.text
            }
            _ => false,
        };
        if same {
            Ok(())
        } else {
            Err(FileFault::Meanwhile.of(&self.path))
        }
    }
}

/// What the name of a file that is not yet in place adds to the file's.
const ASIDE: &str = ".beta9-new";

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn replaced(place: &Place, old: Option<&Text>) -> Result<(), Error> {
        place.replace(old, "new", Readers::Owner)
    }

    #[test]
    fn a_file_that_became_a_link_or_another_file_since_it_was_read_is_left_with_what_it_leads_to() {
        let scratch = tempfile::tempdir().unwrap();
        let [path, other] = ["config.json", "other"].map(|name| scratch.path().join(name));
        fs::write(&other, "{}").unwrap();
        let swaps: [fn(&Path, &Path); 2] = [
            |other, path| symlink(other, path).unwrap(),
            |other, path| fs::hard_link(other, path).unwrap(),
        ];
        for swap in swaps {
            fs::write(&path, "{}").unwrap();
            let place = Place::of(&path).unwrap();
            let old = place.read().unwrap();
            fs::remove_file(&path).unwrap();
            swap(&other, &path);
            for done in [
                replaced(&place, old.as_ref()),
                place.remove(old.as_ref(), 0),
            ] {
                assert!(
                    done.unwrap_err()
                        .to_string()
                        .contains("another program has changed it meanwhile")
                );
            }
            assert!(fs::symlink_metadata(&path).is_ok());
            assert_eq!(fs::read(&other).unwrap(), b"{}");
            assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 2);
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn a_directory_that_became_a_link_since_it_was_found_is_not_followed() {
        let scratch = tempfile::tempdir().unwrap();
        let [dir, moved, other] = ["dir", "moved", "other"].map(|name| scratch.path().join(name));
        fs::create_dir(&dir).unwrap();
        fs::create_dir(&other).unwrap();
        let [there, missing] =
            ["config.json", "sub/config.json"].map(|name| Place::of(&dir.join(name)).unwrap());
        fs::rename(&dir, &moved).unwrap();
        symlink(&other, &dir).unwrap();
        replaced(&there, None).unwrap();
        symlink(&other, moved.join("sub")).unwrap();
        assert!(missing.with_dirs(Readers::Owner).is_err());
        assert_eq!(fs::read(moved.join("config.json")).unwrap(), b"new");
        assert_eq!(fs::read_dir(&other).unwrap().count(), 0);
    }

    #[test]
    fn directories_that_were_made_go_again_but_not_one_that_has_taken_the_place_of_such() {
        let scratch = tempfile::tempdir().unwrap();
        let (place, dirs) = Place::of(&scratch.path().join("a/b/f"))
            .unwrap()
            .with_dirs(Readers::Owner)
            .unwrap();
        assert_eq!(dirs, 2);
        replaced(&place, None).unwrap();
        fs::rename(scratch.path().join("a"), scratch.path().join("c")).unwrap();
        fs::create_dir(scratch.path().join("a")).unwrap();
        place.remove(place.read().unwrap().as_ref(), 2).unwrap();
        assert!(!scratch.path().join("c/b").exists() && scratch.path().join("c").exists());
        assert!(scratch.path().join("a").exists());
    }

    #[test]
    fn no_set_user_id_is_carried_over() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("f");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o4755)).unwrap();
        let place = Place::of(&path).unwrap();
        replaced(&place, place.read().unwrap().as_ref()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o755);
    }
}
