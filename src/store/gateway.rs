//! The gateway's HTTP API, with a workspace token.
//!
//! A host's secret may have any of several names ([`super::name::candidates`]), and a vendor's credential may be of several single
//! secrets. What made the last answer, or else the likeliest name, is asked for beside the list of names, and then only what
//! is listed. Nothing else makes a miss certain: the gateway answers "not found" whatever hinders it.
//!
//! | a `get` | requests | round trips |
//! |---|---|---|
//! | a hit where the last one was, or under the likeliest name | that secret (or each of the single ones), the list | 1 |
//! | a miss | the likeliest name, the list | 1 |
//! | a hit elsewhere, the first time | the same, and each of the names that is listed | 2 |
//! | secrets that are named | each of them, the list | 1 |
//! | a secret that is listed and not given | once more, with the list | 2 more |
//!
//! A hit under the name that counts most does not wait for the list. A token whose workspace is not known yet asks for it
//! first, once.

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

/// The secrets of the workspace that the token is for.
#[derive(Debug)]
pub struct GatewayStore {
    config: GatewayConfig,
    endpoint: OnceCell<Endpoint>,
}

impl GatewayStore {
    /// The store of one gateway. Nothing is opened yet.
    pub fn new(config: GatewayConfig) -> Self {
        Self {
            config,
            endpoint: OnceCell::new(),
        }
    }

    /// Two tokens may be for two workspaces, whatever those are called here.
    pub(super) fn identity(&self) -> Vec<&str> {
        // Where there is no endpoint, nothing is ever answered.
        self.endpoint().map_or(Vec::new(), |endpoint| {
            vec![&endpoint.url, endpoint.token.expose()]
        })
    }

    /// Updates the secret that counts for this host, or creates one under a name that the API takes and nobody has.
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

    /// Deletes every secret of this host, so that none that counted less appears in its place.
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

    /// Where it is and what it is shown, read when it is first needed.
    fn endpoint(&self) -> Result<&Endpoint, Error> {
        if let Some(endpoint) = self.endpoint.get() {
            return Ok(endpoint);
        }
        let endpoint = self.config.endpoint()?;
        Ok(self.endpoint.get_or_init(|| endpoint))
    }
}

const PART: &str = "gateway store";
/// How often what has changed meanwhile is looked at again before a change is given up.
const ROUNDS: usize = 4;
