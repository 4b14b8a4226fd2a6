//! The files that hold credentials in plain text, whose they are, and how those are removed.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::client::edit::without_auths;
use crate::client::file::{Readers, Text};
use crate::client::place::{Place, Rights};
use crate::client::{AuthEntry, AuthFile, PodmanClient, Scope, Wired, auth_files, docker_file};
use crate::config::Env;
use crate::error::{Error, Problem};
use crate::host::Host;

/// A file that is there.
pub(super) struct PlainFile {
    pub(super) path: PathBuf,
    /// The client that reads it; `None` for one that was only named.
    pub(super) client: Option<&'static str>,
    pub(super) auths: Vec<AuthEntry>,
    place: Place,
    old: Text,
    /// The keys for which its client asks this helper once they are not in plain text any more.
    wired: Vec<String>,
}

/// The files of a client, or the one that is named.
pub(super) fn plain_files(from: Option<&OsString>, env: &Env) -> Result<Vec<PlainFile>, Error> {
    let docker = || Ok::<_, Error>(vec![docker_file(env, Scope::User)?]);
    let (paths, named) = match from.and_then(|from| from.to_str()) {
        Some("docker") => (docker()?, false),
        Some("podman") => (auth_files(env)?, false),
        None if from.is_none() => ([docker()?, auth_files(env)?].concat(), false),
        _ => (
            from.map(|from| std::path::absolute(from).unwrap_or_else(|_| from.into()))
                .into_iter()
                .collect(),
            true,
        ),
    };
    let mut files: Vec<PlainFile> = Vec::new();
    for path in &paths {
        if files.iter().any(|file| same(&file.path, path)) {
            continue;
        }
        files.extend(PlainFile::read(path, env)?);
    }
    if let (true, [], Some(path)) = (named, files.as_slice(), paths.first()) {
        return Err(
            Problem::new(path.display().to_string(), "there is no such file")
                .fix("name docker, podman or a file")
                .failed(),
        );
    }
    Ok(files)
}

fn same(a: &Path, b: &Path) -> bool {
    a == b
        || fs::canonicalize(a)
            .ok()
            .is_some_and(|a| fs::canonicalize(b).ok() == Some(a))
}

impl PlainFile {
    fn read(path: &Path, env: &Env) -> Result<Option<Self>, Error> {
        let place = Place::of(path)?;
        let Some(old) = place.read()? else {
            return Ok(None);
        };
        let file = AuthFile::parse(path, &old.text)?;
        let is = |other: &Path| same(path, other);
        let client = if is(&docker_file(env, Scope::User)?) {
            Some("docker")
        } else if auth_files(env)?.iter().any(|other| is(other)) {
            Some("podman")
        } else {
            None
        };
        let hosts = file
            .auths
            .iter()
            .map(|entry| (entry.key.clone(), entry.host()));
        let wired = match client {
            None => hosts.map(|(key, _)| key).collect(),
            Some("docker") => keys_asked(hosts, |host| {
                let wired = file.wired(host, host.server_url(), true);
                // What is in plain text is not there any more when this counts.
                matches!(wired, Wired::Here(_))
            }),
            Some(_) => {
                let mut podman = PodmanClient::read(env)?;
                podman.files.iter_mut().for_each(|file| file.auths.clear());
                keys_asked(hosts, |host| matches!(podman.wired(host), Wired::Here(_)))
            }
        };
        Ok(Some(Self {
            path: path.to_owned(),
            client,
            auths: file.auths,
            place,
            old,
            wired,
        }))
    }

    /// Whether the client asks this helper once the entry is gone.
    pub(super) fn asks_here(&self, key: &str) -> bool {
        self.wired.iter().any(|wired| wired == key)
    }

    /// Removes entries of `auths`, and keeps no copy of them.
    pub(super) fn remove(&self, keys: &[String]) -> Result<(), Error> {
        let new = without_auths(&self.old.text, keys).map_err(|cause| {
            Problem::new(self.path.display().to_string(), cause)
                .fix("nothing was removed; remove them by hand")
                .failed()
        })?;
        AuthFile::parse(&self.path, &new)?;
        self.place.replace(
            Some(&self.old),
            &new,
            &Rights::of(Some(&self.old), Readers::Owner),
        )
    }
}

/// An item that docker keeps verbatim is no registry, and goes where docker's registry goes.
fn keys_asked(
    hosts: impl Iterator<Item = (String, Option<Host>)>,
    asks: impl Fn(&Host) -> bool,
) -> Vec<String> {
    hosts
        .filter(|(_, host)| asks(host.as_ref().unwrap_or(&Host::docker_hub())))
        .map(|(key, _)| key)
        .collect()
}
