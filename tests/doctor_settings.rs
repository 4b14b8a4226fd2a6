//! `doctor` on what is around clients' files: variables, rules, proxies, what has expired, and what cannot be written.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::health::{Finding, Health, chmod, doctor, fixed_by, healthy_node, wired, with_path};
use common::users::{ALICE, Machine, skip};
use common::{Answer, Node};

fn found<'h>(health: &'h Health, code: &str) -> &'h Finding {
    let mut all = health.findings.iter().filter(|one| one.code == code);
    all.next()
        .unwrap_or_else(|| panic!("no {code}: {health:#?}"))
}

#[track_caller]
fn assert_none(health: &Health, code: &str) {
    assert!(
        health.findings.iter().all(|one| one.code != code),
        "{health:#?}"
    );
}

#[test]
fn a_variable_that_is_not_read_is_named_and_a_near_one_with_what_was_meant() {
    let node = healthy_node().with("BETA9_STOER", "postgres");
    let finding = found(&doctor(&node), "config.unknown_variable").clone();
    assert_eq!(finding.state, "warning");
    assert!(finding.what.ends_with("BETA9_STOER"), "{finding:?}");
    assert_eq!(finding.fix.as_deref(), Some("set BETA9_STORE in its place"));
    // Another program's variable is nobody's mistake.
    let node = healthy_node().with("BETA9_POOL_NAME", "gpu");
    let health = doctor(&node);
    assert_eq!(found(&health, "config.unknown_variable").state, "note");
    health.assert_well();
    // It is told too where the configuration cannot be read.
    let node = healthy_node()
        .with("BETA9_STORE", "postgers")
        .with("BETA9_LOGG", "debug");
    let health = doctor(&node);
    assert_eq!(health.broken().code, "config.invalid");
    assert_eq!(found(&health, "config.unknown_variable").state, "warning");
}

#[test]
fn a_level_that_logs_nothing_is_named_without_its_value() {
    let node = healthy_node().with("BETA9_LOG", "trace-hunter2");
    let finding = found(&doctor(&node), "config.bad_value").clone();
    assert!(!format!("{finding:?}").contains("hunter2"));
    assert_eq!(finding.command.as_deref(), Some("export BETA9_LOG=debug"));
    let debug = healthy_node().with("BETA9_LOG", "DEBUG");
    let answer = debug.run(&["doctor", "--json"], "");
    assert!(!answer.out.contains("config.bad_value"), "{answer:?}");
}

#[test]
fn where_a_store_is_has_no_effect_while_another_one_is_asked() {
    let node = healthy_node().with("BETA9_DATABASE_URL", "postgres://u:hunter2@db/beta9");
    let health = doctor(&node);
    let finding = found(&health, "config.no_effect");
    assert_eq!(finding.state, "warning");
    assert!(!format!("{health:?}").contains("hunter2"));
    assert_eq!(
        finding.fix.as_deref(),
        Some("set BETA9_STORE=postgres, or unset BETA9_DATABASE_URL")
    );
    let chosen = doctor(&node.with("BETA9_STORE", "file"));
    assert_eq!(found(&chosen, "config.no_effect").state, "note");
}

#[test]
fn rules_that_match_nothing_and_settings_that_do_nothing_are_named() {
    let look = |rule: &str| doctor(&healthy_node().configured(&format!("[[registry]]\n{rule}\n")));
    for host in ["*", "*:5000", "*.docker.io"] {
        let health = look(&format!("host = \"{host}\"\nbackend = \"public\""));
        let finding = found(&health, "config.rule_never_matches");
        assert!(
            finding.state == "warning" && finding.what.contains(host),
            "{finding:?}"
        );
    }
    for (rule, setting) in [
        (
            "host = \"quay.io\"\nrole_arn = \"arn:aws:iam::123456789012:role/r\"",
            "role_arn",
        ),
        ("host = \"ghcr.io\"\nambient = true", "ambient"),
        (
            "host = \"*.example.com\"\nprofile = \"p\"\nregion = \"r\"",
            "profile, region",
        ),
        (
            "host = \"*.azurecr.io\"\nendpoint_url = \"https://a.example\"",
            "endpoint_url",
        ),
        (
            "host = \"*.dkr.ecr.*.amazonaws.com\"\nexternal_id = \"x\"",
            "external_id",
        ),
        ("host = \"ghcr.io\"\nsecret = \"name\"", "secret"),
    ] {
        let health = look(rule);
        let finding = found(&health, "config.no_effect");
        assert!(
            finding.what.contains(&format!(", {setting} ha")),
            "{rule}: {finding:?}"
        );
    }
    for rule in [
        "host = \"*.dkr.ecr.*.amazonaws.com\"\nambient = true\nrole_arn = \"arn:aws:iam::123456789012:role/r\"\nexternal_id = \"x\"",
        "host = \"*.pkg.dev\"\nambient = true",
        "host = \"mirror.example.com\"\nalias_of = \"123456789012.dkr.ecr.us-east-1.amazonaws.com\"\nprofile = \"p\"",
        "host = \"registry.example.com\"\nbackend = \"aws\"\nprofile = \"p\"",
        "host = \"*.example.com\"\nbackend = \"public\"\nambient = true",
    ] {
        let health = look(rule);
        assert_none(&health, "config.no_effect");
        assert_none(&health, "config.rule_never_matches");
    }
}

#[test]
fn which_proxy_applies_is_said_for_each_registry_without_its_password() {
    let node = healthy_node();
    node.store("ghcr.io", "octo", "hunter2");
    node.store("reg.corp.example", "octo", "hunter2");
    assert_eq!(found(&doctor(&node), "proxy.none").state, "ok");
    let node = node
        .with("HTTPS_PROXY", "http://u:hunter2@proxy.example:3128")
        .with("NO_PROXY", ".corp.example");
    let health = doctor(&node);
    health.assert_well();
    assert!(!format!("{health:?}").contains("hunter2"));
    let (used, past) = (
        found(&health, "proxy.used"),
        found(&health, "proxy.passed_by"),
    );
    assert!(
        used.what
            .contains("http://proxy.example:3128 of HTTPS_PROXY"),
        "{used:?}"
    );
    assert!(
        used.what.contains("ghcr.io") && !used.what.contains("corp"),
        "{used:?}"
    );
    assert!(past.what.ends_with(": reg.corp.example"), "{past:?}");
    let health = doctor(&node.clone_with("HTTPS_PROXY", "garbage://hunter2"));
    assert_eq!(health.broken().code, "proxy.invalid");
    assert!(!format!("{health:?}").contains("hunter2"));
    assert_eq!(
        health.broken().fix.as_deref(),
        Some("set HTTPS_PROXY to http://HOST:PORT, or unset it")
    );
}

#[test]
fn a_stored_token_that_has_expired_is_broken_and_a_new_one_fixes_it() {
    let node = healthy_node();
    let token = |exp: u64| {
        let part = |json: String| URL_SAFE_NO_PAD.encode(json);
        format!(
            "{}.{}.c2ln",
            part(r#"{"alg":"RS256"}"#.into()),
            part(format!("{{\"exp\":{exp}}}"))
        )
    };
    let user = "00000000-0000-0000-0000-000000000000";
    node.store("myreg.azurecr.io", user, &token(1_700_000_000));
    let health = doctor(&node);
    let broken = health.broken();
    assert_eq!(broken.code, "credential.expired");
    assert!(
        broken.what.contains("myreg.azurecr.io")
            && broken
                .what
                .contains("the credential expired at 2023-11-14T22:13:20Z"),
        "{broken:?}"
    );
    let fix = broken.fix.as_deref();
    assert_eq!(
        fix,
        Some("log in again with: docker login myreg.azurecr.io")
    );
    node.store("myreg.azurecr.io", user, &token(4_000_000_000));
    doctor(&node).assert_well();
}

#[test]
fn a_store_that_cannot_be_written_is_looked_at_all_the_same() {
    let node = healthy_node();
    node.store("ghcr.io", "octo", "hunter2");
    // Modes do not bind root, for whom only the file system's own word counts.
    if !rustix::process::geteuid().is_root() {
        chmod(&node.store_dir(), 0o500);
        let health = doctor(&node);
        chmod(&node.store_dir(), 0o700);
        assert_eq!(found(&health, "file.unwritable").state, "warning");
        assert!(
            health.says("store", "ok", "1 stored entry opens"),
            "{health:#?}"
        );
        return;
    }
    let name = "a_store_that_cannot_be_written_is_looked_at_all_the_same";
    let Some(machine) = Machine::new(name) else {
        return;
    };
    let store = node.store_dir();
    let mounts = format!(
        "mount --bind {0} {0} && mount -o remount,bind,ro {0}",
        store.display()
    );
    let variables = ["HOME", "XDG_RUNTIME_DIR", "PATH"].map(|name| (name, node.variable(name)));
    let mut variables: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let path = format!("{}:{}", variables[2].1, common::users::TOOLS);
    variables[2].1 = &path;
    let Some(answer) = machine.run_mounted(&mounts, &["doctor", "--json"], &variables, "") else {
        return skip(name, "nothing may be mounted here");
    };
    let health = Health::of(&answer);
    assert_eq!(found(&health, "file.read_only").state, "note");
    assert!(
        health.says("store", "ok", "1 stored entry opens"),
        "{health:#?}"
    );
    assert_eq!(health.status, 0, "{health:#?}");
    let got = machine
        .run_mounted(&mounts, &["get"], &variables, "ghcr.io")
        .unwrap();
    assert!(got.status == 0 && got.out.contains("hunter2"), "{got:?}");
}

#[test]
fn skopeos_file_that_is_closed_where_there_is_not_a_session_is_broken() {
    let name = "skopeos_file_that_is_closed_where_there_is_not_a_session_is_broken";
    let Some(machine) = Machine::new(name) else {
        return;
    };
    let home = machine.dir("home", ALICE, 0o700);
    let skopeo = machine.dir("bin", 0, 0o755).join("skopeo");
    fs::write(&skopeo, "#!/bin/sh\n").unwrap();
    chmod(&skopeo, 0o755);
    // What stands behind `exec` goes where the shell's own words go: to standard error.
    let mounts = format!(
        "mkdir -p /run/containers && mount -t tmpfs -o mode=0700 none /run/containers && \
         exec setpriv --reuid={ALICE} --regid={ALICE} --clear-groups \"$0\" \"$@\""
    );
    let path = format!("{}:{}", machine.at("bin").display(), common::users::TOOLS);
    let run = |more: &[(&str, &str)]| {
        let mut variables = vec![("HOME", home.to_str().unwrap()), ("PATH", path.as_str())];
        variables.extend_from_slice(more);
        let answer = machine.run_mounted(&mounts, &["doctor", "--json"], &variables, "")?;
        answer.err.starts_with('{').then(|| {
            Health::of(&Answer {
                out: answer.err.clone(),
                err: String::new(),
                ..answer
            })
        })
    };
    let Some(health) = run(&[]) else {
        return skip(name, "nothing may be mounted here");
    };
    let finding = found(&health, "client.session_closed");
    assert_eq!(finding.state, "broken");
    assert_eq!(health.status, 1);
    let command = finding.command.clone().unwrap_or_default();
    assert!(
        command == "sudo chmod o+x /run/containers"
            || command.starts_with("export XDG_RUNTIME_DIR="),
        "{finding:?}"
    );
    let session = run(&[("XDG_RUNTIME_DIR", home.to_str().unwrap())]).unwrap();
    assert_none(&session, "client.session_closed");
    let named = home.join("auth.json");
    let named = run(&[("REGISTRY_AUTH_FILE", named.to_str().unwrap())]).unwrap();
    assert_none(&named, "client.session_closed");
}

#[test]
fn helms_and_regctls_own_files_are_looked_at() {
    let node = wired(with_path(Node::new(), true), r#"{"credsStore":"beta9"}"#);
    let write = |name: &str, text: &str| {
        let path = node.home().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let of = |client: &str| -> Vec<(String, String)> {
        let health = doctor(&node);
        assert!(!format!("{health:?}").contains("hunter2"));
        let of = health
            .findings
            .into_iter()
            .filter(|one| one.group == client);
        of.map(|one| (one.code, one.state)).collect()
    };
    let pair = |code: &str, state: &str| (code.to_owned(), state.to_owned());
    assert!(of("helm").is_empty() && of("regctl").is_empty());
    let helm = ".config/helm/registry/config.json";
    write(helm, r#"{"credsStore":"beta9"}"#);
    assert_eq!(of("helm"), [pair("client.file", "ok")]);
    write(helm, r#"{"auths":{"ghcr.io":{"auth":"b2N0bzpodW50ZXIy"}}}"#);
    assert_eq!(of("helm"), [pair("client.plain_password", "warning")]);
    write(helm, r#"{"credsStore":"desktop"}"#);
    assert_eq!(of("helm"), [pair("client.helper_missing", "broken")]);
    write(helm, "{");
    assert_eq!(of("helm"), [pair("client.file_broken", "broken")]);
    let regctl = ".regctl/config.json";
    write(
        regctl,
        r#"{"hosts":{"ghcr.io":{"credHelper":"docker-credential-beta9"}}}"#,
    );
    assert_eq!(of("regctl"), [pair("client.file", "ok")]);
    write(
        regctl,
        r#"{"hosts":{"ghcr.io":{"user":"octo","pass":"hunter2"}}}"#,
    );
    assert_eq!(of("regctl"), [pair("client.plain_password", "warning")]);
    write(
        regctl,
        r#"{"hosts":{"ghcr.io":{"credHelper":"docker-credential-gone"}}}"#,
    );
    assert_eq!(of("regctl"), [pair("client.helper_missing", "broken")]);
    write(regctl, r#"{"hosts":["#);
    assert_eq!(of("regctl"), [pair("client.file_broken", "broken")]);
}

#[test]
fn what_the_remedy_for_a_bad_level_says_fixes_it() {
    let node = healthy_node().with("BETA9_LOG", "trace");
    let finding = found(&doctor(&node), "config.bad_value").clone();
    // What is logged then goes to standard error, which is not looked at here.
    assert_none(&fixed_by(&node, &finding), "config.bad_value");
}
