//! The credentials that request the token: a secret's keys or the node's own identity, and a role that either assumes.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{
    ProvideCredentials, SharedCredentialsProvider, error::CredentialsError,
};

use super::Api;
use super::errors::{
    ASSUME, AwsError, Call, NodeError, WEB_IDENTITY, Who, no_credentials, no_instance_role,
};
use super::files::Files;
use super::host::arn_partition;
use super::node::{Identity, Source, WebIdentity};
use super::role::{Role, TenantKeys, role_of_pod};
use super::wire::Wire;
use crate::backend::Login;
use crate::credential::Redacted;
use crate::error::Error;
use crate::service_account::ServiceAccount;

/// Client configuration with only a secret's keys: no variables, files or metadata service.
pub(super) async fn of_secret<'a>(
    keys: TenantKeys,
    api: &'a Api,
    wire: &'a Wire,
) -> Result<(SdkConfig, Call<'a>), Error> {
    let who = if is_temporary(&keys.credentials) {
        Who::SecretWithoutToken
    } else {
        Who::Secret
    };
    let call = Call { api, wire, who };
    let config = with(bare(api, wire), keys.credentials);
    Ok((assume(config, keys.role, call).await?, call))
}

/// Client configuration with the session of a role that trusts a pod's service account. Nothing of the node's is read.
pub(super) async fn of_pod<'a>(
    account: &ServiceAccount,
    api: &'a Api,
    wire: &'a Wire,
) -> Result<(SdkConfig, Call<'a>), Error> {
    let who = Who::Pod;
    let (config, call) = (bare(api, wire), Call { api, wire, who });
    let role = role_of_pod(account, arn_partition(&api.region))?;
    let session = by_web_identity(&config, (role, SESSION_NAME), account.token(), call).await?;
    Ok((with(config, session), call))
}

/// Client configuration for the registry's region and endpoint: no variables, files or metadata service.
fn bare(api: &Api, wire: &Wire) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(api.region.clone()))
        .use_fips(api.fips)
        .use_dual_stack(api.dual_stack)
        .http_client(wire.clone())
        .retry_config(Wire::retries())
        .timeout_config(wire.timeouts())
        .build()
}

fn with(config: SdkConfig, credentials: Credentials) -> SdkConfig {
    config
        .into_builder()
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

/// Client configuration with the node's identity, as the operator set it up.
pub(super) async fn of_node<'a>(
    login: &Login<'_>,
    api: &'a Api,
    wire: &'a Wire,
) -> Result<(SdkConfig, Call<'a>), Error> {
    let (settings, who) = (login.settings, Who::Node);
    let call = Call { api, wire, who };
    let role = Role::of_settings(
        settings.role_arn.as_deref(),
        settings.external_id.as_deref(),
    )?;
    let found = Identity::of(login.node, settings.profile.as_deref())?;
    let Identity { source, files } = found.ok_or(NodeError::Gone)?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(api.region.clone()))
        .http_client(wire.clone())
        .retry_config(Wire::retries())
        .timeout_config(wire.timeouts())
        .profile_files(files.texts.clone())
        .profile_name(&files.name)
        .no_credentials();
    // Not set to false, so that for an ordinary host the node's AWS_USE_FIPS_ENDPOINT decides.
    if api.fips {
        loader = loader.use_fips(true);
    }
    if api.dual_stack {
        loader = loader.use_dual_stack(true);
    }
    let config = loader.load().await;
    let credentials = match &source {
        Source::Keys(keys) => keys.clone(),
        Source::WebIdentity(WebIdentity {
            role,
            session_name,
            token,
        }) => {
            let name = session_name.as_deref().unwrap_or(SESSION_NAME);
            by_web_identity(&config, (role, name), token, call).await?
        }
        source => {
            let is_instance = matches!(source, Source::Instance { .. });
            provided(source, &files, &config, wire)
                .await
                .map_err(|error| no_credentials(&error, is_instance, &files.name, call))?
        }
    };
    Ok((assume(with(config, credentials), role, call).await?, call))
}

/// The credentials from the SDK's provider for this source.
async fn provided(
    source: &Source,
    files: &Files<'_>,
    config: &SdkConfig,
    wire: &Wire,
) -> Result<Credentials, CredentialsError> {
    let provider = ProviderConfig::without_region()
        .with_region(config.region().cloned())
        .with_behavior_version(Some(BehaviorVersion::latest()))
        .with_use_fips(config.use_fips())
        .with_use_dual_stack(config.use_dual_stack())
        .with_http_client(wire.clone())
        .with_retry_config(Wire::retries())
        .with_timeout_config(wire.timeouts());
    let instance = || {
        let client = metadata(&provider, files.metadata())?;
        Ok(ImdsCredentialsProvider::builder()
            .configure(&provider)
            .imds_client(client)
            .build())
    };
    match source {
        Source::Container => {
            EcsCredentialsProvider::builder()
                .configure(&provider)
                .build()
                .provide_credentials()
                .await
        }
        Source::Profile(_) => {
            let profile = ProfileFileCredentialsProvider::builder()
                .configure(&provider)
                .profile_files(files.texts.clone())
                .profile_name(&files.name)
                .with_custom_provider("Ec2InstanceMetadata", instance()?);
            profile.build().provide_credentials().await
        }
        _ => instance()?.provide_credentials().await,
    }
}

/// The name of the instance's role, from the metadata service.
pub(super) async fn instance_role(login: &Login<'_>, wire: &Wire) -> Result<String, Error> {
    let files = Files::read(login.node, login.settings.profile.as_deref())?;
    let provider = ProviderConfig::without_region()
        .with_behavior_version(Some(BehaviorVersion::latest()))
        .with_http_client(wire.clone());
    let client = metadata(&provider, files.metadata()).map_err(|_| NodeError::WrongAddress)?;
    let answer = client
        .get("/latest/meta-data/iam/security-credentials/")
        .await
        .map_err(|_| no_instance_role(wire))?;
    let role = answer.as_ref().trim();
    if role.is_empty() {
        Err(no_instance_role(wire))
    } else {
        Ok(role.to_owned())
    }
}

/// A client for the metadata service. Two attempts are enough, because it is on this machine.
fn metadata(provider: &ProviderConfig, address: &str) -> Result<imds::Client, CredentialsError> {
    let client = imds::Client::builder().configure(provider).max_attempts(2);
    client
        .endpoint(address)
        .map(imds::client::Builder::build)
        .map_err(CredentialsError::invalid_configuration)
}

/// The session of a role that trusts another issuer's token. The request is not signed; the token is the proof.
async fn by_web_identity(
    config: &SdkConfig,
    (role, session_name): (&str, &str),
    token: &Redacted,
    call: Call<'_>,
) -> Result<Credentials, Error> {
    let answer = sts(config, call.wire)
        .assume_role_with_web_identity()
        .role_arn(role)
        .role_session_name(session_name)
        .web_identity_token(token.expose())
        .send()
        .await
        .map_err(|error| call.failed(WEB_IDENTITY, &error))?;
    session(answer.credentials)
}

/// If there is a role, the same configuration with the role's session, from STS in the registry's region.
async fn assume(config: SdkConfig, role: Option<Role>, call: Call<'_>) -> Result<SdkConfig, Error> {
    let Some(role) = role else { return Ok(config) };
    let answer = sts(&config, call.wire)
        .assume_role()
        .role_arn(role.arn)
        .set_external_id(role.external_id)
        .role_session_name(SESSION_NAME)
        .send()
        .await
        .map_err(|error| call.failed(ASSUME, &error))?;
    let session = session(answer.credentials)?;
    Ok(with(config, session))
}

fn sts(config: &SdkConfig, wire: &Wire) -> aws_sdk_sts::Client {
    let builder = aws_sdk_sts::config::Builder::from(config)
        .retry_classifier(wire.clone())
        .timeout_config(wire.timeouts());
    aws_sdk_sts::Client::from_conf(builder.build())
}

fn session(answered: Option<aws_sdk_sts::types::Credentials>) -> Result<Credentials, Error> {
    let session = answered.ok_or(AwsError::NoSession)?;
    Ok(Credentials::new(
        session.access_key_id,
        session.secret_access_key,
        Some(session.session_token),
        session.expiration.try_into().ok(),
        "role",
    ))
}

/// Whether this key needs a session token and has none
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes>).
fn is_temporary(credentials: &Credentials) -> bool {
    credentials.access_key_id().starts_with("ASIA") && credentials.session_token().is_none()
}

/// The session name in the logs of the account that owns the role.
const SESSION_NAME: &str = "docker-credential-beta9";
