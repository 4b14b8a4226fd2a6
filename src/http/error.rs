//! `HttpError`: why there is no answer: what happened, and at which host.

use std::error::Error as StdError;
use std::fmt;

use super::{Certificate, Kind, ProxyName};
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
        let refused = nobody.refused.as_ref();
        let refused = refused.map_or_else(String::new, |fault| format!(": {}", fault.cause));
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
