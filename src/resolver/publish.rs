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

mod errors;
mod plan;
mod token;
mod write;

use std::time::SystemTime;

use self::errors::PublishError;
use super::{Resolver, Route};
use crate::config::{Config, Request};
use crate::error::{Code, Error};
use crate::host::{Host, Scheme};
use crate::store::{FileStore, Published, Store};

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

impl Publisher {
    /// By a configuration, and the same once more for the control plane's own keys. Nothing is opened yet.
    pub fn new(mut config: Config, own: Config) -> Result<Self, Error> {
        // What a process brings along is not the workspace's.
        config.request = Request::default();
        let notes = FileStore::of(&config);
        let publisher = Self {
            target: Resolver::new(config)?,
            source: Resolver::new(own.of_own_keys())?,
            notes,
        };
        match &publisher.target.workspace {
            Store::Gateway(_) | Store::Postgres(_) => Ok(publisher),
            other => Err(PublishError::NoWorkspace(other.name()).into()),
        }
    }

    /// The registries that were published.
    pub fn published(&self) -> Result<Vec<Host>, Error> {
        self.notes.published_hosts()
    }

    /// The registries of the clouds whose keys are in the control plane's own store.
    pub fn with_own_keys(&self) -> Result<Vec<Host>, Error> {
        let mut skipped = Ok(());
        let listed = self
            .source
            .workspace
            .list(self.source.deadline(), None, &mut |error| {
                skipped = Err(PublishError::Unlisted {
                    cause: error.to_string(),
                    code: error.code().unwrap_or(Code::StoreDamaged),
                });
            })?;
        skipped?;
        let is_minted = |host: &&Host| {
            let route = self.route(host);
            let found = self.source.keys_for(&route, false);
            route.row.is_cloud() && !matches!(found, Ok(Ok((backend, ..))) if !backend.is_cloud())
        };
        Ok(listed
            .iter()
            .filter_map(|line| line.url.host())
            .filter(is_minted)
            .cloned()
            .collect())
    }

    /// The workspace store, for what is told and written down.
    pub fn target(&self) -> &Resolver {
        &self.target
    }

    /// What went wrong on the way without hindering it.
    pub fn warnings(&self) -> Vec<String> {
        [self.source.warnings(), self.target.warnings()].concat()
    }

    /// Writes a registry's token, where it is due.
    pub fn publish(&self, host: &Host, how: How) -> Result<Publication, Error> {
        self.publish_one(host, how)
            .map_err(|error| error.about(host.as_str()))
    }

    /// Removes what was written for a registry, and forgets it.
    pub fn undo(&self, host: &Host, how: How) -> Result<Publication, Error> {
        self.undo_one(host, how)
            .map_err(|error| error.about(host.as_str()))
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
        match noted
            .as_ref()
            .filter(|noted| is_there(noted) && !noted.is_due(SystemTime::now()))
        {
            Some(noted) if !how.force => return Ok(Publication::Current(noted.clone())),
            _ if how.dry_run => {
                return Ok(Publication::Planned(
                    plan.names().map(str::to_owned).collect(),
                ));
            }
            _ => {}
        }
        let token = self.token(&login)?;
        let values = plan.values(host, &login.backend, &token);
        if let Some(noted) = noted.as_ref().filter(|noted| noted.is_whole && !how.force)
            && plan.holds(&values)
            && noted.is_due(SystemTime::now())
        {
            return Err(PublishError::NotRenewed.into());
        }
        let published = self.write(host, &login, &plan, &values, &token, noted.as_ref())?;
        self.forget_answers(host)?;
        Ok(Publication::Written(published))
    }

    fn undo_one(&self, host: &Host, how: How) -> Result<Publication, Error> {
        let _lock = self.notes.publishing(self.target.deadline())?;
        let noted = self.notes.published(host)?.ok_or(PublishError::Nothing)?;
        let removed = self.remove(&[noted.secrets, noted.former].concat(), how.force)?;
        self.notes.forget_published(host)?;
        self.forget_answers(host)?;
        Ok(Publication::Removed(removed))
    }

    /// Misses of this node, and the last answer for when the store cannot be reached.
    fn forget_answers(&self, host: &Host) -> Result<(), Error> {
        let Some(cache) = self.target.cache_that_exists() else {
            return Ok(());
        };
        let lookup = self.target.lookup(&self.target_route(host), host)?;
        self.target.forget_answers(&cache.memory(), &lookup);
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
    resolver
        .route(host, Scheme::Https, "")
        .expect("because only plain HTTP has no route")
}
