//! A route's login: the cached token, or one that is minted.

use std::cell::Cell;

use super::{Answered, Resolver, Route};
use crate::backend::{Backend, Login, Minted, Scope};
use crate::cache::TokenId;
use crate::config::CloudSettings;
use crate::credential::Credential;
use crate::error::Error;
use crate::keys::Keys;
use crate::store::Keep;

impl Resolver {
    /// What these keys, or without any the node's own identity, are answered as: from the cache where it may be kept.
    pub(super) fn login(
        &self,
        backend: &Backend,
        route: &Route,
        store: &'static str,
        keys: Option<&Keys>,
        keep: Keep,
    ) -> Result<Credential, Error> {
        let none = CloudSettings::default();
        let login = self.login_of(route, keys, &none);
        let scope = backend.scope(&login).filter(|_| keep == Keep::Disk);
        let Some((scope, cache)) = scope.and_then(|scope| Some((scope, self.cache()?))) else {
            return self.mint(backend, &login).map(|minted| minted.credential);
        };
        let minted = Cell::new(false);
        let answer = cache.get_or_mint(
            &self.token_id(backend, route, store, &scope),
            backend.longest_life(),
            login.deadline,
            |deadline| {
                minted.set(true);
                self.mint(backend, &Login { deadline, ..login })
            },
        );
        self.answered_by.set(Answered { cached: !minted.get(), ..self.answered_by.get() });
        answer
    }

    /// What a route's login works with.
    pub(super) fn login_of<'a>(
        &'a self,
        route: &Route<'a>,
        keys: Option<&'a Keys>,
        none: &'a CloudSettings,
    ) -> Login<'a> {
        Login {
            host: route.real,
            keys,
            ambient: route.ambient,
            settings: route.rule.map_or(none, |rule| &rule.cloud),
            node: &self.config.node,
            deadline: self.deadline(),
        }
    }

    /// What a route's token depends on.
    pub(super) fn token_id<'a>(
        &'a self,
        backend: &Backend,
        route: &Route<'a>,
        store: &'a str,
        scope: &'a Scope,
    ) -> TokenId<'a> {
        TokenId {
            workspace: &self.config.workspace,
            host: route.host.as_str(),
            path: route.path,
            real: route.real.as_str(),
            backend: backend.name(),
            store,
            scope,
        }
    }

    pub(super) fn mint(&self, backend: &Backend, login: &Login) -> Result<Minted, Error> {
        let step = self.log.step();
        let minted = backend.login(login);
        match &minted {
            Ok(_) => self.log.done(step, format_args!("backend {}: logged in", backend.name())),
            Err(error) => self.log.done(step, format_args!("backend {}: it failed: {error}", backend.name())),
        }
        minted
    }
}
