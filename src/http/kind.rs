//! `Kind`: what happened to a request without an answer, by the types and texts of the libraries below.

use std::error::Error as StdError;
use std::io;

use rustls::AlertDescription;

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
