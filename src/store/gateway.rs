//! The gateway's HTTP API, with a workspace token.
//!
//! A host's secret may have any of several names ([`name::candidates`]). They are asked for side by side, and the one
//! that hit is remembered: the next time only that one and those that come before it are asked for, again side by
//! side. So one round trip is all, and a secret that appears under a name that counts more is seen at once.

mod api;
mod errors;
mod health;
mod held;
mod single;

use std::cell::OnceCell;
use std::time::Instant;

use self::api::Api;
use self::held::Held;
use super::{Found, Keep, Listed, Lookup, Secret, Username, name, unbound};
use crate::cache::Memory;
use crate::config::{Endpoint, GatewayConfig};
use crate::error::Error;
use crate::keys::Blob;
use crate::runtime;

/// The secrets of the workspace that the token is for.
#[derive(Debug)]
pub struct GatewayStore {
    config: GatewayConfig,
    endpoint: OnceCell<Endpoint>,
}

impl GatewayStore {
    /// The store of one gateway. Nothing is opened yet.
    #[must_use]
    pub fn new(config: GatewayConfig) -> Self {
        Self { config, endpoint: OnceCell::new() }
    }

    /// Two tokens may be for two workspaces, whatever those are called here.
    pub(super) fn identity(&self) -> Vec<&str> {
        // Where there is no endpoint, nothing is ever answered.
        self.endpoint().map_or(Vec::new(), |endpoint| vec![&endpoint.url, endpoint.token.expose()])
    }

    #[inline(never)] // Kept out of the frame and the pages of whoever needs no network.
    pub(super) fn get(&self, lookup: &Lookup) -> Result<Option<Found>, Error> {
        let names = lookup.names();
        self.ask(lookup, async |api| {
            let known = api.remembered_name(lookup.host);
            let rank = known.as_ref().and_then(|known| names.iter().position(|name| name == known.expose()));
            let (first, rest) = names.split_at(rank.map_or(names.len(), |rank| rank + 1));
            let mut nobodys = None;
            for names in [first, rest] {
                let mut values = api.values(names);
                while let Some((name, value)) = values.next().await {
                    let held = Held::of(name, value?, lookup);
                    if matches!(held, Held::Unbound) {
                        // Another one may say that it is this registry's.
                        nobodys.get_or_insert_with(|| unbound(PART, name));
                        continue;
                    }
                    if let Some(blob) = held.usable(name)? {
                        if known.as_ref().is_none_or(|known| known.expose() != name) {
                            api.remember_name(lookup.host, name);
                        }
                        return Ok(Some(Found::new(blob.keys, Keep::Disk)));
                    }
                }
            }
            nobodys.map_or(Ok(None), Err)
        })
    }

    /// Updates the secret that counts for this host, or creates one under a name that the API takes and nobody has.
    pub(super) fn store(&self, lookup: &Lookup, secret: &Secret) -> Result<String, Error> {
        let names = lookup.names();
        self.ask(lookup, async |api| {
            for _ in 0..ROUNDS {
                let Some(held) = api.held(&names, lookup).await? else { continue };
                let done = match held::place(&names, &held)? {
                    held::Place::Update(name) => api.update(name, &secret.blob).await?.then_some(name),
                    held::Place::Create(name) => api.create(name, &secret.blob).await?.then_some(name),
                };
                if let Some(name) = done {
                    api.remember_name(lookup.host, name);
                    return Ok(name.to_owned());
                }
            }
            Err(errors::contested("nothing was stored"))
        })
    }

    /// Deletes every secret of this host, so that none that counted less appears in its place.
    pub(super) fn erase(&self, lookup: &Lookup) -> Result<(), Error> {
        let names = lookup.names();
        self.ask(lookup, async |api| {
            for _ in 0..ROUNDS {
                let Some(held) = api.held(&names, lookup).await? else { continue };
                let mut unknown = Ok(());
                for (name, held) in names.iter().zip(held) {
                    match held.usable(name) {
                        Ok(Some(_)) => api.delete(name).await?,
                        Ok(None) => {}
                        Err(error) => unknown = Err(error),
                    }
                }
                api.forget_name(lookup.host);
                return unknown;
            }
            Err(errors::contested("nothing was erased"))
        })
    }

    pub(super) fn list(
        &self,
        deadline: Instant,
        memory: Option<&Memory>,
        skipped: &mut dyn FnMut(&Error),
    ) -> Result<Vec<Listed>, Error> {
        self.with(deadline, memory, async |api| {
            let mut names = api.names().await?;
            names.retain(|name| name::is_derived(name));
            let mut ranked = Vec::new();
            for names in names.chunks(SIDE_BY_SIDE) {
                let mut values = api.values(names);
                while let Some((name, value)) = values.next().await {
                    match value.and_then(|value| listed(name, value)) {
                        Ok(line) => ranked.extend(line),
                        Err(error) => {
                            skipped(&error);
                            if matches!(error, Error::Unreachable(_)) {
                                return Ok(in_order(ranked));
                            }
                        }
                    }
                }
            }
            Ok(in_order(ranked))
        })
    }

    fn ask<T>(&self, lookup: &Lookup, work: impl AsyncFnOnce(&Api) -> Result<T, Error>) -> Result<T, Error> {
        self.with(lookup.deadline, lookup.memory, work).map_err(|error| error.about(lookup.host.as_reference()))
    }

    fn with<T>(
        &self,
        deadline: Instant,
        memory: Option<&Memory>,
        work: impl AsyncFnOnce(&Api) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let endpoint = self.endpoint()?;
        runtime::block_on(PART, deadline, async {
            let api = Api::open(endpoint, &self.config, deadline, memory).await?;
            work(&api).await
        })
    }

    /// Where it is and what it is shown, read when it is first needed.
    fn endpoint(&self) -> Result<&Endpoint, Error> {
        if let Some(endpoint) = self.endpoint.get() {
            return Ok(endpoint);
        }
        let endpoint = self.config.endpoint()?;
        Ok(self.endpoint.get_or_init(|| endpoint))
    }
}

/// A line of `list`, and how much its secret's name counts. A secret that no `get` would look for is none.
fn listed(name: &str, value: Option<crate::credential::Redacted>) -> Result<Option<(usize, Listed)>, Error> {
    let Some(value) = value else { return Ok(None) };
    let blob = Blob::parse(value.expose()).map_err(|error| errors::damaged(name, &error))?;
    let host = blob.registry.ok_or_else(|| errors::unnamed(name))?;
    let rank = name::candidates(&host).iter().position(|candidate| candidate == name);
    Ok(rank.map(|rank| (rank, Listed { url: host.into(), username: Username::Of(blob.keys) })))
}

/// Of two lines about one host, the first one counts.
fn in_order(mut ranked: Vec<(usize, Listed)>) -> Vec<Listed> {
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, line)| line).collect()
}

const PART: &str = "gateway store";
/// How often what has changed in the meantime is looked at anew before a change is given up.
const ROUNDS: usize = 4;
/// How many secrets are read at a time for a list.
const SIDE_BY_SIDE: usize = 16;
