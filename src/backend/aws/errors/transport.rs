//! Errors in reaching a service, as opposed to its answers.

use super::super::PART;
use super::super::wire::{Exchange, Outcome, Wire};
use crate::error::{Code, Error, Fault, Meaning};

/// The call was not answered in time.
pub(in crate::backend::aws) fn late(wire: &Wire) -> Error {
    let Exchange { host, proxy, .. } = wire.last();
    let place = if host.is_empty() {
        "AWS".to_owned()
    } else {
        host
    };
    let through = proxy.map(|proxy| format!(", through {proxy}"));
    let what = What::Late(through.unwrap_or_default());
    TransportError { place, what }.into()
}

/// The error for a call without a usable answer.
pub(super) fn transport(service: &str, region: &str, wire: &Wire) -> Error {
    let last = wire.last();
    let host = last.host;
    // The failed connection was to the proxy, not to the host.
    let (place, what) = match (last.outcome, last.proxy) {
        (Outcome::Refused, Some(proxy)) => (proxy.to_string(), What::ProxyRefused),
        (Outcome::Unresolvable, Some(proxy)) => {
            (format!("the name of {proxy}"), What::ProxyUnresolvable)
        }
        (Outcome::Proxy, Some(proxy)) => (proxy.to_string(), What::ProxyBlocks(host)),
        (Outcome::ProxySetting(cause), Some(proxy)) => {
            (proxy.variable.to_owned(), What::ProxySetting(cause))
        }
        (Outcome::Waiting | Outcome::TimedOut, _) => return late(wire),
        (outcome, _) => {
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
            (format!("{service} ({host})"), what)
        }
    };
    TransportError { place, what }.into()
}

/// The service limits the rate of calls, by status or by its own error code.
pub(super) fn throttled(service: &str, region: &str, wire: &Wire) -> Error {
    let what = What::Throttles(match wire.last().outcome {
        Outcome::Answered { retry_after, .. } => retry_after,
        _ => None,
    });
    let place = format!("{service} in {region}");
    TransportError { place, what }.into()
}

/// A host, a service or a proxy, and what happened there.
#[derive(Debug, thiserror::Error)]
#[error("{place} {what}")]
struct TransportError {
    place: String,
    what: What,
}

#[derive(Debug, thiserror::Error)]
enum What {
    #[error("did not answer in time{0}")]
    Late(String),
    #[error("refused the connection")]
    ProxyRefused,
    #[error("cannot be resolved")]
    ProxyUnresolvable,
    #[error("does not let connections through to {0}")]
    ProxyBlocks(String),
    #[error("{0}")]
    ProxySetting(&'static str),
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
        match self.what {
            What::Late(_) | What::Refused | What::Broken => unreachable(REACH),
            What::ProxyRefused | What::ProxyUnresolvable | What::ProxyBlocks(_) => {
                unreachable(PROXY)
            }
            What::ProxySetting(_) => of(Code::ConfigInvalid, PROXY),
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
