//! Detects the type word that is recorded beside the keys, as Beta9 does.

use super::Registry;
use crate::backend::{Backend, GCP_KEYS};
use crate::host::Host;
use crate::keys::{CredentialType, Keys};

/// Follows `DetectCredentialType` in Beta9's Go code: the keys decide in Beta9's order, then the host, by its row and
/// never by a substring. The word is a hint for people; [`super::choose`] does not read it.
pub fn detect(host: &Host, keys: &Keys) -> CredentialType {
    match detect_by_keys(keys) {
        CredentialType::Unknown => by_host(host),
        known => known,
    }
}

/// The same without a registry, as for a payload made from single secrets.
pub fn detect_by_keys(keys: &Keys) -> CredentialType {
    let named = |part: &str| {
        keys.names()
            .any(|name| name.to_ascii_uppercase().contains(part))
    };
    if keys.is_empty() {
        CredentialType::Public
    } else if keys.has("AWS_ACCESS_KEY_ID") && keys.has("AWS_SECRET_ACCESS_KEY") {
        CredentialType::Aws
    } else if GCP_KEYS.iter().any(|key| keys.has(key)) {
        CredentialType::Gcp
    } else if keys.has("AZURE_CLIENT_ID") && keys.has("AZURE_CLIENT_SECRET") {
        CredentialType::Azure
    } else if ["NGC_API_KEY", "GITHUB_TOKEN", "DOCKERHUB_TOKEN"]
        .iter()
        .any(|key| keys.has(key))
    {
        CredentialType::Token
    } else if named("USERNAME") && named("PASSWORD") {
        CredentialType::Basic
    } else {
        CredentialType::Unknown
    }
}

fn by_host(host: &Host) -> CredentialType {
    match Registry::of(host).backends {
        [] => CredentialType::Unknown,
        [Backend::Aws, ..] => CredentialType::Aws,
        [Backend::Gcp, ..] => CredentialType::Gcp,
        [Backend::Azure, ..] => CredentialType::Azure,
        _ if Registry::of(host).name == "generic" => CredentialType::Unknown,
        _ => CredentialType::Token,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_decide_then_the_host_then_nobody() {
        let table: &[(&str, &[&str], CredentialType)] = &[
            ("ghcr.io", &[], CredentialType::Public),
            (
                "ghcr.io",
                &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN"],
                CredentialType::Aws,
            ),
            ("x.example", &["GCP_ACCESS_TOKEN"], CredentialType::Gcp),
            (
                "x.example",
                &["GOOGLE_APPLICATION_CREDENTIALS"],
                CredentialType::Gcp,
            ),
            (
                "x.example",
                &["GCP_PROJECT_ID", "USERNAME", "PASSWORD"],
                CredentialType::Gcp,
            ),
            (
                "x.example",
                &["AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"],
                CredentialType::Azure,
            ),
            ("x.example", &["NGC_API_KEY"], CredentialType::Token),
            (
                "x.example",
                &["GITHUB_TOKEN", "GITHUB_USERNAME"],
                CredentialType::Token,
            ),
            (
                "x.example",
                &["DOCKERHUB_TOKEN", "DOCKERHUB_USERNAME"],
                CredentialType::Token,
            ),
            (
                "x.example",
                &["DOCKERHUB_PASSWORD", "DOCKERHUB_USERNAME"],
                CredentialType::Basic,
            ),
            (
                "x.example",
                &["my_username", "my_password"],
                CredentialType::Basic,
            ),
            (
                "123456789012.dkr.ecr.us-east-1.amazonaws.com",
                &["AWS_REGION"],
                CredentialType::Aws,
            ),
            ("gcr.io", &["SOMETHING"], CredentialType::Gcp),
            (
                "myreg.azurecr.io",
                &["AZURE_TENANT_ID"],
                CredentialType::Azure,
            ),
            ("nvcr.io", &["SOMETHING"], CredentialType::Token),
            (
                "secret-registry.example.com",
                &["SOMETHING"],
                CredentialType::Unknown,
            ),
            (
                "evil.example",
                &["AWS_ACCESS_KEY_ID"],
                CredentialType::Unknown,
            ),
        ];
        for (host, names, expected) in table {
            let mut keys = Keys::default();
            for name in *names {
                keys.insert(name, "x".into()).unwrap();
            }
            assert_eq!(
                detect(&Host::parse(host.as_bytes()).unwrap(), &keys),
                *expected,
                "{host} {names:?}"
            );
        }
    }
}
