//! `refresh`: renews the tokens that are due, for a timer.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use clap::{ArgMatches, Command};
use serde::Serialize;

use super::status::brief;
use super::{flag, outcome, print, warn};
use crate::Io;
use crate::cache::{Cache, Inventory, InventoryEntry, OWN, State, TokenLife};
use crate::config::{Config, Env, Request, StoreKind};
use crate::error::Error;
use crate::json;
use crate::resolver::{Refreshed, Resolver};
use crate::trusted::FileError;

pub(super) fn command() -> Command {
    Command::new("refresh")
        .about("Renew the cached tokens that are due for renewal")
        .arg(flag("all", "Renew every token"))
        .arg(flag("json", "Print one JSON object"))
        .after_help(HELP)
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let (all, json) = (matches.get_flag("all"), matches.get_flag("json"));
    let resolver = Resolver::of(env)?;
    let caches = caches(resolver.config()).map_err(|fault| fault.problem("token cache"))?;
    let entries = caches
        .iter()
        .flat_map(|(inventory, cache)| inventory.entries.iter().map(move |entry| (entry, cache)));
    let due: Vec<_> = entries.filter(|(entry, _)| is_due(entry, all)).collect();
    let mut report = Report {
        number: due.len(),
        json,
        tokens: Vec::new(),
        failed: 0,
    };
    for (entry, cache) in due {
        report.begin(entry, io)?;
        let done = if is_idle(entry) && !all {
            Ok(Refreshed::Left(IDLE))
        } else {
            refresh(env, cache, entry, io)
        };
        report.end(entry, &done, io)?;
    }
    warn(io, &resolver);
    if json {
        print(io.out, json::line(&report).as_str())?;
    } else if report.number == 0 {
        let text = nothing_to_do(&caches, resolver.config().cache.enabled);
        print(io.out, text + "\n")?;
    }
    outcome(report.failed > 0)
}

/// The caches that exist, with their contents; none if the cache is off.
fn caches(config: &Config) -> Result<Vec<(Inventory, Cache)>, FileError> {
    let caches = Cache::all_existing(config, &Rc::default())?.into_iter();
    let caches = caches.filter(|_| config.cache.enabled);
    caches
        .map(|cache| Ok((cache.inventory()?, cache)))
        .collect()
}

/// Renews one token: reads everything again like a `get`, with a `get`'s full timeout.
fn refresh(
    env: &Env,
    cache: &Cache,
    entry: &InventoryEntry,
    io: &mut Io,
) -> Result<Refreshed, Error> {
    let mut config = Config::load(env)?;
    // The token was not minted from a credential in this process's environment.
    config.request = Request::default();
    // These stores can read any workspace by name; in the others, the token decides.
    if matches!(config.store, StoreKind::File | StoreKind::Postgres) {
        config.workspace.clone_from(&entry.origin.workspace);
    }
    if entry.origin.store == OWN {
        config = config.of_own_keys();
    }
    let resolver = Resolver::new(config)?;
    let registry = &entry.origin.registry;
    let done = resolver.refresh(cache, entry);
    let done = done.map_err(|error| error.about(registry));
    resolver.audit("refresh", Some(registry), word(&done));
    warn(io, &resolver);
    done
}

fn is_due(entry: &InventoryEntry, all: bool) -> bool {
    let is_due = |token: TokenLife| all || token.state != State::Fresh;
    entry.token.is_some_and(is_due)
}

/// Whether a token has not been used lately. Otherwise a timer would renew a token forever that was needed once.
fn is_idle(entry: &InventoryEntry) -> bool {
    let used = entry
        .token
        .map(|token| SystemTime::now().duration_since(token.used));
    matches!(used, Some(Ok(unused)) if unused > LONGEST_IDLE)
}

/// The report: line by line, or as JSON at the end.
#[derive(Serialize)]
struct Report {
    #[serde(skip)]
    number: usize,
    #[serde(skip)]
    json: bool,
    tokens: Vec<Row>,
    failed: usize,
}

/// What came of a token.
#[derive(Serialize)]
struct Row {
    registry: String,
    workspace: String,
    backend: String,
    outcome: &'static str,
    reason: Option<String>,
}

impl Report {
    /// Prints the start of a token's line before the work, so that a waiting user sees what is being done.
    fn begin(&self, entry: &InventoryEntry, io: &mut Io) -> Result<(), Error> {
        if self.json {
            return Ok(());
        }
        let (place, number) = (self.tokens.len() + 1, self.number);
        let (registry, workspace) = (&entry.origin.registry, &entry.origin.workspace);
        let text = format_args!("[{place}/{number}] {registry} ({workspace}): ");
        print(io.out, text)
    }

    fn end(
        &mut self,
        entry: &InventoryEntry,
        done: &Result<Refreshed, Error>,
        io: &mut Io,
    ) -> Result<(), Error> {
        let word = word(done);
        let reason = match done {
            Ok(Refreshed::Renewed) => None,
            Ok(Refreshed::ByAnother) => Some("another process has just renewed it".to_owned()),
            Ok(Refreshed::Removed(why) | Refreshed::Left(why)) => Some((*why).to_owned()),
            Err(error) => Some(crate::one_line(error)),
        };
        self.failed += usize::from(done.is_err());
        self.tokens.push(Row {
            registry: entry.origin.registry.clone(),
            workspace: entry.origin.workspace.clone(),
            backend: entry.origin.backend.clone(),
            outcome: word,
            reason: reason.clone(),
        });
        if self.json {
            return Ok(());
        }
        let reason = reason.map_or(String::new(), |reason| format!(": {reason}"));
        print(io.out, format_args!("{word}{reason}\n"))
    }
}

fn nothing_to_do(caches: &[(Inventory, Cache)], enabled: bool) -> String {
    if !enabled {
        return "nothing is due: the cache is switched off".to_owned();
    }
    let until_due = caches
        .iter()
        .flat_map(|(inventory, _)| &inventory.entries)
        .filter_map(|entry| entry.token)
        .map(|token| token.renewed_after.saturating_sub(token.age));
    until_due.min().map_or_else(
        || "nothing is due: no token is cached".to_owned(),
        |time| format!("nothing is due; the next token is in {}", brief(time)),
    )
}

fn word(done: &Result<Refreshed, Error>) -> &'static str {
    match done {
        Ok(Refreshed::Renewed | Refreshed::ByAnother) => "renewed",
        Ok(Refreshed::Removed(_)) => "removed",
        Ok(Refreshed::Left(_)) => "left",
        Err(_) => "failed",
    }
}

const IDLE: &str = "nobody has asked for it in 7 days";
const LONGEST_IDLE: Duration = Duration::from_hours(7 * 24);
const HELP: &str = "\
Each token's secret is looked up again, and a token whose secret is gone or has changed is removed. A token from a \
request's credential, or from an identity that this node does not have now, can't be renewed without it and is left as \
it is. So is, without --all, a token that nobody has asked for in 7 days.

Exit status: 0 when every due token was renewed; 1 otherwise, with a line for each failure.

Example: docker-credential-beta9 refresh";
