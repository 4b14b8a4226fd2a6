//! Whether docker, and podman with its family, ask this helper for the registries that it holds credentials for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::access::refused;
use super::finding::{Finding, State};
use super::plain::plain;
use super::served::Served;
use crate::client::spelling::{Client, Lookup};
use crate::client::{
    Answerer, Asks, AuthFile, DockerClient, HELPER, PodmanClient, Scope, auth_files, docker_file,
};
use crate::config::Env;
use crate::error::Error;
use crate::host::{Host, Pattern, ServerUrl};

/// What both clients are told.
pub(super) struct Clients {
    docker: Result<DockerClient, Error>,
    podman: Result<PodmanClient, Error>,
    /// Where their files may be.
    paths: Vec<PathBuf>,
}

impl Clients {
    pub(super) fn read(env: &Env) -> Self {
        let paths = docker_file(env, Scope::User)
            .into_iter()
            .chain(auth_files(env).unwrap_or_default())
            .collect();
        Self {
            docker: DockerClient::read(env, Scope::User),
            podman: PodmanClient::read(env),
            paths,
        }
    }

    /// Those that are told to run the helper.
    pub(super) fn wired(&self) -> Vec<&'static str> {
        let docker = self
            .docker
            .as_ref()
            .is_ok_and(|docker| docker.file.as_ref().is_some_and(names_helper));
        let podman = self.podman.as_ref().is_ok_and(|podman| {
            podman.registries.helpers().contains(&HELPER)
                || podman.files.iter().any(has_cred_helper)
        });
        [(docker, "docker"), (podman, "podman")]
            .into_iter()
            .filter_map(|(wired, name)| wired.then_some(name))
            .collect()
    }

    /// Docker, and what reads docker's file: buildx, crane, oras, nerdctl, CLIP.
    pub(super) fn docker(&self, served: Option<&Served>) -> Vec<Finding> {
        let docker = match &self.docker {
            Ok(docker) => docker,
            Err(error) => return vec![refused(error, self.paths())],
        };
        let asks = |host: &Host| docker.asks(&Lookup::of(Client::Docker, host));
        let elsewhere = |host: &Host| {
            self.podman.as_ref().is_ok_and(|podman| {
                podman
                    .asks(&Lookup::of(Client::Podman, host))
                    .is_this_helper()
            })
        };
        let mut findings = asked("docker", served, &asks, &elsewhere);
        if docker
            .file
            .as_ref()
            .is_none_or(|file| file.creds_store.as_deref() != Some(HELPER))
        {
            findings
                .extend(served.and_then(|served| untold("docker", served, docker.file.as_slice())));
        }
        let Some(file) = &docker.file else {
            return findings;
        };
        let hub = Host::docker_hub();
        // What docker knows of credsStore counts for the key that docker asks for.
        let all = file.creds_store.as_deref() == Some(HELPER);
        let lacking = file
            .missing_keys(&hub)
            .into_iter()
            .filter(|key| !all || *key != hub.server_url());
        let lacking: Vec<_> = lacking.map(|key| format!("\"{key}\"")).collect();
        if !lacking.is_empty() {
            findings.push(half_pair("docker", file, &lacking.join(" and ")));
        }
        findings.extend(plain("docker", file, served, &asks));
        findings
    }

    /// Podman, buildah, skopeo and CRI-O.
    pub(super) fn podman(&self, served: Option<&Served>) -> Vec<Finding> {
        let podman = match (&self.podman, &self.docker) {
            (Ok(podman), _) => podman,
            // One fault is broken once.
            (Err(error), Err(dockers)) if error.to_string() == dockers.to_string() => {
                return vec![Finding::note(SAME)];
            }
            (Err(error), _) => return vec![refused(error, self.paths())],
        };
        let asks = |host: &Host| podman.asks(&Lookup::of(Client::Podman, host));
        let elsewhere = |host: &Host| {
            self.docker.as_ref().is_ok_and(|docker| {
                docker
                    .asks(&Lookup::of(Client::Docker, host))
                    .is_this_helper()
            })
        };
        let mut findings = asked("podman", served, &asks, &elsewhere);
        if !podman.registries.helpers().contains(&HELPER) {
            findings.extend(served.and_then(|served| untold("podman", served, &podman.files)));
        }
        let dockers = self.docker.as_ref().ok().map(|docker| &docker.path);
        let hub = Host::docker_hub();
        for file in podman
            .files
            .iter()
            .filter(|file| Some(&file.path) != dockers)
        {
            // Nobody else reads it, and podman asks for this key alone.
            if file.helper(hub.server_url()) == Some(HELPER)
                && file.helper(hub.as_str()) != Some(HELPER)
            {
                findings.push(half_pair("podman", file, &format!("\"{hub}\"")));
            }
            findings.extend(plain("podman", file, served, &asks));
        }
        findings
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter().map(PathBuf::as_path)
    }
}

/// One finding for all registries that a client asks this helper for, and one for each way of not doing so.
fn asked(
    client: &str,
    served: Option<&Served>,
    asks: &dyn Fn(&Host) -> Asks,
    elsewhere: &dyn Fn(&Host) -> bool,
) -> Vec<Finding> {
    let Some(served) = served else {
        let what = format!(
            "whether {client} asks for all that is held is not known: the store was not looked at"
        );
        return vec![Finding::note(what)];
    };
    let hosts = served.hosts();
    if hosts.is_empty() {
        return vec![Finding::ok(format_args!(
            "{client} need not ask: no registry's credential is held here"
        ))];
    }
    let (mut here, mut files, mut nowhere, mut findings) =
        (0, BTreeSet::new(), Vec::new(), Vec::new());
    let mut ruled = Vec::new();
    for host in &hosts {
        let Asks { answerer, file, .. } = asks(host);
        let file = file.map_or_else(String::new, |file| file.display().to_string());
        match answerer {
            Answerer::ThisHelper => {
                here += 1;
                files.insert(file);
            }
            Answerer::Helper(helper) => findings.push(
                Finding::warn(format_args!(
                    "for {host}, {client} asks the helper {helper}: {file}"
                ))
                .command(
                    configure(client, &[host])
                        .into_iter()
                        .chain(["--force".to_owned()]),
                ),
            ),
            Answerer::Variable => {}
            // The operator wants it answered, and nobody asks; that is told once.
            Answerer::Nobody if client == "docker" && served.by_rule(host) && !elsewhere(host) => {
                ruled.push(host)
            }
            // The password itself is a finding of its own.
            Answerer::PlainLogin | Answerer::Nobody => nowhere.push(host),
        }
    }
    if here > 0 {
        let registries = if here == 1 { "registry" } else { "registries" };
        let files: Vec<_> = files.into_iter().collect();
        let what = format!(
            "{client} asks this helper for {here} {registries}: {}",
            files.join(" and ")
        );
        findings.insert(0, Finding::ok(what));
    }
    if !ruled.is_empty() {
        let what = format!(
            "{client} does not ask this helper for {}, which a rule has an answer for: it goes on anonymously",
            names(&ruled)
        );
        findings.push(Finding::broken(what).command(configure(client, &ruled)));
    }
    if !nowhere.is_empty() {
        // Somebody who uses one client only has nothing to mend about the other.
        let state = if nowhere.iter().all(|host| elsewhere(host)) {
            State::Note
        } else {
            State::Warn
        };
        let what = format!("{client} does not ask this helper for {}", names(&nowhere));
        findings.push(Finding::new(state, what).command(configure(client, &nowhere)));
    }
    findings
}

/// Rules for many hosts at once by which the node logs in, and none of which the client was told of.
fn untold(client: &str, served: &Served, files: &[AuthFile]) -> Option<Finding> {
    let told = |glob: &Pattern| {
        files
            .iter()
            .flat_map(helped)
            .any(|host| glob.matches(&host, ""))
    };
    let globs: Vec<_> = served
        .globs()
        .filter(|glob| !told(glob))
        .map(Pattern::as_str)
        .collect();
    let what = format!(
        "by a rule this node logs in to {}, and {client} asks this helper only for hosts that it is told of: each by its name \
         (configure {client} --hosts), or all",
        globs.join(", ")
    );
    let all = [PROGRAM, "configure", client, "--all"];
    (!globs.is_empty()).then(|| Finding::note(what).command(all))
}

/// The hosts that a file has this helper for.
fn helped(file: &AuthFile) -> impl Iterator<Item = Host> {
    let ours = file.cred_helpers.iter().filter(|(_, name)| name == HELPER);
    ours.filter_map(|(key, _)| ServerUrl::parse(key.as_bytes()).ok()?.host().cloned())
}

fn names(hosts: &[&Host]) -> String {
    hosts
        .iter()
        .map(|host| host.as_reference())
        .collect::<Vec<_>>()
        .join(", ")
}

fn configure(client: &str, hosts: &[&Host]) -> Vec<String> {
    let hosts: Vec<_> = hosts.iter().map(|host| host.as_reference()).collect();
    [PROGRAM, "configure", client, "--hosts", &hosts.join(",")]
        .map(str::to_owned)
        .into()
}

fn half_pair(client: &str, file: &AuthFile, lacking: &str) -> Finding {
    let path = file.path.display();
    let what = format!(
        "{path} names the helper under one of Docker Hub's two keys and not under {lacking}: who asks for that goes on anonymously"
    );
    Finding::broken(what).command(configure(client, &[&Host::docker_hub()]))
}

fn has_cred_helper(file: &AuthFile) -> bool {
    file.cred_helpers.iter().any(|(_, name)| name == HELPER)
}

fn names_helper(file: &AuthFile) -> bool {
    file.creds_store.as_deref() == Some(HELPER) || has_cred_helper(file)
}

const SAME: &str =
    "podman reads docker's file too, and was not looked at: first mend what is broken above";
pub(super) const PROGRAM: &str = env!("CARGO_PKG_NAME");
