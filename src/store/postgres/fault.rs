//! `Fault`: a failure of the database or the connection, without quoting what was sent or received.

use std::error::Error as StdError;
use std::io;

use tokio_postgres::error::DbError;

use super::connect::Meter;
use super::errors::PostgresError;
use super::target::{Server, Target};
use crate::error::Error;
use crate::http::Certificate;

/// Why an operation on the database failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The client library's error.
    Database(tokio_postgres::Error),
    /// The connection failed.
    Network(io::Error),
    /// A failure of our own.
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

impl From<PostgresError> for Fault {
    fn from(error: PostgresError) -> Self {
        Self::Ours(error.into())
    }
}

impl Fault {
    /// Turns this into the error that people read. If the server sent too much, that is why.
    pub(super) fn explain(self, target: &Target, meter: &Meter) -> Error {
        let server = target.server();
        match self {
            _ if meter.is_over() => PostgresError::Flood(server).into(),
            Self::Ours(error) => error,
            Self::Network(error) => network(&error, server).into(),
            Self::Database(error) => match error.as_db_error() {
                Some(refusal) => refused(code(refusal), refusal.message(), server).into(),
                None => broken(&error, server).into(),
            },
        }
    }
}

/// Whether a retry may soon succeed, because the server is starting or all its connections are in use.
pub(super) fn may_pass_soon(error: &tokio_postgres::Error) -> bool {
    error
        .as_db_error()
        .is_some_and(|refusal| matches!(code(refusal), "53300" | "57P03"))
}

/// The code of a refusal by the server or by pgbouncer. pgbouncer up to 1.18 has one code for all its messages, and
/// later versions for many of them (<https://github.com/pgbouncer/pgbouncer/pull/814>), so its text is examined.
fn code(refusal: &DbError) -> &str {
    let code = refusal.code().code();
    let words = POOLER
        .iter()
        .filter(|_| code == VIOLATION)
        .find(|(words, _)| refusal.message().contains(words));
    words.map_or(code, |(_, code)| code)
}

/// The error for a refusal (<https://www.postgresql.org/docs/current/errcodes-appendix.html>). Only the name of a known
/// table is taken from the message.
fn refused(code: &str, message: &str, server: Server) -> PostgresError {
    use PostgresError as E;
    let table = TABLES.iter().find(|table| message.contains(*table));
    let column = message.contains("credential_secret_");
    let said = code.to_owned();
    match (code, table) {
        ("28P01", _) => E::WrongPassword(server),
        ("28000", _) => E::NotLetIn(server),
        ("3D000", _) => E::NoDatabase(server),
        ("42501", Some(table)) => E::Denied(server, format!("the table {table}")),
        ("42501", None) => E::Denied(server, "what is asked for".to_owned()),
        ("42703", _) if column => E::NoSecretColumn(server),
        ("42P01", Some(&SHARED)) => E::NoShared,
        ("42P01", Some(&EXPIRY)) => E::Unmade(server, EXPIRY),
        ("42P01", Some(table)) => E::NoTable(server, table),
        ("42P01" | "42703" | "42883" | "42804", _) => E::OtherTables(server, said),
        ("25006", _) => E::ReadOnly(server),
        ("53300", _) => E::Full(server),
        ("57P03", _) => E::Starting(server),
        ("40001" | "40P01" | "55P03", _) => E::Held(server, said),
        // A possible refusal must not count as an outage, because then the last answer would be used.
        _ if code != VIOLATION
            && ["08", "53", "57", "58", "XX"]
                .iter()
                .any(|class| code.starts_with(class)) =>
        {
            E::Down(server, said)
        }
        _ => E::Query(server, said),
    }
}

/// The error for a failure without an answer from the server.
fn broken(error: &tokio_postgres::Error, server: Server) -> PostgresError {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(below) = cause {
        match rustls_error(below) {
            Some(rustls::Error::InvalidCertificate(error)) => {
                return PostgresError::Certificate(server, Certificate::of(error));
            }
            Some(_) => return PostgresError::NoHandshake(server),
            None => {}
        }
        if let Some(error) = below.downcast_ref::<io::Error>() {
            return network(error, server);
        }
        match below.to_string().as_str() {
            "server does not support TLS" => return PostgresError::NoTls(server),
            "password missing" => return PostgresError::NoPassword(server),
            _ => {}
        }
        cause = below.source();
    }
    if error.is_closed() {
        PostgresError::Unreached(format!("{server} closed the connection without an answer"))
    } else {
        PostgresError::NoLogin(server, error.to_string())
    }
}

fn network(error: &io::Error, server: Server) -> PostgresError {
    use io::ErrorKind as K;
    // The standard library has no kind for this yet.
    let text = error.to_string();
    let is_unknown =
        text.starts_with("failed to lookup address") || text.starts_with("could not resolve");
    PostgresError::Unreached(match error.kind() {
        _ if is_unknown => format!("the name in {server} cannot be resolved"),
        K::ConnectionRefused => format!("{server} refused the connection"),
        K::NotFound => format!("there is no socket in {server}"),
        K::HostUnreachable | K::NetworkUnreachable | K::TimedOut => {
            format!("nobody answers at {server}")
        }
        K::PermissionDenied => return PostgresError::NotTaken(server),
        K::ReadOnlyFilesystem => return PostgresError::OtherRole(server),
        K::InvalidData | K::InvalidInput => return PostgresError::NotPostgres(server),
        _ => format!("{server} broke off the connection"),
    })
}

/// `io::Error::source` skips the error that it wraps.
fn rustls_error<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e rustls::Error> {
    error.downcast_ref().or_else(|| {
        error
            .downcast_ref::<io::Error>()?
            .get_ref()
            .and_then(|inner| inner.downcast_ref())
    })
}

/// A protocol violation.
const VIOLATION: &str = "08P01";
/// pgbouncer's texts with that code, and PostgreSQL's code for each. A text may quote a server's own refusal inside a
/// message about an outage, so refusals come first.
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
/// Longer names come before names that they contain.
const SHARED: &str = "credential_helper_token";
const TABLES: &[&str] = &[SHARED, EXPIRY, "workspace_secret", "workspace", "image"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn each_refusal_of_the_server_has_its_code_and_only_outages_are_bridged() {
        let target = Target::parse("postgres://u:hunter2@h/d?sslmode=disable").unwrap();
        let table = [
            ("28P01", "", Code::StoreRefused),
            ("42501", "hunter2", Code::StoreRefused),
            ("3D000", "", Code::StoreUnexpected),
            ("42P01", "relation \"workspace\"", Code::StoreUnexpected),
            ("25006", "", Code::StoreUnwritable),
            ("53300", "", Code::StoreUnreachable),
            ("57P03", "", Code::StoreUnreachable),
            ("XX000", "hunter2", Code::StoreUnreachable),
            (VIOLATION, "hunter2", Code::StoreUnexpected),
        ];
        for (said, message, code) in table {
            let error = Error::from(refused(said, message, target.server()));
            assert_eq!(error.code(), Some(code), "{said}");
            let bridged = matches!(error, Error::Unreachable(_));
            assert_eq!(bridged, code == Code::StoreUnreachable, "{said}");
            assert_eq!(error.is_refusal(), code == Code::StoreRefused, "{said}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
