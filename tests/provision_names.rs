//! `provision` with single workspace secrets, which an image names, through a gateway and in the database.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::collections::BTreeMap;

use beta9_credential::host::Host;
use beta9_credential::json::{self, Object, Value};
use beta9_credential::keys::Keys;
use beta9_credential::registry::{Registry, build_names, choose};
use common::gateway::Gateway;
use common::postgres::Database;
use common::{Answer, Node};

const GITHUB: [&str; 2] = ["--creds", "GITHUB_USERNAME,GITHUB_TOKEN"];
const QUAY: [&str; 4] = [
    "quay.io/org/app",
    "--names",
    "--creds",
    "QUAY_USERNAME,QUAY_PASSWORD",
];
/// The image table as migration 053 leaves it.
const WITH_NAMES: &str = "ALTER TABLE image ADD COLUMN credential_secret_names TEXT[]";
/// As migration 036 leaves it.
const WITH_SECRET: &str = "ALTER TABLE image ADD COLUMN credential_secret_name VARCHAR(255), ADD COLUMN credential_secret_id VARCHAR(36)";

fn node(gateway: &Gateway) -> Node {
    let pairs = [
        ("GITHUB_USERNAME", "octo"),
        ("GITHUB_TOKEN", "ghp_hunter2"),
        ("QUAY_USERNAME", "u"),
        ("QUAY_PASSWORD", "p"),
    ];
    pairs
        .into_iter()
        .fold(gateway.node(), |node, (name, value)| node.with(name, value))
}

fn provision(node: &Node, args: &[&str]) -> Answer {
    node.run(&[&["provision"], args].concat(), "")
}

/// The one line of a failure that changed nothing.
fn refused(gateway: &Gateway, node: &Node, args: &[&str]) -> String {
    let before = gateway.secrets();
    let answer = provision(node, args);
    assert_eq!(gateway.secrets(), before, "{args:?}");
    let line = answer.failure();
    assert!(!line.contains("hunter2"), "{line}");
    line.to_owned()
}

fn secrets(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn through_a_gateway_provision_writes_the_requested_form_and_mentions_the_other() {
    let gateway = Gateway::start();
    let node = node(&gateway);
    let args = [&["ghcr.io/org/app", "--image-id", "im1"], &GITHUB[..]].concat();
    let answer = provision(&node, &[&args[..], &["--names"]].concat());
    let expected = "stored the secrets of ghcr.io in the gateway store: GITHUB_TOKEN, GITHUB_USERNAME\n\
        to bind image im1, deploy it with base_image_creds=[\"GITHUB_TOKEN\", \"GITHUB_USERNAME\"]\n\
        a Beta9 from before September 2026 reads a registry's own secret: for it, run this again without --names\n";
    assert_eq!(
        answer,
        Answer {
            status: 0,
            out: expected.into(),
            err: String::new()
        }
    );
    assert_eq!(
        gateway.secrets(),
        secrets(&[("GITHUB_TOKEN", "ghp_hunter2"), ("GITHUB_USERNAME", "octo")])
    );
    assert_eq!(node.pair("ghcr.io"), ("octo".into(), "ghp_hunter2".into()));
    // What is there with the same value is left as it is.
    let again = provision(&node, &[&args[..], &["--names"]].concat());
    assert!(
        again.out.starts_with(
            "the gateway store has the secrets of ghcr.io: GITHUB_TOKEN, GITHUB_USERNAME\n"
        ),
        "{again:?}"
    );
    let answer = provision(&node, &args);
    let expected = "stored the secret of ghcr.io (OCI_REGISTRY_GHCR_IO) in the gateway store\n\
        image im1 is to be bound to the secret by the gateway\n\
        a Beta9 since September 2026 reads single secrets instead: for it, run this again with --names\n";
    assert_eq!(
        answer,
        Answer {
            status: 0,
            out: expected.into(),
            err: String::new()
        }
    );
    assert!(gateway.secrets().contains_key("OCI_REGISTRY_GHCR_IO"));
}

#[test]
fn a_value_comes_from_the_environment_and_else_from_the_workspace() {
    let gateway = Gateway::start();
    let node = gateway.node().with("GITHUB_TOKEN", "ghp_hunter2");
    gateway.plant("GITHUB_USERNAME", "octo");
    gateway.plant("GITHUB_TOKEN", "ghp_hunter2");
    let args = [&["ghcr.io/org/app"], &GITHUB[..]].concat();
    assert_eq!(provision(&node, &args).status, 0);
    let blob = r#"{"credentials":{"GITHUB_TOKEN":"ghp_hunter2","GITHUB_USERNAME":"octo"},"registry":"ghcr.io","type":"token"}"#;
    assert_eq!(gateway.secrets().get("OCI_REGISTRY_GHCR_IO").unwrap(), blob);
    let answer = provision(&node, &[&args[..], &["--names"]].concat());
    assert!(
        answer
            .out
            .starts_with("the gateway store has the secrets of ghcr.io"),
        "{answer:?}"
    );
    assert_eq!(gateway.secrets().len(), 3);
}

#[test]
fn bad_input_is_an_error_that_names_it_and_changes_nothing() {
    let gateway = Gateway::start();
    gateway.plant("EMPTY_USERNAME", "");
    gateway.plant("EMPTY_PASSWORD", "hunter2");
    let node = node(&gateway)
        .with("SANDBOX_USERNAME", "u")
        .with("SANDBOX_PASSWORD", "beam_secret_hunter2")
        .with("BETA9_X", "x");
    let table = [
        (
            &[
                "quay.io/a/b",
                "--creds",
                "NO_USERNAME,QUAY_USERNAME,NO_PASSWORD",
            ][..],
            "credentials: NO_USERNAME, NO_PASSWORD are in neither the environment nor the workspace; export them, or create each with: beta9 secret create NAME VALUE",
        ),
        (
            &["quay.io/a/b", "--creds", "QUAY_USERNAME,NO_PASSWORD"],
            "credentials: NO_PASSWORD is in neither the environment nor the workspace; export it, or create it with: beta9 secret create NO_PASSWORD VALUE",
        ),
        (
            &["quay.io/a/b", "--creds", "NOT-A-NAME"],
            "credentials: NOT-A-NAME is in neither the environment nor the workspace; export it, or create it with: beta9 secret create NOT-A-NAME VALUE",
        ),
        (
            &["quay.io/a/b", "--creds", "EMPTY_USERNAME,EMPTY_PASSWORD"],
            "credentials: EMPTY_USERNAME is empty in the workspace; delete it with: beta9 secret delete EMPTY_USERNAME, and create it again with its value",
        ),
        (
            &[
                "quay.io/a/b",
                "--creds",
                "SANDBOX_USERNAME,SANDBOX_PASSWORD",
            ],
            "credentials: SANDBOX_PASSWORD: it is the placeholder that a Beta9 sandbox shows in place of a secret; give the secret itself; nothing was stored",
        ),
        (
            &["quay.io/a/b", "--creds", "QUAY_USERNAME,BETA9_X"],
            "credentials: BETA9_X is a setting of this program, not a registry's key; nothing was stored",
        ),
        (
            &["quay.io/a/b", "--creds", "QUAY_PASSWORD"],
            "credentials: QUAY_PASSWORD is set without QUAY_USERNAME; set both or neither; nothing was stored",
        ),
        (
            &["quay.io@evil/a/b", "--creds", "QUAY_USERNAME,QUAY_PASSWORD"],
            "quay.io@evil/a/b: image reference: the host has a character that no registry host can have; give it as docker pull takes it",
        ),
    ];
    for (args, line) in table {
        for names in [&[][..], &["--names"]] {
            assert_eq!(refused(&gateway, &node, &[args, names].concat()), line);
        }
    }
}

#[test]
fn another_value_is_replaced_by_force_only_and_nothing_is_written_beside_it() {
    let gateway = Gateway::start();
    let node = node(&gateway);
    gateway.plant("GITHUB_USERNAME", "somebody else");
    let args = [&["ghcr.io/org/app", "--names"], &GITHUB[..]].concat();
    assert_eq!(
        refused(&gateway, &node, &args),
        "ghcr.io: credentials: the workspace has another value for GITHUB_USERNAME; to replace it for everything that uses it, add --force; nothing was stored"
    );
    let answer = provision(&node, &[&args[..], &["--force"]].concat());
    assert!(
        answer.out.starts_with(
            "stored the secrets of ghcr.io in the gateway store: GITHUB_TOKEN, GITHUB_USERNAME\n"
        ),
        "{answer:?}"
    );
    assert_eq!(
        gateway.secrets(),
        secrets(&[("GITHUB_TOKEN", "ghp_hunter2"), ("GITHUB_USERNAME", "octo")])
    );
    // A pair that was named is not moved to other names, but they are proposed.
    gateway.plant("DOCKERHUB_USERNAME", "hub");
    gateway.plant("DOCKERHUB_PASSWORD", "hunter2");
    let node = node
        .with("DOCKERHUB_USERNAME", "robot")
        .with("DOCKERHUB_PASSWORD", "hunter3");
    let line = refused(
        &gateway,
        &node,
        &[
            "harbor.example/a/b",
            "--names",
            "--creds",
            "DOCKERHUB_USERNAME,DOCKERHUB_PASSWORD",
        ],
    );
    assert_eq!(
        line,
        "harbor.example: credentials: the workspace has another value for DOCKERHUB_PASSWORD, DOCKERHUB_USERNAME; to replace it for everything that uses it, add --force, or export this login as REGISTRY_USERNAME and REGISTRY_PASSWORD; nothing was stored"
    );
}

#[test]
fn a_login_under_other_names_takes_a_free_pair_and_says_what_is_left_out() {
    let gateway = Gateway::start();
    let node = node(&gateway);
    let answer = provision(&node, &QUAY);
    let expected = "stored the secrets of quay.io in the gateway store: REGISTRY_PASSWORD, REGISTRY_USERNAME\n\
        left out QUAY_PASSWORD, QUAY_USERNAME: a Beta9 build does not take them\n";
    assert!(
        answer.status == 0 && answer.out.starts_with(expected),
        "{answer:?}"
    );
    let registry = [("REGISTRY_PASSWORD", "p"), ("REGISTRY_USERNAME", "u")];
    assert_eq!(gateway.secrets(), secrets(&registry));
    assert!(
        provision(&node, &QUAY)
            .out
            .starts_with("the gateway store has the secrets of quay.io")
    );
    // Another registry's login goes beside it, and its names are said.
    let gitlab = node
        .clone_with("GITLAB_USERNAME", "g")
        .with("GITLAB_TOKEN", "t");
    let args = [
        "registry.gitlab.com/a/b",
        "--names",
        "--creds",
        "GITLAB_USERNAME,GITLAB_TOKEN",
    ];
    let answer = provision(&gitlab, &args);
    assert!(
        answer.out.starts_with(
            "stored the secrets of registry.gitlab.com in the gateway store: PASSWORD, USERNAME\n"
        ),
        "{answer:?}"
    );
    assert!(
        answer.out.contains(
            "REGISTRY_USERNAME and REGISTRY_PASSWORD have other values in this workspace\n"
        ),
        "{answer:?}"
    );
    // The third is Docker Hub's own, which pulls from there use without its being named.
    let jfrog = node
        .clone_with("JFROG_USERNAME", "j")
        .with("JFROG_ACCESS_TOKEN", "t");
    let args = [
        "acme.jfrog.io/a/b",
        "--names",
        "--creds",
        "JFROG_USERNAME,JFROG_ACCESS_TOKEN",
    ];
    let answer = provision(&jfrog, &args);
    assert!(
        answer.out.starts_with(
            "stored the secrets of acme.jfrog.io in the gateway store: DOCKERHUB_PASSWORD, DOCKERHUB_USERNAME\n"
        ),
        "{answer:?}"
    );
    assert!(
        answer.out.contains(
            "are used for docker.io too; to prevent that, set single_secrets = \"named\""
        ),
        "{answer:?}"
    );
    // The fourth has no place left.
    let hf = node
        .clone_with("HF_USERNAME", "h")
        .with("HF_TOKEN", "hunter2");
    let args = [
        "registry.hf.space/a/b",
        "--names",
        "--creds",
        "HF_USERNAME,HF_TOKEN",
    ];
    assert_eq!(
        refused(&gateway, &hf, &args),
        "registry.hf.space: the workspace's secrets: there are other values under every name that a Beta9 build takes: REGISTRY_USERNAME, REGISTRY_PASSWORD, USERNAME, PASSWORD, DOCKERHUB_USERNAME, DOCKERHUB_PASSWORD; delete those that are no longer needed with: beta9 secret delete NAME"
    );
    // With force, a new password replaces the old one.
    let node = node.with("QUAY_PASSWORD", "new");
    assert!(refused(&gateway, &node, &QUAY).contains("there are other values under every name"));
    assert_eq!(
        provision(&node, &[&QUAY[..], &["--force"]].concat()).status,
        0
    );
    assert_eq!(gateway.secrets().get("REGISTRY_PASSWORD").unwrap(), "new");
}

#[test]
fn a_secret_that_is_only_for_other_hosts_is_not_used_for_the_registry() {
    let gateway = Gateway::start();
    let node = gateway.node();
    for (name, value) in [
        ("HARBOR_USERNAME", "u"),
        ("HARBOR_PASSWORD", "hunter2"),
        ("REGISTRY_USERNAME", "u"),
    ] {
        gateway.plant(name, value);
    }
    gateway.set_hosts("HARBOR_PASSWORD", serde_json::json!(["api.example"]));
    let args = [
        "harbor.example/a/b",
        "--creds",
        "HARBOR_USERNAME,HARBOR_PASSWORD",
    ];
    for names in [&[][..], &["--names"]] {
        assert_eq!(
            refused(&gateway, &node, &[&args[..], names].concat()),
            "harbor.example: credentials: the secret HARBOR_PASSWORD is only for api.example; add harbor.example to its hosts, or name another secret"
        );
    }
    // A pair of which one is for others is as good as taken.
    gateway.set_hosts("HARBOR_PASSWORD", serde_json::json!(["harbor.example"]));
    gateway.set_hosts("REGISTRY_USERNAME", serde_json::json!(["api.example"]));
    let answer = provision(&node, &[&args[..], &["--names"]].concat());
    let expected =
        "stored the secrets of harbor.example in the gateway store: PASSWORD, USERNAME\n";
    assert!(
        answer.status == 0 && answer.out.starts_with(expected),
        "{answer:?}"
    );
}

#[test]
fn what_a_build_cannot_take_is_refused_with_the_remedy() {
    let gateway = Gateway::start();
    let keys = [
        ("GOOGLE_APPLICATION_CREDENTIALS", "{\"type\": \"hunter2\"}"),
        ("AZURE_CLIENT_ID", "a"),
        ("AZURE_CLIENT_SECRET", "hunter2"),
        ("AZURE_TENANT_ID", "c"),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
    ];
    let node = keys.iter().fold(gateway.node(), |node, (name, value)| {
        node.with(name, *value)
    });
    let table = [
        (
            "gcr.io",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "GCP_ACCESS_TOKEN",
        ),
        (
            "myreg.azurecr.io",
            "AZURE_CLIENT_ID,AZURE_CLIENT_SECRET,AZURE_TENANT_ID",
            "a user name and a password",
        ),
        (
            "public.ecr.aws",
            "AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY",
            "a user name and a password",
        ),
    ];
    for (host, names, needs) in table {
        let line = refused(
            &gateway,
            &node,
            &[&format!("{host}/a/b"), "--names", "--creds", names],
        );
        assert_eq!(
            line,
            format!(
                "{host}: the workspace's secrets: a Beta9 build needs {needs}, and these keys are not that; keep these keys in the control plane, and run there: docker-credential-beta9 publish {host}"
            )
        );
    }
    let ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/a/b";
    let args = [
        ecr,
        "--names",
        "--creds",
        "AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY",
    ];
    assert_eq!(provision(&node, &args).status, 0);
    assert_eq!(gateway.secrets().get("AWS_REGION").unwrap(), "eu-west-1");
    // Another region's is the application's, perhaps.
    gateway.plant("AWS_REGION", "us-west-2");
    assert!(
        refused(&gateway, &node, &args).contains("the workspace has another value for AWS_REGION")
    );
}

#[test]
fn programs_are_told_in_json() {
    let gateway = Gateway::start();
    let answer = provision(
        &node(&gateway),
        &[&QUAY[..], &["--json", "--image-id", "im"]].concat(),
    );
    assert_eq!(
        answer.out,
        "{\"registries\":[{\"registry\":\"quay.io\",\"form\":\"names\",\"secrets\":[\"REGISTRY_PASSWORD\",\"REGISTRY_USERNAME\"],\"written\":[\"REGISTRY_PASSWORD\",\"REGISTRY_USERNAME\"],\"left_out\":[\"QUAY_PASSWORD\",\"QUAY_USERNAME\"]}],\"image_id\":\"im\",\"bound\":false,\"notes\":[\"a Beta9 from before September 2026 reads a registry's own secret: for it, run this again without --names\"]}\n"
    );
    let line = provision(&node(&gateway), &["quay.io/a", "--json", "--creds", "NO"]).json_refusal();
    assert!(line.starts_with("credentials: NO is in neither"), "{line}");
    let public = provision(&node(&gateway), &["quay.io/a", "--json"]).out;
    assert_eq!(
        public,
        "{\"registries\":[],\"image_id\":null,\"bound\":false,\"notes\":[\"nothing was stored: without keys the image is public\"]}\n"
    );
}

#[test]
fn a_store_without_names_refuses_them() {
    let node = Node::new().with("USERNAME", "u").with("PASSWORD", "p");
    let args = ["quay.io/a/b", "--creds", "USERNAME,PASSWORD"];
    assert_eq!(
        provision(&node, &[&args[..], &["--names"]].concat()).failure(),
        "file store: its images are bound to registries' own secrets, and not to names of single ones; leave out --names"
    );
    let node = node
        .configured("[[registry]]\nhost = \"quay.io\"\nsecrets = [\"USERNAME\", \"PASSWORD\"]\n");
    assert_eq!(
        provision(&node, &args).failure(),
        "file store: single secrets are named for quay.io, and this store keeps none; use the gateway or the postgres store, or remove secrets from the rule and BETA9_IMAGE_SECRETS"
    );
    let node = node.without("BETA9_CREDENTIAL_CONFIG");
    assert_eq!(node.list(), "{}\n");
}

#[test]
fn the_columns_of_the_database_say_what_is_written_and_bound() {
    let test = "the_columns_of_the_database_say_what_is_written_and_bound";
    let args = [&["ghcr.io/org/app", "--image-id", "im1"], &GITHUB[..]].concat();
    for (columns, names) in [
        (&[WITH_SECRET][..], false),
        (&[WITH_NAMES], true),
        (&[WITH_SECRET, WITH_NAMES], true),
    ] {
        let Some(database) = Database::new(test) else {
            return;
        };
        for column in columns {
            database.sql(column);
        }
        database.sql("INSERT INTO image (image_id) VALUES ('im1')");
        let node = database
            .node()
            .with("GITHUB_USERNAME", "octo")
            .with("GITHUB_TOKEN", "ghp_hunter2");
        let flagged = provision(&node, &[&args[..], &["--names"]].concat());
        let expected = if names {
            "stored the secrets of ghcr.io in the postgres store: GITHUB_TOKEN, GITHUB_USERNAME\nbound image im1 to GITHUB_TOKEN, GITHUB_USERNAME\n"
        } else {
            assert_eq!(
                flagged.failure(),
                "postgres store: its images are bound to registries' own secrets, and not to names of single ones; leave out --names"
            );
            assert_eq!(database.secret_names(), "");
            "stored the secret of ghcr.io (oci-registry-ghcr-io) in the postgres store\nbound image im1\n"
        };
        let answer = if names {
            flagged
        } else {
            provision(&node, &args)
        };
        assert_eq!(
            answer,
            Answer {
                status: 0,
                out: expected.into(),
                err: String::new()
            }
        );
        if names {
            assert_eq!(database.secret_names(), "GITHUB_TOKEN,GITHUB_USERNAME");
            assert_eq!(database.opened("GITHUB_TOKEN"), "ghp_hunter2");
            assert_eq!(
                database.sql("SELECT credential_secret_names FROM image"),
                "{GITHUB_TOKEN,GITHUB_USERNAME}"
            );
            let ttl = provision(&node, &[&args[..], &["--ttl", "30d"]].concat());
            assert!(
                ttl.failure()
                    .ends_with("which have no end; leave out --ttl"),
                "{ttl:?}"
            );
        } else {
            assert_eq!(database.secret_names(), "oci-registry-ghcr-io");
            assert_eq!(
                database.sql("SELECT credential_secret_name FROM image"),
                "oci-registry-ghcr-io"
            );
        }
        assert_eq!(node.pair("ghcr.io"), ("octo".into(), "ghp_hunter2".into()));
        let payload = node.run(&["resolve", "im1"], "").out;
        let registry = if names { "" } else { "ghcr.io" };
        assert_eq!(
            payload,
            format!(
                "{{\"credentials\":{{\"GITHUB_TOKEN\":\"ghp_hunter2\",\"GITHUB_USERNAME\":\"octo\"}},\"registry\":\"{registry}\",\"type\":\"token\"}}\n"
            )
        );
    }
}

/// The rows of beta9-gen3.json: an image, single secrets, and what a build makes of them.
fn builds() -> Vec<Object> {
    let Value::Array(rows) = json::parse(include_bytes!("fixtures/beta9/beta9-gen3.json")).unwrap()
    else {
        panic!()
    };
    rows.into_iter()
        .map(|row| {
            if let Value::Object(row) = row {
                row
            } else {
                panic!()
            }
        })
        .collect()
}

#[test]
fn only_names_that_a_build_was_seen_to_accept_are_written() {
    let text = |row: &Object, name| row.text(name).unwrap().expose().to_owned();
    let names = |row: &Object| match row.get("secrets") {
        Some(Value::Object(map)) => map
            .iter()
            .map(|(name, _)| name.to_owned())
            .collect::<Vec<_>>(),
        _ => panic!(),
    };
    let accepted: Vec<_> = builds()
        .iter()
        .filter(|row| text(row, "build") == "accepted")
        .map(|row| (text(row, "image"), names(row)))
        .collect();
    let mut written = 0;
    for row in builds() {
        let (image, names) = (text(&row, "image"), names(&row));
        let host = Host::parse(image.split_once('/').unwrap().0.as_bytes()).unwrap();
        let mut keys = Keys::default();
        for name in &names {
            keys.insert(name, format!("value of {name}").into())
                .unwrap();
        }
        let Ok(choice) = choose(Registry::of(&host), &host, keys) else {
            continue;
        };
        // No row has AWS keys with their region.
        if choice.backend.name() == "aws" {
            continue;
        }
        let Ok(set) = build_names(&host, &choice, &|_| None) else {
            continue;
        };
        let mut set: Vec<String> = set.into_iter().map(|(name, _)| name.to_owned()).collect();
        set.sort();
        written += 1;
        assert!(
            accepted.contains(&(image.clone(), set.clone())),
            "{image} {names:?} {set:?}"
        );
    }
    assert!(written > 30, "{written}");
}
