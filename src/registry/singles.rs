//! Converts a registry's secret to the single secrets that a build reads, for `migrate --to-names`.

use super::{Registry, build_sets, choose};
use crate::error::Error;
use crate::host::Host;
use crate::keys::Keys;

/// The alternative sets of single secrets with the login of these keys, the preferred one first; or why there is none.
///
/// A build reads Docker Hub's names for other registries too. They are not used here, because Docker Hub uses a pair
/// with these names without being named, so another registry's password would be sent to it.
pub fn single_sets(host: &Host, keys: &Keys) -> Result<Vec<Keys>, String> {
    let choice = choose(Registry::of(host), host, keys.clone()).map_err(|error| match error {
        Error::NotFound => "it has no keys: the registry is public".to_owned(),
        Error::Failed(problem) | Error::Unreachable(problem) => problem.words().1,
        other => other.to_string(),
    })?;
    let sets = build_sets(host, &choice).map_err(|error| error.to_string())?;
    let sets = sets.into_iter().map(|set| {
        set.into_iter()
            .fold(Keys::default(), |keys, (name, value)| {
                keys.with(name, value)
            })
    });
    Ok(sets
        .filter(|set| host.is_docker_hub() || !set.has("DOCKERHUB_USERNAME"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(host: &str, pairs: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let mut keys = Keys::default();
        for (name, value) in pairs {
            keys.insert(name, (*value).into()).unwrap();
        }
        let sets = single_sets(&Host::parse(host.as_bytes()).unwrap(), &keys)?;
        let shown = |set: &Keys| -> Vec<String> {
            set.names()
                .map(|name| format!("{name}={}", set.get(name).unwrap().expose()))
                .collect()
        };
        Ok(sets.iter().map(|set| shown(set).join(" ")).collect())
    }

    #[test]
    fn a_credential_has_the_names_that_a_build_takes_for_its_registry() {
        let ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        let aws = [
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "b"),
            ("AWS_REGION", "wrong"),
        ];
        let plain = [("USERNAME", "u"), ("PASSWORD", "p")];
        let google = [("USERNAME", "oauth2accesstoken"), ("PASSWORD", "t")];
        let table: &[(&str, &[(&str, &str)], &[&str])] = &[
            (
                "ghcr.io",
                &[("GITHUB_USERNAME", "u"), ("GITHUB_TOKEN", "t")],
                &["GITHUB_TOKEN=t GITHUB_USERNAME=u"],
            ),
            ("ghcr.io", &plain, &["GITHUB_TOKEN=p GITHUB_USERNAME=u"]),
            (
                "docker.io",
                &[("DOCKERHUB_USERNAME", "u"), ("DOCKERHUB_TOKEN", "p")],
                &[
                    "DOCKERHUB_PASSWORD=p DOCKERHUB_USERNAME=u",
                    "REGISTRY_PASSWORD=p REGISTRY_USERNAME=u",
                    "PASSWORD=p USERNAME=u",
                ],
            ),
            (
                "harbor.example",
                &[("DOCKERHUB_USERNAME", "u"), ("DOCKERHUB_PASSWORD", "p")],
                &[
                    "REGISTRY_PASSWORD=p REGISTRY_USERNAME=u",
                    "PASSWORD=p USERNAME=u",
                ],
            ),
            (
                "myreg.azurecr.io",
                &plain,
                &[
                    "REGISTRY_PASSWORD=p REGISTRY_USERNAME=u",
                    "PASSWORD=p USERNAME=u",
                ],
            ),
            (
                "registry.digitalocean.com",
                &[("DIGITALOCEAN_ACCESS_TOKEN", "t")],
                &[
                    "REGISTRY_PASSWORD=t REGISTRY_USERNAME=t",
                    "PASSWORD=t USERNAME=t",
                ],
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
            ("us-docker.pkg.dev", &google, &["GCP_ACCESS_TOKEN=t"]),
            (
                ecr,
                &aws,
                &["AWS_ACCESS_KEY_ID=a AWS_REGION=eu-west-1 AWS_SECRET_ACCESS_KEY=b"],
            ),
        ];
        for (host, keys, expected) in table {
            assert_eq!(
                names(host, keys),
                Ok(expected.iter().map(|&set| set.to_owned()).collect()),
                "{host} {keys:?}"
            );
        }
    }

    #[test]
    fn what_no_build_takes_is_said_with_the_reason() {
        let ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        let plain = [("USERNAME", "u"), ("PASSWORD", "hunter2")];
        let aws = [
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ];
        let azure = [
            ("AZURE_CLIENT_ID", "a"),
            ("AZURE_CLIENT_SECRET", "hunter2"),
            ("AZURE_TENANT_ID", "c"),
        ];
        let table: &[(&str, &[(&str, &str)], &str)] = &[
            (
                "myreg.azurecr.io",
                &azure,
                "needs a user name and a password",
            ),
            (
                "gcr.io",
                &[("GOOGLE_APPLICATION_CREDENTIALS", "hunter2")],
                "needs GCP_ACCESS_TOKEN",
            ),
            (
                "gcr.io",
                &[("USERNAME", "_json_key"), ("PASSWORD", "hunter2")],
                "needs GCP_ACCESS_TOKEN",
            ),
            ("gcr.io", &plain, "needs GCP_ACCESS_TOKEN"),
            ("nvcr.io", &plain, "needs NGC_API_KEY"),
            (ecr, &plain, "needs AWS_ACCESS_KEY_ID"),
            ("public.ecr.aws", &aws, "needs a user name and a password"),
            (
                "123456789012.dkr-ecr.eu-west-1.on.aws",
                &aws,
                "needs a user name and a password",
            ),
            (
                "ghcr.io:5000",
                &plain,
                "for another registry (ghcr), by its name",
            ),
            (
                "ghcr.io.example",
                &plain,
                "for another registry (ghcr), by its name",
            ),
            (
                "myamazonaws.com",
                &plain,
                "for another registry (aws), by its name",
            ),
            (
                "ghcr.io",
                &[("NGC_API_KEY", "hunter2")],
                "it has NGC_API_KEY, but this registry (ghcr) needs",
            ),
            (
                "ghcr.io",
                &[("GITHUB_TOKEN", "hunter2")],
                "GITHUB_TOKEN is set without GITHUB_USERNAME",
            ),
            ("ghcr.io", &[], "it has no keys"),
        ];
        for (host, keys, why) in table {
            let error = names(host, keys).unwrap_err();
            assert!(
                error.contains(why) && !error.contains("hunter2"),
                "{host}: {error}"
            );
        }
    }
}
