//! Build time and run time with the embedded store: keys become a secret, the image is bound, and the payload is
//! printed.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use beta9_credential::backend::{Backend, User};
use beta9_credential::json::{self, Value};
use beta9_credential::registry::Registry;
use common::clip::Clip;
use common::{Answer, Node, first_store, store_request};

const GITHUB: [&str; 2] = ["--creds", "GITHUB_USERNAME,GITHUB_TOKEN"];
const BLOB: &str = r#"{"credentials":{"GITHUB_TOKEN":"ghp_hunter2","GITHUB_USERNAME":"octo"},"registry":"ghcr.io","type":"token"}"#;

fn node() -> Node {
    Node::new()
        .with("GITHUB_USERNAME", "octo")
        .with("GITHUB_TOKEN", "ghp_hunter2")
}

fn said(text: &str) -> Answer {
    Answer {
        status: 0,
        out: text.into(),
        err: String::new(),
    }
}

#[test]
fn keys_named_in_the_environment_become_a_secret_and_the_image_is_bound_to_it() {
    let node = node();
    let args = [
        &["provision", "ghcr.io/org/app:1"],
        &GITHUB[..],
        &["--image-id", "im1"],
    ]
    .concat();
    let expected =
        "stored the secret of ghcr.io (oci-registry-ghcr-io) in the file store\nbound image im1\n";
    assert_eq!(node.run(&args, ""), said(expected));
    assert_eq!(node.pair("ghcr.io"), ("octo".into(), "ghp_hunter2".into()));
    assert_eq!(
        node.run(&["resolve", "im1"], ""),
        said(&format!("{BLOB}\n"))
    );
    assert_eq!(node.list(), "{\"ghcr.io\":\"octo\"}\n");
    let worker = Node::new().with(
        "BETA9_IMAGE_CREDENTIALS",
        node.run(&["resolve", "im1"], "").out,
    );
    assert_eq!(
        worker.pair("ghcr.io"),
        ("octo".into(), "ghp_hunter2".into())
    );
}

#[test]
fn the_keys_may_come_as_json_from_a_file_or_from_standard_input() {
    let node = Node::new();
    let json = r#"{"USERNAME":"u","PASSWORD":"p"}"#;
    let answer = node.run(
        &[
            "provision",
            "registry.example.com:5000/app",
            "--creds-json",
            "-",
        ],
        json,
    );
    assert_eq!(answer.status, 0, "{answer:?}");
    assert_eq!(
        node.pair("registry.example.com:5000"),
        ("u".into(), "p".into())
    );
    let file = node.home().join("creds.json");
    std::fs::write(&file, r#"["GITHUB_USERNAME","GITHUB_TOKEN"]"#).unwrap();
    let node = node
        .with("GITHUB_USERNAME", "octo")
        .with("GITHUB_TOKEN", "t");
    assert_eq!(
        node.run(
            &[
                "provision",
                "ghcr.io/a/b",
                "--creds-json",
                file.to_str().unwrap()
            ],
            ""
        )
        .status,
        0
    );
    assert_eq!(node.pair("ghcr.io"), ("octo".into(), "t".into()));
}

#[test]
fn names_of_keys_may_have_spaces_between_them() {
    let node = node();
    let names = "GITHUB_USERNAME, GITHUB_TOKEN";
    let answer = node.run(&["provision", "ghcr.io/a/b", "--creds", names], "");
    assert_eq!(answer.status, 0, "{answer:?}");
    assert_eq!(node.pair("ghcr.io"), ("octo".into(), "ghp_hunter2".into()));
}

#[test]
fn nothing_is_stored_for_a_modified_or_a_public_image_and_it_says_so() {
    let node = node();
    let modified = [&["provision", "ghcr.io/org/app", "--modified"], &GITHUB[..]].concat();
    assert!(
        node.run(&modified, "")
            .out
            .starts_with("nothing was stored: a modified image")
    );
    let public = "nothing was stored: without keys the image is public\n";
    assert_eq!(
        node.run(&["provision", "ghcr.io/org/app"], ""),
        said(public)
    );
    assert_eq!(
        node.run(&["provision", "ghcr.io/org/app", "--creds-json", "-"], "{}"),
        said(public)
    );
    assert_eq!(node.list(), "{}\n");
}

#[test]
fn keys_that_the_registry_cannot_take_are_refused_and_nothing_is_stored() {
    let node = node().with("NGC_API_KEY", "hunter2");
    let table: [(&[&str], &str); 5] = [
        (
            &["ghcr.io/a/b", "--creds", "GITHUB_TOKEN"],
            "credentials: GITHUB_TOKEN is set without GITHUB_USERNAME",
        ),
        (
            &["ghcr.io/a/b", "--creds", "NOT_SET,ALSO_NOT"],
            "credentials: NOT_SET, ALSO_NOT are unset or empty in the environment",
        ),
        (
            &["ghcr.io/a/b", "--creds", "NGC_API_KEY"],
            "ghcr.io: its secret: it has NGC_API_KEY, but this registry (ghcr) needs",
        ),
        (
            &["ghcr.io@evil/a", "--creds", "NGC_API_KEY"],
            "ghcr.io@evil/a: image reference: ",
        ),
        (
            &[
                "ghcr.io/a/b",
                "--creds",
                "GITHUB_USERNAME,GITHUB_TOKEN",
                "--image-id",
                "../x",
            ],
            "image id: ",
        ),
    ];
    for (args, why) in table {
        let answer = node.run(&[&["provision"], args].concat(), "");
        assert!(
            answer.refusal().starts_with(why) && !answer.err.contains("hunter2"),
            "{answer:?}"
        );
    }
    assert_eq!(node.list(), "{}\n");
}

#[test]
fn an_image_that_is_built_from_several_registries_has_an_array_for_a_payload() {
    let node = Node::new();
    let json = r#"{"USERNAME":"u","PASSWORD":"p"}"#;
    let args = [
        "provision",
        "ghcr.io/a/b",
        "quay.io/c/d:1",
        "ghcr.io/e/f",
        "--creds-json",
        "-",
        "--image-id",
        "im",
    ];
    assert_eq!(node.run(&args, json).status, 0);
    let payload = node.run(&["resolve", "im"], "").out;
    let expected = r#"[{"credentials":{"PASSWORD":"p","USERNAME":"u"},"registry":"ghcr.io","type":"basic"},{"credentials":{"PASSWORD":"p","USERNAME":"u"},"registry":"quay.io","type":"basic"}]"#;
    assert_eq!(payload, format!("{expected}\n"));
    let worker = Node::new().with("BETA9_IMAGE_CREDENTIALS", payload);
    assert_eq!(
        (worker.pair("ghcr.io").0, worker.pair("quay.io").0),
        ("u".into(), "u".into())
    );
    assert_eq!(worker.list(), "{\"ghcr.io\":\"u\",\"quay.io\":\"u\"}\n");
}

#[test]
fn resolve_says_on_standard_error_that_nothing_is_known_of_an_image() {
    let node = node();
    let unknown = "docker-credential-beta9: file store: there is no image im1; bind it with docker-credential-beta9 provision --image-id, or correct its id\n";
    assert_eq!(
        node.run(&["resolve", "im1"], ""),
        Answer {
            status: 1,
            out: String::new(),
            err: unknown.into()
        }
    );
    node.store("ghcr.io", "u", "s");
    let answer = node.run(&["resolve", "im1", "--image", "ghcr.io/a/b"], "");
    assert_eq!(
        answer,
        said(
            "{\"credentials\":{\"PASSWORD\":\"s\",\"USERNAME\":\"u\"},\"registry\":\"ghcr.io\",\"type\":\"basic\"}\n"
        )
    );
    assert_eq!(
        node.run(
            &[
                "provision",
                "ghcr.io/a/b",
                "--creds",
                GITHUB[1],
                "--image-id",
                "im1"
            ],
            ""
        )
        .status,
        0
    );
    node.erase("ghcr.io");
    let gone = "docker-credential-beta9: file store: image im1 is bound to the secret of ghcr.io, which is gone; store the secret again with docker-credential-beta9 provision\n";
    assert_eq!(
        node.run(&["resolve", "im1"], ""),
        Answer {
            status: 1,
            out: String::new(),
            err: gone.into()
        }
    );
}

#[test]
fn only_what_was_given_a_time_is_pruned_and_only_when_it_is_over() {
    let node = Node::new();
    let json = r#"{"USERNAME":"u","PASSWORD":"p"}"#;
    let provision = |image: &str, ttl: &[&str]| {
        let args = [&["provision", image, "--creds-json", "-"], ttl].concat();
        assert_eq!(node.run(&args, json).status, 0);
    };
    provision("a.example/x", &["--ttl", "0s"]);
    provision("b.example/x", &["--ttl", "30d"]);
    provision("c.example/x", &[]);
    provision("d.example/x", &["--ttl", "0s"]);
    provision("d.example/x", &[]);
    node.store("e.example", "u", "p");
    assert_eq!(
        node.run(&["prune"], ""),
        said("removed the secret of a.example\n1 removed\n")
    );
    assert_eq!(node.run(&["prune"], ""), said("0 removed\n"));
    assert_eq!(node.get("a.example"), Answer::not_found());
    assert_eq!(
        node.list(),
        "{\"b.example\":\"u\",\"c.example\":\"u\",\"d.example\":\"u\",\"e.example\":\"u\"}\n"
    );
    // A later login creates the secret again, without an expiry.
    provision("f.example/x", &["--ttl", "0s"]);
    node.store("f.example", "u", "p");
    assert_eq!(node.run(&["prune"], ""), said("0 removed\n"));
}

#[test]
fn the_ends_that_0_1_noted_are_read_until_a_new_login() {
    let node = Node::new();
    first_store::plant(&node);
    assert_eq!(
        node.run(&["prune"], ""),
        said("removed the secret of over.example\n1 removed\n")
    );
    assert_eq!(node.get("over.example"), Answer::not_found());
    assert_eq!(node.pair("later.example"), ("u".into(), "p".into()));
    assert_eq!(node.run(&["prune"], ""), said("0 removed\n"));
    let node = Node::new();
    first_store::plant(&node);
    node.store("over.example", "u", "new");
    assert_eq!(node.run(&["prune"], ""), said("0 removed\n"));
    assert_eq!(node.pair("over.example").1, "new");
    // As after a crash before the note was removed.
    let files = node.sealed_files();
    first_store::plant(&node);
    let is_old = |path: &PathBuf| !files.contains(path);
    assert!(
        node.sealed_files()
            .iter()
            .filter(|path| is_old(path))
            .count()
            == 2
    );
    assert_eq!(node.run(&["prune"], ""), said("0 removed\n"));
    assert_eq!(node.pair("over.example").1, "new");
}

#[test]
fn a_login_killed_at_any_instant_is_never_pruned_by_an_earlier_ones_expiry() {
    let node = Node::new();
    let started = Instant::now();
    (0..5).for_each(|_| assert_eq!(node.store("a.example", "u", "p"), Answer::silence()));
    let span = started.elapsed() * 2 / 5;
    let mut seen = BTreeSet::new();
    for round in 0..150 {
        let args = [
            "provision",
            "a.example/x",
            "--creds-json",
            "-",
            "--ttl",
            "0s",
        ];
        assert_eq!(
            node.run(&args, r#"{"USERNAME":"old","PASSWORD":"p"}"#)
                .status,
            0
        );
        let mut writer = node.start(
            &["store"],
            store_request("a.example", "new", "p").as_bytes(),
        );
        sleep(span * (round * 7 % 100) / 100);
        _ = writer.kill();
        writer.wait().unwrap();
        let (user, _) = node.pair("a.example");
        let pruned = node.run(&["prune"], "").out;
        if user == "new" {
            assert_eq!(
                (pruned.as_str(), node.pair("a.example").0),
                ("0 removed\n", user.clone())
            );
        } else {
            assert_eq!(pruned, "removed the secret of a.example\n1 removed\n");
            assert_eq!(node.get("a.example"), Answer::not_found());
        }
        seen.insert(user);
    }
    assert_eq!(
        seen.len(),
        2,
        "the kills came too late or too early to show anything"
    );
}

#[test]
fn prune_beside_a_login_never_removes_that_login() {
    let node = Node::new();
    for _ in 0..60 {
        let args = [
            "provision",
            "a.example/x",
            "--creds-json",
            "-",
            "--ttl",
            "0s",
        ];
        assert_eq!(
            node.run(&args, r#"{"USERNAME":"old","PASSWORD":"p"}"#)
                .status,
            0
        );
        let pruning = [node.start(&["prune"], b""), node.start(&["prune"], b"")];
        let login = node.start(
            &["store"],
            store_request("a.example", "new", "p").as_bytes(),
        );
        assert_eq!(Answer::of(login), Answer::silence());
        for prune in pruning {
            assert_eq!(Answer::of(prune).status, 0);
        }
        assert_eq!(node.pair("a.example").0, "new");
    }
}

#[test]
fn what_was_stored_after_prune_looked_stays() {
    let node = Node::new();
    node.store("a.example", "new", "p");
    let file = node.sealed_file();
    let new = std::fs::read(&file).unwrap();
    let args = [
        "provision",
        "a.example/x",
        "--creds-json",
        "-",
        "--ttl",
        "0s",
    ];
    assert_eq!(
        node.run(&args, r#"{"USERNAME":"old","PASSWORD":"p"}"#)
            .status,
        0
    );
    // As a login holds it while it writes.
    let lock = File::options()
        .write(true)
        .open(file.with_file_name("lock"))
        .unwrap();
    lock.lock().unwrap();
    let mut prune = node.start(&["prune"], b"");
    // Time to look, and then to wait for the lock; one that has not come so far yet finds the new one at once.
    sleep(Duration::from_millis(500));
    assert!(
        prune.try_wait().unwrap().is_none(),
        "it waits for who writes"
    );
    let aside = node.home().join("aside");
    std::fs::write(&aside, new).unwrap();
    std::fs::set_permissions(&aside, PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::rename(&aside, &file).unwrap();
    drop(lock);
    assert_eq!(Answer::of(prune), said("0 removed\n"));
    assert_eq!(node.pair("a.example").0, "new");
}

#[test]
fn an_entry_whose_end_cannot_be_read_is_named_and_hinders_no_other() {
    let node = Node::new();
    node.store("b.example", "u", "p");
    let damaged = node.sealed_file();
    std::fs::write(&damaged, "beta9-credential 2\n").unwrap();
    let args = [
        "provision",
        "a.example/x",
        "--creds-json",
        "-",
        "--ttl",
        "0s",
    ];
    assert_eq!(
        node.run(&args, r#"{"USERNAME":"old","PASSWORD":"p"}"#)
            .status,
        0
    );
    let answer = node.run(&["prune"], "");
    assert_eq!(
        (answer.status, answer.out.as_str()),
        (0, "removed the secret of a.example\n1 removed\n")
    );
    assert!(
        answer.err.contains("left alone: ") && answer.err.contains(damaged.to_str().unwrap()),
        "{answer:?}"
    );
}

#[test]
fn a_user_name_that_is_the_token_itself_is_listed_as_a_word() {
    const HOST: &str = "registry.digitalocean.com";
    let listed = format!("{{\"{HOST}\":\"(token)\"}}\n");
    let itself = ("hunter2".to_owned(), "hunter2".to_owned());
    let node = Node::new().with("DIGITALOCEAN_ACCESS_TOKEN", "hunter2");
    let args = [
        "provision",
        "registry.digitalocean.com/a/b",
        "--creds",
        "DIGITALOCEAN_ACCESS_TOKEN",
        "--image-id",
        "im",
    ];
    assert_eq!(node.run(&args, "").status, 0);
    assert_eq!(
        (node.list(), node.pair(HOST)),
        (listed.clone(), itself.clone())
    );
    let worker = Node::new().with(
        "BETA9_IMAGE_CREDENTIALS",
        node.run(&["resolve", "im"], "").out,
    );
    assert_eq!(
        (worker.list(), worker.pair(HOST)),
        (listed.clone(), itself.clone())
    );
    // As the vendor's page has it: the token for both, at docker login.
    let node = Node::new();
    assert_eq!(node.store(HOST, "hunter2", "hunter2"), Answer::silence());
    assert_eq!((node.list(), node.pair(HOST)), (listed, itself.clone()));
    let item = "nerdctl-experimental://h.example:5000/?host-dir=x";
    assert_eq!(node.store(item, "hunter2", "hunter2"), Answer::silence());
    assert!(
        node.list().contains(&format!("\"{item}\":\"(token)\"")),
        "{}",
        node.list()
    );
    assert_eq!(node.pair(item), itself);
}

#[test]
fn a_registry_whose_name_looks_like_a_note_is_a_registry() {
    let node = Node::new();
    for host in ["image:5000", "expiry:5000"] {
        assert_eq!(node.store(host, host, "s"), Answer::silence());
    }
    let json = r#"{"USERNAME":"u","PASSWORD":"p"}"#;
    let provision = |image: &str, more: [&str; 2]| {
        assert_eq!(
            node.run(
                &["provision", image, "--creds-json", "-", more[0], more[1]],
                json
            )
            .status,
            0
        );
    };
    provision("a.example/x", ["--image-id", "5000"]);
    assert_eq!(node.pair("image:5000"), ("image:5000".into(), "s".into()));
    assert_eq!(node.pair("expiry:5000"), ("expiry:5000".into(), "s".into()));
    let expected =
        "{\"a.example\":\"u\",\"expiry:5000\":\"expiry:5000\",\"image:5000\":\"image:5000\"}\n";
    assert_eq!(node.list(), expected);
    let payload =
        r#"{"credentials":{"PASSWORD":"p","USERNAME":"u"},"registry":"a.example","type":"basic"}"#;
    assert_eq!(
        node.run(&["resolve", "5000"], ""),
        said(&format!("{payload}\n"))
    );
    provision("image:5000/x", ["--ttl", "0s"]);
    provision("expiry:5000/x", ["--ttl", "0s"]);
    let pruned = "removed the secret of expiry:5000\nremoved the secret of image:5000\n2 removed\n";
    assert_eq!(node.run(&["prune"], ""), said(pruned));
    assert_eq!(
        node.run(&["resolve", "5000"], ""),
        said(&format!("{payload}\n"))
    );
}

/// The keys that a backend logs in with; each value is its name.
fn keys_of(backend: &Backend) -> Vec<&'static str> {
    match backend {
        Backend::Fixed {
            user: User::Key(user),
            secret,
        } => vec![user, secret],
        Backend::Fixed { secret, .. } => vec![secret],
        Backend::Aws => vec!["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
        Backend::Gcp => vec!["GCP_ACCESS_TOKEN"],
        Backend::Azure => vec!["AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID"],
    }
}

/// What `provision` keeps for an image of this registry, and what it says.
fn provisioned(host: &str, keys: &[(&str, &str)]) -> (Node, String, String) {
    let node = Node::new();
    let json: Vec<_> = keys
        .iter()
        .map(|(name, value)| format!("{name:?}:{value:?}"))
        .collect();
    let image = format!("{host}/org/app:1");
    let args = ["provision", &image, "--creds-json", "-", "--image-id", "im"];
    let answer = node.run(&args, format!("{{{}}}", json.join(",")));
    assert_eq!(answer.status, 0, "{host} {keys:?}: {answer:?}");
    let secret = node.run(&["resolve", "im"], "").out.trim_end().to_owned();
    (node, secret, answer.out)
}

#[test]
fn clip_reads_what_is_written_for_every_vendor_of_the_table() {
    let mut logins = 0;
    for name in Registry::names() {
        let row = Registry::named(name).unwrap();
        let hosts: &[&str] = if row.hosts().is_empty() {
            &["harbor.example"]
        } else {
            row.hosts()
        };
        // One host of a row is as good as any, but for AWS, whose hosts name a region.
        for host in if name == "aws" { hosts } else { &hosts[..1] } {
            let host = host.replace("{account}", "123456789012").replace('*', "x1");
            for backend in row.backends() {
                let values: Vec<_> = keys_of(backend)
                    .into_iter()
                    .map(|name| (name, name))
                    .collect();
                let (node, secret, said) = provisioned(&host, &values);
                let read = Clip::reads(&host, &secret);
                logins += 1;
                let unreadable =
                    said.contains(&format!("docker-credential-beta9 publish {host}\n"));
                match backend {
                    Backend::Aws if host.contains("x1") => {
                        assert_eq!(read, Clip::Ecr("x1".into()), "{host} {secret}");
                    }
                    Backend::Aws | Backend::Azure => {
                        assert!(
                            unreadable && read == Clip::Nothing,
                            "{host} {secret}: {said}"
                        );
                        continue;
                    }
                    Backend::Gcp | Backend::Fixed { .. } => {
                        let (username, password) = node.pair(&host);
                        assert_eq!(read, Clip::Pair(username, password), "{host} {secret}");
                    }
                }
                assert!(!unreadable, "{host}: {said}");
            }
        }
    }
    assert!(logins > 50, "{logins}");
}

#[test]
fn what_a_login_does_not_need_is_left_out_where_clip_would_take_it_for_the_login() {
    let aws = ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    let table: [(&str, &[(&str, &str)], &str, Clip); 6] = [
        (
            "harbor.example",
            &[
                ("DOCKERHUB_USERNAME", "u"),
                ("DOCKERHUB_PASSWORD", "p"),
                ("DOCKERHUB_TOKEN", "t"),
            ],
            "DOCKERHUB_TOKEN",
            Clip::pair("u", "p"),
        ),
        (
            "ghcr.io",
            &[
                ("GITHUB_USERNAME", "u"),
                ("GITHUB_TOKEN", "t"),
                aws,
                ("AWS_SECRET_ACCESS_KEY", "s"),
            ],
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY",
            Clip::pair("u", "t"),
        ),
        (
            "docker.pkg.github.com",
            &[("GITHUB_USERNAME", "u"), ("GITHUB_TOKEN", "t")],
            "GITHUB_TOKEN, GITHUB_USERNAME",
            Clip::pair("u", "t"),
        ),
        (
            "gcr.io",
            &[
                ("GCP_PROJECT_ID", "p"),
                ("USERNAME", "oauth2accesstoken"),
                ("PASSWORD", "t"),
            ],
            "GCP_PROJECT_ID",
            Clip::pair("oauth2accesstoken", "t"),
        ),
        (
            "eu-docker.pkg.dev",
            &[
                ("GCP_ACCESS_TOKEN", "t"),
                aws,
                ("AWS_SECRET_ACCESS_KEY", "s"),
            ],
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY",
            Clip::pair("oauth2accesstoken", "t"),
        ),
        (
            "quay.io",
            &[
                ("QUAY_USERNAME", "u"),
                ("QUAY_PASSWORD", "p"),
                ("USERNAME", "x"),
                ("PASSWORD", "y"),
            ],
            "QUAY_PASSWORD, QUAY_USERNAME",
            Clip::pair("x", "y"),
        ),
    ];
    for (host, keys, left_out, expected) in table {
        let (_, secret, said) = provisioned(host, keys);
        assert_eq!(Clip::reads(host, &secret), expected, "{host} {secret}");
        assert!(
            said.contains(&format!(
                "left out {left_out}: this registry does not need them\n"
            )),
            "{host} {said}"
        );
    }
}

#[test]
fn what_clip_cannot_log_in_with_is_said_with_the_remedy() {
    let ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    let aws = [
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
    ];
    let role = [
        aws[0],
        aws[1],
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r"),
    ];
    let table: [(&str, &[(&str, &str)]); 4] = [
        (ecr, &role),
        ("public.ecr.aws", &aws),
        (
            "gcr.io",
            &[("GOOGLE_APPLICATION_CREDENTIALS", "{\"type\": 1}")],
        ),
        (
            "myreg.azurecr.io",
            &[
                ("AZURE_CLIENT_ID", "a"),
                ("AZURE_CLIENT_SECRET", "b"),
                ("AZURE_TENANT_ID", "c"),
            ],
        ),
    ];
    for (host, keys) in table {
        let (_, _, said) = provisioned(host, keys);
        let note = format!(
            "Beta9's workers cannot log in to {host} with these keys: a token has to be minted; run in the control plane: docker-credential-beta9 publish {host}\n"
        );
        assert!(said.contains(&note), "{host}: {said}");
    }
    let (_, secret, said) = provisioned(ecr, &[aws[0], aws[1], ("AWS_REGION", "us-west-2")]);
    assert_eq!(Clip::reads(ecr, &secret), Clip::Ecr("eu-west-1".into()));
    assert!(
        said.contains(
            "\nAWS_REGION is eu-west-1, as the registry's name says, and not what was given\n"
        ),
        "{said}"
    );
}

#[test]
fn a_secret_is_byte_for_byte_the_one_that_beta9s_builder_stores_for_the_same_keys() {
    let Value::Array(rows) =
        json::parse(include_bytes!("fixtures/beta9/beta9-built.json")).unwrap()
    else {
        panic!()
    };
    let mut compared = 0;
    for row in &rows {
        let Value::Object(row) = row else { panic!() };
        let (image, value) = (
            row.text("image").unwrap().expose(),
            row.text("value").unwrap().expose(),
        );
        // The keys that the builder keeps of those that it was given.
        let blob = json::parse_object(value.as_bytes()).unwrap();
        let Some(Value::Object(kept)) = blob.get("credentials") else {
            panic!()
        };
        let text = |value: &Value| {
            if let Value::Text(text) = value {
                text.expose().to_owned()
            } else {
                panic!()
            }
        };
        let keys: Vec<_> = kept
            .iter()
            .map(|(name, value)| (name, text(value)))
            .collect();
        let keys: Vec<_> = keys
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let (_, secret, _) = provisioned(image.split_once('/').unwrap().0, &keys);
        assert_eq!(secret, value, "{image}");
        compared += 1;
    }
    assert!(compared > 50);
}
