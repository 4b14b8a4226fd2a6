//! The files in packaging/ that must match the code.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_yaml_ng::Value;

#[test]
fn github_files_are_yaml_and_their_workflows_run_what_is_here() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut workflows = 0;
    for path in yaml_files(&root.join(".github")) {
        let text = fs::read_to_string(&path).unwrap();
        let file: Value = serde_yaml_ng::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if path.parent().unwrap().ends_with("workflows") {
            workflows += 1;
            check_workflow(root, &path, &file);
        }
    }
    assert_eq!(workflows, 2);
}

#[test]
fn dependabot_asks_for_newer_versions_of_all_that_is_pinned() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join(".github/dependabot.yml")).unwrap();
    let file: Value = serde_yaml_ng::from_str(&text).unwrap();
    let mut named = BTreeSet::new();
    for update in file["updates"].as_sequence().unwrap() {
        let manifest = match update["package-ecosystem"].as_str().unwrap() {
            "cargo" => "Cargo.toml",
            "gomod" => "go.mod",
            "pip" => "requirements.txt",
            _ => continue,
        };
        for directory in update["directories"].as_sequence().unwrap() {
            let directory = directory.as_str().unwrap().trim_start_matches('/');
            named.insert(root.join(directory).join(manifest));
        }
    }
    let listed = Command::new("git")
        .args(["ls-files", "Cargo.toml", "go.mod", "requirements.txt"])
        .args(["*/Cargo.toml", "*/go.mod", "*/requirements.txt"])
        .current_dir(root)
        .output()
        .unwrap();
    let there: BTreeSet<PathBuf> = String::from_utf8(listed.stdout)
        .unwrap()
        .lines()
        // Nothing is pinned there: it takes another module's place.
        .filter(|path| !path.ends_with("tigron/go.mod"))
        .map(|path| root.join(path))
        .collect();
    assert!(listed.status.success() && !there.is_empty());
    assert_eq!(named, there);
}

fn check_workflow(root: &Path, path: &Path, file: &Value) {
    assert!(!file["on"].is_null(), "{}", path.display());
    // Further permissions are set in each job.
    assert_eq!(
        file["permissions"]["contents"],
        "read",
        "{}",
        path.display()
    );
    let jobs = file["jobs"].as_mapping().unwrap();
    assert!(!jobs.is_empty());
    for (name, job) in jobs {
        assert!(job["runs-on"].is_string(), "{name:?}");
        assert!(job["timeout-minutes"].is_u64(), "{name:?}");
        for needed in job["needs"].as_sequence().into_iter().flatten() {
            assert!(jobs.contains_key(needed), "{name:?} needs {needed:?}");
        }
        for step in job["steps"].as_sequence().unwrap() {
            assert!(
                step["run"].is_string() ^ step["uses"].is_string(),
                "{name:?}: {step:?}"
            );
            if let Some(script) = step["run"].as_str() {
                check_script(root, script);
            }
        }
    }
}

/// Each file parses, and every program of this repository that it names exists.
fn check_script(root: &Path, script: &str) {
    let mut bash = Command::new("bash")
        .arg("-n")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = bash.stdin.take().unwrap();
    input.write_all(script.as_bytes()).unwrap();
    drop(input);
    assert!(bash.wait().unwrap().success(), "{script}");
    let words = script.split(|char: char| char.is_whitespace() || "\"'`;()".contains(char));
    for word in words {
        if ["packaging/", "tests/", ".ci/", "benches/"]
            .iter()
            .any(|directory| word.starts_with(directory))
            // Made with the first release.
            && word != "packaging/minisign.pub"
        {
            assert!(root.join(word).is_file(), "{word} in {script}");
        }
    }
}

fn yaml_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(yaml_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            found.push(path);
        }
    }
    found
}

/// What follows the comment at the top.
fn manifest(text: &str) -> &str {
    text.split_once("\napiVersion:").unwrap().1
}

#[test]
fn ranchers_nodes_get_the_same_pods_with_their_own_directory_and_name() {
    let pairs = [
        (
            include_str!("../packaging/kubernetes/install.yaml"),
            include_str!("../packaging/kubernetes/install-rancher.yaml"),
        ),
        (
            include_str!("../packaging/kubernetes/uninstall.yaml"),
            include_str!("../packaging/kubernetes/uninstall-rancher.yaml"),
        ),
    ];
    let env = "          env:\n            - {name: CONFIG_NAME, value: config.yaml}\n          resources:\n";
    for (plain, rancher) in pairs {
        let expected = manifest(plain)
            .replace(
                "{path: /opt/beta9,",
                "{path: /var/lib/rancher/credentialprovider,",
            )
            .replace("          resources:\n", env);
        assert_eq!(manifest(rancher), expected);
    }
}
