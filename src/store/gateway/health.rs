//! Checks whether the gateway answers, accepts the token, and whether the token is for the configured workspace.

use std::time::Instant;

use super::api::Api;
use super::read::Naming;
use super::{GatewayStore, PART};
use crate::error::Error;
use crate::runtime;
use crate::store::{Health, name};

impl GatewayStore {
    /// Asks for the token's workspace, and lists the names of its secrets.
    pub(in crate::store) fn examine(&self, deadline: Instant) -> Result<Health, Error> {
        let endpoint = self.endpoint()?;
        runtime::block_on(PART, deadline, async {
            let api = Api::open(endpoint, &self.config, deadline, None).await?;
            let (own, clock) = api.whose().await?;
            let mut health = Health {
                clock,
                ..Health::default()
            };
            let (url, source) = (&endpoint.url, &endpoint.token_source);
            let taken = format!("{url} takes the token from {source}");
            health.well.push(taken);
            // The gateway refuses a token for any other workspace. That is reported more clearly without asking.
            let configured = self.config.workspace.as_ref();
            if configured.is_none_or(|id| *id == own) {
                match Naming::of(&api, name::is_derived).names().await {
                    Ok((all, registries)) => {
                        let registries = registries.len();
                        health.well.push(format!(
                            "workspace {own}: {all} secrets, {registries} of them for registries"
                        ));
                    }
                    Err(error) => health.ill.push(error),
                }
            }
            health.workspace = Some(own);
            Ok(health)
        })
    }
}
