//! Makes `matchImages` of kubelet's `CredentialProviderConfig` from the table: the images that kubelet should ask
//! about.
//!
//! Kubelet compares label by label: a pattern has as many labels as its hosts, a star matches any part of one label,
//! and a pattern without a port matches only hosts without one
//! (<https://kubernetes.io/docs/tasks/administer-cluster/kubelet-credential-provider/#configure-image-matching>).

use super::{Registry, TABLE};
use crate::host::Host;

/// The patterns of every registry that accepts credentials, in the order of the table.
///
/// They are wider than the table's own, because kubelet can't express "12 digits". A host that matches only the wider
/// pattern gets what is stored for exactly that host, or nothing.
pub fn match_images() -> Vec<String> {
    TABLE
        .iter()
        .filter(|row| !row.backends.is_empty())
        .flat_map(Registry::match_images)
        .collect()
}

impl Registry {
    /// The patterns of this registry's images.
    pub fn match_images(&self) -> impl Iterator<Item = String> {
        self.hosts.iter().flat_map(|pattern| {
            // Images may use Docker Hub's other name, which kubelet treats as a different host.
            let other = (Host::docker_hub().name() == *pattern)
                .then(|| Host::DOCKER_HUB_REGISTRY.to_owned());
            [pattern.replace("{account}", "*")].into_iter().chain(other)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_that_takes_credentials_is_there_as_kubelet_writes_patterns() {
        let all = match_images();
        for pattern in [
            "*.dkr.ecr.*.amazonaws.com",
            "public.ecr.aws",
            "*-docker.pkg.dev",
            "docker.*.rep.pkg.dev",
            "*.azurecr.io",
            "*.*.geo.azurecr.io",
            "docker.io",
            "registry-1.docker.io",
            "ghcr.io",
        ] {
            assert!(all.iter().any(|one| one == pattern), "{pattern}");
        }
        // Characters that kubelet would misread or refuse in a glob.
        assert!(
            !all.iter()
                .any(|one| one.contains(['{', '[', '?', '\\', '/', ':'])),
            "{all:?}"
        );
        assert!(
            !all.iter().any(|one| one == "registry.k8s.io"),
            "public registries need nobody"
        );
        let unique: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(unique.len(), all.len());
    }
}
