//! The table of shared tokens: takes leases, shares tokens, and lists them.

use std::time::{Duration, Instant, SystemTime};

use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::PostgresStore;
use super::errors::PostgresError;
use super::fault::Fault;
use super::rows::{open_key, texts};
use super::shared::{FleetToken, Lease, Shared, SharedToken, is_without, tokens};
use crate::cache::wall_seconds;
use crate::error::Error;
use crate::seal::hex;
use crate::token::Minted;

/// A shared token of a registry, by its name.
pub struct Slot<'a> {
    store: &'a PostgresStore,
    shared: &'a Shared,
    name: &'a str,
}

impl PostgresStore {
    /// Reads the tokens of a registry, if they did not come with the secret.
    pub fn shared(&self, host: &str, deadline: Instant) -> Result<Option<Shared>, Error> {
        let workspace = self.workspace_id()?;
        self.work(deadline, async |client| {
            let sql = SHARED.replace("{tokens}", &tokens("$2"));
            let row = client
                .query_typed_opt(&sql, &texts(&[workspace, host]))
                .await;
            let row = match row {
                Err(error) if is_without(&error) => return Ok(None),
                row => row?.ok_or_else(|| PostgresError::NoWorkspace(workspace.to_owned()))?,
            };
            let key = open_key(row.try_get(0)?)?;
            let rows: Option<&str> = row.try_get(1)?;
            Ok(Shared::new(workspace, host, &key, rows.unwrap_or("[]")))
        })
    }

    /// The shared token with this name, of [`Shared::slot`].
    pub fn slot<'a>(&'a self, shared: &'a Shared, name: &'a str) -> Slot<'a> {
        let store = self;
        Slot {
            store,
            shared,
            name,
        }
    }

    /// All unexpired shared tokens of the workspace.
    pub fn fleet(&self, deadline: Instant) -> Result<Vec<FleetToken>, Error> {
        let workspace = self.workspace_id()?;
        self.work(deadline, async |client| {
            let rows = client.query_typed(FLEET, &texts(&[workspace])).await;
            let rows = match rows {
                Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => {
                    return Err(PostgresError::NoShared.into());
                }
                rows => rows?,
            };
            let time = |seconds: Option<i64>| {
                seconds.map(|at| SystemTime::UNIX_EPOCH + Duration::from_secs(unsigned(at)))
            };
            rows.iter()
                .map(|row| {
                    let (minted, expires) = (time(row.try_get(1)?), time(row.try_get(2)?));
                    Ok(FleetToken {
                        registry: row.try_get(0)?,
                        life: minted.zip(expires),
                        is_leased: row.try_get(3)?,
                    })
                })
                .collect::<Result<_, Fault>>()
        })
    }
}

impl<'a> Slot<'a> {
    /// The token with this name, as it was read.
    #[must_use]
    pub fn token(&self) -> Option<SharedToken> {
        self.shared.token(self.name)
    }

    /// Takes the lease for a token that is missing or has this expiry, unless another replica has the lease or a newer
    /// token exists.
    pub fn lease(&self, seen: Option<&SharedToken>, deadline: Instant) -> Result<Lease, Error> {
        let mut random = [0; 16];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| PostgresError::NoLease)?;
        let broken = self.shared.unopened(self.name).filter(|_| seen.is_none());
        let seen = seen.map(|token| token.expires).or(broken).map_or(0, signed);
        let (by, is_broken) = (hex(&random), broken.is_some());
        self.store.work(deadline, async |client| {
            let row = self.row();
            let mut params = texts(&row);
            params.extend([
                (&by as _, Type::TEXT),
                (&seen as _, Type::INT8),
                (&is_broken as _, Type::BOOL),
            ]);
            if !client.query_typed(LEASE, &params).await?.is_empty() {
                return Ok(Lease::Ours(by.clone()));
            }
            let Some(row) = client.query_typed_opt(ONE, &params[..3]).await? else {
                return Ok(Lease::Theirs(None));
            };
            let there = (
                self.name.to_owned(),
                row.try_get(0)?,
                unsigned(row.try_get(1)?),
                unsigned(row.try_get(2)?),
            );
            Ok(Lease::Theirs(self.shared.open(&there)))
        })
    }

    /// Shares a minted token, unless one that lives longer exists. Deletes expired rows.
    pub fn share(
        &self,
        minted: &Minted,
        longest: Option<Duration>,
        deadline: Instant,
    ) -> Result<(), Error> {
        let Some(expires) = minted.expires.map(wall_seconds) else {
            return Ok(());
        };
        let now = wall_seconds(SystemTime::now());
        let expires = longest.map_or(expires, |longest| expires.min(now + longest.as_secs()));
        let sealed = self
            .shared
            .seal(self.name, &minted.credential, (now, expires))?;
        let (minted, expires) = (signed(now), signed(expires));
        self.store.work(deadline, async |client| {
            let row = self.row();
            let mut params = texts(&row);
            params.extend([
                (&sealed as _, Type::TEXT),
                (&minted as _, Type::INT8),
                (&expires as _, Type::INT8),
            ]);
            Ok(client.execute_typed(SHARE, &params).await.map(|_| ())?)
        })
    }

    /// Releases a lease without a token.
    pub fn release(&self, by: &str, deadline: Instant) -> Result<(), Error> {
        let [workspace, host, name] = self.row();
        self.store.work(deadline, async |client| {
            let values = [workspace, host, name, by];
            let done = client.execute_typed(RELEASE, &texts(&values)).await;
            Ok(done.map(|_| ())?)
        })
    }

    /// What identifies its row.
    fn row(&self) -> [&'a str; 3] {
        [&self.shared.workspace, &self.shared.host, self.name]
    }
}

fn signed(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

fn unsigned(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or(0)
}

/// The table and its index. Deleting a workspace deletes its tokens.
pub(super) const TABLE: &str = "\
CREATE TABLE IF NOT EXISTS credential_helper_token (
    workspace_id int NOT NULL REFERENCES workspace (id) ON DELETE CASCADE,
    host text NOT NULL,
    slot text NOT NULL,
    sealed text,
    minted timestamptz,
    expires timestamptz,
    lease_by text,
    lease_until timestamptz,
    PRIMARY KEY (workspace_id, host, slot)
);
CREATE INDEX IF NOT EXISTS credential_helper_token_expires ON credential_helper_token (expires)";

const SHARED: &str =
    "SELECT w.signing_key::text, {tokens} FROM workspace w WHERE w.external_id = $1::text::uuid";
/// Returns one row to the replica that gets the lease. `$5` is the expiry of the token that it saw, or 0. A lease that is
/// longer than leases are comes from a clock that was ahead. It is compared with the time of now: the transaction may have
/// begun before the lease that it waited for.
const LEASE: &str = "\
INSERT INTO credential_helper_token AS t (workspace_id, host, slot, lease_by, lease_until)
SELECT w.id, $2, $3, $4, now() + interval '15 seconds' FROM workspace w WHERE w.external_id = $1::text::uuid
ON CONFLICT (workspace_id, host, slot) DO UPDATE SET lease_by = excluded.lease_by, lease_until = excluded.lease_until,
    sealed = CASE WHEN $6 THEN NULL ELSE t.sealed END, minted = CASE WHEN $6 THEN NULL ELSE t.minted END,
    expires = CASE WHEN $6 THEN NULL ELSE t.expires END
WHERE (t.lease_until IS NULL OR t.lease_until < now() OR t.lease_until > clock_timestamp() + interval '20 seconds')
  AND (t.sealed IS NULL OR t.expires IS NULL OR t.expires < now() OR extract(epoch FROM t.expires)::bigint <= $5)
RETURNING true";
const ONE: &str = "\
SELECT t.sealed, extract(epoch FROM t.minted)::bigint, extract(epoch FROM t.expires)::bigint
FROM credential_helper_token t JOIN workspace w ON w.id = t.workspace_id
WHERE w.external_id = $1::text::uuid AND t.host = $2 AND t.slot = $3 AND t.sealed IS NOT NULL";
const SHARE: &str = "\
WITH gone AS (
    DELETE FROM credential_helper_token WHERE ctid = ANY(ARRAY(
        SELECT old.ctid FROM credential_helper_token old
        WHERE coalesce(old.expires, old.lease_until) < now() - interval '1 minute' AND old.slot <> $3
        LIMIT 100 FOR UPDATE SKIP LOCKED)))
INSERT INTO credential_helper_token AS t (workspace_id, host, slot, sealed, minted, expires)
SELECT w.id, $2, $3, $4, to_timestamp($5), to_timestamp($6) FROM workspace w WHERE w.external_id = $1::text::uuid
ON CONFLICT (workspace_id, host, slot) DO UPDATE
SET sealed = excluded.sealed, minted = excluded.minted, expires = excluded.expires, lease_by = NULL, lease_until = NULL
WHERE t.sealed IS NULL OR t.expires IS NULL OR t.expires < excluded.expires";
const RELEASE: &str = "\
UPDATE credential_helper_token t SET lease_by = NULL, lease_until = NULL FROM workspace w
WHERE w.id = t.workspace_id AND w.external_id = $1::text::uuid AND t.host = $2 AND t.slot = $3 AND t.lease_by = $4";
const FLEET: &str = "\
SELECT t.host, extract(epoch FROM t.minted)::bigint, extract(epoch FROM t.expires)::bigint,
       coalesce(t.lease_until > now(), false)
FROM credential_helper_token t JOIN workspace w ON w.id = t.workspace_id
WHERE w.external_id = $1::text::uuid AND coalesce(t.expires, t.lease_until) > now()
ORDER BY t.host, t.expires";
