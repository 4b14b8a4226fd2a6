//! `Slot`: the files of one token, which are named alike: the token, the failure to mint it, and the lock.

use std::fs::{File, FileTimes};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::clock::Moment;
use super::entry::{Entry, State};
use super::failure::Failure;
use super::{FAILED, TOKEN};
use crate::backend::Minted;
use crate::error::Error;
use crate::private::{self, Fault, Readers};
use crate::seal::SealKey;

/// One token's place.
pub(super) struct Slot<'a> {
    pub(super) dir: &'a Path,
    pub(super) key: &'a SealKey,
    pub(super) name: String,
}

impl Slot<'_> {
    pub(super) fn path(&self, extension: &str) -> PathBuf {
        self.dir.join(format!("{}.{extension}", self.name))
    }

    /// The token; whatever is not one is a miss.
    pub(super) fn read(&self) -> Option<Entry> {
        let bytes = private::read(&self.path(TOKEN), Readers::Owner, MAX_TOKEN).ok()??;
        Entry::open(&bytes, self.key, &self.name)
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        let bytes = private::read(&self.path(FAILED), Readers::Owner, MAX_TOKEN).ok()??;
        Failure::open(&bytes, self.key, &self.name)
    }

    /// What another process has come to in the meantime: a good token, or a failure that is still shared.
    pub(super) fn settled(&self, now: Moment) -> Option<Result<Minted, Error>> {
        if let Some(entry) = self.read().filter(|entry| entry.state(now) != State::Over) {
            return Some(Ok(entry.into_minted()));
        }
        self.failure().filter(|failure| failure.is_within(SHARED_FAILURE, now)).map(|failure| Err(failure.into_error()))
    }

    pub(super) fn write(&self, entry: &Entry) -> Result<(), Fault> {
        let Some(bytes) = entry.seal(self.key, &self.name) else { return Ok(()) };
        private::replace(self.dir, &format!("{}.{TOKEN}", self.name), &bytes)?;
        self.stamp(entry, SystemTime::now());
        // A success ends the failure before it; one that stays behind is older than the token, and read after it.
        _ = std::fs::remove_file(self.path(FAILED));
        Ok(())
    }

    pub(super) fn fail(&self, error: &Error, now: Moment) {
        // Without it the next process asks the provider again, which is all that is lost.
        if let Some(bytes) = Failure::of(error, now).and_then(|failure| failure.seal(self.key, &self.name)) {
            _ = private::replace(self.dir, &format!("{}.{FAILED}", self.name), &bytes);
        }
    }

    /// Notes the use for the order of removal, at most once a minute: a hit should write nothing.
    pub(super) fn used(&self, entry: Entry) -> Minted {
        let now = SystemTime::now();
        let used = std::fs::metadata(self.path(TOKEN)).and_then(|metadata| metadata.accessed());
        if used.is_ok_and(|used| now.duration_since(used).is_ok_and(|age| age > USE_PRECISION)) {
            self.stamp(&entry, now);
        }
        entry.into_minted()
    }

    /// The file's own times hold its end and its last use, so that keeping the directory small opens no file.
    fn stamp(&self, entry: &Entry, used: SystemTime) {
        let times = FileTimes::new().set_accessed(used).set_modified(SystemTime::UNIX_EPOCH + entry.expires());
        // Wrong times only make it leave early.
        _ = File::open(self.path(TOKEN)).and_then(|file| file.set_times(times));
    }
}

const MAX_TOKEN: u64 = 64 << 10;
const SHARED_FAILURE: Duration = Duration::from_secs(5);
const USE_PRECISION: Duration = Duration::from_mins(1);
