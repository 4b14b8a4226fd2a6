//! `publish HOST…`: writes a registry's token into the workspace, while the keys stay in the control plane. For a
//! timer.

use std::time::SystemTime;

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::rows::fold;
use super::status::{brief, rfc3339};
use super::{flag, outcome, print};
use crate::Io;
use crate::config::{Config, Env};
use crate::error::Error;
use crate::host::Host;
use crate::json;
use crate::resolver::{How, Publication, Publisher};
use crate::store::Published;

pub(super) fn command() -> Command {
    Command::new("publish")
        .about("Write a cloud registry's token into the workspace, from keys that stay here")
        .arg(
            Arg::new("host")
                .value_name("HOST")
                .num_args(0..)
                .value_parser(|text: &str| Host::parse(text.as_bytes()))
                .help("The registries; without any, those that were published before"),
        )
        .arg(flag("all", "Every registry of a cloud whose keys are in the control plane's own store").conflicts_with("host"))
        .arg(flag("names", "Write single secrets, which images name: for the gateway, which does not show whether images do"))
        .arg(flag("force", "Write even if nothing is due, and overwrite secrets that this node did not write").requires("host"))
        .arg(flag("undo", "Remove what was written for these registries").requires("host").conflicts_with("dry-run"))
        .arg(flag("dry-run", "Only say what would be written"))
        .arg(flag("json", "Print one JSON object"))
        .after_help(HELP)
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let flag = |name: &str| matches.get_flag(name);
    let how = How {
        by_names: flag("names"),
        force: flag("force"),
        dry_run: flag("dry-run"),
    };
    let publisher = || Publisher::new(Config::load(env)?, Config::load(env)?);
    let first = publisher()?;
    let mut hosts: Vec<Host> = match matches.get_many("host") {
        Some(hosts) => hosts.cloned().collect(),
        None if flag("all") => first.with_own_keys()?,
        None => first.published()?,
    };
    let mut seen = std::collections::BTreeSet::new();
    hosts.retain(|host| seen.insert(host.clone()));
    let mut report = Report {
        json: flag("json"),
        registries: Vec::new(),
        failed: 0,
    };
    for host in &hosts {
        // A new publisher for each registry, so that each has the full timeout.
        let publisher = publisher()?;
        let done = if flag("undo") {
            publisher.undo(host, how)
        } else {
            publisher.publish(host, how)
        };
        let target = publisher.target();
        target.audit("publish", Some(host.as_str()), word(&done));
        crate::warn_all(io.err, publisher.warnings());
        report.add(host, &done, target.workspace_store(), io)?;
    }
    if report.json {
        print(io.out, json::line(&report).as_str())?;
    } else if hosts.is_empty() {
        print(io.out, "nothing to publish: name a registry\n")?;
    }
    outcome(report.failed > 0)
}

/// The report: line by line, or as JSON at the end.
#[derive(Serialize)]
struct Report {
    #[serde(skip)]
    json: bool,
    registries: Vec<Row>,
    failed: usize,
}

/// What came of a registry.
#[derive(Default, Serialize)]
struct Row {
    registry: String,
    store: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    names: Option<Vec<String>>,
    #[serde(flatten)]
    life: Option<Life>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct Life {
    minted: String,
    due: String,
    expires: String,
}

impl Report {
    fn add(
        &mut self,
        host: &Host,
        done: &Result<Publication, Error>,
        store: &str,
        io: &mut Io,
    ) -> Result<(), Error> {
        let mut row = Row {
            registry: host.as_str().to_owned(),
            store: store.to_owned(),
            outcome: word(done),
            ..Row::default()
        };
        let line = match done {
            Ok(Publication::Written(published)) => {
                row.describe(published);
                let (names, left) = (listed(published.names()), left(published.expires));
                format!("wrote {names} to the {store} store, good for {left}")
            }
            Ok(Publication::Current(published)) => {
                row.describe(published);
                let (names, left) = (listed(published.names()), left(published.due()));
                format!("nothing is due for {left} ({names})")
            }
            Ok(Publication::Planned(names)) => {
                row.names = Some(names.clone());
                format!("would write {} to the {store} store", listed(names))
            }
            Ok(Publication::Removed(names)) => {
                row.names = Some(names.clone());
                match names.as_slice() {
                    [] => "nothing was left of it in the workspace".to_owned(),
                    names => format!("removed {} from the {store} store", listed(names)),
                }
            }
            Err(error) => {
                self.failed += 1;
                let error = crate::one_line(error);
                crate::warn(io.err, &error);
                row.reason = Some(error);
                String::new()
            }
        };
        self.registries.push(row);
        if self.json || line.is_empty() {
            return Ok(());
        }
        print(io.out, fold(&format!("{host}: {line}")) + "\n")
    }
}

impl Row {
    fn describe(&mut self, published: &Published) {
        self.names = Some(published.names().map(str::to_owned).collect());
        self.life = Some(Life {
            minted: rfc3339(published.minted),
            due: rfc3339(published.due()),
            expires: rfc3339(published.expires),
        });
    }
}

fn word(done: &Result<Publication, Error>) -> &'static str {
    match done {
        Ok(Publication::Written(_)) => "written",
        Ok(Publication::Current(_)) => "current",
        Ok(Publication::Planned(_)) => "planned",
        Ok(Publication::Removed(_)) => "removed",
        Err(_) => "failed",
    }
}

/// `A`, `A and B`.
fn listed(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let names = names.into_iter();
    let names = names.map(|name| name.as_ref().escape_debug().to_string());
    names.collect::<Vec<_>>().join(" and ")
}

fn left(end: SystemTime) -> String {
    brief(end.duration_since(SystemTime::now()).unwrap_or_default())
}

const HELP: &str = "\
The keys are those of the control plane's own store (BETA9_STORE=file), or with ambient = true those of the node \
itself; they never reach the workspace. A Google registry's token is written as GCP_ACCESS_TOKEN, which builds and \
pulls accept. Any other token is written as a pair under REGISTRY_ or without a prefix, which pulls accept, and builds \
for Azure but not for ECR. If images don't name single secrets yet, it is one secret named after the registry.

A token is renewed once half of its life is over: run this every 15 minutes. A secret that this node did not write, or \
that was changed since, is left as it is.

Exit status: 0 when every due token was written; 1 otherwise, with a line for each failure on standard error.

Example: docker-credential-beta9 publish us-docker.pkg.dev --names";
