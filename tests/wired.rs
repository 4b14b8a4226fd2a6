//! `wired`, which `install.sh --uninstall` and the packages run before they remove the program.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{BINARY, Node};

fn node() -> Node {
    let bin = Path::new(BINARY).parent().unwrap().to_str().unwrap();
    let node = Node::new().with("PATH", format!("{bin}:/usr/bin:/bin"));
    let run = node.home().join("run").to_str().unwrap().to_owned();
    node.with("XDG_RUNTIME_DIR", run)
}

fn put(node: &Node, name: &str, text: &str) -> PathBuf {
    let path = node.home().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

/// The lines about files of this node; the machine's own are not this test's.
fn wired(node: &Node) -> Vec<(String, String)> {
    let answer = node.run(&["wired"], "");
    assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
    let home = node.home().to_str().unwrap();
    let lines = answer
        .out
        .lines()
        .map(|line| line.split_once('\t').unwrap());
    lines
        .filter(|(file, _)| file.starts_with(home))
        .map(|(file, command)| (file.to_owned(), command.to_owned()))
        .collect()
}

#[test]
fn each_file_that_names_this_helper_is_listed_with_the_command_that_takes_it_out() {
    for (file, text, command) in [
        (".docker/config.json", r#"{"credsStore":"beta9"}"#, "docker"),
        (
            ".docker/config.json",
            r#"{"credHelpers":{"ghcr.io":"beta9","quay.io":"pass"}}"#,
            "docker",
        ),
        (
            ".config/containers/auth.json",
            r#"{"credHelpers":{"ghcr.io":"beta9"}}"#,
            "podman",
        ),
        (
            "run/containers/auth.json",
            r#"{"credHelpers":{"ghcr.io":"beta9"}}"#,
            "REGISTRY_AUTH_FILE",
        ),
        (
            ".config/containers/registries.conf",
            "credential-helpers = [\"containers-auth.json\", \"beta9\"]\n",
            "podman",
        ),
        (
            ".config/containers/registries.conf.d/50-beta9.conf",
            "credential-helpers = [\"beta9\"]\n",
            "podman",
        ),
    ] {
        let node = node();
        let path = put(&node, file, text).display().to_string();
        let command = match command {
            "REGISTRY_AUTH_FILE" => {
                format!("REGISTRY_AUTH_FILE={path} docker-credential-beta9 configure podman --undo")
            }
            client => format!("docker-credential-beta9 configure {client} --undo"),
        };
        assert_eq!(wired(&node), [(path, command)], "{file}: {text}");
    }
}

#[test]
fn a_file_that_names_another_or_mentions_this_one_is_not_listed() {
    let node = node();
    put(
        &node,
        ".docker/config.json",
        r#"{"credHelpers":{"beta9":"pass"},"psFormat":"beta9"}"#,
    );
    put(
        &node,
        ".config/containers/auth.json",
        r#"{"auths":{"beta9":{}},"credHelpers":{"h":"beta90"}}"#,
    );
    put(
        &node,
        ".config/containers/registries.conf",
        "# credential-helpers = [\"beta9\"]\ncredential-helpers = [\"containers-auth.json\"]\n",
    );
    assert_eq!(wired(&node), []);
    // Nothing says that a file that cannot be read names nobody.
    let broken = put(&node, ".docker/config.json", "{\"credsStore\": \"beta9\",");
    assert_eq!(wired(&node)[0].0, broken.display().to_string());
}

#[test]
fn the_command_that_is_named_takes_it_out() {
    let node = node();
    node.store("ghcr.io", "octo", "s");
    put(&node, ".docker/config.json", "{\"psFormat\": \"x\"}");
    for args in [
        &["configure", "docker"][..],
        &["configure", "podman"],
        &["configure", "podman", "--all"],
    ] {
        assert_eq!(node.run(args, "").status, 0, "{args:?}");
    }
    let found = wired(&node);
    assert_eq!(found.len(), 3, "{found:?}");
    for (_, command) in found {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &command]).env_clear();
        for variable in ["HOME", "PATH", "XDG_RUNTIME_DIR"] {
            let value = match variable {
                "HOME" => node.home().display().to_string(),
                "PATH" => Path::new(BINARY).parent().unwrap().display().to_string(),
                _ => node.home().join("run").display().to_string(),
            };
            shell.env(variable, value);
        }
        assert!(shell.output().unwrap().status.success(), "{command}");
    }
    assert_eq!(wired(&node), []);
}

#[test]
fn a_file_that_only_a_running_kubelets_flag_names_is_listed_too() {
    let node = node();
    let entry = "kind: CredentialProviderConfig\nproviders:\n- name: docker-credential-beta9\n";
    let file = put(&node, "kubelet/providers.yaml", entry);
    let flag = format!("--image-credential-provider-config={}", file.display());
    // A shell stands in for kubelet: it waits, and its arguments read as kubelet's do.
    let mut kubelet = Command::new("sh")
        .args(["-c", "read -r _; :", "kubelet", &flag])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let found = wired(&node);
    kubelet.kill().unwrap();
    kubelet.wait().unwrap();
    let path = file.display().to_string();
    let command = format!("docker-credential-beta9 configure kubelet --config {path} --undo");
    assert_eq!(found, [(path, command)]);
    assert!(wired(&node).is_empty());
}
