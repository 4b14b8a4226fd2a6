//! Single secrets in Beta9's database.

use std::time::Instant;

use super::errors::PostgresError;
use super::rows::{Row, Rows, seal};
use super::session::begin;
use super::write::{delete, insert, lock, update};
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
            let Rows { key, rows } = Rows::named(client, workspace, &names).await?;
            Ok(rows
                .iter()
                .map(|row| row.single(&key))
                .collect::<Result<_, _>>()?)
        })
    }

    /// Writes a single secret: a new one, or a replacement if the current value is exactly the old one.
    pub(in crate::store) fn put_single(
        &self,
        name: &str,
        value: &Redacted,
        old: Option<&Redacted>,
        deadline: Instant,
    ) -> Result<(), Error> {
        let workspace = self.workspace_id()?;
        // Names of whole secrets are accepted too: Beta9's own builder made some that its API would refuse.
        if !name::can_be_created(name) && !name::is_derived(name) {
            return Err(PostgresError::InvalidName(name.to_owned()).into());
        }
        let changed = |what| PostgresError::Changed {
            name: name.to_owned(),
            what,
        };
        self.work(deadline, async |client| {
            let transaction = begin(client).await?;
            lock(&transaction, workspace, name).await?;
            let Rows { key, rows } = Rows::named(&transaction, workspace, &[name]).await?;
            let sealed = seal(&key, value.expose())?;
            let written = match (rows.first(), old) {
                (None, None) => insert(&transaction, workspace, name, &sealed).await?,
                (None, Some(_)) => return Err(changed("no longer exists").into()),
                (Some(_), None) => return Err(changed("is there already").into()),
                (Some(row), Some(old)) => {
                    *row.open(&key)? == *old.expose()
                        && update(&transaction, workspace, row, &sealed).await?
                }
            };
            if !written {
                return Err(changed("was changed meanwhile").into());
            }
            Ok(transaction.commit().await?)
        })
    }

    /// Removes a single secret if it still has exactly this value.
    pub(in crate::store) fn remove_single(
        &self,
        name: &str,
        value: &Redacted,
        deadline: Instant,
    ) -> Result<(), Error> {
        let workspace = self.workspace_id()?;
        self.work(deadline, async |client| {
            let transaction = begin(client).await?;
            lock(&transaction, workspace, name).await?;
            let Rows { key, rows } = Rows::named(&transaction, workspace, &[name]).await?;
            let Some(row) = rows.first() else {
                return Ok(());
            };
            if *row.open(&key)? != *value.expose() || !delete(&transaction, workspace, row).await? {
                return Err(PostgresError::ChangedBeforeRemoval(name.to_owned()).into());
            }
            Ok(transaction.commit().await?)
        })
    }
}
