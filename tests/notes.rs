//! Cached answers of remote stores: for how long, how many, and what invalidates them.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs::{File, FileTimes};
use std::time::{Duration, SystemTime};

use beta9_credential::host::Host;
use beta9_credential::store::name;
use common::gateway::{Gateway, Mood, WORKSPACE};
use common::{Answer, Node, tokens};

fn blob(host: &str, password: &str) -> String {
    format!(
        r#"{{"registry":"{host}","type":"basic","credentials":{{"USERNAME":"u","PASSWORD":"{password}"}}}}"#
    )
}

fn name_of(host: &str) -> String {
    name::current(&Host::parse(host.as_bytes()).unwrap())
}

/// A node that knows its workspace, so that a `get` asks only for secrets.
fn node(gateway: &Gateway) -> Node {
    gateway
        .node()
        .with("BETA9_WORKSPACE_ID", WORKSPACE)
        .with("BETA9_TIMEOUT", "60s")
}

#[test]
fn a_secret_that_is_stored_while_a_get_finds_nothing_is_found_by_the_next_one() {
    let gateway = Gateway::start();
    let node = node(&gateway);
    // The likeliest name, and the list of all names.
    gateway.hold_back(0, 2);
    let before = node.start(&["get"], b"ghcr.io");
    gateway.wait_for_held();
    assert_eq!(node.store("ghcr.io", "u", "hunter2"), Answer::silence());
    gateway.release();
    assert_eq!(Answer::of(before), Answer::not_found());
    assert_eq!(node.pair("ghcr.io").1, "hunter2");
}

#[test]
fn a_secret_erased_while_a_get_reads_it_is_not_used_in_a_later_outage() {
    let gateway = Gateway::start();
    let node = node(&gateway);
    gateway.plant(&name_of("ghcr.io"), &blob("ghcr.io", "hunter2"));
    assert_eq!(node.pair("ghcr.io").1, "hunter2");
    // Where it was the last time, and the list of all names.
    gateway.hold_back(0, 2);
    let before = node.start(&["get"], b"ghcr.io");
    gateway.wait_for_held();
    // Another client of the node may call the gateway by another name, or show another token of the workspace.
    let other = node.clone_with(
        "BETA9_GATEWAY_URL",
        gateway.url().replace("127.0.0.1", "localhost"),
    );
    assert_eq!(other.erase("ghcr.io"), Answer::silence());
    gateway.release();
    assert_eq!(Answer::of(before).status, 0);
    gateway.mood(Mood::Status(503));
    assert!(node.get("ghcr.io").failure().contains("(503)"));
}

#[test]
fn a_registry_erased_while_a_list_is_read_is_not_listed_in_a_later_outage() {
    let gateway = Gateway::start();
    let node = node(&gateway);
    gateway.plant(&name_of("ghcr.io"), &blob("ghcr.io", "hunter2"));
    gateway.hold_back(1, 1);
    let before = node.start(&["list"], b"");
    gateway.wait_for_held();
    assert_eq!(node.erase("ghcr.io"), Answer::silence());
    gateway.release();
    assert_eq!(Answer::of(before).out, "{\"ghcr.io\":\"u\"}\n");
    gateway.mood(Mood::Status(503));
    assert_eq!(node.run(&["list"], "").out, "{}\n");
}

#[test]
fn a_change_whose_answer_is_lost_ends_what_was_remembered_too() {
    let gateway = Gateway::start();
    let node = node(&gateway).with("BETA9_TIMEOUT", "5s");
    gateway.plant(&name_of("ghcr.io"), &blob("ghcr.io", "hunter2"));
    assert_eq!(node.pair("ghcr.io").1, "hunter2");
    gateway.mood(Mood::LoseAnswersToChanges(99));
    assert_eq!(node.erase("ghcr.io").status, 1);
    gateway.mood(Mood::Status(503));
    assert!(node.get("ghcr.io").failure().contains("(503)"));
}

/// A miss that is cached after a change is valid.
#[test]
fn a_miss_after_a_change_is_remembered() {
    let gateway = Gateway::start();
    let node = node(&gateway);
    assert_eq!(node.store("ghcr.io", "u", "1"), Answer::silence());
    assert_eq!(node.erase("ghcr.io"), Answer::silence());
    let asked_again = common::within_a_miss_life(|| {
        assert_eq!(node.get("ghcr.io"), Answer::not_found());
        gateway.requests();
        assert_eq!(node.get("ghcr.io"), Answer::not_found());
        gateway.requests().len()
    });
    assert_eq!(asked_again, 0);
}

#[test]
fn what_is_remembered_of_many_registries_is_bounded_and_goes_after_its_time() {
    let gateway = Gateway::start();
    let node = node(&gateway).configured("[cache]\nmax_entries = 16\n");
    let running: Vec<_> = (0..48)
        .map(|number| node.start(&["get"], format!("r{number}.example").as_bytes()))
        .collect();
    for answer in running.into_iter().map(Answer::of) {
        assert_eq!(answer, Answer::not_found());
    }
    gateway.plant(&name_of("ghcr.io"), &blob("ghcr.io", "1"));
    assert_eq!(node.pair("ghcr.io").1, "1");
    let memos = tokens::files(&node, "memo");
    assert!((1..=16).contains(&memos.len()), "{}", memos.len());
    // As an earlier version left it, and as this one does.
    let old = node
        .tokens_dir()
        .join("00000000000000000000000000000000.memo");
    std::fs::copy(&memos[0], &old).unwrap();
    let ten_days_ago = SystemTime::now() - Duration::from_hours(240);
    for path in memos.iter().chain([&old]) {
        let times = FileTimes::new()
            .set_accessed(ten_days_ago)
            .set_modified(ten_days_ago);
        File::open(path).unwrap().set_times(times).unwrap();
    }
    assert_eq!(node.get("another.example"), Answer::not_found());
    assert!(
        memos.iter().chain([&old]).all(|path| !path.exists()),
        "{memos:?}"
    );
    assert_eq!(tokens::files(&node, "memo").len(), 1);
}
