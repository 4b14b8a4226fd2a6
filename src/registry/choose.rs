//! Chooses the keys of a secret for the host that it is bound to, and the backend.
//!
//! The binding decides where a user name and password go, whatever vendor the prefix names, because Beta9 stores Docker
//! Hub's pair for all registries without a known vendor. A single token or a cloud's keys never go to another vendor's
//! host.

use thiserror::Error;

use super::Registry;
use crate::backend::Backend;
use crate::credential::{Redacted, SECRET_FOR_USERNAME};
use crate::error::{self, Code, Fault, Meaning};
use crate::host::Host;
use crate::keys::{Keys, KeysError, UserPassword};
use crate::shown::{shown, shown_list};

/// A backend and the keys that it logs in with.
#[derive(Debug)]
pub struct Choice {
    /// The backend.
    pub backend: Backend,
    /// The keys.
    pub keys: Keys,
}

impl Choice {
    /// The user name for `list`; a placeholder if it is itself the secret.
    pub fn listed_username(&self) -> &str {
        self.backend
            .shown_username(&self.keys)
            .unwrap_or(SECRET_FOR_USERNAME)
    }
}

/// Chooses by host and keys, never by the recorded type. Without any keys, the registry is public: not found.
///
/// If there are several sets, the first of these is used: the pairs `REGISTRY_`, `DOCKER_` and without a prefix
/// (Beta9's own order), the vendor's own keys, the only remaining pair. It is an error if no set is complete or several
/// pairs remain: the secret is meant for this host, and an anonymous pull would hide the mistake.
pub fn choose(row: &'static Registry, host: &Host, keys: Keys) -> Result<Choice, error::Error> {
    let refused = |error: ChoiceError| error::Error::from(error).about(host.as_reference());
    if keys.is_empty() {
        let missing = |fault| refused(ChoiceError::Keys(fault));
        return Err(keys.fault().map_or(error::Error::NotFound, missing));
    }
    let pair = chosen(row, &keys).map_err(|error| refused(ChoiceError::ManyPairs(error)))?;
    // By the name in the secret.
    let is_used = |name: &str| pair.is_none_or(|pair| pair.has(name));
    let placeholder = keys.only(is_used).placeholder().map(str::to_owned);
    let choice = match pair.map(|pair| keys.of_pair(pair)) {
        Some(pair) => Choice {
            backend: backend_of(row.backends(), &pair),
            keys: pair,
        },
        None if let Some(backend) = row.own().iter().find(|backend| backend.fits(&keys)) => {
            Choice {
                backend: *backend,
                keys,
            }
        }
        None => {
            let half = keys.check_pairs().err().or_else(|| keys.fault());
            let foreign = || ChoiceError::WrongVendor {
                names: keys.names().map(str::to_owned).collect(),
                row,
            };
            return Err(refused(half.map_or_else(foreign, ChoiceError::Keys)));
        }
    };
    match placeholder {
        Some(key) => Err(refused(ChoiceError::Placeholder(key))),
        None => Ok(choice),
    }
}

/// The pair to use; `None` if the vendor's own keys or none are used.
fn chosen<'k>(row: &Registry, keys: &'k Keys) -> Result<Option<UserPassword<'k>>, KeysError> {
    let pairs: Vec<UserPassword> = keys.pairs().collect();
    // Upper case sorts before lower case, so the upper-case key is found first.
    let first = FIRST_PREFIXES
        .iter()
        .find_map(|prefix| pairs.iter().find(|pair| pair.has_prefix(prefix)));
    if let Some(pair) = first {
        return Ok(Some(*pair));
    }
    match pairs.as_slice() {
        _ if row.own().iter().any(|backend| backend.fits(keys)) => Ok(None),
        [] => Ok(None),
        [pair] => Ok(Some(*pair)),
        several => Err(KeysError::ManyPairs(
            several.iter().map(|pair| pair.user.to_owned()).collect(),
        )),
    }
}

/// The backend for a pair, which may be a service-account key to mint from.
fn backend_of(mut backends: impl Iterator<Item = &'static Backend>, pair: &Keys) -> Backend {
    *backends
        .find(|backend| backend.fits(pair))
        .expect("because the last one takes every pair")
}

/// The prefixes of the pairs with the highest precedence, in CLIP's order.
const FIRST_PREFIXES: [&str; 3] = ["REGISTRY_", "DOCKER_", ""];

/// Follows `CreateProviderFromEnv` in Beta9's Go code: the login for a host from named environment variables.
///
/// Unlike that, it does not need `AWS_REGION` (the host contains it), chooses by the host rather than by a substring of
/// the reference, and does not change the environment.
pub fn provider_from_environment<'a>(
    host: &Host,
    names: impl IntoIterator<Item = &'a str>,
    lookup: impl Fn(&str) -> Option<Redacted>,
) -> Result<Choice, error::Error> {
    let keys = Keys::from_environment(names, lookup).map_err(|error| {
        error::Error::from(ChoiceError::Environment(error)).about(host.as_reference())
    })?;
    choose(Registry::of(host), host, keys)
}

/// Why no backend can log in with a secret's keys.
#[derive(Debug, Error)]
enum ChoiceError {
    #[error("{0}")]
    Keys(KeysError),
    #[error("{0}")]
    ManyPairs(KeysError),
    #[error("it has {}, but this registry ({}) needs {}", shown_list(names), row.name, wanted(row))]
    WrongVendor {
        names: Vec<String>,
        row: &'static Registry,
    },
    #[error(
        "{} holds the placeholder that a Beta9 sandbox shows in place of a secret",
        shown(.0)
    )]
    Placeholder(String),
    /// A fault of the named variables.
    #[error("{0}")]
    Environment(KeysError),
}

impl Fault for ChoiceError {
    fn meaning(&self) -> Meaning {
        let of = |code| Meaning::new(code, "its secret");
        match self {
            Self::Keys(error) => of(error.code()).fix(error.fix()),
            Self::ManyPairs(error) => {
                of(error.code()).fix("leave the one pair that this registry takes")
            }
            Self::WrongVendor { .. } => {
                of(Code::SecretWrongVendor).fix("correct the keys in the secret")
            }
            Self::Placeholder(_) => of(Code::SecretInvalid).fix(
                "pull outside of the sandbox: Beta9 replaces placeholders in web requests only, not in a registry's login",
            ),
            Self::Environment(error) => Meaning::new(error.code(), "its credentials")
                .fix("export them, or leave the names out"),
        }
    }
}

fn wanted(row: &Registry) -> String {
    let wanted: Vec<_> = row.backends().map(Backend::wants).collect();
    wanted.join(", or ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::User;
    use crate::backend::tests::test_login;

    fn login(host: &str, pairs: &[(&str, &str)]) -> Result<(String, String), String> {
        let host = Host::parse(host.as_bytes()).unwrap();
        let mut keys = Keys::default();
        for (name, value) in pairs {
            keys.insert(name, (*value).into()).unwrap();
        }
        choose(Registry::of(&host), &host, keys)
            .and_then(|choice| {
                choice
                    .backend
                    .login(&test_login(host.as_str(), &choice.keys))
            })
            .map(|minted| minted.credential)
            .map(|credential| {
                (
                    credential.username().to_owned(),
                    credential.secret().expose().to_owned(),
                )
            })
            .map_err(|error| error.to_string())
    }

    #[test]
    fn keys_that_no_backend_takes_have_the_code_of_what_is_wrong_with_them() {
        let table: &[(&str, &[&str], Code)] = &[
            ("ghcr.io", &["GITHUB_USERNAME"], Code::SecretHalfPair),
            ("ghcr.io", &["NGC_API_KEY"], Code::SecretWrongVendor),
            (
                "harbor.example",
                &["A_USERNAME", "A_PASSWORD", "B_USERNAME", "B_PASSWORD"],
                Code::SecretInvalid,
            ),
            ("ghcr.io", &[], Code::CredentialNotFound),
        ];
        for (host, names, code) in table {
            let host = Host::parse(host.as_bytes()).unwrap();
            let mut keys = Keys::default();
            for name in *names {
                keys.insert(name, "x".into()).unwrap();
            }
            let error = choose(Registry::of(&host), &host, keys).unwrap_err();
            assert_eq!(error.code(), Some(*code), "{error}");
        }
    }

    #[test]
    fn each_vendor_takes_its_own_keys_under_its_own_user_name() {
        let table: &[(&str, &[(&str, &str)], &str)] = &[
            (
                "docker.io",
                &[("DOCKERHUB_USERNAME", "u"), ("DOCKERHUB_PASSWORD", "s")],
                "u",
            ),
            (
                "docker.io",
                &[
                    ("DOCKERHUB_USERNAME", "u"),
                    ("DOCKERHUB_TOKEN", "s"),
                    ("DOCKERHUB_PASSWORD", "old"),
                ],
                "u",
            ),
            (
                "docker.io",
                &[("DOCKER_USERNAME", "u"), ("DOCKER_PASSWORD", "s")],
                "u",
            ),
            (
                "ghcr.io",
                &[("GITHUB_USERNAME", "u"), ("GITHUB_TOKEN", "s")],
                "u",
            ),
            (
                "docker.pkg.github.com",
                &[("GITHUB_USERNAME", "u"), ("GITHUB_TOKEN", "s")],
                "u",
            ),
            ("nvcr.io", &[("NGC_API_KEY", "s")], "$oauthtoken"),
            (
                "quay.io",
                &[("QUAY_USERNAME", "o+robot"), ("QUAY_PASSWORD", "s")],
                "o+robot",
            ),
            ("quay.io", &[("QUAY_OAUTH_TOKEN", "s")], "$oauthtoken"),
            (
                "registry.gitlab.com",
                &[
                    ("CI_DEPLOY_USER", "gitlab+deploy-token-1"),
                    ("CI_DEPLOY_PASSWORD", "s"),
                ],
                "gitlab+deploy-token-1",
            ),
            (
                "registry.gitlab.com",
                &[("CI_JOB_TOKEN", "s")],
                "gitlab-ci-token",
            ),
            (
                "registry.gitlab.com",
                &[("GITLAB_USERNAME", "u"), ("GITLAB_TOKEN", "s")],
                "u",
            ),
            (
                "registry.digitalocean.com",
                &[("DIGITALOCEAN_ACCESS_TOKEN", "s")],
                "s",
            ),
            ("rg.fr-par.scw.cloud", &[("SCW_SECRET_KEY", "s")], "nologin"),
            ("icr.io", &[("IBMCLOUD_API_KEY", "s")], "iamapikey"),
            ("us.icr.io", &[("IBMCLOUD_API_KEY", "s")], "iamapikey"),
            (
                "private.us.icr.io",
                &[("IBMCLOUD_API_KEY", "s")],
                "iamapikey",
            ),
            (
                "fra.ocir.io",
                &[("OCI_USERNAME", "ns/u"), ("OCI_AUTH_TOKEN", "s")],
                "ns/u",
            ),
            (
                "ocir.us-phoenix-1.oci.oraclecloud.com",
                &[("OCI_USERNAME", "ns/u"), ("OCI_AUTH_TOKEN", "s")],
                "ns/u",
            ),
            (
                "registry.redhat.io",
                &[("REDHAT_USERNAME", "1|sa"), ("REDHAT_PASSWORD", "s")],
                "1|sa",
            ),
            (
                "cgr.dev",
                &[("CHAINGUARD_USERNAME", "u"), ("CHAINGUARD_PASSWORD", "s")],
                "u",
            ),
            (
                "acme.jfrog.io",
                &[("JFROG_USERNAME", "u"), ("JFROG_ACCESS_TOKEN", "s")],
                "u",
            ),
            ("registry.heroku.com", &[("HEROKU_API_KEY", "s")], "_"),
            ("registry.fly.io", &[("FLY_API_TOKEN", "s")], "x"),
            (
                "registry.hf.space",
                &[("HF_USERNAME", "u"), ("HF_TOKEN", "s")],
                "u",
            ),
            (
                "registry.cn-hangzhou.aliyuncs.com",
                &[
                    ("ALIBABA_CLOUD_CR_USERNAME", "u"),
                    ("ALIBABA_CLOUD_CR_PASSWORD", "s"),
                ],
                "u",
            ),
            (
                "acme-registry.cn-hangzhou.cr.aliyuncs.com",
                &[
                    ("ALIBABA_CLOUD_CR_USERNAME", "u"),
                    ("ALIBABA_CLOUD_CR_PASSWORD", "s"),
                ],
                "u",
            ),
            (
                "acme.tencentcloudcr.com",
                &[("TENCENT_TCR_USERNAME", "u"), ("TENCENT_TCR_PASSWORD", "s")],
                "u",
            ),
            (
                "hkccr.ccs.tencentyun.com",
                &[("TENCENT_TCR_USERNAME", "u"), ("TENCENT_TCR_PASSWORD", "s")],
                "u",
            ),
        ];
        for (host, keys, user) in table {
            assert_eq!(
                login(host, keys),
                Ok(((*user).to_owned(), "s".to_owned())),
                "{host} {keys:?}"
            );
        }
    }

    #[test]
    fn every_host_of_a_row_takes_the_rows_keys() {
        for row in super::super::TABLE {
            for backend in row.backends {
                let Backend::Fixed { user, secret } = *backend else {
                    continue;
                };
                let (keys, user) = match user {
                    User::Key(key) => (vec![(key, "u"), (secret, "s")], "u"),
                    User::Literal(word) => (vec![(secret, "s")], word),
                    User::Secret => (vec![(secret, "s")], "s"),
                };
                for pattern in row.hosts {
                    let host = pattern.replace('*', "x1");
                    let expected = Ok((user.to_owned(), "s".to_owned()));
                    assert_eq!(login(&host, &keys), expected, "{host} {keys:?}");
                }
            }
        }
    }

    #[test]
    fn a_plain_pair_is_taken_by_every_registry() {
        for row in super::super::TABLE {
            let host = row.hosts[0]
                .replace("{account}", "123456789012")
                .replace('*', "x1");
            assert_eq!(
                login(&host, &[("USERNAME", "u"), ("PASSWORD", "s")]),
                Ok(("u".into(), "s".into())),
                "{host}"
            );
            assert_eq!(
                login(
                    &host,
                    &[("REGISTRY_USERNAME", "u"), ("REGISTRY_PASSWORD", "s")]
                ),
                Ok(("u".into(), "s".into()))
            );
        }
    }

    #[test]
    fn a_token_never_goes_to_another_vendors_host() {
        for (host, key) in [
            ("ghcr.io", "NGC_API_KEY"),
            ("evil.example", "NGC_API_KEY"),
            ("nvcr.io:8443", "NGC_API_KEY"),
            ("quay.io", "CI_JOB_TOKEN"),
            ("evilgcr.io", "GCP_ACCESS_TOKEN"),
        ] {
            let error = login(host, &[(key, "hunter2")]).unwrap_err();
            assert!(
                error.starts_with(&format!(
                    "{host}: its secret: it has {key}, but this registry"
                )),
                "{error}"
            );
            assert!(!error.contains("hunter2"));
        }
    }

    #[test]
    fn half_a_pair_is_an_error_that_names_both_keys() {
        let error = login("ghcr.io", &[("GITHUB_TOKEN", "s")]).unwrap_err();
        assert_eq!(
            error,
            "ghcr.io: its secret: GITHUB_TOKEN is set without GITHUB_USERNAME; set both or neither; correct the keys in the secret"
        );
        assert_eq!(
            login(
                "ghcr.io",
                &[("GITHUB_TOKEN", "x"), ("USERNAME", "u"), ("PASSWORD", "s")]
            ),
            Ok(("u".into(), "s".into()))
        );
    }

    #[test]
    fn a_placeholder_is_an_error_only_if_its_key_would_be_used() {
        let hidden = "beam_secret_hunter2";
        for (pair, name) in [
            (
                [("HARBOR_USERNAME", "u"), ("HARBOR_PASSWORD", hidden)],
                "HARBOR_PASSWORD",
            ),
            ([("username", hidden), ("password", "s")], "username"),
            (
                [("GITHUB_USERNAME", "u"), ("GITHUB_TOKEN", hidden)],
                "GITHUB_TOKEN",
            ),
        ] {
            let error = login("ghcr.io", &pair).unwrap_err();
            let expected = format!("ghcr.io: its secret: {name} holds the placeholder ");
            assert!(
                error.starts_with(&expected) && !error.contains("hunter2"),
                "{error}"
            );
        }
        let other = [
            ("USERNAME", "u"),
            ("PASSWORD", "s"),
            ("NGC_API_KEY", hidden),
        ];
        assert_eq!(login("ghcr.io", &other), Ok(("u".into(), "s".into())));
    }

    #[test]
    fn a_vendors_pair_in_lower_case_is_whole_and_the_names_that_it_needs_are_said() {
        let error = login(
            "ghcr.io",
            &[("github_username", "u"), ("github_token", "hunter2")],
        );
        assert_eq!(
            error.unwrap_err(),
            "ghcr.io: its secret: it has github_token, github_username, but this registry (ghcr) needs \
             GITHUB_USERNAME and GITHUB_TOKEN, or USERNAME and PASSWORD; correct the keys in the secret"
        );
        let half = login("ghcr.io", &[("github_token", "hunter2")]).unwrap_err();
        assert!(
            half.contains("github_token is set without GITHUB_USERNAME"),
            "{half}"
        );
    }

    #[test]
    fn no_keys_at_all_are_a_public_registry() {
        assert_eq!(login("ghcr.io", &[]).unwrap_err(), crate::error::NOT_FOUND);
    }

    #[test]
    fn the_login_from_named_variables_needs_no_region_and_goes_by_the_host() {
        let lookup = |name: &str| (name != "UNSET").then(|| format!("value of {name}").into());
        let choose = |host: &str, names: &[&str]| {
            let host = Host::parse(host.as_bytes()).unwrap();
            provider_from_environment(&host, names.iter().copied(), lookup)
                .map_err(|error| error.to_string())
        };
        let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
        let choice = choose("123456789012.dkr.ecr.us-east-1.amazonaws.com", &keys).unwrap();
        assert_eq!(
            (choice.backend.name(), choice.listed_username()),
            ("aws", "AWS")
        );
        assert!(
            choose("evil.example", &keys)
                .unwrap_err()
                .contains("but this registry (generic) needs USERNAME and PASSWORD")
        );
        let choice = choose("ghcr.io", &["GITHUB_USERNAME", "GITHUB_TOKEN"]).unwrap();
        assert_eq!(
            (choice.backend.name(), choice.listed_username()),
            ("fixed", "value of GITHUB_USERNAME")
        );
        let unset = "ghcr.io: its credentials: UNSET is unset or empty in the environment; export them, or leave the names out";
        assert_eq!(choose("ghcr.io", &["UNSET"]).unwrap_err(), unset);
        assert_eq!(choose("ghcr.io", &[]).unwrap_err(), crate::error::NOT_FOUND);
    }
}
