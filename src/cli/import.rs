//! `import [docker|podman|FILE]`: imports plain-text logins of a client's file, and then removes them there.

mod plain;
mod take;

use std::collections::BTreeSet;

use clap::builder::OsStringValueParser;
use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::question::yes;
use super::rows::{Rows, fold};
use super::style::Style;
use super::{flag, outcome, print};
use crate::Io;
use crate::client::plain_login::takeable;
use crate::client::{AuthEntry, Clients, Held};
use crate::config::Env;
use crate::error::Error;
use crate::resolver::Resolver;
use crate::shown::shown;
use plain::{PlainFile, plain_files};
pub(super) use take::{Import, without_name};

pub(super) fn command() -> Command {
    let from = Arg::new("from")
        .value_name("docker|podman|FILE")
        .value_parser(OsStringValueParser::new());
    Command::new("import")
        .about("Move credentials that docker or podman keep in plain text into the store")
        .long_about(LONG)
        .arg(from.help("The client or the file; by default, docker's and podman's files"))
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
            "Show what would be imported, and change nothing",
        ))
        .arg(flag("json", "Print one JSON object"))
        .after_help(HELP)
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let [json, dry_run, remove, force] =
        ["json", "dry-run", "remove", "force"].map(|name| matches.get_flag(name));
    let files = plain_files(matches.get_one("from"), env)?;
    let import = Import {
        env,
        force,
        dry_run,
    };
    // Opened once in advance, so that a wrong configuration is not reported for each entry.
    Resolver::of(env)?;
    let clients = Clients::read(env).without_logins();
    let all: Vec<&AuthEntry> = files.iter().flat_map(|file| &file.auths).collect();
    let mut report = Report {
        json,
        dry_run,
        ..Report::default()
    };
    let mut rows = Rows::new(0, "would take over  ".len(), Style::default());
    let mut found = Vec::new();
    for file in &files {
        report.files.push(file.path.display().to_string());
        let (mut wired, mut names) = (Vec::new(), BTreeSet::new());
        let there = |entry: &&AuthEntry| entry.held != Held::Nothing;
        for entry in file.auths.iter().filter(there) {
            let key = shown(&entry.key).to_string();
            let fate = takeable(entry, &all, file.client)
                .and_then(|(url, credential)| import.take(io, &url, credential));
            let (word, text, list) = match fate {
                Ok(true) if dry_run => ("would take over", key, &mut report.imported),
                Ok(true) => ("taken over", key, &mut report.imported),
                Ok(false) => ("there already", key, &mut report.unchanged),
                Err(why) => ("left", format!("{key}: {why}"), &mut report.left),
            };
            rows.plain(word, &text);
            list.push(text);
            match clients.lacks(entry, file.client) {
                _ if word == "left" => {}
                None => wired.push(entry.key.clone()),
                Some(name) => {
                    names.insert(name);
                    report.not_wired.push(entry.key.clone());
                }
            }
        }
        found.push((file, wired, names));
    }
    let rows = rows.finish();
    report.say(io, if rows.is_empty() { NOTHING } else { &rows })?;
    for (file, wired, names) in found {
        report.keeps(io, file, names)?;
        if !dry_run && !wired.is_empty() {
            report.remove(io, file, wired, remove)?;
        }
    }
    if json {
        let text = serde_json::to_string(&report).unwrap_or_default();
        print(io.out, text + "\n")?;
    }
    outcome(!report.left.is_empty())
}

/// The results by key.
#[derive(Default, Serialize)]
struct Report {
    #[serde(skip)]
    json: bool,
    dry_run: bool,
    files: Vec<String>,
    imported: Vec<String>,
    unchanged: Vec<String>,
    left: Vec<String>,
    removed: Vec<String>,
    not_wired: Vec<String>,
}

impl Report {
    /// Reports entries that stay because their client would not find them in the store, and the command that wires it.
    fn keeps(&self, io: &mut Io, file: &PlainFile, names: BTreeSet<String>) -> Result<(), Error> {
        let (Some(client), false) = (file.client, names.is_empty()) else {
            return Ok(());
        };
        let names: Vec<String> = names.into_iter().collect();
        let (path, hosts) = (file.path.display(), names.join(", "));
        let text = fold(&format!(
            "{client} does not ask this helper for {hosts} yet, so {path} keeps it;"
        ));
        let hosts = names.join(",");
        self.say(
            io,
            &format!("{text}\n  docker-credential-beta9 configure {client} --hosts {hosts}\n"),
        )
    }

    /// Removes imported entries that the client will get from this helper, if requested.
    fn remove(
        &mut self,
        io: &mut Io,
        file: &PlainFile,
        keys: Vec<String>,
        wanted: bool,
    ) -> Result<(), Error> {
        let path = file.path.display();
        // A client's file may contain characters that move a terminal's cursor.
        let listed: Vec<String> = keys.iter().map(|key| shown(key).to_string()).collect();
        let listed = listed.join(", ");
        let question = format!("Remove {listed} from {path}?");
        let line = if wanted || (!self.json && yes(io.input, io.out, &question)?) {
            file.remove(&keys)?;
            self.removed.extend(keys);
            format!("removed from {path}: {listed}")
        } else {
            format!("{path} still has {listed} in plain text; --remove removes it")
        };
        self.say(io, &(fold(&line) + "\n"))
    }

    fn say(&self, io: &mut Io, text: &str) -> Result<(), Error> {
        if self.json {
            return Ok(());
        }
        print(io.out, text)
    }
}

const NOTHING: &str = "nothing to take over: no password is there in plain text\n";
const LONG: &str = "\
Moves the credentials that docker or podman keep in plain text: it stores each entry of auths and reads it back. With \
--remove, or after a question at a terminal, it then deletes an entry from the client's file if the store returns \
exactly the same and the client asks this helper under that key. No backup is kept. The rest of the file does not \
change.

It names and leaves what it can't store: a malformed entry, an entry for only a part of a registry, two different \
entries for one registry, and an entry whose registry has another credential in the store.";
const HELP: &str = "\
Exit status: 0 when every entry was stored, or there was none; 1 when an entry was left, which is named with the \
reason.

Example: docker-credential-beta9 import docker --remove";
