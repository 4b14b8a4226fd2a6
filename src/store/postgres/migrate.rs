//! Adds what Beta9's older tables lack: our own tables and, unless Beta9's migration 053 has dropped them, the columns
//! and the index of its migration 036.

use std::time::Instant;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Transaction};

use super::errors::PostgresError;
use super::fault::Fault;
use super::generation::{Columns, Generation};
use super::rows::first_texts;
use super::session::begin;
use super::{PostgresStore, expiry, lease};
use crate::error::Error;

/// One part that a migration creates, and whether it was missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The part's name for people.
    pub what: &'static str,
    /// Whether it was created now rather than earlier.
    pub made: bool,
}

/// The result of a migration.
#[derive(Debug)]
pub struct Migrated {
    /// The database's generation.
    pub generation: Generation,
    /// The parts that it must have.
    pub steps: Vec<Step>,
    /// Existing parts of migration 036 that migration 053 drops and Beta9 no longer reads.
    pub left_over: Vec<&'static str>,
}

impl PostgresStore {
    /// Creates missing parts in one transaction. Existing parts are left alone, and parts that a later migration of
    /// Beta9 dropped are not added. Fails without a change if the database isn't Beta9's.
    pub fn migrate(&self, deadline: Instant) -> Result<Migrated, Error> {
        self.work(deadline, async |client| {
            let transaction = begin_alone(client).await?;
            let mut todo = Migrated::todo(&transaction).await?;
            if todo
                .steps
                .iter()
                .any(|step| step.made && !OURS.contains(&step.what))
            {
                // A migration of Beta9's may have run meanwhile; from here on, none can.
                transaction
                    .batch_execute("LOCK TABLE image IN ACCESS EXCLUSIVE MODE")
                    .await?;
                todo = Migrated::todo(&transaction).await?;
            }
            for (what, _, make) in STEPS {
                if todo.steps.iter().any(|step| step.made && step.what == what) {
                    transaction.batch_execute(make).await?;
                }
            }
            transaction.commit().await?;
            Ok(todo)
        })
    }
}

impl Migrated {
    /// Finds out what to do.
    async fn todo(transaction: &Transaction<'_>) -> Result<Self, Fault> {
        let generation = Columns::of(transaction).await?.generation();
        let (mut steps, mut left_over) = (Vec::new(), Vec::new());
        for (what, is_there, _) in STEPS {
            let made = transaction.query_typed(is_there, &[]).await?.is_empty();
            match generation {
                Generation::Third if !OURS.contains(&what) => {
                    left_over.extend((!made).then_some(what));
                }
                _ => steps.push(Step { what, made }),
            }
        }
        Ok(Self {
            generation,
            steps,
            left_over,
        })
    }
}

/// Begins a transaction that excludes other migrations. It does not wait long for locks, because others would queue
/// behind it.
pub(super) async fn begin_alone(client: &mut Client) -> Result<Transaction<'_>, Fault> {
    let transaction = begin(client).await?;
    transaction.batch_execute(ALONE).await?;
    let missing = missing(&transaction).await?;
    if missing.is_empty() {
        Ok(transaction)
    } else {
        Err(PostgresError::NotBeta9(missing).into())
    }
}

/// Columns of Beta9's database that this one lacks.
pub(super) async fn missing(transaction: &Transaction<'_>) -> Result<Vec<String>, Fault> {
    let columns = COLUMNS.iter();
    let (tables, columns): (Vec<&str>, Vec<&str>) = columns
        .flat_map(|(table, columns)| columns.iter().map(|column| (*table, *column)))
        .unzip();
    let params = [
        (&tables as _, Type::TEXT_ARRAY),
        (&columns as _, Type::TEXT_ARRAY),
    ];
    let rows = transaction.query_typed(MISSING, &params).await?;
    Ok(first_texts(&rows)?)
}

/// What [`PostgresStore::migrate`] would make.
pub(super) async fn unmigrated(transaction: &Transaction<'_>) -> Result<Vec<&'static str>, Fault> {
    let steps = Migrated::todo(transaction).await?.steps;
    Ok(steps
        .into_iter()
        .filter(|step| step.made)
        .map(|step| step.what)
        .collect())
}

/// The missing columns, visible even without permission to use them.
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
        &[
            "id",
            "external_id",
            "name",
            "value",
            "workspace_id",
            "last_updated_by",
            "created_at",
            "updated_at",
        ],
    ),
    ("image", &["id", "image_id", "external_id"]),
];
/// The part, the query that finds it, and the statement that creates it.
const STEPS: [(&str, &str, &str); 5] = [
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
    (
        EXPIRY,
        "SELECT WHERE to_regclass('credential_helper_expiry') IS NOT NULL",
        expiry::TABLE,
    ),
    (
        SHARED,
        "SELECT WHERE to_regclass('credential_helper_token') IS NOT NULL",
        lease::TABLE,
    ),
];
/// Our own tables, needed in every generation.
const OURS: [&str; 2] = [EXPIRY, SHARED];
const SHARED: &str = "credential_helper_token";
const EXPIRY: &str = "credential_helper_expiry";
/// The number of the lock is one that nobody else uses.
const ALONE: &str =
    "SET LOCAL lock_timeout = '3s'; SELECT pg_advisory_xact_lock(5784128349017165625)";
