//! The exchange of AWS credentials for a registry's token.
//!
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html> and
//! <https://docs.aws.amazon.com/AmazonECRPublic/latest/APIReference/API_GetAuthorizationToken.html>

use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_smithy_types::DateTime;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use super::errors::{AwsError, Call, PULL, PULL_PUBLIC};
use super::host::{EcrHost, PrivateRegistry};
use crate::credential::{Credential, Redacted};
use crate::error::Error;
use crate::host::Host;
use crate::token::Minted;

/// Requests a token from the registry's API.
pub(super) async fn mint(call: Call<'_>, config: &SdkConfig) -> Result<Minted, Error> {
    if call.api.is_public {
        mint_public(call, config).await
    } else {
        mint_private(call, config).await
    }
}

async fn mint_private(call: Call<'_>, config: &SdkConfig) -> Result<Minted, Error> {
    let Call { api, wire, .. } = call;
    let registry = api.registry.as_ref();
    let mut builder = aws_sdk_ecr::config::Builder::from(config)
        .retry_classifier(wire.clone())
        .timeout_config(wire.timeouts());
    if let Some(url) = &api.endpoint_url {
        builder = builder.endpoint_url(url);
    }
    // Deprecated, but the only way to name the registry: without it, the token would be for the caller's own account.
    #[expect(
        deprecated,
        reason = "the token of another account's registry names that registry only when it is asked for"
    )]
    let request = aws_sdk_ecr::Client::from_conf(builder.build())
        .get_authorization_token()
        .set_registry_ids(registry.map(|registry| vec![registry.account.clone()]));
    let answer = request.send().await;
    let answer = answer.map_err(|error| call.failed(PULL, &error))?;
    let entries = answer.authorization_data();
    let found = entries
        .iter()
        .find(|data| is_for(registry, &api.region, data.proxy_endpoint()));
    let Some(data) = found else {
        let other = entries
            .iter()
            .find_map(|data| endpoint_host(data.proxy_endpoint()))
            .filter(|host| EcrHost::parse(host).is_some());
        let other = other.map_or("another registry".to_owned(), |host| host.to_string());
        return Err(AwsError::OtherRegistry(other).into());
    };
    minted(data.authorization_token(), data.expires_at())
}

async fn mint_public(call: Call<'_>, config: &SdkConfig) -> Result<Minted, Error> {
    let mut builder = aws_sdk_ecrpublic::config::Builder::from(config)
        .retry_classifier(call.wire.clone())
        .timeout_config(call.wire.timeouts());
    if let Some(url) = &call.api.endpoint_url {
        builder = builder.endpoint_url(url);
    }
    let request = aws_sdk_ecrpublic::Client::from_conf(builder.build()).get_authorization_token();
    let answer = request.send().await;
    let answer = answer.map_err(|error| call.failed(PULL_PUBLIC, &error))?;
    let data = answer.authorization_data();
    minted(
        data.and_then(|data| data.authorization_token()),
        data.and_then(|data| data.expires_at()),
    )
}

/// Whether the token is for the requested registry. If only a rule says that this is ECR, any registry of the region
/// counts.
fn is_for(registry: Option<&PrivateRegistry>, region: &str, proxy_endpoint: Option<&str>) -> bool {
    let host = endpoint_host(proxy_endpoint);
    let Some(EcrHost::Private(named)) = host.as_ref().and_then(EcrHost::parse) else {
        return false;
    };
    registry.map_or(named.region == region, |registry| {
        registry.is_same_registry(&named)
    })
}

fn endpoint_host(proxy_endpoint: Option<&str>) -> Option<Host> {
    Host::parse(proxy_endpoint?.strip_prefix("https://")?.as_bytes()).ok()
}

/// Decodes the token, base64 of `AWS:password`, and its expiry.
fn minted(token: Option<&str>, expires: Option<&DateTime>) -> Result<Minted, Error> {
    let password = token.and_then(decode).ok_or(AwsError::NoToken)?;
    let credential =
        Credential::new(super::USER.to_owned(), password).map_err(AwsError::Unusable)?;
    Ok(Minted {
        credential,
        expires: expires.and_then(|end| SystemTime::try_from(*end).ok()),
    })
}

fn decode(token: &str) -> Option<Redacted> {
    let pair = Zeroizing::new(BASE64_STANDARD.decode(token).ok()?);
    let (user, password) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    (user == super::USER).then(|| password.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_the_registry_that_its_proxy_endpoint_names() {
        let registry = |text: &str| match EcrHost::parse(&Host::parse(text.as_bytes()).unwrap()) {
            Some(EcrHost::Private(registry)) => registry,
            other => panic!("{other:?}"),
        };
        let asked = registry("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com");
        let table = [
            ("https://123456789012.dkr.ecr.us-east-1.amazonaws.com", true),
            (
                "https://123456789012.dkr.ecr-fips.us-east-1.amazonaws.com",
                true,
            ),
            (
                "https://210987654321.dkr.ecr.us-east-1.amazonaws.com",
                false,
            ),
            (
                "https://123456789012.dkr.ecr.us-east-2.amazonaws.com",
                false,
            ),
            (
                "https://123456789012.dkr.ecr.us-east-1.amazonaws.com.cn",
                false,
            ),
            (
                "https://123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.com",
                false,
            ),
            ("http://123456789012.dkr.ecr.us-east-1.amazonaws.com", false),
            ("", false),
        ];
        for (endpoint, expected) in table {
            assert_eq!(
                is_for(Some(&asked), "us-east-1", Some(endpoint)),
                expected,
                "{endpoint}"
            );
        }
        assert!(is_for(
            None,
            "us-east-1",
            Some("https://210987654321.dkr.ecr.us-east-1.amazonaws.com")
        ));
        assert!(!is_for(
            None,
            "us-east-1",
            Some("https://210987654321.dkr.ecr.us-east-2.amazonaws.com")
        ));
    }

    #[test]
    fn a_token_is_taken_apart_and_anything_else_is_an_error_that_quotes_nothing() {
        let token = BASE64_STANDARD.encode("AWS:pass:word");
        let minted_token = minted(Some(&token), Some(&DateTime::from_secs(1_700_000_000))).unwrap();
        assert_eq!(
            (
                minted_token.credential.username(),
                minted_token.credential.secret().expose()
            ),
            ("AWS", "pass:word")
        );
        assert_eq!(
            minted_token.expires,
            Some(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000))
        );
        assert!(minted(Some(&token), None).unwrap().expires.is_none());
        for wrong in [
            "hunter2",
            "aHVudGVyMg==",
            &BASE64_STANDARD.encode("root:hunter2"),
            &BASE64_STANDARD.encode("AWS:"),
        ] {
            let error = minted(Some(wrong), None).unwrap_err().to_string();
            assert!(
                error.starts_with("backend aws: the ") && !error.contains("hunter2"),
                "{error}"
            );
        }
        assert!(minted(None, None).is_err());
    }
}
