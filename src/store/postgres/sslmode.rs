//! `sslmode` and `sslrootcert` of a connection URL: whether TLS is used, and which certificates are trusted
//! (<https://www.postgresql.org/docs/current/libpq-ssl.html>).

use std::fmt;
use std::path::PathBuf;

use super::errors::PostgresError;
use super::target::{UNREADABLE, wrong};

/// `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// The requirements for a server's certificate.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Any certificate.
    Anybody,
    /// Signed by an authority in this file, for any name.
    Signed(PathBuf),
    /// Signed by an authority in this file or, without one, of the system, and for the server's name.
    Named(Option<PathBuf>),
}

/// The options that the client library does not support fully.
#[derive(Default)]
pub(super) struct Ssl {
    mode: Option<Mode>,
    root: Option<String>,
}

impl Ssl {
    /// Removes them from a URL; the rest is for the client library.
    pub(super) fn take_from(
        url: &str,
    ) -> Result<(zeroize::Zeroizing<String>, Self), PostgresError> {
        let url = url.trim();
        let rest = ["postgres://", "postgresql://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme));
        let rest = rest.ok_or_else(|| wrong("it is not a postgres:// URL"))?;
        // libpq ends user and password at the first of these, but the client library does not. If both read the URL
        // differently, a part of the password could be taken for a host.
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.matches('@').count() > 1 || tail.contains('@') {
            return Err(wrong(UNREADABLE));
        }
        let (before, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut ssl, mut left) = (Self::default(), zeroize::Zeroizing::new(before.to_owned()));
        let mut mark = '?';
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or_else(|| wrong(UNREADABLE))?;
            match key {
                "sslmode" => ssl.mode = Some(Mode::parse(value)?),
                "sslrootcert" => ssl.root = Some(decode(value).ok_or_else(|| wrong(UNREADABLE))?),
                // These only turn GSSAPI off or make it optional, and it isn't supported here.
                "gssencmode" if value != "require" => {}
                _ if PASSED_ON.contains(&key) => {
                    left.push(mark);
                    left.push_str(pair);
                    mark = '&';
                }
                _ if key.len() < 32
                    && key
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte == b'_') =>
                {
                    let cause = format!("the connection URL's option \"{key}\" is not supported");
                    return Err(PostgresError::Url(cause.into()));
                }
                _ => return Err(wrong(UNREADABLE)),
            }
        }
        Ok((left, ssl))
    }

    pub(super) fn resolve(self, is_on_this_node: bool) -> Result<(Mode, Trust), PostgresError> {
        let root = self.root.filter(|root| !root.is_empty());
        if root.as_deref() == Some("system") {
            return match self.mode {
                None | Some(Mode::VerifyFull) => Ok((Mode::VerifyFull, Trust::Named(None))),
                Some(weak) => Err(PostgresError::Url(
                    format!("sslmode={weak} is too weak for sslrootcert=system").into(),
                )),
            };
        }
        let root = root.map(PathBuf::from);
        if root.as_ref().is_some_and(|root| !root.is_absolute()) {
            return Err(wrong("sslrootcert is not an absolute path"));
        }
        let mode = self.mode.unwrap_or(if is_on_this_node {
            Mode::Prefer
        } else {
            Mode::Require
        });
        Ok((
            mode,
            match (mode, root) {
                (Mode::Disable, _) | (Mode::Prefer | Mode::Require, None) => Trust::Anybody,
                (Mode::Prefer | Mode::Require | Mode::VerifyCa, Some(root)) => Trust::Signed(root),
                // Anyone can get a certificate for some name from an authority that the system trusts.
                (Mode::VerifyCa, None) => Trust::Named(None),
                (Mode::VerifyFull, root) => Trust::Named(root),
            },
        ))
    }
}

impl Mode {
    fn parse(word: &str) -> Result<Self, PostgresError> {
        match word {
            "disable" => Ok(Self::Disable),
            // libpq tries without TLS first; trying TLS first reaches the same servers.
            "allow" | "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-ca" => Ok(Self::VerifyCa),
            "verify-full" => Ok(Self::VerifyFull),
            _ => Err(wrong(
                "sslmode isn't one of disable, allow, prefer, require, verify-ca and verify-full",
            )),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        })
    }
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        bytes.push(if byte == b'%' {
            u8::try_from(digit()? * 16 + digit()?).ok()?
        } else {
            byte
        });
    }
    String::from_utf8(bytes).ok()
}

/// Options that the client library handles like libpq.
const PASSED_ON: &[&str] = &[
    "user",
    "password",
    "dbname",
    "host",
    "hostaddr",
    "port",
    "options",
    "application_name",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
];
