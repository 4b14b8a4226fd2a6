//! `Host`: the registry a request is about, parsed once, by hand, on bytes.
//!
//! No URL crate is used: WHATWG parsers decode `%67cr.io`, fold full-width letters and drop line feeds, and each of
//! those turns an attacker's text into `gcr.io`. Anything that isn't plainly a host is a [`HostError`]; then no store
//! is asked and nothing is sent.

mod image;
mod pattern;
mod reference;
mod url;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

pub use image::ImageRef;
pub(crate) use image::names_a_registry;
pub use pattern::{Pattern, is_account, matches_name};
pub use reference::Reference;
pub use url::{Scheme, ServerUrl, strip_line_end};

/// A registry host in canonical form: lower-case ASCII, without the default port, and with one name for Docker Hub.
///
/// ```
/// use beta9_credential::host::Host;
/// assert_eq!(Host::parse(b"Index.Docker.io:443").unwrap().as_str(), "docker.io");
/// assert_eq!(Host::parse(b"registry.example.com:5000").unwrap().port(), Some(5000));
/// assert!(Host::parse(b"gcr.io@evil.com").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host {
    /// The host as image references spell it: with `:443` if the bare word would be read as part of a Docker Hub
    /// repository.
    text: String,
    name_len: usize,
    /// The length of the canonical part of `text`.
    len: usize,
}

/// Why a text isn't a registry host. A `get` of such a text answers "not found".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HostError(pub &'static str);

impl Host {
    /// The host name of Docker Hub's registry API.
    pub const DOCKER_HUB_REGISTRY: &str = "registry-1.docker.io";

    /// Parses `name`, `name:port`, `a.b.c.d[:port]` or `[v6][:port]`; nothing else before or after it.
    pub fn parse(bytes: &[u8]) -> Result<Self, HostError> {
        let (name, port) = split_port(bytes)?;
        let name = match bytes.first() {
            Some(b'[') => ipv6(name)?,
            _ => dns_or_ipv4(name)?,
        };
        let port = port.map(parse_port).transpose()?;
        let port = port.filter(|port| *port != HTTPS_PORT);
        if port.is_none() && DOCKER_HUB_NAMES.contains(&name.as_str()) {
            return Ok(Self::docker_hub());
        }
        let name_len = name.len();
        let mut text = port.map_or_else(|| name.clone(), |port| format!("{name}:{port}"));
        let len = text.len();
        if !names_a_registry(&text) {
            text.push_str(":443");
        }
        Ok(Self {
            text,
            name_len,
            len,
        })
    }

    /// Docker Hub, under the canonical name of its four spellings.
    pub fn docker_hub() -> Self {
        Self {
            text: DOCKER_HUB.to_owned(),
            name_len: DOCKER_HUB.len(),
            len: DOCKER_HUB.len(),
        }
    }

    /// Whether this is Docker Hub, whose server URL is irregular (see [`Host::server_url`]).
    pub fn is_docker_hub(&self) -> bool {
        self.text == DOCKER_HUB
    }

    /// The canonical text, with the port unless it is 443.
    pub fn as_str(&self) -> &str {
        &self.text[..self.len]
    }

    /// The host as image references spell it, also used for display: `o:443` for the host `o`, because `o/org` is a
    /// Docker Hub repository.
    pub fn as_reference(&self) -> &str {
        &self.text
    }

    /// The name without the port; an IPv6 address keeps its brackets.
    pub fn name(&self) -> &str {
        &self.text[..self.name_len]
    }

    /// The port, unless it is the default one, 443.
    pub fn port(&self) -> Option<u16> {
        self.as_str()
            .get(self.name_len + 1..)
            .and_then(|port| port.parse().ok())
    }

    /// The host without its port if that is 80: a `get` of `http://host:80` also means `host`.
    pub fn without_port_80(&self) -> Option<Self> {
        (self.port() == Some(80)).then(|| Self::parse(self.name().as_bytes()).ok())?
    }

    /// The registry's names, the canonical one first: Docker Hub has several.
    pub fn names(&self) -> Vec<&str> {
        if self.is_docker_hub() {
            DOCKER_HUB_NAMES.to_vec()
        } else {
            vec![self.name()]
        }
    }

    /// Every spelling of this registry in an image reference, the canonical one first: each name, with and without the
    /// default port.
    pub fn spellings(&self) -> Vec<String> {
        let (names, ports): (_, &[&str]) = match self.port() {
            Some(_) => (vec![self.as_str()], &[""]),
            None => (self.names(), &["", ":443"]),
        };
        ports
            .iter()
            .flat_map(|port| names.iter().map(move |name| format!("{name}{port}")))
            .collect()
    }

    /// Docker's key for this registry: the host, or `https://index.docker.io/v1/` for Docker Hub.
    pub fn server_url(&self) -> &str {
        if self.is_docker_hub() {
            DOCKER_HUB_KEY
        } else {
            &self.text
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn split_port(bytes: &[u8]) -> Result<(&[u8], Option<&[u8]>), HostError> {
    let position = |wanted| bytes.iter().position(|byte| *byte == wanted);
    let name_end = if bytes.first() == Some(&b'[') {
        position(b']').ok_or(HostError("an IPv6 address needs its closing bracket"))? + 1
    } else {
        position(b':').unwrap_or(bytes.len())
    };
    let (name, rest) = bytes.split_at(name_end);
    match rest.split_first() {
        None => Ok((name, None)),
        Some((b':', port)) => Ok((name, Some(port))),
        Some(_) => Err(HostError(
            "text follows the closing bracket of an IPv6 address",
        )),
    }
}

fn parse_port(digits: &[u8]) -> Result<u16, HostError> {
    const NOT_A_PORT: HostError = HostError("the port is not a number from 1 to 65535");
    // std would also read a sign.
    if !matches!(digits.first(), Some(b'1'..=b'9')) {
        return Err(NOT_A_PORT);
    }
    let port = std::str::from_utf8(digits).ok();
    port.and_then(|port| port.parse().ok()).ok_or(NOT_A_PORT)
}

/// RFC 1123 names, restricted by docker's domain grammar to letters, digits and inner hyphens.
fn dns_or_ipv4(name: &[u8]) -> Result<String, HostError> {
    if name.is_empty() {
        return Err(HostError("the host is empty"));
    }
    if name.len() > MAX_NAME {
        return Err(HostError("the host name is longer than 253 bytes"));
    }
    for label in name.split(|byte| *byte == b'.') {
        check_label(label)?;
    }
    // Only ASCII letters, digits, dots and hyphens were accepted, so every byte is a character.
    let name: String = name
        .iter()
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect();
    if METADATA_NAMES.contains(&name.as_str()) {
        return Err(METADATA);
    }
    if looks_like_ipv4(&name) {
        // `127.1`, `0x7f000001` and `010.0.0.1` mean different addresses to different parsers; std reads only a.b.c.d.
        let address: Ipv4Addr = name
            .parse()
            .map_err(|_| HostError("this isn't an IPv4 address of four plain numbers"))?;
        refuse_metadata_v4(address)?;
    }
    Ok(name)
}

fn check_label(label: &[u8]) -> Result<(), HostError> {
    if label.is_empty() {
        return Err(HostError(
            "the host has an empty label (a doubled, leading or trailing dot)",
        ));
    }
    if label.len() > MAX_LABEL {
        return Err(HostError("a label of the host is longer than 63 bytes"));
    }
    if !label
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    {
        return Err(HostError(
            "the host has a character that no registry host can have",
        ));
    }
    if label[0] == b'-' || label[label.len() - 1] == b'-' {
        return Err(HostError(
            "a label of the host begins or ends with a hyphen",
        ));
    }
    Ok(())
}

/// Every resolver reads a name whose last label is a number as an address (WHATWG URL, "ends in a number").
fn looks_like_ipv4(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let hex = last
        .strip_prefix("0x")
        .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    hex || last.bytes().all(|byte| byte.is_ascii_digit())
}

fn ipv6(bracketed: &[u8]) -> Result<String, HostError> {
    const NOT_V6: HostError = HostError("the brackets don't contain an IPv6 address");
    let inner = std::str::from_utf8(&bracketed[1..bracketed.len() - 1]).map_err(|_| NOT_V6)?;
    let address: Ipv6Addr = inner.parse().map_err(|_| NOT_V6)?;
    if let Some(v4) = address.to_ipv4_mapped().or_else(|| nat64(address)) {
        refuse_metadata_v4(v4)?;
    }
    let segments = address.segments();
    let link_local = segments[0] & 0xffc0 == 0xfe80;
    let aws = segments[0] == 0xfd00 && segments[1] == 0x0ec2;
    if link_local || aws || segments == GOOGLE_METADATA_V6 {
        return Err(METADATA);
    }
    Ok(format!("[{address}]"))
}

/// The IPv4 address that an address with the well-known prefix `64:ff9b::/96` reaches: its last 32 bits (RFC 6052).
fn nat64(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., a, b, c, d] = address.octets();
    (address.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0]).then(|| Ipv4Addr::new(a, b, c, d))
}

fn refuse_metadata_v4(address: Ipv4Addr) -> Result<(), HostError> {
    if address.is_link_local() || METADATA_V4.contains(&address) {
        Err(METADATA)
    } else {
        Ok(())
    }
}

/// The canonical name of Docker Hub.
const DOCKER_HUB: &str = "docker.io";
/// Docker Hub's key in docker's own configuration files and clients.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";
const DOCKER_HUB_NAMES: [&str; 3] = [DOCKER_HUB, "index.docker.io", Host::DOCKER_HUB_REGISTRY];
const HTTPS_PORT: u16 = 443;
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;
const METADATA: HostError = HostError("this address serves a node's own metadata, never images");
/// Azure's wire server and Alibaba Cloud's metadata service. AWS, Google, Azure and Oracle use link-local addresses,
/// which are checked separately.
const METADATA_V4: [Ipv4Addr; 2] = [
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(100, 100, 100, 200),
];
/// <https://docs.cloud.google.com/compute/docs/metadata/querying-metadata>
const GOOGLE_METADATA_V6: [u16; 8] = [0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254];
const METADATA_NAMES: [&str; 3] = [
    "metadata.google.internal",
    "metadata.goog",
    "instance-data.ec2.internal",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, HostError> {
        Host::parse(text.as_bytes()).map(|host| host.as_str().to_owned())
    }

    #[test]
    fn the_canonical_spelling_is_lower_case_without_the_default_port() {
        assert_eq!(parse("GHCR.io:443").unwrap(), "ghcr.io");
        assert_eq!(
            parse("Registry.Example.com:5000").unwrap(),
            "registry.example.com:5000"
        );
        assert_eq!(parse("[2001:DB8:0::1]:5000").unwrap(), "[2001:db8::1]:5000");
        assert_eq!(
            Host::parse(b"[2001:db8::1]:5000").unwrap().port(),
            Some(5000)
        );
        assert_eq!(
            Host::parse(b"[2001:db8::1]").unwrap().name(),
            "[2001:db8::1]"
        );
    }

    #[test]
    fn a_host_is_shown_as_an_image_names_it_and_reads_back_as_itself() {
        for (text, canonical, shown) in [
            ("o", "o", "o:443"),
            ("O:443", "o", "o:443"),
            ("o:5000", "o:5000", "o:5000"),
            ("localhost", "localhost", "localhost"),
            ("ghcr.io:443", "ghcr.io", "ghcr.io"),
            ("[::1]:443", "[::1]", "[::1]"),
            ("docker.io", "docker.io", "docker.io"),
        ] {
            let host = Host::parse(text.as_bytes()).unwrap();
            assert_eq!(
                (
                    host.as_str(),
                    host.as_reference(),
                    host.to_string().as_str()
                ),
                (canonical, shown, shown)
            );
            assert_eq!(
                (host.port(), host.name()),
                (Host::parse(shown.as_bytes()).unwrap().port(), host.name())
            );
            for spelling in [canonical, shown, host.server_url()] {
                assert_eq!(
                    Host::parse(
                        spelling
                            .trim_start_matches("https://")
                            .trim_end_matches("/v1/")
                            .as_bytes()
                    ),
                    Ok(host.clone())
                );
            }
            assert_eq!(
                ImageRef::parse(&format!("{host}/org/app")).unwrap().host,
                host,
                "{text}"
            );
        }
    }

    #[test]
    fn docker_hub_is_one_host_under_each_of_its_names_but_not_on_another_port() {
        for name in [
            "docker.io",
            "index.docker.io",
            "registry-1.docker.io",
            "INDEX.docker.io:443",
        ] {
            assert!(
                Host::parse(name.as_bytes()).unwrap().is_docker_hub(),
                "{name}"
            );
        }
        assert!(!Host::parse(b"docker.io:5000").unwrap().is_docker_hub());
        assert!(!Host::parse(b"hub.docker.io").unwrap().is_docker_hub());
    }

    #[test]
    fn no_spelling_reaches_a_metadata_service() {
        let all = [
            "169.254.169.254",
            "169.254.170.2:80",
            "168.63.129.16",
            "100.100.100.200",
            "[::ffff:169.254.169.254]",
            "[64:ff9b::169.254.169.254]",
            "[fe80::1]",
            "[fd00:ec2::23]",
            "[fd20:ce::254]",
            "metadata.google.internal",
            "Metadata.Google.Internal:443",
        ];
        for text in all {
            assert_eq!(parse(text).unwrap_err(), METADATA, "{text}");
        }
    }

    #[test]
    fn numbers_that_resolvers_read_differently_are_no_host() {
        for text in [
            "127.1",
            "0x7f000001",
            "2130706433",
            "010.0.0.1",
            "1.2.3.4.5",
            "256.0.0.1",
            "a.0x1f",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse("10.0.0.7:5000").unwrap(), "10.0.0.7:5000");
    }
}
