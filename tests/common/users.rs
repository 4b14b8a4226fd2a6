//! Tests with several users on one machine, which need root.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use beta9_credential::config::Env;
use tempfile::TempDir;

use super::{Answer, BINARY};

/// A user of no account.
pub const ALICE: u32 = 12_345;
pub const BOB: u32 = 54_321;
/// Where the system keeps what mounts and unshares.
pub const TOOLS: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// A machine on which root and others have files.
pub struct Machine {
    scratch: TempDir,
    /// The helper, where everybody can run it.
    pub helper: PathBuf,
}

impl Machine {
    /// `None` without root, which skips `test` by name; with `STRICT=1`, that is a failure.
    pub fn new(test: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            skip(test, "only root gives files to other users");
            return None;
        }
        let scratch = tempfile::tempdir().unwrap();
        chmod(scratch.path(), 0o755);
        let helper = scratch.path().join("docker-credential-beta9");
        // By another process: a program that this one has open for writing, in any thread's fork, cannot be started.
        assert!(
            Command::new("cp")
                .args([BINARY.as_ref(), helper.as_os_str()])
                .status()
                .unwrap()
                .success()
        );
        Some(Self { scratch, helper })
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// A directory of this owner, who is also its group.
    pub fn dir(&self, name: &str, owner: u32, mode: u32) -> PathBuf {
        let mut path = self.scratch.path().to_owned();
        for part in name.split('/') {
            path.push(part);
            if !path.exists() {
                fs::create_dir(&path).unwrap();
                chmod(&path, mode);
                chown(&path, Some(owner), Some(owner)).unwrap();
            }
        }
        chmod(&path, mode);
        path
    }

    pub fn file(&self, name: &str, owner: u32, mode: u32, text: &str) -> PathBuf {
        let path = self.at(name);
        fs::write(&path, text).unwrap();
        chmod(&path, mode);
        chown(&path, Some(owner), Some(owner)).unwrap();
        path
    }

    pub fn link(&self, name: &str, owner: u32, target: &str) -> PathBuf {
        let path = self.at(name);
        std::os::unix::fs::symlink(target, &path).unwrap();
        lchown(&path, Some(owner), Some(owner)).unwrap();
        path
    }

    /// The helper with these variables alone, started by this user.
    pub fn run_as(
        &self,
        user: u32,
        verb: &[&str],
        variables: &[(&str, &str)],
        input: &str,
    ) -> Answer {
        self.run_in((user, user), verb, variables, input)
    }

    pub fn run_in(
        &self,
        (user, group): (u32, u32),
        verb: &[&str],
        variables: &[(&str, &str)],
        input: &str,
    ) -> Answer {
        let mut command = Command::new(&self.helper);
        // No test leaves anything in the home directory of root's account.
        command
            .args(verb)
            .env_clear()
            .env("BETA9_CACHE", "off")
            .envs(variables.iter().copied())
            .uid(user)
            .gid(group);
        answered(command, input)
    }

    /// The same by root where these commands of a shell were run first, in mounts of its own; `None` where nothing may be
    /// mounted.
    pub fn run_mounted(
        &self,
        mounts: &str,
        verb: &[&str],
        variables: &[(&str, &str)],
        input: &str,
    ) -> Option<Answer> {
        let script = format!("{{ {mounts}; }} >&2 || exit 99; exec \"$0\" \"$@\"");
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "/bin/sh", "-c", &script])
            .arg(&self.helper)
            .args(verb);
        command
            .env_clear()
            .env("PATH", TOOLS)
            .envs(variables.iter().copied());
        let answer = answered(command, input);
        (answer.status != 99 && !answer.err.starts_with("unshare:")).then_some(answer)
    }
}

/// Runs a command that must not block forever.
pub fn answered(mut command: Command, input: &str) -> Answer {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes());
    assert!(ends(&mut child), "it never ends: {command:?}");
    Answer::of(child)
}

fn ends(child: &mut Child) -> bool {
    let end = Instant::now() + Duration::from_mins(2);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

pub fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Reports a skipped test by name; with `STRICT=1`, that is a failure.
pub fn skip(test: &str, why: &str) {
    let strict = Env::process().text("STRICT").unwrap().as_deref() == Some("1");
    assert!(!strict, "{test}: {why}");
    println!("skip {test}: {why}");
}
