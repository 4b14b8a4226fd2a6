//! Docker's own configuration file, which buildx, crane, oras, nerdctl, CLIP and the stargz and soci snapshotters read too
//! (<https://docs.docker.com/reference/cli/docker/#docker-cli-configuration-file-configjson-properties>).

use std::path::{Path, PathBuf};

use super::{AuthFile, Scope, Wired};
use crate::config::Env;
use crate::error::{Error, Problem};
use crate::host::Host;

/// What docker's configuration says about credentials.
#[derive(Debug)]
pub struct DockerClient {
    /// Its file.
    pub path: PathBuf,
    /// What is in it; `None` when there is no file.
    pub file: Option<AuthFile>,
}

impl DockerClient {
    /// Reads the file of that scope.
    pub fn read(env: &Env, scope: Scope) -> Result<Self, Error> {
        let path = docker_file(env, scope)?;
        let file = AuthFile::read(&path)?;
        Ok(Self { path, file })
    }

    /// Whom docker asks for a registry.
    #[must_use]
    pub fn wired(&self, host: &Host) -> Wired {
        self.file.as_ref().map_or(Wired::Nowhere, |file| {
            file.wired(host, host.server_url(), true)
        })
    }
}

/// `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`. Docker has no file for the whole system: what serves the
/// machine reads root's.
pub fn docker_file(env: &Env, scope: Scope) -> Result<PathBuf, Error> {
    if scope == Scope::System {
        return Ok(Path::new(ROOTS_HOME).join(BELOW_HOME));
    }
    if let Some(dir) = env.path("DOCKER_CONFIG")? {
        return Ok(dir.join("config.json"));
    }
    let home = env.clients_home().ok_or_else(|| {
        Problem::new("docker", "there is no home directory to look in")
            .fix("set HOME or DOCKER_CONFIG")
            .failed()
    })?;
    Ok(home.join(BELOW_HOME))
}

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
