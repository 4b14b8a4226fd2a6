//! `KeyFile`: a stored sealing key, made on first use, and refused if another user could have read or written it.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{SealKey, keyring};
use crate::config::KeyPlace;
use crate::error::Code;
use crate::private;
use crate::trusted::{self, FileError, Readers};

/// The place of a key.
#[derive(Clone, Debug)]
pub struct KeyFile(KeyPlace);

impl KeyFile {
    /// The key at this place.
    pub fn new(place: KeyPlace) -> Self {
        Self(place)
    }

    /// Reads the key; `None` if it has not been made yet.
    pub fn read(&self) -> Result<Option<SealKey>, FileError> {
        let (path, readers) = match &self.0 {
            KeyPlace::File(path) => (path, Readers::Owner),
            KeyPlace::Credential(path) => (path, Readers::Group),
            KeyPlace::Keyring(dir) => return keyring::read(dir),
            KeyPlace::Nowhere => return Err(homeless()),
        };
        let Some(bytes) = trusted::read(path, readers, MAX_KEY)? else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| "it is not base64".to_owned());
        let key = text.and_then(|text| {
            SealKey::from_base64(text.trim_end()).map_err(|error| error.to_string())
        });
        key.map(Some).map_err(|cause| {
            FileError::with(
                format!("the key {} is unusable: {cause}", path.display()),
                "it is one line, the base64 of 32 bytes: restore it",
            )
        })
    }

    /// Reads the key. Fails if it is missing, because the entries in this directory are sealed with it.
    pub fn existing(&self, entries: &Path) -> Result<SealKey, FileError> {
        self.read()?.ok_or_else(|| match self.path() {
            Some(path) => FileError::with(
                format!(
                    "the key {} is gone, and nothing opens without it",
                    path.display()
                ),
                format!(
                    "restore it, or remove all entries (rm -r {}) and log in again",
                    entries.display()
                ),
            ),
            None => homeless(),
        })
    }

    /// The path, if the key is in a file.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            KeyPlace::File(path) | KeyPlace::Credential(path) => Some(path),
            KeyPlace::Keyring(_) | KeyPlace::Nowhere => None,
        }
    }

    /// Reads the key, or makes one. If several processes do so at once, the first one's counts. `dir` is a private
    /// directory on the same file system.
    pub fn read_or_make(&self, dir: &Path) -> Result<SealKey, FileError> {
        if let KeyPlace::Keyring(dir) = &self.0 {
            return keyring::read_or_make(dir);
        }
        if let Some(key) = self.read()? {
            return Ok(key);
        }
        if let KeyPlace::File(path) = &self.0 {
            let mut bytes = Zeroizing::new([0; 32]);
            aws_lc_rs::rand::fill(bytes.as_mut()).map_err(|_| {
                FileError::with("no random bytes are available for a key", "try again")
            })?;
            let text = Zeroizing::new(format!("{}\n", STANDARD.encode(bytes.as_ref())));
            private::create_new(dir, path, text.as_bytes())?;
        }
        self.existing(dir)
    }
}

fn homeless() -> FileError {
    FileError {
        code: Code::ConfigMissing,
        ..FileError::with(
            "there is no home directory to keep it in",
            "set HOME, or BETA9_STORE_PATH",
        )
    }
}

const MAX_KEY: u64 = 4096;
