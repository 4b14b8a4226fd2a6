//! `Answer`: everything that decides about a registry, gathered without minting.

mod show;

use serde::Serialize;

use super::remedy;
use super::told::Told;
use crate::backend::Backend;
use crate::cli::clients::ClientLines;
use crate::config::{Config, StoreKind};
use crate::error::Error;
use crate::host::HostError;
use crate::keys::Keys;
use crate::registry::{Registry, choose};
use crate::resolver::{Cached, Outlook, Resolver, Route};
use crate::store::{Found, Keep, Times, name};

/// What would be returned, and why.
#[derive(Default, Serialize)]
pub(super) struct Answer {
    host: Option<String>,
    class: &'static str,
    backend: Option<&'static str>,
    rule: Option<String>,
    /// The configuration file with the rule.
    rule_file: Option<String>,
    /// The rule's effects, and the clients that it does not apply to.
    rule_notes: Vec<String>,
    store: Option<&'static str>,
    /// The workspace; `None` if it is the token's own.
    workspace: Option<String>,
    secret_name: Option<String>,
    found: bool,
    ambient: bool,
    keys: Vec<String>,
    /// The keys that a secret for this registry may have, if there is no secret.
    takes: Option<String>,
    #[serde(skip)]
    told: Told,
    /// What to do if nothing would be returned.
    #[serde(skip)]
    next: Option<String>,
    #[serde(skip)]
    identity: Option<String>,
    #[serde(skip)]
    cached: Cached,
    /// Where each client gets its credential.
    #[serde(skip)]
    clients: Option<ClientLines>,
}

impl Answer {
    /// The answer for an argument that isn't a registry, without asking any store.
    pub(super) fn rejected(why: HostError, next: String) -> Self {
        Self {
            class: "reject",
            told: Told::NotFound(why.to_string()),
            next: Some(next),
            ..Self::default()
        }
    }

    /// Asks the stores and reads the cache.
    pub(super) fn about(
        route: &Route,
        path: &str,
        clients: ClientLines,
        resolver: &Resolver,
    ) -> Self {
        let named = route.rule.and_then(|rule| rule.secret.clone());
        let mut answer = Self {
            host: Some(route.host.as_reference().to_owned()),
            class: Registry::of(route.host).name,
            backend: Some(route.backend()),
            rule: route.rule.map(|rule| rule.host.as_str().to_owned()),
            rule_file: route.rule.map(|rule| rule.file.display().to_string()),
            rule_notes: rule_notes(route, path, resolver),
            store: Some(resolver.workspace_store()),
            workspace: workspace(resolver.config()),
            secret_name: resolver
                .names_secrets()
                .then(|| named.unwrap_or_else(|| name::current(route.host))),
            ambient: route.ambient,
            ..Self::default()
        };
        match resolver.find(route) {
            Ok(found) => answer.decide(route, found, resolver),
            Err(error) => answer.told = Told::failure(error, route),
        }
        if matches!(answer.told, Told::NotFound(_)) {
            match resolver.missing(route) {
                Error::NotFound => {}
                error => answer.told = Told::failure(error, route),
            }
        }
        if let (Told::Credential { .. }, Some(registry)) = (&answer.told, clients.nobody_asks_for())
        {
            answer.next = Some(format!(
                "no client asks this helper: docker-credential-beta9 configure docker --hosts {registry}"
            ));
        }
        answer.clients = Some(clients);
        answer
    }

    fn decide(&mut self, route: &Route, found: Option<(&'static str, Found)>, resolver: &Resolver) {
        let (keep, times) = found
            .as_ref()
            .map_or((Keep::Disk, Times::default()), |(_, found)| {
                (found.keep, found.times)
            });
        let keys = found.map(|(store, found)| {
            (self.store, self.found) = (Some(store), true);
            self.keys = found.keys.names().map(str::to_owned).collect();
            if store == "request" {
                self.secret_name = None;
            } else if found.guessed
                || resolver
                    .named_singles(route, route.host)
                    .is_ok_and(|named| !named.is_empty())
            {
                self.secret_name = Some(self.keys.join(", "));
            }
            found.keys
        });
        if route.is_public() {
            self.told =
                Told::NotFound("the rule says that no credential is ever returned".to_owned());
            return;
        }
        let mut choice = keys.map(|keys| choose(route.row, route.real, keys));
        if let Some(Ok(chosen)) = &choice
            && let Some(ended) =
                resolver.ended(route, self.store.unwrap_or_default(), chosen, times)
        {
            if let (true, Some(cloud)) = (route.ambient, route.row.cloud()) {
                self.look(route, cloud, None, keep, resolver);
                if !matches!(self.told, Told::NotFound(_)) {
                    if let Some(identity) = &mut self.identity {
                        *identity += "; the stored credential has expired";
                    }
                    return;
                }
            }
            choice = Some(Err(ended));
        }
        match (choice, route.row.cloud()) {
            (Some(Ok(choice)), _) => {
                self.backend = Some(choice.backend.name());
                self.look(route, &choice.backend, Some(&choice.keys), keep, resolver);
            }
            (Some(Err(Error::NotFound)), _) => {
                self.told = Told::NotFound(
                    "its secret holds no keys, so the registry is public".to_owned(),
                );
            }
            (Some(Err(error)), _) => self.told = Told::failure(error, route),
            (None, Some(cloud)) if route.ambient => self.look(route, cloud, None, keep, resolver),
            (None, cloud) => {
                self.identity = cloud.map(|_| {
                    "none: the node's own may not be used here (ambient is off)".to_owned()
                });
                let takes: Vec<_> = route.row.backends().map(Backend::wants).collect();
                self.takes = Some(takes.join(", or "));
                self.next = remedy::of_missing(route, resolver);
                self.told = Told::NotFound(NOTHING.to_owned());
            }
        }
    }

    /// Determines who would log in, and the cached token.
    fn look(
        &mut self,
        route: &Route,
        backend: &Backend,
        keys: Option<&Keys>,
        keep: Keep,
        resolver: &Resolver,
    ) {
        match resolver.outlook(route, backend, keys, keep) {
            Ok(Outlook::Identity(node, cached)) => {
                self.identity = Some(who(backend, keys, &node));
                self.cached = cached;
                self.told = Told::of(backend, keys.unwrap_or(&Keys::default()));
            }
            Ok(Outlook::Nobody(why)) => {
                self.identity = Some(format!("none: {why}"));
                self.told = Told::NotFound(NOTHING.to_owned());
            }
            Err(error) => self.told = Told::failure(error, route),
        }
    }
}

const NOTHING: &str = "no credential is stored for it here";

/// Who logs in, in words: a secret's keys or the node's identity.
fn who(backend: &Backend, keys: Option<&Keys>, node: &str) -> String {
    let has_role = |keys: &Keys| matches!(backend, Backend::Aws) && keys.has("AWS_ROLE_ARN");
    match keys {
        Some(keys) if has_role(keys) => "the secret's keys, and the role in its AWS_ROLE_ARN",
        Some(_) if node.is_empty() => "the secret's keys",
        _ => return format!("the node's own: {node}"),
    }
    .to_owned()
}

/// The workspace, in words. For the gateway, the token decides; other stores use the workspace's name.
fn workspace(config: &Config) -> Option<String> {
    match config.store {
        StoreKind::Gateway => config.gateway.workspace.clone(),
        _ => Some(config.workspace.clone()),
    }
}

fn rule_notes(route: &Route, path: &str, resolver: &Resolver) -> Vec<String> {
    let Some(rule) = route.rule else {
        return Vec::new();
    };
    let mut notes = Vec::new();
    if let Some(real) = &rule.alias_of {
        notes.push(format!("it stands for {real}"));
    }
    let without_path = resolver.config().rule(route.host, "");
    if !path.is_empty() && !without_path.is_some_and(|other| std::ptr::eq(other, rule)) {
        notes.push("docker and podman don't send a path, and get a different answer".to_owned());
    }
    notes
}
