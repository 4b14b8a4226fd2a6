//! Errors and fixes if the system refuses access to a client's file. The fix depends on the owner and the operation.

use std::fmt::Display;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::geteuid;

use crate::error::{Code, Error, Problem};

/// The failure to read a file.
pub(crate) fn unreadable(path: &Path, error: impl Into<io::Error>) -> Error {
    let error = error.into();
    problem(path, format_args!("it cannot be read ({error})"))
        .fix(to_read(path, &error))
        .failed()
}

/// The failure to write a file, which was not changed.
pub(super) fn unwritable(path: &Path, error: impl Into<io::Error>) -> Error {
    let error = error.into();
    unchanged(
        path,
        format_args!("it cannot be written ({error})"),
        to_write(path, &error),
    )
}

/// The refusal to change a file.
pub(crate) fn unchanged(path: &Path, cause: impl Display, fix: impl Display) -> Error {
    problem(path, cause)
        .code(Code::ClientFileUnwritable)
        .fix(format_args!("nothing was changed; {fix}"))
        .failed()
}

/// The refusal of a file's content.
pub(super) fn incorrect(path: &Path, cause: impl Display) -> Error {
    problem(path, cause)
        .fix("correct it, and try again")
        .failed()
}

/// The refusal of something other than a plain file.
pub(super) fn not_plain(path: &Path) -> Error {
    problem(path, "it is not a plain file")
        .fix("move it out of the way")
        .failed()
}

/// A failure that names the file.
pub(crate) fn problem(path: &Path, cause: impl Display) -> Problem {
    Problem::new(path.display().to_string(), cause).code(Code::ClientFileBroken)
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

/// The fix for a file that can't be replaced, which needs write access to its directory.
pub(super) fn to_write(path: &Path, error: &io::Error) -> String {
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
