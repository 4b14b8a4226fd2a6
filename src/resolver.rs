//! `Resolver`: the one straight line from a server URL to a credential, and its three companions.

use std::cell::RefCell;
use std::collections::BTreeMap;

use std::time::Instant;

use crate::backend::{Backend, Login};
use crate::cache::{Cache, TokenId};
use crate::config::{CacheConfig, CloudSettings, Config, Rule, StoreKind};
use crate::credential::Credential;
use crate::error::{Error, Problem};
use crate::host::{Host, Scheme, ServerUrl};
use crate::keys::{Blob, CredentialType, Keys};
use crate::registry::{Registry, choose, detect};
use crate::store::{FileStore, Found, Keep, Listed, RequestStore, Secret, Store, Username};

/// Answers for one workspace, by one configuration.
pub struct Resolver {
    config: Config,
    started: Instant,
    warnings: RefCell<Vec<String>>,
    request: Option<Store>,
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
    /// Whether the node's own identity may be used.
    pub ambient: bool,
}

impl Resolver {
    /// The resolver of a configuration. Nothing is opened yet.
    pub fn new(mut config: Config) -> Result<Self, Error> {
        for rule in config.rules() {
            check_backend(rule)?;
        }
        let request = RequestStore::new(std::mem::take(&mut config.request)).map(Store::Request);
        let workspace = match config.store {
            StoreKind::File => {
                Store::File(FileStore::new(&config.workspace, config.file_path.clone(), config.file_key.clone()))
            }
        };
        Ok(Self { config, started: Instant::now(), warnings: RefCell::default(), request, workspace })
    }

    /// The user name and password for a server URL.
    pub fn get(&self, url: &ServerUrl) -> Result<Credential, Error> {
        match url {
            ServerUrl::Item(item) => self.workspace.item(item)?.ok_or(Error::NotFound),
            ServerUrl::Registry { host, scheme, path } => {
                self.registry(host, *scheme, path).map_err(|error| error.about(host.as_str()))
            }
        }
    }

    fn registry(&self, host: &Host, scheme: Scheme, path: &str) -> Result<Credential, Error> {
        let route = self.route(host, scheme, path).ok_or(Error::NotFound)?;
        if route.is_public() {
            return Err(Error::NotFound);
        }
        match self.find(&route)? {
            Some((_, found)) => {
                let choice = choose(route.row, route.real, found.keys)?;
                self.login(&choice.backend, &route, Some(&choice.keys), found.keep)
            }
            None if route.ambient => self.login(route.row.cloud().ok_or(Error::NotFound)?, &route, None, Keep::Disk),
            None => Err(Error::NotFound),
        }
    }

    fn login(&self, backend: &Backend, route: &Route, keys: Option<&Keys>, keep: Keep) -> Result<Credential, Error> {
        let none = CloudSettings::default();
        let login = Login {
            host: route.real,
            keys,
            ambient: route.ambient,
            settings: route.rule.map_or(&none, |rule| &rule.cloud),
            node: &self.config.node,
            deadline: self.started + self.config.timeout,
        };
        let scope = backend.scope(&login).filter(|_| keep == Keep::Disk);
        let warn = |warning| self.warnings.borrow_mut().push(warning);
        let cached =
            scope.and_then(|scope| Some((scope, Cache::open(&self.config.cache, &self.config.file_key, &warn)?)));
        let Some((scope, cache)) = cached else { return backend.login(&login).map(|minted| minted.credential) };
        let (workspace, host, real) = (self.config.workspace.as_str(), route.host.as_str(), route.real.as_str());
        let id = TokenId { workspace, host, real, backend: backend.name(), scope: &scope };
        cache.get_or_mint(&id, backend.longest_life(), login.deadline, |deadline| {
            backend.login(&Login { deadline, ..login })
        })
    }

    /// What went wrong on the way to an answer without hindering it.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.take()
    }

    /// Tokens that were minted from a host's old credential are of no use any more.
    fn forget_tokens(&self, url: &ServerUrl) {
        let Some(host) = url.host() else { return };
        let warn = |warning| self.warnings.borrow_mut().push(warning);
        // Also with the cache off: it may have been on before.
        let existing = CacheConfig {
            enabled: true,
            dirs: self.config.cache.dirs.iter().filter(|dir| dir.exists()).cloned().collect(),
            ..self.config.cache.clone()
        };
        if let Some(cache) = Cache::open(&existing, &self.config.file_key, &warn) {
            cache.forget(&self.config.workspace, host.as_str());
        }
    }

    /// Keeps a credential for a server URL.
    pub fn store(&self, url: &ServerUrl, credential: Credential) -> Result<(), Error> {
        if let ServerUrl::Registry { host, scheme, path } = url
            && self.route(host, *scheme, path).is_none()
        {
            let cause = "a cloud registry's credential never goes over plain HTTP";
            return Err(Problem::new("store", cause).fix("use https://").failed().about(host.as_str()));
        }
        let (username, password) = credential.into_parts();
        let keys = Keys::user_password(username.clone(), password);
        // An item is no registry's: its blob names none, and only its carrier, the key it is kept under, binds it.
        let (registry, kind) =
            url.host().map_or(("", CredentialType::Token), |host| (host.as_str(), detect(host, &keys)));
        // `list` shows the name that `get` will answer: a Google key is kept as `_json_key` and answered as a token's.
        let answered = url.host().and_then(|host| choose(Registry::of(host), host, keys.clone()).ok());
        let username = answered.map_or(username, |choice| choice.username().to_owned());
        self.workspace.store(url, &Secret { username, blob: Blob::marshal(registry, kind, &keys) })?;
        self.forget_tokens(url);
        Ok(())
    }

    /// Forgets the credential for a server URL; it is no error when there is none.
    pub fn erase(&self, url: &ServerUrl) -> Result<(), Error> {
        self.workspace.erase(url)?;
        self.forget_tokens(url);
        Ok(())
    }

    /// Every server URL that has a credential; the request's own come first and hide a stored one.
    pub fn list(&self, skipped: &mut dyn FnMut(&Error)) -> Result<BTreeMap<String, String>, Error> {
        let mut all = BTreeMap::new();
        for store in self.stores() {
            for line in store.list(skipped)? {
                let Some(username) = self.username(&line, skipped) else { continue };
                let key = line.url.host().map_or(line.url.label(), Host::server_url);
                all.entry(key.to_owned()).or_insert(username);
            }
        }
        Ok(all)
    }

    fn username(&self, line: &Listed, skipped: &mut dyn FnMut(&Error)) -> Option<String> {
        match (&line.username, line.url.host()) {
            (Username::Recorded(username), _) => Some(username.clone()),
            (Username::Of(keys), Some(host)) => {
                let route = self.route(host, Scheme::Https, "")?;
                match choose(route.row, route.real, keys.clone()) {
                    Ok(choice) => Some(choice.username().to_owned()),
                    Err(Error::NotFound) => None,
                    Err(error) => {
                        skipped(&error);
                        None
                    }
                }
            }
            (Username::Of(_), None) => None,
        }
    }

    /// Which row and rule apply; `None` when no store may be asked: a cloud registry over plain HTTP.
    #[must_use]
    pub fn route<'a>(&'a self, host: &'a Host, scheme: Scheme, path: &str) -> Option<Route<'a>> {
        let rule = self.config.rule(host, path);
        let real = rule.and_then(|rule| rule.alias_of.as_ref()).unwrap_or(host);
        let forced = rule.and_then(|rule| rule.backend.as_deref()).and_then(Registry::named);
        let row = forced.unwrap_or_else(|| Registry::of(real));
        let ambient = row.is_cloud() && rule.and_then(|rule| rule.ambient).unwrap_or(self.config.ambient);
        let cloud = row.is_cloud() || Registry::of(host).is_cloud();
        (!cloud || scheme == Scheme::Https).then_some(Route { host, row, rule, real, ambient })
    }

    /// The secret for a route, from the first store that has one, and that store's name.
    pub fn find(&self, route: &Route) -> Result<Option<(&'static str, Found)>, Error> {
        for store in self.stores() {
            if let Some(found) = store.get(route.host)? {
                return Ok(Some((store.name(), found)));
            }
            // The operator has said that this host stands for that registry, so its secret is meant too.
            if route.real != route.host
                && let Some(found) = store.get(route.real)?
            {
                return Ok(Some((store.name(), found)));
            }
        }
        Ok(None)
    }

    /// The name of the workspace store.
    #[must_use]
    pub fn workspace_store(&self) -> &'static str {
        self.workspace.name()
    }

    fn stores(&self) -> impl Iterator<Item = &Store> {
        self.request.iter().chain([&self.workspace])
    }
}

impl Route<'_> {
    /// Whether a rule says never to answer.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.rule.is_some_and(|rule| rule.backend.as_deref() == Some(PUBLIC))
    }

    /// The backend that would answer, before the keys have decided.
    #[must_use]
    pub fn backend(&self) -> &'static str {
        if self.is_public() { PUBLIC } else { self.row.backends().next().map_or(PUBLIC, Backend::name) }
    }
}

fn check_backend(rule: &Rule) -> Result<(), Error> {
    let Some(word) = &rule.backend else { return Ok(()) };
    if Registry::named(word).is_some() {
        return Ok(());
    }
    let nearest = Registry::names().min_by_key(|name| strsim::damerau_levenshtein(name, word)).unwrap_or(PUBLIC);
    Err(Problem::new(
        "configuration",
        format_args!("rule for {}: there is no backend \"{}\"", rule.host, word.escape_debug()),
    )
    .fix(format_args!("did you mean \"{nearest}\"?"))
    .failed())
}

const PUBLIC: &str = "public";
