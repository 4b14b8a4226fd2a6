//! Errors for refused files: the file, its owner and a fix. No fix suggests taking a file from its owner.

use std::fmt;
use std::io;
use std::path::Path;

use rustix::io::Errno;

use super::users::me;
use crate::error::{Code, Error, Fault, Meaning};

/// Why a file or directory can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}; {fix}")]
pub struct FileError {
    /// The stable code.
    pub code: Code,
    /// The cause, with the path.
    pub cause: String,
    /// The command or setting that fixes it.
    pub fix: String,
}

impl FileError {
    /// Turns this into a failure of `part`.
    pub fn problem(self, part: &str) -> Error {
        let part = part.to_owned();
        Failed { part, error: self }.into()
    }

    pub(crate) fn new(path: &Path, cause: impl fmt::Display, fix: impl Into<String>) -> Self {
        Self::with(format!("{} {cause}", path.display()), fix)
    }

    /// An error whose cause does not begin with the path.
    pub(crate) fn with(cause: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            code: Code::SystemFile,
            cause: cause.into(),
            fix: fix.into(),
        }
    }

    fn foreign(self) -> Self {
        Self {
            code: Code::ConfigForeignOwner,
            ..self
        }
    }
}

/// The error with the part that failed.
#[derive(Debug, thiserror::Error)]
#[error("{}", error.cause)]
struct Failed {
    part: String,
    error: FileError,
}

impl Fault for Failed {
    fn meaning(&self) -> Meaning {
        Meaning::new(self.error.code, self.part.clone()).fix(self.error.fix.clone())
    }
}

/// `path`, which is `asked` or leads to it, belongs to another user.
pub(super) fn foreign(asked: &Path, path: &Path, owner: u32) -> FileError {
    let me = me();
    let fix = if me == 0 {
        format!("run it without sudo, as uid {owner}, or choose another place that belongs to root")
    } else {
        format!("run it as uid {owner}, or choose another place that belongs to uid {me} or root")
    };
    let subject = subject(asked, path);
    FileError::with(
        format!("{subject} belongs to uid {owner}, and this is uid {me}"),
        fix,
    )
    .foreign()
}

/// Others can write to `path`, which is `asked` or leads to it.
pub(super) fn writable(asked: &Path, path: &Path, mode: u32, owner: u32) -> FileError {
    let subject = subject(asked, path);
    FileError::with(
        format!("{subject} {}", written_by_others(mode)),
        chmod("go-w", path, owner),
    )
    .foreign()
}

/// The same for a private directory of ours.
pub(super) fn own_writable(path: &Path, mode: u32, owner: u32) -> FileError {
    FileError::new(path, written_by_others(mode), chmod("700", path, owner)).foreign()
}

/// Others can read or write the file.
pub(super) fn open_to_others(path: &Path, mode: u32, owner: u32) -> FileError {
    FileError::new(
        path,
        format_args!("is open to others (mode {:04o})", mode & 0o7777),
        chmod("600", path, owner),
    )
    .foreign()
}

fn subject(asked: &Path, path: &Path) -> String {
    if asked == path {
        path.display().to_string()
    } else {
        format!(
            "{} is reached through {}, which",
            asked.display(),
            path.display()
        )
    }
}

pub(super) fn not_plain(path: &Path) -> FileError {
    FileError::new(path, "is not a plain file", "name a file")
}

pub(super) fn not_a_directory(path: &Path) -> FileError {
    FileError::new(path, "is not a directory", "move it out of the way")
}

pub(super) fn circle(path: &Path) -> FileError {
    FileError::new(path, "leads in a circle of symbolic links", "correct them")
}

pub(super) fn too_large(path: &Path, limit: u64) -> FileError {
    FileError::new(
        path,
        format_args!("is larger than {limit} bytes"),
        "it is not what belongs here: move it away",
    )
}

pub(super) fn unreadable(path: &Path, error: Errno, owner: Option<u32>) -> FileError {
    let fix = match owner.filter(|owner| error == Errno::ACCESS && *owner != me()) {
        Some(owner) => format!(
            "ask uid {owner}, its owner, for access, or choose another place in the configuration"
        ),
        None => {
            "give this user access to it, or choose another place in the configuration".to_owned()
        }
    };
    FileError::new(
        path,
        format_args!("cannot be read ({})", io::Error::from(error)),
        fix,
    )
}

/// A warning about a tolerated open directory.
pub(super) fn open_directory(path: &Path, mode: u32) -> FileError {
    FileError::new(
        path,
        written_by_others(mode),
        "let nobody else reach it: anyone who does can replace what is in it",
    )
}

/// A warning about a secret of root's that everybody can read.
pub(super) fn readable(path: &Path, mode: u32) -> FileError {
    let cause = format_args!(
        "holds a secret and can be read by others (mode {:04o})",
        mode & 0o7777
    );
    FileError::new(
        path,
        cause,
        format!(
            "chmod 600 {}, or mount it with defaultMode: 0400",
            path.display()
        ),
    )
}

fn written_by_others(mode: u32) -> String {
    format!("can be written by others (mode {:04o})", mode & 0o7777)
}

fn chmod(mode: &str, path: &Path, owner: u32) -> String {
    let command = format!("chmod {mode} {}", path.display());
    match owner {
        owner if owner == me() || me() == 0 => command,
        0 => format!("sudo {command}"),
        owner => format!("ask uid {owner}, its owner, to run {command}"),
    }
}
