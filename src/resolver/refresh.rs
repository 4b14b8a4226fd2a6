//! Renews a cached token. The secret is looked up as for a `get`, so that a token never outlives its secret.

use super::errors::ResolverError;
use super::shared::{Sharing, Wanted};
use super::{Resolver, Route};
use crate::backend::Backend;
use crate::cache::{Cache, InventoryEntry, NODE, POD, Renewal};
use crate::error::Error;
use crate::host::{Host, Scheme};
use crate::keys::Keys;
use crate::registry::choose;
use crate::store::{Found, Keep};

/// The outcome of renewing a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// A new token was minted.
    Renewed,
    /// Another process had just minted one.
    ByAnother,
    /// The token was removed, for this reason.
    Removed(&'static str),
    /// The token was left alone, for this reason.
    Left(&'static str),
}

/// A backend, the store, and the keys; no keys if the node's own identity logs in.
pub(super) type Identity = (Backend, &'static str, Option<Keys>);

impl Resolver {
    /// Renews a cached token, or removes it if a `get` would no longer mint it.
    pub fn refresh(&self, cache: &Cache, known: &InventoryEntry) -> Result<Refreshed, Error> {
        let origin = &known.origin;
        if origin.workspace != self.config.workspace {
            return Ok(Refreshed::Left("it is of another workspace"));
        }
        let host = Host::parse(origin.registry.as_bytes()).map_err(ResolverError::Origin)?;
        let removed = |why| {
            cache.remove(known);
            Ok(Refreshed::Removed(why))
        };
        let route = self
            .route(&host, Scheme::Https, &origin.path)
            .filter(|route| !route.is_public());
        let Some(route) = route else {
            return removed("a rule says that the registry is public");
        };
        let (backend, store, keys) = match self.keys_for(&route, cache.is_in_memory())? {
            Ok(found) => found,
            Err(gone) => {
                return left_alone(known)
                    .map_or_else(|| removed(gone), |why| Ok(Refreshed::Left(why)));
            }
        };
        let login = self.login_of(&route, keys.as_ref(), None);
        let scope = match self.whose(&backend, &login) {
            Ok(whose) => self.scope(&backend, &login, whose, cache)?,
            Err(Error::NotFound) => None,
            Err(error) => return Err(error),
        };
        let id = scope
            .as_ref()
            .map(|scope| (scope, self.token_id(&backend, &route, store, scope)));
        let Some((scope, id)) = id.filter(|(_, id)| cache.is_of(known, id)) else {
            return match left_alone(known) {
                Some(why) => Ok(Refreshed::Left(why)),
                None => removed("its secret has changed"),
            };
        };
        let wanted = Wanted {
            backend: &backend,
            login,
            route: &route,
            scope,
            cache: Some(cache),
            sharing: Sharing::Ask,
        };
        let mint = |deadline| self.mint_once(wanted, deadline);
        let renewal = cache.refresh(known, &id, backend.longest_life(), login.deadline, mint)?;
        Ok(match renewal {
            Renewal::Minted => Refreshed::Renewed,
            Renewal::ByAnother => Refreshed::ByAnother,
        })
    }

    /// The login of a `get` for a cache in memory or on disk, or why there is none.
    pub(super) fn keys_for(
        &self,
        route: &Route,
        in_memory: bool,
    ) -> Result<Result<Identity, &'static str>, Error> {
        const GONE: &str = "its secret is gone";
        let why = match self.find(route)? {
            Some((_, found)) if found.keep == Keep::Memory && !in_memory => return Ok(Err(GONE)),
            Some((store, found)) => {
                let Found { keys, times, .. } = found;
                match choose(route.row, route.real, keys) {
                    Ok(choice) if self.ended(route, store, &choice, times).is_some() => {
                        "its secret has expired"
                    }
                    Ok(choice) => return Ok(Ok((choice.backend, store, Some(choice.keys)))),
                    Err(Error::NotFound) => return Ok(Err(GONE)),
                    Err(error) => return Err(error),
                }
            }
            None => GONE,
        };
        Ok(route
            .row
            .cloud()
            .filter(|_| route.ambient)
            .map(|backend| (*backend, NODE, None))
            .ok_or(why))
    }
}

/// Why a token that would not be minted now may still be useful: its keys come with a request, or the node has its
/// identity in another environment.
fn left_alone(known: &InventoryEntry) -> Option<&'static str> {
    let origin = &known.origin;
    match origin.store.as_str() {
        "worker" => Some("its secret is vended for an image, and the next pull of it renews it"),
        "request" => Some("its secret came with a request, which alone can renew it"),
        POD => Some("a pod's service account minted it, which alone can renew it"),
        NODE => Some(OTHER_IDENTITY),
        // A secret may also mean the node's identity.
        _ => (!origin.identity.is_empty()).then_some(OTHER_IDENTITY),
    }
}

const OTHER_IDENTITY: &str = "it belongs to another identity than the node has in this environment";
