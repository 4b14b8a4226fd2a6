//! A look at one cached token, for a caller that wants to know what would be answered: nothing is made, minted or renewed.

use std::time::Duration;

use super::entry::State;
use super::{Cache, Moment, TokenId};

/// A cached token that would be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peek {
    /// How long it still would.
    pub left: Duration,
    /// How long ago it was minted.
    pub age: Duration,
    /// Whether the next caller may renew it.
    pub due: bool,
}

impl Cache {
    /// What the cache holds of this token.
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
