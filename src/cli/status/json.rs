//! The cached and the published tokens for programs: one object.

use std::path::Path;

use serde::Serialize;
use zeroize::Zeroizing;

use super::{View, rfc3339};
use crate::cache::{InventoryEntry, State};
use crate::json;

pub(super) fn text(view: &View) -> Zeroizing<String> {
    let dir = |dir: Option<&Path>| dir.map(|dir| dir.display().to_string());
    let entries = view.inventory.entries.iter();
    let published = view.published.iter();
    let published = published.map(|(host, published)| Publication {
        registry: host.as_str(),
        workspace: &view.workspace,
        store: &published.store,
        backend: &published.backend,
        names: published.names().collect(),
        whole: published.is_whole,
        minted: rfc3339(published.minted),
        due: rfc3339(published.due()),
        expires: rfc3339(published.expires),
        is_due: published.is_due(view.now),
    });
    json::line(&Object {
        directory: dir(view.dir.as_deref()),
        memory_directory: dir(view.memory_dir.as_deref()),
        enabled: view.enabled,
        tokens: entries.map(entry).collect(),
        unreadable: view.inventory.unreadable,
        published: published.collect(),
    })
}

#[derive(Serialize)]
struct Object<'a> {
    directory: Option<String>,
    memory_directory: Option<String>,
    enabled: bool,
    tokens: Vec<Entry<'a>>,
    unreadable: usize,
    published: Vec<Publication<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    registry: &'a str,
    workspace: &'a str,
    backend: &'a str,
    secret_from: &'a str,
    identity: Option<&'a str>,
    token: Option<Token>,
    last_failure: Option<Failure<'a>>,
}

#[derive(Serialize)]
struct Token {
    state: State,
    age_seconds: u64,
    left_seconds: u64,
    minted: String,
    expires: String,
    last_used: String,
}

#[derive(Serialize)]
struct Failure<'a> {
    time: String,
    text: &'a str,
}

#[derive(Serialize)]
struct Publication<'a> {
    registry: &'a str,
    workspace: &'a str,
    store: &'a str,
    backend: &'a str,
    names: Vec<&'a str>,
    whole: bool,
    minted: String,
    due: String,
    expires: String,
    is_due: bool,
}

fn entry(entry: &InventoryEntry) -> Entry<'_> {
    let origin = &entry.origin;
    let identity = origin.identity.as_str();
    let failure = entry.last_failure.as_ref();
    Entry {
        registry: &origin.registry,
        workspace: &origin.workspace,
        backend: &origin.backend,
        secret_from: &origin.store,
        identity: Some(identity).filter(|identity| !identity.is_empty()),
        token: entry.token.map(|token| Token {
            state: token.state,
            age_seconds: token.age.as_secs(),
            left_seconds: token.left.as_secs(),
            minted: rfc3339(token.minted),
            expires: rfc3339(token.expires),
            last_used: rfc3339(token.used),
        }),
        last_failure: failure.map(|failure| Failure {
            time: rfc3339(failure.at),
            text: &failure.text,
        }),
    }
}
