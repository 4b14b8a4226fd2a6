//! `BETA9_LOG=debug`: each step in a line on standard error, and in none of them a value, whatever store and backend
//! answers and however they fail.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use common::ecr::{self, Ecr, HOST};
use common::gateway::{Gateway, Mood};
use common::postgres::Database;
use common::worker::{self, WORKSPACE, Wrong};
use common::{Answer, Node, store_request};
use regex::Regex;

const BLOB: &str = r#"{"registry":"ghcr.io","type":"token","credentials":{"GITHUB_USERNAME":"octo","GITHUB_TOKEN":"hunter2-ghp"}}"#;

/// Runs it with the log, in which every line is a line of the log and none tells a value. Answers what it says, without
/// times.
fn logged(node: &Node, args: &[&str], input: &str) -> String {
    let node = node.clone_with("BETA9_LOG", "debug");
    let answer = node.run(args, input);
    let line = Regex::new(
        r"^docker-credential-beta9: debug +\d+\.\d{3} ms  ([a-zA-Z].*?)( \(\d+\.\d{3} ms\))?$",
    )
    .unwrap();
    let mut said = String::new();
    for text in answer.err.lines() {
        // Warnings are lines of their own, with or without the log.
        let what = line
            .captures(text)
            .map_or(text, |found| found.get(1).unwrap().as_str());
        said.push_str(what);
        said.push('\n');
    }
    assert!(!said.is_empty(), "{answer:?}");
    assert_tells_nothing(&answer, &said);
    said
}

/// No value, as it is, percent-encoded or in base64 at any offset.
fn assert_tells_nothing(answer: &Answer, said: &str) {
    for secret in ["hunter2", "aHVudGVyM", "h1bnRlcj", "odW50ZXIy", "sk_"] {
        assert!(!answer.err.contains(secret), "{secret}: {}", answer.err);
    }
    // What a failure says on standard output it may say here too; an answer's secret it may not.
    assert!(!said.contains("\"Secret\""), "{said}");
}

fn assert_said(said: &str, lines: &[&str]) {
    let mut rest = said.lines();
    for line in lines {
        assert!(
            rest.any(|said| said.starts_with(line)),
            "it lacks, in this order, {line:?}:\n{said}"
        );
    }
}

#[test]
fn it_is_quiet_unless_asked() {
    let node = Node::new();
    node.store("ghcr.io", "octo", "hunter2");
    for level in ["", "info", "off", "1"] {
        assert_eq!(node.clone_with("BETA9_LOG", level).get("ghcr.io").err, "");
    }
}

#[test]
fn the_answer_is_the_same_with_it() {
    // Each on a node of its own, since what is done is done in order: all verbs, well and ill.
    let store = store_request("ghcr.io", "octo", "hunter2");
    let steps = [
        ("get", "ghcr.io", 1),
        ("store", store.as_str(), 0),
        ("get", "ghcr.io", 0),
        ("get", "quay.io", 1),
        ("get", "not a host", 1),
        ("list", "unused", 0),
        ("store", "{", 1),
        ("erase", "ghcr.io", 0),
        ("get", "ghcr.io", 1),
    ];
    let (quiet, loud) = (Node::new(), Node::new().with("BETA9_LOG", "debug"));
    for (verb, input, status) in steps {
        let [quiet, loud] = [&quiet, &loud].map(|node| node.run(&[verb], input));
        assert_eq!(
            (quiet.status, &quiet.out),
            (loud.status, &loud.out),
            "{verb} {input}"
        );
        assert!(
            quiet.status == status && quiet.err.is_empty() && !loud.err.is_empty(),
            "{verb} {input}: {loud:?}"
        );
    }
}

#[test]
fn the_built_in_store_step_by_step() {
    let node = Node::new();
    assert_said(
        &logged(
            &node,
            &["store"],
            &store_request("ghcr.io", "octo", "hunter2"),
        ),
        &[
            "Store: standard input read",
            "config: [] read; workspace default, file store",
            "store ghcr.io: stored",
        ],
    );
    assert_said(
        &logged(&node, &["get"], "ghcr.io"),
        &[
            "Get: standard input read",
            "config: ",
            "store file: a secret for ghcr.io, with PASSWORD, USERNAME",
            "backend: fixed, as ghcr",
            "backend fixed: logged in",
            "get ghcr.io: answered",
        ],
    );
    assert_said(&logged(&node, &["list"], "unused"), &["list : listed"]);
    assert_said(
        &logged(&node, &["explain", "ghcr.io"], ""),
        &["store file: a secret for ghcr.io"],
    );
    assert_said(
        &logged(&node, &["erase"], "ghcr.io"),
        &["erase ghcr.io: erased"],
    );
    assert_said(
        &logged(&node, &["get"], "ghcr.io"),
        &["store file: nothing for ghcr.io", "get ghcr.io: not_found"],
    );
    let said = logged(&node, &["get"], "octo:hunter2@ghcr.io");
    assert_said(&said, &["Get: standard input read"]);
    assert_eq!(
        said.lines().count(),
        1,
        "what is no registry is not repeated: {said}"
    );
}

#[test]
fn the_requests_own_credential() {
    let node = Node::new().with("BETA9_IMAGE_CREDENTIALS", BLOB);
    let found = "store request: a secret for ghcr.io, with GITHUB_TOKEN, GITHUB_USERNAME";
    assert_said(
        &logged(&node, &["get"], "ghcr.io"),
        &[found, "get ghcr.io: answered"],
    );
    let broken = node.with("BETA9_IMAGE_CREDENTIALS", "{\"hunter2");
    assert_said(
        &logged(&broken, &["get"], "ghcr.io"),
        &["store request: it failed: ", "get ghcr.io: error"],
    );
}

#[test]
fn the_gateway_well_and_ill() {
    let gateway = Gateway::start();
    let node = gateway.node();
    for (verb, input) in [
        ("store", store_request("ghcr.io", "octo", "hunter2")),
        ("get", "ghcr.io".into()),
    ] {
        assert_said(
            &logged(&node, &[verb], &input),
            &[&format!("{verb} ghcr.io: ")],
        );
    }
    assert_said(
        &logged(&node, &["get"], "ghcr.io"),
        &[
            "store gateway: a secret for ghcr.io",
            "get ghcr.io: answered",
        ],
    );
    let [first, second] = common::within_a_miss_life(|| {
        [
            logged(&node, &["get"], "quay.io"),
            logged(&node, &["get"], "quay.io"),
        ]
    });
    assert_said(&first, &["store gateway: nothing for quay.io"]);
    assert_said(
        &second,
        &["store gateway: it had nothing within 5s, and is not asked"],
    );
    logged(&node, &["list"], "unused");
    for mood in [
        Mood::Status(500),
        Mood::Page(200),
        Mood::Truncated,
        Mood::Status(401),
        Mood::Status(403),
    ] {
        gateway.mood(mood);
        logged(&node, &["get"], "ghcr.io");
        assert_said(
            &logged(&node, &["get"], "nvcr.io"),
            &["store gateway: it failed: ", "get nvcr.io: error"],
        );
    }
}

#[test]
fn a_worker_well_and_ill() {
    let gateway = worker::Gateway::start();
    gateway.plant(WORKSPACE, "image-1", BLOB);
    let node = gateway.node();
    assert_said(
        &logged(&node, &["get"], "ghcr.io"),
        &[
            "store worker: a secret for ghcr.io",
            "get ghcr.io: answered",
        ],
    );
    for wrong in [
        Wrong::Status(7),
        Wrong::Refuses,
        Wrong::Garbage,
        Wrong::Http(502),
        Wrong::Nothing,
    ] {
        gateway.next(&[wrong; 8]);
        logged(&node, &["get"], "ghcr.io");
    }
}

#[test]
fn the_database_well_and_ill() {
    let Some(database) = Database::new("the_database_well_and_ill") else {
        return;
    };
    let node = database.node();
    database.plant("ghcr.io", BLOB);
    assert_said(
        &logged(&node, &["get"], "ghcr.io"),
        &[
            "store postgres: a secret for ghcr.io",
            "get ghcr.io: answered",
        ],
    );
    logged(
        &node,
        &["store"],
        &store_request("quay.io", "octo", "hunter2"),
    );
    logged(&node, &["list"], "unused");
    logged(&node, &["erase"], "quay.io");
    let wrong_password = database.url().replacen(":hunter2", ":wrong-hunter2", 1);
    logged(
        &node.clone_with("BETA9_DATABASE_URL", wrong_password),
        &["get"],
        "nvcr.io",
    );
    database.plant("nvcr.io", "no blob: hunter2");
    logged(&node, &["get"], "nvcr.io");
}

#[test]
fn a_cloud_and_its_cache() {
    let ecr = Ecr::start();
    let node = ecr.node().with("BETA9_IMAGE_CREDENTIALS", ecr::blob(HOST));
    ecr.refuse(true);
    assert_said(
        &logged(&node, &["get"], HOST),
        &[
            "cache: miss",
            "backend aws: it failed: ",
            &format!("get {HOST}: error"),
        ],
    );
    ecr.refuse(false);
    ecr::end_shared_failures(&node);
    let minted = [
        "backend: aws, as aws",
        "cache: miss",
        "backend aws: logged in",
        "cache: kept the token",
    ];
    assert_said(&logged(&node, &["get"], HOST), &minted);
    let said = logged(&node, &["get"], HOST);
    assert_said(&said, &["cache: hit", &format!("get {HOST}: answered")]);
    assert!(!said.contains("logged in"), "{said}");
    assert_said(&logged(&node, &["refresh", "--all"], ""), &["config: "]);
    assert_said(&logged(&node, &["status"], ""), &["config: "]);
}
