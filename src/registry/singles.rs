//! The single workspace secrets under which a build of Beta9 takes a registry's credential.
//!
//! A build looks at the registry's name: for GHCR it takes `GITHUB_`'s pair, for NVIDIA `NGC_API_KEY`, for Google
//! `GCP_ACCESS_TOKEN`, for ECR both keys and the region, and for every other registry a pair of one of three prefixes. What
//! is given under other names it ignores, silently.

use super::{Registry, choose};
use crate::backend::Backend;
use crate::credential::Redacted;
use crate::error::Error;
use crate::host::Host;
use crate::keys::Keys;

/// The sets of single secrets, any one of which holds what these keys log in with, those to prefer first; or why there is
/// none.
pub fn single_sets(host: &Host, keys: &Keys) -> Result<Vec<Keys>, String> {
    let row = Registry::of(host);
    let choice = choose(row, host, keys.clone()).map_err(|error| match error {
        Error::NotFound => "it has no keys: the registry is public".to_owned(),
        Error::Failed(problem) | Error::Unreachable(problem) => problem.words().1,
        other => other.to_string(),
    })?;
    let taken_for = BUILDS.iter().find(|(part, _)| host.as_str().contains(part)).map(|(_, vendor)| *vendor);
    let pair = |prefix: &str, user: &str, password: Redacted| {
        set([(format!("{prefix}USERNAME"), user.into()), (format!("{prefix}PASSWORD"), password)])
    };
    let alone = |name: &str, value: Redacted| set([(name.to_owned(), value)]).map(|keys| vec![keys]);
    let secret = match choice.backend {
        Backend::Fixed { secret, .. } => choice.keys.get(secret).cloned().unwrap_or_default(),
        _ => Redacted::default(),
    };
    let user = choice.backend.username(&choice.keys);
    match (taken_for, choice.backend) {
        (Some(vendor), _) if vendor != row.name => {
            Err(format!("a build takes {host} for another registry ({vendor}), by its name"))
        }
        (Some("aws"), Backend::Aws) => aws(host, &choice.keys).map(|keys| vec![keys]),
        (Some("gcp"), Backend::Gcp) => match choice.keys.get(GCP_TOKEN) {
            Some(token) => alone(GCP_TOKEN, token.clone()),
            None => Err(format!("a build takes {GCP_TOKEN} and no service account's key")),
        },
        (Some("gcp"), Backend::Fixed { .. }) if user == "oauth2accesstoken" => alone(GCP_TOKEN, secret),
        (Some("ngc"), Backend::Fixed { .. }) if user == "$oauthtoken" => alone("NGC_API_KEY", secret),
        (Some("ghcr"), Backend::Fixed { .. }) => {
            set([("GITHUB_USERNAME".to_owned(), user.into()), ("GITHUB_TOKEN".to_owned(), secret)])
                .map(|keys| vec![keys])
        }
        (Some(_), Backend::Fixed { .. }) => Err("a build takes no user name and password for this registry".to_owned()),
        (None, Backend::Fixed { .. }) => {
            let prefixes = if host.is_docker_hub() { HUB_PREFIXES } else { PREFIXES };
            prefixes.iter().map(|prefix| pair(prefix, user, secret.clone())).collect()
        }
        (_, backend) => Err(format!("a build takes no keys of {} for this registry", backend.name())),
    }
}

/// The region is the one in the host: a build does not look there.
fn aws(host: &Host, keys: &Keys) -> Result<Keys, String> {
    let region = host.name().split('.').nth(3).unwrap_or_default();
    let kept = AWS.iter().filter_map(|name| Some(((*name).to_owned(), keys.get(name)?.clone())));
    set(kept.chain([("AWS_REGION".to_owned(), region.into())]))
}

fn set(all: impl IntoIterator<Item = (String, Redacted)>) -> Result<Keys, String> {
    let mut keys = Keys::default();
    for (name, value) in all {
        keys.insert(&name, value).map_err(|error| error.to_string())?;
    }
    Ok(keys)
}

/// What a build finds in a registry's name, and the row that it takes it for.
const BUILDS: [(&str, &str); 5] =
    [("amazonaws.com", "aws"), ("pkg.dev", "gcp"), ("gcr.io", "gcp"), ("nvcr.io", "ngc"), ("ghcr.io", "ghcr")];
const AWS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
const GCP_TOKEN: &str = "GCP_ACCESS_TOKEN";
const HUB_PREFIXES: &[&str] = &["DOCKERHUB_", "REGISTRY_", ""];
/// A build takes `DOCKERHUB_` here too. But a pair of that name is Docker Hub's where nobody has named it, so that another
/// registry's password under it would be sent there.
const PREFIXES: &[&str] = &["REGISTRY_", ""];

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
            set.names().map(|name| format!("{name}={}", set.get(name).unwrap().expose())).collect()
        };
        Ok(sets.iter().map(|set| shown(set).join(" ")).collect())
    }

    #[test]
    fn a_credential_has_the_names_that_a_build_takes_for_its_registry() {
        let ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        let aws = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), ("AWS_REGION", "wrong")];
        let plain = [("USERNAME", "u"), ("PASSWORD", "p")];
        let google = [("USERNAME", "oauth2accesstoken"), ("PASSWORD", "t")];
        let table: &[(&str, &[(&str, &str)], &[&str])] = &[
            ("ghcr.io", &[("GITHUB_USERNAME", "u"), ("GITHUB_TOKEN", "t")], &["GITHUB_TOKEN=t GITHUB_USERNAME=u"]),
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
                &["REGISTRY_PASSWORD=p REGISTRY_USERNAME=u", "PASSWORD=p USERNAME=u"],
            ),
            ("myreg.azurecr.io", &plain, &["REGISTRY_PASSWORD=p REGISTRY_USERNAME=u", "PASSWORD=p USERNAME=u"]),
            (
                "registry.digitalocean.com",
                &[("DIGITALOCEAN_ACCESS_TOKEN", "t")],
                &["REGISTRY_PASSWORD=t REGISTRY_USERNAME=t", "PASSWORD=t USERNAME=t"],
            ),
            ("nvcr.io", &[("NGC_API_KEY", "k")], &["NGC_API_KEY=k"]),
            ("nvcr.io", &[("USERNAME", "$oauthtoken"), ("PASSWORD", "k")], &["NGC_API_KEY=k"]),
            ("gcr.io", &[("GCP_ACCESS_TOKEN", "t")], &["GCP_ACCESS_TOKEN=t"]),
            ("us-docker.pkg.dev", &google, &["GCP_ACCESS_TOKEN=t"]),
            (ecr, &aws, &["AWS_ACCESS_KEY_ID=a AWS_REGION=eu-west-1 AWS_SECRET_ACCESS_KEY=b"]),
        ];
        for (host, keys, expected) in table {
            assert_eq!(names(host, keys), Ok(expected.iter().map(|&set| set.to_owned()).collect()), "{host} {keys:?}");
        }
    }

    #[test]
    fn what_no_build_takes_is_said_with_the_reason() {
        let ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        let plain = [("USERNAME", "u"), ("PASSWORD", "hunter2")];
        let aws = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];
        let azure = [("AZURE_CLIENT_ID", "a"), ("AZURE_CLIENT_SECRET", "hunter2"), ("AZURE_TENANT_ID", "c")];
        let table: &[(&str, &[(&str, &str)], &str)] = &[
            ("myreg.azurecr.io", &azure, "no keys of azure"),
            ("gcr.io", &[("GOOGLE_APPLICATION_CREDENTIALS", "hunter2")], "no service account's key"),
            ("gcr.io", &[("USERNAME", "_json_key"), ("PASSWORD", "hunter2")], "no service account's key"),
            ("gcr.io", &plain, "no user name and password"),
            ("nvcr.io", &plain, "no user name and password"),
            (ecr, &plain, "no user name and password"),
            ("public.ecr.aws", &aws, "no keys of aws"),
            ("123456789012.dkr-ecr.eu-west-1.on.aws", &aws, "no keys of aws"),
            ("ghcr.io:5000", &plain, "for another registry (ghcr), by its name"),
            ("ghcr.io.example", &plain, "for another registry (ghcr), by its name"),
            ("myamazonaws.com", &plain, "for another registry (aws), by its name"),
            ("ghcr.io", &[("NGC_API_KEY", "hunter2")], "it has NGC_API_KEY, but this registry (ghcr) needs"),
            ("ghcr.io", &[("GITHUB_TOKEN", "hunter2")], "GITHUB_TOKEN is set without GITHUB_USERNAME"),
            ("ghcr.io", &[], "it has no keys"),
        ];
        for (host, keys, why) in table {
            let error = names(host, keys).unwrap_err();
            assert!(error.contains(why) && !error.contains("hunter2"), "{host}: {error}");
        }
    }
}
