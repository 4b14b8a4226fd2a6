//! `Store`: a source of a workspace's secrets. Stores are asked in order, and only a certain miss moves on to the next.

mod api;
mod errors;
mod file;
mod gateway;
pub mod name;
mod postgres;
mod request;
mod single;
mod worker;

use std::time::{Duration, Instant, SystemTime};

use api::workspace_id;
pub use api::{
    Binding, Found, Health, ImageSecrets, Keep, Listed, Lookup, Owner, Secret, Times, Username,
};
pub(crate) use errors::StoreError;
pub use file::{FileStore, Published, Written};
pub use gateway::GatewayStore;
pub use postgres::{Converted, Generation, Left, Migrated, PostgresStore, Step, ToNames};
pub use postgres::{FleetToken, Lease, Shared, SharedToken, Slot};
pub use request::RequestStore;
pub use single::Single;
pub use worker::WorkerStore;

use crate::cache::Memory;
use crate::error::Error;
use crate::host::Host;

/// All stores. Each is one file and one variant.
#[derive(Debug)]
pub enum Store {
    /// The credential that came with the request.
    Request(RequestStore),
    /// The embedded encrypted store.
    File(FileStore),
    /// The gateway's HTTP API.
    Gateway(GatewayStore),
    /// The gateway's gRPC API for workers.
    Worker(WorkerStore),
    /// Beta9's database.
    Postgres(PostgresStore),
}

impl Store {
    /// The store's name in `explain` and in errors.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Request(_) => "request",
            Self::File(_) => "file",
            Self::Gateway(_) => "gateway",
            Self::Worker(_) => "worker",
            Self::Postgres(_) => "postgres",
        }
    }

    /// Whether the store is remote, so that its answers are cached.
    pub fn is_remote(&self) -> bool {
        match self {
            Self::Request(_) | Self::File(_) => false,
            Self::Gateway(_) | Self::Worker(_) | Self::Postgres(_) => true,
        }
    }

    /// Whether its answers must not touch a disk.
    #[must_use]
    pub fn is_for_memory(&self) -> bool {
        matches!(self, Self::Worker(_))
    }

    /// What distinguishes this store's server and account from others, in addition to the workspace's name, so that
    /// one's cached answers are never used for another. Some of it is secret.
    pub fn identity(&self) -> Vec<&str> {
        match self {
            Self::Gateway(store) => store.identity(),
            Self::Postgres(store) => store.identity(),
            Self::Worker(store) => store.identity(),
            _ => Vec::new(),
        }
    }

    /// The secret for a host; `Ok(None)` only if there certainly is none.
    pub fn get(&self, lookup: &Lookup) -> Result<Option<Found>, Error> {
        match self {
            Self::Request(store) => store.get(lookup),
            Self::File(store) => store.get(lookup.host),
            Self::Gateway(store) => store.get(lookup),
            Self::Worker(store) => store.get(lookup),
            Self::Postgres(store) => store.get(lookup),
        }
    }

    /// Whether the store's own settings say that one of these hosts must have a credential.
    pub fn requires(&self, hosts: [&Host; 2]) -> Result<bool, Error> {
        match self {
            Self::Worker(store) => store.requires(hosts),
            _ => Ok(false),
        }
    }

    /// The error for a host without a credential that must have one; `why` it must.
    pub fn lacks(&self, host: &Host, why: &str) -> Error {
        match self {
            Self::Worker(store) => store.lacks(host, why),
            other => other.error(StoreError::Lacking {
                host: host.clone(),
                why: why.to_owned(),
            }),
        }
    }

    /// Stores a credential for a registry, replacing any old one as a whole. Returns the secret's name.
    pub fn store(&self, lookup: &Lookup, secret: &Secret) -> Result<String, Error> {
        self.store_for(lookup, secret, None)
    }

    /// The same with a time to live, after which `prune` may remove it.
    pub fn store_for(
        &self,
        lookup: &Lookup,
        secret: &Secret,
        ttl: Option<Duration>,
    ) -> Result<String, Error> {
        let derived = |()| {
            lookup
                .secret
                .map_or_else(|| name::current(lookup.host), str::to_owned)
        };
        match self {
            Self::Request(store) => store.read_only().map(derived),
            Self::Worker(store) => store.read_only(lookup.host.as_str()).map(derived),
            Self::File(store) => store
                .store_for(lookup.host.as_str(), secret, ttl)
                .map(derived),
            Self::Gateway(_) if ttl.is_some() => Err(self.error(StoreError::NoExpiry)),
            Self::Gateway(store) => store.store(lookup, secret),
            Self::Postgres(store) => {
                let name = store.store(lookup, secret)?;
                // An expiry belongs to one value, so a new value does not inherit the old one's.
                ttl.map_or(Ok(()), |ttl| store.set_expiry(lookup, Some(ttl)))?;
                Ok(name)
            }
        }
    }

    /// Erases a registry's credential. A missing one is not an error.
    pub fn erase(&self, lookup: &Lookup) -> Result<(), Error> {
        match self {
            Self::Request(store) => store.read_only(),
            Self::File(store) => store.erase(lookup.host.as_str()),
            Self::Gateway(store) => store.erase(lookup),
            Self::Worker(store) => store.read_only(lookup.host.as_str()),
            Self::Postgres(store) => store.erase(lookup),
        }
    }

    /// Records which registries an image was built from. Fails if this store can't.
    pub fn bind_image(&self, image_id: &str, lookups: &[Lookup]) -> Result<Binding, Error> {
        match (self, lookups) {
            (Self::File(store), _) => {
                let hosts: Vec<&Host> = lookups.iter().map(|lookup| lookup.host).collect();
                store.bind_image(image_id, &hosts).map(|()| Binding::Kept)
            }
            (Self::Postgres(store), [lookup]) => {
                store.bind_image(image_id, lookup).map(|_| Binding::Kept)
            }
            (Self::Postgres(_), _) => Err(self.error(StoreError::OneSecretAnImage)),
            _ => Ok(Binding::Elsewhere),
        }
    }

    /// The secrets that an image is bound to. A missing secret is an error.
    pub fn image_secrets(&self, image_id: &str, deadline: Instant) -> Result<ImageSecrets, Error> {
        match self {
            Self::File(store) => store.image_secrets(image_id),
            Self::Postgres(store) => store.image_secrets(image_id, deadline),
            Self::Gateway(_) | Self::Worker(_) | Self::Request(_) => Ok(ImageSecrets::Elsewhere),
        }
    }

    /// Whether images are bound to the names of single secrets, as since Beta9's migration 053; `None` if that is
    /// unknown.
    pub fn binds_names(&self, deadline: Instant) -> Result<Option<bool>, Error> {
        match self {
            Self::Postgres(store) => store.binds_names(deadline).map(Some),
            Self::File(_) => Ok(Some(false)),
            Self::Gateway(_) | Self::Worker(_) | Self::Request(_) => Ok(None),
        }
    }

    /// The names that a registry's new secret may have, the preferred one first. Beta9's API accepts only names of
    /// environment variables.
    pub fn new_names(&self, host: &Host) -> Vec<String> {
        match self {
            Self::Postgres(_) => vec![name::current(host), name::first_design(host)],
            _ => vec![name::api(host), name::api_hashed(host)],
        }
    }

    /// Turns a `StoreError` into this store's failure.
    pub(crate) fn error(&self, error: StoreError) -> Error {
        error.at(&format!("{} store", self.name()))
    }

    /// Removes expired secrets and returns their names. Secrets whose expiry cannot be read are passed to `skipped`.
    pub fn prune(
        &self,
        now: SystemTime,
        deadline: Instant,
        skipped: &mut dyn FnMut(&Error),
    ) -> Result<Vec<String>, Error> {
        match self {
            Self::File(store) => store.prune(now, skipped),
            Self::Postgres(store) => store.prune(now, deadline),
            other => Err(other.error(StoreError::NoExpiry)),
        }
    }

    /// Checks in advance, before anything is changed, whether [`Store::store_for`] or [`Store::bind_image`] would
    /// refuse.
    pub fn check_provision(
        &self,
        registries: usize,
        image_id: Option<&str>,
        ttl: bool,
        deadline: Instant,
    ) -> Result<(), Error> {
        if ttl && !matches!(self, Self::File(_) | Self::Postgres(_)) {
            return Err(self.error(StoreError::NoExpiry));
        }
        let (Some(image_id), Self::Postgres(store)) = (image_id, self) else {
            return Ok(());
        };
        if registries > 1 {
            return Err(self.error(StoreError::OneSecretAnImage));
        }
        match store.image_secrets(image_id, deadline)? {
            ImageSecrets::Unknown(why) => Err(why),
            _ => Ok(()),
        }
    }

    /// Checks, without changing anything, whether the store can be reached, accepts its token and has entries that
    /// open.
    pub fn examine(&self, deadline: Instant) -> Result<Health, Error> {
        match self {
            Self::Request(_) => Ok(Health::default()),
            Self::File(store) => store.examine(),
            Self::Gateway(store) => store.examine(deadline),
            Self::Worker(store) => store.examine(deadline),
            Self::Postgres(store) => store.examine(deadline),
        }
    }

    /// All entries by server URL. Entries that cannot be read are passed to `skipped`.
    pub fn list(
        &self,
        deadline: Instant,
        memory: Option<&Memory>,
        skipped: &mut dyn FnMut(&Error),
    ) -> Result<Vec<Listed>, Error> {
        match self {
            Self::Request(store) => store.list(),
            Self::File(store) => store.list(|_| true, skipped),
            Self::Gateway(store) => store.list(deadline, memory, skipped),
            Self::Worker(_) => Ok(Vec::new()),
            Self::Postgres(store) => store.list(deadline, skipped),
        }
    }
}
