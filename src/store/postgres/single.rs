//! Single secrets in Beta9's database.

use std::time::Instant;

use super::PostgresStore;
use crate::credential::Redacted;
use crate::error::Error;
use crate::store::Single;

impl PostgresStore {
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

    /// Whether an image's row takes names.
    pub(in crate::store) fn binds_names(&self, deadline: Instant) -> Result<bool, Error> {
        _ = (self, deadline);
        Ok(false)
    }

    /// Writes these names to an image's row.
    pub(in crate::store) fn bind_names(
        &self,
        image_id: &str,
        names: &[String],
        deadline: Instant,
    ) -> Result<(), Error> {
        _ = (self, image_id, names, deadline);
        Err(Error::NotFound)
    }

    /// Removes one, where it still has exactly this value.
    pub(in crate::store) fn remove_single(&self, name: &str, value: &Redacted, deadline: Instant) -> Result<(), Error> {
        _ = (self, name, value, deadline);
        Err(Error::NotFound)
    }
}
