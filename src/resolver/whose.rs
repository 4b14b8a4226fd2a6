//! Whose token a login mints: what the backend tells by itself, and what the machine's metadata service says of it, which is
//! asked for once and remembered for minutes.

use std::time::Duration;

use super::Resolver;
use super::errors::ResolverError;
use crate::backend::{Backend, Login, Whose};
use crate::cache::Cache;
use crate::error::Error;
use crate::token::{Minted, Scope, Unnamed};

impl Resolver {
    /// Whose token it is, without asking anybody; not found where the node has no identity of that cloud.
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

    /// What the cache knows the token by; `None` where nobody can tell whose it is.
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

    /// A token that is minted for the cache. Where the node's identity was another one meanwhile, nobody can say
    /// whose the token is, and it is not kept.
    pub(super) fn mint_for(
        &self,
        backend: &Backend,
        login: &Login,
        scope: &Scope,
        cache: &Cache,
    ) -> Result<Minted, Error> {
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

    /// Nothing that is remembered counts.
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

    /// The same without asking or making anything, for a caller that only looks; `None` where it cannot be told.
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
        let name = backend.ask_machine(login);
        let said = if matches!(name, Ok(Some(_))) {
            "it told who this machine is"
        } else {
            "it did not tell"
        };
        self.log.done(
            step,
            format_args!(
                "backend {}: the metadata service was asked: {said}",
                backend.name()
            ),
        );
        name
    }
}

/// A secret that means the node's identity is there: going on anonymously would hide the mistake.
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
