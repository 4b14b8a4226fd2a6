//! Azure Container Registry: an identity becomes an Entra token, and that the registry's own refresh token.
//!
//! <https://learn.microsoft.com/azure/container-registry/container-registry-authentication>,
//! <https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md>

mod entra;
mod errors;
mod exchange;
mod identity;

use std::path::Path;

use super::{Login, Minted, Scope};
use crate::config::Node;
use crate::error::Error;
use crate::http::Http;
use crate::runtime;
use crate::service_account::ServiceAccount;
use identity::Identity;

#[inline(never)] // Kept out of the frame and the pages of whoever needs no network.
pub(super) fn login(login: &Login) -> Result<Minted, Error> {
    let identity = Identity::of(login)?;
    runtime::block_on(PART, login.deadline, async {
        let http = Http::new(login.deadline, identity.cleartext()).map_err(|fault| fault.error(PART))?;
        let token = entra::token(&http, &identity).await?;
        exchange::refresh_token(&http, login.host, identity.tenant_guid(), &token).await
    })
}

/// Whether its annotations name an application.
pub(super) fn is_for_pod(account: &ServiceAccount) -> bool {
    account.annotation(identity::POD_CLIENT_ID).is_some()
}

/// Whether the node's own token file can be used, where one is named.
pub(super) fn check_files(node: &Node) -> Result<(), Error> {
    node.get(identity::TOKEN_FILE).map_or(Ok(()), |file| entra::federated(Path::new(file.expose())).map(|_| ()))
}

/// With a secret, its keys; with a pod, whose it is; without, what says which identity the node has. Which registry it is, the cache knows.
pub(super) fn scope(login: &Login) -> Scope {
    let node = login.node.describe(&identity::DESCRIBED);
    match (login.keys, login.pod) {
        (Some(keys), _) => Scope::of_keys(keys),
        // What the node says of tenant and authority has its part in it.
        (None, Some(account)) => Scope(account.describe().into_iter().chain(node).collect()),
        (None, None) => Scope(node),
    }
}

/// Who speaks, in errors.
const PART: &str = "backend azure";
