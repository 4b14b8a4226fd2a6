//! The lock for minting a token. One process holds it and mints; the others wait, and poll for its result.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::lock::Lock;

/// The outcome of waiting.
pub(super) enum MintLock<T> {
    /// This process has the lock, until the value is dropped.
    Ours(Lock),
    /// Another process has produced a result.
    Theirs(T),
}

/// Why the lock was not obtained.
pub(super) enum NotLocked {
    /// The lock cannot be taken at all.
    Lock(io::Error),
    /// Another process still held the lock at the deadline.
    Overdue,
}

impl<T> MintLock<T> {
    /// Waits for the lock. After each pause, `answer` checks for another process's result.
    pub(super) fn wait(
        lock: &Path,
        deadline: Instant,
        answer: impl Fn() -> Option<T>,
    ) -> Result<Self, NotLocked> {
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(lock) = Lock::try_acquire(lock).map_err(NotLocked::Lock)? {
                return Ok(Self::Ours(lock));
            }
            if Instant::now() + pause > deadline {
                return Err(NotLocked::Overdue);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
            if let Some(answer) = answer() {
                return Ok(Self::Theirs(answer));
            }
        }
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);
