//! The text of a client's file, and what else must stay when it is replaced.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::fgetxattr;
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::place::Place;
use super::refusal::FileFault;
use crate::error::Error;
use crate::trusted::{ACL, is_absent};

/// A file's text, which may hold passwords, and what else must stay when it is replaced.
pub struct Text {
    /// All of it.
    pub text: Zeroizing<String>,
    /// Its mode, owner and place on the disk.
    pub metadata: Metadata,
    /// Its access list, where it has one.
    pub acl: Option<Vec<u8>>,
}

impl Text {
    /// Reads a file behind symbolic links, of which root follows another user's only to what is that user's own; `None` when
    /// there is none.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        Place::of(path)?.read()
    }

    /// What is in an open file.
    pub(super) fn of(path: &Path, file: File) -> Result<Self, Error> {
        let unreadable = |error| FileFault::Unreadable(error).of(path);
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(FileFault::NotPlain.of(path));
        }
        let acl = access_list(&file).map_err(unreadable)?;
        let bytes = read_bounded(file, metadata.len()).map_err(unreadable)?;
        if bytes.len() as u64 > LIMIT {
            return Err(FileFault::TooLarge(LIMIT).of(path));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| FileFault::NotUtf8.of(path))?;
        Ok(Self {
            text: Zeroizing::new(text.to_owned()),
            metadata,
            acl,
        })
    }
}

/// The access list (<https://man7.org/linux/man-pages/man5/acl.5.html>), as the kernel keeps it.
fn access_list(file: &File) -> io::Result<Option<Vec<u8>>> {
    let mut acl = vec![0; MAX_ACL];
    match fgetxattr(file, ACL, &mut acl[..]) {
        Ok(length) => {
            acl.truncate(length);
            Ok(Some(acl))
        }
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn read_bounded(file: File, size: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(size.min(LIMIT)).unwrap_or(0) + 1,
    ));
    file.take(LIMIT + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Who may read a file that is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Its owner: docker's and podman's files may come to hold passwords.
    Owner,
    /// Everybody.
    All,
}

impl Readers {
    /// The mode of a new file.
    pub(super) fn mode(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::All => 0o644,
        }
    }
}

/// The files of a directory with one of these extensions, by name; none where there is no directory.
pub(crate) fn files_in(dir: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(dir) {
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        entries => entries.and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect()),
    };
    let mut files: Vec<PathBuf> = entries.map_err(|error| FileFault::Unreadable(error).of(dir))?;
    let known = |end: &OsStr| extensions.iter().any(|known| end == *known);
    files.retain(|path| path.extension().is_some_and(known));
    files.sort();
    Ok(files)
}

/// As much as the kernel keeps of one (`XATTR_SIZE_MAX`).
const MAX_ACL: usize = 64 << 10;
/// Docker's files with hundreds of logins are some 100 KiB.
const LIMIT: u64 = 4 << 20;
