//! The image in kubelet's request, and the key for the answer.

use crate::host::{Host, HostError, ImageRef};

/// An image as kubelet spells it: registry and repository, without tag or digest.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) host: Host,
    pub(super) repository: String,
    /// The registry as spelled in the request, which kubelet compares; `None` if it has none.
    written: Option<String>,
}

impl Image {
    pub(super) fn parse(text: &str) -> Result<Self, HostError> {
        if text.contains("://") {
            return Err(HostError("an image has no scheme"));
        }
        let image = ImageRef::parse(text)?;
        let first = text.split_once('/').map(|(first, _)| first);
        let written =
            first.filter(|first| Host::parse(first.as_bytes()).as_ref() == Ok(&image.host));
        Ok(Self {
            host: image.host,
            repository: image.repository,
            written: written.map(str::to_owned),
        })
    }

    /// The key under which kubelet looks for this image's credential: the registry in the image's spelling, and a
    /// rule's path.
    pub(super) fn key(&self, below: &str) -> String {
        match &self.written {
            // Kubelet looks up images without a registry only under this name.
            None => "index.docker.io".to_owned(),
            // Kubelet reads these as an API version and drops them.
            Some(host)
                if below.is_empty()
                    || ["v1", "v2"].contains(&below.split('/').next().unwrap_or_default()) =>
            {
                host.clone()
            }
            Some(host) => format!("{host}/{below}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_what_kubelet_compares_with_the_image() {
        for (image, below, key) in [
            ("docker.io/library/nginx", "", "docker.io"),
            ("docker.io/library/nginx", "library", "docker.io/library"),
            (
                "registry-1.docker.io/library/nginx",
                "",
                "registry-1.docker.io",
            ),
            ("nginx", "", "index.docker.io"),
            ("org/app", "org", "index.docker.io"),
            ("GHCR.io/org/app", "org", "GHCR.io/org"),
            ("localhost:5000/a/b", "", "localhost:5000"),
            ("gcr.io:443/a/b", "", "gcr.io:443"),
            ("registry.example.com/v2/a", "v2/a", "registry.example.com"),
        ] {
            assert_eq!(
                Image::parse(image).unwrap().key(below),
                key,
                "{image} {below}"
            );
        }
        for image in [
            "https://ghcr.io/a",
            "docker://ghcr.io/a",
            "gcr.io@evil.com/a",
            "169.254.169.254/a",
            "ghcr.io/A",
        ] {
            assert!(Image::parse(image).is_err(), "{image}");
        }
    }
}
