//! The gateway's gRPC API for workers, with a worker token. Its answers stay in memory.

use super::{Found, Lookup};
use crate::config::WorkerConfig;
use crate::error::{Error, Problem};

/// The gateway's gRPC API for workers, with a worker token. Its answers stay in memory.
#[derive(Debug)]
pub struct WorkerStore {
    workspace: String,
    config: WorkerConfig,
}

impl WorkerStore {
    /// The store of one workspace. Nothing is opened yet.
    #[must_use]
    pub fn new(workspace: &str, config: WorkerConfig) -> Self {
        Self { workspace: workspace.to_owned(), config }
    }

    pub(super) fn get(&self, lookup: &Lookup) -> Result<Option<Found>, Error> {
        Err(self.not_yet().about(lookup.host.as_str()))
    }

    pub(super) fn read_only(&self) -> Result<(), Error> {
        Err(Problem::new("worker store", "it is read-only").fix("store the secret in the workspace").failed())
    }

    fn not_yet(&self) -> Error {
        let Self { workspace, config } = self;
        Problem::new("worker store", format_args!("not built yet: {workspace} {config:?}")).failed()
    }
}
