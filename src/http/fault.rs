//! `Fault`: why there is no answer, told by what happened and at which host.

use std::error::Error as StdError;
use std::{fmt, io};

use crate::error::{Error, Problem};
use crate::tls::NoAuthorities;

/// A request that got no answer. Names the host, and nothing that was sent or received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    host: String,
    kind: Kind,
    /// What is wrong with a file of authorities.
    refused: String,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The deadline came before the end of the answer.
    Timeout,
    /// Nobody is there: no route, or a connection that nobody takes.
    Nobody,
    /// The connection was refused.
    Refused,
    /// The name has no address.
    Unresolvable,
    /// The certificate is not to be trusted.
    Certificate(Certificate),
    /// The proxy before it makes no tunnel to it.
    Proxy,
    /// No TLS came about, for another reason.
    Tls,
    /// The connection ended before the answer began.
    Closed,
    /// The connection ended in the middle of the answer.
    Truncated,
    /// The answer is larger than any true one, which has at most this many bytes.
    TooLarge(u64),
    /// `http://` to a host that must be spoken to over TLS.
    Cleartext,
    /// The request cannot be sent as it is.
    Request,
    /// The system's certificate authorities cannot be read.
    Authorities,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is what it says")]
pub enum Certificate {
    OtherName,
    UnknownAuthority,
    SelfSigned,
    Expired,
    NotYetValid,
    Invalid,
}

impl Fault {
    pub(crate) fn new(host: &str, kind: Kind) -> Self {
        Self {
            host: host.to_owned(),
            kind,
            refused: String::new(),
        }
    }

    pub(crate) fn no_authorities(nobody: &NoAuthorities) -> Self {
        let refused = nobody
            .refused
            .as_ref()
            .map_or_else(String::new, |fault| format!(": {}", fault.cause));
        Self {
            refused,
            ..Self::new("", Kind::Authorities)
        }
    }

    /// What happened.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether the next moment may be better.
    pub(super) fn may_pass_at_once(&self) -> bool {
        matches!(self.kind, Kind::Refused | Kind::Closed | Kind::Truncated)
    }

    /// The error of `part`, which asked.
    #[must_use]
    pub fn error(&self, part: &str) -> Error {
        let problem = Problem::new(part, self).fix(self.fix());
        match self.kind {
            Kind::Timeout
            | Kind::Nobody
            | Kind::Refused
            | Kind::Unresolvable
            | Kind::Proxy
            | Kind::Closed
            | Kind::Truncated => problem.unreachable(),
            Kind::Certificate(_)
            | Kind::Tls
            | Kind::TooLarge(_)
            | Kind::Cleartext
            | Kind::Request
            | Kind::Authorities => problem.failed(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn fix(&self) -> &'static str {
        match self.kind {
            Kind::Timeout => {
                "see whether the node reaches it; timeout in the configuration says how long to wait"
            }
            Kind::Nobody | Kind::Refused | Kind::Closed | Kind::Truncated => {
                "see whether the node reaches it, and whether HTTPS_PROXY, if set, is right"
            }
            Kind::Unresolvable => {
                "see whether the name is right, the node's name server answers, and HTTPS_PROXY, if set, is right"
            }
            Kind::Proxy => "see what HTTPS_PROXY says, and the proxy's own log",
            Kind::Certificate(Certificate::Expired | Certificate::NotYetValid) => {
                "see whether the node's clock is right"
            }
            Kind::Certificate(Certificate::UnknownAuthority) => {
                "add its authority, or that of a proxy that opens TLS, to the system's, or set SSL_CERT_FILE to a bundle of both"
            }
            Kind::Certificate(Certificate::SelfSigned) => {
                "have it sign one for the server (CA:FALSE), then add it to the system's, or set SSL_CERT_DIR to a directory with it"
            }
            Kind::Certificate(_) | Kind::Tls => "see who answers in its place",
            Kind::TooLarge(_) => "see who answers in its place; nothing of it was used",
            Kind::Cleartext => "use https://",
            Kind::Request => {
                "see whether what was configured holds line ends or other control characters"
            }
            Kind::Authorities => {
                "install ca-certificates, or correct SSL_CERT_FILE and SSL_CERT_DIR"
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.host;
        match self.kind {
            Kind::Timeout => write!(f, "{host} did not answer in time"),
            Kind::Nobody => write!(f, "nobody answers at {host}"),
            Kind::Refused => write!(f, "{host} refused the connection"),
            Kind::Unresolvable => write!(f, "the name {host} cannot be resolved"),
            Kind::Certificate(certificate) => write!(f, "the certificate of {host} {certificate}"),
            Kind::Proxy => write!(f, "the proxy lets nothing through to {host}"),
            Kind::Tls => write!(f, "no TLS connection with {host} came about"),
            Kind::Closed => write!(f, "{host} closed the connection without an answer"),
            Kind::Truncated => write!(f, "{host} broke off in the middle of its answer"),
            Kind::TooLarge(max) => write!(f, "{host} answered more than {} MiB", max >> 20),
            Kind::Cleartext => write!(f, "{host} must not be spoken to without TLS"),
            Kind::Request => write!(
                f,
                "the request to {host} has a URL or a header that cannot be sent"
            ),
            Kind::Authorities => write!(
                f,
                "the system's certificate authorities cannot be read{}",
                self.refused
            ),
        }
    }
}

impl StdError for Fault {}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherName => "is for another name",
            Self::UnknownAuthority => "is signed by nobody that this system trusts",
            Self::SelfSigned => "is an authority's, not a server's (self-signed?)",
            Self::Expired => "has expired",
            Self::NotYetValid => "is not valid yet",
            Self::Invalid => "is not valid",
        })
    }
}

impl Kind {
    /// Reads it from the chain of causes; `broken` where the chain tells no more than that the connection broke.
    pub(super) fn of(error: &reqwest::Error, broken: Self) -> Self {
        if error.is_timeout() {
            return if error.is_connect() {
                Self::Nobody
            } else {
                Self::Timeout
            };
        }
        if error.is_dns() {
            return Self::Unresolvable;
        }
        if let Some(kind) = error.source().and_then(Self::below) {
            return kind;
        }
        // What fails to connect and is no failure of the system's is a proxy that says no.
        let of_the_system = causes(error.source()).any(<dyn StdError>::is::<io::Error>);
        if error.is_connect() && !of_the_system {
            Self::Proxy
        } else {
            broken
        }
    }

    /// What an error and its causes say, whichever client met them.
    pub(crate) fn below(error: &(dyn StdError + 'static)) -> Option<Self> {
        causes(Some(error)).find_map(Self::of_cause)
    }

    fn of_cause(error: &(dyn StdError + 'static)) -> Option<Self> {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(match error {
                rustls::Error::InvalidCertificate(error) => {
                    Self::Certificate(Certificate::of(error))
                }
                _ => Self::Tls,
            });
        }
        let error = error.downcast_ref::<io::Error>()?;
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Some(Self::Refused),
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::TimedOut => Some(Self::Nobody),
            // An `io::Error` gives the source of what it wraps, not that itself.
            _ => error.get_ref().and_then(|inner| Self::of_cause(inner)),
        }
    }
}

/// An error, what caused it, and so on.
fn causes<'e>(
    first: Option<&'e (dyn StdError + 'static)>,
) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(first, |&cause| cause.source())
}

impl Certificate {
    pub(crate) fn of(error: &rustls::CertificateError) -> Self {
        use rustls::CertificateError as E;
        match error {
            E::NotValidForName | E::NotValidForNameContext { .. } => Self::OtherName,
            E::UnknownIssuer => Self::UnknownAuthority,
            E::Expired | E::ExpiredContext { .. } => Self::Expired,
            E::NotValidYet | E::NotValidYetContext { .. } => Self::NotYetValid,
            // `openssl req -x509` makes such certificates. rustls has this only from webpki, as a text.
            E::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => Self::SelfSigned,
            _ => Self::Invalid,
        }
    }
}
