//! Which file of which client is to be changed, and how.

use std::path::PathBuf;

use super::kubelet::{kubelet, kubelet_file};
use super::request::{Listed, Request};
use crate::client::{
    AUTH_FILES, AuthEntry, AuthFile, Change, Form, HELPER, Registries, RegistriesPlaces, Scope,
    auth_files, docker_file, keys_of, own_auth_file,
};
use crate::config::Env;
use crate::error::{Error, Problem};
use crate::host::Host;
use crate::shown::shown;
use crate::trusted::exists;

/// The change of one file.
pub(super) struct Plan {
    pub(super) change: Change,
    /// What the client will ask for, in words.
    pub(super) registries: String,
    /// Where the client looks for the helper, if not on a PATH.
    pub(super) helper_dir: Option<PathBuf>,
    /// What else the user should know.
    pub(super) notes: Vec<String>,
}

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
            "kubelet" => return Ok(vec![(kubelet_file(request)?, Form::Provider)]),
            _ => {}
        }
        let (main, dir) = RegistriesPlaces::of(env, request.scope).own(request.scope);
        let mut files = vec![(main, Form::Registries)];
        // A file that is gone may have left its note.
        let entries = std::fs::read_dir(dir)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        let further = entries.filter_map(|path| match path.extension() {
            Some(extension) if extension == "conf" => Some(path),
            _ => crate::client::changed_by_note(&path)
                .filter(|file| matches!(exists(file), Ok(false))),
        });
        files.extend(further.map(|path| (path, Form::Registries)));
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
    let ours = |key: &str| file.helper(key).is_none_or(|name| name == HELPER);
    let Some(wanted) = request.wanted(env)? else {
        let others = file
            .cred_helpers
            .iter()
            .filter(|(_, helper)| helper != HELPER);
        // Both are somebody else's text, which may hold what moves a terminal's cursor.
        let kept = others.map(|(key, helper)| {
            format!(
                "note: {} keeps its own helper, {}",
                shown(key),
                shown(helper)
            )
        });
        let mut notes: Vec<String> = kept.collect();
        let hosts = file.auths.iter().filter_map(AuthEntry::host);
        let mut hosts: Vec<Host> = hosts
            .filter(|host| keys_of(host).into_iter().all(ours))
            .collect();
        hosts.sort();
        hosts.dedup();
        notes.extend(plain(&file, &hosts, request, env));
        return Ok(everywhere(
            Change::helpers(&path, &[None], request.force)?,
            notes,
        ));
    };
    // A store of ours answers already where there is no helper for the one registry.
    let stored =
        |key: &&String| file.creds_store.as_deref() == Some(HELPER) && file.helper(key).is_none();
    let keys = wanted
        .iter()
        .flat_map(|one| &one.keys)
        .filter(|key| !stored(key));
    let keys: Vec<_> = keys.map(|key| Some(key.as_str())).collect();
    let hosts: Vec<Host> = wanted.iter().map(|one| one.host.clone()).collect();
    Ok(Plan {
        change: Change::helpers(&path, &keys, request.force)?,
        registries: names(&hosts),
        helper_dir: None,
        notes: plain(&file, &hosts, request, env),
    })
}

fn everywhere(change: Change, notes: Vec<String>) -> Plan {
    Plan {
        change,
        registries: "every registry".into(),
        helper_dir: None,
        notes,
    }
}

fn podman(request: &Request, env: &Env) -> Result<Plan, Error> {
    let registries = Registries::read(RegistriesPlaces::of(env, request.scope))?;
    let effective = registries.effective();
    let named = effective.filter(|(_, list)| list.iter().any(|name| name == HELPER));
    if let Some((path, _)) = named.filter(|_| registries.stores_here()) {
        return Ok(everywhere(
            Change::nothing(path, Form::Registries)?,
            Vec::new(),
        ));
    }
    // Behind the auth files, it is in the wrong place.
    let wanted = if named.is_some() {
        None
    } else {
        request.wanted(env)?
    };
    let Some(wanted) = wanted else {
        let (path, inherited) = registries.target(request.scope)?;
        return Ok(everywhere(
            Change::credential_helpers(&path, &inherited)?,
            Vec::new(),
        ));
    };
    if request.scope == Scope::System {
        let cause = "it has no file of the whole machine for single registries";
        let fix = "nothing was changed; --system goes with --all, or leave it out";
        return Err(Problem::new("podman", cause).fix(fix).failed());
    }
    if let Some((path, _)) =
        effective.filter(|(_, list)| !list.iter().any(|name| name == AUTH_FILES))
    {
        let cause =
            format!("its credential-helpers leave out {AUTH_FILES}, so podman reads no auth file");
        let fix = "nothing was changed; configure podman --all puts this helper into that list";
        return Err(Problem::new(path.display().to_string(), cause)
            .fix(fix)
            .failed());
    }
    let path = own_auth_file(env)?;
    let keys: Vec<_> = wanted
        .iter()
        .flat_map(|one| &one.keys)
        .map(|key| Some(key.as_str()))
        .collect();
    let hosts: Vec<Host> = wanted.iter().map(|one| one.host.clone()).collect();
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
    Ok(Plan {
        change,
        registries: names(&hosts),
        helper_dir: None,
        notes,
    })
}

/// What is in plain text beside this helper's name: a client asks a helper or looks at that, and never at both.
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
    let unused = format!("which {client} does not use once it asks this helper");
    let from = if request.scope == Scope::System {
        &path
    } else {
        client
    };
    vec![
        format!(
            "note: {path} has {} in plain text, {unused}{lacking}; this takes it over:",
            names(&hosts)
        ),
        format!("  docker-credential-beta9 import {from} --remove"),
    ]
}

fn in_plain_text(file: &AuthFile, hosts: &[Host]) -> Vec<Host> {
    hosts
        .iter()
        .filter(|host| file.plain(host).next().is_some())
        .cloned()
        .collect()
}

pub(super) fn names(hosts: &[Host]) -> String {
    hosts
        .iter()
        .map(Host::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}
