//! `configure containerd`: what it writes, what it refuses, and that `--undo` leaves nothing behind.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may panic"
)]

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Answer, Node};

/// Runs it below the node's home; `--force`, since a kubelet may run on the machine.
fn configure(node: &Node, args: &[&str]) -> Answer {
    run(node, &[&["--force"], args].concat())
}

fn run(node: &Node, args: &[&str]) -> Answer {
    let [certs, dir] = ["certs.d", "beta9/mirror"].map(|name| node.home().join(name));
    let places = [
        "--config",
        certs.to_str().unwrap(),
        "--mirror-dir",
        dir.to_str().unwrap(),
    ];
    node.run(
        &[&["configure", "containerd"], &places[..], args].concat(),
        "",
    )
}

fn done(answer: &Answer) -> &str {
    assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
    &answer.out
}

fn hosts_toml(node: &Node, name: &str) -> PathBuf {
    node.home().join("certs.d").join(name).join("hosts.toml")
}

fn table(path: &Path) -> toml::Table {
    fs::read_to_string(path).unwrap().parse().unwrap()
}

/// Everything below a directory.
fn tree(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        found.extend(tree(&entry.path()));
        found.push(entry.path());
    }
    found.sort();
    found
}

#[test]
fn each_registry_gets_its_file_and_the_mirror_its_certificates() {
    let node = Node::new();
    let before = tree(node.home());
    let answer = configure(&node, &["--hosts", "ghcr.io,docker.io,r.example:5000"]);
    let out = done(&answer);
    assert!(
        out.contains("containerd now asks the mirror for ghcr.io, docker.io, r.example:5000\n")
    );
    assert!(
        out.contains("  systemctl enable --now beta9-mirror.socket\n"),
        "{out}"
    );
    let dir = node.home().join("beta9/mirror");
    for (name, server) in [
        ("ghcr.io", "https://ghcr.io"),
        ("docker.io", "https://registry-1.docker.io"),
        ("r.example:5000", "https://r.example:5000"),
    ] {
        let path = hosts_toml(&node, name);
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o644);
        let table = table(&path);
        assert_eq!(table["server"].as_str(), Some(server));
        let host = &table["host"]["https://127.0.0.1:9185"];
        assert_eq!(host["ca"].as_str(), dir.join("ca.crt").to_str());
        let client = [dir.join("client.crt"), dir.join("client.key")];
        let client = client.map(|path| toml::Value::from(path.to_str().unwrap()));
        assert_eq!(
            host["client"],
            vec![toml::Value::from(client.to_vec())].into()
        );
        let can = ["pull", "resolve"].map(toml::Value::from);
        assert_eq!(host["capabilities"], can.to_vec().into());
        assert_eq!(host["dial_timeout"].as_str(), Some("2s"));
    }
    assert_eq!(dir.metadata().unwrap().mode() & 0o777, 0o700);
    for name in [
        "ca.crt",
        "server.crt",
        "server.key",
        "client.crt",
        "client.key",
        "hosts",
    ] {
        assert_eq!(
            dir.join(name).metadata().unwrap().mode() & 0o777,
            0o600,
            "{name}"
        );
    }
    let key = |name: &str| {
        fs::read_to_string(dir.join(name))
            .unwrap()
            .contains("PRIVATE KEY")
    };
    assert!(key("server.key") && key("client.key") && !key("ca.crt"));
    assert_eq!(
        fs::read_to_string(dir.join("hosts")).unwrap(),
        "docker.io\nghcr.io\nr.example:5000\n"
    );

    let certificate = fs::read(dir.join("server.crt")).unwrap();
    let answer = configure(&node, &["--hosts", "ghcr.io"]);
    assert_eq!(
        done(&answer),
        "nothing to do: containerd asks the mirror for ghcr.io already\n"
    );
    done(&configure(&node, &["--hosts", "quay.io"]));
    assert_eq!(
        fs::read(dir.join("server.crt")).unwrap(),
        certificate,
        "what runs goes on"
    );
    assert!(
        fs::read_to_string(dir.join("hosts"))
            .unwrap()
            .contains("ghcr.io\nquay.io\n")
    );

    let answer = configure(&node, &["--undo"]);
    assert!(done(&answer).contains("systemctl disable --now beta9-mirror.socket"));
    // Directories for all, which others may use too, may stay.
    let shared = |path: &PathBuf| path.ends_with("beta9") || path.ends_with("certs.d");
    let after: Vec<_> = tree(node.home())
        .into_iter()
        .filter(|path| !shared(path))
        .collect();
    assert_eq!(after, before);
    let answer = configure(&node, &["--undo"]);
    assert_eq!(
        done(&answer),
        "nothing to undo: no configuration of containerd names the mirror\n"
    );
}

#[test]
fn a_file_that_is_there_keeps_all_it_has_and_gets_it_back() {
    let node = Node::new();
    let path = hosts_toml(&node, "ghcr.io");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let old = "# ours\nserver = \"https://ghcr.io\"\n\n[host.\"https://cache.example\"]\n  capabilities = [\"pull\"]\n[host.\"https://cache.example\".header]\n  authorization = \"Basic Y2FuYXJ5\"\n";
    fs::write(&path, old).unwrap();
    let answer = configure(&node, &["--hosts", "ghcr.io"]);
    assert!(!done(&answer).contains("Y2FuYXJ5"), "a header is not shown");
    let new = fs::read_to_string(&path).unwrap();
    assert!(new.find("127.0.0.1:9185").unwrap() < new.find("cache.example").unwrap());
    assert!(new.starts_with("# ours\n") && new.ends_with(&old[old.find("[host").unwrap()..]));
    // Another port takes the place of the first.
    done(&configure(
        &node,
        &["--hosts", "ghcr.io", "--mirror", "127.0.0.1:7"],
    ));
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        new.replace(":9185", ":7")
    );
    done(&configure(&node, &["--undo"]));
    assert_eq!(fs::read_to_string(&path).unwrap(), old);
}

#[test]
fn all_is_one_file_for_every_registry() {
    let node = Node::new();
    done(&configure(&node, &["--all"]));
    let table = table(&hosts_toml(&node, "_default"));
    assert!(!table.contains_key("server") && table.contains_key("host"));
    let hosts = node.home().join("beta9/mirror/hosts");
    assert_eq!(fs::read_to_string(hosts).unwrap(), "*\n");
    let answer = configure(&node, &["--hosts", "ghcr.io"]);
    // A long path stands on a line of its own.
    let said: Vec<_> = done(&answer).split_whitespace().collect();
    assert!(
        said.join(" ").contains("note: containerd no longer uses "),
        "{answer:?}"
    );
}

#[test]
fn a_dry_run_shows_the_change_and_makes_nothing() {
    let node = Node::new();
    let before = tree(node.home());
    let answer = configure(&node, &["--hosts", "ghcr.io", "--dry-run"]);
    assert!(done(&answer).contains("+[host.\"https://127.0.0.1:9185\"]\n"));
    assert!(answer.out.ends_with("nothing was changed (--dry-run)\n"));
    assert_eq!(tree(node.home()), before);
    done(&configure(&node, &["--hosts", "ghcr.io"]));
    let made = tree(node.home());
    done(&configure(&node, &["--undo", "--dry-run"]));
    assert_eq!(tree(node.home()), made);
}

#[test]
fn the_registries_of_k3s_are_printed_and_nothing_of_k3s_is_written() {
    let node = Node::new();
    let yaml = node.home().join("registries.yaml");
    let dir = node.home().join("beta9/mirror");
    let args = [
        "configure",
        "containerd",
        "--force",
        "--hosts",
        "ghcr.io",
        "--config",
        yaml.to_str().unwrap(),
        "--mirror-dir",
        dir.to_str().unwrap(),
    ];
    let answer = node.run(&args, "");
    let out = done(&answer);
    let printed: String = out
        .lines()
        .skip_while(|line| *line != "  mirrors:")
        .take_while(|line| line.starts_with("  "))
        .flat_map(|line| [&line[2..], "\n"])
        .collect();
    let read: serde_yaml_ng::Value = serde_yaml_ng::from_str(&printed).unwrap();
    assert_eq!(
        read["mirrors"]["ghcr.io"]["endpoint"][0],
        "https://127.0.0.1:9185"
    );
    let tls = &read["configs"]["127.0.0.1:9185"]["tls"];
    assert_eq!(tls["ca_file"], dir.join("ca.crt").to_str().unwrap());
    assert_eq!(tls["key_file"], dir.join("client.key").to_str().unwrap());
    assert!(!yaml.exists() && dir.join("server.key").exists());
}

#[test]
fn where_kubelet_asks_this_helper_nothing_is_changed_without_force() {
    let node = Node::new();
    let config = node.home().join("provider.yaml");
    fs::write(&config, "providers:\n  - name: docker-credential-beta9\n").unwrap();
    let flag = format!("--image-credential-provider-config={}", config.display());
    let mut kubelet = Command::new("sh")
        .args(["-c", "read line; :", "kubelet", &flag])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let refused = run(&node, &["--hosts", "ghcr.io"]);
    drop(kubelet.stdin.take());
    kubelet.wait().unwrap();
    let line = refused.refusal();
    assert!(line.contains("kubelet asks this helper already"), "{line}");
    assert!(
        line.contains("nothing was changed; ") && line.contains("--force"),
        "{line}"
    );
    assert!(!hosts_toml(&node, "ghcr.io").exists());
}

#[test]
fn what_would_not_work_is_refused() {
    let node = Node::new();
    for (args, why) in [
        (&["--hosts", "ghcr.io", "--system"][..], "leave it out"),
        (&["--hosts", "ghcr.io/org"], "give hosts such as"),
        (
            &["--hosts", "ghcr.io", "--mirror", "10.0.0.7:9185"],
            "127.0.0.1",
        ),
        (
            &["--hosts", "ghcr.io", "--mirror", "127.0.0.1:0"],
            "127.0.0.1",
        ),
        (&["--hosts", "ghcr.io", "--bin-dir", "/usr/bin"], "kubelet"),
    ] {
        let answer = configure(&node, args);
        assert!(answer.refusal().contains(why), "{answer:?}");
    }
    let path = hosts_toml(&node, "ghcr.io");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    for (text, why) in [
        ("host = {}\n[\n", "it is not TOML"),
        // TOML, but not with tables, before which the mirror's could be put.
        ("host = { \"https://a\" = {} }\n", "form"),
        ("host.\"https://a\".skip_verify = true\n", "form"),
    ] {
        fs::write(&path, text).unwrap();
        let answer = configure(&node, &["--hosts", "ghcr.io"]);
        assert!(answer.refusal().contains(why), "{answer:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    assert!(!node.home().join("beta9").exists());
}
