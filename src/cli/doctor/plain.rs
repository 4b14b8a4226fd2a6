//! Passwords in plain text in a client's file.

use std::collections::BTreeMap;

use super::asked::configure;
use super::clients::PROGRAM;
use super::finding::{Finding, word};
use super::keys::unfound;
use super::served::Served;
use crate::client::spelling::Client;
use crate::client::{Answerer, Asks, AuthEntry, AuthFile, Held};
use crate::host::{Host, ServerUrl};
use crate::shown::shown;

/// What is to be done about a password.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    /// The client asks this helper, which has nothing: it is to be taken over.
    Lost,
    /// It is to be taken over, or only removed.
    Import,
    /// The same, once the client asks this helper, which it does not yet.
    Wire {
        /// Whether another helper is named for it.
        force: bool,
    },
}

/// One finding for each thing to be done about those of one file.
pub(super) fn plain(
    client: &str,
    family: &[Client],
    file: &AuthFile,
    served: Option<&Served>,
    asks: &dyn Fn(&Host) -> Asks,
) -> Vec<Finding> {
    let (mut todo, mut findings) = (BTreeMap::<Next, Vec<Host>>::new(), Vec::new());
    let path = file.path.display();
    let entries = file
        .auths
        .iter()
        .filter(|entry| entry.held != Held::Nothing)
        // No client finds it, so nothing takes it over.
        .filter(|entry| unfound(family, &entry.key).is_none());
    for entry in entries {
        let key = shown(&entry.key);
        let Some(host) = entry.host() else {
            if let Ok(ServerUrl::Registry { host, .. }) = ServerUrl::parse(entry.key.as_bytes()) {
                let what = format!(
                    "{path} holds a password for {key} in plain text; this helper keeps one for all of {host}"
                );
                findings.push(Finding::note("client.plain_password", what));
            }
            continue;
        };
        if let Held::Malformed(why) = &entry.held {
            let what = format!("{path}: the login for {key} cannot be used: {why}");
            let next = format!("remove it from the file, then log in again: {client} login {host}");
            findings.push(Finding::warn("client.login_broken", what).words(next));
            continue;
        }
        // Taken over, it would come before what the node gets for itself.
        if served.is_some_and(|served| served.by_node(&host)) {
            let what = format!(
                "{path} holds a password for {host} in plain text, where this node logs in as itself"
            );
            let finding = Finding::warn("client.plain_beside_node", what);
            findings.push(finding.command(logout(client, file, entry, &host)));
            continue;
        }
        let differs = |other: &&AuthEntry| {
            other.host().as_ref() == Some(&host)
                && ![&entry.held, &Held::Nothing].contains(&&other.held)
        };
        if let Some(other) = file.auths.iter().find(differs) {
            // Which of them is right nobody knows here; it is said once.
            if entry.key < other.key {
                let what = format!(
                    "{path} has two logins for {host}, under {key} and {}, that differ",
                    shown(&other.key)
                );
                let next = "remove the wrong one; what takes passwords over leaves both";
                findings.push(Finding::warn("client.logins_differ", what).words(next));
            }
            continue;
        }
        let asks = asks(&host);
        let here = asks.is_this_helper();
        let next = match served {
            // Once a file names a helper for a host, what else it says of that host counts no more.
            Some(served)
                if here && asks.file.as_ref() == Some(&file.path) && served.lacks(&host) =>
            {
                Next::Lost
            }
            _ if here => Next::Import,
            _ => Next::Wire {
                force: matches!(asks.answerer, Answerer::Helper(_)),
            },
        };
        let hosts = todo.entry(next).or_default();
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    let read_only = served.is_some_and(Served::is_read_only);
    findings.extend(todo.into_iter().map(|(next, hosts)| {
        let hosts: Vec<&Host> = hosts.iter().collect();
        let names = super::asked::names(&hosts);
        let finding = if next == Next::Lost {
            let what = format!(
                "{client} asks this helper for {names}, has nothing from it and goes on anonymously, while {path} holds the password in plain text"
            );
            Finding::broken("client.plain_lost", what)
        } else {
            let what = format!("{path} holds the password for {names} in plain text");
            Finding::warn("client.plain_password", what)
        };
        let import = [PROGRAM, "import", client, "--remove"];
        match next {
            _ if read_only => {
                finding.words("put it where the workspace keeps its secrets: a worker stores none")
            }
            Next::Lost | Next::Import => finding.command(import),
            Next::Wire { force } => {
                let force = force.then(|| "--force".to_owned());
                finding
                    .command(configure(client, &hosts).into_iter().chain(force))
                    .command(import)
            }
        }
    }));
    findings
}

/// The client's own way to forget it.
fn logout(client: &str, file: &AuthFile, entry: &AuthEntry, host: &Host) -> Vec<String> {
    let words: &[&str] = match client {
        "docker" => &["docker", "logout", &entry.key],
        _ => &[
            "podman",
            "logout",
            "--authfile",
            &word(&file.path),
            host.as_reference(),
        ],
    };
    words.iter().map(|&word| word.to_owned()).collect()
}
