//! The request on the command line, and the registries that it means.

use std::path::PathBuf;

use clap::ArgMatches;
use indexmap::IndexSet;

use crate::cli::misused;
use crate::client::Scope;
use crate::client::plain_login::offer;
use crate::client::spelling::wiring_keys;
use crate::config::{Config, Env};
use crate::error::{Code, Error, Problem};
use crate::host::{Host, ServerUrl};
use crate::resolver::Resolver;
use crate::shown::shown;

/// A parsed command line.
pub(super) struct Request {
    pub(super) client: String,
    pub(super) scope: Scope,
    pub(super) registries: Registries,
    pub(super) force: bool,
    pub(super) dry_run: bool,
    /// Kubelet's file, or directory of files, and the directory of its providers.
    pub(super) config: Option<PathBuf>,
    pub(super) bin_dir: Option<PathBuf>,
}

pub(super) enum Registries {
    All,
    These(Vec<Wanted>),
    Stored,
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
        for (name, flag, cause, fix) in NOT_FOR {
            if client == name && matches.get_flag(flag) {
                return Err(misused(format!("--{flag}"), cause, fix));
            }
        }
        let path = |name| {
            let path = matches.get_one::<PathBuf>(name).cloned();
            let wrong = |cause, fix| Err(misused(format!("--{name}"), cause, fix));
            match path {
                Some(_) if client == "containerd" && name == "config" => Ok(path),
                Some(_) if client != "kubelet" => {
                    wrong("it goes with kubelet", "leave it out, or configure kubelet")
                }
                // Kubelet does not start in this working directory, so a relative path would be wrong.
                Some(path) if !path.is_absolute() => {
                    wrong("it is not an absolute path", "give the whole path, from /")
                }
                path => Ok(path),
            }
        };
        let (config, bin_dir) = (path("config")?, path("bin-dir")?);
        Ok(Self {
            scope: if matches.get_flag("system") {
                Scope::System
            } else {
                Scope::User
            },
            registries: match matches.get_many::<String>("hosts") {
                _ if matches.get_flag("all") => Registries::All,
                Some(hosts) => Registries::These(
                    hosts
                        .map(|text| wanted(text.trim()))
                        .collect::<Result<_, _>>()?,
                ),
                None => Registries::Stored,
            },
            force: matches.get_flag("force"),
            dry_run: matches.get_flag("dry-run"),
            client,
            config,
            bin_dir,
        })
    }

    /// The requested registries; `None` for all.
    pub(super) fn wanted(&self, env: &Env) -> Result<Option<Vec<Wanted>>, Error> {
        match &self.registries {
            Registries::All => Ok(None),
            Registries::These(these) => Ok(Some(these.clone())),
            Registries::Stored => stored(env, &self.client, self.scope).map(Some),
        }
    }
}

fn wanted(text: &str) -> Result<Wanted, Error> {
    let cause = match ServerUrl::parse(text.as_bytes()) {
        Ok(ServerUrl::Registry { host, path, .. }) if path.is_empty() || host.is_docker_hub() => {
            return Ok(Wanted::new(host, text));
        }
        Ok(_) => "clients name helpers for whole registries",
        Err(rejected) => rejected.0,
    };
    Err(Problem::new(format!("--hosts {}", shown(text)), cause)
        .code(Code::InputBadServerUrl)
        .fix("give hosts such as ghcr.io or registry.example.com:5000")
        .failed())
}

fn stored(env: &Env, client: &str, scope: Scope) -> Result<Vec<Wanted>, Error> {
    let listed = Listed::of(&Resolver::new(Config::load(env)?)?)?;
    if !listed.hosts.is_empty() {
        let hosts = listed.hosts.into_iter();
        return Ok(hosts.map(|host| Wanted::new(host, "")).collect());
    }
    // A store that can't be asked isn't known to be empty.
    let (cause, fix) = if let Some(skipped) = listed.skipped.first() {
        let cause = format!("the store's registries cannot be listed ({skipped})");
        (cause, "name them with --hosts".to_owned())
    } else {
        let other = || "name them with --hosts, or give --all".to_owned();
        let fix = offer(env, client, scope).unwrap_or_else(other);
        ("the store has no registries yet".to_owned(), fix)
    };
    Err(Problem::new("configure", cause)
        .code(Code::StoreNotFound)
        .fix(fix)
        .failed())
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
        let resolver = Config::load(env).and_then(Resolver::new);
        let listed = resolver.and_then(|resolver| Self::of(&resolver)).ok();
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

/// Options that a client would ignore. They are refused, so that nobody finds out by a failing pull.
const NOT_FOR: [(&str, &str, &str, &str); 3] = [
    (
        "kubelet",
        "all",
        "kubelet has no pattern for every registry",
        "leave it out for all registries that this helper knows and the store lists",
    ),
    (
        "kubelet",
        "system",
        "a kubelet's file is the whole machine's already",
        "leave it out",
    ),
    (
        "containerd",
        "system",
        "a containerd's files are the whole machine's already",
        "leave it out",
    ),
];
