//! Two clocks, because either alone can be wrong: the wall clock may be set, and the boot clock restarts with the
//! machine.

use std::time::{Duration, SystemTime};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// An instant on both clocks, in whole seconds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// Seconds since 1970, by the wall clock.
    pub wall: u64,
    /// Seconds since the machine started, sleep included.
    pub boot: u64,
}

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        let boot = clock_gettime(ClockId::Boottime).tv_sec;
        Self {
            wall: wall_seconds(SystemTime::now()),
            boot: u64::try_from(boot).unwrap_or(0),
        }
    }

    /// The time since an earlier moment, by the clock that shows more; `None` if the wall clock was set back to before
    /// it, so that the age is unknown.
    #[must_use]
    pub fn since(self, earlier: Self) -> Option<Duration> {
        let wall = (self.wall + TOLERANCE)
            .checked_sub(earlier.wall)?
            .saturating_sub(TOLERANCE);
        // A smaller boot time means that the machine was restarted; then only the wall clock counts.
        let boot = self.boot.saturating_sub(earlier.boot);
        Some(Duration::from_secs(wall.max(boot)))
    }
}

/// The boot clock in nanoseconds, to order events since the machine started.
pub(super) fn boot_nanos() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0))
}

/// The first numbers of these bytes, big-endian, and the rest.
pub(super) fn numbers<const N: usize>(mut bytes: &[u8]) -> Option<([u64; N], &[u8])> {
    let mut numbers = [0; N];
    for number in &mut numbers {
        let (first, rest) = bytes.split_first_chunk()?;
        (*number, bytes) = (u64::from_be_bytes(*first), rest);
    }
    Some((numbers, bytes))
}

/// A wall-clock time in seconds since 1970.
#[must_use]
pub(crate) fn wall_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |duration| duration.as_secs())
}

/// In seconds. A synchronised clock may go back a little.
const TOLERANCE: u64 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_that_says_more_counts_and_a_clock_set_back_says_nothing() {
        let then = Moment {
            wall: 1000,
            boot: 100,
        };
        let since = |wall, boot| Moment { wall, boot }.since(then).map(|age| age.as_secs());
        assert_eq!(since(1060, 160), Some(60));
        assert_eq!(
            since(1060, 7300),
            Some(7200),
            "the wall clock was set back by two hours"
        );
        assert_eq!(since(9000, 110), Some(8000), "the wall clock was set ahead");
        assert_eq!(since(1060, 3), Some(60), "restarted");
        assert_eq!(since(998, 101), Some(1), "kept in step");
        assert_eq!(since(900, 200), None, "set back before the mint");
    }
}
