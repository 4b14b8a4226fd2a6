//! `Resolver`: gets a credential for a server URL; also stores, erases and lists credentials.

mod answer;
mod audited;
mod caches;
mod end;
mod errors;
mod find;
mod images;
mod list;
mod login;
mod mint;
mod names;
mod notes;
mod peek;
mod provision;
mod publish;
mod refresh;
mod route;
mod shared;
mod whose;

use std::cell::{Cell, OnceCell};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

pub use self::answer::Answered;
use self::errors::ResolverError;
pub use self::names::Planned;
pub use self::peek::{Cached, Outlook};
pub use self::provision::{Form, Prepared};
pub use self::publish::{How, Publication, Publisher};
pub use self::refresh::Refreshed;
pub use self::route::Route;
use self::route::{check_rule, plain_host};
use crate::cache::Cache;
use crate::config::{Config, Env, Pulled, StoreKind};
use crate::credential::{Credential, SECRET_FOR_USERNAME};
use crate::error::{Error, Warnings};
use crate::host::{Host, Scheme, ServerUrl};
use crate::keys::{Blob, CredentialType, Keys};
use crate::log::Log;
use crate::registry::{choose, detect};
use crate::store::{
    FileStore, GatewayStore, Health, PostgresStore, RequestStore, Secret, Store, Times, WorkerStore,
};
use crate::trusted;

/// Answers requests for one workspace with one configuration.
pub struct Resolver {
    config: Config,
    started: Cell<Instant>,
    min_life: Duration,
    warnings: Rc<Warnings>,
    cache: OnceCell<Option<Cache>>,
    memory_cache: OnceCell<Option<Cache>>,
    log: Log,
    /// For the audit log: where the last answer's secret was found, and whether its token came from the cache.
    answered_by: Cell<Source>,
    request: Option<Store>,
    /// The image that the request says is being pulled.
    pulled: Pulled,
    workspace: Store,
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, Default)]
struct Source {
    store: Option<&'static str>,
    cached: bool,
}

impl Source {
    fn of(store: Option<&'static str>) -> Self {
        let cached = false;
        Self { store, cached }
    }
}

impl Resolver {
    /// The resolver of this environment's configuration.
    pub fn of(env: &Env) -> Result<Self, Error> {
        Config::load(env).and_then(Self::new)
    }

    /// Makes a resolver, without opening anything yet. Fails if a rule is invalid.
    pub fn new(mut config: Config) -> Result<Self, Error> {
        for rule in config.rules() {
            check_rule(rule)?;
        }
        let request = std::mem::take(&mut config.request);
        let name = &config.workspace;
        let workspace = match config.store {
            StoreKind::File => Store::File(FileStore::of(&config)),
            StoreKind::Gateway => Store::Gateway(GatewayStore::new(config.gateway.clone())),
            StoreKind::Worker => Store::Worker(WorkerStore::new(
                name,
                config.worker.clone(),
                request.pulled.clone(),
            )),
            StoreKind::Postgres => {
                Store::Postgres(PostgresStore::new(name, config.postgres.clone()))
            }
        };
        let pulled = request.pulled.clone();
        let request = RequestStore::new(request).map(Store::Request);
        Ok(Self {
            log: config.log.clone(),
            config,
            started: Cell::new(Instant::now()),
            min_life: Duration::ZERO,
            warnings: Rc::default(),
            cache: OnceCell::new(),
            memory_cache: OnceCell::new(),
            answered_by: Cell::default(),
            request,
            pulled,
            workspace,
        })
    }

    /// The user name and password for a server URL. [`Error::NotFound`] only if it is certain that there is none.
    pub fn get(&self, url: &ServerUrl) -> Result<Credential, Error> {
        let (host, scheme, path) = match url {
            ServerUrl::Item(item) => return self.items().item(item)?.ok_or(Error::NotFound),
            ServerUrl::Registry { host, scheme, path } => (host, *scheme, path),
        };
        let route = self.route(host, scheme, path).ok_or(Error::NotFound)?;
        let answered = match (self.answer(&route, None), plain_host(host, scheme)) {
            (Err(Error::NotFound), Some(bare)) if !route.is_public() => {
                let route = self.route(&bare, scheme, path).ok_or(Error::NotFound)?;
                self.answer(&route, None)
            }
            (answer, _) => answer,
        };
        answered.map(|answered| answered.credential)
    }

    /// Takes the warnings so far: faults that don't prevent the answer.
    pub fn warnings(&self) -> Vec<String> {
        let files = trusted::take_warnings().into_iter();
        let files = files.map(|fault| fault.to_string());
        files.chain(self.warnings.take()).collect()
    }

    /// When the client stops waiting.
    pub fn deadline(&self) -> Instant {
        self.started.get() + self.config.timeout
    }

    /// Stores a credential for a server URL.
    pub fn store(&self, url: &ServerUrl, credential: Credential) -> Result<(), Error> {
        self.warn_of_foreign_home();
        // Record the user name for `list`.
        let listed = credential
            .shown_username()
            .unwrap_or(SECRET_FOR_USERNAME)
            .to_owned();
        let (username, password) = credential.into_parts();
        let keys = Keys::user_password(username, password);
        let ServerUrl::Registry { host, scheme, path } = url else {
            // An item belongs to no registry: its blob names none, and only its key in the store binds it.
            let blob = Blob::marshal("", CredentialType::Token, &keys);
            let username = listed;
            return self.items().store(url.label(), &Secret { username, blob });
        };
        let route = self.route(host, *scheme, path).ok_or_else(|| {
            let bare = host.without_port_80();
            let host = bare.as_ref().unwrap_or(host);
            Error::from(ResolverError::Cleartext).about(host.as_reference())
        })?;
        if keys.placeholder().is_some() {
            return Err(Error::from(ResolverError::Placeholder).about(host.as_reference()));
        }
        // `list` shows the user name that `get` returns: a Google key is stored as `_json_key`, but `get` returns a
        // token's.
        let answered = choose(route.row, route.real, keys.clone()).ok();
        let end = answered
            .as_ref()
            .and_then(|choice| end::unwritten_end(choice, Times::now()));
        let blob = Blob::marshal_until(host.as_reference(), detect(host, &keys), &keys, end);
        let username = answered.map_or(listed, |choice| choice.listed_username().to_owned());
        self.change(&route, |lookup| {
            self.workspace.store(lookup, &Secret { username, blob })
        })
        .map(|_| ())
    }

    /// Warns a user who logs in with sudo and may look for the credential without sudo later.
    fn warn_of_foreign_home(&self) {
        let path = self.config.file_path.as_deref();
        if let Some(home) = &self.config.foreign_home
            && self.config.store == StoreKind::File
            && path.is_none_or(|path| !trusted::is_named(path))
        {
            let (foreign, owner) = (home.path.display(), home.owner);
            let place = path.unwrap_or(Path::new("no home directory")).display();
            self.warnings.add(format_args!(
                "HOME={foreign} belongs to uid {owner}, so {place} is used; for uid {owner}, run it without sudo"
            ));
        }
    }

    /// Erases the credential for a server URL. A missing one is not an error.
    pub fn erase(&self, url: &ServerUrl) -> Result<(), Error> {
        match url {
            ServerUrl::Item(item) => self.items().erase(item),
            // Erase even where `get` returns nothing: `docker logout` also erases http://HOST.
            ServerUrl::Registry { host, path, .. } => match self.route(host, Scheme::Https, path) {
                Some(route) => self.change(&route, |lookup| self.workspace.erase(lookup)),
                None => Ok(()),
            },
        }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether the workspace store's secrets have names. The built-in store has hosts instead, and a worker gets an
    /// image's secret whatever its name.
    pub fn names_secrets(&self) -> bool {
        matches!(self.workspace, Store::Gateway(_) | Store::Postgres(_))
    }

    /// The name of the workspace store.
    pub fn workspace_store(&self) -> &'static str {
        self.workspace.name()
    }

    /// The registries that this workspace has a credential for, as far as that is known within the list timeout.
    pub fn held_hosts(&self) -> Vec<Host> {
        let deadline = self
            .deadline()
            .min(Instant::now() + self.config.list_timeout);
        self.stores()
            .filter_map(|store| store.list(deadline, None, &mut |_| {}).ok())
            .flatten()
            .filter_map(|line| line.url.host().cloned())
            .collect()
    }

    /// The other workspaces with a credential for this registry in this node's built-in store; `None` for a workspace
    /// of unknown name.
    pub fn elsewhere(&self, host: &Host) -> Vec<Option<String>> {
        match &self.workspace {
            Store::File(store) => store.elsewhere(host),
            _ => Vec::new(),
        }
    }

    /// Checks whether the workspace store can be reached and its entries open.
    pub fn examine(&self) -> Result<Health, Error> {
        self.workspace.examine(self.deadline())
    }

    fn stores(&self) -> impl Iterator<Item = &Store> {
        self.request.iter().chain([&self.workspace])
    }
}
