//! Why the node has no credentials.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

use super::super::PART;
use super::super::wire::{Outcome, Wire, chain};
use super::{ASSUME, AwsError, Call, ProfileFault, WEB_IDENTITY, late, transport::transport};
use crate::error::{Code, Error, Fault, Meaning};
use crate::token::shown;

/// The error if the source of the node's credentials gave none.
pub(in crate::backend::aws) fn no_credentials(
    error: &CredentialsError,
    is_instance: bool,
    profile: &str,
    call: Call,
) -> Error {
    for cause in chain(error) {
        if let Some(error) = cause.downcast_ref::<SdkError<AssumeRoleError, HttpResponse>>() {
            return call.failed(ASSUME, error);
        }
        if let Some(error) =
            cause.downcast_ref::<SdkError<AssumeRoleWithWebIdentityError, HttpResponse>>()
        {
            return call.failed(WEB_IDENTITY, error);
        }
    }
    let texts: Vec<String> = chain(error).map(ToString::to_string).collect();
    let says = |words: &str| texts.iter().any(|text| text.contains(words));
    match error {
        CredentialsError::ProviderTimedOut(_) => late(call.wire),
        CredentialsError::InvalidConfiguration(_) => {
            // The SDK's message about names in the profile files. They are the operator's, so they may be shown.
            let found = texts
                .iter()
                .find_map(|text| text.split_once("ProfileFile provider could not be built: "));
            let what = found.map_or(
                "the container agent's address or token is not one to use",
                |(_, what)| what,
            );
            NodeError::Configuration(shown(what)).into()
        }
        _ if is_instance => no_instance_role(call.wire),
        _ if says("external process") => NodeError::Process.into(),
        _ if says("sso") || says("SSO") => NodeError::Sso.into(),
        CredentialsError::CredentialsNotLoaded(_) => {
            AwsError::profile(profile, ProfileFault::Empty).into()
        }
        _ => {
            let source = "the source of the node's credentials";
            transport(source, &call.api.region, call.wire)
        }
    }
}

/// The error if the metadata service did not name the instance's role.
pub(in crate::backend::aws) fn no_instance_role(wire: &Wire) -> Error {
    match wire.last().outcome {
        Outcome::Answered {
            status: 404 | 200..=299,
            ..
        } => NodeError::NoRole.into(),
        _ => transport("the instance's metadata service", "", wire),
    }
}

/// Why the node has no identity at AWS.
#[derive(Debug, thiserror::Error)]
pub(in crate::backend::aws) enum NodeError {
    /// The SDK's message about names in the profile files.
    #[error("the node's AWS configuration is wrong: {0}")]
    Configuration(String),
    #[error("the profile's credential_process failed")]
    Process,
    #[error("the profile's SSO session is missing or has expired")]
    Sso,
    #[error("the metadata service says that the instance has no role")]
    NoRole,
    #[error("the address of the instance's metadata service is not a URL")]
    WrongAddress,
    /// The identity disappeared between two reads.
    #[error("the node has no AWS identity any more")]
    Gone,
}

impl Fault for NodeError {
    fn meaning(&self) -> Meaning {
        let (code, fix) = match self {
            Self::Configuration(_) => (
                Code::ConfigInvalid,
                "correct ~/.aws/config, or the AWS_ variables of the node",
            ),
            Self::Process => (
                Code::MintNoIdentity,
                "run that command by hand, as the user that this runs as",
            ),
            Self::Sso => (Code::MintNoIdentity, "run aws sso login for that profile"),
            Self::NoRole => (
                Code::MintNoIdentity,
                "attach a role to it, or set AWS_EC2_METADATA_DISABLED=true where it is to have none",
            ),
            Self::WrongAddress => (
                Code::ConfigInvalid,
                "correct AWS_EC2_METADATA_SERVICE_ENDPOINT, or ec2_metadata_service_endpoint in the profile",
            ),
            Self::Gone => (Code::MintNoIdentity, "try again"),
        };
        Meaning::new(code, PART).fix(fix)
    }
}
