//! The single workspace secrets that a Beta9 build reads for a registry. It ignores all other names.
//!
//! A build chooses by a substring of the image's name (`pkg/registry/credentials.go` in the beta9 repository). CLIP,
//! which pulls the image later, reads all of these too.

use thiserror::Error;

use super::{Choice, Registry};
use crate::backend::{Backend, GCP_KEYS, GCP_USER, ecr_region};
use crate::credential::Redacted;
use crate::error::{Code, Fault, Meaning};
use crate::host::Host;

/// Single secrets that belong together: names and values.
pub type Names = Vec<(&'static str, Redacted)>;

/// Why no secrets exist that a build would read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Unbuildable {
    /// The workspace has different values under all of these names.
    #[error("there are other values under every name that a Beta9 build takes: {}", .0.join(", "))]
    Taken(Vec<&'static str>),
    /// A build needs this, which must be minted from the keys first.
    #[error("a Beta9 build needs {what}, and these keys are not that")]
    Needs {
        /// The keys, in words.
        what: &'static str,
        /// The registry.
        host: Host,
    },
    /// A build mistakes the host for this vendor's registry, because of its name.
    #[error("a Beta9 build takes it for another registry ({0}), by its name")]
    Mistaken(&'static str),
}

/// The single secrets with which a build and CLIP log in like `choice`: the first set of names under which the
/// workspace has no other values. `taken` returns the workspace's value of a name.
pub fn build_names(
    host: &Host,
    choice: &Choice,
    taken: &dyn Fn(&str) -> Option<Redacted>,
) -> Result<Names, Unbuildable> {
    let is_free = |set: &Names| {
        set.iter()
            .all(|(name, value)| taken(name).is_none_or(|there| there == *value))
    };
    let sets = build_sets(host, choice)?;
    let names = sets.iter().flatten().map(|(name, _)| *name).collect();
    sets.into_iter()
        .find(is_free)
        .ok_or(Unbuildable::Taken(names))
}

/// The alternative sets of single secrets that a build reads for this registry, with the values of `choice`; the
/// preferred one first.
pub fn build_sets(host: &Host, choice: &Choice) -> Result<Vec<Names>, Unbuildable> {
    let takes = match by_name(host) {
        Some((_, vendor, _)) if *vendor != Registry::of(host).name => {
            return Err(Unbuildable::Mistaken(vendor));
        }
        _ => takes(host),
    };
    let needs = Unbuildable::Needs {
        what: takes.words(),
        host: host.clone(),
    };
    match (takes, choice.backend.plain(&choice.keys)) {
        (Takes::Aws, _) => Ok(vec![aws(host, choice).ok_or(needs)?]),
        (Takes::Token { user, name }, Some((username, secret))) if username == user => {
            Ok(vec![vec![(name, secret.clone())]])
        }
        (Takes::Pair(pairs), Some((username, secret))) => {
            let set = |(user, password)| vec![(user, username.into()), (password, secret.clone())];
            Ok(pairs.iter().copied().map(set).collect())
        }
        _ => Err(needs),
    }
}

/// Whether a build reads a key of this name for this registry, even if it then refuses the value.
pub fn is_taken_by_builds(host: &Host, name: &str) -> bool {
    match takes(host) {
        Takes::Aws => name.starts_with("AWS_"),
        _ => build_key_names(host).contains(&name),
    }
}

/// Every name that a build reads for this registry.
pub fn build_key_names(host: &Host) -> Vec<&'static str> {
    match takes(host) {
        Takes::Aws => vec![
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            REGION,
            "AWS_SESSION_TOKEN",
        ],
        Takes::Token { name, .. } => vec![name],
        Takes::Pair(pairs) => pairs
            .iter()
            .flat_map(|(user, password)| [*user, *password])
            .collect(),
    }
}

/// Both keys and the region. `None` for a role, which neither a build nor CLIP can assume.
fn aws(host: &Host, choice: &Choice) -> Option<Names> {
    let keys = &choice.keys;
    if !matches!(choice.backend, Backend::Aws) || keys.has("AWS_ROLE_ARN") {
        return None;
    }
    let key = |name| keys.get(name).map(|value| (name, value.clone()));
    let region = ecr_region(host)
        .map(|region| (REGION, region.into()))
        .or_else(|| key(REGION))?;
    let needed = [
        key("AWS_ACCESS_KEY_ID")?,
        key("AWS_SECRET_ACCESS_KEY")?,
        region,
    ];
    Some(needed.into_iter().chain(key("AWS_SESSION_TOKEN")).collect())
}

impl Fault for Unbuildable {
    fn meaning(&self) -> Meaning {
        let of = |code| Meaning::new(code, "the workspace's secrets");
        match self {
            Self::Taken(_) => of(Code::StoreConflict)
                .fix("delete those that are no longer needed with: beta9 secret delete NAME"),
            Self::Needs { host, .. } => of(Code::SecretInvalid).fix(format!(
                "keep these keys in the control plane, and run there: docker-credential-beta9 publish {host}"
            )),
            Self::Mistaken(_) => of(Code::SecretWrongVendor)
                .fix("give the registry a name without that in it"),
        }
    }
}

/// What a build logs in with.
#[derive(Clone, Copy)]
enum Takes {
    /// Both keys and the region.
    Aws,
    /// A token, with this user name.
    Token {
        user: &'static str,
        name: &'static str,
    },
    /// A user name and a password, under any of these pairs of names.
    Pair(&'static [(&'static str, &'static str)]),
}

impl Takes {
    fn words(self) -> &'static str {
        match self {
            Self::Aws => "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION",
            Self::Token { name, .. } => name,
            Self::Pair(_) => "a user name and a password",
        }
    }
}

fn takes(host: &Host) -> Takes {
    match by_name(host) {
        Some((_, _, takes)) => *takes,
        None if host.is_docker_hub() => Takes::Pair(&[DOCKERHUB, REGISTRY, PLAIN]),
        // Docker Hub's pair comes last, because it is used for docker.io without being named.
        None => Takes::Pair(&[REGISTRY, PLAIN, DOCKERHUB]),
    }
}

/// The vendor that a build recognises: it looks for these words anywhere in the image's name, in this order.
fn by_name(host: &Host) -> Option<&'static ByName> {
    BY_NAME
        .iter()
        .find(|(part, ..)| host.as_str().contains(part))
}

/// The word that a build looks for, the registry that it assumes, and the secrets that it then reads.
type ByName = (&'static str, &'static str, Takes);

const GOOGLE: Takes = Takes::Token {
    user: GCP_USER,
    name: GCP_KEYS[0],
};
const BY_NAME: [ByName; 5] = [
    ("amazonaws.com", "aws", Takes::Aws),
    ("pkg.dev", "gcp", GOOGLE),
    ("gcr.io", "gcp", GOOGLE),
    (
        "nvcr.io",
        "ngc",
        Takes::Token {
            user: "$oauthtoken",
            name: "NGC_API_KEY",
        },
    ),
    (
        "ghcr.io",
        "ghcr",
        Takes::Pair(&[("GITHUB_USERNAME", "GITHUB_TOKEN")]),
    ),
];
const DOCKERHUB: (&str, &str) = ("DOCKERHUB_USERNAME", "DOCKERHUB_PASSWORD");
/// The pairs that no vendor's registry uses without being named.
pub const NOBODYS_PAIRS: [(&str, &str); 2] = [REGISTRY, PLAIN];
const REGISTRY: (&str, &str) = ("REGISTRY_USERNAME", "REGISTRY_PASSWORD");
const PLAIN: (&str, &str) = ("USERNAME", "PASSWORD");
const REGION: &str = "AWS_REGION";

#[cfg(test)]
mod tests {
    use super::super::{Registry, choose};
    use super::*;
    use crate::backend::tests::test_keys;

    const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    const AWS: [(&str, &str); 2] = [
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
    ];

    /// `NAME=value` of the secrets that would be written to this workspace.
    fn names(
        host: &str,
        keys: &[(&str, &str)],
        workspace: &[(&str, &str)],
    ) -> Result<Vec<String>, Unbuildable> {
        let host = Host::parse(host.as_bytes()).unwrap();
        let choice = choose(Registry::of(&host), &host, test_keys(keys)).unwrap();
        let there = test_keys(workspace);
        let names = build_names(&host, &choice, &|name| there.get(name).cloned())?;
        Ok(names
            .into_iter()
            .map(|(name, value)| format!("{name}={}", value.expose()))
            .collect())
    }

    #[test]
    fn every_vendors_login_goes_under_names_that_a_build_takes() {
        let pair = [("USERNAME", "u"), ("PASSWORD", "p")];
        let table: &[(&str, &[(&str, &str)], &[&str])] = &[
            (
                "ghcr.io",
                &[("GITHUB_USERNAME", "u"), ("GITHUB_TOKEN", "t")],
                &["GITHUB_USERNAME=u", "GITHUB_TOKEN=t"],
            ),
            ("ghcr.io", &pair, &["GITHUB_USERNAME=u", "GITHUB_TOKEN=p"]),
            (
                "docker.pkg.github.com",
                &[("GITHUB_USERNAME", "u"), ("GITHUB_TOKEN", "t")],
                &["REGISTRY_USERNAME=u", "REGISTRY_PASSWORD=t"],
            ),
            (
                "docker.io",
                &[("DOCKERHUB_USERNAME", "u"), ("DOCKERHUB_TOKEN", "t")],
                &["DOCKERHUB_USERNAME=u", "DOCKERHUB_PASSWORD=t"],
            ),
            (
                "quay.io",
                &[("QUAY_OAUTH_TOKEN", "t")],
                &["REGISTRY_USERNAME=$oauthtoken", "REGISTRY_PASSWORD=t"],
            ),
            (
                "registry.digitalocean.com",
                &[("DIGITALOCEAN_ACCESS_TOKEN", "t")],
                &["REGISTRY_USERNAME=t", "REGISTRY_PASSWORD=t"],
            ),
            (
                "myreg.azurecr.io",
                &pair,
                &["REGISTRY_USERNAME=u", "REGISTRY_PASSWORD=p"],
            ),
            ("nvcr.io", &[("NGC_API_KEY", "k")], &["NGC_API_KEY=k"]),
            (
                "nvcr.io",
                &[("USERNAME", "$oauthtoken"), ("PASSWORD", "k")],
                &["NGC_API_KEY=k"],
            ),
            (
                "gcr.io",
                &[("GCP_ACCESS_TOKEN", "t")],
                &["GCP_ACCESS_TOKEN=t"],
            ),
            (
                "eu-docker.pkg.dev",
                &[("USERNAME", "oauth2accesstoken"), ("PASSWORD", "t")],
                &["GCP_ACCESS_TOKEN=t"],
            ),
            (
                ECR,
                &AWS,
                &[
                    "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
                    "AWS_SECRET_ACCESS_KEY=s",
                    "AWS_REGION=eu-west-1",
                ],
            ),
            (
                "public.ecr.aws",
                &pair,
                &["REGISTRY_USERNAME=u", "REGISTRY_PASSWORD=p"],
            ),
        ];
        for (host, keys, expected) in table {
            assert_eq!(
                names(host, keys, &[]).unwrap(),
                *expected,
                "{host} {keys:?}"
            );
        }
    }

    #[test]
    fn what_has_to_be_minted_first_is_refused() {
        let role = [
            AWS[0],
            AWS[1],
            ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r"),
        ];
        let azure = [
            ("AZURE_CLIENT_ID", "a"),
            ("AZURE_CLIENT_SECRET", "b"),
            ("AZURE_TENANT_ID", "c"),
        ];
        let table: &[(&str, &[(&str, &str)])] = &[
            ("gcr.io", &[("GOOGLE_APPLICATION_CREDENTIALS", "{}")]),
            ("gcr.io", &[("USERNAME", "_json_key"), ("PASSWORD", "{}")]),
            ("gcr.io", &[("USERNAME", "u"), ("PASSWORD", "p")]),
            ("nvcr.io", &[("USERNAME", "u"), ("PASSWORD", "p")]),
            ("myreg.azurecr.io", &azure),
            (ECR, &role),
            (ECR, &[("USERNAME", "AWS"), ("PASSWORD", "p")]),
            ("public.ecr.aws", &AWS),
        ];
        for (host, keys) in table {
            assert!(
                matches!(names(host, keys, &[]), Err(Unbuildable::Needs { .. })),
                "{host} {keys:?}"
            );
        }
        for (host, vendor) in [
            ("ghcr.io:5000", "ghcr"),
            ("ghcr.io.example", "ghcr"),
            ("myamazonaws.com", "aws"),
        ] {
            let pair = [("USERNAME", "u"), ("PASSWORD", "p")];
            assert_eq!(
                names(host, &pair, &[]),
                Err(Unbuildable::Mistaken(vendor)),
                "{host}"
            );
        }
    }

    #[test]
    fn a_name_with_another_value_is_left_alone_and_the_next_prefix_is_taken() {
        let quay = [("QUAY_USERNAME", "u"), ("QUAY_PASSWORD", "p")];
        let registry = [("REGISTRY_USERNAME", "x"), ("REGISTRY_PASSWORD", "y")];
        let half = [registry[0], ("PASSWORD", "other")];
        let all = [
            registry[0],
            registry[1],
            ("USERNAME", "z"),
            ("PASSWORD", "z"),
            ("DOCKERHUB_USERNAME", "z"),
        ];
        let table: &[(&[(&str, &str)], &str)] = &[
            (&[], "REGISTRY_USERNAME=u"),
            (
                &[("REGISTRY_USERNAME", "u"), ("REGISTRY_PASSWORD", "p")],
                "REGISTRY_USERNAME=u",
            ),
            (&[("REGISTRY_USERNAME", "u")], "REGISTRY_USERNAME=u"),
            (
                &[("REGISTRY_USERNAME", "u"), ("REGISTRY_PASSWORD", "old")],
                "USERNAME=u",
            ),
            (&registry, "USERNAME=u"),
            (&half, "DOCKERHUB_USERNAME=u"),
        ];
        for (workspace, first) in table {
            assert_eq!(
                names("quay.io", &quay, workspace).unwrap()[0],
                *first,
                "{workspace:?}"
            );
        }
        let error = names("quay.io", &quay, &all).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there are other values under every name that a Beta9 build takes: REGISTRY_USERNAME, REGISTRY_PASSWORD, USERNAME, PASSWORD, DOCKERHUB_USERNAME, DOCKERHUB_PASSWORD"
        );
        let github = [("GITHUB_USERNAME", "u"), ("GITHUB_TOKEN", "t")];
        assert!(matches!(
            names("ghcr.io", &github, &[("GITHUB_TOKEN", "old")]),
            Err(Unbuildable::Taken(_))
        ));
    }
}
