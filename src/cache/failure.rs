//! A failed mint, cached for seconds. A provider's refusal is shared, so that two hundred processes ask only once. A
//! process's own fault is not shared; it only delays the next renewal of a token that is still valid.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::TokenId;
use super::clock::Moment;
use super::origin::{self, Origin};
use crate::error::{Code, Error, Fault, Meaning};
use crate::json;
use crate::seal::SealKey;

/// A cached failure: its text and time.
#[derive(Debug, Deserialize, Serialize, thiserror::Error)]
#[error("{cause}")]
pub(super) struct Failure {
    pub(super) at: Moment,
    /// Whether it is the provider's answer.
    answered: bool,
    kind: Kind,
    code: Code,
    part: String,
    cause: String,
    fix: String,
}

/// How the failure affects the next mint.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
enum Kind {
    Failed,
    Unreachable,
    Dispensable,
}

impl Failure {
    /// `None` if the error isn't a failed mint.
    pub(super) fn of(error: &Error, now: Moment) -> Option<Self> {
        let (problem, kind) = match error {
            Error::Failed(problem) if problem.is_dispensable() => (problem, Kind::Dispensable),
            Error::Failed(problem) => (problem, Kind::Failed),
            Error::Unreachable(problem) => (problem, Kind::Unreachable),
            _ => return None,
        };
        let (part, cause, fix) = problem.words();
        Some(Self {
            at: now,
            answered: error.is_answer(),
            kind,
            code: error.code()?,
            part,
            cause,
            fix,
        })
    }

    /// Whether every process that asks for this token now fails with this failure.
    pub(super) fn is_shared(&self, now: Moment) -> bool {
        self.answered && self.is_within(SHARED, now)
    }

    pub(super) fn is_within(&self, time: Duration, now: Moment) -> bool {
        // Times are whole seconds, so the failure may be shared up to a second less.
        now.since(self.at).is_some_and(|age| age < time)
    }

    /// The failure as one line, without the registry.
    pub(super) fn text(&self) -> String {
        let end = if self.fix.is_empty() { "" } else { "; " };
        let text = format!("{}: {}{end}{}", self.part, self.cause, self.fix);
        text.replace(char::is_control, " ")
    }

    pub(super) fn seal(&self, key: &SealKey, name: &str) -> Option<Vec<u8>> {
        let text = json::text(self);
        key.seal(&associated(name), text.as_bytes()).ok()
    }

    pub(super) fn open(bytes: &[u8], key: &SealKey, name: &str) -> Option<Self> {
        json::object(&key.open(&associated(name), bytes).ok()?).ok()
    }
}

impl Fault for Failure {
    fn meaning(&self) -> Meaning {
        let meaning = Meaning::new(self.code, self.part.clone()).fix(self.fix.clone());
        match self.kind {
            Kind::Unreachable => meaning.unreachable(),
            Kind::Failed => meaning,
            Kind::Dispensable => meaning.dispensable(),
        }
    }
}

fn associated(name: &str) -> Vec<u8> {
    format!("beta9-failure 4\n{name}").into_bytes()
}

const SHARED: Duration = Duration::from_secs(5);

/// The last failed mint, with time and reason, for `status`. It is kept after the failure is no longer shared, and
/// after a later success. No `get` uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastFailure {
    /// When the mint failed.
    pub at: SystemTime,
    /// The part, the cause and the remedy, in one line.
    pub text: String,
}

pub(super) fn seal_last(
    failure: &Failure,
    id: &TokenId,
    key: &SealKey,
    name: &str,
) -> Option<Vec<u8>> {
    let text = format!(
        "{}{}\n{}",
        origin::lines(id),
        failure.at.wall,
        failure.text()
    );
    key.seal(&associated_last(name), text.as_bytes()).ok()
}

pub(super) fn open_last(bytes: &[u8], key: &SealKey, name: &str) -> Option<(Origin, LastFailure)> {
    let text = key.open(&associated_last(name), bytes).ok()?;
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

fn associated_last(name: &str) -> Vec<u8> {
    format!("beta9-fault 2\n{name}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Problem;

    #[test]
    fn what_the_provider_said_is_reported_again_in_the_same_words_for_its_seconds() {
        let key = SealKey::new(&[1; 32]).unwrap();
        let error = || {
            Problem::new("backend aws", "it is throttled")
                .code(Code::MintThrottled)
                .fix("wait")
                .unreachable()
        };
        let at = Moment {
            wall: 100,
            boot: 50,
        };
        let bytes = Failure::of(&error().answered(), at)
            .unwrap()
            .seal(&key, "name")
            .unwrap();
        assert!(Failure::open(&bytes, &key, "other").is_none());
        let failure = Failure::open(&bytes, &key, "name").unwrap();
        assert!(failure.is_shared(Moment {
            wall: 104,
            boot: 54
        }));
        assert!(!failure.is_shared(Moment {
            wall: 105,
            boot: 55
        }));
        assert!(
            !failure.is_shared(Moment {
                wall: 101,
                boot: 90
            }),
            "the clock was set back"
        );
        assert!(
            matches!(Error::from(failure), Error::Unreachable(problem) if problem.to_string() == "backend aws: it is throttled; wait")
        );
        let own = Failure::open(
            &Failure::of(&error(), at)
                .unwrap()
                .seal(&key, "name")
                .unwrap(),
            &key,
            "name",
        )
        .unwrap();
        assert!(!own.is_shared(at) && own.is_within(SHARED, at));
        assert!(Failure::of(&Error::NotFound, at).is_none());
        let denied = Error::from(Failure {
            kind: Kind::Dispensable,
            code: Code::MintRefused,
            ..Failure::of(&error(), at).unwrap()
        });
        let bytes = Failure::of(&denied, at)
            .unwrap()
            .seal(&key, "name")
            .unwrap();
        let told = Error::from(Failure::open(&bytes, &key, "name").unwrap());
        assert_eq!(told.code(), Some(Code::MintRefused));
        assert!(matches!(told, Error::Failed(problem) if problem.is_dispensable()));
    }
}
