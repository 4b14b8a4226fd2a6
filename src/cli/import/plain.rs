//! The files that hold credentials in plain text, whose they are, and how those are removed.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::client::edit::without_auths;
use crate::client::file::{Readers, Text};
use crate::client::place::Place;
use crate::client::{AuthEntry, AuthFile, Scope, auth_files, docker_file};
use crate::config::Env;
use crate::error::{Error, Problem};

/// A file that is there.
pub(super) struct PlainFile {
    pub(super) path: PathBuf,
    /// The client that reads it; `None` for one that was only named.
    pub(super) client: Option<&'static str>,
    pub(super) auths: Vec<AuthEntry>,
    place: Place,
    old: Text,
}

/// The files of a client, or the one that is named.
pub(super) fn plain_files(from: Option<&OsString>, env: &Env) -> Result<Vec<PlainFile>, Error> {
    let docker = || docker_file(env, Scope::User);
    let whose = |path: &Path| {
        if docker().is_ok_and(|file| same(&file, path)) {
            Some("docker")
        } else {
            let podmans = auth_files(env).unwrap_or_default();
            let reads = podmans.iter().any(|file| same(file, path));
            reads.then_some("podman")
        }
    };
    let word = from.map(|from| from.to_str().unwrap_or_default());
    let paths = match word {
        Some("docker") => vec![docker()?],
        Some("podman") => auth_files(env)?,
        None => [vec![docker()?], auth_files(env)?].concat(),
        Some(_) => from
            .map(|from| std::path::absolute(from).unwrap_or_else(|_| from.into()))
            .into_iter()
            .collect(),
    };
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
        } else if !matches!(word, None | Some("docker" | "podman")) {
            return Err(
                Problem::new(path.display().to_string(), "there is no such file")
                    .fix("name docker, podman or a file")
                    .failed(),
            );
        }
    }
    Ok(files)
}

fn same(a: &Path, b: &Path) -> bool {
    a == b || matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

impl PlainFile {
    /// Removes entries of `auths`, and keeps no copy of them.
    pub(super) fn remove(&self, keys: &[String]) -> Result<(), Error> {
        let new = without_auths(&self.old.text, keys).map_err(|cause| {
            Problem::new(self.path.display().to_string(), cause)
                .fix("nothing was removed; remove them by hand")
                .failed()
        })?;
        AuthFile::parse(&self.path, &new)?;
        self.place.replace(Some(&self.old), &new, Readers::Owner)
    }
}
