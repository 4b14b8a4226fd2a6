//! Podman, buildah, skopeo and CRI-O: `credential-helpers` of registries.conf, and the auth files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::refusal::NoHome;
use super::{AuthFile, Registries, RegistriesPlaces, Scope, docker_file};
use crate::config::Env;
use crate::error::Error;

/// The credential configuration of podman and its family.
#[derive(Debug)]
pub struct PodmanClient {
    /// registries.conf and its drop-in files.
    pub registries: Registries,
    /// The auth files, in the order of look-up.
    pub files: Vec<AuthFile>,
}

impl PodmanClient {
    /// Reads the files that this user's podman would read.
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

/// The auth files in the order of look-up
/// (<https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md>); a file named by the environment is
/// the only one.
pub fn auth_files(env: &Env) -> Result<Vec<PathBuf>, Error> {
    if let Some(file) = env.path("REGISTRY_AUTH_FILE")? {
        return Ok(vec![file]);
    }
    // With DOCKER_CONFIG set, docker's file comes first, and login and logout use it too.
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

/// The file that `podman login` writes, which is deleted with the session. Without a session directory, it is below a
/// directory of root's that others may not be able to reach: podman then creates its own session directory, and skopeo
/// fails.
fn session_file(env: &Env) -> PathBuf {
    let uid = || rustix::process::geteuid().as_raw().to_string();
    let dir = env.session_dir().map(|dir| dir.join("containers"));
    dir.unwrap_or_else(|| Path::new("/run/containers").join(uid()))
        .join(NAME)
}

/// The session's file, if there is no session directory and this user can't reach it.
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

/// The permanent auth file; a file named by the environment is the only one.
pub fn own_auth_file(env: &Env) -> Result<PathBuf, Error> {
    let named = env.path("REGISTRY_AUTH_FILE")?;
    let file = named.or_else(|| lasting_file(env));
    Ok(file.ok_or(NoHome("podman", "set HOME"))?)
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
