//! `import`: moves plain-text logins of docker and podman into the store.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use common::{Answer, BINARY, Node, terminal};

/// `octo:hunter2`, `carol:`, and `other:hunter3`.
const OCTO: &str = "b2N0bzpodW50ZXIy";
const CAROL: &str = "Y2Fyb2w6";
const OTHER: &str = "b3RoZXI6aHVudGVyMw==";

fn node() -> Node {
    let bin = Path::new(BINARY).parent().unwrap().to_str().unwrap();
    let node = Node::new().with("PATH", bin);
    // Root's podman would look below /run otherwise, where other tests and real files are.
    let run = node.home().join("run").to_str().unwrap().to_owned();
    node.with("XDG_RUNTIME_DIR", run)
}

/// What is said, wherever its lines are folded: that depends on how long paths are.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn put(node: &Node, name: &str, text: &str) -> PathBuf {
    let path = node.home().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

/// No part of any secret is ever in an answer.
fn import(node: &Node, args: &[&str]) -> Answer {
    let answer = node.run(&[&["import"], args].concat(), "");
    for secret in ["hunter", OCTO, CAROL, OTHER, "identity-token"] {
        assert!(
            !answer.out.contains(secret) && !answer.err.contains(secret),
            "{answer:?}"
        );
    }
    answer
}

/// Lines that were folded to fit, whole again.
fn unfolded(text: &str) -> String {
    text.replace("\n                 ", " ")
        .replace("\n  ", " ")
}

fn config() -> String {
    format!(
        "{{\n  \"auths\": {{\n    \"https://index.docker.io/v1/\": {{\"auth\": \"{OCTO}\"}},\n    \"ghcr.io\": {{\n      \"username\": \"octo\",\n      \
         \"password\": \"hunter2\"\n    }},\n    \"tokens.example\": {{\"auth\": \"{CAROL}\", \"identitytoken\": \"identity-token\"}},\n    \
         \"left.example\": {{}}\n  }},\n  \"psFormat\": \"x\"\n}}\n"
    )
}

#[test]
fn what_is_taken_over_is_answered_and_goes_from_the_file_once_the_client_asks_here() {
    let node = node();
    let path = put(&node, ".docker/config.json", &config());
    let taken = "taken over       https://index.docker.io/v1/\ntaken over       ghcr.io\ntaken over       tokens.example\n";
    let unwired = format!(
        "docker does not ask this helper for docker.io, ghcr.io, tokens.example yet, so\n  {} keeps it;\n  \
         docker-credential-beta9 configure docker --hosts docker.io,ghcr.io,tokens.example\n",
        path.display()
    );
    let answer = import(&node, &["docker", "--remove"]);
    assert_eq!(
        (answer.status, words(&answer.out)),
        (0, words(&format!("{taken}{unwired}")))
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), config());
    assert_eq!(node.pair("docker.io"), ("octo".into(), "hunter2".into()));
    assert_eq!(node.pair("ghcr.io"), ("octo".into(), "hunter2".into()));
    assert_eq!(
        node.pair("tokens.example"),
        ("<token>".into(), "identity-token".into())
    );

    assert_eq!(node.run(&["configure", "docker"], "").status, 0);
    let wired = fs::read_to_string(&path).unwrap();
    let inode = fs::metadata(&path).unwrap().ino();
    let answer = import(&node, &["docker"]);
    assert!(
        unfolded(&answer.out).ends_with("in plain text; --remove removes it\n"),
        "{answer:?}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), wired);

    let answer = import(&node, &["docker", "--remove"]);
    let there = taken.replace("taken over   ", "there already");
    let removed = format!(
        "removed from {}: https://index.docker.io/v1/, ghcr.io, tokens.example\n",
        path.display()
    );
    assert_eq!(
        (answer.status, unfolded(&answer.out)),
        (0, format!("{there}{removed}"))
    );
    let left = fs::read_to_string(&path).unwrap();
    assert!(
        left.starts_with(
            "{\n\t\"auths\": {\n\t\t\"left.example\": {}\n\t},\n\t\"psFormat\": \"x\",\n"
        ),
        "{left}"
    );
    assert_ne!(fs::metadata(&path).unwrap().ino(), inode);
    // No copy anywhere: not aside, not in the note of what configure did.
    for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains("hunter2") && !text.contains(OCTO), "{text}");
    }
    let answer = import(&node, &[]);
    assert_eq!(
        answer.out,
        "nothing to take over: no password is there in plain text\n"
    );
    // And taking the wiring back does not bring them back.
    assert_eq!(node.run(&["configure", "docker", "--undo"], "").status, 0);
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "{\n\t\"auths\": {\n\t\t\"left.example\": {}\n\t},\n\t\"psFormat\": \"x\"\n}\n"
    );
}

#[test]
fn what_cannot_be_taken_over_is_named_and_left() {
    let node = node();
    let text = format!(
        r#"{{"credsStore": "beta9", "auths": {{
            "part.example/team": {{"auth": "{OCTO}"}}, "base64.example": {{"auth": "hunter%"}}, "colon.example": {{"auth": "aHVudGVyMg=="}},
            "number.example": {{"auth": 7}}, "bearer.example": {{"registrytoken": "hunter2"}}, "nobody.example": {{"password": "hunter2"}},
            "169.254.169.254": {{"auth": "{OCTO}"}}, "good.example": {{"auth": "{OCTO}"}}, "https://good.example/v2/": {{"auth": "{OCTO}"}}}}}}"#
    );
    let path = put(&node, ".docker/config.json", &text);
    let answer = import(&node, &["docker", "--remove"]);
    let expected = [
        "left             part.example/team: it is for a part of the registry, and the",
        "                 store keeps one credential for the whole; log in again: docker",
        "                 login part.example",
        "left             base64.example: its auth is not base64 of user:password; log in",
        "                 again: docker login base64.example",
        "left             colon.example: its auth is not base64 of user:password; log in",
        "                 again: docker login colon.example",
        "left             number.example: its auth is not a text; log in again: docker",
        "                 login number.example",
        "left             bearer.example: it is a registrytoken, which no helper can",
        "                 answer; log in again: docker login bearer.example",
        "left             nobody.example: the user name is empty; log in again: docker",
        "                 login nobody.example",
        "left             169.254.169.254: this address serves a node's own metadata,",
        "                 never images; remove that entry",
        "taken over       good.example",
        "there already    https://good.example/v2/",
        &format!(
            "removed from {}: good.example, https://good.example/v2/",
            path.display()
        ),
    ];
    assert_eq!(
        (answer.status, words(&answer.out)),
        (1, words(&expected.join("\n")))
    );
    let left = fs::read_to_string(&path).unwrap();
    assert!(
        !left.contains("good.example") && left.contains("part.example/team"),
        "{left}"
    );
}

#[test]
fn another_credential_of_the_store_is_replaced_only_by_force() {
    let node = node();
    put(
        &node,
        ".docker/config.json",
        &format!(r#"{{"credsStore":"beta9","auths":{{"ghcr.io":{{"auth":"{OCTO}"}}}}}}"#),
    );
    node.store("ghcr.io", "newer", "secret");
    let answer = import(&node, &["docker", "--remove"]);
    assert_eq!(
        answer.out,
        "left             ghcr.io: the store has another credential for it; --force\n                 replaces that\n"
    );
    assert_eq!(
        (answer.status, node.pair("ghcr.io").0.as_str()),
        (1, "newer")
    );
    assert_eq!(import(&node, &["docker", "--force"]).status, 0);
    assert_eq!(node.pair("ghcr.io"), ("octo".into(), "hunter2".into()));
}

#[test]
fn what_is_not_answered_as_it_was_given_is_not_removed() {
    let node = node().configured("[[registry]]\nhost = \"ghcr.io\"\nbackend = \"public\"\n");
    let text = format!(r#"{{"credsStore":"beta9","auths":{{"ghcr.io":{{"auth":"{OCTO}"}}}}}}"#);
    let path = put(&node, ".docker/config.json", &text);
    let answer = import(&node, &["docker", "--remove"]);
    assert_eq!(
        answer.out,
        "left             ghcr.io: a rule says that no credential is returned for it;\n                 remove it, or the rule\n"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(node.list(), "{}\n");
}

#[test]
fn a_clouds_key_is_taken_over_without_asking_that_cloud() {
    let node = node();
    // `_json_key:{"type":"service_account","private_key":"hunter2"}`
    let auth = "X2pzb25fa2V5OnsidHlwZSI6InNlcnZpY2VfYWNjb3VudCIsInByaXZhdGVfa2V5IjoiaHVudGVyMiJ9";
    put(
        &node,
        ".docker/config.json",
        &format!(r#"{{"credsStore":"beta9","auths":{{"https://gcr.io":{{"auth":"{auth}"}}}}}}"#),
    );
    let answer = import(&node, &["docker", "--remove"]);
    assert!(
        words(&answer.out).starts_with("taken over https://gcr.io removed from "),
        "{answer:?}"
    );
    assert_eq!(node.list(), "{\"gcr.io\":\"oauth2accesstoken\"}\n");
}

#[test]
fn a_dry_run_stores_and_removes_nothing() {
    let node = node();
    let text = config().replacen('{', "{ \"credsStore\": \"beta9\",", 1);
    let path = put(&node, ".docker/config.json", &text);
    let answer = import(&node, &["--dry-run", "--remove"]);
    assert!(
        answer
            .out
            .starts_with("would take over  https://index.docker.io/v1/\n"),
        "{answer:?}"
    );
    assert_eq!(
        (answer.status, fs::read_to_string(&path).unwrap()),
        (0, text)
    );
    assert_eq!(node.list(), "{}\n");
}

#[test]
fn at_a_terminal_a_person_is_asked_and_only_yes_removes() {
    for (typed, removed) in [
        ("y\n", true),
        ("Yes\n", true),
        ("n\n", false),
        ("\n", false),
        ("yesterday\n", false),
    ] {
        let node = node();
        let text = format!(r#"{{"credsStore":"beta9","auths":{{"ghcr.io":{{"auth":"{OCTO}"}}}}}}"#);
        let path = put(&node, ".docker/config.json", &text);
        let pty = terminal::new_terminal();
        let child = node
            .command(&["import", "docker"])
            .stdin(terminal::other_end(&pty))
            .spawn()
            .unwrap();
        rustix::io::write(&pty, typed.as_bytes()).unwrap();
        let answer = Answer::of(child);
        let question = format!("Remove ghcr.io from {}? [y/N] ", path.display());
        assert!(
            answer.status == 0 && answer.out.contains(&question),
            "{answer:?}"
        );
        assert_eq!(
            words(&answer.out).contains("removed from "),
            removed,
            "{typed:?}: {answer:?}"
        );
        assert_eq!(
            fs::read_to_string(&path).unwrap() != text,
            removed,
            "{typed:?}"
        );
    }
}

#[test]
fn podmans_files_are_taken_over_and_cleared_once_podman_asks_here() {
    let node = node();
    let session = put(
        &node,
        "run/containers/auth.json",
        &format!(
            "{{\n\t\"auths\": {{\n\t\t\"quay.io\": {{\n\t\t\t\"auth\": \"{OCTO}\"\n\t\t}}\n\t}}\n}}"
        ),
    );
    let docker = put(
        &node,
        ".docker/config.json",
        &format!(r#"{{"auths":{{"ghcr.io":{{"auth":"{OCTO}"}}}}}}"#),
    );
    let answer = import(&node, &["podman", "--remove"]);
    assert!(
        answer
            .out
            .contains("podman does not ask this helper for quay.io yet"),
        "{answer:?}"
    );
    assert!(
        answer
            .out
            .contains("docker does not ask this helper for ghcr.io yet"),
        "{answer:?}"
    );
    assert_eq!(node.run(&["configure", "podman", "--all"], "").status, 0);
    let answer = import(&node, &["podman", "--remove"]);
    assert!(
        unfolded(&answer.out).contains(&format!("removed from {}: quay.io", session.display())),
        "{answer:?}"
    );
    assert_eq!(
        fs::read_to_string(&session).unwrap(),
        "{\n\t\"auths\": {}\n}"
    );
    assert!(
        fs::read_to_string(&docker).unwrap().contains(OCTO),
        "docker would not find it any more"
    );
}

#[test]
fn a_file_of_no_client_is_cleared_when_that_is_asked_for() {
    let node = node();
    let path = put(
        &node,
        "secret/dockerconfig.json",
        &format!(r#"{{"auths": {{"ghcr.io": {{"auth": "{OCTO}"}}}}}}"#),
    );
    let json = import(&node, &[path.to_str().unwrap(), "--remove", "--json"]);
    let expected = format!(
        r#"{{"dry_run":false,"files":["{}"],"imported":["ghcr.io"],"unchanged":[],"left":[],"removed":["ghcr.io"],"not_wired":[]}}"#,
        path.display()
    );
    assert_eq!((json.status, json.out.trim_end()), (0, expected.as_str()));
    let now = fs::read_to_string(&path).unwrap();
    assert_eq!(now, "{\n\t\"auths\": {}\n}");
    assert!(
        import(&node, &["/nowhere/config.json"])
            .failure()
            .contains("there is no such file")
    );
}

#[test]
fn a_file_that_cannot_be_read_or_written_loses_nothing() {
    let node = node();
    let text = format!(r#"{{"credsStore":"beta9","auths":{{"ghcr.io":{{"auth":"{OCTO}"}}}}"#);
    let path = put(&node, ".docker/config.json", &text);
    assert!(
        import(&node, &["docker", "--remove"])
            .failure()
            .contains("it ends too early")
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    fs::write(&path, format!("{text}}}")).unwrap();
    let mut mode = fs::metadata(&path).unwrap().permissions();
    mode.set_readonly(true);
    fs::set_permissions(&path, mode).unwrap();
    let answer = import(&node, &["docker", "--remove"]);
    assert!(
        answer.status == 1 && answer.err.contains("it is read-only; nothing was changed"),
        "{answer:?}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{text}}}"));
    assert_eq!(node.pair("ghcr.io").0, "octo");
}

#[test]
fn a_row_names_its_registry_once_and_every_line_fits_where_no_path_is_in_it() {
    let node = node();
    node.store("ghcr.io", "octo", "hunter2");
    fs::write(node.sealed_file(), "damaged").unwrap();
    let auths = format!(
        r#"{{"auths":{{"https://ghcr.io/v2/":{{"auth":"{OCTO}"}},"quay.io/org":{{"auth":"{OCTO}"}}}}}}"#
    );
    put(&node, ".docker/config.json", &auths);
    let answer = import(&node, &["docker"]);
    let told = unfolded(&answer.out);
    assert!(
        answer.status == 1
            && told.starts_with("left             https://ghcr.io/v2/: file store: "),
        "{answer:?}"
    );
    assert!(
        told.contains("for the whole; log in again: docker login quay.io\n"),
        "{answer:?}"
    );
    for line in answer
        .out
        .lines()
        .filter(|line| !line.contains('/') || line.contains("://"))
    {
        assert!(line.chars().count() <= 80, "{line}");
    }
    // A file that no client reads is fixed where it is.
    let path = put(&node, "elsewhere.json", &auths.replace(OCTO, "%"));
    let answer = import(&node, &[path.to_str().unwrap()]);
    let expected = "quay.io/org: its auth is not base64 of user:password; correct that entry, and import it again\n";
    assert!(unfolded(&answer.out).contains(expected), "{answer:?}");
}

#[test]
fn dockers_own_items_are_wired_with_docker_hub() {
    let node = node();
    let items = format!(
        r#"{{"auths":{{"https://index.docker.io/v1/":{{"auth":"{OCTO}"}},"https://index.docker.io/v1/access-token":{{"auth":"{OCTO}"}}}}}}"#
    );
    put(&node, ".docker/config.json", &items);
    let answer = import(&node, &["docker"]);
    assert!(
        answer
            .out
            .ends_with("\n  docker-credential-beta9 configure docker --hosts docker.io\n"),
        "{answer:?}"
    );
}

#[test]
fn two_entries_of_one_registry_that_differ_are_both_named_and_neither_is_taken() {
    for (first, second) in [
        ("https://reg.example.com", "reg.example.com"),
        ("reg.example.com", "reg.example.com:443"),
        ("docker.io", "https://index.docker.io/v1/"),
        ("index.docker.io", "docker.io"),
        ("GHCR.io", "ghcr.io"),
        ("http://reg.example.com:80", "reg.example.com:80"),
    ] {
        let node = node();
        let text = format!(
            r#"{{"credsStore":"beta9","auths":{{"{first}":{{"auth":"{OTHER}"}},"{second}":{{"auth":"{OCTO}"}}}}}}"#
        );
        let path = put(&node, ".docker/config.json", &text);
        let answer = import(&node, &["docker", "--remove"]);
        assert_eq!(answer.status, 1, "{answer:?}");
        for (left, other) in [(first, second), (second, first)] {
            let row = format!(
                "left {left}: {other} is for the same registry and has another credential; remove the wrong one"
            );
            assert!(words(&answer.out).contains(&row), "{answer:?}");
        }
        assert_eq!(
            (node.list().as_str(), fs::read_to_string(&path).unwrap()),
            ("{}\n", text)
        );
    }
    // And of two clients' files, which name one each.
    let node = node();
    let one = |auth: &str| format!(r#"{{"auths":{{"ghcr.io":{{"auth":"{auth}"}}}}}}"#);
    put(&node, ".docker/config.json", &one(OCTO));
    put(&node, ".config/containers/auth.json", &one(OTHER));
    assert_eq!(import(&node, &[]).status, 1);
    assert_eq!(node.list(), "{}\n");
    assert_eq!(import(&node, &["docker"]).status, 0);
    assert_eq!(node.pair("ghcr.io").0, "octo");
}

#[test]
fn plain_text_goes_only_where_the_client_asks_here_under_that_very_key() {
    let (hub, docker, podman) = (
        "https://index.docker.io/v1/",
        ".docker/config.json",
        ".config/containers/auth.json",
    );
    for (file, key, wired, name) in [
        (
            docker,
            "reg.example.com:443",
            "reg.example.com",
            "reg.example.com:443",
        ),
        (
            docker,
            "reg.example.com",
            "reg.example.com:443",
            "reg.example.com",
        ),
        (docker, "GHCR.io", "ghcr.io", "GHCR.io"),
        (docker, hub, "docker.io", "docker.io"),
        (docker, "docker.io", hub, "docker.io"),
        (
            docker,
            "http://reg.example.com:80",
            "reg.example.com",
            "reg.example.com:80",
        ),
        (
            podman,
            "reg.example.com:443",
            "reg.example.com",
            "reg.example.com:443",
        ),
        (podman, "docker.io", hub, "docker.io"),
        (podman, "quay.io", "quay.io.evil.example", "quay.io"),
    ] {
        let node = node();
        let client = if file == docker { "docker" } else { "podman" };
        let with = |wired: &str| {
            format!(
                r#"{{"credHelpers":{{"{wired}":"beta9"}},"auths":{{"{key}":{{"auth":"{OCTO}"}}}}}}"#
            )
        };
        let path = put(&node, file, &with(wired));
        let answer = import(&node, &[client, "--remove"]);
        let command = format!("docker-credential-beta9 configure {client} --hosts {name}\n");
        assert!(
            answer.status == 0 && answer.out.ends_with(&command),
            "{key}: {answer:?}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), with(wired), "{key}");
        // The name that the client asks by.
        let asked = match (file, name) {
            (".docker/config.json", "docker.io") if key == hub => hub,
            _ => name,
        };
        fs::write(&path, with(asked)).unwrap();
        let answer = import(&node, &[client, "--remove"]);
        assert!(
            words(&answer.out).ends_with(&format!(": {key}")),
            "{key}: {answer:?}"
        );
        assert!(!fs::read_to_string(&path).unwrap().contains(OCTO), "{key}");
        assert_eq!(node.pair(asked), ("octo".into(), "hunter2".into()), "{key}");
    }
}

#[test]
fn configure_offers_the_logins_of_the_file_that_it_edits_where_the_store_is_empty() {
    let text = format!(
        r#"{{"auths":{{"quay.io":{{"auth":"{OCTO}"}},"https://index.docker.io/v1/":{{"auth":"{OCTO}"}},"bad.example":{{"auth":"%"}},"ghcr.io/org":{{"auth":"{OCTO}"}}}}}}"#
    );
    for (client, file) in [
        ("docker", ".docker/config.json"),
        ("podman", ".config/containers/auth.json"),
    ] {
        let node = node();
        let told = |node: &Node| {
            let answer = node.run(&["configure", client], "");
            answer.failure().to_owned()
        };
        assert!(told(&node).ends_with("yet; name them with --hosts, or give --all"));
        let path = put(&node, file, &text);
        assert_eq!(
            told(&node),
            format!(
                "configure: the store has no registries yet; take over the logins of {} with: \
                 docker-credential-beta9 import {client}; or give --hosts docker.io,quay.io, or --all",
                path.display()
            )
        );
        // And what is offered works.
        import(&node, &[client]);
        assert_eq!(node.run(&["configure", client], "").status, 0);
        import(&node, &[client, "--remove"]);
        let left = fs::read_to_string(&path).unwrap();
        assert_eq!(left.matches(OCTO).count(), 1, "{left}");
    }
}
