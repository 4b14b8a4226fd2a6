//! Lists all credentials by server URL. A remote store has `list_timeout` to answer; then its last answer is used.

use std::collections::BTreeMap;
use std::time::Instant;

use super::{Resolver, Source};
use crate::cache::{Cache, Memory};
use crate::error::Error;
use crate::host::{Host, Scheme, ServerUrl};
use crate::json;
use crate::registry::choose;
use crate::store::{FileStore, Listed, Store, Username};

/// User names by server URL.
type Lines = BTreeMap<String, String>;

impl Resolver {
    /// Every server URL with a credential. The request's own hide stored ones.
    pub fn list(&self, skipped: &mut dyn FnMut(&Error)) -> Result<Lines, Error> {
        let mut all = Lines::new();
        for store in self.stores() {
            let lines = if store.is_remote() {
                self.list_remote(store, skipped)
            } else {
                self.lines(store, self.deadline(), None, skipped)?
            };
            for (url, username) in lines {
                all.entry(url).or_insert(username);
            }
        }
        if self.workspace.is_remote() {
            // The embedded store's registries are not listed then, because they are not used.
            let own = FileStore::of(&self.config);
            let items = own.list(|url| matches!(url, ServerUrl::Item(_)), skipped);
            let items = items.unwrap_or_else(|error| {
                skipped(&error);
                Vec::new()
            });
            all.extend(self.named(items, skipped));
        }
        Ok(all)
    }

    /// The store of docker's own items and nerdctl's keys. They belong to a client on this node rather than to a
    /// workspace, so they are always in the embedded store and need no network.
    pub(super) fn items(&self) -> FileStore {
        self.answered_by.set(Source::of(Some("file")));
        FileStore::of(&self.config)
    }

    /// Lists a remote store, or its last answer if it does not answer in time.
    fn list_remote(&self, store: &Store, skipped: &mut dyn FnMut(&Error)) -> Lines {
        let memory = self.cache().map(Cache::memory);
        let deadline = self
            .deadline()
            .min(Instant::now() + self.config.list_timeout);
        let asked = memory.as_ref().map(Memory::asked_now);
        let (mut out_of_reach, mut failed) = (false, false);
        let mut told = |error: &Error| {
            out_of_reach |= matches!(error, Error::Unreachable(_));
            if let Some(memory) = &memory {
                self.refused_by(memory, store, error);
            }
            skipped(error);
        };
        let mut lines = self
            .lines(store, deadline, memory.as_ref(), &mut told)
            .unwrap_or_else(|error| {
                told(&error);
                failed = true;
                Lines::new()
            });
        let noted = memory
            .as_ref()
            .zip(asked)
            .filter(|_| !self.config.cache.stale_if_error.is_zero());
        let Some((memory, asked)) = noted else {
            return lines;
        };
        if out_of_reach {
            let last = self
                .last_list(memory, store)
                .and_then(|last| json::object::<Lines>(last.text.expose().as_bytes()).ok());
            for (url, username) in last.into_iter().flatten() {
                lines.entry(url).or_insert(username);
            }
        } else if !failed {
            self.keep_list(memory, store, &json::line(&lines), asked);
        }
        lines
    }

    fn lines(
        &self,
        store: &Store,
        deadline: Instant,
        memory: Option<&Memory>,
        skipped: &mut dyn FnMut(&Error),
    ) -> Result<Lines, Error> {
        let listed = store.list(deadline, memory, skipped)?;
        Ok(self.named(listed, skipped))
    }

    /// Adds the user names. If a server URL occurs twice, the first one counts.
    fn named(&self, listed: Vec<Listed>, skipped: &mut dyn FnMut(&Error)) -> Lines {
        let mut lines = Lines::new();
        for line in listed {
            let Some(username) = self.username(&line, skipped) else {
                continue;
            };
            let url = line.url.host().map_or(line.url.label(), Host::server_url);
            lines.entry(url.to_owned()).or_insert(username);
        }
        lines
    }

    fn username(&self, line: &Listed, skipped: &mut dyn FnMut(&Error)) -> Option<String> {
        match (&line.username, line.url.host()) {
            (Username::Recorded(username), _) => Some(username.clone()),
            (Username::Of(keys), Some(host)) => {
                let route = self.route(host, Scheme::Https, "")?;
                match choose(route.row, route.real, keys.clone()) {
                    Ok(choice) => Some(choice.listed_username().to_owned()),
                    Err(Error::NotFound) => None,
                    Err(error) => {
                        skipped(&error);
                        None
                    }
                }
            }
            (Username::Of(_), None) => None,
        }
    }
}
