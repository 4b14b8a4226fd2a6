//! Looks up one cached token for a report, without making, minting or renewing anything.

use std::time::Duration;

use super::entry::State;
use super::{Cache, Moment, TokenId};

/// A cached token that a `get` would use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peek {
    /// How long it may still be used.
    pub left: Duration,
    /// The time since it was minted.
    pub age: Duration,
    /// Whether the next caller may renew it.
    pub due: bool,
}

impl Cache {
    /// The cached token, if there is a valid one.
    #[must_use]
    pub fn peek(&self, id: &TokenId) -> Option<Peek> {
        let (entry, now) = (self.files(id).read()?, Moment::now());
        Some(Peek {
            left: entry.left(now)?,
            age: now.since(entry.minted)?,
            due: entry.state(now) == State::Due,
        })
    }
}
