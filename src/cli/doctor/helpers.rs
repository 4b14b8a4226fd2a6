//! Checks every helper that a client's file names: whether its program exists and starts.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::finding::{Finding, State, word};
use super::surroundings::has_podman;
use crate::client::Scope;
use crate::client::asks::program;
use crate::client::{
    AUTH_FILES, AuthFile, HELPER, Helper, PROGRAM, Registries, docker_file, find_program,
    own_auth_file, unstartable,
};
use crate::config::Env;
use crate::host::{Host, ServerUrl};
use crate::shown::shown;

/// A helper's name, and where a file names it.
struct Named<'a> {
    name: &'a str,
    file: &'a Path,
    place: Place<'a>,
}

enum Place<'a> {
    /// `credsStore`: every registry.
    Store,
    /// `credHelpers`, under these keys.
    Keys(Vec<&'a str>),
    /// `credential-helpers` of registries.conf: every registry.
    List,
}

/// The helpers of one of docker's or podman's files.
pub(super) fn of_file(client: &str, file: &AuthFile, env: &Env) -> Vec<Finding> {
    let mut all: IndexMap<&str, Vec<&str>> = IndexMap::new();
    for (key, name) in &file.cred_helpers {
        // To docker, an empty name means no helper. Podman, which never looks up URLs, would run a program without a
        // name.
        let is_podmans = client == "podman" || client == "docker" && !key.contains("://");
        if !name.is_empty() || is_podmans {
            all.entry(name).or_default().push(key);
        }
    }
    let all = all
        .into_iter()
        .map(|(name, keys)| (name, Place::Keys(keys)));
    // Podman and its family ignore credsStore.
    let store = file.creds_store.as_deref().filter(|_| client != "podman");
    let all = all.chain(store.map(|name| (name, Place::Store)));
    let found = all.filter_map(|(name, place)| {
        let file = &file.path;
        look(client, &Named { name, file, place }, env)
    });
    let lossy = file.is_lossy.then(|| {
        let what = format!(
            "{} is not UTF-8: clients read it, and this program does not change it",
            file.path.display()
        );
        Finding::warn("client.not_utf8", what).words("write it again in UTF-8")
    });
    found.chain(lossy).collect()
}

/// The helpers of registries.conf.
pub(super) fn of_list(registries: &Registries, env: &Env) -> Vec<Finding> {
    let Some((file, names)) = registries.effective() else {
        return Vec::new();
    };
    let place = |name| Named {
        name,
        file,
        place: Place::List,
    };
    let names = names.iter().filter(|name| *name != AUTH_FILES);
    let found = names.filter_map(|name| look("podman", &place(name), env));
    let mut findings: Vec<Finding> = found.collect();
    if registries.helpers().contains(&HELPER) && !registries.stores_here() {
        let what = format!(
            "{} names {AUTH_FILES} before {HELPER}: podman login writes passwords in plain text, and what is there is used first",
            file.display()
        );
        let finding = Finding::warn("client.helper_order", what);
        findings.push(finding.run(&format!("{PROGRAM} configure podman --all")));
    }
    findings
}

fn look(client: &str, named: &Named, env: &Env) -> Option<Finding> {
    // This helper itself is checked in another group.
    if named.name == HELPER {
        return None;
    }
    let (path, file) = (env.search_path(), named.file.display());
    let place = match &named.place {
        Place::Store => "credsStore".to_owned(),
        Place::List => "credential-helpers".to_owned(),
        Place::Keys(keys) => {
            let keys: Vec<_> = keys.iter().map(|key| shown(key).to_string()).collect();
            keys.join(", ")
        }
    };
    let name = shown(named.name);
    let said = format!("{file} names the helper {name} ({place})");
    let broken = |code, why: &str| Finding::broken(code, format_args!("{said}: {why}"));
    let rewired = |finding| rewired(finding, client, named, env);
    if named.name.is_empty() {
        let mut finding = broken(
            "client.helper_unnamed",
            "podman, buildah and skopeo run a program without a name and fail",
        );
        if client == "docker" && !has_podman(env) {
            finding.state = State::Warn;
        }
        return Some(rewired(finding));
    }
    let base = Path::new(named.name).file_name()?.to_str()?;
    if let Some(suffix) = base.strip_prefix("docker-credential-") {
        let why = format!(
            "{client} puts docker-credential- before it, so every pull fails; its name there is {}",
            shown(suffix)
        );
        return Some(rewired(broken("client.helper_full_name", &why)));
    }
    let wanted = program(named.name);
    match find_program(&path, &wanted) {
        Helper::Missing => {
            let wanted = shown(&wanted);
            let why = format!("{wanted} is in no directory of the PATH, so every pull fails");
            Some(rewired(broken("client.helper_missing", &why)))
        }
        Helper::NotExecutable(found) => {
            let why = format!("{} may not be run by this user", found.display());
            let finding = broken("client.helper_not_executable", &why);
            Some(finding.command("chmod 755", [word(&found)]))
        }
        Helper::Found(found) => {
            let why = format!(
                "{} does not start: {}",
                found.display(),
                unstartable(&found)?
            );
            Some(rewired(broken("client.helper_not_runnable", &why)))
        }
    }
}

/// Adds the fix of naming this helper instead, which answers "not found" if it has no credential.
fn rewired(finding: Finding, client: &str, named: &Named, env: &Env) -> Finding {
    let by_hand = || format!("remove it from {}", named.file.display());
    let is = |file: Result<PathBuf, _>| file.is_ok_and(|file: PathBuf| file == named.file);
    let ours = match client {
        "docker" => is(docker_file(env, Scope::User)),
        "podman" => is(own_auth_file(env)),
        _ => false,
    };
    match &named.place {
        Place::Store if ours => finding.run(&format!("{PROGRAM} configure {client} --all --force")),
        Place::Keys(keys) if ours => {
            let host = |key: &&str| {
                let url = ServerUrl::parse(key.as_bytes()).ok()?;
                let host = url.host()?.clone();
                let is_its = [host.server_url(), host.as_reference()].contains(key);
                is_its.then_some(host)
            };
            // Keys that aren't registries are left alone.
            let Some(hosts) = keys.iter().map(host).collect::<Option<Vec<Host>>>() else {
                return finding.words(by_hand());
            };
            let hosts: Vec<&Host> = hosts.iter().collect();
            finding.configure(client, &hosts, true)
        }
        _ => finding.words(by_hand()),
    }
}
