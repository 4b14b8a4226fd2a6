//! Azure Container Registry: exchanges an identity for an Entra token, and that for the registry's own refresh token.
//!
//! <https://learn.microsoft.com/azure/container-registry/container-registry-authentication>,
//! <https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md>

mod authority;
mod certificate;
mod entra;
mod errors;
mod exchange;
mod identity;
mod whose;

use std::path::Path;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::Login;
use crate::config::Node;
use crate::error::Error;
use crate::http::Http;
use crate::json::Loose;
use crate::jwt;
use crate::runtime;
use crate::service_account::ServiceAccount;
use crate::token::Minted;
use crate::trusted::{self, Readers};
use identity::Identity;
pub(super) use whose::whose;

pub(super) fn login(login: &Login) -> Result<Minted, Error> {
    let identity = Identity::of(login)?.ok_or(errors::AzureError::Gone)?;
    runtime::block_on(PART, login.deadline, async {
        let http =
            Http::new(login.deadline, identity.cleartext()).map_err(|fault| fault.error(PART))?;
        let token = entra::token(&http, &identity).await?;
        exchange::refresh_token(&http, login.host, identity.tenant_guid(), &token).await
    })
}

/// Whether the account's annotations name an application.
pub(super) fn is_for_pod(account: &ServiceAccount) -> bool {
    account.annotation(POD_CLIENT_ID).is_some()
}

/// The client id of the machine's own identity, which the metadata service reveals only in the token that it issues.
pub(super) fn ask_machine(login: &Login) -> Result<Option<String>, Error> {
    let identity = Identity::of(login)?.ok_or(errors::AzureError::Gone)?;
    let token = runtime::block_on(PART, login.deadline, async {
        let http =
            Http::new(login.deadline, identity.cleartext()).map_err(|fault| fault.error(PART))?;
        entra::token(&http, &identity).await
    })?;
    let claims: Claims = jwt::claims(&token).unwrap_or_default();
    let id = claims.appid.take().or_else(|| claims.oid.take());
    Ok(id.filter(|id| identity::is_guid(id)))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Claims {
    appid: Loose<String>,
    oid: Loose<String>,
}

/// Whether the node's own token file, if one is named, can be used.
pub(super) fn check_files(node: &Node) -> Result<(), Error> {
    node.file(TOKEN_FILE)?
        .map_or(Ok(()), |file| read(&file).map(|_| ()))
}

/// Reads a file for the node's Azure identity. No other code reads such files.
fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    trusted::read(path, Readers::Mounted, MAX_FILE).map_err(|fault| fault.problem(PART))
}

/// The variables that name a file of the node's identity.
const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";
const CERTIFICATE: &str = "AZURE_CLIENT_CERTIFICATE_PATH";
/// <https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html>
const POD_CLIENT_ID: &str = "azure.workload.identity/client-id";
const MAX_FILE: u64 = 64 << 10;
/// The part named in errors.
const PART: &str = "backend azure";
