//! Finds plain-text passwords in a client's file.

use std::collections::BTreeMap;

use super::finding::{Finding, State, word};
use super::keys::unfound;
use super::reader::Reader;
use super::served::Served;
use crate::cli::import::{Import, without_name};
use crate::client::plain_login::takeable;
use crate::client::{Answerer, AuthEntry, AuthFile, Clients, Held, PROGRAM};
use crate::error::Code;
use crate::host::Host;
use crate::shown::shown;

/// What to do about a password.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    /// The client asks this helper, which has no credential: import it.
    Lost,
    /// Import it, or just remove it.
    Import,
    /// The same, after wiring the client.
    Wire {
        /// Whether another helper is configured for it.
        force: bool,
    },
}

/// One finding for each kind of action for one file's passwords. `all` are the entries that are imported together with
/// the file's, `bare` is the clients' configuration without plain-text logins.
pub(super) fn plain(
    reader: &Reader,
    file: &AuthFile,
    all: &[&AuthEntry],
    bare: &Clients,
) -> Vec<Finding> {
    let (mut todo, mut findings) = (BTreeMap::<Next, Vec<String>>::new(), Vec::new());
    let (client, path, served) = (reader.name, file.path.display(), reader.served);
    let import = Import::dry(reader.env);
    let entries = file.auths.iter();
    let entries = entries
        .filter(|entry| entry.held != Held::Nothing)
        // No client finds the entry, so it is not imported.
        .filter(|entry| unfound(reader.family, &entry.key).is_none());
    for entry in entries {
        let key = shown(&entry.key);
        // If imported, it would take precedence over the node's own identity.
        if let Some(host) = entry.host()
            && served.is_some_and(|served| served.by_node(&host))
        {
            let what = format!(
                "{path} holds a password for {host} in plain text, where this node logs in as itself"
            );
            let finding = Finding::warn("client.plain_beside_node", what);
            findings.push(if client == "docker" {
                finding.command("docker logout", [&entry.key])
            } else {
                let more = [word(&file.path), host.as_reference().to_owned()];
                finding.command("podman logout --authfile", more)
            });
            continue;
        }
        // Docker keeps its own items in the same place as Docker Hub's credential.
        let host = entry.host().unwrap_or_else(Host::docker_hub);
        let asks = reader.asks(&host);
        let held = served.is_some_and(|served| !served.lacks(&host));
        let refused = match takeable(entry, all, Some(client)) {
            Err(why) => Some((why, false)),
            Ok((url, credential)) if held => import.refusal(&url, credential).map(|error| {
                let is_conflict = error.code() == Some(Code::StoreConflict);
                (without_name(&error, &url), is_conflict)
            }),
            Ok(_) => None,
        };
        if let Some((why, is_conflict)) = refused {
            let (cause, fix) = why.rsplit_once("; ").unwrap_or((&why, ""));
            let is_used = asks.answerer == Answerer::PlainLogin
                && asks.file.as_ref() == Some(&file.path)
                && asks.key.as_ref() == Some(&entry.key);
            let (code, state) = match (&entry.held, entry.host()) {
                // It precedes other files, and podman fails on it.
                (Held::Malformed(_), _) if client == "podman" && entry.fails_podman && is_used => {
                    ("client.login_broken", State::Broken)
                }
                (Held::Malformed(_), _) => ("client.login_broken", State::Warn),
                (_, Some(_)) => ("client.logins_differ", State::Warn),
                (_, None) => ("client.plain_password", State::Warn),
            };
            let what = format!("{path} has a login for {key} in plain text: {cause}");
            // A login rewrites only the client's own key, and leaves keys with a path.
            let is_rewritten = matches!(entry.held, Held::Malformed(_))
                && [host.as_reference(), host.server_url()].contains(&entry.key.as_str());
            let fix = if is_conflict {
                format!(
                    "to keep the login in the file: {PROGRAM} import {client} --force; to keep the stored one: remove that entry from {path}"
                )
            } else if fix.starts_with("log in again") && !is_rewritten {
                format!("remove that entry from {path}")
            } else {
                fix.to_owned()
            };
            findings.push(Finding::new(code, state, what).words(fix));
            continue;
        }
        let (next, name) = if let Some(name) = bare.lacks(entry, Some(client)) {
            let force = matches!(asks.answerer, Answerer::Helper(_));
            (Next::Wire { force }, name)
        } else {
            // If a file names a helper for a host, its logins for that host are ignored.
            let hidden = asks.is_this_helper() && asks.file.as_ref() == Some(&file.path);
            let lost = hidden && served.is_some_and(|served| served.lacks(&host));
            let name = host.as_reference().to_owned();
            (if lost { Next::Lost } else { Next::Import }, name)
        };
        let names = todo.entry(next).or_default();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let read_only = served.is_some_and(Served::is_read_only);
    findings.extend(todo.into_iter().map(|(next, names)| {
        let hosts = names.join(",");
        let names = names.join(", ");
        let finding = if next == Next::Lost {
            let what = format!(
                "{client} asks this helper for {names}, gets nothing from it and pulls anonymously, while {path} holds the password in plain text"
            );
            Finding::broken("client.plain_lost", what)
        } else {
            let what = format!("{path} holds the password for {names} in plain text");
            Finding::warn("client.plain_password", what)
        };
        let import = format!("{PROGRAM} import {client} --remove");
        match next {
            _ if read_only => {
                finding.words("put it where the workspace keeps its secrets: a worker stores none")
            }
            Next::Lost | Next::Import => finding.run(&import),
            Next::Wire { force } => {
                let hosts = [hosts.as_str()].into_iter();
                let configure = format!("{PROGRAM} configure {client} --hosts");
                let finding = finding.command(&configure, hosts.chain(force.then_some("--force")));
                finding.run(&import)
            }
        }
    }));
    findings
}
