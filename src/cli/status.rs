//! `status`: shows the cached and the published tokens: what they are for, how long they are valid, and the last
//! failures. Nothing secret.

mod fleet;
mod human;
mod json;
mod prometheus;

use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use clap::builder::PossibleValuesParser;
use clap::{ArgMatches, Command};

use super::{flag, option, print, show};
use crate::cache::{Cache, Inventory};
use crate::config::{Config, Env};
use crate::error::{Error, Warnings};
use crate::host::Host;
use crate::store::{FileStore, Published};
use crate::trusted::FileError;
use crate::{Io, Output};
use fleet::Fleet;

pub(super) fn command() -> Command {
    let fleet = "Show the tokens that all replicas share through the workspace's database";
    let help = "text, json, or prometheus for node_exporter's textfile collector";
    let format = option("format", "FORMAT", help).default_value("text");
    Command::new("status")
        .about("Show the cached and published tokens, when they expire, and recent failures")
        .arg(flag("json", "Print one JSON object").conflicts_with("format"))
        .arg(flag("fleet", fleet).conflicts_with("format"))
        .arg(
            format
                .value_parser(PossibleValuesParser::new(["text", "json", "prometheus"]))
                .hide_possible_values(true),
        )
        .after_help(HELP)
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let config = Config::load(env)?;
    if matches.get_flag("fleet") {
        let fleet = Fleet::of(config)?;
        return show(matches, env, io, &fleet, Fleet::json, Fleet::human);
    }
    let view = View::of(&config, io.err);
    let format = matches.get_one::<String>("format").map(String::as_str);
    match (format, view) {
        // The metrics only say that the cache can't be read; standard error says why.
        (Some("prometheus"), Err(fault)) => {
            crate::warn(io.err, &format_args!("token cache: {fault}"));
            print(io.out, prometheus::unreadable())
        }
        (_, Err(fault)) => Err(fault.problem("token cache")),
        (Some("prometheus"), Ok(view)) => print(io.out, prometheus::text(&view)),
        (Some("json"), Ok(view)) => print(io.out, json::text(&view).as_str()),
        (_, Ok(view)) => show(matches, env, io, &view, json::text, human::text),
    }
}

/// The data to show.
struct View {
    inventory: Inventory,
    /// What this node has published into the configured workspace.
    published: Vec<(Host, Published)>,
    workspace: String,
    /// The cache's directory, or where it would be.
    dir: Option<PathBuf>,
    /// The cache's directory on tmpfs, if there is one.
    memory_dir: Option<PathBuf>,
    /// Whether the cache exists.
    exists: bool,
    /// Whether the cache is on.
    enabled: bool,
    now: SystemTime,
}

impl View {
    fn of(config: &Config, err: &mut dyn Output) -> Result<Self, FileError> {
        let caches = Cache::all_existing(config, &Rc::<Warnings>::default())?;
        let dir_of = |in_memory: bool| {
            let cache = caches.iter().find(|one| one.is_in_memory() == in_memory);
            cache.map(|cache| cache.dir().to_owned())
        };
        let dir = dir_of(false).or_else(|| config.cache.dirs.first().cloned());
        let store = FileStore::new(
            &config.workspace,
            config.file_path.clone(),
            config.file_key.clone(),
        );
        let mut published = Vec::new();
        let hosts = store.published_hosts().unwrap_or_else(|error| {
            crate::warn(err, &error);
            Vec::new()
        });
        for host in hosts {
            match store.published(&host) {
                Ok(one) => published.extend(one.map(|one| (host, one))),
                Err(error) => crate::warn(err, &error),
            }
        }
        Ok(Self {
            published,
            workspace: config.workspace.clone(),
            exists: !caches.is_empty(),
            inventory: Inventory::of(&caches)?,
            dir,
            memory_dir: dir_of(true),
            enabled: config.cache.enabled,
            now: SystemTime::now(),
        })
    }
}

pub(super) fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// `3 h 18 min`, `45 s`: two units at most.
pub(super) fn brief(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    let two = |large: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {small_unit}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => two(hours, "h", minutes, "min"),
        _ => two(days, "d", hours, "h"),
    }
}

const HELP: &str = "\
Only what is exchanged for a short-lived token is cached (ECR, Google, Azure); the tokens of all workspaces are shown, and \
what `publish` has written into the workspace that is configured. \
With --format prometheus, a cache that cannot be read is beta9_credential_cache_readable 0, and the reason is on \
standard error.

Exit status: 0, even if there are none; 1 when the cache cannot be read.

Example: docker-credential-beta9 status --format prometheus";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_reported_in_two_units_at_most() {
        let table = [
            (0, "0 s"),
            (59, "59 s"),
            (119, "1 min"),
            (3600, "1 h"),
            (11_880, "3 h 18 min"),
            (176_400, "2 d 1 h"),
        ];
        for (seconds, text) in table {
            assert_eq!(brief(Duration::from_secs(seconds)), text);
        }
    }
}
