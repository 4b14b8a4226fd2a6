//! Checks whether docker, podman and its family ask this helper for the registries that it has credentials for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::access::refused;
use super::asked::{asked, untold};
use super::finding::{Finding, word};
use super::plain::plain;
use super::reader::Reader;
use super::served::Served;
use super::surroundings::{closed, variable};
use super::{helpers, keys};
use crate::client::asks::CLIENTS;
use crate::client::spelling::{Client, Lookup};
use crate::client::{AuthEntry, AuthFile, HELPER, Scope, auth_files, docker_file};
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
        let dockers = docker_file(env, Scope::User).into_iter();
        let paths = dockers.chain(auth_files(env).unwrap_or_default()).collect();
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
        let hosts = held.into_iter().chain(named);
        let hosts: BTreeMap<String, Host> = hosts
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
            let what = format_args!("and {more} more");
            findings.push(Finding::note("client.answerer", what));
        }
        findings
    }

    /// The clients that are wired to this helper.
    pub(super) fn wired(&self) -> Vec<&'static str> {
        let docker = self.read.docker.iter().flat_map(|docker| &docker.file);
        let mut podman = self.read.podman.iter();
        let is_podman = podman.any(|podman| {
            podman.registries.helpers().contains(&HELPER)
                || podman.files.iter().any(has_cred_helper)
        });
        let is_docker = |file: &AuthFile| is_everywhere(file) || has_cred_helper(file);
        let docker = docker.filter(|file| is_docker(file)).map(|_| "docker");
        docker.chain(is_podman.then_some("podman")).collect()
    }

    /// Findings for docker and other readers of its file: buildx, crane, oras, nerdctl, CLIP.
    pub(super) fn docker(&self, served: Option<&Served>) -> Vec<Finding> {
        let docker = match &self.read.docker {
            Ok(docker) => docker,
            Err(error) => return vec![refused(error, self.paths())],
        };
        let reader = self.reader("docker", &[Client::Docker, Client::Podman], served);
        let mut findings = asked(&reader);
        findings.extend(variable(self.env, docker, served));
        if !docker.file.as_ref().is_some_and(is_everywhere) {
            findings.extend(untold(&reader, docker.file.as_slice()));
        }
        if let Some(file) = &docker.file {
            let all: Vec<_> = file.auths.iter().collect();
            findings.extend(self.of_file(&reader, file, &all));
        }
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
        let reader = self.reader("podman", &[Client::Podman], served);
        let mut findings = asked(&reader);
        findings.extend(closed(self.env));
        if !podman.registries.helpers().contains(&HELPER) {
            findings.extend(untold(&reader, &podman.files));
        }
        findings.extend(helpers::of_list(&podman.registries, self.env));
        let all: Vec<_> = podman.files.iter().flat_map(|file| &file.auths).collect();
        let dockers = self.read.docker.as_ref().ok().map(|docker| &docker.path);
        for file in &podman.files {
            if Some(&file.path) != dockers {
                findings.extend(self.of_file(&reader, file, &all));
            }
        }
        findings
    }

    fn reader<'b>(
        &'b self,
        name: &'static str,
        family: &'static [Client],
        served: Option<&'b Served<'b>>,
    ) -> Reader<'b> {
        Reader {
            clients: Some(&self.read),
            served,
            ..Reader::new(name, family, self.env)
        }
    }

    /// Findings in a file of a client's.
    fn of_file(&self, reader: &Reader, file: &AuthFile, all: &[&AuthEntry]) -> Vec<Finding> {
        let mut findings: Vec<_> = docker_only(reader.name, file).into_iter().collect();
        findings.extend(half_pair(reader.name, file));
        findings.extend(helpers::of_file(reader.name, file, self.env));
        findings.extend(keys::look(reader, file));
        findings.extend(plain(reader, file, all, &self.bare));
        findings
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter().map(PathBuf::as_path)
    }
}

/// A finding for a file that docker reads and others refuse.
fn docker_only(client: &str, file: &AuthFile) -> Option<Finding> {
    let (path, why) = (file.path.display(), file.docker_only?);
    let finding = if client == "docker" {
        let what =
            format!("{path}: {why}, which docker reads and podman, buildah and skopeo refuse");
        Finding::warn("client.file_only_for_docker", what)
    } else {
        let what = format!("{path}: {why}: every pull fails");
        Finding::broken("client.file_broken", what)
    };
    Some(match why {
        AuthFile::EMPTY => finding.command("rm", [word(&file.path)]),
        AuthFile::MORE => finding.words("remove what follows its first JSON value"),
        _ => finding.words(format_args!("correct that entry of {path}")),
    })
}

/// A finding for a file with one of Docker Hub's two keys, which clients look up under different names.
fn half_pair(client: &str, file: &AuthFile) -> Option<Finding> {
    let hub = Host::docker_hub();
    let is_ours = |key: &str| file.helper(key) == Some(HELPER);
    let lacking = if client == "docker" {
        let mut lacking = file.missing_keys(&hub);
        // credsStore counts only for the key that docker itself asks for.
        lacking.retain(|key| !is_everywhere(file) || key != hub.server_url());
        lacking
    } else if is_ours(hub.server_url()) && !is_ours(hub.as_str()) {
        // Only podman reads this file, and it asks only for this key.
        vec![hub.to_string()]
    } else {
        return None;
    };
    let lacking: Vec<_> = lacking.iter().map(|key| format!("\"{key}\"")).collect();
    let what = format!(
        "{} names the helper under one of Docker Hub's two keys and not under {}: a pull under that name is anonymous",
        file.path.display(),
        lacking.join(" and ")
    );
    let finding = Finding::broken("client.half_pair", what);
    (!lacking.is_empty()).then(|| finding.configure(client, &[&hub], false))
}

fn has_cred_helper(file: &AuthFile) -> bool {
    file.cred_helpers.iter().any(|(_, name)| name == HELPER)
}

/// Whether the file names this helper for every registry.
fn is_everywhere(file: &AuthFile) -> bool {
    file.creds_store.as_deref() == Some(HELPER)
}

/// More registries than a person would read.
const LISTED: usize = 40;
const SAME: &str =
    "podman reads docker's file too, and was not checked: first fix what is broken above";
