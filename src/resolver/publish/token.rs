//! The token to publish, and the login that mints it.

use std::time::{Duration, SystemTime};

use super::super::answer::Who;
use super::super::shared::Sharing;
use super::super::{Cached, Outlook, Route};
use super::Publisher;
use super::errors::PublishError;
use crate::backend::Backend;
use crate::cache::{NODE, OWN};
use crate::credential::Credential;
use crate::error::Error;
use crate::host::Host;
use crate::keys::Keys;
use crate::store::Keep;

/// The login: keys, or the node's own identity.
pub(super) struct Login<'a> {
    pub(super) route: Route<'a>,
    pub(super) backend: Backend,
    /// A constant in place of a store.
    pub(super) store: &'static str,
    pub(super) keys: Option<Keys>,
}

pub(super) struct Token {
    pub(super) credential: Credential,
    pub(super) minted: SystemTime,
    pub(super) expires: SystemTime,
}

impl Publisher {
    /// The login for a cloud registry.
    pub(super) fn login<'a>(&'a self, host: &'a Host) -> Result<Login<'a>, Error> {
        let route = self.route(host);
        if route.is_public() {
            return Err(PublishError::Public.into());
        }
        if !route.row.is_cloud() {
            return Err(PublishError::NotMinted(host.clone()).into());
        }
        match self.source.keys_for(&route, false)? {
            Ok((backend, _, keys)) if backend.is_cloud() => {
                let store = if keys.is_some() { OWN } else { NODE };
                Ok(Login {
                    route,
                    backend,
                    store,
                    keys,
                })
            }
            Ok(_) => Err(PublishError::Lasting(host.clone()).into()),
            Err(_) => Err(PublishError::Keyless(host.clone()).into()),
        }
    }

    /// The token that a `get` would return, with its times.
    pub(super) fn token(&self, login: &Login) -> Result<Token, Error> {
        let (route, backend, keys) = (&login.route, &login.backend, login.keys.as_ref());
        let who = Who::new(login.store, keys, Sharing::No);
        let minted = match self.source.login(backend, route, who, Keep::Disk) {
            // The node should log in but has no identity for this cloud.
            Err(Error::NotFound) => return Err(PublishError::Keyless(route.host.clone()).into()),
            minted => minted?,
        };
        let expires = minted.expires.ok_or(PublishError::Endless)?;
        let age = match self.source.outlook(route, backend, keys, Keep::Disk)? {
            Outlook::Identity(_, Cached::Token(peek)) => peek.age,
            _ => Duration::ZERO,
        };
        let now = SystemTime::now();
        Ok(Token {
            credential: minted.credential,
            minted: now.checked_sub(age).unwrap_or(now),
            expires,
        })
    }
}
