//! Whether a client that looks for the helper finds it.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{Access, AtFlags, CWD, OFlags, accessat, fcntl_setfl};

use crate::error::{Error, Problem};

/// What a search of a PATH for this program's name comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Helper {
    /// It is there and can be run.
    Found(PathBuf),
    /// The one that is there may not be run by this user.
    NotExecutable(PathBuf),
    /// It is in none of the directories.
    Missing,
}

/// Looks along `path` as clients do: the first file that may be run; relative directories do not count, because clients
/// written in Go refuse what they find there (<https://pkg.go.dev/os/exec#hdr-Executables_in_the_current_directory>).
#[must_use]
pub fn find_helper(path: &OsStr) -> Helper {
    let mut unusable = None;
    for dir in std::env::split_paths(path).filter(|dir| dir.is_absolute()) {
        let candidate = dir.join(PROGRAM);
        if !fs::metadata(&candidate).is_ok_and(|metadata| metadata.is_file()) {
            continue;
        }
        if executable(&candidate) {
            return Helper::Found(candidate);
        }
        unusable.get_or_insert(candidate);
    }
    unusable.map_or(Helper::Missing, Helper::NotExecutable)
}

/// The helper that a client finds along `path`, in words `place`, tried: one that is named and cannot be run fails every pull.
///
/// It gets nothing of this program's environment but `path` and, for a wrapper that needs one, a home directory.
pub fn runnable_helper(path: &OsStr, home: Option<&Path>, place: &str) -> Result<PathBuf, Error> {
    let problem = |cause: String, fix: &str| {
        Err(Problem::new(PROGRAM, cause)
            .fix(format_args!("nothing was changed; {fix}"))
            .failed())
    };
    match find_helper(path) {
        Helper::Missing => problem(
            format!("it is not {place}, where the client looks for it"),
            "put it there, or link to it from there",
        ),
        Helper::NotExecutable(path) => problem(
            format!("{} is not executable", path.display()),
            &format!("chmod 755 {}", path.display()),
        ),
        Helper::Found(found) if answers(&found, path, home, PATIENCE) => Ok(found),
        Helper::Found(path) => problem(
            format!(
                "{} does not run on this machine, or is another program",
                path.display()
            ),
            "install it anew",
        ),
    }
}

/// Whether it says its name when it is asked for its version, as this program does, and that in time.
fn answers(program: &Path, path: &OsStr, home: Option<&Path>, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    let mut command = Command::new(program);
    // It may be any program: what this one holds in its environment is none of its business.
    command
        .arg("version")
        .env_clear()
        .env("PATH", path)
        .envs(home.map(|home| ("HOME", home)));
    let Ok(mut child) = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
    else {
        return false;
    };
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(PAUSE),
            _ => {
                // It may have ended meanwhile, and is waited for so that nothing is left of it.
                _ = child.kill().and_then(|()| child.wait());
                return false;
            }
        }
    };
    // Something that it has started may still hold the other end open.
    let mut said = [0; PROGRAM.len()];
    let said = child
        .stdout
        .filter(|out| fcntl_setfl(out, OFlags::NONBLOCK).is_ok())
        .is_some_and(|mut out| out.read_exact(&mut said).is_ok() && said == *PROGRAM.as_bytes());
    status.success() && said
}

fn executable(path: &Path) -> bool {
    accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

const PROGRAM: &str = env!("CARGO_PKG_NAME");
/// Many times what it takes on a slow machine under load.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(5);

/// The PATH of services and of root on common distributions; systemd's default has no more than this
/// (<https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#%24PATH>).
pub const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_first_that_can_be_run_is_found_and_what_cannot_be_run_is_told_apart() {
        let scratch = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| scratch.path().join(name));
        for dir in [&first, &second] {
            fs::create_dir(dir).unwrap();
        }
        let path = std::env::join_paths([&first, &second]).unwrap();
        assert_eq!(find_helper(&path), Helper::Missing);
        fs::write(first.join(PROGRAM), "").unwrap();
        fs::set_permissions(first.join(PROGRAM), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(
            find_helper(&path),
            Helper::NotExecutable(first.join(PROGRAM))
        );
        fs::write(second.join(PROGRAM), "").unwrap();
        fs::set_permissions(second.join(PROGRAM), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find_helper(&path), Helper::Found(second.join(PROGRAM)));
    }

    #[test]
    fn a_program_that_does_not_end_is_not_waited_for() {
        let begin = Instant::now();
        let scratch = tempfile::tempdir().unwrap();
        // A link, because a file just written may still be open in a child of another test.
        let program = scratch.path().join("tail");
        std::os::unix::fs::symlink("/usr/bin/yes", &program).unwrap();
        assert!(!answers(
            &program,
            OsStr::new(""),
            None,
            Duration::from_millis(50)
        ));
        assert!(begin.elapsed() < Duration::from_mins(1));
    }

    #[test]
    fn a_directory_of_that_name_and_a_relative_directory_do_not_count() {
        let scratch = tempfile::tempdir().unwrap();
        fs::create_dir(scratch.path().join(PROGRAM)).unwrap();
        assert_eq!(find_helper(scratch.path().as_os_str()), Helper::Missing);
        assert_eq!(find_helper(OsStr::new(".:bin:")), Helper::Missing);
    }
}
