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

/// What follows the comment at the top.
fn manifest(text: &str) -> &str {
    text.split_once("\napiVersion:").unwrap().1
}

#[test]
fn ranchers_nodes_get_the_same_pods_with_their_own_directory_and_name() {
    let pairs = [
        (
            include_str!("../packaging/kubernetes/install.yaml"),
            include_str!("../packaging/kubernetes/install-rancher.yaml"),
        ),
        (
            include_str!("../packaging/kubernetes/uninstall.yaml"),
            include_str!("../packaging/kubernetes/uninstall-rancher.yaml"),
        ),
    ];
    let env = "          env:\n            - {name: CONFIG_NAME, value: config.yaml}\n          resources:\n";
    for (plain, rancher) in pairs {
        let expected = manifest(plain)
            .replace(
                "{path: /opt/beta9,",
                "{path: /var/lib/rancher/credentialprovider,",
            )
            .replace("          resources:\n", env);
        assert_eq!(manifest(rancher), expected);
    }
}
