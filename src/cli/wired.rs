//! `wired`: each client's file that names this helper, and the command that takes it out. Not for people: `install.sh` and
//! the packages ask before they remove the program, since every pull of a client that still names it would fail.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Command};

use super::unwritable;
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
        .about("List the clients' files that name this helper, each with the command that takes it out")
        .after_help("Exit status: 0, also where no file does. Each line is FILE, a tab, and COMMAND.\n\nExample: docker-credential-beta9 wired")
}

pub(super) fn run(_matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    for (path, command) in wired(env) {
        let path = path.display().to_string();
        writeln!(io.out, "{}\t{command}", shown(&path)).map_err(unwritable)?;
    }
    Ok(())
}

fn wired(env: &Env) -> BTreeMap<PathBuf, String> {
    let mut found = of_user(env, "");
    let mut add = |more: BTreeMap<PathBuf, String>| {
        for (path, command) in more {
            found.entry(path).or_insert(command);
        }
    };
    add(of_system(env));
    // Removed by root, the program is gone for all.
    if rustix::process::geteuid().is_root() {
        for home in trusted::homes() {
            let home = home.display().to_string();
            let theirs = Env::of([("HOME", &home)]);
            add(of_user(&theirs, &format!("HOME={} ", quoted(&home))));
        }
    }
    found
}

/// The files of one user; `variables` stand before the commands.
fn of_user(env: &Env, variables: &str) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for path in auth_files(env).unwrap_or_default() {
        let own = own_auth_file(env).is_ok_and(|own| own == path);
        let named = format!(
            "REGISTRY_AUTH_FILE={} ",
            quoted(&path.display().to_string())
        );
        let command = undo(
            &format!("{variables}{}", if own { "" } else { &named }),
            "podman",
        );
        found.extend(names_in_json(&path).then_some((path, command)));
    }
    // Podman reads docker's file too, and docker's command is the one for it.
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

/// The files of the whole machine: root's docker, podman's for all users, and kubelet's.
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

/// The files by which kubelet asks this helper.
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
        // What cannot be read today may be corrected tomorrow.
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

/// A kubelet's file, YAML or JSON: a provider is named by its program, and a comment names nothing.
fn names_in_lines(path: &Path) -> bool {
    let text = Text::read(path).ok().flatten();
    text.is_some_and(|text| {
        let mut lines = text.text.lines().map(str::trim_start);
        lines.any(|line| !line.starts_with('#') && line.contains(PROGRAM))
    })
}
