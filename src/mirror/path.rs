//! `Asked`: parses a request to the mirror by the grammar of the OCI distribution specification
//! (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md>). Anything else is refused.

use hyper::StatusCode;

use crate::host::{Host, ImageRef};

/// A parsed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The registry, from containerd's `ns` parameter.
    pub(super) host: Host,
    /// The requested part; `None` for `/v2/`, with which a client checks whether a registry answers.
    pub(super) part: Option<Part>,
}

/// Something in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) repository: String,
    pub(super) kind: Kind,
    /// A digest; for a manifest, also a tag.
    pub(super) reference: String,
    /// The path at the registry, with the query of `referrers`.
    pub(super) path: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Manifest,
    Blob,
    Referrers,
}

impl Asked {
    /// Parses a path and its query. Fails with the status of the refusal.
    pub(super) fn parse(path: &str, query: Option<&str>) -> Result<Self, StatusCode> {
        let mut part = match path.strip_prefix("/v2/").ok_or(StatusCode::NOT_FOUND)? {
            "" => None,
            rest => Some(Part::parse(rest).ok_or(StatusCode::NOT_FOUND)?),
        };
        let mut host = None;
        for pair in query.unwrap_or_default().split('&') {
            match pair.split_once('=') {
                Some(("ns", name)) if host.is_none() => {
                    let parsed = Host::parse(unescaped(name).as_bytes());
                    host = Some(parsed.map_err(|_| StatusCode::NOT_FOUND)?);
                }
                Some(("artifactType", wanted)) if is_media_type(wanted) => match &mut part {
                    Some(Part {
                        kind: Kind::Referrers,
                        path,
                        ..
                    }) if !path.contains('?') => path.extend(["?", pair]),
                    _ => return Err(StatusCode::NOT_FOUND),
                },
                _ => return Err(StatusCode::NOT_FOUND),
            }
        }
        let host = host.ok_or(StatusCode::NOT_FOUND)?;
        Ok(Self { host, part })
    }
}

impl Part {
    fn parse(path: &str) -> Option<Self> {
        let (rest, reference) = path.rsplit_once('/')?;
        let (repository, kind) = rest.rsplit_once('/')?;
        let kind = match kind {
            "manifests" => Kind::Manifest,
            "blobs" => Kind::Blob,
            "referrers" => Kind::Referrers,
            _ => return None,
        };
        let good = is_digest(reference) || kind == Kind::Manifest && ImageRef::is_tag(reference);
        (good && ImageRef::is_repository(repository)).then(|| Self {
            repository: repository.to_owned(),
            kind,
            reference: reference.to_owned(),
            path: format!("/v2/{path}"),
        })
    }
}

/// Whether the text is a digest. For registered algorithms, the length must be right too.
fn is_digest(text: &str) -> bool {
    let Some((algorithm, encoded)) = text.split_once(':') else {
        return false;
    };
    let hex = |length: usize| {
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        encoded.len() == length && encoded.bytes().all(digit)
    };
    match algorithm {
        "sha256" => hex(64),
        "sha512" => hex(128),
        _ => {
            let word = |part: &str| {
                let small = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
                !part.is_empty() && part.bytes().all(small)
            };
            let good = |byte: u8| byte.is_ascii_alphanumeric() || b"=_-".contains(&byte);
            text.len() <= MAX_DIGEST
                && algorithm.split(['+', '.', '_', '-']).all(word)
                && encoded.len() >= 32
                && encoded.bytes().all(good)
        }
    }
}

/// Unescapes a host in a query. Only the escapes that Go's `url.QueryEscape` produces are decoded; any other makes the
/// host invalid.
fn unescaped(host: &str) -> String {
    let host = host.replace("%3A", ":");
    host.replace("%5B", "[").replace("%5D", "]")
}

/// Whether the text is a media type.
fn is_media_type(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%+:/=".contains(&byte);
    !text.is_empty() && text.bytes().all(good)
}

/// In bytes. The longest registered one has 135.
const MAX_DIGEST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// `HOST PATH` of an accepted request, or the status of a refusal.
    fn read(target: &str) -> String {
        let target = target.replace("DIGEST", DIGEST);
        let (path, query) = target
            .split_once('?')
            .map_or((target.as_str(), None), |(path, query)| (path, Some(query)));
        match Asked::parse(path, query) {
            Ok(Asked { host, part }) => {
                let path = part.map_or("/v2/".to_owned(), |part| part.path);
                format!("{host} {}", path.replace(DIGEST, "DIGEST"))
            }
            Err(status) => status.as_str().to_owned(),
        }
    }

    #[test]
    fn what_a_puller_asks_for_is_read() {
        let table = [
            ("/v2/?ns=ghcr.io", "ghcr.io /v2/"),
            (
                "/v2/org/app/manifests/1.2?ns=ghcr.io",
                "ghcr.io /v2/org/app/manifests/1.2",
            ),
            (
                "/v2/org/app/manifests/DIGEST?ns=127.0.0.1%3A5000",
                "127.0.0.1:5000 /v2/org/app/manifests/DIGEST",
            ),
            (
                "/v2/library/redis/blobs/DIGEST?ns=docker.io",
                "docker.io /v2/library/redis/blobs/DIGEST",
            ),
            (
                "/v2/a/blobs/DIGEST?ns=%5B2001:db8::1%5D:5000",
                "[2001:db8::1]:5000 /v2/a/blobs/DIGEST",
            ),
            (
                "/v2/manifests/manifests/blobs?ns=ghcr.io",
                "ghcr.io /v2/manifests/manifests/blobs",
            ),
            (
                "/v2/a/referrers/DIGEST?artifactType=application%2Fx&ns=ghcr.io",
                "ghcr.io /v2/a/referrers/DIGEST?artifactType=application%2Fx",
            ),
        ];
        for (target, expected) in table {
            assert_eq!(read(target), expected, "{target}");
        }
    }

    #[test]
    fn what_is_not_of_the_grammar_goes_no_further() {
        let table = [
            "/",
            "/v2",
            "/v1/?ns=ghcr.io",
            "//v2/?ns=ghcr.io",
            "/v2/_catalog?ns=ghcr.io",
            "/v2/a/tags/list?ns=ghcr.io",
            "/v2/a/blobs/uploads/?ns=ghcr.io",
            "/v2/a/blobs/1?ns=ghcr.io",
            "/v2/a/referrers/1?ns=ghcr.io",
            "/v2/a/blobs/sha256:0123?ns=ghcr.io",
            "/v2/a/manifests/?ns=ghcr.io",
            "/v2/a/manifests/.1?ns=ghcr.io",
            "/v2/a/manifests/1%2e2?ns=ghcr.io",
            "/v2/A/manifests/1?ns=ghcr.io",
            "/v2/../a/manifests/1?ns=ghcr.io",
            "/v2/a/../b/manifests/1?ns=ghcr.io",
            "/v2/a/./b/manifests/1?ns=ghcr.io",
            "/v2/a//b/manifests/1?ns=ghcr.io",
            "/v2//manifests/1?ns=ghcr.io",
            "/v2/%61/manifests/1?ns=ghcr.io",
            "/v2/a/manifests/1",
            "/v2/a/manifests/1?",
            "/v2/a/manifests/1?ns=",
            "/v2/a/manifests/1?ns=ghcr.io&ns=ghcr.io",
            "/v2/a/manifests/1?ns=ghcr.io&ns=evil.example",
            "/v2/a/manifests/1?NS=ghcr.io",
            "/v2/a/manifests/1?ns=ghcr.io&x=1",
            "/v2/a/manifests/1?ns=ghcr.io&artifactType=x",
            "/v2/a/manifests/1?ns=ghcr.io/path",
            "/v2/a/manifests/1?ns=ghcr.io%2Fpath",
            "/v2/a/manifests/1?ns=user@ghcr.io",
            "/v2/a/manifests/1?ns=https://ghcr.io",
            "/v2/a/manifests/1?ns=169.254.169.254",
            "/v2/a/manifests/1?ns=ghcr.io%0d%0ax",
            "/v2/a/manifests/1?ns=%67hcr.io",
            "/v2/a/manifests/1?ns=ghcr.io%",
            "/v2/a/manifests/1?ns=ghcr.io;ns=x",
        ];
        for target in table {
            assert_eq!(read(target), "404", "{target}");
        }
    }
}
