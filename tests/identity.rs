//! The identity behind a node's answer, through the real binary: the one it would use now, never an earlier one.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::clouds::{AZURE, Clouds, ECR, GOOGLE, token, whose};
use common::gateway::Gateway;
use common::{Answer, Node, tokens};
use serde_json::{Value, json};

const KEYS: [&str; 2] = ["ASIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7ANOTHER"];
const ROLES: [&str; 2] = [
    "arn:aws:iam::123456789012:role/one",
    "arn:aws:iam::123456789012:role/two",
];
const TENANT: &str = "11111111-2222-4333-8444-555555555555";
const CLIENTS: [&str; 2] = [
    "aaaaaaaa-0000-4000-8000-000000000001",
    "aaaaaaaa-0000-4000-8000-000000000002",
];

/// Two jobs take turns on one runner: each gets its own token a hundred times, and each token is minted once.
fn alternate(
    clouds: &Clouds,
    host: &str,
    whose_turn: [&str; 2],
    mut job: impl FnMut(usize) -> Node,
) {
    for turn in 0..100 {
        assert_eq!(
            whose(&job(turn % 2), host),
            whose_turn[turn % 2],
            "turn {turn}"
        );
    }
    assert_eq!(clouds.mints(), whose_turn);
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The node in a session of AWS.
fn in_session(node: &Node, key: &str) -> Node {
    let node = node
        .clone_with("AWS_ACCESS_KEY_ID", key)
        .with("AWS_SECRET_ACCESS_KEY", "hunter2");
    node.with("AWS_SESSION_TOKEN", format!("hunter2-session-of-{key}"))
}

/// An RSA key in PEM, made with openssl.
fn rsa_key(dir: &Path) -> String {
    let file = dir.join("rsa.key");
    if !file.exists() {
        let args = [
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
            "-out",
            file.to_str().unwrap(),
        ];
        assert!(
            Command::new("openssl")
                .args(args)
                .output()
                .unwrap()
                .status
                .success()
        );
    }
    fs::read_to_string(file).unwrap()
}

fn service_account(clouds: &Clouds, email: &str) -> Value {
    json!({"type": "service_account", "client_email": email, "private_key": rsa_key(clouds.scratch())})
}

/// What `status --json` says of each token.
fn status(node: &Node) -> Vec<Value> {
    let answer = node.run(&["status", "--json"], "");
    assert!(
        answer.status == 0 && !answer.out.contains("hunter2"),
        "{answer:?}"
    );
    let mut status: Value = serde_json::from_str(&answer.out).unwrap();
    serde_json::from_value(status["tokens"].take()).unwrap()
}

fn identities(node: &Node) -> Vec<String> {
    status(node)
        .iter()
        .map(|token| token["identity"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn explained(node: &Node, host: &str) -> String {
    let answer = node.run(&["explain", "--json", host], "");
    assert!(
        answer.status == 0 && !answer.out.contains("hunter2"),
        "{answer:?}"
    );
    let answer: Value = serde_json::from_str(&answer.out).unwrap();
    answer["identity"].as_str().unwrap_or_default().to_owned()
}

fn forget(node: &Node, extension: &str) {
    for file in tokens::files(node, extension) {
        fs::remove_file(file).unwrap();
    }
}

#[test]
fn two_sessions_of_aws_on_one_runner_never_get_each_others_token() {
    let Some(clouds) = Clouds::start() else {
        return;
    };
    let node = clouds.node();
    alternate(&clouds, ECR, KEYS, |turn| in_session(&node, KEYS[turn]));
    assert_eq!(identities(&node).len(), 2);
    assert!(
        identities(&node).contains(&format!("key {}", KEYS[0])),
        "{:?}",
        identities(&node)
    );
    assert_eq!(
        explained(&in_session(&node, KEYS[1]), ECR),
        format!("the node's own: key {}", KEYS[1])
    );
    // Anyone who knows the key's id alone, or another session's token, has not that identity.
    for (name, value) in [
        ("AWS_SECRET_ACCESS_KEY", "guessed"),
        ("AWS_SESSION_TOKEN", "another"),
    ] {
        in_session(&node, KEYS[0]).with(name, value).pair(ECR);
        assert_eq!(clouds.mints().len(), 1, "{name}");
    }
}

#[test]
fn an_edited_profile_is_another_identity_until_it_is_put_back() {
    let Some(clouds) = Clouds::start() else {
        return;
    };
    let node = clouds.node().with("AWS_PROFILE", "ci");
    let (config, credentials) = (
        node.home().join(".aws/config"),
        node.home().join(".aws/credentials"),
    );
    write(
        &credentials,
        &format!(
            "[base]\naws_access_key_id = {}\naws_secret_access_key = hunter2\n",
            KEYS[0]
        ),
    );
    let assuming = |role: &str| format!("[profile ci]\nrole_arn = {role}\nsource_profile = base\n");
    alternate(&clouds, ECR, ROLES, |turn| {
        write(&config, &assuming(ROLES[turn]));
        node.clone_with("TURN", "")
    });
    assert_eq!(
        explained(&node, ECR),
        format!("the node's own: profile ci (role {})", ROLES[1])
    );
    // The source of the profile is a part of it, and what stands in other profiles is not.
    write(
        &credentials,
        &fs::read_to_string(&credentials)
            .unwrap()
            .replace(KEYS[0], KEYS[1]),
    );
    assert_eq!(
        (whose(&node, ECR).as_str(), clouds.mints().len()),
        (ROLES[1], 1)
    );
    write(
        &config,
        &format!(
            "{}[profile other]\nregion = eu-west-1\n",
            assuming(ROLES[1])
        ),
    );
    assert_eq!(
        (whose(&node, ECR).as_str(), clouds.mints().len()),
        (ROLES[1], 0)
    );
}

#[test]
fn two_profiles_with_keys_of_their_own_never_get_each_others_token() {
    let Some(clouds) = Clouds::start() else {
        return;
    };
    let node = clouds.node();
    let credentials = node.home().join(".aws/credentials");
    alternate(&clouds, ECR, KEYS, |turn| {
        write(
            &credentials,
            &format!(
                "[default]\naws_access_key_id={}\naws_secret_access_key=hunter2\n",
                KEYS[turn]
            ),
        );
        node.clone_with("TURN", "")
    });
    fs::remove_file(credentials).unwrap();
    assert_eq!(node.get(ECR), Answer::not_found());
    assert_eq!(
        tokens::files(&node, "token").len(),
        2,
        "and they are there for whoever they are of"
    );
}

#[test]
fn two_documents_of_google_in_one_place_never_get_each_others_token() {
    let Some(clouds) = Clouds::start() else {
        return;
    };
    let emails = [
        "one@p.iam.gserviceaccount.com",
        "two@p.iam.gserviceaccount.com",
    ];
    let file = clouds.scratch().join("adc.json");
    let node = clouds
        .node()
        .with("GOOGLE_APPLICATION_CREDENTIALS", file.to_str().unwrap());
    alternate(&clouds, GOOGLE, emails, |turn| {
        write(&file, &service_account(&clouds, emails[turn]).to_string());
        node.clone_with("TURN", "")
    });
    assert_eq!(
        explained(&node, GOOGLE),
        format!("the node's own: service account {}", emails[1])
    );
    assert!(identities(&node).contains(&format!("service account {}", emails[0])));
    fs::remove_file(&file).unwrap();
    assert!(node.get(GOOGLE).failure().contains("there is no file"));
}

#[test]
fn two_applications_of_azure_never_get_each_others_token() {
    let Some(clouds) = Clouds::start() else {
        return;
    };
    let node = clouds.node().with("AZURE_TENANT_ID", TENANT);
    let of = |turn: usize| format!("{TENANT} {} by secret hunter2-{turn}", CLIENTS[turn]);
    let whose_turn = [of(0), of(1)];
    alternate(&clouds, AZURE, [&whose_turn[0], &whose_turn[1]], |turn| {
        node.clone_with("AZURE_CLIENT_ID", CLIENTS[turn])
            .with("AZURE_CLIENT_SECRET", format!("hunter2-{turn}"))
    });
    assert!(
        identities(&node).contains(&format!("application {}", CLIENTS[1])),
        "{:?}",
        identities(&node)
    );
    // A wrong secret is not the right one's identity, nor is another tenant or authority.
    let first = node
        .clone_with("AZURE_CLIENT_ID", CLIENTS[0])
        .with("AZURE_CLIENT_SECRET", "hunter2-0");
    for (name, value) in [
        ("AZURE_CLIENT_SECRET", "guessed"),
        ("AZURE_TENANT_ID", "contoso.onmicrosoft.com"),
        ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com"),
    ] {
        first.clone_with(name, value).pair(AZURE);
        let minted = clouds.mints().len();
        // The authority that is named is the one that is used anyway: the same identity.
        assert_eq!(
            minted,
            usize::from(name != "AZURE_AUTHORITY_HOST"),
            "{name}"
        );
    }
}

#[test]
fn a_web_identity_is_its_tokens_subject_through_every_renewal() {
    let Some(clouds) = Clouds::start() else {
        return;
    };
    let file = clouds.scratch().join("token");
    let issue = |subject: &str, number: u64| {
        let claims = json!({"iss": "https://oidc", "sub": subject, "aud": ["sts.amazonaws.com"], "exp": number, "jti": number});
        write(&file, &format!("{}\n", token(&claims)));
    };
    let node = clouds
        .node()
        .with("AWS_ROLE_ARN", ROLES[0])
        .with("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap());
    for number in 0..5 {
        issue("system:serviceaccount:a:b", number);
        assert_eq!(
            whose(&node, ECR),
            format!("{} as system:serviceaccount:a:b", ROLES[0])
        );
    }
    assert_eq!(clouds.mints().len(), 1);
    issue("system:serviceaccount:a:c", 5);
    assert_eq!(
        whose(&node, ECR),
        format!("{} as system:serviceaccount:a:c", ROLES[0])
    );
    whose(&node.clone_with("AWS_ROLE_ARN", ROLES[1]), ECR);
    assert_eq!(clouds.mints().len(), 2);
    assert_eq!(
        explained(&node, ECR),
        format!(
            "the node's own: role {} (web identity of system:serviceaccount:a:c)",
            ROLES[0]
        )
    );
    fs::remove_file(&file).unwrap();
    let line = node.get(ECR).failure().to_owned();
    assert!(
        line.contains("AWS_WEB_IDENTITY_TOKEN_FILE names") && line.contains("does not exist"),
        "{line}"
    );
}

#[test]
fn pods_that_share_the_address_of_an_agent_are_told_apart_by_the_token_they_show_it() {
    let Some(clouds) = Clouds::start() else {
        return;
    };
    clouds.be(Some("agent"));
    let uri = format!("http://{}/v1/credentials", clouds.metadata());
    let file = clouds.scratch().join("token");
    let node = clouds
        .node()
        .with("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri);
    let node = node.with(
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        file.to_str().unwrap(),
    );
    for (subject, number, mints) in [
        ("pod-a", 1, 1),
        ("pod-a", 2, 0),
        ("pod-b", 3, 1),
        ("pod-a", 4, 0),
    ] {
        write(
            &file,
            &token(&json!({"iss": "https://oidc", "sub": subject, "exp": number})),
        );
        assert_eq!(
            (whose(&node, ECR).as_str(), clouds.mints().len()),
            (subject, mints),
            "{number}"
        );
    }
    // In the environment, the same.
    let token = token(&json!({"iss": "https://oidc", "sub": "pod-b"}));
    let node = node
        .without("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        .with("AWS_CONTAINER_AUTHORIZATION_TOKEN", token);
    assert_eq!(
        (whose(&node, ECR).as_str(), clouds.mints().len()),
        ("pod-b", 0)
    );
}

#[test]
fn what_an_agent_gives_that_is_shown_no_token_is_not_kept() {
    let Some(clouds) = Clouds::start() else {
        return;
    };
    let uri = format!("http://{}/v1/credentials", clouds.metadata());
    let node = clouds
        .node()
        .with("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri);
    let profile = node.clone_with("AWS_PROFILE", "p");
    write(
        &node.home().join(".aws/config"),
        &format!(
            "[profile p]\nrole_arn = {}\ncredential_source = EcsContainer\n",
            ROLES[0]
        ),
    );
    for agent in CLIENTS {
        clouds.be(Some(agent));
        assert_eq!(whose(&node, ECR), agent);
        assert_eq!(whose(&profile, ECR), ROLES[0]);
        assert_eq!(clouds.mints().len(), 2, "{agent}");
    }
    assert_eq!(identities(&node), Vec::<String>::new());
}

#[test]
fn a_profiles_command_does_not_see_what_is_this_programs_own_secret() {
    let Some(clouds) = Clouds::start() else {
        return;
    };
    let payload = r#"{"registry":"ghcr.io","type":"basic","credentials":{"USERNAME":"u","PASSWORD":"hunter2"}}"#;
    let node = clouds
        .node()
        .with("PATH", "/usr/bin:/bin")
        .with("BETA9_TOKEN", "hunter2")
        .with("BETA9_WORKER_TOKEN", "hunter2")
        .with("BETA9_DATABASE_URL", "postgres://u:hunter2@127.0.0.1/db")
        .with("BETA9_IMAGE_CREDENTIALS", payload);
    let key = "KEY-$BETA9_TOKEN-$BETA9_WORKER_TOKEN-$BETA9_DATABASE_URL-$BETA9_IMAGE_CREDENTIALS-$BETA9_TIMEOUT";
    for name in ["credential_process", "  Credential_Process"] {
        let command =
            format!(r#"printf '{{"Version":1,"AccessKeyId":"%s","SecretAccessKey":"x"}}' "{key}""#);
        write(
            &node.home().join(".aws/config"),
            &format!("[default]\n{}={command} # a remark\n", name.trim_start()),
        );
        assert_eq!(whose(&node, ECR), "KEY-----60s", "{name}");
        forget(&node, "token");
    }
}

#[test]
fn the_node_never_logs_in_for_a_refused_secret_named_or_not() {
    let Some(clouds) = Clouds::start() else {
        return;
    };
    let gateway = Gateway::start();
    gateway.plant("AWS_ACCESS_KEY_ID", "not a key");
    gateway.plant("AWS_SECRET_ACCESS_KEY", "hunter2");
    let node = gateway
        .wire(in_session(&clouds.node(), KEYS[0]))
        .with("BETA9_SINGLE_SECRETS", "all");
    let answer = node.get(ECR);
    let line = answer.failure();
    assert!(
        line.starts_with(&format!("{ECR}: its secret: AWS_ACCESS_KEY_ID")),
        "{line}"
    );
    assert!(clouds.mints().is_empty());
    // Without it, nothing stands in, and what was tried is said.
    let answer = node.clone_with("BETA9_AMBIENT", "false").get(ECR);
    assert_eq!(answer.out, Answer::not_found().out);
    assert!(answer.err.contains("were tried"), "{answer:?}");
    // Once it is gone, the node may.
    gateway.remove("AWS_ACCESS_KEY_ID");
    assert_eq!(whose(&node, ECR), KEYS[0]);
}

/// A node that is a machine of each cloud's: its metadata services are at the fakes.
fn on_machines(clouds: &Clouds) -> [(&'static str, Node); 3] {
    let aws = clouds.node().with("AWS_EC2_METADATA_DISABLED", "false");
    let azure = format!("http://{}/msi/token", clouds.metadata());
    [
        (
            ECR,
            aws.with(
                "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                format!("http://{}", clouds.metadata()),
            ),
        ),
        (
            GOOGLE,
            clouds.node().with("GCE_METADATA_HOST", clouds.metadata()),
        ),
        (
            AZURE,
            clouds
                .node()
                .with("IDENTITY_ENDPOINT", azure)
                .with("IDENTITY_HEADER", "hunter2"),
        ),
    ]
}

#[test]
fn the_metadata_service_is_asked_once_in_minutes_and_its_failure_is_an_error() {
    let Some(clouds) = Clouds::start() else {
        return;
    };
    let [one, two] = CLIENTS;
    for (host, node) in on_machines(&clouds) {
        clouds.be(Some(one));
        assert_eq!(whose(&node, host), one);
        assert!(clouds.asked() > 0 && clouds.mints().len() == 1, "{host}");
        for _ in 0..3 {
            assert_eq!(whose(&node, host), one);
        }
        assert_eq!(
            (clouds.asked(), clouds.mints().len()),
            (0, 0),
            "{host}: a hit asks nobody"
        );
        let named = identities(&node).remove(0);
        assert!(
            named.ends_with(one) && explained(&node, host).ends_with(one),
            "{host}: {named}"
        );
        // The minutes are over.
        forget(&node, "memo");
        clouds.be(Some(two));
        assert_eq!(
            (whose(&node, host).as_str(), clouds.mints().len()),
            (two, 1),
            "{host}"
        );
        forget(&node, "memo");
        clouds.be(None);
        let line = node.get(host).failure().to_owned();
        assert!(line.contains("backend "), "{host}: {line}");
        assert!(clouds.mints().is_empty());
        clouds.be(Some(one));
        assert_eq!(
            (whose(&node, host).as_str(), clouds.mints().len()),
            (one, 0),
            "{host}: its own token again"
        );
    }
}

#[test]
fn a_silent_metadata_service_is_an_error_if_the_node_should_have_an_identity() {
    let node = Node::new().with("BETA9_AMBIENT", "true");
    // Nobody listens on port 1.
    for (host, name, value) in [
        (
            ECR,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            "http://127.0.0.1:1",
        ),
        (GOOGLE, "GCE_METADATA_HOST", "127.0.0.1:1"),
        (AZURE, "IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token"),
    ] {
        let node = node
            .clone_with(name, value)
            .with("IDENTITY_HEADER", "hunter2");
        for node in [node.clone_with("TURN", ""), node.with("BETA9_CACHE", "off")] {
            let line = node.get(host).failure().to_owned();
            assert!(
                line.contains("127.0.0.1") && line.contains("refused the connection"),
                "{line}"
            );
        }
    }
}

#[test]
fn a_token_is_not_cached_if_the_machines_identity_changed_meanwhile() {
    let Some(clouds) = Clouds::start() else {
        return;
    };
    let [one, two] = CLIENTS;
    for (host, node) in on_machines(&clouds) {
        clouds.be(Some(one));
        whose(&node, host);
        forget(&node, "token");
        clouds.be(Some(two));
        assert_eq!(whose(&node, host), two);
        clouds.mints();
        forget(&node, "memo");
        clouds.be(Some(one));
        assert_eq!(
            (whose(&node, host).as_str(), clouds.mints().len()),
            (one, 1),
            "{host}"
        );
    }
}

#[test]
fn a_node_without_an_identity_for_a_cloud_pulls_anonymously_from_it() {
    let Some(clouds) = Clouds::start() else {
        return;
    };
    let answer = clouds.node().with("BETA9_LOG", "debug").get(ECR);
    assert_eq!((answer.status, answer.out.as_str()), (1, common::NOT_FOUND));
    assert!(
        answer
            .err
            .contains("this node has no AWS identity: AWS_ACCESS_KEY_ID is not set"),
        "{}",
        answer.err
    );
    assert!(explained(&clouds.node(), ECR).starts_with("none: this node has no AWS identity"));
}

#[test]
fn ambient_names_the_clouds_whose_registries_the_node_may_log_in_to() {
    let Some(clouds) = Clouds::start() else {
        return;
    };
    let file = clouds.scratch().join("adc.json");
    write(&file, &service_account(&clouds, "one@p").to_string());
    let node = in_session(&clouds.node(), KEYS[0])
        .with("GOOGLE_APPLICATION_CREDENTIALS", file.to_str().unwrap());
    let served = |node: &Node| [ECR, GOOGLE].map(|host| node.get(host).status == 0);
    assert_eq!(served(&node), [true, true]);
    assert_eq!(
        served(&node.clone_with("BETA9_AMBIENT", "aws")),
        [true, false]
    );
    assert_eq!(
        served(&node.clone_with("BETA9_AMBIENT", "gcp, azure")),
        [false, true]
    );
    assert_eq!(
        served(&node.clone_with("BETA9_AMBIENT", "false")),
        [false, false]
    );
    let node = node.without("BETA9_AMBIENT");
    let rule = format!(
        "ambient = [\"gcp\"]\n[[registry]]\nhost = \"{ECR}\"\nambient = [\"aws\", \"gcp\"]\n"
    );
    assert_eq!(
        served(&node.clone_with("TURN", "").configured(&rule)),
        [true, true]
    );
    assert_eq!(
        served(
            &node
                .clone_with("TURN", "")
                .configured("ambient = [\"gcp\"]")
        ),
        [false, true]
    );
    assert_eq!(
        served(&node.clone_with("TURN", "").configured("ambient = []")),
        [false, false]
    );
    let line = node
        .with("BETA9_AMBIENT", "aws,google")
        .get(ECR)
        .failure()
        .to_owned();
    assert_eq!(
        line,
        "BETA9_AMBIENT: it is not true, false or a list such as aws,gcp,azure; correct it, or unset it"
    );
}

#[test]
fn a_role_without_access_to_the_public_gallery_pulls_anonymously_with_a_warning() {
    let Some(clouds) = Clouds::start() else {
        return;
    };
    let node = in_session(&clouds.node(), KEYS[0]);
    clouds.deny();
    // Also by a failure that is shared for seconds.
    for _ in 0..2 {
        let answer = node.get("public.ecr.aws");
        assert_eq!((answer.status, answer.out.as_str()), (1, common::NOT_FOUND));
        assert!(
            answer.err.contains("access denied")
                && answer.err.contains("the client will pull anonymously"),
            "{}",
            answer.err
        );
        assert!(!answer.err.contains("hunter2"));
    }
    assert!(node.get(ECR).failure().contains("access denied"));
}

#[test]
fn a_token_lives_no_longer_than_was_asked_for_whatever_the_clock_of_google_says() {
    let Some(clouds) = Clouds::start() else {
        return;
    };
    let file = clouds.scratch().join("adc.json");
    let document = json!({
        "type": "impersonated_service_account", "source_credentials": service_account(&clouds, "one@p"),
        "service_account_impersonation_url":
            "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/two@p:generateAccessToken",
    });
    write(&file, &document.to_string());
    let node = clouds
        .node()
        .with("GOOGLE_APPLICATION_CREDENTIALS", file.to_str().unwrap());
    // So it looks to a node whose clock is two hours behind.
    clouds.life(Duration::from_hours(3));
    assert_eq!(whose(&node, GOOGLE), "two@p");
    let left = status(&node)[0]["token"]["left_seconds"].as_u64().unwrap();
    assert!((1..=3600).contains(&left), "{left}");
    assert_eq!(identities(&node), ["service account two@p"]);
}

#[test]
fn refresh_leaves_the_token_of_an_identity_that_the_node_has_in_another_environment() {
    let Some(clouds) = Clouds::start() else {
        return;
    };
    let node = clouds.node();
    let job = in_session(&node, KEYS[0]);
    whose(&job, ECR);
    clouds.mints();
    let said = |node: &Node| {
        let answer = node.run(&["refresh", "--all"], "");
        assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
        answer.out
    };
    let left = format!(
        "[1/1] {ECR} (default): left: it belongs to another identity than the node has in this environment\n"
    );
    for other in [
        node.clone_with("TURN", ""),
        in_session(&node, KEYS[1]),
        node.clone_with("BETA9_AMBIENT", "false"),
    ] {
        assert_eq!(said(&other), left);
    }
    assert!(clouds.mints().is_empty());
    assert_eq!(
        (whose(&job, ECR).as_str(), clouds.mints().len()),
        (KEYS[0], 0)
    );
    assert_eq!(said(&job), format!("[1/1] {ECR} (default): renewed\n"));
    assert_eq!(clouds.mints(), [KEYS[0]]);
}

#[test]
fn what_a_helper_cannot_use_of_a_profile_is_an_error_that_names_it() {
    let node = Node::new()
        .with("BETA9_AMBIENT", "true")
        .with("AWS_EC2_METADATA_DISABLED", "true");
    let config: PathBuf = node.home().join(".aws/config");
    let failure = |node: &Node, text: &str| {
        write(&config, text);
        node.get(ECR).failure().to_owned()
    };
    let home = node.home().display();
    let named = node.clone_with("AWS_PROFILE", "typo");
    assert_eq!(
        failure(&named, "[profile other]\nregion = us-east-1\n"),
        format!(
            "{ECR}: backend aws: AWS_PROFILE names the profile typo, which is not in {home}/.aws/config and \
             {home}/.aws/credentials; correct the name, or add [profile typo]"
        )
    );
    for (text, cause, fix) in [
        (
            "role_arn = arn:x\nsource_profile = gone\n",
            "source_profile of the profile default names the profile gone",
            "correct the name",
        ),
        (
            "role_arn = arn:x\nsource_profile = two\n[profile two]\nrole_arn = arn:y\nsource_profile = default\n",
            "the profile default leads back to itself",
            "correct source_profile",
        ),
        (
            "role_arn = arn:x\nsource_profile = two\nmfa_serial = arn:hunter2\n[profile two]\n",
            "the profile default has mfa_serial",
            "aws sts get-session-token",
        ),
        (
            "login_session = arn:hunter2\n",
            "the profile default is a login_session of aws login",
            "aws sso login",
        ),
        (
            "sso_session = s\nsso_account_id = 1\nsso_role_name = r\n[sso-session s]\nsso_start_url = https://s\nsso_region = us-east-1\n",
            "the profile default has no SSO session",
            "aws sso login --profile default",
        ),
        (
            "role_arn = arn:x\nweb_identity_token_file = here\n",
            "not an absolute path",
            "give the whole path",
        ),
        ("hunter2\n", "cannot be parsed: line 2", "correct the file"),
    ] {
        let line = failure(&node, &format!("[default]\n{text}"));
        assert!(
            line.starts_with(&format!("{ECR}: backend aws: "))
                && line.contains(cause)
                && line.contains(fix),
            "{line}"
        );
        assert!(!line.contains("hunter2"), "{line}");
    }
    // As the SDK has it, keys in the environment come before any profile.
    write(&config, "[profile other]\n");
    assert!(explained(&in_session(&named, KEYS[0]), ECR).ends_with(KEYS[0]));
    let relative = node
        .clone_with("AWS_CONFIG_FILE", "config")
        .get(ECR)
        .failure()
        .to_owned();
    assert!(
        relative.contains("AWS_CONFIG_FILE: it is not an absolute path"),
        "{relative}"
    );
}

#[test]
fn an_application_of_azure_logs_in_with_its_certificate() {
    let Some(clouds) = Clouds::start() else {
        return;
    };
    let file = clouds.scratch().join("app.pem");
    let dir = clouds.scratch();
    rsa_key(dir);
    let args = "req -x509 -key rsa.key -out certificate.pem -days 2 -subj /CN=app";
    assert!(
        Command::new("openssl")
            .args(args.split(' '))
            .current_dir(dir)
            .output()
            .unwrap()
            .status
            .success()
    );
    write(
        &file,
        &(rsa_key(dir) + &fs::read_to_string(dir.join("certificate.pem")).unwrap()),
    );
    let node = clouds
        .node()
        .with("AZURE_TENANT_ID", TENANT)
        .with("AZURE_CLIENT_ID", CLIENTS[0]);
    let node = node.with("AZURE_CLIENT_CERTIFICATE_PATH", file.to_str().unwrap());
    for _ in 0..2 {
        assert_eq!(
            whose(&node, AZURE),
            format!("{TENANT} {0} by token of {0}", CLIENTS[0])
        );
    }
    assert_eq!(clouds.mints().len(), 1);
    assert_eq!(
        identities(&node),
        [format!("application {} (certificate)", CLIENTS[0])]
    );
    write(&file, "hunter2");
    let line = node.get(AZURE).failure().to_owned();
    assert!(
        line.contains("AZURE_CLIENT_CERTIFICATE_PATH names") && line.contains("openssl pkcs12"),
        "{line}"
    );
    assert!(!line.contains("hunter2"));
}
