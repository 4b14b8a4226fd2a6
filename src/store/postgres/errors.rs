//! Failures of the database. They quote nothing that was sent or received, except known table names.

use std::borrow::Cow;
use std::path::PathBuf;

use thiserror::Error;

use super::PART;
use super::connect::IN_A_SESSION;
use super::sslmode::Mode;
use crate::error::{Code, Fault, Meaning};
use crate::http::Certificate;
use crate::keys::KeysError;
use crate::seal::SealError;
use crate::shown::shown;

/// A failure of the database. `place` is its address; `user` and `database` are from the URL.
#[derive(Clone, Debug, Error)]
pub(super) enum PostgresError {
    // Connecting.
    #[error("there is no connection URL")]
    NoUrl,
    /// Never contains a part of the URL that may belong to the password.
    #[error("{0}")]
    Url(Cow<'static, str>),
    #[error("sslmode={0}: the password and the workspace's secrets may cross the network in clear")]
    Exposed(Mode),
    #[error("the system's certificate authorities cannot be read")]
    NoAuthorities,
    #[error("TLS is not available ({0})")]
    TlsUnavailable(rustls::Error),
    #[error("sslrootcert {} cannot be used ({why})", file.display())]
    RootCertificate { file: PathBuf, why: &'static str },
    #[error("{place} offers no TLS, which sslmode={mode} requires")]
    NoTls { place: String, mode: Mode },
    #[error("the TLS handshake with {0} failed")]
    NoHandshake(String),
    #[error("the certificate of {place} {what} (sslmode={mode})")]
    Certificate {
        place: String,
        what: Certificate,
        mode: Mode,
    },
    #[error("the name in {0} cannot be resolved")]
    Unresolvable(String),
    #[error("{0} refused the connection")]
    ConnectionRefused(String),
    #[error("there is no socket in {0}")]
    NoSocket(String),
    #[error("nobody answers at {0}")]
    Nobody(String),
    #[error("{0} broke off the connection")]
    BrokenOff(String),
    #[error("{0} closed the connection without an answer")]
    Closed(String),
    #[error("{0} does not take this connection (a file's mode)")]
    NotTaken(String),
    #[error("no server of {0} has the role that target_session_attrs asks for")]
    OtherRole(String),
    #[error("what answers at {0} isn't PostgreSQL")]
    NotPostgres(String),
    #[error("{user} cannot log in to the PostgreSQL at {place} ({error})")]
    NoLogin {
        place: String,
        user: String,
        error: String,
    },
    /// The server sends more than a real one would.
    #[error("{place} sent more than {} MiB, or more than 1 MiB before the login", IN_A_SESSION >> 20)]
    Flood { place: String },

    // Refusals by the server; `code` is its SQLSTATE.
    #[error("{place} asks for a password, and the connection URL has none")]
    NoPassword { place: String },
    #[error("{place} refused the password of {user}")]
    WrongPassword { place: String, user: String },
    #[error("{place} does not let {user} in from here with sslmode={mode}")]
    NotLetIn {
        place: String,
        user: String,
        mode: Mode,
    },
    #[error("{user} may not use {what} in database {database}")]
    Denied {
        user: String,
        what: String,
        database: String,
    },
    #[error("{place} has no database {database}")]
    NoDatabase { place: String, database: String },
    #[error("the table image of database {0} has no column for secrets")]
    NoSecretColumn(String),
    #[error("database {database} has no table {table}")]
    Unmade {
        database: String,
        table: &'static str,
    },
    #[error("database {database} has no table {table}, so it is not Beta9's")]
    NoTable {
        database: String,
        table: &'static str,
    },
    #[error("the tables of database {database} are not Beta9's ({code})")]
    OtherTables { database: String, code: String },
    #[error("{0} is read-only")]
    ReadOnly(String),
    #[error("{0} accepts no more connections")]
    Full(String),
    #[error("{0} is starting up or shutting down")]
    Starting(String),
    #[error("it did not answer a moment ago, and is not asked again yet")]
    Resting,
    #[error("another session holds a lock that this change needs in database {database} ({code})")]
    Held { database: String, code: String },
    #[error("{place} cannot answer now ({code})")]
    Down { place: String, code: String },
    #[error("{place} refused the query ({code})")]
    Query { place: String, code: String },

    // The database's content.
    #[error("this database is not Beta9's: it has no {}", .0.join(", "))]
    NotBeta9(Vec<String>),
    #[error("the database has no {}", .0.join(", "))]
    Unmigrated(Vec<&'static str>),
    #[error("the count of images is negative")]
    NegativeCount,
    #[error("the database has no workspace {0}")]
    NoWorkspace(String),
    #[error("the workspace's signing_key cannot be used: it is empty")]
    NoSigningKey,
    #[error("the workspace's signing_key cannot be used: {0}")]
    SigningKey(SealError),
    #[error("{0}")]
    Unsealable(SealError),
    #[error("the secret {}: it does not open: {error}", shown(name))]
    Unopened { name: String, error: SealError },
    #[error("the secret {}: its hosts are not a list of texts", shown(.0))]
    UnknownHosts(String),
    #[error("the secret {}: {error}", shown(name))]
    Damaged { name: String, error: KeysError },
    #[error("the secret {} does not say which registry it is for", shown(.0))]
    Unnamed(String),
    #[error("the secret {} is another registry's, or cannot be read", .0.join(" or "))]
    Taken(Vec<String>),
    #[error("somebody else keeps changing the secret")]
    Contended,
    #[error("the secret {} cannot have this name in Beta9", shown(.0))]
    InvalidName(String),
    /// A secret was changed concurrently.
    #[error("the secret {} {what}", shown(name))]
    Changed { name: String, what: &'static str },
    #[error("the secret {} was changed meanwhile", .0.escape_debug())]
    ChangedBeforeRemoval(String),
    #[error("there is no secret that could expire")]
    NothingToExpire,
    #[error("the secret was changed meanwhile")]
    ChangedBeforeExpiry,
    #[error("there is no secret to bind an image to")]
    NothingToBind,
    #[error("there is no image {}", shown(.0))]
    UnknownImage(String),
    #[error(
        "image {} is bound to the secret {}, which is gone or empty",
        shown(image),
        shown(name)
    )]
    Gone { image: String, name: String },
    #[error("the database has no table credential_helper_token, so no tokens are shared")]
    NoShared,
    #[error("no random bytes are to be had for a lease")]
    NoLease,
    #[error("the table image has no column for secrets")]
    NoColumns,
    #[error(
        "the table image has no column credential_secret_names, which Beta9's migration 053 adds"
    )]
    NoNames,
    #[error("Beta9's migration 053 has dropped the columns that bind an image to one secret")]
    Dropped,
}

impl Fault for PostgresError {
    fn meaning(&self) -> Meaning {
        let of = |code| Meaning::new(code, PART);
        let unreached = |fix| of(Code::StoreUnreachable).fix(fix).unreachable();
        let refused = |fix| of(Code::StoreRefused).fix(fix).refused();
        let unexpected = |fix| of(Code::StoreUnexpected).fix(fix);
        match self {
            Self::NoUrl => of(Code::ConfigMissing)
                .fix("set BETA9_DATABASE_URL, or url or url_file in [store.postgres]"),
            Self::Url(_) => of(Code::ConfigInvalid).fix(format!(
                "{URL}: postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full"
            )),
            Self::Exposed(_) => of(Code::ConfigInvalid)
                .fix("set sslmode=verify-full in the connection URL, or at least require"),
            Self::NoAuthorities => of(Code::SystemFile).fix(
                "install ca-certificates, correct SSL_CERT_FILE and SSL_CERT_DIR, or name the database's own with sslrootcert",
            ),
            Self::TlsUnavailable(_) | Self::NoLease => of(Code::SystemResources),
            Self::RootCertificate { .. } => of(Code::ConfigInvalid)
                .fix("name the file that holds the certificate of the database's authority"),
            Self::NoTls { .. } => unexpected(
                "turn it on there, or set sslmode=disable in the connection URL if the network in between is your own",
            ),
            Self::NoHandshake(_) => {
                unexpected("see who answers in its place, and which TLS versions it speaks")
            }
            Self::Certificate { what, .. } => unexpected(match what {
                Certificate::OtherName => {
                    "connect by the name it is for; sslmode=verify-ca with an sslrootcert does without"
                }
                Certificate::UnknownAuthority => {
                    "name the file of its authority with sslrootcert, or add that to the system's"
                }
                Certificate::Expired | Certificate::NotYetValid => {
                    "check whether this node's clock is right"
                }
                Certificate::Invalid | Certificate::SelfSigned => {
                    "it must be of X.509 version 3, a server's own, and signed by an authority"
                }
            }),
            Self::Unresolvable(_)
            | Self::ConnectionRefused(_)
            | Self::NoSocket(_)
            | Self::Nobody(_)
            | Self::BrokenOff(_)
            | Self::Closed(_) => unreached(REACH),
            Self::OtherRole(_) => unreached("promote one, or change target_session_attrs"),
            Self::NotTaken(_) | Self::NotPostgres(_) => unexpected(REACH),
            Self::Flood { .. } => unexpected("see who answers in its place; nothing of it was used"),
            Self::NoPassword { .. } | Self::WrongPassword { .. } => refused(URL),
            Self::NotLetIn { .. } => {
                refused("see its pg_hba.conf, and which sslmode it asks for")
            }
            Self::Denied { .. } => refused(
                "grant SELECT on workspace, workspace_secret and image; to store and erase, INSERT, UPDATE and DELETE on workspace_secret; to bind images, UPDATE on image; migrate is for the tables' owner",
            ),
            Self::NoLogin { .. }
            | Self::NoDatabase { .. }
            | Self::NoTable { .. }
            | Self::OtherTables { .. } => unexpected(URL),
            Self::NoSecretColumn(_)
            | Self::Unmade { .. }
            | Self::Unmigrated(_)
            | Self::NoShared
            | Self::NoColumns => unexpected("run docker-credential-beta9 migrate"),
            Self::ReadOnly(_) => of(Code::StoreUnwritable).fix(
                "connect to the primary, for instance with target_session_attrs=read-write",
            ),
            Self::Full(_) => unreached("raise max_connections, or close some"),
            Self::Starting(_) | Self::Held { .. } | Self::Resting => unreached("try again in a moment"),
            Self::Down { .. } => unreached("see its log"),
            Self::Query { .. } => unexpected("see its log"),
            Self::NotBeta9(_) => of(Code::StoreUnexpected)
                .fix(format!("nothing was changed; {URL}")),
            Self::NegativeCount => of(Code::StoreUnexpected),
            Self::NoWorkspace(_) => of(Code::StoreNotFound)
                .fix("correct workspace in the configuration, or BETA9_WORKSPACE_ID"),
            Self::NoSigningKey | Self::SigningKey(_) => of(Code::StoreDamaged)
                .fix("put the workspace's own key back into the database"),
            Self::Unsealable(_) => of(Code::StoreUnwritable).fix("nothing was stored"),
            Self::Unopened { .. } => of(Code::StoreDamaged).fix(
                "was the workspace's signing_key changed? put it back, or store the secret again",
            ),
            Self::UnknownHosts(_) => of(Code::SecretInvalid)
                .fix("correct its column hosts; a newer helper may know its form"),
            Self::Damaged { error, .. } => {
                of(error.code()).fix("correct the secret, or store it again")
            }
            Self::Unnamed(_) => of(Code::SecretUnbound).fix("store it again to have it listed"),
            Self::Taken(_) => of(Code::StoreConflict)
                .fix("nothing was stored; delete that secret, or choose another name"),
            Self::Contended => of(Code::StoreConflict).fix("nothing was changed; try again"),
            Self::InvalidName(_) => of(Code::ConfigInvalid).fix(
                "give it a name of letters, digits and _, of at most 64 characters, that begins with no digit",
            ),
            Self::Changed { .. } => of(Code::StoreConflict)
                .fix("nothing was changed; read it again, and decide with its value"),
            Self::ChangedBeforeRemoval(_) => {
                of(Code::StoreConflict).fix("nothing was removed; read it again")
            }
            Self::ChangedBeforeExpiry => of(Code::StoreConflict).fix("try again"),
            Self::NothingToExpire | Self::NothingToBind => {
                of(Code::StoreNotFound).fix("store one first")
            }
            Self::UnknownImage(_) => {
                of(Code::StoreNotFound).fix("build it first, or correct its id")
            }
            Self::Gone { .. } => of(Code::StoreNotFound).fix(
                "store the secret again with docker-credential-beta9 provision, or build the image again",
            ),
            Self::NoNames => unexpected("update Beta9, or bind the image to one secret"),
            Self::Dropped => unexpected("bind the image to the names of single secrets"),
        }
    }
}

const URL: &str = "correct BETA9_DATABASE_URL, or url in [store.postgres]";
const REACH: &str = "check whether the database runs and this node reaches it";
