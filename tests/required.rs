//! Registries that must have a credential, by the operator's rules: for them "not found" is an error.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use common::ecr::{self, Ecr};
use common::{Answer, Node};

#[test]
fn the_most_specific_rule_says_which_hosts_and_paths_must_have_a_credential() {
    let rules = "[[registry]]\nhost = \"*.corp.example\"\nrequired = true\n\
                 [[registry]]\nhost = \"open.corp.example\"\nrequired = false\n\
                 [[registry]]\nhost = \"quay.io/team\"\nrequired = true\n";
    let node = Node::new().configured(rules);
    let file = node.home().join("config.toml");
    assert_eq!(
        node.get("a.corp.example").failure(),
        format!(
            "a.corp.example: file store: it has nothing for a.corp.example, which requires a credential (required in the rule for *.corp.example in {}); store one with docker login a.corp.example, or remove required from the rule",
            file.display()
        )
    );
    for host in [
        "open.corp.example",
        "corp.example",
        "a.corp.example:5000",
        "quay.io",
        "https://quay.io/teams/app",
    ] {
        assert_eq!(node.get(host), Answer::not_found(), "{host}");
    }
    assert!(
        node.get("https://quay.io/team/app")
            .failure()
            .contains("the rule for quay.io/team in ")
    );
    let explained = node.run(&["explain", "--json", "a.corp.example"], "");
    assert!(
        explained
            .out
            .contains(r#""answer":"failure","reason":"a.corp.example: file store: "#),
        "{explained:?}"
    );
    assert_eq!(node.store("a.corp.example", "u", "s"), Answer::silence());
    assert_eq!(node.pair("a.corp.example"), ("u".into(), "s".into()));
}

#[test]
fn the_nodes_own_identity_is_a_credential() {
    let ecr = Ecr::start();
    let node = ecr
        .wire(Node::new())
        .with("AWS_ACCESS_KEY_ID", ecr::KEY_ID)
        .with("AWS_SECRET_ACCESS_KEY", ecr::KEY);
    let node = node
        .with("AWS_EC2_METADATA_DISABLED", "true")
        .configured(&format!("{}required = true\n", ecr.config()));
    assert!(
        node.get(ecr::HOST)
            .failure()
            .contains("which requires a credential")
    );
    assert_eq!(node.with("BETA9_AMBIENT", "true").pair(ecr::HOST).0, "AWS");
    assert_eq!(ecr.mints(), 1);
}

#[test]
fn kubelet_gets_the_error_too() {
    let node = Node::new().configured("[[registry]]\nhost = \"ghcr.io\"\nrequired = true\n");
    let ask = |image: &str| {
        let request = format!(
            r#"{{"apiVersion":"credentialprovider.kubelet.k8s.io/v1","kind":"CredentialProviderRequest","image":"{image}"}}"#
        );
        node.run(&["kubelet"], request)
    };
    assert_eq!(ask("quay.io/org/app").status, 0);
    let answer = ask("ghcr.io/org/app");
    assert!(
        answer.status == 1 && answer.err.contains("which requires a credential"),
        "{answer:?}"
    );
}

#[test]
fn a_registry_that_must_have_a_credential_cannot_be_public() {
    let node = |rule: &str| {
        Node::new().configured(&format!(
            "[[registry]]\nhost = \"ghcr.io\"\nbackend = \"public\"\n{rule}"
        ))
    };
    let answer = node("required = true\n").get("quay.io");
    assert!(
        answer.failure().contains(
            "rule for ghcr.io: required = true and backend = \"public\" contradict each other; remove one of them"
        ),
        "{answer:?}"
    );
    assert_eq!(
        node("required = false\n").get("ghcr.io"),
        Answer::not_found()
    );
    let worker = common::worker::Gateway::start();
    let public = worker
        .wire(node(""))
        .with("BETA9_IMAGE", "ghcr.io/org/app")
        .with("BETA9_WORKER_REQUIRED", "true");
    assert_eq!(public.get("ghcr.io"), Answer::not_found());
    assert_eq!(worker.count(), (0, 0));
}
