//! `status`: shows the cached and the published tokens: what they are for, how long they are valid, and the last
//! failures. Nothing secret.

mod fleet;
mod human;
mod prometheus;

use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::style::Style;
use super::unwritable;
use crate::cache::{Cache, Inventory, InventoryEntry, State};
use crate::config::{Config, Env};
use crate::error::{Error, Warnings};
use crate::host::Host;
use crate::json::ObjectWriter;
use crate::store::{FileStore, Published};
use crate::trusted::FileError;
use crate::{Io, Output};

pub(super) fn command() -> Command {
    let format = Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .default_value("text");
    Command::new("status")
        .about("Show the cached and published tokens, when they expire, and recent failures")
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .conflicts_with("format")
                .help("Print one JSON object"),
        )
        .arg(
            Arg::new("fleet")
                .long("fleet")
                .action(ArgAction::SetTrue)
                .conflicts_with("format")
                .help("Show the tokens that all replicas share through the workspace's database"),
        )
        .arg(
            format
                .value_parser(PossibleValuesParser::new(["text", "json", "prometheus"]))
                .hide_possible_values(true)
                .help("text, json, or prometheus for node_exporter's textfile collector"),
        )
        .after_help(HELP)
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let config = Config::load(env)?;
    if matches.get_flag("fleet") {
        let text = fleet::text(config, matches.get_flag("json"), Style::of(io.out, env))?;
        return io.out.write_all(text.as_bytes()).map_err(unwritable);
    }
    let view = View::of(&config, io.err);
    let format = matches.get_one::<String>("format").map(String::as_str);
    let text = match (matches.get_flag("json"), format, view) {
        // The metrics only say that the cache can't be read; standard error says why.
        (false, Some("prometheus"), Err(fault)) => {
            crate::warn(io.err, &format_args!("token cache: {fault}"));
            prometheus::unreadable()
        }
        (_, _, Err(fault)) => {
            return Err(fault.problem("token cache"));
        }
        (false, Some("prometheus"), Ok(view)) => prometheus::text(&view),
        (false, Some("text") | None, Ok(view)) => human::text(&view, Style::of(io.out, env)),
        (_, _, Ok(view)) => json(&view),
    };
    io.out.write_all(text.as_bytes()).map_err(unwritable)
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
            let mut caches = caches.iter();
            caches
                .find(|cache| cache.is_in_memory() == in_memory)
                .map(|cache| cache.dir().to_owned())
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

fn json(view: &View) -> String {
    let shown = |dir: &Option<PathBuf>| dir.as_ref().map(|dir| dir.display().to_string());
    let mut out = ObjectWriter::with_capacity(1024);
    out.optional("directory", shown(&view.dir).as_deref())
        .optional("memory_directory", shown(&view.memory_dir).as_deref())
        .flag("enabled", view.enabled);
    out.objects("tokens", view.inventory.entries.iter().map(entry_json));
    out.number("unreadable", view.inventory.unreadable as u64);
    out.objects(
        "published",
        view.published
            .iter()
            .map(|(host, published)| published_json(host, published, view)),
    );
    out.finish().to_string()
}

fn published_json(host: &Host, published: &Published, view: &View) -> ObjectWriter {
    let mut out = ObjectWriter::with_capacity(512);
    out.text("registry", host.as_str())
        .text("workspace", &view.workspace)
        .text("store", &published.store);
    out.text("backend", &published.backend)
        .texts("names", published.names())
        .flag("whole", published.is_whole);
    out.text("minted", &rfc3339(published.minted))
        .text("due", &rfc3339(published.due()));
    out.text("expires", &rfc3339(published.expires))
        .flag("is_due", published.is_due(view.now));
    out
}

fn entry_json(entry: &InventoryEntry) -> ObjectWriter {
    let origin = &entry.origin;
    let mut out = ObjectWriter::with_capacity(512);
    out.text("registry", &origin.registry)
        .text("workspace", &origin.workspace)
        .text("backend", &origin.backend);
    out.text("secret_from", &origin.store);
    out.optional(
        "identity",
        Some(origin.identity.as_str()).filter(|identity| !identity.is_empty()),
    );
    let token = entry.token.map(|token| {
        let mut out = ObjectWriter::with_capacity(256);
        out.text("state", word(token.state))
            .number("age_seconds", token.age.as_secs());
        out.number("left_seconds", token.left.as_secs());
        out.text("minted", &rfc3339(token.minted))
            .text("expires", &rfc3339(token.expires));
        out.text("last_used", &rfc3339(token.used));
        out
    });
    let failure = entry.last_failure.as_ref().map(|failure| {
        let mut out = ObjectWriter::with_capacity(256);
        out.text("time", &rfc3339(failure.at))
            .text("text", &failure.text);
        out
    });
    out.object("token", token).object("last_failure", failure);
    out
}

fn word(state: State) -> &'static str {
    match state {
        State::Fresh => "fresh",
        State::Due => "due",
        State::Over => "over",
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
