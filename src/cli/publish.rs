//! `publish HOST…`: writes a registry's token into the workspace, while the keys stay in the control plane. For a
//! timer.

use std::time::SystemTime;

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::rows::fold;
use super::status::{brief, rfc3339};
use super::{flag, unwritable};
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
        .arg(
            flag("all", "Every registry of a cloud whose keys are in the control plane's own store")
                .conflicts_with("host"),
        )
        .arg(flag(
            "names",
            "Write single secrets, which images name: for the gateway, which does not show whether images do",
        ))
        .arg(
            flag("force", "Write even if nothing is due, and overwrite secrets that this node did not write").requires("host"),
        )
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
        rows: Vec::new(),
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
        publisher
            .warnings()
            .iter()
            .for_each(|warning| crate::warn(io.err, warning));
        publisher
            .target()
            .audit("publish", Some(host.as_str()), outcome(&done));
        publisher
            .target()
            .warnings()
            .iter()
            .for_each(|warning| crate::warn(io.err, warning));
        report.add(host, &done, publisher.target().workspace_store(), io)?;
    }
    report.finish(io)
}

/// The report: line by line, or as JSON at the end.
struct Report {
    json: bool,
    rows: Vec<Row>,
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
            outcome: outcome(done),
            ..Row::default()
        };
        let line = match done {
            Ok(Publication::Written(published)) => {
                row.describe(published);
                let left = left(published.expires);
                format!(
                    "wrote {} to the {store} store, good for {left}",
                    listed(published.names())
                )
            }
            Ok(Publication::Current(published)) => {
                row.describe(published);
                format!(
                    "nothing is due for {} ({})",
                    left(published.due()),
                    listed(published.names())
                )
            }
            Ok(Publication::Planned(names)) => {
                row.names = Some(names.clone());
                format!(
                    "would write {} to the {store} store",
                    listed(names.iter().map(String::as_str))
                )
            }
            Ok(Publication::Removed(names)) => {
                row.names = Some(names.clone());
                match names.as_slice() {
                    [] => "nothing was left of it in the workspace".to_owned(),
                    names => format!(
                        "removed {} from the {store} store",
                        listed(names.iter().map(String::as_str))
                    ),
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
        self.rows.push(row);
        if self.json || line.is_empty() {
            return Ok(());
        }
        writeln!(io.out, "{}", fold(&format!("{host}: {line}")))
            .and_then(|()| io.out.flush())
            .map_err(unwritable)
    }

    fn finish(self, io: &mut Io) -> Result<(), Error> {
        if self.json {
            #[derive(Serialize)]
            struct Object {
                registries: Vec<Row>,
                failed: usize,
            }
            let text = json::line(&Object {
                registries: self.rows,
                failed: self.failed,
            });
            io.out.write_all(text.as_bytes()).map_err(unwritable)?;
        } else if self.rows.is_empty() {
            writeln!(io.out, "nothing to publish: name a registry").map_err(unwritable)?;
        }
        if self.failed > 0 {
            Err(Error::Told)
        } else {
            Ok(())
        }
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

fn outcome(done: &Result<Publication, Error>) -> &'static str {
    match done {
        Ok(Publication::Written(_)) => "written",
        Ok(Publication::Current(_)) => "current",
        Ok(Publication::Planned(_)) => "planned",
        Ok(Publication::Removed(_)) => "removed",
        Err(_) => "failed",
    }
}

/// `A`, `A and B`.
fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names
        .map(|name| name.escape_debug().to_string())
        .collect::<Vec<_>>()
        .join(" and ")
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
