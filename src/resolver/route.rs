//! `Route`: which row of the table and which rule answer for a registry.

use super::Resolver;
use super::errors::ResolverError;
use crate::backend::Backend;
use crate::config::{Rule, StoreKind};
use crate::error::Error;
use crate::host::{Host, Scheme};
use crate::near;
use crate::registry::Registry;

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

impl Resolver {
    /// Which row and rule apply; `None` when no store may be asked: a vendor's registry over plain HTTP.
    pub fn route<'a>(&'a self, host: &'a Host, scheme: Scheme, path: &'a str) -> Option<Route<'a>> {
        let (config, rule) = (&self.config, self.config.rule(host, path));
        let real = rule.and_then(|rule| rule.alias_of.as_ref()).unwrap_or(host);
        let forced = rule.and_then(|rule| Registry::named(rule.backend.as_deref()?));
        let row = forced.unwrap_or_else(|| Registry::of(real));
        let cloud = row.cloud().map(Backend::name);
        // What the worker API does not vend is not this worker's: on a shared node the identity is somebody else's.
        let ambient = rule.and_then(|rule| rule.ambient).unwrap_or(config.ambient);
        let ambient =
            config.store != StoreKind::Worker && cloud.is_some_and(|cloud| ambient.allows(cloud));
        let own = rule.and_then(|rule| rule.workload_identity);
        let workload_identity = cloud.is_some() && own.unwrap_or(config.kubelet.workload_identity);
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

    /// The error for a registry without a credential: `NotFound`, unless it must have one, so that nothing is pulled
    /// anonymously.
    pub fn missing(&self, route: &Route) -> Error {
        match self.is_required(route) {
            Ok(false) => return Error::NotFound,
            Ok(true) => {}
            Err(error) => return error,
        }
        let why = match route.rule.filter(|rule| rule.required.is_some()) {
            Some(rule) => {
                let file = rule.file.display();
                format!("required in the rule for {} in {file}", rule.host)
            }
            None => "BETA9_WORKER_REQUIRED, or required in [store.worker]".to_owned(),
        };
        self.workspace.lacks(route.host, &why)
    }

    /// Whether a route's registry must have a credential. A rule takes precedence for its hosts.
    pub(super) fn is_required(&self, route: &Route) -> Result<bool, Error> {
        match route.rule.and_then(|rule| rule.required) {
            Some(required) => Ok(required),
            None if route.is_public() => Ok(false),
            None => self.workspace.requires([route.host, route.real]),
        }
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
pub(super) fn plain_host(host: &Host, scheme: Scheme) -> Option<Host> {
    (scheme == Scheme::Http).then(|| host.without_port_80())?
}

/// Refuses a rule with an unknown backend, or with both `required` and `backend = "public"`.
pub(super) fn check_rule(rule: &Rule) -> Result<(), Error> {
    if let Some(word) = &rule.backend
        && Registry::named(word).is_none()
    {
        return Err(ResolverError::UnknownBackend {
            rule: rule.host.clone(),
            word: word.clone(),
            nearest: near::nearest(word, Registry::names()),
        }
        .into());
    }
    if rule.required == Some(true) && rule.is_public() {
        return Err(ResolverError::RequiredAndPublic(rule.host.clone()).into());
    }
    Ok(())
}
