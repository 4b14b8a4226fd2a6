//! A client's file: its text, and the metadata to keep when it is replaced.

use std::borrow::Cow;
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

/// A file's text, which may contain passwords, and the metadata to keep when it is replaced.
pub struct Text {
    /// The whole text.
    pub text: Zeroizing<String>,
    /// Whether the file is not UTF-8; the text then has U+FFFD in place of each invalid byte.
    pub is_lossy: bool,
    /// Its mode, owner and inode.
    pub metadata: Metadata,
    /// Its access list, if it has one.
    pub acl: Option<Vec<u8>>,
}

impl Text {
    /// Reads a file, following symbolic links; root follows another user's link only to that user's own file. `None` if
    /// the file does not exist.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        Place::of(path)?.read()
    }

    /// Reads an open file.
    pub fn read_as_go(path: &Path) -> Result<Option<Self>, Error> {
        Place::of(path)?.read_as_go()
    }

    /// Reads an open file.
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
        let text = String::from_utf8_lossy(&bytes);
        Ok(Self {
            is_lossy: matches!(text, Cow::Owned(_)),
            text: Zeroizing::new(text.into_owned()),
            metadata,
            acl,
        })
    }
}

/// The access list (<https://man7.org/linux/man-pages/man5/acl.5.html>), in the kernel's format.
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

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Only its owner: docker's and podman's files may contain passwords later.
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

/// The files of a directory with one of these extensions, sorted by name; none if the directory does not exist.
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

/// In bytes; the kernel's limit (`XATTR_SIZE_MAX`).
const MAX_ACL: usize = 64 << 10;
/// In bytes. Docker's files with hundreds of logins are about 100 KiB.
const LIMIT: u64 = 4 << 20;
