//! The table of registries: which registry a host belongs to, and which backends can log in to it. A new registry is
//! one row.

mod build;
mod choose;
mod clip;
mod detect;
mod match_images;
mod singles;
mod vendor;

use crate::backend::{Backend, User};
use crate::host::{Host, matches_name};

pub use build::{
    NOBODYS_PAIRS, Names, Unbuildable, build_key_names, build_names, build_sets, is_taken_by_builds,
};
pub use choose::{Choice, choose, provider_from_environment};
pub use clip::{Written, written};
pub use detect::{detect, detect_by_keys};
pub use match_images::match_images;
pub use singles::single_sets;
pub use vendor::bound_by_keys;

/// One row: a kind of registry, and its hosts.
#[derive(Debug)]
pub struct Registry {
    /// The name in `explain` and in a rule's `backend`.
    pub name: &'static str,
    /// The vendor's documentation for this row.
    pub docs: &'static str,
    hosts: &'static [&'static str],
    backends: &'static [Backend],
}

impl Registry {
    /// The row of a host. A vendor's registry is only on port 443: `gcr.io:8443` is another server.
    pub fn of(host: &Host) -> &'static Self {
        let vendor = |row: &&Self| {
            row.hosts
                .iter()
                .any(|pattern| matches_name(pattern, host.name()))
        };
        if host.port().is_some() {
            &GENERIC
        } else {
            TABLE.iter().find(vendor).unwrap_or(&GENERIC)
        }
    }

    /// The row with this name, for a rule's `backend`.
    pub fn named(name: &str) -> Option<&'static Self> {
        TABLE.iter().chain([&GENERIC]).find(|row| row.name == name)
    }

    /// All names for a rule's `backend`.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().chain([&GENERIC]).map(|row| row.name)
    }

    /// The ways to log in: the vendor's own, then the pair that every registry accepts.
    pub fn backends(&self) -> impl Iterator<Item = &'static Backend> {
        self.own().iter().chain(GENERIC.backends)
    }

    /// The ways to log in with keys that only this vendor has.
    fn own(&self) -> &'static [Backend] {
        if self.is_generic() {
            &[]
        } else {
            self.backends
        }
    }

    /// Whether this is the row for hosts of no known vendor.
    pub fn is_generic(&self) -> bool {
        self.name == GENERIC.name
    }

    /// Whether its vendor has keys that no other registry accepts.
    pub fn has_keys_of_its_own(&self) -> bool {
        !self.own().is_empty()
    }

    /// The patterns of its hosts, as `host::matches_name` reads them.
    pub fn hosts(&self) -> &'static [&'static str] {
        self.hosts
    }

    /// The hosts in the table without a wildcard.
    pub fn fixed_hosts() -> impl Iterator<Item = Host> {
        TABLE
            .iter()
            .flat_map(|row| row.hosts)
            .filter(|pattern| !pattern.contains(['*', '{']))
            .filter_map(|name| Host::parse(name.as_bytes()).ok())
    }

    /// Whether tokens are minted for it.
    pub fn is_cloud(&self) -> bool {
        self.cloud().is_some()
    }

    /// The backend that mints tokens for it.
    pub fn cloud(&self) -> Option<&'static Backend> {
        self.backends.iter().find(|backend| backend.is_cloud())
    }
}

const fn pair(user: &'static str, secret: &'static str) -> Backend {
    Backend::Fixed {
        user: User::Key(user),
        secret,
    }
}

const fn token(user: &'static str, secret: &'static str) -> Backend {
    Backend::Fixed {
        user: User::Literal(user),
        secret,
    }
}

/// In a pattern, `{account}` is 12 digits and `*` any part of one label (see `host::Pattern`).
#[rustfmt::skip]
const TABLE: &[Registry] = &[
    Registry {
        name: "aws",
        docs: "https://docs.aws.amazon.com/general/latest/gr/ecr.html",
        hosts: &[
            "{account}.dkr.ecr.*.amazonaws.com", "{account}.dkr.ecr-fips.*.amazonaws.com",
            "{account}.dkr.ecr.*.amazonaws.com.cn",
            "{account}.dkr-ecr.*.on.aws", "{account}.dkr-ecr-fips.*.on.aws",
            "{account}.dkr.ecr.*.on.amazonwebservices.com.cn", "{account}.dkr-ecr.*.on.amazonwebservices.com.cn",
            "{account}.dkr.ecr.*.amazonaws.eu", "{account}.dkr.ecr.*.c2s.ic.gov", "{account}.dkr.ecr.*.sc2s.sgov.gov",
            "{account}.dkr.ecr.*.cloud.adc-e.uk", "{account}.dkr.ecr.*.csp.hci.ic.gov",
            "public.ecr.aws", "ecr-public.aws.com",
        ],
        backends: &[Backend::Aws],
    },
    Registry {
        name: "gcp",
        docs: "https://docs.cloud.google.com/artifact-registry/docs/docker/authentication",
        hosts: &["gcr.io", "*.gcr.io", "*-docker.pkg.dev", "docker.*.rep.pkg.dev"],
        backends: &[Backend::Gcp],
    },
    Registry {
        name: "azure",
        docs: "https://learn.microsoft.com/azure/container-registry/container-registry-authentication",
        hosts: &["*.azurecr.io", "*.*.geo.azurecr.io", "*.azurecr.cn", "*.azurecr.us"],
        backends: &[Backend::Azure],
    },
    Registry {
        name: "dockerhub",
        docs: "https://docs.docker.com/security/access-tokens/",
        hosts: &["docker.io"],
        backends: &[
            pair("DOCKERHUB_USERNAME", "DOCKERHUB_TOKEN"), pair("DOCKERHUB_USERNAME", "DOCKERHUB_PASSWORD"),
            pair("DOCKER_USERNAME", "DOCKER_PASSWORD"),
        ],
    },
    Registry {
        name: "ghcr",
        docs: "https://docs.github.com/packages/working-with-a-github-packages-registry/working-with-the-container-registry",
        hosts: &["ghcr.io"],
        backends: &[pair("GITHUB_USERNAME", "GITHUB_TOKEN")],
    },
    Registry {
        name: "github-packages",
        docs: "https://docs.github.com/packages/working-with-a-github-packages-registry/working-with-the-docker-registry",
        hosts: &["docker.pkg.github.com"],
        backends: &[pair("GITHUB_USERNAME", "GITHUB_TOKEN")],
    },
    Registry {
        name: "ngc",
        docs: "https://docs.nvidia.com/ngc/gpu-cloud/ngc-user-guide/index.html",
        hosts: &["nvcr.io"],
        backends: &[token("$oauthtoken", "NGC_API_KEY")],
    },
    Registry {
        name: "quay",
        docs: "https://docs.quay.io/glossary/robot-accounts.html",
        hosts: &["quay.io"],
        backends: &[pair("QUAY_USERNAME", "QUAY_PASSWORD"), token("$oauthtoken", "QUAY_OAUTH_TOKEN")],
    },
    Registry {
        name: "gitlab",
        docs: "https://docs.gitlab.com/user/packages/container_registry/authenticate_with_container_registry/",
        hosts: &["registry.gitlab.com"],
        backends: &[
            pair("CI_DEPLOY_USER", "CI_DEPLOY_PASSWORD"), pair("GITLAB_USERNAME", "GITLAB_TOKEN"),
            token("gitlab-ci-token", "CI_JOB_TOKEN"),
        ],
    },
    Registry {
        name: "digitalocean",
        docs: "https://docs.digitalocean.com/products/container-registry/how-to/use-registry-docker-kubernetes/",
        hosts: &["registry.digitalocean.com"],
        backends: &[Backend::Fixed { user: User::Secret, secret: "DIGITALOCEAN_ACCESS_TOKEN" }],
    },
    Registry {
        name: "scaleway",
        docs: "https://www.scaleway.com/en/docs/container-registry/how-to/connect-docker-cli/",
        hosts: &["rg.*.scw.cloud"],
        backends: &[token("nologin", "SCW_SECRET_KEY")],
    },
    Registry {
        name: "ibm",
        docs: "https://cloud.ibm.com/docs/Registry?topic=Registry-registry_access",
        hosts: &["icr.io", "*.icr.io", "private.*.icr.io"],
        backends: &[token("iamapikey", "IBMCLOUD_API_KEY")],
    },
    Registry {
        name: "oracle",
        docs: "https://docs.oracle.com/en-us/iaas/Content/Registry/Tasks/registrypushingimagesusingthedockercli.htm",
        hosts: &["*.ocir.io", "ocir.*.oci.oraclecloud.com"],
        backends: &[pair("OCI_USERNAME", "OCI_AUTH_TOKEN")],
    },
    Registry {
        name: "redhat",
        docs: "https://access.redhat.com/articles/RegistryAuthentication",
        hosts: &["registry.redhat.io", "registry.connect.redhat.com"],
        backends: &[pair("REDHAT_USERNAME", "REDHAT_PASSWORD")],
    },
    Registry {
        name: "chainguard",
        docs: "https://edu.chainguard.dev/chainguard/chainguard-registry/authenticating",
        hosts: &["cgr.dev"],
        backends: &[pair("CHAINGUARD_USERNAME", "CHAINGUARD_PASSWORD")],
    },
    Registry {
        name: "jfrog",
        docs: "https://jfrog.com/help/r/jfrog-artifactory-documentation/docker-repositories",
        hosts: &["*.jfrog.io"],
        backends: &[pair("JFROG_USERNAME", "JFROG_ACCESS_TOKEN"), pair("JFROG_USERNAME", "JFROG_PASSWORD")],
    },
    Registry {
        name: "heroku",
        docs: "https://devcenter.heroku.com/articles/container-registry-and-runtime",
        hosts: &["registry.heroku.com"],
        backends: &[token("_", "HEROKU_API_KEY")],
    },
    Registry {
        name: "fly",
        docs: "https://fly.io/docs/blueprints/using-the-fly-docker-registry/",
        hosts: &["registry.fly.io"],
        backends: &[token("x", "FLY_API_TOKEN")],
    },
    Registry {
        name: "huggingface",
        docs: "https://huggingface.co/docs/hub/spaces-sdks-docker",
        hosts: &["registry.hf.space"],
        backends: &[pair("HF_USERNAME", "HF_TOKEN")],
    },
    Registry {
        name: "alibaba",
        docs: "https://www.alibabacloud.com/help/en/acr/user-guide/use-container-registry-personal-edition-instances-to-push-and-pull-images",
        hosts: &["registry.*.aliyuncs.com", "registry-*.*.aliyuncs.com", "*.*.cr.aliyuncs.com", "*.*.personal.cr.aliyuncs.com"],
        backends: &[pair("ALIBABA_CLOUD_CR_USERNAME", "ALIBABA_CLOUD_CR_PASSWORD")],
    },
    Registry {
        name: "tencent",
        docs: "https://www.tencentcloud.com/document/product/1051/35494",
        hosts: &["*.tencentcloudcr.com", "ccr.ccs.tencentyun.com", "*ccr.ccs.tencentyun.com"],
        backends: &[pair("TENCENT_TCR_USERNAME", "TENCENT_TCR_PASSWORD")],
    },
    // Registries that never require a credential. A stored one is returned all the same.
    Registry {
        name: "public",
        docs: "https://kubernetes.io/blog/2022/11/28/registry-k8s-io-faster-cheaper-ga/",
        hosts: &["registry.k8s.io", "mcr.microsoft.com"],
        backends: &[],
    },
];

/// Every other host. These pairs, with any prefix, work for every host in addition to its vendor's keys.
static GENERIC: Registry = Registry {
    name: "generic",
    docs: "https://distribution.github.io/distribution/about/configuration/#auth",
    hosts: &[],
    backends: &[pair("USERNAME", "PASSWORD")],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Keys;

    #[test]
    fn every_row_has_a_name_of_its_own_and_the_vendors_page() {
        let names: std::collections::BTreeSet<_> = Registry::names().collect();
        assert_eq!(names.len(), TABLE.len() + 1);
        assert!(TABLE.iter().all(|row| row.docs.starts_with("https://")));
    }

    #[test]
    fn half_of_a_vendors_pair_is_an_error() {
        for backend in TABLE.iter().flat_map(|row| row.backends) {
            let Backend::Fixed {
                user: User::Key(user),
                secret,
            } = backend
            else {
                continue;
            };
            for half in [user, secret] {
                let mut keys = Keys::default();
                keys.insert(half, "hunter2".into()).unwrap();
                assert!(
                    keys.check_pairs().is_err(),
                    "add (\"{user}\", \"{secret}\") to PAIRS in src/keys/pairs.rs"
                );
            }
        }
    }

    #[test]
    fn another_port_is_somebody_else() {
        for host in ["gcr.io:8443", "ghcr.io:5000", "docker.io:80"] {
            assert_eq!(
                Registry::of(&Host::parse(host.as_bytes()).unwrap()).name,
                "generic",
                "{host}"
            );
        }
    }
}
