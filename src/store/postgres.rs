//! Beta9's database, for the control plane and self-hosted single nodes: PostgreSQL, over `tokio-postgres`
//! (<https://docs.rs/tokio-postgres>) and rustls. A `get` is one connection and one query.
//!
//! Values are sealed with the workspace's `signing_key`, byte-compatible with Beta9 in both directions.
//!
//! # `sslmode`
//!
//! | in the URL | TLS | the server's certificate |
//! |---|---|---|
//! | `disable` | never | |
//! | `allow`, `prefer`; not set, on this node | if the server offers it | any; with `sslrootcert`, signed by one of its authorities |
//! | `require`; not set, over a network | always | any; with `sslrootcert`, signed by one of its authorities |
//! | `verify-ca` | always | signed by an authority of `sslrootcert`; without that, as `verify-full` |
//! | `verify-full` | always | signed by an authority of `sslrootcert`, or of the system's bundle, for the host's name |
//!
//! This is libpq's table, but stricter in three places. If `sslmode` is not set, libpq sends the password in clear to
//! any server that claims not to support TLS; here that happens only on `localhost` and loopback addresses. `verify-ca`
//! without `sslrootcert` is an error in libpq but means `verify-full` here: the system's authorities sign for anyone,
//! so their signature means nothing without the name. And if a TLS handshake fails, `prefer` does not continue without
//! TLS. `sslrootcert=system` requires `verify-full`, as in libpq. Only `verify-ca` and `verify-full` protect against a
//! man in the middle; over a network that isn't your own, use `verify-full`. A socket on this node
//! (`postgres://user@%2Frun%2Fpostgresql/beta9`) has no TLS.
//!
//! Only the URL is used: libpq's own variables and files (`PGPASSWORD`, `~/.pgpass`, `~/.postgresql`) are not read, and
//! unknown options, such as those for client certificates, are refused. Options for keeping sockets alive have no
//! effect, because no connection outlives its command. The amount of data that a server may send is limited.

mod connect;
mod errors;
mod expiry;
mod fault;
mod generation;
mod health;
mod image;
mod lease;
mod migrate;
mod names;
mod rows;
mod secrets;
mod session;
mod shared;
mod single;
mod sslmode;
mod target;
mod tls;
mod write;

use std::cell::{Cell, RefCell};
use std::time::Instant;

use errors::PostgresError;
pub use generation::Generation;
pub use lease::Slot;
pub use migrate::{Migrated, Step};
pub use names::{Converted, Left, ToNames};
use rows::Rows;
use secrets::Secrets;
use session::Session;
use shared::{Absence, is_without};
pub use shared::{FleetToken, Lease, Shared, SharedToken};

use super::{Found, Keep, Listed, Lookup, Username};
use crate::config::{PostgresConfig, SecretSetting};
use crate::error::Error;
use crate::keys::Blob;
use fault::Fault;
use tokio_postgres::Client;

/// Beta9's database, for the control plane and self-hosted single nodes.
#[derive(Debug)]
pub struct PostgresStore {
    workspace: String,
    config: PostgresConfig,
    keeps_session: bool,
    session: RefCell<Option<Box<Session>>>,
    rests_until: Cell<Option<Instant>>,
    /// Whether the last failure was one of a connection that was kept: a new one may be better.
    lost_session: Cell<bool>,
}

impl PostgresStore {
    /// The store of one workspace. Opens nothing yet.
    #[must_use]
    pub fn new(workspace: &str, config: PostgresConfig) -> Self {
        Self {
            workspace: workspace.to_owned(),
            config,
            keeps_session: false,
            session: RefCell::default(),
            rests_until: Cell::default(),
            lost_session: Cell::default(),
        }
    }

    /// Makes the store keep one connection for all requests.
    pub fn keep_session(&mut self) {
        self.keeps_session = true;
    }

    /// The database, identified by its URL or the file with the URL.
    pub(super) fn identity(&self) -> Vec<&str> {
        match &self.config.url {
            Some(SecretSetting::Inline(url)) => vec![url.expose()],
            Some(SecretSetting::File(path)) => vec![path.to_str().unwrap_or_default()],
            None => Vec::new(),
        }
    }

    // Its future must not lie on the stack of a `get` from a local store (benches/RESULTS.md, "What each trick gives").
    #[inline(never)]
    pub(super) fn get(&self, lookup: &Lookup) -> Result<Option<Found>, Error> {
        let workspace = self.workspace_id()?;
        self.work(lookup.deadline, async |client| {
            let names = lookup.names();
            let all: Vec<&str> = names
                .iter()
                .map(String::as_str)
                .chain(lookup.single_names())
                .collect();
            let Rows {
                key,
                secrets,
                shared,
            } = self.rows(client, workspace, &all, lookup).await?;
            let shared = shared.zip(key.as_ref().ok()).and_then(|(rows, key)| {
                Shared::new(workspace, lookup.host.as_reference(), key, &rows)
            });
            let (rows, singles) = secrets
                .into_iter()
                .partition::<Vec<_>, _>(|row| names.contains(&row.name));
            let there = Secrets::open(key, rows, &names);
            let found = match there.of(lookup)? {
                Some((_, content)) => Some(Found::of(content.blob.clone(), Keep::Disk)),
                None => single::assemble(lookup, &singles, &there.key)?,
            };
            Ok(found.map(|found| Found { shared, ..found }))
        })
    }

    /// The rows of secrets and, for a cloud's registry, the shared tokens, in one query.
    async fn rows(
        &self,
        client: &Client,
        workspace: &str,
        names: &[&str],
        lookup: &Lookup<'_>,
    ) -> Result<Rows, Fault> {
        let absence = Absence::new(lookup.memory, self.identity());
        if lookup.row.is_cloud() && !absence.is_known() {
            let host = lookup.host.as_reference();
            match Rows::with_shared(client, workspace, names, Some(host)).await {
                Err(Fault::Database(error)) if is_without(&error) => absence.note(),
                rows => return rows,
            }
        }
        Rows::named(client, workspace, names).await
    }

    pub(super) fn list(
        &self,
        deadline: Instant,
        skipped: &mut dyn FnMut(&Error),
    ) -> Result<Vec<Listed>, Error> {
        let workspace = self.workspace_id()?;
        let all = self.work(deadline, async |client| {
            Secrets::of_registries(client, workspace).await
        })?;
        let mut listed = Vec::new();
        for entry in all.entries {
            match entry.content.map(|content| content.blob) {
                Ok(Blob {
                    registry: Some(host),
                    keys,
                    ..
                }) => listed.push(Listed {
                    url: host.into(),
                    username: Username::Of(keys),
                }),
                Ok(blob) if blob.keys.is_empty() => {}
                // Several registries map to its name, and only a `get` tells which one is meant.
                Ok(_) => skipped(&PostgresError::Unnamed(entry.row.name).into()),
                Err(error) => skipped(&error.into()),
            }
        }
        Ok(listed)
    }
}

const PART: &str = "postgres store";
