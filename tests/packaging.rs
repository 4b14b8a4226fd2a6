//! The files in packaging/ that say what the code says.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

use beta9_credential::registry::match_images;

const PROVIDER: &str = include_str!("../packaging/kubernetes/credential-provider.yaml");

#[test]
fn kubelets_configuration_names_every_image_that_the_helper_answers_for() {
    let (head, rest) = PROVIDER.split_once("    matchImages:\n").unwrap();
    let listed = rest
        .split_inclusive('\n')
        .take_while(|line| line.starts_with("      - "));
    let listed: String = listed.collect();
    let wanted: Vec<_> = match_images()
        .iter()
        .map(|image| format!("      - \"{image}\"\n"))
        .collect();
    let wanted = wanted.concat();
    let tail = rest.strip_prefix(&listed).unwrap();
    assert!(
        listed == wanted,
        "packaging/kubernetes/credential-provider.yaml should be:\n\n{head}    matchImages:\n{wanted}{tail}"
    );
}
