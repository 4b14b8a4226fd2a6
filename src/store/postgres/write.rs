//! Writes in one transaction, under a database lock for the registry's secret name, so that each writer sees what the
//! previous one wrote. Beta9 does not take that lock; its concurrent writes are detected, because only exactly the
//! value that was read is replaced.

use aws_lc_rs::digest::{SHA256, digest};
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::PostgresStore;
use super::errors::PostgresError;
use super::fault::Fault;
use super::rows::Row;
use super::secrets::Secrets;
use super::session::begin;
use crate::error::Error;
use crate::store::{Lookup, Secret, name};

impl PostgresStore {
    pub(super) fn put(&self, lookup: &Lookup, secret: &Secret) -> Result<String, Error> {
        let workspace = self.workspace_id()?;
        self.work(lookup.deadline, async |client| {
            let transaction = begin(client).await?;
            lock(&transaction, workspace, &lock_name(lookup)).await?;
            for _ in 0..TRIES {
                let there = Secrets::named(&transaction, workspace, &lookup.names()).await?;
                let sealed = there.seal(secret.blob.expose())?;
                let (name, written) = if let Some(entry) = there.owned(lookup).first() {
                    (
                        entry.row.name.clone(),
                        update(&transaction, workspace, &entry.row, &sealed).await?,
                    )
                } else {
                    let name = free_name(lookup, &there)?;
                    let written = insert(&transaction, workspace, &name, &sealed).await?;
                    (name, written)
                };
                if written {
                    transaction.commit().await?;
                    return Ok(name);
                }
            }
            Err(PostgresError::Contended.into())
        })
    }

    pub(super) fn remove(&self, lookup: &Lookup) -> Result<(), Error> {
        let workspace = self.workspace_id()?;
        self.work(lookup.deadline, async |client| {
            let transaction = begin(client).await?;
            lock(&transaction, workspace, &lock_name(lookup)).await?;
            for _ in 0..TRIES {
                let there = Secrets::named(&transaction, workspace, &lookup.names()).await?;
                let owned = there.owned(lookup);
                if owned.is_empty() {
                    // An unreadable secret may be another registry's, so it stays and is reported.
                    there.of(lookup)?;
                }
                let mut all = true;
                for entry in owned {
                    all &= delete(&transaction, workspace, &entry.row).await?;
                }
                if all {
                    return Ok(transaction.commit().await?);
                }
            }
            Err(PostgresError::Contended.into())
        })
    }
}

/// The lock's name, common to all registries with this current name.
fn lock_name(lookup: &Lookup) -> String {
    lookup
        .secret
        .map_or_else(|| name::current(lookup.host), str::to_owned)
}

/// Takes a lock until the end of the transaction.
pub(super) async fn lock(
    transaction: &Transaction<'_>,
    workspace: &str,
    name: &str,
) -> Result<(), Fault> {
    let print = digest(
        &SHA256,
        format!("docker-credential-beta9\0{workspace}\0{name}").as_bytes(),
    );
    let key = print
        .as_ref()
        .iter()
        .take(8)
        .fold(0_i64, |key, byte| (key << 8) | i64::from(*byte));
    transaction
        .query_typed(
            "SELECT pg_advisory_xact_lock($1)::text",
            &[(&key, Type::INT8)],
        )
        .await?;
    Ok(())
}

/// The name for a new secret. Unlike the API, the database accepts the current form; that may collide, the hash form
/// does not.
fn free_name(lookup: &Lookup, there: &Secrets) -> Result<String, PostgresError> {
    let names = match lookup.secret {
        Some(named) => vec![named.to_owned()],
        None => vec![name::current(lookup.host), name::first_design(lookup.host)],
    };
    let taken = |name: &String| there.entries.iter().any(|entry| entry.row.name == *name);
    names
        .iter()
        .find(|name| !taken(name))
        .cloned()
        .ok_or(PostgresError::Taken(names))
}

pub(super) async fn insert(
    transaction: &Transaction<'_>,
    workspace: &str,
    name: &str,
    sealed: &str,
) -> Result<bool, Fault> {
    let params = [
        (&workspace as _, Type::TEXT),
        (&name as _, Type::TEXT),
        (&sealed as _, Type::TEXT),
    ];
    Ok(transaction.execute_typed(INSERT, &params).await? == 1)
}

pub(super) async fn update(
    transaction: &Transaction<'_>,
    workspace: &str,
    old: &Row,
    sealed: &str,
) -> Result<bool, Fault> {
    let params = [
        (&workspace as _, Type::TEXT),
        (&old.name as _, Type::TEXT),
        (&old.sealed as _, Type::TEXT),
        (&sealed as _, Type::TEXT),
    ];
    Ok(transaction.execute_typed(UPDATE, &params).await? == 1)
}

/// Deletes a secret; returns whether it was still unchanged.
pub(super) async fn delete(
    transaction: &Transaction<'_>,
    workspace: &str,
    old: &Row,
) -> Result<bool, Fault> {
    let params = [
        (&workspace as _, Type::TEXT),
        (&old.name as _, Type::TEXT),
        (&old.sealed as _, Type::TEXT),
    ];
    Ok(transaction.execute_typed(DELETE, &params).await? == 1)
}

/// Each of Beta9's own writers can interfere once; this many are unlikely.
const TRIES: usize = 8;
const INSERT: &str = "\
INSERT INTO workspace_secret (name, value, workspace_id, created_at, updated_at)
SELECT $2, $3, w.id, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP FROM workspace w WHERE w.external_id = $1::text::uuid
ON CONFLICT DO NOTHING";
/// `last_updated_by` is cleared, because it names a token, and no token did this.
const UPDATE: &str = "\
UPDATE workspace_secret s SET value = $4, updated_at = CURRENT_TIMESTAMP, last_updated_by = NULL
FROM workspace w WHERE w.external_id = $1::text::uuid AND s.workspace_id = w.id AND s.name = $2 AND s.value = $3";
const DELETE: &str = "\
DELETE FROM workspace_secret s USING workspace w
WHERE w.external_id = $1::text::uuid AND s.workspace_id = w.id AND s.name = $2 AND s.value = $3";
