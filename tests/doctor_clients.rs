//! `doctor` on clients' files: it reports what makes a pull fail, and its fix, run as printed, works.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]
#![allow(
    clippy::too_many_lines,
    reason = "a table of set-ups is as long as it has rows"
)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use common::health::{Finding, Health, chmod, doctor, fixed_by, healthy_node, wired, with_path};
use common::{BINARY, Node};

/// base64 of octo:hunter2
const AUTH: &str = "b2N0bzpodW50ZXIy";
/// base64 of octo:hunter3
const OTHER: &str = "b2N0bzpodW50ZXIz";
const HUB: &str = "https://index.docker.io/v1/";

/// A set-up, and the expected finding.
struct Case {
    /// What is wrong.
    name: &'static str,
    /// Docker's file.
    docker: String,
    /// Further files below the home directory.
    files: Vec<(&'static str, String)>,
    /// The registries that the store has a credential for.
    held: Vec<&'static str>,
    /// Variables beside the usual ones.
    variables: Vec<(&'static str, String)>,
    code: &'static str,
    state: &'static str,
}

impl Case {
    fn new(name: &'static str, docker: &str, code: &'static str, state: &'static str) -> Self {
        Self {
            name,
            docker: docker.replace("AUTH", AUTH).replace("OTHER", OTHER),
            files: Vec::new(),
            held: Vec::new(),
            variables: Vec::new(),
            code,
            state,
        }
    }

    fn file(mut self, name: &'static str, text: &str) -> Self {
        self.files
            .push((name, text.replace("AUTH", AUTH).replace("OTHER", OTHER)));
        self
    }

    fn holding(mut self, host: &'static str) -> Self {
        self.held.push(host);
        self
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.replace("AUTH", AUTH)));
        self
    }

    fn node(&self) -> Node {
        let mut node = wired(with_path(Node::new(), true), &self.docker);
        for (name, text) in &self.files {
            let path = node.home().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            if name.starts_with("bin/") {
                chmod(&path, 0o755);
            }
        }
        for host in &self.held {
            assert_eq!(node.store(host, "octo", "hunter2").status, 0);
        }
        for (name, value) in &self.variables {
            node = node.with(name, value.clone());
        }
        node
    }

    /// The finding, which decides the exit status where it is broken.
    fn named(&self, health: &Health) -> Finding {
        let found = health.findings.iter().find(|one| one.code == self.code);
        let found = found.unwrap_or_else(|| panic!("{}: {health:#?}", self.name));
        assert_eq!(found.state, self.state, "{}: {health:#?}", self.name);
        if self.state == "broken" {
            assert_eq!(health.status, 1, "{}", self.name);
        }
        assert!(!format!("{health:?}").contains("hunter"), "{}", self.name);
        found.clone()
    }
}

#[track_caller]
fn assert_gone(case: &Case, health: &Health) {
    let left: Vec<_> = health
        .findings
        .iter()
        .filter(|one| one.code == case.code && ["warning", "broken"].contains(&one.state.as_str()))
        .collect();
    assert!(left.is_empty(), "{}: {left:#?}", case.name);
}

/// Set-ups whose remedy is a command.
fn commands() -> Vec<Case> {
    let plain = r#"{"auths":{"ghcr.io":{"auth":"AUTH"}}}"#;
    vec![
        Case::new(
            "a helper for all registries that is not installed",
            r#"{"credsStore":"desktop"}"#,
            "client.helper_missing",
            "broken",
        ),
        Case::new(
            "a helper for one registry that is not installed",
            r#"{"credHelpers":{"quay.io":"osxkeychain"}}"#,
            "client.helper_missing",
            "broken",
        ),
        Case::new(
            "a helper for Docker Hub that is not installed",
            &format!(r#"{{"credHelpers":{{"{HUB}":"ecr-login"}}}}"#),
            "client.helper_missing",
            "broken",
        ),
        Case::new(
            "the program's whole name for one registry",
            r#"{"credHelpers":{"ghcr.io":"docker-credential-beta9"}}"#,
            "client.helper_full_name",
            "broken",
        )
        .holding("ghcr.io"),
        Case::new(
            "the program's whole name for all",
            r#"{"credsStore":"docker-credential-beta9"}"#,
            "client.helper_full_name",
            "broken",
        ),
        Case::new(
            "a path in place of a name",
            r#"{"credsStore":"/usr/local/bin/docker-credential-beta9"}"#,
            "client.helper_full_name",
            "broken",
        ),
        Case::new(
            "a name in capitals",
            r#"{"credHelpers":{"ghcr.io":"Beta9"}}"#,
            "client.helper_missing",
            "broken",
        ),
        Case::new(
            "another helper whose interpreter is missing",
            r#"{"credsStore":"pass"}"#,
            "client.helper_not_runnable",
            "broken",
        )
        .file("bin/docker-credential-pass", "#!/nowhere/bash\nexit 1\n"),
        Case::new(
            "another helper that is a download's error page",
            r#"{"credHelpers":{"quay.io":"gcr"}}"#,
            "client.helper_not_runnable",
            "broken",
        )
        .file("bin/docker-credential-gcr", "<html>404</html>\n"),
        Case::new(
            "podman's auth file names the whole name",
            "{}",
            "client.helper_full_name",
            "broken",
        )
        .file(
            ".config/containers/auth.json",
            r#"{"credHelpers":{"ghcr.io":"docker-credential-beta9"}}"#,
        ),
        Case::new(
            "podman's auth file names a helper that is not installed",
            "{}",
            "client.helper_missing",
            "broken",
        )
        .file(
            ".config/containers/auth.json",
            r#"{"credHelpers":{"ghcr.io":"secretservice"}}"#,
        ),
        Case::new(
            "podman's auth file names no helper at all",
            "{}",
            "client.helper_unnamed",
            "broken",
        )
        .file(
            ".config/containers/auth.json",
            r#"{"credHelpers":{"ghcr.io":""}}"#,
        ),
        Case::new(
            "podman's list in the order in which a login writes plain text",
            "{}",
            "client.helper_order",
            "warning",
        )
        .file(
            ".config/containers/registries.conf",
            "credential-helpers = [\"containers-auth.json\", \"beta9\"]\n",
        ),
        Case::new(
            "a pattern where docker takes none",
            r#"{"credHelpers":{"*.dkr.ecr.*.amazonaws.com":"beta9"}}"#,
            "client.key_never_matches",
            "warning",
        ),
        Case::new(
            "a URL where docker looks for a host",
            r#"{"credHelpers":{"https://ghcr.io":"beta9"}}"#,
            "client.key_never_matches",
            "broken",
        )
        .holding("ghcr.io"),
        Case::new(
            "a path where docker looks for a host",
            r#"{"credHelpers":{"ghcr.io/org":"beta9"}}"#,
            "client.key_never_matches",
            "warning",
        ),
        Case::new(
            "capitals where docker looks for a host",
            r#"{"credHelpers":{"GHCR.io":"beta9"}}"#,
            "client.key_never_matches",
            "broken",
        )
        .holding("ghcr.io"),
        Case::new(
            "a name of Docker Hub that no client looks for",
            r#"{"credHelpers":{"index.docker.io":"beta9"}}"#,
            "client.key_never_matches",
            "warning",
        ),
        Case::new(
            "credStore for credsStore",
            r#"{"credStore":"beta9"}"#,
            "client.unknown_key",
            "warning",
        ),
        Case::new(
            "credHelper for credHelpers",
            r#"{"credHelper":{"ghcr.io":"beta9"}}"#,
            "client.unknown_key",
            "warning",
        ),
        Case::new(
            "DOCKER_AUTH_CONFIG before a helper",
            r#"{"credHelpers":{"ghcr.io":"beta9"}}"#,
            "client.variable_wins",
            "broken",
        )
        .with("DOCKER_AUTH_CONFIG", plain)
        .holding("ghcr.io"),
        Case::new(
            "a DOCKER_AUTH_CONFIG that docker refuses",
            "{}",
            "client.variable_ignored",
            "warning",
        )
        .with("DOCKER_AUTH_CONFIG", r#"{"auths":{},"credsStore":"beta9"}"#),
        Case::new(
            "a password in docker's file, which asks nobody",
            plain,
            "client.plain_password",
            "warning",
        ),
        Case::new(
            "a password in podman's file, which asks nobody",
            "{}",
            "client.plain_password",
            "warning",
        )
        .file(".config/containers/auth.json", plain),
        Case::new(
            "a password in the session's file, which asks nobody",
            "{}",
            "client.plain_password",
            "warning",
        )
        .file("containers/auth.json", plain),
        Case::new(
            "a password that another helper hides",
            r#"{"credsStore":"pass","auths":{"ghcr.io":{"auth":"AUTH"}}}"#,
            "client.plain_password",
            "warning",
        )
        .file("bin/docker-credential-pass", "#!/bin/sh\nexit 1\n"),
        Case::new(
            "two equal logins for Docker Hub",
            &format!(r#"{{"auths":{{"{HUB}":{{"auth":"AUTH"}},"docker.io":{{"auth":"AUTH"}}}}}}"#),
            "client.plain_password",
            "warning",
        ),
        Case::new(
            "an empty file, which podman refuses",
            "",
            "client.file_only_for_docker",
            "warning",
        ),
        Case::new(
            "a helper of no name, which podman runs",
            r#"{"credHelpers":{"ghcr.io":""}}"#,
            "client.helper_unnamed",
            "broken",
        )
        .file("bin/skopeo", "#!/bin/sh\n"),
        Case::new(
            "a helper that is null",
            r#"{"credHelpers":{"ghcr.io":null}}"#,
            "client.helper_unnamed",
            "broken",
        )
        .file("bin/skopeo", "#!/bin/sh\n"),
        Case::new(
            "a level that BETA9_LOG does not have",
            "{}",
            "config.bad_value",
            "warning",
        )
        .with("BETA9_LOG", "trace"),
    ]
}

#[test]
fn each_broken_set_up_is_named_and_its_command_fixes_it() {
    for case in commands() {
        let node = case.node();
        let finding = case.named(&doctor(&node));
        assert!(finding.command.is_some(), "{}: {finding:?}", case.name);
        assert_eq!(finding.command, finding.fix, "{}", case.name);
        assert_gone(&case, &fixed_by(&node, &finding));
        // What was held is held, and what was in plain text is.
        for host in &case.held {
            assert_eq!(node.pair(host).1, "hunter2", "{}", case.name);
        }
        if case.code == "client.plain_password" {
            let host = if case.docker.contains("docker.io") {
                "docker.io"
            } else {
                "ghcr.io"
            };
            assert_eq!(node.pair(host).1, "hunter2", "{}", case.name);
            for file in [
                ".docker/config.json",
                ".config/containers/auth.json",
                "containers/auth.json",
            ] {
                let text = fs::read_to_string(node.home().join(file)).unwrap_or_default();
                assert!(!text.contains(AUTH), "{}: {text}", case.name);
            }
        }
    }
}

/// Set-ups whose remedy a person carries out; and how.
fn words() -> Vec<(Case, fn(&Node), &'static str)> {
    fn rewrite(node: &Node, file: &str, from: &str, to: &str) {
        let path = node.home().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replace(from, to)).unwrap();
    }
    vec![
        (
            Case::new(
                "podman's list names a helper that is not installed",
                "{}",
                "client.helper_missing",
                "broken",
            )
            .file(
                ".config/containers/registries.conf",
                "credential-helpers = [\"ecr-login\", \"containers-auth.json\"]\n",
            ),
            |node| {
                rewrite(
                    node,
                    ".config/containers/registries.conf",
                    "\"ecr-login\", ",
                    "",
                );
            },
            "remove it from ",
        ),
        (
            Case::new(
                "a second document behind docker's first",
                r#"{"auths":{}} {"auths":{}}"#,
                "client.file_only_for_docker",
                "warning",
            ),
            |node| rewrite(node, ".docker/config.json", " {\"auths\":{}}", ""),
            "remove what follows its first JSON value",
        ),
        (
            Case::new(
                "a brace too many in docker's file",
                "{\"credHelpers\":{\"ghcr.io\":\"beta9\"}}\n}\n",
                "client.file_only_for_docker",
                "warning",
            ),
            |node| rewrite(node, ".docker/config.json", "}}\n}", "}}"),
            "remove what follows its first JSON value",
        ),
        (
            Case::new(
                "a brace too many in podman's file",
                "{}",
                "client.file_broken",
                "broken",
            )
            .file(".config/containers/auth.json", "{}}"),
            |node| rewrite(node, ".config/containers/auth.json", "{}}", "{}"),
            "remove what follows its first JSON value",
        ),
        (
            Case::new(
                "two logins for Docker Hub that differ",
                &format!(
                    r#"{{"auths":{{"{HUB}":{{"auth":"AUTH"}},"docker.io":{{"auth":"OTHER"}}}}}}"#
                ),
                "client.logins_differ",
                "warning",
            ),
            |node| {
                rewrite(
                    node,
                    ".docker/config.json",
                    ",\"docker.io\":{\"auth\":\"b2N0bzpodW50ZXIz\"}",
                    "",
                );
            },
            "remove the wrong one",
        ),
        (
            Case::new(
                "another login than the stored one",
                r#"{"credHelpers":{"ghcr.io":"beta9"},"auths":{"ghcr.io":{"auth":"OTHER"}}}"#,
                "client.logins_differ",
                "warning",
            )
            .holding("ghcr.io"),
            |node| {
                let imported = node.run(&["import", "docker", "--force", "--remove"], "");
                assert_eq!(imported.status, 0, "{imported:?}");
                assert_eq!(node.pair("ghcr.io").1, "hunter3");
            },
            "import docker --force",
        ),
        (
            Case::new(
                "a login that podman finds first and fails on",
                r#"{"credHelpers":{"ghcr.io":"beta9"}}"#,
                "client.login_broken",
                "broken",
            )
            .file(
                "containers/auth.json",
                r#"{"auths":{"ghcr.io":{"auth":"%%"}}}"#,
            ),
            |node| {
                rewrite(
                    node,
                    "containers/auth.json",
                    "\"ghcr.io\":{\"auth\":\"%%\"}",
                    "",
                );
            },
            "log in again: podman login ghcr.io",
        ),
        (
            Case::new(
                "a login that is no object, for which podman refuses its file",
                "{}",
                "client.file_broken",
                "broken",
            )
            .file("containers/auth.json", r#"{"auths":{"ghcr.io":"hunter2"}}"#),
            |node| rewrite(node, "containers/auth.json", "\"hunter2\"", "{}"),
            "correct that entry of ",
        ),
        (
            Case::new(
                "a login for a part of a registry",
                r#"{"auths":{"ghcr.io/org":{"auth":"AUTH"}}}"#,
                "client.plain_password",
                "warning",
            ),
            |node| {
                rewrite(
                    node,
                    ".docker/config.json",
                    "\"ghcr.io/org\":{\"auth\":\"b2N0bzpodW50ZXIy\"}",
                    "",
                );
            },
            "remove that entry from ",
        ),
        (
            registries(
                "both forms in one file",
                "unqualified-search-registries = ['docker.io']\n[registries.search]\nregistries = ['docker.io']\n",
            ),
            |node| {
                rewrite(
                    node,
                    REGISTRIES,
                    "registries = ['docker.io']\n[",
                    "registries = []\n[",
                );
            },
            "correct it",
        ),
        (
            registries(
                "a registry without a place",
                "[[registry]]\nblocked = true\n",
            ),
            |node| {
                rewrite(
                    node,
                    REGISTRIES,
                    "blocked",
                    "location = 'x.example'\nblocked",
                );
            },
            "correct it",
        ),
        (
            registries(
                "a name where a list must be",
                "unqualified-search-registries = 'docker.io'\n",
            ),
            |node| rewrite(node, REGISTRIES, "'docker.io'", "['docker.io']"),
            "correct it",
        ),
        (
            registries(
                "a byte order mark",
                "\u{feff}credential-helpers = ['beta9']\n",
            ),
            |node| rewrite(node, REGISTRIES, "\u{feff}", ""),
            "correct it",
        ),
        (
            Case::new(
                "a helper that is not installed, under a key in capitals",
                "{}",
                "client.helper_missing",
                "broken",
            )
            .file(REGISTRIES, "Credential-Helpers = ['ecr-login']\n"),
            |node| rewrite(node, REGISTRIES, "'ecr-login'", ""),
            "remove it from ",
        ),
        (
            Case::new(
                "a login that is not base64",
                r#"{"auths":{"ghcr.io":{"auth":"%%"}}}"#,
                "client.login_broken",
                "warning",
            ),
            |node| {
                rewrite(
                    node,
                    ".docker/config.json",
                    "\"ghcr.io\":{\"auth\":\"%%\"}",
                    "",
                );
            },
            "log in again: docker login ghcr.io",
        ),
        (
            Case::new(
                "a login in capitals, which no client finds",
                r#"{"auths":{"GHCR.io":{"auth":"AUTH"}}}"#,
                "client.key_never_matches",
                "warning",
            ),
            |node| rewrite(node, ".docker/config.json", "GHCR.io", "ghcr.io"),
            "name it ghcr.io",
        ),
        (
            Case::new(
                "another program's key that is never looked for",
                r#"{"credHelpers":{"https://quay.io":"pass"}}"#,
                "client.key_never_matches",
                "warning",
            )
            .file("bin/docker-credential-pass", "#!/bin/sh\nexit 1\n"),
            |node| rewrite(node, ".docker/config.json", "https://quay.io", "quay.io"),
            "name it quay.io",
        ),
        (
            Case::new(
                "auth for auths in a file behind a link",
                r#"{"auth":{}}"#,
                "client.unknown_key",
                "warning",
            ),
            |node| rewrite(node, "moved.json", "\"auth\"", "\"auths\""),
            "rename it to \"auths\"",
        ),
    ]
}

#[test]
fn what_a_person_has_to_do_by_hand_is_said_and_fixes_it_too() {
    for (case, by_hand, said) in words() {
        let node = case.node();
        if case.name.ends_with("behind a link") {
            let file = node.home().join(".docker/config.json");
            fs::rename(&file, node.home().join("moved.json")).unwrap();
            symlink(node.home().join("moved.json"), &file).unwrap();
        }
        let finding = case.named(&doctor(&node));
        assert_eq!(finding.command, None, "{}", case.name);
        let fix = finding.fix.unwrap_or_default();
        assert!(fix.contains(said), "{}: {fix}", case.name);
        by_hand(&node);
        assert_gone(&case, &doctor(&node));
    }
}

#[test]
fn the_first_helper_on_the_path_is_run_and_one_that_does_not_start_is_broken() {
    let docker = r#"{"credsStore":"beta9"}"#;
    let mut foreign = fs::read(BINARY).unwrap();
    foreign.truncate(4096);
    // Another kind of machine, as a download for arm64 is on amd64.
    foreign[18] ^= 0xff;
    let table: [(&[u8], &str); 5] = [
        (&foreign, "it is built for another kind of machine"),
        (
            b"#!/nowhere/python3\n",
            "its interpreter /nowhere/python3 is missing",
        ),
        (b"", "it is neither a program nor a script"),
        (b"#!/bin/sh\nexit 0\n", "it does not say its name"),
        (
            b"#!/bin/sh\nprintf docker-credential-beta9; exit 3\n",
            "it does not say its name",
        ),
    ];
    for (bytes, why) in table {
        let node = wired(with_path(Node::new(), true), docker);
        let link = node.home().join("bin/docker-credential-beta9");
        fs::remove_file(&link).unwrap();
        fs::write(&link, bytes).unwrap();
        chmod(&link, 0o755);
        let health = doctor(&node);
        let broken = health.broken();
        assert_eq!(broken.code, "client.helper_not_runnable", "{broken:?}");
        assert!(broken.what.contains(why), "{broken:?}");
        fixed_by(&node, broken).assert_well();
    }
}

#[test]
fn a_helper_that_is_asked_for_its_version_gets_none_of_this_programs_environment() {
    let node = wired(with_path(Node::new(), true), r#"{"credsStore":"beta9"}"#)
        .with("BETA9_TOKEN", "hunter2");
    let link = node.home().join("bin/docker-credential-beta9");
    fs::remove_file(&link).unwrap();
    let seen = node.home().join("seen");
    let script = format!(
        "#!/bin/sh\nexport -p >{}\necho docker-credential-beta9 0.0.1\n",
        seen.display()
    );
    fs::write(&link, script).unwrap();
    chmod(&link, 0o755);
    doctor(&node).warning("another build");
    let seen = fs::read_to_string(seen).unwrap();
    assert!(seen.contains("PATH") && !seen.contains("hunter2"), "{seen}");
}

#[test]
fn doctor_says_who_answers_each_client_for_every_known_registry() {
    let node = wired(
        with_path(Node::new(), true),
        &format!(
            r#"{{"credHelpers":{{"ghcr.io":"beta9","quay.io":"gone"}},"auths":{{"nvcr.io":{{"auth":"{AUTH}"}}}}}}"#
        ),
    );
    node.store("gcr.io", "octo", "hunter2");
    let brought = format!(r#"{{"auths":{{"ghcr.io":{{"auth":"{AUTH}"}}}}}}"#);
    let said: Vec<String> = doctor(&node.with("DOCKER_AUTH_CONFIG", brought))
        .findings
        .into_iter()
        .filter(|one| one.code == "client.answerer")
        .map(|one| one.what)
        .collect();
    assert_eq!(
        said,
        [
            "gcr.io: docker asks nobody, podman asks nobody",
            "ghcr.io: docker takes the login in DOCKER_AUTH_CONFIG, podman asks this helper",
            "nvcr.io: docker has its own login, podman has its own login",
            "quay.io: docker asks docker-credential-gone, podman asks docker-credential-gone",
        ]
    );
}

const REGISTRIES: &str = ".config/containers/registries.conf";

/// A registries.conf that podman and its family refuse.
fn registries(name: &'static str, text: &str) -> Case {
    Case::new(name, "{}", "client.file_broken", "broken").file(REGISTRIES, text)
}

#[test]
fn a_variable_without_logins_is_no_finding() {
    for text in ["{}", r#"{"auths":{}}"#] {
        let health = doctor(&healthy_node().with("DOCKER_AUTH_CONFIG", text));
        let named = |one: &Finding| one.what.contains("DOCKER_AUTH_CONFIG");
        assert!(!health.findings.iter().any(named), "{health:#?}");
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_a_warning_as_docker_reads_them_and_nothing_changes_the_file() {
    let node = healthy_node();
    let path = node.home().join(".docker/config.json");
    let text = b"{\"HttpHeaders\":{\"X\":\"caf\xe9\"},\"credHelpers\":{\"ghcr.io\":\"beta9\"}}";
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    let health = doctor(&node);
    let found: Vec<_> = health
        .findings
        .iter()
        .filter(|one| one.code == "client.not_utf8")
        .collect();
    assert_eq!(found.len(), 1, "{health:?}");
    assert_eq!(found[0].state, "warning");
    assert_eq!(health.status, 0, "{health:?}");
    let said = node.run(&["explain", "ghcr.io"], "").out;
    assert!(said.contains("docker    asks this helper"), "{said}");
    let refused = node.run(&["configure", "docker", "--all"], "");
    assert!(
        refused
            .failure()
            .contains("it is not UTF-8; write it again in UTF-8"),
        "{refused:?}"
    );
    assert_eq!(fs::read(&path).unwrap(), text);
}

#[test]
fn what_docker_reads_is_read_as_docker_reads_it() {
    let deep = format!("{{\"x\":{}{},", "[".repeat(500), "]".repeat(500));
    let wired = r#""credHelpers":{"ghcr.io":"beta9"}}"#;
    for text in [
        format!("{deep}{wired}"),
        format!(r#"{{"x":1e9999,"y":-12345678901234567890123,{wired}"#),
        format!(r#"{{"x":"\ud800",{wired}"#),
        format!(r#"{{"credHelpers":{{"quay.io":null}},{wired}"#),
        r#"{"credHelpers":{"ghcr.io":"beta9"},"CREDHELPERS":{"quay.io":"beta9"}}"#.to_owned(),
        r#"{"credsStore":"beta9","credsStore":null}"#.to_owned(),
    ] {
        let case = Case::new("", &text, "", "").holding("ghcr.io");
        let health = doctor(&case.node());
        let docker = "docker asks this helper for 1 registry: ";
        let asked = |one: &Finding| one.code == "client.asked" && one.what.starts_with(docker);
        assert!(health.findings.iter().any(asked), "{text}: {health:#?}");
    }
}

#[test]
fn what_fixes_it_is_not_offered_where_it_would_not() {
    let table = [
        r#"{"credHelpers":{"ghcr.io":"beta9"},"auths":{"ghcr.io":{"auth":"%%"}}}"#,
        r#"{"credsStore":"beta9","auths":{"ghcr.io":{"auth":"AUTH"},"https://ghcr.io":{"auth":"OTHER"}}}"#,
        r#"{"credHelpers":{"ghcr.io":"beta9"},"auths":{"GHCR.io":{"auth":"AUTH"}}}"#,
        r#"{"credsStore":"beta9","auths":{"ghcr.io/org":{"auth":"AUTH"}}}"#,
        r#"{"credHelpers":{"https://ghcr.io":"beta9","ghcr.io":"beta9"}}"#,
    ];
    for text in table {
        let case = Case::new("", text, "", "");
        let node = case.node();
        node.store("ghcr.io", "octo", "hunter2");
        let health = doctor(&node);
        let mut commands = health
            .findings
            .iter()
            .filter_map(|one| one.command.as_ref());
        assert!(
            !commands.any(|command| command.contains(" import ")),
            "{text}: {health:#?}"
        );
    }
}

#[test]
fn fix_runs_what_changes_this_users_own_files_and_nothing_else() {
    let node = healthy_node();
    node.store("docker.io", "octo", "hunter2");
    chmod(&node.key_file(), 0o644);
    let docker = node.home().join(".docker/config.json");
    let text = format!(r#"{{"credsStore":"desktop","auths":{{"ghcr.io":{{"auth":"{AUTH}"}}}}}}"#);
    fs::write(&docker, &text).unwrap();
    // Nobody is there to say yes.
    let refused = node.run(&["doctor", "--fix"], "y\n");
    assert_eq!(refused.status, 1, "{refused:?}");
    assert!(format!("{refused:?}").contains("add --yes"), "{refused:?}");
    assert_eq!(fs::read_to_string(&docker).unwrap(), text);
    let fixed = node.run(&["doctor", "--fix", "--yes", "--json"], "");
    assert_eq!(fixed.status, 0, "{fixed:?}");
    for command in [
        format!("chmod 600 {}", node.key_file().display()),
        "docker-credential-beta9 configure docker --all --force".to_owned(),
    ] {
        assert!(fixed.err.contains(&command), "{fixed:?}");
    }
    doctor(&node).assert_well();
    assert_eq!(node.pair("ghcr.io").1, "hunter2");
    assert!(!fs::read_to_string(&docker).unwrap().contains(AUTH));
}

#[test]
fn fix_leaves_what_is_not_this_users_and_what_only_a_shell_can_change() {
    let brought = format!(r#"{{"auths":{{"docker.io":{{"auth":"{AUTH}"}}}}}}"#);
    let node = healthy_node().with("DOCKER_AUTH_CONFIG", brought);
    let before = doctor(&node);
    assert_eq!(before.broken().code, "client.variable_wins");
    let fixed = node.run(&["doctor", "--fix", "--yes"], "");
    assert_eq!((fixed.status, fixed.err.as_str()), (1, ""), "{fixed:?}");
    let usage = node.run(&["doctor", "--yes"], "");
    assert_ne!(usage.status, 0, "--yes goes with --fix");
}

#[test]
fn fix_asks_on_a_terminal() {
    let node = wired(with_path(Node::new(), true), r#"{"credsStore":"desktop"}"#);
    let file: PathBuf = node.home().join(".docker/config.json");
    let screen = node.on_terminal_typing(&["doctor", "--fix"], "n\n");
    assert_eq!(screen.status, 1, "{}", screen.text);
    assert!(
        screen.text.contains("configure docker --all --force"),
        "{}",
        screen.text
    );
    assert!(fs::read_to_string(&file).unwrap().contains("desktop"));
    let screen = node.on_terminal_typing(&["doctor", "--fix"], "y\n");
    assert_eq!(screen.status, 0, "{}", screen.text);
    assert!(fs::read_to_string(&file).unwrap().contains("beta9"));
}
