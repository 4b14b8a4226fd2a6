//! Decides what an unbound secret may be used for: keys that only one vendor has are for that vendor.

use super::{Registry, TABLE};
use crate::backend::Backend;
use crate::keys::{KeySet, Keys};

/// Whether unbound keys are for a host of this row; `None` if that can't be decided.
///
/// They are if all of them are the vendor's own, and are not if only other vendors use them. A user name and password
/// may be for any host, so they decide nothing.
pub fn bound_by_keys(row: &'static Registry, keys: &Keys) -> Option<bool> {
    let is_own = |name: &str| {
        row.key_sets()
            .iter()
            .any(|set| set.names().any(|own| own == name))
    };
    let fits = |row: &Registry| row.own().iter().any(|backend| backend.fits(keys));
    if fits(row) {
        return keys.names().all(is_own).then_some(true);
    }
    (keys.pairs().next().is_none() && TABLE.iter().any(fits)).then_some(false)
}

impl Registry {
    /// The sets of keys that only this vendor has, in order of precedence.
    pub fn key_sets(&self) -> Vec<KeySet> {
        self.own().iter().flat_map(Backend::key_sets).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host;

    #[test]
    fn keys_that_nothing_binds_are_for_the_vendor_that_alone_has_them() {
        let table: &[(&[&str], &str, Option<bool>)] = &[
            (&["GITHUB_USERNAME", "GITHUB_TOKEN"], "ghcr.io", Some(true)),
            (
                &["GITHUB_USERNAME", "GITHUB_TOKEN"],
                "docker.pkg.github.com",
                Some(true),
            ),
            (&["GITHUB_USERNAME", "GITHUB_TOKEN"], "quay.io", Some(false)),
            (
                &["GITHUB_USERNAME", "GITHUB_TOKEN"],
                "ghcr.io:5000",
                Some(false),
            ),
            (&["NGC_API_KEY"], "nvcr.io", Some(true)),
            (&["NGC_API_KEY"], "evil.example", Some(false)),
            (
                &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"],
                "public.ecr.aws",
                Some(true),
            ),
            (
                &["AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID"],
                "myreg.azurecr.io",
                Some(true),
            ),
            (&["GCP_ACCESS_TOKEN"], "gcr.io", Some(true)),
            // Beta9 stores this pair for every registry without a known vendor.
            (
                &["DOCKERHUB_USERNAME", "DOCKERHUB_PASSWORD"],
                "docker.io",
                Some(true),
            ),
            (
                &["DOCKERHUB_USERNAME", "DOCKERHUB_PASSWORD"],
                "harbor.example",
                None,
            ),
            (&["QUAY_USERNAME", "QUAY_PASSWORD"], "quay.io", Some(true)),
            (&["USERNAME", "PASSWORD"], "ghcr.io", None),
            (
                &["HARBOR_USERNAME", "HARBOR_PASSWORD"],
                "harbor.example",
                None,
            ),
            (
                &["GITHUB_USERNAME", "GITHUB_TOKEN", "USERNAME", "PASSWORD"],
                "ghcr.io",
                None,
            ),
            (
                &["GITHUB_USERNAME", "GITHUB_TOKEN", "NGC_API_KEY"],
                "ghcr.io",
                None,
            ),
            (&["GITHUB_TOKEN"], "ghcr.io", None),
            (&["SOMETHING"], "ghcr.io", None),
        ];
        for (names, host, expected) in table {
            let mut keys = Keys::default();
            names
                .iter()
                .for_each(|name| keys.insert(name, "x".into()).unwrap());
            let row = Registry::of(&Host::parse(host.as_bytes()).unwrap());
            assert_eq!(bound_by_keys(row, &keys), *expected, "{names:?} {host}");
        }
    }
}
