//! Tokens shared by all users of one database, in our own table, which `migrate` creates.
//!
//! A token is sealed with a workspace key, and its name is derived from everything that it depends on. The right one is
//! picked here, once the secret's keys are known, so a rotated key gets a new token. A replica that finds no token, or
//! one that is due, takes a lease for some seconds and mints, without holding a transaction or a connection. The lease
//! only saves mints: minting without one does no harm, and a token is replaced only by one that lives longer.

use std::time::{Duration, SystemTime};

use tokio_postgres::error::SqlState;

use super::errors::PostgresError;
use crate::cache::{Memory, wall_seconds};
use crate::credential::Credential;
use crate::json;
use crate::seal::SealKey;
use crate::token::{Minted, Scope};

/// The tokens of one registry in one workspace, as read.
#[derive(Debug)]
pub struct Shared {
    pub(super) workspace: String,
    pub(super) host: String,
    naming: SealKey,
    sealing: SealKey,
    sealed: Vec<Sealed>,
}

/// A row: name, sealed token, and when it was minted and expires, in seconds since 1970.
pub(super) type Sealed = (String, String, u64, u64);

/// A shared token.
#[derive(Debug)]
pub struct SharedToken {
    credential: Credential,
    minted: u64,
    pub(super) expires: u64,
}

/// The result of asking for a lease.
#[derive(Debug)]
pub enum Lease {
    /// The caller has the lease for some seconds, under this name.
    Ours(String),
    /// Another replica has it, or nobody needs it; this is the current token.
    Theirs(Option<SharedToken>),
}

/// A row of the table, for people.
#[derive(Debug)]
pub struct FleetToken {
    /// The registry.
    pub registry: String,
    /// When it was minted and when it expires; `None` while the first one is being minted.
    pub life: Option<(SystemTime, SystemTime)>,
    /// Whether a replica is minting it.
    pub is_leased: bool,
}

impl Shared {
    pub(super) fn new(workspace: &str, host: &str, key: &SealKey, rows: &str) -> Option<Self> {
        let derived = |label| key.derived(label).ok();
        Some(Self {
            workspace: workspace.to_owned(),
            host: host.to_owned(),
            naming: derived("docker-credential-beta9 shared token name 1")?,
            sealing: derived("docker-credential-beta9 shared token 1")?,
            sealed: json::parse(rows.as_bytes()).unwrap_or_default(),
        })
    }

    /// The name of a token: an HMAC of the registry, the backend and the keys.
    #[must_use]
    pub fn slot(&self, real: &str, backend: &str, scope: &Scope) -> String {
        let parts = [self.host.as_str(), real, backend].into_iter();
        let mut name = self.naming.fingerprint(parts.chain(scope.parts()));
        name.truncate(32);
        name
    }

    /// The token with this name; `None` if it is missing or does not open.
    #[must_use]
    pub fn token(&self, slot: &str) -> Option<SharedToken> {
        let of_slot = self.sealed.iter().find(|(name, ..)| name == slot)?;
        self.open(of_slot)
    }

    /// When the row of this name ends, where it does not open.
    pub(super) fn unopened(&self, slot: &str) -> Option<u64> {
        let of_slot = self.sealed.iter().find(|(name, ..)| name == slot)?;
        self.open(of_slot).is_none().then_some(of_slot.3)
    }

    pub(super) fn open(&self, (slot, sealed, minted, expires): &Sealed) -> Option<SharedToken> {
        let text = self
            .sealing
            .open_base64(&self.associated(slot, *minted, *expires), sealed);
        let text = text.ok()?;
        let (username, secret) = text.split_once('\n')?;
        Some(SharedToken {
            credential: Credential::new(username.to_owned(), secret.into()).ok()?,
            minted: *minted,
            expires: *expires,
        })
    }

    /// Seals a token with its expiry.
    pub(super) fn seal(
        &self,
        slot: &str,
        credential: &Credential,
        (minted, expires): (u64, u64),
    ) -> Result<String, PostgresError> {
        let secret = credential.secret().expose();
        let text = zeroize::Zeroizing::new(format!("{}\n{secret}", credential.username()));
        self.sealing
            .seal_base64(&self.associated(slot, minted, expires), &text)
            .map_err(PostgresError::Unsealable)
    }

    fn associated(&self, slot: &str, minted: u64, expires: u64) -> Vec<u8> {
        let Self {
            workspace, host, ..
        } = self;
        format!("beta9-shared-token 1\n{workspace}\n{host}\n{slot}\n{minted}\n{expires}")
            .into_bytes()
    }
}

impl SharedToken {
    /// How long it may still be used.
    #[must_use]
    pub fn left(&self) -> Duration {
        let left = self.expires.saturating_sub(wall_seconds(SystemTime::now()));
        Duration::from_secs(left.saturating_sub(MARGIN))
    }

    /// Whether half of its life is over.
    #[must_use]
    pub fn is_due(&self) -> bool {
        let age = wall_seconds(SystemTime::now()).saturating_sub(self.minted);
        age * 2 >= self.life()
    }

    /// Its whole usable life.
    #[must_use]
    pub fn whole(&self) -> Duration {
        Duration::from_secs(self.life().saturating_sub(MARGIN))
    }

    fn life(&self) -> u64 {
        self.expires.saturating_sub(self.minted)
    }

    /// The token as if minted here.
    #[must_use]
    pub fn into_minted(self) -> Minted {
        Minted {
            credential: self.credential,
            expires: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(self.expires)),
        }
    }
}

/// Whether a query failed because there are no shared tokens: the table is missing, different, or not allowed for this
/// user.
pub(super) fn is_without(error: &tokio_postgres::Error) -> bool {
    [
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_COLUMN,
        SqlState::INSUFFICIENT_PRIVILEGE,
    ]
    .iter()
    .any(|state| error.code() == Some(state))
}

/// Caches that the table is missing, so that not every `get` leaves a failed query in the server's log.
pub(super) struct Absence<'a> {
    memory: Option<&'a Memory<'a>>,
    store: Vec<&'a str>,
}

impl<'a> Absence<'a> {
    pub(super) fn new(memory: Option<&'a Memory<'a>>, store: Vec<&'a str>) -> Self {
        Self { memory, store }
    }

    pub(super) fn is_known(&self) -> bool {
        self.memory
            .is_some_and(|memory| memory.recall(NO_SHARED, &self.store).is_some())
    }

    pub(super) fn note(&self) {
        if let Some(memory) = self.memory {
            let asked = memory.asked_now();
            memory.note_answer(NO_SHARED, &self.store, "", asked, ABSENCE_LIFE);
        }
    }
}

/// The part of a query that reads the rows of one host of a workspace `w`; `host` is the query's parameter.
pub(super) fn tokens(host: &str) -> String {
    TOKENS.replace("{host}", host)
}

const TOKENS: &str = "\
(SELECT json_agg(json_build_array(t.slot, t.sealed, extract(epoch FROM t.minted)::bigint,
                                  extract(epoch FROM t.expires)::bigint))::text
 FROM (SELECT * FROM credential_helper_token shared
       WHERE shared.workspace_id = w.id AND shared.host = {host} AND shared.expires > now() AND shared.sealed IS NOT NULL
       ORDER BY shared.expires DESC LIMIT 16) t)";

const NO_SHARED: &str = "no shared tokens";
const ABSENCE_LIFE: Duration = Duration::from_mins(15);
/// In seconds. No token is used in its last minute.
const MARGIN: u64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    fn shared(key: u8, rows: &str) -> Shared {
        Shared::new("w", "gcr.io", &SealKey::new(&[key; 32]).unwrap(), rows).unwrap()
    }

    fn row(slot: &str, minted: u64, expires: u64) -> Sealed {
        let credential = Credential::new("AWS".into(), "token:x".into()).unwrap();
        let sealed = shared(1, "[]").seal(slot, &credential, (minted, expires));
        (slot.to_owned(), sealed.unwrap(), minted, expires)
    }

    #[test]
    fn a_token_opens_only_where_workspace_key_name_and_times_are_its_own() {
        let now = wall_seconds(SystemTime::now());
        let sound = row("a", now, now + HOUR);
        let open = |rows: &Sealed, key| {
            let rows = serde_json::to_string(&[rows]).unwrap();
            shared(key, &rows).token(&sound.0)
        };
        let token = open(&sound, 1).unwrap();
        assert_eq!(token.credential.secret().expose(), "token:x");
        assert!(open(&sound, 2).is_none());
        let (slot, sealed, minted, expires) = sound.clone();
        for other in [
            ("b".to_owned(), sealed.clone(), minted, expires),
            (slot.clone(), sealed.clone(), minted + 1, expires),
            (slot, sealed, minted, expires + 1),
        ] {
            let rows = serde_json::to_string(&[&other]).unwrap();
            assert!(shared(1, &rows).token(&other.0).is_none());
        }
        assert!(shared(1, "no rows").token("a").is_none());
    }

    #[test]
    fn a_token_is_due_from_half_of_its_life_and_not_served_in_its_last_minute() {
        let now = wall_seconds(SystemTime::now());
        let token = |age: u64, life: u64| {
            let rows = serde_json::to_string(&[row("a", now - age, now - age + life)]).unwrap();
            shared(1, &rows).token("a").unwrap()
        };
        assert!(!token(0, HOUR).is_due() && !token(HOUR / 2 - 60, HOUR).is_due());
        assert!(token(HOUR / 2, HOUR).is_due());
        assert!(token(HOUR - 60, HOUR).left().is_zero() && token(2 * HOUR, HOUR).left().is_zero());
        assert!(token(HOUR / 2, HOUR).left() > Duration::from_mins(28));
    }

    #[test]
    fn a_rotated_key_another_backend_and_another_registry_are_other_names() {
        let scope = |key: &str| Scope::new("", vec![key.to_owned()]);
        let shared = shared(1, "[]");
        let name = shared.slot("gcr.io", "gcp", &scope("one"));
        assert_eq!(name.len(), 32);
        assert_eq!(name, shared.slot("gcr.io", "gcp", &scope("one")));
        for other in [
            shared.slot("gcr.io", "gcp", &scope("two")),
            shared.slot("gcr.io", "aws", &scope("one")),
            shared.slot("us-docker.pkg.dev", "gcp", &scope("one")),
        ] {
            assert_ne!(name, other);
        }
    }
}
