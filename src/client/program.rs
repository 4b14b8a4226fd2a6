//! Installs this program into a directory where a client looks for it, and removes it from there.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::PROGRAM;
use super::refusal::{FileFault, unchanged};
use crate::error::Error;
use crate::trusted::{self, is_absent};

/// A planned copy of this program.
pub struct Put {
    /// The target path.
    pub program: PathBuf,
    /// Whether an identical copy that everyone can run is already there.
    pub is_there: bool,
}

impl Put {
    /// Plans a copy into this directory. Only this user and root may be able to change it, because root runs the
    /// program.
    pub fn into(dir: &Path) -> Result<Self, Error> {
        let program = dir.join(PROGRAM);
        trusted::directory(dir).map_err(|fault| unchanged(&program, fault.cause, fault.fix))?;
        let is_there = is_this(&program).unwrap_or(false);
        Ok(Self { program, is_there })
    }

    /// Installs the copy atomically: writes a temporary file, syncs and renames it. Replaces a link of that name, but
    /// not the file that it leads to.
    pub fn make(&self) -> Result<(), Error> {
        if self.is_there {
            return Ok(());
        }
        let dir = self.program.parent().unwrap_or(Path::new("/"));
        let mut dirs = DirBuilder::new();
        let made = dirs.recursive(true).mode(0o755).create(dir);
        let failed = |error| FileFault::Unwritable(error).of(&self.program);
        made.map_err(failed)?;
        // Another process may have created the directory meanwhile.
        Self::into(dir)?;
        let aside = dir.join(ASIDE);
        let done = fs::remove_file(&aside)
            .or_else(|error| {
                if is_absent(&error) {
                    Ok(())
                } else {
                    Err(error)
                }
            })
            .and_then(|()| write(&aside))
            .and_then(|()| fs::rename(&aside, &self.program))
            .and_then(|()| OpenOptions::new().read(true).open(dir)?.sync_all());
        done.map_err(|error| {
            _ = fs::remove_file(&aside);
            failed(error)
        })
    }
}

/// Removes the program from a directory; `None` if it is not there. A dry run changes nothing.
pub fn remove_program(dir: &Path, dry_run: bool) -> Result<Option<PathBuf>, Error> {
    let program = dir.join(PROGRAM);
    if !dry_run {
        // A killed run may have left it.
        _ = fs::remove_file(dir.join(ASIDE));
    }
    if fs::symlink_metadata(&program).is_err_and(|error| is_absent(&error)) {
        return Ok(None);
    }
    if !dry_run {
        fs::remove_file(&program)
            .map_err(|error| FileFault::IrremovableProgram(error).of(&program))?;
    }
    Ok(Some(program))
}

fn write(aside: &Path) -> io::Result<()> {
    let mut new = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(aside)?;
    io::copy(&mut this()?, &mut new)?;
    new.set_permissions(Permissions::from_mode(0o755))?;
    new.sync_all()
}

/// Whether a file is this program, not a link, belongs to this user or root, and can be run by everyone.
fn is_this(program: &Path) -> io::Result<bool> {
    let there = fs::symlink_metadata(program)?;
    let mut own = this()?;
    if !there.is_file()
        || there.mode() & 0o7777 != 0o755
        || there.len() != own.metadata()?.len()
        || trusted::check_owner(program, there.uid()).is_err()
    {
        return Ok(false);
    }
    let mut other = OpenOptions::new().read(true).open(program)?;
    let [mut one, mut two] = [const { [0; 4096] }; 2];
    loop {
        let count = own.read(&mut one)?;
        if count == 0 {
            return Ok(true);
        }
        other.read_exact(&mut two[..count])?;
        if one[..count] != two[..count] {
            return Ok(false);
        }
    }
}

/// The running program, even if another one has its name by now.
fn this() -> io::Result<File> {
    OpenOptions::new().read(true).open("/proc/self/exe")
}

const ASIDE: &str = concat!(".", env!("CARGO_PKG_NAME"), ".beta9-new");

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_program_is_put_whole_over_whatever_has_its_name_and_no_link_is_followed() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("a/bin");
        let others = scratch.path().join("others");
        fs::write(&others, "theirs").unwrap();
        fs::create_dir_all(&dir).unwrap();
        symlink(&others, dir.join(PROGRAM)).unwrap();
        symlink(&others, dir.join(ASIDE)).unwrap();
        let put = Put::into(&dir).unwrap();
        assert!(!put.is_there);
        put.make().unwrap();
        assert!(Put::into(&dir).unwrap().is_there);
        let made = fs::symlink_metadata(&put.program).unwrap();
        assert_eq!((made.is_file(), made.mode() & 0o7777), (true, 0o755));
        assert_eq!(fs::read(&others).unwrap(), b"theirs");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        for other in ["", "#!/bin/sh\n"] {
            fs::write(&put.program, other).unwrap();
            assert!(!Put::into(&dir).unwrap().is_there);
        }
        let there = remove_program(&dir, true).unwrap();
        assert!(there.is_some() && put.program.is_file());
        fs::write(dir.join(ASIDE), "half of it").unwrap();
        assert_eq!(remove_program(&dir, false).unwrap(), there);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
        assert_eq!(remove_program(&dir, false).unwrap(), None);
    }

    #[test]
    fn a_directory_that_others_may_change_gets_no_program() {
        let scratch = tempfile::tempdir().unwrap();
        let open = scratch.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        for dir in [open.clone(), open.join("bin")] {
            assert!(Put::into(&dir).is_err());
        }
        assert_eq!(fs::read_dir(&open).unwrap().count(), 0);
    }
}
