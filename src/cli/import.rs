//! `import [docker|podman|FILE]`: takes over what lies in plain text in a client's file, and then removes it there.

mod plain;
mod take;

use std::time::{Duration, Instant};

use clap::builder::OsStringValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::rows::{Rows, fold};
use super::unwritable;
use crate::Io;
use crate::config::{Config, Env};
use crate::error::Error;
use crate::json::ObjectWriter;
use crate::resolver::Resolver;
use crate::shown::shown;
use plain::{PlainFile, plain_files};
use take::{Entry, Fate, Import};

pub(super) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    let from = Arg::new("from")
        .value_name("docker|podman|FILE")
        .value_parser(OsStringValueParser::new());
    Command::new("import")
        .about("Take over the credentials that docker or podman keep in plain text")
        .long_about(LONG)
        .arg(from.help("Whose; without it, docker's and podman's"))
        .arg(flag(
            "remove",
            "Remove the plain text of what the store answers identically",
        ))
        .arg(flag(
            "force",
            "Replace another credential that the store has for a registry",
        ))
        .arg(flag(
            "dry-run",
            "Say what would be taken over, and change nothing",
        ))
        .arg(flag("json", "Print one JSON object"))
        .after_help(HELP)
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let [json, dry_run] = ["json", "dry-run"].map(|name| matches.get_flag(name));
    let files = plain_files(matches.get_one("from"), env)?;
    let mut import = Import {
        // One for each entry: a resolver has as long as one `get` may take.
        open: &|| Config::load(env).and_then(Resolver::new),
        force: matches.get_flag("force"),
        dry_run,
        warnings: Vec::new(),
    };
    let entries = import.all(&files)?;
    let mut report = Report {
        json,
        failed: entries.iter().any(|entry| entry.fate.is_failure()),
        ..Report::default()
    };
    if !json {
        let mut rows = Rows::new(0, "would take over  ".len());
        for entry in &entries {
            let (fate, text) = entry.told(dry_run);
            rows.plain(fate, &text);
        }
        io.out
            .write_all(rows.finish().as_bytes())
            .map_err(unwritable)?;
        if entries.is_empty() {
            say(io, "nothing to take over: nothing lies there in plain text")?;
        }
    }
    for (index, file) in files.iter().enumerate() {
        let ready: Vec<&Entry> = entries
            .iter()
            .filter(|entry| entry.file == index && entry.fate.is_kept())
            .collect();
        report.remove(file, ready, matches.get_flag("remove"), dry_run, io)?;
    }
    for warning in import.warnings {
        // A warning that cannot be written is no reason not to answer.
        _ = writeln!(io.err, "docker-credential-beta9: {warning}");
    }
    if json {
        let text = report.text(&files, &entries, dry_run);
        io.out.write_all(text.as_bytes()).map_err(unwritable)?;
    }
    if report.failed {
        Err(Error::Told)
    } else {
        Ok(())
    }
}

#[derive(Default)]
struct Report {
    json: bool,
    failed: bool,
    removed: Vec<String>,
    unwired: Vec<String>,
}

impl Report {
    /// Removes from a file what the store now answers, if that is wanted and the client then asks here.
    fn remove(
        &mut self,
        file: &PlainFile,
        ready: Vec<&Entry>,
        wanted: bool,
        dry_run: bool,
        io: &mut Io,
    ) -> Result<(), Error> {
        let (wired, unwired): (Vec<_>, Vec<_>) = ready
            .into_iter()
            .partition(|entry| file.asks_here(&entry.key));
        let path = file.path.display();
        if !unwired.is_empty()
            && let Some(client) = file.client
        {
            let mut hosts: Vec<&str> = Vec::new();
            for entry in &unwired {
                if !hosts.contains(&entry.host.as_str()) {
                    hosts.push(&entry.host);
                }
            }
            self.unwired
                .extend(unwired.iter().map(|entry| entry.key.clone()));
            let first = format!(
                "{client} does not ask this helper for {} yet, so {path} keeps it;",
                hosts.join(", ")
            );
            let command = format!(
                "docker-credential-beta9 configure {client} --hosts {}",
                hosts.join(",")
            );
            self.say(io, &format!("{}\n  {command}", fold(&first)))?;
        }
        if wired.is_empty() || dry_run {
            return Ok(());
        }
        let keys: Vec<String> = wired.iter().map(|entry| entry.key.clone()).collect();
        if !wanted && !self.asked(&keys, file, io)? {
            let again = format!(
                "{path} still has {} in plain text; --remove removes it",
                listed(&keys)
            );
            return self.say(io, &fold(&again));
        }
        file.remove(&keys)?;
        self.say(
            io,
            &fold(&format!("removed from {path}: {}", listed(&keys))),
        )?;
        self.removed.extend(keys);
        Ok(())
    }

    /// Whether a person at a terminal says yes.
    fn asked(&self, keys: &[String], file: &PlainFile, io: &mut Io) -> Result<bool, Error> {
        if self.json || !io.input.is_terminal() {
            return Ok(false);
        }
        let question = format!(
            "Remove {} from {}? [y/N] ",
            listed(keys),
            file.path.display()
        );
        io.out
            .write_all(question.as_bytes())
            .and_then(|()| io.out.flush())
            .map_err(unwritable)?;
        let mut line = [0; 64];
        let read = io
            .input
            .read_until(&mut line, Instant::now() + PATIENCE)
            .unwrap_or(0);
        let answer = line[..read].trim_ascii();
        Ok(answer.eq_ignore_ascii_case(b"y") || answer.eq_ignore_ascii_case(b"yes"))
    }

    fn say(&self, io: &mut Io, line: &str) -> Result<(), Error> {
        if self.json { Ok(()) } else { say(io, line) }
    }

    fn text(&self, files: &[PlainFile], entries: &[Entry], dry_run: bool) -> String {
        let of = |fate: fn(&Fate) -> bool| {
            entries
                .iter()
                .filter(move |entry| fate(&entry.fate))
                .map(|entry| entry.key.as_str())
        };
        let left: Vec<String> = entries
            .iter()
            .filter_map(|entry| entry.fate.why().map(|why| format!("{}: {why}", entry.key)))
            .collect();
        let paths: Vec<String> = files
            .iter()
            .map(|file| file.path.display().to_string())
            .collect();
        let mut out = ObjectWriter::with_capacity(512);
        out.flag("dry_run", dry_run)
            .texts("files", paths.iter().map(String::as_str));
        out.texts("imported", of(|fate| matches!(fate, Fate::Imported)));
        out.texts("unchanged", of(|fate| matches!(fate, Fate::Unchanged)));
        out.texts("left", left.iter().map(String::as_str));
        out.texts("removed", self.removed.iter().map(String::as_str));
        out.texts("not_wired", self.unwired.iter().map(String::as_str));
        out.finish().to_string()
    }
}

/// Keys in a line: a client's file may hold what moves a terminal's cursor.
fn listed(keys: &[String]) -> String {
    let keys: Vec<String> = keys.iter().map(|key| shown(key).to_string()).collect();
    keys.join(", ")
}

fn say(io: &mut Io, line: &str) -> Result<(), Error> {
    writeln!(io.out, "{line}").map_err(unwritable)
}

const PATIENCE: Duration = Duration::from_mins(5);
const LONG: &str = "\
Takes over the credentials that docker or podman keep in plain text: each of auths goes into the store, and is read back \
from it. What lies there is then removed from the client's file with --remove, or when you say so at a terminal: only what \
the store answered identically, and only for registries for which the client asks this helper; no copy is kept. \
Everything else in the file stays as it is.

What cannot be taken over is named and left: a malformed entry, one for a part of a registry only, and one for a registry \
for which the store has another credential.";
const HELP: &str = "\
Exit status: 0 when all was taken over, or there was nothing; 1 when an entry was left, which is named with the reason.

Example: docker-credential-beta9 import docker --remove";
