//! The gateway's HTTP API as the workspace store: names, round trips, ownership of secrets, and every fault.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use beta9_credential::config::{GatewayConfig, SecretSetting};
use beta9_credential::error::Error;
use beta9_credential::host::Host;
use beta9_credential::store::{GatewayStore, Store, name};
use common::gateway::{
    ADMIN_TOKEN, Gateway, Mood, OTHER_TOKEN, OTHER_WORKSPACE, RESTRICTED_TOKEN, TOKEN, TOKENS,
    WORKSPACE,
};
use common::vectors::assert_all_that_beta9_built_is_answered;
use common::{Answer, Node};
use serde_json::json;

fn blob(host: &str, password: &str) -> String {
    format!(
        r#"{{"credentials":{{"PASSWORD":"{password}","USERNAME":"u"}},"registry":"{host}","type":"basic"}}"#
    )
}

/// The names of a host's secret, those that count most first.
fn names(host: &str) -> Vec<String> {
    name::candidates(&Host::parse(host.as_bytes()).unwrap())
}

fn secret(node: &Node, host: &str) -> String {
    node.pair(host).1
}

/// A failure's line, which shows nothing that is secret.
fn failure(answer: &Answer) -> &str {
    let line = answer.failure();
    assert!(!line.contains("hunter2"), "{line}");
    line
}

#[test]
fn the_first_get_takes_two_or_three_round_trips_and_every_later_one_takes_one() {
    for name in &names("ghcr.io") {
        let gateway = Gateway::start();
        let node = gateway.node();
        gateway.plant(name, &blob("ghcr.io", "1"));
        // The workspace; the likeliest name with the list of names; and what is listed, where that is another one.
        let first: &[usize] = if *name == names("ghcr.io")[0] {
            &[1, 2]
        } else {
            &[1, 2, 1]
        };
        gateway.expect_batches(first);
        assert_eq!(secret(&node, "ghcr.io"), "1");
        gateway.check_batches(first);
        // The name that hit, and the list, which would show one that counts more.
        gateway.expect_batches(&[2]);
        assert_eq!(secret(&node, "ghcr.io"), "1");
        gateway.check_batches(&[2]);
        // The workspace is remembered for every host, and a miss takes one round trip too.
        gateway.expect_batches(&[2]);
        assert_eq!(node.get("quay.io"), Answer::not_found());
        gateway.check_batches(&[2]);
    }
}

#[test]
fn with_a_workspace_in_the_configuration_the_first_get_takes_one_round_trip() {
    let gateway = Gateway::start();
    let node = gateway.node().with("BETA9_WORKSPACE_ID", WORKSPACE);
    gateway.plant("oci-registry-ghcr-io", &blob("ghcr.io", "1"));
    // Without a place to remember anything, it works all the same.
    for node in [&node, &node, &node.clone_with("BETA9_CACHE", "off")] {
        gateway.expect_batches(&[2]);
        assert_eq!(secret(node, "ghcr.io"), "1");
        gateway.check_batches(&[2]);
    }
    assert_eq!(gateway.secrets().len(), 1);
}

#[test]
fn a_service_uses_systemds_token_unless_a_variable_sets_another() {
    let gateway = Gateway::start();
    gateway.plant("oci-registry-ghcr-io", &blob("ghcr.io", "1"));
    let node = gateway.node().without("BETA9_TOKEN");
    let credentials = node.home().join("credentials");
    fs::create_dir(&credentials).unwrap();
    let node = node.with("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap());
    assert!(failure(&node.get("ghcr.io")).contains("token"));
    let file = credentials.join("beta9-token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o440)).unwrap();
    assert_eq!(secret(&node, "ghcr.io"), "1");
    // The file is what a refusal is about.
    fs::write(&file, "hunter2").unwrap();
    assert!(failure(&node.get("ghcr.io")).contains(file.to_str().unwrap()));
    assert_eq!(secret(&node.with("BETA9_TOKEN", TOKEN), "ghcr.io"), "1");
}

#[test]
fn a_secret_under_another_name_than_the_last_time_is_found_by_the_very_next_get() {
    let gateway = Gateway::start();
    let node = gateway.node();
    let names = names("ghcr.io");
    gateway.plant(&names[1], &blob("ghcr.io", "api"));
    assert_eq!(secret(&node, "ghcr.io"), "api");
    // One that counts more appears beside it.
    gateway.plant(&names[0], &blob("ghcr.io", "current"));
    assert_eq!(secret(&node, "ghcr.io"), "current");
    gateway.expect_batches(&[2]);
    assert_eq!(secret(&node, "ghcr.io"), "current");
    gateway.check_batches(&[2]);
    // It goes, and the other is seen in the list.
    gateway.remove(&names[0]);
    gateway.expect_batches(&[2, 1]);
    assert_eq!(secret(&node, "ghcr.io"), "api");
    gateway.check_batches(&[2, 1]);
}

#[test]
fn a_secret_is_created_under_a_name_that_the_api_takes_and_updated_where_it_is() {
    let gateway = Gateway::start();
    let node = gateway.node();
    assert_eq!(node.store("ghcr.io", "u", "1"), Answer::silence());
    assert_eq!(
        gateway.secrets().into_iter().collect::<Vec<_>>(),
        [("OCI_REGISTRY_GHCR_IO".into(), blob("ghcr.io", "1"))]
    );
    for name in [
        "oci-registry-quay-io".to_owned(),
        names("quay.io")[2].clone(),
        names("quay.io")[3].clone(),
    ] {
        let gateway = Gateway::start();
        let node = gateway.node();
        gateway.plant(&name, "old:old");
        assert_eq!(node.store("quay.io", "u", "new"), Answer::silence());
        assert_eq!(
            gateway.secrets().into_iter().collect::<Vec<_>>(),
            [(name, blob("quay.io", "new"))]
        );
        assert_eq!(secret(&node, "quay.io"), "new");
    }
    let long = format!("{}.example.com", "registry".repeat(7));
    assert_eq!(node.store(&long, "u", "2"), Answer::silence());
    assert!(
        names(&long)[1].starts_with("OCI_CREDS_")
            && gateway.secrets().contains_key(&names(&long)[1])
    );
    assert_eq!(secret(&node, &long), "2");
}

#[test]
fn the_secret_of_another_host_is_neither_answered_nor_overwritten_nor_erased() {
    let gateway = Gateway::start();
    let node = gateway.node();
    let (ours, theirs) = ("a-b.example", "a.b.example");
    let names = names(ours);
    for name in &names[..2] {
        gateway.plant(name, &blob(theirs, "theirs"));
    }
    assert_eq!(node.get(ours), Answer::not_found());
    assert_eq!(node.erase(ours), Answer::silence());
    assert_eq!(node.store(ours, "u", "ours"), Answer::silence());
    assert_eq!(gateway.secrets()[&names[3]], blob(ours, "ours"));
    assert_eq!(
        (secret(&node, ours), secret(&node, theirs)),
        ("ours".into(), "theirs".into())
    );
    assert_eq!(node.erase(ours), Answer::silence());
    assert_eq!(
        gateway.secrets().into_values().collect::<Vec<_>>(),
        [blob(theirs, "theirs"), blob(theirs, "theirs")]
    );
    assert_eq!(node.get(ours), Answer::not_found());
    // Erasing takes all of a host's own, so that none that counted less comes up.
    assert_eq!(node.erase(theirs), Answer::silence());
    assert_eq!(gateway.secrets().len(), 0);
}

#[test]
fn a_secret_that_names_no_registry_is_nobodys_under_a_name_that_other_hosts_have() {
    let gateway = Gateway::start();
    let node = gateway.node();
    let host = "registry-one.example";
    let names = names(host);
    // It may be that of registry.one.example, which has the same name.
    gateway.plant(&names[0], "octo:theirs");
    let nobodys = format!(
        "{host}: gateway store: the secret {0} does not say which registry it is for, and other hosts have that name too; add \"registry\" to it, or set secret = \"{0}\" in a rule for this registry",
        names[0]
    );
    assert_eq!(node.get(host).failure(), nobodys);
    assert_eq!(node.erase(host).failure(), nobodys);
    assert_eq!(node.store(host, "u", "ours"), Answer::silence());
    assert_eq!(secret(&node, host), "ours");
    assert_eq!(gateway.secrets()[&names[0]], "octo:theirs");
    // The operator may say whose it is, and a hash is one host's.
    let rule = format!(
        "[[registry]]\nhost = \"{host}\"\nsecret = \"{}\"\n",
        names[0]
    );
    assert_eq!(secret(&gateway.node().configured(&rule), host), "theirs");
    gateway.plant(&names[2], "octo:hashed");
    gateway.remove(&names[1]);
    assert_eq!(secret(&gateway.node(), host), "hashed");
}

#[test]
fn a_secret_that_somebody_else_creates_at_the_same_time_is_updated_or_let_be() {
    let gateway = Gateway::start();
    let node = gateway.node();
    gateway.be_faster("OCI_REGISTRY_A_B_EXAMPLE", &blob("a.b.example", "theirs"));
    assert_eq!(node.store("a.b.example", "u", "ours"), Answer::silence());
    assert_eq!(
        gateway.secrets().into_values().collect::<Vec<_>>(),
        [blob("a.b.example", "ours")]
    );

    let gateway = Gateway::start();
    let node = gateway.node();
    gateway.be_faster("OCI_REGISTRY_A_B_EXAMPLE", &blob("a-b.example", "theirs"));
    assert_eq!(node.store("a.b.example", "u", "ours"), Answer::silence());
    assert_eq!(
        gateway.secrets()["OCI_REGISTRY_A_B_EXAMPLE"],
        blob("a-b.example", "theirs")
    );
    assert_eq!(
        gateway.secrets()[&names("a.b.example")[3]],
        blob("a.b.example", "ours")
    );
}

#[test]
fn a_damaged_secret_of_unknown_owner_is_neither_overwritten_nor_erased() {
    let gateway = Gateway::start();
    let node = gateway.node();
    gateway.plant("oci-registry-ghcr-io", "hunter2");
    for answer in [
        node.get("ghcr.io"),
        node.store("ghcr.io", "u", "hunter2"),
        node.erase("ghcr.io"),
    ] {
        let line = failure(&answer);
        assert!(
            line.contains("the secret oci-registry-ghcr-io cannot be used: ")
                && line.contains("correct or delete it")
        );
    }
    assert_eq!(
        gateway.secrets().into_values().collect::<Vec<_>>(),
        ["hunter2"]
    );
}

#[test]
fn a_rule_that_names_a_secret_means_that_one_alone() {
    let rule = |secret: &str| format!("[[registry]]\nhost = \"ghcr.io\"\nsecret = \"{secret}\"\n");
    let gateway = Gateway::start();
    let node = gateway.node().configured(&rule("MINE"));
    gateway.plant("oci-registry-ghcr-io", &blob("ghcr.io", "derived"));
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    assert_eq!(node.store("ghcr.io", "u", "named"), Answer::silence());
    assert_eq!(secret(&node, "ghcr.io"), "named");
    assert_eq!(gateway.secrets()["MINE"], blob("ghcr.io", "named"));
    gateway.expect_batches(&[2]);
    assert_eq!(secret(&node, "ghcr.io"), "named");
    gateway.check_batches(&[2]);
    assert_eq!(node.erase("ghcr.io"), Answer::silence());
    assert_eq!(
        gateway.secrets().into_keys().collect::<Vec<_>>(),
        ["oci-registry-ghcr-io"]
    );
    // Nor is anything done to a secret that is another registry's, whatever the rule says.
    gateway.plant("MINE", &blob("quay.io", "theirs"));
    assert!(
        failure(&node.store("ghcr.io", "u", "x")).contains("MINE is another registry's secret")
    );
    let node = node.configured(&rule("oci-mine"));
    assert!(
        failure(&node.store("ghcr.io", "u", "x"))
            .contains("takes only letters, digits and underscores")
    );
    let node = node.configured(&rule("../api/v1/workspace/current"));
    gateway.requests();
    assert!(failure(&node.get("ghcr.io")).contains("cannot be a secret's name"));
    assert_eq!(gateway.requests(), Vec::<String>::new());
}

#[test]
fn a_refused_token_is_an_error_that_says_where_it_is_from_and_for_which_workspace() {
    let gateway = Gateway::start();
    let node = || gateway.node().with("BETA9_WORKSPACE_ID", WORKSPACE);
    let file = |node: Node, token: &str| {
        let path = node.home().join("token");
        std::fs::write(&path, format!("{token}\n")).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        let toml = format!("[store.gateway]\ntoken_file = \"{}\"\n", path.display());
        node.without("BETA9_TOKEN").configured(&toml)
    };
    let inline = "[store.gateway]\ntoken = \"hunter2\"\n";
    let table = [
        (node().with("BETA9_TOKEN", "hunter2"), "BETA9_TOKEN"),
        (node().with("BETA9_TOKEN", OTHER_TOKEN), "BETA9_TOKEN"),
        (node().with("BETA9_TOKEN", RESTRICTED_TOKEN), "BETA9_TOKEN"),
        (
            node().without("BETA9_TOKEN").with("BEAM_TOKEN", "hunter2"),
            "BEAM_TOKEN",
        ),
        (
            node().without("BETA9_TOKEN").configured(inline),
            "store.gateway.token",
        ),
        (file(node(), "hunter2"), "/token"),
    ];
    for (node, source) in table {
        for answer in [
            node.get("ghcr.io"),
            node.store("ghcr.io", "u", "hunter2"),
            node.erase("ghcr.io"),
        ] {
            let line = failure(&answer);
            assert!(
                line.starts_with("ghcr.io: gateway store: http://127.0.0.1:"),
                "{line}"
            );
            assert!(
                line.contains(&format!("{source} for workspace {WORKSPACE} (401)")),
                "{line}"
            );
        }
        let list = node.run(&["list"], "");
        assert!(
            list.status == 1 && list.out.contains("refused the token from "),
            "{list:?}"
        );
        assert!(
            list.out.ends_with('\n') && list.out.lines().count() == 1 && list.err.contains("(401)"),
            "{list:?}"
        );
    }
    // A token whose workspace is not known yet.
    let answer = gateway.node().with("BETA9_TOKEN", "hunter2").get("ghcr.io");
    assert!(
        failure(&answer).contains("refused the token from BETA9_TOKEN for its own workspace (401)")
    );
    gateway.mood(Mood::Status(403));
    assert!(failure(&node().get("ghcr.io")).contains(&format!("for workspace {WORKSPACE} (403)")));
    gateway.mood(Mood::Well);
    assert_eq!(file(node(), TOKEN).get("ghcr.io"), Answer::not_found());
}

#[test]
fn a_wrong_workspace_a_missing_token_and_a_missing_url_are_told() {
    let gateway = Gateway::start();
    let node = gateway.node().with("BETA9_WORKSPACE_ID", "my-workspace");
    assert!(failure(&node.get("ghcr.io")).contains("for workspace my-workspace (401)"));
    // Who may look into every workspace hears that there is none such.
    let node = node.with("BETA9_TOKEN", ADMIN_TOKEN);
    assert!(failure(&node.get("ghcr.io")).contains("does not know workspace my-workspace (400)"));
    let node = gateway.node().with("BETA9_WORKSPACE_ID", "../../x");
    assert!(failure(&node.get("ghcr.io")).contains("\"../../x\" cannot be a workspace's id"));
    // The default's name is nobody's id.
    let node = gateway.node().with("BETA9_WORKSPACE_ID", "default");
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    let node = gateway.node().without("BETA9_TOKEN");
    assert!(failure(&node.get("ghcr.io")).contains("no token for the gateway is set, and "));
    let node = gateway.node().without("BETA9_GATEWAY_URL");
    let answer = node.get("ghcr.io");
    assert!(
        failure(&answer).contains("no gateway is configured, and ")
            && answer.out.contains(".beta9/config.ini")
    );
    let node = gateway
        .node()
        .with("BETA9_GATEWAY_URL", "http://192.0.2.1:1994");
    assert!(
        failure(&node.get("ghcr.io")).contains("must not go to http://192.0.2.1:1994/ without TLS")
    );
    // `list` answers even so.
    assert_eq!(node.run(&["list"], "").out, "{}\n");
}

#[test]
fn the_python_sdks_settings_do_where_nothing_is_configured() {
    let gateway = Gateway::start();
    gateway.plant("oci-registry-ghcr-io", &blob("ghcr.io", "1"));
    let node = gateway.node().without("BETA9_TOKEN");
    std::fs::create_dir(node.home().join(".beta9")).unwrap();
    let ini = format!(
        "[default]\ntoken = hunter2\n\n[prod]\ntoken = {TOKEN}\ngateway_host = localhost\n"
    );
    std::fs::write(node.home().join(".beta9/config.ini"), ini).unwrap();
    let line = node.get("ghcr.io");
    assert!(
        failure(&line).contains(".beta9/config.ini [default] for its own workspace (401)"),
        "{line:?}"
    );
    let node = node.with("BETA9_CONTEXT", "prod");
    assert_eq!(secret(&node, "ghcr.io"), "1");
    // The port follows from the gRPC port, and nobody is there.
    let answer = node
        .without("BETA9_GATEWAY_URL")
        .with("BETA9_STALE_IF_ERROR", "0")
        .get("quay.io");
    assert_eq!(answer.status, 1);
}

#[test]
fn somebody_else_in_the_gateways_place_is_reported_and_hears_no_more() {
    let elsewhere = Gateway::start();
    let table = [
        (Mood::Page(200), "is not Beta9's gateway"),
        (Mood::Page(404), "is not Beta9's gateway"),
        (Mood::Page(418), "is not Beta9's gateway"),
        (
            Mood::Redirect(elsewhere.url()),
            "redirects elsewhere (307), and no token is sent there",
        ),
    ];
    for (mood, why) in table {
        let gateway = Gateway::start();
        let node = gateway.node().with("BETA9_WORKSPACE_ID", WORKSPACE);
        gateway.plant("oci-registry-ghcr-io", &blob("ghcr.io", "1"));
        assert_eq!(secret(&node, "ghcr.io"), "1");
        gateway.mood(mood.clone());
        // None of these is an outage: the last answer is not used.
        let answer = node.get("ghcr.io");
        assert!(failure(&answer).contains(why), "{mood:?}: {answer:?}");
        assert_eq!(
            failure(&node.store("ghcr.io", "u", "hunter2"))
                .split(": ")
                .next(),
            Some("ghcr.io")
        );
    }
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
    // The right server, but a path that its API does not have.
    let gateway = Gateway::start();
    let node = gateway
        .node()
        .with("BETA9_GATEWAY_URL", format!("{}/prefix", gateway.url()));
    assert!(
        failure(&node.get("ghcr.io")).contains("does not say which workspace the token is for")
    );
    let node = node.with("BETA9_WORKSPACE_ID", WORKSPACE);
    assert!(failure(&node.get("ghcr.io")).contains("is not Beta9's gateway"));
}

#[test]
fn every_outage_is_bridged_and_names_itself() {
    let table = [
        (Mood::Status(500), "could not give its secrets (500)"),
        (Mood::Status(503), "could not give its secrets (503)"),
        (Mood::Status(429), "limits its requests (429)"),
        (Mood::Truncated, "broke off in the middle of its answer"),
        (Mood::Hang, "did not answer in time"),
    ];
    for (mood, why) in table {
        let gateway = Gateway::start();
        let node = gateway.node().with("BETA9_TIMEOUT", "5s");
        gateway.plant("oci-registry-ghcr-io", &blob("ghcr.io", "1"));
        assert_eq!(secret(&node, "ghcr.io"), "1");
        gateway.mood(mood.clone());
        let answer = node.get("ghcr.io");
        assert!(
            answer.status == 0 && answer.out.contains("\"1\""),
            "{mood:?}: {answer:?}"
        );
        assert!(
            answer.err.contains(why) && answer.err.ends_with("its last answer is used\n"),
            "{mood:?}: {answer:?}"
        );
        assert!(!answer.err.contains("hunter2"), "{answer:?}");
        gateway.mood(Mood::Well);
        assert_eq!(secret(&node, "ghcr.io"), "1");
    }
}

#[test]
fn a_gateway_that_flaps_or_is_slow_or_restarts_is_asked_again() {
    let gateway = Gateway::start();
    let node = gateway.node();
    gateway.plant("oci-registry-ghcr-io", &blob("ghcr.io", "1"));
    assert_eq!(secret(&node, "ghcr.io"), "1");
    for mood in [
        Mood::Flapping,
        Mood::Slow(Duration::from_millis(300)),
        Mood::LoseAnswers(1),
        Mood::LoseAnswers(2),
    ] {
        gateway.mood(mood);
        gateway.requests();
        assert_eq!(secret(&node, "ghcr.io"), "1");
        gateway.mood(Mood::Well);
    }
    // A change whose answer is lost is made once, and known to be made.
    for (host, lost) in [("quay.io", 1), ("quay.io", 2), ("docker.io", 2)] {
        gateway.mood(Mood::LoseAnswers(lost));
        assert_eq!(
            node.store(host, "u", &format!("{lost}")),
            Answer::silence(),
            "{host}"
        );
        assert_eq!(secret(&node, host), format!("{lost}"));
    }
    for (host, lost) in [("nvcr.io", 1), ("nvcr.io", 2), ("gcr.io", 2)] {
        gateway.requests();
        gateway.mood(Mood::LoseAnswersToChanges(lost));
        assert_eq!(node.store(host, "u", "3"), Answer::silence(), "{host}");
        assert!(gateway.requests().len() > 2 + lost);
        assert_eq!(
            gateway.secrets()[&names(host)[1]].matches("\"3\"").count(),
            1
        );
    }
    assert_eq!(gateway.secrets().len(), 5);
    gateway.mood(Mood::LoseAnswersToChanges(2));
    assert_eq!(node.erase("quay.io"), Answer::silence());
    assert_eq!(gateway.secrets().len(), 4);
}

#[test]
fn an_outage_of_the_gateways_database_is_bridged_or_an_error_never_not_found() {
    let down = |secret, list| Mood::DatabaseDown { secret, list };
    let shapes = [
        (down(404, 200), "lists the secret "),
        (down(404, 500), "could not list its secrets (500)"),
        (
            down(404, 400),
            "cannot look up workspace 11111111-1111-4111-8111-111111111111 any more (400)",
        ),
        (down(400, 400), "cannot look up workspace "),
        (Mood::Status(429), "limits its requests (429)"),
        (Mood::Status(500), " (500)"),
    ];
    let names = names("ghcr.io");
    let by_rule = "[[registry]]\nhost = \"ghcr.io\"\nsecrets = [\"A_USERNAME\", \"A_PASSWORD\"]\n";
    let pair = |prefix: &str, token: &str| {
        [
            (format!("{prefix}_USERNAME"), "u"),
            (format!("{prefix}_{token}"), "1"),
        ]
    };
    let derived = |name: &String| vec![(name.clone(), blob("ghcr.io", "1"))];
    let single =
        |pair: [(String, &str); 2]| pair.map(|(name, value)| (name, value.to_owned())).to_vec();
    let secrets = [
        (derived(&names[0]), ""),
        (derived(&names[3]), ""),
        (single(pair("GITHUB", "TOKEN")), ""),
        (single(pair("A", "PASSWORD")), by_rule),
    ];
    // With a workspace of the configuration, and with the token's own.
    for ((secrets, rule), workspace) in secrets.iter().zip([WORKSPACE, "", "", WORKSPACE]) {
        let gateway = Gateway::start();
        for (name, value) in secrets {
            gateway.plant(name, value);
        }
        gateway.plant("oci-registry-quay-io", &blob("quay.io", "1"));
        let node = gateway
            .node()
            .with("BETA9_WORKSPACE_ID", workspace)
            .configured(rule);
        for (mood, why) in &shapes {
            assert_eq!(secret(&node, "ghcr.io"), "1", "{mood:?}");
            gateway.mood(mood.clone());
            let answer = node.get("ghcr.io");
            assert!(
                answer.status == 0 && answer.out.contains("\"1\""),
                "{mood:?}: {answer:?}"
            );
            assert!(
                answer.err.contains(why) && answer.err.ends_with("its last answer is used\n"),
                "{answer:?}"
            );
            // Where there is no last answer, it is an error.
            let line = node.get("quay.io");
            assert!(failure(&line).contains(why), "{mood:?}: {line:?}");
            gateway.mood(Mood::Well);
        }
        // A token that the gateway does not know by heart is refused, which may be meant.
        gateway.forget_tokens();
        for mood in [down(404, 500), down(400, 400)] {
            gateway.mood(mood);
            for host in ["ghcr.io", "quay.io"] {
                let answer = node.get(host);
                let line = failure(&answer);
                assert!(
                    line.contains("refused the token from BETA9_TOKEN for "),
                    "{line}"
                );
                assert!(
                    line.contains("(401), or cannot look the token up; give it a token"),
                    "{line}"
                );
                assert!(
                    line.ends_with("or check whether the gateway's database is up"),
                    "{line}"
                );
            }
        }
        gateway.mood(Mood::Well);
    }
}

#[test]
fn a_workspace_that_never_answered_is_a_mistake_in_the_configuration() {
    let gateway = Gateway::start();
    let node = gateway.node().with("BETA9_WORKSPACE_ID", WORKSPACE);
    let down = Mood::DatabaseDown {
        secret: 404,
        list: 400,
    };
    assert!(gateway.node().list() == "{}\n");
    gateway.mood(down.clone());
    let answer = node.get("ghcr.io");
    assert!(
        failure(&answer)
            .contains("does not know workspace 11111111-1111-4111-8111-111111111111 (400)"),
        "{answer:?}"
    );
    assert!(
        failure(&answer).contains("correct the workspace's id, or unset it"),
        "{answer:?}"
    );
    // A miss is an answer too.
    gateway.mood(Mood::Well);
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    gateway.mood(down);
    assert!(failure(&node.get("quay.io")).contains("any more (400); check the gateway's log"));
}

#[test]
fn nothing_is_written_and_no_list_is_shortened_while_the_database_is_down() {
    let gateway = Gateway::start();
    let node = gateway.node();
    gateway.plant("oci-registry-ghcr-io", &blob("ghcr.io", "1"));
    gateway.plant("oci-registry-quay-io", &blob("quay.io", "1"));
    let listed = node.list();
    for (status, list) in [(404, 200), (404, 500), (400, 400)] {
        gateway.mood(Mood::DatabaseDown {
            secret: status,
            list,
        });
        for answer in [
            node.store("ghcr.io", "u", "2"),
            node.store("gcr.io", "u", "2"),
            node.erase("ghcr.io"),
        ] {
            failure(&answer);
        }
        let answer = node.run(&["list"], "");
        assert!(
            answer.status == 0 && answer.out == listed && !answer.err.is_empty(),
            "{answer:?}"
        );
        gateway.mood(Mood::Well);
        assert_eq!(gateway.secrets().len(), 2);
        assert_eq!(secret(&node, "ghcr.io"), "1");
    }
}

#[test]
fn a_secret_that_does_not_decrypt_is_an_error_and_a_deleted_one_is_a_miss() {
    let gateway = Gateway::start();
    gateway.plant("oci-registry-ghcr-io", &blob("ghcr.io", "1"));
    gateway.plant("oci-registry-quay-io", &blob("quay.io", "1"));
    gateway.seal("oci-registry-ghcr-io");
    let node = gateway.node();
    for answer in [
        node.get("ghcr.io"),
        node.store("ghcr.io", "u", "2"),
        node.erase("ghcr.io"),
    ] {
        let line = failure(&answer);
        assert!(
            line.contains(
                "lists the secret oci-registry-ghcr-io and cannot read it; check the gateway's log"
            ),
            "{line}"
        );
    }
    let answer = node.run(&["list"], "");
    assert!(
        answer.status == 0 && answer.out == "{\"quay.io\":\"u\"}\n",
        "{answer:?}"
    );
    assert!(
        answer
            .err
            .contains("oci-registry-ghcr-io and cannot read it"),
        "{answer:?}"
    );
    // Another one under a name that counts less isn't an answer: the one that counts may say something else.
    gateway.plant("OCI_REGISTRY_GHCR_IO", &blob("ghcr.io", "2"));
    assert!(failure(&node.get("ghcr.io")).contains("oci-registry-ghcr-io and cannot read it"));
    // Nor is a vendor's pair.
    gateway.remove("OCI_REGISTRY_GHCR_IO");
    gateway.plant("GITHUB_USERNAME", "u");
    gateway.plant("GITHUB_TOKEN", "3");
    assert!(failure(&node.get("ghcr.io")).contains("oci-registry-ghcr-io and cannot read it"));
    gateway.remove("oci-registry-ghcr-io");
    gateway.seal("GITHUB_TOKEN");
    assert!(
        failure(&node.get("ghcr.io")).contains("lists the secret GITHUB_TOKEN and cannot read it")
    );

    let node = gateway.node();
    gateway.plant("OCI_REGISTRY_GCR_IO", &blob("gcr.io", "1"));
    gateway.delete_after_list("OCI_REGISTRY_GCR_IO");
    assert_eq!(node.get("gcr.io"), Answer::not_found());
}

#[test]
fn an_empty_secret_counts_as_none_is_replaced_and_is_erased() {
    let gateway = Gateway::start();
    for name in &names("quay.io") {
        gateway.plant(name, "");
        let node = gateway.node();
        assert_eq!(node.get("quay.io"), Answer::not_found(), "{name}");
        assert_eq!(node.list(), "{}\n");
        assert_eq!(node.store("quay.io", "u", "1"), Answer::silence());
        assert_eq!(
            gateway.secrets().into_iter().collect::<Vec<_>>(),
            [(name.clone(), blob("quay.io", "1"))]
        );
        assert_eq!(secret(&node, "quay.io"), "1");
        gateway.plant(name, "");
        assert_eq!(node.erase("quay.io"), Answer::silence());
        assert_eq!(gateway.secrets().len(), 0);
    }
    // An empty one that counts more does not hide another.
    let node = gateway.node();
    gateway.plant("oci-registry-quay-io", "");
    gateway.plant("OCI_REGISTRY_QUAY_IO", &blob("quay.io", "1"));
    assert_eq!(secret(&node, "quay.io"), "1");
    assert_eq!(node.store("quay.io", "u", "2"), Answer::silence());
    assert_eq!(secret(&node, "quay.io"), "2");
}

#[test]
fn a_known_pair_of_single_secrets_is_read_in_one_round_trip() {
    let gateway = Gateway::start();
    gateway.plant("GITHUB_USERNAME", "u");
    let node = gateway.node().with("BETA9_WORKSPACE_ID", WORKSPACE);
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    gateway.plant("GITHUB_TOKEN", "1");
    gateway.plant("NGC_API_KEY", "hunter2");
    let node = gateway.node().with("BETA9_WORKSPACE_ID", WORKSPACE);
    for batches in [&[2, 2][..], &[3]] {
        gateway.expect_batches(batches);
        assert_eq!(node.pair("ghcr.io"), ("u".into(), "1".into()));
        gateway.check_batches(batches);
    }
    gateway.plant("GITHUB_TOKEN", "2");
    assert_eq!(secret(&node, "ghcr.io"), "2");
    // It is nobody else's, and a lone token has to be named.
    for host in ["quay.io", "nvcr.io"] {
        assert_eq!(node.get(host), Answer::not_found());
    }
    // The registry's own secret counts more, and then no other is read.
    gateway.plant("OCI_REGISTRY_GHCR_IO", &blob("ghcr.io", "own"));
    assert_eq!(secret(&node, "ghcr.io"), "own");
    gateway.expect_batches(&[2]);
    assert_eq!(secret(&node, "ghcr.io"), "own");
    gateway.check_batches(&[2]);
    gateway.remove("OCI_REGISTRY_GHCR_IO");
    assert_eq!(secret(&node, "ghcr.io"), "2");
    // Half of it is empty.
    gateway.plant("GITHUB_TOKEN", "");
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    gateway.plant("GITHUB_TOKEN", "3");
    let node = gateway
        .node()
        .configured("[store]\nsingle_secrets = \"named\"\n");
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    let node = gateway
        .node()
        .configured("[store]\nsingle_secrets = \"all\"\n");
    assert_eq!(
        node.pair("nvcr.io"),
        ("$oauthtoken".into(), "hunter2".into())
    );
}

#[test]
fn a_placeholder_is_an_error_and_no_refusal_also_where_nobody_named_it() {
    let gateway = Gateway::start();
    for (user, token) in [("u", "beam_secret_hunter2"), ("beam_secret_hunter2", "1")] {
        gateway.plant("GITHUB_USERNAME", user);
        gateway.plant("GITHUB_TOKEN", token);
        let answer = gateway.node().get("ghcr.io");
        assert!(
            failure(&answer).contains("holds the placeholder that a Beta9 sandbox shows"),
            "{answer:?}"
        );
        let answer = gateway.node().store("ghcr.io", user, token);
        assert!(
            failure(&answer).contains("holds the placeholder that a Beta9 sandbox shows"),
            "{answer:?}"
        );
        assert_eq!(gateway.secrets().len(), 2);
    }
    // What is malformed without being one is left alone, and its registry is said once.
    gateway.plant("GITHUB_USERNAME", "u\n");
    let answer = gateway.node().get("ghcr.io");
    assert_eq!(
        (answer.status, answer.out.as_str()),
        (1, Answer::not_found().out.as_str())
    );
    assert!(
        answer
            .err
            .contains("docker-credential-beta9: ghcr.io: its secret: the user name"),
        "{answer:?}"
    );
}

#[test]
fn a_secret_whose_keys_are_all_empty_is_an_error_and_not_a_public_registrys() {
    let gateway = Gateway::start();
    for keys in [r#"{"USERNAME":"","PASSWORD":""}"#, r#"{"USERNAME":null}"#] {
        for secret in [
            format!(r#"{{"registry":"ghcr.io","type":"basic","credentials":{keys}}}"#),
            keys.to_owned(),
        ] {
            gateway.plant("OCI_REGISTRY_GHCR_IO", &secret);
            let answer = gateway.node().get("ghcr.io");
            assert!(
                failure(&answer).contains("its secret: the value of USERNAME is not a usable text"),
                "{answer:?}"
            );
        }
    }
}

#[test]
fn single_secrets_that_are_named_are_read_beside_the_list_and_none_may_be_missing() {
    let gateway = Gateway::start();
    let rule =
        "[[registry]]\nhost = \"harbor.example\"\nsecrets = [\"H_USERNAME\", \"H_PASSWORD\"]\n";
    let node = gateway
        .node()
        .with("BETA9_WORKSPACE_ID", WORKSPACE)
        .configured(rule);
    gateway.plant(
        "oci-registry-harbor-example",
        &blob("harbor.example", "derived"),
    );
    gateway.plant("H_USERNAME", "robot");
    for missing in [
        |_: &Gateway| {},
        |gateway: &Gateway| gateway.plant("H_PASSWORD", ""),
    ] {
        missing(&gateway);
        let answer = node.get("harbor.example");
        assert!(
            failure(&answer)
                .contains("the workspace has no secret H_PASSWORD, or it is empty; create it"),
            "{answer:?}"
        );
    }
    gateway.plant("H_PASSWORD", "1");
    assert_eq!(
        node.explain("harbor.example")
            .text("secret_name")
            .unwrap()
            .expose(),
        "H_PASSWORD, H_USERNAME"
    );
    for _ in 0..2 {
        gateway.expect_batches(&[3]);
        assert_eq!(node.pair("harbor.example"), ("robot".into(), "1".into()));
        gateway.check_batches(&[3]);
    }
    // Nothing else is written in their place.
    let secrets = gateway.secrets();
    for answer in [
        node.store("harbor.example", "u", "x"),
        node.erase("harbor.example"),
    ] {
        assert!(
            failure(&answer).contains("nothing was changed; change those in the workspace"),
            "{answer:?}"
        );
    }
    assert_eq!(gateway.secrets(), secrets);
    // A pull may name them too.
    let node = gateway
        .node()
        .with("BETA9_IMAGE", "quay.io/org/app")
        .with("BETA9_IMAGE_SECRETS", "H_USERNAME,H_PASSWORD");
    assert_eq!(node.pair("quay.io"), ("robot".into(), "1".into()));
    assert_eq!(secret(&node, "harbor.example"), "derived");
    let names_none = node.with("BETA9_IMAGE_SECRETS", " , ");
    assert_eq!(
        names_none.get("quay.io").failure(),
        "BETA9_IMAGE_SECRETS: it is not a list of secrets such as USER,PASSWORD; correct it, or unset it"
    );
}

#[test]
fn a_secrets_hosts_are_obeyed_and_ones_that_are_not_understood_are_refused() {
    let gateway = Gateway::start();
    gateway.plant("GITHUB_USERNAME", "u");
    gateway.plant("GITHUB_TOKEN", "1");
    for (hosts, is_found) in [
        (json!(null), true),
        (json!([]), true),
        (json!(["ghcr.io"]), true),
        (json!(["*.github.com", "*.io"]), true),
        (json!(["api.github.com"]), false),
    ] {
        gateway.set_hosts("GITHUB_TOKEN", hosts.clone());
        let answer = gateway.node().get("ghcr.io");
        assert_eq!(answer.status == 0, is_found, "{hosts}: {answer:?}");
        assert!(
            is_found || answer == Answer::not_found(),
            "{hosts}: {answer:?}"
        );
    }
    for unknown in [
        json!("ghcr.io"),
        json!({"allow": ["ghcr.io"]}),
        json!([1]),
        json!(true),
    ] {
        gateway.set_hosts("GITHUB_TOKEN", unknown.clone());
        let answer = gateway.node().get("ghcr.io");
        assert!(
            failure(&answer)
                .contains("the hosts of the secret GITHUB_TOKEN are not a list of names"),
            "{unknown}"
        );
    }
}

#[test]
fn a_single_secret_is_written_only_where_it_is_what_it_was() {
    let gateway = Gateway::start();
    let config = GatewayConfig {
        url: Some(gateway.url()),
        token: Some(SecretSetting::Inline(TOKEN.into())),
        workspace: Some(WORKSPACE.to_owned()),
        ..GatewayConfig::default()
    };
    let store = Store::Gateway(GatewayStore::new(config));
    let put = |name: &str, value: &str, old: Option<&str>| {
        let deadline = Instant::now() + Duration::from_mins(1);
        let old = old.map(Into::into);
        store
            .change_single(name, old.as_ref(), Some(&value.into()), deadline)
            .map_err(|error| match error {
                Error::Failed(problem) => problem.to_string(),
                other => panic!("{other:?}"),
            })
    };
    assert_eq!(put("A", "1", None), Ok(()));
    // Once more, because the answer was lost.
    assert_eq!(put("A", "1", None), Ok(()));
    gateway.mood(Mood::LoseAnswersToChanges(1));
    assert_eq!(put("B", "1", None), Ok(()));
    assert!(
        put("A", "2", None)
            .unwrap_err()
            .contains("the secret A is there already, with another value")
    );
    assert!(
        put("A", "2", Some("0"))
            .unwrap_err()
            .contains("the secret A was changed meanwhile by somebody else")
    );
    assert_eq!(put("A", "2", Some("1")), Ok(()));
    assert!(
        put("C", "2", Some("1"))
            .unwrap_err()
            .contains("nothing was stored")
    );
    gateway.plant("C", "");
    assert_eq!(put("C", "2", Some("")), Ok(()));
    for name in [
        "",
        "9A",
        "A-B",
        "oci-registry-ghcr-io",
        "A/../B",
        &"A".repeat(65),
    ] {
        let error = put(name, "hunter2", None).unwrap_err();
        assert!(
            error.contains("is not a valid name for a secret") && !error.contains("hunter2"),
            "{error}"
        );
    }
    let expected = [("A", "2"), ("B", "1"), ("C", "2")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(gateway.secrets().into_iter().collect::<Vec<_>>(), expected);
    let deadline = Instant::now() + Duration::from_mins(1);
    let there = store
        .singles(&["A".to_owned(), "X".to_owned(), "C".to_owned()], deadline)
        .unwrap();
    let there: Vec<_> = there
        .iter()
        .map(|single| (single.name.as_str(), single.value.expose()))
        .collect();
    assert_eq!(there, [("A", "2"), ("C", "2")]);
}

#[test]
fn worker_and_machine_tokens_work_and_restricted_tokens_do_not() {
    let gateway = Gateway::start();
    for (token, kind, own) in TOKENS {
        let node = gateway
            .node()
            .with("BETA9_TOKEN", token)
            .with("BETA9_WORKSPACE_ID", WORKSPACE);
        if kind == "workspace_restricted" || (own != WORKSPACE && kind != "cluster_admin") {
            assert!(failure(&node.get("ghcr.io")).contains("(401)"), "{kind}");
            assert!(
                failure(&node.store("ghcr.io", "u", "x")).contains("(401)"),
                "{kind}"
            );
            continue;
        }
        assert_eq!(
            node.store("ghcr.io", "u", kind),
            Answer::silence(),
            "{kind}"
        );
        assert_eq!(secret(&node, "ghcr.io"), kind);
        assert_eq!(node.erase("ghcr.io"), Answer::silence(), "{kind}");
    }
    assert_eq!(gateway.secrets().len(), 0);
}

#[test]
fn a_secret_is_found_under_the_name_of_any_spelling_of_its_registry() {
    let gateway = Gateway::start();
    let rows = [
        (
            "oci-registry-index-docker-io",
            "index.docker.io",
            "docker.io",
        ),
        (
            "oci-registry-registry-1-docker-io",
            "registry-1.docker.io",
            "https://index.docker.io/v1/",
        ),
        ("oci-registry-ghcr-io-443", "ghcr.io:443", "ghcr.io"),
        ("oci-registry-[--1]-5000", "[::1]:5000", "[::1]:5000"),
        (
            "oci-registry-[2001-db8--1]",
            "[2001:db8::1]",
            "[2001:DB8::1]",
        ),
        (
            "oci-registry-[2001-db8--1]-443",
            "[2001:db8::1]:443",
            "[2001:db8::1]",
        ),
    ];
    for (name, registry, asked) in rows {
        gateway.plant(name, &blob(registry, "1"));
        let node = gateway.node().with("BETA9_WORKSPACE_ID", WORKSPACE);
        for _ in 0..2 {
            assert_eq!(secret(&node, asked), "1", "{name}");
        }
        // The list of names is asked for once, and what it has not is not asked for.
        gateway.expect_batches(&[2]);
        assert_eq!(secret(&node, asked), "1", "{name}");
        gateway.check_batches(&[2]);
        assert_eq!(node.list().matches("\"u\"").count(), 1, "{name}");
        assert_eq!(node.store(asked, "u", "2"), Answer::silence());
        assert_eq!(gateway.secrets().into_keys().collect::<Vec<_>>(), [name]);
        assert_eq!(secret(&node, asked), "2", "{name}");
        assert_eq!(node.erase(asked), Answer::silence());
        assert_eq!(gateway.secrets().len(), 0, "{name}");
    }
}

#[test]
fn a_long_list_takes_little_memory_and_one_without_end_is_refused() {
    let gateway = Gateway::start();
    gateway.plant("OCI_REGISTRY_GHCR_IO", &blob("ghcr.io", "1"));
    let node = gateway
        .node()
        .with("BETA9_TIMEOUT", "120s")
        .with("BETA9_WORKSPACE_ID", WORKSPACE);
    // So much memory as it takes for a short list does for a long one.
    let get = |host: &str, kilobytes: u32| {
        let helper = node.command(&["get"]);
        let mut shell = std::process::Command::new("sh");
        shell.args([
            "-c",
            &format!("ulimit -d {kilobytes} && exec \"$0\" get"),
            common::BINARY,
        ]);
        shell.env_clear().envs(
            helper
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        shell
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let mut child = shell.spawn().unwrap();
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), host.as_bytes()).unwrap();
        Answer::of(child)
    };
    gateway.pad_list(32 << 20);
    for host in ["ghcr.io", "ghcr.io"] {
        let answer = get(host, 24 << 10);
        assert!(
            answer.status == 0 && answer.out.contains("\"1\""),
            "{answer:?}"
        );
    }
    assert_eq!(get("quay.io", 24 << 10), Answer::not_found());
    gateway.pad_list(64 << 20);
    assert!(failure(&node.get("gcr.io")).contains("answered more than 64 MiB"));
}

#[test]
fn what_beta9s_image_builder_stored_is_found_under_the_name_that_it_gave_it() {
    let gateway = Gateway::start();
    assert_all_that_beta9_built_is_answered(|secret| {
        gateway
            .secrets()
            .keys()
            .for_each(|name| gateway.remove(name));
        gateway.plant(secret.name, secret.value);
        gateway.node()
    });
}

#[test]
fn a_list_reads_registries_secrets_only_and_answers_within_its_time() {
    let gateway = Gateway::start();
    let node = gateway.node();
    assert_eq!(node.list(), "{}\n");
    gateway.plant("MY_DATABASE_PASSWORD", "hunter2");
    gateway.plant("oci-registry-evil-example", &blob("ghcr.io", "1"));
    for number in 0..40 {
        let host = format!("r{number:02}.example");
        gateway.plant(&names(&host)[number % 4], &blob(&host, "1"));
    }
    gateway.plant("oci-registry-docker-io", &blob("index.docker.io", "1"));
    gateway.requests();
    let listed = node.list();
    assert_eq!(listed.matches("\":\"u\"").count(), 41, "{listed}");
    assert!(
        listed.contains("\"https://index.docker.io/v1/\":\"u\"") && !listed.contains("ghcr.io"),
        "{listed}"
    );
    let requests = gateway.requests();
    assert!(
        !requests
            .iter()
            .any(|request| request.contains("MY_DATABASE_PASSWORD")),
        "{requests:?}"
    );
    // Too slow for a list, and then what is remembered does.
    gateway.mood(Mood::Hang);
    let node = node.with("BETA9_LIST_TIMEOUT", "1s");
    let answer = node.run(&["list"], "unused");
    assert_eq!((answer.status, answer.out), (0, listed));
    assert!(
        answer.err.contains("did not answer in time") && answer.err.lines().count() == 1,
        "{}",
        answer.err
    );
    let other = gateway.node().run(&["list"], "");
    assert_eq!((other.status, other.out.as_str()), (0, "{}\n"));
}

#[test]
fn two_workspaces_on_one_node_never_see_each_others_secrets() {
    let gateway = Gateway::start();
    gateway.plant_in(WORKSPACE, "oci-registry-ghcr-io", &blob("ghcr.io", "a"));
    gateway.plant_in(
        OTHER_WORKSPACE,
        "oci-registry-quay-io",
        &blob("quay.io", "b"),
    );
    gateway.plant_in(
        OTHER_WORKSPACE,
        "OCI_REGISTRY_DOCKER_IO",
        &blob("docker.io", "b"),
    );
    gateway.plant_in(WORKSPACE, "oci-registry-docker-io", &blob("docker.io", "a"));
    // One home directory, one cache, one sealing key, and no workspace in the configuration.
    let mut node = gateway.node();
    for round in 0..2 {
        let ask = |node: &Node| {
            ["ghcr.io", "quay.io", "docker.io"].map(|host| node.start(&["get"], host.as_bytes()))
        };
        let own = ask(&node);
        node = node.with("BETA9_TOKEN", OTHER_TOKEN);
        let other = ask(&node);
        let [own, other] = [own, other].map(|started| started.map(Answer::of));
        assert!(
            own[0].out.contains("\"a\"")
                && own[1] == Answer::not_found()
                && own[2].out.contains("\"a\""),
            "{own:?}"
        );
        assert!(
            other[0] == Answer::not_found()
                && other[1].out.contains("\"b\"")
                && other[2].out.contains("\"b\"")
        );
        assert!(
            node.list().contains("quay.io") && !node.list().contains("ghcr.io"),
            "round {round}"
        );
        node = node.with("BETA9_TOKEN", TOKEN);
        assert!(node.list().contains("ghcr.io") && !node.list().contains("quay.io"));
    }
    // During an outage too, and for a token that nobody knows.
    gateway.stop();
    assert!(node.get("ghcr.io").out.contains("\"a\""));
    let node = node.with("BETA9_TOKEN", OTHER_TOKEN);
    assert!(node.get("docker.io").out.contains("\"b\""));
    let node = node.with("BETA9_TOKEN", "hunter2");
    for host in ["ghcr.io", "quay.io", "docker.io"] {
        failure(&node.get(host));
    }
    assert_eq!(node.run(&["list"], "").out, "{}\n");
}

#[test]
fn files_of_another_workspaces_node_are_of_no_use() {
    let gateway = Gateway::start();
    gateway.plant_in(
        OTHER_WORKSPACE,
        "oci-registry-ghcr-io",
        &blob("ghcr.io", "b"),
    );
    let (own, other) = (
        gateway.node(),
        gateway.node().with("BETA9_TOKEN", OTHER_TOKEN),
    );
    assert_eq!(secret(&other, "ghcr.io"), "b");
    // Everything, the key that seals it included.
    let copied = std::process::Command::new("cp")
        .arg("-aT")
        .args([other.home(), own.home()])
        .status();
    assert!(copied.unwrap().success());
    gateway.stop();
    assert!(other.get("ghcr.io").out.contains("\"b\""));
    failure(&own.get("ghcr.io"));
    assert_eq!(own.run(&["list"], "").out, "{}\n");
}

#[test]
fn ssl_cert_file_and_ssl_cert_dir_each_replace_only_their_own_default() {
    if !Gateway::can_do_tls() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let gateway = Gateway::start_tls(scratch.path());
    gateway.plant("oci-registry-ghcr-io", &blob("ghcr.io", "1"));
    let (nowhere, authority, dir) = (
        "/nowhere",
        gateway.authority(),
        scratch.path().to_str().unwrap(),
    );
    for (bundle, dirs, expected) in [
        (authority, "", ""),
        (authority, nowhere, ""),
        ("", dir, ""),
        (nowhere, dir, ""),
        (nowhere, &format!(":{nowhere}:{dir}"), ""),
        ("", "", "is signed by nobody that this system trusts"),
        ("", nowhere, "is signed by nobody that this system trusts"),
        (nowhere, "", "is signed by nobody that this system trusts"),
        (
            nowhere,
            nowhere,
            "the system's certificate authorities cannot be read",
        ),
    ] {
        let answer = gateway
            .node()
            .with("SSL_CERT_FILE", bundle)
            .with("SSL_CERT_DIR", dirs)
            .get("ghcr.io");
        match expected {
            "" => assert_eq!(answer.status, 0, "{bundle} {dirs} {answer:?}"),
            words => assert!(
                failure(&answer).contains(words),
                "{bundle} {dirs} {answer:?}"
            ),
        }
    }
}

#[test]
fn over_tls_only_a_trusted_gateway_is_spoken_to() {
    if !Gateway::can_do_tls() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let gateway = Gateway::start_tls(scratch.path());
    gateway.plant("oci-registry-ghcr-io", &blob("ghcr.io", "1"));
    let node = gateway.node().with("SSL_CERT_FILE", gateway.authority());
    for batches in [&[1, 2][..], &[2]] {
        gateway.expect_batches(batches);
        assert_eq!(secret(&node, "ghcr.io"), "1");
        gateway.check_batches(batches);
    }
    assert_eq!(node.store("quay.io", "u", "2"), Answer::silence());
    assert_eq!(node.list(), "{\"ghcr.io\":\"u\",\"quay.io\":\"u\"}\n");
    assert_eq!(node.erase("quay.io"), Answer::silence());
    // Anyone who shows another certificate isn't an outage that a last answer may bridge, and hears no token.
    gateway.requests();
    let stranger = tempfile::tempdir().unwrap();
    let authority = Gateway::start_tls(stranger.path());
    let node = node.with("SSL_CERT_FILE", authority.authority());
    assert!(failure(&node.get("ghcr.io")).contains("is signed by nobody that this system trusts"));
    // A proxy is used, but for this node's own loopback.
    let node = node
        .with("SSL_CERT_FILE", gateway.authority())
        .with("HTTPS_PROXY", "http://127.0.0.1:1");
    assert_eq!(secret(&node, "ghcr.io"), "1");
    gateway.requests();
    let node = node
        .with("BETA9_GATEWAY_URL", "https://gateway.example.com")
        .with("BETA9_STALE_IF_ERROR", "0");
    assert!(
        failure(&node.get("ghcr.io"))
            .contains("the proxy http://127.0.0.1:1 of HTTPS_PROXY refused the connection")
    );
    assert_eq!(gateway.requests(), Vec::<String>::new());
}

#[test]
fn provision_prints_the_name_that_the_secret_really_has() {
    let gateway = Gateway::start();
    let node = gateway
        .node()
        .with("GITHUB_USERNAME", "u")
        .with("GITHUB_TOKEN", "hunter2");
    let provision = || {
        node.run(
            &[
                "provision",
                "ghcr.io/org/app",
                "--creds",
                "GITHUB_USERNAME,GITHUB_TOKEN",
            ],
            "",
        )
    };
    let answer = provision();
    assert!(
        answer.status == 0 && answer.out.contains("OCI_REGISTRY_GHCR_IO"),
        "{answer:?}"
    );
    gateway.remove("OCI_REGISTRY_GHCR_IO");
    gateway.plant("oci-registry-ghcr-io", &blob("ghcr.io", "old"));
    let answer = provision();
    assert!(
        answer.status == 0 && answer.out.contains("oci-registry-ghcr-io"),
        "{answer:?}"
    );
    assert_eq!(secret(&node, "ghcr.io"), "hunter2");
    let ttl = node.run(
        &[
            "provision",
            "ghcr.io/a/b",
            "--creds",
            "GITHUB_USERNAME,GITHUB_TOKEN",
            "--ttl",
            "30d",
        ],
        "",
    );
    assert!(
        ttl.status == 1 && ttl.err.contains("cannot note when a secret may go"),
        "{ttl:?}"
    );
}
