//! Whose turn it is to mint a token: the one process that holds its lock. The others wait, and look for its result.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::lock::Lock;

/// What the wait came to.
pub(super) enum MintLock<T> {
    /// It is this process's. The lock is held as long as this is.
    Ours(Lock),
    /// Another one was quicker.
    Theirs(T),
}

/// Why there was no turn.
pub(super) enum NotLocked {
    /// The lock cannot be taken at all.
    Lock(io::Error),
    /// Another process was still at it at the deadline.
    Overdue,
}

impl<T> MintLock<T> {
    /// Waits for the lock. `answer` is asked for what another process has left, after each pause.
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
