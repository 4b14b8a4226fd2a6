//! Checks whether kubelet asks this helper.

use std::path::Path;

use super::finding::Finding;
use super::program::{other_build, put, same};
use crate::client::edit::Providers;
use crate::client::file::Text;
use crate::client::{PROGRAM, kubelet_files, unstartable};

/// Kubelet runs a provider by its entry's name, from one directory for all.
pub(super) fn kubelet(root: &Path) -> Vec<Finding> {
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
        Err(cause) => return Some(Finding::incorrect(path, &cause)),
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
        let path = path.display();
        let what = format!("{path}: the entry {PROGRAM} {cause}, so kubelet gets nothing from it");
        let fix = format_args!("in {path}, give it {fix}, and restart kubelet");
        Some(Finding::broken(code, what).words(fix))
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
        let fix = "matchImages with the registries";
        return wrong("client.no_images", "has no matchImages", fix);
    }
    Some(started(path, bin))
}

/// Whether the program is in the directory that goes with a file, and is this one: where it was copied, no update of this
/// program changes it.
fn started(config: &Path, bin: Option<&Path>) -> Finding {
    let config = config.display();
    let asked = Finding::ok(
        "client.asked",
        format_args!("kubelet asks this helper: {config}"),
    );
    let Some(program) = bin.map(|bin| bin.join(PROGRAM)) else {
        return asked;
    };
    let shown = program.display();
    let why = if program.is_file() {
        unstartable(&program)
    } else {
        Some("it is not there".to_owned())
    };
    let me = std::env::current_exe();
    let finding = match (why, &me) {
        (Some(why), _) => {
            let what = format!("{config} names this helper, and {shown} does not start: {why}");
            Finding::broken("client.helper_missing", what)
        }
        (None, Ok(me)) if !same(me, &program) => other_build("kubelet runs", &program, me),
        (None, _) => return asked,
    };
    match me {
        Ok(me) => put(finding, &me, &program),
        Err(_) => finding.words("install this program there"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::cli::doctor::finding::State;
    use crate::cli::doctor::tests::write;

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
}
