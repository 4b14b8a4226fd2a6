//! Single secrets in the gateway.

use std::time::Instant;

use super::GatewayStore;
use super::errors::GatewayError;
use super::read::Reader;
use crate::credential::Redacted;
use crate::error::Error;
use crate::store::{Single, name};

impl GatewayStore {
    /// The existing ones of these secrets.
    pub(in crate::store) fn singles(
        &self,
        names: &[String],
        deadline: Instant,
    ) -> Result<Vec<Single>, Error> {
        self.with(deadline, None, async |api| {
            read(&mut Reader::begin(api, &[], names)?, names).await
        })
    }

    /// Writes a single secret: a new one, or a replacement if the current value is exactly the old one. The API can't
    /// compare, so a change between the check and the write is overwritten.
    pub(in crate::store) fn put_single(
        &self,
        name: &str,
        value: &Redacted,
        old: Option<&Redacted>,
        deadline: Instant,
    ) -> Result<(), Error> {
        if old.is_none() && !name::can_be_created(name) {
            return Err(GatewayError::InvalidName(name.to_owned()).into());
        }
        self.with(deadline, None, async |api| {
            if old.is_none() && api.create(name, value).await? {
                return Ok(());
            }
            let names = [name.to_owned()];
            let there = read(&mut Reader::begin(api, &names, &names)?, &names)
                .await?
                .pop();
            match (there, old) {
                // The answer to an earlier write may have been lost.
                (Some(there), _) if there.value == *value => Ok(()),
                (Some(there), Some(old)) if there.value == *old => {
                    let updated = api.update(name, value).await?;
                    Ok(updated.then_some(()).ok_or(GatewayError::Contested)?)
                }
                (Some(_), Some(_)) => Err(GatewayError::Changed(
                    name.to_owned(),
                    "was changed meanwhile by somebody else",
                )
                .into()),
                (Some(_), None) => Err(GatewayError::Changed(
                    name.to_owned(),
                    "is there already, with another value",
                )
                .into()),
                (None, _) => Err(GatewayError::Contested.into()),
            }
        })
    }

    /// Removes a single secret if it still has exactly this value. Like writing, this is not atomic.
    pub(in crate::store) fn remove_single(
        &self,
        name: &str,
        value: &Redacted,
        deadline: Instant,
    ) -> Result<(), Error> {
        self.with(deadline, None, async |api| {
            let names = [name.to_owned()];
            match read(&mut Reader::begin(api, &names, &names)?, &names)
                .await?
                .pop()
            {
                None => Ok(()),
                Some(there) if there.value == *value => api.delete(name).await,
                Some(_) => Err(GatewayError::Changed(
                    name.to_owned(),
                    "was changed meanwhile by somebody else",
                )
                .into()),
            }
        })
    }
}

/// Reads the existing ones of these secrets.
pub(super) async fn read(reader: &mut Reader<'_>, names: &[String]) -> Result<Vec<Single>, Error> {
    let mut there = Vec::with_capacity(names.len());
    for name in names {
        if let Some(shown) = reader.shown(name).await? {
            let value = shown.value.clone();
            there.push(Single {
                name: name.clone(),
                value,
                hosts: shown.hosts(name)?,
            });
        }
    }
    Ok(there)
}
