//! `Target`: the database that a connection URL names, and whom TLS must trust, as libpq means it
//! (<https://www.postgresql.org/docs/current/libpq-connect.html>, <https://www.postgresql.org/docs/current/libpq-ssl.html>).

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::PART;
use crate::error::{Error, Problem};
use crate::shown::shown;

/// Where to connect, as whom, and whom to believe.
#[derive(Debug)]
pub(super) struct Target {
    /// What the client library is told. Its `Debug` leaves the password out.
    pub(super) config: Config,
    /// The mode, as errors name it.
    pub(super) mode: Mode,
    /// What a server's certificate must be.
    pub(super) trust: Trust,
}

/// `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// What a server's certificate must be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Anybody's.
    Anybody,
    /// Signed by an authority of this file, for any name.
    Signed(PathBuf),
    /// Signed by an authority of this file or, without one, of the system's, and for the server's name.
    Named(Option<PathBuf>),
}

impl Target {
    /// Reads a connection URL. What it says of itself never holds a part of it that may be the password's.
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        let (url, ssl) = Ssl::take_from(url)?;
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            // Of all that the parser says, this alone names nothing but an option.
            let option = std::error::Error::source(&error).map(ToString::to_string);
            wrong(option.filter(|text| text.starts_with("invalid value for option")).as_deref().unwrap_or(UNREADABLE))
        })?;
        if config.get_hosts().is_empty() {
            for address in config.get_hostaddrs().to_vec() {
                config.host(address.to_string());
            }
        }
        if config.get_hosts().is_empty() {
            return Err(wrong("the connection URL names no host"));
        }
        let odd = |host: &Host| matches!(host, Host::Tcp(name) if name.is_empty() || !name.bytes().all(is_host_byte));
        if config.get_hosts().iter().any(odd) {
            return Err(wrong(UNREADABLE));
        }
        let (mode, trust) = ssl.resolve()?;
        // As with libpq, a socket of this node needs no TLS, and its server speaks none.
        let local = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        config.ssl_mode(match mode {
            _ if local => SslMode::Disable,
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        });
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_application_name().is_none() {
            config.application_name(env!("CARGO_PKG_NAME"));
        }
        Ok(Self { config, mode, trust })
    }

    /// Who is asked, for errors: `db.example:5432`.
    pub(super) fn place(&self) -> String {
        let ports = self.config.get_ports();
        let place = |(index, host): (usize, &Host)| match host {
            Host::Tcp(name) => {
                let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
                if name.contains(':') { format!("[{name}]:{port}") } else { format!("{name}:{port}") }
            }
            Host::Unix(path) => path.display().to_string(),
        };
        self.config.get_hosts().iter().enumerate().map(place).collect::<Vec<_>>().join(", ")
    }

    /// As whom, for errors.
    pub(super) fn user(&self) -> String {
        self.config.get_user().map_or("this user".to_owned(), |user| format!("user \"{}\"", shown(user)))
    }

    /// Which database, for errors.
    pub(super) fn database(&self) -> String {
        let name = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        format!("\"{}\"", shown(name))
    }
}

/// The options of a URL that the client library does not know, or knows in part.
#[derive(Default)]
struct Ssl {
    mode: Option<Mode>,
    root: Option<String>,
}

impl Ssl {
    /// Takes them out of a URL; what is left is for the client library.
    fn take_from(url: &str) -> Result<(zeroize::Zeroizing<String>, Self), Error> {
        let url = url.trim();
        let rest = ["postgres://", "postgresql://"].iter().find_map(|scheme| url.strip_prefix(scheme));
        let rest = rest.ok_or_else(|| wrong("it is not a postgres:// URL"))?;
        // libpq ends user and password at the first of these, the client library does not: what both would read
        // differently could put a part of the password where a host is named.
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
                // There is no GSSAPI here, which is all that these ask for.
                "gssencmode" if value != "require" => {}
                _ if PASSED_ON.contains(&key) => {
                    left.push(mark);
                    left.push_str(pair);
                    mark = '&';
                }
                _ if key.len() < 32 && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') => {
                    return Err(wrong(&format!("the connection URL's option \"{key}\" is not supported")));
                }
                _ => return Err(wrong(UNREADABLE)),
            }
        }
        Ok((left, ssl))
    }

    fn resolve(self) -> Result<(Mode, Trust), Error> {
        let root = self.root.filter(|root| !root.is_empty());
        if root.as_deref() == Some("system") {
            return match self.mode {
                None | Some(Mode::VerifyFull) => Ok((Mode::VerifyFull, Trust::Named(None))),
                Some(weak) => Err(wrong(&format!("sslmode={weak} is too weak for sslrootcert=system"))),
            };
        }
        let root = root.map(PathBuf::from);
        if root.as_ref().is_some_and(|root| !root.is_absolute()) {
            return Err(wrong("sslrootcert is not an absolute path"));
        }
        let mode = self.mode.unwrap_or(Mode::Prefer);
        Ok((
            mode,
            match (mode, root) {
                (Mode::Disable, _) | (Mode::Prefer | Mode::Require, None) => Trust::Anybody,
                (Mode::Prefer | Mode::Require | Mode::VerifyCa, Some(root)) => Trust::Signed(root),
                // Anybody gets a certificate for some name from an authority that the system trusts.
                (Mode::VerifyCa, None) => Trust::Named(None),
                (Mode::VerifyFull, root) => Trust::Named(root),
            },
        ))
    }
}

impl Mode {
    fn parse(word: &str) -> Result<Self, Error> {
        match word {
            "disable" => Ok(Self::Disable),
            // libpq tries without TLS first; with TLS first, the same servers let one in.
            "allow" | "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-ca" => Ok(Self::VerifyCa),
            "verify-full" => Ok(Self::VerifyFull),
            _ => Err(wrong("sslmode is none of disable, allow, prefer, require, verify-ca and verify-full")),
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

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte)
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        bytes.push(if byte == b'%' { u8::try_from(digit()? * 16 + digit()?).ok()? } else { byte });
    }
    String::from_utf8(bytes).ok()
}

fn wrong(cause: &str) -> Error {
    Problem::new(PART, cause)
        .fix("correct BETA9_DATABASE_URL, or url in [store.postgres]: postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full")
        .failed()
}

const UNREADABLE: &str =
    "the connection URL cannot be read; in names and passwords % @ / ? : # & are written %25 %40 %2F %3F %3A %23 %26";
/// What the client library reads as libpq does.
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
/// So that one address that takes no connections leaves time for the next.
const CONNECT: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &str) -> Result<(SslMode, Trust), String> {
        let target = Target::parse(&format!("postgres://u:hunter2@db.example/d{options}"));
        target.map(|target| (target.config.get_ssl_mode(), target.trust)).map_err(|error| error.to_string())
    }

    #[test]
    fn sslmode_and_sslrootcert_say_what_libpq_lets_them_say_or_more() {
        let ca = || PathBuf::from("/etc/c a.pem");
        let table = [
            ("", SslMode::Prefer, Trust::Anybody),
            ("?sslmode=disable", SslMode::Disable, Trust::Anybody),
            ("?sslmode=allow", SslMode::Prefer, Trust::Anybody),
            ("?sslmode=prefer", SslMode::Prefer, Trust::Anybody),
            ("?sslmode=require", SslMode::Require, Trust::Anybody),
            ("?sslmode=require&sslrootcert=/etc/c%20a.pem", SslMode::Require, Trust::Signed(ca())),
            ("?sslrootcert=/etc/c%20a.pem", SslMode::Prefer, Trust::Signed(ca())),
            ("?sslmode=verify-ca&sslrootcert=/etc/c%20a.pem", SslMode::Require, Trust::Signed(ca())),
            ("?sslmode=verify-ca", SslMode::Require, Trust::Named(None)),
            ("?sslmode=verify-full", SslMode::Require, Trust::Named(None)),
            ("?sslmode=verify-full&sslrootcert=/etc/c%20a.pem", SslMode::Require, Trust::Named(Some(ca()))),
            ("?sslrootcert=system", SslMode::Require, Trust::Named(None)),
            ("?connect_timeout=2&sslmode=verify-full&application_name=x", SslMode::Require, Trust::Named(None)),
            ("?host=/run/postgresql&gssencmode=disable", SslMode::Prefer, Trust::Anybody),
        ];
        for (options, mode, trust) in table {
            assert_eq!(parse(options), Ok((mode, trust)), "{options}");
        }
        let socket = Target::parse("postgres://u@%2Frun%2Fpostgresql/d?sslmode=verify-full").unwrap();
        assert_eq!((socket.config.get_ssl_mode(), socket.place().as_str()), (SslMode::Disable, "/run/postgresql"));
    }

    #[test]
    fn a_url_that_cannot_be_meant_is_refused_without_a_word_of_the_password() {
        let table = [
            ("host=db password=hunter2", "it is not a postgres:// URL"),
            ("mysql://u:hunter2@h/d", "it is not a postgres:// URL"),
            ("postgres://u:hunter2@hunter2@h/d", "%40"),
            ("postgres://u:x/hunter2@h/d", "%2F"),
            ("postgres://u:x?hunter2@h/d", "%3F"),
            ("postgres://u:p#hunter2/d", "invalid value for option `port`"),
            ("postgres://u:hunter2@/d", "names no host"),
            ("postgres://u:hunter2@h:port/d", "invalid value for option `port`"),
            ("postgres://u:hunter2@h/d?sslmode=hunter2", "sslmode is none of"),
            ("postgres://u:hunter2@h/d?sslmode=require&sslrootcert=system", "sslmode=require is too weak"),
            ("postgres://u:hunter2@h/d?sslrootcert=hunter2", "sslrootcert is not an absolute path"),
            ("postgres://u:hunter2@h/d?sslcert=/x", "option \"sslcert\" is not supported"),
            ("postgres://u:hunter2@h/d?Hunter2=1", "cannot be read"),
        ];
        for (url, why) in table {
            let error = Target::parse(url).unwrap_err().to_string();
            assert!(error.starts_with("postgres store: ") && error.contains(why), "{url}: {error}");
            assert!(!error.to_lowercase().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn several_hosts_are_named_with_their_ports() {
        let target =
            Target::parse("postgresql://u@[::1]:5433,db.example:6000/d?target_session_attrs=read-write").unwrap();
        assert_eq!(target.place(), "[::1]:5433, db.example:6000");
        assert_eq!((target.user().as_str(), target.database().as_str()), ("user \"u\"", "\"d\""));
    }
}
