//! Finds a route's secret: asks the stores in order, and uses cached answers of remote ones.

use std::collections::BTreeSet;
use std::fmt;

use super::errors::ResolverError;
use super::notes::MISS_LIFE;
use super::{Resolver, Route, Source};
use crate::cache::Cache;
use crate::config::Singles;
use crate::error::Error;
use crate::host::Host;
use crate::keys::Keys;
use crate::shown::shown_list;
use crate::store::{Found, Keep, Lookup, Store, StoreError};

impl Resolver {
    /// The secret for a route from the first store that has one, and the store's name. Only a certain miss moves on to
    /// the next store.
    pub fn find(&self, route: &Route) -> Result<Option<(&'static str, Found)>, Error> {
        let found = self.find_in_stores(route)?;
        self.answered_by
            .set(Source::of(found.as_ref().map(|(store, _)| *store)));
        Ok(found)
    }

    fn find_in_stores(&self, route: &Route) -> Result<Option<(&'static str, Found)>, Error> {
        for store in self.stores() {
            if let Some(found) = self.ask_and_say(store, route, route.host)? {
                return Ok(Some((store.name(), found)));
            }
            // A rule says that this host stands for that registry, so the registry's secret is meant too.
            if route.real != route.host
                && let Some(found) = self.ask_and_say(store, route, route.real)?
            {
                return Ok(Some((store.name(), found)));
            }
        }
        Ok(None)
    }

    fn ask_and_say(
        &self,
        store: &Store,
        route: &Route,
        host: &Host,
    ) -> Result<Option<Found>, Error> {
        let step = self.log.step();
        let answer = self.ask(store, route, host);
        let (log, name) = (&self.log, store.name());
        match &answer {
            Ok(None) => log.done(step, format_args!("store {name}: nothing for {host}")),
            Ok(Some(found)) => {
                let keys = names(&found.keys);
                log.done(
                    step,
                    format_args!("store {name}: a secret for {host}, with {keys}"),
                );
            }
            Err(error) => log.done(step, format_args!("store {name}: it failed: {error}")),
        }
        answer
    }

    /// Asks a store. For a remote one, a miss is cached for seconds, and the last answer for when the store can't be
    /// reached.
    fn ask(&self, store: &Store, route: &Route, host: &Host) -> Result<Option<Found>, Error> {
        let cache = match store {
            _ if !store.is_remote() => None,
            // A miss isn't secret, so it may be cached on disk if there is no cache in memory.
            _ if store.is_for_memory() => self.cache_for(Keep::MemoryFirst),
            _ => self.cache_for(Keep::Disk),
        };
        let memory = cache.map(Cache::memory);
        let lookup = Lookup {
            memory: memory.as_ref(),
            ..self.lookup(route, host)?
        };
        let Some(memory) = &memory else {
            return store.get(&lookup);
        };
        let notes = self.notes(memory, store, &lookup);
        // If a miss would be an error, don't use a cached one: a new secret must work at once.
        if notes.is_missed() && !self.is_required(route)? {
            self.log.note(format_args!(
                "store {}: it had nothing within {MISS_LIFE:?}, and is not asked",
                store.name()
            ));
            return Ok(None);
        }
        let asked = memory.asked_now();
        match store.get(&lookup) {
            Ok(None) => {
                notes.miss(asked);
                Ok(None)
            }
            Ok(Some(found)) => {
                if found.keep == Keep::Disk {
                    notes.keep_found(host, &found, asked);
                }
                Ok(Some(found))
            }
            Err(error @ Error::Unreachable(_)) => match notes.last_found(host) {
                Some(found) => {
                    self.warnings.add(format_args!(
                        "{}; its last answer is used",
                        error.about(host.as_reference())
                    ));
                    Ok(Some(found))
                }
                None => Err(error),
            },
            Err(error) => {
                notes.refused(&error);
                Err(error)
            }
        }
    }

    /// Changes the workspace store, and removes this node's cached answers for the host.
    pub(super) fn change<T>(
        &self,
        route: &Route,
        change: impl FnOnce(&Lookup) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let cache = self.cache_that_exists();
        let memory = cache.as_ref().map(Cache::memory);
        let lookup = Lookup {
            memory: memory.as_ref(),
            ..self.lookup(route, route.host)?
        };
        lookup.check_writable(&format!("{} store", self.workspace_store()))?;
        let notes = memory
            .as_ref()
            .map(|memory| self.notes(memory, &self.workspace, &lookup));
        let notes = notes.filter(|_| self.workspace.is_remote());
        if let Some(notes) = &notes {
            notes.mark(Some(self.deadline()));
        }
        let done = change(&lookup);
        if let Some(notes) = &notes {
            notes.changed(done.is_ok());
            done.as_ref().err().inspect(|error| notes.refused(error));
        }
        if done.is_ok() {
            // Tokens minted from the old credential are of no use.
            let in_memory = self.existing_memory_cache();
            for cache in cache.iter().chain(&in_memory) {
                cache.forget(&self.config.workspace, route.host.as_reference());
            }
        }
        done
    }

    pub(super) fn lookup<'a>(
        &'a self,
        route: &Route<'a>,
        host: &'a Host,
    ) -> Result<Lookup<'a>, Error> {
        let (rule, named) = (route.rule, self.named_singles(route, host)?);
        if !named.is_empty() && !self.names_secrets() {
            let vain = StoreError::NamedInVain(host.clone());
            return Err(self.workspace.error(vain));
        }
        let is_real = host == route.real;
        let secret = rule.and_then(|rule| rule.secret.as_deref());
        Ok(Lookup {
            host,
            alias_of: (host == route.host && !is_real).then_some(route.real),
            secret: secret.filter(|_| named.is_empty()),
            named,
            row: route.row,
            // If the operator named a secret, only that one counts.
            singles: if is_real && secret.is_none() {
                self.config.singles
            } else {
                Singles::Named
            },
            by_shared_name: secret.is_some() || (is_real && !route.row.is_generic()),
            deadline: self.deadline(),
            memory: None,
        })
    }

    /// The workspace's single secrets that may be meant for a route but are not used: its vendor's, and the pairs that
    /// a Beta9 build reads for any registry. Empty if the store can't tell.
    pub fn unused_singles(&self, route: &Route) -> Vec<String> {
        let vendors = route
            .row
            .key_sets()
            .into_iter()
            .flat_map(|set| set.names().collect::<Vec<_>>());
        let names: BTreeSet<String> = vendors.chain(ANY_REGISTRYS).map(str::to_owned).collect();
        let names: Vec<String> = names.into_iter().collect();
        let there = self.workspace.singles(&names, self.deadline());
        let there = there.unwrap_or_default().into_iter();
        let there: BTreeSet<String> = there.map(|single| single.name).collect();
        there.into_iter().collect()
    }

    /// The single secrets that a rule, or else the request, names for a host.
    pub fn named_singles<'a>(
        &'a self,
        route: &Route<'a>,
        host: &Host,
    ) -> Result<&'a [String], Error> {
        match route.rule.and_then(|rule| rule.secrets.as_deref()) {
            Some(names) => Ok(names),
            None => self.named_by_request(host),
        }
    }

    /// The single secrets that the request names, if this is the host of its image.
    fn named_by_request(&self, host: &Host) -> Result<&[String], Error> {
        let pulled = &self.pulled;
        if pulled.secrets.is_empty() {
            return Ok(&[]);
        }
        match pulled.host()? {
            Some(registry) if registry == *host => Ok(&pulled.secrets),
            Some(_) => Ok(&[]),
            None => Err(ResolverError::NobodysSecrets.into()),
        }
    }
}

/// The names of keys; names are not secret.
fn names(keys: &Keys) -> impl fmt::Display {
    fmt::from_fn(|f| {
        if keys.is_empty() {
            f.write_str("no keys")
        } else {
            f.write_str(&shown_list(keys.names()))
        }
    })
}

/// The keys of pairs that a Beta9 build reads for any registry.
const ANY_REGISTRYS: [&str; 6] = [
    "DOCKERHUB_PASSWORD",
    "DOCKERHUB_USERNAME",
    "PASSWORD",
    "REGISTRY_PASSWORD",
    "REGISTRY_USERNAME",
    "USERNAME",
];
