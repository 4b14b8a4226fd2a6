//! `Secrets`: the opened secrets that may have one registry's whole credential.

use tokio_postgres::GenericClient;
use zeroize::Zeroizing;

use super::PART;
use super::errors::PostgresError;
use super::fault::Fault;
use super::rows::{Row, Rows};
use crate::error::Error;
use crate::host::Host;
use crate::keys::Blob;
use crate::seal::SealKey;
use crate::store::single::is_for;
use crate::store::{Lookup, Owner, StoreError, name};

/// A workspace's key and the requested secrets.
pub(super) struct Secrets {
    pub(super) key: Result<SealKey, PostgresError>,
    /// In the order of the requested names.
    pub(super) entries: Vec<Entry>,
}

/// One row, opened.
pub(super) struct Entry {
    pub(super) row: Row,
    pub(super) content: Result<Content, PostgresError>,
    /// Whether it has neither a registry nor a key, so that it may be replaced.
    pub(super) is_empty: bool,
}

/// A secret's content.
pub(super) struct Content {
    pub(super) text: Zeroizing<String>,
    pub(super) blob: Blob,
    /// The hosts that it may be sent to; empty for no restriction.
    pub(super) hosts: Vec<String>,
}

impl Secrets {
    /// Opens the rows, in the order of these names.
    pub(super) fn open(
        key: Result<SealKey, PostgresError>,
        rows: Vec<Row>,
        names: &[String],
    ) -> Self {
        let mut all = Self::opened(key, rows);
        all.entries
            .sort_by_key(|entry| names.iter().position(|name| *name == entry.row.name));
        all
    }

    /// Reads the secrets with these names.
    pub(super) async fn named(
        client: &impl GenericClient,
        workspace: &str,
        names: &[String],
    ) -> Result<Self, Fault> {
        let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
        let Rows { key, secrets, .. } = Rows::named(client, workspace, &wanted).await?;
        Ok(Self::open(key, secrets, names))
    }

    /// Reads all secrets with a name derived from a registry, preferred names first.
    pub(super) async fn of_registries(
        client: &impl GenericClient,
        workspace: &str,
    ) -> Result<Self, Fault> {
        let Rows { key, secrets, .. } = Rows::of_registries(client, workspace).await?;
        let mut all = Self::opened(key, secrets);
        let kind = |name: &str| {
            name::PREFIXES
                .iter()
                .position(|prefix| name.starts_with(prefix))
        };
        all.entries
            .sort_by_cached_key(|entry| (kind(&entry.row.name), entry.row.name.clone()));
        Ok(all)
    }

    fn opened(key: Result<SealKey, PostgresError>, rows: Vec<Row>) -> Self {
        let entries = rows.into_iter().map(|row| Entry::of(row, &key)).collect();
        Self { key, entries }
    }

    /// This registry's secret: preferably one with the registry recorded, else one without a registry that its name
    /// binds. An unreadable or unbound secret may be this registry's, so it is an error unless another one has the
    /// registry recorded. A secret only for other hosts is an error too.
    pub(super) fn of(&self, lookup: &Lookup) -> Result<Option<(&Entry, &Content)>, Error> {
        let found = match self.recorded(lookup.host) {
            Some(recorded) => Some(recorded),
            None => self.by_name(lookup)?,
        };
        let mut hosts = std::iter::once(lookup.host).chain(lookup.alias_of);
        match found {
            Some((entry, content)) if !hosts.any(|host| is_for(&content.hosts, host)) => {
                Err(StoreError::only_for(&entry.row.name, &content.hosts, lookup.host).at(PART))
            }
            found => Ok(found),
        }
    }

    fn recorded(&self, host: &Host) -> Option<(&Entry, &Content)> {
        let entries = self.entries.iter();
        let mut contents = entries.filter_map(|entry| Some((entry, entry.content.as_ref().ok()?)));
        contents.find(|(_, content)| content.blob.registry.as_ref() == Some(host))
    }

    fn by_name(&self, lookup: &Lookup) -> Result<Option<(&Entry, &Content)>, Error> {
        let mut unknown = Ok(None);
        for entry in &self.entries {
            match &entry.content {
                Ok(_) if entry.is_empty => {}
                Ok(content) => {
                    match lookup.owner(&entry.row.name, content.blob.registry.as_ref()) {
                        Owner::Ours => return Ok(Some((entry, content))),
                        Owner::Another => {}
                        Owner::Unknown => {
                            unknown = unknown
                                .and(Err(StoreError::Unbound(entry.row.name.clone()).at(PART)));
                        }
                    }
                }
                Err(error) => return Err(error.clone().into()),
            }
        }
        unknown
    }

    /// The secrets that a writer may change for this registry, the one in use first. Unreadable ones are excluded,
    /// because they may be another's.
    pub(super) fn owned(&self, lookup: &Lookup) -> Vec<&Entry> {
        let is_bound = |entry: &Entry| {
            let content = entry.content.as_ref();
            content.is_ok_and(|content| content.blob.registry.is_some())
        };
        let ours = |entry: &&Entry| {
            entry.is_empty
                || entry.content.as_ref().is_ok_and(|content| {
                    lookup.owner(&entry.row.name, content.blob.registry.as_ref()) == Owner::Ours
                })
        };
        let mut owned: Vec<&Entry> = self.entries.iter().filter(ours).collect();
        owned.sort_by_key(|entry| !is_bound(entry));
        owned
    }
}

impl Entry {
    /// Opens and parses a row.
    pub(super) fn of(row: Row, key: &Result<SealKey, PostgresError>) -> Self {
        let text = row.open(key);
        let is_empty = text.as_ref().is_ok_and(|text| text.is_empty());
        let read = |text: Zeroizing<String>| {
            let blob = Blob::parse(&text).map_err(|error| PostgresError::Damaged {
                name: row.name.clone(),
                error,
            })?;
            Ok(Content {
                text,
                blob,
                hosts: row.hosts()?,
            })
        };
        let content = text.and_then(read);
        Self {
            row,
            content,
            is_empty,
        }
    }
}
