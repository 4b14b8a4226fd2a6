//! Determines the identity whose token a login mints: from the backend, and from the machine's metadata service, whose
//! answer is cached for minutes.

use std::time::Duration;

use super::Resolver;
use super::errors::ResolverError;
use super::shared::Wanted;
use crate::backend::{Backend, Login, Whose};
use crate::cache::Cache;
use crate::error::Error;
use crate::token::{Minted, Scope, Unnamed};

impl Resolver {
    /// The identity, without network requests. `NotFound` if the node has none for that cloud.
    pub(super) fn whose(&self, backend: &Backend, login: &Login) -> Result<Whose, Error> {
        match backend.whose(login)? {
            Whose::Nobody(why) => {
                self.log
                    .note(format_args!("backend {}: {why}", backend.name()));
                Err(if login.keys.is_some() {
                    meant_for_node(&why)
                } else {
                    Error::NotFound
                })
            }
            whose => Ok(whose),
        }
    }

    /// The token's scope for the cache; `None` if its identity is unknown.
    pub(super) fn scope(
        &self,
        backend: &Backend,
        login: &Login,
        whose: Whose,
        cache: &Cache,
    ) -> Result<Option<Scope>, Error> {
        match whose {
            Whose::Unknown | Whose::Nobody(_) => Ok(None),
            Whose::Known(scope) => Ok(Some(scope)),
            Whose::Machine(machine) => {
                let ask = || self.ask_machine(backend, login);
                let subject = subject(backend, &machine);
                let name =
                    cache
                        .memory()
                        .recall_or_ask(NAME, &subject, NAME_LIFE, login.deadline, ask)?;
                Ok(name.map(|name| machine.named(&name)))
            }
        }
    }

    /// Mints a token for the cache. If the node's identity changed meanwhile, it is unclear whose the token is, so it
    /// is not cached.
    pub(super) fn mint_for(&self, cache: &Cache, wanted: &Wanted) -> Result<Minted, Error> {
        let (backend, login, scope) = (wanted.backend, &wanted.login, wanted.scope);
        let minted = self.mint(backend, login)?;
        let is_of_node = login.pod.is_none() && !scope.identity().is_empty();
        if !is_of_node || self.scope_now(backend, login, cache).as_ref() == Some(scope) {
            return Ok(minted);
        }
        self.log.note(format_args!(
            "cache: the node's identity changed while the token was minted; it is not kept"
        ));
        Ok(Minted {
            expires: None,
            ..minted
        })
    }

    /// The scope from a new request to the metadata service, ignoring its cached answer.
    fn scope_now(&self, backend: &Backend, login: &Login, cache: &Cache) -> Option<Scope> {
        match backend.whose(login).ok()? {
            Whose::Known(scope) => Some(scope),
            Whose::Machine(machine) => {
                let subject = subject(backend, &machine);
                let name = self.ask_machine(backend, login).ok().flatten();
                match &name {
                    Some(name) => cache.memory().note(NAME, &subject, name),
                    None => cache.memory().forget(NAME, &subject),
                }
                Some(machine.named(&name?))
            }
            Whose::Unknown | Whose::Nobody(_) => None,
        }
    }

    /// The scope from cached answers only, for reports; `None` if unknown.
    pub(super) fn scope_by_memory(&self, backend: &Backend, whose: &Whose) -> Option<Scope> {
        match whose {
            Whose::Known(scope) => Some(scope.clone()),
            Whose::Machine(machine) => {
                let cache = self.existing_cache().ok().flatten()?;
                let noted = cache.memory().recall(NAME, &subject(backend, machine))?;
                (noted.age < NAME_LIFE).then(|| machine.named(noted.text.expose()))
            }
            Whose::Unknown | Whose::Nobody(_) => None,
        }
    }

    fn ask_machine(&self, backend: &Backend, login: &Login) -> Result<Option<String>, Error> {
        let step = self.log.step();
        let answer = backend.ask_machine(login);
        let (name, said) = match answer {
            Ok(Some(_)) => (backend.name(), "it told who this machine is"),
            _ => (backend.name(), "it did not tell"),
        };
        self.log.done(
            step,
            format_args!("backend {name}: the metadata service was asked: {said}"),
        );
        answer
    }
}

/// The error for a secret that means the node's missing identity. An anonymous pull would hide the mistake.
pub(super) fn meant_for_node(why: &str) -> Error {
    ResolverError::NoIdentity(why.to_owned()).into()
}

fn subject<'a>(backend: &'a Backend, machine: &'a Unnamed) -> Vec<&'a str> {
    [backend.name()]
        .into_iter()
        .chain(machine.kind().parts())
        .collect()
}

const NAME: &str = "identity";
const NAME_LIFE: Duration = Duration::from_mins(5);
