//! Changes to a client's file that root could make but must not.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, fstat, statat};
use rustix::io::Errno;

use super::{FileFault, Place, Text, unwritable};
use crate::error::Error;

impl Place {
    /// A link that another user made may lead root only to that user's own file.
    pub(super) fn check_links(&self, links: &[(PathBuf, u32)]) -> Result<(), Error> {
        if links.is_empty() {
            return Ok(());
        }
        let failed = |error: Errno| unwritable(&self.path, error);
        let mut owners = vec![fstat(&self.dir).map_err(failed)?.st_uid];
        if self.missing.is_empty() {
            match statat(&self.dir, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(file) => owners.push(file.st_uid),
                Err(Errno::NOENT) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let Some((link, owner)) = links
            .iter()
            .find(|(_, owner)| owners.iter().any(|one| one != owner))
        else {
            return Ok(());
        };
        let (owner, to) = (*owner, self.path.clone());
        Err(FileFault::ForeignLink { owner, to }.of(link))
    }

    /// Root could write a read-only file, but somebody made it read-only on purpose.
    pub(super) fn check_writable(&self, old: Option<&Text>) -> Result<(), Error> {
        let dir = self.path.parent().unwrap_or(Path::new("/"));
        let above = fstat(&self.dir).map_err(|error| unwritable(dir, error))?;
        let file = old.map(|old| (self.path(), old.metadata.mode()));
        for (path, mode) in file.into_iter().chain([(dir, above.st_mode)]) {
            if mode & 0o222 == 0 {
                return Err(FileFault::ReadOnly.of(path));
            }
        }
        Ok(())
    }
}
