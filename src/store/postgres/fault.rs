//! `Fault`: what the database or the way to it did wrong, told without a word of what was sent or received.

use std::error::Error as StdError;
use std::io;

use tokio_postgres::error::DbError;

use super::PART;
use super::connect::IN_A_SESSION;
use super::target::Target;
use crate::error::{Error, Problem};
use crate::http::Certificate;

/// Why some work with the database did not come to its end.
#[derive(Debug)]
pub(super) enum Fault {
    /// The client library's error.
    Database(tokio_postgres::Error),
    /// There is no connection.
    Network(io::Error),
    /// One of our own.
    Ours(Error),
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Network(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl Fault {
    /// The error that people read.
    pub(super) fn explain(self, target: &Target) -> Error {
        match self {
            Self::Ours(error) => error,
            Self::Network(error) => network(&error, &target.place()),
            Self::Database(error) => match error.as_db_error() {
                Some(refusal) => refused(code(refusal), refusal.message(), target),
                None => broken(&error, target),
            },
        }
    }
}

/// It sends more than any true server does.
pub(super) fn flooded(target: &Target) -> Error {
    let (place, limit) = (target.place(), IN_A_SESSION >> 20);
    Problem::new(
        PART,
        format_args!("{place} sent more than {limit} MiB, or more than 1 MiB before the login"),
    )
    .fix("see who answers in its place; nothing of it was used")
    .failed()
}

/// Whether a connection may be had in a moment: the server is starting, or all of its connections are taken.
pub(super) fn may_pass_soon(error: &tokio_postgres::Error) -> bool {
    error
        .as_db_error()
        .is_some_and(|refusal| matches!(code(refusal), "53300" | "57P03"))
}

/// The code of what the server said, or of what pgbouncer said in its place: up to 1.18 that has one code for all it says,
/// and later ones for much of it (<https://github.com/pgbouncer/pgbouncer/pull/814>), so that its words have to tell.
fn code(refusal: &DbError) -> &str {
    let code = refusal.code().code();
    let words = POOLER
        .iter()
        .filter(|_| code == VIOLATION)
        .find(|(words, _)| refusal.message().contains(words));
    words.map_or(code, |(_, code)| code)
}

/// What the server said no with (<https://www.postgresql.org/docs/current/errcodes-appendix.html>). Of its message only
/// the name of a table that is known here is used.
fn refused(code: &str, message: &str, target: &Target) -> Error {
    let (place, user, database) = (target.place(), target.user(), target.database());
    let table = TABLES.iter().find(|table| message.contains(*table));
    let column = message.contains("credential_secret_");
    let problem = |cause: String, fix: &str| Problem::new(PART, cause).fix(fix);
    match (code, table) {
        ("28P01", _) => problem(format!("{place} refused the password of {user}"), URL).refused(),
        ("28000", _) => problem(
            format!(
                "{place} does not let {user} in from here with sslmode={}",
                target.mode
            ),
            HBA,
        )
        .refused(),
        ("3D000", _) => problem(format!("{place} has no database {database}"), URL).failed(),
        ("42501", table) => {
            let table = table.map_or("what is asked for".to_owned(), |table| {
                format!("the table {table}")
            });
            problem(
                format!("{user} may not use {table} in database {database}"),
                GRANT,
            )
            .refused()
        }
        ("42703", _) if column => problem(
            format!("the table image of database {database} has no column for secrets"),
            MIGRATE,
        )
        .failed(),
        ("42P01", Some(&EXPIRY)) => problem(
            format!("database {database} has no table {EXPIRY}"),
            MIGRATE,
        )
        .failed(),
        ("42P01", Some(table)) => problem(
            format!("database {database} has no table {table}, so it is not Beta9's"),
            URL,
        )
        .failed(),
        ("42P01" | "42703" | "42883" | "42804", _) => problem(
            format!("the tables of database {database} are not Beta9's ({code})"),
            URL,
        )
        .failed(),
        ("25006", _) => problem(
            format!("{place} is read-only"),
            "connect to the primary, for instance with target_session_attrs=read-write",
        )
        .failed(),
        ("53300", _) => problem(
            format!("{place} takes no more connections"),
            "raise max_connections, or close some",
        )
        .unreachable(),
        ("57P03", _) => problem(
            format!("{place} is starting up or shutting down"),
            "try again in a moment",
        )
        .unreachable(),
        ("40001" | "40P01" | "55P03", _) => problem(
            format!("somebody else holds what must be changed in database {database} ({code})"),
            "try again in a moment",
        )
        .unreachable(),
        // What may be a refusal is not taken for an outage, which the last answer would bridge.
        _ if code != VIOLATION
            && ["08", "53", "57", "58", "XX"]
                .iter()
                .any(|class| code.starts_with(class)) =>
        {
            problem(format!("{place} cannot answer now ({code})"), "see its log").unreachable()
        }
        _ => problem(
            format!("{place} did not take the query ({code})"),
            "see its log",
        )
        .failed(),
    }
}

/// What went wrong without an answer of the server.
fn broken(error: &tokio_postgres::Error, target: &Target) -> Error {
    let place = target.place();
    let problem = |cause: String, fix: &str| Problem::new(PART, cause).fix(fix);
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(below) = cause {
        if let Some(tls) = rustls_error(below) {
            return certificate(tls, target);
        }
        if let Some(error) = below.downcast_ref::<io::Error>() {
            return network(error, &place);
        }
        match below.to_string().as_str() {
            "server does not support TLS" => {
                return problem(
                    format!("{place} offers no TLS, which sslmode={} requires", target.mode),
                    "turn it on there, or set sslmode=disable in the connection URL if the network in between is your own",
                )
                .failed();
            }
            "password missing" => {
                return problem(
                    format!("{place} asks for a password, and the connection URL has none"),
                    URL,
                )
                .refused();
            }
            _ => {}
        }
        cause = below.source();
    }
    if error.is_closed() {
        return problem(
            format!("{place} closed the connection without an answer"),
            REACH,
        )
        .unreachable();
    }
    problem(
        format!(
            "{place} is no PostgreSQL that {} can log in to ({error})",
            target.user()
        ),
        URL,
    )
    .failed()
}

fn network(error: &io::Error, place: &str) -> Error {
    use io::ErrorKind as K;
    let problem = |cause: String| Problem::new(PART, cause).fix(REACH);
    // The standard library has no kind for this one yet.
    let text = error.to_string();
    if text.starts_with("failed to lookup address") || text.starts_with("could not resolve") {
        return problem(format!("the name in {place} cannot be resolved")).unreachable();
    }
    match error.kind() {
        K::ConnectionRefused => problem(format!("{place} refused the connection")).unreachable(),
        K::NotFound => problem(format!("there is no socket in {place}")).unreachable(),
        K::HostUnreachable | K::NetworkUnreachable | K::TimedOut => {
            problem(format!("nobody answers at {place}")).unreachable()
        }
        K::PermissionDenied => problem(format!(
            "{place} does not take this connection (a file's mode, or target_session_attrs)"
        ))
        .failed(),
        K::InvalidData | K::InvalidInput => {
            problem(format!("what answers at {place} is no PostgreSQL")).failed()
        }
        _ => problem(format!("{place} broke off the connection")).unreachable(),
    }
}

/// An `io::Error` gives the source of what it wraps, not that itself.
fn rustls_error<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e rustls::Error> {
    error.downcast_ref().or_else(|| {
        error
            .downcast_ref::<io::Error>()?
            .get_ref()
            .and_then(|inner| inner.downcast_ref())
    })
}

fn certificate(error: &rustls::Error, target: &Target) -> Error {
    let (place, mode) = (target.place(), target.mode);
    let rustls::Error::InvalidCertificate(error) = error else {
        return Problem::new(
            PART,
            format_args!("no TLS connection with {place} came about"),
        )
        .fix("see who answers in its place, and which TLS versions it speaks")
        .failed();
    };
    let what = Certificate::of(error);
    let fix = match what {
        Certificate::OtherName => {
            "connect by the name it is for; sslmode=verify-ca with an sslrootcert does without"
        }
        Certificate::UnknownAuthority => {
            "name the file of its authority with sslrootcert, or add that to the system's"
        }
        Certificate::Expired | Certificate::NotYetValid => "see whether this node's clock is right",
        Certificate::Invalid | Certificate::SelfSigned => {
            "it must be of X.509 version 3, a server's own, and signed by an authority"
        }
    };
    Problem::new(
        PART,
        format_args!("the certificate of {place} {what} (sslmode={mode})"),
    )
    .fix(fix)
    .failed()
}

/// Of the protocol, by the one who connects.
const VIOLATION: &str = "08P01";
/// What pgbouncer says with that code, and the code that PostgreSQL has for it. A server's own refusal may be quoted in
/// what is otherwise an outage, and comes first.
const POOLER: [(&str, &str); 15] = [
    ("authentication failed", "28P01"),
    ("no such user", "28P01"),
    ("no such database", "3D000"),
    ("does not exist", "3D000"),
    ("not allowed", "28000"),
    ("SSL required", "28000"),
    ("TLS connection required", "28000"),
    ("no more connections", "53300"),
    ("shut", "57P03"),
    ("login has been failing", "08006"),
    ("timeout", "08006"),
    ("cannot connect", "08006"),
    ("DNS lookup failed", "08006"),
    ("server conn", "08006"),
    ("server closed", "08006"),
];
const EXPIRY: &str = "credential_helper_expiry";
/// Longer names before those that they hold.
const TABLES: &[&str] = &[EXPIRY, "workspace_secret", "workspace", "image"];
const URL: &str = "correct BETA9_DATABASE_URL, or url in [store.postgres]";
const HBA: &str = "see its pg_hba.conf, and which sslmode it asks for";
const GRANT: &str = "grant SELECT on workspace, workspace_secret and image; to store and erase, INSERT, UPDATE and DELETE on workspace_secret; to bind images, UPDATE on image; migrate is for the tables' owner";
const MIGRATE: &str = "run docker-credential-beta9 migrate";
const REACH: &str = "see whether the database runs and this node reaches it";
