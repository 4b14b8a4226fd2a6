//! Whether docker, and podman with its family, ask this helper for the registries that it holds credentials for.

use std::collections::BTreeSet;

use super::finding::{Finding, State};
use crate::client::{AuthEntry, AuthFile, DockerClient, HELPER, Held, PodmanClient, Scope, Wired};
use crate::config::Env;
use crate::error::Error;
use crate::host::Host;

/// What both clients are told.
pub(super) struct Clients {
    docker: Result<DockerClient, Error>,
    podman: Result<PodmanClient, Error>,
}

impl Clients {
    pub(super) fn read(env: &Env) -> Self {
        Self { docker: DockerClient::read(env, Scope::User), podman: PodmanClient::read(env) }
    }

    /// Those that are told to run the helper.
    pub(super) fn wired(&self) -> Vec<&'static str> {
        let docker = self.docker.as_ref().is_ok_and(|docker| docker.file.as_ref().is_some_and(names_helper));
        let podman = self.podman.as_ref().is_ok_and(|podman| {
            podman.registries.helpers().contains(&HELPER) || podman.files.iter().any(has_cred_helper)
        });
        [(docker, "docker"), (podman, "podman")].into_iter().filter_map(|(wired, name)| wired.then_some(name)).collect()
    }

    /// Docker, and what reads docker's file: buildx, crane, oras, nerdctl, CLIP.
    pub(super) fn docker(&self, served: Option<&[Host]>) -> Vec<Finding> {
        let docker = match &self.docker {
            Ok(docker) => docker,
            Err(error) => return vec![Finding::error(State::Broken, error)],
        };
        let asks = |host: &Host| docker.wired(host);
        let elsewhere = |host: &Host| self.podman.as_ref().is_ok_and(|podman| is_here(&podman.wired(host)));
        let mut findings = asked("docker", served, &asks, &elsewhere);
        let Some(file) = &docker.file else { return findings };
        let hub = Host::docker_hub();
        // What docker knows of credsStore counts for the key that docker asks for.
        let all = file.creds_store.as_deref() == Some(HELPER);
        let lacking = file.missing_keys(&hub).into_iter().filter(|key| !all || *key != hub.server_url());
        let lacking: Vec<_> = lacking.map(|key| format!("\"{key}\"")).collect();
        if !lacking.is_empty() {
            findings.push(half_pair("docker", file, &lacking.join(" and ")));
        }
        findings.extend(plain("docker", file, served, &asks));
        findings
    }

    /// Podman, buildah, skopeo and CRI-O.
    pub(super) fn podman(&self, served: Option<&[Host]>) -> Vec<Finding> {
        let podman = match &self.podman {
            Ok(podman) => podman,
            Err(error) => return vec![Finding::error(State::Broken, error)],
        };
        let asks = |host: &Host| podman.wired(host);
        let elsewhere = |host: &Host| self.docker.as_ref().is_ok_and(|docker| is_here(&docker.wired(host)));
        let mut findings = asked("podman", served, &asks, &elsewhere);
        let dockers = self.docker.as_ref().ok().map(|docker| &docker.path);
        let hub = Host::docker_hub();
        for file in podman.files.iter().filter(|file| Some(&file.path) != dockers) {
            // Nobody else reads it, and podman asks for this key alone.
            if file.helper(hub.server_url()) == Some(HELPER) && file.helper(hub.as_str()) != Some(HELPER) {
                findings.push(half_pair("podman", file, &format!("\"{hub}\"")));
            }
            findings.extend(plain("podman", file, served, &asks));
        }
        findings
    }
}

/// One finding for all registries that a client asks this helper for, and one for each way of not doing so.
fn asked(
    client: &str,
    served: Option<&[Host]>,
    asks: &dyn Fn(&Host) -> Wired,
    elsewhere: &dyn Fn(&Host) -> bool,
) -> Vec<Finding> {
    let Some(served) = served else {
        let what = format!("whether {client} asks for all that is held is not known: the store was not looked at");
        return vec![Finding::note(what)];
    };
    if served.is_empty() {
        return vec![Finding::ok(format_args!("{client} need not ask: no registry's credential is held here"))];
    }
    let (mut here, mut files, mut nowhere, mut findings) = (0, BTreeSet::new(), Vec::new(), Vec::new());
    for host in served {
        match asks(host) {
            Wired::Here(file) => {
                here += 1;
                files.insert(file.display().to_string());
            }
            Wired::Other { helper, file } => findings.push(
                Finding::warn(format_args!("for {host}, {client} asks the helper {helper}: {}", file.display()))
                    .command(configure(client, &[host]).into_iter().chain(["--force".to_owned()])),
            ),
            // The password itself is a finding of its own.
            Wired::Plain(_) | Wired::Nowhere => nowhere.push(host),
        }
    }
    if here > 0 {
        let registries = if here == 1 { "registry" } else { "registries" };
        let files: Vec<_> = files.into_iter().collect();
        let what = format!("{client} asks this helper for {here} {registries}: {}", files.join(" and "));
        findings.insert(0, Finding::ok(what));
    }
    if !nowhere.is_empty() {
        let names: Vec<_> = nowhere.iter().map(|host| host.as_str()).collect();
        // Somebody who uses one client only has nothing to mend about the other.
        let state = if nowhere.iter().all(|host| elsewhere(host)) { State::Note } else { State::Warn };
        let what = format!("{client} does not ask this helper for {}", names.join(", "));
        findings.push(Finding::new(state, what).command(configure(client, &nowhere)));
    }
    findings
}

fn configure(client: &str, hosts: &[&Host]) -> Vec<String> {
    let hosts: Vec<_> = hosts.iter().map(|host| host.as_str()).collect();
    [PROGRAM, "configure", client, "--hosts", &hosts.join(",")].map(str::to_owned).into()
}

fn half_pair(client: &str, file: &AuthFile, lacking: &str) -> Finding {
    let path = file.path.display();
    let what = format!(
        "{path} names the helper under one of Docker Hub's two keys and not under {lacking}: who asks for that goes on anonymously"
    );
    Finding::broken(what).command(configure(client, &[&Host::docker_hub()]))
}

/// Passwords that the helper holds, or would be asked for, lying about in plain text.
fn plain(client: &str, file: &AuthFile, served: Option<&[Host]>, asks: &dyn Fn(&Host) -> Wired) -> Option<Finding> {
    let held = file.auths.iter().filter(|entry| entry.held != Held::Nothing).filter_map(AuthEntry::host);
    let ours = |host: &Host| served.is_some_and(|served| served.contains(host)) || is_here(&asks(host));
    let hosts: BTreeSet<String> = held.filter(ours).map(|host| host.as_str().to_owned()).collect();
    if hosts.is_empty() {
        return None;
    }
    let hosts: Vec<_> = hosts.into_iter().collect();
    let what = format!("{} holds the password for {} in plain text", file.path.display(), hosts.join(", "));
    Some(Finding::warn(what).command([PROGRAM, "import", client, "--remove"]))
}

fn has_cred_helper(file: &AuthFile) -> bool {
    file.cred_helpers.iter().any(|(_, name)| name == HELPER)
}

fn names_helper(file: &AuthFile) -> bool {
    file.creds_store.as_deref() == Some(HELPER) || has_cred_helper(file)
}

fn is_here(wired: &Wired) -> bool {
    matches!(wired, Wired::Here(_))
}

const PROGRAM: &str = env!("CARGO_PKG_NAME");
