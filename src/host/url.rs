//! `ServerUrl`: a server URL of docker's protocol, in every spelling that clients use.

use super::{Host, HostError};

/// The subject of a client's request: a registry, or an item that is stored and returned verbatim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerUrl {
    /// A registry, and the path that crane includes first (`host/repo`). The path never chooses the secret.
    Registry {
        /// The registry.
        host: Host,
        /// The scheme. With `http://`, no vendor's credential is ever returned.
        scheme: Scheme,
        /// What follows the host, without its leading slash.
        path: String,
    },
    /// Docker's own OAuth items for Docker Hub and nerdctl's `nerdctl-experimental://` keys, stored verbatim. They are
    /// returned only for exactly this text, never as the registry's credential.
    Item(String),
}

/// How the client reaches the registry, as it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `https://`, or nothing at all.
    Https,
    /// `http://`.
    Http,
}

impl ServerUrl {
    /// Parses standard input. One trailing LF or CRLF is dropped, nothing else.
    pub fn parse(input: &[u8]) -> Result<Self, HostError> {
        Self::exactly(strip_line_end(input))
    }

    /// Parses a text of which nothing is dropped.
    pub(super) fn exactly(text: &[u8]) -> Result<Self, HostError> {
        if let Some(item) = verbatim_item(text)? {
            return Ok(Self::Item(item));
        }
        let (scheme, rest) = split_scheme(text);
        let end = rest
            .iter()
            .position(|byte| *byte == b'/')
            .unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let host = Host::parse(authority)?;
        let path = parse_path(path)?;
        if host.is_docker_hub() && OAUTH_SUFFIXES.iter().any(|suffix| path.ends_with(suffix)) {
            return Err(HostError(
                "docker's OAuth items are kept only under https://index.docker.io/v1/",
            ));
        }
        Ok(Self::Registry { host, scheme, path })
    }

    /// The registry; `None` for a verbatim item.
    pub fn host(&self) -> Option<&Host> {
        match self {
            Self::Registry { host, .. } => Some(host),
            Self::Item(_) => None,
        }
    }

    /// The name in error messages.
    pub fn label(&self) -> &str {
        match self {
            Self::Registry { host, .. } => host.as_reference(),
            Self::Item(item) => item,
        }
    }
}

impl From<Host> for ServerUrl {
    fn from(host: Host) -> Self {
        Self::Registry {
            host,
            scheme: Scheme::Https,
            path: String::new(),
        }
    }
}

/// Drops exactly one LF or CRLF: `echo gcr.io | … get` is as good as docker's bare `gcr.io`.
pub fn strip_line_end(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\n")
        .map_or(text, |text| text.strip_suffix(b"\r").unwrap_or(text))
}

fn verbatim_item(text: &[u8]) -> Result<Option<String>, HostError> {
    let nerdctl = text.starts_with(NERDCTL);
    if !nerdctl && !DOCKER_ITEMS.contains(&text) {
        return Ok(None);
    }
    if text.len() > MAX_ITEM
        || !text.iter().all(u8::is_ascii_graphic)
        || text.len() == NERDCTL.len()
    {
        return Err(HostError(
            "the key has a character that no client writes, or is too long",
        ));
    }
    Ok(Some(String::from_utf8_lossy(text).into_owned()))
}

/// Whether the text has a scheme, as server URLs and the keys of items do.
pub(super) fn has_scheme(text: &[u8]) -> bool {
    split_scheme(text).1.len() < text.len() || text.starts_with(NERDCTL)
}

fn split_scheme(text: &[u8]) -> (Scheme, &[u8]) {
    for (prefix, scheme) in [
        (b"https://".as_slice(), Scheme::Https),
        (b"http://".as_slice(), Scheme::Http),
    ] {
        if text.len() >= prefix.len() && text[..prefix.len()].eq_ignore_ascii_case(prefix) {
            return (scheme, &text[prefix.len()..]);
        }
    }
    (Scheme::Https, text)
}

/// Accepts repository paths, `/v1/` and `/v2/`, but nothing that another parser could read as a query, an escape or a
/// user name.
fn parse_path(path: &[u8]) -> Result<String, HostError> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-~:+".contains(byte);
    if !path.iter().all(allowed) {
        return Err(HostError(
            "the path has a character that no repository can have",
        ));
    }
    Ok(path.iter().skip(1).copied().map(char::from).collect())
}

const DOCKER_ITEMS: [&[u8]; 2] = [
    b"https://index.docker.io/v1/access-token",
    b"https://index.docker.io/v1/refresh-token",
];
const OAUTH_SUFFIXES: [&str; 2] = ["access-token", "refresh-token"];
const NERDCTL: &[u8] = b"nerdctl-experimental://";
const MAX_ITEM: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> String {
        match ServerUrl::parse(text.as_bytes()) {
            Ok(ServerUrl::Registry { host, .. }) => host.as_str().to_owned(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn every_spelling_that_a_client_uses_is_the_same_host() {
        let spellings = [
            "host.example",
            "host.example:443",
            "https://host.example",
            "https://host.example:443",
            "http://host.example",
            "HTTPS://Host.Example/v1/",
            "https://host.example/v2/",
            "host.example/path/of/repo",
            "host.example\n",
            "host.example\r\n",
        ];
        for text in spellings {
            assert_eq!(host(text), "host.example", "{text:?}");
        }
        for text in ["", "https://", "http://"].map(|scheme| format!("{scheme}host.example:80")) {
            assert_eq!(host(&text), "host.example:80", "{text}");
        }
    }

    #[test]
    fn only_one_line_end_is_dropped() {
        for text in [
            "host.example\n\n",
            "host.example\r",
            "host.example\n\r\n",
            " host.example",
        ] {
            assert!(ServerUrl::parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn dockers_own_items_are_told_apart_from_docker_hub() {
        for text in [
            "https://index.docker.io/v1/access-token",
            "https://index.docker.io/v1/refresh-token",
        ] {
            assert_eq!(
                ServerUrl::parse(text.as_bytes()).unwrap(),
                ServerUrl::Item(text.into())
            );
        }
        for text in [
            "index.docker.io/v1/access-token",
            "https://registry-1.docker.io/v1/refresh-token",
        ] {
            assert!(ServerUrl::parse(text.as_bytes()).is_err(), "{text}");
        }
        let key = "nerdctl-experimental://h.example:5000/?host-dir=x";
        assert_eq!(
            ServerUrl::parse(key.as_bytes()).unwrap(),
            ServerUrl::Item(key.into())
        );
        assert!(ServerUrl::parse(b"nerdctl-experimental://a b").is_err());
    }
}
