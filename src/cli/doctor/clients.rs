//! Checks whether docker, podman and its family ask this helper for the registries that it has credentials for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::access::refused;
use super::asked::{asked, configure, untold};
use super::finding::{Finding, word};
use super::plain::{Reader, plain};
use super::served::Served;
use super::surroundings::{closed, variable};
use super::{helpers, keys};
use crate::cli::import::Import;
use crate::client::asks::CLIENTS;
use crate::client::spelling::{Client, Lookup};
use crate::client::{AuthFile, HELPER, Scope, auth_files, docker_file};
use crate::config::Env;
use crate::host::{Host, ServerUrl};

/// Both clients' configuration.
pub(super) struct Clients<'a> {
    env: &'a Env,
    read: crate::client::Clients,
    /// The same without plain-text logins.
    bare: crate::client::Clients,
    /// The possible paths of their files.
    paths: Vec<PathBuf>,
}

impl<'a> Clients<'a> {
    pub(super) fn read(env: &'a Env) -> Self {
        let paths = docker_file(env, Scope::User)
            .into_iter()
            .chain(auth_files(env).unwrap_or_default())
            .collect();
        Self {
            env,
            read: crate::client::Clients::read(env),
            bare: crate::client::Clients::read(env).without_logins(),
            paths,
        }
    }

    /// Every registry that the helper serves, that is wired, or that has a plain-text login.
    pub(super) fn registries(&self, served: Option<&Served>) -> Vec<Host> {
        let held = served.map(Served::hosts).unwrap_or_default();
        let docker = self.read.docker.iter().flat_map(|docker| &docker.file);
        let podman = self.read.podman.iter().flat_map(|podman| &podman.files);
        let named = docker.chain(podman).flat_map(|file| {
            let helped = file.cred_helpers.iter().map(|(key, _)| key);
            helped.chain(file.auths.iter().map(|entry| &entry.key))
        });
        let named = named.filter_map(|key| ServerUrl::parse(key.as_bytes()).ok()?.host().cloned());
        let hosts: BTreeMap<String, Host> = held
            .into_iter()
            .chain(named)
            .map(|host| (host.as_reference().to_owned(), host))
            .collect();
        hosts.into_values().collect()
    }

    /// A finding for each of these registries: who answers each client.
    pub(super) fn answerers(&self, hosts: &[Host]) -> Vec<Finding> {
        let answerer = |host: &Host| {
            let asks =
                CLIENTS.map(
                    |(name, client)| match self.read.asks(&Lookup::of(client, host)) {
                        Ok(asks) => format!("{name} {}", asks.answerer),
                        Err(_) => format!("{name} cannot read its files"),
                    },
                );
            let what = format!("{host}: {}", asks.join(", "));
            Finding::ok("client.answerer", what)
        };
        let mut findings: Vec<_> = hosts.iter().take(LISTED).map(answerer).collect();
        let more = hosts.len().saturating_sub(LISTED);
        if more > 0 {
            findings.push(Finding::note(
                "client.answerer",
                format_args!("and {more} more"),
            ));
        }
        findings
    }

    /// The clients that are wired to this helper.
    pub(super) fn wired(&self) -> Vec<&'static str> {
        let docker = self
            .read
            .docker
            .as_ref()
            .is_ok_and(|docker| docker.file.as_ref().is_some_and(names_helper));
        let podman = self.read.podman.as_ref().is_ok_and(|podman| {
            podman.registries.helpers().contains(&HELPER)
                || podman.files.iter().any(has_cred_helper)
        });
        [(docker, "docker"), (podman, "podman")]
            .into_iter()
            .filter_map(|(wired, name)| wired.then_some(name))
            .collect()
    }

    /// Findings for docker and other readers of its file: buildx, crane, oras, nerdctl, CLIP.
    pub(super) fn docker(&self, served: Option<&Served>) -> Vec<Finding> {
        let docker = match &self.read.docker {
            Ok(docker) => docker,
            Err(error) => return vec![refused(error, self.paths())],
        };
        let asks = |host: &Host| docker.asks(&Lookup::of(Client::Docker, host));
        let elsewhere = |host: &Host| {
            let asks = self.read.asks(&Lookup::of(Client::Podman, host));
            asks.is_ok_and(|asks| asks.is_this_helper())
        };
        let mut findings = asked("docker", self.env, served, &asks, &elsewhere);
        findings.extend(variable(self.env, docker, served));
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
        if let Some(why) = file.docker_only {
            let what = format!(
                "{}: {why}, which docker reads and podman, buildah and skopeo refuse",
                file.path.display()
            );
            findings.push(docker_only(
                Finding::warn("client.file_only_for_docker", what),
                file,
            ));
        }
        let hub = Host::docker_hub();
        // credsStore counts only for the key that docker itself asks for.
        let all = file.creds_store.as_deref() == Some(HELPER);
        let lacking = file
            .missing_keys(&hub)
            .into_iter()
            .filter(|key| !all || key != hub.server_url());
        let lacking: Vec<_> = lacking.map(|key| format!("\"{key}\"")).collect();
        if !lacking.is_empty() {
            findings.push(half_pair("docker", file, &lacking.join(" and ")));
        }
        findings.extend(helpers::of_file("docker", file, self.env));
        findings.extend(keys::look("docker", &BOTH, file, served, &asks));
        let reader = Reader {
            client: "docker",
            family: &BOTH,
            all: file.auths.iter().collect(),
            bare: &self.bare,
            asks: &asks,
            import: Import::dry(self.env),
        };
        findings.extend(plain(&reader, file, served));
        findings
    }

    /// Findings for podman, buildah, skopeo and CRI-O.
    pub(super) fn podman(&self, served: Option<&Served>) -> Vec<Finding> {
        let podman = match (&self.read.podman, &self.read.docker) {
            (Ok(podman), _) => podman,
            // Report the same fault only once.
            (Err(error), Err(dockers)) if error.to_string() == dockers.to_string() => {
                return vec![Finding::note("client.not_read", SAME)];
            }
            (Err(error), _) => return vec![refused(error, self.paths())],
        };
        let asks = |host: &Host| podman.asks(&Lookup::of(Client::Podman, host));
        let elsewhere = |host: &Host| {
            let asks = self.read.asks(&Lookup::of(Client::Docker, host));
            asks.is_ok_and(|asks| asks.is_this_helper())
        };
        let mut findings = asked("podman", self.env, served, &asks, &elsewhere);
        findings.extend(closed(self.env));
        if !podman.registries.helpers().contains(&HELPER) {
            findings.extend(served.and_then(|served| untold("podman", served, &podman.files)));
        }
        findings.extend(helpers::of_list(&podman.registries, self.env));
        let reader = Reader {
            client: "podman",
            family: &[Client::Podman],
            all: podman.files.iter().flat_map(|file| &file.auths).collect(),
            bare: &self.bare,
            asks: &asks,
            import: Import::dry(self.env),
        };
        let dockers = self.read.docker.as_ref().ok().map(|docker| &docker.path);
        let hub = Host::docker_hub();
        for file in podman
            .files
            .iter()
            .filter(|file| Some(&file.path) != dockers)
        {
            if let Some(why) = file.docker_only {
                let what = format!("{}: {why}: every pull fails", file.path.display());
                findings.push(docker_only(
                    Finding::broken("client.file_broken", what),
                    file,
                ));
            }
            // Only podman reads this file, and it asks only for this key.
            if file.helper(hub.server_url()) == Some(HELPER)
                && file.helper(hub.as_str()) != Some(HELPER)
            {
                findings.push(half_pair("podman", file, &format!("\"{hub}\"")));
            }
            findings.extend(helpers::of_file("podman", file, self.env));
            findings.extend(keys::look("podman", &[Client::Podman], file, served, &asks));
            findings.extend(plain(&reader, file, served));
        }
        findings
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter().map(PathBuf::as_path)
    }
}

fn docker_only(finding: Finding, file: &AuthFile) -> Finding {
    match file.docker_only {
        Some(AuthFile::EMPTY) => finding.command(["rm", &word(&file.path)]),
        Some(AuthFile::MORE) => finding.words("remove what follows its first JSON value"),
        _ => finding.words(format_args!(
            "correct that entry of {}",
            file.path.display()
        )),
    }
}

fn half_pair(client: &str, file: &AuthFile, lacking: &str) -> Finding {
    let path = file.path.display();
    let what = format!(
        "{path} names the helper under one of Docker Hub's two keys and not under {lacking}: a pull under that name is anonymous"
    );
    Finding::broken("client.half_pair", what).command(configure(client, &[&Host::docker_hub()]))
}

fn has_cred_helper(file: &AuthFile) -> bool {
    file.cred_helpers.iter().any(|(_, name)| name == HELPER)
}

fn names_helper(file: &AuthFile) -> bool {
    file.creds_store.as_deref() == Some(HELPER) || has_cred_helper(file)
}

/// Both read docker's file.
const BOTH: [Client; 2] = [Client::Docker, Client::Podman];
/// More registries than a person would read.
const LISTED: usize = 40;
const SAME: &str =
    "podman reads docker's file too, and was not checked: first fix what is broken above";
