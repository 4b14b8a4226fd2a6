//! `Target`: the database in a connection URL, and the trust settings for TLS, with libpq's meaning
//! (<https://www.postgresql.org/docs/current/libpq-connect.html>,
//! <https://www.postgresql.org/docs/current/libpq-ssl.html>).

use std::net::IpAddr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, LoadBalanceHosts, SslMode};

use super::errors::PostgresError;
use super::sslmode::{Mode, Ssl, Trust};
use crate::error::Error;
use crate::shown::shown;

/// The servers, the user, and the trust settings.
#[derive(Debug)]
pub(super) struct Target {
    /// The client library's configuration. Its `Debug` omits the password.
    pub(super) config: Config,
    /// The mode, as errors name it.
    pub(super) mode: Mode,
    /// The requirements for a server's certificate.
    pub(super) trust: Trust,
    /// Whether all traffic stays on this node.
    is_on_this_node: bool,
}

impl Target {
    /// Parses a connection URL. Errors never contain a part that may belong to the password.
    pub(super) fn parse(url: &str) -> Result<Self, PostgresError> {
        let (url, ssl) = Ssl::take_from(url)?;
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            // This is the only message of the parser that names just an option.
            let option = std::error::Error::source(&error).map(ToString::to_string);
            option
                .filter(|text| text.starts_with("invalid value for option"))
                .map_or(wrong(UNREADABLE), |text| PostgresError::Url(text.into()))
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
        let hosts = config.get_hosts().len();
        let (addresses, ports) = (config.get_hostaddrs().len(), config.get_ports().len());
        if ![0, hosts].contains(&addresses) || ![0, 1, hosts].contains(&ports) {
            return Err(wrong(
                "the connection URL has not one hostaddr and one port for each host",
            ));
        }
        let is_on_this_node = is_on_this_node(&config);
        let (mode, trust) = ssl.resolve(is_on_this_node)?;
        // As in libpq, a socket on this node needs no TLS.
        let local = config
            .get_hosts()
            .iter()
            .all(|host| matches!(host, Host::Unix(_)));
        config.ssl_mode(match mode {
            _ if local => SslMode::Disable,
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        });
        if config.get_application_name().is_none() {
            config.application_name(env!("CARGO_PKG_NAME"));
        }
        Ok(Self {
            config,
            mode,
            trust,
            is_on_this_node,
        })
    }

    /// The port of one of its hosts.
    pub(super) fn port(&self, index: usize) -> u16 {
        let ports = self.config.get_ports();
        ports.get(index).or(ports.first()).copied().unwrap_or(5432)
    }

    /// The order in which several hosts or addresses are tried.
    pub(super) fn order(&self, count: usize) -> impl Iterator<Item = usize> + use<> {
        let first = match self.config.get_load_balance_hosts() {
            LoadBalanceHosts::Random => usize::try_from(std::process::id()).unwrap_or(0),
            _ => 0,
        };
        (0..count).map(move |index| (first + index) % count)
    }

    /// How long to wait for one address.
    pub(super) fn patience(&self) -> Duration {
        self.config
            .get_connect_timeout()
            .copied()
            .unwrap_or(CONNECT)
    }

    /// How the server is reached, for `doctor`.
    pub(super) fn way(&self) -> String {
        match self.mode {
            _ if self.is_on_this_node => String::new(),
            Mode::Disable => " in clear (sslmode=disable)".to_owned(),
            Mode::Prefer => String::new(),
            Mode::Require => {
                " over TLS, whatever certificate it shows (sslmode=require)".to_owned()
            }
            verified => format!(" over TLS (sslmode={verified})"),
        }
    }

    /// A warning if traffic leaves this node without protection.
    pub(super) fn exposed(&self) -> Option<Error> {
        let weak = matches!(self.mode, Mode::Disable | Mode::Prefer) && !self.is_on_this_node;
        weak.then(|| PostgresError::Exposed(self.mode).into())
    }

    /// The server, for errors.
    pub(super) fn server(&self) -> Server {
        let place = |(index, host): (usize, &Host)| match host {
            Host::Tcp(name) if name.contains(':') => format!("[{name}]:{}", self.port(index)),
            Host::Tcp(name) => format!("{name}:{}", self.port(index)),
            Host::Unix(path) => path.display().to_string(),
        };
        let hosts = self.config.get_hosts().iter().enumerate();
        let user = self.config.get_user();
        let database = self.config.get_dbname().or(user).unwrap_or_default();
        Server {
            place: hosts.map(place).collect::<Vec<_>>().join(", "),
            user: user.map_or("this user".to_owned(), |user| {
                format!("user \"{}\"", shown(user))
            }),
            database: format!("\"{}\"", shown(database)),
            mode: self.mode,
        }
    }
}

/// The server in errors, shown as its address: `db.example:5432`.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{place}")]
pub(super) struct Server {
    place: String,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) mode: Mode,
}

/// Whether all servers are on this node, where nobody can read the traffic.
fn is_on_this_node(config: &Config) -> bool {
    let is_loopback = |address: &IpAddr| address.to_canonical().is_loopback();
    let hosts = config.get_hosts().iter().enumerate();
    hosts.into_iter().all(
        |(index, host)| match (host, config.get_hostaddrs().get(index)) {
            (Host::Unix(_), _) => true,
            (_, Some(address)) => is_loopback(address),
            (Host::Tcp(name), None) => {
                name.eq_ignore_ascii_case("localhost")
                    || name.parse().is_ok_and(|address| is_loopback(&address))
            }
        },
    )
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte)
}

pub(super) fn wrong(cause: &'static str) -> PostgresError {
    PostgresError::Url(cause.into())
}

pub(super) const UNREADABLE: &str = "the connection URL cannot be read; in names and passwords % @ / ? : # & are written %25 %40 %2F %3F %3A %23 %26";
/// Short enough that one dead address leaves time for the next.
const CONNECT: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn parse(options: &str) -> Result<(SslMode, Trust), String> {
        let target = Target::parse(&format!("postgres://u:hunter2@db.example/d{options}"));
        target
            .map(|target| (target.config.get_ssl_mode(), target.trust))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn sslmode_and_sslrootcert_say_what_libpq_lets_them_say_or_more() {
        let ca = || PathBuf::from("/etc/c a.pem");
        let table = [
            ("", SslMode::Require, Trust::Anybody),
            ("?hostaddr=127.0.0.1", SslMode::Prefer, Trust::Anybody),
            ("?hostaddr=192.0.2.1", SslMode::Require, Trust::Anybody),
            ("?sslmode=disable", SslMode::Disable, Trust::Anybody),
            ("?sslmode=allow", SslMode::Prefer, Trust::Anybody),
            ("?sslmode=prefer", SslMode::Prefer, Trust::Anybody),
            ("?sslmode=require", SslMode::Require, Trust::Anybody),
            (
                "?sslmode=require&sslrootcert=/etc/c%20a.pem",
                SslMode::Require,
                Trust::Signed(ca()),
            ),
            (
                "?sslrootcert=/etc/c%20a.pem",
                SslMode::Require,
                Trust::Signed(ca()),
            ),
            (
                "?sslmode=prefer&sslrootcert=/etc/c%20a.pem",
                SslMode::Prefer,
                Trust::Signed(ca()),
            ),
            (
                "?sslmode=verify-ca&sslrootcert=/etc/c%20a.pem",
                SslMode::Require,
                Trust::Signed(ca()),
            ),
            ("?sslmode=verify-ca", SslMode::Require, Trust::Named(None)),
            ("?sslmode=verify-full", SslMode::Require, Trust::Named(None)),
            (
                "?sslmode=verify-full&sslrootcert=/etc/c%20a.pem",
                SslMode::Require,
                Trust::Named(Some(ca())),
            ),
            ("?sslrootcert=system", SslMode::Require, Trust::Named(None)),
            (
                "?connect_timeout=2&sslmode=verify-full&application_name=x",
                SslMode::Require,
                Trust::Named(None),
            ),
            // Two hosts, one of them remote.
            (
                "?host=/run/postgresql&gssencmode=disable",
                SslMode::Require,
                Trust::Anybody,
            ),
        ];
        for (options, mode, trust) in table {
            assert_eq!(parse(options), Ok((mode, trust)), "{options}");
        }
        for (host, mode) in [
            ("localhost", SslMode::Prefer),
            ("LOCALHOST:6000", SslMode::Prefer),
            ("127.1.2.3", SslMode::Prefer),
            ("[::1]:6000", SslMode::Prefer),
            ("localhost,127.0.0.1", SslMode::Prefer),
            ("localhost,db.example", SslMode::Require),
            ("localhost.example", SslMode::Require),
            ("0.0.0.0", SslMode::Require),
            ("10.0.0.7", SslMode::Require),
        ] {
            let target = Target::parse(&format!("postgres://u:hunter2@{host}/d")).unwrap();
            assert_eq!(target.config.get_ssl_mode(), mode, "{host}");
            assert!(target.exposed().is_none(), "{host}");
            for (mode, exposed) in [
                ("disable", true),
                ("prefer", true),
                ("allow", true),
                ("verify-full", false),
            ] {
                let target =
                    Target::parse(&format!("postgres://u:hunter2@{host}/d?sslmode={mode}"))
                        .unwrap();
                assert_eq!(
                    target.exposed().is_some(),
                    exposed && !target.is_on_this_node,
                    "{host} {mode}"
                );
            }
        }
        let socket =
            Target::parse("postgres://u@%2Frun%2Fpostgresql/d?sslmode=verify-full").unwrap();
        assert_eq!(
            (socket.config.get_ssl_mode(), socket.server().place.as_str()),
            (SslMode::Disable, "/run/postgresql")
        );
    }

    #[test]
    fn a_url_that_cannot_be_meant_is_refused_without_a_word_of_the_password() {
        let table = [
            ("host=db password=hunter2", "it is not a postgres:// URL"),
            ("mysql://u:hunter2@h/d", "it is not a postgres:// URL"),
            ("postgres://u:hunter2@hunter2@h/d", "%40"),
            ("postgres://u:x/hunter2@h/d", "%2F"),
            ("postgres://u:x?hunter2@h/d", "%3F"),
            (
                "postgres://u:p#hunter2/d",
                "invalid value for option `port`",
            ),
            ("postgres://u:hunter2@/d", "names no host"),
            (
                "postgres://u:hunter2@h:port/d",
                "invalid value for option `port`",
            ),
            (
                "postgres://u:hunter2@h/d?sslmode=hunter2",
                "sslmode isn't one of",
            ),
            (
                "postgres://u:hunter2@h/d?sslmode=require&sslrootcert=system",
                "sslmode=require is too weak",
            ),
            (
                "postgres://u:hunter2@h/d?sslrootcert=hunter2",
                "sslrootcert is not an absolute path",
            ),
            (
                "postgres://u:hunter2@h/d?sslcert=/x",
                "option \"sslcert\" is not supported",
            ),
            ("postgres://u:hunter2@h/d?Hunter2=1", "cannot be read"),
            (
                "postgres://u:hunter2@h,i/d?hostaddr=127.0.0.1",
                "not one hostaddr",
            ),
            (
                "postgres://u:hunter2@h:1,i:2,j:3/d?host=k",
                "not one hostaddr",
            ),
        ];
        for (url, why) in table {
            let error = Error::from(Target::parse(url).unwrap_err()).to_string();
            assert!(
                error.starts_with("postgres store: ") && error.contains(why),
                "{url}: {error}"
            );
            assert!(!error.to_lowercase().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn several_hosts_are_named_with_their_ports() {
        let target = Target::parse(
            "postgresql://u@[::1]:5433,db.example:6000/d?target_session_attrs=read-write",
        )
        .unwrap();
        let server = target.server();
        assert_eq!(server.place, "[::1]:5433, db.example:6000");
        assert_eq!(
            (server.user.as_str(), server.database.as_str()),
            ("user \"u\"", "\"d\"")
        );
    }
}
