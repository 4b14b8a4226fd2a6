//! One contract suite for every store: the same cases, whatever is behind the helper.

#![allow(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

mod common;

use std::time::{Duration, Instant};

use beta9_credential::config::KeyPlace;
use beta9_credential::host::Host;
use beta9_credential::store::{FileStore, Lookup, Secret, Store};
use common::postgres::Database;
use common::{Answer, Node};

/// A store under test: a node that is wired to it, and ways to change it from outside.
struct Subject {
    node: Node,
    /// Puts any blob there for a host.
    plant: Box<dyn Fn(&Node, &str, &str)>,
}

fn file(_: &str) -> Option<Subject> {
    Some(Subject {
        node: Node::new(),
        plant: Box::new(|node, host, blob| {
            let store = Store::File(FileStore::new("default", Some(node.store_dir()), KeyPlace::File(node.key_file())));
            let host = Host::parse(host.as_bytes()).unwrap();
            let deadline = Instant::now() + Duration::from_secs(5);
            let lookup = Lookup { host: &host, alias_of: None, secret: None, deadline, memory: None };
            store.store(&lookup, &Secret { username: "u".into(), blob: blob.into() }).unwrap();
        }),
    })
}

fn postgres(case: &str) -> Option<Subject> {
    let database = Database::new(case)?;
    Some(Subject { node: database.node(), plant: Box::new(move |_, host, blob| database.plant(host, blob)) })
}

/// The gateway's API for workers, which vends by image: the blob is the image's own, whatever host it is for.
fn worker() -> Subject {
    let gateway = common::worker::Gateway::start();
    Subject { node: gateway.node(), plant: Box::new(move |_, _, blob| gateway.plant("w-1", "image-1", blob)) }
}

/// Every case for every store; a new store is one line here.
macro_rules! contract {
    ($($case:ident),* $(,)?) => {
        mod file_store {
            $(#[test] fn $case() { super::file(stringify!($case)).iter().for_each(super::$case); })*
        }
        mod postgres_store {
            $(#[test] fn $case() { super::postgres(stringify!($case)).iter().for_each(super::$case); })*
        }
    };
}

contract! {
    a_credential_is_kept_replaced_and_forgotten,
    a_new_secret_is_seen_by_the_very_next_get,
    hosts_that_share_a_secret_name_do_not_share_a_secret,
    every_shape_of_blob_is_answered,
    a_secret_of_another_registry_is_not_found,
    a_secret_that_cannot_be_used_is_an_error_that_says_why,
    a_public_registry_is_not_found,
    writers_of_many_hosts_lose_nothing,
    writers_of_one_host_leave_one_of_their_credentials_whole,
}

/// The read half, for a store that is read-only. What it does with another registry's secret is its own affair.
macro_rules! read_contract {
    ($($case:ident),* $(,)?) => {
        mod worker_store {
            $(#[test] fn $case() { super::$case(&super::worker()); })*
        }
    };
}

read_contract! {
    a_new_secret_is_seen_by_the_very_next_get,
    every_shape_of_blob_is_answered,
    a_secret_that_cannot_be_used_is_an_error_that_says_why,
    a_public_registry_is_not_found,
}

fn a_credential_is_kept_replaced_and_forgotten(subject: &Subject) {
    let node = &subject.node;
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    assert_eq!(node.store("ghcr.io", "u1", "s1"), Answer::silence());
    assert_eq!(node.store("quay.io", "q", "s"), Answer::silence());
    assert_eq!(node.pair("ghcr.io"), ("u1".into(), "s1".into()));
    assert_eq!(node.store("ghcr.io", "u2", "s2"), Answer::silence());
    assert_eq!(node.pair("ghcr.io"), ("u2".into(), "s2".into()));
    assert_eq!(node.list(), "{\"ghcr.io\":\"u2\",\"quay.io\":\"q\"}\n");
    assert_eq!(node.erase("ghcr.io"), Answer::silence());
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    assert_eq!(node.pair("quay.io"), ("q".into(), "s".into()));
}

fn a_new_secret_is_seen_by_the_very_next_get(subject: &Subject) {
    for round in 0..5 {
        let blob =
            format!(r#"{{"registry":"ghcr.io","type":"basic","credentials":{{"USERNAME":"u","PASSWORD":"{round}"}}}}"#);
        (subject.plant)(&subject.node, "ghcr.io", &blob);
        assert_eq!(subject.node.pair("ghcr.io").1, round.to_string());
    }
}

fn hosts_that_share_a_secret_name_do_not_share_a_secret(subject: &Subject) {
    let node = &subject.node;
    for (one, other) in [("a-b.example", "a.b.example"), ("h.example:5000", "h.example-5000")] {
        node.store(one, "one", "1");
        assert_eq!(node.get(other), Answer::not_found());
        node.store(other, "other", "2");
        assert_eq!(node.pair(one), ("one".into(), "1".into()));
        assert_eq!(node.pair(other), ("other".into(), "2".into()));
        node.erase(one);
        assert_eq!(node.get(one), Answer::not_found());
        assert_eq!(node.pair(other), ("other".into(), "2".into()));
    }
}

fn every_shape_of_blob_is_answered(subject: &Subject) {
    let shapes = [
        r#"{"registry":"ghcr.io","type":"token","credentials":{"GITHUB_USERNAME":"u","GITHUB_TOKEN":"s"}}"#,
        r#"{"registry":"ghcr.io","type":"aws","credentials":{"USERNAME":"u","PASSWORD":"s"}}"#,
        r#"{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":{"GITHUB_USERNAME":"u","GITHUB_TOKEN":"s"}}"#,
        r#"{"USERNAME":"u","PASSWORD":"s"}"#,
        r#"{"PASSWORD":"{\"REGISTRY_USERNAME\":\"u\",\"REGISTRY_PASSWORD\":\"s\"}"}"#,
        "u:s",
    ];
    for blob in shapes {
        (subject.plant)(&subject.node, "ghcr.io", blob);
        assert_eq!(subject.node.pair("ghcr.io"), ("u".into(), "s".into()), "{blob}");
    }
}

fn a_secret_of_another_registry_is_not_found(subject: &Subject) {
    let blob = r#"{"registry":"evil.example","type":"basic","credentials":{"USERNAME":"u","PASSWORD":"s"}}"#;
    (subject.plant)(&subject.node, "ghcr.io", blob);
    assert_eq!(subject.node.get("ghcr.io"), Answer::not_found());
}

fn a_secret_that_cannot_be_used_is_an_error_that_says_why(subject: &Subject) {
    let table = [
        (
            r#"{"registry":"ghcr.io","type":"token","credentials":{"GITHUB_TOKEN":"hunter2"}}"#,
            "GITHUB_TOKEN is set without GITHUB_USERNAME",
        ),
        (
            r#"{"registry":"ghcr.io","type":"token","credentials":{"NGC_API_KEY":"hunter2"}}"#,
            "it holds NGC_API_KEY, which this registry (ghcr) does not take",
        ),
        (
            r#"{"registry":"ghcr.io","credentials":{"USERNAME":"u","PASSWORD":"hunter2\u0007"}}"#,
            "the secret holds a control character",
        ),
        (r#"{"PASSWORD":"hunter2""#, "the secret is no JSON object"),
        (r#"["hunter2"]"#, "the secret is no JSON object"),
        ("hunter2", "the secret is neither a JSON object nor username:password"),
    ];
    for (blob, why) in table {
        (subject.plant)(&subject.node, "ghcr.io", blob);
        let answer = subject.node.get("ghcr.io");
        let line = answer.failure();
        assert!(line.starts_with("ghcr.io: ") && line.contains(why) && !line.contains("hunter2"), "{line}");
    }
}

fn a_public_registry_is_not_found(subject: &Subject) {
    for blob in [
        r#"{"registry":"ghcr.io","type":"public","credentials":{}}"#,
        r#"{"registry":"ghcr.io","type":"public","credentials":null}"#,
    ] {
        (subject.plant)(&subject.node, "ghcr.io", blob);
        assert_eq!(subject.node.get("ghcr.io"), Answer::not_found());
    }
}

fn writers_of_many_hosts_lose_nothing(subject: &Subject) {
    let node = &subject.node;
    let host = |number| format!("registry-{number}.example.com");
    let writers: Vec<_> = (0..64)
        .map(|number| {
            node.start(&["store"], common::store_request(&host(number), "u", &format!("s{number}")).as_bytes())
        })
        .collect();
    for writer in writers {
        assert_eq!(Answer::of(writer), Answer::silence());
    }
    for number in 0..64 {
        assert_eq!(node.pair(&host(number)), ("u".into(), format!("s{number}")));
    }
}

fn writers_of_one_host_leave_one_of_their_credentials_whole(subject: &Subject) {
    let node = &subject.node;
    let secret = |number: usize| number.to_string().repeat(2000);
    let writers: Vec<_> = (0..64)
        .map(|number| {
            let request = common::store_request("ghcr.io", &format!("u{number}"), &secret(number));
            (node.start(&["store"], request.as_bytes()), node.start(&["get"], b"ghcr.io"))
        })
        .collect();
    for (writer, reader) in writers {
        assert_eq!(Answer::of(writer), Answer::silence());
        // Whoever reads meanwhile sees nothing yet, or a whole credential.
        let read = Answer::of(reader);
        assert!(read == Answer::not_found() || read.status == 0, "{read:?}");
    }
    let (username, password) = node.pair("ghcr.io");
    let number: usize = username[1..].parse().unwrap();
    assert_eq!(password, secret(number));
}
