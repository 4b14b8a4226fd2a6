//! Azure Container Registry: an identity becomes an Entra token, and that the registry's own refresh token.
//!
//! <https://learn.microsoft.com/azure/container-registry/container-registry-authentication>,
//! <https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md>

mod entra;
mod errors;
mod exchange;
mod identity;

use super::{Login, Minted, Scope};
use crate::error::Error;
use crate::http::Http;
use crate::runtime;
use identity::Identity;

pub(super) fn login(login: &Login) -> Result<Minted, Error> {
    let identity = Identity::of(login)?;
    runtime::block_on(PART, login.deadline, async {
        let http = Http::new(login.deadline, identity.cleartext()).map_err(|fault| fault.error(PART))?;
        let token = entra::token(&http, &identity).await?;
        exchange::refresh_token(&http, login.host, identity.tenant_guid(), &token).await
    })
}

/// With a secret, its keys; without, what says which identity the node has. Which registry it is, the cache knows.
pub(super) fn scope(login: &Login) -> Scope {
    login.keys.map_or_else(|| Scope(login.node.describe(&identity::DESCRIBED)), Scope::of_keys)
}

/// Who speaks, in errors.
const PART: &str = "backend azure";
