//! Registries that must have a credential. For them, "not found" is an error, so that nothing is pulled anonymously.

use super::errors::ResolverError;
use super::{Resolver, Route};
use crate::config::Rule;
use crate::error::Error;

impl Resolver {
    /// The error for a registry without a credential: `NotFound`, unless it must have one.
    pub fn missing(&self, route: &Route) -> Error {
        match self.why_required(route) {
            Ok(None) => Error::NotFound,
            Ok(Some(why)) => self.workspace.lacks(route.host, &why),
            Err(error) => error,
        }
    }

    /// Whether a route's registry must have a credential.
    pub(super) fn is_required(&self, route: &Route) -> Result<bool, Error> {
        match route.rule.and_then(|rule| rule.required) {
            Some(required) => Ok(required),
            None if route.is_public() => Ok(false),
            None => self.workspace.requires([route.host, route.real]),
        }
    }

    /// The setting that requires a credential, if any. A rule takes precedence for its hosts.
    fn why_required(&self, route: &Route) -> Result<Option<String>, Error> {
        if !self.is_required(route)? {
            return Ok(None);
        }
        Ok(Some(
            match route.rule.filter(|rule| rule.required.is_some()) {
                Some(rule) => format!(
                    "required in the rule for {} in {}",
                    rule.host,
                    rule.file.display()
                ),
                None => "BETA9_WORKER_REQUIRED, or required in [store.worker]".to_owned(),
            },
        ))
    }
}

/// Refuses a rule with both `required` and `backend = "public"`.
pub(super) fn check_rule(rule: &Rule) -> Result<(), Error> {
    if rule.required != Some(true) || !rule.is_public() {
        return Ok(());
    }
    Err(ResolverError::RequiredAndPublic(rule.host.clone()).into())
}
