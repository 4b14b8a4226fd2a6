//! Failures of the database. They quote nothing that was sent or received, except known table names.

use std::borrow::Cow;
use std::path::PathBuf;

use thiserror::Error;

use super::PART;
use super::connect::IN_A_SESSION;
use super::sslmode::Mode;
use super::target::Server;
use crate::error::{Code, Fault, Meaning};
use crate::http::Certificate;
use crate::keys::KeysError;
use crate::seal::SealError;
use crate::shown::shown;

/// A failure of the database.
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
    #[error("{} offers no TLS, which sslmode={} requires", .0, .0.mode)]
    NoTls(Server),
    #[error("the TLS handshake with {0} failed")]
    NoHandshake(Server),
    #[error("the certificate of {} {} (sslmode={})", .0, .1, .0.mode)]
    Certificate(Server, Certificate),
    /// The connection was not made, or broke.
    #[error("{0}")]
    Unreached(String),
    #[error("{0} does not take this connection (a file's mode)")]
    NotTaken(Server),
    #[error("no server of {0} has the role that target_session_attrs asks for")]
    OtherRole(Server),
    #[error("what answers at {0} isn't PostgreSQL")]
    NotPostgres(Server),
    #[error("{} cannot log in to the PostgreSQL at {} ({})", .0.user, .0, .1)]
    NoLogin(Server, String),
    /// The server sends more than a real one would.
    #[error("{} sent more than {} MiB, or more than 1 MiB before the login", .0, IN_A_SESSION >> 20)]
    Flood(Server),

    // Refusals by the server, some with its SQLSTATE.
    #[error("{0} asks for a password, and the connection URL has none")]
    NoPassword(Server),
    #[error("{} refused the password of {}", .0, .0.user)]
    WrongPassword(Server),
    #[error("{} does not let {} in from here with sslmode={}", .0, .0.user, .0.mode)]
    NotLetIn(Server),
    #[error("{} may not use {} in database {}", .0.user, .1, .0.database)]
    Denied(Server, String),
    #[error("{} has no database {}", .0, .0.database)]
    NoDatabase(Server),
    #[error("the table image of database {} has no column for secrets", .0.database)]
    NoSecretColumn(Server),
    #[error("database {} has no table {}", .0.database, .1)]
    Unmade(Server, &'static str),
    #[error("database {} has no table {}, so it is not Beta9's", .0.database, .1)]
    NoTable(Server, &'static str),
    #[error("the tables of database {} are not Beta9's ({})", .0.database, .1)]
    OtherTables(Server, String),
    #[error("{0} is read-only")]
    ReadOnly(Server),
    #[error("{0} accepts no more connections")]
    Full(Server),
    #[error("{0} is starting up or shutting down")]
    Starting(Server),
    #[error("it did not answer a moment ago, and is not asked again yet")]
    Resting,
    #[error("another session holds a lock that this change needs in database {} ({})", .0.database, .1)]
    Held(Server, String),
    #[error("{0} cannot answer now ({1})")]
    Down(Server, String),
    #[error("{0} refused the query ({1})")]
    Query(Server, String),

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
            Self::NoTls(_) => unexpected(
                "turn it on there, or set sslmode=disable in the connection URL if the network in between is your own",
            ),
            Self::NoHandshake(_) => {
                unexpected("see who answers in its place, and which TLS versions it speaks")
            }
            Self::Certificate(_, what) => unexpected(match what {
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
            Self::Unreached(_) => unreached(REACH),
            Self::OtherRole(_) => unreached("promote one, or change target_session_attrs"),
            Self::NotTaken(_) | Self::NotPostgres(_) => unexpected(REACH),
            Self::Flood(_) => unexpected("see who answers in its place; nothing of it was used"),
            Self::NoPassword(_) | Self::WrongPassword(_) => refused(URL),
            Self::NotLetIn(_) => refused("see its pg_hba.conf, and which sslmode it asks for"),
            Self::Denied(..) => refused(
                "grant SELECT on workspace, workspace_secret and image; to store and erase, INSERT, UPDATE and DELETE on workspace_secret; to bind images, UPDATE on image; migrate is for the tables' owner",
            ),
            Self::NoLogin(..)
            | Self::NoDatabase(_)
            | Self::NoTable(..)
            | Self::OtherTables(..) => unexpected(URL),
            Self::NoSecretColumn(_)
            | Self::Unmade(..)
            | Self::Unmigrated(_)
            | Self::NoShared
            | Self::NoColumns => unexpected("run docker-credential-beta9 migrate"),
            Self::ReadOnly(_) => of(Code::StoreUnwritable).fix(
                "connect to the primary, for instance with target_session_attrs=read-write",
            ),
            Self::Full(_) => unreached("raise max_connections, or close some"),
            Self::Starting(_) | Self::Held(..) | Self::Resting => unreached("try again in a moment"),
            Self::Down(..) => unreached("see its log"),
            Self::Query(..) => unexpected("see its log"),
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
