//! The token cache: sealed files, one per token, shared by all processes of the node's user.
//!
//! A token's file is named after everything the token depends on: workspace, host, backend, and a keyed hash of the
//! keys or of the identity's configuration. A rotated secret therefore never finds the old token. If the cache fails,
//! the answer does not: the fault becomes a warning, and the token is minted.

mod clock;
mod entry;
mod eviction;
mod failure;
mod inventory;
mod memory;
mod minting;
mod origin;
mod peek;
mod place;
mod renewal;
mod token_files;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

pub use self::clock::Moment;
pub(crate) use self::clock::wall_seconds;
pub use self::entry::State;
pub(crate) use self::entry::asked_life;
pub use self::failure::LastFailure;
pub use self::inventory::{Inventory, InventoryEntry, TokenLife};
pub use self::memory::{Asked, Memory, Recalled};
pub use self::origin::{NODE, OWN, Origin, POD};
pub use self::peek::Peek;
pub use self::renewal::Renewal;
use self::token_files::TokenFiles;
use crate::config::CacheConfig;
use crate::error::{Error, Warnings};
use crate::log::Log;
use crate::seal::SealKey;
use crate::token::{Minted, Scope};

/// A private directory of sealed tokens.
pub struct Cache {
    config: CacheConfig,
    dir: PathBuf,
    key: SealKey,
    in_memory: bool,
    min_life: Duration,
    warnings: Rc<Warnings>,
    log: Log,
    clock: Box<dyn Fn() -> Moment>,
}

/// Everything that a token depends on.
#[derive(Clone, Copy, Debug)]
pub struct TokenId<'a> {
    /// The workspace.
    pub workspace: &'a str,
    /// The registry that was asked for.
    pub host: &'a str,
    /// The path below the host in the request. It does not distinguish tokens.
    pub path: &'a str,
    /// The registry that `host` stands for (a rule's `alias_of`).
    pub real: &'a str,
    /// The backend.
    pub backend: &'a str,
    /// The store that had the secret, or [`NODE`]. It does not distinguish tokens.
    pub store: &'a str,
    /// The keys, or the identity.
    pub scope: &'a Scope,
}

impl Cache {
    fn new(config: CacheConfig, dir: PathBuf, key: SealKey, warnings: Rc<Warnings>) -> Self {
        Self {
            config,
            dir,
            key,
            in_memory: false,
            min_life: Duration::ZERO,
            warnings,
            log: Log::default(),
            clock: Box::new(Moment::now),
        }
    }

    /// The same cache, writing to this debug log.
    #[must_use]
    pub fn with_log(self, log: &Log) -> Self {
        Self {
            log: log.clone(),
            ..self
        }
    }

    /// Whether the cache is on tmpfs, so that tokens never touch a disk.
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        self.in_memory
    }

    fn in_memory(self) -> Self {
        Self {
            in_memory: true,
            ..self
        }
    }

    /// The same cache, returning only tokens with at least this much life left, if the provider issues such tokens.
    #[must_use]
    pub fn with_min_life(self, min_life: Duration) -> Self {
        Self { min_life, ..self }
    }

    /// The same cache with another clock.
    #[must_use]
    pub fn with_clock(self, clock: impl Fn() -> Moment + 'static) -> Self {
        Self {
            clock: Box::new(clock),
            ..self
        }
    }

    /// Returns the cached token and its expiry, or mints and caches one. `longest` limits how long it is cached.
    ///
    /// One process mints a token; the others poll for its result. A minting process that never finishes, because it was
    /// stopped or its provider hangs, does not block the others for good: after half of the remaining time, one of them
    /// mints too, and later each of them does. When a token is due, one process renews it, and the others meanwhile use
    /// the old one.
    pub fn get_or_mint(
        &self,
        id: &TokenId,
        longest: Option<Duration>,
        deadline: Instant,
        mint: impl Fn(Instant) -> Result<Minted, Error>,
    ) -> Result<Minted, Error> {
        self.minting(id, longest, deadline, mint).token()
    }

    /// The notes stored beside the tokens.
    #[must_use]
    pub fn memory(&self) -> Memory<'_> {
        Memory {
            dir: &self.dir,
            config: &self.config,
            key: &self.key,
            clock: &*self.clock,
        }
    }

    /// Removes every token of this workspace for this host. A file that cannot be removed becomes a warning.
    pub fn forget(&self, workspace: &str, host: &str) {
        let prefix = self.host_part(workspace, host);
        let Ok(files) = std::fs::read_dir(&self.dir) else {
            return;
        };
        for path in files.flatten().map(|file| file.path()) {
            let extension = path.extension().and_then(OsStr::to_str);
            let name = path.file_stem().and_then(OsStr::to_str);
            if matches!(extension, Some(TOKEN | FAILED | FAULT))
                && name.is_some_and(|name| name.starts_with(&prefix))
                && let Err(error) = std::fs::remove_file(&path)
            {
                let path = path.display();
                self.warnings.add(format_args!(
                    "token cache: {path} cannot be removed ({error})"
                ));
            }
        }
    }

    fn files(&self, id: &TokenId) -> TokenFiles<'_> {
        let parts = [id.workspace, id.host, id.real, id.backend]
            .into_iter()
            .chain(id.scope.parts());
        let name = self.host_part(id.workspace, id.host) + &self.key.fingerprint(parts)[..32];
        TokenFiles {
            dir: &self.dir,
            key: &self.key,
            name,
            min_life: self.min_life,
        }
    }

    fn host_part(&self, workspace: &str, host: &str) -> String {
        [&self.key.fingerprint([workspace, host])[..16], "-"].concat()
    }
}

const TOKEN: &str = "token";
const FAILED: &str = "failed";
const FAULT: &str = "fault";
const LOCK: &str = "lock";
/// The second lock, for a process that mints although the holder of the first one has not finished.
const SPARE: &str = "spare";
const MEMO: &str = "memo";
const MARK: &str = "mark";
