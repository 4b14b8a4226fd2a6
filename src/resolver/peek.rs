//! Looks up a route's cached token, without network requests, minting or renewing.

use super::whose::meant_for_node;
use super::{Resolver, Route};
use crate::backend::{Backend, Whose};
use crate::cache::{Cache, Peek};
use crate::error::Error;
use crate::keys::Keys;
use crate::store::Keep;

/// The cache's part in a route's answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cached {
    /// Nothing is minted, or nothing that may be cached.
    #[default]
    Never,
    /// The cache is switched off.
    Off,
    /// There is no usable token; one would be minted.
    Nothing,
    /// This token would be used.
    Token(Peek),
}

/// The identity that would log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// The node, but it has no identity for that cloud, for this reason.
    Nobody(String),
    /// This identity; if empty, a secret's keys.
    Identity(String, Cached),
}

impl Resolver {
    /// Who would log in with these keys or, without keys, as the node; and the cached token.
    pub fn outlook(
        &self,
        route: &Route,
        backend: &Backend,
        keys: Option<&Keys>,
        keep: Keep,
    ) -> Result<Outlook, Error> {
        let whose = match backend.whose(&self.login_of(route, keys, None))? {
            Whose::Nobody(why) if keys.is_some() => return Err(meant_for_node(&why)),
            Whose::Nobody(why) => return Ok(Outlook::Nobody(why)),
            whose => whose,
        };
        let scope = self.scope_by_memory(backend, &whose);
        let identity = match (&scope, &whose) {
            (Some(scope), _) => scope.identity().to_owned(),
            (None, Whose::Machine(machine)) => {
                format!(
                    "{} (its metadata service says which one)",
                    machine.kind().identity()
                )
            }
            (None, Whose::Unknown) if keys.is_none() => "not known before it logs in".to_owned(),
            _ => String::new(),
        };
        let peek = || {
            // The store does not distinguish tokens.
            let id = self.token_id(backend, route, self.workspace_store(), scope.as_ref()?);
            self.existing_for(keep)?.peek(&id)
        };
        let cached = match whose {
            Whose::Unknown => Cached::Never,
            _ if !self.is_kept(keep) => Cached::Never,
            _ if !self.config.cache.enabled => Cached::Off,
            _ => peek().map_or(Cached::Nothing, Cached::Token),
        };
        Ok(Outlook::Identity(identity, cached))
    }

    fn is_kept(&self, keep: Keep) -> bool {
        match keep {
            Keep::Memory => Cache::is_possible_in_memory(&self.config.memory_cache),
            Keep::Disk | Keep::MemoryFirst => true,
            Keep::Nowhere => false,
        }
    }
}
