//! nerdctl reads logins only from a docker configuration, so it gets one that names this helper and contains no secret.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::geteuid;

use crate::client::PROGRAM;
use crate::config::Env;
use crate::error::Error;
use crate::private;

/// Makes nerdctl ask this helper for every spelling of a registry that it tries.
pub(super) fn configure(command: &mut Command, env: &Env) -> Result<(), Error> {
    let dir = match env.session_dir() {
        Some(dir) => dir.join(PROGRAM),
        None => format!("/dev/shm/{PROGRAM}-{}", geteuid().as_raw()).into(),
    };
    let dir = dir.join("with");
    private::make_dir(&dir)
        .and_then(|()| private::replace_unsynced(&dir, "config.json", CONFIG, None))
        .map_err(|fault| fault.problem("nerdctl"))?;
    command.env("DOCKER_CONFIG", &dir);
    if let Some(path) = search_path(&env.search_path()) {
        command.env("PATH", path);
    }
    Ok(())
}

/// `PATH` with this program's directory added, if the helper would not be found otherwise.
fn search_path(path: &OsString) -> Option<OsString> {
    let mut dirs: Vec<PathBuf> = std::env::split_paths(path).collect();
    if dirs.iter().any(|dir| dir.join(PROGRAM).is_file()) {
        return None;
    }
    let program = std::env::current_exe().ok()?;
    dirs.insert(0, program.parent().unwrap_or(Path::new("/")).to_owned());
    std::env::join_paths(dirs).ok()
}

const CONFIG: &[u8] = b"{\"credsStore\":\"beta9\"}\n";
