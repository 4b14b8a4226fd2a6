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

/// The backend that a rule names is one.
pub(super) fn check_backend(rule: &Rule) -> Result<(), Error> {
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
