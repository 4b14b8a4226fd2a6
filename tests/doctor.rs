//! `doctor`: each kind of broken set-up is reported with a fix, and the fix works. More of them, with real clients and
//! clouds, are in tests/real/parts/broken.sh and tests/cloud/helper/broken.py.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use beta9_credential::token::Scope;
use common::gateway::{Gateway, OTHER_TOKEN, RESTRICTED_TOKEN, WORKSPACE};
use common::health::{Health, chmod, doctor, fixed_by, healthy_node, wired, with_path};
use common::postgres::Database;
use common::{Answer, BINARY, Node, tokens, worker};

const ECR: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";

#[test]
fn a_healthy_node_is_reported_so_group_by_group() {
    let node = healthy_node();
    doctor(&node).assert_well();
    node.store("docker.io", "octo", "hunter2");
    // A note about an image isn't a credential.
    let build = node
        .clone_with("USERNAME", "octo")
        .with("PASSWORD", "hunter2");
    let bound = build.run(
        &[
            "provision",
            "docker.io/a/b",
            "--creds",
            "USERNAME,PASSWORD",
            "--image-id",
            "7d1c",
        ],
        "",
    );
    assert_eq!(bound.status, 0, "{bound:?}");
    let health = doctor(&node);
    health.assert_well();
    assert!(health.says("program", "ok", "clients find "), "{health:#?}");
    assert!(
        health.says("configuration", "ok", "workspace default, store file"),
        "{health:#?}"
    );
    assert!(health.says("files", "ok", "(mode 0700)"), "{health:#?}");
    assert!(
        health.says("store", "ok", "1 stored entry opens with the key"),
        "{health:#?}"
    );
    assert!(
        health.says(
            "clock",
            "note",
            "there is nothing to compare the clock with"
        ),
        "{health:#?}"
    );
    assert!(
        health.says("docker", "ok", "docker asks this helper for 1 registry: "),
        "{health:#?}"
    );
    assert!(
        health.says("podman", "ok", "podman asks this helper for 1 registry: "),
        "{health:#?}"
    );
    let human = node.run(&["doctor"], "");
    assert_eq!(human.status, 0);
    assert!(
        human.out.ends_with("\n\nnothing is broken\n"),
        "{}",
        human.out
    );
    assert!(!human.out.contains("hunter2") && !human.out.contains('\x1b'));
}

#[test]
fn it_changes_nothing() {
    let node = healthy_node();
    node.store("docker.io", "octo", "hunter2");
    let before = files_below(node.home());
    assert!(before.len() > 3, "{:?}", before.keys());
    doctor(&node);
    assert_eq!(files_below(node.home()), before);
}

/// Each file below it, with its bytes, its mode, and when it was written.
fn files_below(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u32, SystemTime)> {
    let paths = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = paths.flat_map(|path| {
        if path.is_dir() {
            return files_below(&path);
        }
        let about = fs::metadata(&path).unwrap();
        let file = (
            fs::read(&path).unwrap(),
            about.permissions().mode(),
            about.modified().unwrap(),
        );
        BTreeMap::from([(path, file)])
    });
    files.collect()
}

#[test]
fn a_key_that_the_world_can_read() {
    let node = healthy_node();
    node.store("docker.io", "octo", "hunter2");
    chmod(&node.key_file(), 0o644);
    let health = doctor(&node);
    let broken = health.broken();
    assert_eq!(
        broken.what,
        format!(
            "{} is open to others (mode 0644)",
            node.key_file().display()
        )
    );
    assert_eq!(
        broken.command.as_deref(),
        Some(format!("chmod 600 {}", node.key_file().display()).as_str())
    );
    assert!(health.says("store", "note", "not checked"), "{health:#?}");
    fixed_by(&node, broken).assert_well();
    assert_eq!(node.pair("docker.io").1, "hunter2");
}

#[test]
fn a_helper_that_is_not_on_the_path() {
    let node = wired(
        with_path(Node::new(), false),
        r#"{"credsStore":"beta9","credHelpers":{"ghcr.io":"beta9"}}"#,
    );
    let health = doctor(&node);
    let broken = health.broken();
    assert_eq!(
        broken.what,
        "docker-credential-beta9 is in no directory of the PATH: what docker and podman would pull through it fails"
    );
    let link = node.home().join("bin/docker-credential-beta9");
    assert_eq!(
        broken.command.as_deref(),
        Some(format!("ln -sf {BINARY} {}", link.display()).as_str())
    );
    fixed_by(&node, broken).assert_well();
    // One that may not be run is worse than none: it is there, and every pull fails.
    fs::remove_file(&link).unwrap();
    fs::copy(BINARY, &link).unwrap();
    chmod(&link, 0o644);
    let health = doctor(&node);
    assert!(
        health.broken().what.contains("may not be run by this user"),
        "{health:#?}"
    );
    fixed_by(&node, health.broken()).assert_well();
    // Another build in front is what clients run, whatever is asked here.
    fs::write(&link, "#!/bin/sh\necho docker-credential-beta9 0.0.9\n").unwrap();
    let health = doctor(&node);
    assert_eq!(health.status, 0);
    let warning = health.warning("clients run ");
    assert!(
        warning
            .command
            .as_ref()
            .unwrap()
            .starts_with(&format!("install -D -m 755 {BINARY} ")),
        "{warning:?}"
    );
}

#[test]
fn without_a_directory_to_write_to_the_path_is_named_that_works() {
    let node =
        wired(with_path(Node::new(), false), "{}").with("PATH", "/nowhere/bin:/nowhere/sbin");
    let health = doctor(&node);
    let command = health.broken().command.clone().unwrap();
    assert!(
        command.starts_with("export PATH=") && command.ends_with(":/nowhere/bin:/nowhere/sbin"),
        "{command}"
    );
    fixed_by(&node, health.broken()).assert_well();
}

#[test]
fn an_invalid_configuration_is_a_finding_and_hides_no_other() {
    let node = wired(
        with_path(Node::new(), false),
        r#"{"credHelpers":{"docker.io":"beta9"}}"#,
    );
    let node = node.configured("workspce = \"x\"\n");
    let health = doctor(&node);
    assert_eq!(health.in_state("broken").count(), 3, "{health:#?}");
    assert!(health.says("program", "broken", "is in no directory of the PATH"));
    assert!(health.says("configuration", "broken", "unknown key \"workspce\""));
    assert!(health.says(
        "docker",
        "broken",
        "not under \"https://index.docker.io/v1/\""
    ));
    let fix = &health
        .findings
        .iter()
        .find(|one| one.group == "configuration")
        .unwrap()
        .fix;
    assert_eq!(fix.as_deref(), Some("did you mean \"workspace\"?"));
    let wrong_rule = node.configured("[[registry]]\nhost = \"a.example\"\nbackend = \"azur\"\n");
    assert!(doctor(&wrong_rule).says("configuration", "broken", "there is no backend \"azur\""));
}

#[test]
fn files_that_others_could_have_touched_are_in_other_hands_or_lead_elsewhere() {
    let node = healthy_node();
    node.store("docker.io", "octo", "hunter2");
    chmod(&node.store_dir(), 0o777);
    let health = doctor(&node);
    assert!(
        health
            .broken()
            .what
            .contains("can be written by others (mode 0777)"),
        "{health:#?}"
    );
    fixed_by(&node, health.broken()).assert_well();
    // A link of one's own isn't a fault, and is told.
    let moved = node.home().join("moved");
    fs::rename(node.store_dir(), &moved).unwrap();
    symlink(&moved, node.store_dir()).unwrap();
    let health = doctor(&node);
    health.assert_well();
    assert!(
        health.says(
            "files",
            "note",
            &format!("is a symbolic link to {}", moved.display())
        ),
        "{health:#?}"
    );
    // A file in its place is in the way.
    fs::remove_file(node.store_dir()).unwrap();
    fs::write(node.store_dir(), "").unwrap();
    let health = doctor(&node);
    assert!(
        health.broken().what.ends_with("is not a directory"),
        "{health:#?}"
    );
    fixed_by(&node, health.broken()).assert_well();
}

#[test]
fn places_where_nothing_can_be_kept() {
    // The kernel's own file system has no room, and no place for anybody but root.
    let node = healthy_node().with("BETA9_CACHE_DIR", "/proc/self/task");
    let health = doctor(&node);
    assert!(
        health
            .warning("the token cache /proc/self/task")
            .what
            .ends_with("nothing new is kept"),
        "{health:#?}"
    );
    let node = node.with("BETA9_CACHE_DIR", "/dev/null/tokens");
    assert!(
        doctor(&node)
            .warning("/dev/null/tokens is not there")
            .what
            .contains("cannot be made")
    );
    let node = node.with("BETA9_CACHE", "off");
    doctor(&node).assert_well();
    // Nor the key, where the store has a place.
    let keyless = doctor(&node.clone_with("BETA9_STORE_KEY_FILE", "/dev/null/key"));
    assert_eq!(
        keyless.broken().what,
        "the key /dev/null/key is not there and cannot be made: /dev/null cannot be written"
    );
    let homeless = node
        .without("HOME")
        .with("BETA9_STORE_PATH", "/dev/null/credentials")
        .with("DOCKER_CONFIG", "/nowhere");
    assert!(
        doctor(&homeless)
            .broken()
            .what
            .contains("/dev/null/credentials is not there and cannot be made")
    );
}

#[test]
fn what_belongs_to_somebody_else() {
    let node = healthy_node();
    node.store("docker.io", "octo", "hunter2");
    if !rustix::process::geteuid().is_root() {
        println!("skip what_belongs_to_somebody_else: only root gives files away");
        return;
    }
    chown(node.store_dir(), Some(12345), None).unwrap();
    let health = doctor(&node);
    assert!(
        health
            .broken()
            .what
            .ends_with("belongs to uid 12345, and this is uid 0"),
        "{health:#?}"
    );
    let command = health.broken().command.as_deref();
    assert_eq!(
        command,
        Some("sudo -u '#12345' docker-credential-beta9 doctor")
    );
    let own = [".local", ".local/share", ".local/share/beta9"].map(|dir| node.home().join(dir));
    chown(node.store_dir(), Some(54321), None).unwrap();
    // Where the program was built may be closed to others.
    let program = node.home().join("program");
    // By another process: a program that this one has open for writing, in any thread's fork, cannot be started.
    assert!(
        Command::new("cp")
            .args([BINARY.as_ref(), program.as_os_str()])
            .status()
            .unwrap()
            .success()
    );
    let mut as_user = node.command_of(program.to_str().unwrap(), &["doctor", "--json"]);
    chmod(node.home(), 0o755);
    let mut look = || {
        let output = as_user.uid(12345).stdin(Stdio::null()).output().unwrap();
        let (status, out) = (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
        );
        Health::of(&Answer {
            status,
            out,
            err: String::new(),
        })
    };
    // The directories above it are root's, and closed.
    assert!(look().says("files", "broken", "cannot be looked at (Permission denied"));
    for dir in own {
        chown(dir, Some(12345), None).unwrap();
    }
    let health = look();
    let foreign = health
        .in_state("broken")
        .find(|one| one.what.contains("belongs to uid 54321"))
        .unwrap();
    // It stays its owner's, who may run this.
    assert!(
        foreign
            .fix
            .as_deref()
            .is_some_and(|fix| fix.starts_with("run it as uid 54321, or ")),
        "{health:#?}"
    );
    assert_eq!(foreign.command, None);
}

#[test]
fn an_entry_that_does_not_open_is_named_and_the_others_are_counted() {
    let node = healthy_node();
    node.store("ghcr.io", "octo", "hunter2");
    let damaged = node.sealed_file();
    node.store("docker.io", "octo", "hunter2");
    let mut bytes = fs::read(&damaged).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&damaged, bytes).unwrap();
    let health = doctor(&node);
    assert!(
        health
            .broken()
            .what
            .starts_with("ghcr.io: file store: its entry does not open"),
        "{health:#?}"
    );
    assert!(
        health.says("store", "ok", "1 stored entry opens"),
        "{health:#?}"
    );
    // Without the key nothing opens at all.
    fs::remove_file(node.key_file()).unwrap();
    let health = doctor(&node);
    assert!(
        health
            .broken()
            .what
            .contains("is gone, and nothing opens without it"),
        "{health:#?}"
    );
}

#[test]
fn a_configuration_file_with_a_token_in_it_is_for_nobody_else() {
    let gateway = Gateway::start();
    let text = format!(
        "[store]\nkind = \"gateway\"\n[store.gateway]\nurl = \"{}\"\ntoken = \"{}\"\n",
        gateway.url(),
        common::gateway::TOKEN
    );
    let node = healthy_node().configured(&text);
    let file = node.home().join("config.toml");
    chmod(&file, 0o644);
    let health = doctor(&node);
    assert_eq!(health.status, 0);
    fixed_by(
        &node,
        health.warning("holds a token and is open to others (mode 0644)"),
    )
    .assert_well();
    chmod(&file, 0o666);
    let health = doctor(&node);
    assert!(
        health
            .broken()
            .what
            .ends_with("config.toml can be written by others (mode 0666)"),
        "{health:#?}"
    );
    fixed_by(&node, health.broken()).warning("holds a token and is open to others");
}

/// A node of the gateway that has nothing else to be told.
fn gateway_node(gateway: &Gateway) -> Node {
    gateway.wire(healthy_node())
}

#[test]
fn a_gateway_that_is_down() {
    let gateway = Gateway::start();
    let node = gateway_node(&gateway);
    doctor(&node).assert_well();
    gateway.stop();
    let health = doctor(&node);
    let broken = health.broken();
    assert!(
        broken.group == "store"
            && broken.what.contains("127.0.0.1")
            && broken.what.contains("refused the connection"),
        "{broken:?}"
    );
    assert!(
        broken
            .fix
            .as_ref()
            .unwrap()
            .starts_with("check whether the node reaches it"),
        "{broken:?}"
    );
    gateway.start_again();
    doctor(&node).assert_well();
}

#[test]
fn a_wrong_token_is_reported_apart_from_a_gateway_that_cannot_be_trusted() {
    let gateway = Gateway::start();
    let node = gateway_node(&gateway);
    let wrong = node.clone_with("BETA9_TOKEN", "hunter2-nobodys");
    let health = doctor(&wrong);
    assert!(
        health
            .broken()
            .what
            .contains("refused the token from BETA9_TOKEN for its own workspace (401)"),
        "{health:#?}"
    );
    assert!(
        health
            .broken()
            .fix
            .as_ref()
            .unwrap()
            .starts_with("give it a token of that workspace"),
        "{health:#?}"
    );
    let restricted = doctor(&node.clone_with("BETA9_TOKEN", RESTRICTED_TOKEN));
    assert!(
        restricted
            .broken()
            .what
            .contains(&format!("for workspace {WORKSPACE} (401)")),
        "{restricted:#?}"
    );
    doctor(&node).assert_well();
    if !Gateway::can_do_tls() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let gateway = Gateway::start_tls(scratch.path());
    let node = gateway_node(&gateway);
    let health = doctor(&node);
    assert!(
        health
            .broken()
            .what
            .contains("is signed by nobody that this system trusts"),
        "{health:#?}"
    );
    doctor(&node.with("SSL_CERT_FILE", gateway.authority())).assert_well();
}

#[test]
fn a_wrong_workspace() {
    let gateway = Gateway::start();
    let node = gateway_node(&gateway)
        .with("BETA9_TOKEN", OTHER_TOKEN)
        .with("BETA9_WORKSPACE_ID", WORKSPACE);
    let health = doctor(&node);
    let own = common::gateway::OTHER_WORKSPACE;
    assert_eq!(
        health.broken().what,
        format!("the token is for the workspace {own}, and {WORKSPACE} is configured")
    );
    assert_eq!(
        health.broken().command.as_deref(),
        Some(format!("export BETA9_WORKSPACE_ID={own}").as_str())
    );
    fixed_by(&node, health.broken()).assert_well();
    // In a file it is for a person to correct.
    let file = |workspace: &str| {
        node.clone_with("BETA9_WORKSPACE_ID", "")
            .configured(&format!("workspace = \"{workspace}\"\n"))
    };
    let health = doctor(&file(WORKSPACE));
    assert!(
        health
            .broken()
            .fix
            .as_ref()
            .unwrap()
            .starts_with(&format!("set workspace = \"{own}\"")),
        "{health:#?}"
    );
    doctor(&file(own)).assert_well();
}

#[test]
fn a_clock_that_is_off_is_seen_by_the_gateways() {
    let gateway = Gateway::start();
    let node = gateway_node(&gateway);
    gateway.show_clock(0);
    assert!(doctor(&node).says("clock", "ok", "the clock agrees with the store's"));
    gateway.show_clock(7230);
    let health = doctor(&node);
    assert!(
        health
            .broken()
            .what
            .starts_with("this node's clock is 2 h behind the store's: providers refuse"),
        "{health:#?}"
    );
    assert!(
        health
            .broken()
            .command
            .as_ref()
            .unwrap()
            .ends_with("timedatectl set-ntp true"),
        "{health:#?}"
    );
    gateway.show_clock(-90);
    doctor(&node).warning("ahead of the store's");
}

#[test]
fn a_clock_that_was_set_back_is_seen_by_the_last_token() {
    let node = healthy_node();
    let scope = Scope::new("", vec!["keys".to_owned()]);
    let id = tokens::id("default", ECR, "aws", &scope);
    tokens::plant(
        &node,
        &id,
        Duration::from_mins(30),
        Ok(Duration::from_hours(12)),
    );
    let health = doctor(&node);
    health.assert_well();
    assert!(
        health.says("clock", "ok", "since a provider last gave a token"),
        "{health:#?}"
    );
    assert!(
        health.says("tokens", "ok", "1 cached token is good"),
        "{health:#?}"
    );
    // To the helper it is one whether the clock is set back or was ahead when the token was minted.
    tokens::plant_ahead(
        &node,
        &tokens::id(
            "default",
            ECR,
            "aws",
            &Scope::new("", vec!["other keys".to_owned()]),
        ),
        7230,
    );
    let health = doctor(&node);
    assert_eq!(
        health.broken().what,
        "this node's clock was set back by 2 h since a provider last gave a token"
    );
    assert!(
        health
            .broken()
            .command
            .as_ref()
            .unwrap()
            .ends_with("timedatectl set-ntp true"),
        "{health:#?}"
    );
}

#[test]
fn a_clock_that_was_set_ahead_is_seen_by_the_last_token() {
    let (node, scope) = (healthy_node(), Scope::new("", vec!["keys".to_owned()]));
    if !tokens::plant_behind(&node, &tokens::id("default", ECR, "aws", &scope), 930) {
        println!(
            "skip a_clock_that_was_set_ahead_is_seen_by_the_last_token: the machine has just been started"
        );
        return;
    }
    let health = doctor(&node);
    let what = "this node's clock was set ahead by 15 min since a provider last gave a token";
    assert_eq!(health.broken().what, what);
    assert!(
        health
            .broken()
            .command
            .as_ref()
            .unwrap()
            .ends_with("timedatectl set-ntp true"),
        "{health:#?}"
    );
}

#[test]
fn a_token_that_could_not_be_had_is_reported_with_its_cause_until_one_was() {
    let node = healthy_node();
    let scope = Scope::new("", vec!["keys".to_owned()]);
    let id = tokens::id("default", ECR, "aws", &scope);
    tokens::plant(
        &node,
        &id,
        Duration::from_mins(10),
        Err("the session has expired"),
    );
    let health = doctor(&node);
    assert_eq!(health.status, 0);
    let warning = health.warning("a mint failed");
    assert_eq!(
        warning.what,
        format!("{ECR}: 10 min ago a mint failed: backend aws: the session has expired")
    );
    assert_eq!(warning.fix.as_deref(), Some("try again"));
    tokens::plant(
        &node,
        &id,
        Duration::from_secs(30),
        Ok(Duration::from_hours(12)),
    );
    doctor(&node).assert_well();
    let other = Scope::new("", vec!["other keys".to_owned()]);
    let late = tokens::id("default", "gcr.io", "gcp", &other);
    tokens::plant(
        &node,
        &late,
        Duration::from_mins(3),
        Err("this node's clock is more than five minutes off"),
    );
    let health = doctor(&node);
    assert!(
        health
            .warning("gcr.io: 3 min ago")
            .command
            .as_ref()
            .unwrap()
            .ends_with("timedatectl set-ntp true")
    );
}

#[test]
fn a_gateway_that_never_answers_takes_no_longer_than_the_timeout() {
    let gateway = Gateway::start();
    gateway.mood(common::gateway::Mood::Hang);
    let began = std::time::Instant::now();
    let health = doctor(&gateway_node(&gateway).with("BETA9_TIMEOUT", "2s"));
    assert!(
        health.broken().what.contains("did not answer in time"),
        "{health:#?}"
    );
    // The fake holds each connection for 15 s.
    assert!(began.elapsed().as_secs() < 12, "{:?}", began.elapsed());
}

#[test]
fn the_workers_gateway_is_asked_as_the_worker_asks_it() {
    let gateway = worker::Gateway::start();
    let node = gateway.wire(healthy_node());
    let health = doctor(&node);
    health.assert_well();
    assert!(
        health.says("store", "ok", "takes the token from BETA9_WORKER_TOKEN"),
        "{health:#?}"
    );
    let health = doctor(&node.clone_with("BETA9_WORKER_TOKEN", "hunter2-nobodys"));
    assert_eq!(health.broken().group, "store");
    assert!(health.broken().what.contains("token"), "{health:#?}");
    drop(gateway);
    let health = doctor(&node);
    assert!(
        health.broken().what.contains("refused the connection"),
        "{health:#?}"
    );
}

#[test]
fn beta9s_database_is_looked_at_and_what_it_lacks_is_made_by_migrate() {
    let Some(database) = Database::new("doctor") else {
        return;
    };
    let node = database.node();
    let path = healthy_node();
    let node = ["PATH", "HOME", "XDG_RUNTIME_DIR"]
        .iter()
        .fold(node, |node, name| node.with(name, path.variable(name)));
    database.plant(
        "ghcr.io",
        r#"{"registry":"ghcr.io","type":"basic","credentials":{"USERNAME":"u","PASSWORD":"hunter2"}}"#,
    );
    database.plant_sealed(
        &database.workspace,
        "oci-registry-quay-io",
        "bm90IHNlYWxlZA==",
    );
    let health = doctor(&node);
    assert!(
        health.says("clock", "ok", "the clock agrees with the store's"),
        "{health:#?}"
    );
    assert!(
        health.says("store", "ok", "1 of 2 secrets for registries open"),
        "{health:#?}"
    );
    assert!(
        health.broken().what.contains("oci-registry-quay-io"),
        "{health:#?}"
    );
    database.sql("DELETE FROM workspace_secret WHERE name = 'oci-registry-quay-io'");
    let health = doctor(&node);
    let warning = health.warning("the database has no ");
    assert_eq!(
        warning.command.as_deref(),
        Some("docker-credential-beta9 migrate")
    );
    fixed_by(&node, warning).assert_well();
    let stranger = node.clone_with("BETA9_WORKSPACE_ID", "11111111-1111-4111-8111-111111111111");
    assert!(
        doctor(&stranger)
            .broken()
            .what
            .contains("the database has no workspace 11111111")
    );
    let locked_out = node.clone_with(
        "BETA9_DATABASE_URL",
        database.url().replace("hunter2", "hunter3"),
    );
    assert!(
        doctor(&locked_out)
            .broken()
            .what
            .contains("refused the password of user")
    );
    let empty = Database::empty("doctor").unwrap();
    assert!(
        doctor(&node.with("BETA9_DATABASE_URL", empty.url()))
            .broken()
            .what
            .contains("this database is not Beta9's")
    );
}

#[test]
fn a_missing_key_of_docker_hub() {
    let [hub, short] = ["https://index.docker.io/v1/", "docker.io"];
    for (there, lacking) in [(hub, short), (short, hub)] {
        let node = wired(
            with_path(Node::new(), true),
            &format!("{{\"credHelpers\":{{\"{there}\":\"beta9\"}}}}"),
        );
        node.store("docker.io", "octo", "hunter2");
        let health = doctor(&node);
        assert!(
            health
                .broken()
                .what
                .contains(&format!("and not under \"{lacking}\"")),
            "{health:#?}"
        );
        let command = health.broken().command.as_deref();
        assert_eq!(
            command,
            Some("docker-credential-beta9 configure docker --hosts docker.io")
        );
        let fixed = fixed_by(&node, health.broken());
        fixed.assert_well();
        assert!(
            fixed.says("podman", "ok", "asks this helper for 1 registry"),
            "{fixed:#?}"
        );
    }
}

#[test]
fn clients_that_ask_somebody_else_or_nobody_and_passwords_in_plain_text() {
    let node = wired(
        with_path(Node::new(), true),
        r#"{"credHelpers":{"ghcr.io":"pass","quay.io":"beta9"},"auths":{"quay.io":{"auth":"b2N0bzpodW50ZXIy"},"a.example":{"auth":"b2N0bzpodW50ZXIy"}}}"#,
    );
    let pass = node.home().join("bin/docker-credential-pass");
    fs::write(&pass, "#!/bin/sh\nexit 1\n").unwrap();
    chmod(&pass, 0o755);
    for host in ["ghcr.io", "quay.io", "nvcr.io"] {
        node.store(host, "octo", "hunter2");
    }
    let health = doctor(&node);
    assert_eq!(health.status, 0);
    let command = |text: &str| health.warning(text).command.clone().unwrap();
    assert_eq!(
        command("for ghcr.io, docker asks the helper pass"),
        "docker-credential-beta9 configure docker --hosts ghcr.io --force"
    );
    assert_eq!(
        command("docker does not ask this helper for nvcr.io"),
        "docker-credential-beta9 configure docker --hosts nvcr.io"
    );
    assert_eq!(
        command("podman does not ask this helper for nvcr.io"),
        "docker-credential-beta9 configure podman --hosts nvcr.io"
    );
    let plain = health.warning("holds the password for quay.io in plain text");
    assert_eq!(
        plain.command.as_deref(),
        Some("docker-credential-beta9 import docker --remove")
    );
    assert_eq!(
        command("holds the password for a.example in plain text"),
        "docker-credential-beta9 configure docker --hosts a.example && docker-credential-beta9 import docker --remove"
    );
    // One after the other, until nothing is left to be said.
    let mut health = health;
    for _ in 0..8 {
        let Some(warning) = health.in_state("warning").next().cloned() else {
            break;
        };
        health = fixed_by(&node, &warning);
    }
    health.assert_well();
    let docker = fs::read_to_string(node.home().join(".docker/config.json")).unwrap();
    assert!(
        !docker.contains("b2N0bzpodW50ZXIy") && !docker.contains("pass"),
        "{docker}"
    );
}

#[test]
fn a_clients_file_that_no_client_can_read_is_broken() {
    let node = wired(with_path(Node::new(), true), "{\"auths\":");
    let health = doctor(&node);
    // Podman reads it too: one fault is counted once.
    assert_eq!(health.broken().group, "docker");
    assert!(
        health.says("podman", "note", "podman reads docker's file too"),
        "{health:#?}"
    );
}

#[test]
fn a_clients_file_that_is_closed_to_this_user_is_opened_by_the_command() {
    if !rustix::process::geteuid().is_root() {
        let node = healthy_node();
        let file = node.home().join(".docker/config.json");
        chmod(&file, 0o000);
        let health = doctor(&node);
        assert_eq!(
            health.broken().command.as_deref(),
            Some(format!("chmod 600 {}", file.display()).as_str())
        );
        fixed_by(&node, health.broken()).assert_well();
        return;
    }
    // As `sudo docker login` leaves it.
    let node = healthy_node();
    let (dir, program) = (node.home().join(".docker"), node.home().join("program"));
    let file = dir.join("config.json");
    fs::copy(BINARY, &program).unwrap();
    for (path, mode) in [(node.home(), 0o755), (&dir, 0o755), (&file, 0o600)] {
        chmod(path, mode);
    }
    let broken = || {
        let mut look = node.command_of(program.to_str().unwrap(), &["doctor", "--json"]);
        let output = look.uid(12345).stdin(Stdio::null()).output().unwrap();
        let (status, out) = (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
        );
        let health = Health::of(&Answer {
            status,
            out,
            err: String::new(),
        });
        let broken = health
            .in_state("broken")
            .filter(|one| ["docker", "podman"].contains(&one.group.as_str()));
        broken
            .map(|one| one.command.clone().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(broken(), [format!("sudo chown 12345 {}", file.display())]);
    chmod(&dir, 0o700);
    assert_eq!(
        broken(),
        [format!(
            "sudo chown 12345 {} {}",
            dir.display(),
            file.display()
        )]
    );
    for path in [&dir, &file] {
        chown(path, Some(12345), None).unwrap();
    }
    assert_eq!(broken(), Vec::<String>::new());
}

#[test]
fn a_registry_that_a_rule_answers_for_is_served_as_one_of_the_store_is() {
    let node = wired(of_aws(with_path(Node::new(), true)), "{}").configured(&format!(
        "[[registry]]\nhost = \"{ECR}\"\nambient = true\n\
         [[registry]]\nhost = \"mirror.example.com\"\nalias_of = \"ghcr.io\"\n\
         [[registry]]\nhost = \"empty.example.com\"\nalias_of = \"nvcr.io\"\n\
         [[registry]]\nhost = \"gcr.io\"\nambient = true\nbackend = \"public\"\n"
    ));
    let health = doctor(&node);
    assert_eq!(
        health.broken().command,
        Some(format!(
            "docker-credential-beta9 configure docker --hosts {ECR}"
        ))
    );
    assert!(
        health
            .broken()
            .what
            .contains("which a rule has an answer for: it pulls anonymously"),
        "{health:#?}"
    );
    fixed_by(&node, health.broken()).assert_well();
    // The registry behind an alias is what must be there.
    node.store("ghcr.io", "octo", "hunter2");
    let health = doctor(&node);
    assert_eq!(
        health.broken().command.as_deref(),
        Some("docker-credential-beta9 configure docker --hosts mirror.example.com")
    );
    let health = fixed_by(&node, health.broken());
    fixed_by(
        &node,
        health.warning("docker does not ask this helper for ghcr.io"),
    )
    .assert_well();
}

/// A node that has an identity at AWS.
fn of_aws(node: Node) -> Node {
    node.with("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .with("AWS_SECRET_ACCESS_KEY", "hunter2")
}

#[test]
fn a_rule_serves_nothing_where_the_node_has_no_identity_of_that_cloud() {
    let rules = [ECR, "*.dkr.ecr.*.amazonaws.com"]
        .map(|host| format!("[[registry]]\nhost = \"{host}\"\nambient = true\n"));
    let auths = format!("{{\"auths\":{{\"{ECR}\":{{\"auth\":\"b2N0bzpodW50ZXIy\"}}}}}}");
    // On a machine of any cloud's, these say that it is none.
    let node = wired(with_path(Node::new(), true), &auths)
        .with("AWS_EC2_METADATA_DISABLED", "true")
        .configured(&rules.concat());
    let health = doctor(&node);
    let says = |text: &str| health.findings.iter().any(|one| one.what.contains(text));
    assert!(
        health.status == 0
            && !says("logs in as itself")
            && !says("hosts that are named to it")
            && !says("which a rule has an answer for"),
        "{health:#?}"
    );
    // The node can be given one.
    doctor(&of_aws(node)).warning("where this node logs in as itself");
}

#[test]
fn a_rule_for_many_hosts_is_of_use_only_for_those_that_clients_are_told_of() {
    let rule = "[[registry]]\nhost = \"*.dkr.ecr.*.amazonaws.com\"\nambient = true\n";
    let node = wired(of_aws(with_path(Node::new(), true)), "{}").configured(rule);
    let health = doctor(&node);
    health.assert_well();
    for client in ["docker", "podman"] {
        let what = format!("{client} asks this helper only for hosts that are named to it");
        let told = health
            .findings
            .iter()
            .find(|one| one.group == client && one.what.contains(&what))
            .unwrap();
        assert_eq!(told.state, "note");
        assert_eq!(
            told.command,
            Some(format!("docker-credential-beta9 configure {client} --all"))
        );
        let fixed = fixed_by(&node, told);
        assert!(!fixed.says(client, "note", &what), "{fixed:#?}");
    }
    let one = wired(
        of_aws(with_path(Node::new(), true)),
        &format!("{{\"credHelpers\":{{\"{ECR}\":\"beta9\"}}}}"),
    );
    let health = doctor(&one.configured(rule));
    assert!(
        !health.says("docker", "note", "only for hosts that are named to it"),
        "{health:#?}"
    );
}

#[test]
fn a_password_in_plain_text_where_the_node_logs_in_as_itself_is_not_taken_over() {
    let docker = format!("{{\"auths\":{{\"{ECR}\":{{\"auth\":\"b2N0bzpodW50ZXIy\"}}}}}}");
    let node = wired(of_aws(with_path(Node::new(), true)), &docker);
    doctor(&node).warning("in plain text");
    let node =
        node.configured("[[registry]]\nhost = \"*.dkr.ecr.*.amazonaws.com\"\nambient = true\n");
    let health = doctor(&node);
    assert_eq!(health.status, 0);
    let warning = health.warning("where this node logs in as itself");
    assert_eq!(warning.command, Some(format!("docker logout {ECR}")));
}

#[test]
fn a_password_that_the_client_no_longer_looks_at_and_the_store_lacks() {
    let auth = r#"{"ghcr.io":{"auth":"b2N0bzpodW50ZXIy"}}"#;
    let node = wired(
        with_path(Node::new(), true),
        &format!(r#"{{"credHelpers":{{"ghcr.io":"beta9"}},"auths":{auth}}}"#),
    );
    let health = doctor(&node);
    let broken = health.broken();
    assert_eq!(broken.group, "docker");
    assert!(
        broken.what.starts_with(
            "docker asks this helper for ghcr.io, gets nothing from it and pulls anonymously"
        ),
        "{broken:?}"
    );
    assert_eq!(
        broken.command.as_deref(),
        Some("docker-credential-beta9 import docker --remove")
    );
    fixed_by(&node, broken).assert_well();
    assert_eq!(node.pair("ghcr.io"), ("octo".into(), "hunter2".into()));
    // One that does not open is there, and has its own fault.
    let damaged = wired(
        with_path(Node::new(), true),
        r#"{"credHelpers":{"ghcr.io":"beta9"}}"#,
    );
    damaged.store("ghcr.io", "octo", "hunter2");
    fs::write(damaged.sealed_file(), "damaged").unwrap();
    fs::write(
        damaged.home().join(".docker/config.json"),
        format!(r#"{{"credHelpers":{{"ghcr.io":"beta9"}},"auths":{auth}}}"#),
    )
    .unwrap();
    assert_eq!(doctor(&damaged).broken().group, "store");
    // With a rule that it is public, nobody is to be answered.
    let public = wired(
        with_path(Node::new(), true),
        &format!(r#"{{"credsStore":"beta9","auths":{auth}}}"#),
    );
    assert!(doctor(&public).broken().what.contains("ghcr.io"));
    let public = public.configured("[[registry]]\nhost = \"ghcr.io\"\nbackend = \"public\"\n");
    assert_eq!(doctor(&public).status, 0);
    // Podman asks the next one of its list.
    let podman = wired(with_path(Node::new(), true), "{}");
    let dir = podman.home().join(".config/containers");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("auth.json"), format!("{{\"auths\":{auth}}}")).unwrap();
    let list = "credential-helpers = [\"beta9\", \"containers-auth.json\"]\n";
    fs::write(dir.join("registries.conf"), list).unwrap();
    let health = doctor(&podman);
    assert_eq!(health.status, 0, "{health:#?}");
    health.warning("in plain text");
}
