//! Turns AWS's refusals into errors that people can act on. AWS's messages are never repeated, except for the principal
//! and the action of an access denial if they have strictly valid syntax.
//!
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html>,
//! <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>

mod node;
mod refused;
mod setup;
mod strict;
mod transport;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::Api;
use super::wire::{Outcome, Wire};
use crate::error::Error;
pub(super) use node::{NodeError, no_credentials, no_instance_role};
use refused::{Refused, Said};
pub(super) use setup::{AwsError, ProfileFault};
use strict::{after, is_action, is_principal, word};
pub(super) use transport::late;
use transport::{throttled, transport};

/// A call: to which API, by which way, and who makes it.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) api: &'a Api,
    pub(super) wire: &'a Wire,
    pub(super) who: Who,
}

/// Whose credentials are used, which decides the fix.
#[derive(Clone, Copy, Debug)]
pub(super) enum Who {
    Secret,
    /// A secret whose access key id belongs to a session, and the session token is missing.
    SecretWithoutToken,
    Node,
    /// A pod's service account.
    Pod,
}

/// The API call.
#[derive(Clone, Copy)]
pub(super) struct Action {
    service: &'static str,
    name: &'static str,
    denied: &'static str,
}

impl Call<'_> {
    /// The error for a failed call.
    pub(super) fn failed<E: ProvideErrorMetadata>(
        &self,
        action: Action,
        error: &SdkError<E, HttpResponse>,
    ) -> Error {
        if matches!(error, SdkError::TimeoutError(_)) {
            return late(self.wire);
        }
        match error.code() {
            Some(code) => self
                .refused(action, code, error.message().unwrap_or_default())
                .answered(),
            None => transport(action.service, &self.api.region, self.wire),
        }
    }

    fn refused(&self, action: Action, code: &str, message: &str) -> Error {
        let (service, region) = (action.service, self.api.region.clone());
        // The JSON services' error codes end in `Exception`; STS's don't.
        let said = match code.strip_suffix("Exception").unwrap_or(code) {
            "AccessDenied" | "UnauthorizedAccess" => self.denied(action, message),
            "ExpiredToken" if action.name == WEB_IDENTITY.name => Said::TokenExpired(self.renew()),
            "ExpiredToken" => Said::SessionExpired(self.renew()),
            "UnrecognizedClient" | "InvalidClientTokenId" => match self.who {
                Who::SecretWithoutToken => Said::SessionKey,
                _ => Said::UnknownKey(self.correct()),
            },
            "RequestTimeTooSkewed" | "RequestExpired" => Said::Clock,
            "InvalidSignature" | "SignatureDoesNotMatch" => {
                if SKEW.iter().any(|words| message.contains(words)) {
                    Said::Clock
                } else {
                    Said::WrongKey(self.correct())
                }
            }
            "MissingAuthenticationToken" | "IncompleteSignature" => Said::Unsigned,
            "InvalidIdentityToken" | "IDPRejectedClaim" | "IDPCommunicationError" => {
                Said::Untrusted
            }
            "RegionDisabled" | "OptInRequired" => Said::RegionOff,
            "Throttling"
            | "Throttled"
            | "TooManyRequests"
            | "RequestLimitExceeded"
            | "SlowDown" => return throttled(service, &region, self.wire),
            _ => match self.wire.last().outcome {
                Outcome::Answered { status, .. }
                    if !(400..500).contains(&status) || status == 429 =>
                {
                    return transport(service, &region, self.wire);
                }
                _ => Said::No(word(code).to_owned()),
            },
        };
        Refused {
            service,
            region,
            said,
        }
        .into()
    }

    fn denied(&self, action: Action, message: &str) -> Said {
        let principal = after(message, "User: ").filter(|text| is_principal(text));
        let denied = after(message, "not authorized to perform: ").filter(|text| is_action(text));
        Said::Denied {
            principal: principal.unwrap_or("the identity used").to_owned(),
            action: denied.unwrap_or(action.name).to_owned(),
            why: if message.contains("explicit deny") {
                " (a policy denies it explicitly)"
            } else {
                ""
            },
            fix: action.denied,
            // The public gallery also serves anonymous clients, so the node's role need not have access to it.
            is_dispensable: self.api.is_public && matches!(self.who, Who::Node),
        }
    }

    fn correct(&self) -> &'static str {
        match self.who {
            Who::Secret | Who::SecretWithoutToken => "correct the keys in the secret",
            Who::Node => "correct the node's own AWS credentials",
            Who::Pod => "check what answers instead of STS",
        }
    }

    fn renew(&self) -> &'static str {
        match self.who {
            Who::Secret | Who::SecretWithoutToken => {
                "store fresh keys in the secret, or lasting ones with AWS_ROLE_ARN"
            }
            Who::Node => {
                "renew the node's session (aws sso login, the token file, or whatever issues its keys)"
            }
            Who::Pod => {
                "pull again: kubelet brings a new one; where it stays, see this node's clock"
            }
        }
    }
}

/// Getting a token for a private registry.
pub(super) const PULL: Action = Action {
    service: "ECR",
    name: "ecr:GetAuthorizationToken",
    denied: "allow ecr:GetAuthorizationToken on * in the identity's policies (AmazonEC2ContainerRegistryPullOnly has it)",
};
/// Getting a token for the public gallery.
pub(super) const PULL_PUBLIC: Action = Action {
    service: "ECR Public",
    name: "ecr-public:GetAuthorizationToken",
    denied: "allow both ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken on * in the identity's policies",
};
/// Assuming a role.
pub(super) const ASSUME: Action = Action {
    service: "STS",
    name: "sts:AssumeRole",
    denied: "name the identity in the role's trust policy, allow it sts:AssumeRole, and see that the external id is the one the role asks for",
};
/// Assuming a role with another issuer's token.
pub(super) const WEB_IDENTITY: Action = Action {
    service: "STS",
    name: "sts:AssumeRoleWithWebIdentity",
    denied: "check that the role trusts the token's issuer, subject and audience",
};
const SKEW: [&str; 3] = [
    "Signature expired",
    "Signature not yet current",
    "is still later than",
];

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use aws_sdk_sts::operation::assume_role::AssumeRoleError;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;
    use crate::config::CloudSettings;
    use crate::host::Host;

    fn said(who: Who, action: Action, code: &str, message: &str) -> String {
        let gallery = Host::parse(b"public.ecr.aws").unwrap();
        let api = Api::of(&gallery, &CloudSettings::default()).unwrap();
        let metadata = ErrorMetadata::builder().code(code).message(message).build();
        let response = HttpResponse::new(400.try_into().unwrap(), SdkBody::empty());
        let error = SdkError::service_error(AssumeRoleError::generic(metadata), response);
        let (api, wire) = (&api, &Wire::new(Instant::now(), None).unwrap());
        Call { api, wire, who }.failed(action, &error).to_string()
    }

    #[test]
    fn each_refusal_says_what_happened_and_what_to_do() {
        let secret = Who::Secret;
        let denial = "User: arn:aws:iam::123456789012:user/t is not authorized to perform: ecr:GetAuthorizationToken on \
                      resource: * with an explicit deny in a service control policy";
        let table = [
            (
                secret,
                PULL,
                "AccessDeniedException",
                denial,
                "may not ecr:GetAuthorizationToken (a policy denies it",
            ),
            (
                secret,
                PULL_PUBLIC,
                "AccessDeniedException",
                "hunter2",
                "the identity used may not ecr-public:Get",
            ),
            (
                secret,
                PULL_PUBLIC,
                "AccessDeniedException",
                "hunter2",
                "and sts:GetServiceBearerToken",
            ),
            (secret, ASSUME, "AccessDenied", "hunter2", "trust policy"),
            (
                secret,
                PULL,
                "ExpiredTokenException",
                "hunter2",
                "the session has expired; store fresh keys",
            ),
            (
                Who::Node,
                PULL,
                "ExpiredTokenException",
                "hunter2",
                "the session has expired; renew the node's",
            ),
            (
                Who::Node,
                WEB_IDENTITY,
                "ExpiredTokenException",
                "hunter2",
                "the web identity token has expired",
            ),
            (
                secret,
                PULL,
                "UnrecognizedClientException",
                "hunter2",
                "does not know the access key id",
            ),
            (
                Who::SecretWithoutToken,
                ASSUME,
                "InvalidClientTokenId",
                "hunter2",
                "put AWS_SESSION_TOKEN into the secret",
            ),
            (
                secret,
                PULL,
                "InvalidSignatureException",
                "Signature expired: hunter2",
                "clock is more than five minutes",
            ),
            (
                secret,
                ASSUME,
                "SignatureDoesNotMatch",
                "Signature not yet current: hunter2",
                "set the clock",
            ),
            (secret, ASSUME, "RequestExpired", "hunter2", "set the clock"),
            (
                secret,
                ASSUME,
                "SignatureDoesNotMatch",
                "hunter2",
                "does not belong to the access key id",
            ),
            (
                secret,
                ASSUME,
                "RegionDisabledException",
                "hunter2",
                "the region is not enabled",
            ),
            (
                secret,
                PULL,
                "ThrottlingException",
                "hunter2",
                "throttles; try again later",
            ),
            (
                Who::Node,
                WEB_IDENTITY,
                "InvalidIdentityToken",
                "hunter2",
                "does not accept the web identity token",
            ),
            (
                secret,
                PULL,
                "OddException",
                "hunter2",
                "refused the request (OddException)",
            ),
            (
                secret,
                PULL,
                "<hunter2>",
                "hunter2",
                "refused the request (for an unknown reason)",
            ),
        ];
        for (who, action, code, message, expected) in table {
            let text = said(who, action, code, message);
            assert!(
                text.starts_with("backend aws: ") && text.contains(expected),
                "{code}: {text}"
            );
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
