//! Keeps the cache's directory small: removes expired files first, then the least recently used. Tokens and notes share
//! the limits: half is reserved for each, and either may use what the other leaves.

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{FAILED, FAULT, LOCK, MARK, MEMO, SPARE, TOKEN};
use crate::config::CacheConfig;
use crate::lock::Lock;
use crate::trusted;

/// A token, note or mark. The file's modification time is its expiry, and its access time its last use.
struct Entry {
    path: PathBuf,
    bytes: u64,
    expires: SystemTime,
    used: SystemTime,
}

/// A number of files, and of bytes.
#[derive(Clone, Copy, Default)]
struct Room {
    files: u64,
    bytes: u64,
}

/// Removes expired files, then the least recently used, until both limits hold; also locks and failures without a
/// token.
///
/// A file that can't be removed stays; the next writer tries again.
pub(super) fn enforce(dir: &Path, config: &CacheConfig) {
    let Ok(files) = fs::read_dir(dir) else { return };
    let now = SystemTime::now();
    let (mut tokens, mut notes, mut marks, mut faults) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for path in files.flatten().map(|file| file.path()) {
        match path.extension().and_then(OsStr::to_str) {
            Some(TOKEN) => tokens.extend(entry(path)),
            Some(MEMO) => notes.extend(entry(path)),
            Some(MARK) => marks.extend(entry(path)),
            Some(LOCK | SPARE | FAILED) if is_orphan(&path, now) => {
                remove(&path.with_extension(TOKEN));
            }
            Some(FAULT) if is_older(&path, now, FAULT_LIFE) => _ = fs::remove_file(&path),
            Some(FAULT) => faults.extend(modified(&path).map(|time| (time, path))),
            _ => {}
        }
    }
    faults.sort_unstable();
    let too_many = faults
        .len()
        .saturating_sub(usize::try_from(config.max_entries).unwrap_or(usize::MAX));
    for (_, path) in &faults[..too_many] {
        _ = fs::remove_file(path);
    }
    let remove_note = |path: &Path| _ = fs::remove_file(path);
    let tokens = live(tokens, now, remove);
    // Marks outrank notes: without its mark, a wrong note may count; without a note, the store is merely asked.
    let notes: Vec<Entry> = live(marks, now, remove_note)
        .into_iter()
        .chain(live(notes, now, remove_note))
        .collect();
    let all = Room {
        files: config.max_entries,
        bytes: config.max_bytes,
    };
    let of_notes = Room {
        files: all.files / 2,
        bytes: all.bytes / 2,
    }
    .holds(&notes);
    let kept = all.without(of_notes).holds(&tokens);
    for token in tokens.iter().skip(kept.len()) {
        remove(&token.path);
    }
    let kept = all.without(kept).holds(&notes);
    for note in notes.iter().skip(kept.len()) {
        remove_note(&note.path);
    }
}

/// The unexpired entries, the most recently used first. Expired ones are removed.
fn live(entries: Vec<Entry>, now: SystemTime, remove: impl Fn(&Path)) -> Vec<Entry> {
    let (mut live, expired): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|entry| entry.expires > now);
    for entry in expired {
        remove(&entry.path);
    }
    live.sort_by_key(|entry| Reverse(entry.used));
    live
}

impl Room {
    /// The room that the first entries need that fit.
    fn holds(self, entries: &[Entry]) -> Self {
        let mut taken = Self::default();
        for entry in entries {
            let (files, bytes) = (taken.files + 1, taken.bytes + entry.bytes);
            if files > self.files || bytes > self.bytes {
                break;
            }
            taken = Self { files, bytes };
        }
        taken
    }

    fn without(self, taken: Self) -> Self {
        Self {
            files: self.files - taken.files,
            bytes: self.bytes - taken.bytes,
        }
    }

    fn len(self) -> usize {
        usize::try_from(self.files).unwrap_or(usize::MAX)
    }
}

fn entry(path: PathBuf) -> Option<Entry> {
    let metadata = fs::metadata(&path).ok()?;
    let (expires, used) = (metadata.modified().ok()?, metadata.accessed().ok()?);
    Some(Entry {
        path,
        bytes: metadata.len(),
        expires,
        used,
    })
}

/// Whether this is a lock or failure without a token, too old for a mint to be in progress.
fn is_orphan(path: &Path, now: SystemTime) -> bool {
    is_older(path, now, ORPHAN) && matches!(trusted::exists(&path.with_extension(TOKEN)), Ok(false))
}

fn is_older(path: &Path, now: SystemTime, than: Duration) -> bool {
    matches!(modified(path).map(|time| now.duration_since(time)), Some(Ok(age)) if age > than)
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// Removes a token, its failure and its lock, unless the lock is held.
pub(super) fn remove(token: &Path) {
    let lock = token.with_extension(LOCK);
    if let Ok(Some(_held)) = Lock::try_acquire(&lock) {
        for path in [
            token,
            &token.with_extension(FAILED),
            &token.with_extension(SPARE),
            &lock,
        ] {
            _ = fs::remove_file(path);
        }
    }
}

const ORPHAN: Duration = Duration::from_hours(1);
const FAULT_LIFE: Duration = Duration::from_hours(7 * 24);
