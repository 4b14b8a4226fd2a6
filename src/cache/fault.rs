//! The last failure to mint a token, for whoever looks at `status`. It outlives the seconds for which a failure is shared
//! and the success after it, and is never what a `get` is answered from.

use std::time::{Duration, SystemTime};

use super::TokenId;
use super::failure::Failure;
use super::origin::{self, Origin};
use crate::seal::SealKey;

/// When a token could not be minted last, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastFailure {
    /// When.
    pub at: SystemTime,
    /// The part, the cause and the remedy, in one line.
    pub text: String,
}

pub(super) fn seal(failure: &Failure, id: &TokenId, key: &SealKey, name: &str) -> Option<Vec<u8>> {
    let text = format!(
        "{}{}\n{}",
        origin::lines(id),
        failure.at.wall,
        failure.text()
    );
    key.seal(&associated(name), text.as_bytes()).ok()
}

pub(super) fn open(bytes: &[u8], key: &SealKey, name: &str) -> Option<(Origin, LastFailure)> {
    let text = key.open(&associated(name), bytes).ok()?;
    let mut lines = std::str::from_utf8(&text)
        .ok()?
        .splitn(origin::LINES + 2, '\n');
    let origin = Origin::read(&mut lines)?;
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(lines.next()?.parse().ok()?);
    Some((
        origin,
        LastFailure {
            at,
            text: lines.next()?.to_owned(),
        },
    ))
}

fn associated(name: &str) -> Vec<u8> {
    format!("beta9-fault 2\n{name}").into_bytes()
}
