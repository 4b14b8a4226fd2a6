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

    /// Writes a single secret if it is exactly the old one, or is missing without one; removes it without a new one. The
    /// API can't compare, so a change between the check and the write is overwritten.
    pub(in crate::store) fn change_single(
        &self,
        name: &str,
        old: Option<&Redacted>,
        new: Option<&Redacted>,
        deadline: Instant,
    ) -> Result<(), Error> {
        if old.is_none() && !name::can_be_created(name) {
            return Err(GatewayError::InvalidName(name.to_owned()).into());
        }
        let changed = |what| Err(GatewayError::Changed(name.to_owned(), what).into());
        self.with(deadline, None, async |api| {
            if let (None, Some(new)) = (old, new)
                && api.create(name, new).await?
            {
                return Ok(());
            }
            let names = [name.to_owned()];
            let there = read(&mut Reader::begin(api, &names, &names)?, &names)
                .await?
                .pop()
                .map(|single| single.value);
            match (&there, old, new) {
                // The answer to an earlier change may have been lost.
                _ if there.as_ref() == new => Ok(()),
                (None, ..) => Err(GatewayError::Contested.into()),
                (Some(_), None, _) => changed("is there already, with another value"),
                (Some(there), Some(old), _) if there != old => {
                    changed("was changed meanwhile by somebody else")
                }
                (_, _, None) => api.delete(name).await,
                (_, _, Some(new)) => {
                    let updated = api.update(name, new).await?;
                    Ok(updated.then_some(()).ok_or(GatewayError::Contested)?)
                }
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
