//! `Told`: what a client would be told about a registry.

use crate::backend::Backend;
use crate::error::Error;
use crate::keys::Keys;
use crate::one_line;
use crate::resolver::Route;
use crate::shown::shown;

/// What a client would get.
pub(super) enum Told {
    /// A user name, unless it is itself the secret, and the kind of secret.
    Credential {
        username: Option<String>,
        secret: &'static str,
    },
    /// "Not found", and why.
    NotFound(String),
    /// A failure's line.
    Failure(String),
}

impl Default for Told {
    fn default() -> Self {
        Self::NotFound(String::new())
    }
}

impl Told {
    /// What a client would get from a login that has not happened.
    pub(super) fn of(backend: &Backend, keys: &Keys) -> Self {
        let username = backend.username(keys);
        let (username, secret) = match backend {
            Backend::Fixed { .. } if username == "<token>" => (None, "an identity token"),
            Backend::Fixed { .. } if backend.shown_username(keys).is_none() => {
                (None, "a token for user name and password")
            }
            Backend::Fixed { secret, .. } if secret.contains("PASSWORD") => {
                (Some(shown(username).to_string()), "a password")
            }
            Backend::Fixed { .. } => (Some(shown(username).to_string()), "a token"),
            _ => (Some(username.to_owned()), "a token"),
        };
        Self::Credential { username, secret }
    }

    /// The line with which `get` would fail.
    pub(super) fn failure(error: Error, route: &Route) -> Self {
        Self::Failure(one_line(&error.about(route.host.as_reference())))
    }
}
