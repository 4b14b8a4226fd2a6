//! One contract suite for all stores: the same cases, whatever the store.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::io::Write;
use std::rc::Rc;
use std::time::{Duration, Instant};

use beta9_credential::config::KeyPlace;
use beta9_credential::host::Host;
use beta9_credential::json::{self, Object, Value};
use beta9_credential::store::{FileStore, Lookup, Secret, Store, name};
use common::gateway::Gateway;
use common::postgres::Database;
use common::postgres::pooler::Pooler;
use common::postgres::relay::{Mood, Relay};
use common::worker::WORKSPACE;
use common::{Answer, Node};

/// A store under test: a node that is wired to it, and ways to change it from outside.
struct Subject {
    node: Node,
    /// Puts any blob there for a host.
    plant: Box<dyn Fn(&Node, &str, &str)>,
    /// Removes a host's secret.
    remove: Box<dyn Fn(&Node, &str)>,
    /// Faults of a remote store.
    far: Option<Far>,
}

/// The other end of the network.
struct Far {
    stop: Box<dyn Fn()>,
    start_again: Box<dyn Fn()>,
    /// From now on, the node's token or password is refused; `None` where it is the whole server's.
    refuse: Option<Box<dyn Fn()>>,
}

fn file() -> Subject {
    fn with_store(node: &Node, host: &str, work: impl FnOnce(&Store, &Lookup)) {
        let store = Store::File(FileStore::new(
            "default",
            Some(node.store_dir()),
            KeyPlace::File(node.key_file()),
        ));
        let host = Host::parse(host.as_bytes()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        work(
            &store,
            &Lookup {
                by_shared_name: true,
                deadline,
                ..Lookup::of(&host)
            },
        );
    }
    Subject {
        node: Node::new(),
        plant: Box::new(|node, host, blob| {
            with_store(node, host, |store, lookup| {
                store
                    .store(
                        lookup,
                        &Secret {
                            username: "u".into(),
                            blob: blob.into(),
                        },
                    )
                    .unwrap();
            });
        }),
        remove: Box::new(|node, host| {
            with_store(node, host, |store, lookup| store.erase(lookup).unwrap());
        }),
        far: None,
    }
}

fn gateway() -> Subject {
    let name = |host: &str| name::current(&Host::parse(host.as_bytes()).unwrap());
    let gateway = Rc::new(Gateway::start());
    let [planting, removing, stopping, starting, refusing] = [(); 5].map(|()| gateway.clone());
    Subject {
        // It has time: a hundred debug builds may be at work at once.
        node: gateway.node().with("BETA9_TIMEOUT", "60s"),
        plant: Box::new(move |_, host, blob| planting.plant(&name(host), blob)),
        remove: Box::new(move |_, host| removing.remove(&name(host))),
        far: Some(Far {
            stop: Box::new(move || stopping.stop()),
            start_again: Box::new(move || starting.start_again()),
            refuse: Some(Box::new(move || refusing.refuse_tokens())),
        }),
    }
}

/// `None` where there is no PostgreSQL, which says so by name.
fn postgres(case: &str) -> Option<Subject> {
    let database = Database::new(case)?;
    let port = database.server.port;
    Some(database_at(port, database))
}

/// The same behind pgbouncer, whose sessions are another client's at the next transaction.
fn pooled_postgres(case: &str) -> Option<Subject> {
    let database = Database::new(case)?;
    let port = Pooler::shared(database.server, case)?.port;
    Some(database_at(port, database))
}

fn database_at(port: u16, database: Database) -> Subject {
    let (database, relay) = (Rc::new(database), Rc::new(Relay::to(port)));
    let url = database.url_at(&format!("127.0.0.1:{}", relay.port), "?sslmode=disable");
    let name = |host: &str| name::current(&Host::parse(host.as_bytes()).unwrap());
    let (planting, stopping) = (database.clone(), relay.clone());
    Subject {
        node: database.node().with("BETA9_DATABASE_URL", url),
        plant: Box::new(move |_, host, blob| planting.plant(host, blob)),
        remove: Box::new(move |_, host| {
            database.sql(&format!(
                "DELETE FROM workspace_secret WHERE name = '{}'",
                name(host)
            ));
        }),
        far: Some(Far {
            stop: Box::new(move || stopping.becomes(Mood::Closes)),
            start_again: Box::new(move || relay.becomes(Mood::Faithful)),
            // tests/postgres_store.rs shows a wrong password.
            refuse: None,
        }),
    }
}

/// The gateway's API for workers, which vends by image: the blob is the image's own, whatever host it is for.
fn worker() -> Subject {
    let gateway = common::worker::Gateway::start();
    Subject {
        node: gateway.node().with("BETA9_IMAGE", "ghcr.io/org/app"),
        plant: Box::new(move |_, _, blob| gateway.plant(WORKSPACE, "image-1", blob)),
        remove: Box::new(|_, _| panic!("it is read-only, and vends what an image has")),
        far: None,
    }
}

/// A request's credential from a scheduler.
fn request() -> Subject {
    let node = Node::new();
    let file = node.home().join("payload");
    let path = file.to_str().unwrap().to_owned();
    Subject {
        node: node.with("BETA9_IMAGE_CREDENTIALS_FILE", path),
        plant: Box::new(move |_, _, blob| std::fs::write(&file, blob).unwrap()),
        remove: Box::new(|_, _| panic!("it is read-only")),
        far: None,
    }
}

/// Every case for every store that can be written to; a new store is one module here.
macro_rules! contract {
    ($($case:ident),* $(,)?) => {
        mod file_store {
            $(#[test] fn $case() { super::$case(&super::file()); })*
        }
        mod gateway_store {
            $(#[test] fn $case() { super::$case(&super::gateway()); })*
        }
        mod postgres_store {
            $(#[test] fn $case() { super::postgres(stringify!($case)).iter().for_each(super::$case); })*
        }
        mod pooled_postgres_store {
            $(#[test] fn $case() { super::pooled_postgres(stringify!($case)).iter().for_each(super::$case); })*
        }
    };
}

contract! {
    a_credential_is_kept_replaced_and_forgotten,
    a_new_secret_is_seen_by_the_very_next_get,
    a_removed_secret_is_gone_at_the_very_next_get,
    hosts_that_share_a_secret_name_do_not_share_a_secret,
    every_shape_of_blob_is_answered,
    a_secret_of_another_registry_is_not_found,
    a_secret_that_cannot_be_used_is_an_error_that_says_why,
    names_of_any_length_are_cut_where_they_are_shown,
    a_public_registry_is_not_found,
    what_beta9s_builder_stored_is_answered,
    every_secret_that_a_workspace_may_hold_is_answered_or_refused,
    a_registry_that_must_have_a_credential_and_has_none_is_an_error,
    dockers_own_items_are_kept_on_this_node_and_listed_beside_the_rest,
    writers_of_many_hosts_lose_nothing,
    writers_of_one_host_leave_one_of_their_credentials_whole,
}

/// The read half, for a store that is read-only; a new one is one module here.
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
    a_secret_of_another_registry_is_not_found,
    a_secret_that_cannot_be_used_is_an_error_that_says_why,
    names_of_any_length_are_cut_where_they_are_shown,
    a_public_registry_is_not_found,
    what_beta9s_builder_stored_is_answered,
    every_secret_that_a_workspace_may_hold_is_answered_or_refused,
    a_payload_of_named_secrets_is_for_the_image_that_is_pulled,
    a_registry_that_must_have_a_credential_and_has_none_is_an_error,
    dockers_own_items_are_kept_on_this_node_and_listed_beside_the_rest,
}

mod request_store {
    #[test]
    fn what_beta9s_builder_stored_is_answered() {
        super::what_beta9s_builder_stored_is_answered(&super::request());
    }

    #[test]
    fn every_secret_that_a_workspace_may_hold_is_answered_or_refused() {
        super::every_secret_that_a_workspace_may_hold_is_answered_or_refused(&super::request());
    }

    #[test]
    fn a_payload_of_named_secrets_is_for_the_image_that_is_pulled() {
        super::a_payload_of_named_secrets_is_for_the_image_that_is_pulled(&super::request());
    }
}

/// Every case about the network for every store behind one.
macro_rules! network_contract {
    ($($case:ident),* $(,)?) => {
        mod gateway_store_behind_a_network {
            $(#[test] fn $case() { super::$case(&super::gateway()); })*

            #[test]
            fn a_refusal_is_an_error_and_is_not_bridged() {
                super::a_refusal_is_an_error_and_is_not_bridged(&super::gateway());
            }
        }
        mod postgres_store_behind_a_network {
            $(#[test] fn $case() { super::postgres(stringify!($case)).iter().for_each(super::$case); })*
        }
    };
}

network_contract! {
    an_outage_is_bridged_by_the_last_answer_with_a_warning,
    an_outage_without_a_last_answer_is_an_error,
    an_outage_is_not_bridged_where_that_is_switched_off,
    a_secret_that_was_gone_before_the_outage_does_not_come_back,
    a_list_is_answered_unless_the_token_is_refused,
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
        let blob = format!(
            r#"{{"registry":"ghcr.io","type":"basic","credentials":{{"USERNAME":"u","PASSWORD":"{round}"}}}}"#
        );
        (subject.plant)(&subject.node, "ghcr.io", &blob);
        assert_eq!(subject.node.pair("ghcr.io").1, round.to_string());
    }
}

fn a_removed_secret_is_gone_at_the_very_next_get(subject: &Subject) {
    for _ in 0..2 {
        (subject.plant)(&subject.node, "ghcr.io", BLOB);
        assert_eq!(subject.node.pair("ghcr.io"), ("u".into(), "s".into()));
        (subject.remove)(&subject.node, "ghcr.io");
        assert_eq!(subject.node.get("ghcr.io"), Answer::not_found());
        // The miss is remembered for a few seconds; anyone who stores on this node forgets it.
        assert_eq!(subject.node.store("ghcr.io", "u", "s"), Answer::silence());
        assert_eq!(subject.node.pair("ghcr.io"), ("u".into(), "s".into()));
        assert_eq!(subject.node.erase("ghcr.io"), Answer::silence());
    }
}

fn hosts_that_share_a_secret_name_do_not_share_a_secret(subject: &Subject) {
    let node = &subject.node;
    for (one, other) in [
        ("a-b.example", "a.b.example"),
        ("h.example:5000", "h.example-5000"),
    ] {
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
        assert_eq!(
            subject.node.pair("ghcr.io"),
            ("u".into(), "s".into()),
            "{blob}"
        );
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
            "it has NGC_API_KEY, but this registry (ghcr) needs GITHUB_USERNAME and GITHUB_TOKEN, or USERNAME and PASSWORD",
        ),
        (
            r#"{"registry":"ghcr.io","credentials":{"USERNAME":"u","PASSWORD":"hunter2\u0007"}}"#,
            "the secret holds a control character",
        ),
        (r#"{"PASSWORD":"hunter2""#, "the secret isn't a JSON object"),
        (r#"["hunter2"]"#, "the secret isn't a JSON object"),
        (
            "hunter2",
            "the secret is neither a JSON object nor username:password",
        ),
    ];
    for (blob, why) in table {
        (subject.plant)(&subject.node, "ghcr.io", blob);
        let answer = subject.node.get("ghcr.io");
        let line = answer.failure();
        assert!(
            line.starts_with("ghcr.io: ") && line.contains(why) && !line.contains("hunter2"),
            "{line}"
        );
    }
}

fn names_of_any_length_are_cut_where_they_are_shown(subject: &Subject) {
    let long = "LONG".repeat(50_000);
    let many: Vec<String> = (0..5000)
        .map(|number| format!(r#""KEY{number}":"v""#))
        .collect();
    for keys in [
        format!(r#""{long}":"v""#),
        format!(r#""{long}_USERNAME":"v""#),
        format!(
            r#""{long}_USERNAME":"u","{long}_PASSWORD":"p","OTHER{long}_USERNAME":"u","OTHER{long}_PASSWORD":"p""#
        ),
        many.join(","),
        format!(r#""GITHUB_USERNAME":"u","GITHUB_TOKEN":"beam_secret_x","{long}":"v""#),
    ] {
        let blob = format!(r#"{{"registry":"ghcr.io","type":"basic","credentials":{{{keys}}}}}"#);
        (subject.plant)(&subject.node, "ghcr.io", &blob);
        let node = subject.node.clone_with("BETA9_LOG", "debug");
        for (args, input) in [
            (&["get"][..], "ghcr.io"),
            (&["list"], ""),
            (&["explain", "ghcr.io"], ""),
        ] {
            let answer = node.run(args, input);
            assert!(
                answer.out.len() < 20_000,
                "{args:?} {} of {}",
                answer.out.len(),
                &keys[..20]
            );
            assert!(
                answer.err.len() < 20_000,
                "{args:?} {} of {}",
                answer.err.len(),
                &keys[..20]
            );
        }
        assert_eq!(node.get("ghcr.io").status, 1, "{}", &keys[..20]);
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

/// What Beta9's own builder stored for an image, and what CLIP answers for it.
fn what_beta9s_builder_stored_is_answered(subject: &Subject) {
    let rows = vectors(include_bytes!("fixtures/beta9/beta9-built.json"));
    assert_eq!(rows.len(), 51);
    for row in &rows {
        let image = text(row, "image");
        let registry = image.split('/').next().unwrap();
        answers_as_expected(
            subject,
            registry,
            text(row, "value"),
            row.get("answer").unwrap(),
        );
    }
}

/// Where CLIP would send a secret to a registry that it does not record, or one vendor's token to another, it is refused.
fn every_secret_that_a_workspace_may_hold_is_answered_or_refused(subject: &Subject) {
    let rows = vectors(include_bytes!("fixtures/beta9/beta9-secrets.json"));
    assert_eq!(rows.len(), 149);
    for row in &rows {
        answers_as_expected(
            subject,
            text(row, "registry"),
            text(row, "secret"),
            row.get("expected").unwrap(),
        );
    }
}

/// What a scheduler of today assembles records no registry.
fn a_payload_of_named_secrets_is_for_the_image_that_is_pulled(subject: &Subject) {
    let rows = vectors(include_bytes!("fixtures/beta9/beta9-gen3.json"));
    assert_eq!(rows.len(), 143);
    for row in &rows {
        let registry = text(row, "image").split('/').next().unwrap();
        answers_as_expected(
            subject,
            registry,
            text(row, "payload"),
            row.get("expected").unwrap(),
        );
    }
}

/// Plants a secret for a registry, and asks for it: a pair, "not found", "error", or a mint, which `null` stands for too.
fn answers_as_expected(subject: &Subject, registry: &str, blob: &str, expected: &Value) {
    // A miss would be remembered for the next row.
    let node = subject
        .node
        .clone_with("BETA9_IMAGE", format!("{registry}/org/app:1"))
        .with("BETA9_CACHE", "off");
    (subject.plant)(&node, registry, blob);
    let mints = || {
        let cloud = node
            .explain(registry)
            .text("backend")
            .map(|backend| backend.expose().to_owned())
            .unwrap();
        assert!(
            ["aws", "azure", "gcp"].contains(&cloud.as_str()),
            "{registry}: {blob}: {cloud}"
        );
    };
    match expected {
        Value::Array(pair) => {
            let word = |part: &Value| {
                if let Value::Text(text) = part {
                    text.expose().to_owned()
                } else {
                    panic!()
                }
            };
            assert_eq!(
                node.pair(registry),
                (word(&pair[0]), word(&pair[1])),
                "{registry}: {blob}"
            );
        }
        Value::Text(word) if word.expose() == "not found" => {
            assert_eq!(
                node.get(registry),
                Answer::not_found(),
                "{registry}: {blob}"
            );
        }
        Value::Text(word) if word.expose() == "error" => {
            let answer = node.get(registry);
            assert_ne!(answer, Answer::not_found(), "{registry}: {blob}");
            assert!(answer.failure().starts_with(registry), "{registry}: {blob}");
        }
        Value::Null => mints(),
        Value::Text(word) if word.expose() == "mint" => mints(),
        other => panic!("{other:?}"),
    }
}

fn vectors(file: &[u8]) -> Vec<Object> {
    let Ok(Value::Array(rows)) = json::parse(file) else {
        panic!("the vectors are an array")
    };
    let object = |row| {
        if let Value::Object(row) = row {
            row
        } else {
            panic!("a row is an object")
        }
    };
    rows.into_iter().map(object).collect()
}

fn text<'r>(row: &'r Object, member: &str) -> &'r str {
    row.text(member).unwrap().expose()
}

fn a_registry_that_must_have_a_credential_and_has_none_is_an_error(subject: &Subject) {
    let rules = subject.node.home().join("required.toml");
    std::fs::write(
        &rules,
        "[[registry]]\nhost = \"ghcr.io\"\nrequired = true\n",
    )
    .unwrap();
    let node = subject
        .node
        .clone_with("BETA9_CREDENTIAL_CONFIG", rules.to_str().unwrap());
    let why = format!(
        "ghcr.io, which requires a credential (required in the rule for ghcr.io in {})",
        rules.display()
    );
    for blob in [
        "",
        r#"{"registry":"ghcr.io","type":"public","credentials":{}}"#,
    ] {
        if !blob.is_empty() {
            (subject.plant)(&node, "ghcr.io", blob);
        }
        // What other clients of the node have missed isn't an answer here.
        assert_eq!(subject.node.get("ghcr.io"), Answer::not_found());
        let answer = node.get("ghcr.io");
        let line = answer.failure();
        assert!(
            line.starts_with("ghcr.io: ") && line.contains(" store: ") && line.contains(&why),
            "{line}"
        );
        assert_eq!(node.get("quay.io"), Answer::not_found());
    }
    (subject.plant)(&node, "ghcr.io", BLOB);
    assert_eq!(node.pair("ghcr.io"), ("u".into(), "s".into()));
}

fn writers_of_many_hosts_lose_nothing(subject: &Subject) {
    let node = &subject.node;
    let host = |number| format!("registry-{number}.example.com");
    let writers: Vec<_> = (0..64)
        .map(|number| {
            node.start(
                &["store"],
                common::store_request(&host(number), "u", &format!("s{number}")).as_bytes(),
            )
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
            (
                node.start(&["store"], request.as_bytes()),
                node.start(&["get"], b"ghcr.io"),
            )
        })
        .collect();
    for (writer, reader) in writers {
        assert_eq!(Answer::of(writer), Answer::silence());
        // Anyone who reads meanwhile sees nothing yet, or a whole credential.
        let read = Answer::of(reader);
        assert!(read == Answer::not_found() || read.status == 0, "{read:?}");
    }
    let (username, password) = node.pair("ghcr.io");
    let number: usize = username[1..].parse().unwrap();
    assert_eq!(password, secret(number));
}

/// The last answer, with the reason on standard error.
fn assert_bridged(answer: &Answer, secret: &str) {
    assert_eq!(answer.status, 0, "{answer:?}");
    assert!(
        answer.out.contains(&format!("\"Secret\":\"{secret}\"")),
        "{answer:?}"
    );
    let warning = answer
        .err
        .strip_prefix("docker-credential-beta9: ghcr.io: ")
        .unwrap();
    assert!(
        warning.ends_with("its last answer is used\n") && warning.lines().count() == 1,
        "{warning}"
    );
}

fn an_outage_is_bridged_by_the_last_answer_with_a_warning(subject: &Subject) {
    let (node, far) = (&subject.node, subject.far.as_ref().unwrap());
    (subject.plant)(node, "ghcr.io", BLOB);
    assert_eq!(node.pair("ghcr.io").1, "s");
    (subject.plant)(node, "ghcr.io", &BLOB.replace("\"s\"", "\"new\""));
    (far.stop)();
    assert_bridged(&node.get("ghcr.io"), "s");
    assert_bridged(&node.get("ghcr.io"), "s");
    (far.start_again)();
    let answer = node.get("ghcr.io");
    assert!(
        answer.out.contains("new") && answer.err.is_empty(),
        "{answer:?}"
    );
    (far.stop)();
    assert_bridged(&node.get("ghcr.io"), "new");
    (far.start_again)();
}

fn an_outage_without_a_last_answer_is_an_error(subject: &Subject) {
    let (node, far) = (&subject.node, subject.far.as_ref().unwrap());
    (subject.plant)(node, "ghcr.io", BLOB);
    assert_eq!(node.pair("ghcr.io").1, "s");
    (far.stop)();
    let answer = node.get("quay.io");
    assert!(answer.failure().starts_with("quay.io: "), "{answer:?}");
    for answer in [node.store("ghcr.io", "u", "hunter2"), node.erase("ghcr.io")] {
        assert!(
            answer.failure().starts_with("ghcr.io: ") && !answer.out.contains("hunter2"),
            "{answer:?}"
        );
    }
    (far.start_again)();
    assert_eq!(node.pair("ghcr.io").1, "s");
}

fn an_outage_is_not_bridged_where_that_is_switched_off(subject: &Subject) {
    let (node, far) = (&subject.node, subject.far.as_ref().unwrap());
    let get = |stale_if_error: &str| {
        let mut child = node
            .command(&["get"])
            .env("BETA9_STALE_IF_ERROR", stale_if_error)
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(b"ghcr.io").unwrap();
        Answer::of(child)
    };
    (subject.plant)(node, "ghcr.io", BLOB);
    assert_eq!(get("0").status, 0);
    (far.stop)();
    assert!(get("0").failure().starts_with("ghcr.io: "));
    // Nothing was kept while it was off.
    assert!(get("15m").failure().starts_with("ghcr.io: "));
    (far.start_again)();
    assert_eq!(get("15m").status, 0);
    (far.stop)();
    // Nor is an answer used that is older than what is allowed, as it is after five minutes of an outage with four.
    std::thread::sleep(Duration::from_millis(2100));
    assert!(get("1s").failure().starts_with("ghcr.io: "));
    assert_bridged(&get("5m"), "s");
}

fn a_secret_that_was_gone_before_the_outage_does_not_come_back(subject: &Subject) {
    let (node, far) = (&subject.node, subject.far.as_ref().unwrap());
    (subject.plant)(node, "ghcr.io", BLOB);
    assert_eq!(node.pair("ghcr.io").1, "s");
    (subject.remove)(node, "ghcr.io");
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    assert_eq!(node.store("quay.io", "u", "s"), Answer::silence());
    assert_eq!(node.pair("quay.io").1, "s");
    assert_eq!(node.erase("quay.io"), Answer::silence());
    (far.stop)();
    for host in ["ghcr.io", "quay.io"] {
        let answer = node.get(host);
        // "Nothing there" may still be remembered; what must not happen is an answer.
        assert_eq!(answer.status, 1, "{answer:?}");
    }
}

fn a_refusal_is_an_error_and_is_not_bridged(subject: &Subject) {
    let (node, far) = (&subject.node, subject.far.as_ref().unwrap());
    (subject.plant)(node, "ghcr.io", BLOB);
    (subject.plant)(node, "quay.io", &BLOB.replace("ghcr.io", "quay.io"));
    for host in ["ghcr.io", "quay.io"] {
        assert_eq!(node.pair(host).1, "s");
    }
    assert_eq!(
        node.run(&["list"], "unused").out,
        "{\"ghcr.io\":\"u\",\"quay.io\":\"u\"}\n"
    );
    far.refuse.as_ref().unwrap()();
    let answer = node.get("ghcr.io");
    let line = answer.failure();
    assert!(
        line.starts_with("ghcr.io: ") && !line.contains("hunter2"),
        "{line}"
    );
    // Anyone who is refused has lost all that they were answered before, whatever happens then.
    (far.stop)();
    for host in ["ghcr.io", "quay.io"] {
        assert!(
            node.get(host).failure().starts_with(&format!("{host}: ")),
            "{host}"
        );
    }
    assert_eq!(node.run(&["list"], "unused").out, "{}\n");
}

fn dockers_own_items_are_kept_on_this_node_and_listed_beside_the_rest(subject: &Subject) {
    let node = &subject.node;
    let items = [
        "https://index.docker.io/v1/access-token",
        "https://index.docker.io/v1/refresh-token",
        "nerdctl-experimental://registry.example.com:5000/?host-dir=x",
    ];
    // What docker's login in a browser does, before there is any credential of Docker Hub.
    for item in items {
        assert_eq!(node.get(item), Answer::not_found(), "{item}");
        assert_eq!(node.erase(item), Answer::silence(), "{item}");
        assert_eq!(node.store(item, "octo", item), Answer::silence(), "{item}");
        assert_eq!(node.pair(item), ("octo".into(), item.into()));
    }
    assert_eq!(node.get("docker.io"), Answer::not_found());
    let listed = items.map(|item| format!("\"{item}\":\"octo\"")).join(",");
    assert_eq!(node.list(), format!("{{{listed}}}\n"));
    // Another workspace has its own.
    assert_eq!(
        node.clone_with("BETA9_WORKSPACE_ID", "another")
            .get(items[0]),
        Answer::not_found()
    );
    // None of it waits for a store that is away, and none is lost with one.
    if let Some(far) = &subject.far {
        (far.stop)();
        assert_eq!(node.store(items[0], "octo", "2"), Answer::silence());
        assert_eq!(node.pair(items[0]).1, "2");
        let answer = node.run(&["list"], "unused");
        assert_eq!((answer.status, answer.out), (0, format!("{{{listed}}}\n")));
        assert_eq!(node.erase(items[2]), Answer::silence());
        assert_eq!(node.get(items[2]), Answer::not_found());
        (far.start_again)();
    }
    for item in items {
        assert_eq!(node.erase(item), Answer::silence());
    }
    assert_eq!(node.list(), "{}\n");
}

fn a_list_is_answered_unless_the_token_is_refused(subject: &Subject) {
    let (node, far) = (&subject.node, subject.far.as_ref().unwrap());
    assert_eq!(node.list(), "{}\n");
    (subject.plant)(node, "ghcr.io", BLOB);
    (subject.plant)(node, "quay.io", &BLOB.replace("ghcr.io", "quay.io"));
    (subject.plant)(node, "broken.example", "hunter2");
    let warned = |answer: Answer, out: &str| {
        assert_eq!((answer.status, answer.out.as_str()), (0, out), "{answer:?}");
        assert!(
            answer
                .err
                .starts_with("docker-credential-beta9: left out of the list: "),
            "{answer:?}"
        );
        assert!(
            answer.err.lines().count() == 1 && !answer.err.contains("hunter2"),
            "{answer:?}"
        );
    };
    let both = "{\"ghcr.io\":\"u\",\"quay.io\":\"u\"}\n";
    warned(node.run(&["list"], "unused"), both);
    (far.stop)();
    warned(node.run(&["list"], ""), both);
    (far.start_again)();
    (subject.remove)(node, "quay.io");
    (subject.remove)(node, "broken.example");
    assert_eq!(node.list(), "{\"ghcr.io\":\"u\"}\n");
    (far.stop)();
    warned(node.run(&["list"], "unused"), "{\"ghcr.io\":\"u\"}\n");
    (far.start_again)();
    if let Some(refuse) = &far.refuse {
        refuse();
        // Neither what it said last nor an empty list is an answer then.
        let answer = node.run(&["list"], "unused");
        assert_eq!(
            (answer.status, answer.out.lines().count()),
            (1, 1),
            "{answer:?}"
        );
        assert!(
            answer.out.contains(" refused ") && !answer.out.contains("hunter2"),
            "{answer:?}"
        );
        assert!(
            answer
                .err
                .ends_with(&format!("left out of the list: {}", answer.out)),
            "{answer:?}"
        );
    }
}

const BLOB: &str =
    r#"{"registry":"ghcr.io","type":"basic","credentials":{"USERNAME":"u","PASSWORD":"s"}}"#;
