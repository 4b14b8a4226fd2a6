//! Checks whether the database can be reached, is Beta9's, has the workspace, and has secrets that open.

use std::time::{Duration, Instant, SystemTime};

use super::PostgresStore;
use super::errors::PostgresError;
use super::migrate::{missing, unmigrated};
use super::secrets::Secrets;
use super::session::begin;
use crate::error::Error;
use crate::store::Health;

impl PostgresStore {
    /// Examines the database, in a transaction that is rolled back.
    pub(in crate::store) fn examine(&self, deadline: Instant) -> Result<Health, Error> {
        let (workspace, target) = (self.workspace_id(), self.target()?);
        let mut health = self.work(deadline, async |client| {
            let transaction = begin(client).await?;
            let missing = missing(&transaction).await?;
            if !missing.is_empty() {
                return Err(PostgresError::NotBeta9(missing).into());
            }
            let reached = format!(
                "the database can be reached{}, and is Beta9's",
                target.way()
            );
            let mut health = Health {
                well: vec![reached],
                ..Health::default()
            };
            health.lacking.extend(target.exposed());
            let clock = transaction.query_typed_one(CLOCK, &[]).await?;
            let seconds = Duration::from_secs(clock.try_get::<_, i64>(0)?.unsigned_abs());
            health.clock = Some(SystemTime::UNIX_EPOCH + seconds);
            let unmigrated = unmigrated(&transaction).await?;
            if !unmigrated.is_empty() {
                let unmigrated = PostgresError::Unmigrated(unmigrated).into();
                health.lacking.push(unmigrated);
            }
            if let Ok(workspace) = workspace {
                let secrets = Secrets::of_registries(&transaction, workspace).await?;
                let all = secrets.entries.len();
                let ill = secrets.entries.into_iter();
                health
                    .ill
                    .extend(ill.filter_map(|secret| Some(secret.content.err()?.into())));
                let opened = all - health.ill.len();
                health.well.push(format!(
                    "workspace {workspace}: {opened} of {all} secrets for registries open"
                ));
            }
            Ok(health)
        })?;
        health.ill.extend(workspace.err());
        Ok(health)
    }
}

const CLOCK: &str = "SELECT extract(epoch FROM clock_timestamp())::bigint";
