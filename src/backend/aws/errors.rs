//! What AWS said no with, as people can act on it. A message of AWS is never repeated: of an access denial, the principal
//! and the action are, when they are written strictly as such.
//!
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html>,
//! <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>

mod node;
mod strict;
mod transport;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::wire::{Outcome, Wire};
use super::{Api, PART};
use crate::error::{Error, Problem};
pub(super) use node::{no_credentials, no_instance_role, nobody, wrong_address};
use strict::{after, is_action, is_principal, word};
pub(super) use transport::late;
use transport::{throttled, transport};

/// Who asks, and of which API.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) api: &'a Api,
    pub(super) who: Who,
}

/// Whose credentials they are, which decides what to do about them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Who {
    Secret {
        /// The access key id is one of a session, whose token is missing.
        temporary_without_token: bool,
    },
    Node,
    /// A pod's service account.
    Pod,
}

/// What is asked.
#[derive(Clone, Copy)]
pub(super) struct Action {
    service: &'static str,
    name: &'static str,
    denied: &'static str,
}

impl Call<'_> {
    /// The error of a call that failed.
    pub(super) fn failed<E>(
        &self,
        action: Action,
        error: &SdkError<E, HttpResponse>,
        wire: &Wire,
    ) -> Error
    where
        E: ProvideErrorMetadata,
    {
        if matches!(error, SdkError::TimeoutError(_)) {
            return late(wire);
        }
        match error.code() {
            Some(code) => self
                .refused(action, code, error.message().unwrap_or_default(), wire)
                .answered(),
            None => transport(action.service, self.api.region(), wire),
        }
    }

    fn refused(&self, action: Action, code: &str, message: &str, wire: &Wire) -> Error {
        let said =
            |cause: &str| Problem::new(PART, format_args!("{}: {cause}", self.at(action.service)));
        // STS leaves out the `Exception` that the JSON services end their codes with.
        match code.strip_suffix("Exception").unwrap_or(code) {
            "AccessDenied" | "UnauthorizedAccess" => self.denied(action, message),
            "ExpiredToken" if action.name == WEB_IDENTITY.name => {
                said("the web identity token has expired").fix(self.renew()).failed()
            }
            "ExpiredToken" => said("the session has expired").fix(self.renew()).failed(),
            "UnrecognizedClient" | "InvalidClientTokenId" => self.unknown_key(action),
            "InvalidSignature" | "SignatureDoesNotMatch" | "RequestTimeTooSkewed" | "RequestExpired"
                if code.starts_with("Request") || SKEW.iter().any(|words| message.contains(words)) =>
            {
                said("this node's clock is more than five minutes off")
                    .fix("set the clock (timedatectl shows whether NTP runs)")
                    .failed()
            }
            "InvalidSignature" | "SignatureDoesNotMatch" => {
                said("the secret access key does not belong to the access key id").fix(self.correct()).failed()
            }
            "MissingAuthenticationToken" | "IncompleteSignature" => said("it took the request for unsigned")
                .fix("see whether a proxy takes headers out of requests")
                .failed(),
            "InvalidIdentityToken" | "IDPRejectedClaim" | "IDPCommunicationError" => {
                said("it does not accept the web identity token")
                    .fix("see that the role trusts the token's issuer, subject and audience")
                    .failed()
            }
            "RegionDisabled" | "OptInRequired" => {
                said("the region is not enabled for the account").fix("enable it in the account's settings").failed()
            }
            "Throttling" | "Throttled" | "TooManyRequests" | "RequestLimitExceeded" | "SlowDown" => {
                throttled(action.service, self.api.region(), wire)
            }
            _ => match wire.last().outcome {
                Outcome::Answered { status, .. } if !(400..500).contains(&status) || status == 429 => {
                    transport(action.service, self.api.region(), wire)
                }
                _ => said(&format!("it refused the request ({})", word(code)))
                    .fix("see that endpoint_url and the role in the configuration or secret are right")
                    .failed(),
            },
        }
    }

    fn denied(&self, action: Action, message: &str) -> Error {
        let principal = after(message, "User: ")
            .filter(|text| is_principal(text))
            .unwrap_or("the identity used");
        let denied = after(message, "not authorized to perform: ")
            .filter(|text| is_action(text))
            .unwrap_or(action.name);
        let why = if message.contains("explicit deny") {
            " (a policy denies it explicitly)"
        } else {
            ""
        };
        let at = self.at(action.service);
        Problem::new(
            PART,
            format_args!("{at}: access denied: {principal} may not {denied}{why}"),
        )
        .fix(action.denied)
        // The public gallery is open to everybody; a role of the node need not be made for it.
        .dispensable(matches!(
            (self.api, self.who),
            (Api::Public { .. }, Who::Node)
        ))
        .failed()
    }

    fn unknown_key(&self, action: Action) -> Error {
        let at = self.at(action.service);
        if matches!(
            self.who,
            Who::Secret {
                temporary_without_token: true
            }
        ) {
            return Problem::new(
                PART,
                format_args!("{at}: AWS_ACCESS_KEY_ID is a session's and comes without its token"),
            )
            .fix("put AWS_SESSION_TOKEN into the secret too, or use the keys of a user")
            .failed();
        }
        let cause =
            "AWS does not know the access key id, or the session token does not belong to it";
        Problem::new(PART, format_args!("{at}: {cause}"))
            .fix(format_args!(
                "{}; where the region is one to opt in to, see that its account has",
                self.correct()
            ))
            .failed()
    }

    fn at(&self, service: &str) -> String {
        format!("{service} in {}", self.api.region())
    }

    fn correct(&self) -> &'static str {
        match self.who {
            Who::Secret { .. } => "correct the keys in the secret",
            Who::Node => "correct the node's own AWS credentials",
            Who::Pod => "see what answers in the place of STS",
        }
    }

    fn renew(&self) -> &'static str {
        match self.who {
            Who::Secret { .. } => {
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

/// The host names a region that its cloud does not have.
pub(super) fn unknown_region(region: &str) -> Error {
    Problem::new(
        PART,
        format_args!("there is no region {region} where this host is"),
    )
    .fix("correct the registry's name in the image reference")
    .failed()
}

/// Asking for a token of a private registry.
pub(super) const PULL: Action = Action {
    service: "ECR",
    name: "ecr:GetAuthorizationToken",
    denied: "allow ecr:GetAuthorizationToken on * in the identity's policies (AmazonEC2ContainerRegistryPullOnly has it)",
};
/// Asking for a token of the public gallery.
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
    denied: "see that the role trusts the token's issuer, subject and audience",
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

    fn said(who: Who, action: Action, code: &str, message: &str) -> String {
        let api = Api::Public {
            dual_stack: false,
            endpoint_url: None,
        };
        let metadata = ErrorMetadata::builder().code(code).message(message).build();
        let response = HttpResponse::new(400.try_into().unwrap(), SdkBody::empty());
        let error = SdkError::service_error(AssumeRoleError::generic(metadata), response);
        Call { api: &api, who }
            .failed(action, &error, &Wire::new(Instant::now(), None).unwrap())
            .to_string()
    }

    #[test]
    fn each_refusal_says_what_happened_and_what_to_do() {
        let secret = Who::Secret {
            temporary_without_token: false,
        };
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
                Who::Secret {
                    temporary_without_token: true,
                },
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
