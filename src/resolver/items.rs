//! Docker's own items and nerdctl's keys. They belong to a client on this node rather than to a workspace, so they are
//! always in the embedded store and need no network.

use super::{Resolver, Source};
use crate::error::Error;
use crate::host::ServerUrl;
use crate::store::{FileStore, Listed};

impl Resolver {
    /// Lists the items in the embedded store, if another store is the workspace store. The embedded store's registries
    /// are not listed then, because they are not used.
    pub(super) fn list_items(&self, skipped: &mut dyn FnMut(&Error)) -> Vec<Listed> {
        FileStore::of(&self.config)
            .list(|url| matches!(url, ServerUrl::Item(_)), skipped)
            .unwrap_or_else(|error| {
                skipped(&error);
                Vec::new()
            })
    }

    /// The embedded store, for items.
    pub(super) fn items(&self) -> FileStore {
        self.answered_by.set(Source::of(Some("file")));
        FileStore::of(&self.config)
    }
}
