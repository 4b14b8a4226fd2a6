//! Writes in one transaction, under a database lock for the registry's secret name, so that each writer sees what the
//! previous one wrote. Beta9 does not take that lock; its concurrent writes are detected, because only exactly the
//! value that was read is replaced.

use std::time::Instant;

use aws_lc_rs::digest::{SHA256, digest};
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::PostgresStore;
use super::errors::PostgresError;
use super::fault::Fault;
use super::rows::{Row, seal, texts};
use super::secrets::Secrets;
use super::session::begin;
use crate::error::Error;
use crate::store::{Lookup, Secret, name};

/// A change of one workspace's secrets, in a transaction.
pub(super) struct Change<'a> {
    pub(super) transaction: Transaction<'a>,
    pub(super) workspace: &'a str,
}

impl PostgresStore {
    pub(in crate::store) fn store(
        &self,
        lookup: &Lookup,
        secret: &Secret,
    ) -> Result<String, Error> {
        let stored = self.change(lookup.deadline, &lock_name(lookup), async |change| {
            for _ in 0..TRIES {
                let there = change.secrets(lookup).await?;
                let sealed = seal(&there.key, secret.blob.expose())?;
                let (name, written) = if let Some(entry) = there.owned(lookup).first() {
                    let written = change.update(&entry.row, &sealed).await?;
                    (entry.row.name.clone(), written)
                } else {
                    let name = free_name(lookup, &there)?;
                    let written = change.insert(&name, &sealed).await?;
                    (name, written)
                };
                if written {
                    return Ok(name);
                }
            }
            Err(PostgresError::Contended.into())
        });
        stored.map_err(|error| error.about(lookup.host.as_reference()))
    }

    pub(in crate::store) fn erase(&self, lookup: &Lookup) -> Result<(), Error> {
        let erased = self.change(lookup.deadline, &lock_name(lookup), async |change| {
            for _ in 0..TRIES {
                let there = change.secrets(lookup).await?;
                let owned = there.owned(lookup);
                if owned.is_empty() {
                    // An unreadable secret may be another registry's, so it stays and is reported.
                    there.of(lookup)?;
                }
                let mut all = true;
                for entry in owned {
                    all &= change.delete(&entry.row).await?;
                }
                if all {
                    return Ok(());
                }
            }
            Err(PostgresError::Contended.into())
        });
        erased.map_err(|error| error.about(lookup.host.as_reference()))
    }

    /// Makes a change under the lock for this name, and commits it if it succeeds.
    pub(super) fn change<T>(
        &self,
        deadline: Instant,
        name: &str,
        work: impl AsyncFnOnce(&Change) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        let workspace = self.workspace_id()?;
        self.work(deadline, async |client| {
            let transaction = begin(client).await?;
            let change = Change {
                transaction,
                workspace,
            };
            change.lock(name).await?;
            let done = work(&change).await?;
            change.transaction.commit().await?;
            Ok(done)
        })
    }
}

impl Change<'_> {
    /// Takes a lock until the end of the transaction.
    async fn lock(&self, name: &str) -> Result<(), Fault> {
        let name = format!("docker-credential-beta9\0{}\0{name}", self.workspace);
        let print = digest(&SHA256, name.as_bytes());
        let key = print
            .as_ref()
            .iter()
            .take(8)
            .fold(0_i64, |key, byte| (key << 8) | i64::from(*byte));
        let lock = "SELECT pg_advisory_xact_lock($1)::text";
        self.transaction
            .query_typed(lock, &[(&key, Type::INT8)])
            .await?;
        Ok(())
    }

    async fn secrets(&self, lookup: &Lookup<'_>) -> Result<Secrets, Fault> {
        Secrets::named(&self.transaction, self.workspace, &lookup.names()).await
    }

    /// Inserts a secret; returns whether its name was free.
    pub(super) async fn insert(&self, name: &str, sealed: &str) -> Result<bool, Fault> {
        self.is_done(INSERT, &[self.workspace, name, sealed]).await
    }

    /// Replaces a secret; returns whether it was still unchanged.
    pub(super) async fn update(&self, old: &Row, sealed: &str) -> Result<bool, Fault> {
        let values = [self.workspace, &old.name, &old.sealed, sealed];
        self.is_done(UPDATE, &values).await
    }

    /// Deletes a secret; returns whether it was still unchanged.
    pub(super) async fn delete(&self, old: &Row) -> Result<bool, Fault> {
        let values = [self.workspace, &old.name, &old.sealed];
        self.is_done(DELETE, &values).await
    }

    async fn is_done(&self, sql: &str, values: &[&str]) -> Result<bool, Fault> {
        let changed = self.transaction.execute_typed(sql, &texts(values)).await?;
        Ok(changed == 1)
    }
}

/// The lock's name, common to all registries with this current name.
fn lock_name(lookup: &Lookup) -> String {
    lookup
        .secret
        .map_or_else(|| name::current(lookup.host), str::to_owned)
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
