//! Checks variables that override clients' files.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::asked::names;
use super::finding::{Finding, State, word};
use super::served::Served;
use crate::client::spelling::{Client, Lookup};
use crate::client::{
    AuthEntry, DOCKER_AUTH_CONFIG, DockerClient, Helper, SYSTEM_PATH, closed_session, find_program,
};
use crate::config::Env;
use crate::host::Host;

/// Findings about `DOCKER_AUTH_CONFIG`, which precedes every helper.
pub(super) fn variable(
    env: &Env,
    docker: &DockerClient,
    served: Option<&Served>,
) -> Option<Finding> {
    matches!(env.text(DOCKER_AUTH_CONFIG), Ok(Some(_))).then_some(())?;
    let unset = |finding: Finding| finding.command("unset", [DOCKER_AUTH_CONFIG]);
    let Some(variable) = &docker.variable else {
        let what = format!(
            "{DOCKER_AUTH_CONFIG} is set, and docker takes nothing from it: it isn't an object of auths alone, each with its auth"
        );
        return Some(unset(Finding::warn("client.variable_ignored", what)));
    };
    let ours = |host: &Host| {
        let file = docker.file.as_ref();
        let lookup = Lookup::of(Client::Docker, host);
        let wired = file.and_then(|file| file.asks(&lookup));
        wired.is_some_and(|asks| asks.is_this_helper())
            || served.is_some_and(|served| served.answers(host))
    };
    let hosts: BTreeSet<Host> = variable.auths.iter().filter_map(AuthEntry::host).collect();
    let (ours, others): (Vec<&Host>, Vec<&Host>) = hosts.iter().partition(|host| ours(host));
    (!hosts.is_empty()).then_some(())?;
    Some(if ours.is_empty() {
        let what = format!(
            "docker takes the login for {} from {DOCKER_AUTH_CONFIG}",
            names(&others)
        );
        Finding::note("client.variable", what)
    } else {
        let what = format!(
            "{DOCKER_AUTH_CONFIG} has a login for {}, which docker uses and does not ask this helper",
            names(&ours)
        );
        unset(Finding::broken("client.variable_wins", what))
    })
}

/// Whether podman or one of its family is installed.
pub(super) fn has_podman(env: &Env) -> bool {
    let paths = [env.search_path(), SYSTEM_PATH.into()];
    let there = |name: &str| {
        let mut found = paths.iter().map(|path| find_program(path, name));
        found.any(|found| found != Helper::Missing)
    };
    ["skopeo", "podman", "buildah", "crio"]
        .into_iter()
        .any(there)
}

/// A finding about the file that skopeo looks for if there is no session directory.
pub(super) fn closed(env: &Env) -> Option<Finding> {
    let path = closed_session(env)?;
    let what = format!(
        "without XDG_RUNTIME_DIR skopeo reads {}, which is closed to this user, and every pull fails",
        path.display()
    );
    let state = if has_podman(env) {
        State::Broken
    } else {
        State::Warn
    };
    let finding = Finding::new("client.session_closed", state, what);
    let uid = rustix::process::geteuid().as_raw();
    let session = PathBuf::from(format!("/run/user/{uid}"));
    if session.is_dir() {
        return Some(finding.export("XDG_RUNTIME_DIR", &word(&session)));
    }
    let closed = path.ancestors().skip(1).filter(|dir| dir.is_dir());
    Some(match closed.max_by_key(|dir| dir.as_os_str().len()) {
        Some(dir) => finding.command("sudo chmod o+x", [word(dir)]),
        None => finding.words("set XDG_RUNTIME_DIR to a directory of this user's own"),
    })
}
