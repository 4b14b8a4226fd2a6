//! `refresh`, through the real binary and against a fake of ECR's API: what is due is minted again from its secret.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use common::ecr::{self, Ecr, HOST};
use common::{Answer, Node, tokens};

const HOUR: Duration = Duration::from_hours(1);
const OTHER: &str = "210987654321.dkr.ecr.us-east-1.amazonaws.com";
const DUE: (Duration, Duration) = (Duration::from_hours(8), Duration::from_hours(10));
const FRESH: (Duration, Duration) = (HOUR, Duration::from_hours(10));

/// A node whose built-in store has a secret, and whose cache has a token of it that is due.
fn one_is_due() -> (Ecr, Node) {
    let ecr = Ecr::start();
    let node = ecr.node();
    ecr::keep(&node, "default", HOST, &ecr::blob(HOST));
    ecr.plant(&node, "default", HOST, DUE);
    (ecr, node)
}

fn refresh(node: &Node, args: &[&str]) -> (i32, String) {
    let answer = node.run(&[&["refresh"], args].concat(), "");
    assert_eq!(answer.err, "", "{answer:?}");
    assert!(!answer.out.contains("hunter2"), "{answer:?}");
    (answer.status, answer.out)
}

fn files(node: &Node) -> Vec<PathBuf> {
    tokens::files(node, "token")
}

#[test]
fn what_is_due_is_renewed_and_what_is_fresh_is_left() {
    let ecr = Ecr::start();
    let node = ecr.node();
    for (host, life) in [(HOST, DUE), (OTHER, FRESH)] {
        ecr::keep(&node, "default", host, &ecr::blob(host));
        ecr.plant(&node, "default", host, life);
    }
    assert_eq!(
        refresh(&node, &[]),
        (0, format!("[1/1] {HOST} (default): renewed\n"))
    );
    assert_eq!(ecr.mints(), 1);
    assert_eq!(node.pair(HOST).1, "hunter2-minted-1");
    assert_eq!(node.pair(OTHER).1, "hunter2-planted");
    let (status, out) = refresh(&node, &[]);
    let next = out
        .strip_prefix("nothing is due; the next token is in ")
        .unwrap_or_default();
    assert!(
        status == 0
            && ["3 h 5", "4 h", "5 h", "6 h"]
                .iter()
                .any(|due| next.starts_with(due)),
        "{out}"
    );
    let all = format!("[1/2] {HOST} (default): renewed\n[2/2] {OTHER} (default): renewed\n");
    assert_eq!(refresh(&node, &["--all"]), (0, all));
    assert_eq!(ecr.mints(), 2, "and no get has minted");
}

#[test]
fn without_a_cache_there_is_nothing_to_do_and_nothing_is_made() {
    let node = Node::new();
    assert_eq!(
        refresh(&node, &[]),
        (0, "nothing is due: no token is cached\n".into())
    );
    assert_eq!(
        refresh(&node, &["--json"]),
        (0, "{\"tokens\":[],\"failed\":0}\n".into())
    );
    assert_eq!(fs::read_dir(node.home()).unwrap().count(), 0);
    let off = node.with("BETA9_CACHE", "off");
    assert_eq!(
        refresh(&off, &["--all"]),
        (0, "nothing is due: the cache is switched off\n".into())
    );
}

#[test]
fn a_failure_is_a_line_and_exit_status_1_and_the_old_token_stays() {
    let (ecr, node) = one_is_due();
    ecr.refuse(true);
    let (status, out) = refresh(&node, &[]);
    let why = format!("failed: {HOST}: backend aws: ");
    assert!(
        status == 1 && out.starts_with(&format!("[1/1] {HOST} (default): {why}")),
        "{out}"
    );
    assert_eq!(out.lines().count(), 1);
    assert_eq!(node.pair(HOST).1, "hunter2-planted");
    assert_eq!(
        ecr.mints(),
        1,
        "the failure is shared by all who ask in its seconds"
    );
    let (status, out) = refresh(&node, &["--json"]);
    assert_eq!(status, 1);
    assert!(
        out.contains("\"outcome\":\"failed\",\"reason\":\"123456789012.dkr.ecr.us-east-1.amazonaws.com: backend aws: "),
        "{out}"
    );
    assert!(
        out.ends_with("\"failed\":1}\n") && out.lines().count() == 1,
        "{out}"
    );
}

#[test]
fn a_token_never_outlives_its_secret() {
    let ecr = Ecr::start();
    let node = ecr.node();
    ecr.plant(&node, "default", HOST, DUE);
    ecr.plant(&node, "default", OTHER, DUE);
    ecr::keep(
        &node,
        "default",
        OTHER,
        &ecr::blob(OTHER).replace(ecr::KEY, "rotated"),
    );
    let gone = format!("[1/2] {HOST} (default): removed: its secret is gone\n");
    let changed = format!("[2/2] {OTHER} (default): removed: its secret has changed\n");
    assert_eq!(refresh(&node, &[]), (0, gone + &changed));
    assert_eq!((files(&node).len(), ecr.mints()), (0, 0));
}

#[test]
fn a_registry_that_a_rule_has_made_public_has_no_token() {
    let node = one_is_due().1.configured(&format!(
        "[[registry]]\nhost = \"{HOST}\"\nbackend = \"public\"\n"
    ));
    let why = "a rule says that the registry is public";
    assert_eq!(
        refresh(&node, &[]),
        (0, format!("[1/1] {HOST} (default): removed: {why}\n"))
    );
    assert!(files(&node).is_empty());
}

#[test]
fn what_came_with_a_request_is_left_alone() {
    let ecr = Ecr::start();
    let node = ecr.node();
    let request = node.clone_with("BETA9_IMAGE_CREDENTIALS", ecr::blob(HOST));
    assert_eq!(request.pair(HOST).1, "hunter2-minted-1");
    let why = "its secret came with a request, which alone can renew it";
    assert_eq!(
        refresh(&node, &["--all"]),
        (0, format!("[1/1] {HOST} (default): left: {why}\n"))
    );
    // Nor does a credential in the environment stand in for the secret of a stored one.
    ecr::keep(&node, "default", OTHER, &ecr::blob(OTHER));
    ecr.plant(&node, "default", OTHER, DUE);
    let other = node.clone_with(
        "BETA9_IMAGE_CREDENTIALS",
        ecr::blob(OTHER).replace(ecr::KEY, "other"),
    );
    assert_eq!(
        refresh(&other, &[]),
        (0, format!("[1/1] {OTHER} (default): renewed\n"))
    );
}

#[test]
fn the_built_in_store_is_asked_for_each_workspaces_own_secret() {
    let ecr = Ecr::start();
    let node = ecr.node();
    ecr::keep(&node, "tenant", HOST, &ecr::blob(HOST));
    ecr.plant(&node, "tenant", HOST, DUE);
    assert_eq!(
        refresh(&node, &[]),
        (0, format!("[1/1] {HOST} (tenant): renewed\n"))
    );
    assert_eq!(
        node.with("BETA9_WORKSPACE_ID", "tenant").pair(HOST).1,
        "hunter2-minted-1"
    );
}

#[test]
fn another_workspaces_token_is_left_alone_where_the_store_has_one_workspace() {
    let (ecr, gateway) = (Ecr::start(), common::gateway::Gateway::start());
    let node = gateway.wire(ecr.node());
    ecr.plant(&node, "tenant", HOST, DUE);
    assert_eq!(
        refresh(&node, &[]),
        (
            0,
            format!("[1/1] {HOST} (tenant): left: it is of another workspace\n")
        )
    );
    assert!(gateway.requests().is_empty());
}

#[test]
fn a_store_that_is_out_of_reach_removes_nothing() {
    let (ecr, gateway) = (Ecr::start(), common::gateway::Gateway::start());
    let node = gateway.wire(ecr.node());
    ecr.plant(&node, "default", HOST, DUE);
    gateway.stop();
    let (status, out) = refresh(&node, &[]);
    assert!(
        status == 1 && out.starts_with(&format!("[1/1] {HOST} (default): failed: {HOST}: ")),
        "{out}"
    );
    assert_eq!(files(&node).len(), 1);
}

#[test]
fn what_nobody_has_asked_for_in_a_week_ends_in_peace_and_a_renewal_is_not_a_use() {
    let (_ecr, node) = one_is_due();
    let token = files(&node).remove(0);
    let used = |days: u32| {
        let used = SystemTime::now() - days * 24 * HOUR;
        let times = fs::FileTimes::new()
            .set_accessed(used)
            .set_modified(SystemTime::now() + HOUR);
        fs::File::open(&token).unwrap().set_times(times).unwrap();
        used
    };
    used(8);
    let why = "nobody has asked for it in 7 days";
    assert_eq!(
        refresh(&node, &[]),
        (0, format!("[1/1] {HOST} (default): left: {why}\n"))
    );
    let before = used(6);
    assert_eq!(
        refresh(&node, &[]),
        (0, format!("[1/1] {HOST} (default): renewed\n"))
    );
    assert_eq!(fs::metadata(&token).unwrap().accessed().unwrap(), before);
}

#[test]
fn of_many_at_once_one_mints_and_the_others_say_so() {
    let (ecr, node) = one_is_due();
    ecr.be_slow(Duration::from_secs(2));
    let running: Vec<_> = (0..6).map(|_| node.start(&["refresh"], b"")).collect();
    let answers: Vec<_> = running.into_iter().map(Answer::of).collect();
    assert!(
        answers.iter().all(|answer| answer.status == 0),
        "{answers:?}"
    );
    assert_eq!(ecr.mints(), 1, "{answers:?}");
    let minted = answers
        .iter()
        .filter(|answer| answer.out == format!("[1/1] {HOST} (default): renewed\n"))
        .count();
    assert_eq!(minted, 1, "{answers:?}");
}
