//! `Rows`: the rows of `workspace_secret` with certain names, read in one query and still sealed.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{GenericClient, Row as Columns};
use zeroize::Zeroizing;

use super::errors::PostgresError;
use super::fault::Fault;
use super::shared::tokens;
use super::{PART, PostgresStore};
use crate::error::Error;
use crate::json;
use crate::seal::SealKey;
use crate::store::{name, workspace_id};

/// A workspace's key and the requested secrets.
pub(super) struct Rows {
    pub(super) key: Result<SealKey, PostgresError>,
    pub(super) secrets: Vec<Row>,
    /// The shared tokens of a registry, if they were asked for.
    pub(super) shared: Option<String>,
}

/// One row.
pub(super) struct Row {
    pub(super) name: String,
    /// Its `external_id`.
    pub(super) id: String,
    /// The sealed value, which is compared to detect concurrent changes.
    pub(super) sealed: String,
    /// The column `hosts` as JSON, if the database has it.
    hosts: Option<String>,
}

impl Rows {
    /// Reads the secrets with these names.
    pub(super) async fn named(
        client: &impl GenericClient,
        workspace: &str,
        names: &[&str],
    ) -> Result<Self, Fault> {
        Self::with_shared(client, workspace, names, None).await
    }

    /// The same with the shared tokens of a registry.
    pub(super) async fn with_shared(
        client: &impl GenericClient,
        workspace: &str,
        names: &[&str],
        host: Option<&str>,
    ) -> Result<Self, Fault> {
        Self::read(client, "= ANY($2)", workspace, names, host).await
    }

    /// Reads all secrets with a name derived from a registry.
    pub(super) async fn of_registries(
        client: &impl GenericClient,
        workspace: &str,
    ) -> Result<Self, Fault> {
        let patterns = name::PREFIXES.map(|prefix| format!("{}%", prefix.replace('_', r"\_")));
        let patterns = patterns.each_ref().map(String::as_str);
        Self::read(client, "LIKE ANY($2)", workspace, &patterns, None).await
    }

    async fn read(
        client: &impl GenericClient,
        which: &str,
        workspace: &str,
        names: &[&str],
        host: Option<&str>,
    ) -> Result<Self, Fault> {
        // In the first row only, not with each secret.
        let tokens = host.map_or(String::new(), |_| {
            format!(
                ", CASE WHEN row_number() OVER () = 1 THEN coalesce({}, '[]') END",
                tokens("$3")
            )
        });
        let sql = format!(
            "SELECT w.signing_key::text, {SECRET}{tokens} \
             FROM workspace w LEFT JOIN workspace_secret s ON s.workspace_id = w.id AND s.name {which} \
             WHERE w.external_id = $1::text::uuid"
        );
        let params = [
            (&workspace as _, Type::TEXT),
            (&names as _, Type::TEXT_ARRAY),
            (&host as _, Type::TEXT),
        ];
        let params = &params[..2 + usize::from(host.is_some())];
        let rows = client.query_typed(&sql, params).await?;
        let Some(first) = rows.first() else {
            return Err(PostgresError::NoWorkspace(workspace.to_owned()).into());
        };
        let key = open_key(first.try_get(0)?);
        let secrets = rows
            .iter()
            .filter_map(|columns| Row::at(1, columns).transpose())
            .collect::<Result<_, _>>()?;
        let mut shared = None;
        if host.is_some() {
            for row in &rows {
                shared = shared.or(row.try_get::<_, Option<String>>(1 + SECRET_COLUMNS)?);
            }
        }
        Ok(Self {
            key,
            secrets,
            shared,
        })
    }
}

impl Row {
    /// Reads the columns of [`SECRET`], which begin at `at`. A workspace without such a secret has a row without a
    /// name.
    pub(super) fn at(at: usize, columns: &Columns) -> Result<Option<Self>, tokio_postgres::Error> {
        let Some(name) = columns.try_get(at)? else {
            return Ok(None);
        };
        let text = |at: usize| columns.try_get::<_, Option<String>>(at);
        let (sealed, id) = (
            text(at + 1)?.unwrap_or_default(),
            text(at + 2)?.unwrap_or_default(),
        );
        Ok(Some(Self {
            name,
            id,
            sealed,
            hosts: text(at + 3)?,
        }))
    }

    /// Opens the value.
    pub(super) fn open(
        &self,
        key: &Result<SealKey, PostgresError>,
    ) -> Result<Zeroizing<String>, PostgresError> {
        let key = key.as_ref().map_err(Clone::clone)?;
        key.open_base64(&[], &self.sealed)
            .map_err(|error| PostgresError::Unopened {
                name: self.name.clone(),
                error,
            })
    }

    /// The hosts that it may be sent to; empty for no restriction.
    pub(super) fn hosts(&self) -> Result<Vec<String>, PostgresError> {
        let hosts = self.hosts.as_deref().unwrap_or("null");
        let hosts: Option<Vec<String>> = json::parse(hosts.as_bytes())
            .map_err(|_| PostgresError::UnknownHosts(self.name.clone()))?;
        Ok(hosts.unwrap_or_default())
    }
}

impl PostgresStore {
    /// The workspace's id. Fails unless it is a UUID.
    pub(super) fn workspace_id(&self) -> Result<&str, Error> {
        workspace_id(PART, &self.workspace)
    }
}

/// The parameters of a query whose values are all texts.
pub(super) fn texts<'a>(values: &'a [&str]) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    values.iter().map(|text| (text as _, Type::TEXT)).collect()
}

/// The texts in the first column.
pub(super) fn first_texts(rows: &[Columns]) -> Result<Vec<String>, tokio_postgres::Error> {
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Reads a workspace's signing key. Beta9 gives every workspace one, but the column may be empty.
pub(super) fn open_key(text: Option<&str>) -> Result<SealKey, PostgresError> {
    let text = text
        .filter(|text| !text.is_empty())
        .ok_or(PostgresError::NoSigningKey)?;
    SealKey::from_signing_key(text).map_err(PostgresError::SigningKey)
}

/// Seals a value as Beta9 does.
pub(super) fn seal(
    key: &Result<SealKey, PostgresError>,
    text: &str,
) -> Result<String, PostgresError> {
    let key = key.as_ref().map_err(Clone::clone)?;
    key.seal_base64(&[], text)
        .map_err(PostgresError::Unsealable)
}

const SECRET_COLUMNS: usize = 4;
/// The columns that are read of a secret `s`. `hosts` exists only in later versions of Beta9.
pub(super) const SECRET: &str =
    "s.name::text, s.value::text, s.external_id::text, (to_jsonb(s)->'hosts')::text";
