//! `Reference`: a registry or an image as people type it, distinguished in one place for all commands.

use super::{HostError, ImageRef, ServerUrl, names_a_registry, strip_line_end, url};

/// A registry, or an image of one.
///
/// | text | meaning |
/// |---|---|
/// | `https://…`, `http://…`, a key of docker's or nerdctl's own | a server URL, as a client would ask for it |
/// | `ghcr.io`, `ghcr.io:5000`, `[::1]:5000`, `localhost:5000`, followed by nothing, `/`, `/v1/` or `/v2/` | a registry |
/// | `redis`, `redis:7`, `ubuntu@sha256:…`, `myhost:5000` | an image on Docker Hub: without a dot, docker reads what follows the colon as a tag |
/// | `ghcr.io/org/app`, `myhost:5000/app`, `org/app`, `docker://…`, `oci://…` | an image |
///
/// To docker, `ghcr.io` and `ghcr.io:5000` are images of Docker Hub too; people who type them mean the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A registry, or an item that is stored verbatim.
    Server(ServerUrl),
    /// An image.
    Image(ImageRef),
}

impl Reference {
    /// Parses a command's argument; one trailing line end is ignored.
    pub fn parse(text: &[u8]) -> Result<Self, HostError> {
        let text = strip_line_end(text);
        let bare = ImageRef::SCHEMES
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme.as_bytes()));
        if (bare.is_none() && url::has_scheme(text)) || is_registry(bare.unwrap_or(text)) {
            return ServerUrl::exactly(bare.unwrap_or(text)).map(Self::Server);
        }
        let text = std::str::from_utf8(text).map_err(|_| HostError("it is not UTF-8"))?;
        ImageRef::parse(text).map(Self::Image)
    }
}

/// Whether the text is a registry without a repository.
fn is_registry(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    match text.split_once('/') {
        Some((first, rest)) => names_a_registry(first) && ["", "v1/", "v2/"].contains(&rest),
        // What follows a colon may be a tag, so only the name decides.
        None => text.split([':', '@']).next().is_some_and(names_a_registry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// `host …` for a registry, or the whole name for an image.
    fn read(text: &str) -> String {
        match Reference::parse(text.replace("DIGEST", DIGEST).as_bytes()) {
            Ok(Reference::Server(url)) => format!("host {}", url.label()),
            Ok(Reference::Image(image)) => {
                format!(
                    "{}/{}{}",
                    image.host,
                    image.repository,
                    image.suffix.replace(DIGEST, "DIGEST")
                )
            }
            Err(why) => format!("none: {why}"),
        }
    }

    #[test]
    fn a_registry_and_an_image_are_told_apart_as_docker_and_its_users_do() {
        let table = [
            ("ghcr.io", "host ghcr.io"),
            ("GHCR.io:443", "host ghcr.io"),
            ("ghcr.io/", "host ghcr.io"),
            ("ghcr.io\n", "host ghcr.io"),
            (
                "ghcr.io\n\n",
                "none: the host has a character that no registry host can have",
            ),
            ("docker.io", "host docker.io"),
            ("index.docker.io/v1/", "host docker.io"),
            ("https://index.docker.io/v1/", "host docker.io"),
            (
                "https://index.docker.io/v1/access-token",
                "host https://index.docker.io/v1/access-token",
            ),
            (
                "nerdctl-experimental://h.example/?x",
                "host nerdctl-experimental://h.example/?x",
            ),
            ("https://ghcr.io/org/app", "host ghcr.io"),
            ("HTTP://registry.example.com", "host registry.example.com"),
            (
                "registry.example.com:5000",
                "host registry.example.com:5000",
            ),
            ("localhost", "host localhost"),
            ("localhost:5000", "host localhost:5000"),
            ("localhost:5000/v2/", "host localhost:5000"),
            ("10.0.0.7:5000", "host 10.0.0.7:5000"),
            ("[::1]", "host [::1]"),
            ("[2001:db8::1]:5000", "host [2001:db8::1]:5000"),
            ("docker://ghcr.io", "host ghcr.io"),
            ("redis", "docker.io/library/redis"),
            ("redis:7", "docker.io/library/redis:7"),
            ("redis:latest", "docker.io/library/redis:latest"),
            ("ubuntu:20.04", "docker.io/library/ubuntu:20.04"),
            ("ubuntu@DIGEST", "docker.io/library/ubuntu@DIGEST"),
            (
                "ubuntu:20.04@DIGEST",
                "docker.io/library/ubuntu:20.04@DIGEST",
            ),
            ("myhost:5000", "docker.io/library/myhost:5000"),
            ("my_image:1.2", "docker.io/library/my_image:1.2"),
            ("docker://redis:7", "docker.io/library/redis:7"),
            ("oci://ubuntu:20.04", "docker.io/library/ubuntu:20.04"),
            ("org/app", "docker.io/org/app"),
            ("org/app:1.2.3", "docker.io/org/app:1.2.3"),
            ("library/redis:7", "docker.io/library/redis:7"),
            ("docker.io/redis", "docker.io/library/redis"),
            ("myhost:5000/app", "myhost:5000/app"),
            ("localhost/app", "localhost/app"),
            ("localhost:5000/app:1", "localhost:5000/app:1"),
            ("[::1]:5000/app", "[::1]:5000/app"),
            ("ghcr.io/org/app", "ghcr.io/org/app"),
            ("ghcr.io:443/org/app:1@DIGEST", "ghcr.io/org/app:1@DIGEST"),
            ("docker://ghcr.io/org/app:1", "ghcr.io/org/app:1"),
        ];
        for (text, expected) in table {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        let all = [
            "",
            "\n",
            " redis",
            "redis:",
            "redis:1:2",
            "ubuntu@",
            "ubuntu@sha256:zz",
            ":5000",
            "/app",
            "//ghcr.io",
            "ghcr.io:",
            "ghcr.io:0",
            "ghcr.io:0443",
            "ghcr.io:latest",
            "ghcr.io@evil.example",
            "gcr.io@DIGEST",
            "user:secret@redis",
            "user:secret@ghcr.io/org/app",
            "Redis",
            "org/App",
            "org/app/",
            "ftp://ghcr.io",
            "docker://https://ghcr.io",
            "https://",
            "https://redis:7.0",
            "[::1",
            "::1",
            "127.1:5000",
        ];
        for text in all {
            assert!(read(text).starts_with("none: "), "{text:?}: {}", read(text));
        }
        assert!(Reference::parse(b"\xff").is_err());
    }
}
