//! Which file of which client is to be changed, and how.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::kubelet::{kubelet, kubelet_file};
use super::request::{Listed, Request};
use crate::client::{
    AUTH_FILES, AuthEntry, AuthFile, Change, HELPER, Registries, RegistriesPlaces, Scope,
    auth_files, docker_file, keys_of, own_auth_file,
};
use crate::config::Env;
use crate::error::{Error, Problem};
use crate::host::Host;
use crate::shown::shown;

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

    /// The files that may have been changed.
    pub(super) fn files(request: &Request, env: &Env) -> Result<Vec<PathBuf>, Error> {
        if request.client == "docker" {
            return Ok(vec![docker_file(env, request.scope)?]);
        }
        if request.client == "kubelet" {
            return Ok(vec![kubelet_file(request)]);
        }
        let places = RegistriesPlaces::of(env, request.scope);
        let (main, dir) = match (places.user, places.user_dir) {
            (Some(main), Some(dir)) => (main, dir),
            _ => (places.system, places.system_dir),
        };
        let mut files = vec![main];
        files.extend(changed_files(&dir));
        if request.scope == Scope::User {
            files.push(own_auth_file(env)?);
        }
        Ok(files)
    }
}

fn docker(request: &Request, env: &Env) -> Result<Plan, Error> {
    let path = docker_file(env, request.scope)?;
    let Some(hosts) = request.hosts(env)? else {
        let change = Change::creds_store(&path, request.force)?;
        let file = AuthFile::read(&path)?.unwrap_or_default();
        let others = file
            .cred_helpers
            .iter()
            .filter(|(_, helper)| helper != HELPER);
        let mut notes: Vec<String> = others.map(|(key, helper)| kept(key, helper)).collect();
        let asked = |host: &Host| {
            keys_of(host)
                .iter()
                .all(|key| file.helper(key).is_none_or(|name| name == HELPER))
        };
        let hosts: BTreeSet<Host> = file
            .auths
            .iter()
            .filter_map(AuthEntry::host)
            .filter(asked)
            .collect();
        notes.extend(plain(&file, &Vec::from_iter(hosts), request, env));
        return Ok(Plan {
            change,
            registries: "every registry".into(),
            helper_dir: None,
            notes,
        });
    };
    let file = AuthFile::read(&path)?.unwrap_or_default();
    // A store of ours answers already where there is no helper for the one registry.
    let stored =
        |key: &str| file.creds_store.as_deref() == Some(HELPER) && file.helper(key).is_none();
    let keys: Vec<&str> = hosts
        .iter()
        .flat_map(keys_of)
        .filter(|key| !stored(key))
        .collect();
    let change = Change::cred_helpers(&path, &keys, request.force)?;
    let notes = plain(&file, &hosts, request, env);
    Ok(Plan {
        change,
        registries: names(&hosts),
        helper_dir: None,
        notes,
    })
}

/// Both are somebody else's text, which may hold what moves a terminal's cursor.
fn kept(key: &str, helper: &str) -> String {
    format!(
        "note: {} keeps its own helper, {}",
        shown(key),
        shown(helper)
    )
}

fn podman(request: &Request, env: &Env) -> Result<Plan, Error> {
    let registries = Registries::read(RegistriesPlaces::of(env, request.scope))?;
    let everywhere = registries.helpers().contains(&HELPER);
    let hosts = if everywhere {
        None
    } else {
        request.hosts(env)?
    };
    let Some(hosts) = hosts else {
        let (path, inherited) = registries.target(request.scope)?;
        let change = if everywhere {
            let path = registries
                .effective()
                .map_or(path.as_path(), |(path, _)| path);
            Change::nothing(path)?
        } else {
            Change::credential_helpers(&path, &inherited)?
        };
        return Ok(Plan {
            change,
            registries: "every registry".into(),
            helper_dir: None,
            notes: Vec::new(),
        });
    };
    if request.scope == Scope::System {
        return Err(Problem::new(
            "podman",
            "it has no file of the whole machine for single registries",
        )
        .fix("nothing was changed; --system goes with --all, or leave it out")
        .failed());
    }
    if let Some((path, _)) = registries
        .effective()
        .filter(|(_, list)| !list.iter().any(|name| name == AUTH_FILES))
    {
        let cause =
            format!("its credential-helpers leave out {AUTH_FILES}, so podman reads no auth file");
        return Err(Problem::new(path.display().to_string(), cause)
            .fix("nothing was changed; configure podman --all puts this helper into that list")
            .failed());
    }
    let path = own_auth_file(env)?;
    let keys: Vec<&str> = hosts.iter().flat_map(keys_of).collect();
    let change = Change::cred_helpers(&path, &keys, request.force)?;
    let mut notes =
        AuthFile::read(&path)?.map_or_else(Vec::new, |file| plain(&file, &hosts, request, env));
    for before in auth_files(env)?.iter().take_while(|file| **file != path) {
        let first =
            AuthFile::read(before)?.map_or_else(Vec::new, |file| in_plain_text(&file, &hosts));
        if !first.is_empty() {
            let (before, first) = (before.display(), names(&first));
            notes.push(format!(
                "note: {before} has {first} in plain text, which podman uses first; this takes it over:"
            ));
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
    let (path, client) = (file.path.display(), &request.client);
    let lacking = match Listed::lacking(&hosts, env) {
        none if none.is_empty() => String::new(),
        lacking => format!(", and the store has nothing for {}", names(&lacking)),
    };
    let unused = format!("which {client} does not use once it asks this helper");
    let from = if request.scope == Scope::System {
        path.to_string()
    } else {
        client.clone()
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

/// The files of a directory beside which there is a note of a change.
fn changed_files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| crate::client::changed_by_note(&entry.path()))
        .collect()
}
