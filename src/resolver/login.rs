//! A route's login: the cached token, or one that is minted.

use std::cell::Cell;

use super::answer::Who;
use super::shared::Wanted;
use super::{Resolver, Route, Source};
use crate::backend::{Backend, Login, Whose};
use crate::cache::TokenId;
use crate::error::Error;
use crate::keys::Keys;
use crate::service_account::ServiceAccount;
use crate::store::Keep;
use crate::token::{Minted, Scope};

impl Resolver {
    /// What these keys, or without any the pod's or the node's own identity, are answered as: from the cache where it may
    /// be kept. Not found where the node was to log in and has no identity of that cloud.
    pub(super) fn login(
        &self,
        backend: &Backend,
        route: &Route,
        who: Who,
        keep: Keep,
    ) -> Result<Minted, Error> {
        let login = self.login_of(route, who.keys, who.pod);
        let whose = self.whose(backend, &login)?;
        let cache = match whose {
            Whose::Unknown => None,
            _ => self.cache_for(keep),
        };
        let scope = match (cache, whose) {
            (Some(cache), whose) => self.scope(backend, &login, whose, cache)?,
            (None, Whose::Known(scope)) => Some(scope),
            (None, _) => None,
        };
        let Some(scope) = scope else {
            return self.mint(backend, &login);
        };
        let wanted = Wanted {
            backend,
            route,
            scope: &scope,
            cache,
            sharing: who.sharing,
        };
        let Some(cache) = cache else {
            return self.mint_once(wanted, &login);
        };
        let minted = Cell::new(false);
        let answer = cache.get_or_mint(
            &self.token_id(backend, route, who.store, &scope),
            backend.longest_life(),
            login.deadline,
            |deadline| {
                minted.set(true);
                self.mint_once(wanted, &Login { deadline, ..login })
            },
        );
        self.answered_by.set(Source {
            cached: !minted.get(),
            ..self.answered_by.get()
        });
        answer
    }

    /// What a route's login works with.
    pub(super) fn login_of<'a>(
        &'a self,
        route: &Route<'a>,
        keys: Option<&'a Keys>,
        pod: Option<&'a ServiceAccount>,
    ) -> Login<'a> {
        Login {
            host: route.real,
            keys,
            pod,
            // Where pods log in as themselves, a tenant's secret must not turn a pod into the node.
            ambient: route.ambient && !(keys.is_some() && route.workload_identity),
            settings: route.settings(),
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
            host: route.host.as_reference(),
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
            Ok(_) => self
                .log
                .done(step, format_args!("backend {}: logged in", backend.name())),
            Err(error) => self.log.done(
                step,
                format_args!("backend {}: it failed: {error}", backend.name()),
            ),
        }
        minted
    }
}
