//! Passwords in plain text in a client's file, for registries that this helper is asked for, or could be.

use std::collections::BTreeSet;

use super::clients::PROGRAM;
use super::finding::{Finding, word};
use super::served::Served;
use crate::client::{Asks, AuthEntry, AuthFile, Held};
use crate::host::Host;

/// One finding for each thing to be done about those of one file.
pub(super) fn plain(
    client: &str,
    file: &AuthFile,
    served: Option<&Served>,
    asks: &dyn Fn(&Host) -> Asks,
) -> Vec<Finding> {
    let (mut lacking, mut held, mut findings) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    let path = file.path.display();
    let entries = file
        .auths
        .iter()
        .filter(|entry| entry.held != Held::Nothing);
    for (entry, host) in entries.filter_map(|entry| Some((entry, entry.host()?))) {
        let name = host.as_reference().to_owned();
        // Once a file names a helper for a host, what else it says of that host counts no more.
        let is_hidden = asks(&host).is_this_helper()
            && asks(&host).file.as_ref() == Some(&file.path)
            && matches!(entry.held, Held::Credential(_));
        match served {
            // Taken over, it would come before what the node gets for itself.
            Some(served) if served.by_node(&host) => {
                let what = format!(
                    "{path} holds a password for {host} in plain text, where this node logs in as itself"
                );
                findings.push(Finding::warn(what).command(logout(client, file, entry, &host)));
            }
            Some(served) if is_hidden && served.lacks(&host) => _ = lacking.insert(name),
            Some(served) if served.answers(&host) => _ = held.insert(name),
            _ if asks(&host).is_this_helper() => _ = held.insert(name),
            _ => {}
        }
    }
    let joined = |hosts: BTreeSet<String>| hosts.into_iter().collect::<Vec<_>>().join(", ");
    let import = [PROGRAM, "import", client, "--remove"];
    if !lacking.is_empty() {
        let hosts = joined(lacking);
        let finding = Finding::broken(format_args!(
            "{client} asks this helper for {hosts}, has nothing from it and goes on anonymously, while {path} holds the \
             password in plain text"
        ));
        findings.push(if served.is_some_and(Served::is_read_only) {
            finding.words("put it where the workspace keeps its secrets: a worker stores none")
        } else {
            finding.command(import)
        });
    }
    if !held.is_empty() {
        let what = format!(
            "{path} holds the password for {} in plain text",
            joined(held)
        );
        findings.push(Finding::warn(what).command(import));
    }
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
