//! Checks this node's clock. Providers refuse signatures made with a wrong clock.

use std::time::{Duration, SystemTime};

use super::finding::{Finding, State};
use crate::cache::{Inventory, Moment};
use crate::cli::status::brief;

/// Compares the clock with the store's, if known, and with the times of the last mints.
pub(super) fn look(
    store: Option<(SystemTime, SystemTime)>,
    tokens: &Inventory,
    now: Moment,
) -> Vec<Finding> {
    let entries = tokens.entries.iter();
    let minted: Vec<_> = entries
        .filter_map(|entry| Some(entry.token?.minted_at))
        .collect();
    let store = store.map(|(theirs, ours)| compared("the store's", theirs, ours));
    let agrees = store.as_ref().is_some_and(|one| one.state == State::Ok);
    let kept = kept_step(&minted, now, agrees);
    let mut findings: Vec<_> = store.into_iter().chain(kept).collect();
    if findings.is_empty() {
        let what = "there is nothing to compare the clock with: the store shows none, and no token was minted yet";
        findings.push(Finding::note("clock.unknown", what));
    }
    findings
}

/// Compares the wall clock with the boot clock, which can't be set. `agrees`: the store shows the same time, so the
/// boot clock stood still, as when a virtual machine was paused.
fn kept_step(minted: &[Moment], now: Moment, agrees: bool) -> Option<Finding> {
    // Among moments since the last boot, the boot clock gives the order, whatever happened to the wall clock.
    let then = minted
        .iter()
        .max_by_key(|then| (then.boot <= now.boot, then.boot, then.wall))?;
    let lacks = lost(*then, now);
    if lacks >= TOLERATED {
        return Some(jumped("back", lacks));
    }
    let of_this_run = minted.iter().filter(|then| is_of_this_run(**then, now));
    let Some(then) = of_this_run.max_by_key(|then| then.boot) else {
        let what = "the clock was not set back since a provider last gave a token";
        return Some(Finding::ok("clock.kept", what));
    };
    let gained = now.wall.saturating_sub(then.wall + (now.boot - then.boot));
    let gained = Duration::from_secs(gained);
    if gained >= TOLERATED && !agrees {
        return Some(jumped("ahead", gained));
    }
    let what = "the clock was set neither back nor ahead since a provider last gave a token";
    Some(Finding::ok("clock.kept", what))
}

/// Whether the machine was certainly not restarted since `then`: by the wall clock, it booted before that. If the wall
/// clock is ahead, the boot seems later than it was; after a jump of more than the uptime, that can't be told from a
/// restart.
fn is_of_this_run(then: Moment, now: Moment) -> bool {
    then.boot <= now.boot && now.wall.saturating_sub(now.boot) + TOLERATED.as_secs() < then.wall
}

/// How far the clock was set back.
fn lost(then: Moment, now: Moment) -> Duration {
    let lost = if now.boot >= then.boot {
        (then.wall + (now.boot - then.boot)).saturating_sub(now.wall)
    } else {
        then.wall.saturating_sub(now.wall)
    };
    Duration::from_secs(lost)
}

fn jumped(side: &str, by: Duration) -> Finding {
    let what = format!(
        "this node's clock was set {side} by {} since a provider last gave a token",
        brief(by)
    );
    set_clock(Finding::new("clock.jumped", state(by), what))
}

/// How bad it is that the clock is off.
fn state(by: Duration) -> State {
    if by < REFUSED {
        State::Warn
    } else {
        State::Broken
    }
}

fn compared(whose: &str, theirs: SystemTime, now: SystemTime) -> Finding {
    let (off, side) = match now.duration_since(theirs) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    if off < TOLERATED {
        let what = format_args!("the clock agrees with {whose}");
        return Finding::ok("clock.agrees", what);
    }
    let what = format!("this node's clock is {} {side} {whose}", brief(off));
    let refused = match state(off) {
        State::Broken => ": providers refuse what it signs",
        _ => "",
    };
    let finding = Finding::new("clock.differs", state(off), what + refused);
    set_clock(finding)
}

pub(super) fn set_clock(finding: Finding) -> Finding {
    let is_root = rustix::process::geteuid().is_root();
    let sudo = if is_root { "" } else { "sudo " };
    finding.run(&format!("{sudo}timedatectl set-ntp true"))
}

/// Tolerated, because answers take time and dates are in whole seconds.
const TOLERATED: Duration = Duration::from_secs(30);
/// AWS and Google tolerate five minutes.
const REFUSED: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn of_store(theirs: SystemTime, ours: SystemTime) -> Finding {
        look(Some((theirs, ours)), &Inventory::default(), Moment::now()).remove(0)
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
    fn a_clock_that_was_set_back_is_found_out_and_a_restart_is_not_a_fault() {
        let then = Moment {
            wall: 100_000,
            boot: 500,
        };
        let state = |wall, boot| {
            kept_step(&[then], Moment { wall, boot }, false)
                .unwrap()
                .state
        };
        assert_eq!(state(100_060, 560), State::Ok);
        assert_eq!(state(200_000, 3), State::Ok, "restarted");
        assert_eq!(
            state(200_000, 600),
            State::Ok,
            "restarted, or set ahead: nobody can tell"
        );
        assert_eq!(state(100_060, 640), State::Warn, "80 seconds are missing");
        assert_eq!(state(100_060, 7760), State::Broken, "two hours are missing");
        assert_eq!(
            state(90_000, 3),
            State::Broken,
            "set back behind it, whatever else happened"
        );
        assert_eq!(
            look(None, &Inventory::default(), then)[0].state,
            State::Note
        );
    }

    #[test]
    fn a_clock_set_ahead_is_detected_if_the_machine_was_not_restarted() {
        let then = Moment {
            wall: 100_000,
            boot: 9000,
        };
        let look = |wall, boot, agrees| kept_step(&[then], Moment { wall, boot }, agrees).unwrap();
        let state = |wall, boot| look(wall, boot, false).state;
        assert_eq!(
            (state(100_060, 9060), state(100_080, 9060)),
            (State::Ok, State::Ok)
        );
        assert_eq!(state(100_160, 9060), State::Warn, "100 seconds too many");
        assert_eq!(state(107_260, 9060), State::Broken, "two hours too many");
        let what = look(107_260, 9060, false).what;
        assert_eq!(
            what,
            "this node's clock was set ahead by 2 h since a provider last gave a token"
        );
        assert_eq!(
            look(107_260, 9060, true).state,
            State::Ok,
            "the store's clock says that it is right"
        );
        assert_eq!(state(107_260, 60), State::Ok, "restarted");
        assert_eq!(
            state(120_000, 9060),
            State::Ok,
            "restarted, or set ahead by more than it had been up"
        );
        // A token minted since then shows that the clock is right.
        let since = Moment {
            wall: 107_230,
            boot: 9030,
        };
        assert_eq!(
            kept_step(
                &[then, since],
                Moment {
                    wall: 107_260,
                    boot: 9060
                },
                false
            )
            .unwrap()
            .state,
            State::Ok
        );
    }
}
