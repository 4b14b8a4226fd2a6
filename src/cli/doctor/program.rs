//! Checks whether clients that look for the helper find this very program.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use super::access::may;
use super::finding::{Finding, word};
use crate::client::{Helper, PROGRAM, SYSTEM_PATH, find_helper, is_this_program, unstartable};
use crate::config::Env;

/// Searches this user's PATH on behalf of the wired clients.
pub(super) fn look(env: &Env, wired: &[&str]) -> Vec<Finding> {
    let path = env.search_path();
    let me = std::env::current_exe().ok();
    let so = match wired {
        [] => "a client that is wired to it fails".to_owned(),
        clients => format!("what {} would pull through it fails", clients.join(" and ")),
    };
    match find_helper(&path) {
        Helper::Found(found) => at(&found, me.as_deref(), env, &so),
        Helper::NotExecutable(found) => {
            let what = format!("{} may not be run by this user: {so}", found.display());
            let finding = Finding::broken("client.helper_not_executable", what);
            vec![finding.command("chmod 755", [word(&found)])]
        }
        Helper::Missing => {
            let what = format!("{PROGRAM} is in no directory of the PATH: {so}");
            let finding = Finding::broken("client.helper_missing", what);
            vec![install(finding, &path, me)]
        }
    }
}

fn at(found: &Path, me: Option<&Path>, env: &Env, so: &str) -> Vec<Finding> {
    let first = match me {
        Some(me) if !same(me, found) => other(found, me, env, so),
        _ => {
            let what = format_args!("clients find {}", found.display());
            Finding::ok("program.found", what)
        }
    };
    let dir = found.parent().unwrap_or(found);
    let system = std::env::split_paths(SYSTEM_PATH).any(|one| one == dir);
    let what = format!(
        "{} is not on the PATH of services: one that pulls must be given it",
        dir.display()
    );
    let elsewhere = (!system).then(|| Finding::note("program.not_on_service_path", what));
    [first].into_iter().chain(elsewhere).collect()
}

/// A finding for a different file, which counts as this program if it says so itself.
fn other(found: &Path, me: &Path, env: &Env, so: &str) -> Finding {
    let shown = found.display();
    let why = unstartable(found).or_else(|| {
        let runs = is_this_program(found, &env.search_path(), env.home().as_deref());
        (!runs).then(|| "asked for its version, it does not say its name".to_owned())
    });
    let finding = match why {
        Some(why) => {
            let what = format!("{shown} is what clients run, and it does not work: {why}: {so}");
            Finding::broken("client.helper_not_runnable", what)
        }
        None => other_build("clients run", found, me),
    };
    put(finding, me, found)
}

/// A finding for a file that is not this program, `me`.
pub(super) fn other_build(runs: &str, program: &Path, me: &Path) -> Finding {
    let (program, me) = (program.display(), me.display());
    let what = format!("{runs} {program}, which is another build than this program, {me}");
    Finding::warn("program.other_build", what)
}

/// Installs this program, `me`, as `program`.
pub(super) fn put(finding: Finding, me: &Path, program: &Path) -> Finding {
    let dir = program.parent().unwrap_or(program);
    let sudo = match may(dir, Access::WRITE_OK) {
        Ok(()) => "",
        Err(_) => "sudo ",
    };
    let install = format!("{sudo}install -D -m 755");
    finding.command(&install, [word(me), word(program)])
}

/// Whether both are the same file, or have the same content.
#[expect(
    clippy::disallowed_methods,
    reason = "the content is only compared with this program"
)]
pub(super) fn same(one: &Path, other: &Path) -> bool {
    let (Ok(a), Ok(b)) = (fs::metadata(one), fs::metadata(other)) else {
        return false;
    };
    (a.dev(), a.ino()) == (b.dev(), b.ino())
        || a.len() == b.len()
            && matches!((fs::read(one), fs::read(other)), (Ok(a), Ok(b)) if a == b)
}

/// Adds the fix: a link in a directory of the PATH that this user can write to.
fn install(finding: Finding, path: &std::ffi::OsStr, me: Option<PathBuf>) -> Finding {
    let Some(me) = me else {
        return finding.words("install it in /usr/local/bin");
    };
    let dirs = std::env::split_paths(path).filter(|dir| dir.is_absolute());
    let mut dirs: Vec<PathBuf> = dirs.collect();
    let local = Path::new(LOCAL);
    // Other system directories belong to the package manager. Of the rest, those that a person would choose come first.
    let packaged =
        |dir: &Path| dir != local && std::env::split_paths(SYSTEM_PATH).any(|one| one == dir);
    dirs.sort_by_key(|dir| !(dir.ends_with(".local/bin") || dir == local));
    let writable =
        |dir: &&PathBuf| !packaged(dir) && dir.is_dir() && may(dir, Access::WRITE_OK).is_ok();
    if let Some(dir) = dirs.iter().find(writable) {
        return finding.command("ln -sf", [word(&me), word(&dir.join(PROGRAM))]);
    }
    let is_own = me.ends_with(PROGRAM) && !dirs.iter().any(|dir| dir == local);
    match me.parent().filter(|_| is_own) {
        Some(dir) => {
            let dirs = [dir].into_iter().chain(dirs.iter().map(PathBuf::as_path));
            let dirs: Vec<String> = dirs.map(word).collect();
            finding.export("PATH", &dirs.join(":"))
        }
        None => finding.command("sudo ln -sf", [word(&me), format!("{LOCAL}/{PROGRAM}")]),
    }
}

const LOCAL: &str = "/usr/local/bin";
