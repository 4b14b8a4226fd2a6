//! `Minting`: a token out of its file or from its mint, one process at a time.

use std::time::{Duration, Instant};

use super::clock::wall_seconds;
use super::entry::{Entry, State};
use super::token_files::TokenFiles;
use super::{Cache, LOCK, SPARE, TokenId, eviction};
use crate::error::Error;
use crate::lock::{Lock, Waited};
use crate::token::Minted;

/// A token that is wanted.
pub(super) struct Minting<'a, M> {
    cache: &'a Cache,
    id: &'a TokenId<'a>,
    pub(super) files: TokenFiles<'a>,
    /// How long it may be kept at most.
    longest: Option<Duration>,
    deadline: Instant,
    mint: M,
}

impl Cache {
    pub(super) fn minting<'a, M>(
        &'a self,
        id: &'a TokenId<'a>,
        longest: Option<Duration>,
        deadline: Instant,
        mint: M,
    ) -> Minting<'a, M> {
        Minting {
            cache: self,
            id,
            files: self.files(id),
            longest,
            deadline,
            mint,
        }
    }
}

impl<M: Fn(Instant) -> Result<Minted, Error>> Minting<'_, M> {
    /// The cached token, or a minted one.
    pub(super) fn token(&self) -> Result<Minted, Error> {
        let (cache, files) = (self.cache, &self.files);
        let step = cache.log.step();
        let cached = files
            .read()
            .map(|entry| (files.state(&entry, (cache.clock)()), entry));
        let said = State::said(cached.as_ref().map(|(state, _)| *state));
        cache.log.done(step, format_args!("cache: {said}"));
        match cached {
            Some((State::Fresh, entry)) => return Ok(files.used(entry)),
            Some((State::Due, entry)) => return Ok(self.renew(entry)),
            // Where nothing that lives longer is to be had, it is still good.
            Some((State::Over, entry)) if entry.state((cache.clock)()) != State::Over => {
                return self.wait_or_mint().or_else(|error| {
                    cache.warnings.add(format_args!(
                        "the token is still good, for less than was asked for, and could not be renewed: {error}"
                    ));
                    Ok(files.used(entry))
                });
            }
            Some((State::Over, _)) | None => {}
        }
        self.wait_or_mint()
    }

    /// Mints, or waits for the process that does.
    fn wait_or_mint(&self) -> Result<Minted, Error> {
        let (cache, files) = (self.cache, &self.files);
        let (step, began) = (cache.log.step(), Instant::now());
        let left = self.deadline.saturating_duration_since(began);
        for (lock, wait) in [
            (files.path(LOCK), left / 2),
            (files.path(SPARE), left * 3 / 4),
        ] {
            match Lock::wait(&lock, began + wait, || files.settled((cache.clock)())) {
                Ok(Waited::Ours(_lock)) => return self.mint(),
                Ok(Waited::Theirs(answer)) => {
                    cache.log.done(
                        step,
                        format_args!(
                            "cache: waited for another process that was minting this token"
                        ),
                    );
                    return answer;
                }
                Ok(Waited::Overdue) => {
                    cache.log.note(format_args!(
                        "cache: another process has been minting this token for too long"
                    ));
                }
                Err(error) => {
                    let lock = lock.display();
                    cache.warnings.add(format_args!(
                        "token cache: the lock {lock} cannot be taken ({error})"
                    ));
                    return (self.mint)(self.deadline);
                }
            }
        }
        self.mint()
    }

    /// Mints, after one more look.
    fn mint(&self) -> Result<Minted, Error> {
        if let Some(answer) = self.files.settled((self.cache.clock)()) {
            return answer;
        }
        self.mint_now()
    }

    /// Mints, and keeps what comes of it.
    pub(super) fn mint_now(&self) -> Result<Minted, Error> {
        // A margin, so that those who wait are still there to be told of a refusal.
        let end = self.deadline.checked_sub(WAITERS_MARGIN);
        let minted = (self.mint)(end.unwrap_or(self.deadline));
        match &minted {
            Ok(minted) => self.keep(minted),
            Err(error) => self.fail(error),
        }
        minted
    }

    /// The renewed token, or the old one: it is still good, so whatever hinders the renewal isn't a failure.
    fn renew(&self, old: Entry) -> Minted {
        let (cache, files) = (self.cache, &self.files);
        let Ok(Some(_lock)) = Lock::try_acquire(&files.path(LOCK)) else {
            cache.log.note(format_args!(
                "cache: another process is renewing it; the old one is served"
            ));
            return files.used(old);
        };
        let now = (cache.clock)();
        let entry = files.read();
        if let Some(entry) = entry.filter(|entry| files.state(entry, now) == State::Fresh) {
            return files.used(entry);
        }
        let failure = files.failure();
        if failure.is_some_and(|failure| failure.is_within(RENEWAL_PAUSE, now)) {
            cache.log.note(format_args!(
                "cache: the last renewal failed within {RENEWAL_PAUSE:?}; the old one is served"
            ));
            return files.used(old);
        }
        match (self.mint)(self.deadline.min(Instant::now() + RENEWAL_PATIENCE)) {
            Ok(minted) => {
                self.keep(&minted);
                minted
            }
            Err(error) => {
                self.fail(&error);
                cache.warnings.add(format_args!(
                    "the token is still good but could not be renewed: {error}"
                ));
                files.used(old)
            }
        }
    }

    fn keep(&self, minted: &Minted) {
        let cache = self.cache;
        let (now, Some(expires)) = ((cache.clock)(), minted.expires) else {
            return;
        };
        let latest = self.longest.map(|longest| now.wall + longest.as_secs());
        let expires = wall_seconds(expires).min(latest.unwrap_or(u64::MAX));
        let Some(entry) = Entry::new(minted.credential.clone(), now, expires) else {
            return;
        };
        let step = cache.log.step();
        if let Err(fault) = self.files.write(self.id, &entry) {
            cache.warnings.add(format_args!("token cache: {fault}"));
        }
        cache.log.done(step, format_args!("cache: kept the token"));
        eviction::enforce(&cache.dir, &cache.config);
    }

    fn fail(&self, error: &Error) {
        self.files.fail(self.id, error, (self.cache.clock)());
        eviction::enforce(&self.cache.dir, &self.cache.config);
    }
}

const RENEWAL_PAUSE: Duration = Duration::from_mins(1);
const RENEWAL_PATIENCE: Duration = Duration::from_secs(3);
const WAITERS_MARGIN: Duration = Duration::from_millis(500);
