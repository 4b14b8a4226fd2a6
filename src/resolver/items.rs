//! Docker's own items and nerdctl's keys, which belong to a client on this node and not to a workspace: they are in the
//! embedded store, whatever the workspace store is, and need no network.

use super::{Resolver, Source};
use crate::credential::Credential;
use crate::error::Error;
use crate::host::ServerUrl;
use crate::store::{FileStore, Listed, Secret};

impl Resolver {
    pub(super) fn item(&self, item: &str) -> Result<Credential, Error> {
        self.items().item(item)?.ok_or(Error::NotFound)
    }

    pub(super) fn store_item(&self, item: &str, secret: &Secret) -> Result<(), Error> {
        self.items().store(item, secret)
    }

    pub(super) fn erase_item(&self, item: &str) -> Result<(), Error> {
        self.items().erase(item)
    }

    /// The items beside a workspace store that lists none; what the embedded store has for registries is not answered
    /// then, and not listed.
    pub(super) fn list_items(&self, skipped: &mut dyn FnMut(&Error)) -> Vec<Listed> {
        self.embedded()
            .list(|url| matches!(url, ServerUrl::Item(_)), skipped)
            .unwrap_or_else(|error| {
                skipped(&error);
                Vec::new()
            })
    }

    /// The embedded store, as what an item is answered by.
    fn items(&self) -> FileStore {
        self.answered_by.set(Source {
            store: Some("file"),
            cached: false,
        });
        self.embedded()
    }

    fn embedded(&self) -> FileStore {
        let config = &self.config;
        FileStore::new(
            &config.workspace,
            config.file_path.clone(),
            config.file_key.clone(),
        )
    }
}
