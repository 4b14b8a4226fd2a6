//! `KeyPlace`: where a sealing key is.

use std::path::{Path, PathBuf};

use super::env::Env;
use crate::error::Error;

/// Where a sealing key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// A systemd credential (<https://systemd.io/CREDENTIALS/>): its access list shows as group bits.
    Credential(PathBuf),
    /// A file of mode 0600, made on first use.
    File(PathBuf),
    /// This user's kernel keyring, under a description that names this directory. The key is never on disk or in swap.
    Keyring(PathBuf),
    /// Nowhere, because there is no home directory.
    Nowhere,
}

impl KeyPlace {
    /// The configured file, else systemd's credential if it exists, else a file beside the store.
    pub(super) fn find(
        configured: Option<PathBuf>,
        env: &Env,
        store: Option<&Path>,
    ) -> Result<Self, Error> {
        if let Some(path) = configured {
            return Ok(Self::File(path));
        }
        if let Some(path) = env.credential("beta9-credential-key")? {
            return Ok(Self::Credential(path));
        }
        Ok(store.map_or(Self::Nowhere, |store| {
            let mut path = store.as_os_str().to_owned();
            path.push(".key");
            Self::File(path.into())
        }))
    }
}
