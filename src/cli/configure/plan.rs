//! Plans which files of a client to change, and how.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Plan;
use super::kubelet::{kubelet, kubelet_files};
use super::request::{Listed, Request, Wanted, names};
use crate::client::refusal::unchanged;
use crate::client::spelling::wiring_keys;
use crate::client::{
    AUTH_FILES, AuthEntry, AuthFile, Change, Form, HELPER, Registries, RegistriesPlaces, Scope,
    auth_files, changed_by_note, docker_file, own_auth_file,
};
use crate::config::Env;
use crate::error::Error;
use crate::host::Host;
use crate::shown::shown;
use crate::trusted::exists;

impl Plan {
    pub(super) fn of(request: &Request, env: &Env) -> Result<Self, Error> {
        match request.client.as_str() {
            "docker" => docker(request, env),
            "kubelet" => kubelet(request, env),
            _ => podman(request, env),
        }
    }

    /// The files that may name this helper.
    pub(super) fn files(request: &Request, env: &Env) -> Result<Vec<(PathBuf, Form)>, Error> {
        match request.client.as_str() {
            "docker" => return Ok(vec![(docker_file(env, request.scope)?, Form::Auth)]),
            "kubelet" => {
                let files = kubelet_files(request)?.into_iter();
                return Ok(files.map(|path| (path, Form::Provider)).collect());
            }
            _ => {}
        }
        let (main, dir) = RegistriesPlaces::of(env, request.scope).own(request.scope);
        let mut files = vec![(main, Form::Registries)];
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            let is_conf = path.extension().is_some_and(|end| end == "conf");
            // A deleted file may have left its note.
            let gone = |file: &PathBuf| matches!(exists(file), Ok(false));
            let file = changed_by_note(&path).filter(gone);
            let file = if is_conf { Some(path) } else { file };
            files.extend(file.map(|path| (path, Form::Registries)));
        }
        files.sort_by(|a, b| a.0.cmp(&b.0));
        if request.scope == Scope::User {
            files.push((own_auth_file(env)?, Form::Auth));
        }
        Ok(files)
    }
}

fn docker(request: &Request, env: &Env) -> Result<Plan, Error> {
    let path = docker_file(env, request.scope)?;
    let file = AuthFile::read(&path)?.unwrap_or_default();
    let Some(wanted) = request.wanted(env)? else {
        let mut notes = Vec::new();
        for (key, helper) in file.cred_helpers.iter().filter(|(_, name)| name != HELPER) {
            // Both are foreign text, which may contain characters that move a terminal's cursor.
            let (key, helper) = (shown(key), shown(helper));
            notes.push(format!("note: {key} keeps its own helper, {helper}"));
        }
        let ours = |key: &String| file.helper(key).is_none_or(|name| name == HELPER);
        let hosts = file.auths.iter().filter_map(AuthEntry::host);
        let hosts = hosts.filter(|host| wiring_keys(host, "").iter().all(ours));
        let hosts: BTreeSet<Host> = hosts.collect();
        let hosts: Vec<Host> = hosts.into_iter().collect();
        notes.extend(plain(&file, &hosts, request, env));
        let change = Change::helpers(&path, &[None], request.force)?;
        return Ok(everywhere(change, notes));
    };
    // With this helper as credsStore, registries without a helper of their own are already wired.
    let stored =
        |key: &&str| file.creds_store.as_deref() == Some(HELPER) && file.helper(key).is_none();
    let keys = Wanted::keys(&wanted).filter(|key| !stored(key));
    let keys: Vec<_> = keys.map(Some).collect();
    let hosts = Wanted::hosts(&wanted);
    let change = Change::helpers(&path, &keys, request.force)?;
    let notes = plain(&file, &hosts, request, env);
    Ok(plan(change, names(&hosts), notes))
}

/// The plan of a change for the helper on the PATH.
fn plan(change: Change, registries: String, notes: Vec<String>) -> Plan {
    Plan {
        change,
        registries,
        helper_dir: None,
        put: None,
        notes,
    }
}

fn everywhere(change: Change, notes: Vec<String>) -> Plan {
    plan(change, "every registry".to_owned(), notes)
}

fn podman(request: &Request, env: &Env) -> Result<Plan, Error> {
    let registries = Registries::read(RegistriesPlaces::of(env, request.scope))?;
    let effective = registries.effective();
    let lists = |name: &str| effective.is_some_and(|(_, list)| list.iter().any(|one| one == name));
    if let Some((path, _)) = effective.filter(|_| registries.stores_here()) {
        let change = Change::nothing(path, Form::Registries)?;
        return Ok(everywhere(change, Vec::new()));
    }
    // After the auth files, the helper is in the wrong place.
    let wanted = if lists(HELPER) {
        None
    } else {
        request.wanted(env)?
    };
    let Some(wanted) = wanted else {
        let (path, inherited) = registries.target(request.scope)?;
        let change = Change::credential_helpers(&path, &inherited)?;
        return Ok(everywhere(change, Vec::new()));
    };
    if request.scope == Scope::System {
        let cause = "it has no file of the whole machine for single registries";
        let fix = "--system goes with --all, or leave it out";
        return Err(unchanged(Path::new("podman"), cause, fix));
    }
    if let Some((path, _)) = effective.filter(|_| !lists(AUTH_FILES)) {
        let cause =
            format!("its credential-helpers leave out {AUTH_FILES}, so podman reads no auth file");
        let fix = "configure podman --all puts this helper into that list";
        return Err(unchanged(path, cause, fix));
    }
    let path = own_auth_file(env)?;
    let keys: Vec<_> = Wanted::keys(&wanted).map(Some).collect();
    let hosts = Wanted::hosts(&wanted);
    let change = Change::helpers(&path, &keys, request.force)?;
    let file = AuthFile::read(&path)?.unwrap_or_default();
    let mut notes = plain(&file, &hosts, request, env);
    for before in auth_files(env)?.iter().take_while(|file| **file != path) {
        let first = in_plain_text(&AuthFile::read(before)?.unwrap_or_default(), &hosts);
        if !first.is_empty() {
            let (before, first) = (before.display(), names(&first));
            notes.push(format!("note: {before} has {first} in plain text, which podman uses first; this takes it over:"));
            notes.push("  docker-credential-beta9 import podman --remove".into());
        }
    }
    if env.path("REGISTRY_AUTH_FILE")?.is_none() {
        notes.push(
            "note: podman login still writes a file of its own; with --all it stores here".into(),
        );
    }
    Ok(plan(change, names(&hosts), notes))
}

/// Notes about plain-text logins in the same file: a client uses either a helper or such a login, never both.
fn plain(file: &AuthFile, hosts: &[Host], request: &Request, env: &Env) -> Vec<String> {
    let hosts = in_plain_text(file, hosts);
    if hosts.is_empty() {
        return Vec::new();
    }
    let (path, client) = (file.path.display().to_string(), &request.client);
    let lacking = match Listed::lacking(&hosts, env) {
        none if none.is_empty() => String::new(),
        lacking => format!(", and the store has nothing for {}", names(&lacking)),
    };
    let hosts = names(&hosts);
    let from = match request.scope {
        Scope::System => &path,
        Scope::User => client,
    };
    vec![
        format!(
            "note: {path} has {hosts} in plain text, which {client} does not use once it asks this helper{lacking}; this takes it over:"
        ),
        format!("  docker-credential-beta9 import {from} --remove"),
    ]
}

fn in_plain_text(file: &AuthFile, hosts: &[Host]) -> Vec<Host> {
    let there = |host: &&Host| file.plain(host).next().is_some();
    hosts.iter().filter(there).cloned().collect()
}
