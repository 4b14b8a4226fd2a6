//! Why the node has no credentials.

use std::fmt::Display;

use aws_config::meta::ProviderChainError;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

use super::super::wire::{Wire, chain};
use super::super::{Api, PART};
use super::{ASSUME, Call, WEB_IDENTITY, Who, late, transport::transport};
use crate::error::{Error, Problem};
use crate::shown::shown;

/// The node has no credentials, or the source that has them failed.
pub(in crate::backend::aws) fn no_credentials(
    error: &CredentialsError,
    api: &Api,
    profile: Option<&str>,
    wire: &Wire,
) -> Error {
    let call = Call { api, who: Who::Node };
    for cause in chain(error) {
        if let Some(error) = cause.downcast_ref::<SdkError<AssumeRoleError, HttpResponse>>() {
            return call.failed(ASSUME, error, wire);
        }
        if let Some(error) = cause.downcast_ref::<SdkError<AssumeRoleWithWebIdentityError, HttpResponse>>() {
            return call.failed(WEB_IDENTITY, error, wire);
        }
    }
    let texts: Vec<String> = chain(error).map(ToString::to_string).collect();
    let says = |words: &str| texts.iter().any(|text| text.contains(words));
    match error {
        CredentialsError::CredentialsNotLoaded(_) => not_there(error, profile),
        CredentialsError::ProviderTimedOut(_) => late(wire),
        CredentialsError::InvalidConfiguration(_) => {
            // The SDK's own words about the names in the profile files, which are the operator's.
            let found = texts.iter().find_map(|text| text.split_once("ProfileFile provider could not be built: "));
            let what = found.map_or("the container agent's address or token is not one to use", |(_, what)| what);
            let what: String = what.chars().take(200).collect();
            problem(&format_args!("the node's AWS configuration is wrong: {what}"))
                .fix("correct ~/.aws/config, or the AWS_ variables of the node")
                .failed()
        }
        _ if says("external process") => problem(&"the profile's credential_process failed")
            .fix("run that command by hand, as the user that this runs as")
            .failed(),
        _ if says("sso") || says("SSO") => problem(&"the profile's SSO session is missing or has expired")
            .fix("run aws sso login for that profile")
            .failed(),
        _ if wire.last().host.is_empty() => problem(&"a file that the node's AWS credentials are in cannot be used")
            .fix("see that AWS_WEB_IDENTITY_TOKEN_FILE and the profile files are there and readable")
            .failed(),
        _ => transport("the source of the node's credentials", api.region(), wire),
    }
}

fn not_there(error: &CredentialsError, profile: Option<&str>) -> Error {
    if let Some(profile) = profile {
        return problem(&format_args!("the profile {} has no credentials", shown(profile)))
            .fix("see that AWS_CONFIG_FILE or ~/.aws has it, for the user that this runs as")
            .failed();
    }
    let attempts = chain(error).find_map(|cause| cause.downcast_ref::<ProviderChainError<CredentialsError>>());
    let tried = attempts.map(|error| {
        let tried = error.attempts().iter();
        tried.map(|attempt| attempt_as_text(attempt.name(), attempt.error())).collect::<Vec<_>>().join(", ")
    });
    problem(&format_args!("the node has no AWS credentials; tried {}", tried.as_deref().unwrap_or("every source")))
        .fix("give the node one of these, or store a secret for this registry")
        .failed()
}

/// A source as operators know it; a profile that is named and not there is the likeliest mistake, so it is named too.
fn attempt_as_text(source: &str, error: &CredentialsError) -> String {
    let known = SOURCES.iter().find(|(name, _)| *name == source);
    let text = known.map_or(source, |(_, text)| text);
    let missing = chain(error).find_map(|cause| missing_profile(&cause.to_string()));
    missing.map_or_else(|| text.to_owned(), |profile| format!("{text} (no profile {profile})"))
}

/// The SDK's words are "profile `name` was not defined: …".
fn missing_profile(text: &str) -> Option<String> {
    let (name, rest) = text.split_once("profile `")?.1.split_once('`')?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.@+/".contains(&byte);
    (rest.starts_with(" was not defined") && name != "default" && name.bytes().all(is_name)).then(|| name.to_owned())
}

fn problem(cause: &dyn Display) -> Problem {
    Problem::new(PART, cause)
}

/// The SDK's names of its sources.
const SOURCES: [(&str, &str); 5] = [
    ("Environment", "the environment (AWS_ACCESS_KEY_ID)"),
    ("Profile", "the profile files"),
    ("WebIdentityToken", "web identity (AWS_WEB_IDENTITY_TOKEN_FILE)"),
    ("EcsContainer", "the container's agent (AWS_CONTAINER_CREDENTIALS_…)"),
    ("Ec2InstanceMetadata", "the instance's role (metadata service)"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_that_is_missing_is_named_and_the_default_one_is_not() {
        let text = |name: &str| format!("profile `{name}` was not defined: could not find source profile");
        assert_eq!(missing_profile(&text("team/dev")), Some("team/dev".to_owned()));
        assert_eq!(missing_profile(&text("default")), None);
        assert_eq!(missing_profile(&text("a\nb")), None);
        assert_eq!(missing_profile("profile `dev` did not contain credential information"), None);
    }
}
