//! What is asked for on the command line, and which registries that comes to.

use std::path::PathBuf;

use clap::ArgMatches;

use crate::client::Scope;
use crate::client::plain_login::offer;
use crate::config::{Config, Env};
use crate::error::{Error, Problem};
use crate::host::{Host, ServerUrl};
use crate::resolver::Resolver;
use crate::shown::shown;

/// What is asked for.
pub(super) struct Request {
    pub(super) client: String,
    pub(super) scope: Scope,
    pub(super) registries: Registries,
    pub(super) force: bool,
    pub(super) dry_run: bool,
    /// A kubelet's file, and the directory in which it looks for providers.
    pub(super) config: Option<PathBuf>,
    pub(super) bin_dir: Option<PathBuf>,
}

pub(super) enum Registries {
    All,
    These(Vec<Host>),
    Stored,
}

impl Request {
    pub(super) fn of(matches: &ArgMatches) -> Result<Self, Error> {
        let registries = match matches.get_many::<String>("hosts") {
            _ if matches.get_flag("all") => Registries::All,
            Some(hosts) => {
                Registries::These(hosts.map(|text| host(text)).collect::<Result<_, _>>()?)
            }
            None => Registries::Stored,
        };
        let client = matches
            .get_one::<String>("client")
            .cloned()
            .unwrap_or_default();
        if client == "kubelet" {
            for (flag, cause, fix) in NOT_FOR_KUBELET {
                if matches.get_flag(flag) {
                    return Err(Problem::new(format!("--{flag}"), cause).fix(fix).failed());
                }
            }
        }
        Ok(Self {
            client,
            scope: if matches.get_flag("system") {
                Scope::System
            } else {
                Scope::User
            },
            registries,
            force: matches.get_flag("force"),
            dry_run: matches.get_flag("dry-run"),
            config: path(matches, "config")?,
            bin_dir: path(matches, "bin-dir")?,
        })
    }

    /// The registries by name; `None` for all there are.
    pub(super) fn hosts(&self, env: &Env) -> Result<Option<Vec<Host>>, Error> {
        match &self.registries {
            Registries::All => Ok(None),
            Registries::These(hosts) => Ok(Some(hosts.clone())),
            Registries::Stored => stored(env, &self.client, self.scope).map(Some),
        }
    }
}

/// A path of the kubelet's, which is not started where this is.
fn path(matches: &ArgMatches, name: &str) -> Result<Option<PathBuf>, Error> {
    let path = matches.get_one::<PathBuf>(name).cloned();
    if matches
        .get_one::<String>("client")
        .is_none_or(|client| client != "kubelet")
        && path.is_some()
    {
        let part = format!("--{name}");
        return Err(Problem::new(part, "it goes with kubelet")
            .fix("leave it out, or configure kubelet")
            .failed());
    }
    match path {
        Some(path) if !path.is_absolute() => Err(Problem::new(
            format!("--{name}"),
            "it is not an absolute path",
        )
        .fix("give the whole path, from /")
        .failed()),
        path => Ok(path),
    }
}

fn host(text: &str) -> Result<Host, Error> {
    let parsed = match ServerUrl::parse(text.trim().as_bytes()) {
        Ok(ServerUrl::Registry { host, path, .. }) if path.is_empty() || host.is_docker_hub() => {
            Ok(host)
        }
        Ok(_) => Err("clients name helpers for whole registries"),
        Err(rejected) => Err(rejected.0),
    };
    parsed.map_err(|cause| {
        let part = format!("--hosts {}", shown(text));
        Problem::new(part, cause)
            .fix("give hosts such as ghcr.io or registry.example.com:5000")
            .failed()
    })
}

fn stored(env: &Env, client: &str, scope: Scope) -> Result<Vec<Host>, Error> {
    let listed = Listed::of(&Resolver::new(Config::load(env)?)?)?;
    if !listed.hosts.is_empty() {
        return Ok(listed.hosts);
    }
    // A store that cannot be asked has not said that it is empty.
    let (cause, fix) = match listed.skipped.first() {
        Some(skipped) => (
            format!("the store's registries cannot be listed ({skipped})"),
            "name them with --hosts".to_owned(),
        ),
        None => (
            "the store has no registries yet".to_owned(),
            offer(env, client, scope)
                .unwrap_or_else(|| "name them with --hosts, or give --all".to_owned()),
        ),
    };
    Err(Problem::new("configure", cause).fix(fix).failed())
}

/// The registries that the store lists.
pub(super) struct Listed {
    pub(super) hosts: Vec<Host>,
    /// Why there may be more.
    pub(super) skipped: Vec<String>,
}

impl Listed {
    pub(super) fn of(resolver: &Resolver) -> Result<Self, Error> {
        let mut skipped = Vec::new();
        let lines = resolver.list(&mut |error| skipped.push(crate::one_line(error)))?;
        let mut hosts: Vec<Host> = Vec::new();
        for host in lines
            .keys()
            .filter_map(|url| ServerUrl::parse(url.as_bytes()).ok()?.host().cloned())
        {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        Ok(Self { hosts, skipped })
    }

    /// Those of `hosts` that the store has nothing for; none where it cannot be asked.
    pub(super) fn lacking(hosts: &[Host], env: &Env) -> Vec<Host> {
        let listed = Config::load(env)
            .and_then(Resolver::new)
            .and_then(|resolver| Self::of(&resolver));
        let Some(listed) = listed.ok().filter(|listed| listed.skipped.is_empty()) else {
            return Vec::new();
        };
        hosts
            .iter()
            .filter(|host| !listed.hosts.contains(host))
            .cloned()
            .collect()
    }
}

/// What would be ignored, which nobody may find out by a pull that fails.
const NOT_FOR_KUBELET: [(&str, &str, &str); 2] = [
    (
        "all",
        "kubelet has no pattern for every registry",
        "leave it out for all registries that this helper knows and the store lists",
    ),
    (
        "system",
        "a kubelet's file is the whole machine's already",
        "leave it out",
    ),
];
