//! What went wrong around an answer rather than in it.

use super::super::PART;
use super::super::wire::{Outcome, Wire};
use crate::error::{Error, Problem};

/// The call was not answered in time.
pub(in crate::backend::aws) fn late(wire: &Wire) -> Error {
    let host = wire.last().host;
    let host = if host.is_empty() { "AWS" } else { &host };
    let through = wire
        .last()
        .proxy
        .map_or_else(String::new, |proxy| format!(", through {proxy}"));
    Problem::new(PART, format_args!("{host} did not answer in time{through}"))
        .fix(REACH)
        .unreachable()
}

/// What went wrong before there was an answer of the service to speak of.
pub(super) fn transport(service: &str, region: &str, wire: &Wire) -> Error {
    let last = wire.last();
    let host = &last.host;
    let problem = |cause: &dyn std::fmt::Display| {
        Problem::new(PART, format_args!("{service} ({host}) {cause}"))
    };
    if let Some(proxy) = &last.proxy {
        // A connection is made to the proxy and not to the host.
        let at_proxy = |cause: &dyn std::fmt::Display| Problem::new(PART, cause).fix(PROXY);
        match last.outcome {
            Outcome::Refused => {
                return at_proxy(&format_args!("{proxy} refused the connection")).unreachable();
            }
            Outcome::Unresolvable => {
                return at_proxy(&format_args!("the name of {proxy} cannot be resolved"))
                    .unreachable();
            }
            Outcome::Proxy => {
                return at_proxy(&format_args!("{proxy} lets nothing through to {host}"))
                    .unreachable();
            }
            Outcome::ProxySetting(cause) => {
                return at_proxy(&format_args!("{} {cause}", proxy.variable)).failed();
            }
            _ => {}
        }
    }
    let no_answer =
        "see whether a proxy, a captive portal or endpoint_url puts something else in its place";
    match last.outcome {
        Outcome::Waiting | Outcome::TimedOut => late(wire),
        Outcome::Refused => problem(&"refused the connection").fix(REACH).unreachable(),
        Outcome::Unresolvable => {
            problem(&format_args!("does not resolve: either there is no region {region} or the node has no DNS for it"))
                .fix("see the region in the registry's name, and the node's DNS or VPC endpoint")
                .unreachable()
        }
        Outcome::Certificate(reason) => problem(&format_args!("shows a certificate that {reason}"))
            .fix("see whether a proxy intercepts TLS; SSL_CERT_FILE or AWS_CA_BUNDLE names the authorities to trust")
            .failed(),
        Outcome::Broken | Outcome::Proxy | Outcome::ProxySetting(_) => problem(&"broke off the connection").fix(REACH).unreachable(),
        Outcome::TooLarge => problem(&"answered more than any such answer holds").fix(no_answer).failed(),
        Outcome::Answered { status: 429, retry_after } => {
            problem(&throttles(retry_after)).fix(THROTTLED).unreachable().answered()
        }
        Outcome::Answered { status, .. } => match status {
            200..=299 => problem(&"answered something else than expected").fix(no_answer).failed(),
            300..=399 => problem(&format_args!("redirects elsewhere ({status}), which is never followed"))
                .fix(no_answer)
                .failed(),
            401 | 403 | 407 => problem(&format_args!("refused access ({status})")).fix(no_answer).failed().answered(),
            500.. => problem(&format_args!("failed ({status})"))
                .fix("try again; where it stays, see whether that service is well (https://health.aws.amazon.com)")
                .unreachable()
                .answered(),
            _ => problem(&format_args!("refused the request ({status})")).fix(no_answer).failed().answered(),
        },
    }
}

/// The service has too many calls; also where it says so in its answer's own code.
pub(super) fn throttled(service: &str, region: &str, wire: &Wire) -> Error {
    let retry_after = match wire.last().outcome {
        Outcome::Answered { retry_after, .. } => retry_after,
        _ => None,
    };
    Problem::new(
        PART,
        format_args!("{service} in {region} {}", throttles(retry_after)),
    )
    .fix(THROTTLED)
    .unreachable()
}

fn throttles(retry_after: Option<u64>) -> String {
    let what = "throttles";
    retry_after.map_or_else(
        || what.to_owned(),
        |seconds| format!("{what} and asks to wait {seconds} s"),
    )
}

const REACH: &str =
    "see whether the node reaches it (route, firewall, DNS, HTTPS_PROXY, VPC endpoint)";
const PROXY: &str = "see whether the proxy runs and the variable names it as http://HOST:PORT; NO_PROXY lists hosts to ask without it";
const THROTTLED: &str =
    "try again later; fewer callers, or a shared cache directory, make fewer calls";
