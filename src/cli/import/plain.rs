//! The files with plain-text logins, their clients, and removing the logins.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::client::edit::without_auths;
use crate::client::file::{Readers, Text};
use crate::client::place::Place;
use crate::client::refusal::FileFault;
use crate::client::{AuthEntry, AuthFile, Scope, auth_files, docker_file};
use crate::config::Env;
use crate::error::Error;

/// An existing file.
pub(super) struct PlainFile {
    pub(super) path: PathBuf,
    /// The client that reads it; `None` if the user named the file.
    pub(super) client: Option<&'static str>,
    pub(super) auths: Vec<AuthEntry>,
    place: Place,
    old: Text,
}

/// The files of a client, or the named file.
pub(super) fn plain_files(from: Option<&OsString>, env: &Env) -> Result<Vec<PlainFile>, Error> {
    let (docker, podmans) = (docker_file(env, Scope::User), auth_files(env));
    let whose = |path: &Path| {
        if docker.as_ref().is_ok_and(|file| same(file, path)) {
            return Some("docker");
        }
        let mut podmans = podmans.iter().flatten();
        podmans.any(|file| same(file, path)).then_some("podman")
    };
    let word = from.map(|from| from.to_str().unwrap_or_default());
    let is_named = !matches!(word, None | Some("docker" | "podman"));
    let mut paths = Vec::new();
    if let (Some(from), true) = (from, is_named) {
        paths.push(std::path::absolute(from).unwrap_or_else(|_| from.into()));
    }
    if let None | Some("docker") = word {
        paths.push(docker_file(env, Scope::User)?);
    }
    if let None | Some("podman") = word {
        paths.extend(auth_files(env)?);
    }
    let mut files: Vec<PlainFile> = Vec::new();
    for path in paths {
        let place = Place::of(&path)?;
        if files.iter().any(|file| same(&file.path, &path)) {
            continue;
        }
        if let Some(old) = place.read()? {
            files.push(PlainFile {
                client: whose(&path),
                auths: AuthFile::parse(&path, &old.text)?.auths,
                path,
                place,
                old,
            });
        } else if is_named {
            return Err(FileFault::Missing.of(&path));
        }
    }
    Ok(files)
}

fn same(a: &Path, b: &Path) -> bool {
    a == b || matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

impl PlainFile {
    /// Removes entries of `auths`, without keeping a copy.
    pub(super) fn remove(&self, keys: &[String]) -> Result<(), Error> {
        let new = without_auths(&self.old.text, keys)
            .map_err(|cause| FileFault::NotRemoved(cause).of(&self.path))?;
        AuthFile::parse(&self.path, &new)?;
        self.place.replace(Some(&self.old), &new, Readers::Owner)
    }
}
