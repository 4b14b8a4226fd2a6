//! A sealing key in this user's kernel keyring (keyrings(7)). It is never on disk or in swap, and is lost at reboot.
//!
//! Its owner can read it from any session. That needs explicit permissions, because a systemd service has its own
//! session keyring, from which the user's keyring can't be reached. To set them, the maker must possess the key, which
//! it does through its process keyring while it runs.

use std::path::Path;
use std::time::{Duration, Instant};

use linux_keyutils::{
    Key, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission,
};
use zeroize::Zeroizing;

use super::SealKey;
use crate::lock::Lock;
use crate::private;
use crate::trusted::{self, FileError};

/// Reads the key of this directory; `None` if it has not been made yet or is lost.
pub(super) fn read(dir: &Path) -> Result<Option<SealKey>, FileError> {
    let key = match user_keyring().and_then(|ring| ring.search(&description(dir))) {
        Ok(key) => key,
        Err(error) if is_absent(error) => return Ok(None),
        Err(error) => return Err(unusable(error)),
    };
    match open(key) {
        Ok(key) => Ok(Some(key)),
        Err(error) if is_absent(error) => Ok(None),
        Err(error) => Err(unusable(error)),
    }
}

/// Reads the key of this directory, or makes one. If several processes do so at once, the first one's counts.
pub(super) fn read_or_make(dir: &Path) -> Result<SealKey, FileError> {
    if let Some(key) = read(dir)? {
        return Ok(key);
    }
    private::make_dir(dir)?;
    let lock = Lock::acquire(&dir.join(MARKER), Instant::now() + PATIENCE);
    let _lock = lock
        .ok()
        .flatten()
        .ok_or_else(|| FileError::new(dir, "cannot be locked", "make it writable for this user"))?;
    if let Some(key) = read(dir)? {
        return Ok(key);
    }
    let mut bytes = Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(bytes.as_mut())
        .map_err(|_| FileError::with("no random bytes are to be had for a key", "try again"))?;
    make(&description(dir), bytes.as_ref()).map_err(unusable)?;
    // Read the key back, because the next process will get what the keyring has.
    read(dir)?.ok_or_else(|| unusable(KeyError::KeyDoesNotExist))
}

/// Whether tokens in this directory may be sealed with a keyring key.
pub(crate) fn is_marked(dir: &Path) -> bool {
    trusted::exists(&dir.join(MARKER)).unwrap_or(true)
}

fn make(description: &str, bytes: &[u8]) -> Result<(), KeyError> {
    let ring = user_keyring()?;
    KeyRing::from_special_id(KeyRingIdentifier::Process, true)?.link_keyring(ring)?;
    let key = ring.add_key(description, bytes)?;
    let permissions = KeyPermissionsBuilder::builder()
        .posessor(Permission::ALL)
        .user(Permission::VIEW | Permission::READ | Permission::SEARCH)
        .build();
    key.set_perms(permissions).inspect_err(|_| {
        // A key that the next process can't read is useless.
        _ = ring.unlink_key(key);
    })
}

fn open(key: Key) -> Result<SealKey, KeyError> {
    let mut bytes = Zeroizing::new([0; 32]);
    let length = key.read(&mut *bytes)?;
    let bytes = Some(bytes.as_ref()).filter(|bytes| bytes.len() == length);
    bytes
        .and_then(|bytes| SealKey::new(bytes).ok())
        .ok_or(KeyError::InvalidArguments)
}

fn user_keyring() -> Result<KeyRing, KeyError> {
    KeyRing::from_special_id(KeyRingIdentifier::User, true)
}

/// The key's description: the directory's path, which reveals nothing about the key.
fn description(dir: &Path) -> String {
    format!("docker-credential-beta9:{}", dir.display())
}

/// Whether the key counts as missing. One whose maker died before setting permissions does.
fn is_absent(error: KeyError) -> bool {
    matches!(
        error,
        KeyError::KeyDoesNotExist
            | KeyError::KeyExpired
            | KeyError::KeyRevoked
            | KeyError::MissingFileOrDirectory
            | KeyError::AccessDenied
    )
}

fn unusable(error: KeyError) -> FileError {
    FileError::with(
        format!("the kernel's keyring cannot be used ({error:?})"),
        "allow add_key and keyctl (a container's seccomp profile may forbid them)",
    )
}

/// A file that is locked while a key is made, and that marks the directory's tokens as sealed with a keyring key.
const MARKER: &str = "keyring";
const PATIENCE: Duration = Duration::from_secs(2);
