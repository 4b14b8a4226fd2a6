//! Checks every helper that a client's file names: whether its program exists and starts.

use std::path::{Path, PathBuf};

use super::asked::configure;
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
struct Named {
    name: String,
    file: PathBuf,
    place: Place,
}

enum Place {
    /// `credsStore`: every registry.
    Store,
    /// `credHelpers`, under these keys.
    Keys(Vec<String>),
    /// `credential-helpers` of registries.conf: every registry.
    List,
}

/// The helpers of one of docker's or podman's files.
pub(super) fn of_file(client: &str, file: &AuthFile, env: &Env) -> Vec<Finding> {
    let mut all: Vec<Named> = Vec::new();
    for (key, name) in &file.cred_helpers {
        // To docker, an empty name means no helper. Podman, which never looks up URLs, would run a program without a
        // name.
        let is_podmans = client == "podman" || client == "docker" && !key.contains("://");
        if name.is_empty() && !is_podmans {
            continue;
        }
        let known = all.iter_mut().find(|one| one.name == *name);
        match known.map(|one| &mut one.place) {
            Some(Place::Keys(keys)) => keys.push(key.clone()),
            _ => all.push(Named {
                name: name.clone(),
                file: file.path.clone(),
                place: Place::Keys(vec![key.clone()]),
            }),
        }
    }
    // Podman and its family ignore credsStore.
    if client != "podman"
        && let Some(name) = &file.creds_store
    {
        all.push(Named {
            name: name.clone(),
            file: file.path.clone(),
            place: Place::Store,
        });
    }
    let found = all.iter().filter_map(|one| look(client, one, env));
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
    let mut findings: Vec<Finding> = names
        .iter()
        .filter(|name| *name != AUTH_FILES)
        .filter_map(|name| {
            let one = Named {
                name: name.clone(),
                file: file.to_owned(),
                place: Place::List,
            };
            look("podman", &one, env)
        })
        .collect();
    if registries.helpers().contains(&HELPER) && !registries.stores_here() {
        let what = format!(
            "{} names {AUTH_FILES} before {HELPER}: podman login writes passwords in plain text, and what is there is used first",
            file.display()
        );
        let configure = [PROGRAM, "configure", "podman", "--all"];
        findings.push(Finding::warn("client.helper_order", what).command(configure));
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
        Place::Keys(keys) => keys
            .iter()
            .map(|key| shown(key).to_string())
            .collect::<Vec<_>>()
            .join(", "),
    };
    let name = shown(&named.name);
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
    let base = Path::new(&named.name).file_name()?.to_str()?;
    if let Some(suffix) = base.strip_prefix("docker-credential-") {
        return Some(rewired(broken(
            "client.helper_full_name",
            &format!(
                "{client} puts docker-credential- before it, so every pull fails; its name there is {}",
                shown(suffix)
            ),
        )));
    }
    let wanted = program(&named.name);
    match find_program(&path, &wanted) {
        Helper::Missing => Some(rewired(broken(
            "client.helper_missing",
            &format!(
                "{} is in no directory of the PATH, so every pull fails",
                shown(&wanted)
            ),
        ))),
        Helper::NotExecutable(found) => Some(
            broken(
                "client.helper_not_executable",
                &format!("{} may not be run by this user", found.display()),
            )
            .command(["chmod", "755", &word(&found)]),
        ),
        Helper::Found(found) => unstartable(&found).map(|why| {
            rewired(broken(
                "client.helper_not_runnable",
                &format!("{} does not start: {why}", found.display()),
            ))
        }),
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
        Place::Store if ours => finding.command([PROGRAM, "configure", client, "--all", "--force"]),
        Place::Keys(keys) if ours => {
            let host = |key: &String| {
                let url = ServerUrl::parse(key.as_bytes()).ok()?;
                let host = url.host()?.clone();
                [host.server_url(), host.as_reference()]
                    .contains(&key.as_str())
                    .then_some(host)
            };
            // Keys that aren't registries are left alone.
            let Some(hosts) = keys.iter().map(host).collect::<Option<Vec<Host>>>() else {
                return finding.words(by_hand());
            };
            let hosts: Vec<&Host> = hosts.iter().collect();
            finding.command(
                configure(client, &hosts)
                    .into_iter()
                    .chain(["--force".to_owned()]),
            )
        }
        _ => finding.words(by_hand()),
    }
}
