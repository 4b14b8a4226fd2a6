//! Docker's own items and nerdctl's keys, which belong to a client on this node and not to a workspace: they are in the
//! embedded store, whatever the workspace store is, and need no network.

use super::{Resolver, Source};
use crate::error::Error;
use crate::host::ServerUrl;
use crate::store::{FileStore, Listed};

impl Resolver {
    /// The items beside a workspace store that lists none; what the embedded store has for registries is not answered
    /// then, and not listed.
    pub(super) fn list_items(&self, skipped: &mut dyn FnMut(&Error)) -> Vec<Listed> {
        FileStore::of(&self.config)
            .list(|url| matches!(url, ServerUrl::Item(_)), skipped)
            .unwrap_or_else(|error| {
                skipped(&error);
                Vec::new()
            })
    }

    /// The embedded store, as what an item is answered by.
    pub(super) fn items(&self) -> FileStore {
        self.answered_by.set(Source::of(Some("file")));
        FileStore::of(&self.config)
    }
}
