//! A lock between all processes of a node, named after what it guards. It is released when its holder exits, even if
//! killed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

/// A held lock, released on drop.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The outcome of waiting for a lock.
pub enum Waited<T> {
    /// This process has the lock, until the value is dropped.
    Ours(Lock),
    /// Another process has produced a result.
    Theirs(T),
    /// Another process still held the lock at the deadline.
    Overdue,
}

impl Lock {
    /// Waits for the lock; `None` if another process still holds it at the deadline.
    pub fn acquire(path: &Path, deadline: Instant) -> io::Result<Option<Self>> {
        match Self::wait(path, deadline, || None::<()>)? {
            Waited::Ours(lock) => Ok(Some(lock)),
            Waited::Theirs(()) | Waited::Overdue => Ok(None),
        }
    }

    /// Waits for the lock. After each pause, `answer` checks for another process's result.
    pub fn wait<T>(
        path: &Path,
        deadline: Instant,
        answer: impl Fn() -> Option<T>,
    ) -> io::Result<Waited<T>> {
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(lock) = Self::try_acquire(path)? {
                return Ok(Waited::Ours(lock));
            }
            if Instant::now() + pause > deadline {
                return Ok(Waited::Overdue);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
            if let Some(answer) = answer() {
                return Ok(Waited::Theirs(answer));
            }
        }
    }

    /// Takes the lock if it is free; never waits.
    pub fn try_acquire(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let mut open = OpenOptions::new();
            open.read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(FLAGS);
            let file = open.open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Another process may have removed the file between open and lock; then this lock guards nothing.
            match fs::metadata(path) {
                Ok(now) if same_file(&now, &file.metadata()?) => {
                    return Ok(Some(Self { _file: file }));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Something other than a lock file may be at the path.
const FLAGS: i32 = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .bits()
    .cast_signed();

fn same_file(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

const FIRST_PAUSE: Duration = Duration::from_millis(2);
/// Short compared with the network requests made under a lock that others wait for.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_the_next_after_it() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("lock");
        let first = Lock::try_acquire(&path).unwrap().unwrap();
        assert!(Lock::try_acquire(&path).unwrap().is_none());
        assert!(Lock::acquire(&path, Instant::now()).unwrap().is_none());
        drop(first);
        assert!(Lock::acquire(&path, Instant::now()).unwrap().is_some());
    }

    #[test]
    fn a_lock_whose_file_was_tidied_away_is_taken_again() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("lock");
        let stale = Lock::try_acquire(&path).unwrap().unwrap();
        fs::remove_file(&path).unwrap();
        let fresh = Lock::try_acquire(&path).unwrap().unwrap();
        drop(stale);
        assert!(Lock::try_acquire(&path).unwrap().is_none());
        drop(fresh);
    }
}
