//! The text of a client's file, and what else must stay when it is replaced.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::fgetxattr;
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::place::Place;
use super::refusal;
use crate::error::{Error, Problem};
use crate::trusted::ACL;

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

    /// What came of opening it, read.
    pub(super) fn of(path: &Path, opened: io::Result<File>) -> Result<Option<Self>, Error> {
        let unreadable = |error: io::Error| {
            problem(path, format_args!("it cannot be read ({error})"))
                .fix(refusal::to_read(path, &error))
                .failed()
        };
        let file = match opened {
            Ok(file) => file,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(unreadable(error)),
        };
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(problem(path, "it is not a plain file")
                .fix("move it out of the way")
                .failed());
        }
        let acl = access_list(&file).map_err(unreadable)?;
        let bytes = read_bounded(file, metadata.len()).map_err(unreadable)?;
        if bytes.len() as u64 > LIMIT {
            let fix = "it is not what belongs here: move it away";
            return Err(
                problem(path, format_args!("it is larger than {LIMIT} bytes"))
                    .fix(fix)
                    .failed(),
            );
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| {
            problem(path, "it is not UTF-8, so no client can read it")
                .fix("correct it")
                .failed()
        })?;
        Ok(Some(Self {
            text: Zeroizing::new(text.to_owned()),
            metadata,
            acl,
        }))
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

/// Who may read a file that is made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Its owner: docker's and podman's files may come to hold passwords.
    Owner,
    /// Everybody.
    All,
}

/// A failure that names the file.
pub(super) fn problem(path: &Path, cause: impl std::fmt::Display) -> Problem {
    Problem::new(path.display().to_string(), cause)
}

/// As much as the kernel keeps of one (`XATTR_SIZE_MAX`).
const MAX_ACL: usize = 64 << 10;
/// Docker's files with hundreds of logins are some 100 KiB.
const LIMIT: u64 = 4 << 20;
