//! `wired`: lists each client's file that names this helper, and the command that unwires it. For `install.sh` and the
//! packages, which must not remove the program while a client names it, because every pull of that client would fail.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Command};

use super::print;
use crate::Io;
use crate::client::file::Text;
use crate::client::{
    AuthFile, HELPER, PROGRAM, Registries, RegistriesPlaces, Scope, auth_files, docker_file,
    kubelet_files, own_auth_file,
};
use crate::config::Env;
use crate::error::Error;
use crate::shown::{quoted, shown};
use crate::trusted;

pub(super) fn command() -> Command {
    Command::new("wired")
        .hide(true)
        .about("List the clients' files that name this helper, each with the command that unwires it")
        .after_help("Exit status: 0, also where no file does. Each line is FILE, a tab, and COMMAND.\n\nExample: docker-credential-beta9 wired")
}

pub(super) fn run(_matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    for (path, command) in wired(env) {
        let path = path.display().to_string();
        print(io.out, format_args!("{}\t{command}\n", shown(&path)))?;
    }
    Ok(())
}

fn wired(env: &Env) -> BTreeMap<PathBuf, String> {
    let mut all = vec![of_user(env, ""), of_system(env)];
    // If root removes the program, it is gone for all users.
    if rustix::process::geteuid().is_root() {
        all.extend(trusted::homes().into_iter().map(|home| {
            let home = home.display().to_string();
            let theirs = Env::of([("HOME", &home)]);
            of_user(&theirs, &format!("HOME={} ", quoted(&home)))
        }));
    }
    // The first command for a file stays.
    all.into_iter().rev().flatten().collect()
}

/// One user's files. `variables` are put before the commands.
fn of_user(env: &Env, variables: &str) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for path in auth_files(env).unwrap_or_default() {
        let own = own_auth_file(env).is_ok_and(|own| own == path);
        let named = quoted(&path.display().to_string());
        let named = format!("REGISTRY_AUTH_FILE={named} ");
        let named = if own { "" } else { &named };
        let command = undo(&format!("{variables}{named}"), "podman");
        found.extend(names_in_json(&path).then_some((path, command)));
    }
    // Podman also reads docker's file, but docker's command is the right one for it.
    if let Ok(path) = docker_file(env, Scope::User) {
        found.extend(names_in_json(&path).then(|| (path, undo(variables, "docker"))));
    }
    let places = RegistriesPlaces::of(env, Scope::User);
    let system = places.system.clone();
    found.extend(
        named_registries(places)
            .filter(|path| !path.starts_with(&system))
            .map(|path| (path, undo(variables, "podman"))),
    );
    found
}

/// The system's files: root's docker, podman's for all users, and kubelet's.
fn of_system(env: &Env) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    if let Ok(path) = docker_file(env, Scope::System) {
        found.extend(names_in_json(&path).then(|| (path, undo("", "docker --system"))));
    }
    let places = RegistriesPlaces::of(env, Scope::System);
    found.extend(named_registries(places).map(|path| (path, undo("", "podman --system"))));
    for path in of_kubelet() {
        let client = format!("kubelet --config {}", quoted(&path.display().to_string()));
        found.insert(path, undo("", &client));
    }
    found
}

/// Kubelet's files that name this helper.
pub(super) fn of_kubelet() -> impl Iterator<Item = PathBuf> {
    let places = kubelet_files(Path::new("/")).into_iter();
    let files = places.flat_map(|(place, _)| {
        let inside = std::fs::read_dir(&place).into_iter().flatten().flatten();
        inside.map(|entry| entry.path()).chain([place])
    });
    files.filter(|path| names_in_lines(path))
}

fn undo(variables: &str, client: &str) -> String {
    format!("{variables}{PROGRAM} configure {client} --undo")
}

fn names_in_json(path: &Path) -> bool {
    let Ok(Some(text)) = Text::read(path) else {
        return false;
    };
    match AuthFile::parse(path, &text.text) {
        Ok(file) => {
            let named = file.cred_helpers.iter().map(|(_, name)| name);
            named.chain(&file.creds_store).any(|name| name == HELPER)
        }
        // An unparsable file may be corrected later, so search its text.
        Err(_) => text.text.contains(&format!("\"{HELPER}\"")),
    }
}

fn named_registries(places: RegistriesPlaces) -> impl Iterator<Item = PathBuf> {
    let files = Registries::read(places).map_or(Vec::new(), |registries| registries.files);
    files.into_iter().filter_map(|file| {
        let names = file.helpers.iter().flatten().any(|name| name == HELPER);
        names.then_some(file.path)
    })
}

/// Whether a kubelet's file, YAML or JSON, has a provider with this program's name, ignoring comments.
fn names_in_lines(path: &Path) -> bool {
    let text = Text::read(path).ok().flatten();
    text.is_some_and(|text| {
        let mut lines = text.text.lines().map(str::trim_start);
        lines.any(|line| !line.starts_with('#') && line.contains(PROGRAM))
    })
}
