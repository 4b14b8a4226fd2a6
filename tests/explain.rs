//! `explain`, rules and the request's own credentials, through the real binary.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use beta9_credential::json::Value;
use common::registry::{FakeRegistry, say};
use common::{Answer, BINARY, Node};

const BLOB: &str = r#"{"registry":"ghcr.io","type":"token","credentials":{"GITHUB_USERNAME":"octo","GITHUB_TOKEN":"ghp_hunter2"}}"#;

#[test]
fn explain_prints_one_object_with_all_that_decides_and_nothing_secret() {
    let node = Node::new();
    node.store("ghcr.io", "octo", "hunter2");
    let answer = node.run(&["explain", "ghcr.io/org/app:1.2", "--json"], "");
    let expected = r#"{"input":"ghcr.io/org/app:1.2","host":"ghcr.io","class":"ghcr","backend":"fixed","rule":null,"rule_file":null,"rule_notes":[],"store":"file","workspace":"default","secret_name":null,"found":true,"ambient":false,"keys":["PASSWORD","USERNAME"],"takes":null,"problem":null,"config":[],"answer":"credential","reason":null,"next":"no client asks this helper: docker-credential-beta9 configure docker --hosts ghcr.io","username":"octo","identity":"the secret's keys","cache":"never","clients":[{"client":"docker","asks":"nobody","file":null,"key":null},{"client":"podman","asks":"nobody","file":null,"key":null}]}"#;
    assert_eq!(
        answer,
        Answer {
            status: 0,
            out: format!("{expected}\n"),
            err: String::new()
        }
    );
}

#[test]
fn explain_is_read_by_people_too() {
    let node = Node::new();
    node.store("ghcr.io", "octo", "hunter2");
    let expected = "registry  ghcr.io (ghcr)\nanswer    user name octo and a password\n\
                    docker    asks nobody\npodman    asks nobody\nstore     file, workspace default\n\
                    found     yes, with PASSWORD, USERNAME\n\
                    next      no client asks this helper: docker-credential-beta9 configure docker\n          \
                    --hosts ghcr.io\nbackend   fixed: the secret's keys are returned as they are\n\
                    identity  the secret's keys\nrule      none\nconfig    no file: defaults and environment\n";
    assert_eq!(node.run(&["explain", "ghcr.io"], "").out, expected);
    let rejected = node.run(&["explain", "gcr.io@evil.com"], "");
    let expected = "registry  none\nanswer    not found: the host has a character that no registry host can have\n\
                    next      give a registry such as ghcr.io, or an image as docker pull takes it\n\
                    config    no file: defaults and environment\n";
    assert_eq!(
        rejected,
        Answer {
            status: 1,
            out: expected.into(),
            err: String::new()
        }
    );
}

#[test]
fn what_docker_would_be_told_is_said_as_get_says_it() {
    let node =
        Node::new().configured("[[registry]]\nhost = \"open.example\"\nbackend = \"public\"\n");
    node.store("open.example", "u", "s");
    node.store("ghcr.io", "<token>", "identity");
    node.store("registry.digitalocean.com", "dop_hunter2", "dop_hunter2");
    let table = [
        (
            "open.example",
            "not found: the rule says that no credential is ever returned",
        ),
        ("quay.io", "not found: no credential is stored for it here"),
        ("ghcr.io", "an identity token"),
        (
            "registry.digitalocean.com",
            "a token for user name and password",
        ),
        (
            "http://gcr.io",
            "not found: a vendor's credential never goes over plain HTTP",
        ),
        (
            "http://ghcr.io",
            "not found: a vendor's credential never goes over plain HTTP",
        ),
    ];
    for (input, expected) in table {
        let answer = node.run(&["explain", input], "");
        let told = answer
            .out
            .lines()
            .find_map(|line| line.strip_prefix("answer    "))
            .unwrap();
        assert_eq!(told, expected, "{input}");
        assert!(!answer.out.contains("hunter2"), "{}", answer.out);
        assert_eq!(
            node.get(input).status == 1,
            expected.starts_with("not found"),
            "{input}"
        );
    }
    let half = node.with(
        "BETA9_IMAGE_CREDENTIALS",
        r#"{"registry":"ghcr.io","credentials":{"GITHUB_TOKEN":"hunter2"}}"#,
    );
    let line = half.get("ghcr.io").failure().to_owned();
    let object = half.explain("ghcr.io");
    assert_eq!(object.text("answer").unwrap().expose(), "failure");
    assert_eq!(object.text("problem").unwrap().expose(), line);
    // Wrapped, it is the same line.
    let out = half.run(&["explain", "ghcr.io"], "").out;
    let words = |text: &str| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert!(
        words(&out).contains(&format!("answer fails: {}", words(&line))),
        "{out}"
    );
}

#[test]
fn the_identity_is_the_secrets_or_the_nodes_by_name_and_never_by_value() {
    let ecr = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
    let rule = "[[registry]]\nhost = \"*.dkr.ecr.*.amazonaws.com\"\nambient = true\nprofile = \"pull\"\n\
                role_arn = \"arn:aws:iam::123456789012:role/pull\"\n";
    let identity = |node: &Node, host: &str| {
        let answer = node.run(&["explain", "--json", host], "").out;
        assert!(!answer.contains("hunter2"), "{answer}");
        node.explain(host)
            .text("identity")
            .map(|text| text.expose().to_owned())
    };
    let operator = Node::new()
        .configured(rule)
        .with("AWS_EC2_METADATA_DISABLED", "true");
    std::fs::create_dir(operator.home().join(".aws")).unwrap();
    let profile = "[profile pull]\ncredential_process = /bin/hunter2\n";
    std::fs::write(operator.home().join(".aws/config"), profile).unwrap();
    assert_eq!(
        identity(&operator, ecr).unwrap(),
        "the node's own: profile pull (credential_process), which assumes arn:aws:iam::123456789012:role/pull"
    );
    let keys = operator
        .clone_with("BETA9_AMBIENT", "true")
        .without("BETA9_CREDENTIAL_CONFIG");
    let keys = keys
        .with("AWS_SECRET_ACCESS_KEY", "hunter2")
        .with("AZURE_CLIENT_SECRET", "hunter2");
    let keys = keys.with("AZURE_TENANT_ID", "contoso.onmicrosoft.com");
    let client = "aaaaaaaa-0000-4000-8000-000000000001";
    let table = [
        (
            ecr,
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            "the node's own: key AKIAIOSFODNN7EXAMPLE",
        ),
        // What is not written as a key's id may be its secret.
        (
            ecr,
            ("AWS_ACCESS_KEY_ID", "hunter2hunter2hunter2"),
            "the node's own: an access key",
        ),
        (
            ecr,
            ("AWS_PROFILE", "pull"),
            "the node's own: profile pull (credential_process)",
        ),
        (
            ecr,
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/hunter2"),
            "the node's own: the container's role",
        ),
        // An agent that is shown no token may answer for anybody.
        (
            ecr,
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://hunter2"),
            "the node's own: not known before it logs in",
        ),
        (
            "gcr.io",
            ("GCE_METADATA_HOST", "127.0.0.1:1"),
            "the node's own: service account (its metadata service says which one)",
        ),
        (
            "x.azurecr.io",
            ("AZURE_CLIENT_ID", client),
            "the node's own: application aaaaaaaa-0000-4000-8000-000000000001",
        ),
    ];
    for (host, (name, value), expected) in table {
        assert_eq!(
            identity(&keys.clone_with(name, value), host).unwrap(),
            expected,
            "{name}"
        );
    }
    let off = "none: the node's own may not be used here (ambient is off)";
    assert_eq!(identity(&Node::new(), "gcr.io").unwrap(), off);
    assert_eq!(identity(&Node::new(), "ghcr.io"), None);
    let tenant = r#"{"registry":"HOST","credentials":{"AWS_ACCESS_KEY_ID":"AKIAhunter2","AWS_SECRET_ACCESS_KEY":"hunter2","AWS_ROLE_ARN":"hunter2"}}"#;
    let tenant = operator.with("BETA9_IMAGE_CREDENTIALS", tenant.replace("HOST", ecr));
    assert_eq!(
        identity(&tenant, ecr).unwrap(),
        "the secret's keys, and the role in its AWS_ROLE_ARN"
    );
}

#[test]
fn a_cached_token_is_shown_with_its_remaining_life_and_looking_makes_nothing() {
    let ecr = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
    let api = FakeRegistry::start(move |_| {
        let expires = SystemTime::now() + Duration::from_hours(12);
        let expires = expires
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let token = STANDARD.encode("AWS:minted-hunter2");
        let body = format!(
            "{{\"authorizationData\":[{{\"authorizationToken\":\"{token}\",\"expiresAt\":{expires},\"proxyEndpoint\":\"https://{ecr}\"}}]}}"
        );
        say(
            200,
            &[("content-type", "application/x-amz-json-1.1")],
            &body,
        )
    });
    let rule = format!(
        "[[registry]]\nhost = \"{ecr}\"\nendpoint_url = \"http://{}\"\n",
        api.host()
    );
    let node = Node::new().configured(&rule);
    let keys = r#"{"AWS_ACCESS_KEY_ID":"AKIAIOSFODNN7EXAMPLE","AWS_SECRET_ACCESS_KEY":"hunter2"}"#;
    assert_eq!(
        node.run(
            &["provision", &format!("{ecr}/app"), "--creds-json", "-"],
            keys
        )
        .status,
        0
    );
    let cache = |node: &Node| {
        let object = node.explain(ecr);
        (
            object.text("cache").unwrap().expose().to_owned(),
            object.get("cached_seconds_left").cloned(),
        )
    };
    assert_eq!(cache(&node), ("empty".to_owned(), None));
    assert!(
        !node.home().join(".cache").exists(),
        "looking makes no cache"
    );
    assert_eq!(node.pair(ecr), ("AWS".into(), "minted-hunter2".into()));
    let (word, Some(Value::Number(left))) = cache(&node) else {
        panic!("no token")
    };
    assert_eq!(word, "token");
    // An ECR token is kept for eleven hours, and not served in its last minute.
    assert!(
        (10.0 * 3600.0..=11.0 * 3600.0 - 60.0).contains(&left),
        "{left}"
    );
    let answer = node.run(&["explain", ecr], "");
    assert!(
        answer
            .out
            .contains("\ncache     a token, which is served for 10 h "),
        "{}",
        answer.out
    );
    assert!(
        !answer.out.contains("hunter2") && !answer.out.contains("AKIA"),
        "{}",
        answer.out
    );
    assert_eq!(
        cache(&node.clone_with("BETA9_CACHE", "off")),
        ("off".to_owned(), None)
    );
    assert_eq!(api.asked().len(), 1, "looking mints nothing");
}

#[test]
fn a_rule_with_a_path_is_said_to_be_for_clients_that_name_one() {
    let node =
        Node::new().configured("[[registry]]\nhost = \"ghcr.io/team\"\nalias_of = \"quay.io\"\n");
    let file = node.home().join("config.toml").display().to_string();
    let rule = |input: &str| {
        let out = node.run(&["explain", input], "").out;
        let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
        words
            .split_once(" rule ")
            .unwrap()
            .1
            .split_once(" config ")
            .unwrap()
            .0
            .to_owned()
    };
    assert_eq!(rule("ghcr.io"), "none");
    assert_eq!(
        rule("ghcr.io/team/app"),
        format!(
            "ghcr.io/team, in {file}; it stands for quay.io; docker and podman don't send a path, and get a different answer"
        )
    );
    let object = node.explain("ghcr.io/team/app");
    let Some(Value::Array(notes)) = object.get("rule_notes") else {
        panic!("{object:?}")
    };
    assert_eq!(notes.len(), 2);
    assert_eq!(object.text("rule_file").unwrap().expose(), file);
}

#[test]
fn explain_understands_hosts_server_urls_and_images() {
    let node = Node::new();
    let table = [
        ("ghcr.io", "ghcr.io", "ghcr"),
        ("https://index.docker.io/v1/", "docker.io", "dockerhub"),
        ("ubuntu", "docker.io", "dockerhub"),
        ("ubuntu:20.04", "docker.io", "dockerhub"),
        ("redis:7", "docker.io", "dockerhub"),
        (
            "ubuntu@sha256:0123456789abcdef0123456789abcdef",
            "docker.io",
            "dockerhub",
        ),
        ("localhost:5000", "localhost:5000", "generic"),
        (
            "registry.example.com:5000",
            "registry.example.com:5000",
            "generic",
        ),
        ("myhost:5000/app", "myhost:5000", "generic"),
        ("org/app:1", "docker.io", "dockerhub"),
        ("docker://quay.io/org/app", "quay.io", "quay"),
        ("localhost", "localhost", "generic"),
        (
            "localhost:5000/app@sha256:0123456789abcdef0123456789abcdef",
            "localhost:5000",
            "generic",
        ),
        (
            "us-central1-docker.pkg.dev/project/repo/image:tag",
            "us-central1-docker.pkg.dev",
            "gcp",
        ),
        ("evil.example/amazonaws.com/x", "evil.example", "generic"),
        (
            "mcr.microsoft.com/dotnet/sdk",
            "mcr.microsoft.com",
            "public",
        ),
    ];
    for (input, host, class) in table {
        let object = node.explain(input);
        let text = |key| object.text(key).unwrap().expose().to_owned();
        assert_eq!(
            (text("host").as_str(), text("class").as_str()),
            (host, class),
            "{input}"
        );
    }
}

#[test]
fn every_command_takes_a_reference_for_what_docker_takes_it_for() {
    let node = Node::new()
        .with("GITHUB_USERNAME", "u")
        .with("GITHUB_TOKEN", "t");
    let hub = node
        .clone_with("DOCKERHUB_USERNAME", "octo")
        .with("DOCKERHUB_TOKEN", "hunter2");
    for image in [
        "redis",
        "redis:7",
        "ubuntu:20.04",
        "ubuntu@sha256:0123456789abcdef0123456789abcdef",
    ] {
        let answer = hub.run(
            &[
                "provision",
                image,
                "--creds",
                "DOCKERHUB_USERNAME,DOCKERHUB_TOKEN",
            ],
            "",
        );
        assert!(
            answer.status == 0 && answer.out.starts_with("stored the secret of docker.io "),
            "{image}: {answer:?}"
        );
        assert_eq!(
            hub.pair("docker.io"),
            ("octo".into(), "hunter2".into()),
            "{image}"
        );
        let payload = hub.run(&["resolve", "unknown", "--image", image], "").out;
        assert!(
            payload.contains(r#""registry":"docker.io""#),
            "{image}: {payload}"
        );
        assert_eq!(hub.erase("docker.io"), Answer::silence());
    }
    for registry in [
        "ghcr.io",
        "localhost:5000",
        "10.0.0.7:5000",
        "docker://ghcr.io",
        "https://ghcr.io/org/app",
    ] {
        let host = if registry.contains("ghcr.io") {
            "ghcr.io"
        } else {
            registry
        };
        assert_eq!(node.explain(registry).text("host").unwrap().expose(), host);
        let expected = format!(
            "{registry}: image reference: it names a registry, not an image; name an image, such as {host}/org/app"
        );
        let commands: [&[&str]; 2] = [
            &["check", registry],
            &[
                "provision",
                registry,
                "--creds",
                "GITHUB_USERNAME,GITHUB_TOKEN",
            ],
        ];
        for command in commands {
            let answer = node.run(command, "");
            let said = [
                answer.out.as_str(),
                answer.err.trim_start_matches("docker-credential-beta9: "),
            ]
            .concat();
            assert_eq!(
                (answer.status, said.trim_end()),
                (1, expected.as_str()),
                "{command:?}"
            );
        }
        let answer = node.run(&["resolve", "unknown", "--image", registry], "");
        let err = format!("docker-credential-beta9: {expected}\n");
        assert_eq!(
            answer,
            Answer {
                status: 1,
                out: String::new(),
                err
            }
        );
    }
    assert_eq!(node.list(), "{}\n");
    // A blob that names no registry would go to Docker Hub, which nobody has meant.
    let request = node
        .with("BETA9_IMAGE_CREDENTIALS", "octo:hunter2")
        .with("BETA9_IMAGE", "ghcr.io");
    for host in ["ghcr.io", "docker.io"] {
        let line = request.get(host).failure().to_owned();
        assert!(
            line.ends_with("BETA9_IMAGE: it names a registry, not an image; correct or unset it"),
            "{line}"
        );
    }
}

#[test]
fn explain_tells_of_a_broken_store_and_still_succeeds() {
    let node = Node::new();
    node.store("ghcr.io", "u", "s");
    std::fs::set_permissions(
        node.key_file(),
        std::os::unix::fs::PermissionsExt::from_mode(0o644),
    )
    .unwrap();
    let object = node.explain("ghcr.io");
    assert_eq!(object.get("found"), Some(&Value::Bool(false)));
    assert!(
        object
            .text("problem")
            .unwrap()
            .expose()
            .contains("chmod 600")
    );
}

#[test]
fn where_nothing_is_found_the_workspace_is_named_and_what_to_do_next() {
    let node =
        Node::new().configured("[[registry]]\nhost = \"open.example\"\nbackend = \"public\"\n");
    node.store("ghcr.io", "octo", "hunter2");
    let node = node.with("BETA9_WORKSPACE_ID", "team");
    let out = node.run(&["explain", "quay.io"], "").out;
    assert!(
        out.contains(
            "\nstore     file, workspace team\nfound     no\nnext      docker login quay.io\n"
        ),
        "{out}"
    );
    let text = |node: &Node, input: &str, key| {
        node.explain(input)
            .text(key)
            .map(|text| text.expose().to_owned())
    };
    assert_eq!(text(&node, "ghcr.io", "workspace").unwrap(), "team");
    assert_eq!(
        text(&node, "ghcr.io", "reason").unwrap(),
        "no credential is stored for it here"
    );
    assert!(
        text(&node, "ghcr.io", "takes")
            .unwrap()
            .starts_with("GITHUB_USERNAME and GITHUB_TOKEN, or ")
    );
    assert!(
        text(&node, "gcr.io", "next")
            .unwrap()
            .contains("provision gcr.io/IMAGE --creds KEY,KEY, or ambient = true")
    );
    assert_eq!(
        text(&node, "http://gcr.io", "next").unwrap(),
        "ask for https://gcr.io"
    );
    // What is for everybody needs nothing.
    assert_eq!(
        text(&node, "open.example", "reason").unwrap(),
        "the rule says that no credential is ever returned"
    );
    assert_eq!(text(&node, "open.example", "next"), None);
    assert_eq!(text(&node, "mcr.microsoft.com", "next"), None);
}

#[test]
fn the_rule_that_applies_is_named_with_the_file_that_has_the_last_word() {
    let node = Node::new();
    let file = node.home().join(".config/beta9/credential-helper.toml");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(
        &file,
        "[[registry]]\nhost = \"quay.io\"\nsecret = \"mine\"\n",
    )
    .unwrap();
    assert_eq!(
        node.explain("quay.io").text("rule_file").unwrap().expose(),
        file.display().to_string()
    );
    assert_eq!(node.explain("ghcr.io").text("rule_file"), None);
    let out = node.run(&["explain", "quay.io"], "").out;
    let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains(&format!("rule quay.io, in {} config ", file.display())),
        "{out}"
    );
}

#[test]
fn what_is_not_a_registry_and_no_image_is_refused_with_the_way_out() {
    let node = Node::new();
    let refused = |args: &[&str]| {
        let answer = node.run(args, "");
        assert_eq!((answer.status, answer.err.as_str()), (1, ""), "{answer:?}");
        answer.out
    };
    let mistake = node.run(&["explain", "--josn", "ghcr.io"], "");
    assert_eq!((mistake.status, mistake.out.as_str()), (2, ""));
    let unknown = mistake.err;
    assert!(
        unknown.contains("'--josn'") && unknown.contains("'--json'"),
        "{unknown}"
    );
    assert!(
        refused(&["explain", "ghcr.io/Org/APP:V1"])
            .contains("next      repositories are in lower case: ghcr.io/org/app:V1\n")
    );
    assert!(
        refused(&["explain", "bad host"]).contains("next      give a registry such as ghcr.io")
    );
    assert!(refused(&["explain", "--json", "--", "--josn"]).contains(r#""class":"reject""#));
    assert_eq!(
        node.run(&["explain", "https://index.docker.io/v1/"], "")
            .status,
        0
    );
}

#[test]
fn a_rule_decides_for_its_hosts_and_paths() {
    let rules = "[[registry]]\nhost = \"*.example.com\"\nbackend = \"public\"\n\
                 [[registry]]\nhost = \"private.example.com\"\nsecret = \"named\"\n\
                 [[registry]]\nhost = \"gitlab.example.org\"\nbackend = \"gitlab\"\n";
    let node = Node::new().configured(rules);
    for host in [
        "open.example.com",
        "private.example.com",
        "gitlab.example.org",
    ] {
        node.store(host, "u", "s");
    }
    assert_eq!(node.get("open.example.com"), Answer::not_found());
    assert_eq!(node.pair("private.example.com").1, "s");
    let object = node.explain("open.example.com/a/b");
    let text = |key| object.text(key).unwrap().expose().to_owned();
    assert_eq!(
        (text("rule"), text("backend")),
        ("*.example.com".into(), "public".into())
    );
    // The built-in store knows no names, whatever a rule says.
    assert_eq!(
        node.explain("private.example.com").text("secret_name"),
        None
    );
}

#[test]
fn a_rule_can_say_that_a_host_of_ones_own_is_a_vendors_registry() {
    let job = r#"{"registry":"gitlab.example.org","credentials":{"CI_JOB_TOKEN":"job"}}"#;
    let node = Node::new().with("BETA9_IMAGE_CREDENTIALS", job);
    assert!(
        node.get("gitlab.example.org").failure().contains(
            "it has CI_JOB_TOKEN, but this registry (generic) needs USERNAME and PASSWORD"
        )
    );
    let node =
        node.configured("[[registry]]\nhost = \"gitlab.example.org\"\nbackend = \"gitlab\"\n");
    assert_eq!(
        node.pair("gitlab.example.org"),
        ("gitlab-ci-token".into(), "job".into())
    );
}

#[test]
fn an_alias_is_answered_with_the_secret_of_the_registry_it_stands_for() {
    let node = Node::new()
        .configured("[[registry]]\nhost = \"mirror.example.com\"\nalias_of = \"ghcr.io\"\n");
    let node = node.with("BETA9_IMAGE_CREDENTIALS", BLOB);
    assert_eq!(
        node.pair("mirror.example.com"),
        ("octo".into(), "ghp_hunter2".into())
    );
    assert_eq!(node.get("other.example.com"), Answer::not_found());
}

#[test]
fn a_wrong_configuration_is_one_clear_line_for_everybody() {
    let node = Node::new().configured("[[registry]]\nhost = \"a.example\"\nbackend = \"awz\"\n");
    let expected =
        "configuration: rule for a.example: there is no backend \"awz\"; did you mean \"aws\"?";
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
        assert!(
            !String::from_utf8_lossy(&std::fs::read(&file).unwrap()).contains("hunter2"),
            "{}",
            file.display()
        );
    }
}

#[test]
fn the_requests_credentials_may_be_a_mounted_file() {
    let node = Node::new();
    let file = node.home().join("blob");
    std::fs::write(&file, "octo:hunter2\n").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o444)).unwrap();
    let node = node.with("BETA9_IMAGE_CREDENTIALS_FILE", file.to_str().unwrap());
    assert_eq!(
        node.get("ghcr.io").failure(),
        "ghcr.io: BETA9_IMAGE_CREDENTIALS_FILE: it does not say which registry it is for; set BETA9_IMAGE to the image that is pulled"
    );
    let node = node.with("BETA9_IMAGE", "ghcr.io/org/app:1");
    assert_eq!(node.pair("ghcr.io"), ("octo".into(), "hunter2".into()));
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o446)).unwrap();
    assert!(
        node.get("ghcr.io")
            .failure()
            .contains("is open to others (mode 0446); chmod 600 ")
    );
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
        answer
            .failure()
            .starts_with("ghcr.io: BETA9_IMAGE_CREDENTIALS: the secret isn't a JSON object"),
        "{answer:?}"
    );
    assert!(!answer.out.contains("hunter2"));
}

/// What is said to do next.
fn next(node: &Node, input: &str) -> String {
    let object = node.explain(input);
    object
        .text("next")
        .map(|text| text.expose().to_owned())
        .unwrap_or_default()
}

#[test]
fn a_misspelled_registry_gets_a_suggestion_and_no_offer_to_log_in() {
    let node = Node::new();
    assert_eq!(next(&node, "gchr.io"), "did you mean gcr.io or ghcr.io?");
    for typed in ["ghrc.io", "ghrc.io/org/app:1", "https://ghcr.oi"] {
        assert_eq!(next(&node, typed), "did you mean ghcr.io?", "{typed}");
    }
    assert_eq!(next(&node, "ghcr.io:8443"), "did you mean ghcr.io?");
    for held in ["ghcr.io", "reg.example.com:5000", "harbor.example.org"] {
        node.store(held, "octo", "hunter2");
    }
    let held = |host| format!("did you mean {host}? the store has a credential for it");
    let port = |host, typed| {
        format!("the store has a credential for {host}; ask for that port, or docker login {typed}")
    };
    let login = |host| format!("docker login {host}");
    let table = [
        ("ghrc.io", held("ghcr.io")),
        ("reg.exmaple.com:5000", held("reg.example.com:5000")),
        ("hrabor.example.org/a/b", held("harbor.example.org")),
        (
            "reg.example.com:5001",
            port("reg.example.com:5000", "reg.example.com:5001"),
        ),
        (
            "reg.example.com",
            port("reg.example.com:5000", "reg.example.com"),
        ),
        ("ghcr.io:8443", port("ghcr.io", "ghcr.io:8443")),
        ("quay.io", login("quay.io")),
        ("other.example.org", login("other.example.org")),
        ("harbor2.example.org", login("harbor2.example.org")),
        ("harbor.dev.example.org", login("harbor.dev.example.org")),
    ];
    for (typed, expected) in table {
        assert_eq!(next(&node, typed), expected, "{typed}");
    }
    // What is asked for by mistake is not what the store has: it is still not found.
    assert_eq!(node.get("ghrc.io"), Answer::not_found());
}

#[test]
fn a_credential_of_another_workspace_on_this_node_is_said_to_be_that_ones() {
    let node = Node::new();
    let of = |workspace: &str| node.clone_with("BETA9_WORKSPACE_ID", workspace);
    of("team-a").store("ghcr.io", "octo", "hunter2");
    assert_eq!(
        next(&node, "ghcr.io"),
        "workspace team-a has it; set BETA9_WORKSPACE_ID=team-a"
    );
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    of("team-b").store("ghcr.io", "octo", "hunter2");
    let both = next(&node, "ghcr.io");
    assert!(
        both.contains("team-a") && both.contains("team-b") && !both.contains("octo"),
        "{both}"
    );
    assert_eq!(next(&node, "quay.io"), "docker login quay.io");
    // One that does not say its name, or says another's, is not named.
    for (note, text) in [
        (None, "another workspace"),
        (Some("team-c"), "another workspace"),
    ] {
        for dir in std::fs::read_dir(node.store_dir()).unwrap() {
            let file = dir.unwrap().path().join("workspace");
            match note {
                None => std::fs::remove_file(file).unwrap(),
                Some(name) => {
                    std::fs::write(&file, name).unwrap();
                    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
                    std::fs::set_permissions(&file, mode).unwrap();
                }
            }
        }
        let said = next(&node, "ghcr.io");
        assert!(said.starts_with(text), "{said}");
    }
}

#[test]
fn only_a_near_name_is_proposed_for_a_word_of_the_configuration() {
    for (toml, expected) in [
        ("foo = 1", "unknown key \"foo\" at the top level; remove it"),
        ("tiemout = 1", "did you mean \"timeout\"?"),
        (
            "[[registry]]\nhost = \"a.example\"\nbackend = \"amazon\"",
            "leave it out, or use a word of the table in docs/registries.md",
        ),
    ] {
        let answer = Node::new().configured(toml).get("ghcr.io");
        assert!(answer.failure().ends_with(expected), "{answer:?}");
    }
}

/// Who answers docker and podman, by the word, the file and the key.
fn clients(node: &Node, command: &[&str]) -> Vec<[String; 4]> {
    let answer = node.run(command, "");
    let object = beta9_credential::json::parse_object(answer.out.as_bytes()).unwrap();
    let Some(Value::Array(clients)) = object.get("clients") else {
        panic!("{answer:?}")
    };
    let client = |client: &Value| {
        let Value::Object(client) = client else {
            panic!("{answer:?}")
        };
        ["client", "asks", "file", "key"].map(|name| {
            client
                .text(name)
                .map_or_else(String::new, |text| text.expose().to_owned())
        })
    };
    clients.iter().map(client).collect()
}

#[test]
fn explain_and_check_say_who_answers_each_client() {
    let registry = FakeRegistry::start(|_| say(200, &[], ""));
    let (host, image) = (registry.host(), registry.image());
    let docker = |text: String| {
        let node = Node::new();
        node.store(&host, "octo", "hunter2");
        let dir = node.home().join(".docker");
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("config.json"), text).unwrap();
        let file = dir.join("config.json").display().to_string();
        (node, file)
    };
    let table = [
        (
            format!(r#"{{"credHelpers":{{"{host}":"beta9"}}}}"#),
            "this-helper",
            host.as_str(),
            "asks this helper",
        ),
        (
            r#"{"credsStore":"desktop"}"#.to_owned(),
            "docker-credential-desktop",
            "credsStore",
            "asks docker-credential-desktop",
        ),
        (
            format!(r#"{{"auths":{{"{host}":{{"auth":"dTpodW50ZXIy"}}}}}}"#),
            "own-login",
            host.as_str(),
            "has its own login",
        ),
        (
            r#"{"credHelpers":{"ghcr.io":"beta9"}}"#.to_owned(),
            "nobody",
            "",
            "asks nobody",
        ),
    ];
    for (text, word, key, said) in table {
        let (node, file) = docker(text);
        let file = if key.is_empty() { "" } else { &file };
        let expected = ["docker", word, file, key].map(str::to_owned);
        for command in [["explain", "--json", &image], ["check", "--json", &image]] {
            assert_eq!(clients(&node, &command)[0], expected);
        }
        for command in [["explain", &host], ["check", &image]] {
            let out = node.run(&command, "").out;
            let line = out
                .lines()
                .find(|line| line.trim_start().starts_with("docker "));
            assert!(line.is_some_and(|line| line.contains(said)), "{out}");
            assert!(
                !out.contains("hunter2") && !out.contains("dTpodW50ZXIy"),
                "{out}"
            );
        }
        // Where nobody asks this helper, that is what to do next.
        let wires = next(&node, &host).contains("configure docker --hosts");
        let asked = clients(&node, &["explain", "--json", &host]);
        assert_eq!(
            wires,
            asked.iter().all(|client| client[1] != "this-helper"),
            "{word}"
        );
    }
    let (node, _) = docker("{".to_owned());
    assert_eq!(clients(&node, &["explain", "--json", &host])[0][1], "error");
    // docker looks up the registry as the image spells it.
    let (node, _) = docker(r#"{"credHelpers":{"GHCR.io":"beta9"}}"#.to_owned());
    for (image, word) in [("GHCR.io/a/b", "this-helper"), ("ghcr.io/a/b", "nobody")] {
        assert_eq!(clients(&node, &["explain", "--json", image])[0][1], word);
    }
}

#[test]
fn the_command_that_wires_a_registry_wires_it_as_it_was_typed() {
    let typed = [
        ("GHCR.io", "GHCR.io"),
        ("ghcr.io:443", "ghcr.io:443"),
        ("https://GHCR.io:443/v2/", "GHCR.io:443"),
        ("GHCR.io/org/app", "GHCR.io"),
        ("registry-1.docker.io", "docker.io"),
    ];
    for (input, hosts) in typed {
        let node = Node::new();
        node.store("ghcr.io", "octo", "hunter2");
        node.store("docker.io", "octo", "hunter2");
        let said = next(&node, input);
        let (_, command) = said.split_once(": docker-credential-beta9 ").unwrap();
        assert_eq!(command, format!("configure docker --hosts {hosts}"));
        let node = node.with(
            "PATH",
            std::path::Path::new(BINARY)
                .parent()
                .unwrap()
                .to_str()
                .unwrap(),
        );
        let words: Vec<_> = command.split(' ').collect();
        let done = node.run(&words, "");
        assert_eq!(done.status, 0, "{done:?}");
        assert_eq!(
            clients(&node, &["explain", "--json", input])[0][1],
            "this-helper"
        );
    }
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
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
