//! Checks whether the gateway answers and vends to this worker.

use std::time::Instant;

use super::call::Call;
use super::errors::WorkerError;
use super::{PART, WorkerStore};
use crate::error::Error;
use crate::runtime;
use crate::store::Health;

impl WorkerStore {
    /// Asks for the credential of a registry that every worker may request. It need not exist.
    pub(in crate::store) fn examine(&self, deadline: Instant) -> Result<Health, Error> {
        let (address, token) = self.settings()?;
        let token = token.read(PART)?;
        let call = Call::new(&address, &token, deadline);
        let image = self.config.image_id.as_deref();
        runtime::block_on(PART, deadline, self.ask(&call, EXAMPLE, image))?;
        let (source, workspace) = (self.token_source(), &self.workspace);
        let well = vec![format!(
            "{address} takes the token from {source} for workspace {workspace}"
        )];
        let lacking = match self.pulled.host()? {
            None if self.config.required => vec![WorkerError::RequiredOfNothing.into()],
            _ => Vec::new(),
        };
        Ok(Health {
            well,
            lacking,
            ..Health::default()
        })
    }
}

const EXAMPLE: &str = "docker.io";
