//! The worker store through the real binary, against a gateway on loopback.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::worker::{Asked, Gateway, OTHER_WORKSPACE, SECRET, TOKEN, WORKSPACE, Wrong};
use common::{Answer, Node};

const GHCR: &str = r#"{"registry":"ghcr.io","type":"token","credentials":{"GITHUB_USERNAME":"octo","GITHUB_TOKEN":"ghp_hunter2"}}"#;
const ECR: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
const ECR_BLOB: &str = r#"{"registry":"123456789012.dkr.ecr.us-east-1.amazonaws.com","type":"aws","credentials":{"AWS_ACCESS_KEY_ID":"AKIAHUNTER2HUNTER2X","AWS_SECRET_ACCESS_KEY":"hunter2"}}"#;

fn pair(user: &str, secret: &str) -> (String, String) {
    (user.to_owned(), secret.to_owned())
}

/// The one line of a failure, which never holds a secret or a word of the gateway's.
fn failure(node: &Node, host: &str) -> String {
    let answer = node.get(host);
    let line = answer.failure();
    assert!(
        line.starts_with(host) && line.contains("worker store: ") && !line.contains(SECRET),
        "{line}"
    );
    line.to_owned()
}

#[test]
fn an_images_own_secret_is_asked_for_with_the_workers_token_in_one_question() {
    let gateway = Gateway::start();
    gateway.plant(WORKSPACE, "image-1", GHCR);
    let node = gateway.node().with("BETA9_STUB_ID", "stub-1");
    assert_eq!(node.pair("ghcr.io"), pair("octo", "ghp_hunter2"));
    let asked = Asked {
        bearer: TOKEN.into(),
        workspace: WORKSPACE.into(),
        stub: "stub-1".into(),
        registry: "ghcr.io".into(),
        image: "image-1".into(),
    };
    assert_eq!(gateway.world().asked, [asked]);
    assert_eq!(gateway.count(), (1, 1));
    // The second time is like the first: nothing was kept.
    assert_eq!(node.pair("ghcr.io"), pair("octo", "ghp_hunter2"));
    assert_eq!(gateway.count(), (1, 1));
}

#[test]
fn the_image_comes_first_then_the_build_registry_then_nothing() {
    let gateway = Gateway::start();
    gateway.world().build_registry = Some(("builds.example:5000".into(), "builder:hunter2".into()));
    let node = gateway.node();
    assert_eq!(node.pair("builds.example:5000"), pair("builder", "hunter2"));
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    let own = r#"{"registry":"builds.example:5000","credentials":{"USERNAME":"octo","PASSWORD":"hunter2"}}"#;
    gateway.plant(WORKSPACE, "image-1", own);
    assert_eq!(node.pair("builds.example:5000"), pair("octo", "hunter2"));
}

#[test]
fn an_images_secret_without_a_registry_is_only_for_the_pulled_images_registry() {
    let gateway = Gateway::start();
    gateway.plant(WORKSPACE, "image-1", "octo:hunter2");
    let unbound = "worker store: the image's secret does not say which registry it is for; set BETA9_IMAGE to the image that is pulled";
    for host in ["ghcr.io", "evil.example"] {
        assert_eq!(
            gateway.node().get(host).failure(),
            format!("{host}: {unbound}")
        );
    }
    for (variable, value) in [
        ("BETA9_IMAGE", "ghcr.io/org/app:1"),
        ("BETA9_REGISTRY", "ghcr.io"),
    ] {
        let node = gateway.node().with(variable, value);
        assert_eq!(node.pair("ghcr.io"), pair("octo", "hunter2"));
        for host in ["evil.example", "docker.io", "ghcr.io:5000"] {
            assert_eq!(node.get(host), Answer::not_found(), "{variable} {host}");
        }
    }
    // A payload of single secrets never names a registry; keys that only one vendor has are for that one.
    gateway.plant(
        WORKSPACE,
        "image-1",
        r#"{"credentials":{"GITHUB_TOKEN":"hunter2","GITHUB_USERNAME":"octo"},"registry":"","type":"token"}"#,
    );
    assert_eq!(gateway.node().pair("ghcr.io"), pair("octo", "hunter2"));
    assert_eq!(gateway.node().get("quay.io"), Answer::not_found());
    gateway.plant(
        WORKSPACE,
        "image-1",
        r#"{"credentials":{},"registry":"","type":"public"}"#,
    );
    let missing = "the image names secrets, and the workspace has none of them";
    assert!(
        gateway
            .node()
            .with("BETA9_IMAGE", "ghcr.io/org/app")
            .get("ghcr.io")
            .failure()
            .contains(missing)
    );
    gateway.plant(WORKSPACE, "image-1", "octo:hunter2");
    // The build registry has a token of its own, which the gateway gives for it alone.
    gateway.world().build_registry = Some(("builds.example:5000".into(), "builder:hunter2".into()));
    assert_eq!(
        gateway.node().pair("builds.example:5000"),
        pair("builder", "hunter2")
    );
    assert_eq!(
        gateway.node().get("evil.example").failure(),
        format!("evil.example: {unbound}")
    );
}

#[test]
fn a_secret_that_is_rotated_or_removed_is_so_at_the_very_next_get() {
    let gateway = Gateway::start();
    let node = gateway.node().with("BETA9_IMAGE", "ghcr.io/org/app");
    for secret in ["hunter2-old", "hunter2-new"] {
        gateway.plant(WORKSPACE, "image-1", &format!("octo:{secret}"));
        assert_eq!(node.pair("ghcr.io"), pair("octo", secret));
    }
    gateway.world().images.clear();
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
}

#[test]
fn docker_hub_is_asked_for_by_one_name() {
    let gateway = Gateway::start();
    gateway.plant(
        WORKSPACE,
        "image-1",
        r#"{"registry":"docker.io","credentials":{"USERNAME":"u","PASSWORD":"hunter2"}}"#,
    );
    let node = gateway.node();
    for name in [
        "https://index.docker.io/v1/",
        "docker.io",
        "registry-1.docker.io",
    ] {
        assert_eq!(node.pair(name), pair("u", "hunter2"));
    }
    assert!(
        gateway
            .world()
            .asked
            .iter()
            .all(|asked| asked.registry == "docker.io")
    );
}

#[test]
fn a_private_pools_worker_names_its_stub_and_has_its_own_workspace_only() {
    let gateway = Gateway::start();
    let stub = |workspace: &str| (workspace.to_owned(), "image-1".to_owned());
    gateway
        .world()
        .tokens
        .insert("private-hunter2".into(), Some(WORKSPACE.into()));
    gateway.world().stubs = [
        ("stub-1".into(), stub(WORKSPACE)),
        ("stub-2".into(), stub(OTHER_WORKSPACE)),
    ]
    .into_iter()
    .collect();
    gateway.plant(WORKSPACE, "image-1", GHCR);
    gateway.plant(OTHER_WORKSPACE, "image-1", GHCR);
    let node = gateway.node().with("BETA9_WORKER_TOKEN", "private-hunter2");
    let line = failure(&node, "ghcr.io");
    let refused =
        format!("refused to vend credentials for workspace {WORKSPACE}, no stub, image image-1");
    assert!(
        line.contains(&refused) && line.contains("set BETA9_STUB_ID"),
        "{line}"
    );
    let node = node.with("BETA9_STUB_ID", "stub-1");
    assert_eq!(node.pair("ghcr.io"), pair("octo", "ghp_hunter2"));
    assert_eq!(node.get("docker.io"), Answer::not_found());
    let fix = "check whether the worker token, the stub and the image are of this";
    for (variable, value) in [
        ("BETA9_STUB_ID", "stub-2"),
        ("BETA9_IMAGE_ID", "image-2"),
        ("BETA9_WORKSPACE_ID", OTHER_WORKSPACE),
    ] {
        let line = failure(&node.clone_with(variable, value), "ghcr.io");
        assert!(
            line.contains(value) && line.contains(fix) && !line.contains("cannot request"),
            "{line}"
        );
    }
    gateway.world().is_database_down = true;
    assert!(failure(&node, "ghcr.io").contains("refused to vend credentials"));
}

#[test]
fn nothing_vended_is_not_found_and_the_nodes_identity_stays_unused() {
    let gateway = Gateway::start();
    let (ecr, heard) = ecr();
    let rule = format!(
        "ambient = true\n[[registry]]\nhost = \"{ECR}\"\nambient = true\nendpoint_url = \"http://{ecr}\"\nrole_arn = \"arn:aws:iam::123456789012:role/node\"\n"
    );
    let node = gateway
        .node()
        .configured(&rule)
        .with("AWS_ACCESS_KEY_ID", "AKIANODE")
        .with("AWS_SECRET_ACCESS_KEY", "node")
        .with("AWS_ENDPOINT_URL", format!("http://{ecr}"))
        .with("AWS_EC2_METADATA_DISABLED", "true");
    assert_eq!(node.get(ECR), Answer::not_found());
    assert_eq!(
        node.explain(ECR).get("ambient"),
        Some(&beta9_credential::json::Value::Bool(false))
    );
    assert!(heard.try_recv().is_err());
    // The same node with another store does use it, so the silence says something.
    let node = node.with("BETA9_STORE", "file");
    node.get(ECR);
    assert!(heard.recv_timeout(Duration::from_secs(20)).is_ok());
}

#[test]
fn neither_what_is_vended_nor_a_token_minted_from_it_is_ever_written() {
    let gateway = Gateway::start();
    let (ecr, heard) = ecr();
    let rule = format!("[[registry]]\nhost = \"{ECR}\"\nendpoint_url = \"http://{ecr}\"\n");
    let mut node = Node::new().configured(&rule);
    for (variable, dir) in [
        ("XDG_CACHE_HOME", "cache"),
        ("XDG_DATA_HOME", "data"),
        ("XDG_CONFIG_HOME", "settings"),
        ("XDG_STATE_HOME", "state"),
        ("XDG_RUNTIME_DIR", "run"),
        ("TMPDIR", "tmp"),
    ] {
        let path = node.home().join(dir);
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .unwrap();
        node = node.with(variable, path.to_str().unwrap());
    }
    let node = gateway.wire(node);
    let kept = |node: &Node| {
        let files = walk(node.home())
            .into_iter()
            .filter(|file| !file.ends_with("config.toml"))
            .collect::<Vec<_>>();
        for file in &files {
            let text = String::from_utf8_lossy(&std::fs::read(file).unwrap()).to_lowercase();
            assert!(
                ![SECRET, "minted", "octo"]
                    .iter()
                    .any(|word| text.contains(word)),
                "{}",
                file.display()
            );
        }
        files
            .iter()
            .map(|file| file.file_name().unwrap().to_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for (host, blob, username) in [("ghcr.io", GHCR, "octo"), (ECR, ECR_BLOB, "AWS")] {
        gateway.plant(WORKSPACE, "image-1", blob);
        for _ in 0..2 {
            assert_eq!(node.pair(host).0, username);
            node.explain(host);
            // The key that seals what this node remembers, and nothing that is sealed with it.
            assert_eq!(kept(&node), ["key"]);
        }
    }
    assert_eq!(heard.try_iter().count(), 2, "each get mints");
    // Neither does an outage bring anything back that is not there.
    let address = gateway.address;
    drop(gateway);
    assert!(failure(&node, "ghcr.io").contains(&format!("{address} refused the connection")));
    assert_eq!(kept(&node), ["key"]);
    // The same keys from elsewhere do leave their token, sealed, so the walk would have found one.
    let node = node.with("BETA9_IMAGE_CREDENTIALS", ECR_BLOB);
    assert_eq!(node.pair(ECR).0, "AWS");
    assert!(kept(&node).iter().any(|name| {
        Path::new(name)
            .extension()
            .is_some_and(|ext| ext == "token")
    }));
}

#[test]
fn it_is_read_only_and_says_so_and_lists_nothing() {
    let gateway = Gateway::start();
    gateway.plant(WORKSPACE, "image-1", GHCR);
    let node = gateway.node();
    let expected = "ghcr.io: worker store: it is read-only; change the secret where the workspace keeps it; the next pull has the new one";
    assert_eq!(node.store("ghcr.io", "u", "hunter2").failure(), expected);
    assert_eq!(node.erase("ghcr.io").failure(), expected);
    assert_eq!(node.list(), "{}\n");
    assert_eq!(gateway.count(), (0, 0));
    assert_eq!(node.pair("ghcr.io"), pair("octo", "ghp_hunter2"));
}

#[test]
fn another_registrys_secret_is_not_used_and_the_build_registrys_token_is_requested() {
    let gateway = Gateway::start();
    gateway.plant(WORKSPACE, "image-1", GHCR);
    gateway.world().build_registry = Some(("builds.example:5000".into(), "builder:hunter2".into()));
    let node = gateway.node();
    let public = [
        "docker.io",
        "quay.io",
        "mcr.microsoft.com",
        "evil.example",
        "ghcr.io:5000",
    ];
    for host in public {
        gateway.count();
        assert_eq!(node.get(host), Answer::not_found(), "{host}");
        let images: Vec<_> = gateway
            .world()
            .asked
            .iter()
            .map(|asked| asked.image.clone())
            .collect();
        assert_eq!(
            (images, gateway.count().1),
            (vec!["image-1".to_owned(), String::new()], 1),
            "{host}"
        );
    }
    assert_eq!(node.pair("builds.example:5000"), pair("builder", "hunter2"));
    assert_eq!(gateway.count(), (2, 1));
    assert_eq!(node.pair("ghcr.io"), pair("octo", "ghp_hunter2"));
    assert_eq!(gateway.count(), (1, 1));
    // The second question can fail too, and then nobody knows what there is.
    gateway.next(&[Wrong::Slow(Duration::ZERO), Wrong::Status(13)]);
    assert!(failure(&node, "nvcr.io").contains("has failed (gRPC status Internal)"));
    // Without an image there is nothing to ask again for.
    gateway.count();
    assert_eq!(
        node.without("BETA9_IMAGE_ID").get("nvcr.io"),
        Answer::not_found()
    );
    assert_eq!(gateway.count(), (1, 1));
}

#[test]
fn a_rule_can_say_that_another_registrys_secret_is_meant() {
    let gateway = Gateway::start();
    gateway.plant(WORKSPACE, "image-1", GHCR);
    let node = gateway
        .node()
        .configured("[[registry]]\nhost = \"mirror.example\"\nalias_of = \"ghcr.io\"\n");
    assert_eq!(node.pair("mirror.example"), pair("octo", "ghp_hunter2"));
    assert_eq!(gateway.count(), (1, 1));
}

#[test]
fn a_rules_secret_name_is_an_error_and_not_ignored() {
    let gateway = Gateway::start();
    let node = gateway
        .node()
        .configured("[[registry]]\nhost = \"ghcr.io\"\nsecret = \"team\"\n");
    assert!(
        failure(&node, "ghcr.io")
            .contains("a rule names the secret \"team\", and a worker cannot choose")
    );
}

#[test]
fn a_refused_worker_token_is_reported_for_the_gateways_answer_and_a_proxys() {
    let gateway = Gateway::start();
    gateway.plant(WORKSPACE, "image-1", GHCR);
    let not_accepted = |node: &Node, source: &str| {
        let line = failure(node, "ghcr.io");
        assert!(
            line.contains(&format!(
                "does not accept the worker token, for workspace {WORKSPACE}"
            )),
            "{line}"
        );
        assert!(
            line.ends_with(&format!("and not a workspace's ({source})")),
            "{line}"
        );
        assert!(
            !line.contains("stub:") && !line.contains("coordinator"),
            "{line}"
        );
    };
    let source = "BETA9_WORKER_TOKEN, or token in [store.worker]";
    not_accepted(
        &gateway.node().with("BETA9_WORKER_TOKEN", "another-hunter2"),
        source,
    );
    not_accepted(
        &gateway
            .node()
            .with("BETA9_WORKER_TOKEN", "another-hunter2")
            .with("BETA9_STUB_ID", "s"),
        source,
    );
    not_accepted(
        &gateway
            .node()
            .with("BETA9_WORKER_TOKEN", "another-hunter2")
            .without("BETA9_IMAGE_ID"),
        source,
    );
    for wrong in [Wrong::Status(16), Wrong::Http(401)] {
        gateway.next(&[wrong]);
        not_accepted(&gateway.node(), source);
    }
    gateway.world().tokens.clear();
    not_accepted(&gateway.node(), source);
}

#[test]
fn a_refusal_names_the_workspace_and_image_and_never_quotes_the_gateway() {
    let gateway = Gateway::start();
    let node = gateway.node();
    let about = format!("workspace {WORKSPACE}, no stub, image image-1");
    let (question, credentials) = (
        format!("refused the question about {about} (gRPC status NotFound)"),
        format!("refused to vend credentials for {about}"),
    );
    for (wrong, words) in [
        (Wrong::Status(7), "the worker token may not ask"),
        (Wrong::Status(12), "does not know GetCacheOriginCredentials"),
        (Wrong::Status(5), &question),
        (Wrong::Http(404), "does not know GetCacheOriginCredentials"),
        (Wrong::Refuses, &credentials),
        (Wrong::Garbage, "cannot be read; check whether the address"),
        (Wrong::Huge(1 << 20), "answered more than 1 MiB"),
    ] {
        gateway.next(&[wrong]);
        gateway.count();
        let line = failure(&node, "ghcr.io");
        assert!(line.contains(words), "{wrong:?}: {line}");
        assert_eq!(gateway.count(), (1, 1), "{wrong:?} is not tried again");
    }
}

#[test]
fn a_blob_may_be_large_as_long_as_the_answer_is_not_larger_than_a_mebibyte() {
    let gateway = Gateway::start();
    let secret = "s".repeat((1 << 20) - 100);
    gateway.plant(WORKSPACE, "image-1", &format!("u:{secret}"));
    let node = gateway.node().with("BETA9_IMAGE", "ghcr.io/org/app");
    assert_eq!(node.pair("ghcr.io"), ("u".into(), secret));
}

#[test]
fn what_may_pass_is_tried_once_more_and_no_oftener() {
    let gateway = Gateway::start();
    gateway.plant(WORKSPACE, "image-1", GHCR);
    let node = gateway.node();
    for (wrong, words) in [
        (Wrong::Status(14), "has failed (gRPC status Unavailable)"),
        (Wrong::Http(503), "has failed (gRPC status Unavailable)"),
        (Wrong::Closes, "closed the connection without an answer"),
        (Wrong::BreaksOff, "closed the connection without an answer"),
        (
            Wrong::SpeaksHttp1,
            "whether it is the gateway's gRPC address",
        ),
    ] {
        gateway.next(&[wrong]);
        assert_eq!(
            node.pair("ghcr.io"),
            pair("octo", "ghp_hunter2"),
            "{wrong:?}"
        );
        gateway.next(&[wrong, wrong, Wrong::Status(3)]);
        gateway.count();
        let line = failure(&node, "ghcr.io");
        assert!(line.contains(words), "{wrong:?}: {line}");
        assert_eq!(gateway.count().1, 2, "{wrong:?}");
    }
    for (wrong, words) in [
        (Wrong::Status(2), "has failed (gRPC status Unknown)"),
        (Wrong::Status(13), "has failed (gRPC status Internal)"),
        (Wrong::Nothing, "has failed (gRPC status Internal)"),
    ] {
        gateway.next(&[wrong]);
        gateway.count();
        assert!(failure(&node, "ghcr.io").contains(words), "{wrong:?}");
        assert_eq!(gateway.count(), (1, 1), "{wrong:?}");
    }
}

#[test]
fn a_gateway_that_is_out_of_reach_is_an_error_and_no_earlier_answer_stands_in() {
    let gateway = Gateway::start();
    gateway.plant(WORKSPACE, "image-1", GHCR);
    let node = gateway.node().with("BETA9_STALE_IF_ERROR", "15m");
    assert_eq!(node.pair("ghcr.io"), pair("octo", "ghp_hunter2"));
    let address = gateway.address;
    drop(gateway);
    let line = failure(&node, "ghcr.io");
    assert!(
        line.contains(&format!(
            "{address} refused the connection; check whether the node reaches it"
        )),
        "{line}"
    );
    let gateway = Gateway::at(&address.to_string(), None);
    gateway.plant(WORKSPACE, "image-1", GHCR);
    assert_eq!(node.pair("ghcr.io"), pair("octo", "ghp_hunter2"));
    gateway.next(&[Wrong::Slow(Duration::from_mins(1))]);
    let line = failure(&node.with("BETA9_TIMEOUT", "500ms"), "ghcr.io");
    assert!(
        line.contains(&format!("{address} did not answer in time")),
        "{line}"
    );
    // It is the resolver that must come to its end first.
    let nowhere = gateway
        .node()
        .with("BETA9_WORKER_ADDRESS", "gateway.invalid:1993")
        .with("BETA9_TIMEOUT", "60s");
    assert!(
        failure(&nowhere, "ghcr.io").contains("the name gateway.invalid:1993 cannot be resolved")
    );
}

#[test]
fn a_miss_is_remembered_for_its_own_image_stub_and_workspace_only() {
    let gateway = Gateway::start();
    gateway.plant(WORKSPACE, "image-2", GHCR);
    gateway.plant(OTHER_WORKSPACE, "image-1", GHCR);
    let mut node = gateway.node();
    let asked = common::within_a_miss_life(|| {
        gateway.count();
        assert_eq!(node.get("ghcr.io"), Answer::not_found());
        assert_eq!(node.get("ghcr.io"), Answer::not_found());
        gateway.count().0
    });
    assert_eq!(asked, 1, "the second miss is remembered");
    node = node.with("BETA9_IMAGE_ID", "image-2");
    assert_eq!(node.pair("ghcr.io").0, "octo");
    node = node
        .with("BETA9_IMAGE_ID", "image-1")
        .with("BETA9_WORKSPACE_ID", OTHER_WORKSPACE);
    assert_eq!(node.pair("ghcr.io").0, "octo");
    node = node
        .with("BETA9_WORKSPACE_ID", WORKSPACE)
        .with("BETA9_STUB_ID", "stub-1");
    gateway.count();
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    assert_eq!(gateway.count().0, 1);
}

#[test]
fn two_workspaces_on_one_node_never_see_each_others_secrets() {
    let gateway = Gateway::start();
    for workspace in [WORKSPACE, OTHER_WORKSPACE] {
        gateway
            .world()
            .tokens
            .insert(format!("token-{workspace}"), Some(workspace.into()));
        gateway.world().stubs.insert(
            format!("stub-{workspace}"),
            (workspace.into(), "image-1".into()),
        );
        gateway.plant(
            workspace,
            "image-1",
            &format!("{workspace}:hunter2-{workspace}"),
        );
    }
    // It has time: two dozen debug builds are at work at once.
    let mut node = gateway
        .node()
        .with("BETA9_IMAGE", "ghcr.io/org/app")
        .with("BETA9_TIMEOUT", "60s");
    let mut all = Vec::new();
    for round in 0..24 {
        let workspace = [WORKSPACE, OTHER_WORKSPACE][round % 2];
        node = node
            .with("BETA9_WORKSPACE_ID", workspace)
            .with("BETA9_WORKER_TOKEN", format!("token-{workspace}"))
            .with("BETA9_STUB_ID", format!("stub-{workspace}"));
        all.push((workspace, node.start(&["get"], b"ghcr.io")));
    }
    for (workspace, child) in all {
        let answer = Answer::of(child);
        let expected = format!("\"Username\":\"{workspace}\",\"Secret\":\"hunter2-{workspace}\"");
        assert!(
            answer.status == 0 && answer.out.contains(&expected),
            "{answer:?}"
        );
    }
    // One workspace's token does not open the other's.
    assert!(
        failure(&node.with("BETA9_WORKSPACE_ID", WORKSPACE), "ghcr.io").contains("refused to vend")
    );
}

#[test]
fn the_token_may_be_in_a_file_which_an_error_names() {
    let gateway = Gateway::start();
    gateway.plant(WORKSPACE, "image-1", GHCR);
    let node = gateway.node().without("BETA9_WORKER_TOKEN");
    let file = node.home().join("worker-token");
    let write = |text: &str| {
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
    };
    write(&format!("{TOKEN}\n"));
    let node = node.configured(&format!(
        "[store.worker]\ntoken_file = \"{}\"\n",
        file.display()
    ));
    assert_eq!(node.pair("ghcr.io"), pair("octo", "ghp_hunter2"));
    write("old-hunter2\n");
    let line = failure(&node, "ghcr.io");
    assert!(
        line.contains(&format!(
            "does not accept the worker token, for workspace {WORKSPACE}"
        )),
        "{line}"
    );
    assert!(
        line.ends_with(&format!("not a workspace's ({})", file.display())),
        "{line}"
    );
    for text in ["\n", "two\nhunter2\n"] {
        write(text);
        assert!(
            failure(&node, "ghcr.io").contains("is empty or holds a character that no token has"),
            "{text:?}"
        );
    }
    std::fs::remove_file(&file).unwrap();
    assert!(failure(&node, "ghcr.io").contains("there is no file "));
}

#[test]
fn what_is_not_configured_is_named_and_nobody_is_asked() {
    let gateway = Gateway::start();
    for variable in [
        "BETA9_WORKSPACE_ID",
        "BETA9_WORKER_TOKEN",
        "BETA9_WORKER_ADDRESS",
    ] {
        let line = failure(&gateway.node().without(variable), "ghcr.io");
        assert!(
            line.contains(" is configured; set ") && line.contains(variable),
            "{line}"
        );
    }
    assert_eq!(gateway.count(), (0, 0));
    // What the request itself brings needs no gateway.
    let node = Node::new()
        .with("BETA9_STORE", "worker")
        .with("BETA9_IMAGE_CREDENTIALS", GHCR);
    assert_eq!(node.pair("ghcr.io"), pair("octo", "ghp_hunter2"));
    assert_eq!(node.list(), "{\"ghcr.io\":\"octo\"}\n");
}

#[test]
fn the_workers_own_variables_are_used_if_nothing_is_configured() {
    let gateway = Gateway::start();
    gateway.plant(WORKSPACE, "image-1", GHCR);
    let process = gateway
        .node()
        .without("BETA9_WORKER_TOKEN")
        .without("BETA9_WORKER_ADDRESS")
        .with("WORKER_TOKEN", TOKEN)
        .with("BETA9_GATEWAY_HOST", "127.0.0.1")
        .with("BETA9_GATEWAY_PORT", gateway.address.port().to_string());
    assert_eq!(process.pair("ghcr.io"), pair("octo", "ghp_hunter2"));
    assert!(
        failure(
            &process.clone_with("WORKER_TOKEN", "old-hunter2"),
            "ghcr.io"
        )
        .ends_with(" (WORKER_TOKEN)")
    );
    let line = failure(&process.clone_with("BETA9_GATEWAY_PORT", "grpc"), "ghcr.io");
    assert!(
        line.ends_with("correct BETA9_GATEWAY_HOST and BETA9_GATEWAY_PORT: host:port"),
        "{line}"
    );
    // Nothing is listening there, and nobody takes that token.
    let file = process.home().join("token");
    std::fs::write(&file, TOKEN).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let settings = format!(
        "[store.worker]\naddress = \"{}\"\ntoken_file = \"{}\"\n",
        gateway.address,
        file.display()
    );
    let process = process
        .with("WORKER_TOKEN", "old-hunter2")
        .with("BETA9_GATEWAY_PORT", "1");
    let variables = process
        .clone_with("BETA9_WORKER_TOKEN", TOKEN)
        .with("BETA9_WORKER_ADDRESS", gateway.address.to_string());
    assert_eq!(variables.pair("ghcr.io"), pair("octo", "ghp_hunter2"));
    assert_eq!(
        process.configured(&settings).pair("ghcr.io"),
        pair("octo", "ghp_hunter2")
    );
}

#[test]
fn a_workspace_that_is_not_a_uuid_is_an_error_and_nobody_is_asked() {
    let gateway = Gateway::start();
    for wrong in [
        "zzz",
        "w-1",
        &WORKSPACE[1..],
        &WORKSPACE.replace('-', "_"),
        &format!("{WORKSPACE}0"),
        "\u{e9}",
    ] {
        for host in ["ghcr.io", "docker.io"] {
            let line = failure(&gateway.node().with("BETA9_WORKSPACE_ID", wrong), host);
            let fix = "set workspace in the configuration, or BETA9_WORKSPACE_ID, to its external id, a UUID";
            assert!(
                line.contains("is not the id of one") && line.ends_with(fix),
                "{line}"
            );
        }
    }
    assert_eq!(gateway.count(), (0, 0));
}

#[test]
fn an_empty_answer_is_not_found_unless_the_registry_must_have_a_credential() {
    let gateway = Gateway::start();
    gateway.plant(WORKSPACE, "image-1", GHCR);
    let node = gateway
        .node()
        .with("BETA9_IMAGE", "ghcr.io/org/app:1")
        .with("BETA9_STALE_IF_ERROR", "15m");
    let required = |node: &Node| node.clone_with("BETA9_WORKER_REQUIRED", "true");
    assert_eq!(required(&node).pair("ghcr.io"), pair("octo", "ghp_hunter2"));
    gateway.world().is_database_down = true;
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    // Neither a remembered miss nor an earlier answer stands in for the error.
    for _ in 0..2 {
        let line = failure(&required(&node), "ghcr.io");
        let cause = "the gateway vended nothing for ghcr.io, which requires a credential (BETA9_WORKER_REQUIRED, or required in [store.worker]), and this API cannot tell a missing secret from one that the gateway failed to read";
        let fix = format!(
            "check the gateway's log, and the secret of image image-1 in workspace {WORKSPACE}"
        );
        assert_eq!(line, format!("ghcr.io: worker store: {cause}; {fix}"));
    }
    // What else is pulled may be public.
    for host in ["docker.io", "mcr.microsoft.com", "ghcr.io:5000", "quay.io"] {
        assert_eq!(required(&node).get(host), Answer::not_found(), "{host}");
    }
    gateway.world().is_database_down = false;
    assert_eq!(required(&node).pair("ghcr.io"), pair("octo", "ghp_hunter2"));
    // A secret without keys, and one that is another registry's, aren't credential either.
    for blob in [
        r#"{"registry":"ghcr.io","type":"public","credentials":{}}"#,
        &GHCR.replace("ghcr.io", "quay.io"),
    ] {
        gateway.plant(WORKSPACE, "image-1", blob);
        assert!(
            failure(&required(&node), "ghcr.io").contains("the gateway vended nothing for ghcr.io"),
            "{blob}"
        );
    }
}

#[test]
fn the_configuration_says_required_too_and_only_of_the_registry_that_is_pulled_from() {
    let gateway = Gateway::start();
    let node = gateway
        .node()
        .configured("[store.worker]\nrequired = true\n");
    let named = node.clone_with("BETA9_REGISTRY", "registry.example:5000");
    assert!(failure(&named, "registry.example:5000").contains("required in [store.worker]"));
    assert_eq!(named.get("ghcr.io"), Answer::not_found());
    assert_eq!(
        named
            .clone_with("BETA9_WORKER_REQUIRED", "false")
            .get("registry.example:5000"),
        Answer::not_found()
    );
    let hub = node.clone_with("BETA9_IMAGE", "org/app");
    assert!(failure(&hub, "docker.io").contains("vended nothing for docker.io"));
    let line = node
        .clone_with("BETA9_WORKER_REQUIRED", "maybe")
        .get("ghcr.io");
    assert_eq!(
        line.failure(),
        "BETA9_WORKER_REQUIRED: it is not true or false; correct it, or unset it"
    );
    // Where nothing says what is pulled, it is of no use, and `doctor` says so.
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    assert!(
        node.run(&["doctor"], "")
            .out
            .contains("neither BETA9_IMAGE nor")
    );
}

#[test]
fn a_rule_says_required_of_its_hosts_or_that_they_are_not() {
    let gateway = Gateway::start();
    let rules = "[store.worker]\nrequired = true\n[[registry]]\nhost = \"*.corp.example\"\nrequired = true\n[[registry]]\nhost = \"open.corp.example\"\nrequired = false\n[[registry]]\nhost = \"mirror.example\"\nalias_of = \"ghcr.io\"\n";
    let node = gateway
        .node()
        .configured(rules)
        .with("BETA9_IMAGE", "open.corp.example/app");
    let line = failure(&node, "a.corp.example");
    let file = node.home().join("config.toml");
    assert!(
        line.contains(&format!(
            "(required in the rule for *.corp.example in {})",
            file.display()
        )),
        "{line}"
    );
    for host in [
        "open.corp.example",
        "corp.example",
        "docker.io",
        "mirror.example",
    ] {
        assert_eq!(node.get(host), Answer::not_found(), "{host}");
    }
    assert_eq!(
        node.run(&["explain", "a.corp.example"], "")
            .out
            .matches("fails: a.corp.example: worker store: ")
            .count(),
        1
    );
    // A mirror stands for its registry.
    let node = node.with("BETA9_IMAGE", "ghcr.io/org/app");
    assert!(failure(&node, "mirror.example").contains("required in [store.worker]"));
    // No image, no secret of it.
    let line = failure(&node.without("BETA9_IMAGE_ID"), "ghcr.io");
    assert!(
        line.contains("set BETA9_IMAGE_ID to the image's id"),
        "{line}"
    );
}

#[test]
fn explain_says_what_is_there_and_shows_no_secret() {
    let gateway = Gateway::start();
    gateway.plant(WORKSPACE, "image-1", GHCR);
    for wrong in [None, Some(Wrong::Refuses), Some(Wrong::Status(16))] {
        gateway.next(wrong.as_slice());
        let answer = gateway.node().run(&["explain", "ghcr.io/org/app"], "");
        assert_eq!((answer.status, answer.err.as_str()), (0, ""));
        assert!(
            answer.out.contains("store     worker, workspace ") && !answer.out.contains(SECRET),
            "{}",
            answer.out
        );
        let expected = if wrong.is_none() {
            "found     yes, with GITHUB_TOKEN, GITHUB_USERNAME\n"
        } else {
            "answer    fails: ghcr.io: worker store: "
        };
        assert!(answer.out.contains(expected), "{}", answer.out);
    }
}

/// An ECR API that answers every request with a token, and tells of each.
fn ecr() -> (SocketAddr, std::sync::mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = String::new();
            let mut buffer = [0; 4096];
            while !request.contains("\r\n\r\n") {
                let count = stream.read(&mut buffer).unwrap();
                if count == 0 {
                    break;
                }
                request.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
            }
            tell.send(()).ok();
            // "AWS:minted-token", until the year 2100.
            let body = format!(
                r#"{{"authorizationData":[{{"authorizationToken":"QVdTOm1pbnRlZC10b2tlbg==","expiresAt":4102444800,"proxyEndpoint":"https://{ECR}"}}]}}"#
            );
            let start = "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nConnection: close\r\n";
            write!(
                stream,
                "{start}Content-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .ok();
        }
    });
    (address, heard)
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                walk(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}
