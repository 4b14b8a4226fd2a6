//! Which images kubelet should ask about: `matchImages` of its `CredentialProviderConfig`, made from the table.
//!
//! Kubelet compares label by label, so a pattern has as many labels as the hosts it is for, a star is any part of one
//! label, and a port that is not said isn't a port
//! (<https://kubernetes.io/docs/tasks/administer-cluster/kubelet-credential-provider/#configure-image-matching>).

use super::{Registry, TABLE};
use crate::host::Host;

/// The patterns of every registry that takes a credential, in the order of the table.
///
/// They are wider than the table's own: kubelet knows no "12 digits". A host that a pattern matches and the table does
/// not is answered with what is stored for exactly that host, or with nothing.
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
            // An image may be called by another name of Docker Hub's, which kubelet does not take for the same.
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
        // What kubelet would read as something else than a glob, or not at all.
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
