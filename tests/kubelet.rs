//! The `kubelet` verb, and the `matchImages` that kubelet is to be given.

#![allow(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

mod common;

use beta9_credential::host::ServerUrl;
use beta9_credential::registry::{Registry, match_images};
use common::host_vectors;

/// Kubelet's rule, from its documentation: as many labels, each a glob of its own, the same port, and the path a prefix
/// (<https://kubernetes.io/docs/reference/config-api/kubelet-credentialprovider.v1/>). tests/real asks kubelet's own code.
fn kubelet_matches(pattern: &str, image: &str) -> bool {
    let split = |text: &'_ str| {
        let (authority, path) = text.split_once('/').unwrap_or((text, ""));
        let (name, port) = authority.split_once(':').unwrap_or((authority, ""));
        (name.to_owned(), port.to_owned(), format!("/{path}"))
    };
    let ((glob, glob_port, prefix), (name, port, path)) = (split(pattern), split(image));
    let (globs, labels): (Vec<_>, Vec<_>) = (glob.split('.').collect(), name.split('.').collect());
    let label = |glob: &str, label: &str| {
        let expression = regex::escape(glob).replace(r"\*", ".*");
        regex::Regex::new(&format!(r"\A{expression}\z")).unwrap().is_match(label)
    };
    globs.len() == labels.len()
        && globs.iter().zip(&labels).all(|(glob, one)| label(glob, one))
        && glob_port == port
        && path.starts_with(&prefix)
}

fn is_asked_about(image: &str) -> bool {
    match_images().iter().any(|pattern| kubelet_matches(pattern, image))
}

#[test]
fn kubelet_asks_about_every_host_of_a_cloud_and_of_docker_hub() {
    let mut classes = std::collections::BTreeSet::new();
    for (input, expected) in host_vectors() {
        let Ok(ServerUrl::Registry { host, .. }) = ServerUrl::parse(&input) else { continue };
        if !["aws", "gcp", "azure", "dockerhub"].contains(&expected.as_str()) {
            continue;
        }
        assert!(is_asked_about(&format!("{host}/team/app")), "{host}");
        classes.insert(expected);
    }
    assert_eq!(classes.len(), 4);
}

#[test]
fn every_pattern_is_of_a_registry_that_takes_credentials_and_matches_a_host_of_it() {
    for pattern in match_images() {
        let example = pattern.strip_prefix("*.dkr").map_or(pattern.clone(), |rest| format!("123456789012.dkr{rest}"));
        let host = beta9_credential::host::Host::parse(example.replace('*', "x").as_bytes()).unwrap();
        assert_ne!(Registry::of(&host).name, "generic", "{pattern}: {host}");
        assert!(is_asked_about(&format!("{}/team/app", example.replace('*', "x"))), "{pattern}");
    }
}
