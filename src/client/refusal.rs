//! Errors and fixes if the system refuses access to a client's file. The fix depends on the owner and the operation.

use std::fmt::Display;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::geteuid;
use thiserror::Error;

use super::PROGRAM;
use crate::error::{Code, Error, Fault, Meaning};

/// A client's file, and what is wrong with it.
#[derive(Debug, Error)]
#[error("{fault}")]
struct FileError {
    path: PathBuf,
    fault: FileFault,
}

/// What is wrong with a client's file.
#[derive(Debug, Error)]
pub(crate) enum FileFault {
    #[error("it cannot be read ({0})")]
    Unreadable(io::Error),
    #[error("there is no such file")]
    Missing,
    #[error("it is not a plain file")]
    NotPlain,
    #[error("its symbolic links lead in a circle")]
    Circle,
    /// How large it may be.
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    #[error("it is not UTF-8")]
    NotUtf8,
    /// What in it.
    #[error("{0}")]
    Incorrect(String),
    #[error("it is damaged")]
    DamagedNote,
    #[error("version 0.1 wrote it over an entry that --force replaced")]
    OldNote,
    #[error("another program has changed it meanwhile")]
    Meanwhile,
    #[error(
        "it is changed, but a power failure may undo that: its directory cannot be synced ({0})"
    )]
    Unsynced(io::Error),
    /// A file of this program's own.
    #[error("it cannot be removed ({0})")]
    Irremovable(io::Error),
    /// Why its logins cannot be removed.
    #[error("{0}")]
    NotRemoved(String),
    #[error("it cannot be written ({0})")]
    Unwritable(io::Error),
    #[error("it cannot be removed ({0})")]
    IrremovableProgram(io::Error),
    #[error("another program holds the lock of its directory")]
    Locked,
    #[error("it is read-only")]
    ReadOnly,
    #[error("its access list (getfacl) cannot be kept ({0})")]
    AccessList(io::Error),
    /// A link of this user to a file that is not that user's.
    #[error(
        "it is a symbolic link of user {owner} to {}, which is not that user's, and root does not follow it",
        to.display()
    )]
    ForeignLink { owner: u32, to: PathBuf },
    /// What is wired, and to which helper.
    #[error("{0} has the helper {1} already")]
    Conflict(String, String),
    /// What in it, or in what was asked for, forbids the change; and the way out.
    #[error("{cause}")]
    Refused { cause: String, fix: String },
}

impl FileFault {
    /// The failure that names the file.
    pub(crate) fn of(self, path: &Path) -> Error {
        let (path, fault) = (path.to_owned(), self);
        FileError { path, fault }.into()
    }
}

impl Fault for FileError {
    fn meaning(&self) -> Meaning {
        let (path, part) = (&self.path, self.path.display().to_string());
        let broken =
            |fix: &str| Meaning::new(Code::ClientFileBroken, part.clone()).fix(fix.to_owned());
        let unchanged = |fix: &str| {
            Meaning::new(Code::ClientFileUnwritable, part.clone())
                .fix(format!("nothing was changed; {fix}"))
        };
        match &self.fault {
            FileFault::Unreadable(error) => broken(&to_read(path, error)),
            FileFault::Missing => broken("name docker, podman or a file"),
            FileFault::NotPlain => broken("move it out of the way"),
            FileFault::Circle => broken("correct them"),
            FileFault::TooLarge(_) => broken("it is not what belongs here: move it away"),
            FileFault::NotUtf8 => broken("write it again in UTF-8"),
            FileFault::Incorrect(_) => broken("correct it, and try again"),
            FileFault::DamagedNote => broken("change the client's file by hand, and remove it"),
            FileFault::OldNote => {
                broken("put that entry back into kubelet's file by hand, and remove the note")
            }
            FileFault::Meanwhile => broken("try again"),
            FileFault::Unsynced(_) => broken("run sync, and look for faults of the disk"),
            FileFault::Irremovable(error) => broken(&to_write(path, error)),
            FileFault::NotRemoved(_) => broken("nothing was removed; remove them by hand"),
            FileFault::Unwritable(error) | FileFault::IrremovableProgram(error) => {
                unchanged(&to_write(path, error))
            }
            FileFault::Locked => unchanged("try again"),
            FileFault::ReadOnly => unchanged(&format!("chmod u+w {part} if it may be")),
            FileFault::AccessList(_) => {
                unchanged("change the file by hand, or remove the list with setfacl -b")
            }
            FileFault::ForeignLink { owner, .. } => {
                unchanged(&format!("run this as that user: sudo -u '#{owner}' {PROGRAM} …"))
            }
            FileFault::Conflict(..) => Meaning::new(Code::ClientConflict, part.clone()).fix(
                "nothing was changed; --force puts this one in its place, and --undo the other back",
            ),
            FileFault::Refused { fix, .. } => unchanged(fix),
        }
    }
}

/// A client whose files cannot be found, and what to set.
#[derive(Debug, Error)]
#[error("there is no home directory to look in")]
pub(super) struct NoHome(pub(super) &'static str, pub(super) &'static str);

impl Fault for NoHome {
    fn meaning(&self) -> Meaning {
        Meaning::new(Code::ConfigMissing, self.0).fix(self.1)
    }
}

/// The failure to write a file, which was not changed.
pub(super) fn unwritable(path: &Path, error: impl Into<io::Error>) -> Error {
    FileFault::Unwritable(error.into()).of(path)
}

/// The refusal to change a file.
pub(crate) fn unchanged(path: &Path, cause: impl Display, fix: impl Display) -> Error {
    let (cause, fix) = (cause.to_string(), fix.to_string());
    FileFault::Refused { cause, fix }.of(path)
}

/// The fix for a file that can't be read because of its own mode or a directory's.
fn to_read(path: &Path, error: &io::Error) -> String {
    match nearest(path) {
        Some((at, owner)) if error.kind() == io::ErrorKind::PermissionDenied => {
            let mode = if at == path { "u+r" } else { "u+x" };
            may(&at, mode, &[owner], geteuid().as_raw())
        }
        _ => AGAIN.to_owned(),
    }
}

/// The way out of a file that cannot be written, beside which another is made and put in its place.
fn to_write(path: &Path, error: &io::Error) -> String {
    if Errno::from_io_error(error) == Some(Errno::ROFS) {
        return "its file system is read-only: remount it, or choose another file".to_owned();
    }
    match path.parent().and_then(nearest) {
        Some((dir, above)) if error.kind() == io::ErrorKind::PermissionDenied => {
            let own = fs::metadata(path).map_or(above, |file| file.uid());
            may(&dir, "u+wx", &[own, above], geteuid().as_raw())
        }
        _ => AGAIN.to_owned(),
    }
}

/// The path itself or its nearest visible parent, and the owner.
fn nearest(path: &Path) -> Option<(PathBuf, u32)> {
    path.ancestors()
        .find_map(|path| Some((path.to_owned(), fs::metadata(path).ok()?.uid())))
}

fn may(at: &Path, mode: &str, owners: &[u32], user: u32) -> String {
    match owners.iter().copied().find(|owner| *owner != user) {
        // Modes don't restrict root, so the owner would fail too.
        _ if user == ROOT => format!(
            "it is refused to root too: see its file system, and lsattr {}",
            at.display()
        ),
        Some(ROOT) => "run this as root, or with sudo".to_owned(),
        Some(owner) => format!("run this as its owner, sudo -u '#{owner}', or as root"),
        None => format!("chmod {mode} {}", at.display()),
    }
}

const ROOT: u32 = 0;
const AGAIN: &str = "fix that, and try again";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_out_depends_on_the_owner() {
        let told = |owners: &[u32], user| may(Path::new("/d"), "u+r", owners, user);
        assert_eq!(told(&[1000], 1000), "chmod u+r /d");
        assert_eq!(told(&[0], 1000), "run this as root, or with sudo");
        assert_eq!(told(&[1000, 0], 1000), "run this as root, or with sudo");
        assert_eq!(
            told(&[1001, 1000], 1000),
            "run this as its owner, sudo -u '#1001', or as root"
        );
        assert_eq!(
            told(&[1000], 0),
            "it is refused to root too: see its file system, and lsattr /d"
        );
    }

    #[test]
    fn a_read_only_file_system_and_a_full_one_are_no_matter_of_permissions() {
        let told = |errno: Errno| to_write(Path::new("/f"), &errno.into());
        assert_eq!(
            told(Errno::ROFS),
            "its file system is read-only: remount it, or choose another file"
        );
        assert_eq!(told(Errno::NOSPC), AGAIN);
        assert_eq!(to_read(Path::new("/f"), &Errno::LOOP.into()), AGAIN);
    }

    #[test]
    fn what_hides_the_file_is_what_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let user = rustix::process::geteuid().as_raw();
        let dir = scratch.path().to_owned();
        assert_eq!(
            nearest(&dir.join("no/such/file")),
            Some((dir.clone(), user))
        );
        fs::write(dir.join("file"), "").unwrap();
        assert_eq!(nearest(&dir.join("file")), Some((dir.join("file"), user)));
    }
}
