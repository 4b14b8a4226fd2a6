//! Single secrets in the gateway.

use std::time::Instant;

use super::GatewayStore;
use crate::credential::Redacted;
use crate::error::Error;
use crate::store::Single;

impl GatewayStore {
    /// Those of these names that are there.
    pub(in crate::store) fn singles(&self, names: &[String], deadline: Instant) -> Result<Vec<Single>, Error> {
        _ = (self, names, deadline);
        Ok(Vec::new())
    }

    /// Writes one: a new one, or in place of exactly this old value.
    pub(in crate::store) fn put_single(
        &self,
        name: &str,
        value: &Redacted,
        old: Option<&Redacted>,
        deadline: Instant,
    ) -> Result<(), Error> {
        _ = (self, name, value, old, deadline);
        Err(Error::NotFound)
    }
}
