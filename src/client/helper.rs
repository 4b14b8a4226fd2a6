//! Whether a client that looks for the helper finds it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{Access, AtFlags, CWD, accessat};

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
pub fn runnable_helper(path: &OsStr, place: &str) -> Result<PathBuf, Error> {
    let problem = |cause: String, fix: &str| {
        Err(Problem::new(PROGRAM, cause).fix(format_args!("nothing was changed; {fix}")).failed())
    };
    match find_helper(path) {
        Helper::Missing => problem(
            format!("it is not {place}, where the client looks for it"),
            "put it there, or link to it from there",
        ),
        Helper::NotExecutable(path) => {
            problem(format!("{} is not executable", path.display()), &format!("chmod 755 {}", path.display()))
        }
        Helper::Found(path) if answers(&path) => Ok(path),
        Helper::Found(path) => problem(
            format!("{} does not run on this machine, or is another program", path.display()),
            "install it anew",
        ),
    }
}

/// Whether it says its name when it is asked for its version, as this program does.
fn answers(path: &Path) -> bool {
    let output = Command::new(path).arg("version").stdin(Stdio::null()).output();
    output.is_ok_and(|output| output.status.success() && output.stdout.starts_with(PROGRAM.as_bytes()))
}

fn executable(path: &Path) -> bool {
    accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

const PROGRAM: &str = env!("CARGO_PKG_NAME");

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
        assert_eq!(find_helper(&path), Helper::NotExecutable(first.join(PROGRAM)));
        fs::write(second.join(PROGRAM), "").unwrap();
        fs::set_permissions(second.join(PROGRAM), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find_helper(&path), Helper::Found(second.join(PROGRAM)));
    }

    #[test]
    fn a_directory_of_that_name_and_a_relative_directory_do_not_count() {
        let scratch = tempfile::tempdir().unwrap();
        fs::create_dir(scratch.path().join(PROGRAM)).unwrap();
        assert_eq!(find_helper(scratch.path().as_os_str()), Helper::Missing);
        assert_eq!(find_helper(OsStr::new(".:bin:")), Helper::Missing);
    }
}
