//! Images and their secrets: what the build writes to an image's row, and what a scheduler reads from it.

use std::time::Instant;

use tokio_postgres::types::Type;

use super::secrets::{Secrets, no_workspace, open, open_key};
use super::{PART, PostgresStore};
use crate::credential::Redacted;
use crate::error::{Error, Problem};
use crate::host::Host;
use crate::store::Lookup;

/// The secret that an image is bound to.
#[derive(Debug)]
pub struct ImageSecret {
    /// Its name.
    pub name: String,
    /// The registry recorded inside it, in the shapes that record one.
    pub registry: Option<Host>,
    /// The blob as it was sealed, for a request's credentials.
    pub blob: Redacted,
}

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
            let params = [(&image_id as _, Type::TEXT), (&secret.name as _, Type::TEXT), (&secret.id as _, Type::TEXT)];
            match client.execute_typed(BIND, &params).await? {
                0 => Err(Problem::new(PART, format_args!("there is no image {}", image_id.escape_debug()))
                    .fix("build it first, or correct its id")
                    .failed()
                    .into()),
                _ => Ok(secret.name.clone()),
            }
        });
        bound.map_err(|error| error.about(lookup.host.as_str()))
    }

    /// The secret of an image: the one of this workspace that has the name written to the image's row.
    pub fn image_secret(&self, image_id: &str, deadline: Instant) -> Result<Option<ImageSecret>, Error> {
        let workspace = self.workspace_id()?;
        self.work(deadline, async |client| {
            let params = [(&workspace as _, Type::TEXT), (&image_id as _, Type::TEXT)];
            let rows = client.query_typed(IMAGE, &params).await?;
            let row = rows.first().ok_or_else(|| no_workspace(workspace))?;
            let (Some(name), Some(sealed)) = (row.try_get::<_, Option<&str>>(1)?, row.try_get::<_, Option<&str>>(2)?)
            else {
                return Ok(None);
            };
            let content = open(&open_key(row.try_get(0)?), name, sealed)?;
            let blob = content.text.as_str().into();
            Ok(Some(ImageSecret { name: name.to_owned(), registry: content.blob.registry, blob }))
        })
    }
}

const BIND: &str = "UPDATE image SET credential_secret_name = $2, credential_secret_id = $3 WHERE image_id = $1";
/// An image may be several workspaces'; each has the secret of that name for itself.
const IMAGE: &str = "\
SELECT w.signing_key::text, s.name::text, s.value::text
FROM workspace w
LEFT JOIN image i ON i.image_id = $2
LEFT JOIN workspace_secret s ON s.workspace_id = w.id AND s.name = i.credential_secret_name
WHERE w.external_id = $1::text::uuid";
