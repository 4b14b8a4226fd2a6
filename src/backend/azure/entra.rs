//! Gets an identity's Entra token for the registry service, with Microsoft's `azure_identity` on this program's own
//! HTTP client.
//!
//! The client retries and keeps the deadline. Retries in the SDK are off, because for managed identities they would
//! take 72 seconds. Every option that the SDK would otherwise read from the environment is set.
//!
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>,
//! <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use azure_core::cloud::CloudConfiguration;
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::error::ErrorKind;
use azure_core::http::headers::Headers;
use azure_core::http::{
    AsyncRawResponse, ClientMethodOptions, ClientOptions, HttpClient, Method, RetryOptions,
    StatusCode, Transport,
};
use azure_identity::{
    ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions,
    ClientSecretCredential, ClientSecretCredentialOptions, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId,
};

use super::PART;
use super::errors::{AzureError, common};
use super::identity::{Identity, Proof};
use crate::credential::Redacted;
use crate::error::Error;
use crate::http::{Http, HttpError, Kind, Request};

/// The token of an identity.
pub(super) async fn token(http: &Http, identity: &Identity) -> Result<Redacted, Error> {
    let credential = credential(http, identity).map_err(|_| match identity {
        Identity::Managed(_) => AzureError::OtherManaged,
        Identity::App(..) => AzureError::Unconfigured,
    })?;
    let token = credential
        .get_token(&[SCOPE], None)
        .await
        .map_err(|error| refused(&error, identity))?;
    let token = Redacted::from(token.token.secret());
    if token.is_empty() {
        Err(AzureError::NoToken("Entra").into())
    } else {
        Ok(token)
    }
}

fn credential(http: &Http, identity: &Identity) -> azure_core::Result<Arc<dyn TokenCredential>> {
    let (app, proof) = match identity {
        Identity::App(app, proof) => (app, proof),
        Identity::Managed(client_id) => {
            let options = ManagedIdentityCredentialOptions {
                user_assigned_id: client_id.clone().map(UserAssignedId::ClientId),
                client_options: options(http, None),
            };
            return Ok(ManagedIdentityCredential::new(Some(options))?);
        }
    };
    let (client_id, client_options) = (app.client_id.clone(), options(http, Some(&app.cloud)));
    let assertion = match proof {
        Proof::Secret(secret) => {
            let secret = Secret::new(secret.expose().to_owned());
            let options = ClientSecretCredentialOptions { client_options };
            return Ok(ClientSecretCredential::new(
                &app.tenant,
                client_id,
                secret,
                Some(options),
            )?);
        }
        Proof::Certificate(certificate) => {
            let id = azure_core::Uuid::new_v4().to_string();
            certificate.assertion(app, &id).ok_or_else(|| {
                azure_core::Error::with_message(ErrorKind::Credential, "the key cannot sign")
            })?
        }
        Proof::Token(token) => token.clone(),
    };
    Ok(ClientAssertionCredential::new(
        app.tenant.clone(),
        client_id,
        Assertion(assertion),
        Some(ClientAssertionCredentialOptions { client_options }),
    )?)
}

fn options(http: &Http, cloud: Option<&Arc<CloudConfiguration>>) -> ClientOptions {
    ClientOptions {
        retry: RetryOptions::none(),
        transport: Some(Transport::new(Arc::new(Carrier(http.clone())))),
        cloud: cloud.cloned(),
        ..ClientOptions::default()
    }
}

/// A signed token that identifies the application.
#[derive(Debug)]
struct Assertion(Redacted);

impl ClientAssertion for Assertion {
    fn secret<'a, 'b, 'c>(
        &'a self,
        _options: Option<ClientMethodOptions<'b>>,
    ) -> Pin<Box<dyn Future<Output = azure_core::Result<String>> + Send + 'c>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async { Ok(self.0.expose().to_owned()) })
    }
}

/// Sends the SDK's requests. Any answer but a success becomes an error that the SDK does not retry.
#[derive(Debug)]
struct Carrier(Http);

impl HttpClient for Carrier {
    fn execute_request<'a, 'b, 'c>(
        &'a self,
        request: &'b azure_core::http::Request,
    ) -> Pin<Box<dyn Future<Output = azure_core::Result<AsyncRawResponse>> + Send + 'c>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            self.carry(request)
                .await
                .map_err(|refusal| azure_core::Error::new(ErrorKind::Other, refusal))
        })
    }
}

impl Carrier {
    async fn carry(
        &self,
        request: &azure_core::http::Request,
    ) -> Result<AsyncRawResponse, Refusal> {
        let url = request.url().as_str();
        let mut ours = if request.method() == Method::Post {
            Request::post(url)
        } else {
            Request::get(url)
        };
        for (name, value) in request.headers().iter() {
            ours = ours.header(name.as_str(), value.as_str());
        }
        let body = azure_core::Bytes::from(request.body());
        if let Ok(text) = std::str::from_utf8(&body)
            && !text.is_empty()
        {
            ours = ours.text(text.into());
        }
        let host = request.url().host_str().unwrap_or_default();
        let answer = self.0.send(&ours).await.map_err(Refusal::NoAnswer)?;
        if !answer.is_success() || !answer.is_json() {
            return Err(Refusal::Answer {
                host: host.to_owned(),
                status: answer.status,
                code: aadsts(&answer.body),
                retry_after: answer.retry_after(),
            });
        }
        Ok(AsyncRawResponse::from_bytes(
            StatusCode::from(answer.status),
            Headers::new(),
            answer.body.to_vec(),
        ))
    }
}

/// Why a request of the SDK failed; passed through the SDK as the source of its errors.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    /// There was no answer.
    #[error("{0}")]
    NoAnswer(HttpError),
    /// The answer isn't a token.
    #[error("{host} answered {status}")]
    Answer {
        host: String,
        status: u16,
        code: Option<u32>,
        retry_after: Option<Duration>,
    },
}

/// The error for a login that failed in the SDK.
fn refused(error: &azure_core::Error, identity: &Identity) -> Error {
    let first: &(dyn std::error::Error + 'static) = error;
    let refusal = std::iter::successors(Some(first), |error| error.source())
        .find_map(|error| error.downcast_ref::<Refusal>());
    let is_managed = matches!(identity, Identity::Managed(_));
    match refusal {
        None => AzureError::NoToken("Entra").into(),
        Some(Refusal::NoAnswer(fault))
            if is_managed && matches!(fault.kind(), Kind::Nobody | Kind::Refused) =>
        {
            AzureError::NoMetadata(Box::new(fault.clone())).into()
        }
        Some(Refusal::NoAnswer(fault)) => fault.error(PART),
        Some(Refusal::Answer {
            host,
            status,
            code,
            retry_after,
        }) => {
            let (host, status) = (host.clone(), *status);
            let error = common(&host, status, *retry_after).unwrap_or(match *code {
                _ if is_managed => AzureError::Metadata { host, status },
                Some(code) => AzureError::Entra { code },
                None => AzureError::Login(status),
            });
            error.into()
        }
    }
}

/// The AADSTS code of an error; nothing else of its text is used.
fn aadsts(body: &[u8]) -> Option<u32> {
    const MARK: &[u8] = b"AADSTS";
    let start = body.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
    let digits = body[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    std::str::from_utf8(&body[start..start + digits])
        .ok()?
        .parse()
        .ok()
}

/// The same in all clouds (<https://github.com/Azure/azure-sdk-for-net/issues/34785>), and valid only for registries.
/// Registries also accept tokens for Azure's management API, but those could do more.
const SCOPE: &str = "https://containerregistry.azure.net/.default";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_code_of_an_error_is_read() {
        for (body, code) in [
            (
                r#"{"error_description":"AADSTS7000215: Invalid client secret hunter2"}"#,
                Some(7_000_215),
            ),
            ("AADSTS90002", Some(90_002)),
            ("AADSTS: none", None),
            ("AADSTS99999999999999999999", None),
            ("aadsts1", None),
            ("", None),
        ] {
            assert_eq!(aadsts(body.as_bytes()), code, "{body}");
        }
    }
}
