//! This thread's results so far: checked directories, and warnings.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::error::FileError;
use super::judge::Way;

thread_local! {
    /// Emptied by [`forget`], and not dropped: for a destructor, musl would fill its table of keys, which is a page more.
    static SESSION: RefCell<ManuallyDrop<Session>> = const {
        RefCell::new(ManuallyDrop::new(Session::NEW))
    };
}

struct Session {
    /// The home directory of this program's default paths.
    home: Option<Vec<u8>>,
    /// Checked directories by their real paths.
    known: Vec<(PathBuf, Way)>,
    warnings: Vec<FileError>,
}

impl Session {
    const NEW: Self = Self {
        home: None,
        known: Vec::new(),
        warnings: Vec::new(),
    };
}

/// Sets the home directory of this program's default paths.
pub fn set_home(home: &Path) {
    let home = home.as_os_str().as_bytes();
    let end = home.iter().rposition(|byte| *byte != b'/');
    let home = home[..end.map_or(0, |end| end + 1)].to_vec();
    SESSION.with_borrow_mut(|session| session.home = Some(home));
}

/// Whether a path is below a dot directory of the home directory, where default paths are.
pub(super) fn is_standard(path: &Path) -> bool {
    SESSION.with_borrow(|session| {
        let home = session.home.as_ref();
        let below = home.and_then(|home| path.as_os_str().as_bytes().strip_prefix(&**home));
        below.is_some_and(|below| below.starts_with(b"/."))
    })
}

/// The state of a directory that was already checked.
pub(super) fn known(path: &Path) -> Option<Way> {
    let bytes = path.as_os_str();
    SESSION.with_borrow(|session| {
        let mut known = session.known.iter().rev();
        let found = known.find(|(known, _)| known.as_os_str() == bytes);
        found.map(|(_, way)| way.clone())
    })
}

pub(super) fn know(path: &Path, way: &Way) {
    SESSION.with_borrow_mut(|session| {
        let known = &mut session.known;
        known.retain(|(known, _)| known.as_os_str() != path.as_os_str());
        known.push((path.to_owned(), way.clone()));
    });
}

/// Adds a warning, once.
pub(super) fn warn(warning: FileError) {
    SESSION.with_borrow_mut(|session| {
        if !session.warnings.contains(&warning) {
            session.warnings.push(warning);
        }
    });
}

/// Takes the warnings about files that were read nevertheless.
pub fn take_warnings() -> Vec<FileError> {
    SESSION.with_borrow_mut(|session| std::mem::take(&mut session.warnings))
}

/// Clears the checked directories, so that the next file is checked with all that is above it.
pub fn forget_directories() {
    SESSION.with_borrow_mut(|session| session.known.clear());
}

/// Clears everything, as in a new process. A thread of a long-lived process calls it after each piece of work.
pub fn forget() {
    let session = SESSION.replace(ManuallyDrop::new(Session::NEW));
    drop(ManuallyDrop::into_inner(session));
}
