//! Checks the cached cloud tokens and the last failed mints.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use super::clock::set_clock;
use super::finding::Finding;
use crate::cache::{Cache, Inventory, InventoryEntry, State};
use crate::cli::status::brief;
use crate::config::Config;

/// The cache's contents; empty if it can't be read, which is reported with the directories.
pub(super) fn inventory(config: &Config) -> Inventory {
    let caches = Cache::all_existing(config, &Rc::default()).unwrap_or_default();
    Inventory::of(&caches).unwrap_or_default()
}

/// One finding for all usable tokens, and one for each token whose last mint failed.
pub(super) fn look(inventory: &Inventory) -> Vec<Finding> {
    let is_good =
        |entry: &&InventoryEntry| entry.token.is_some_and(|token| token.state != State::Over);
    let good = match inventory.entries.iter().filter(is_good).count() {
        0 => "no token is cached".to_owned(),
        1 => "1 cached token is good".to_owned(),
        count => format!("{count} cached tokens are good"),
    };
    let failed = inventory.entries.iter().filter_map(failed);
    let good = [Finding::ok("token.cached", good)].into_iter();
    good.chain(failed).collect()
}

/// A finding for a failed mint, until a later mint succeeds, or for a day.
fn failed(entry: &InventoryEntry) -> Option<Finding> {
    let failure = entry.last_failure.as_ref()?;
    let ago = SystemTime::now().duration_since(failure.at);
    let ago = ago.unwrap_or_default();
    if ago > FORGOTTEN || entry.token.is_some_and(|token| token.minted > failure.at) {
        return None;
    }
    let (cause, fix) = failure.text.split_once("; ").unwrap_or((&failure.text, ""));
    let (registry, ago) = (&entry.origin.registry, brief(ago));
    let what = format!("{registry}: {ago} ago a mint failed: {cause}");
    let finding = Finding::warn("token.failed", what);
    if cause.contains("clock is") || cause.contains("clock are") {
        return Some(set_clock(finding));
    }
    Some(match fix {
        "" => finding,
        fix => finding.words(fix),
    })
}

const FORGOTTEN: Duration = Duration::from_hours(24);
