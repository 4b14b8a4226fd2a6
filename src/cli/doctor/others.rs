//! Checks clients with their own files: helm, regctl, k3s; and root's docker, if this user may read it.

use std::path::Path;

use super::access::refused;
use super::finding::{Finding, State};
use super::kubelet::kubelet;
use super::reader::Reader;
use super::{containerd, helpers, keys};
use crate::client::edit::read_yaml;
use crate::client::file::Text;
use crate::client::go_json;
use crate::client::spelling::Client;
use crate::client::{AuthFile, Held, Helper, PROGRAM, find_program};
use crate::config::Env;
use crate::shown::shown;

/// A group of findings for each client with a file below `root`, which is `/` except in tests.
pub(super) fn look(env: &Env, root: &Path) -> Vec<(&'static str, Vec<Finding>)> {
    let rancher = rancher(root);
    let groups = [
        ("helm", helm(env)),
        ("regctl", regctl(env)),
        ("kubelet", kubelet(root)),
        ("containerd", containerd::look(root, !rancher.is_empty())),
        ("k3s", rancher),
        ("root's docker", roots_docker(env, root)),
    ];
    let mut groups = Vec::from(groups);
    groups.retain(|(_, findings)| !findings.is_empty());
    groups
}

/// Helm prefers its own file to docker's (<https://helm.sh/docs/topics/registries/>).
fn helm(env: &Env) -> Vec<Finding> {
    let set = |name| env.path(name).ok().flatten();
    let file = set("HELM_REGISTRY_CONFIG").or_else(|| {
        let home = set("HELM_CONFIG_HOME");
        let dir =
            home.or_else(|| Some(env.clients_xdg("XDG_CONFIG_HOME", ".config")?.join("helm")));
        Some(dir?.join("registry/config.json"))
    });
    let Some(path) = file else { return Vec::new() };
    let file = match AuthFile::read(&path) {
        Ok(Some(file)) => file,
        Ok(None) => return Vec::new(),
        Err(error) => return vec![refused(&error, [path.as_path()])],
    };
    let mut findings = helpers::of_file("helm", &file, env);
    let reader = Reader::new("helm", &[Client::Docker], env);
    findings.extend(keys::look(&reader, &file));
    for entry in file.auths.iter().filter(|one| one.held != Held::Nothing) {
        let what = format!(
            "{} holds the password for {} in plain text, which helm uses before docker's file",
            path.display(),
            shown(&entry.key)
        );
        let finding = Finding::warn("client.plain_password", what);
        findings.push(finding.command("helm registry logout", [&entry.key]));
    }
    or_fine(findings, &path)
}

/// Regctl names the program by its full name (<https://github.com/regclient/regclient/blob/main/docs/regctl.md>).
fn regctl(env: &Env) -> Vec<Finding> {
    let file = env.path("REGCTL_CONFIG").ok().flatten();
    let Some(path) = file.or_else(|| Some(env.clients_home()?.join(".regctl/config.json"))) else {
        return Vec::new();
    };
    let text = match Text::read_as_go(&path) {
        Ok(Some(text)) => text,
        Ok(None) => return Vec::new(),
        Err(error) => return vec![refused(&error, [path.as_path()])],
    };
    let unread = |cause: &str| vec![Finding::incorrect(&path, cause)];
    let document = match go_json::parse(&text.text) {
        Ok((document, _)) => document,
        Err(cause) => return unread(&cause),
    };
    let Ok(hosts) = document.map("hosts") else {
        return unread("its hosts are not an object");
    };
    let mut findings = Vec::new();
    for (host, settings) in hosts {
        let text = |name| settings.text(name).unwrap_or_default();
        let helper = text("credHelper");
        if !helper.is_empty() {
            let helper = helper.expose();
            let missing = find_program(&env.search_path(), helper) == Helper::Missing;
            if missing && !Path::new(helper).is_file() {
                let what = format!(
                    "{} names {} for {}, which is in no directory of the PATH, so every pull fails",
                    path.display(),
                    shown(helper),
                    shown(&host)
                );
                let finding = Finding::broken("client.helper_missing", what);
                let more = [host.as_str(), "--cred-helper", PROGRAM];
                findings.push(finding.command("regctl registry set", more));
            }
        } else if !(text("pass").is_empty() && text("token").is_empty()) {
            let what = format!(
                "{} holds the password for {} in plain text",
                path.display(),
                shown(&host)
            );
            let finding = Finding::warn("client.plain_password", what);
            findings.push(finding.command("regctl registry logout", [&host]));
        }
    }
    or_fine(findings, &path)
}

/// The logins that k3s and RKE2 pass to their containerd (<https://docs.k3s.io/installation/private-registry>).
fn rancher(root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in RANCHERS.map(|path| root.join(path)) {
        let Ok(Some(text)) = Text::read(&path) else {
            continue;
        };
        let Ok(value) = read_yaml(&text.text) else {
            continue;
        };
        let configs = value["configs"].as_object().into_iter().flatten();
        for (host, settings) in configs {
            let auth = &settings["auth"];
            let has_text = |key: &str| auth[key].as_str().is_some_and(|text| !text.is_empty());
            if PLAIN.into_iter().any(has_text) {
                let what = format!(
                    "{} holds a login for {} in plain text; containerd calls no helper, and kubelet calls this one",
                    path.display(),
                    shown(host)
                );
                let fix = "wire kubelet: docker-credential-beta9 configure kubelet; then remove auth from that entry";
                findings.push(Finding::warn("client.plain_password", what).words(fix));
            }
        }
    }
    findings
}

/// Root's docker configuration, which services and sudo read, if this user may read it.
fn roots_docker(env: &Env, root: &Path) -> Vec<Finding> {
    let path = root.join("root/.docker/config.json");
    let home = env.clients_home();
    if home.is_some_and(|home| path.starts_with(home)) || rustix::process::geteuid().is_root() {
        return Vec::new();
    }
    let Ok(Some(file)) = AuthFile::read(&path) else {
        return Vec::new();
    };
    let mut findings = helpers::of_file("docker", &file, env);
    // Root's PATH may differ from this user's.
    for finding in &mut findings {
        finding.state = finding.state.min(State::Warn);
    }
    findings
}

fn or_fine(findings: Vec<Finding>, path: &Path) -> Vec<Finding> {
    if findings.is_empty() {
        let what = format!("nothing is wrong with {}", path.display());
        return vec![Finding::ok("client.file", what)];
    }
    findings
}

const RANCHERS: [&str; 2] = [
    "etc/rancher/k3s/registries.yaml",
    "etc/rancher/rke2/registries.yaml",
];
const PLAIN: [&str; 4] = ["password", "auth", "token", "identity_token"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::tests::write;

    #[test]
    fn a_login_in_k3ss_file_is_reported_and_its_value_is_not() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path();
        let tls = "configs:\n  quay.io:\n    tls:\n      ca_file: /x\n";
        write(root, RANCHERS[0], tls);
        assert!(rancher(root).is_empty());
        let auth = "  ghcr.io:\n    auth:\n      username: octo\n      password: hunter2\n";
        write(root, RANCHERS[1], &format!("{tls}{auth}"));
        let findings = rancher(root);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0].what.contains("a login for ghcr.io"),
            "{findings:?}"
        );
        assert!(!format!("{findings:?}").contains("hunter2"));
    }
}
