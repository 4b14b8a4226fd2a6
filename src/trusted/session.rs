//! What this thread has found out already: the directories that it judged, and what it has to warn of.

use std::cell::RefCell;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::error::FileError;
use super::judge::Way;

thread_local! {
    static SESSION: RefCell<Session> = const { RefCell::new(Session::new()) };
}

struct Session {
    /// The home directory in which this program chooses its paths.
    home: Option<Vec<u8>>,
    /// By their paths without links.
    known: Vec<(PathBuf, Way)>,
    warnings: Vec<FileError>,
}

impl Session {
    const fn new() -> Self {
        Self {
            home: None,
            known: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

/// Says below which home directory this program chooses its paths by itself.
pub fn set_home(home: &Path) {
    let home = home.as_os_str().as_bytes();
    let end = home.iter().rposition(|byte| *byte != b'/');
    let home = home[..end.map_or(0, |end| end + 1)].to_vec();
    SESSION.with_borrow_mut(|session| session.home = Some(home));
}

/// Whether it is in one of the home directory's directories that begin with a dot, where files lie that nobody has named.
pub(super) fn is_standard(path: &Path) -> bool {
    SESSION.with_borrow(|session| {
        let home = session.home.as_ref();
        let below = home.and_then(|home| path.as_os_str().as_bytes().strip_prefix(&**home));
        below.is_some_and(|below| below.starts_with(b"/."))
    })
}

/// What a directory was found to be like.
pub(super) fn known(path: &Path) -> Option<Way> {
    let bytes = path.as_os_str();
    SESSION.with_borrow(|session| {
        let found = session
            .known
            .iter()
            .rev()
            .find(|(known, _)| known.as_os_str() == bytes);
        found.map(|(_, way)| way.clone())
    })
}

pub(super) fn know(path: &Path, way: &Way) {
    SESSION.with_borrow_mut(|session| {
        session
            .known
            .retain(|(known, _)| known.as_os_str() != path.as_os_str());
        session.known.push((path.to_owned(), way.clone()));
    });
}

/// Warns once.
pub(super) fn warn(warning: FileError) {
    SESSION.with_borrow_mut(|session| {
        if !session.warnings.contains(&warning) {
            session.warnings.push(warning);
        }
    });
}

/// What is wrong with the files that were read all the same; then there is nothing to say.
pub fn take_warnings() -> Vec<FileError> {
    SESSION.with_borrow_mut(|session| std::mem::take(&mut session.warnings))
}

/// As in a new process, after what was judged has changed.
#[cfg(test)]
pub(super) fn forget() {
    SESSION.with_borrow_mut(|session| session.known.clear());
}
