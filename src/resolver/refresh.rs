//! Minting a cached token anew: the secret is looked up as a `get` would, so that a token never outlives its secret.

use super::{Resolver, Route};
use crate::backend::{Backend, Login};
use crate::cache::{Cache, NODE, POD, Renewal, Surveyed};
use crate::error::{Error, Problem};
use crate::host::{Host, Scheme};
use crate::keys::Keys;
use crate::registry::choose;
use crate::store::Keep;

/// What came of a token that was to be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// It was minted anew.
    Renewed,
    /// Another process had just done it.
    ByAnother,
    /// It was removed, for this reason.
    Removed(&'static str),
    /// It was left alone, for this reason.
    Left(&'static str),
}

impl Resolver {
    /// Renews a token of the cache, or removes it when nothing would be minted for it any more.
    pub fn refresh(&self, cache: &Cache, known: &Surveyed) -> Result<Refreshed, Error> {
        let origin = &known.origin;
        if origin.workspace != self.config.workspace {
            return Ok(Refreshed::Left("it is of another workspace"));
        }
        let host = Host::parse(origin.registry.as_bytes())
            .map_err(|error| Problem::new("token cache", error).fix("remove the cache's directory").failed())?;
        let removed = |why| {
            cache.remove(known);
            Ok(Refreshed::Removed(why))
        };
        let route = self.route(&host, Scheme::Https, &origin.path).filter(|route| !route.is_public());
        let Some(route) = route else { return removed("a rule says that the registry is public") };
        let Some((backend, store, keys)) = self.keys_for(&route)? else {
            // Whoever asks brings it along; nobody can know whether it is still good.
            let Some(why) = by_request(&origin.store) else { return removed("its secret is gone") };
            return Ok(Refreshed::Left(why));
        };
        let login = self.login_of(&route, keys.as_ref(), None);
        let Some(scope) = backend.scope(&login) else {
            return removed("what it was minted from is not cached any more");
        };
        let id = self.token_id(&backend, &route, store, &scope);
        if !cache.is_of(known, &id) {
            return match by_request(&origin.store) {
                Some(why) => Ok(Refreshed::Left(why)),
                None => removed("its secret has changed"),
            };
        }
        let mint = |deadline| self.mint(&backend, &Login { deadline, ..login });
        Ok(match cache.refresh(known, &id, backend.longest_life(), login.deadline, mint)? {
            Renewal::Minted => Refreshed::Renewed,
            Renewal::ByAnother => Refreshed::ByAnother,
        })
    }

    /// What a `get` would log in with: the backend, the store, and the keys unless the node's own identity logs in.
    pub(super) fn keys_for(&self, route: &Route) -> Result<Option<(Backend, &'static str, Option<Keys>)>, Error> {
        match self.find(route)? {
            Some((_, found)) if found.keep == Keep::Memory => Ok(None),
            Some((store, found)) => match choose(route.row, route.real, found.keys) {
                Ok(choice) => Ok(Some((choice.backend, store, Some(choice.keys)))),
                Err(Error::NotFound) => Ok(None),
                Err(error) => Err(error),
            },
            None => Ok(route.row.cloud().filter(|_| route.ambient).map(|backend| (*backend, NODE, None))),
        }
    }

    /// The cache that is there, also while it is switched off; nothing is made.
    pub fn existing_cache(&self) -> Result<Option<Cache>, crate::private::Fault> {
        Cache::existing(&self.config.cache, &self.config.file_key, &self.warnings)
    }
}

fn by_request(store: &str) -> Option<&'static str> {
    match store {
        "request" => Some("its secret came with a request, which alone can renew it"),
        POD => Some("a pod's service account minted it, which alone can renew it"),
        _ => None,
    }
}
