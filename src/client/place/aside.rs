//! The new file, with all that the old one was and nothing that it was not.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, XattrFlags, fremovexattr, fsetxattr, fstat, linkat, openat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::{Place, Rights, problem, unwritable};
use crate::error::Error;
use crate::trusted::ACL;

impl Place {
    /// Writes a file beside the one that it will take the place of. An `anonymous` one has its name only when it is whole.
    pub(super) fn write_aside(
        &self,
        aside: &OsStr,
        text: &str,
        rights: &Rights,
        anonymous: bool,
    ) -> Result<(), Error> {
        let failed = |error: io::Error| unwritable(&self.path, &error);
        let (name, create) = if anonymous {
            (OsStr::new("."), OFlags::TMPFILE)
        } else {
            (aside, OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW)
        };
        let file = openat(
            &self.dir,
            name,
            create | OFlags::WRONLY | OFlags::CLOEXEC,
            Mode::from_raw_mode(0o600),
        );
        let file = File::from(file.map_err(|error| failed(error.into()))?);
        self.fill(&file, text, rights).map_err(failed)?;
        self.grant(&file, rights)?;
        file.sync_all().map_err(failed)?;
        if anonymous {
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            linkat(CWD, path, &self.dir, aside, AtFlags::SYMLINK_FOLLOW)
                .map_err(|error| failed(error.into()))?;
        }
        Ok(())
    }

    fn fill(&self, mut file: &File, text: &str, rights: &Rights) -> io::Result<()> {
        file.write_all(text.as_bytes())?;
        let new = file.metadata()?;
        match rights.owner {
            Some(owner) if owner != (new.uid(), new.gid()) => {
                fchown(file, Some(owner.0), Some(owner.1))?;
            }
            Some(_) => {}
            // What root makes below somebody's home directory is that somebody's.
            None => {
                let above = fstat(&self.dir)?;
                if geteuid().is_root() && above.st_uid != new.uid() {
                    fchown(file, Some(above.st_uid), Some(above.st_gid))?;
                }
            }
        }
        Ok(())
    }

    /// Gives the new file the old one's mode and access list: the mode alone would give its group what somebody else was
    /// given by name, and what the directory hands down to new files was nobody's before.
    fn grant(&self, file: &File, rights: &Rights) -> Result<(), Error> {
        let set = match &rights.acl {
            Some(acl) => fsetxattr(file, ACL, acl, XattrFlags::empty()),
            None => match fremovexattr(file, ACL) {
                Err(Errno::NODATA | Errno::NOTSUP) => Ok(()),
                removed => removed,
            },
        };
        set.map_err(|error| {
            let error = io::Error::from(error);
            problem(
                &self.path,
                format_args!("its access list (getfacl) cannot be kept ({error})"),
            )
            .fix("nothing was changed; change the file by hand, or remove the list with setfacl -b")
            .failed()
        })?;
        if rights.acl.is_some() {
            return Ok(());
        }
        file.set_permissions(Permissions::from_mode(rights.mode))
            .map_err(|error| unwritable(&self.path, &error))
    }
}
