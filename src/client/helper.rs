//! Checks whether clients find the helper.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{Access, AtFlags, CWD, OFlags, accessat, fcntl_setfl};

use super::PROGRAM;
use super::refusal::unchanged;
use crate::error::Error;
use crate::shown::shown;

/// The result of searching a PATH for this program's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Helper {
    /// Found, and executable.
    Found(PathBuf),
    /// Found, but this user may not execute it.
    NotExecutable(PathBuf),
    /// In none of the directories.
    Missing,
}

/// Searches `path` for this program.
pub fn find_helper(path: &OsStr) -> Helper {
    find_program(path, PROGRAM)
}

/// Searches `path` as clients do: the first executable file counts. Relative directories don't, because clients written
/// in Go refuse programs found there (<https://pkg.go.dev/os/exec#hdr-Executables_in_the_current_directory>).
pub fn find_program(path: &OsStr, program: &str) -> Helper {
    let mut unusable = None;
    for dir in std::env::split_paths(path).filter(|dir| dir.is_absolute()) {
        let candidate = dir.join(program);
        if !fs::metadata(&candidate).is_ok_and(|metadata| metadata.is_file()) {
            continue;
        }
        if accessat(CWD, &candidate, Access::EXEC_OK, AtFlags::EACCESS).is_ok() {
            return Helper::Found(candidate);
        }
        unusable.get_or_insert(candidate);
    }
    unusable.map_or(Helper::Missing, Helper::NotExecutable)
}

/// Why the kernel would not start a program, judged by its first bytes without running it.
pub fn unstartable(program: &Path) -> Option<String> {
    let head = head(program).ok()?;
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next()?;
        // To the kernel, a Windows carriage return at the end of the line is part of the name.
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let mut words = line.split(blank).filter(|word| !word.is_empty());
        let interpreter = OsStr::from_bytes(words.next().unwrap_or_default());
        let shown = shown(&interpreter.to_string_lossy()).to_string();
        return (!Path::new(interpreter).is_file())
            .then(|| format!("its interpreter {shown} is missing"));
    }
    let Some(kind) = head.strip_prefix(b"\x7fELF").and_then(kind_of_machine) else {
        return Some("it is neither a program nor a script that begins with #!".to_owned());
    };
    let own = head_of_this().and_then(|own| kind_of_machine(own.get(4..)?));
    own.is_some_and(|own| own != kind)
        .then(|| "it is built for another kind of machine".to_owned())
}

/// Word size, byte order and machine from an ELF header (<https://man7.org/linux/man-pages/man5/elf.5.html>).
fn kind_of_machine(header: &[u8]) -> Option<[u8; 4]> {
    (header.len() > 15).then(|| [0, 1, 14, 15].map(|at| header[at]))
}

fn head_of_this() -> Option<Vec<u8>> {
    head(Path::new("/proc/self/exe")).ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "only checks whether a program can start; the content does not control this program"
)]
fn head(program: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD);
    File::open(program)?
        .take(HEAD as u64)
        .read_to_end(&mut head)?;
    Ok(head)
}

/// Whether the program, asked for its version, answers with this program's name in time. Of our environment, it gets
/// only `path` and, for wrappers that need one, a home directory.
pub fn is_this_program(program: &Path, path: &OsStr, home: Option<&Path>) -> bool {
    answers(program, path, home, PATIENCE)
}

/// Finds and tries the helper that a client finds in `path`, because one that can't run fails every pull. `place`
/// describes `path` in errors.
///
/// Of our environment, the helper gets only `path` and, for wrappers that need one, a home directory.
pub fn runnable_helper(path: &OsStr, home: Option<&Path>, place: &str) -> Result<PathBuf, Error> {
    let (cause, fix) = match find_helper(path) {
        Helper::Found(found) if is_this_program(&found, path, home) => return Ok(found),
        Helper::Found(found) => (
            format!(
                "{} does not run on this machine, or is another program",
                found.display()
            ),
            "install it again".to_owned(),
        ),
        Helper::NotExecutable(found) => (
            format!("{} is not executable", found.display()),
            format!("chmod 755 {}", found.display()),
        ),
        Helper::Missing => (
            format!("it is not {place}, where the client looks for it"),
            "put it there, or link to it from there".to_owned(),
        ),
    };
    Err(unchanged(Path::new(PROGRAM), cause, fix))
}

/// Whether a program, asked for its version, answers in time as this program does.
fn answers(program: &Path, path: &OsStr, home: Option<&Path>, patience: Duration) -> bool {
    let mut command = Command::new(program);
    // It may be any program, so it must not see our environment.
    command
        .arg("version")
        .env_clear()
        .env("PATH", path)
        .envs(home.map(|home| ("HOME", home)));
    said(&mut command, patience).is_some_and(|said| said.starts_with(PROGRAM))
}

/// A program's standard output, if it exits with 0 in time.
pub fn said(command: &mut Command, patience: Duration) -> Option<String> {
    let deadline = Instant::now() + patience;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let (mut out, mut said) = (child.stdout.take()?, Vec::new());
    let never_waits = fcntl_setfl(&out, OFlags::NONBLOCK).is_ok();
    let status = loop {
        let ended = child.try_wait();
        // A child of the program may keep the pipe open. Output after the program's exit does not count.
        if never_waits {
            let room = MOST.saturating_sub(said.len() as u64);
            _ = out.by_ref().take(room).read_to_end(&mut said);
        }
        match ended {
            Ok(Some(status)) => break status,
            Ok(None) if never_waits && Instant::now() < deadline => std::thread::sleep(PAUSE),
            _ => {
                // Kill it, which fails if it has exited meanwhile, and wait, so that no zombie remains.
                _ = child.kill().and_then(|()| child.wait());
                return None;
            }
        }
    };
    String::from_utf8(said).ok().filter(|_| status.success())
}

/// Many times longer than needed on a slow, loaded machine.
const PATIENCE: Duration = Duration::from_secs(15);
/// In bytes; more than any such program prints.
const MOST: u64 = 4 << 20;
/// In bytes; what the kernel looks at.
const HEAD: usize = 256;
const PAUSE: Duration = Duration::from_millis(5);

/// The PATH of services and of root on common distributions; systemd's default has no other directories
/// (<https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#%24PATH>).
pub const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_first_that_can_be_run_is_found_and_what_cannot_be_run_is_reported_apart() {
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
        // A link, because a file that was just written may still be open in a child of another test.
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
    fn what_the_kernel_does_not_start_is_reported_by_its_first_bytes() {
        let scratch = tempfile::tempdir().unwrap();
        let cause = |bytes: &[u8]| {
            let program = scratch.path().join("program");
            fs::write(&program, bytes).unwrap();
            unstartable(&program)
        };
        assert_eq!(unstartable(Path::new("/proc/self/exe")), None);
        assert_eq!(cause(b"#!/bin/sh -e\nexit 0\n"), None);
        let missing = cause(b"#! /nowhere/python3\n").unwrap();
        assert_eq!(missing, "its interpreter /nowhere/python3 is missing");
        assert!(cause(b"#!/bin/sh\r\n").unwrap().contains("missing"));
        let mut other = head_of_this().unwrap();
        other[18] ^= 1;
        let cause_of = |bytes: &[u8]| cause(bytes).unwrap_or_default();
        assert!(cause_of(&other).contains("another kind of machine"));
        for bytes in [b"".as_slice(), b"echo", b"\x7fELF", b"<html>"] {
            assert!(cause_of(bytes).contains("neither"), "{bytes:?}");
        }
    }

    #[test]
    fn a_directory_of_that_name_and_a_relative_directory_do_not_count() {
        let scratch = tempfile::tempdir().unwrap();
        fs::create_dir(scratch.path().join(PROGRAM)).unwrap();
        assert_eq!(find_helper(scratch.path().as_os_str()), Helper::Missing);
        assert_eq!(find_helper(OsStr::new(".:bin:")), Helper::Missing);
    }
}
