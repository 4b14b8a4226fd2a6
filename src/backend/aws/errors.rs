//! What AWS said no with, as people can act on it. A message of AWS is never repeated: of an access denial, the principal
//! and the action are, when they are written strictly as such.
//!
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html>,
//! <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::wire::{Outcome, Wire, chain};
use super::{Api, PART};
use crate::error::{Error, Problem};
use crate::host::is_account;

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
    pub(super) fn failed<E>(&self, action: Action, error: &SdkError<E, HttpResponse>, wire: &Wire) -> Error
    where
        E: ProvideErrorMetadata,
    {
        if matches!(error, SdkError::TimeoutError(_)) {
            return late(wire);
        }
        match error.code() {
            Some(code) => self.refused(action, code, error.message().unwrap_or_default(), wire),
            None => transport(action.service, self.api.region(), wire),
        }
    }

    fn refused(&self, action: Action, code: &str, message: &str, wire: &Wire) -> Error {
        let said = |cause: &str| Problem::new(PART, format_args!("{}: {cause}", self.at(action.service)));
        // STS leaves out the `Exception` that the JSON services end their codes with.
        match code.strip_suffix("Exception").unwrap_or(code) {
            "AccessDenied" | "UnauthorizedAccess" => self.denied(action, message),
            "ExpiredToken" if action.name == WEB_IDENTITY.name => {
                said("the web identity token has expired").fix("see why the node's token file is not renewed").failed()
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
                throttled(action, self.api, wire)
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
        let principal = after(message, "User: ").filter(|text| is_principal(text)).unwrap_or("the identity used");
        let denied =
            after(message, "not authorized to perform: ").filter(|text| is_action(text)).unwrap_or(action.name);
        let why = if message.contains("explicit deny") { " (a policy denies it explicitly)" } else { "" };
        let at = self.at(action.service);
        Problem::new(PART, format_args!("{at}: access denied: {principal} may not {denied}{why}"))
            .fix(action.denied)
            .failed()
    }

    fn unknown_key(&self, action: Action) -> Error {
        let at = self.at(action.service);
        if matches!(self.who, Who::Secret { temporary_without_token: true }) {
            return Problem::new(
                PART,
                format_args!("{at}: AWS_ACCESS_KEY_ID is a session's and comes without its token"),
            )
            .fix("put AWS_SESSION_TOKEN into the secret too, or use the keys of a user")
            .failed();
        }
        let cause = "AWS does not know the access key id, or the session token does not belong to it";
        Problem::new(PART, format_args!("{at}: {cause}"))
            .fix(format_args!("{}; where the region is one to opt in to, see that its account has", self.correct()))
            .failed()
    }

    fn at(&self, service: &str) -> String {
        format!("{service} in {}", self.api.region())
    }

    fn correct(&self) -> &'static str {
        match self.who {
            Who::Secret { .. } => "correct the keys in the secret",
            Who::Node => "correct the node's own AWS credentials",
        }
    }

    fn renew(&self) -> &'static str {
        match self.who {
            Who::Secret { .. } => "store fresh keys in the secret, or lasting ones with AWS_ROLE_ARN",
            Who::Node => "renew the node's session (aws sso login, or whatever issues its keys)",
        }
    }
}

/// The node has no credentials, or the source that has them failed.
pub(super) fn no_credentials(error: &CredentialsError, api: &Api, profile: Option<&str>, wire: &Wire) -> Error {
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
    let problem = |cause: &dyn std::fmt::Display| Problem::new(PART, cause);
    match error {
        CredentialsError::CredentialsNotLoaded(_) => match profile {
            Some(profile) => problem(&format_args!("the profile {} has no credentials", profile.escape_debug()))
                .fix("see that AWS_CONFIG_FILE or ~/.aws has it, for the user that this runs as")
                .failed(),
            None => problem(&format_args!("the node has no AWS credentials; tried {TRIED}"))
                .fix("give the node one of these, or store a secret for this registry")
                .failed(),
        },
        CredentialsError::ProviderTimedOut(_) => late(wire),
        CredentialsError::InvalidConfiguration(_) => {
            // The SDK's own words about the names in the profile files, which are the operator's.
            let found = texts.iter().find_map(|text| text.split_once("ProfileFile provider could not be built: "));
            let what = found.map_or("the container credentials' address is not allowed or not valid", |(_, what)| what);
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

/// The call was not answered in time.
pub(super) fn late(wire: &Wire) -> Error {
    let host = wire.last().host;
    let host = if host.is_empty() { "AWS" } else { &host };
    Problem::new(PART, format_args!("{host} did not answer in time")).fix(REACH).unreachable()
}

/// The host names a region that its cloud does not have.
pub(super) fn unknown_region(region: &str) -> Error {
    Problem::new(PART, format_args!("there is no region {region} where this host is"))
        .fix("correct the registry's name in the image reference")
        .failed()
}

/// What went wrong before there was an answer of the service to speak of.
fn transport(service: &str, region: &str, wire: &Wire) -> Error {
    let last = wire.last();
    let host = &last.host;
    let problem = |cause: &dyn std::fmt::Display| Problem::new(PART, format_args!("{service} ({host}) {cause}"));
    let no_answer = "see whether a proxy, a captive portal or endpoint_url puts something else in its place";
    match last.outcome {
        Outcome::Waiting | Outcome::TimedOut => late(wire),
        Outcome::Refused => problem(&"refused the connection").fix(REACH).unreachable(),
        Outcome::Unresolvable => {
            problem(&format_args!("does not resolve: either there is no region {region} or the node has no DNS for it"))
                .fix("see the region in the registry's name, and the node's DNS or VPC endpoint")
                .unreachable()
        }
        Outcome::Certificate(reason) => problem(&format_args!("shows a certificate that {reason}"))
            .fix("see whether a proxy intercepts TLS; SSL_CERT_FILE names the authorities to trust")
            .failed(),
        Outcome::Broken => problem(&"broke off the connection").fix(REACH).unreachable(),
        Outcome::TooLarge => problem(&"answered more than any such answer holds").fix(no_answer).failed(),
        Outcome::Answered { status: 429, retry_after } => {
            problem(&wait("throttles", retry_after)).fix(THROTTLED).unreachable()
        }
        Outcome::Answered { status, .. } => match status {
            200..=299 => problem(&"answered something else than expected").fix(no_answer).failed(),
            300..=399 => problem(&format_args!("redirects elsewhere ({status}), which is never followed"))
                .fix(no_answer)
                .failed(),
            401 | 403 | 407 => problem(&format_args!("refused access ({status})")).fix(no_answer).failed(),
            500.. => problem(&format_args!("failed ({status})"))
                .fix("try again; https://health.aws.amazon.com tells of outages")
                .unreachable(),
            _ => problem(&format_args!("refused the request ({status})")).fix(no_answer).failed(),
        },
    }
}

fn throttled(action: Action, api: &Api, wire: &Wire) -> Error {
    let retry_after = match wire.last().outcome {
        Outcome::Answered { retry_after, .. } => retry_after,
        _ => None,
    };
    let what = wait("throttles", retry_after);
    Problem::new(PART, format_args!("{} in {} {what}", action.service, api.region())).fix(THROTTLED).unreachable()
}

fn wait(what: &str, retry_after: Option<u64>) -> String {
    retry_after.map_or_else(|| what.to_owned(), |seconds| format!("{what} and asks to wait {seconds} s"))
}

fn after<'m>(message: &'m str, words: &str) -> Option<&'m str> {
    message.split_once(words).and_then(|(_, rest)| rest.split_whitespace().next())
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns>
fn is_principal(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let [arn, partition, service, region, account, name] = parts[..] else { return false };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@/-".contains(&byte);
    arn == "arn"
        && partition.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        && matches!(service, "iam" | "sts")
        && region.is_empty()
        && is_account(account)
        && name.len() <= 256
        && name.bytes().all(plain)
        && ["user/", "role/", "assumed-role/", "federated-user/", "root"].iter().any(|kind| name.starts_with(kind))
}

fn is_action(text: &str) -> bool {
    let Some((service, action)) = text.split_once(':') else { return false };
    let is_service = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&service.len())
        && service.bytes().all(is_service)
        && (1..=64).contains(&action.len())
        && action.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// An error code as it may be shown: a word, or none.
fn word(code: &str) -> &str {
    let is_word = (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_word { code } else { "for an unknown reason" }
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
const WEB_IDENTITY: Action = Action {
    service: "STS",
    name: "sts:AssumeRoleWithWebIdentity",
    denied: "see that the role trusts the token's issuer, subject and audience",
};
const SKEW: [&str; 3] = ["Signature expired", "Signature not yet current", "is still later than"];
const REACH: &str = "see whether the node reaches it (route, firewall, DNS, HTTPS_PROXY, VPC endpoint)";
const THROTTLED: &str = "try again later; fewer callers, or a shared cache directory, make fewer calls";
const TRIED: &str = "the environment (AWS_ACCESS_KEY_ID), the profile files, web identity (AWS_WEB_IDENTITY_TOKEN_FILE), \
the container's agent (AWS_CONTAINER_CREDENTIALS_…) and the instance's role (metadata service)";
