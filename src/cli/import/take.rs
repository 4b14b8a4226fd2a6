//! Stores each entry and reads it back.

use crate::Io;
use crate::backend::Backend;
use crate::cli::errors::ImportError;
use crate::cli::warn;
use crate::config::Env;
use crate::credential::Credential;
use crate::error::Error;
use crate::host::{Scheme, ServerUrl};
use crate::keys::Keys;
use crate::registry::choose;
use crate::resolver::{Resolver, Route};
use crate::store::Times;

/// The settings for all entries.
pub(in crate::cli) struct Import<'a> {
    pub(super) env: &'a Env,
    /// Whether to replace a different stored credential.
    pub(super) force: bool,
    pub(super) dry_run: bool,
}

impl<'a> Import<'a> {
    /// An import that changes nothing.
    pub(in crate::cli) fn dry(env: &'a Env) -> Self {
        Self {
            env,
            force: false,
            dry_run: true,
        }
    }

    /// Why the store would refuse an entry, for `doctor`, which reports an unreachable store elsewhere.
    pub(in crate::cli) fn refusal(
        &self,
        url: &ServerUrl,
        credential: &Credential,
    ) -> Option<Error> {
        let fate = Resolver::of(self.env);
        let fate = fate.and_then(|resolver| self.store(&resolver, url, credential));
        fate.err()
            .filter(|error| !matches!(error, Error::Unreachable(_)))
    }

    /// Stores an entry; returns whether it is new in the store. Otherwise why it was not imported, and the fix.
    pub(super) fn take(
        &self,
        io: &mut Io,
        url: &ServerUrl,
        credential: &Credential,
    ) -> Result<bool, String> {
        // A resolver for one entry, because its timeout is that of one `get`.
        let taken = Resolver::of(self.env).and_then(|resolver| {
            let taken = self.store(&resolver, url, credential);
            warn(io, &resolver);
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
        // Whether the store has, and clients get, exactly this credential; `None` if it has none.
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
                // An expired credential may be replaced.
                let has_ended = ended(&found.keys, found.times).is_some();
                return Ok((!has_ended).then_some(false));
            }
            // For a cloud's key, clients get a token. None is minted here, so only the key is compared.
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

/// The error without the registry's name, which the row already has.
pub(in crate::cli) fn without_name(error: &Error, url: &ServerUrl) -> String {
    let text = crate::one_line(error);
    let named = text.strip_prefix(url.label());
    let bare = named.and_then(|rest| rest.strip_prefix(": "));
    bare.unwrap_or(&text).to_owned()
}
