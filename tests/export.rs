//! `export`: what the built-in store holds, as docker's configuration.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use common::{Answer, Node, terminal};

const HUB: &str = "https://index.docker.io/v1/";

fn node() -> Node {
    let node = Node::new();
    node.store(HUB, "octo", "hunter2");
    node.store("ghcr.io", "octo", "a:b");
    node.store("tokens.example:5000", "<token>", "identity-token");
    node
}

/// `octo:hunter2` and `octo:a:b`.
const DOCUMENT: &str = "{\n\t\"auths\": {\n\t\t\"ghcr.io\": {\n\t\t\t\"auth\": \"b2N0bzphOmI=\"\n\t\t},\n\t\t\
    \"https://index.docker.io/v1/\": {\n\t\t\t\"auth\": \"b2N0bzpodW50ZXIy\"\n\t\t},\n\t\t\
    \"tokens.example:5000\": {\n\t\t\t\"identitytoken\": \"identity-token\"\n\t\t}\n\t}\n}\n";

#[test]
fn every_held_login_is_written_as_docker_reads_it_and_import_takes_it_back() {
    let first = node();
    let answer = first.run(&["export", "--yes"], "");
    assert_eq!(
        (answer.status, answer.out.as_str(), answer.err.as_str()),
        (0, DOCUMENT, "")
    );
    let second = Node::new();
    let path = second.home().join("exported.json");
    fs::write(&path, &answer.out).unwrap();
    let taken = second.run(&["import", path.to_str().unwrap()], "");
    assert_eq!(taken.status, 0, "{taken:?}");
    assert_eq!(second.list(), first.list());
    for host in [HUB, "ghcr.io", "tokens.example:5000"] {
        assert_eq!(second.pair(host), first.pair(host));
    }
}

#[test]
fn a_file_of_its_own_has_one_reader_and_takes_no_others_place() {
    let node = node();
    let path = node.home().join("config.json");
    let args = ["export", "--yes", "--output", path.to_str().unwrap()];
    assert_eq!(node.run(&args, ""), Answer::silence());
    assert_eq!(fs::read_to_string(&path).unwrap(), DOCUMENT);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
        0o600
    );
    fs::write(&path, "mine").unwrap();
    let answer = node.run(&args, "");
    assert_eq!((answer.status, answer.out.as_str()), (1, ""));
    assert!(
        answer
            .err
            .ends_with("config.json is there already; name a new file\n"),
        "{answer:?}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn without_a_yes_no_password_is_written() {
    let node = node();
    let answer = node.run(&["export"], "");
    assert_eq!((answer.status, answer.out.as_str()), (1, ""));
    assert_eq!(
        answer.err,
        "docker-credential-beta9: export: it writes passwords in plain text, and there is no terminal to ask at; add --yes\n"
    );
    for (typed, written) in [
        ("y\n", true),
        ("yes\n", true),
        ("n\n", false),
        ("\n", false),
        ("yesterday\n", false),
    ] {
        let pty = terminal::new_terminal();
        let child = node
            .command(&["export"])
            .stdin(terminal::other_end(&pty))
            .spawn()
            .unwrap();
        rustix::io::write(&pty, typed.as_bytes()).unwrap();
        let answer = Answer::of(child);
        assert_eq!(answer.status, i32::from(!written), "{typed:?}: {answer:?}");
        // Standard output may be on its way into a file: the question is not in it.
        assert_eq!(answer.out, if written { DOCUMENT } else { "" });
        let question = "Write the passwords for ghcr.io, https://index.docker.io/v1/, tokens.example:5000 in plain text to standard output? [y/N] ";
        assert!(answer.err.starts_with(question), "{answer:?}");
    }
}

#[test]
fn what_is_not_a_login_is_named_and_left_out_and_a_requests_credential_is_not_held() {
    let node = node();
    let node = node.configured("[store]\nkind = \"file\"\n");
    let request = r#"{"registry":"quay.io","type":"basic","credentials":{"USERNAME":"u","PASSWORD":"hunter3"}}"#;
    node.store("colon.example", "a:b", "hunter4");
    // A login as a person types it, which docker can use itself, and keys that only become one here.
    let key = r#"{"type":"service_account","private_key":"hunter5"}"#;
    node.store("gcr.io", "_json_key", key);
    let ecr = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
    let keys = r#"{"AWS_ACCESS_KEY_ID":"AKIAIOSFODNN7EXAMPLE","AWS_SECRET_ACCESS_KEY":"hunter6"}"#;
    let args = ["provision", &format!("{ecr}/app:1"), "--creds-json", "-"];
    let provisioned = node.run(&args, keys);
    assert_eq!(provisioned.status, 0, "{provisioned:?}");
    let node = node.with("BETA9_IMAGE_CREDENTIALS", request);
    let answer = node.run(&["export", "--yes"], "");
    assert_eq!(answer.status, 1, "{answer:?}");
    assert!(
        answer.out.contains("\"gcr.io\"") && answer.out.contains("\"ghcr.io\""),
        "{answer:?}"
    );
    for absent in ["quay.io", "colon.example", ecr] {
        assert!(!answer.out.contains(absent), "{answer:?}");
    }
    for line in [
        "left out: colon.example: its user name has a colon, which docker's file cannot hold; log in with another user name",
        &format!(
            "left out: {ecr}: its cloud keys become a login only here, and minted tokens are not exported; give that registry a login of its own"
        ),
    ] {
        assert!(answer.err.contains(line), "{answer:?}");
    }
    assert!(!answer.err.contains("hunter"), "{answer:?}");
}

#[test]
fn there_is_nothing_to_export_from_an_empty_store_or_from_one_far_away() {
    let node = Node::new();
    let failed = |node: &Node| {
        let answer = node.run(&["export", "--yes"], "");
        assert_eq!((answer.status, answer.out.as_str()), (1, ""));
        answer.err
    };
    assert!(
        failed(&node).ends_with("export: the store holds no login; docker login HOST stores one\n")
    );
    let far = node.configured("[store]\nkind = \"gateway\"\n[store.gateway]\nurl = \"http://127.0.0.1:9\"\ntoken = \"t\"\n");
    let told = "export: the workspace's store is not the built-in one, and only that is exported; ";
    assert!(failed(&far).contains(told), "{}", failed(&far));
}
