//! Finds keys in a client's file that the client never looks up.

use indexmap::IndexSet;

use super::finding::{Finding, State};
use super::reader::Reader;
use crate::client::spelling::{Client, Lookup};
use crate::client::{AuthFile, HELPER, Held, PROGRAM};
use crate::host::{Host, ServerUrl};
use crate::near::nearest;
use crate::shown::shown;

/// One finding for each key of `credHelpers` and `auths` that no client of this file looks up, and for each that looks
/// like a misspelled setting.
pub(super) fn look(reader: &Reader, file: &AuthFile) -> Vec<Finding> {
    let (client, family) = (reader.name, reader.family);
    let path = file.path.display();
    let mut findings = Vec::new();
    for (key, helper) in &file.cred_helpers {
        let Some(reason) = never(family, key) else {
            continue;
        };
        let (shown, why) = (shown(key), reason.why(client));
        let what = format!("{path} has a helper for {shown}, {why}");
        let finding = |state| Finding::new("client.key_never_matches", state, &what);
        let ours = helper == HELPER || helper.ends_with(&format!("docker-credential-{HELPER}"));
        findings.push(match &reason {
            Never::Glob if ours && file.creds_store.as_deref() == Some(HELPER) => {
                finding(State::Note)
            }
            Never::Glob if ours && client == "docker" => {
                finding(State::Warn).run(&format!("{PROGRAM} configure docker --all"))
            }
            Never::Spelled(host, _) if ours && reader.asks(host).is_this_helper() => {
                finding(State::Note)
            }
            Never::Spelled(host, _) if ours => {
                let lost = reader.served.is_some_and(|served| served.answers(host));
                let state = if lost { State::Broken } else { State::Warn };
                finding(state).configure(client, &[host], false)
            }
            _ => finding(State::Warn).words(reason.fix(&file.path)),
        });
    }
    for entry in file.auths.iter().filter(|one| one.held != Held::Nothing) {
        let Some(reason) = unfound(family, &entry.key) else {
            continue;
        };
        let (key, why) = (shown(&entry.key), reason.why(client));
        let what = format!("{path} has a login for {key}, {why}");
        let finding = Finding::warn("client.key_never_matches", what);
        findings.push(finding.words(reason.fix(&file.path)));
    }
    let others = file.other_keys.iter();
    for (key, meant) in others.filter_map(|key| Some((key, meant(key)?))) {
        let what = format!("{path} has the key {}, which no client reads", shown(key));
        let plain = |c: char| c.is_ascii_alphanumeric();
        let finding = Finding::warn("client.unknown_key", what);
        let is_link = std::fs::symlink_metadata(&file.path).is_ok_and(|file| file.is_symlink());
        findings.push(if key.chars().all(plain) && !is_link {
            let edit = format!("s/\"{key}\"/\"{meant}\"/");
            finding.command("sed -i", [edit, path.to_string()])
        } else {
            finding.words(format_args!("rename it to \"{meant}\""))
        });
    }
    findings
}

/// Why a key is never looked up.
pub(super) enum Never {
    Glob,
    /// It means this host, which clients look up under these keys.
    Spelled(Host, Vec<String>),
    NoRegistry,
}

impl Never {
    fn why(&self, client: &str) -> String {
        match self {
            Self::Glob => format!("and {client} takes no patterns: it never matches"),
            Self::NoRegistry => {
                format!("which isn't a registry's name: {client} never looks for it")
            }
            Self::Spelled(host, would) => format!(
                "and {client} never looks for that: the key for {host} is {}",
                would.join(" and ")
            ),
        }
    }

    fn fix(&self, file: &std::path::Path) -> String {
        let file = file.display();
        match self {
            Self::Glob => format!("in {file}, name each registry, or set credsStore for all"),
            Self::NoRegistry => format!("remove it from {file}"),
            Self::Spelled(_, would) => format!("in {file}, name it {}", would.join(" and ")),
        }
    }
}

/// Why none of the clients looks up this key of `credHelpers`; `None` if one does.
fn never(family: &[Client], key: &str) -> Option<Never> {
    if key.contains('*') {
        return Some(Never::Glob);
    }
    let Ok(url) = ServerUrl::parse(key.as_bytes()) else {
        return Some(Never::NoRegistry);
    };
    let host = url.host()?;
    // If an image reference has a default port, it is part of the name.
    let typed = [":443", ":80"].map(|port| format!("{host}{port}"));
    let typed = typed.iter().any(|typed| key == typed);
    let would = keys(family, host);
    let is_found = typed || would.iter().any(|known| known == key);
    (!is_found).then(|| Never::Spelled(host.clone(), would))
}

/// Why none of the clients finds this key of `auths`; `None` if one does.
pub(super) fn unfound(family: &[Client], key: &str) -> Option<Never> {
    if key.contains('*') {
        return Some(Never::Glob);
    }
    let url = ServerUrl::parse(key.as_bytes()).ok()?;
    let host = url.host()?;
    let typed = [":443", ":80"].map(|port| format!("{host}{port}"));
    let typed = typed.iter().any(|typed| key.ends_with(typed));
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    let below = rest.contains('/');
    let found = |client: &Client| Lookup::of(*client, host).place(key).is_some();
    // Only podman uses keys with a path, and finds them for images below that path.
    (!typed && !below && !family.iter().any(found))
        .then(|| Never::Spelled(host.clone(), keys(family, host)))
}

fn keys(family: &[Client], host: &Host) -> Vec<String> {
    let lookups = family.iter().map(|client| Lookup::of(*client, host));
    let keys: IndexSet<String> = lookups
        .flat_map(|lookup| lookup.helper_keys().to_vec())
        .collect();
    keys.into_iter().collect()
}

/// The setting that a misspelled key probably means.
fn meant(key: &str) -> Option<&'static str> {
    let key = key.to_ascii_lowercase();
    nearest(&key, SETTINGS).or(match key.as_str() {
        "credentialstore" | "credentialsstore" | "credential-store" => Some("credsStore"),
        "credentialhelpers" | "credentialshelpers" | "credential-helpers" => Some("credHelpers"),
        _ => None,
    })
}

const SETTINGS: [&str; 3] = ["credsStore", "credHelpers", "auths"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_a_client_looks_for_is_reported_from_one_that_none_does() {
        let both = [Client::Docker, Client::Podman];
        let hub = "https://index.docker.io/v1/";
        for key in [
            "ghcr.io",
            hub,
            "docker.io",
            "r.example:443",
            "r.example:5000",
            "[::1]:5000",
        ] {
            assert!(never(&both, key).is_none(), "{key}");
        }
        let would = |key| match never(&both, key) {
            Some(Never::Spelled(_, would)) => would.join(" "),
            Some(Never::Glob) => "glob".to_owned(),
            Some(Never::NoRegistry) => "no registry".to_owned(),
            None => "found".to_owned(),
        };
        for (key, expected) in [
            ("https://ghcr.io", "ghcr.io"),
            ("http://r.example:5000", "r.example:5000"),
            ("ghcr.io/org", "ghcr.io"),
            ("GHCR.io", "ghcr.io"),
            ("ghcr.io/", "ghcr.io"),
            ("*.dkr.ecr.*.amazonaws.com", "glob"),
            ("index.docker.io", "https://index.docker.io/v1/ docker.io"),
            (
                "registry-1.docker.io",
                "https://index.docker.io/v1/ docker.io",
            ),
            ("not a registry", "no registry"),
        ] {
            assert_eq!(would(key), expected, "{key}");
        }
        assert!(never(&[Client::Podman], hub).is_some());
    }

    #[test]
    fn a_login_that_an_old_client_wrote_is_found_and_one_in_capitals_is_not() {
        let both = [Client::Docker, Client::Podman];
        for key in [
            "ghcr.io",
            "https://ghcr.io/v1/",
            "docker.io",
            "ghcr.io/org",
            "r.example:443",
        ] {
            assert!(unfound(&both, key).is_none(), "{key}");
        }
        for key in ["GHCR.io", "https://GHCR.io"] {
            assert!(unfound(&both, key).is_some(), "{key}");
        }
        assert!(unfound(&[Client::Docker], "docker.io").is_some());
    }

    #[test]
    fn a_setting_is_recognised_by_a_near_name_only() {
        for (key, expected) in [
            ("credStore", Some("credsStore")),
            ("credStores", Some("credsStore")),
            ("credentialsStore", Some("credsStore")),
            ("credHelper", Some("credHelpers")),
            ("credsHelpers", Some("credHelpers")),
            ("auth", Some("auths")),
            ("aliases", None),
            ("proxies", None),
            ("plugins", None),
            ("HttpHeaders", None),
        ] {
            assert_eq!(meant(key), expected, "{key}");
        }
    }
}
