//! Single secrets in Beta9's database.

use std::time::Instant;

use super::errors::PostgresError;
use super::rows::{Row, Rows, seal};
use super::write::Change;
use super::{PART, PostgresStore};
use crate::credential::Redacted;
use crate::error::Error;
use crate::seal::SealKey;
use crate::store::{Found, Lookup, Single, name};

/// The credential made from these rows for a registry. An unreadable one is an error if it would be used.
pub(super) fn assemble(
    lookup: &Lookup,
    rows: &[Row],
    key: &Result<SealKey, PostgresError>,
) -> Result<Option<Found>, Error> {
    let (mut there, mut unreadable) = (Vec::new(), Vec::new());
    for row in rows {
        there.push(row.single(key).unwrap_or_else(|error| {
            unreadable.push((&row.name, error));
            // An unreadable one takes part in the choice, and is refused below if chosen.
            Single {
                name: row.name.clone(),
                value: "unreadable".into(),
                hosts: row.hosts().unwrap_or_default(),
            }
        }));
    }
    let Some(found) = lookup.assemble(PART, &there)? else {
        return Ok(None);
    };
    match unreadable.iter().find(|(name, _)| found.keys.has(name)) {
        Some((_, error)) => Err(error.clone().into()),
        None => Ok(Some(found)),
    }
}

impl Row {
    /// Converts the row to a single secret.
    pub(super) fn single(
        &self,
        key: &Result<SealKey, PostgresError>,
    ) -> Result<Single, PostgresError> {
        let (value, hosts) = (self.open(key)?.as_str().into(), self.hosts()?);
        Ok(Single {
            name: self.name.clone(),
            value,
            hosts,
        })
    }
}

impl PostgresStore {
    /// The existing ones of these secrets.
    pub(in crate::store) fn singles(
        &self,
        names: &[String],
        deadline: Instant,
    ) -> Result<Vec<Single>, Error> {
        let workspace = self.workspace_id()?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.work(deadline, async |client| {
            let Rows { key, secrets, .. } = Rows::named(client, workspace, &names).await?;
            Ok(secrets
                .iter()
                .map(|row| row.single(&key))
                .collect::<Result<_, _>>()?)
        })
    }

    /// Writes a single secret if it is exactly the old one, or is missing without one; removes it without a new one.
    pub(in crate::store) fn change_single(
        &self,
        name: &str,
        old: Option<&Redacted>,
        new: Option<&Redacted>,
        deadline: Instant,
    ) -> Result<(), Error> {
        // Names of whole secrets are accepted too: Beta9's own builder made some that its API would refuse.
        if new.is_some() && !name::can_be_created(name) && !name::is_derived(name) {
            return Err(PostgresError::InvalidName(name.to_owned()).into());
        }
        let changed = |what| PostgresError::Changed {
            name: name.to_owned(),
            what,
        };
        self.change(deadline, name, async |change| {
            let Change {
                transaction,
                workspace,
            } = change;
            let Rows { key, secrets, .. } = Rows::named(transaction, workspace, &[name]).await?;
            let sealed = new.map(|new| seal(&key, new.expose())).transpose()?;
            let done = match (secrets.first(), old, &sealed) {
                (None, _, None) => true,
                (None, None, Some(new)) => change.insert(name, new).await?,
                (None, Some(_), Some(_)) => return Err(changed("no longer exists").into()),
                (Some(_), None, _) => return Err(changed("is there already").into()),
                (Some(row), Some(old), _) if *row.open(&key)? != *old.expose() => false,
                (Some(row), Some(_), Some(new)) => change.update(row, new).await?,
                (Some(row), Some(_), None) => change.delete(row).await?,
            };
            match new {
                _ if done => Ok(()),
                Some(_) => Err(changed("was changed meanwhile").into()),
                None => Err(PostgresError::ChangedBeforeRemoval(name.to_owned()).into()),
            }
        })
    }
}
