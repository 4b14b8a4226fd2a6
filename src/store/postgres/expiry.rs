//! Expiry of secrets, in our own table, which `migrate` creates. An expiry applies to one value: a secret that was
//! written again since, for example by a Beta9 build, is in use and no longer pruned.

use std::time::{Duration, Instant, SystemTime};

use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::PostgresStore;
use super::errors::PostgresError;
use super::fault::Fault;
use super::rows::{first_texts, texts};
use super::secrets::Secrets;
use super::session::begin;
use crate::error::Error;
use crate::store::Lookup;

impl PostgresStore {
    /// Records how long from now a registry's secret is kept; `None` means forever.
    pub fn set_expiry(&self, lookup: &Lookup, ttl: Option<Duration>) -> Result<(), Error> {
        let workspace = self.workspace_id()?;
        let done = self.work(lookup.deadline, async |client| {
            let there = Secrets::named(client, workspace, &lookup.names()).await?;
            let Some((secret, _)) = there.of(lookup)? else {
                return Err(PostgresError::NothingToExpire.into());
            };
            let Some(ttl) = ttl else {
                let kept = client.execute_typed(KEEP, &texts(&[&secret.row.id])).await;
                return match kept {
                    // Without the table, nothing expires anyway.
                    Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(()),
                    outcome => Ok(outcome.map(|_| ())?),
                };
            };
            let seconds = ttl.as_secs_f64();
            let params = [
                (&secret.row.id as _, Type::TEXT),
                (&secret.row.sealed as _, Type::TEXT),
                (&seconds as _, Type::FLOAT8),
            ];
            match client.execute_typed(EXPIRE, &params).await? {
                0 => Err(PostgresError::ChangedBeforeExpiry.into()),
                _ => Ok::<_, Fault>(()),
            }
        });
        done.map_err(|error| error.about(lookup.host.as_reference()))
    }

    /// Removes the workspace's expired secrets, and returns their names. Secrets without an expiry stay.
    pub fn prune(&self, now: SystemTime, deadline: Instant) -> Result<Vec<String>, Error> {
        let workspace = self.workspace_id()?;
        let now = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs_f64();
        self.work(deadline, async |client| {
            let transaction = begin(client).await?;
            let params = [(&workspace as _, Type::TEXT), (&now as _, Type::FLOAT8)];
            let rows = transaction.query_typed(PRUNE, &params).await?;
            let names = first_texts(&rows)?;
            transaction.batch_execute(TIDY).await?;
            transaction.commit().await?;
            Ok(names)
        })
    }
}

/// The table. It has no foreign key to secrets, which would block Beta9's own migrations.
pub(super) const TABLE: &str = "\
CREATE TABLE IF NOT EXISTS credential_helper_expiry (
    secret_id uuid PRIMARY KEY,
    secret_digest text NOT NULL,
    expires_at timestamptz NOT NULL
)";

const KEEP: &str = "DELETE FROM credential_helper_expiry WHERE secret_id = $1::text::uuid";
const EXPIRE: &str = "\
INSERT INTO credential_helper_expiry (secret_id, secret_digest, expires_at)
SELECT s.external_id, encode(sha256(convert_to(s.value, 'UTF8')), 'hex'), CURRENT_TIMESTAMP + make_interval(secs => $3)
FROM workspace_secret s WHERE s.external_id = $1::text::uuid AND s.value = $2
ON CONFLICT (secret_id) DO UPDATE SET secret_digest = EXCLUDED.secret_digest, expires_at = EXCLUDED.expires_at";
const PRUNE: &str = "\
DELETE FROM workspace_secret s USING credential_helper_expiry e, workspace w
WHERE w.external_id = $1::text::uuid AND s.workspace_id = w.id AND e.secret_id = s.external_id
  AND e.expires_at <= to_timestamp($2) AND e.secret_digest = encode(sha256(convert_to(s.value, 'UTF8')), 'hex')
RETURNING s.name::text";
/// Removes the expiries of values that no longer exist.
const TIDY: &str = "\
DELETE FROM credential_helper_expiry e WHERE NOT EXISTS (
    SELECT FROM workspace_secret s
    WHERE s.external_id = e.secret_id AND e.secret_digest = encode(sha256(convert_to(s.value, 'UTF8')), 'hex')
)";
