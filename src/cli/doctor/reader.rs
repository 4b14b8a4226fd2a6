//! `Reader`: a client whose files are checked.

use super::served::Served;
use crate::client::spelling::{Client, Lookup};
use crate::client::{Asks, Clients};
use crate::config::Env;
use crate::host::Host;

/// A client whose files are checked.
pub(super) struct Reader<'a> {
    pub(super) name: &'static str,
    /// The client, and others that read its files.
    pub(super) family: &'static [Client],
    pub(super) env: &'a Env,
    /// What docker and podman read; `None` for a client with files of its own.
    pub(super) clients: Option<&'a Clients>,
    pub(super) served: Option<&'a Served<'a>>,
}

impl<'a> Reader<'a> {
    /// A client with files of its own.
    pub(super) fn new(name: &'static str, family: &'static [Client], env: &'a Env) -> Self {
        let (clients, served) = (None, None);
        Self {
            name,
            family,
            env,
            clients,
            served,
        }
    }

    /// Whom the client asks for a registry.
    pub(super) fn asks(&self, host: &Host) -> Asks {
        self.of(self.family[0], host)
    }

    /// Whether the other client asks this helper.
    pub(super) fn elsewhere(&self, host: &Host) -> bool {
        let other = match self.family[0] {
            Client::Podman => Client::Docker,
            _ => Client::Podman,
        };
        self.of(other, host).is_this_helper()
    }

    fn of(&self, client: Client, host: &Host) -> Asks {
        let asks = self
            .clients
            .map(|clients| clients.asks(&Lookup::of(client, host)));
        asks.and_then(Result::ok).unwrap_or_else(Asks::nobody)
    }
}
