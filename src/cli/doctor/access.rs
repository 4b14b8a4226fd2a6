//! The command that lets this user read a client's file.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;

use super::finding::{Finding, State, word};
use crate::error::Error;

/// What an error about one of these files says, with a command where it is that the file or its directory is closed.
pub(super) fn refused<'a>(error: &Error, paths: impl IntoIterator<Item = &'a Path>) -> Finding {
    let finding = Finding::error(State::Broken, error);
    let about = |path: &&Path| finding.what.starts_with(&format!("{}: ", path.display()));
    match paths.into_iter().find(about).and_then(opening) {
        Some(command) => finding.command(command),
        None => finding,
    }
}

/// As root made it, with `sudo docker login`, or as it was left by a `chmod`.
fn opening(path: &Path) -> Option<Vec<String>> {
    let dir = path.parent()?;
    let closed = if is_closed(dir, Access::EXEC_OK) {
        // What is behind it is most likely the same one's.
        vec![dir, path]
    } else if is_closed(path, Access::READ_OK) {
        vec![path]
    } else {
        return None;
    };
    let (me, first) = (rustix::process::geteuid().as_raw(), *closed.first()?);
    let command = if fs::metadata(first).ok()?.uid() == me {
        vec!["chmod".to_owned(), if first == dir { "700" } else { "600" }.to_owned(), word(first)]
    } else {
        let start = ["sudo".to_owned(), "chown".to_owned(), me.to_string()];
        start.into_iter().chain(closed.into_iter().map(word)).collect()
    };
    Some(command)
}

fn is_closed(path: &Path, access: Access) -> bool {
    accessat(CWD, path, access, AtFlags::EACCESS) == Err(Errno::ACCESS)
}
