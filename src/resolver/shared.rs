//! Mints tokens that all replicas share through the workspace's database, once for all of them.
//!
//! A fault in sharing isn't a failure: the token is then minted for this node only.

use std::time::{Duration, Instant};

use super::{Resolver, Route};
use crate::backend::{Backend, Login};
use crate::cache::{Cache, asked_life};
use crate::error::{Code, Error};
use crate::store::{Lease, Shared, SharedToken, Slot, Store};
use crate::token::{Minted, Scope};

/// Whether a token may be shared, and the shared tokens read so far.
#[derive(Clone, Copy)]
pub(super) enum Sharing<'a> {
    /// Not shared; the token is for this node only.
    No,
    /// The shared tokens were read with the secret.
    Read(Option<&'a Shared>),
    /// The shared tokens are read when needed.
    Ask,
}

/// A token to mint.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) backend: &'a Backend,
    pub(super) login: Login<'a>,
    pub(super) route: &'a Route<'a>,
    pub(super) scope: &'a Scope,
    pub(super) cache: Option<&'a Cache>,
    pub(super) sharing: Sharing<'a>,
}

impl Resolver {
    /// The shared token, or a newly minted one, which is then shared. It must be there by `deadline`.
    pub(super) fn mint_once(&self, mut wanted: Wanted, deadline: Instant) -> Result<Minted, Error> {
        wanted.login.deadline = deadline;
        let fetched;
        let (store, shared) = match (&self.workspace, wanted.sharing) {
            // A node's identity isn't the workspace's, so its tokens are not shared.
            _ if wanted.login.keys.is_none() || !wanted.scope.identity().is_empty() => {
                return self.mint_alone(wanted);
            }
            (Store::Postgres(store), Sharing::Read(shared)) => (store, shared),
            (Store::Postgres(store), Sharing::Ask) => {
                let host = wanted.route.host.as_reference();
                fetched = store.shared(host, patience(deadline));
                self.hinders(fetched.as_ref().err());
                (store, fetched.as_ref().ok().and_then(Option::as_ref))
            }
            _ => return self.mint_alone(wanted),
        };
        let Some(shared) = shared else {
            return self.mint_alone(wanted);
        };
        let real = wanted.route.real.as_str();
        let name = shared.slot(real, wanted.backend.name(), wanted.scope);
        self.mint_shared(&store.slot(shared, &name), wanted)
    }

    fn mint_alone(&self, wanted: Wanted) -> Result<Minted, Error> {
        match wanted.cache {
            Some(cache) => self.mint_for(cache, &wanted),
            None => self.mint(wanted.backend, &wanted.login),
        }
    }

    fn mint_shared(&self, slot: &Slot, wanted: Wanted) -> Result<Minted, Error> {
        let deadline = wanted.login.deadline;
        let mut token = slot.token();
        // After that, there is still time to mint without the lease.
        let until = halfway(deadline);
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(fresh) = token.take_if(|token| self.is_good(token) && !token.is_due()) {
                self.log.note(format_args!("shared tokens: hit"));
                return Ok(fresh.into_minted());
            }
            match slot.lease(token.as_ref(), patience(deadline)) {
                Ok(Lease::Ours(by)) => {
                    let minted = self.mint_alone(wanted);
                    self.settle(slot, Some(&by), &minted, &wanted);
                    return minted.or_else(|error| self.or_old(token, error));
                }
                Ok(Lease::Theirs(there)) => {
                    let ends = |token: &SharedToken| token.left();
                    if there.as_ref().map(ends) > token.as_ref().map(ends) {
                        token = there;
                        continue;
                    }
                }
                Err(error) => {
                    self.hinders(Some(&error));
                    let minted = self.mint_alone(wanted);
                    return minted.or_else(|error| self.or_old(token, error));
                }
            }
            if let Some(old) = token.take_if(|token| self.is_good(token)) {
                self.log.note(format_args!(
                    "shared tokens: another replica is renewing it; the old one is served"
                ));
                return Ok(old.into_minted());
            }
            if Instant::now() + pause > until {
                self.log.note(format_args!(
                    "shared tokens: another replica has been minting it for too long"
                ));
                let minted = self.mint_alone(wanted);
                self.settle(slot, None, &minted, &wanted);
                return minted;
            }
            std::thread::sleep(jittered(pause));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Shares a minted token. If the provider refused, releases the lease `by`, so that nobody waits for it.
    fn settle(
        &self,
        slot: &Slot,
        by: Option<&str>,
        minted: &Result<Minted, Error>,
        wanted: &Wanted,
    ) {
        let deadline = patience(wanted.login.deadline);
        let done = match (minted, by) {
            (Ok(minted), _) => slot.share(minted, wanted.backend.longest_life(), deadline),
            // If the provider is overloaded, the others should wait, so the lease is kept.
            (Err(error), Some(by)) if error.code() != Some(Code::MintThrottled) => {
                slot.release(by, deadline)
            }
            (Err(_), _) => Ok(()),
        };
        self.hinders(done.err().as_ref());
    }

    /// If a mint fails, the old token, which is due but still valid.
    fn or_old(&self, old: Option<SharedToken>, error: Error) -> Result<Minted, Error> {
        match old.filter(|old| !old.left().is_zero()) {
            Some(old) => {
                self.warnings.add(format_args!(
                    "the token is still good but could not be renewed: {error}"
                ));
                Ok(old.into_minted())
            }
            None => Err(error),
        }
    }

    fn is_good(&self, token: &SharedToken) -> bool {
        let left = token.left();
        !left.is_zero() && left >= asked_life(self.min_life, token.whole())
    }

    fn hinders(&self, error: Option<&Error>) {
        if let Some(error) = error {
            self.log.note(format_args!("shared tokens: {error}"));
        }
    }
}

/// The deadline for the database. It is short, because the token can be minted without it.
fn patience(deadline: Instant) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) / 4
}

pub(super) fn halfway(deadline: Instant) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) / 2
}

/// A random part of the pause, at least half, so that waiting replicas don't retry together.
fn jittered(pause: Duration) -> Duration {
    let mut random = [0; 1];
    // Without random bytes, they merely retry together.
    _ = aws_lc_rs::rand::fill(&mut random);
    pause / 2 + pause * u32::from(random[0]) / 510
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(800);
