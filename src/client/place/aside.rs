//! Writes the new file with exactly the old one's permissions.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, XattrFlags, fremovexattr, fsetxattr, fstat, linkat, openat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::{FileFault, Place, Readers, Text, unwritable};
use crate::error::Error;
use crate::trusted::ACL;

/// A temporary file beside the one that it will replace.
pub(super) struct Aside<'a> {
    pub(super) place: &'a Place,
    pub(super) name: OsString,
    pub(super) text: &'a str,
    /// The file whose permissions it gets.
    pub(super) like: Option<&'a Text>,
    /// Who may read it if there is no such file.
    pub(super) readers: Readers,
}

impl Aside<'_> {
    /// Writes the file. An `anonymous` one gets its name only when it is complete.
    pub(super) fn write(&self, anonymous: bool) -> Result<(), Error> {
        let (dir, path) = (&self.place.dir, &self.place.path);
        let failed = |error: io::Error| unwritable(path, error);
        let (name, create) = if anonymous {
            (OsStr::new("."), OFlags::TMPFILE)
        } else {
            let new = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
            (self.name.as_os_str(), new)
        };
        let flags = create | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = openat(dir, name, flags, Mode::from_raw_mode(0o600));
        let mut file = File::from(file.map_err(|error| unwritable(path, error))?);
        file.write_all(self.text.as_bytes()).map_err(failed)?;
        self.give(&file).map_err(failed)?;
        self.grant(&file)
            .map_err(|error| FileFault::AccessList(error).of(path))?;
        if self.like.is_none_or(|like| like.acl.is_none()) {
            // Set-user-ID and similar bits are dropped; a configuration doesn't need them.
            let mode = self.like.map(|like| like.metadata.mode() & 0o777);
            let mode = Permissions::from_mode(mode.unwrap_or(self.readers.mode()));
            file.set_permissions(mode).map_err(failed)?;
        }
        file.sync_all().map_err(failed)?;
        if anonymous {
            let open = format!("/proc/self/fd/{}", file.as_raw_fd());
            linkat(CWD, open, dir, &self.name, AtFlags::SYMLINK_FOLLOW)
                .map_err(|error| unwritable(path, error))?;
        }
        Ok(())
    }

    /// Sets the old file's owner. A file that root creates in a user's home directory belongs to that user.
    fn give(&self, file: &File) -> io::Result<()> {
        let (new, above) = (file.metadata()?, fstat(&self.place.dir)?);
        let (user, group) = match self.like.map(|like| &like.metadata) {
            Some(old) => (old.uid(), old.gid()),
            None if geteuid().is_root() && above.st_uid != 0 => (above.st_uid, above.st_gid),
            None => return Ok(()),
        };
        if (user, group) == (new.uid(), new.gid()) {
            return Ok(());
        }
        fchown(file, Some(user), Some(group))
    }

    /// Sets the old file's access list. The mode alone would give the group what the list gave to a named user, and a
    /// list inherited from the directory would give new access.
    fn grant(&self, file: &File) -> io::Result<()> {
        match self.like.and_then(|like| like.acl.as_ref()) {
            Some(acl) => fsetxattr(file, ACL, acl, XattrFlags::empty())?,
            None => match fremovexattr(file, ACL) {
                Err(Errno::NODATA | Errno::NOTSUP) => {}
                removed => removed?,
            },
        }
        Ok(())
    }
}
