//! Output on a terminal of 80 columns, and that the book shows exactly that.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use beta9_credential::token::Scope;
use common::ecr::{self, Ecr};
use common::gateway::{Gateway, WORKSPACE};
use common::registry::{FakeRegistry, say};
use common::terminal::{Session, assert_fits, recorded_sessions, recording};
use common::{BINARY, Node, tokens};

#[test]
fn help() {
    Session {
        name: "help",
        stands_for: vec![],
    }
    .run(&Node::new(), &[(&["--help"], 0)]);
}

#[test]
fn explain() {
    let home = octos_home();
    let node = node_of_octo(home.path());
    wire_docker(home.path(), "ghcr.io");
    node.store("ghcr.io", "octo", "ghp_example");
    let commands: &[(&[&str], i32)] = &[
        (&["explain", "ghcr.io/org/app:1.2"], 0),
        (&["explain", "ghrc.io/org/app"], 0),
    ];
    Session {
        name: "explain",
        stands_for: vec![(home.path().to_str().unwrap().to_owned(), "/home/octo")],
    }
    .run(&node, commands);
}

/// A registry of one's own, where the account may pull one repository and not another.
#[test]
fn check() {
    let login = format!("Basic {}", STANDARD.encode("octo:hunter2"));
    let registry = FakeRegistry::start(move |asked| {
        if asked.authorization != login {
            return say(401, &[("www-authenticate", "Basic realm=\"registry\"")], "");
        }
        say(
            if asked.path.contains("/secret/") {
                403
            } else {
                200
            },
            &[],
            "",
        )
    });
    let home = octos_home();
    let node = node_of_octo(home.path());
    wire_docker(home.path(), &registry.host());
    node.store(&registry.host(), "octo", "hunter2");
    let [app, secret] =
        ["team/app:1.2", "secret/app:1.2"].map(|path| format!("{}/{path}", registry.host()));
    let session = Session {
        name: "check",
        stands_for: vec![
            (registry.host(), "reg.example.com"),
            (home.path().to_str().unwrap().to_owned(), "/home/octo"),
        ],
    };
    session.run(&node, &[(&["check", &app], 0), (&["check", &secret], 1)]);
    node.store(&registry.host(), "octo", "an old password");
    let session = Session {
        name: "check-wrong",
        ..session
    };
    session.run(&node, &[(&["check", &app], 1)]);
}

#[test]
fn status() {
    let (node, scope) = (Node::new(), Scope::new("", vec!["keys".to_owned()]));
    // Half a minute more, so that what is told in minutes stays the same for as long.
    let ago = |minutes: u64| Duration::from_secs(minutes * 60 + 30);
    for (host, backend, age, life) in [
        (
            "123456789012.dkr.ecr.us-east-1.amazonaws.com",
            "aws",
            150,
            660,
        ),
        ("us-docker.pkg.dev", "gcp", 42, 60),
    ] {
        tokens::plant(
            &node,
            &tokens::id("default", host, backend, &scope),
            ago(age),
            Ok(Duration::from_mins(life)),
        );
    }
    let azure = tokens::id("team-a", "myreg.azurecr.io", "azure", &scope);
    tokens::plant(
        &node,
        &azure,
        ago(5),
        Err("login.microsoftonline.com refused the connection"),
    );
    Session {
        name: "status",
        stands_for: vec![],
    }
    .run(&node, &[(&["status"], 0)]);
}

#[test]
fn publish() {
    let (ecr, gateway) = (Ecr::start(), Gateway::start());
    let node = ecr
        .wire(gateway.node())
        .with("BETA9_WORKSPACE_ID", WORKSPACE);
    ecr::keep(&node, WORKSPACE, ecr::HOST, &ecr::blob(ecr::HOST));
    let (age, life) = (Duration::from_secs(9030), Duration::from_hours(11));
    ecr.plant(&node, WORKSPACE, ecr::HOST, (age, life));
    let command: &[&str] = &["publish", ecr::HOST, "--names"];
    assert_eq!(node.run(command, "").status, 0);
    Session {
        name: "publish",
        stands_for: vec![],
    }
    .run(&node, &[(&["publish"], 0)]);
}

#[test]
fn doctor() {
    let home = tempfile::Builder::new()
        .prefix("")
        .rand_bytes("octo".len() + 1)
        .tempdir_in("/tmp")
        .unwrap();
    let node = node_of_octo(home.path());
    let octo = || vec![(home.path().to_str().unwrap().to_owned(), "/home/octo")];
    assert_eq!(
        octo()[0].0.len(),
        "/home/octo".len(),
        "so that lines break as they would there"
    );
    let wire = |hosts: &str| fs::write(home.path().join(".docker/config.json"), hosts).unwrap();
    wire(r#"{"credHelpers":{"ghcr.io":"beta9"}}"#);
    node.store("ghcr.io", "octo", "ghp_example");
    Session {
        name: "doctor",
        stands_for: octo(),
    }
    .run(&node, &[(&["doctor"], 0)]);

    let key = home.path().join(".local/share/beta9/credentials.key");
    fs::set_permissions(key, fs::Permissions::from_mode(0o644)).unwrap();
    wire(
        r#"{"credHelpers":{"ghcr.io":"beta9","docker.io":"beta9"},"auths":{"ghcr.io":{"auth":"b2N0bzpnaHBfZXhhbXBsZQ=="}}}"#,
    );
    Session {
        name: "doctor-broken",
        stands_for: octo(),
    }
    .run(&node, &[(&["doctor"], 1)]);
}

/// A home directory whose name is as long as the one that stands for it, so that lines break as they would there.
fn octos_home() -> tempfile::TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix("").rand_bytes("octo".len() + 1);
    builder.tempdir_in("/tmp").unwrap()
}

/// Names this helper to docker for one registry.
fn wire_docker(home: &Path, host: &str) {
    let text = format!(r#"{{"credHelpers":{{"{host}":"beta9"}}}}"#);
    fs::write(home.join(".docker/config.json"), text).unwrap();
}

/// A home directory with the helper on its PATH.
fn node_of_octo(home: &Path) -> Node {
    for dir in ["bin", ".docker"] {
        fs::create_dir(home.join(dir)).unwrap();
    }
    symlink(BINARY, home.join("bin/docker-credential-beta9")).unwrap();
    let home = home.to_str().unwrap();
    // Without a session's directory, podman's file is the machine's own.
    Node::new()
        .with("HOME", home)
        .with("PATH", format!("{home}/bin"))
        .with("XDG_RUNTIME_DIR", home)
}

#[test]
fn help_is_in_colour_on_a_terminal_only() {
    let node = Node::new();
    let coloured = node.on_terminal(&["--help"]);
    assert_eq!(coloured.status, 0);
    assert!(coloured.text.contains("\x1b[1m"), "{}", coloured.text);
    assert!(!node.run(&["--help"], "").out.contains('\x1b'));
    assert!(
        !node
            .with("TERM", "dumb")
            .on_terminal(&["--help"])
            .text
            .contains('\x1b')
    );
}

#[test]
fn every_commands_help_fits_the_terminal() {
    let node = Node::new().with("NO_COLOR", "1");
    let help = node.on_terminal(&["--help"]).text;
    let rows = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|row| row.starts_with(' '));
    let names = rows
        .filter(|row| !row.starts_with("   "))
        .filter_map(|row| row.split_whitespace().next());
    let names: Vec<_> = names.filter(|name| *name != "help").collect();
    assert!(
        names.contains(&"explain") && names.contains(&"prune"),
        "{names:?}"
    );
    for name in names {
        let screen = node.on_terminal(&[name, "--help"]);
        assert_eq!(screen.status, 0, "{name}");
        assert_fits(&screen.text);
    }
}

#[test]
fn the_book_shows_what_was_recorded() {
    let sessions = recorded_sessions();
    let mut blocks = 0;
    for page in pages() {
        let mut text = fs::read_to_string(&page).unwrap();
        let shown: Vec<_> = sessions
            .iter()
            .filter(|(name, _)| text.contains(&marker(name)))
            .collect();
        if recording() {
            for (name, recorded) in &shown {
                let start = text.find(&marker(name)).unwrap();
                let end = start + text[start..].find("```\n").unwrap() + "```\n".len();
                text.replace_range(start..end, &block(name, recorded));
            }
            fs::write(&page, &text).unwrap();
        }
        for (name, recorded) in &shown {
            let block = block(name, recorded);
            assert!(text.contains(&block), "{page:?} should hold:\n{block}");
        }
        assert_eq!(
            text.matches("```text").count(),
            shown.len(),
            "each session in {page:?} is recorded"
        );
        blocks += shown.len();
    }
    assert_eq!(blocks, sessions.len(), "each recording is in one page");
}

/// README.md and the pages of the book.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).unwrap();
    let mut pages: Vec<_> = docs.map(|page| page.unwrap().path()).collect();
    pages.retain(|page| page.extension().is_some_and(|end| end == "md"));
    pages.push(root.join("README.md"));
    pages
}

fn marker(name: &str) -> String {
    format!("<!-- session: {name} -->")
}

/// How a page shows a session.
fn block(name: &str, text: &str) -> String {
    format!("{}\n```text\n{text}```\n", marker(name))
}
