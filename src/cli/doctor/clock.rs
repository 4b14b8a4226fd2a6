//! Whether this node's clock can be right: providers refuse what is signed by one that is off.

use std::time::{Duration, SystemTime};

use super::finding::{Finding, State};
use crate::cache::{Moment, Survey};
use crate::cli::status::brief;

/// Compares the clock with that of the store, where it showed one, and with itself when a provider last took its word.
pub(super) fn look(store: Option<(SystemTime, SystemTime)>, tokens: &Survey, now: Moment) -> Vec<Finding> {
    // Of those of this run of the machine the boot clock tells the order, whatever was done to the other one.
    let minted = tokens.entries.iter().filter_map(|entry| entry.token.map(|token| token.minted_at));
    let minted = minted.max_by_key(|moment| (moment.boot <= now.boot, moment.boot, moment.wall));
    let store = store.map(|(theirs, ours)| compared("the store's", theirs, ours));
    let findings: Vec<_> = store.into_iter().chain(minted.map(|then| kept_step(then, now))).collect();
    if !findings.is_empty() {
        return findings;
    }
    vec![Finding::note("there is nothing to compare the clock with: the store shows none, and no token was minted yet")]
}

/// The clock that runs since the machine started cannot be set: what the other one lacks, it was set back by.
fn kept_step(then: Moment, now: Moment) -> Finding {
    let lost = if now.boot >= then.boot {
        (then.wall + (now.boot - then.boot)).saturating_sub(now.wall)
    } else {
        then.wall.saturating_sub(now.wall)
    };
    let lost = Duration::from_secs(lost);
    if lost < TOLERATED {
        return Finding::ok("the clock was not set back since a provider last gave a token");
    }
    let what = format!("this node's clock was set back by {} since a provider last gave a token", brief(lost));
    set_clock(Finding::new(if lost < REFUSED { State::Warn } else { State::Broken }, what))
}

fn compared(whose: &str, theirs: SystemTime, now: SystemTime) -> Finding {
    let (off, side) = match now.duration_since(theirs) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    if off < TOLERATED {
        return Finding::ok(format_args!("the clock agrees with {whose}"));
    }
    let what = format!("this node's clock is {} {side} {whose}", brief(off));
    let (state, what) = if off < REFUSED {
        (State::Warn, what)
    } else {
        (State::Broken, format!("{what}: providers refuse what it signs"))
    };
    set_clock(Finding::new(state, what))
}

pub(super) fn set_clock(finding: Finding) -> Finding {
    let command = ["sudo", "timedatectl", "set-ntp", "true"];
    finding.command(&command[usize::from(rustix::process::geteuid().is_root())..])
}

/// A slow answer and a date in whole seconds are no fault of the clock.
const TOLERATED: Duration = Duration::from_secs(30);
/// AWS and Google take five minutes.
const REFUSED: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn of_store(theirs: SystemTime, ours: SystemTime) -> Finding {
        look(Some((theirs, ours)), &Survey::default(), Moment::now()).remove(0)
    }

    #[test]
    fn seconds_are_tolerated_and_minutes_are_not() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(1000);
        let state = |seconds| {
            let off = Duration::from_secs(seconds);
            [now + off, now - off].map(|theirs| of_store(theirs, now).state)
        };
        assert_eq!(state(20), [State::Ok; 2]);
        assert_eq!(state(60), [State::Warn; 2]);
        assert_eq!(state(600), [State::Broken; 2]);
        let what = of_store(now + Duration::from_mins(10), now).what;
        assert!(what.contains("is 10 min behind the store's"), "{what}");
    }

    #[test]
    fn a_clock_that_was_set_back_is_found_out_and_a_restart_is_no_fault() {
        let then = Moment { wall: 100_000, boot: 500 };
        let state = |wall, boot| kept_step(then, Moment { wall, boot }).state;
        assert_eq!(state(100_060, 560), State::Ok);
        assert_eq!(state(200_000, 3), State::Ok, "restarted");
        assert_eq!(state(200_000, 600), State::Ok, "restarted, or set ahead: nobody can tell");
        assert_eq!(state(100_060, 640), State::Warn, "80 seconds are missing");
        assert_eq!(state(100_060, 7760), State::Broken, "two hours are missing");
        assert_eq!(state(90_000, 3), State::Broken, "set back behind it, whatever else happened");
        assert_eq!(look(None, &Survey::default(), then)[0].state, State::Note);
    }
}
