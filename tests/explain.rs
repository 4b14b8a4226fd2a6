//! `explain`, rules and the request's own credentials, through the real binary.

#![allow(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

mod common;

use beta9_credential::json::Value;
use common::{Answer, NOT_FOUND, Node};

const BLOB: &str =
    r#"{"registry":"ghcr.io","type":"token","credentials":{"GITHUB_USERNAME":"octo","GITHUB_TOKEN":"ghp_hunter2"}}"#;

#[test]
fn explain_prints_one_object_with_all_that_decides_and_nothing_secret() {
    let node = Node::new();
    node.store("ghcr.io", "octo", "hunter2");
    let answer = node.run(&["explain", "ghcr.io/org/app:1.2", "--json"], "");
    let expected = r#"{"input":"ghcr.io/org/app:1.2","host":"ghcr.io","class":"ghcr","backend":"fixed","rule":null,"store":"file","secret_name":"oci-registry-ghcr-io","found":true,"ambient":false,"keys":["PASSWORD","USERNAME"],"problem":null,"config":[]}"#;
    assert_eq!(answer, Answer { status: 0, out: format!("{expected}\n"), err: String::new() });
}

#[test]
fn explain_is_read_by_people_too() {
    let node = Node::new();
    node.store("ghcr.io", "octo", "hunter2");
    let expected = "registry  ghcr.io\nclass     ghcr\nrule      none\nstore     file\nsecret    oci-registry-ghcr-io\n\
                    found     yes, with PASSWORD, USERNAME\nbackend   fixed\nambient   off\nconfig    none read\n";
    assert_eq!(node.run(&["explain", "ghcr.io"], "").out, expected);
    let rejected = node.run(&["explain", "gcr.io@evil.com"], "");
    assert_eq!(rejected.status, 0);
    assert!(rejected.out.contains("class     reject\n"));
    assert!(rejected.out.ends_with("problem   the host has a character that no registry host can have\n"));
}

#[test]
fn explain_understands_hosts_server_urls_and_images() {
    let node = Node::new();
    let table = [
        ("ghcr.io", "ghcr.io", "ghcr"),
        ("https://index.docker.io/v1/", "docker.io", "dockerhub"),
        ("ubuntu", "docker.io", "dockerhub"),
        ("org/app:1", "docker.io", "dockerhub"),
        ("docker://quay.io/org/app", "quay.io", "quay"),
        ("localhost", "localhost", "generic"),
        ("localhost:5000/app@sha256:0123456789abcdef0123456789abcdef", "localhost:5000", "generic"),
        ("us-central1-docker.pkg.dev/project/repo/image:tag", "us-central1-docker.pkg.dev", "gcp"),
        ("evil.example/amazonaws.com/x", "evil.example", "generic"),
        ("mcr.microsoft.com/dotnet/sdk", "mcr.microsoft.com", "public"),
    ];
    for (input, host, class) in table {
        let object = node.explain(input);
        let text = |key| object.text(key).unwrap().expose().to_owned();
        assert_eq!((text("host").as_str(), text("class").as_str()), (host, class), "{input}");
    }
}

#[test]
fn explain_tells_of_a_broken_store_and_still_succeeds() {
    let node = Node::new();
    node.store("ghcr.io", "u", "s");
    std::fs::set_permissions(node.key_file(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let object = node.explain("ghcr.io");
    assert_eq!(object.get("found"), Some(&Value::Bool(false)));
    assert!(object.text("problem").unwrap().expose().contains("chmod 600"));
}

#[test]
fn a_rule_decides_for_its_hosts_and_paths() {
    let rules = "[[registry]]\nhost = \"*.example.com\"\nbackend = \"public\"\n\
                 [[registry]]\nhost = \"private.example.com\"\nsecret = \"named\"\n\
                 [[registry]]\nhost = \"gitlab.example.org\"\nbackend = \"gitlab\"\n";
    let node = Node::new().configured(rules);
    for host in ["open.example.com", "private.example.com", "gitlab.example.org"] {
        node.store(host, "u", "s");
    }
    assert_eq!(node.get("open.example.com"), Answer::not_found());
    assert_eq!(node.pair("private.example.com").1, "s");
    let object = node.explain("open.example.com/a/b");
    let text = |key| object.text(key).unwrap().expose().to_owned();
    assert_eq!((text("rule"), text("backend")), ("*.example.com".into(), "public".into()));
    assert_eq!(node.explain("private.example.com").text("secret_name").unwrap().expose(), "named");
}

#[test]
fn a_rule_can_say_that_a_host_of_ones_own_is_a_vendors_registry() {
    let job = r#"{"registry":"gitlab.example.org","credentials":{"CI_JOB_TOKEN":"job"}}"#;
    let node = Node::new().with("BETA9_IMAGE_CREDENTIALS", job);
    assert!(
        node.get("gitlab.example.org")
            .failure()
            .contains("it holds CI_JOB_TOKEN, which this registry (generic) does not take")
    );
    let node = node.configured("[[registry]]\nhost = \"gitlab.example.org\"\nbackend = \"gitlab\"\n");
    assert_eq!(node.pair("gitlab.example.org"), ("gitlab-ci-token".into(), "job".into()));
}

#[test]
fn an_alias_is_answered_with_the_secret_of_the_registry_it_stands_for() {
    let node = Node::new().configured("[[registry]]\nhost = \"mirror.example.com\"\nalias_of = \"ghcr.io\"\n");
    let node = node.with("BETA9_IMAGE_CREDENTIALS", BLOB);
    assert_eq!(node.pair("mirror.example.com"), ("octo".into(), "ghp_hunter2".into()));
    assert_eq!(node.get("other.example.com"), Answer::not_found());
}

#[test]
fn a_wrong_configuration_is_one_clear_line_for_everybody() {
    let node = Node::new().configured("[[registry]]\nhost = \"a.example\"\nbackend = \"amazon\"\n");
    let expected = "configuration: rule for a.example: there is no backend \"amazon\"; did you mean \"aws\"?";
    for verb in ["get", "erase"] {
        assert_eq!(node.run(&[verb], "ghcr.io").failure(), expected);
    }
    assert_eq!(node.run(&["explain", "ghcr.io"], "").failure(), expected);
    let missing = Node::new().with("BETA9_CREDENTIAL_CONFIG", "/nowhere/at-all.toml");
    assert_eq!(
        missing.get("ghcr.io").failure(),
        "BETA9_CREDENTIAL_CONFIG: there is no file /nowhere/at-all.toml; correct or unset it"
    );
}

#[test]
fn the_requests_own_credentials_come_first_and_never_touch_the_disk() {
    let node = Node::new().with("BETA9_IMAGE_CREDENTIALS", BLOB);
    assert_eq!(node.pair("ghcr.io"), ("octo".into(), "ghp_hunter2".into()));
    assert_eq!(node.get("quay.io"), Answer::not_found());
    assert_eq!(node.list(), "{\"ghcr.io\":\"octo\"}\n");
    assert_eq!(std::fs::read_dir(node.home()).unwrap().count(), 0);
    node.store("ghcr.io", "stored", "s");
    node.store("quay.io", "q", "s");
    assert_eq!(node.pair("ghcr.io").0, "octo");
    assert_eq!(node.list(), "{\"ghcr.io\":\"octo\",\"quay.io\":\"q\"}\n");
    let object = node.explain("ghcr.io");
    assert_eq!(object.text("store").unwrap().expose(), "request");
    for file in walk(node.home()) {
        assert!(!String::from_utf8_lossy(&std::fs::read(&file).unwrap()).contains("hunter2"), "{}", file.display());
    }
}

#[test]
fn the_requests_credentials_may_be_a_mounted_file() {
    let node = Node::new();
    let file = node.home().join("blob");
    std::fs::write(&file, "octo:hunter2\n").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o444)).unwrap();
    let node = node.with("BETA9_IMAGE_CREDENTIALS_FILE", file.to_str().unwrap());
    assert_eq!(node.get("ghcr.io").out, NOT_FOUND, "without a binding it is not used");
    let node = node.with("BETA9_IMAGE", "ghcr.io/org/app:1");
    assert_eq!(node.pair("ghcr.io"), ("octo".into(), "hunter2".into()));
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o446)).unwrap();
    assert!(node.get("ghcr.io").failure().contains("is open to others (mode 0446); chmod 600 "));
    std::fs::remove_file(&file).unwrap();
    assert!(node.get("ghcr.io").failure().contains("there is no file "));
}

#[test]
fn a_broken_request_stops_and_nothing_else_is_tried() {
    let node = Node::new();
    node.store("ghcr.io", "u", "s");
    let node = node.with("BETA9_IMAGE_CREDENTIALS", "{\"hunter2");
    let answer = node.get("ghcr.io");
    assert!(
        answer.failure().starts_with("ghcr.io: BETA9_IMAGE_CREDENTIALS: the secret is no JSON object"),
        "{answer:?}"
    );
    assert!(!answer.out.contains("hunter2"));
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
