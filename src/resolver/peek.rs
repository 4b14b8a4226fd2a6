//! What the cache holds for a route, without opening, minting or renewing anything.

use super::{Resolver, Route};
use crate::backend::Backend;
use crate::cache::{Cache, Peek};
use crate::keys::Keys;

/// What a route's answer has to do with the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cached {
    /// Nothing is minted for it, or nothing that may be cached.
    Never,
    /// The cache is switched off.
    Off,
    /// There is no token that would be served: one is minted.
    Nothing,
    /// This token would be served.
    Token(Peek),
}

impl Resolver {
    /// What the cache holds of the token that these keys, or without any the node's own identity, would be minted into.
    #[must_use]
    pub fn cached(&self, route: &Route, backend: &Backend, keys: Option<&Keys>) -> Cached {
        let login = self.login_of(route, keys, None);
        let Some(scope) = backend.scope(&login) else { return Cached::Never };
        if !self.config.cache.enabled {
            return Cached::Off;
        }
        // Which store has the secret makes no other token.
        let id = self.token_id(backend, route, self.workspace_store(), &scope);
        let peek = Cache::peek(&self.config.cache, &self.config.file_key, &id);
        peek.map_or(Cached::Nothing, Cached::Token)
    }
}
