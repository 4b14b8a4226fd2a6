//! Why the node has no credentials.

use std::fmt::Display;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

use super::super::node::Source;
use super::super::wire::{Outcome, Wire, chain};
use super::super::{Api, PART};
use super::{ASSUME, Call, WEB_IDENTITY, Who, late, transport::transport};
use crate::backend::whose::shown;
use crate::error::{Error, Problem};

/// The source that has the node's credentials gave none.
pub(in crate::backend::aws) fn no_credentials(
    error: &CredentialsError,
    source: &Source,
    profile: &str,
    api: &Api,
    wire: &Wire,
) -> Error {
    let call = Call {
        api,
        who: Who::Node,
    };
    for cause in chain(error) {
        if let Some(error) = cause.downcast_ref::<SdkError<AssumeRoleError, HttpResponse>>() {
            return call.failed(ASSUME, error, wire);
        }
        if let Some(error) =
            cause.downcast_ref::<SdkError<AssumeRoleWithWebIdentityError, HttpResponse>>()
        {
            return call.failed(WEB_IDENTITY, error, wire);
        }
    }
    let texts: Vec<String> = chain(error).map(ToString::to_string).collect();
    let says = |words: &str| texts.iter().any(|text| text.contains(words));
    match error {
        CredentialsError::ProviderTimedOut(_) => late(wire),
        CredentialsError::InvalidConfiguration(_) => {
            // The SDK's own words about the names in the profile files, which are the operator's.
            let found = texts
                .iter()
                .find_map(|text| text.split_once("ProfileFile provider could not be built: "));
            let what = found.map_or(
                "the container agent's address or token is not one to use",
                |(_, what)| what,
            );
            problem(&format_args!(
                "the node's AWS configuration is wrong: {}",
                shown(what)
            ))
            .fix("correct ~/.aws/config, or the AWS_ variables of the node")
            .failed()
        }
        _ if matches!(source, Source::Instance { .. }) => no_instance_role(wire),
        _ if says("external process") => problem(&"the profile's credential_process failed")
            .fix("run that command by hand, as the user that this runs as")
            .failed(),
        _ if says("sso") || says("SSO") => {
            problem(&"the profile's SSO session is missing or has expired")
                .fix("run aws sso login for that profile")
                .failed()
        }
        CredentialsError::CredentialsNotLoaded(_) => problem(&format_args!(
            "the profile {} has no credentials",
            shown(profile)
        ))
        .fix("give it keys, a role or another source")
        .failed(),
        _ => transport("the source of the node's credentials", api.region(), wire),
    }
}

/// The metadata service did not say which role the instance has.
pub(in crate::backend::aws) fn no_instance_role(wire: &Wire) -> Error {
    match wire.last().outcome {
        Outcome::Answered {
            status: 404 | 200..=299,
            ..
        } => problem(&"the metadata service says that the instance has no role")
            .fix(NO_ROLE)
            .failed(),
        _ => transport("the instance's metadata service", "", wire),
    }
}

/// What the operator says about the metadata service is no address.
pub(in crate::backend::aws) fn wrong_address() -> Error {
    problem(&"the address of the instance's metadata service is not a URL")
        .fix("correct AWS_EC2_METADATA_SERVICE_ENDPOINT, or ec2_metadata_service_endpoint in the profile")
        .failed()
}

/// The node had an identity a moment ago.
pub(in crate::backend::aws) fn nobody() -> Error {
    problem(&"the node has no AWS identity any more")
        .fix("try again")
        .failed()
}

fn problem(cause: &dyn Display) -> Problem {
    Problem::new(PART, cause)
}

const NO_ROLE: &str =
    "attach a role to it, or set AWS_EC2_METADATA_DISABLED=true where it is to have none";
