//! The stable codes of failures: through the real binary, or from the library if no command produces the failure by
//! itself.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use beta9_credential::backend::{Backend, Login, User};
use beta9_credential::config::{CloudSettings, Config, Env};
use beta9_credential::error::Code;
use beta9_credential::host::Host;
use beta9_credential::keys::Keys;
use common::Node;
use serde_json::Value;

/// The code in the JSON on standard error, which is the only output.
fn code(node: &Node, args: &[&str], status: i32) -> String {
    let answer = node.run(args, "");
    assert_eq!(
        (answer.status, answer.out.as_str()),
        (status, ""),
        "{args:?}"
    );
    let said: Value = serde_json::from_str(&answer.err).unwrap();
    let error = &said["error"];
    assert!(!error["cause"].as_str().unwrap().is_empty(), "{said}");
    error["code"].as_str().unwrap().to_owned()
}

#[test]
fn a_configuration_that_cannot_be_used_has_a_code_for_each_reason() {
    for (toml, expected) in [
        ("[stor]", "config.unknown_key"),
        ("timeout = 5", "config.invalid"),
        ("timeout =", "config.unreadable"),
        ("[[registry]]\nbackend = \"public\"", "config.missing"),
        (
            "[store.gateway]\ntoken = \"t\"\ntoken_file = \"/t\"",
            "config.conflict",
        ),
    ] {
        let node = Node::new().configured(toml);
        assert_eq!(code(&node, &["status", "--json"], 1), expected, "{toml}");
    }
    let node = Node::new().configured("");
    let file = node.home().join("config.toml");
    fs::set_permissions(file, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(
        code(&node, &["refresh", "--json"], 1),
        "config.foreign_owner"
    );
}

#[test]
fn a_variable_that_cannot_be_used_has_a_code_for_each_reason() {
    for (name, value, expected) in [
        ("BETA9_CREDENTIAL_CONFIG", "config.toml", "config.invalid"),
        (
            "BETA9_CREDENTIAL_CONFIG",
            "/nowhere/config.toml",
            "config.unreadable",
        ),
        ("BETA9_TIMEOUT", "soon", "config.invalid"),
    ] {
        let node = Node::new().with(name, value);
        assert_eq!(code(&node, &["explain", "ghcr.io", "--json"], 1), expected);
    }
}

#[test]
fn an_argument_that_is_not_what_the_command_takes_has_a_code() {
    let node = Node::new();
    for image in ["ghcr.io", "ghcr.io/org/app:"] {
        let args = ["check", image, "--json"];
        assert_eq!(code(&node, &args, 1), "input.bad_reference", "{image}");
    }
    assert_eq!(code(&node, &["status", "--al", "--json"], 2), "input.usage");
    assert_eq!(
        code(&node, &["doctor", "--fix", "--json"], 1),
        "input.usage"
    );
}

#[test]
fn a_cache_that_cannot_be_read_has_a_code() {
    let node = Node::new();
    let file = node.home().join("file");
    fs::write(&file, "").unwrap();
    let node = node.with("BETA9_CACHE_DIR", file.to_str().unwrap());
    assert_eq!(code(&node, &["status", "--json"], 1), "system.file");
}

#[test]
fn each_reason_why_nobody_can_log_in_has_a_code() {
    let node = Config::load(&Env::of([("GCE_METADATA_HOST", "127.0.0.1:1")]))
        .unwrap()
        .node;
    let nowhere = CloudSettings {
        endpoint_url: Some("http://127.0.0.1:1".to_owned()),
        ..CloudSettings::default()
    };
    let keys = |pairs: &[(&str, &str)]| {
        let mut keys = Keys::default();
        for (name, value) in pairs {
            keys.insert(name, (*value).into()).unwrap();
        }
        Some(keys)
    };
    let ecr = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
    let whole = [
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
    ];
    let fixed = Backend::Fixed {
        user: User::Key("USERNAME"),
        secret: "PASSWORD",
    };
    for (backend, host, keys, ambient, expected) in [
        (Backend::Aws, ecr, None, false, Code::MintNoIdentity),
        (
            Backend::Aws,
            ecr,
            keys(&[("AWS_PROFILE", "p")]),
            false,
            Code::MintInvalidKeys,
        ),
        (
            Backend::Aws,
            ecr,
            keys(&whole[..1]),
            false,
            Code::MintInvalidKeys,
        ),
        (
            Backend::Aws,
            ecr,
            keys(&whole),
            false,
            Code::MintUnreachable,
        ),
        (
            Backend::Gcp,
            "gcr.io",
            keys(&[("GOOGLE_APPLICATION_CREDENTIALS", "/key.json")]),
            false,
            Code::MintInvalidKeys,
        ),
        (
            Backend::Gcp,
            "gcr.io",
            keys(&[("GCP_PROJECT_ID", "p")]),
            false,
            Code::MintNoIdentity,
        ),
        (Backend::Gcp, "gcr.io", None, true, Code::MintNoIdentity),
        (
            Backend::Azure,
            "a.azurecr.io",
            keys(&[("AZURE_CLIENT_ID", "x")]),
            false,
            Code::MintInvalidKeys,
        ),
        (
            Backend::Azure,
            "a.example.com",
            None,
            true,
            Code::ConfigInvalid,
        ),
        (
            fixed,
            "ghcr.io",
            keys(&[("USERNAME", "u")]),
            false,
            Code::SecretHalfPair,
        ),
        (
            fixed,
            "ghcr.io",
            keys(&[("USERNAME", "u"), ("PASSWORD", "hunter2\n")]),
            false,
            Code::SecretInvalid,
        ),
    ] {
        let host = Host::parse(host.as_bytes()).unwrap();
        let login = Login {
            host: &host,
            keys: keys.as_ref(),
            pod: None,
            ambient,
            settings: &nowhere,
            node: &node,
            deadline: Instant::now() + Duration::from_secs(30),
        };
        let error = backend.login(&login).unwrap_err();
        assert_eq!(error.code(), Some(expected), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
