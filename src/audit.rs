//! The audit log, if the operator configures a file for it: one line of JSON for each request.
//!
//! Each line is one `write` to a file opened with `O_APPEND`, so lines of parallel processes never mix. A file that has
//! grown too long is rotated under a lock; `AuditConfig` limits how many are kept.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;
use serde::{Serialize, Serializer};

use crate::config::AuditConfig;
use crate::json;
use crate::lock::Lock;
use crate::private;
use crate::trusted::{self, FileError};

/// One request.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Line<'a> {
    /// The command: `get`, `store`, `kubelet`, …
    pub verb: &'a str,
    /// The registry, if the request names a valid one.
    pub host: Option<&'a str>,
    /// The workspace.
    pub workspace: &'a str,
    /// `answered`, `not_found`, `error`, …
    pub outcome: &'a str,
    /// Where the answer came from: a store, the node's own identity, or the cache.
    pub source: &'a str,
    /// The store that had the secret.
    pub store: &'a str,
    /// How long the request took; written in milliseconds.
    #[serde(rename = "milliseconds", serialize_with = "milliseconds")]
    pub took: Duration,
}

/// A line with its time and the calling process.
#[derive(Serialize)]
struct Written<'a> {
    time: String,
    #[serde(flatten)]
    line: &'a Line<'a>,
    parent_pid: u64,
    parent: Option<String>,
}

/// Appends a line. Fails if the file cannot be opened safely, locked or written.
pub fn write(config: &AuditConfig, line: &Line) -> Result<(), FileError> {
    let (parent_pid, parent) = parent();
    let text = json::line(&Written {
        time: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
        line,
        parent_pid,
        parent,
    });
    let mut file = open(&config.path)?;
    let failed = |error| unwritable(&config.path, &error);
    let (length, more) = (file.metadata().map_err(failed)?.len(), text.len() as u64);
    if length > 0 && length + more > config.max_bytes && rotate(config, more)? {
        file = open(&config.path)?;
    }
    if file.write(text.as_bytes()).map_err(failed)? == text.len() {
        Ok(())
    } else {
        Err(failed(io::ErrorKind::StorageFull.into()))
    }
}

fn milliseconds<S: Serializer>(took: &Duration, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_f64(took.as_secs_f64() * 1000.0)
}

/// The parent process: its id and the name it gives itself.
#[expect(
    clippy::disallowed_methods,
    reason = "a file of the kernel, which neither controls the program nor contains a secret"
)]
fn parent() -> (u64, Option<String>) {
    let id = rustix::process::getppid()
        .map_or(0, |id| u64::from(id.as_raw_nonzero().get().unsigned_abs()));
    let name = fs::read(format!("/proc/{id}/comm")).ok();
    (
        id,
        name.map(|name| String::from_utf8_lossy(&name).trim_end().to_owned()),
    )
}

/// Opens the file. Refuses one that another user made or linked, because that user could change the log.
fn open(path: &Path) -> Result<File, FileError> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    let there = trusted::directory(dir);
    if !there.map_err(|fault| FileError {
        fix: OWN_DIRECTORY.to_owned(),
        ..fault
    })? {
        private::make_dir(dir)?;
    }
    // A link could lead anywhere, and opening a pipe would block.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY)
        .bits()
        .cast_signed();
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(flags)
        .open(path);
    let file = file.map_err(|error| unwritable(path, &error))?;
    let metadata = file.metadata().map_err(|error| unwritable(path, &error))?;
    let refused = |cause: &str, fix: String| {
        let fix = format!("{fix}, or name another file");
        Err(FileError::new(path, cause, fix))
    };
    if !metadata.is_file() {
        return refused("is not a plain file", "move it out of the way".to_owned());
    }
    trusted::check_owner(path, metadata.uid()).map_err(|fault| FileError {
        fix: "move it out of the way, or name another file".to_owned(),
        ..fault
    })?;
    // No link is left if another process has just rotated the file and keeps no old ones.
    if metadata.nlink() > 1 {
        return refused(
            "has another name too (a hard link)",
            "move it out of the way".to_owned(),
        );
    }
    if metadata.mode() & 0o022 != 0 {
        let cause = format!(
            "can be written by others (mode {:04o})",
            metadata.mode() & 0o7777
        );
        return refused(&cause, format!("chmod 600 {}", path.display()));
    }
    Ok(file)
}

/// Rotates the file; returns whether the current file now has room. If the lock is taken, another process is rotating,
/// and this one writes to the full file rather than wait.
fn rotate(config: &AuditConfig, needed: u64) -> Result<bool, FileError> {
    let path = &config.path;
    let failed = |error| unwritable(path, &error);
    let Some(_lock) = Lock::try_acquire(&beside(path, "lock")).map_err(failed)? else {
        return Ok(false);
    };
    // Another process may have just rotated it.
    if fs::metadata(path).map_or(true, |now| now.len() + needed <= config.max_bytes) {
        return Ok(true);
    }
    let numbered = |number: u64| beside(path, &number.to_string());
    for number in (1..config.keep).rev() {
        _ = fs::rename(numbered(number), numbered(number + 1));
    }
    let put_aside = match config.keep {
        0 => fs::remove_file(path),
        _ => fs::rename(path, numbered(1)),
    };
    put_aside.map(|()| true).map_err(failed)
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(extension);
    name.into()
}

fn unwritable(path: &Path, error: &io::Error) -> FileError {
    let cause = format_args!("cannot be written ({error})");
    FileError::new(path, cause, "make room or make it writable")
}

const OWN_DIRECTORY: &str =
    "name a file in a directory that this user or root alone can write to, such as /var/log/beta9";
