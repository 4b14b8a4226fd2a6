//! The gateway's gRPC API for workers, which requires a worker token and vends the credentials of images.
//!
//! Vended credentials stay in memory: the blob is never written, so each `get` asks again, and a token minted from it
//! is written only to tmpfs. If the gateway can't be reached, no last answer is used. The store is read-only. Like
//! Beta9's own workers, it uses TLS if the port is 443 and plain HTTP/2 otherwise, and no proxy.
//!
//! The gateway vends an image's own secret whatever registry is requested. For an image without one, or without an
//! image, it vends the token of the cluster's build registry, if that is the requested registry. A missing secret and
//! one that the gateway failed to read look the same: an empty answer.

mod address;
mod call;
mod errors;
mod health;
mod http_status;
mod message;

use self::address::Address;
use self::call::Call;
use self::errors::{Asked, WorkerError};
use self::message::Request;
use super::errors::StoreError;
use super::{Found, Keep, Lookup, workspace_id};
use crate::config::{DEFAULT_WORKSPACE, Pulled, SecretSetting, WorkerConfig};
use crate::credential::Redacted;
use crate::error::Error;
use crate::host::Host;
use crate::keys::Blob;
use crate::registry::bound_by_keys;
use crate::runtime;

/// The gateway's gRPC API for workers, with a worker token. Its answers stay in memory.
#[derive(Debug)]
pub struct WorkerStore {
    workspace: String,
    config: WorkerConfig,
    pulled: Pulled,
}

impl WorkerStore {
    /// The store of one workspace. Opens nothing yet.
    pub fn new(workspace: &str, config: WorkerConfig, pulled: Pulled) -> Self {
        Self {
            workspace: workspace.to_owned(),
            config,
            pulled,
        }
    }

    // Its future must not lie on the stack of a `get` from a local store (benches/RESULTS.md, "What each trick gives").
    #[inline(never)]
    pub(super) fn get(&self, lookup: &Lookup) -> Result<Option<Found>, Error> {
        let (address, token) = self.settings()?;
        if let Some(name) = lookup.secret {
            return Err(WorkerError::NoChoice(name.to_owned()).into());
        }
        let token = token.read(PART)?;
        let call = Call::new(&address, &token, lookup.deadline);
        runtime::block_on(PART, lookup.deadline, async {
            let registry = lookup.host.as_str();
            let mut nobodys = None;
            if let Some(image) = &self.config.image_id {
                let Some(blob) = parsed(&self.ask(&call, registry, Some(image)).await?)? else {
                    return Ok(None);
                };
                // The registry is the recorded one, else the one being pulled from.
                let recorded = blob.registry.clone();
                let ours =
                    match recorded.map_or_else(|| self.pulled.host(), |host| Ok(Some(host)))? {
                        Some(host) => Some(is_meant(&host, lookup)),
                        None => bound_by_keys(lookup.row, &blob.keys),
                    };
                match ours {
                    Some(true) => return Ok(Some(kept(blob))),
                    Some(false) => {}
                    None => {
                        let nobody = StoreError::nobodys("the image's secret", &blob.keys);
                        nobodys = Some(nobody.at(PART));
                    }
                }
            }
            let build = parsed(&self.ask(&call, registry, None).await?)?;
            let is_ours = |blob: &Blob| match &blob.registry {
                Some(host) => is_meant(host, lookup),
                None => true,
            };
            match build.filter(is_ours) {
                Some(blob) => Ok(Some(kept(blob))),
                None => nobodys.map_or(Ok(None), Err),
            }
        })
    }

    /// Whether "not found" is an error for one of these hosts, because it is the registry being pulled from.
    pub(super) fn requires(&self, hosts: [&Host; 2]) -> Result<bool, Error> {
        Ok(self.config.required
            && self
                .pulled
                .host()?
                .is_some_and(|pulled| hosts.contains(&&pulled)))
    }

    /// The error for a registry without a vended credential that must have one; `why` it must.
    pub(super) fn lacks(&self, host: &Host, why: &str) -> Error {
        let (workspace, image) = (self.workspace.clone(), self.config.image_id.clone());
        WorkerError::Lacking {
            host: host.clone(),
            why: why.to_owned(),
            workspace,
            image,
        }
        .into()
    }

    /// Asks the gateway for a registry's credential, for an image or without one.
    async fn ask(
        &self,
        call: &Call<'_>,
        registry: &str,
        image: Option<&str>,
    ) -> Result<Redacted, Error> {
        let request = Request {
            workspace_id: self.workspace.clone(),
            stub_id: self.config.stub_id.clone().unwrap_or_default(),
            registry: registry.to_owned(),
            image_id: image.unwrap_or_default().to_owned(),
        };
        let vended = call.make(&request).await;
        vended.map_err(|trouble| {
            Asked::new(call.address, self.token_source(), &request).error(trouble)
        })
    }

    pub(super) fn identity(&self) -> Vec<&str> {
        let WorkerConfig {
            address,
            stub_id,
            image_id,
            ..
        } = &self.config;
        [address, stub_id, image_id]
            .into_iter()
            .map(|text| text.as_deref().unwrap_or_default())
            .collect()
    }

    #[expect(clippy::unused_self, reason = "it answers for this store")]
    pub(super) fn read_only(&self, server: &str) -> Result<(), Error> {
        Err(Error::from(WorkerError::ReadOnly).about(server))
    }

    /// The address and the token. The error names everything that is missing.
    fn settings(&self) -> Result<(Address, &SecretSetting), Error> {
        let workspace =
            Some(&self.workspace).filter(|name| !name.is_empty() && *name != DEFAULT_WORKSPACE);
        let (address, token) = (&self.config.address, &self.config.token);
        let (Some(_), Some(address), Some(token)) = (workspace, address, token) else {
            let tokens = "BETA9_WORKER_TOKEN or WORKER_TOKEN";
            let settings = [
                (workspace.is_some(), ("workspace", "BETA9_WORKSPACE_ID")),
                (address.is_some(), ("address", "BETA9_WORKER_ADDRESS")),
                (token.is_some(), ("token", tokens)),
            ];
            let missing = settings.into_iter().filter(|(set, _)| !set);
            let (names, variables) = missing.map(|(_, setting)| setting).unzip();
            return Err(WorkerError::Unset { names, variables }.into());
        };
        workspace_id(PART, &self.workspace)?;
        let address = Address::parse(address).map_err(|error| WorkerError::Address {
            error,
            source_name: self.config.address_source,
        })?;
        Ok((address, token))
    }

    /// The token's source, for errors.
    fn token_source(&self) -> String {
        match &self.config.token {
            Some(SecretSetting::File(path)) => path.display().to_string(),
            _ => self.config.token_source.to_owned(),
        }
    }
}

/// The blob in an answer; `None` if it is empty.
fn parsed(vended: &Redacted) -> Result<Option<Blob>, Error> {
    if vended.expose().trim().is_empty() {
        return Ok(None);
    }
    Ok(Some(
        Blob::parse(vended.expose()).map_err(WorkerError::Blob)?,
    ))
}

fn is_meant(host: &Host, lookup: &Lookup) -> bool {
    host == lookup.host || Some(host) == lookup.alias_of
}

fn kept(blob: Blob) -> Found {
    Found::of(blob, Keep::Memory)
}

const PART: &str = "worker store";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let missing = |workspace: &str, config| {
            WorkerStore::new(workspace, config, Pulled::default())
                .settings()
                .map(|_| ())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            missing(DEFAULT_WORKSPACE, WorkerConfig::default()),
            "worker store: no workspace, no address, no token is configured; set BETA9_WORKSPACE_ID, BETA9_WORKER_ADDRESS, BETA9_WORKER_TOKEN or WORKER_TOKEN, or the same in the configuration"
        );
        let token = Some(SecretSetting::Inline("hunter2".into()));
        let half = WorkerConfig {
            token: token.clone(),
            ..WorkerConfig::default()
        };
        assert_eq!(
            missing("w", half),
            "worker store: no address is configured; set BETA9_WORKER_ADDRESS, or the same in the configuration"
        );
        let address_source = "BETA9_WORKER_ADDRESS, or address in [store.worker]";
        let wrong = WorkerConfig {
            token,
            address: Some("http://gateway".into()),
            address_source,
            ..WorkerConfig::default()
        };
        assert!(
            missing("w", wrong.clone())
                .contains("the workspace \"w\" is not the id of one; set workspace")
        );
        let id = "0b7f5f6e-3f0a-4c1e-9d2b-000000000001";
        assert!(
            missing(id, wrong)
                .ends_with("correct BETA9_WORKER_ADDRESS, or address in [store.worker]: host:port")
        );
    }
}
