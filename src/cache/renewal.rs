//! Renews a token on request (`refresh`), with the same rules as any other mint: one at a time, shared failures, and
//! another look into the cache after taking the lock.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Cache, FAULT, InventoryEntry, LOCK, TOKEN, TokenId, eviction};
use crate::error::{Code, Error, Fault, Meaning};
use crate::lock::{Lock, Waited};
use crate::token::Minted;

/// The outcome of a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// A new token was minted.
    Minted,
    /// Another process minted it meanwhile.
    ByAnother,
}

impl Cache {
    /// Whether this token still belongs to these keys. A token of changed keys is of no use.
    #[must_use]
    pub fn is_of(&self, known: &InventoryEntry, id: &TokenId) -> bool {
        self.files(id).name == known.name
    }

    /// Mints a new token while the old one is still used. Keeps the time of last use.
    pub fn refresh(
        &self,
        known: &InventoryEntry,
        id: &TokenId,
        longest: Option<Duration>,
        deadline: Instant,
        mint: impl Fn(Instant) -> Result<Minted, Error>,
    ) -> Result<Renewal, Error> {
        let minting = self.minting(id, longest, deadline, mint);
        let files = &minting.files;
        let before = known.token.map(|token| token.minted_at);
        let renewed = || {
            files
                .read()
                .is_some_and(|entry| Some(entry.minted) != before)
                .then_some(())
        };
        let lock = files.path(LOCK);
        let _lock = match Lock::wait(&lock, deadline, renewed) {
            Ok(Waited::Ours(lock)) if renewed().is_none() => lock,
            Ok(Waited::Ours(_) | Waited::Theirs(())) => return Ok(Renewal::ByAnother),
            Ok(Waited::Overdue) => return Err(RenewalError::Overdue.into()),
            Err(error) => return Err(RenewalError::Lock(lock, error).into()),
        };
        let (failure, now) = (files.failure(), (self.clock)());
        if let Some(failure) = failure.filter(|failure| failure.is_shared(now)) {
            return Err(failure.into());
        }
        minting.mint_now()?;
        if let (Some(entry), Some(token)) = (files.read(), known.token) {
            files.stamp(&entry, token.used);
        }
        Ok(Renewal::Minted)
    }

    /// Removes a token and its failures, unless its lock is held.
    pub fn remove(&self, known: &InventoryEntry) {
        let token = self.dir.join(&known.name).with_extension(TOKEN);
        eviction::remove(&token);
        _ = std::fs::remove_file(token.with_extension(FAULT));
    }
}

/// Why a token was not renewed, other than a failed mint.
#[derive(Debug, thiserror::Error)]
enum RenewalError {
    #[error("another process is minting this token and has not finished")]
    Overdue,
    #[error("the lock {} cannot be taken", .0.display())]
    Lock(PathBuf, #[source] std::io::Error),
}

impl Fault for RenewalError {
    fn meaning(&self) -> Meaning {
        let of = |code| Meaning::new(code, "token cache");
        match self {
            Self::Overdue => of(Code::CacheLocked)
                .fix("try again; check whether the provider is reachable from this node")
                .unreachable(),
            Self::Lock(..) => of(Code::CacheUnusable).fix("make its directory writable"),
        }
    }
}
