//! Whether this user may use a file, and the command that makes a client's file readable for this user.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;

use super::finding::{Finding, State, word};
use crate::error::Error;

/// A finding for an error about one of these files, with a command if the file or its directory is closed.
pub(super) fn refused<'a>(error: &Error, paths: impl IntoIterator<Item = &'a Path>) -> Finding {
    let finding = Finding::error("client.file_broken", State::Broken, error);
    let about = |path: &&Path| finding.what.starts_with(&format!("{}: ", path.display()));
    match paths.into_iter().find(about).and_then(opening) {
        Some((command, paths)) => finding.command(&command, paths.into_iter().map(word)),
        None => finding,
    }
}

/// The commands for a file that root created with `sudo docker login`, or that a `chmod` closed.
fn opening(path: &Path) -> Option<(String, Vec<&Path>)> {
    let dir = path.parent()?;
    let is_closed = |path, access| may(path, access) == Err(Errno::ACCESS);
    let closed = if is_closed(dir, Access::EXEC_OK) {
        // The file in the directory most likely has the same owner.
        vec![dir, path]
    } else if is_closed(path, Access::READ_OK) {
        vec![path]
    } else {
        return None;
    };
    let (me, first) = (rustix::process::geteuid().as_raw(), *closed.first()?);
    match fs::metadata(first).ok()?.uid() {
        own if own == me => {
            let mode = if first == dir { "700" } else { "600" };
            Some((format!("chmod {mode}"), vec![first]))
        }
        ROOT => Some((format!("sudo chown {me}"), closed)),
        // A third user's file stays with its owner.
        _ => None,
    }
}

/// Whether this user may do that with a file.
pub(super) fn may(path: &Path, access: Access) -> rustix::io::Result<()> {
    accessat(CWD, path, access, AtFlags::EACCESS)
}

const ROOT: u32 = 0;
