//! Beta9's database, for the control plane and self-hosted single nodes.

use std::time::{Instant, SystemTime};

use crate::host::Host;

use super::{Found, Listed, Lookup, Secret};
use crate::config::PostgresConfig;
use crate::error::{Error, Problem};

/// Beta9's database, for the control plane and self-hosted single nodes.
#[derive(Debug)]
pub struct PostgresStore {
    workspace: String,
    config: PostgresConfig,
}

impl PostgresStore {
    /// The store of one workspace. Nothing is opened yet.
    #[must_use]
    pub fn new(workspace: &str, config: PostgresConfig) -> Self {
        Self { workspace: workspace.to_owned(), config }
    }

    pub(super) fn get(&self, lookup: &Lookup) -> Result<Option<Found>, Error> {
        Err(self.not_yet().about(lookup.host.as_str()))
    }

    pub(super) fn store(&self, lookup: &Lookup, _secret: &Secret) -> Result<(), Error> {
        Err(self.not_yet().about(lookup.host.as_str()))
    }

    pub(super) fn erase(&self, lookup: &Lookup) -> Result<(), Error> {
        Err(self.not_yet().about(lookup.host.as_str()))
    }

    pub(super) fn list(&self, _deadline: Instant, _skipped: &mut dyn FnMut(&Error)) -> Result<Vec<Listed>, Error> {
        Ok(Vec::new())
    }

    pub(super) fn bind_image(&self, _id: &str, _hosts: &[Host], _deadline: Instant) -> Result<(), Error> {
        Err(self.not_yet())
    }

    pub(super) fn image_blobs(&self, _id: &str, _deadline: Instant) -> Result<Vec<String>, Error> {
        Err(self.not_yet())
    }

    pub(super) fn set_expiry(&self, _host: &Host, _end: Option<SystemTime>, _deadline: Instant) -> Result<(), Error> {
        Err(self.not_yet())
    }

    pub(super) fn prune(&self, _now: SystemTime, _deadline: Instant) -> Result<Vec<String>, Error> {
        Err(self.not_yet())
    }

    fn not_yet(&self) -> Error {
        let Self { workspace, config } = self;
        Problem::new("postgres store", format_args!("not built yet: {workspace} {config:?}")).failed()
    }
}
