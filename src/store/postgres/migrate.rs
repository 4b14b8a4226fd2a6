//! What the database must have beyond Beta9's older tables: the columns and the index of Beta9's migration 036, and a
//! table of our own.

use std::time::Instant;

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::fault::Fault;
use super::session::begin;
use super::{PART, PostgresStore, expiry};
use crate::error::{Error, Problem};

/// One thing that a migration makes, and whether it was missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it is, as people call it.
    pub what: &'static str,
    /// Whether it was made now; else it was there already.
    pub made: bool,
}

impl PostgresStore {
    /// Makes what is missing, in one transaction; what is there is left alone. A database that is not Beta9's is refused,
    /// and nothing in it is changed.
    pub fn migrate(&self, deadline: Instant) -> Result<Vec<Step>, Error> {
        self.work(deadline, async |client| {
            let transaction = begin(client).await?;
            // One migration at a time; and none that waits for long, since everybody else would wait behind it.
            transaction.batch_execute(ALONE).await?;
            let missing = missing(&transaction).await?;
            if !missing.is_empty() {
                return Err(not_beta9(&missing).into());
            }
            let mut steps = Vec::new();
            for (what, is_there, make) in STEPS {
                let made = transaction.query_typed(is_there, &[]).await?.is_empty();
                if made {
                    transaction.batch_execute(make).await?;
                }
                steps.push(Step { what, made });
            }
            transaction.commit().await?;
            Ok(steps)
        })
    }
}

/// The columns that Beta9's database would have and this one has not.
pub(super) async fn missing(transaction: &Transaction<'_>) -> Result<Vec<String>, Fault> {
    let columns: Vec<&str> = COLUMNS.iter().flat_map(|(_, columns)| *columns).copied().collect();
    let tables: Vec<&str> = COLUMNS.iter().flat_map(|(table, columns)| columns.iter().map(|_| *table)).collect();
    let params = [(&tables as _, Type::TEXT_ARRAY), (&columns as _, Type::TEXT_ARRAY)];
    let rows = transaction.query_typed(MISSING, &params).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// What of [`STEPS`] has not been made.
pub(super) async fn unmigrated(transaction: &Transaction<'_>) -> Result<Vec<&'static str>, Fault> {
    let mut missing = Vec::new();
    for (what, is_there, _) in STEPS {
        if transaction.query_typed(is_there, &[]).await?.is_empty() {
            missing.push(what);
        }
    }
    Ok(missing)
}

pub(super) fn not_beta9(missing: &[String]) -> Error {
    Problem::new(PART, format_args!("this database is not Beta9's: it has no {}", missing.join(", ")))
        .fix("nothing was changed; correct BETA9_DATABASE_URL, or url in [store.postgres]")
        .failed()
}

/// What is there, seen also by who may not use it.
const MISSING: &str = "\
SELECT CASE WHEN to_regclass(t) IS NULL THEN 'table ' || t ELSE t || '.' || string_agg(c, ', ' ORDER BY i) END
FROM unnest($1, $2) WITH ORDINALITY AS expected(t, c, i)
WHERE NOT EXISTS (SELECT FROM pg_attribute
                  WHERE attrelid = to_regclass(t) AND attname = c AND attnum > 0 AND NOT attisdropped)
GROUP BY t ORDER BY min(i)";
const COLUMNS: &[(&str, &[&str])] = &[
    ("workspace", &["id", "external_id", "name", "signing_key"]),
    (
        "workspace_secret",
        &["id", "external_id", "name", "value", "workspace_id", "last_updated_by", "created_at", "updated_at"],
    ),
    ("image", &["id", "image_id", "external_id"]),
];
/// What, the query that finds it, and how it is made.
const STEPS: [(&str, &str, &str); 4] = [
    (
        "image.credential_secret_name",
        "SELECT FROM pg_attribute WHERE attrelid = to_regclass('image') AND attname = 'credential_secret_name' AND NOT attisdropped",
        "ALTER TABLE image ADD COLUMN IF NOT EXISTS credential_secret_name VARCHAR(255)",
    ),
    (
        "image.credential_secret_id",
        "SELECT FROM pg_attribute WHERE attrelid = to_regclass('image') AND attname = 'credential_secret_id' AND NOT attisdropped",
        "ALTER TABLE image ADD COLUMN IF NOT EXISTS credential_secret_id VARCHAR(36)",
    ),
    (
        "idx_image_credential_secret_name",
        "SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = to_regclass('image') AND c.relname = 'idx_image_credential_secret_name'",
        "CREATE INDEX IF NOT EXISTS idx_image_credential_secret_name ON image (credential_secret_name)",
    ),
    ("credential_helper_expiry", "SELECT WHERE to_regclass('credential_helper_expiry') IS NOT NULL", expiry::TABLE),
];
/// The lock's number is one that nobody else takes.
const ALONE: &str = "SET LOCAL lock_timeout = '3s'; SELECT pg_advisory_xact_lock(5784128349017165625)";
