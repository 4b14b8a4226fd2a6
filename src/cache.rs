//! The token cache: sealed files, one per token, shared by all processes of the node's user.
//!
//! A token's file is named after what it depends on: workspace, host, backend, and a keyed hash of the keys or of the
//! identity's configuration. So a rotated secret misses the old token by construction. No fault of the cache ever fails
//! an answer: it is a warning, and the token is minted.

mod bound;
mod clock;
mod entry;
mod failure;
mod memory;
mod peek;
mod slot;

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::fs::{Access, access};

pub use self::clock::Moment;
use self::clock::wall_seconds;
use self::entry::{Entry, State};
pub use self::memory::{Memory, Recalled};
pub use self::peek::Peek;
use self::slot::Slot;
use crate::backend::{Minted, Scope};
use crate::config::{CacheConfig, KeyPlace};
use crate::error::{Error, Problem, Warnings};
use crate::lock::Lock;
use crate::private::{self, Fault};
use crate::seal::{KeyFile, SealKey};

/// A private directory of sealed tokens.
pub struct Cache {
    config: CacheConfig,
    dir: PathBuf,
    key: SealKey,
    warnings: Rc<Warnings>,
    clock: Box<dyn Fn() -> Moment>,
}

/// What a token depends on.
#[derive(Clone, Copy, Debug)]
pub struct TokenId<'a> {
    /// The workspace.
    pub workspace: &'a str,
    /// The registry that was asked for.
    pub host: &'a str,
    /// The registry that it stands for.
    pub real: &'a str,
    /// The backend.
    pub backend: &'a str,
    /// The keys, or the identity.
    pub scope: &'a Scope,
}

impl Cache {
    /// The first of the configured directories that can be used, made if need be; `None` where there is none.
    pub fn open(config: &CacheConfig, key: &KeyPlace, warnings: &Rc<Warnings>) -> Option<Self> {
        if !config.enabled {
            return None;
        }
        config.dirs.iter().find_map(|dir| match open_dir(dir, key) {
            Ok(key) => Some(Self {
                config: config.clone(),
                dir: dir.clone(),
                key,
                warnings: warnings.clone(),
                clock: Box::new(Moment::now),
            }),
            Err(fault) => {
                warnings.add(format_args!("token cache: {fault}"));
                None
            }
        })
    }

    /// The same cache by another clock.
    #[must_use]
    pub fn with_clock(self, clock: impl Fn() -> Moment + 'static) -> Self {
        Self { clock: Box::new(clock), ..self }
    }

    /// The cached token with its end, or else a minted one, which is then cached. `longest` bounds how long it is kept.
    ///
    /// One process mints a token at a time and the others wait for it, looking for its result; a token that is half
    /// through its life is renewed by the one process that need not wait, while the others are served the old one.
    pub fn get_or_mint(
        &self,
        id: &TokenId,
        longest: Option<Duration>,
        deadline: Instant,
        mint: impl Fn(Instant) -> Result<Minted, Error>,
    ) -> Result<Minted, Error> {
        let slot = self.slot(id);
        if let Some(entry) = slot.read() {
            match entry.state((self.clock)()) {
                State::Fresh => return Ok(slot.used(entry)),
                State::Due => return Ok(self.renew(&slot, entry, longest, deadline, &mint)),
                State::Over => {}
            }
        }
        let mut pause = FIRST_PAUSE;
        loop {
            match Lock::try_acquire(&slot.path(LOCK)) {
                Ok(Some(_lock)) => return self.mint(&slot, longest, deadline, &mint),
                Ok(None) => {}
                Err(error) => {
                    self.warnings.add(format_args!(
                        "token cache: the lock {} cannot be taken ({error})",
                        slot.path(LOCK).display()
                    ));
                    return mint(deadline);
                }
            }
            if Instant::now() + pause > deadline {
                return Err(overdue());
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
            if let Some(answer) = slot.settled((self.clock)()) {
                return answer;
            }
        }
    }

    /// The notes that are kept beside the tokens.
    #[must_use]
    pub fn memory(&self) -> Memory<'_> {
        Memory { dir: &self.dir, key: &self.key, clock: &*self.clock }
    }

    /// Forgets every token of this workspace for this host. What cannot be removed is told as a warning.
    pub fn forget(&self, workspace: &str, host: &str) {
        let prefix = self.host_part(workspace, host);
        let Ok(files) = std::fs::read_dir(&self.dir) else { return };
        for file in files.flatten() {
            let name = file.file_name();
            let token_or_failure =
                Path::new(&name).extension().is_some_and(|extension| extension == TOKEN || extension == FAILED);
            if token_or_failure
                && name.to_str().is_some_and(|name| name.starts_with(&prefix))
                && let Err(error) = std::fs::remove_file(file.path())
            {
                self.warnings.add(format_args!("token cache: {} cannot be removed ({error})", file.path().display()));
            }
        }
    }

    /// Mints under the lock, after one more look.
    fn mint(
        &self,
        slot: &Slot,
        longest: Option<Duration>,
        deadline: Instant,
        mint: &impl Fn(Instant) -> Result<Minted, Error>,
    ) -> Result<Minted, Error> {
        if let Some(answer) = slot.settled((self.clock)()) {
            return answer;
        }
        // A margin, so that those who wait are still there to be told of the failure.
        let minted = mint(deadline.checked_sub(WAITERS_MARGIN).unwrap_or(deadline));
        match &minted {
            Ok(minted) => self.keep(slot, minted, longest),
            Err(error) => slot.fail(error, (self.clock)()),
        }
        minted
    }

    /// The renewed token, or the old one: it is still good, so whatever hinders the renewal is no failure.
    fn renew(
        &self,
        slot: &Slot,
        old: Entry,
        longest: Option<Duration>,
        deadline: Instant,
        mint: &impl Fn(Instant) -> Result<Minted, Error>,
    ) -> Minted {
        let Ok(Some(_lock)) = Lock::try_acquire(&slot.path(LOCK)) else { return slot.used(old) };
        let now = (self.clock)();
        if let Some(entry) = slot.read().filter(|entry| entry.state(now) == State::Fresh) {
            return slot.used(entry);
        }
        if slot.failure().is_some_and(|failure| failure.is_within(RENEWAL_PAUSE, now)) {
            return slot.used(old);
        }
        match mint(deadline.min(Instant::now() + RENEWAL_PATIENCE)) {
            Ok(minted) => {
                self.keep(slot, &minted, longest);
                minted
            }
            Err(error) => {
                slot.fail(&error, now);
                self.warnings.add(format_args!("the token is still good but could not be renewed: {error}"));
                slot.used(old)
            }
        }
    }

    fn keep(&self, slot: &Slot, minted: &Minted, longest: Option<Duration>) {
        let (now, Some(expires)) = ((self.clock)(), minted.expires) else { return };
        let latest = longest.map_or(u64::MAX, |longest| now.wall + longest.as_secs());
        let Some(entry) = Entry::new(minted.credential.clone(), now, wall_seconds(expires).min(latest)) else { return };
        if let Err(fault) = slot.write(&entry) {
            self.warnings.add(format_args!("token cache: {fault}"));
        }
        bound::enforce(&self.dir, &self.config);
    }

    fn slot(&self, id: &TokenId) -> Slot<'_> {
        let parts =
            [id.workspace, id.host, id.real, id.backend].into_iter().chain(id.scope.0.iter().map(String::as_str));
        let name = format!("{}{}", self.host_part(id.workspace, id.host), &self.key.fingerprint(parts)[..32]);
        Slot { dir: &self.dir, key: &self.key, name }
    }

    fn host_part(&self, workspace: &str, host: &str) -> String {
        format!("{}-", &self.key.fingerprint([workspace, host])[..16])
    }
}

fn open_dir(dir: &Path, store_key: &KeyPlace) -> Result<SealKey, Fault> {
    if !private::check_dir(dir)? {
        private::make_dir(dir)?;
    }
    access(dir, Access::WRITE_OK).map_err(|error| Fault {
        cause: format!("{} cannot be written ({error})", dir.display()),
        fix: "make it writable, or set cache.dir".to_owned(),
    })?;
    KeyFile::new(key_place(dir, store_key)).read_or_make(dir)
}

/// The key of a cache in this directory: systemd's credential, if the store has one, else a file of its own.
fn key_place(dir: &Path, store_key: &KeyPlace) -> KeyPlace {
    match store_key {
        KeyPlace::Credential(path) => KeyPlace::Credential(path.clone()),
        _ => KeyPlace::File(dir.join("key")),
    }
}

fn overdue() -> Error {
    Problem::new("token cache", "another process is minting this token and has not come to an end")
        .fix("try again; see whether the provider is reachable from this node")
        .unreachable()
}

const TOKEN: &str = "token";
const FAILED: &str = "failed";
const LOCK: &str = "lock";
const MEMO: &str = "memo";
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);
const RENEWAL_PAUSE: Duration = Duration::from_mins(1);
const RENEWAL_PATIENCE: Duration = Duration::from_secs(3);
const WAITERS_MARGIN: Duration = Duration::from_millis(500);
