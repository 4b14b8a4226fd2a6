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
use self::finding::{Finding, State, word};
use self::report::Report;
use self::served::Served;
use self::store::Asked;
use super::{flag, outcome, show};
use crate::Io;
use crate::cache::Moment;
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
    show(matches, env, io, &report, Report::json, Report::human)?;
    outcome(report.count(State::Broken) > 0)
}

fn examine(env: &Env) -> Report {
    let mut report = Report::default();
    let clients = Clients::read(env);
    report.add("program", program::look(env, &clients.wired()));
    let node = match node(env, &mut report) {
        Ok(node) => Some(node),
        Err(error) => {
            let invalid = Finding::error("config.invalid", State::Broken, &error);
            let unknown = settings::unknown(env);
            report.add("configuration", [invalid].into_iter().chain(unknown));
            report.add("store", not_asked(CORRECTED).findings);
            None
        }
    };
    let served = node.as_ref();
    let served = served.and_then(|(resolver, asked)| Served::of(resolver, asked));
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

/// Checks the configuration and what it names, and asks the store.
fn node(env: &Env, report: &mut Report) -> Result<(Resolver, Asked), Error> {
    let config = Config::load(env)?;
    let mut files = files::look(&config);
    files.extend(files::warned());
    let resolver = Resolver::new(config)?;
    let config = resolver.config();
    let (tokens, now) = (tokens::inventory(config), Moment::now());
    report.add("configuration", configuration(config, env));
    let in_order = config.store != StoreKind::File || files::in_order(&files);
    report.add("files", files);
    let mut asked = if in_order {
        store::ask(&resolver, env)
    } else {
        not_asked(BROKEN_ABOVE)
    };
    let found = std::mem::take(&mut asked.findings);
    report.add("store", found.into_iter().chain(files::warned()));
    report.add("tokens", tokens::look(&tokens));
    report.add("clock", clock::look(asked.clock, &tokens, now));
    Ok((resolver, asked))
}

fn configuration(config: &Config, env: &Env) -> Vec<Finding> {
    let files = config.files.iter().map(|file| word(file));
    let source = match files.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "no file; defaults and the environment".to_owned(),
        files => files,
    };
    let (store, workspace) = (config.store.name(), &config.workspace);
    let what = format!("{source}: workspace {workspace}, store {store}");
    let mut findings = vec![Finding::ok("config.read", what)];
    let foreign = env.foreign_home();
    findings.extend(foreign.map(|home| files::foreign_home(home, env)));
    findings.extend(settings::look(config, env));
    findings.extend(rules::look(config));
    findings
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Writes a file below a machine's root directory.
    pub(super) fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}
