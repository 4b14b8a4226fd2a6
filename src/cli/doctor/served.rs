//! `Served`: the registries that this helper can answer for, from the store or by a rule.

use super::store::Asked;
use crate::config::{Rule, StoreKind};
use crate::host::{Host, Pattern, Scheme};
use crate::resolver::{Outlook, Resolver, Route};
use crate::store::Keep;

/// The store's list, and what rules add to it.
pub(super) struct Served<'a> {
    resolver: &'a Resolver,
    stored: &'a [Host],
    /// Whether the list is complete.
    whole: bool,
}

impl<'a> Served<'a> {
    /// `None` if the store was not checked.
    pub(super) fn of(resolver: &'a Resolver, asked: &'a Asked) -> Option<Self> {
        let (stored, whole) = (asked.stored.as_deref()?, asked.whole);
        Some(Self {
            resolver,
            stored,
            whole,
        })
    }

    /// All registries known by name: the store's, then those of rules for single hosts.
    pub(super) fn hosts(&self) -> Vec<Host> {
        let mut hosts = self.stored.to_vec();
        for host in self.rules().filter_map(|rule| rule.host.exact()) {
            if !hosts.contains(&host) && self.by_rule(&host) {
                hosts.push(host);
            }
        }
        hosts
    }

    /// Whether this helper can answer for a registry.
    pub(super) fn answers(&self, host: &Host) -> bool {
        self.stored.contains(host) || self.by_rule(host)
    }

    /// Whether that is due to a rule: the node logs in as itself, or the host stands for one that is served.
    pub(super) fn by_rule(&self, host: &Host) -> bool {
        let real = |route: &Route| route.real != host && self.stored.contains(route.real);
        self.route_alone(host)
            .is_some_and(|route| self.is_node_able(&route) || real(&route))
    }

    /// Whether the node logs in as itself because there is no secret.
    pub(super) fn by_node(&self, host: &Host) -> bool {
        let route = self.route_alone(host);
        route.is_some_and(|route| self.is_node_able(&route))
    }

    /// The route of a registry that the store has no secret of.
    fn route_alone<'b>(&'b self, host: &'b Host) -> Option<Route<'b>> {
        let route = self.route(host).filter(|route| !route.is_public());
        route.filter(|_| !self.stored.contains(host))
    }

    /// Whether the node may log in as itself and has an identity for that cloud. An unusable identity counts, because
    /// `get` reports it.
    fn is_node_able(&self, route: &Route) -> bool {
        let has_identity = |cloud| {
            let outlook = self.resolver.outlook(route, cloud, None, Keep::Disk);
            !matches!(outlook, Ok(Outlook::Nobody(_)))
        };
        route.ambient && route.row.cloud().is_some_and(has_identity)
    }

    /// Whether there is certainly no answer, although no rule says so.
    pub(super) fn lacks(&self, host: &Host) -> bool {
        let Some(route) = self.route(host) else {
            return false;
        };
        // A secret that a rule names isn't in the list.
        let is_named =
            self.resolver.names_secrets() && route.rule.is_some_and(|rule| rule.secret.is_some());
        self.whole && !self.answers(host) && !route.is_public() && !is_named
    }

    /// Whether nothing can be stored here.
    pub(super) fn is_read_only(&self) -> bool {
        self.resolver.config().store == StoreKind::Worker
    }

    /// Patterns of rules by which the node logs in to many hosts.
    pub(super) fn globs(&self) -> impl Iterator<Item = &Pattern> {
        // With the worker store, the node never logs in as itself.
        let ambient = |rule: &&Rule| {
            let is_on = rule.ambient.is_some_and(|ambient| !ambient.is_off());
            let example = rule.host.example();
            let is_able = |host| self.by_node(host);
            !self.is_read_only() && is_on && example.as_ref().is_some_and(is_able)
        };
        let hosts = self.rules().filter(ambient).map(|rule| &rule.host);
        hosts.filter(|host| !host.is_exact())
    }

    /// The rules without a path. Docker and podman don't send a path, so rules with one never apply to them.
    fn rules(&self) -> impl Iterator<Item = &Rule> {
        let rules = self.resolver.config().rules().iter();
        rules.filter(|rule| rule.host.path().is_empty())
    }

    fn route<'b>(&'b self, host: &'b Host) -> Option<Route<'b>> {
        self.resolver.route(host, Scheme::Https, "")
    }
}
