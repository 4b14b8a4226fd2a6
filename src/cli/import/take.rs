//! Each entry goes into the store and is read back; what comes of it.

use crate::Io;
use crate::backend::Backend;
use crate::cli::errors::ImportError;
use crate::config::{Config, Env};
use crate::credential::Credential;
use crate::error::Error;
use crate::host::{Scheme, ServerUrl};
use crate::keys::Keys;
use crate::registry::choose;
use crate::resolver::{Resolver, Route};
use crate::store::Times;

/// What all entries have in common.
pub(in crate::cli) struct Import<'a> {
    pub(super) env: &'a Env,
    /// Whether another credential of the store's is replaced.
    pub(super) force: bool,
    pub(super) dry_run: bool,
}

impl<'a> Import<'a> {
    /// One that changes nothing.
    pub(in crate::cli) fn dry(env: &'a Env) -> Self {
        Self {
            env,
            force: false,
            dry_run: true,
        }
    }

    /// Why an entry would be left, and what next, for `doctor`.
    pub(in crate::cli) fn refusal(
        &self,
        url: &ServerUrl,
        credential: &Credential,
    ) -> Option<String> {
        let fate = self
            .open()
            .and_then(|resolver| self.store(&resolver, url, credential));
        match fate {
            // Of a store that cannot be asked, doctor speaks where it speaks of the store.
            Ok(_) | Err(Error::Unreachable(_)) => None,
            Err(error) => Some(without_name(&error, url)),
        }
    }

    /// For one entry: a resolver has as long as one `get` may take.
    pub(super) fn open(&self) -> Result<Resolver, Error> {
        Config::load(self.env).and_then(Resolver::new)
    }

    /// Whether the store has it only now; or why it stays where it is, and what next.
    pub(super) fn take(
        &self,
        io: &mut Io,
        url: &ServerUrl,
        credential: &Credential,
    ) -> Result<bool, String> {
        let taken = self.open().and_then(|resolver| {
            let taken = self.store(&resolver, url, credential);
            crate::cli::warn(io, &resolver);
            taken
        });
        taken.map_err(|error| without_name(&error, url))
    }

    fn store(
        &self,
        resolver: &Resolver,
        url: &ServerUrl,
        credential: &Credential,
    ) -> Result<bool, Error> {
        let keys = Keys::user_password(
            credential.username().to_owned(),
            credential.secret().clone(),
        );
        let route = match url {
            ServerUrl::Registry { host, path, .. } => resolver.route(host, Scheme::Https, path),
            ServerUrl::Item(_) => None,
        };
        if route.as_ref().is_some_and(Route::is_public) {
            return Err(ImportError::Public.into());
        }
        let ended = |keys: &Keys, times| {
            let route = route.as_ref()?;
            let choice = choose(route.row, route.real, keys.clone()).ok()?;
            resolver.ended(route, resolver.workspace_store(), &choice, times)
        };
        if let Some(ended) = ended(&keys, Times::default()) {
            return Err(ended);
        }
        let answered = || match resolver.get(url) {
            Ok(held) => Ok(Some(held == *credential)),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        };
        // Whether the store has exactly this, and clients get exactly this; `None` where it has nothing.
        let read_back = || {
            let Some(route) = &route else {
                return answered();
            };
            let found = resolver
                .find(route)
                .map_err(|error| error.about(url.label()))?;
            let Some((_, found)) = found else {
                return Ok(None);
            };
            if found.keys != keys {
                // What has ended is in nobody's way.
                let has_ended = ended(&found.keys, found.times).is_some();
                return Ok((!has_ended).then_some(false));
            }
            // What a client gets for a cloud's key is a token of that cloud, which is not asked for one here.
            match choose(route.row, route.real, found.keys)?.backend {
                Backend::Fixed { .. } => answered(),
                _ => Ok(Some(true)),
            }
        };
        let before = read_back()?;
        match before {
            Some(true) => return Ok(false),
            Some(false) if !self.force => {
                return Err(ImportError::StoredDiffers.into());
            }
            _ if self.dry_run => return Ok(true),
            _ => resolver.store(url, credential.clone())?,
        }
        if read_back()? == Some(true) {
            return Ok(true);
        }
        if before.is_none() {
            resolver.erase(url)?;
        }
        Err(ImportError::ReadBack(url.label().to_owned()).into())
    }
}

/// The row has the registry's name already.
fn without_name(error: &Error, url: &ServerUrl) -> String {
    let text = crate::one_line(error);
    let named = text.strip_prefix(url.label());
    let bare = named.and_then(|rest| rest.strip_prefix(": "));
    bare.unwrap_or(&text).to_owned()
}

/// Why an entry is left without `--force`.
pub(in crate::cli) const STORED_DIFFERS: &str = "the store has another credential for it";
