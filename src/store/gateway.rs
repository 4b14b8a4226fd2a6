//! The gateway's HTTP API, with a workspace token.
//!
//! A host's secret may have any of several names ([`super::name::candidates`]), and a vendor's credential may consist
//! of several single secrets. A `get` asks for the last answer's secrets, or else the likeliest name, together with the
//! list of names, and then only for names in the list. Only the list makes a miss certain, because the gateway says
//! "not found" for any fault.
//!
//! | a `get` | requests | round trips |
//! |---|---|---|
//! | a hit under the last answer's name or the likeliest one | that secret (or each of the single ones), the list | 1 |
//! | a miss | the likeliest name, the list | 1 |
//! | a first hit under another name | the same, and each listed name | 2 |
//! | named secrets | each of them, the list | 1 |
//! | a secret that is listed but not returned | once more, with the list | 2 more |
//!
//! A hit under the name with the highest precedence does not wait for the list. The token's workspace, if unknown, is
//! requested once first.

mod api;
mod errors;
mod get;
mod health;
mod list;
mod names;
mod ownership;
mod read;
mod single;

use std::cell::OnceCell;
use std::time::Instant;

use self::api::Api;
use self::errors::GatewayError;
use self::ownership::Held;
use super::{Lookup, Secret};
use crate::cache::Memory;
use crate::config::{Endpoint, GatewayConfig};
use crate::error::Error;
use crate::runtime;

/// The secrets of the token's workspace.
#[derive(Debug)]
pub struct GatewayStore {
    config: GatewayConfig,
    endpoint: OnceCell<Endpoint>,
}

impl GatewayStore {
    /// The store of one gateway. Opens nothing yet.
    pub fn new(config: GatewayConfig) -> Self {
        Self {
            config,
            endpoint: OnceCell::new(),
        }
    }

    /// The token is included, because two tokens may be for different workspaces.
    pub(super) fn identity(&self) -> Vec<&str> {
        // Without an endpoint, nothing is ever answered, so nothing is cached.
        self.endpoint().map_or(Vec::new(), |endpoint| {
            vec![&endpoint.url, endpoint.token.expose()]
        })
    }

    /// Updates the secret used for this host, or creates one under a free name that the API accepts.
    pub(super) fn store(&self, lookup: &Lookup, secret: &Secret) -> Result<String, Error> {
        let names = lookup.names();
        self.ask(lookup, async |api| {
            for _ in 0..ROUNDS {
                let held = api.held(&names, lookup).await?;
                let done = match ownership::place(&names, &held)? {
                    ownership::Place::Update(name) => {
                        api.update(name, &secret.blob).await?.then_some(name)
                    }
                    ownership::Place::Create(name) => {
                        api.create(name, &secret.blob).await?.then_some(name)
                    }
                };
                if let Some(name) = done {
                    api.remember_names(lookup.host, &[name.to_owned()]);
                    return Ok(name.to_owned());
                }
            }
            Err(GatewayError::Contested.into())
        })
    }

    /// Deletes every secret of this host, so that none of lower precedence takes its place.
    pub(super) fn erase(&self, lookup: &Lookup) -> Result<(), Error> {
        let names = lookup.names();
        self.ask(lookup, async |api| {
            let mut unknown = Ok(());
            for (name, held) in names.iter().zip(api.held(&names, lookup).await?) {
                let is_empty = matches!(held, Held::Empty);
                match held.usable(name) {
                    Ok(blob) if blob.is_some() || is_empty => api.delete(name).await?,
                    Ok(_) => {}
                    Err(error) => unknown = Err(error),
                }
            }
            api.forget_name(lookup.host);
            unknown
        })
    }

    fn ask<T>(
        &self,
        lookup: &Lookup,
        work: impl AsyncFnOnce(&Api) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.with(lookup.deadline, lookup.memory, work)
            .map_err(|error| error.about(lookup.host.as_reference()))
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

    /// The URL and the token, read on first use.
    fn endpoint(&self) -> Result<&Endpoint, Error> {
        if let Some(endpoint) = self.endpoint.get() {
            return Ok(endpoint);
        }
        let endpoint = self.config.endpoint()?;
        Ok(self.endpoint.get_or_init(|| endpoint))
    }
}

const PART: &str = "gateway store";
/// How often a change is retried after concurrent changes.
const ROUNDS: usize = 4;
