//! Finds plain-text logins: `auth` in containerd's configuration, and headers with a secret.

use toml::{Table, Value};

use super::daemon::{Daemon, ReadFile, template};
use super::{Finding, word};
use crate::shown::{shown, without_logins};

/// Logins in the configuration and its imports, which are read at start.
pub(super) fn of_config(file: &ReadFile, daemon: &Daemon, restart: &str) -> Option<Finding> {
    let source = match daemon.writer {
        Some(_) => template(&file.path),
        None => word(&file.path),
    };
    finding(file, &source, &format!(", and restart {restart}"))
}

/// Logins in a hosts.toml, which is read at each pull.
pub(super) fn of_hosts(file: &ReadFile) -> Option<Finding> {
    finding(file, &word(&file.path), "")
}

fn finding(file: &ReadFile, source: &str, then: &str) -> Option<Finding> {
    let places = places(&file.table)?;
    let what = format!(
        "{} holds a login in plain text ({places}); containerd calls no helper, and kubelet calls this one",
        file.path.display()
    );
    let fix = format_args!(
        "store the login here, wire kubelet (docker-credential-beta9 configure kubelet), remove {places} from {source}{then}"
    );
    Some(Finding::warn("client.plain_password", what).words(fix))
}

/// The keys of logins; `None` if there are none.
fn places(table: &Table) -> Option<String> {
    let mut found = Vec::new();
    search(table, &mut Vec::new(), &mut found);
    (!found.is_empty()).then(|| found.join(", "))
}

fn search<'t>(table: &'t Table, path: &mut Vec<&'t str>, found: &mut Vec<String>) {
    for (key, value) in table {
        let above = path.last().copied().unwrap_or_default();
        let is_login = match value {
            Value::Table(table) => {
                let is_set = |name: &str| table.get(name).is_some_and(has_text);
                (key == "auth" || above == "auths") && SECRETS.iter().any(|name| is_set(name))
            }
            // The keys of a header table are header names.
            value => {
                let is_header = ["header", "headers"].contains(&above);
                is_header && is_secret(key) && has_text(value) || has(value, in_url)
            }
        };
        path.push(key);
        if is_login || in_url(key) {
            let keys: Vec<_> = path.iter().map(|key| quoted(key)).collect();
            found.push(keys.join("."));
        } else if let Value::Table(table) = value {
            search(table, path, found);
        }
        path.pop();
    }
}

fn is_secret(header: &str) -> bool {
    let header = header.to_ascii_lowercase();
    HEADERS.iter().any(|part| header.contains(part))
}

fn has_text(value: &Value) -> bool {
    has(value, |text| !text.is_empty())
}

fn has(value: &Value, is: fn(&str) -> bool) -> bool {
    match value {
        Value::Array(list) => list.iter().any(|value| has(value, is)),
        value => value.as_str().is_some_and(is),
    }
}

/// Whether a URL in the text has a user name or a password.
fn in_url(text: &str) -> bool {
    without_logins(text) != text
}

/// A key, quoted for TOML if needed.
fn quoted(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !key.is_empty() && key.chars().all(is_bare) {
        return key.to_owned();
    }
    format!("\"{}\"", shown(key))
}

const SECRETS: [&str; 4] = ["password", "auth", "identitytoken", "identity_token"];
/// Parts of the names of headers that contain secrets.
const HEADERS: [&str; 10] = [
    "authoriz",
    "authentic",
    "x-auth",
    "password",
    "art-api",
    "token",
    "cookie",
    "secret",
    "api-key",
    "apikey",
];
