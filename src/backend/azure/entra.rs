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

use super::authority::App;
use super::errors::{self, AzureError, Refusal};
use super::identity::Identity;
use crate::credential::Redacted;
use crate::error::Error;
use crate::http::{Http, Request};

/// The token of an identity.
pub(super) async fn token(http: &Http, identity: &Identity) -> Result<Redacted, Error> {
    let credential = credential(http, identity).map_err(|_| AzureError::unusable(identity))?;
    let token = credential
        .get_token(&[SCOPE], None)
        .await
        .map_err(|error| errors::entra(&error, identity))?;
    let token = Redacted::from(token.token.secret());
    if token.is_empty() {
        Err(AzureError::NoToken("Entra").into())
    } else {
        Ok(token)
    }
}

fn credential(http: &Http, identity: &Identity) -> azure_core::Result<Arc<dyn TokenCredential>> {
    Ok(match identity {
        Identity::Secret { app, secret } => ClientSecretCredential::new(
            &app.tenant,
            app.client_id.clone(),
            Secret::new(secret.expose().to_owned()),
            Some(ClientSecretCredentialOptions {
                client_options: options(http, Some(&app.cloud)),
            }),
        )?,
        Identity::Certificate { app, certificate } => {
            let id = azure_core::Uuid::new_v4().to_string();
            let unsigned =
                || azure_core::Error::with_message(ErrorKind::Credential, "the key cannot sign");
            by_assertion(
                http,
                app,
                &certificate.assertion(app, &id).ok_or_else(unsigned)?,
            )?
        }
        Identity::Workload { app, token } => by_assertion(http, app, token)?,
        Identity::Managed { client_id } => {
            ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                user_assigned_id: client_id.clone().map(UserAssignedId::ClientId),
                client_options: options(http, None),
            }))?
        }
    })
}

fn by_assertion(
    http: &Http,
    app: &App,
    assertion: &Redacted,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    Ok(ClientAssertionCredential::new(
        app.tenant.clone(),
        app.client_id.clone(),
        Assertion(assertion.clone()),
        Some(ClientAssertionCredentialOptions {
            client_options: options(http, Some(&app.cloud)),
        }),
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
            return Err(Refusal::answer(host, &answer));
        }
        Ok(AsyncRawResponse::from_bytes(
            StatusCode::from(answer.status),
            Headers::new(),
            answer.body.to_vec(),
        ))
    }
}

/// The same in all clouds (<https://github.com/Azure/azure-sdk-for-net/issues/34785>), and valid only for registries.
/// Registries also accept tokens for Azure's management API, but those could do more.
const SCOPE: &str = "https://containerregistry.azure.net/.default";
