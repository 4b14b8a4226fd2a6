//! Whether the gateway answers and vends to this worker.

use std::time::Instant;

use super::{WorkerStore, token_source};
use crate::error::Error;
use crate::store::Health;

impl WorkerStore {
    /// Asks for what is vended for a registry that every worker may ask for; there need not be anything.
    pub(in crate::store) fn examine(&self, deadline: Instant) -> Result<Health, Error> {
        let (address, token) = self.settings()?;
        self.ask(&address, token, EXAMPLE, self.config.image_id.as_deref(), deadline)?;
        let (source, workspace) = (token_source(token), &self.workspace);
        let well = vec![format!("{address} takes the token from {source} for workspace {workspace}")];
        Ok(Health { well, ..Health::default() })
    }
}

const EXAMPLE: &str = "docker.io";
