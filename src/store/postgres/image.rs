//! Images and their secrets: what the build writes to an image's row, and what a scheduler reads from it.

use std::time::Instant;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::generation::Columns;
use super::rows::{Row, SECRET, no_workspace, open_key};
use super::secrets::{Content, Entry, Secrets};
use super::{PART, PostgresStore};
use crate::credential::Redacted;
use crate::error::{Error, Problem};
use crate::shown::shown;
use crate::store::single::{is_for, only_for};
use crate::store::{ImageSecrets, Lookup};

impl PostgresStore {
    /// Writes the name and the id of a registry's secret to an image's row, and answers the name.
    pub fn bind_image(&self, image_id: &str, lookup: &Lookup) -> Result<String, Error> {
        let workspace = self.workspace_id()?;
        let bound = self.work(lookup.deadline, async |client| {
            let there = Secrets::named(client, workspace, &lookup.names()).await?;
            let Some((secret, _)) = there.of(lookup)? else {
                return Err(Problem::new(PART, "there is no secret to bind an image to")
                    .fix("store one first")
                    .failed()
                    .into());
            };
            let row = &secret.row;
            let params = [
                (&image_id as _, Type::TEXT),
                (&row.name as _, Type::TEXT),
                (&row.id as _, Type::TEXT),
            ];
            match client.execute_typed(BIND, &params).await {
                Err(error) if is_column(&error) && Columns::of(client).await?.names => {
                    Err(dropped().into())
                }
                Ok(0) => Err(no_image(image_id).into()),
                outcome => Ok(outcome.map(|_| row.name.clone())?),
            }
        });
        bound.map_err(|error| error.about(lookup.host.as_reference()))
    }

    /// Whether an image's row takes names.
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
        let names: Vec<&str> = names
            .iter()
            .map(String::as_str)
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect();
        self.work(deadline, async |client| {
            let params = [
                (&image_id as _, Type::TEXT),
                (&names as _, Type::TEXT_ARRAY),
            ];
            match client.execute_typed(BIND_NAMES, &params).await {
                Err(error) if is_column(&error) => Err(no_names().into()),
                Ok(0) => Err(no_image(image_id).into()),
                outcome => Ok(outcome.map(|_| ())?),
            }
        })
    }

    /// What an image is bound to: the names of single secrets, or else one secret. Of either kind it is this workspace's.
    pub fn image_secrets(&self, image_id: &str, deadline: Instant) -> Result<ImageSecrets, Error> {
        let workspace = self.workspace_id()?;
        self.work(deadline, async |client| {
            let params = [(&workspace as _, Type::TEXT), (&image_id as _, Type::TEXT)];
            let columns = client.query_typed(&IMAGE.join(SECRET), &params).await?;
            let first = columns.first().ok_or_else(|| no_workspace(workspace))?;
            if !first.try_get::<_, bool>(1)? {
                return Ok(ImageSecrets::Unknown(no_image(image_id)));
            }
            if !first.try_get::<_, bool>(2)? {
                return Ok(ImageSecrets::Unknown(no_columns()));
            }
            let names: Vec<String> = first.try_get(3)?;
            let secret: Option<&str> = first.try_get(4)?;
            let key = open_key(first.try_get(0)?);
            let rows: Vec<Row> = columns
                .iter()
                .filter_map(|row| Row::at(5, row).transpose())
                .collect::<Result<_, _>>()?;
            if !names.is_empty() {
                let there = rows
                    .iter()
                    .map(|row| row.single(&key))
                    .collect::<Result<_, _>>()?;
                return Ok(ImageSecrets::Names { names, there });
            }
            let Some(name) = secret.filter(|name| !name.is_empty()) else {
                return Ok(ImageSecrets::Unbound);
            };
            let entry = rows.into_iter().next().map(|row| Entry::of(row, &key));
            let entry = entry
                .filter(|entry| !entry.is_empty)
                .ok_or_else(|| gone(image_id, name))?;
            Ok(ImageSecrets::Blobs(vec![blob(
                &entry.row,
                &entry.content?,
            )?]))
        })
    }
}

/// The blob as it was sealed, for a request's credentials.
fn blob(row: &Row, content: &Content) -> Result<Redacted, Error> {
    match &content.blob.registry {
        Some(registry) if !is_for(&content.hosts, registry) => {
            Err(only_for(PART, &row.name, &content.hosts, registry))
        }
        _ => Ok(content.text.as_str().into()),
    }
}

fn is_column(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::UNDEFINED_COLUMN)
}

fn no_image(image_id: &str) -> Error {
    Problem::new(PART, format_args!("there is no image {}", shown(image_id)))
        .fix("build it first, or correct its id")
        .failed()
}

fn gone(image_id: &str, name: &str) -> Error {
    let (image_id, name) = (shown(image_id), shown(name));
    Problem::new(
        PART,
        format_args!("image {image_id} is bound to the secret {name}, which is gone or empty"),
    )
    .fix("store the secret again with docker-credential-beta9 provision, or build the image again")
    .failed()
}

fn no_columns() -> Error {
    Problem::new(PART, "the table image has no column for secrets")
        .fix("run docker-credential-beta9 migrate")
        .failed()
}

fn no_names() -> Error {
    Problem::new(
        PART,
        "the table image has no column credential_secret_names, which Beta9's migration 053 adds",
    )
    .fix("update Beta9, or bind the image to one secret")
    .failed()
}

fn dropped() -> Error {
    Problem::new(
        PART,
        "Beta9's migration 053 has dropped the columns that bind an image to one secret",
    )
    .fix("bind the image to the names of single secrets")
    .failed()
}

const BIND: &str =
    "UPDATE image SET credential_secret_name = $2, credential_secret_id = $3 WHERE image_id = $1";
const BIND_NAMES: &str = "UPDATE image SET credential_secret_names = $2 WHERE image_id = $1";
/// The image's row as JSON has whichever columns there are. An image may be several workspaces'; each has the secrets of
/// those names for itself. Before the columns of `rows::SECRET`, and what comes behind them.
const IMAGE: [&str; 2] = [
    "\
SELECT w.signing_key::text, i.image IS NOT NULL,
    coalesce(i.image ?| ARRAY['credential_secret_name', 'credential_secret_names'], false),
    n.names, i.image->>'credential_secret_name', ",
    "
FROM workspace w
LEFT JOIN LATERAL (SELECT to_jsonb(the_image) FROM image the_image WHERE image_id = $2) i(image) ON true
CROSS JOIN LATERAL (SELECT ARRAY(
    SELECT one.name FROM jsonb_array_elements_text(
        CASE jsonb_typeof(i.image->'credential_secret_names')
        WHEN 'array' THEN i.image->'credential_secret_names' ELSE '[]' END) one(name)
    WHERE one.name IS NOT NULL ORDER BY one.name)) n(names)
LEFT JOIN workspace_secret s ON s.workspace_id = w.id AND s.name = ANY(
    CASE WHEN cardinality(n.names) > 0 THEN n.names ELSE ARRAY[i.image->>'credential_secret_name'] END)
WHERE w.external_id = $1::text::uuid",
];
