//! `TokenFiles`: the files of one token, which share a name: the token, the shared failure, the last failure for
//! reports, and the lock.

use std::fs::FileTimes;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::clock::Moment;
use super::entry::{Entry, State};
use super::failure::Failure;
use super::{FAILED, FAULT, TOKEN, TokenId, failure};
use crate::error::Error;
use crate::private;
use crate::seal::SealKey;
use crate::token::Minted;
use crate::trusted::{self, FileError, Readers};

/// The files of one token.
pub(super) struct TokenFiles<'a> {
    pub(super) dir: &'a Path,
    pub(super) key: &'a SealKey,
    pub(super) name: String,
    /// The minimum remaining life of a token to return.
    pub(super) min_life: Duration,
}

impl TokenFiles<'_> {
    pub(super) fn path(&self, extension: &str) -> PathBuf {
        self.dir.join([&self.name, ".", extension].concat())
    }

    /// The token; anything that isn't one is a miss.
    pub(super) fn read(&self) -> Option<Entry> {
        let bytes = trusted::read_inside(&self.path(TOKEN), Readers::Owner, MAX_TOKEN).ok()??;
        Entry::open(&bytes, self.key, &self.name)
    }

    /// Whether a token is still valid. It counts as over if its remaining life is too short and a new one would live
    /// longer.
    pub(super) fn state(&self, entry: &Entry, now: Moment) -> State {
        match entry.left(now) {
            Some(left) if left < entry.longest(self.min_life) => State::Over,
            _ => entry.state(now),
        }
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        let bytes = trusted::read_inside(&self.path(FAILED), Readers::Owner, MAX_TOKEN).ok()??;
        Failure::open(&bytes, self.key, &self.name)
    }

    /// Another process's result: a valid token, or the provider's refusal while that is shared.
    pub(super) fn settled(&self, now: Moment) -> Option<Result<Minted, Error>> {
        let entry = self.read();
        if let Some(entry) = entry.filter(|entry| self.state(entry, now) != State::Over) {
            return Some(Ok(entry.into_minted()));
        }
        let failure = self.failure().filter(|failure| failure.is_shared(now))?;
        Some(Err(failure.into()))
    }

    pub(super) fn write(&self, id: &TokenId, entry: &Entry) -> Result<(), FileError> {
        let Some(bytes) = entry.seal(id, self.key, &self.name) else {
            return Ok(());
        };
        // The times are set before the rename, so that eviction never takes the new file for an expired one.
        let times = FileTimes::new().set_accessed(SystemTime::now());
        let times = Some(times.set_modified(entry.expires()));
        private::replace_unsynced(self.dir, &format!("{}.{TOKEN}", self.name), &bytes, times)?;
        // A success ends an earlier failure. If the failure's file stays, it is older than the token and only read
        // after it.
        _ = std::fs::remove_file(self.path(FAILED));
        Ok(())
    }

    pub(super) fn fail(&self, id: &TokenId, error: &Error, now: Moment) {
        let Some(failure) = Failure::of(error, now) else {
            return;
        };
        // Errors are ignored: without the first file, the next process merely asks the provider again, and without the
        // second, `status` shows no failure.
        let last = failure::seal_last(&failure, id, self.key, &self.name);
        let shared = failure.seal(self.key, &self.name);
        for (extension, bytes) in [(FAILED, shared), (FAULT, last)] {
            if let Some(bytes) = bytes {
                let name = format!("{}.{extension}", self.name);
                _ = private::replace_unsynced(self.dir, &name, &bytes, None);
            }
        }
    }

    /// When it was last used.
    pub(super) fn last_used(&self) -> Option<SystemTime> {
        std::fs::metadata(self.path(TOKEN)).ok()?.accessed().ok()
    }

    /// Records the use for eviction, at most once a minute, because a hit should not write.
    pub(super) fn used(&self, entry: Entry) -> Minted {
        let now = SystemTime::now();
        let age = self.last_used().map(|used| now.duration_since(used));
        if matches!(age, Some(Ok(age)) if age > USE_PRECISION) {
            self.stamp(&entry, now);
        }
        entry.into_minted()
    }

    /// Sets the file's times to its expiry and last use, so that eviction need not open files.
    pub(super) fn stamp(&self, entry: &Entry, used: SystemTime) {
        // With wrong times, the file would merely be evicted early.
        _ = trusted::set_times(&self.path(TOKEN), used, entry.expires());
    }
}

pub(super) const MAX_TOKEN: u64 = 64 << 10;
const USE_PRECISION: Duration = Duration::from_mins(1);
