//! A route's login: a cached or newly minted token.

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
    /// The credential from these keys or, without keys, from the pod's or the node's own identity; from the cache if
    /// possible. `NotFound` if the node should log in but has no identity for that cloud.
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
            login,
            route,
            scope: &scope,
            cache,
            sharing: who.sharing,
        };
        let Some(cache) = cache else {
            return self.mint_once(wanted, login.deadline);
        };
        let minted = Cell::new(false);
        let answer = cache.get_or_mint(
            &self.token_id(backend, route, who.store, &scope),
            backend.longest_life(),
            login.deadline,
            |deadline| {
                minted.set(true);
                self.mint_once(wanted, deadline)
            },
        );
        self.answered_by.set(Source {
            cached: !minted.get(),
            ..self.answered_by.get()
        });
        answer
    }

    /// The input of a route's login.
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
            // If pods log in as themselves, a tenant's secret must not turn a pod into the node.
            ambient: route.ambient && !(keys.is_some() && route.workload_identity),
            settings: route.settings(),
            node: &self.config.node,
            deadline: self.deadline(),
        }
    }

    /// Everything that a route's token depends on.
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
        let (log, name) = (&self.log, backend.name());
        match &minted {
            Ok(_) => log.done(step, format_args!("backend {name}: logged in")),
            Err(error) => log.done(step, format_args!("backend {name}: it failed: {error}")),
        }
        minted
    }
}
