//! A credential whose expiry can be read is not returned after it, whichever store has it.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs::{self, File};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use beta9_credential::json;
use common::ecr::{self, Ecr};
use common::gateway::Gateway;
use common::{Answer, Node, first_store};
use serde_json::json;

const ACR: &str = "myreg.azurecr.io";
const ACR_USER: &str = "00000000-0000-0000-0000-000000000000";

fn from_now(seconds: i64) -> SystemTime {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    UNIX_EPOCH + Duration::from_secs(now.checked_add_signed(seconds).unwrap())
}

fn text(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A password of ECR's, as `aws ecr get-login-password` prints it.
fn ecr_password(end: SystemTime) -> String {
    let payload = json!({"payload": "cA==", "datakey": "aw==", "version": "2", "type": "DATA_KEY", "expiration": seconds(end)});
    STANDARD.encode(payload.to_string())
}

fn jwt(end: SystemTime) -> String {
    let part = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
    [
        part(json!({"alg": "RS256"})),
        part(json!({"exp": seconds(end)})),
        "c2lnbmF0dXJl".into(),
    ]
    .join(".")
}

fn payload(host: &str, user: &str, password: &str, end: &serde_json::Value) -> String {
    json!({"credentials": {"PASSWORD": password, "USERNAME": user}, "registry": host, "type": "basic", "expires_at": end})
        .to_string()
}

/// How long kubelet is told to keep an answer, in seconds; at a password without an end it is a minute.
fn kept(node: &Node, image: &str) -> u64 {
    let request = format!(
        "{{\"kind\":\"CredentialProviderRequest\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/v1\",\"image\":\"{image}\"}}"
    );
    let answer = node.run(&["kubelet"], request);
    assert_eq!(answer.status, 0, "{answer:?}");
    let object = json::parse_object(answer.out.as_bytes()).unwrap();
    humantime::parse_duration(object.text("cacheDuration").unwrap().expose())
        .unwrap()
        .as_secs()
}

#[test]
fn a_stored_credential_is_answered_until_its_own_end_and_then_an_error_names_it() {
    let node = Node::new();
    for (host, user, password) in [
        (ecr::HOST, "AWS", ecr_password as fn(_) -> _),
        ("public.ecr.aws", "AWS", ecr_password),
        (ACR, ACR_USER, jwt),
        (ACR, "<token>", jwt),
        ("registry.example.com:5000", "u", jwt),
    ] {
        let (past, later) = (from_now(-100), from_now(7200));
        node.store(host, user, &password(later));
        assert_eq!(
            node.pair(host),
            (user.to_owned(), password(later)),
            "{host}"
        );
        node.store(host, user, &password(past));
        let expected = format!(
            "{host}: the credential expired at {}; log in again with: docker login {host}",
            text(past)
        );
        assert_eq!(node.get(host).failure(), expected);
        // What it is kept under can still be seen and removed.
        assert!(node.list().contains(host), "{}", node.list());
        assert_eq!(node.erase(host), Answer::silence());
        assert_eq!(node.get(host), Answer::not_found());
    }
}

#[test]
fn in_the_minute_before_its_end_a_credential_is_not_answered_either() {
    let node = Node::new();
    let end = from_now(55);
    node.store(ACR, ACR_USER, &jwt(end));
    let answer = node.get(ACR);
    let line = answer.failure();
    assert!(
        line.starts_with(&format!("{ACR}: the credential expire")),
        "{line}"
    );
    assert!(line.contains(&format!(" at {}", text(end))), "{line}");
}

#[test]
fn a_payload_has_the_end_that_is_recorded_in_it() {
    let answer = |end: serde_json::Value| {
        let blob = payload("ghcr.io", "u", "hunter2", &end);
        Node::new()
            .with("BETA9_IMAGE_CREDENTIALS", blob)
            .get("ghcr.io")
    };
    let (past, later) = (from_now(-1), from_now(3600));
    for end in [json!(text(later)), json!(null)] {
        assert!(answer(end).out.contains("hunter2"));
    }
    let expected = format!(
        "ghcr.io: the credential expired at {}; pass a new one in BETA9_IMAGE_CREDENTIALS",
        text(past)
    );
    assert_eq!(answer(json!(text(past))).failure(), expected);
    assert_eq!(answer(json!("2001-02-03T04:05:06Z")).status, 1);
    // One of several, and a flat map with an end.
    let node = Node::new();
    let all = [("ghcr.io", past), ("quay.io", later)]
        .map(|(host, end)| payload(host, "u", "s", &json!(text(end))));
    let node = node.with("BETA9_IMAGE_CREDENTIALS", format!("[{}]", all.join(",")));
    assert_eq!(
        (
            node.get("ghcr.io").failure(),
            node.pair("quay.io").1.as_str()
        ),
        (expected.as_str(), "s")
    );
    let flat =
        json!({"USERNAME": "u", "PASSWORD": "hunter2", "expires_at": text(past)}).to_string();
    let node = node
        .with("BETA9_IMAGE_CREDENTIALS", flat)
        .with("BETA9_REGISTRY", "ghcr.io");
    assert_eq!(node.get("ghcr.io").failure(), expected);
    for wrong in [
        json!("tomorrow"),
        json!(""),
        json!(4_102_444_800_u32),
        json!("2100-01-01T00:00:00"),
        json!("2100-01-01T00:00:00.5Z"),
        json!("2100-01-01T00:00:00+02:00"),
        json!("2100-13-01T00:00:00Z"),
        json!(["2100-01-01T00:00:00Z"]),
    ] {
        let answer = answer(wrong.clone());
        let line = answer.failure();
        assert!(
            line.contains("\"expires_at\" is not a time such as 2026-11-27T13:00:00Z"),
            "{wrong}: {line}"
        );
        assert!(!line.contains("hunter2"));
    }
}

#[test]
fn a_secret_in_the_gateway_has_an_end_too_and_so_has_its_last_answer() {
    let gateway = Gateway::start();
    let node = gateway.node();
    let name = "oci-registry-ghcr-io";
    let (past, later) = (from_now(-1), from_now(7200));
    gateway.plant(name, &payload("ghcr.io", "u", "s", &json!(text(later))));
    let half = kept(&node, "ghcr.io/a/b");
    assert!((3000..=3600).contains(&half), "{half}");
    gateway.stop();
    let half = kept(&node, "ghcr.io/a/b");
    assert!(
        (3000..=3600).contains(&half),
        "the last answer ends when the secret does: {half}"
    );
    gateway.start_again();
    gateway.plant(name, &payload("ghcr.io", "u", "s", &json!(text(past))));
    let expected = format!(
        "ghcr.io: the credential expired at {}; log in again with: docker login ghcr.io",
        text(past)
    );
    assert_eq!(node.get("ghcr.io").failure(), expected);
    // What a worker would be handed still says when it ends.
    let resolved = node.run(&["resolve", "im", "--image", "ghcr.io/a/b"], "");
    assert_eq!(
        resolved.out.trim_end(),
        payload_in_order("ghcr.io", &text(past))
    );
    // A login puts a new one in its place.
    assert_eq!(node.store("ghcr.io", "u", "new"), Answer::silence());
    assert_eq!(node.pair("ghcr.io").1, "new");
}

fn payload_in_order(host: &str, end: &str) -> String {
    format!(
        "{{\"credentials\":{{\"PASSWORD\":\"s\",\"USERNAME\":\"u\"}},\"registry\":\"{host}\",\"type\":\"basic\",\"expires_at\":\"{end}\"}}"
    )
}

#[test]
fn an_opaque_google_token_ends_an_hour_after_it_was_stored_in_any_store() {
    let gateway = Gateway::start();
    for node in [Node::new(), gateway.node()] {
        node.store("europe-docker.pkg.dev", "oauth2accesstoken", "ya29.hunter2");
        assert_eq!(node.pair("europe-docker.pkg.dev").1, "ya29.hunter2");
        let half = kept(&node, "europe-docker.pkg.dev/p/r/i");
        assert!((1200..=1800).contains(&half), "{half}");
        node.store("ghcr.io", "u", "ghp_opaque");
        assert_eq!(kept(&node, "ghcr.io/a/b"), 60);
    }
    let node = Node::new().with("GCP_ACCESS_TOKEN", "ya29.hunter2");
    let args = ["provision", "gcr.io/p/i", "--creds", "GCP_ACCESS_TOKEN"];
    assert_eq!(node.run(&args, "").status, 0);
    let half = kept(&node, "gcr.io/p/i");
    assert!((1200..=1800).contains(&half), "{half}");
}

#[test]
fn a_google_token_that_0_1_stored_ends_an_hour_after_its_file_was_written() {
    let node = Node::new();
    first_store::plant(&node);
    assert_eq!(
        node.pair("europe-docker.pkg.dev").1,
        "ya29.opaque-of-format-1"
    );
    let written = from_now(-7200);
    for file in node.sealed_files() {
        File::options()
            .write(true)
            .open(file)
            .unwrap()
            .set_modified(written)
            .unwrap();
    }
    let line = node.get("europe-docker.pkg.dev");
    let ended = text(written + Duration::from_hours(1));
    assert!(
        line.failure()
            .contains(&format!("the credential expired at {ended}")),
        "{line:?}"
    );
    assert_eq!(node.pair("ghcr.io").1, "secret-of-format-1");
}

#[test]
fn the_nodes_identity_stands_in_for_what_has_ended_where_it_may_and_can() {
    let ecr = Ecr::start();
    let rule = |more: &str| {
        ecr.node()
            .configured(&format!("{}{more}", ecr.config()))
            .with("BETA9_TIMEOUT", "60s")
    };
    let past = from_now(-100);
    let expected = format!("{}: the credential expired at {}; ", ecr::HOST, text(past));
    let node = rule("")
        .with("AWS_ACCESS_KEY_ID", ecr::KEY_ID)
        .with("AWS_SECRET_ACCESS_KEY", ecr::KEY);
    node.store(ecr::HOST, "AWS", &ecr_password(past));
    assert!(node.get(ecr::HOST).failure().starts_with(&expected));
    assert!(
        node.explain(ecr::HOST)
            .text("reason")
            .unwrap()
            .expose()
            .starts_with(&expected)
    );
    let ambient = node.clone_with("BETA9_AMBIENT", "true");
    assert_eq!(
        ambient.explain(ecr::HOST).text("answer").unwrap().expose(),
        "credential"
    );
    assert_eq!(ambient.pair(ecr::HOST).1, "hunter2-minted-1");
    // The one that is still good comes first.
    let later = ecr_password(from_now(7200));
    node.store(ecr::HOST, "AWS", &later);
    assert_eq!((ambient.pair(ecr::HOST).1, ecr.mints()), (later, 1));
    // On a node that is nobody, nothing is pulled anonymously in its place.
    node.store(ecr::HOST, "AWS", &ecr_password(past));
    let nobody = ambient
        .without("AWS_ACCESS_KEY_ID")
        .without("AWS_SECRET_ACCESS_KEY")
        .with("AWS_EC2_METADATA_DISABLED", "true");
    assert!(nobody.get(ecr::HOST).failure().starts_with(&expected));
    assert!(
        nobody
            .explain(ecr::HOST)
            .text("reason")
            .unwrap()
            .expose()
            .starts_with(&expected)
    );
}

#[test]
fn a_token_is_not_renewed_from_keys_that_have_ended() {
    let ecr = Ecr::start();
    let node = ecr.node();
    let mut blob: serde_json::Value = serde_json::from_str(&ecr::blob(ecr::HOST)).unwrap();
    blob["expires_at"] = json!(text(from_now(-1)));
    let gateway = Gateway::start();
    let node = gateway.wire(node);
    gateway.plant(
        "oci-registry-123456789012-dkr-ecr-us-east-1-amazonaws-com",
        &blob.to_string(),
    );
    ecr.plant(
        &node,
        "default",
        ecr::HOST,
        (Duration::from_hours(7), Duration::from_hours(10)),
    );
    let out = node.run(&["refresh"], "").out;
    assert_eq!(
        out,
        format!(
            "[1/1] {} (default): removed: its secret has expired\n",
            ecr::HOST
        )
    );
    assert_eq!(ecr.mints(), 0);
}

#[test]
fn import_leaves_what_has_ended_and_replaces_what_has_ended_in_the_store() {
    let node = Node::new();
    let (past, later) = (from_now(-100), from_now(7200));
    let auth = |password: &str| STANDARD.encode(format!("{ACR_USER}:{password}"));
    let config = |password: &str| {
        fs::create_dir_all(node.home().join(".docker")).unwrap();
        let text = json!({"auths": {ACR: {"auth": auth(password)}}}).to_string();
        fs::write(node.home().join(".docker/config.json"), text).unwrap();
    };
    config(&jwt(past));
    let answer = node.run(&["import", "docker"], "");
    let line = answer.out.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = format!("left {ACR}: the credential expired at {}; ", text(past));
    assert!(answer.status == 1 && line.contains(&expected), "{answer:?}");
    assert_eq!(node.list(), "{}\n");
    node.store(ACR, ACR_USER, &jwt(past));
    config(&jwt(later));
    let answer = node.run(&["import", "docker"], "");
    assert!(
        answer.status == 0 && answer.out.contains("taken over"),
        "{answer:?}"
    );
    assert_eq!(node.pair(ACR).1, jwt(later));
}

#[test]
fn what_docker_keeps_for_itself_is_answered_whatever_it_is() {
    // Docker renews its own access token with the refresh token beside it, and must see the old one.
    let node = Node::new();
    let item = "https://index.docker.io/v1/access-token";
    node.store(item, "octo", &jwt(from_now(-100)));
    assert_eq!(node.pair(item).0, "octo");
}
