//! The token that is published, and what logs in for it.

use std::time::{Duration, SystemTime};

use super::super::answer::Who;
use super::super::{Cached, Outlook, Route};
use super::{PART, Publisher};
use crate::backend::Backend;
use crate::cache::{NODE, OWN};
use crate::credential::Credential;
use crate::error::{Error, Problem};
use crate::host::Host;
use crate::keys::Keys;
use crate::store::Keep;

/// What logs in: the keys, or the node's own identity.
pub(super) struct Login<'a> {
    pub(super) route: Route<'a>,
    pub(super) backend: Backend,
    /// What stands in place of a store.
    pub(super) store: &'static str,
    pub(super) keys: Option<Keys>,
}

pub(super) struct Token {
    pub(super) credential: Credential,
    pub(super) minted: SystemTime,
    pub(super) expires: SystemTime,
}

impl Publisher {
    /// What logs in to a registry for which tokens are minted.
    pub(super) fn login<'a>(&'a self, host: &'a Host) -> Result<Login<'a>, Error> {
        let route = self.route(host);
        let lasting = |cause: &str| {
            let fix = format_args!(
                "store it in the workspace with docker-credential-beta9 provision {host}/IMAGE"
            );
            Err(Problem::new(PART, cause).fix(fix).failed())
        };
        if route.is_public() {
            return Err(
                Problem::new(PART, "a rule says that the registry is public")
                    .fix("remove the rule")
                    .failed(),
            );
        }
        if !route.row.is_cloud() {
            return lasting("no tokens are minted for this registry, whose credential lasts");
        }
        match self.source.keys_for(&route)? {
            Ok((backend, _, keys)) if backend.is_cloud() => {
                let store = if keys.is_some() { OWN } else { NODE };
                Ok(Login {
                    route,
                    backend,
                    store,
                    keys,
                })
            }
            Ok(_) => lasting(
                "the control plane's own store has a user name and password for it, which last",
            ),
            Err(_) => Err(keyless(host)),
        }
    }

    /// The token as a `get` would answer it, with its whole life.
    pub(super) fn token(&self, login: &Login) -> Result<Token, Error> {
        let who = Who {
            store: login.store,
            keys: login.keys.as_ref(),
            pod: None,
        };
        let minted = match self
            .source
            .login(&login.backend, &login.route, who, Keep::Disk)
        {
            // The node was to log in, and has no identity of this cloud.
            Err(Error::NotFound) => return Err(keyless(login.route.host)),
            minted => minted?,
        };
        let expires = minted.expires.ok_or_else(|| {
            Problem::new(
                PART,
                "nobody says when its token ends, so that it cannot be renewed",
            )
            .fix("store keys that tokens are minted from, and not a token")
            .failed()
        })?;
        let age = match self
            .source
            .outlook(&login.route, &login.backend, login.keys.as_ref())?
        {
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

fn keyless(host: &Host) -> Error {
    Problem::new(PART, "the control plane's own store has no keys for it, and the node does not log in itself")
        .fix(format_args!(
            "store them with BETA9_STORE=file docker-credential-beta9 provision {host}/IMAGE --creds NAMES, or set ambient = true in a rule for it on a node that has an identity of this cloud"
        ))
        .failed()
}
