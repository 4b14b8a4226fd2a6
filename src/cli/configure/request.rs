//! The request on the command line, and the registries that it means.

use std::path::PathBuf;

use clap::ArgMatches;
use indexmap::IndexSet;

use super::errors::{ConfigureError, NOT_FOR, NotFor};
use crate::client::Scope;
use crate::client::plain_login::offer;
use crate::client::spelling::wiring_keys;
use crate::config::Env;
use crate::error::Error;
use crate::host::{Host, ServerUrl};
use crate::resolver::Resolver;

/// A parsed command line.
pub(super) struct Request {
    pub(super) client: String,
    pub(super) scope: Scope,
    /// What --hosts names.
    pub(super) hosts: Option<Vec<Wanted>>,
    all: bool,
    pub(super) force: bool,
    pub(super) dry_run: bool,
    /// Kubelet's file, or directory of files, and the directory of its providers.
    pub(super) config: Option<PathBuf>,
    pub(super) bin_dir: Option<PathBuf>,
}

/// A registry, and the names under which clients ask for it, including the one that was typed.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) host: Host,
    pub(super) keys: Vec<String>,
}

impl Wanted {
    fn new(host: Host, typed: &str) -> Self {
        let keys = wiring_keys(&host, typed);
        Self { host, keys }
    }

    pub(super) fn hosts(all: &[Self]) -> Vec<Host> {
        all.iter().map(|one| one.host.clone()).collect()
    }

    pub(super) fn keys(all: &[Self]) -> impl Iterator<Item = &str> {
        all.iter().flat_map(|one| &one.keys).map(String::as_str)
    }
}

impl Request {
    pub(super) fn of(matches: &ArgMatches) -> Result<Self, Error> {
        let client: String = matches.get_one("client").cloned().unwrap_or_default();
        let not_for = |not: &&NotFor| client == not.client && matches.get_flag(not.flag);
        if let Some(not) = NOT_FOR.iter().find(not_for) {
            return Err(ConfigureError::NotFor(not).into());
        }
        let path = |name| {
            let path = matches.get_one::<PathBuf>(name).cloned();
            match path {
                Some(_) if client == "containerd" && name == "config" => Ok(path),
                Some(_) if client != "kubelet" => Err(ConfigureError::Kubelets(name)),
                // A kubelet is not started where this is.
                Some(path) if !path.is_absolute() => Err(ConfigureError::Relative(name)),
                path => Ok(path),
            }
        };
        let (config, bin_dir) = (path("config")?, path("bin-dir")?);
        let hosts = matches.get_many::<String>("hosts");
        let hosts = hosts.map(|all| all.map(|text| wanted(text.trim())).collect());
        Ok(Self {
            scope: if matches.get_flag("system") {
                Scope::System
            } else {
                Scope::User
            },
            hosts: hosts.transpose()?,
            all: matches.get_flag("all"),
            force: matches.get_flag("force"),
            dry_run: matches.get_flag("dry-run"),
            client,
            config,
            bin_dir,
        })
    }

    /// The requested registries; `None` for all.
    pub(super) fn wanted(&self, env: &Env) -> Result<Option<Vec<Wanted>>, Error> {
        match &self.hosts {
            _ if self.all => Ok(None),
            None => stored(env, &self.client, self.scope).map(Some),
            these => Ok(these.clone()),
        }
    }
}

fn wanted(text: &str) -> Result<Wanted, ConfigureError> {
    match ServerUrl::parse(text.as_bytes()) {
        Ok(ServerUrl::Registry { host, path, .. }) if path.is_empty() || host.is_docker_hub() => {
            Ok(Wanted::new(host, text))
        }
        Ok(_) => Err(ConfigureError::Part(text.to_owned())),
        Err(rejected) => Err(ConfigureError::Host(text.to_owned(), rejected)),
    }
}

fn stored(env: &Env, client: &str, scope: Scope) -> Result<Vec<Wanted>, Error> {
    let listed = Listed::of(&Resolver::of(env)?)?;
    if !listed.hosts.is_empty() {
        let hosts = listed.hosts.into_iter();
        return Ok(hosts.map(|host| Wanted::new(host, "")).collect());
    }
    Err(match listed.skipped.into_iter().next() {
        Some(skipped) => ConfigureError::Unlisted(skipped),
        None => ConfigureError::Empty(offer(env, client, scope)),
    }
    .into())
}

/// The registries that the store lists.
pub(super) struct Listed {
    pub(super) hosts: IndexSet<Host>,
    /// Why the list may be incomplete.
    pub(super) skipped: Vec<String>,
}

impl Listed {
    pub(super) fn of(resolver: &Resolver) -> Result<Self, Error> {
        let mut skipped = Vec::new();
        let lines = resolver.list(&mut |error| skipped.push(crate::one_line(error)))?;
        let urls = lines.keys();
        let hosts = urls.filter_map(|url| ServerUrl::parse(url.as_bytes()).ok()?.host().cloned());
        let hosts: IndexSet<Host> = hosts.collect();
        Ok(Self { hosts, skipped })
    }

    /// Those of `hosts` without a credential in the store; empty if the store can't be asked.
    pub(super) fn lacking(hosts: &[Host], env: &Env) -> Vec<Host> {
        let listed = Resolver::of(env)
            .and_then(|resolver| Self::of(&resolver))
            .ok();
        let Some(listed) = listed.filter(|listed| listed.skipped.is_empty()) else {
            return Vec::new();
        };
        let lacking = hosts.iter().filter(|host| !listed.hosts.contains(*host));
        lacking.cloned().collect()
    }
}

/// The registries, in words.
pub(super) fn names(hosts: &[Host]) -> String {
    let names: Vec<&str> = hosts.iter().map(Host::as_str).collect();
    names.join(", ")
}
