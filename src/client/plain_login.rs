//! Plain-text logins in clients' files: which of them the store can import, and whether the client then finds them
//! there.

use std::collections::BTreeSet;

use super::spelling::{Client, Lookup};
use super::{AuthEntry, AuthFile, Clients, Held, Scope, docker_file, own_auth_file};
use crate::config::Env;
use crate::credential::Credential;
use crate::host::{Host, ServerUrl};
use crate::shown::shown;

/// The server URL and the credential to store for an entry: a whole registry, or one of docker's own items. Otherwise
/// why it is not imported, and the fix. `all` are the entries imported together, `client` is the one that reads this
/// entry's file.
pub fn takeable<'a>(
    entry: &'a AuthEntry,
    all: &[&AuthEntry],
    client: Option<&str>,
) -> Result<(ServerUrl, &'a Credential), String> {
    let parsed = ServerUrl::parse(entry.key.as_bytes());
    let again = match (&parsed, client) {
        (Ok(ServerUrl::Registry { host, .. }), Some(client)) => {
            format!("log in again: {client} login {host}")
        }
        _ => "correct that entry, and import it again".to_owned(),
    };
    let credential = match &entry.held {
        Held::Credential(credential) => credential,
        Held::Nothing => return Err("nothing is in it".to_owned()),
        Held::Malformed(why) => return Err(format!("{why}; {again}")),
    };
    let url = kept_under(entry).ok_or_else(|| match parsed {
        Ok(_) => format!(
            "it is for a part of the registry, and the store keeps one credential for the whole; {again}"
        ),
        Err(rejected) => format!("{rejected}; remove that entry"),
    })?;
    let differs = |other: &&&AuthEntry| {
        ![&entry.held, &Held::Nothing].contains(&&other.held)
            && kept_under(other).as_ref() == Some(&url)
    };
    match all.iter().find(differs) {
        None => Ok((url, credential)),
        Some(other) => Err(format!(
            "{} is for the same registry and has another credential; remove the wrong one of the two, and import again",
            shown(&other.key)
        )),
    }
}

impl Clients {
    /// The clients' configuration without plain-text logins, to see whom they would ask then.
    pub fn without_logins(mut self) -> Self {
        let docker = self.docker.iter_mut().flat_map(|docker| &mut docker.file);
        let podman = self.podman.iter_mut().flat_map(|podman| &mut podman.files);
        docker.chain(podman).for_each(|file| file.auths.clear());
        self
    }

    /// The name under which a client must be wired before this entry may be removed; `None` if it already asks this
    /// helper, or if the file isn't a client's.
    pub fn lacks(&self, entry: &AuthEntry, client: Option<&str>) -> Option<String> {
        let host = entry.host().unwrap_or_else(Host::docker_hub);
        let finding = |client| match entry.host() {
            Some(_) => Lookup::finding(client, &entry.key),
            // Docker keeps its own items in the same place as Docker Hub's credential.
            None => Some(Lookup::of(client, &host)),
        };
        // A client whose files can't be read counts as not wired. podman finds keys in docker's file that docker does
        // not.
        let dockers = finding(Client::Docker).filter(|_| client == Some("docker"));
        let lookup = dockers.or_else(|| finding(Client::Podman))?;
        let asks = self.asks(&lookup);
        let name = lookup
            .helper_keys()
            .first()
            .filter(|name| *name != host.server_url());
        let name = name.map_or(host.as_reference(), String::as_str);
        // The helper answers the client's spelling, which for an old key may not be a valid host.
        let understood =
            ServerUrl::parse(name.as_bytes()).is_ok_and(|url| url.host() == Some(&host));
        let here = asks.is_ok_and(|asks| asks.is_this_helper());
        (client.is_some() && !(here && understood)).then(|| name.to_owned())
    }
}

/// The command that wires a client for the plain-text logins in its own file; `None` if there is nothing to import.
pub fn offer(env: &Env, client: &str, scope: Scope) -> Option<String> {
    let path = match client {
        "docker" => docker_file(env, scope),
        _ => own_auth_file(env),
    };
    let file = AuthFile::read(&path.ok()?).ok()??;
    let all: Vec<&AuthEntry> = file.auths.iter().collect();
    let ours = all
        .iter()
        .filter(|entry| takeable(entry, &all, Some(client)).is_ok());
    let hosts: BTreeSet<String> = ours
        .filter_map(|entry| Some(entry.host()?.to_string()))
        .collect();
    if hosts.is_empty() {
        return None;
    }
    let hosts: Vec<String> = hosts.into_iter().collect();
    let (path, hosts) = (file.path.display().to_string(), hosts.join(","));
    let whose = match scope {
        Scope::User => client,
        Scope::System => &path,
    };
    Some(format!(
        "take over the logins of {path} with: docker-credential-beta9 import {whose}; or give --hosts {hosts}, or --all"
    ))
}

fn kept_under(entry: &AuthEntry) -> Option<ServerUrl> {
    let url = ServerUrl::parse(entry.key.as_bytes()).ok();
    let item = url.filter(|url| url.host().is_none());
    entry.host().map(ServerUrl::from).or(item)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn entries(auths: &[(&str, &str)]) -> Vec<AuthEntry> {
        let members: Vec<String> = auths
            .iter()
            .map(|(key, auth)| format!(r#""{key}":{{"auth":"{auth}"}}"#))
            .collect();
        let text = format!(r#"{{"auths":{{{}}}}}"#, members.join(","));
        AuthFile::parse(Path::new("/f"), &text).unwrap().auths
    }

    #[test]
    fn what_import_would_leave_is_known_beforehand_with_the_reason() {
        const A: &str = "dTphYQ==";
        const B: &str = "dTpiYg==";
        let hub = Host::docker_hub();
        let hub = hub.server_url();
        let table = [
            (vec![("ghcr.io", A)], ""),
            (vec![("GHCR.io", A)], ""),
            (vec![("ghcr.io", A), ("ghcr.io:443", A), ("quay.io", B)], ""),
            (vec![("docker.io", A), (hub, A)], ""),
            (
                vec![("ghcr.io", "%"), ("quay.io", B)],
                "its auth is not base64",
            ),
            (vec![("ghcr.io/org", A)], "it is for a part of the registry"),
            (vec![("ghcr.io", ""), ("quay.io", B)], "nothing is in it"),
            (
                vec![("ghcr.io", A), ("https://ghcr.io", B)],
                "https://ghcr.io is for the same registry",
            ),
            (
                vec![("docker.io", A), (hub, B)],
                "https://index.docker.io/v1/ is for the same registry",
            ),
            (
                vec![("r.example", A), ("r.example:443", "%")],
                "r.example:443 is for the same registry",
            ),
            (vec![("http://r.example:80", A), ("r.example", B)], ""),
        ];
        for (auths, expected) in table {
            let entries = entries(&auths);
            let all: Vec<&AuthEntry> = entries.iter().collect();
            let why = takeable(&entries[0], &all, Some("docker")).err();
            let why = why.unwrap_or_default();
            assert!(
                why.starts_with(expected) && why.is_empty() == expected.is_empty(),
                "{auths:?}: {why}"
            );
        }
    }
}
