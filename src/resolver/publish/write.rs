//! Writes secrets, overwriting only those that this node wrote.

use super::Publisher;
use super::errors::PublishError;
use super::plan::Plan;
use super::token::{Login, Token};
use crate::credential::Redacted;
use crate::error::Error;
use crate::host::Host;
use crate::store::{Published, Written};

impl Publisher {
    /// Fails if a secret exists that this node did not write.
    pub(super) fn check_ours(
        &self,
        host: &Host,
        plan: &Plan,
        noted: Option<&Published>,
    ) -> Result<(), Error> {
        for place in &plan.places {
            let Some(there) = &place.there else { continue };
            let prints = noted.map_or(&[][..], |noted| noted.prints(&place.name));
            if !prints.is_empty()
                && prints.contains(&self.notes.print(&place.name, there.expose())?)
            {
                continue;
            }
            let (name, host) = (place.name.clone(), host.clone());
            let error = if prints.is_empty() {
                PublishError::NotOurs { name, host }
            } else {
                PublishError::Changed { name, host }
            };
            return Err(error.into());
        }
        Ok(())
    }

    /// Writes the values. The note is written before, so that after an interrupted run this node recognises its own
    /// values, and again after.
    pub(super) fn write(
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
            secrets.push(Written {
                name: place.name.clone(),
                prints,
            });
        }
        let before = noted
            .into_iter()
            .flat_map(|noted| noted.secrets.iter().chain(&noted.former));
        let former = before
            .filter(|old| plan.names().all(|name| name != old.name))
            .cloned()
            .collect();
        // Until the new token is written, the old one's times apply.
        let (minted, expires) = noted.map_or((token.minted, token.expires), |noted| {
            (noted.minted, noted.expires)
        });
        let mut published = Published {
            store: self.target.workspace_store().to_owned(),
            backend: login.backend.name().to_owned(),
            by_names: plan.by_names,
            is_whole: false,
            minted,
            expires,
            secrets,
            former,
        };
        self.notes.note_published(host, &published)?;
        for (place, value) in plan.places.iter().zip(values) {
            if place.there.as_ref() != Some(value) {
                let (old, deadline) = (place.there.as_ref(), self.target.deadline());
                let workspace = &self.target.workspace;
                workspace.change_single(&place.name, old, Some(value), deadline)?;
            }
        }
        // Secrets under other names, such as an earlier generation's, are no longer renewed, so they are removed.
        self.remove(&published.former, true)?;
        published.former.clear();
        (published.is_whole, published.minted, published.expires) =
            (true, token.minted, token.expires);
        for secret in &mut published.secrets {
            secret.prints.truncate(1);
        }
        self.notes.note_published(host, &published)?;
        Ok(published)
    }

    /// Removes the existing ones of these secrets, and returns their names. One that was changed since stays, which is
    /// an error unless `expected`.
    pub(super) fn remove(&self, secrets: &[Written], expected: bool) -> Result<Vec<String>, Error> {
        let names: Vec<_> = secrets.iter().map(|secret| secret.name.clone()).collect();
        if names.is_empty() {
            return Ok(names);
        }
        let mut removed = Vec::new();
        let there = self
            .target
            .workspace
            .singles(&names, self.target.deadline())?;
        // The password is removed first, so that the user name never stands beside another password.
        for secret in secrets.iter().rev() {
            let Some(single) = there.iter().find(|single| single.name == secret.name) else {
                continue;
            };
            if secret
                .prints
                .contains(&self.notes.print(&single.name, single.value.expose())?)
            {
                let (old, deadline) = (Some(&single.value), self.target.deadline());
                let workspace = &self.target.workspace;
                workspace.change_single(&single.name, old, None, deadline)?;
                removed.push(single.name.clone());
            } else if !expected {
                return Err(PublishError::Kept(single.name.clone()).into());
            }
        }
        Ok(removed)
    }
}
