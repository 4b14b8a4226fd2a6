//! The location of a client's file: its real directory, held open, and its name there.
//!
//! A path is resolved once, and everything is done in that directory through its descriptor. So a user in whose home
//! directory root works can't redirect root between two steps by renaming parts of the path.

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
use super::refusal::{FileFault, unwritable};
use crate::error::Error;
use crate::trusted::{DIRECTORY, Step, Walk};
use aside::Aside;

/// Where a client's file is or would be created.
#[derive(Clone)]
pub struct Place {
    /// The directory, or its nearest existing parent.
    dir: Rc<OwnedFd>,
    /// The missing directories below that.
    missing: Vec<OsString>,
    name: OsString,
    /// The whole path, for messages.
    path: PathBuf,
}

impl Place {
    /// Follows symbolic links to where the file is or would be created. Root follows another user's link only to that
    /// user's own file.
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

    /// The place of a file in the same directory with this suffix added to its name.
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

    /// The path, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file; `None` if it does not exist.
    pub fn read(&self) -> Result<Option<Text>, Error> {
        let text = self.read_as_go()?;
        if text.as_ref().is_some_and(|text| text.is_lossy) {
            return Err(FileFault::NotUtf8.of(&self.path));
        }
        Ok(text)
    }

    /// Reads the file as Go's JSON decoder does; `None` if there is none.
    pub(super) fn read_as_go(&self) -> Result<Option<Text>, Error> {
        if !self.missing.is_empty() {
            return Ok(None);
        }
        // Without O_NONBLOCK, opening a named pipe without a writer would block forever.
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

    /// Replaces the file by `text` and syncs it. Fails if the current content is no longer `old`. The new file keeps
    /// the old one's mode, owner and access list; a created one is for `readers`.
    pub fn replace(&self, old: Option<&Text>, text: &str, readers: Readers) -> Result<(), Error> {
        self.put(old, text, old, readers)?;
        let synced = self.open_dir().and_then(|dir| dir.sync_all());
        synced.map_err(|error| FileFault::Unsynced(error).of(&self.path))
    }

    /// The same without syncing the directory, and with the permissions of the file `like`: writes a temporary file,
    /// syncs and renames it. A killed process leaves nothing, or a temporary file that the next one replaces.
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
        // A file system without locks is no reason to refuse.
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

    /// The temporary file's name. It is the same for all processes, so that each removes what a killed one left.
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

    /// Removes the file, and up to `dirs` empty directories above it that were created for it. Fails if the content is
    /// no longer `old`.
    pub fn remove(&self, old: Option<&Text>, dirs: usize) -> Result<(), Error> {
        if old.is_some() {
            self.is_still(old)?;
        }
        self.discard_aside();
        // The error does not mention earlier steps: if the note stays, its file has already been restored.
        unlinkat(&self.dir, &self.name, AtFlags::empty())
            .map_err(|error| FileFault::Irremovable(error.into()).of(&self.path))?;
        self.remove_dirs(dirs);
        Ok(())
    }

    fn is_still(&self, old: Option<&Text>) -> Result<(), Error> {
        // A file that can no longer be read counts as changed.
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

/// The suffix of the temporary file's name.
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
    fn a_file_that_was_replaced_since_it_was_read_is_not_changed() {
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
    fn created_directories_are_removed_but_not_ones_that_replaced_them() {
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
