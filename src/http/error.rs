//! `HttpError`: why there is no answer: what happened, and at which host.

use std::error::Error as StdError;
use std::{fmt, io};

use rustls::AlertDescription;

use super::ProxyName;
use crate::error::{Code, Error, Fault, Meaning};
use crate::tls::NoAuthorities;

/// A request without an answer. Contains the host, but nothing that was sent or received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpError {
    host: String,
    kind: Kind,
    /// The proxy, if one was used.
    proxy: Option<ProxyName>,
    /// What is wrong with a file of authorities, if that is the fault.
    refused: String,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The deadline passed before the answer was complete.
    Timeout,
    /// No route to the host, or the connection was not accepted.
    Nobody,
    /// The connection was refused.
    Refused,
    /// The name has no address.
    Unresolvable,
    /// The server's certificate isn't trusted.
    Certificate(Certificate),
    /// The server requires a client certificate, or a different one.
    ClientCertificate,
    /// The proxy refused the tunnel.
    Proxy,
    /// The proxy refused the user name and password.
    ProxyLogin,
    /// The proxy variable's value isn't a proxy.
    ProxySetting,
    /// The TLS handshake failed for another reason.
    Tls,
    /// The connection ended before the answer began.
    Closed,
    /// The connection ended during the answer.
    Truncated,
    /// The answer has more than this many bytes.
    TooLarge(u64),
    /// `http://` to a host that requires TLS.
    Cleartext,
    /// The request cannot be sent as it is.
    Request,
    /// The system's certificate authorities cannot be read.
    Authorities,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each is what it says")]
pub enum Certificate {
    #[error("is for another name")]
    OtherName,
    #[error("is signed by nobody that this system trusts")]
    UnknownAuthority,
    #[error("is an authority's, not a server's (self-signed?)")]
    SelfSigned,
    #[error("has expired")]
    Expired,
    #[error("is not valid yet")]
    NotYetValid,
    #[error("is not valid")]
    Invalid,
}

impl HttpError {
    pub(crate) fn new(host: &str, kind: Kind) -> Self {
        Self {
            host: host.to_owned(),
            kind,
            proxy: None,
            refused: String::new(),
        }
    }

    /// Adds the proxy that the request used.
    pub(super) fn through(self, proxy: Option<&ProxyName>) -> Self {
        Self {
            proxy: proxy.cloned(),
            ..self
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
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether an immediate retry may succeed.
    pub(super) fn may_pass_at_once(&self) -> bool {
        matches!(self.kind, Kind::Refused | Kind::Closed | Kind::Truncated)
    }

    /// Turns this into a failure of `part`, which made the request.
    pub fn error(&self, part: &str) -> Error {
        let part = part.to_owned();
        let error = self.clone();
        Failed { part, error }.into()
    }

    /// The fix.
    pub fn fix(&self) -> &'static str {
        match self.kind {
            Kind::Nobody | Kind::Refused | Kind::Unresolvable if self.proxy.is_some() => {
                "check whether the proxy runs and the variable names it; NO_PROXY lists hosts to ask without it"
            }
            Kind::Timeout => {
                "check whether the node reaches it; timeout in the configuration says how long to wait"
            }
            Kind::Nobody | Kind::Refused | Kind::Closed | Kind::Truncated => {
                "check whether the node reaches it, or needs a proxy (HTTPS_PROXY)"
            }
            Kind::Unresolvable => {
                "check whether the name is right, and whether the node's name server answers or the node needs a proxy (HTTPS_PROXY)"
            }
            Kind::Proxy => {
                "let the proxy through to it (its own log says why not), or add the host to NO_PROXY"
            }
            Kind::ProxyLogin => {
                "put them into the variable: http://USER:PASSWORD@HOST:PORT, percent-encoded"
            }
            Kind::ProxySetting => {
                "set it to http://HOST:PORT (or https, socks5, socks5h), or unset it"
            }
            Kind::Certificate(Certificate::Expired | Certificate::NotYetValid) => {
                "check whether the node's clock is right"
            }
            Kind::Certificate(Certificate::UnknownAuthority) => {
                "add its authority, or that of a proxy that opens TLS, to the system's, or set SSL_CERT_FILE to a bundle of both"
            }
            Kind::Certificate(Certificate::SelfSigned) => {
                "have it sign one for the server (CA:FALSE), then add it to the system's, or set SSL_CERT_DIR to a directory with it"
            }
            Kind::Certificate(_) | Kind::Tls => "check what answers in its place",
            Kind::ClientCertificate => {
                "ask its operator for one; only check shows certificates, those of certs.d"
            }
            Kind::TooLarge(_) => "see who answers in its place; nothing of it was used",
            Kind::Cleartext => "use https://",
            Kind::Request => {
                "check whether what was configured holds line ends or other control characters"
            }
            Kind::Authorities => {
                "install ca-certificates, or correct SSL_CERT_FILE and SSL_CERT_DIR"
            }
        }
    }
}

/// The error with the part that made the request.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
struct Failed {
    part: String,
    error: HttpError,
}

impl Fault for Failed {
    fn meaning(&self) -> Meaning {
        let of = |code| Meaning::new(code, self.part.clone()).fix(self.error.fix());
        match self.error.kind {
            Kind::Timeout
            | Kind::Nobody
            | Kind::Refused
            | Kind::Unresolvable
            | Kind::Proxy
            | Kind::ProxyLogin
            | Kind::Closed
            | Kind::Truncated => of(Code::unreachable(&self.part)).unreachable(),
            Kind::Certificate(_) | Kind::ClientCertificate | Kind::Tls | Kind::TooLarge(_) => {
                of(Code::unexpected(&self.part))
            }
            Kind::ProxySetting | Kind::Cleartext | Kind::Request => of(Code::ConfigInvalid),
            Kind::Authorities => of(Code::SystemFile),
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.host;
        // The connection is to the proxy, not to the host; a later fault may be either's.
        let (proxy, variable, through) = match &self.proxy {
            Some(proxy) => (
                proxy.to_string(),
                proxy.variable,
                format!(", through {proxy}"),
            ),
            None => (host.clone(), "", String::new()),
        };
        match self.kind {
            Kind::Timeout => write!(f, "{host} did not answer in time{through}"),
            Kind::Nobody => write!(f, "nobody answers at {proxy}"),
            Kind::Refused => write!(f, "{proxy} refused the connection"),
            Kind::Unresolvable if self.proxy.is_some() => {
                write!(f, "the name of {proxy} cannot be resolved")
            }
            Kind::Unresolvable => write!(f, "the name {host} cannot be resolved"),
            Kind::Certificate(certificate) => {
                write!(f, "the certificate of {host} {certificate}{through}")
            }
            Kind::ClientCertificate => {
                write!(
                    f,
                    "{host} wants a client certificate that it trusts{through}"
                )
            }
            Kind::Proxy => write!(f, "{proxy} does not let connections through to {host}"),
            Kind::ProxyLogin => {
                write!(f, "{proxy} asks for a user name and password that it takes")
            }
            Kind::ProxySetting => write!(f, "{variable} is not the URL of a proxy"),
            Kind::Tls => write!(f, "the TLS handshake with {host} failed{through}"),
            Kind::Closed => {
                write!(f, "{host} closed the connection without an answer{through}")
            }
            Kind::Truncated => {
                write!(f, "{host} broke off in the middle of its answer{through}")
            }
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

impl StdError for HttpError {}

impl Kind {
    /// Classifies the chain of causes; `broken` if it only says that the connection broke.
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
        // A failure to connect that has no I/O error is a proxy's refusal.
        let of_the_system = causes(error.source()).any(<dyn StdError>::is::<io::Error>);
        if error.is_connect() && !of_the_system {
            Self::of_proxy(error)
        } else {
            broken
        }
    }

    /// hyper-util reports a proxy's answer and a failed SOCKS connection only as text.
    fn of_proxy(error: &reqwest::Error) -> Self {
        let says = |text| causes(error.source()).any(|cause| cause.to_string().contains(text));
        if LOGIN.into_iter().any(says) {
            Self::ProxyLogin
        } else if says("failed to create underlying connection") {
            Self::Nobody
        } else {
            Self::Proxy
        }
    }

    /// Classifies an error by itself and its causes, for any client.
    pub(crate) fn below(error: &(dyn StdError + 'static)) -> Option<Self> {
        causes(Some(error)).find_map(Self::of_cause)
    }

    fn of_cause(error: &(dyn StdError + 'static)) -> Option<Self> {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(match error {
                rustls::Error::InvalidCertificate(error) => {
                    Self::Certificate(Certificate::of(error))
                }
                rustls::Error::AlertReceived(
                    AlertDescription::CertificateRequired
                    | AlertDescription::BadCertificate
                    | AlertDescription::CertificateUnknown
                    | AlertDescription::UnknownCA,
                ) => Self::ClientCertificate,
                _ => Self::Tls,
            });
        }
        let error = error.downcast_ref::<io::Error>()?;
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Some(Self::Refused),
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::TimedOut => Some(Self::Nobody),
            // `io::Error::source` skips the error that it wraps.
            _ => error.get_ref().and_then(|inner| Self::of_cause(inner)),
        }
    }
}

/// hyper-util's texts for a proxy that refuses a login.
const LOGIN: [&str; 3] = [
    "proxy authorization required",
    "does not support user/pass authentication",
    "credentials not accepted",
];

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
            // `openssl req -x509` makes such certificates. rustls gets this error only from webpki, as text.
            E::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => Self::SelfSigned,
            _ => Self::Invalid,
        }
    }
}
