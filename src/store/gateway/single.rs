//! Single secrets in the gateway.

use std::time::Instant;

use super::{GatewayStore, errors};
use crate::credential::Redacted;
use crate::error::Error;
use crate::store::Single;

impl GatewayStore {
    /// Those of these names that are there.
    pub(in crate::store) fn singles(&self, names: &[String], deadline: Instant) -> Result<Vec<Single>, Error> {
        self.with(deadline, None, async |api| {
            let mut all = Vec::new();
            let mut values = api.values(names);
            while let Some((name, value)) = values.next().await {
                if let Some(value) = value? {
                    all.push(Single { name: name.to_owned(), value, hosts: Vec::new() });
                }
            }
            Ok(all)
        })
    }

    /// Writes one: a new one, or in place of exactly this old value.
    pub(in crate::store) fn put_single(
        &self,
        name: &str,
        value: &Redacted,
        old: Option<&Redacted>,
        deadline: Instant,
    ) -> Result<(), Error> {
        self.with(deadline, None, async |api| {
            let names = [name.to_owned()];
            let done = match old {
                None => api.create(name, value).await?,
                Some(old) => {
                    let there = api.values(&names).next().await.map(|(_, value)| value).transpose()?.flatten();
                    there.as_ref() == Some(old) && api.update(name, value).await?
                }
            };
            if done { Ok(()) } else { Err(errors::contested("nothing was stored")) }
        })
    }

    /// Removes one, where it still has exactly this value.
    pub(in crate::store) fn remove_single(&self, name: &str, value: &Redacted, deadline: Instant) -> Result<(), Error> {
        self.with(deadline, None, async |api| {
            let names = [name.to_owned()];
            let there = api.values(&names).next().await.map(|(_, value)| value).transpose()?.flatten();
            match there {
                None => Ok(()),
                Some(there) if there == *value => api.delete(name).await,
                Some(_) => Err(errors::contested("it was not removed")),
            }
        })
    }
}
