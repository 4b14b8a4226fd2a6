//! `Memory`: small sealed notes beside the tokens: what was not there, what a secret was called, what a store that is
//! out of reach answered last. Losing one costs a round trip, so no fault of it is told.

use std::path::Path;
use std::time::Duration;

use super::MEMO;
use super::clock::Moment;
use crate::credential::Redacted;
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
