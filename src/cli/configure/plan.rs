//! Which file of which client is to be changed, and how.

use std::path::{Path, PathBuf};

use super::{Registries as Asked, Request};
use crate::client::edit::provider_names;
use crate::client::file::Text;
use crate::client::{
    AUTH_FILES, AuthFile, Change, HELPER, Helper, Registries, RegistriesPlaces, SYSTEM_PATH, Scope, auth_files,
    docker_file, find_helper, keys_of, own_auth_file,
};
use crate::config::Env;
use crate::error::{Error, Problem};
use crate::host::Host;
use crate::registry::match_images;

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
        let others = file.cred_helpers.iter().filter(|(_, helper)| helper != HELPER);
        let notes = others.map(|(key, helper)| format!("note: {key} keeps its own helper, {helper}")).collect();
        return Ok(Plan { change, registries: "every registry".into(), helper_dir: None, notes });
    };
    let file = AuthFile::read(&path)?.unwrap_or_default();
    // A store of ours answers already where there is no helper for the one registry.
    let stored = |key: &str| file.creds_store.as_deref() == Some(HELPER) && file.helper(key).is_none();
    let keys: Vec<&str> = hosts.iter().flat_map(keys_of).filter(|key| !stored(key)).collect();
    let change = Change::cred_helpers(&path, &keys, request.force)?;
    let notes = plain(&file, &hosts, "docker").into_iter().collect();
    Ok(Plan { change, registries: names(&hosts), helper_dir: None, notes })
}

fn podman(request: &Request, env: &Env) -> Result<Plan, Error> {
    let registries = Registries::read(RegistriesPlaces::of(env, request.scope))?;
    let everywhere = registries.helpers().contains(&HELPER);
    let hosts = if everywhere { None } else { request.hosts(env)? };
    let Some(hosts) = hosts else {
        let (path, inherited) = registries.target(request.scope);
        let change = if everywhere {
            let path = registries.effective().map_or(path.as_path(), |(path, _)| path);
            Change::nothing(path)?
        } else {
            Change::credential_helpers(&path, &inherited)?
        };
        return Ok(Plan { change, registries: "every registry".into(), helper_dir: None, notes: Vec::new() });
    };
    if request.scope == Scope::System {
        return Err(Problem::new("podman", "it has no file of the whole machine for single registries")
            .fix("nothing was changed; --system goes with --all, or leave it out")
            .failed());
    }
    if let Some((path, _)) = registries.effective().filter(|(_, list)| !list.iter().any(|name| name == AUTH_FILES)) {
        let cause = format!("its credential-helpers leave out {AUTH_FILES}, so podman reads no auth file");
        return Err(Problem::new(path.display().to_string(), cause)
            .fix("nothing was changed; configure podman --all puts this helper into that list")
            .failed());
    }
    let path = own_auth_file(env)?;
    let keys: Vec<&str> = hosts.iter().flat_map(keys_of).collect();
    let change = Change::cred_helpers(&path, &keys, request.force)?;
    let mut notes = Vec::new();
    for file in auth_files(env)?.iter().take_while(|file| **file != path).chain([&path]) {
        if let Some(file) = AuthFile::read(file)? {
            notes.extend(plain(&file, &hosts, "podman"));
        }
    }
    if env.path("REGISTRY_AUTH_FILE")?.is_none() {
        notes.push("note: podman login still writes a file of its own; with --all it stores here".into());
    }
    Ok(Plan { change, registries: names(&hosts), helper_dir: None, notes })
}

fn kubelet(request: &Request, env: &Env) -> Result<Plan, Error> {
    let path = kubelet_file(request);
    let hosts = if let Asked::These(_) = request.registries { request.hosts(env)? } else { None };
    let images = hosts.as_ref().map_or_else(match_images, |hosts| hosts.iter().flat_map(images_of).collect());
    let others = provider_names(Text::read(&path)?.as_ref().map_or("", |text| text.text.as_str()))
        .map_err(|cause| Problem::new(path.display().to_string(), cause).fix("nothing was changed").failed())?;
    let others: Vec<String> = others.into_iter().filter(|name| name != env!("CARGO_PKG_NAME")).collect();
    let bin_dir = match (&request.bin_dir, others.as_slice()) {
        (Some(dir), _) => dir.clone(),
        (None, []) => match find_helper(SYSTEM_PATH.as_ref()) {
            Helper::Found(helper) => helper.parent().unwrap_or(Path::new("/")).to_owned(),
            _ => PathBuf::from("/usr/local/bin"),
        },
        // All providers are in one directory, and only whoever put them there knows which.
        (None, _) => {
            let cause = format!("it has {} too, and kubelet looks for all in one directory", others.join(", "));
            let fix = "nothing was changed; name that directory with --bin-dir, and put this helper there";
            return Err(Problem::new(path.display().to_string(), cause).fix(fix).failed());
        }
    };
    let mut notes: Vec<String> = others
        .iter()
        .filter(|name| !bin_dir.join(name).exists())
        .map(|name| format!("note: {} has no {name}, which the file names too", bin_dir.display()))
        .collect();
    notes.push("start kubelet with:".into());
    notes.push(format!("  --image-credential-provider-config={}", path.display()));
    notes.push(format!("  --image-credential-provider-bin-dir={}", bin_dir.display()));
    let registries = hosts.as_ref().map_or_else(|| "every registry that it knows".to_owned(), |hosts| names(hosts));
    let change = Change::provider(&path, &images, request.force)?;
    Ok(Plan { change, registries, helper_dir: Some(bin_dir), notes })
}

fn kubelet_file(request: &Request) -> PathBuf {
    request.config.clone().unwrap_or_else(|| PathBuf::from(KUBELET_FILE))
}

/// An image of Docker Hub may be called by its registry's own name, which kubelet does not take for the same.
fn images_of(host: &Host) -> Vec<String> {
    let other = host.is_docker_hub().then(|| Host::DOCKER_HUB_REGISTRY.to_owned());
    [host.as_str().to_owned()].into_iter().chain(other).collect()
}

/// What is in plain text where the client may look first.
fn plain(file: &AuthFile, hosts: &[Host], client: &str) -> Option<String> {
    let plain: Vec<Host> = hosts.iter().filter(|host| file.plain(host).next().is_some()).cloned().collect();
    let (path, hosts) = (file.path.display(), names(&plain));
    let note = || format!("note: {path} has {hosts} in plain text; docker-credential-beta9 import {client} --remove");
    (!plain.is_empty()).then(note)
}

fn names(hosts: &[Host]) -> String {
    hosts.iter().map(Host::as_str).collect::<Vec<_>>().join(", ")
}

/// The files of a directory beside which there is a note of a change.
fn changed_files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| crate::client::changed_by_note(&entry.path())).collect()
}

/// Where a new one goes; kubelet has no place of its own, and reads what its flag names.
const KUBELET_FILE: &str = "/etc/kubernetes/credential-provider-config.yaml";
