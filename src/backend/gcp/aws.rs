//! A node on AWS proves its identity to Google with a signed AWS request, which Google sends to AWS
//! (<https://google.aip.dev/auth/4117#determining-the-subject-token-in-aws>).

use std::time::{Duration, SystemTime};

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use reqwest::Url;
use serde_json::json;

use super::PART;
use super::errors::AwsProof;
use crate::backend::aws_files;
use crate::config::Node;
use crate::credential::Redacted;
use crate::error::Error;
use crate::http::percent_encoded;
use crate::tls;

/// The node's AWS identity, from the SDK's default chain, as a subject token.
pub(super) async fn subject_token(
    origin: &str,
    verification_url: &str,
    audience: &str,
    node: &Node,
) -> Result<Redacted, Error> {
    let (files, _) = aws_files::profile_files(PART, node)?;
    // The SDK reads the environment's authorities itself, so check them first.
    if let Some(fault) = tls::refused() {
        return Err(fault.problem(PART));
    }
    let found = tokio::time::timeout(LOOKUP, identity(files)).await;
    let (region, credentials) = found
        .unwrap_or(Err(AwsProof::LateIdentity))
        .map_err(|proof| proof.of(origin))?;
    let url = verification_url.replace("{region}", &region);
    let url = Url::parse(&url)
        .ok()
        .filter(|url| url.scheme() == "https")
        .ok_or_else(|| AwsProof::Url.of(origin))?;
    let signed = signed(&url, &region, audience, credentials);
    Ok(signed.ok_or_else(|| AwsProof::Unsigned.of(origin))?)
}

async fn identity(files: EnvConfigFiles) -> Result<(String, Credentials), AwsProof> {
    let timeouts = TimeoutConfig::builder()
        .operation_timeout(LOOKUP)
        .connect_timeout(CONNECT)
        .build();
    let config = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .profile_files(files)
        .retry_config(RetryConfig::standard().with_max_attempts(2))
        .load()
        .await;
    let region = config.region().ok_or(AwsProof::NoRegion)?;
    let found = match config.credentials_provider() {
        Some(provider) => provider.provide_credentials().await,
        None => Err(CredentialsError::not_loaded_no_source()),
    };
    let credentials = found.map_err(|error| match error {
        CredentialsError::CredentialsNotLoaded(_) => AwsProof::NoCredentials,
        CredentialsError::ProviderTimedOut(_) => AwsProof::LateCredentials,
        _ => AwsProof::Failing,
    })?;
    Ok((region.to_string(), credentials))
}

/// The request as JSON, in Google's format.
fn signed(url: &Url, region: &str, audience: &str, credentials: Credentials) -> Option<Redacted> {
    let host = url.host_str()?;
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("sts")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .ok()?;
    let own = [("host", host), (TARGET, audience)];
    let request = SignableRequest::new(
        "POST",
        url.as_str(),
        own.into_iter(),
        SignableBody::Bytes(b""),
    )
    .ok()?;
    let (instructions, _) = sign(request, &params.into()).ok()?.into_parts();
    let headers: Vec<_> = own
        .into_iter()
        .chain(instructions.headers())
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect();
    let request = json!({ "url": url.as_str(), "method": "POST", "headers": headers, "body": "" });
    Some(percent_encoded(&request.to_string(), b"").into())
}

/// The header that binds the proof to one identity provider at Google.
const TARGET: &str = "x-goog-cloud-target-resource";
/// The time for the whole chain, which leaves time for the exchange.
const LOOKUP: Duration = Duration::from_secs(6);
const CONNECT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{self, Value};

    #[test]
    fn the_signed_request_names_the_provider_and_does_not_contain_the_key() {
        let url = Url::parse(
            "https://sts.us-east-1.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
        )
        .unwrap();
        let keys = Credentials::new("AKIAX", "hunter2", Some("session".to_owned()), None, "test");
        let token = signed(&url, "us-east-1", "//iam.googleapis.com/provider", keys).unwrap();
        let bytes = token
            .expose()
            .split('%')
            .enumerate()
            .flat_map(|(index, part)| {
                let (byte, rest) = part.split_at(if index == 0 { 0 } else { 2 });
                u8::from_str_radix(byte, 16)
                    .into_iter()
                    .chain(rest.bytes())
                    .collect::<Vec<_>>()
            });
        let text = String::from_utf8(bytes.collect()).unwrap();
        assert!(!text.contains("hunter2"));
        let request = json::parse_object(text.as_bytes()).unwrap();
        let Some(Value::Array(headers)) = request.get("headers") else {
            panic!("{text}")
        };
        let header = |name: &str| {
            headers.iter().find_map(|header| match header {
                Value::Object(header)
                    if header.text("key")?.expose().eq_ignore_ascii_case(name) =>
                {
                    header.text("value")
                }
                _ => None,
            })
        };
        assert_eq!(
            header("host").unwrap().expose(),
            "sts.us-east-1.amazonaws.com"
        );
        assert_eq!(
            header(TARGET).unwrap().expose(),
            "//iam.googleapis.com/provider"
        );
        assert_eq!(header("x-amz-security-token").unwrap().expose(), "session");
        let signature = header("authorization").unwrap().expose();
        assert!(
            signature.contains("AKIAX/") && signature.contains("/us-east-1/sts/aws4_request"),
            "{signature}"
        );
        assert!(
            signature.contains(TARGET),
            "the provider must be signed: {signature}"
        );
    }
}
