//! `Memory`: small sealed notes beside the tokens: misses, names of secrets, and last answers of remote stores. Losing
//! a note costs one round trip, so faults are not reported.
//!
//! A note records when its store was asked. A change to a store leaves a mark, which invalidates notes of answers
//! requested before it, even if they are written later. As for tokens, a file's times are the note's expiry and when it
//! was written.

use std::fs::FileTimes;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use zeroize::Zeroizing;

use super::clock::{Moment, boot_nanos, numbers};
use super::{LOCK, MARK, MEMO, eviction};
use crate::config::CacheConfig;
use crate::credential::Redacted;
use crate::error::Error;
use crate::lock::{Lock, Waited};
use crate::private;
use crate::seal::SealKey;
use crate::trusted::{self, Readers};

/// Notes by kind and subject, in the cache's directory, sealed with the cache's key.
pub struct Memory<'a> {
    pub(super) dir: &'a Path,
    pub(super) config: &'a CacheConfig,
    pub(super) key: &'a SealKey,
    pub(super) clock: &'a dyn Fn() -> Moment,
}

/// When a store was asked, or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    at: Moment,
    /// By the boot clock in nanoseconds: seconds are too coarse to order events.
    nanos: u64,
}

/// A note and its age.
#[derive(Debug)]
pub struct Recalled {
    /// The note's text.
    pub text: Redacted,
    /// The time since the store was asked.
    pub age: Duration,
    asked: Asked,
}

impl Memory<'_> {
    /// The note about a subject; `None` if there is none, it has expired, or its age is unknown because a clock was set
    /// back.
    #[must_use]
    pub fn recall(&self, kind: &str, subject: &[&str]) -> Option<Recalled> {
        let opened = self.open(&self.name(kind, subject, MEMO))?;
        let (asked, rest) = Asked::split_from(&opened)?;
        let ([life], text) = numbers(rest)?;
        let age = (self.clock)().since(asked.at)?;
        let text = std::str::from_utf8(text).ok()?.into();
        (age < Duration::from_secs(life)).then_some(Recalled { text, age, asked })
    }

    /// The same, unless one of these was changed since the store was asked.
    #[must_use]
    pub fn recall_unchanged(
        &self,
        kind: &str,
        subject: &[&str],
        changeable: &[&[&str]],
    ) -> Option<Recalled> {
        let recalled = self.recall(kind, subject)?;
        let is_changed = |what: &&[&str]| {
            self.marked(what)
                .is_some_and(|mark| self.is_before(recalled.asked, mark))
        };
        (!changeable.iter().any(is_changed)).then_some(recalled)
    }

    /// The present, to be taken before a store is asked.
    #[must_use]
    pub fn asked_now(&self) -> Asked {
        Asked {
            at: (self.clock)(),
            nanos: boot_nanos(),
        }
    }

    /// Replaces the note about a subject, for the longest time that notes are kept.
    pub fn note(&self, kind: &str, subject: &[&str], text: &str) {
        self.note_answer(kind, subject, text, self.asked_now(), LONGEST);
    }

    /// Notes an answer of a store that was asked at `asked`, for `life` from then.
    pub fn note_answer(
        &self,
        kind: &str,
        subject: &[&str],
        text: &str,
        asked: Asked,
        life: Duration,
    ) {
        let life = life.min(LONGEST);
        let seconds = life.as_secs().to_be_bytes();
        let bytes = [&asked.bytes()[..], &seconds, text.as_bytes()].concat();
        let bytes = Zeroizing::new(bytes);
        self.write(&self.name(kind, subject, MEMO), &bytes, life);
    }

    /// The note about a subject, if it is recent enough. Otherwise asks, one process at a time, and notes the answer.
    pub fn recall_or_ask(
        &self,
        kind: &str,
        subject: &[&str],
        within: Duration,
        deadline: Instant,
        ask: impl FnOnce() -> Result<Option<String>, Error>,
    ) -> Result<Option<String>, Error> {
        let recall = || {
            self.recall(kind, subject)
                .filter(|noted| noted.age < within)
                .map(|noted| noted.text)
        };
        let known = |text: Redacted| Ok(Some(text.expose().to_owned()));
        if let Some(text) = recall() {
            return known(text);
        }
        let lock = self.dir.join(self.name(kind, subject, LOCK));
        // Without the lock, asking once more does no harm.
        let half = Instant::now() + deadline.saturating_duration_since(Instant::now()) / 2;
        let turn = Lock::wait(&lock, half, recall);
        match turn {
            Ok(Waited::Theirs(text)) => return known(text),
            Ok(Waited::Ours(_)) if let Some(text) = recall() => return known(text),
            _ => {}
        }
        let answer = ask()?;
        if let Some(text) = &answer {
            self.note(kind, subject, text);
        }
        Ok(answer)
    }

    /// Removes the note about a subject.
    pub fn forget(&self, kind: &str, subject: &[&str]) {
        _ = private::remove(self.dir, &self.name(kind, subject, MEMO));
    }

    /// Marks a change, which invalidates all notes of answers requested up to now. A mark set before the change is
    /// valid `until` a deadline, so that a process that dies during the change leaves no wrong notes.
    pub fn mark(&self, what: &[&str], until: Option<Instant>) {
        let now = self.asked_now();
        let ahead = until.map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        });
        let nanos = now
            .nanos
            .saturating_add(u64::try_from(ahead.as_nanos()).unwrap_or(u64::MAX));
        self.write(
            &self.name(MARK, what, MARK),
            &Asked { nanos, ..now }.bytes(),
            LONGEST,
        );
    }

    fn marked(&self, what: &[&str]) -> Option<Asked> {
        let opened = self.open(&self.name(MARK, what, MARK))?;
        Some(Asked::split_from(&opened)?.0)
    }

    /// Whether a store was asked before the change.
    fn is_before(&self, asked: Asked, mark: Asked) -> bool {
        let has_been_restarted = (self.clock)().boot < mark.at.boot;
        let by_wall = asked
            .at
            .since(mark.at)
            .is_none_or(|later| has_been_restarted && later.is_zero());
        by_wall || (!has_been_restarted && asked.nanos <= mark.nanos)
    }

    fn open(&self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        let bytes = trusted::read_inside(&self.dir.join(name), Readers::Owner, MAX_MEMO).ok()??;
        self.key.open(&associated(name), &bytes).ok()
    }

    fn write(&self, name: &str, bytes: &[u8], life: Duration) {
        let Ok(sealed) = self.key.seal(&associated(name), bytes) else {
            return;
        };
        let now = SystemTime::now();
        let times = FileTimes::new().set_accessed(now).set_modified(now + life);
        _ = private::replace_unsynced(self.dir, name, &sealed, Some(times));
        eviction::enforce(self.dir, self.config);
    }

    fn name(&self, kind: &str, subject: &[&str], extension: &str) -> String {
        let print = self
            .key
            .fingerprint(["memory", kind].into_iter().chain(subject.iter().copied()));
        format!("{}.{extension}", &print[..32])
    }
}

impl Asked {
    fn bytes(self) -> Vec<u8> {
        [self.at.wall, self.at.boot, self.nanos]
            .into_iter()
            .flat_map(u64::to_be_bytes)
            .collect()
    }

    fn split_from(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let ([wall, boot, nanos], rest) = numbers(bytes)?;
        let at = Moment { wall, boot };
        Some((Self { at, nanos }, rest))
    }
}

fn associated(name: &str) -> Vec<u8> {
    format!("beta9-memory 2\n{name}").into_bytes()
}

const MAX_MEMO: u64 = 1 << 20;
/// Notes in use are renewed, and others are useless after a day.
const LONGEST: Duration = Duration::from_hours(24);
