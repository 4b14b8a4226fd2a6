//! Mints tokens that all replicas share through the workspace's database, once for all of them.
//!
//! A fault in sharing isn't a failure: the token is then minted for this node only.

use std::time::{Duration, Instant};

use super::{Resolver, Route};
use crate::backend::{Backend, Login};
use crate::cache::Cache;
use crate::error::{Code, Error};
use crate::store::{Lease, PostgresStore, Shared, SharedToken, Store};
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
    pub(super) route: &'a Route<'a>,
    pub(super) scope: &'a Scope,
    pub(super) cache: Option<&'a Cache>,
    pub(super) sharing: Sharing<'a>,
}

impl Resolver {
    /// The shared token, or a newly minted one, which is then shared.
    pub(super) fn mint_once(&self, wanted: Wanted, login: &Login) -> Result<Minted, Error> {
        // A node's identity isn't the workspace's, so its tokens are not shared.
        let is_workspaces = login.keys.is_some() && wanted.scope.identity().is_empty();
        let Store::Postgres(store) = &self.workspace else {
            return self.mint_alone(wanted, login);
        };
        let read;
        let shared = match wanted.sharing {
            _ if !is_workspaces => None,
            Sharing::No => None,
            Sharing::Read(shared) => shared,
            Sharing::Ask => {
                let host = wanted.route.host.as_reference();
                read = store.shared(host, patience(login.deadline));
                self.hinders(read.as_ref().err());
                read.as_ref().ok().and_then(Option::as_ref)
            }
        };
        match shared {
            Some(shared) => self.mint_shared(store, shared, wanted, login),
            None => self.mint_alone(wanted, login),
        }
    }

    fn mint_alone(&self, wanted: Wanted, login: &Login) -> Result<Minted, Error> {
        match wanted.cache {
            Some(cache) => self.mint_for(wanted.backend, login, wanted.scope, cache),
            None => self.mint(wanted.backend, login),
        }
    }

    fn mint_shared(
        &self,
        store: &PostgresStore,
        shared: &Shared,
        wanted: Wanted,
        login: &Login,
    ) -> Result<Minted, Error> {
        let real = wanted.route.real.as_str();
        let slot = shared.slot(real, wanted.backend.name(), wanted.scope);
        let mut token = shared.token(&slot);
        // After that, there is still time to mint without the lease.
        let until = halfway(login.deadline);
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(fresh) = token.take_if(|token| self.is_good(token) && !token.is_due()) {
                self.log.note(format_args!("shared tokens: hit"));
                return Ok(fresh.into_minted());
            }
            match store.lease(shared, &slot, token.as_ref(), patience(login.deadline)) {
                Ok(Lease::Ours(by)) => {
                    let minted = self.mint_alone(wanted, login);
                    self.settle(store, shared, &slot, &by, &minted, wanted.backend, login);
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
                    let minted = self.mint_alone(wanted, login);
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
                let minted = self.mint_alone(wanted, login);
                if let Ok(minted) = &minted {
                    let longest = wanted.backend.longest_life();
                    let deadline = patience(login.deadline);
                    let shared = store.share(shared, &slot, minted, longest, deadline);
                    self.hinders(shared.err().as_ref());
                }
                return minted;
            }
            std::thread::sleep(jittered(pause));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Shares a minted token. If the provider refused, releases the lease, so that nobody waits for it.
    #[expect(clippy::too_many_arguments, reason = "all of it is one lease")]
    fn settle(
        &self,
        store: &PostgresStore,
        shared: &Shared,
        slot: &str,
        by: &str,
        minted: &Result<Minted, Error>,
        backend: &Backend,
        login: &Login,
    ) {
        let deadline = patience(login.deadline);
        let done = match minted {
            Ok(minted) => store.share(shared, slot, minted, backend.longest_life(), deadline),
            // If the provider is overloaded, the others should wait, so the lease is kept.
            Err(error) if error.code() == Some(Code::MintThrottled) => Ok(()),
            Err(_) => store.release(shared, slot, by, deadline),
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
        let (left, whole) = (token.left(), token.whole());
        let asked = if self.min_life < whole {
            self.min_life
        } else {
            self.min_life.min(whole / 2)
        };
        !left.is_zero() && left >= asked
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
