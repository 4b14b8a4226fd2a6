//! Many nodes: tokens are minted in the control plane, once for all replicas, and workers get tokens instead of keys.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::time::Duration;

use common::ecr::{self, Ecr, HOST, KEY, KEY_ID};
use common::postgres::migrations::Migration;
use common::postgres::pooler::Pooler;
use common::postgres::relay::{Mood, Relay};
use common::postgres::{Database, open};
use common::{Answer, Node};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::{Value, json};

const STATIC: &str = r#"{"credentials":{"GITHUB_TOKEN":"s3cret","GITHUB_USERNAME":"octo"},"registry":"ghcr.io","type":"token"}"#;

/// A database in which `im` has keys for ECR, and `fixed` a user name and a password.
fn database(test: &str) -> Option<Database> {
    let database = Database::after(Migration::M036, test)?;
    for (image, host, blob) in [
        ("aws", HOST, ecr::blob(HOST)),
        ("fixed", "ghcr.io", STATIC.to_owned()),
    ] {
        database.plant(host, &blob);
        let name = beta9_credential::store::name::current(
            &beta9_credential::host::Host::parse(host.as_bytes()).unwrap(),
        );
        database.sql(&format!(
            "INSERT INTO image (image_id, credential_secret_name) VALUES ('{image}', '{name}')"
        ));
    }
    Some(database)
}

/// A replica of the control plane, with a home directory of its own.
fn replica(database: &Database, ecr: &Ecr) -> Node {
    let mut node = ecr.wire(Node::new());
    for (name, value) in [
        ("BETA9_STORE", "postgres".to_owned()),
        ("BETA9_DATABASE_URL", database.url()),
        ("BETA9_WORKSPACE_ID", database.workspace.clone()),
    ] {
        node = node.with(name, value);
    }
    node
}

fn migrated(test: &str) -> Option<(Database, Ecr)> {
    let database = database(test)?;
    assert_eq!(database.node().run(&["migrate"], "").status, 0);
    Some((database, Ecr::start()))
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What a process, and all that it started, have in their arguments and variables.
fn shown_by(process: u32) -> String {
    let mut all = String::new();
    for file in ["cmdline", "environ"] {
        let bytes = fs::read(format!("/proc/{process}/{file}")).unwrap_or_default();
        all += &String::from_utf8_lossy(&bytes);
    }
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    for task in tasks {
        let children = task.unwrap().path().join("children");
        for child in fs::read_to_string(children)
            .unwrap_or_default()
            .split_whitespace()
        {
            all += &shown_by(child.parse().unwrap());
        }
    }
    all
}

/// Neither key is in it.
fn is_keyless(text: &str) -> bool {
    !text.contains(KEY) && !text.contains(KEY_ID)
}

fn everything_below(dir: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all += &everything_below(&path);
        } else {
            all += &String::from_utf8_lossy(&fs::read(&path).unwrap());
        }
    }
    all
}

#[test]
fn a_worker_gets_a_user_name_and_a_password_with_their_end_and_never_a_key() {
    let Some(database) = database("a worker gets no key") else {
        return;
    };
    let ecr = Ecr::start();
    let log = |node: &Node| node.home().join("audit.jsonl").to_str().unwrap().to_owned();
    let node = replica(&database, &ecr);
    let node = node.clone_with("BETA9_LOG", "debug");
    let audit = log(&node);
    let node = node.with("BETA9_AUDIT_LOG", audit);
    ecr.be_slow(Duration::from_secs(2));
    let minting = node.start(&["resolve", "aws", "--mint"], b"");
    while ecr.asked() == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    // It has the keys now, and is asking. Its variables are shown to root alone.
    let shown = shown_by(minting.id());
    let variables = if geteuid().is_root() {
        "BETA9_STORE"
    } else {
        ""
    };
    assert!(
        shown.contains("resolve") && shown.contains(variables),
        "{shown}"
    );
    assert!(is_keyless(&shown) && !shown.contains(database.signing_key.as_str()));
    ecr.be_slow(Duration::ZERO);
    let answer = Answer::of(minting);
    assert_eq!(answer.status, 0, "{answer:?}");
    let payload = parsed(&answer.out);
    assert_eq!(
        (
            &payload["registry"],
            &payload["type"],
            &payload["credentials"]
        ),
        (
            &json!(HOST),
            &json!("basic"),
            &json!({"USERNAME": "AWS", "PASSWORD": "hunter2-minted-1"})
        )
    );
    let end = payload["expires_at"].as_str().unwrap();
    assert!(end.len() == 20 && end.ends_with('Z'), "{end}");
    let below = everything_below(node.home());
    assert!(is_keyless(&answer.out) && is_keyless(&answer.err) && is_keyless(&below));
    assert!(!answer.err.contains("hunter2"));
    // The worker has the payload alone, and asks nobody.
    let worker = Node::new().with("BETA9_IMAGE_CREDENTIALS", answer.out.trim());
    let audit = log(&worker);
    let worker = worker
        .with("BETA9_AUDIT_LOG", audit)
        .with("BETA9_LOG", "debug");
    let said = worker.get(HOST);
    assert!(said.out.contains("hunter2-minted-1"), "{said:?}");
    let below = everything_below(worker.home());
    assert!(is_keyless(&said.out) && is_keyless(&said.err) && is_keyless(&below));
    let mut get = worker.command(&["get"]).spawn().unwrap();
    let mut shown = shown_by(get.id());
    // It is a moment before the kernel shows what a new program was given.
    let variables = if geteuid().is_root() {
        "hunter2-minted-1"
    } else {
        "get"
    };
    while !shown.contains(variables) {
        std::thread::sleep(Duration::from_millis(5));
        shown = shown_by(get.id());
    }
    assert!(is_keyless(&shown));
    get.stdin
        .take()
        .unwrap()
        .write_all(HOST.as_bytes())
        .unwrap();
    assert_eq!(Answer::of(get).status, 0);
    assert_eq!(ecr.mints(), 1);
    // What is a user name and a password already stays as it is.
    let answer = node.run(&["resolve", "fixed", "--mint"], "");
    assert_eq!(answer.out, format!("{STATIC}\n"));
    // Beside such a pair no key goes along.
    let both = json!({"registry": "ghcr.io", "credentials": {"GITHUB_USERNAME": "octo", "GITHUB_TOKEN": "s3cret", "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": KEY}});
    database.plant("quay.io", "x:y");
    database.sql("DELETE FROM workspace_secret WHERE name = 'oci-registry-ghcr-io'");
    database.plant("ghcr.io", &both.to_string());
    let answer = node.run(&["resolve", "fixed", "--mint"], "");
    assert!(
        answer.out.contains("s3cret") && is_keyless(&answer.out),
        "{answer:?}"
    );
}

#[test]
fn a_mint_that_fails_prints_no_key_and_exits_with_1() {
    let Some(database) = database("a mint that fails") else {
        return;
    };
    let ecr = Ecr::start();
    ecr.refuse(true);
    let node = replica(&database, &ecr);
    let answer = node.run(&["resolve", "aws", "--mint"], "");
    assert_eq!((answer.status, answer.out.as_str()), (1, ""), "{answer:?}");
    assert!(
        is_keyless(&answer.err) && answer.err.contains("backend aws"),
        "{answer:?}"
    );
    let answer = node.run(&["resolve", "nobody", "--mint"], "");
    assert_eq!((answer.status, answer.out.as_str()), (1, ""), "{answer:?}");
}

#[test]
fn names_say_no_registry_so_that_the_image_has_to() {
    let Some(database) = Database::after(Migration::M053, "names say no registry") else {
        return;
    };
    let ecr = Ecr::start();
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", KEY),
    ] {
        database.plant_as(name, value);
    }
    database.sql("INSERT INTO image (image_id, credential_secret_names) VALUES ('gen3', '{AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY}')");
    let node = replica(&database, &ecr);
    let answer = node.run(&["resolve", "gen3", "--mint"], "");
    assert_eq!((answer.status, answer.out.as_str()), (1, ""), "{answer:?}");
    assert!(
        answer.err.contains("--image REF") && is_keyless(&answer.err),
        "{answer:?}"
    );
    let image = format!("{HOST}/team/app:1");
    let answer = node.run(&["resolve", "gen3", "--mint", "--image", &image], "");
    assert_eq!(parsed(&answer.out)["registry"], HOST);
    assert!(is_keyless(&answer.out));
    let answer = node.run(&["resolve", "--mint", "--stdin"], format!("gen3 {image}\n"));
    assert_eq!(parsed(&answer.out)["registry"], HOST, "{answer:?}");
}

#[test]
fn a_token_that_lives_too_short_is_minted_again_and_is_better_than_none() {
    let Some(database) = database("--min-life") else {
        return;
    };
    let ecr = Ecr::start();
    let node = replica(&database, &ecr);
    let hours = Duration::from_hours;
    ecr.plant(&node, &database.workspace, HOST, (hours(4), hours(10)));
    let minted = |life: &str| {
        let answer = node.run(&["resolve", "aws", "--mint", "--min-life", life], "");
        assert_eq!(answer.status, 0, "{answer:?}");
        let password = parsed(&answer.out)["credentials"]["PASSWORD"].clone();
        (password.as_str().unwrap().to_owned(), answer.err)
    };
    assert_eq!(minted("5h"), ("hunter2-planted".to_owned(), String::new()));
    ecr.refuse(true);
    let (password, err) = minted("7h");
    assert!(
        password == "hunter2-planted" && err.contains("less than"),
        "{err}"
    );
    ecr.refuse(false);
    ecr::end_shared_failures(&node);
    assert_eq!(minted("7h").0, "hunter2-minted-2");
    assert_eq!(minted("7h").0, "hunter2-minted-2");
    // Where the provider gives none that lives for so long, it is not asked for each image.
    let (password, err) = minted("20h");
    assert!(
        password == "hunter2-minted-2" && err.contains("--min-life"),
        "{err}"
    );
    for wrong in [
        &["resolve", "aws", "--min-life", "7h"][..],
        &["resolve", "--mint"],
    ] {
        assert_eq!(node.run(wrong, "").status, 2, "{wrong:?}");
    }
}

#[test]
fn many_images_are_answered_in_order_over_one_connection_and_a_failure_stops_none() {
    let Some(database) = database("many images") else {
        return;
    };
    let (ecr, relay) = (Ecr::start(), Relay::to(database.server.port));
    let url = database.url_at(&format!("127.0.0.1:{}", relay.port), "?sslmode=disable");
    let node = replica(&database, &ecr).with("BETA9_DATABASE_URL", url);
    let long = "x".repeat(5000);
    let lines = [
        b"aws\r\nfixed\nunknown\n\n../etc\naws\nfixed one two\n\xff\n".as_slice(),
        long.as_bytes(),
        b"\nfixed\0\n\xef\xbb\xbffixed\nfixed",
    ];
    let answer = node.run(&["resolve", "--mint", "--stdin"], lines.concat());
    assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
    let said: Vec<Value> = answer.out.lines().map(parsed).collect();
    let kinds: Vec<_> = said
        .iter()
        .map(|line| {
            line["error"]["code"]
                .as_str()
                .or(line["type"].as_str())
                .unwrap()
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "basic",
            "token",
            "store.not_found",
            "input.unreadable",
            "input.bad_reference",
            "basic",
            "input.unreadable",
            "input.unreadable",
            "input.unreadable",
            "input.bad_reference",
            "input.bad_reference",
            "token"
        ]
    );
    assert_eq!(ecr.mints(), 1);
    assert!(is_keyless(&answer.out));
    // One for all that is resolved; no tokens are shared here, so that the mint asked for them once.
    assert_eq!(relay.take_counts().0, 1);
}

#[test]
fn sigterm_answers_what_has_come_in_and_ends() {
    let Some(database) = database("SIGTERM") else {
        return;
    };
    let ecr = Ecr::start();
    let node = replica(&database, &ecr);
    ecr.be_slow(Duration::from_secs(1));
    let mut child = node
        .command(&["resolve", "--mint", "--stdin"])
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    input.write_all(b"fixed\n").unwrap();
    assert_eq!(out.next().unwrap().unwrap(), STATIC);
    input.write_all(b"aws\nfixed\nfixed\nhalf a li").unwrap();
    while ecr.mints() == 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let rest: Vec<String> = out.map(Result::unwrap).collect();
    assert_eq!(rest.len(), 3, "{rest:?}");
    assert!(parsed(&rest[0])["expires_at"].is_string() && rest[1..] == [STATIC, STATIC]);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    drop(input);
}

#[test]
fn memory_stays_as_it_is_however_many_images_there_are() {
    let Some(database) = database("bounded memory") else {
        return;
    };
    let ecr = Ecr::start();
    let node = replica(&database, &ecr);
    let mut child = node
        .command(&["resolve", "--mint", "--stdin"])
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let resident = || {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let mut resolve = |count: usize| {
        for number in 0..count {
            let image = ["aws", "fixed", "unknown"][number % 3];
            writeln!(input, "{image}").unwrap();
            assert!(out.next().unwrap().unwrap().starts_with('{'));
        }
    };
    resolve(300);
    let before = resident();
    resolve(1500);
    let grown = resident().saturating_sub(before);
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(grown < 1024, "{grown} KiB more after 1,500 images");
}

#[test]
fn a_lease_that_was_taken_while_another_was_waited_for_counts() {
    let Some((database, ecr)) = migrated("a lease that was waited for") else {
        return;
    };
    assert_eq!(replica(&database, &ecr).pair(HOST).1, "hunter2-minted-1");
    // Somebody has the row while a second replica asks for the lease, and takes the lease then: it ends later than the one
    // that was asked for. The token that is shared at last is the one from before.
    let held = "CREATE TABLE kept AS SELECT * FROM credential_helper_token; \
        UPDATE credential_helper_token SET sealed = NULL, minted = NULL, expires = NULL; \
        BEGIN; UPDATE credential_helper_token SET lease_by = 'x'; SELECT pg_sleep(2); \
        UPDATE credential_helper_token SET lease_until = clock_timestamp() + interval '15 seconds'; COMMIT; \
        SELECT pg_sleep(2); UPDATE credential_helper_token t SET sealed = k.sealed, minted = k.minted, \
        expires = k.expires, lease_by = NULL, lease_until = NULL FROM kept k";
    std::thread::scope(|scope| {
        let holder = scope.spawn(|| database.sql(held));
        let is_held = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'";
        while database.sql(is_held) == "0" && !holder.is_finished() {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(replica(&database, &ecr).pair(HOST).1, "hunter2-minted-1");
    });
    assert_eq!(ecr.mints(), 1);
}

#[test]
fn all_replicas_share_one_mint_and_what_the_database_has_is_sealed() {
    let Some((database, ecr)) = migrated("one mint for all replicas") else {
        return;
    };
    let replicas: Vec<Node> = (0..6).map(|_| replica(&database, &ecr)).collect();
    ecr.be_slow(Duration::from_millis(300));
    let running: Vec<_> = replicas
        .iter()
        .flat_map(|node| {
            [
                node.start(&["get"], HOST.as_bytes()),
                node.start(&["resolve", "aws", "--mint"], b""),
            ]
        })
        .collect();
    for answer in running.into_iter().map(Answer::of) {
        assert!(
            answer.status == 0 && answer.out.contains("hunter2-minted-1"),
            "{answer:?}"
        );
    }
    assert_eq!(ecr.mints(), 1);
    let rows = database.sql("SELECT * FROM credential_helper_token");
    assert_eq!(rows.lines().count(), 1);
    assert!(!rows.contains("hunter2") && is_keyless(&rows), "{rows}");
    let sealed = database.sql("SELECT sealed FROM credential_helper_token");
    // The workspace's own key does not open it.
    let opened = std::panic::catch_unwind(|| open(&database.signing_key, &sealed));
    assert!(opened.is_err());
    // A rotated key is another token, and the old one is nobody's.
    database.sql("DELETE FROM workspace_secret WHERE name LIKE 'oci-registry-1234%'");
    database.plant(HOST, &ecr::blob(HOST).replace(KEY, "hunter2-rotated"));
    for node in &replicas {
        assert_eq!(node.pair(HOST).1, "hunter2-minted-1");
    }
    assert_eq!(ecr.mints(), 1);
    // Another workspace's is not this one's, whatever is copied.
    let slots = database.sql("SELECT count(DISTINCT slot) FROM credential_helper_token");
    assert_eq!(slots, "2", "both keys have one");
    let said = replicas[0].run(&["status", "--fleet", "--json"], "");
    let said = parsed(&said.out);
    let shared = said["shared"].as_array().unwrap();
    assert_eq!((shared.len(), &shared[0]["registry"]), (2, &json!(HOST)));
    assert!(
        shared[0]["left_seconds"].as_u64() > Some(36_000),
        "{shared:?}"
    );
    let text = replicas[0].run(&["status", "--fleet"], "").out;
    assert!(text.contains("2 shared tokens in workspace "), "{text}");
}

#[test]
fn the_secret_and_the_shared_token_come_in_one_query() {
    let Some((database, ecr)) = migrated("one query") else {
        return;
    };
    replica(&database, &ecr).pair(HOST);
    let relay = Relay::to(database.server.port);
    let url = database.url_at(&format!("127.0.0.1:{}", relay.port), "?sslmode=disable");
    // It keeps nothing itself.
    let node = replica(&database, &ecr)
        .with("BETA9_DATABASE_URL", url)
        .with("BETA9_CACHE", "off");
    for _ in 0..2 {
        assert_eq!(node.pair(HOST).1, "hunter2-minted-1");
        assert_eq!(relay.take_counts(), (1, 4, 1));
    }
    // A registry for which nothing is minted asks for nothing more.
    node.pair("ghcr.io");
    assert_eq!(relay.take_counts(), (1, 4, 1));
    assert_eq!(ecr.mints(), 1);
}

#[test]
fn a_pooler_that_gives_out_sessions_for_one_transaction_does_no_harm() {
    let test = "shared tokens behind pgbouncer";
    let Some((database, ecr)) = migrated(test) else {
        return;
    };
    let Some(pooler) = Pooler::shared(database.server, test) else {
        return;
    };
    let url = database.url_at(&format!("127.0.0.1:{}", pooler.port), "?sslmode=disable");
    let replicas: Vec<Node> = (0..4)
        .map(|_| replica(&database, &ecr).with("BETA9_DATABASE_URL", url.clone()))
        .collect();
    let running: Vec<_> = replicas
        .iter()
        .map(|node| node.start(&["resolve", "--mint", "--stdin"], b"aws\nfixed\naws\n"))
        .collect();
    for answer in running.into_iter().map(Answer::of) {
        assert_eq!(
            answer.out.matches("hunter2-minted-1").count(),
            2,
            "{answer:?}"
        );
    }
    assert_eq!(ecr.mints(), 1);
}

#[test]
fn without_a_writable_table_each_replica_mints_for_itself() {
    let Some((database, ecr)) = migrated("no shared tokens") else {
        return;
    };
    let one = replica(&database, &ecr);
    // Nothing is lost with the table's rows.
    one.pair(HOST);
    database.sql("TRUNCATE credential_helper_token");
    one.pair(HOST);
    assert_eq!(ecr.mints(), 1);
    replica(&database, &ecr).pair(HOST);
    assert_eq!(ecr.mints(), 1);
    // A role that may only read, as on a replica of the database.
    let read_only = format!(
        "ALTER DATABASE {} SET default_transaction_read_only = on",
        database.name
    );
    let writable = || {
        let reset = "RESET default_transaction_read_only";
        let sql = format!("ALTER DATABASE {} {reset}", database.name);
        database.server.sql("postgres", &sql)
    };
    database.sql(&read_only);
    let reading = replica(&database, &ecr);
    reading.pair(HOST);
    assert_eq!(ecr.mints(), 0, "what is shared is read");
    writable();
    database.sql("TRUNCATE credential_helper_token");
    database.sql(&read_only);
    let answer = replica(&database, &ecr).get(HOST);
    assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
    writable();
    assert_eq!(ecr.mints(), 1);
    database.sql("DROP TABLE credential_helper_token");
    let alone = replica(&database, &ecr);
    for _ in 0..2 {
        let answer = alone.get(HOST);
        assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
    }
    assert_eq!(ecr.mints(), 1);
    let answer = alone.run(&["status", "--fleet"], "");
    assert!(
        answer.err.contains("run docker-credential-beta9 migrate"),
        "{answer:?}"
    );
    assert!(
        Node::new()
            .run(&["status", "--fleet"], "")
            .err
            .contains("shares no tokens")
    );
}

#[test]
fn a_lease_that_nobody_uses_holds_up_nobody_for_good_and_what_has_ended_goes() {
    let Some((database, ecr)) = migrated("a lease that nobody uses") else {
        return;
    };
    replica(&database, &ecr).pair(HOST);
    // Its holder was stopped before it had anything to share.
    database.sql("UPDATE credential_helper_token SET sealed = NULL, minted = NULL, expires = NULL, lease_by = 'x', lease_until = now() + interval '14 seconds'");
    let node = replica(&database, &ecr).with("BETA9_TIMEOUT", "10s");
    node.pair(HOST);
    assert_eq!(ecr.mints(), 2);
    database.sql("UPDATE credential_helper_token SET sealed = NULL, minted = NULL, expires = NULL, lease_until = now()");
    database.sql("INSERT INTO credential_helper_token (workspace_id, host, slot, sealed, minted, expires) SELECT id, 'gcr.io', 'old', 'x', now() - interval '2 hours', now() - interval '1 hour' FROM workspace");
    replica(&database, &ecr).pair(HOST);
    assert_eq!(ecr.mints(), 1);
    assert_eq!(
        database.sql("SELECT count(*) FROM credential_helper_token"),
        "1"
    );
    // One that does not open is minted again.
    database.sql("UPDATE credential_helper_token SET sealed = 'AAAA', expires = expires + interval '1 second'");
    assert_eq!(replica(&database, &ecr).get(HOST).status, 0);
    // A workspace that goes takes its tokens along.
    database.sql("DELETE FROM image; DELETE FROM workspace_secret; DELETE FROM workspace");
    assert_eq!(
        database.sql("SELECT count(*) FROM credential_helper_token"),
        "0"
    );
}

#[test]
fn a_refused_mint_gives_its_lease_back() {
    let Some((database, ecr)) = migrated("a refused mint") else {
        return;
    };
    ecr.refuse(true);
    let first = replica(&database, &ecr);
    assert!(first.get(HOST).failure().contains("backend aws"));
    let leased = "SELECT count(*) FROM credential_helper_token WHERE lease_until IS NOT NULL";
    assert_eq!(database.sql(leased), "0");
    ecr.refuse(false);
    ecr.mints();
    assert_eq!(replica(&database, &ecr).pair(HOST).0, "AWS");
    assert_eq!(ecr.mints(), 1);
}

#[test]
fn a_vended_credential_that_is_past_its_end_is_an_error_that_says_so() {
    use common::worker::{Gateway, WORKSPACE};
    let gateway = Gateway::start();
    let payload = |end: &str| {
        format!(
            r#"{{"credentials":{{"PASSWORD":"hunter2","USERNAME":"AWS"}},"registry":"{HOST}","type":"basic","expires_at":"{end}"}}"#
        )
    };
    gateway.plant(WORKSPACE, "image-1", &payload("2020-01-01T00:00:00Z"));
    let line = gateway.node().get(HOST).failure().to_owned();
    assert!(
        line.contains("expired at 2020-01-01T00:00:00Z") && !line.contains("hunter2"),
        "{line}"
    );
    gateway.plant(WORKSPACE, "image-1", &payload("2100-01-01T00:00:00Z"));
    assert_eq!(gateway.node().pair(HOST).1, "hunter2");
    let request = Node::new().with("BETA9_IMAGE_CREDENTIALS", payload("2020-01-01T00:00:00Z"));
    assert!(
        request
            .get(HOST)
            .failure()
            .contains("expired at 2020-01-01T00:00:00Z")
    );
}

#[test]
fn while_the_database_is_away_images_are_answered_as_they_were_last_and_a_replica_mints_once() {
    let Some((database, ecr)) = migrated("the database is away") else {
        return;
    };
    let relay = Relay::to(database.server.port);
    let url = database.url_at(&format!("127.0.0.1:{}", relay.port), "?sslmode=disable");
    let node = replica(&database, &ecr).with("BETA9_DATABASE_URL", url);
    let lines = "aws\nfixed\n";
    let resolve = |node: &Node| node.run(&["resolve", "--mint", "--stdin"], lines);
    let before = resolve(&node);
    node.pair(HOST);
    assert_eq!((ecr.mints(), before.err.as_str()), (1, ""));
    assert!(is_keyless(&everything_below(&node.tokens_dir())));
    for mood in [Mood::Closes, Mood::Silent, Mood::Slow] {
        relay.becomes(mood);
        for token in common::tokens::files(&node, "token") {
            fs::remove_file(token).unwrap();
        }
        // Half of it is less than the relay takes for an answer.
        let node = node.clone_with("BETA9_TIMEOUT", "4s");
        for mints in [1, 0] {
            let answer = resolve(&node);
            let said: Vec<Value> = answer.out.lines().map(parsed).collect();
            assert!(said[0]["expires_at"].is_string(), "{answer:?}");
            assert_eq!(answer.out.lines().nth(1), before.out.lines().nth(1));
            assert!(answer.err.contains("its last answer is used"), "{answer:?}");
            assert_eq!(ecr.mints(), mints);
        }
        if mood == Mood::Slow {
            let one = node.run(&["resolve", "aws", "--mint"], "");
            assert!(one.status == 0 && one.out.contains("expires_at"), "{one:?}");
            assert_eq!(node.pair(HOST).0, "AWS");
        }
        if mood != Mood::Closes {
            continue;
        }
        // What was never asked for is nobody's guess.
        let other = node.run(&["resolve", "unknown", "--mint"], "");
        assert_eq!((other.status, other.out.as_str()), (1, ""), "{other:?}");
        let never = node.clone_with("BETA9_STALE_IF_ERROR", "0s");
        let never = never.run(&["resolve", "fixed", "--mint"], "");
        assert_eq!((never.status, never.out.as_str()), (1, ""), "{never:?}");
    }
    // What the database takes back while it is there is not answered when it is away.
    relay.becomes(Mood::Faithful);
    database.sql("DELETE FROM image WHERE image_id = 'fixed'");
    assert_eq!(node.run(&["resolve", "fixed", "--mint"], "").status, 1);
    relay.becomes(Mood::Closes);
    let answer = node.run(&["resolve", "fixed", "--mint"], "");
    assert_eq!((answer.status, answer.out.as_str()), (1, ""), "{answer:?}");
}

#[test]
fn after_an_erase_that_may_have_been_done_no_images_last_answer_is_used() {
    let Some((database, ecr)) = migrated("an erase that may have been done") else {
        return;
    };
    let relay = Relay::to(database.server.port);
    let url = database.url_at(&format!("127.0.0.1:{}", relay.port), "?sslmode=disable");
    let node = replica(&database, &ecr).with("BETA9_DATABASE_URL", url);
    let resolve = || node.run(&["resolve", "fixed"], "");
    let answer = resolve();
    assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
    relay.becomes(Mood::Closes);
    assert_eq!(resolve().status, 0, "the last answer is used");
    node.run(&["erase"], "ghcr.io").failure();
    let answer = resolve();
    assert_eq!((answer.status, answer.out.as_str()), (1, ""), "{answer:?}");
}

#[test]
fn a_connection_that_ends_between_two_images_fails_neither() {
    let Some((database, ecr)) = migrated("a lost connection") else {
        return;
    };
    let node = replica(&database, &ecr);
    let mut child = node
        .command(&["resolve", "--mint", "--stdin"])
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    for image in ["aws", "fixed", "aws"] {
        writeln!(input, "{image}").unwrap();
        let line = out.next().unwrap().unwrap();
        assert!(line.contains("\"credentials\""), "{line}");
        let others =
            "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        database.sql(&format!("SELECT pg_terminate_backend(pid) {others}"));
    }
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn until_a_standby_is_promoted_the_last_answers_serve() {
    let Some((database, ecr)) = migrated("a standby") else {
        return;
    };
    let place = format!("127.0.0.1:1,127.0.0.1:{}", database.server.port);
    let url = database.url_at(&place, "?sslmode=disable&target_session_attrs=read-write");
    let node = replica(&database, &ecr).with("BETA9_DATABASE_URL", url);
    let resolve = || node.run(&["resolve", "aws", "--mint"], "");
    // The first one says when the provider ends the token, and the next ones until when it is kept.
    resolve();
    let before = resolve();
    node.pair(HOST);
    assert_eq!((before.status, ecr.mints()), (0, 1), "{before:?}");
    // As a standby has it.
    let name = &database.name;
    let role = |sql: &str| database.sql(&format!("ALTER DATABASE {name} {sql}"));
    role("SET default_transaction_read_only = on");
    let answer = resolve();
    assert_eq!(answer.out, before.out);
    assert!(
        answer.err.contains("no server of") && answer.err.contains("its last answer is used"),
        "{answer:?}"
    );
    assert_eq!(node.pair(HOST).0, "AWS");
    let server = format!("ALTER DATABASE {name} RESET default_transaction_read_only");
    database.server.sql("postgres", &server);
    let answer = resolve();
    assert_eq!((answer.out, answer.err), (before.out, String::new()));
    assert_eq!(ecr.mints(), 0);
}

const OTHER_HOST: &str = "210987654321.dkr.ecr.us-east-1.amazonaws.com";
/// Another workspace.
const OTHER: &str = "7c7c7c7c-0000-4000-8000-00000000000b";

#[test]
fn a_shared_token_that_was_moved_or_changed_is_nobodys_and_holds_up_nobody() {
    let Some((database, ecr)) = migrated("a tampered row") else {
        return;
    };
    database.plant(OTHER_HOST, &ecr::blob(OTHER_HOST));
    database.add_workspace(OTHER, &database.signing_key);
    let name = beta9_credential::store::name::current(
        &beta9_credential::host::Host::parse(HOST.as_bytes()).unwrap(),
    );
    let sealed = common::postgres::seal(&database.signing_key, &ecr::blob(HOST));
    database.plant_sealed(OTHER, &name, &sealed);
    let node = |workspace: &str| replica(&database, &ecr).with("BETA9_WORKSPACE_ID", workspace);
    let own = database.workspace.as_str();
    // The same keys in two workspaces, and in one for two registries: three tokens.
    let all = [(own, HOST), (own, OTHER_HOST), (OTHER, HOST)];
    let ask_all = || {
        for (workspace, host) in all {
            let answer = node(workspace).with("BETA9_LOG", "debug").get(host);
            assert_eq!(answer.status, 0, "{answer:?}");
            assert!(
                !answer.err.contains("for too long"),
                "it waited: {answer:?}"
            );
        }
        ecr.mints()
    };
    assert_eq!((ask_all(), ask_all()), (3, 0));
    let tamper = |sql: &str| database.sql(&format!("UPDATE credential_helper_token t SET {sql}"));
    let from = |of: &str| {
        format!(
            "sealed = o.sealed, minted = o.minted, expires = o.expires FROM credential_helper_token o \
             JOIN workspace w ON w.id = o.workspace_id WHERE w.external_id = '{own}' AND o.host = '{HOST}' AND {of}"
        )
    };
    for (sql, broken) in [
        (from(&format!("t.host = '{OTHER_HOST}'")), 1),
        (from("t.workspace_id <> o.workspace_id"), 1),
        ("expires = expires + interval '10 years'".to_owned(), 3),
        ("sealed = ''".to_owned(), 3),
        // Of a clock that was set back, and of one that is ahead.
        (
            "sealed = NULL, lease_by = 'x', lease_until = now() + interval '1 day'".to_owned(),
            3,
        ),
        ("expires = now() - interval '1 hour'".to_owned(), 3),
    ] {
        tamper(&sql);
        assert_eq!((ask_all(), ask_all()), (broken, 0), "{sql}");
    }
    // A rotated signing key opens nothing that was sealed before it.
    let key = common::postgres::signing_key(77);
    database.sql(&format!(
        "UPDATE workspace SET signing_key = '{key}' WHERE external_id = '{OTHER}'; \
         UPDATE workspace_secret SET value = '{}' WHERE workspace_id = (SELECT id FROM workspace WHERE external_id = '{OTHER}')",
        common::postgres::seal(&key, &ecr::blob(HOST))
    ));
    assert_eq!((ask_all(), ask_all()), (1, 0));
}

#[test]
fn a_reader_that_goes_away_ends_it_without_a_signal_and_no_input_is_no_failure() {
    let Some(database) = database("a closed pipe") else {
        return;
    };
    let node = replica(&database, &Ecr::start());
    let answer = node.run(&["resolve", "--mint", "--stdin"], "");
    assert_eq!(answer, Answer::silence());
    let mut child = node
        .command(&["resolve", "--mint", "--stdin"])
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    drop(child.stdout.take());
    // It may be gone before the last of them.
    _ = input.write_all(b"fixed\nfixed\nfixed\n");
    drop(input);
    let answer = Answer::of(child);
    assert_eq!(answer.status, 1, "{answer:?}");
    assert!(answer.err.contains("standard output"), "{answer:?}");
}
