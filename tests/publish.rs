//! `publish`, through the real binary: writes a registry's token into a gateway's workspace, while the keys stay in the
//! control plane's own store.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use beta9_credential::json::{Object, Value, parse_object};
use beta9_credential::seal::sha256_hex;
use common::ecr::{self, Ecr, HOST};
use common::gateway::{Gateway, Mood};
use common::postgres::Database;
use common::postgres::migrations::Migration;
use common::{Answer, Node};

const OTHER: &str = "210987654321.dkr.ecr.us-east-1.amazonaws.com";
const BLOB: &str = "OCI_REGISTRY_123456789012_DKR_ECR_US_EAST_1_AMAZONAWS_COM";

/// A control plane: a gateway, ECR, and the keys of `HOST` in its own store.
struct Plane {
    ecr: Ecr,
    gateway: Gateway,
    node: Node,
}

impl Plane {
    fn new() -> Self {
        Self::configured("")
    }

    /// With more in its configuration.
    fn configured(more: &str) -> Self {
        let (ecr, gateway) = (Ecr::start(), Gateway::start());
        let node = gateway
            .node()
            .with("BETA9_TIMEOUT", "60s")
            .configured(&format!("{}{more}", ecr.config()));
        let plane = Self { ecr, gateway, node };
        plane.keep_keys(HOST);
        plane
    }

    fn keep_keys(&self, host: &str) {
        ecr::keep(&self.node, "default", host, &ecr::blob(host));
    }

    /// Standard output of a run that succeeds and warns of nothing.
    fn publish(&self, args: &[&str]) -> String {
        let answer = self.run(args);
        assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
        // What is wider than a terminal goes on in the next line.
        answer.out.replace("\n  ", " ")
    }

    /// The one line on standard error of a run that fails.
    fn failure(&self, args: &[&str]) -> String {
        let answer = self.run(args);
        let line = answer
            .err
            .strip_prefix("docker-credential-beta9: ")
            .unwrap_or_else(|| panic!("{answer:?}"));
        assert!(
            answer.status == 1 && line.lines().count() == 1 && !line.contains("hunter2"),
            "{answer:?}"
        );
        line.trim_end().to_owned()
    }

    fn run(&self, args: &[&str]) -> Answer {
        self.node.run(&[&["publish"], args].concat(), "")
    }

    /// The names and values of the workspace's secrets. Asserts that the long-lived key is in none of them.
    fn secrets(&self) -> BTreeMap<String, String> {
        let secrets = self.gateway.secrets();
        assert!(
            secrets
                .values()
                .all(|value| !value.contains(ecr::KEY) && !value.contains(ecr::KEY_ID)),
            "{secrets:?}"
        );
        secrets
    }

    /// The sealed file of the note.
    fn note(&self) -> PathBuf {
        let name = sha256_hex(&format!("#published:{HOST}"))[..40].to_owned();
        let is_note = |path: &PathBuf| path.to_str().unwrap().contains(&name);
        self.node.sealed_files().into_iter().find(is_note).unwrap()
    }

    /// Past half of a life of 4 seconds, however slow this machine is.
    fn wait_for_half_of_four_seconds() {
        sleep(Duration::from_millis(3100));
    }
}

fn secrets(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn pair(password: &str) -> BTreeMap<String, String> {
    secrets(&[
        ("REGISTRY_PASSWORD", password),
        ("REGISTRY_USERNAME", "AWS"),
    ])
}

#[test]
fn a_token_is_published_once_and_again_from_half_of_its_life_on() {
    let plane = Plane::new();
    plane.ecr.live(Duration::from_secs(4));
    let out = plane.publish(&[HOST, "--names"]);
    assert!(out.starts_with(&format!(
        "{HOST}: wrote REGISTRY_USERNAME and REGISTRY_PASSWORD to the gateway store, "
    )));
    assert_eq!(plane.secrets(), pair("hunter2-minted-1"));
    plane.ecr.live(Duration::from_hours(12));
    Plane::wait_for_half_of_four_seconds();
    assert!(
        plane
            .publish(&[])
            .starts_with(&format!("{HOST}: wrote REGISTRY_USERNAME and "))
    );
    assert_eq!(plane.secrets(), pair("hunter2-minted-2"));
    let out = plane.publish(&[]);
    let due = regex::Regex::new(
        "^[^ ]+: nothing is due for [56] h.* \\(REGISTRY_USERNAME and REGISTRY_PASSWORD\\)\n$",
    )
    .unwrap();
    assert!(due.is_match(&out), "{out}");
    assert_eq!(
        (plane.secrets(), plane.ecr.mints()),
        (pair("hunter2-minted-2"), 2)
    );
}

#[test]
fn a_token_of_the_cache_is_published_and_counts_from_when_it_was_minted() {
    let plane = Plane::new();
    let hours = |hours| Duration::from_hours(hours);
    plane
        .ecr
        .plant(&plane.node, "default", HOST, (hours(2), hours(10)));
    plane.publish(&[HOST, "--names"]);
    assert_eq!(plane.secrets(), pair("hunter2-planted"));
    let due = regex::Regex::new("due for (2 h 5\\d min|3 h) ").unwrap();
    let out = plane.publish(&[]);
    assert!(due.is_match(&out), "{out}");
    assert_eq!(plane.ecr.mints(), 0);
}

#[test]
fn without_names_it_is_the_one_secret_of_the_registry_and_a_worker_finds_it_at_once() {
    let plane = Plane::new();
    let answers = common::within_a_miss_life(|| {
        plane.gateway.remove(BLOB);
        assert_eq!(plane.node.get(HOST), Answer::not_found());
        plane.publish(&[HOST, "--force"]);
        plane.node.get(HOST)
    });
    assert_eq!(answers.status, 0, "{answers:?}");
    let blob = r#"{"credentials":{"PASSWORD":"hunter2-minted-1","USERNAME":"AWS"},"registry":"HOST","type":"basic"}"#;
    assert_eq!(
        plane.secrets(),
        secrets(&[(BLOB, &blob.replace("HOST", HOST))])
    );
    let worker = plane.gateway.node();
    assert_eq!(worker.pair(HOST), ("AWS".into(), "hunter2-minted-1".into()));
    assert_eq!(plane.publish(&[HOST]).lines().count(), 1);
    assert_eq!(plane.ecr.mints(), 1);
}

#[test]
fn a_secret_that_this_node_did_not_write_is_left_alone_until_it_is_taken_over() {
    let plane = Plane::new();
    let theirs = format!(
        r#"{{"credentials":{{"PASSWORD":"p","USERNAME":"u"}},"registry":"{HOST}","type":"basic"}}"#
    );
    plane.gateway.plant(BLOB, &theirs);
    let remedy = format!(
        "to take it over, run docker-credential-beta9 publish {HOST} --force; to leave it, name another in a rule for this registry"
    );
    let refused = format!(
        "{HOST}: publish: the workspace has a secret {BLOB} that this node did not write; {remedy}"
    );
    assert_eq!(plane.failure(&[HOST]), refused);
    assert_eq!(plane.secrets(), secrets(&[(BLOB, &theirs)]));
    assert_eq!(plane.ecr.mints(), 0);
    plane.publish(&[HOST, "--force"]);
    let ours = plane.secrets();
    assert!(ours[BLOB].contains("hunter2-minted-1"), "{ours:?}");
    // Somebody changes it.
    plane.gateway.plant(BLOB, &theirs);
    let changed =
        format!("{HOST}: publish: the secret {BLOB} was changed since it was published; {remedy}");
    assert_eq!(plane.failure(&[]), changed);
    assert_eq!(plane.failure(&[HOST, "--dry-run"]), changed);
    assert_eq!(plane.secrets(), secrets(&[(BLOB, &theirs)]));
    plane.publish(&[HOST, "--force"]);
    assert_eq!(plane.secrets(), ours);
}

#[test]
fn one_that_somebody_deletes_is_written_again() {
    let plane = Plane::new();
    plane.publish(&[HOST, "--names"]);
    plane.gateway.remove("REGISTRY_PASSWORD");
    plane.publish(&[]);
    assert_eq!(
        (plane.secrets(), plane.ecr.mints()),
        (pair("hunter2-minted-1"), 1)
    );
}

#[test]
fn without_its_note_what_is_there_is_somebody_elses() {
    let plane = Plane::new();
    plane.publish(&[HOST, "--names"]);
    fs::remove_file(plane.note()).unwrap();
    assert_eq!(plane.publish(&[]), "nothing to publish: name a registry\n");
    let line = plane.failure(&[HOST, "--names"]);
    assert!(
        line.contains("the workspace has a secret REGISTRY_USERNAME that this node did not write"),
        "{line}"
    );
    assert_eq!(plane.secrets(), pair("hunter2-minted-1"));
    plane.publish(&[HOST, "--names", "--force"]);
    assert_eq!(plane.secrets(), pair("hunter2-minted-1"));
    assert!(plane.publish(&[]).contains("nothing is due for"));
    // Nor is it found out from a note that does not open.
    let note = plane.note();
    let mut bytes = fs::read(&note).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&note, bytes).unwrap();
    let line = plane.failure(&[HOST]);
    assert!(
        line.contains("the note of what was published")
            && line.ends_with(&format!("publish {HOST} --force")),
        "{line}"
    );
    plane.publish(&[HOST, "--names", "--force"]);
    assert!(plane.publish(&[]).contains("nothing is due for"));
}

#[test]
fn a_run_that_is_killed_between_two_writes_is_completed_by_the_next() {
    for cache in ["on", "off"] {
        let plane = Plane::new();
        let node = plane.node.clone_with("BETA9_CACHE", cache);
        plane.kill_in_a_change(&node, &[HOST, "--names"]);
        // Alone it is nobody's credential.
        assert_eq!(
            plane.secrets(),
            secrets(&[("REGISTRY_USERNAME", "AWS")]),
            "cache {cache}"
        );
        let text = plane.node.run(&["status"], "").out;
        assert!(
            text.contains("\n         the gateway store; the last run was cut short\n"),
            "{text}"
        );
        let answer = node.run(&["publish"], "");
        assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
        let minted = if cache == "on" {
            "hunter2-minted-1"
        } else {
            "hunter2-minted-2"
        };
        assert_eq!(plane.secrets(), pair(minted), "cache {cache}");
        assert!(plane.publish(&[]).contains("nothing is due for"));
    }
}

#[test]
fn a_renewal_that_is_killed_after_its_write_knows_its_own_value() {
    let plane = Plane::new();
    plane.publish(&[HOST, "--names"]);
    let (note, before) = (plane.note(), fs::read(plane.note()).unwrap());
    plane.kill_in_a_change(
        &plane.node.clone_with("BETA9_CACHE", "off"),
        &[HOST, "--force"],
    );
    assert_eq!(plane.secrets(), pair("hunter2-minted-2"));
    let begun = fs::read(&note).unwrap();
    // Without the note before the write, it would count as somebody else's.
    fs::write(&note, before).unwrap();
    assert!(
        plane
            .failure(&[])
            .contains("the secret REGISTRY_PASSWORD was changed since it was published")
    );
    fs::write(&note, begun).unwrap();
    plane.publish(&[]);
    assert!(plane.publish(&[]).contains("nothing is due for"));
}

impl Plane {
    /// Kills a run when the workspace has made its first change, and before it has answered.
    fn kill_in_a_change(&self, node: &Node, args: &[&str]) {
        let before = self.gateway.secrets();
        self.gateway.mood(Mood::HangOnChange);
        let mut killed = node.start(&[&["publish"], args].concat(), b"");
        while self.gateway.secrets() == before {
            assert!(
                killed.try_wait().unwrap().is_none(),
                "{:?}",
                Answer::of(killed)
            );
            sleep(Duration::from_millis(5));
        }
        killed.kill().unwrap();
        killed.wait().unwrap();
        self.gateway.mood(Mood::Well);
    }
}

#[test]
fn a_pair_goes_where_nothing_stands_and_never_under_docker_hubs_names() {
    let plane = Plane::new();
    plane.gateway.plant("REGISTRY_USERNAME", "robot$harbor");
    plane.gateway.plant("REGISTRY_PASSWORD", "harbors");
    plane.publish(&[HOST, "--names"]);
    let mut expected = secrets(&[
        ("REGISTRY_USERNAME", "robot$harbor"),
        ("REGISTRY_PASSWORD", "harbors"),
    ]);
    expected.extend(secrets(&[
        ("USERNAME", "AWS"),
        ("PASSWORD", "hunter2-minted-1"),
    ]));
    assert_eq!(plane.secrets(), expected);
    plane.keep_keys(OTHER);
    assert_eq!(
        plane.failure(&[OTHER, "--names", "--force"]),
        format!(
            "{OTHER}: publish: the workspace has other secrets under REGISTRY_PASSWORD and PASSWORD; set secrets = [\"X_USERNAME\", \"X_PASSWORD\"] in a rule for this registry"
        )
    );
    assert_eq!(plane.secrets(), expected);
}

#[test]
fn two_registries_have_a_pair_each() {
    let plane = Plane::new();
    plane.keep_keys(OTHER);
    let out = plane.publish(&["--all", "--names"]);
    assert_eq!(out.lines().count(), 2, "{out}");
    let mut expected = pair("hunter2-minted-1");
    expected.extend(secrets(&[
        ("USERNAME", "AWS"),
        ("PASSWORD", "hunter2-minted-2"),
    ]));
    assert_eq!(plane.secrets(), expected);
    let out = plane.publish(&[]);
    assert_eq!(out.matches("nothing is due for").count(), 2, "{out}");
}

#[test]
fn a_rule_names_the_secrets_and_the_former_ones_go() {
    let plane = Plane::new();
    plane.publish(&[HOST]);
    assert_eq!(plane.secrets().into_keys().collect::<Vec<_>>(), [BLOB]);
    let rule = |names: &str| {
        format!(
            "[[registry]]\nhost = \"{HOST}\"\nsecrets = {names}\n{}",
            plane.ecr.config()
        )
    };
    let file = plane.node.home().join("config.toml");
    fs::write(
        &file,
        rule(r#"["E_PASSWORD", "E_USERNAME"]"#).replacen("secrets", &endpoint(&plane), 1),
    )
    .unwrap();
    plane.publish(&[]);
    assert_eq!(
        plane.secrets(),
        secrets(&[("E_USERNAME", "AWS"), ("E_PASSWORD", "hunter2-minted-1")])
    );
    assert!(plane.publish(&[]).contains("(E_USERNAME and E_PASSWORD)"));
    for wrong in [
        r#"["GCP_ACCESS_TOKEN"]"#,
        r#"["E_USERNAME"]"#,
        r#"["E-USERNAME", "E-PASSWORD"]"#,
    ] {
        fs::write(&file, rule(wrong).replacen("secrets", &endpoint(&plane), 1)).unwrap();
        let line = plane.failure(&[]);
        assert!(
            line.contains(
                "the names in the rule's secrets are not those of a user name and a password"
            ),
            "{line}"
        );
    }
}

/// A rule of its own needs ECR's address too.
fn endpoint(plane: &Plane) -> String {
    let config = plane.ecr.config();
    format!(
        "{}\nsecrets",
        config
            .lines()
            .find(|line| line.starts_with("endpoint_url"))
            .unwrap()
    )
}

#[test]
fn what_was_published_is_removed_on_request_unless_somebody_has_changed_it() {
    let plane = Plane::new();
    plane.publish(&[HOST, "--names"]);
    let removed =
        format!("{HOST}: removed REGISTRY_PASSWORD and REGISTRY_USERNAME from the gateway store\n");
    assert_eq!(plane.publish(&[HOST, "--undo"]), removed);
    assert_eq!(plane.secrets(), BTreeMap::new());
    assert_eq!(plane.publish(&[]), "nothing to publish: name a registry\n");
    assert!(
        plane
            .failure(&[HOST, "--undo"])
            .contains("this node has published nothing for it")
    );
    plane.publish(&[HOST, "--names"]);
    plane.gateway.plant("REGISTRY_PASSWORD", "somebody's");
    assert_eq!(
        plane.failure(&[HOST, "--undo"]),
        format!(
            "{HOST}: publish: the secret REGISTRY_PASSWORD was changed since it was published; to leave it as it is, add --force"
        )
    );
    assert_eq!(plane.secrets(), pair("somebody's"));
    plane.publish(&[HOST, "--undo", "--force"]);
    assert_eq!(
        plane.secrets(),
        secrets(&[("REGISTRY_PASSWORD", "somebody's")])
    );
}

#[test]
fn a_dry_run_says_what_would_be_written_and_changes_nothing() {
    let plane = Plane::new();
    let before = fs::read_dir(plane.store_of_workspace()).unwrap().count();
    let out = plane.publish(&[HOST, "--dry-run"]);
    assert_eq!(
        out,
        format!("{HOST}: would write {BLOB} to the gateway store\n")
    );
    let out = plane.publish(&[HOST, "--dry-run", "--names", "--json"]);
    let row = format!(
        r#"{{"registry":"{HOST}","store":"gateway","outcome":"planned","names":["REGISTRY_USERNAME","REGISTRY_PASSWORD"]}}"#
    );
    assert_eq!(out, format!("{{\"registries\":[{row}],\"failed\":0}}\n"));
    assert_eq!((plane.secrets().len(), plane.ecr.mints()), (0, 0));
    assert_eq!(
        fs::read_dir(plane.store_of_workspace()).unwrap().count(),
        before
    );
}

impl Plane {
    fn store_of_workspace(&self) -> PathBuf {
        fs::read_dir(self.node.store_dir())
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path()
    }
}

#[test]
fn what_cannot_be_published_is_an_error_that_says_why() {
    let plane = Plane::configured("[[registry]]\nhost = \"gcr.io\"\nbackend = \"public\"\n");
    let own = plane.node.clone_with("BETA9_STORE", "file");
    own.store("myreg.azurecr.io", "robot", "hunter2");
    let token = own.clone_with("GCP_ACCESS_TOKEN", "ya29.hunter2");
    let answer = token.run(
        &[
            "provision",
            "eu-docker.pkg.dev/p/i",
            "--creds",
            "GCP_ACCESS_TOKEN",
        ],
        "",
    );
    assert_eq!(answer.status, 0, "{answer:?}");
    let table = [
        (
            "ghcr.io",
            "publish: no tokens are minted for this registry, whose credential lasts; store it in ",
        ),
        (
            "gcr.io",
            "publish: a rule says that the registry is public; remove the rule",
        ),
        (
            "myreg.azurecr.io",
            "publish: the control plane's own store has a user name and password for it, which last; ",
        ),
        (
            "us-docker.pkg.dev",
            "publish: the control plane's own store has no keys for it, and the node does not log in itself; store them with BETA9_STORE=file ",
        ),
        (
            "eu-docker.pkg.dev",
            "publish: its token has no time of expiry, so it cannot be renewed; ",
        ),
    ];
    for (host, why) in table {
        let line = plane.failure(&[host, "--names"]);
        assert!(line.starts_with(&format!("{host}: {why}")), "{line}");
    }
    assert_eq!(plane.secrets().len(), 0);
    let answer = own.run(&["publish", HOST], "");
    let expected = "publish: the file store isn't a workspace to publish to; set store.kind (or BETA9_STORE) to gateway or postgres";
    assert_eq!(answer.failure(), expected);
    // Publishes what is possible, and reports the others.
    let answer = plane.run(&[HOST, "ghcr.io", "--json"]);
    assert_eq!(answer.status, 1);
    let object = parse_object(answer.out.as_bytes()).unwrap();
    let Some(Value::Array(rows)) = object.get("registries") else {
        panic!("{answer:?}")
    };
    let outcome = |row: &Value| match row {
        Value::Object(row) => row.text("outcome").unwrap().expose().to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        rows.iter().map(outcome).collect::<Vec<_>>(),
        ["written", "failed"]
    );
    assert_eq!(plane.secrets().len(), 1);
}

#[test]
fn without_keys_of_its_own_the_nodes_identity_logs_in_where_that_is_allowed() {
    let plane = Plane::new();
    fs::remove_dir_all(plane.node.store_dir()).unwrap();
    let node = plane
        .node
        .clone_with("AWS_ACCESS_KEY_ID", ecr::KEY_ID)
        .with("AWS_SECRET_ACCESS_KEY", ecr::KEY);
    assert_eq!(node.run(&["publish", HOST], "").status, 1);
    assert_eq!((plane.secrets().len(), plane.ecr.mints()), (0, 0));
    let answer = node
        .with("BETA9_AMBIENT", "true")
        .run(&["publish", HOST, "--names"], "");
    assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
    assert_eq!(plane.secrets(), pair("hunter2-minted-1"));
}

#[test]
fn while_the_provider_or_the_workspace_is_down_what_is_published_stays() {
    let plane = Plane::new();
    plane.ecr.live(Duration::from_secs(4));
    plane.publish(&[HOST, "--names"]);
    Plane::wait_for_half_of_four_seconds();
    plane.ecr.refuse(true);
    let line = plane.failure(&[]);
    assert!(
        line.starts_with(&format!("{HOST}: backend aws: ")),
        "{line}"
    );
    assert_eq!(plane.secrets(), pair("hunter2-minted-1"));
    plane.ecr.refuse(false);
    plane.ecr.live(Duration::from_hours(12));
    ecr::end_shared_failures(&plane.node);
    plane.gateway.stop();
    let line = plane.failure(&[]);
    assert!(
        line.starts_with(&format!("{HOST}: gateway store: ")),
        "{line}"
    );
    plane.gateway.start_again();
    plane.publish(&[]);
    assert_ne!(plane.secrets(), pair("hunter2-minted-1"));
}

#[test]
fn a_cached_token_that_cannot_be_renewed_is_an_error_and_the_warning_says_why() {
    let plane = Plane::new();
    let hours = |hours| Duration::from_hours(hours);
    plane
        .ecr
        .plant(&plane.node, "default", HOST, (hours(7), hours(10)));
    plane.ecr.refuse(true);
    plane.publish_with_warning(&[HOST, "--names"]);
    assert_eq!(plane.secrets(), pair("hunter2-planted"));
    ecr::end_shared_failures(&plane.node);
    let answer = plane.run(&[]);
    let lines: Vec<_> = answer.err.lines().collect();
    assert!(answer.status == 1 && lines.len() == 2, "{answer:?}");
    assert!(
        lines[0].contains("the token is still good but could not be renewed: "),
        "{answer:?}"
    );
    assert!(
        lines[1].contains("the token is past half of its life, and no newer one could be minted"),
        "{answer:?}"
    );
}

impl Plane {
    fn publish_with_warning(&self, args: &[&str]) {
        let answer = self.run(args);
        assert!(
            answer.status == 0 && answer.err.lines().count() == 1,
            "{answer:?}"
        );
    }
}

#[test]
fn status_shows_what_is_published_and_nothing_secret() {
    let plane = Plane::new();
    let hours = |hours| Duration::from_hours(hours);
    plane.ecr.plant(
        &plane.node,
        "default",
        HOST,
        (hours(2) + Duration::from_secs(30), hours(10)),
    );
    plane.publish(&[HOST, "--names"]);
    let text = plane.node.run(&["status"], "").out;
    let wanted = format!(
        "{HOST}, published\n  token  [############----]  7 h 59 min left, minted 2 h ago\n  \
         for    workspace default; aws, as REGISTRY_USERNAME and REGISTRY_PASSWORD in\n         the gateway store\n"
    );
    assert!(text.contains(&wanted), "{text}");
    let answer = plane.node.run(&["status", "--json"], "");
    let object = parse_object(answer.out.as_bytes()).unwrap();
    let Some(Value::Array(rows)) = object.get("published") else {
        panic!("{answer:?}")
    };
    let [Value::Object(row)] = rows.as_slice() else {
        panic!("{answer:?}")
    };
    let text = |object: &Object, key: &str| object.text(key).unwrap().expose().to_owned();
    assert_eq!(
        (
            text(row, "registry"),
            text(row, "store"),
            text(row, "backend")
        ),
        (HOST.into(), "gateway".into(), "aws".into())
    );
    assert_eq!(
        (row.get("is_due"), row.get("whole")),
        (Some(&Value::Bool(false)), Some(&Value::Bool(true)))
    );
    let times =
        ["minted", "due", "expires"].map(|key| humantime::parse_rfc3339(&text(row, key)).unwrap());
    assert!(times[0] < times[1] && times[1] < times[2], "{times:?}");
    let metrics = plane
        .node
        .run(&["status", "--format", "prometheus"], "")
        .out;
    let sample = "beta9_credential_published_expires_timestamp_seconds{registry=\"";
    assert!(
        metrics.contains(&format!(
            "{sample}{HOST}\",workspace=\"default\",backend=\"aws\"}} "
        )),
        "{metrics}"
    );
    assert!(!answer.out.contains("hunter2") && !metrics.contains("hunter2"));
}

#[test]
fn refresh_renews_what_publish_has_minted_from_the_control_planes_own_keys() {
    let plane = Plane::new();
    plane.publish(&[HOST]);
    let answer = plane.node.run(&["refresh", "--all"], "");
    assert_eq!(
        answer,
        Answer {
            status: 0,
            out: format!("[1/1] {HOST} (default): renewed\n"),
            err: String::new()
        }
    );
    plane.publish(&[HOST, "--force"]);
    assert!(plane.secrets()[BLOB].contains("hunter2-minted-2"));
}

/// A control plane whose workspace is in this database.
fn plane_of(database: &Database) -> (Ecr, Node) {
    let ecr = Ecr::start();
    let node = database.node().configured(&ecr.config());
    ecr::keep(&node, &database.workspace, HOST, &ecr::blob(HOST));
    (ecr, node)
}

#[test]
fn the_database_shows_which_generation_it_is_of_and_a_switch_leaves_nothing_behind() {
    let test = "the_database_shows_which_generation_it_is_of_and_a_switch_leaves_nothing_behind";
    let Some(database) = Database::after(Migration::M036, test) else {
        return;
    };
    let (ecr, node) = plane_of(&database);
    let publish = |args: &[&str]| {
        let answer = node.run(&[&["publish"], args].concat(), "");
        assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
    };
    publish(&[HOST]);
    let name = "oci-registry-123456789012-dkr-ecr-us-east-1-amazonaws-com";
    assert_eq!(database.secret_names(), name);
    let blob = r#"{"credentials":{"PASSWORD":"hunter2-minted-1","USERNAME":"AWS"},"registry":"HOST","type":"basic"}"#;
    assert_eq!(database.opened(name), blob.replace("HOST", HOST));
    assert_eq!(node.pair(HOST), ("AWS".into(), "hunter2-minted-1".into()));
    database.sql(
        "ALTER TABLE image DROP COLUMN credential_secret_name, DROP COLUMN credential_secret_id",
    );
    database.sql("ALTER TABLE image ADD COLUMN credential_secret_names TEXT[]");
    publish(&[]);
    assert_eq!(
        database.secret_names(),
        "REGISTRY_PASSWORD,REGISTRY_USERNAME"
    );
    assert_eq!(
        (
            database.opened("REGISTRY_USERNAME"),
            database.opened("REGISTRY_PASSWORD")
        ),
        ("AWS".into(), "hunter2-minted-1".into())
    );
    assert_eq!(ecr.mints(), 1);
    publish(&[HOST, "--undo"]);
    assert_eq!(database.secret_names(), "");
}

#[test]
fn an_image_is_bound_to_the_published_names_and_its_payload_has_the_token() {
    let test = "an_image_is_bound_to_the_published_names_and_its_payload_has_the_token";
    let Some(database) = Database::after(Migration::M053, test) else {
        return;
    };
    let (_ecr, node) = plane_of(&database);
    database.sql("INSERT INTO image (image_id) VALUES ('im1')");
    assert_eq!(node.run(&["publish", HOST], "").status, 0);
    let image = format!("{HOST}/team/app");
    let names = "REGISTRY_USERNAME,REGISTRY_PASSWORD";
    let answer = node.run(
        &["provision", &image, "--creds", names, "--image-id", "im1"],
        "",
    );
    assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
    let payload = node.run(&["resolve", "im1"], "").out;
    let expected = r#"{"credentials":{"REGISTRY_PASSWORD":"hunter2-minted-1","REGISTRY_USERNAME":"AWS"},"registry":"","type":"basic"}"#;
    assert_eq!(payload, format!("{expected}\n"));
    let worker = Node::new()
        .with("BETA9_IMAGE_CREDENTIALS", payload)
        .with("BETA9_IMAGE", image);
    assert_eq!(worker.pair(HOST), ("AWS".into(), "hunter2-minted-1".into()));
}

#[test]
fn in_the_database_what_somebody_else_wrote_stays() {
    let test = "in_the_database_what_somebody_else_wrote_stays";
    let Some(database) = Database::after(Migration::M053, test) else {
        return;
    };
    let (_ecr, node) = plane_of(&database);
    assert_eq!(node.run(&["publish", HOST], "").status, 0);
    database.plant_as("REGISTRY_PASSWORD", "somebody's");
    let answer = node.run(&["publish"], "");
    let changed = "publish: the secret REGISTRY_PASSWORD was changed since it was published";
    assert!(
        answer.status == 1 && answer.err.contains(changed),
        "{answer:?}"
    );
    assert_eq!(node.run(&["publish", HOST, "--undo"], "").status, 1);
    assert_eq!(database.opened("REGISTRY_PASSWORD"), "somebody's");
    assert_eq!(node.run(&["publish", HOST, "--force"], "").status, 0);
    assert_eq!(database.opened("REGISTRY_PASSWORD"), "hunter2-minted-1");
}

#[test]
fn the_books_example_keeps_the_keys_in_the_control_planes_own_store() {
    let page = include_str!("../docs/publish.md");
    let line = page
        .lines()
        .find(|line| line.starts_with("BETA9_STORE=file docker-credential-beta9 provision"))
        .unwrap();
    let exports = page.split(line).next().unwrap().lines().last().unwrap();
    assert!(
        exports.starts_with("export AWS_ACCESS_KEY_ID="),
        "{exports}"
    );
    let plane = Plane::new();
    fs::remove_dir_all(plane.node.store_dir()).unwrap();
    let mut shell = plane.node.command(&[]);
    let bin = Path::new(common::BINARY)
        .parent()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let environment: Vec<_> = shell
        .get_envs()
        .map(|(name, value)| (name.to_owned(), value.unwrap().to_owned()))
        .collect();
    shell = std::process::Command::new("/bin/sh");
    shell
        .arg("-c")
        .arg(format!("{exports}\n{line}"))
        .env_clear()
        .envs(environment)
        .env("PATH", bin);
    let done = shell.output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert_eq!(plane.secrets(), BTreeMap::new());
    plane.publish(&[HOST]);
    assert_eq!(plane.secrets().into_keys().collect::<Vec<_>>(), [BLOB]);
}

#[test]
fn of_many_at_once_one_writes_and_none_takes_the_others_value_for_somebody_elses() {
    let plane = Plane::new();
    let node = plane.node.clone_with("BETA9_CACHE", "off");
    let running: Vec<_> = (0..5)
        .map(|_| node.start(&["publish", HOST, "--names"], b""))
        .collect();
    for answer in running.into_iter().map(Answer::of) {
        assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
    }
    assert_eq!(
        (plane.secrets(), plane.ecr.mints()),
        (pair("hunter2-minted-1"), 1)
    );
}
