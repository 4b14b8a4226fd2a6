//! Errors in reaching a service, as opposed to its answers.

use super::super::PART;
use super::super::wire::{Outcome, Wire};
use crate::error::{Code, Error, Fault, Meaning};
use crate::http::ProxyName;

/// The call was not answered in time.
pub(in crate::backend::aws) fn late(wire: &Wire) -> Error {
    let last = wire.last();
    let aws = || "AWS".to_owned();
    let host = Some(last.host).filter(|host| !host.is_empty());
    let through = last.proxy.map(|proxy| format!(", through {proxy}"));
    let (host, through) = (host.unwrap_or_else(aws), through.unwrap_or_default());
    TransportError::Late { host, through }.into()
}

/// The error for a call without a usable answer.
pub(super) fn transport(service: &str, region: &str, wire: &Wire) -> Error {
    let last = wire.last();
    let host = last.host;
    // The failed connection was to the proxy, not to the host.
    let error = match (last.outcome, last.proxy) {
        (Outcome::Refused, Some(proxy)) => TransportError::ProxyRefused(proxy),
        (Outcome::Unresolvable, Some(proxy)) => TransportError::ProxyUnresolvable(proxy),
        (Outcome::Proxy, Some(proxy)) => TransportError::ProxyBlocks { proxy, host },
        (Outcome::ProxySetting(cause), Some(proxy)) => {
            TransportError::ProxySetting(proxy.variable, cause)
        }
        (Outcome::Waiting | Outcome::TimedOut, _) => return late(wire),
        (outcome, _) => {
            let place = format!("{service} ({host})");
            let what = match outcome {
                Outcome::Refused => What::Refused,
                Outcome::Unresolvable => What::Unresolvable(region.to_owned()),
                Outcome::Certificate(reason) => What::Certificate(reason),
                Outcome::TooLarge => What::TooLarge,
                Outcome::Answered {
                    status: 429,
                    retry_after,
                } => What::Throttles(retry_after),
                Outcome::Answered { status, .. } => What::Status(status),
                _ => What::Broken,
            };
            TransportError::Service { place, what }
        }
    };
    error.into()
}

/// The service limits the rate of calls, by status or by its own error code.
pub(super) fn throttled(service: &str, region: &str, wire: &Wire) -> Error {
    let retry_after = match wire.last().outcome {
        Outcome::Answered { retry_after, .. } => retry_after,
        _ => None,
    };
    let (place, what) = (
        format!("{service} in {region}"),
        What::Throttles(retry_after),
    );
    TransportError::Service { place, what }.into()
}

#[derive(Debug, thiserror::Error)]
enum TransportError {
    #[error("{host} did not answer in time{through}")]
    Late { host: String, through: String },
    #[error("{0} refused the connection")]
    ProxyRefused(ProxyName),
    #[error("the name of {0} cannot be resolved")]
    ProxyUnresolvable(ProxyName),
    #[error("{proxy} does not let connections through to {host}")]
    ProxyBlocks { proxy: ProxyName, host: String },
    #[error("{0} {1}")]
    ProxySetting(&'static str, &'static str),
    /// A service at a host or in a region.
    #[error("{place} {what}")]
    Service { place: String, what: What },
}

#[derive(Debug, thiserror::Error)]
enum What {
    #[error("refused the connection")]
    Refused,
    #[error("does not resolve: either there is no region {0} or the node has no DNS for it")]
    Unresolvable(String),
    #[error("shows a certificate that {0}")]
    Certificate(&'static str),
    #[error("broke off the connection")]
    Broken,
    #[error("answered more than any such answer holds")]
    TooLarge,
    #[error("throttles{}", .0.map_or_else(String::new, |wait| format!(" and asks to wait {wait} s")))]
    Throttles(Option<u64>),
    #[error("{}", status(*.0))]
    Status(u16),
}

fn status(status: u16) -> String {
    match status {
        200..=299 => "answered something else than expected".to_owned(),
        300..=399 => format!("redirects elsewhere ({status}), which is never followed"),
        401 | 403 | 407 => format!("refused access ({status})"),
        500.. => format!("failed ({status})"),
        _ => format!("refused the request ({status})"),
    }
}

impl Fault for TransportError {
    fn meaning(&self) -> Meaning {
        let of = |code, fix: &'static str| Meaning::new(code, PART).fix(fix);
        let unreachable = |fix| of(Code::MintUnreachable, fix).unreachable();
        match self {
            Self::Late { .. } => unreachable(REACH),
            Self::ProxyRefused(_) | Self::ProxyUnresolvable(_) | Self::ProxyBlocks { .. } => {
                unreachable(PROXY)
            }
            Self::ProxySetting(..) => of(Code::ConfigInvalid, PROXY),
            Self::Service { what, .. } => match what {
                What::Refused | What::Broken => unreachable(REACH),
                What::Unresolvable(_) => unreachable(
                    "see the region in the registry's name, and the node's DNS or VPC endpoint",
                ),
                What::Certificate(_) => of(
                    Code::MintUnexpected,
                    "check whether a proxy intercepts TLS; SSL_CERT_FILE or AWS_CA_BUNDLE names the authorities to trust",
                ),
                What::TooLarge | What::Status(200..=399) => of(Code::MintUnexpected, NO_ANSWER),
                What::Throttles(_) => of(Code::MintThrottled, THROTTLED).unreachable().answered(),
                What::Status(500..) => unreachable(
                    "try again; where it stays, check whether that service is well (https://health.aws.amazon.com)",
                )
                .answered(),
                What::Status(_) => of(Code::MintRefused, NO_ANSWER).answered(),
            },
        }
    }
}

const REACH: &str =
    "check whether the node reaches it (route, firewall, DNS, HTTPS_PROXY, VPC endpoint)";
const PROXY: &str = "check whether the proxy runs and the variable names it as http://HOST:PORT; NO_PROXY lists hosts to ask without it";
const NO_ANSWER: &str =
    "check whether a proxy, a captive portal or endpoint_url puts something else in its place";
const THROTTLED: &str =
    "try again later; fewer callers, or a shared cache directory, make fewer calls";
