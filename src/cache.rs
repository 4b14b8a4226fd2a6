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
mod mint_lock;
mod origin;
mod peek;
mod place;
mod renewal;
mod token_files;

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

pub use self::clock::Moment;
use self::clock::wall_seconds;
use self::entry::Entry;
pub use self::entry::State;
pub use self::failure::LastFailure;
pub use self::inventory::{Inventory, InventoryEntry, TokenLife};
pub use self::memory::{Asked, Memory, Recalled};
use self::mint_lock::{MintLock, NotLocked};
pub use self::origin::{NODE, OWN, Origin, POD};
pub use self::peek::Peek;
pub use self::renewal::Renewal;
use self::token_files::TokenFiles;
use crate::config::CacheConfig;
use crate::error::{Error, Warnings};
use crate::lock::Lock;
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
        let (files, step) = (self.files(id), self.log.step());
        let cached = files
            .read()
            .map(|entry| (files.state(&entry, (self.clock)()), entry));
        self.log.done(
            step,
            format_args!(
                "cache: {}",
                State::said(cached.as_ref().map(|(state, _)| *state))
            ),
        );
        match cached {
            Some((State::Fresh, entry)) => return Ok(files.used(entry)),
            Some((State::Due, entry)) => {
                return Ok(self.renew(id, &files, entry, longest, deadline, &mint));
            }
            // No token with a longer life is available, but this one is still valid.
            Some((State::Over, entry)) if entry.state((self.clock)()) != State::Over => {
                let minted = self.wait_or_mint(id, &files, longest, deadline, &mint);
                return minted.or_else(|error| {
                    self.warnings.add(format_args!(
                        "the token is still good, for less than was asked for, and could not be renewed: {error}"
                    ));
                    Ok(files.used(entry))
                });
            }
            Some((State::Over, _)) | None => {}
        }
        self.wait_or_mint(id, &files, longest, deadline, &mint)
    }

    /// Mints, or waits for the process that is minting.
    fn wait_or_mint(
        &self,
        id: &TokenId,
        files: &TokenFiles,
        longest: Option<Duration>,
        deadline: Instant,
        mint: &impl Fn(Instant) -> Result<Minted, Error>,
    ) -> Result<Minted, Error> {
        let (step, began) = (self.log.step(), Instant::now());
        let left = deadline.saturating_duration_since(began);
        for (lock, wait) in [
            (files.path(LOCK), left / 2),
            (files.path(SPARE), left * 3 / 4),
        ] {
            match MintLock::wait(&lock, began + wait, || files.settled((self.clock)())) {
                Ok(MintLock::Ours(_lock)) => {
                    return self.mint(id, files, longest, deadline, mint);
                }
                Ok(MintLock::Theirs(answer)) => {
                    self.log.done(
                        step,
                        format_args!(
                            "cache: waited for another process that was minting this token"
                        ),
                    );
                    return answer;
                }
                Err(NotLocked::Overdue) => {
                    self.log.note(format_args!(
                        "cache: another process has been minting this token for too long"
                    ));
                }
                Err(NotLocked::Lock(error)) => {
                    let lock = lock.display();
                    self.warnings.add(format_args!(
                        "token cache: the lock {lock} cannot be taken ({error})"
                    ));
                    return mint(deadline);
                }
            }
        }
        self.mint(id, files, longest, deadline, mint)
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
        for file in files.flatten() {
            let name = file.file_name();
            let of_a_token = Path::new(&name).extension().is_some_and(|extension| {
                [TOKEN, FAILED, FAULT]
                    .into_iter()
                    .any(|known| extension == known)
            });
            if of_a_token
                && name.to_str().is_some_and(|name| name.starts_with(&prefix))
                && let Err(error) = std::fs::remove_file(file.path())
            {
                self.warnings.add(format_args!(
                    "token cache: {} cannot be removed ({error})",
                    file.path().display()
                ));
            }
        }
    }

    /// Mints, after checking the cache once more.
    fn mint(
        &self,
        id: &TokenId,
        files: &TokenFiles,
        longest: Option<Duration>,
        deadline: Instant,
        mint: &impl Fn(Instant) -> Result<Minted, Error>,
    ) -> Result<Minted, Error> {
        if let Some(answer) = files.settled((self.clock)()) {
            return answer;
        }
        // Leaves a margin, so that waiting processes can still read a refusal before their own deadline.
        let minted = mint(deadline.checked_sub(WAITERS_MARGIN).unwrap_or(deadline));
        match &minted {
            Ok(minted) => self.keep(id, files, minted, longest),
            Err(error) => self.fail(id, files, error),
        }
        minted
    }

    /// The renewed token, or the old one. It is still valid, so a failed renewal isn't a failure.
    fn renew(
        &self,
        id: &TokenId,
        files: &TokenFiles,
        old: Entry,
        longest: Option<Duration>,
        deadline: Instant,
        mint: &impl Fn(Instant) -> Result<Minted, Error>,
    ) -> Minted {
        let Ok(Some(_lock)) = Lock::try_acquire(&files.path(LOCK)) else {
            self.log.note(format_args!(
                "cache: another process is renewing it; the old one is served"
            ));
            return files.used(old);
        };
        let now = (self.clock)();
        if let Some(entry) = files
            .read()
            .filter(|entry| files.state(entry, now) == State::Fresh)
        {
            return files.used(entry);
        }
        if files
            .failure()
            .is_some_and(|failure| failure.is_within(RENEWAL_PAUSE, now))
        {
            self.log.note(format_args!(
                "cache: the last renewal failed within {RENEWAL_PAUSE:?}; the old one is served"
            ));
            return files.used(old);
        }
        match mint(deadline.min(Instant::now() + RENEWAL_PATIENCE)) {
            Ok(minted) => {
                self.keep(id, files, &minted, longest);
                minted
            }
            Err(error) => {
                self.fail(id, files, &error);
                self.warnings.add(format_args!(
                    "the token is still good but could not be renewed: {error}"
                ));
                files.used(old)
            }
        }
    }

    fn keep(&self, id: &TokenId, files: &TokenFiles, minted: &Minted, longest: Option<Duration>) {
        let (now, Some(expires)) = ((self.clock)(), minted.expires) else {
            return;
        };
        let latest = longest.map_or(u64::MAX, |longest| now.wall + longest.as_secs());
        let Some(entry) = Entry::new(
            minted.credential.clone(),
            now,
            wall_seconds(expires).min(latest),
        ) else {
            return;
        };
        let step = self.log.step();
        if let Err(fault) = files.write(id, &entry) {
            self.warnings.add(format_args!("token cache: {fault}"));
        }
        self.log.done(step, format_args!("cache: kept the token"));
        eviction::enforce(&self.dir, &self.config);
    }

    fn fail(&self, id: &TokenId, files: &TokenFiles, error: &Error) {
        files.fail(id, error, (self.clock)());
        eviction::enforce(&self.dir, &self.config);
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
const RENEWAL_PAUSE: Duration = Duration::from_mins(1);
const RENEWAL_PATIENCE: Duration = Duration::from_secs(3);
const WAITERS_MARGIN: Duration = Duration::from_millis(500);
