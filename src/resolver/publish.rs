//! `publish`: writes a registry's token into a workspace, while its long-lived keys stay in the control plane.
//!
//! Today's Beta9 workers check an image's source with the workspace's credential before they mount it, and don't call
//! credential helpers. A registry whose keys must not be in a workspace is therefore served by a timer in the control
//! plane:
//!
//! - **The keys** come from this user's embedded store (the entries for the same workspace), or from the node's own
//!   identity if `ambient` allows it; never from the workspace. The token is minted, cached and renewed as for any
//!   `get`.
//! - **The names** are those that a build and CLIP read (`plan`).
//! - **Overwriting:** only secrets that this node wrote are overwritten. A note beside the keys records them; without
//!   the note, an existing secret counts as somebody else's, and `--force` replaces it. Single secrets are written one
//!   after the other, the user name first: it is the same for every token, and of no use without the password.
//! - **When:** from half of a token's life on, at once if it is missing, and again if the last run was interrupted.

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

/// Publishes into the configured workspace.
pub struct Publisher {
    /// The resolver of the workspace.
    target: Resolver,
    /// The resolver of the control plane's own keys.
    source: Resolver,
    notes: FileStore,
}

/// Options for publishing.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// Write single secrets if the generation of Beta9 is unknown.
    pub by_names: bool,
    /// Write even if the token is not due, and overwrite secrets that this node did not write.
    pub force: bool,
    /// Only report what would be done.
    pub dry_run: bool,
}

/// The outcome for one registry.
#[derive(Debug)]
pub enum Publication {
    /// The token was written.
    Written(Published),
    /// The token is there and not due.
    Current(Published),
    /// The token would be written to these secrets.
    Planned(Vec<String>),
    /// These secrets were removed.
    Removed(Vec<String>),
}

impl Publisher {
    /// Makes a publisher from the workspace's configuration and the one of the control plane's own keys, without
    /// opening anything yet.
    pub fn new(mut config: Config, own: Config) -> Result<Self, Error> {
        // Credentials in this process's environment aren't the workspace's.
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

    /// The registries that this node has published.
    pub fn published(&self) -> Result<Vec<Host>, Error> {
        self.notes.published_hosts()
    }

    /// The cloud registries whose keys are in the control plane's own store.
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

    /// The workspace's resolver, for messages and the audit log.
    pub fn target(&self) -> &Resolver {
        &self.target
    }

    /// Takes the warnings so far.
    pub fn warnings(&self) -> Vec<String> {
        [self.source.warnings(), self.target.warnings()].concat()
    }

    /// Writes a registry's token if it is due.
    pub fn publish(&self, host: &Host, how: How) -> Result<Publication, Error> {
        self.publish_one(host, how)
            .map_err(|error| error.about(host.as_str()))
    }

    /// Removes what was written for a registry, and its note.
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

    /// Removes this node's cached misses and last answers for the host.
    fn forget_answers(&self, host: &Host) -> Result<(), Error> {
        let Some(cache) = self.target.cache_that_exists() else {
            return Ok(());
        };
        let (target, memory) = (&self.target, cache.memory());
        let lookup = target.lookup(&self.target_route(host), host)?;
        let notes = target.notes(&memory, &target.workspace, &lookup);
        notes.changed(true);
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
