//! Docker's own configuration file, which buildx, crane, oras, nerdctl, CLIP and the stargz and soci snapshotters read too
//! (<https://docs.docker.com/reference/cli/docker/#docker-cli-configuration-file-configjson-properties>).

use std::path::{Path, PathBuf};

use super::refusal::NoHome;
use super::{AuthEntry, AuthFile, Held, Scope};
use crate::config::Env;
use crate::error::Error;

/// What docker's configuration says about credentials.
#[derive(Debug)]
pub struct DockerClient {
    /// Its file.
    pub path: PathBuf,
    /// Its content; `None` if there is no file.
    pub file: Option<AuthFile>,
    /// The content of `DOCKER_AUTH_CONFIG`, which precedes the file.
    pub variable: Option<AuthFile>,
}

impl DockerClient {
    /// Reads the file of that scope.
    pub fn read(env: &Env, scope: Scope) -> Result<Self, Error> {
        let path = docker_file(env, scope)?;
        let file = AuthFile::read(&path)?;
        let variable = match scope {
            Scope::User => env.secret(DOCKER_AUTH_CONFIG)?,
            Scope::System => None,
        };
        Ok(Self {
            path,
            file,
            variable: variable.and_then(|text| brought(text.expose())),
        })
    }
}

/// The parts of `DOCKER_AUTH_CONFIG` that docker uses: only logins
/// (<https://github.com/docker/cli/blob/master/cli/config/configfile/file.go>).
fn brought(text: &str) -> Option<AuthFile> {
    let file = AuthFile::parse(Path::new(DOCKER_AUTH_CONFIG), text).ok()?;
    let login = |entry: &AuthEntry| matches!(entry.held, Held::Credential(_));
    let refused = file.docker_only.is_some()
        || file.creds_store.is_some()
        || !file.cred_helpers.is_empty()
        || !file.other_keys.is_empty()
        || !file.auths.iter().all(login);
    (!refused).then_some(file)
}

/// `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`. Docker has no system-wide file; system services read
/// root's.
pub fn docker_file(env: &Env, scope: Scope) -> Result<PathBuf, Error> {
    if scope == Scope::System {
        return Ok(Path::new(ROOTS_HOME).join(BELOW_HOME));
    }
    if let Some(dir) = env.path("DOCKER_CONFIG")? {
        return Ok(dir.join("config.json"));
    }
    let home = env.clients_home();
    let home = home.ok_or(NoHome("docker", "set HOME or DOCKER_CONFIG"))?;
    Ok(home.join(BELOW_HOME))
}

/// The variable with docker's logins, which precedes its file and all helpers.
pub const DOCKER_AUTH_CONFIG: &str = "DOCKER_AUTH_CONFIG";
const BELOW_HOME: &str = ".docker/config.json";
const ROOTS_HOME: &str = "/root";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_where_docker_looks() {
        let file = |env: &Env, scope| docker_file(env, scope).unwrap();
        let home = Env::of([("HOME", "/home/octo")]);
        assert_eq!(
            file(&home, Scope::User),
            Path::new("/home/octo/.docker/config.json")
        );
        assert_eq!(
            file(&home, Scope::System),
            Path::new("/root/.docker/config.json")
        );
        let chosen = Env::of([("HOME", "/home/octo"), ("DOCKER_CONFIG", "/etc/d")]);
        assert_eq!(file(&chosen, Scope::User), Path::new("/etc/d/config.json"));
        assert!(docker_file(&Env::of([("DOCKER_CONFIG", "d")]), Scope::User).is_err());
        assert!(docker_file(&Env::of([]), Scope::User).is_err());
    }
}
