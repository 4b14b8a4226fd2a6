//! `Resolver`: the one straight line from a server URL to a credential, and its three companions.

mod answer;
mod audited;
mod end;
mod errors;
mod find;
mod images;
mod items;
mod list;
mod login;
mod mint;
mod names;
mod notes;
mod peek;
mod provision;
mod publish;
mod refresh;
mod required;
mod shared;
mod whose;

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use std::time::{Duration, Instant};

pub use self::answer::Answered;
use self::errors::ResolverError;
pub use self::names::Planned;
pub use self::peek::{Cached, Outlook};
pub use self::provision::{Form, Prepared};
pub use self::publish::{How, Publication, Publisher};
pub use self::refresh::Refreshed;
use crate::backend::Backend;
use crate::cache::Cache;
use crate::config::{Config, Pulled, Rule, StoreKind};
use crate::credential::{Credential, SECRET_FOR_USERNAME};
use crate::error::{Error, Warnings};
use crate::host::{Host, Scheme, ServerUrl};
use crate::keys::{Blob, CredentialType, Keys};
use crate::log::Log;
use crate::near;
use crate::registry::{Registry, choose, detect};
use crate::store::{
    FileStore, GatewayStore, Health, Keep, PostgresStore, RequestStore, Secret, Store, Times,
    WorkerStore,
};
use crate::trusted;

/// Answers for one workspace, by one configuration.
pub struct Resolver {
    config: Config,
    started: Cell<Instant>,
    min_life: Duration,
    warnings: Rc<Warnings>,
    cache: OnceCell<Option<Cache>>,
    memory_cache: OnceCell<Option<Cache>>,
    log: Log,
    /// Where the last answer's secret was found, and whether its token was in the cache: what the audit log tells.
    answered_by: Cell<Source>,
    request: Option<Store>,
    /// What the request says is pulled.
    pulled: Pulled,
    workspace: Store,
}

/// What would answer for a registry, before any secret is read.
pub struct Route<'a> {
    /// The registry asked for.
    pub host: &'a Host,
    /// The row of the table, after a rule's `alias_of` and `backend`.
    pub row: &'static Registry,
    /// The rule that applies.
    pub rule: Option<&'a Rule>,
    /// The registry that the host stands for: itself, or its rule's `alias_of`.
    pub real: &'a Host,
    /// The path below it that was asked for.
    pub path: &'a str,
    /// Whether the node's own identity may be used.
    pub ambient: bool,
    /// Whether a pod's service account may log in, where one asks.
    pub workload_identity: bool,
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
    /// The resolver of a configuration. Nothing is opened yet.
    pub fn new(mut config: Config) -> Result<Self, Error> {
        for rule in config.rules() {
            check_backend(rule)?;
            required::check_rule(rule)?;
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
        let (warnings, cache, memory_cache) = (Rc::default(), OnceCell::new(), OnceCell::new());
        let (log, answered_by) = (config.log.clone(), Cell::default());
        Ok(Self {
            config,
            started: Cell::new(Instant::now()),
            min_life: Duration::ZERO,
            warnings,
            cache,
            memory_cache,
            log,
            answered_by,
            request,
            pulled,
            workspace,
        })
    }

    /// The user name and password for a server URL.
    pub fn get(&self, url: &ServerUrl) -> Result<Credential, Error> {
        match url {
            ServerUrl::Item(item) => self.items().item(item)?.ok_or(Error::NotFound),
            ServerUrl::Registry { host, scheme, path } => {
                let route = self.route(host, *scheme, path).ok_or(Error::NotFound)?;
                let answer = self.answer(&route, None);
                match (answer, plain_host(host, *scheme)) {
                    (Err(Error::NotFound), Some(bare)) if !route.is_public() => {
                        let route = self.route(&bare, *scheme, path).ok_or(Error::NotFound)?;
                        self.answer(&route, None)
                    }
                    (answer, _) => answer,
                }
                .map(|answered| answered.credential)
            }
        }
    }

    /// What went wrong on the way to an answer without hindering it.
    pub fn warnings(&self) -> Vec<String> {
        let files = trusted::take_warnings();
        files
            .iter()
            .map(ToString::to_string)
            .chain(self.warnings.take())
            .collect()
    }

    /// The cache, opened when it is first needed.
    fn cache(&self) -> Option<&Cache> {
        let open = || {
            Cache::open(&self.config.cache, &self.config.file_key, &self.warnings)
                .map(|cache| cache.with_log(&self.log).with_min_life(self.min_life))
        };
        self.cache.get_or_init(open).as_ref()
    }

    /// The cache for what may not touch a disk, opened when it is first needed. That there is none hinders nothing.
    fn memory_cache(&self) -> Option<&Cache> {
        let open = || {
            let config = &self.config.memory_cache;
            let opened = Cache::open_memory(config, &self.warnings);
            if let Err(fault) = &opened
                && config.enabled
            {
                self.log.note(format_args!("cache in memory: {fault}"));
            }
            opened
                .ok()
                .map(|cache| cache.with_log(&self.log).with_min_life(self.min_life))
        };
        self.memory_cache.get_or_init(open).as_ref()
    }

    /// Where something is kept that may be kept there, if there is such a place.
    fn cache_for(&self, keep: Keep) -> Option<&Cache> {
        match keep {
            Keep::Disk => self.cache(),
            Keep::Memory => self.memory_cache(),
            Keep::MemoryFirst => self.memory_cache().or_else(|| self.cache()),
            Keep::Nowhere => None,
        }
    }

    /// The cache where there is one already, also while it is switched off: what is in it may have to go.
    fn cache_that_exists(&self) -> Option<Cache> {
        Cache::existing(&self.config.cache, &self.config.file_key, &self.warnings).unwrap_or_else(
            |fault| {
                self.warnings.add(format_args!("token cache: {fault}"));
                None
            },
        )
    }

    /// When an answer is of no use any more.
    pub fn deadline(&self) -> Instant {
        self.started.get() + self.config.timeout
    }

    /// Keeps a credential for a server URL.
    pub fn store(&self, url: &ServerUrl, credential: Credential) -> Result<(), Error> {
        self.warn_of_foreign_home();
        // What is recorded is what `list` shows.
        let listed = credential
            .shown_username()
            .unwrap_or(SECRET_FOR_USERNAME)
            .to_owned();
        let (username, password) = credential.into_parts();
        let keys = Keys::user_password(username, password);
        let ServerUrl::Registry { host, scheme, path } = url else {
            // An item isn't a registry's: its blob names none, and only its carrier, the key it is kept under, binds it.
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
        // `list` shows the name that `get` will answer: a Google key is kept as `_json_key` and answered as a token's.
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

    /// Somebody who logs in by sudo may expect to find it without.
    fn warn_of_foreign_home(&self) {
        let Config {
            foreign_home,
            file_path,
            store,
            ..
        } = &self.config;
        let follows_home = file_path
            .as_ref()
            .is_none_or(|path| !trusted::is_named(path));
        if let Some(home) = foreign_home
            .as_ref()
            .filter(|_| *store == StoreKind::File && follows_home)
        {
            let (place, owner) = (
                file_path.as_ref().map(|path| path.display().to_string()),
                home.owner,
            );
            self.warnings.add(format_args!(
                "HOME={} belongs to uid {owner}, so {} is used; for uid {owner}, run it without sudo",
                home.path.display(),
                place.as_deref().unwrap_or("no home directory")
            ));
        }
    }

    /// Forgets the credential for a server URL; it isn't an error when there is none.
    pub fn erase(&self, url: &ServerUrl) -> Result<(), Error> {
        match url {
            ServerUrl::Item(item) => self.items().erase(item),
            // Also where nothing would be answered: `docker logout` erases http://HOST too.
            ServerUrl::Registry { host, path, .. } => match self.route(host, Scheme::Https, path) {
                Some(route) => self.change(&route, |lookup| self.workspace.erase(lookup)),
                None => Ok(()),
            },
        }
    }

    /// Which row and rule apply; `None` when no store may be asked: a vendor's registry over plain HTTP.
    pub fn route<'a>(&'a self, host: &'a Host, scheme: Scheme, path: &'a str) -> Option<Route<'a>> {
        let rule = self.config.rule(host, path);
        let real = rule.and_then(|rule| rule.alias_of.as_ref()).unwrap_or(host);
        let forced = rule
            .and_then(|rule| rule.backend.as_deref())
            .and_then(Registry::named);
        let row = forced.unwrap_or_else(|| Registry::of(real));
        // What the worker API does not vend is not this worker's: on a shared node the identity is somebody else's.
        let ambient = rule
            .and_then(|rule| rule.ambient)
            .unwrap_or(self.config.ambient);
        let ambient = self.config.store != StoreKind::Worker
            && row
                .cloud()
                .is_some_and(|cloud| ambient.allows(cloud.name()));
        let workload_identity = row.is_cloud()
            && rule
                .and_then(|rule| rule.workload_identity)
                .unwrap_or(self.config.kubelet.workload_identity);
        let vendors = row.has_keys_of_its_own() || !Registry::of(host).is_generic();
        // What may not be asked at `http://host` may not be asked at `http://host:80` either.
        let there = scheme == Scheme::Https
            || !vendors
                && plain_host(host, scheme)
                    .is_none_or(|bare| self.route(&bare, scheme, path).is_some());
        there.then_some(Route {
            host,
            row,
            rule,
            real,
            path,
            ambient,
            workload_identity,
        })
    }

    /// The configuration that it answers by.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether secrets have names in the workspace store: the built-in one keeps them by host, and a worker is vended one
    /// by image, whatever it is called.
    pub fn names_secrets(&self) -> bool {
        matches!(self.workspace, Store::Gateway(_) | Store::Postgres(_))
    }

    /// The name of the workspace store.
    pub fn workspace_store(&self) -> &'static str {
        self.workspace.name()
    }

    /// The registries that this workspace has a credential for, as far as that can be known soon.
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

    /// The other workspaces that have a credential for this registry in the built-in store of this node; one whose name is
    /// not known is `None`.
    pub fn elsewhere(&self, host: &Host) -> Vec<Option<String>> {
        match &self.workspace {
            Store::File(store) => store.elsewhere(host),
            _ => Vec::new(),
        }
    }

    /// Whether the workspace store can be reached and holds what opens.
    pub fn examine(&self) -> Result<Health, Error> {
        self.workspace.examine(self.deadline())
    }

    fn stores(&self) -> impl Iterator<Item = &Store> {
        self.request.iter().chain([&self.workspace])
    }
}

impl Route<'_> {
    /// Whether a rule says never to answer.
    pub fn is_public(&self) -> bool {
        self.rule.is_some_and(Rule::is_public)
    }

    /// The backend that would answer, before the keys have decided.
    pub fn backend(&self) -> &'static str {
        if self.is_public() {
            Rule::PUBLIC
        } else {
            self.row
                .backends()
                .next()
                .map_or(Rule::PUBLIC, Backend::name)
        }
    }
}

/// The host that `http://host:80` stands for beside `host:80`.
fn plain_host(host: &Host, scheme: Scheme) -> Option<Host> {
    (scheme == Scheme::Http).then(|| host.without_port_80())?
}

fn check_backend(rule: &Rule) -> Result<(), Error> {
    let Some(word) = &rule.backend else {
        return Ok(());
    };
    if Registry::named(word).is_some() {
        return Ok(());
    }
    Err(ResolverError::UnknownBackend {
        rule: rule.host.clone(),
        word: word.clone(),
        nearest: near::nearest(word, Registry::names()),
    }
    .into())
}
