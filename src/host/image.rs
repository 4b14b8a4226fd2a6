//! `ImageRef`: the parts of an image reference that matter for credentials.

use super::{Host, HostError};

/// A reference such as `ghcr.io/org/app:1.2` or `ubuntu`, split into its registry and repository.
///
/// Follows `ParseRegistry` in Beta9's Go code: `docker://` and `oci://` are dropped. Without a slash, or if the first
/// part has neither a dot nor a colon and isn't `localhost`, the registry is Docker Hub. Unlike there, the registry
/// must be a valid [`Host`], so `user@evil.com/x` is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRef {
    /// The registry.
    pub host: Host,
    /// The registry as the image spells it.
    pub spelling: String,
    /// The repository, with Docker Hub's `library/` spelled out.
    pub repository: String,
    /// What follows the repository: `:tag`, `@digest`, both or nothing.
    pub suffix: String,
}

impl ImageRef {
    /// Prefixes that tools put before the reference of an image in a registry.
    pub(super) const SCHEMES: [&str; 2] = ["docker://", "oci://"];

    /// Parses a reference. Grammar: <https://pkg.go.dev/github.com/distribution/reference>.
    pub fn parse(reference: &str) -> Result<Self, HostError> {
        let text = Self::SCHEMES
            .iter()
            .find_map(|scheme| reference.strip_prefix(scheme))
            .unwrap_or(reference);
        let (host, spelling, path) = match text.split_once('/') {
            Some((first, rest)) if first.is_empty() || names_a_registry(first) => {
                (Host::parse(first.as_bytes())?, first.to_owned(), rest)
            }
            _ => (Host::docker_hub(), Host::docker_hub().to_string(), text),
        };
        let (repository, suffix) = path.split_at(suffix_start(path));
        if !Self::is_repository(repository) {
            return Err(HostError(
                "the repository is not of lower-case letters, digits and separators",
            ));
        }
        if !is_suffix(suffix) {
            return Err(HostError("the tag or digest is malformed"));
        }
        let official = host.is_docker_hub() && !repository.contains('/');
        let repository = if official {
            format!("library/{repository}")
        } else {
            repository.to_owned()
        };
        Ok(Self {
            host,
            spelling,
            repository,
            suffix: suffix.to_owned(),
        })
    }
}

impl ImageRef {
    /// Whether a text can be a repository's name.
    #[must_use]
    pub fn is_repository(text: &str) -> bool {
        text.len() <= 255 && text.split('/').all(is_component)
    }

    /// Whether a text can be a tag.
    #[must_use]
    pub fn is_tag(text: &str) -> bool {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        text.len() <= 128
            && text.starts_with(word)
            && text.chars().all(|c| word(c) || c == '.' || c == '-')
    }
}

/// Whether docker reads a reference's first part as a registry rather than as part of a Docker Hub repository.
pub(crate) fn names_a_registry(first: &str) -> bool {
    first.contains(['.', ':', '[']) || first == "localhost"
}

fn suffix_start(path: &str) -> usize {
    let digest = path.find('@').unwrap_or(path.len());
    let name_start = path[..digest].rfind('/').map_or(0, |slash| slash + 1);
    path[name_start..digest]
        .find(':')
        .map_or(digest, |colon| name_start + colon)
}

/// Lower-case alphanumerics, joined by one dot, one or two underscores, or any number of hyphens.
fn is_component(component: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separators = component.split(alphanumeric).filter(|run| !run.is_empty());
    component.starts_with(alphanumeric)
        && component.ends_with(alphanumeric)
        && separators
            .into_iter()
            .all(|run| matches!(run, "." | "_" | "__") || run.bytes().all(|byte| byte == b'-'))
}

fn is_suffix(suffix: &str) -> bool {
    let (tag, digest) = suffix
        .split_once('@')
        .map_or((suffix, None), |(tag, digest)| (tag, Some(digest)));
    let tag_ok = tag
        .strip_prefix(':')
        .map_or(tag.is_empty(), ImageRef::is_tag);
    let digest_ok = digest.is_none_or(|digest| {
        digest.split_once(':').is_some_and(|(algorithm, hex)| {
            algorithm.starts_with(|c: char| c.is_ascii_alphabetic())
                && hex.len() >= 32
                && hex.chars().all(|c| c.is_ascii_hexdigit())
        })
    });
    tag_ok && digest_ok
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{self, Value};

    #[test]
    fn the_registry_is_found_as_docker_finds_it() {
        let table = [
            ("ubuntu", "docker.io", "library/ubuntu", ""),
            ("ubuntu:20.04", "docker.io", "library/ubuntu", ":20.04"),
            ("org/app", "docker.io", "org/app", ""),
            ("docker://ghcr.io/org/app:1", "ghcr.io", "org/app", ":1"),
            ("oci://localhost/app", "localhost", "app", ""),
            (
                "localhost:5000/a/b__c@sha256:0123456789abcdef0123456789abcdef",
                "localhost:5000",
                "a/b__c",
                "@sha256:0123456789abcdef0123456789abcdef",
            ),
            (
                "evil.example/amazonaws.com/x",
                "evil.example",
                "amazonaws.com/x",
                "",
            ),
            ("index.docker.io/nginx", "docker.io", "library/nginx", ""),
            ("[2001:db8::1]:5000/a", "[2001:db8::1]:5000", "a", ""),
        ];
        for (text, host, repository, suffix) in table {
            let image = ImageRef::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(
                (
                    image.host.as_str(),
                    image.repository.as_str(),
                    image.suffix.as_str()
                ),
                (host, repository, suffix)
            );
        }
    }

    #[test]
    fn the_registry_is_the_one_that_beta9s_own_parser_finds() {
        let rows = json::parse(include_bytes!(
            "../../tests/fixtures/beta9/beta9-names.json"
        ))
        .unwrap();
        let Value::Array(rows) = rows else {
            panic!("the fixture is an array of rows")
        };
        assert_eq!(rows.len(), 22);
        for row in &rows {
            let Value::Object(row) = row else {
                panic!("a row is an object")
            };
            let text = |key| row.text(key).unwrap().expose();
            let (image, registry) = (text("image"), text("registry"));
            let host = ImageRef::parse(image).map(|image| image.host);
            if registry == "https:" {
                // Beta9 splits a URL at its first slash and takes the scheme for a registry. No image can be pulled
                // from that, and no secret is for it, so a URL is refused rather than guessed at.
                assert!(host.is_err(), "{image}");
            } else {
                assert_eq!(
                    host.unwrap(),
                    Host::parse(registry.as_bytes()).unwrap(),
                    "{image}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_a_reference_is_refused() {
        for text in [
            "",
            "//gcr.io",
            "gcr.io@evil.com/x",
            "ghcr.io/Org/App",
            "ghcr.io/a..b",
            "ghcr.io/",
            "a b",
            "x:",
            "x@sha256:zz",
        ] {
            assert!(ImageRef::parse(text).is_err(), "{text:?}");
        }
    }
}
