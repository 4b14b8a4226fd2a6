//! Checks clients with their own files: helm, regctl, kubelet, containerd; and root's docker, if this user may read it.

use std::path::Path;

use super::access::refused;
use super::finding::{Finding, State};
use super::program::{put, same};
use super::{containerd, helpers, keys};
use crate::client::edit::{Providers, read_yaml};
use crate::client::file::Text;
use crate::client::go_json;
use crate::client::spelling::Client;
use crate::client::{
    Asks, AuthFile, Held, Helper, PROGRAM, find_program, kubelet_files, unstartable,
};
use crate::config::Env;
use crate::error::Error;
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
    let with_files = groups
        .into_iter()
        .filter(|(_, findings)| !findings.is_empty());
    with_files.collect()
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
    findings.extend(keys::look("helm", &[Client::Docker], &file, None, &|_| {
        Asks::nobody()
    }));
    for entry in file
        .auths
        .iter()
        .filter(|entry| entry.held != Held::Nothing)
    {
        let key = shown(&entry.key);
        let what = format!(
            "{} holds the password for {key} in plain text, which helm uses before docker's file",
            path.display()
        );
        findings.push(
            Finding::warn("client.plain_password", what)
                .command(["helm", "registry", "logout", &entry.key]),
        );
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
    let unread = |cause: &str| {
        let what = format!("{}: {cause}", path.display());
        vec![Finding::broken("client.file_broken", what).words("correct it")]
    };
    let hosts = go_json::parse(&text.text).map(|(document, _)| document);
    let hosts = match hosts {
        Ok(document) => document.map("hosts"),
        Err(cause) => return unread(&cause),
    };
    let Ok(hosts) = hosts else {
        return unread("its hosts are not an object");
    };
    let mut findings = Vec::new();
    for (host, settings) in hosts {
        let text = |name| settings.text(name).unwrap_or_default();
        let helper = text("credHelper");
        if !helper.is_empty() {
            let missing = find_program(&env.search_path(), helper.expose());
            if missing == Helper::Missing && !Path::new(helper.expose()).is_file() {
                let what = format!(
                    "{} names {} for {}, which is in no directory of the PATH, so every pull fails",
                    path.display(),
                    shown(helper.expose()),
                    shown(&host)
                );
                findings.push(Finding::broken("client.helper_missing", what).command([
                    "regctl",
                    "registry",
                    "set",
                    &host,
                    "--cred-helper",
                    PROGRAM,
                ]));
            }
        } else if !(text("pass").is_empty() && text("token").is_empty()) {
            let what = format!(
                "{} holds the password for {} in plain text",
                path.display(),
                shown(&host)
            );
            findings.push(
                Finding::warn("client.plain_password", what)
                    .command(["regctl", "registry", "logout", &host]),
            );
        }
    }
    or_fine(findings, &path)
}

/// Kubelet runs a provider by its entry's name, from one directory for all.
fn kubelet(root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, bin) in kubelet_files(root) {
        for file in crate::cli::configure::files(&path).unwrap_or_default() {
            findings.extend(provider(&file, bin.as_deref()));
        }
    }
    findings
}

fn provider(path: &Path, bin: Option<&Path>) -> Option<Finding> {
    // Skip other users' files; their owners can run doctor themselves.
    let text = Text::read(path).ok()??;
    let providers = match Providers::parse(&text.text) {
        Ok(providers) => providers,
        Err(cause) => {
            let what = format!("{}: {cause}", path.display());
            return Some(Finding::broken("client.file_broken", what).words("correct it"));
        }
    };
    if providers.names().next().is_none() {
        let what = format!(
            "{} names no provider, and kubelet does not start with it",
            path.display()
        );
        let fix = "remove it and kubelet's flags that name it, or run docker-credential-beta9 configure kubelet";
        return Some(Finding::warn("client.no_provider", what).words(fix));
    }
    let Some((images, missing)) = providers.own_entry() else {
        let what = format!("{} does not name this helper", path.display());
        return Some(Finding::note("client.not_asked", what));
    };
    let wrong = |code, cause: &str, fix: &str| {
        let what = format!(
            "{}: the entry {PROGRAM} {cause}, so kubelet gets nothing from it",
            path.display()
        );
        Some(Finding::broken(code, what).words(format_args!(
            "in {}, give it {fix}, and restart kubelet",
            path.display()
        )))
    };
    if let Some(key) = missing {
        let (cause, fix) = match key {
            "args" => (
                "does not have the arguments it needs",
                "args: [\"kubelet\"]",
            ),
            "apiVersion" => (
                "does not have the version it needs",
                "apiVersion: credentialprovider.kubelet.k8s.io/v1",
            ),
            _ => (
                "has no defaultCacheDuration",
                "defaultCacheDuration: \"0s\"",
            ),
        };
        return wrong("client.wrong_args", cause, fix);
    }
    if images.is_empty() {
        return wrong(
            "client.no_images",
            "has no matchImages",
            "matchImages with the registries",
        );
    }
    Some(started(path, bin))
}

/// Whether the program is in the directory that goes with a file, and is this one: where it was copied, no update of this
/// program changes it.
fn started(config: &Path, bin: Option<&Path>) -> Finding {
    let config = config.display();
    let asked = || {
        Finding::ok(
            "client.asked",
            format_args!("kubelet asks this helper: {config}"),
        )
    };
    let Some(program) = bin.map(|bin| bin.join(PROGRAM)) else {
        return asked();
    };
    let why = if program.is_file() {
        unstartable(&program)
    } else {
        Some("it is not there".to_owned())
    };
    let me = std::env::current_exe();
    let finding = match (why, &me) {
        (Some(why), _) => Finding::broken(
            "client.helper_missing",
            format_args!(
                "{config} names this helper, and {} does not start: {why}",
                program.display()
            ),
        ),
        (None, Ok(me)) if !same(me, &program) => Finding::warn(
            "program.other_build",
            format_args!(
                "kubelet runs {}, which is another build than this program, {}",
                program.display(),
                me.display()
            ),
        ),
        (None, _) => return asked(),
    };
    match me {
        Ok(me) => put(finding, &me, &program),
        Err(_) => finding.words("install this program there"),
    }
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
            if PLAIN
                .iter()
                .any(|key| auth[key].as_str().is_some_and(|text| !text.is_empty()))
            {
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
    let own = env
        .clients_home()
        .is_some_and(|home| path.starts_with(home));
    if own || rustix::process::geteuid().is_root() {
        return Vec::new();
    }
    let file: Result<Option<AuthFile>, Error> = AuthFile::read(&path);
    let Ok(Some(file)) = file else {
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
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_provider_that_kubelet_cannot_start_is_broken() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path();
        assert!(kubelet(root).is_empty());
        let config = format!(
            "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n- name: {PROGRAM}\n  matchImages:\n  - ghcr.io\n  args: [kubelet]\n  defaultCacheDuration: 0s\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n"
        );
        write(
            root,
            "var/lib/rancher/credentialprovider/config.yaml",
            &config,
        );
        let codes = || -> Vec<_> {
            kubelet(root)
                .iter()
                .map(|one| (one.code, one.state))
                .collect()
        };
        assert_eq!(codes(), [("client.helper_missing", State::Broken)]);
        let program = format!("{}/{PROGRAM}", "var/lib/rancher/credentialprovider/bin");
        write(root, &program, "<html>");
        assert_eq!(codes(), [("client.helper_missing", State::Broken)]);
        write(root, &program, "#!/bin/sh\n");
        let program = root.join(program);
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(codes(), [("program.other_build", State::Warn)]);
        fs::remove_file(&program).unwrap();
        std::os::unix::fs::symlink(std::env::current_exe().unwrap(), &program).unwrap();
        assert_eq!(codes(), [("client.asked", State::Ok)]);
        write(
            root,
            "var/lib/rancher/credentialprovider/config.yaml",
            &config.replace(PROGRAM, "ecr-credential-provider"),
        );
        assert_eq!(codes(), [("client.not_asked", State::Note)]);
        write(
            root,
            "etc/kubernetes/credential-provider-config.yaml",
            "kind: [\n",
        );
        assert!(codes().contains(&("client.file_broken", State::Broken)));
    }

    #[test]
    fn an_entry_that_kubelet_gets_nothing_from_is_broken_wherever_a_flag_names_its_file() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path();
        let entry = |more: &str| {
            format!("kind: CredentialProviderConfig\nproviders:\n- name: {PROGRAM}\n{more}")
        };
        let images = "  matchImages: [ghcr.io]\n";
        let called = "  args: [kubelet]\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n";
        let lasts = "  defaultCacheDuration: 0s\n";
        let flags = [
            (
                "etc/default/kubelet",
                "KUBELET_EXTRA_ARGS=\"--x=y --image-credential-provider-config=/opt/k.yaml\"\n",
            ),
            (
                "etc/default/kubelet",
                "KUBELET_EXTRA_ARGS=--image-credential-provider-config=/opt/k.yaml --x=y\n",
            ),
            (
                "proc/7/cmdline",
                "kubelet\0--image-credential-provider-config\0/opt/k.yaml\0",
            ),
        ];
        for (file, text) in flags {
            write(root, file, text);
            for (more, code) in [
                (String::new(), "client.wrong_args"),
                (images.to_owned(), "client.wrong_args"),
                (format!("{images}  args: [get]\n"), "client.wrong_args"),
                (format!("{images}  args: [kubelet]\n"), "client.wrong_args"),
                (format!("{images}{called}"), "client.wrong_args"),
                (format!("{called}{lasts}"), "client.no_images"),
                (format!("{images}{called}{lasts}"), "client.asked"),
                (
                    format!("{images}{called}{lasts}- name: {PROGRAM}\n"),
                    "client.file_broken",
                ),
            ] {
                write(root, "opt/k.yaml", &entry(&more));
                let codes: Vec<_> = kubelet(root).iter().map(|one| one.code).collect();
                assert_eq!(codes, [code], "{file}: {more}");
            }
            fs::remove_file(root.join(file)).unwrap();
            assert!(kubelet(root).is_empty());
        }
    }

    #[test]
    fn what_another_user_or_a_pod_runs_names_no_file_of_kubelets() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path();
        write(
            root,
            "opt/k.yaml",
            "kind: CredentialProviderConfig\nproviders: []\n",
        );
        let line = "kubelet\0--image-credential-provider-config=/opt/k.yaml\0";
        write(root, "proc/7/cmdline", line);
        assert_eq!(kubelet(root).len(), 1);
        let status = |numbers: &str| {
            let text = format!("Name:\tkubelet\nNSpid:\t{numbers}\nVmPeak:\t1 2 kB\n");
            write(root, "proc/7/status", &text);
        };
        status("7\t1");
        assert!(kubelet(root).is_empty());
        status("7");
        assert_eq!(kubelet(root).len(), 1);
        // Only root can change a directory's owner.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(root.join("proc/7"), Some(65_534), None).unwrap();
            assert!(kubelet(root).is_empty());
        }
    }

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
