//! `publish`: the token of a registry whose lasting keys stay in the control plane, written into a workspace.
//!
//! Today's Beta9 workers check an image's source with what the workspace holds before they mount it, and ask no credential
//! helper. So a registry whose keys no workspace may have is served by a timer in the control plane:
//!
//! - **The keys** come from the control plane's own store, the embedded one of this user (its entries for the same workspace),
//!   else from the node's own identity where the configuration has `ambient`; never from the workspace. The token is minted,
//!   cached and renewed as for any `get`.
//! - **The names** are those that a build and CLIP take (`plan`).
//! - **What is written** is written over nothing but what this node wrote. It knows its own by a note beside the keys; without
//!   the note, a secret that is there is somebody else's, and `--force` takes it over. Single secrets are written one after
//!   the other, the user name first: it is the same for every token, and without the password it is nobody's credential.
//! - **When**: from half of a token's life on, at once where it is missing, and again where the last run was cut short.

mod plan;

use std::time::{Duration, SystemTime};

use self::plan::Plan;
use super::answer::Who;
use super::{Cached, Resolver, Route};
use crate::backend::Backend;
use crate::cache::{Cache, NODE, OWN};
use crate::config::{Config, Request};
use crate::credential::{Credential, Redacted};
use crate::error::{Error, Problem};
use crate::host::{Host, Scheme};
use crate::keys::Keys;
use crate::store::{FileStore, Keep, Published, Store, Written};

/// Publishes into the workspace that is configured.
pub struct Publisher {
    /// The workspace.
    target: Resolver,
    /// The control plane's own keys.
    source: Resolver,
    notes: FileStore,
}

/// How it is published.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// As single secrets, where nothing shows which generation of Beta9 this is.
    pub by_names: bool,
    /// Also where it is not due, and over what this node did not write.
    pub force: bool,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// What came of it.
#[derive(Debug)]
pub enum Publication {
    /// It was written.
    Written(Published),
    /// It is there, and not due.
    Current(Published),
    /// It would be written, to these secrets.
    Planned(Vec<String>),
    /// These secrets were removed.
    Removed(Vec<String>),
}

/// What logs in: the keys, or the node's own identity.
struct Login<'a> {
    route: Route<'a>,
    backend: Backend,
    /// What stands in place of a store.
    store: &'static str,
    keys: Option<Keys>,
}

struct Token {
    credential: Credential,
    minted: SystemTime,
    expires: SystemTime,
}

impl Publisher {
    /// By a configuration, and the same once more for the control plane's own keys. Nothing is opened yet.
    pub fn new(mut config: Config, own: Config) -> Result<Self, Error> {
        // What a process brings along is not the workspace's.
        config.request = Request::default();
        let notes = FileStore::new(&config.workspace, config.file_path.clone(), config.file_key.clone());
        let publisher = Self { target: Resolver::new(config)?, source: Resolver::new(own.of_own_keys())?, notes };
        match &publisher.target.workspace {
            Store::Gateway(_) | Store::Postgres(_) => Ok(publisher),
            other => Err(Problem::new(PART, format_args!("the {} store is no workspace to publish to", other.name()))
                .fix("set store.kind (or BETA9_STORE) to gateway or postgres")
                .failed()),
        }
    }

    /// The registries that were published.
    pub fn published(&self) -> Result<Vec<Host>, Error> {
        self.notes.published_hosts()
    }

    /// The registries of the clouds whose keys are in the control plane's own store.
    pub fn with_own_keys(&self) -> Result<Vec<Host>, Error> {
        let mut skipped = Ok(());
        let listed = self.source.workspace.list(self.source.deadline(), None, &mut |error| {
            skipped = Err(Problem::new(PART, error).fix("name the registries that are to be published").failed());
        })?;
        skipped?;
        let is_minted = |host: &&Host| {
            let route = self.route(host);
            let found = self.source.keys_for(&route);
            route.row.is_cloud() && !matches!(found, Ok(Some((backend, ..))) if !backend.is_cloud())
        };
        Ok(listed.iter().filter_map(|line| line.url.host()).filter(is_minted).cloned().collect())
    }

    /// The workspace store, for what is told and written down.
    #[must_use]
    pub fn target(&self) -> &Resolver {
        &self.target
    }

    /// What went wrong on the way without hindering it.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        [self.source.warnings(), self.target.warnings()].concat()
    }

    /// Writes a registry's token, where it is due.
    pub fn publish(&self, host: &Host, how: How) -> Result<Publication, Error> {
        self.publish_one(host, how).map_err(|error| error.about(host.as_str()))
    }

    /// Removes what was written for a registry, and forgets it.
    pub fn undo(&self, host: &Host, how: How) -> Result<Publication, Error> {
        self.undo_one(host, how).map_err(|error| error.about(host.as_str()))
    }

    fn publish_one(&self, host: &Host, how: How) -> Result<Publication, Error> {
        let lock = || self.notes.publishing(self.target.deadline());
        let _lock = (!how.dry_run).then(lock).transpose()?;
        let noted = match self.notes.published(host) {
            Err(_) if how.force => None,
            noted => noted?,
        };
        let login = self.login(host)?;
        let plan = self.plan(host, &login, noted.as_ref(), how)?;
        if !how.force {
            self.check_ours(host, &plan, noted.as_ref())?;
        }
        let is_there = |noted: &Published| plan.is_there() && plan.names().eq(noted.names());
        match noted.as_ref().filter(|noted| is_there(noted) && !noted.is_due(SystemTime::now())) {
            Some(noted) if !how.force => return Ok(Publication::Current(noted.clone())),
            _ if how.dry_run => return Ok(Publication::Planned(plan.names().map(str::to_owned).collect())),
            _ => {}
        }
        let token = self.token(&login)?;
        let values = plan.values(host, &login.backend, &token.credential);
        if let Some(noted) = noted.as_ref().filter(|noted| noted.is_whole && !how.force)
            && plan.holds(&values)
            && noted.is_due(SystemTime::now())
        {
            return Err(Problem::new(PART, "the token is past half of its life, and no newer one could be minted")
                .fix("see the warnings, and run it again")
                .failed());
        }
        let published = self.write(host, &login, &plan, &values, &token, noted.as_ref())?;
        self.forget_answers(host)?;
        Ok(Publication::Written(published))
    }

    /// Writes the values: noted before, so that a run that is cut short knows its own, and after.
    fn write(
        &self,
        host: &Host,
        login: &Login,
        plan: &Plan,
        values: &[Redacted],
        token: &Token,
        noted: Option<&Published>,
    ) -> Result<Published, Error> {
        let mut secrets = Vec::new();
        for (place, value) in plan.places.iter().zip(values) {
            let print = self.notes.print(&place.name, value.expose())?;
            let mut prints = noted.map_or(Vec::new(), |noted| noted.prints(&place.name).to_vec());
            prints.retain(|known| *known != print);
            prints.insert(0, print);
            secrets.push(Written { name: place.name.clone(), prints });
        }
        let before = noted.into_iter().flat_map(|noted| noted.secrets.iter().chain(&noted.former));
        let former = before.filter(|old| plan.names().all(|name| name != old.name)).cloned().collect();
        let mut published = Published {
            store: self.target.workspace_store().to_owned(),
            backend: login.backend.name().to_owned(),
            by_names: plan.by_names,
            is_whole: false,
            minted: token.minted,
            expires: token.expires,
            secrets,
            former,
        };
        self.notes.note_published(host, &published)?;
        for (place, value) in plan.places.iter().zip(values) {
            if place.there.as_ref() != Some(value) {
                let deadline = self.target.deadline();
                self.target.workspace.put_single(&place.name, value, place.there.as_ref(), deadline)?;
            }
        }
        // What stands under other names, such as those of another generation, is not renewed any more.
        self.remove(&published.former, true)?;
        published.former.clear();
        published.is_whole = true;
        published.secrets.iter_mut().for_each(|secret| secret.prints.truncate(1));
        self.notes.note_published(host, &published)?;
        Ok(published)
    }

    fn undo_one(&self, host: &Host, how: How) -> Result<Publication, Error> {
        let _lock = self.notes.publishing(self.target.deadline())?;
        let noted = self.notes.published(host)?.ok_or_else(|| {
            Problem::new(PART, "this node has published nothing for it")
                .fix("see docker-credential-beta9 status")
                .failed()
        })?;
        let removed = self.remove(&[noted.secrets, noted.former].concat(), how.force)?;
        self.notes.forget_published(host)?;
        self.forget_answers(host)?;
        Ok(Publication::Removed(removed))
    }

    /// Removes those of these secrets that are there, and answers their names. One that somebody has changed stays, which is
    /// an error unless that was `expected`.
    fn remove(&self, secrets: &[Written], expected: bool) -> Result<Vec<String>, Error> {
        let names: Vec<_> = secrets.iter().map(|secret| secret.name.clone()).collect();
        if names.is_empty() {
            return Ok(names);
        }
        let mut removed = Vec::new();
        let there = self.target.workspace.singles(&names, self.target.deadline())?;
        // The password goes first, so that no other stands beside the user name.
        for secret in secrets.iter().rev() {
            let Some(single) = there.iter().find(|single| single.name == secret.name) else { continue };
            if secret.prints.contains(&self.notes.print(&single.name, single.value.expose())?) {
                self.target.workspace.remove_single(&single.name, &single.value, self.target.deadline())?;
                removed.push(single.name.clone());
            } else if !expected {
                let cause =
                    format_args!("the secret {} was changed since it was published", single.name.escape_debug());
                return Err(Problem::new(PART, cause).fix("to leave it as it is, add --force").failed());
            }
        }
        Ok(removed)
    }

    /// Every secret that is there must be one that this node wrote.
    fn check_ours(&self, host: &Host, plan: &Plan, noted: Option<&Published>) -> Result<(), Error> {
        for place in &plan.places {
            let Some(there) = &place.there else { continue };
            let prints = noted.map_or(&[][..], |noted| noted.prints(&place.name));
            if !prints.is_empty() && prints.contains(&self.notes.print(&place.name, there.expose())?) {
                continue;
            }
            let name = place.name.escape_debug();
            let problem = if prints.is_empty() {
                Problem::new(PART, format_args!("the workspace has a secret {name} that this node did not write"))
            } else {
                Problem::new(PART, format_args!("the secret {name} was changed since it was published"))
            };
            return Err(problem
                .fix(format_args!(
                    "to take it over, run docker-credential-beta9 publish {host} --force; to leave it, name another in a rule for this registry"
                ))
                .failed());
        }
        Ok(())
    }

    /// What logs in to a registry for which tokens are minted.
    fn login<'a>(&'a self, host: &'a Host) -> Result<Login<'a>, Error> {
        let route = self.route(host);
        let lasting = |cause: &str| {
            let fix = format_args!("store it in the workspace with docker-credential-beta9 provision {host}/IMAGE");
            Err(Problem::new(PART, cause).fix(fix).failed())
        };
        if route.is_public() {
            return Err(Problem::new(PART, "a rule says that the registry is public").fix("remove the rule").failed());
        }
        if !route.row.is_cloud() {
            return lasting("no tokens are minted for this registry, whose credential lasts");
        }
        match self.source.keys_for(&route)? {
            Some((backend, _, keys)) if backend.is_cloud() => {
                let store = if keys.is_some() { OWN } else { NODE };
                Ok(Login { route, backend, store, keys })
            }
            Some(_) => lasting("the control plane's own store has a user name and password for it, which last"),
            None => Err(Problem::new(PART, "the control plane's own store has no keys for it")
                .fix(format_args!(
                    "store them with BETA9_STORE=file docker-credential-beta9 provision {host}/IMAGE --creds NAMES, or let the node log in with ambient = true in a rule"
                ))
                .failed()),
        }
    }

    /// The token as a `get` would answer it, with its whole life.
    fn token(&self, login: &Login) -> Result<Token, Error> {
        let who = Who { store: login.store, keys: login.keys.as_ref(), pod: None };
        let minted = self.source.login(&login.backend, &login.route, who, Keep::Disk)?;
        let expires = minted.expires.ok_or_else(|| {
            Problem::new(PART, "nobody says when its token ends, so that it cannot be renewed")
                .fix("store keys that tokens are minted from, and not a token")
                .failed()
        })?;
        let age = match self.source.cached(&login.route, &login.backend, login.keys.as_ref()) {
            Cached::Token(peek) => peek.age,
            _ => Duration::ZERO,
        };
        let now = SystemTime::now();
        Ok(Token { credential: minted.credential, minted: now.checked_sub(age).unwrap_or(now), expires })
    }

    /// Misses of this node, and the last answer for when the store cannot be reached.
    fn forget_answers(&self, host: &Host) -> Result<(), Error> {
        let Some(cache) = self.target.cache_that_exists() else { return Ok(()) };
        let lookup = self.target.lookup(&self.target_route(host), host)?;
        self.target.forget_answers(&Cache::memory(&cache), &lookup);
        Ok(())
    }

    fn route<'a>(&'a self, host: &'a Host) -> Route<'a> {
        over_https(&self.source, host)
    }

    fn target_route<'a>(&'a self, host: &'a Host) -> Route<'a> {
        over_https(&self.target, host)
    }
}

fn over_https<'a>(resolver: &'a Resolver, host: &'a Host) -> Route<'a> {
    resolver.route(host, Scheme::Https, "").expect("because only plain HTTP has no route")
}

const PART: &str = "publish";
