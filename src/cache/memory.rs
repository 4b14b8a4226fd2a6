//! `Memory`: small sealed notes beside the tokens: what was not there, what a secret was called, what a store that is
//! out of reach answered last. Losing one costs a round trip, so no fault of it is told.

use std::path::Path;
use std::time::{Duration, Instant};

use super::clock::Moment;
use super::turn::Turn;
use super::{LOCK, MEMO};
use crate::credential::Redacted;
use crate::error::Error;
use crate::private;
use crate::seal::SealKey;
use crate::trusted::{self, Readers};

/// Notes by kind and subject, in the cache's directory, sealed with its key.
pub struct Memory<'a> {
    pub(super) dir: &'a Path,
    pub(super) key: &'a SealKey,
    pub(super) clock: &'a dyn Fn() -> Moment,
}

/// A note, and how old it is.
#[derive(Debug)]
pub struct Recalled {
    /// What was noted.
    pub text: Redacted,
    /// How long ago.
    pub age: Duration,
}

impl Memory<'_> {
    /// What was noted about this subject; `None` where nothing was, or a clock that was set back hides how long ago.
    #[must_use]
    pub fn recall(&self, kind: &str, subject: &[&str]) -> Option<Recalled> {
        let name = self.name(kind, subject);
        let bytes = trusted::read_inside(&self.dir.join(&name), Readers::Owner, MAX_MEMO).ok()??;
        let opened = self.key.open(&associated(&name), &bytes).ok()?;
        let (times, text) = opened.split_at_checked(16)?;
        let (wall, boot) = times.split_first_chunk::<8>()?;
        let noted = Moment { wall: u64::from_be_bytes(*wall), boot: u64::from_be_bytes(boot.try_into().ok()?) };
        let text = std::str::from_utf8(text).ok()?.into();
        Some(Recalled { text, age: (self.clock)().since(noted)? })
    }

    /// Notes this about a subject, in place of what was noted before.
    pub fn note(&self, kind: &str, subject: &[&str], text: &str) {
        let (name, now) = (self.name(kind, subject), (self.clock)());
        let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(16 + text.len()));
        bytes.extend_from_slice(&now.wall.to_be_bytes());
        bytes.extend_from_slice(&now.boot.to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
        if let Ok(sealed) = self.key.seal(&associated(&name), &bytes) {
            _ = private::replace_unsynced(self.dir, &name, &sealed, None);
        }
    }

    /// What was noted about this subject within that time; else what is asked for now, by one process at a time, and noted.
    pub fn recall_or_ask(
        &self,
        kind: &str,
        subject: &[&str],
        within: Duration,
        deadline: Instant,
        ask: impl FnOnce() -> Result<Option<String>, Error>,
    ) -> Result<Option<String>, Error> {
        let recall = || self.recall(kind, subject).filter(|noted| noted.age < within).map(|noted| noted.text);
        let known = |text: Redacted| Ok(Some(text.expose().to_owned()));
        if let Some(text) = recall() {
            return known(text);
        }
        let lock = self.dir.join(self.name(kind, subject)).with_extension(LOCK);
        // Where there is no turn to be had, asking once more does no harm.
        let half = Instant::now() + deadline.saturating_duration_since(Instant::now()) / 2;
        let turn = Turn::wait(&lock, half, recall);
        match turn {
            Ok(Turn::Theirs(text)) => return known(text),
            Ok(Turn::Ours(_)) if let Some(text) = recall() => return known(text),
            _ => {}
        }
        let answer = ask()?;
        if let Some(text) = &answer {
            self.note(kind, subject, text);
        }
        Ok(answer)
    }

    /// Forgets what was noted about a subject.
    pub fn forget(&self, kind: &str, subject: &[&str]) {
        _ = private::remove(self.dir, &self.name(kind, subject));
    }

    fn name(&self, kind: &str, subject: &[&str]) -> String {
        let print = self.key.fingerprint(["memory", kind].into_iter().chain(subject.iter().copied()));
        format!("{}.{MEMO}", &print[..32])
    }
}

fn associated(name: &str) -> Vec<u8> {
    format!("beta9-memory 1\n{name}").into_bytes()
}

const MAX_MEMO: u64 = 1 << 20;
