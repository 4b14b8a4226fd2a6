//! Keeps the cache's directory small: what is expired goes first, then what was used least lately.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{FAILED, FAULT, LOCK, MEMO, SPARE, TOKEN};
use crate::config::CacheConfig;
use crate::lock::Lock;

/// A token file, as its times tell: it is modified when it expires, and accessed when it was last used.
struct Token {
    path: PathBuf,
    bytes: u64,
    expires: SystemTime,
    used: SystemTime,
}

/// Removes expired tokens, then the least lately used, until both bounds hold; and locks and failures of no token.
///
/// Whatever cannot be removed stays: the next mint tries again.
pub(super) fn enforce(dir: &Path, config: &CacheConfig) {
    let Ok(files) = fs::read_dir(dir) else { return };
    let now = SystemTime::now();
    let (mut tokens, mut faults) = (Vec::new(), Vec::new());
    for path in files.flatten().map(|file| file.path()) {
        match path.extension().and_then(OsStr::to_str) {
            Some(TOKEN) => tokens.extend(token(path)),
            Some(LOCK | SPARE | FAILED) if is_orphan(&path, now) => remove(&path.with_extension(TOKEN)),
            Some(FAULT) if is_older(&path, now, FAULT_LIFE) => _ = fs::remove_file(&path),
            Some(FAULT) => faults.extend(modified(&path).map(|time| (time, path))),
            // Nothing that is noted is of use after a day, and what is in use is noted anew.
            Some(MEMO) if is_older(&path, now, MEMO_LIFE) => _ = fs::remove_file(&path),
            _ => {}
        }
    }
    let (mut live, expired): (Vec<_>, Vec<_>) = tokens.into_iter().partition(|token| token.expires > now);
    for token in expired {
        remove(&token.path);
    }
    faults.sort_unstable();
    let too_many = faults.len().saturating_sub(usize::try_from(config.max_entries).unwrap_or(usize::MAX));
    for (_, path) in &faults[..too_many] {
        _ = fs::remove_file(path);
    }
    live.sort_by_key(|token| std::cmp::Reverse(token.used));
    let (mut count, mut bytes) = (0, 0);
    for token in live {
        count += 1;
        bytes += token.bytes;
        if count > config.max_entries || bytes > config.max_bytes {
            remove(&token.path);
        }
    }
}

fn token(path: PathBuf) -> Option<Token> {
    let metadata = fs::metadata(&path).ok()?;
    let (expires, used) = (metadata.modified().ok()?, metadata.accessed().ok()?);
    Some(Token { path, bytes: metadata.len(), expires, used })
}

/// A lock or failure that has no token, and is too old for anybody to be at work on one.
fn is_orphan(path: &Path, now: SystemTime) -> bool {
    is_older(path, now, ORPHAN) && !path.with_extension(TOKEN).exists()
}

fn is_older(path: &Path, now: SystemTime, than: Duration) -> bool {
    matches!(modified(path).map(|time| now.duration_since(time)), Some(Ok(age)) if age > than)
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// Removes a token with its failure and its lock, unless somebody holds the lock.
pub(super) fn remove(token: &Path) {
    let lock = token.with_extension(LOCK);
    if let Ok(Some(_held)) = Lock::try_acquire(&lock) {
        for path in [token, &token.with_extension(FAILED), &token.with_extension(SPARE), &lock] {
            _ = fs::remove_file(path);
        }
    }
}

const ORPHAN: Duration = Duration::from_hours(1);
const FAULT_LIFE: Duration = Duration::from_hours(7 * 24);
const MEMO_LIFE: Duration = Duration::from_hours(24);
