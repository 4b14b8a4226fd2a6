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
    let finding = Finding::error("client.file_broken", State::Broken, error);
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
    match fs::metadata(first).ok()?.uid() {
        own if own == me => {
            let mode = if first == dir { "700" } else { "600" };
            Some(vec!["chmod".to_owned(), mode.to_owned(), word(first)])
        }
        ROOT => {
            let start = ["sudo".to_owned(), "chown".to_owned(), me.to_string()];
            Some(
                start
                    .into_iter()
                    .chain(closed.into_iter().map(word))
                    .collect(),
            )
        }
        // It stays its owner's.
        _ => None,
    }
}

fn is_closed(path: &Path, access: Access) -> bool {
    accessat(CWD, path, access, AtFlags::EACCESS) == Err(Errno::ACCESS)
}

const ROOT: u32 = 0;
