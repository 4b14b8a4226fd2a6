//! `doctor`: checks everything on this node that a pull depends on, and gives a fix for each fault.

mod access;
mod asked;
mod clients;
mod clock;
mod containerd;
mod directory;
mod files;
mod finding;
mod fix;
mod helpers;
mod keys;
mod kubelet;
mod others;
mod plain;
mod program;
mod proxy;
mod reader;
mod report;
mod rules;
mod served;
mod settings;
mod store;
mod surroundings;
mod tokens;

use std::path::Path;

use clap::{ArgMatches, Command};

use self::clients::Clients;
use self::finding::{Finding, State};
use self::report::Report;
use self::served::Served;
use self::store::{Asked, Expected};
use super::{flag, outcome, show};
use crate::Io;
use crate::cache::{Inventory, Moment};
use crate::config::{Config, Env, StoreKind};
use crate::error::Error;
use crate::resolver::Resolver;

pub(super) fn command() -> Command {
    Command::new("doctor")
        .about("Find what is wrong on this node, and how to fix it")
        .arg(flag("json", "Print one JSON object"))
        .arg(flag(
            "fix",
            "Run the remedies that change only your own files, after a question",
        ))
        .arg(flag("yes", "With --fix: do not ask").requires("fix"))
        .long_about(LONG)
        .after_help(HELP)
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let mut report = examine(env);
    if matches.get_flag("fix") {
        report = fix::fix(report, matches.get_flag("yes"), &|| examine(env), env, io)?;
    }
    show(
        matches,
        env,
        io,
        || report.json(),
        |style| report.human(style),
    )?;
    outcome(report.count(State::Broken) > 0)
}

fn examine(env: &Env) -> Report {
    let mut report = Report::default();
    let clients = Clients::read(env);
    report.add("program", program::look(env, &clients.wired()));
    let node = configured(env);
    let asked = match &node {
        Ok(node) => {
            report.add("configuration", node.said.iter().cloned());
            let in_order = node.store != StoreKind::File || files::in_order(&node.files);
            report.add("files", node.files.iter().cloned());
            let asked = if in_order {
                node.expected.ask(&node.resolver)
            } else {
                not_asked(BROKEN_ABOVE)
            };
            report.add(
                "store",
                asked.findings.iter().cloned().chain(files::warned()),
            );
            report.add("tokens", tokens::look(&node.tokens));
            report.add("clock", clock::look(asked.clock, &node.tokens, node.now));
            asked
        }
        Err(error) => {
            let said = [Finding::error("config.invalid", State::Broken, error)];
            report.add(
                "configuration",
                said.into_iter().chain(settings::unknown(env)),
            );
            let asked = not_asked(CORRECTED);
            report.add("store", asked.findings.iter().cloned());
            asked
        }
    };
    let served = node
        .as_ref()
        .ok()
        .and_then(|node| Some(Served::of(&node.resolver, asked.stored?, asked.whole)));
    let hosts = clients.registries(served.as_ref());
    report.add("proxy", proxy::look(&hosts));
    report.add("registries", clients.answerers(&hosts));
    report.add("docker", clients.docker(served.as_ref()));
    report.add("podman", clients.podman(served.as_ref()));
    for (client, findings) in others::look(env, Path::new("/")) {
        report.add(client, findings);
    }
    report
}

/// A node with a readable configuration.
struct Node {
    said: Vec<Finding>,
    files: Vec<Finding>,
    store: StoreKind,
    expected: Expected,
    resolver: Resolver,
    tokens: Inventory,
    now: Moment,
}

fn configured(env: &Env) -> Result<Node, Error> {
    let config = Config::load(env)?;
    let read: Vec<_> = config
        .files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let source = if read.is_empty() {
        "no file; defaults and the environment".to_owned()
    } else {
        read.join(", ")
    };
    let (store, workspace) = (config.store, &config.workspace);
    let mut said = vec![Finding::ok(
        "config.read",
        format_args!("{source}: workspace {workspace}, store {}", store.name()),
    )];
    said.extend(
        env.foreign_home()
            .map(|home| files::foreign_home(home, env)),
    );
    said.extend(settings::look(&config, env));
    said.extend(rules::look(&config));
    let (mut files, expected, now) = (
        files::look(&config),
        Expected::of(&config, env),
        Moment::now(),
    );
    files.extend(files::warned());
    let tokens = tokens::inventory(&config);
    Ok(Node {
        said,
        files,
        store,
        expected,
        resolver: Resolver::new(config)?,
        tokens,
        now,
    })
}

fn not_asked(why: &str) -> Asked {
    Asked {
        findings: vec![Finding::note("store.not_asked", why)],
        ..Asked::default()
    }
}

const BROKEN_ABOVE: &str = "not checked: first fix what is broken above";
const CORRECTED: &str = "neither files nor store were checked: first correct the configuration";
const LONG: &str = "\
Checks everything that a pull depends on at this node: whether clients find the program, the configuration, the \
directories, their modes and the key, whether the store is reachable and accepts its token, tokens that could not be \
minted, the clock, and whether each client asks this helper for the registries that the store or a rule covers. \
Without --fix it changes nothing. Run it as the user that pulls, in the same environment.

Each finding is ok, a note, a warning, or broken, and says what fixes it, with a command where there is one.";
const HELP: &str = "\
Exit status: 0 when nothing is broken, even with warnings; 1 otherwise.

--fix shows the commands that change only your own files, asks, runs them, and checks again.

Examples:
  docker-credential-beta9 doctor --json
  docker-credential-beta9 doctor --fix";
