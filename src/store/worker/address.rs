//! `Address`: the gateway's gRPC address, and whether it uses TLS.

use std::fmt;
use std::net::Ipv6Addr;

/// `host:port`, with IPv6 addresses in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// Parses `host` or `host:port`. A scheme is an error: only the port decides about TLS, so `https://…` would be
    /// misleading.
    pub(super) fn parse(text: &str) -> Result<Self, NotAnAddress> {
        let bracket = text.find(']').unwrap_or_default();
        let (host, port) = match text[bracket..].find(':') {
            Some(colon) => (
                &text[..bracket + colon],
                text[bracket + colon + 1..]
                    .parse()
                    .map_err(|_| NotAnAddress)?,
            ),
            None => (text, DEFAULT_PORT),
        };
        let is_host = match host.strip_prefix('[') {
            Some(rest) => rest
                .strip_suffix(']')
                .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
            // Service names in a cluster or a compose file may contain underscores.
            None => host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
        };
        if host.is_empty() || !is_host || port == 0 {
            return Err(NotAnAddress);
        }
        Ok(Self {
            host: host.to_ascii_lowercase(),
            port,
        })
    }

    /// Beta9's rule: TLS when the port is 443, plaintext otherwise.
    pub(super) fn is_tls(&self) -> bool {
        self.port == TLS_PORT
    }

    /// The name in the gateway's certificate.
    pub(super) fn server_name(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    pub(super) fn url(&self) -> String {
        format!("{}://{self}", if self.is_tls() { "https" } else { "http" })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The text isn't an address. It is not quoted, because it may be a URL with a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its address is not host:port")]
pub(super) struct NotAnAddress;

/// The gateway's gRPC port.
const DEFAULT_PORT: u16 = 1993;
const TLS_PORT: u16 = 443;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_443_means_tls_and_every_other_one_plaintext() {
        let table = [
            (
                "Gateway.beam.cloud:443",
                "https://gateway.beam.cloud:443",
                "gateway.beam.cloud",
            ),
            (
                "gateway.beam.cloud",
                "http://gateway.beam.cloud:1993",
                "gateway.beam.cloud",
            ),
            (
                "beta9_gateway:1993",
                "http://beta9_gateway:1993",
                "beta9_gateway",
            ),
            ("127.0.0.1:4430", "http://127.0.0.1:4430", "127.0.0.1"),
            ("[2001:db8::1]", "http://[2001:db8::1]:1993", "2001:db8::1"),
            ("[::1]:443", "https://[::1]:443", "::1"),
        ];
        for (text, url, name) in table {
            let address = Address::parse(text).unwrap();
            assert_eq!(
                (address.url().as_str(), address.server_name()),
                (url, name),
                "{text}"
            );
            assert_eq!(address.is_tls(), url.starts_with("https"), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_address_is_not_guessed_at() {
        let all = [
            "",
            ":1993",
            "host:",
            "host:0",
            "host:65536",
            "host:https",
            "https://host",
            "host/path",
            "user@host",
            "user:pass@host",
            "::1",
            "[::1",
            "[::1]x:1",
            "a]b",
            "[gateway]",
            "ho st",
            "höst",
            "host:1:2",
            "host\n",
        ];
        for text in all {
            assert_eq!(Address::parse(text), Err(NotAnAddress), "{text}");
        }
    }
}
