//! `TokenFiles`: the files of one token, which are named alike: the token, the failure to mint it, the
//! last failure for those who look, and the lock.

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

/// One token's place.
pub(super) struct TokenFiles<'a> {
    pub(super) dir: &'a Path,
    pub(super) key: &'a SealKey,
    pub(super) name: String,
    /// How long a token has to live that is answered.
    pub(super) min_life: Duration,
}

impl TokenFiles<'_> {
    pub(super) fn path(&self, extension: &str) -> PathBuf {
        self.dir.join([&self.name, ".", extension].concat())
    }

    /// The token; whatever is not one is a miss.
    pub(super) fn read(&self) -> Option<Entry> {
        let bytes = trusted::read_inside(&self.path(TOKEN), Readers::Owner, MAX_TOKEN).ok()??;
        Entry::open(&bytes, self.key, &self.name)
    }

    /// Whether a token is still good; one that does not live for long enough is over, if a new one lives longer.
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

    /// What another process has come to meanwhile: a good token, or the provider's refusal while that is shared.
    pub(super) fn settled(&self, now: Moment) -> Option<Result<Minted, Error>> {
        if let Some(entry) = self
            .read()
            .filter(|entry| self.state(entry, now) != State::Over)
        {
            return Some(Ok(entry.into_minted()));
        }
        self.failure()
            .filter(|failure| failure.is_shared(now))
            .map(|failure| Err(failure.into()))
    }

    pub(super) fn write(&self, id: &TokenId, entry: &Entry) -> Result<(), FileError> {
        let Some(bytes) = entry.seal(id, self.key, &self.name) else {
            return Ok(());
        };
        // Before it is there, it has its times: who keeps the directory small must not take it for an expired one.
        let times = Some(times(entry, SystemTime::now()));
        private::replace_unsynced(self.dir, &format!("{}.{TOKEN}", self.name), &bytes, times)?;
        // A success ends the failure before it; one that stays behind is older than the token, and read after it.
        _ = std::fs::remove_file(self.path(FAILED));
        Ok(())
    }

    pub(super) fn fail(&self, id: &TokenId, error: &Error, now: Moment) {
        let Some(failure) = Failure::of(error, now) else {
            return;
        };
        // Without the first the next process asks the provider again, and without the second nobody is told of it later:
        // that is all that is lost.
        for (extension, bytes) in [
            (FAILED, failure.seal(self.key, &self.name)),
            (
                FAULT,
                failure::seal_last(&failure, id, self.key, &self.name),
            ),
        ] {
            if let Some(bytes) = bytes {
                _ = private::replace_unsynced(
                    self.dir,
                    &format!("{}.{extension}", self.name),
                    &bytes,
                    None,
                );
            }
        }
    }

    /// When it was last used.
    pub(super) fn last_used(&self) -> Option<SystemTime> {
        std::fs::metadata(self.path(TOKEN))
            .and_then(|metadata| metadata.accessed())
            .ok()
    }

    /// Notes the use for the order of removal, at most once a minute: a hit should write nothing.
    pub(super) fn used(&self, entry: Entry) -> Minted {
        let now = SystemTime::now();
        if self.last_used().is_some_and(|used| {
            now.duration_since(used)
                .is_ok_and(|age| age > USE_PRECISION)
        }) {
            self.stamp(&entry, now);
        }
        entry.into_minted()
    }

    /// The file's own times hold its end and its last use, so that keeping the directory small opens no file.
    pub(super) fn stamp(&self, entry: &Entry, used: SystemTime) {
        // Wrong times only make it leave early.
        _ = trusted::set_times(
            &self.path(TOKEN),
            used,
            SystemTime::UNIX_EPOCH + entry.expires(),
        );
    }
}

fn times(entry: &Entry, used: SystemTime) -> FileTimes {
    FileTimes::new()
        .set_accessed(used)
        .set_modified(SystemTime::UNIX_EPOCH + entry.expires())
}

pub(super) const MAX_TOKEN: u64 = 64 << 10;
const USE_PRECISION: Duration = Duration::from_mins(1);
