//! Podman, buildah, skopeo and CRI-O: `credential-helpers` of registries.conf, then auth file after auth file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{AuthFile, Registries, RegistriesPlaces, Scope, docker_file};
use crate::config::Env;
use crate::error::{Code, Error, Problem};

/// What podman and its family are told about credentials.
#[derive(Debug)]
pub struct PodmanClient {
    /// registries.conf and its further files.
    pub registries: Registries,
    /// Its auth files, in the order in which they are asked.
    pub files: Vec<AuthFile>,
}

impl PodmanClient {
    /// Reads all of it, as this user's podman would.
    pub fn read(env: &Env) -> Result<Self, Error> {
        let registries = Registries::read(RegistriesPlaces::of(env, Scope::User))?;
        let paths = auth_files(env)?;
        let files = paths
            .iter()
            .filter_map(|path| AuthFile::read(path).transpose());
        let files = files.collect::<Result<_, _>>()?;
        Ok(Self { registries, files })
    }
}

/// The auth files in the order in which they are asked
/// (<https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md>); one that is named is the only one.
pub fn auth_files(env: &Env) -> Result<Vec<PathBuf>, Error> {
    if let Some(file) = env.path("REGISTRY_AUTH_FILE")? {
        return Ok(vec![file]);
    }
    // DOCKER_CONFIG moves docker's file to the front, where login and logout work too.
    let docker_first = env.path("DOCKER_CONFIG")?.is_some();
    let docker = Some(docker_file(env, Scope::User)?);
    let files = if docker_first {
        [docker, lasting_file(env), None]
    } else {
        let session = session_file(env);
        let is_reached = env.session_dir().is_some() || !is_closed(&session);
        [is_reached.then_some(session), lasting_file(env), docker]
    };
    Ok(files.into_iter().flatten().collect())
}

/// The one that `podman login` writes. It ends with the session. Without a session's directory it is below one that is
/// root's, and may be out of everybody else's reach: podman makes itself a session's directory then, and skopeo fails.
fn session_file(env: &Env) -> PathBuf {
    let uid = || rustix::process::geteuid().as_raw().to_string();
    let dir = env.session_dir().map(|dir| dir.join("containers"));
    dir.unwrap_or_else(|| Path::new("/run/containers").join(uid()))
        .join(NAME)
}

/// The session's file where there is no session's directory and this user cannot reach it.
pub fn closed_session(env: &Env) -> Option<PathBuf> {
    let is_asked =
        env.session_dir().is_none() && matches!(env.path("REGISTRY_AUTH_FILE"), Ok(None));
    is_asked
        .then(|| session_file(env))
        .filter(|path| is_closed(path))
}

fn is_closed(path: &Path) -> bool {
    fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// The one that stays, for what is to last; one that is named is the only one.
pub fn own_auth_file(env: &Env) -> Result<PathBuf, Error> {
    let named = env.path("REGISTRY_AUTH_FILE")?;
    let no_home = || {
        Problem::new("podman", "there is no home directory to look in")
            .code(Code::ConfigMissing)
            .fix("set HOME")
            .failed()
    };
    named.or_else(|| lasting_file(env)).ok_or_else(no_home)
}

fn lasting_file(env: &Env) -> Option<PathBuf> {
    env.clients_xdg("XDG_CONFIG_HOME", ".config")
        .map(|dir| dir.join("containers").join(NAME))
}

const NAME: &str = "auth.json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_auth_files_are_asked_in_podmans_order() {
        let files = |env: &Env| -> Vec<String> {
            auth_files(env)
                .unwrap()
                .iter()
                .map(|path| path.display().to_string())
                .collect()
        };
        let (home, run) = (("HOME", "/h"), ("XDG_RUNTIME_DIR", "/run/user/7"));
        let session = "/run/user/7/containers/auth.json";
        assert_eq!(
            files(&Env::of([home, run])),
            [
                session,
                "/h/.config/containers/auth.json",
                "/h/.docker/config.json"
            ]
        );
        let moved = Env::of([
            home,
            run,
            ("XDG_CONFIG_HOME", "/x"),
            ("DOCKER_CONFIG", "/d"),
        ]);
        assert_eq!(files(&moved), ["/d/config.json", "/x/containers/auth.json"]);
        assert_eq!(
            files(&Env::of([home, run, ("REGISTRY_AUTH_FILE", "/a.json")])),
            ["/a.json"]
        );
    }
}
