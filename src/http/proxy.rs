//! `Proxies`: chooses the proxy for a host from the environment, as Go's clients do
//! (<https://pkg.go.dev/golang.org/x/net/http/httpproxy>, <https://pkg.go.dev/net/http#Transport>).
//!
//! Only `HTTPS_PROXY` and `NO_PROXY` count: requests without TLS stay on the node, or on a network that the operator
//! trusts, and never use a proxy.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use crate::config::ProxyVariables;
use crate::credential::Redacted;

/// The environment's proxy, and the hosts that don't use it.
#[derive(Debug, Default)]
pub struct Proxies {
    proxy: Option<Result<Proxy, ProxyName>>,
    direct: Vec<Direct>,
}

/// A proxy.
#[derive(Clone, Debug)]
pub struct Proxy {
    name: ProxyName,
    /// The URL, with user name and password.
    url: Redacted,
}

/// A proxy without its user name and password, and the variable that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyName {
    /// The variable: `HTTPS_PROXY` or `https_proxy`.
    pub variable: &'static str,
    /// Scheme, host and port; empty if the variable's value isn't a proxy.
    pub address: String,
}

/// An entry of `NO_PROXY`.
#[derive(Debug)]
enum Direct {
    Everything,
    /// Addresses with these first bits, and the port.
    Network(IpAddr, u8, Option<String>),
    /// Hosts whose names end with this, including the dot, and whether the name without the dot counts too.
    Name(String, bool, Option<String>),
}

impl Proxies {
    /// Reads the environment.
    pub fn named() -> Self {
        let named = ProxyVariables::named();
        let https = named.https.as_ref();
        let https = https.map(|(name, value)| (*name, value.to_str()));
        Self::new(https, &named.direct.to_string_lossy())
    }

    /// The value in `https` is `None` if it isn't UTF-8.
    fn new(https: Option<(&'static str, Option<&str>)>, direct: &str) -> Self {
        let proxy = https.map(|(variable, value)| {
            let proxy = value.and_then(|value| Proxy::parse(variable, value));
            let address = String::new();
            proxy.ok_or(ProxyName { variable, address })
        });
        Self {
            proxy,
            direct: direct.split(',').filter_map(Direct::parse).collect(),
        }
    }

    /// The proxy for requests to this host over TLS. An invalid variable is an error only if it would be used.
    pub fn of(&self, host: &str, port: u16) -> Result<Option<&Proxy>, &ProxyName> {
        let Some(proxy) = &self.proxy else {
            return Ok(None);
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let address = host.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
        let here = host == "localhost" || address.is_some_and(|ip| ip.is_loopback());
        let port = port.to_string();
        if here || self.direct.iter().any(|it| it.covers(host, address, &port)) {
            return Ok(None);
        }
        proxy.as_ref().map(Some)
    }

    /// The environment's proxy, whatever the host.
    pub(crate) fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()?.as_ref().ok()
    }

    /// The proxy for a URL's host.
    pub(crate) fn of_url(&self, url: &Url) -> Result<Option<&Proxy>, &ProxyName> {
        self.of(
            url.host_str().unwrap_or_default(),
            url.port_or_known_default().unwrap_or_default(),
        )
    }
}

impl Proxy {
    /// As in Go, a value without a scheme means `http://`.
    fn parse(variable: &'static str, value: &str) -> Option<Self> {
        let scheme = if value.contains("://") { "" } else { "http://" };
        let with_scheme = [scheme, value].concat();
        let mut url = Url::parse(&with_scheme).ok()?;
        let host = url.host_str().filter(|host| !host.is_empty())?;
        let port = url.port().map_or(String::new(), |port| format!(":{port}"));
        let address = format!("{}://{host}{port}", url.scheme());
        match url.scheme() {
            "http" | "https" | "socks5h" => {}
            // As in Go, both mean that the proxy resolves the name.
            "socks5" => url = Url::parse(&with_scheme.replacen("socks5", "socks5h", 1)).ok()?,
            _ => return None,
        }
        Some(Self {
            name: ProxyName { variable, address },
            url: url.as_str().into(),
        })
    }

    /// The proxy's name for errors.
    pub fn name(&self) -> &ProxyName {
        &self.name
    }

    /// Whether this is a SOCKS proxy.
    pub(crate) fn is_socks(&self) -> bool {
        self.name.address.starts_with("socks")
    }

    /// The URL, with user name and password.
    pub(crate) fn url(&self) -> &str {
        self.url.expose()
    }
}

impl fmt::Display for ProxyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {} of {}", self.address, self.variable)
    }
}

impl Direct {
    /// One entry of `NO_PROXY`.
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.trim().to_lowercase();
        if entry == "*" {
            return Some(Self::Everything);
        }
        if let Some((address, bits)) = entry.split_once('/')
            && let (Ok(address), Ok(bits)) = (address.parse::<IpAddr>(), bits.parse())
            && bits <= width(address)
        {
            return Some(Self::Network(address, bits, None));
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if host.ends_with(']') || !host.contains(':') => {
                (host, Some(port.to_owned()))
            }
            _ => (entry.as_str(), None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = host.parse::<IpAddr>() {
            let address = address.to_canonical();
            return Some(Self::Network(address, width(address), port));
        }
        let host = host
            .strip_prefix('*')
            .filter(|rest| rest.starts_with('.'))
            .unwrap_or(host);
        match host.strip_prefix('.') {
            None if host.is_empty() => None,
            Some(_) => Some(Self::Name(ascii(host), false, port)),
            None => Some(Self::Name(format!(".{}", ascii(host)), true, port)),
        }
    }

    fn covers(&self, host: &str, address: Option<IpAddr>, port: &str) -> bool {
        let fits = |wanted: &Option<String>| {
            let wanted = wanted.as_deref().unwrap_or_default();
            wanted.is_empty() || wanted == port
        };
        match self {
            Self::Everything => true,
            Self::Network(network, bits, port) => {
                address.is_some_and(|address| prefix(address, *bits) == prefix(*network, *bits))
                    && fits(port)
            }
            Self::Name(suffix, itself, port) => {
                (host.ends_with(suffix.as_str()) || *itself && host == &suffix[1..]) && fits(port)
            }
        }
    }
}

/// An address's width and its first bits.
fn prefix(address: IpAddr, bits: u8) -> (u8, u128) {
    let wide = match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    let width = width(address);
    let rest = u32::from(width - bits.min(width));
    (width, wide.checked_shr(rest).unwrap_or_default())
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// A name in its ASCII form, as in URLs.
fn ascii(name: &str) -> String {
    if name.is_ascii() {
        return name.to_owned();
    }
    let (dot, bare) = name
        .strip_prefix('.')
        .map_or(("", name), |bare| (".", bare));
    let url = Url::parse(&format!("https://{bare}"));
    let host = url.as_ref().ok().and_then(Url::host_str).unwrap_or(bare);
    format!("{dot}{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(value: &'static str, direct: &str) -> Proxies {
        Proxies::new(Some(("HTTPS_PROXY", Some(value))), direct)
    }

    #[test]
    fn a_proxy_is_read_as_go_reads_it_and_named_without_its_password() {
        let table = [
            ("http://p:3128", "http://p:3128", "http://p:3128/"),
            ("p:3128", "http://p:3128", "http://p:3128/"),
            (
                "10.0.0.1:3128",
                "http://10.0.0.1:3128",
                "http://10.0.0.1:3128/",
            ),
            (
                "[fd00::1]:3128",
                "http://[fd00::1]:3128",
                "http://[fd00::1]:3128/",
            ),
            ("p", "http://p", "http://p/"),
            ("HTTP://P:3128/", "http://p:3128", "http://p:3128/"),
            ("https://p", "https://p", "https://p/"),
            ("socks5://p", "socks5://p", "socks5h://p"),
            ("socks5h://p:9", "socks5h://p:9", "socks5h://p:9"),
            (
                "http://u:hunter2@p:3128",
                "http://p:3128",
                "http://u:hunter2@p:3128/",
            ),
            (
                "u:hunter2@p:3128",
                "http://p:3128",
                "http://u:hunter2@p:3128/",
            ),
            (
                "socks5://u:hunter2@p",
                "socks5://p",
                "socks5h://u:hunter2@p",
            ),
        ];
        for (value, address, url) in table {
            let proxies = proxies(value, "");
            let proxy = proxies.of("ghcr.io", 443).unwrap().unwrap();
            assert_eq!(
                (proxy.name().address.as_str(), proxy.url()),
                (address, url),
                "{value}"
            );
            let text = format!("{proxies:?} {}", proxy.name());
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn what_names_no_proxy_is_an_error_for_the_hosts_that_would_be_asked_through_it() {
        for value in [
            "garbage://u:hunter2@x",
            "socks4://x",
            "http://",
            "http://u:hunter2@",
            "http://u:hun#ter2@x:1",
            "http://x:port",
            "http://a b",
            "://x",
            " ",
        ] {
            let proxies = proxies(value, "direct.example");
            let error = proxies.of("ghcr.io", 443).unwrap_err();
            assert_eq!(
                (error.variable, error.address.as_str()),
                ("HTTPS_PROXY", "")
            );
            assert!(
                proxies.of("direct.example", 443).unwrap().is_none(),
                "{value}"
            );
            assert!(proxies.of("localhost", 5000).unwrap().is_none(), "{value}");
        }
        assert!(
            Proxies::new(Some(("https_proxy", None)), "")
                .of("ghcr.io", 443)
                .is_err()
        );
        assert!(Proxies::new(None, "").of("ghcr.io", 443).unwrap().is_none());
    }

    #[test]
    fn a_host_is_asked_without_the_proxy_where_go_asks_it_so() {
        let table: [(&str, &str, u16, bool); 36] = [
            ("", "localhost", 5000, true),
            ("", "127.0.0.1", 5000, true),
            ("", "127.8.8.8", 443, true),
            ("", "[::1]", 443, true),
            ("", "[::ffff:127.0.0.1]", 443, true),
            ("", "localhost.example", 443, false),
            ("*", "ghcr.io", 443, true),
            ("a.example, *", "ghcr.io", 443, true),
            ("ghcr.io", "ghcr.io", 443, true),
            ("GHCR.io", "ghcr.io", 443, true),
            (" a.example , ghcr.io ", "ghcr.io", 443, true),
            ("ghcr.io", "pkg.ghcr.io", 443, true),
            ("ghcr.io", "notghcr.io", 443, false),
            (".ghcr.io", "ghcr.io", 443, false),
            (".ghcr.io", "pkg.ghcr.io", 443, true),
            ("*.ghcr.io", "pkg.ghcr.io", 443, true),
            ("*.ghcr.io", "ghcr.io", 443, false),
            ("gh*.io", "ghcr.io", 443, false),
            ("ghcr.io:443", "ghcr.io", 443, true),
            ("ghcr.io:5000", "ghcr.io", 443, false),
            ("ghcr.io:5000", "ghcr.io", 5000, true),
            ("10.0.0.0/8", "10.1.2.3", 443, true),
            ("10.0.0.0/8", "11.1.2.3", 443, false),
            ("0.0.0.0/0", "11.1.2.3", 443, true),
            ("10.1.2.3/32", "10.1.2.3", 443, true),
            ("10.1.2.3/33", "10.1.2.3", 443, false),
            ("10.0.0.0/8", "ten.example", 443, false),
            ("10.1.2.3", "10.1.2.3", 443, true),
            ("10.1.2.3:5000", "10.1.2.3", 443, false),
            ("fd00::/8", "[fd00::1]", 443, true),
            ("::/0", "10.1.2.3", 443, false),
            ("fd00::1", "[fd00::1]", 443, true),
            ("[fd00::1]:5000", "[fd00::1]", 5000, true),
            ("[fd00::1]:5000", "[fd00::1]", 443, false),
            ("bücher.example", "xn--bcher-kva.example", 443, true),
            (",,:5000,", "ghcr.io", 5000, false),
        ];
        for (direct, host, port, expected) in table {
            let proxies = proxies("p:3128", direct);
            let through = proxies.of(host, port).unwrap();
            assert_eq!(through.is_none(), expected, "{direct:?} {host}:{port}");
        }
    }
}
