//! Images and their secrets: writes an image's row like a build, and reads it like a scheduler.

use std::collections::BTreeSet;
use std::time::Instant;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::errors::PostgresError;
use super::generation::Columns;
use super::rows::{Row, SECRET, open_key, texts};
use super::secrets::{Content, Entry, Secrets};
use super::{PART, PostgresStore};
use crate::credential::Redacted;
use crate::error::Error;
use crate::json;
use crate::store::single::is_for;
use crate::store::{ImageSecrets, Lookup, StoreError};

impl PostgresStore {
    /// Writes the name and the id of a registry's secret to an image's row, and returns the name.
    pub fn bind_image(&self, image_id: &str, lookup: &Lookup) -> Result<String, Error> {
        let workspace = self.workspace_id()?;
        let bound = self.work(lookup.deadline, async |client| {
            let there = Secrets::named(client, workspace, &lookup.names()).await?;
            let Some((secret, _)) = there.of(lookup)? else {
                return Err(PostgresError::NothingToBind.into());
            };
            let row = &secret.row;
            let values = [image_id, &row.name, &row.id];
            match client.execute_typed(BIND, &texts(&values)).await {
                Err(error) if is_column(&error) && Columns::of(client).await?.names => {
                    Err(PostgresError::Dropped.into())
                }
                Ok(0) => Err(PostgresError::UnknownImage(image_id.to_owned()).into()),
                outcome => Ok(outcome.map(|_| row.name.clone())?),
            }
        });
        bound.map_err(|error| error.about(lookup.host.as_reference()))
    }

    /// Whether the table of images has a column for names.
    pub(in crate::store) fn binds_names(&self, deadline: Instant) -> Result<bool, Error> {
        self.work(deadline, async |client| {
            Ok(Columns::of(client).await?.names)
        })
    }

    /// Writes these names to an image's row, sorted, as Beta9 does.
    pub(in crate::store) fn bind_names(
        &self,
        image_id: &str,
        names: &[String],
        deadline: Instant,
    ) -> Result<(), Error> {
        let names: BTreeSet<_> = names.iter().map(String::as_str).collect();
        let names: Vec<_> = names.into_iter().collect();
        self.work(deadline, async |client| {
            let params = [
                (&image_id as _, Type::TEXT),
                (&names as _, Type::TEXT_ARRAY),
            ];
            match client.execute_typed(BIND_NAMES, &params).await {
                Err(error) if is_column(&error) => Err(PostgresError::NoNames.into()),
                Ok(0) => Err(PostgresError::UnknownImage(image_id.to_owned()).into()),
                outcome => Ok(outcome.map(|_| ())?),
            }
        })
    }

    /// What an image is bound to: names of single secrets, or one secret; always this workspace's.
    pub fn image_secrets(&self, image_id: &str, deadline: Instant) -> Result<ImageSecrets, Error> {
        match self.image_secrets_now(image_id, deadline) {
            // A restart of the server, or of what is before it, ends connections, and does not fail what can be asked again.
            Err(Error::Unreachable(_)) if self.lost_session.take() => {
                self.image_secrets_now(image_id, deadline)
            }
            answer => answer,
        }
    }

    fn image_secrets_now(&self, image_id: &str, deadline: Instant) -> Result<ImageSecrets, Error> {
        let workspace = self.workspace_id()?;
        self.work(deadline, async |client| {
            let (sql, values) = (IMAGE.join(SECRET), [workspace, image_id]);
            let columns = client.query_typed(&sql, &texts(&values)).await?;
            let first = columns
                .first()
                .ok_or_else(|| PostgresError::NoWorkspace(workspace.to_owned()))?;
            if !first.try_get::<_, bool>(1)? {
                let unknown = PostgresError::UnknownImage(image_id.to_owned());
                return Ok(ImageSecrets::Unknown(unknown.into()));
            }
            if !first.try_get::<_, bool>(2)? {
                return Ok(ImageSecrets::Unknown(PostgresError::NoColumns.into()));
            }
            let names = names(first.try_get(3)?);
            let secret: Option<&str> = first.try_get(4)?;
            let key = open_key(first.try_get(0)?);
            let rows: Vec<Row> = columns
                .iter()
                .filter_map(|row| Row::at(5, row).transpose())
                .collect::<Result<_, _>>()?;
            if !names.is_empty() {
                let there = rows
                    .iter()
                    .filter(|row| names.contains(&row.name))
                    .map(|row| row.single(&key))
                    .collect::<Result<_, _>>()?;
                return Ok(ImageSecrets::Names { names, there });
            }
            let Some(name) = secret.filter(|name| !name.is_empty()) else {
                return Ok(ImageSecrets::Unbound);
            };
            let mut rows = rows.into_iter();
            let entry = rows.find(|row| row.name == name);
            let entry = entry.map(|row| Entry::of(row, &key));
            let gone = || PostgresError::Gone {
                image: image_id.to_owned(),
                name: name.to_owned(),
            };
            let entry = entry.filter(|entry| !entry.is_empty).ok_or_else(gone)?;
            let blob = blob(&entry.row, &entry.content?)?;
            Ok(ImageSecrets::Blobs(vec![blob]))
        })
    }
}

/// The names in an array column, sorted.
fn names(column: Option<&str>) -> Vec<String> {
    let names: Option<Vec<Option<String>>> =
        column.and_then(|text| json::parse(text.as_bytes()).ok());
    let names: BTreeSet<String> = names.into_iter().flatten().flatten().collect();
    names.into_iter().collect()
}

/// The blob exactly as sealed, for a request's credentials.
fn blob(row: &Row, content: &Content) -> Result<Redacted, Error> {
    match &content.blob.registry {
        Some(registry) if !is_for(&content.hosts, registry) => {
            Err(StoreError::only_for(&row.name, &content.hosts, registry).at(PART))
        }
        _ => Ok(content.text.as_str().into()),
    }
}

fn is_column(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::UNDEFINED_COLUMN)
}

const BIND: &str =
    "UPDATE image SET credential_secret_name = $2, credential_secret_id = $3 WHERE image_id = $1";
const BIND_NAMES: &str = "UPDATE image SET credential_secret_names = $2 WHERE image_id = $1";
/// The query before and after the columns of `rows::SECRET`. The image's row is read as JSON, which works with any set
/// of columns. Several workspaces may have the image; each uses its own secrets of those names.
const IMAGE: [&str; 2] = [
    "\
SELECT w.signing_key::text, i.image IS NOT NULL,
    coalesce(i.image ?| ARRAY['credential_secret_name', 'credential_secret_names'], false),
    i.image->>'credential_secret_names', i.image->>'credential_secret_name', ",
    "
FROM workspace w
LEFT JOIN LATERAL (SELECT to_jsonb(the_image) FROM image the_image WHERE image_id = $2) i(image) ON true
LEFT JOIN workspace_secret s ON s.workspace_id = w.id AND s.name = ANY(ARRAY(SELECT jsonb_array_elements_text(
    coalesce(nullif(i.image->'credential_secret_names', 'null'), '[]') ||
    coalesce(i.image->'credential_secret_name', '[]'))))
WHERE w.external_id = $1::text::uuid",
];
