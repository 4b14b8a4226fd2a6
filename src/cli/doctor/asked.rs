//! Checks whether a client asks this helper for the registries that the helper serves.

use std::collections::BTreeSet;

use super::finding::{Finding, State};
use super::reader::Reader;
use crate::client::asks::program;
use crate::client::{Answerer, Asks, AuthFile, HELPER, Helper, PROGRAM, find_program};
use crate::config::Env;
use crate::host::{Host, Pattern, ServerUrl};
use crate::shown::shown;

/// One finding for all registries that the client asks this helper for, and one for each way of not asking.
pub(super) fn asked(reader: &Reader) -> Vec<Finding> {
    let client = reader.name;
    let Some(served) = reader.served else {
        let what = format!(
            "unknown whether {client} asks for all stored registries: the store was not checked"
        );
        return vec![Finding::note("client.not_known", what)];
    };
    let hosts = served.hosts();
    if hosts.is_empty() {
        let what = format!("{client} need not ask: no registry's credential is held here");
        return vec![Finding::ok("client.nothing_held", what)];
    }
    let (mut here, mut files) = (0, BTreeSet::new());
    let (mut nowhere, mut ruled, mut findings) = (Vec::new(), Vec::new(), Vec::new());
    for host in &hosts {
        let Asks { answerer, file, .. } = reader.asks(host);
        let file = file.map_or_else(String::new, |file| file.display().to_string());
        match answerer {
            Answerer::ThisHelper => {
                here += 1;
                files.insert(file);
            }
            // A missing helper is broken, and has its own finding.
            Answerer::Helper(helper) if !is_there(&helper, reader.env) => {}
            Answerer::Helper(helper) => {
                let helper = shown(&helper);
                let what = format!("for {host}, {client} asks the helper {helper}: {file}");
                let finding = Finding::warn("client.other_helper", what);
                findings.push(finding.configure(client, &[host], true));
            }
            Answerer::Variable => {}
            // The operator has a rule for it, but nobody asks. That is reported once.
            Answerer::Nobody
                if client == "docker" && served.by_rule(host) && !reader.elsewhere(host) =>
            {
                ruled.push(host);
            }
            // The password has its own finding.
            Answerer::PlainLogin | Answerer::Nobody => nowhere.push(host),
        }
    }
    if here > 0 {
        let registries = if here == 1 { "registry" } else { "registries" };
        let files: Vec<_> = files.into_iter().collect();
        let what = format!(
            "{client} asks this helper for {here} {registries}: {}",
            files.join(" and ")
        );
        findings.insert(0, Finding::ok("client.asked", what));
    }
    if !ruled.is_empty() {
        let what = format!(
            "{client} does not ask this helper for {}, which a rule has an answer for: it pulls anonymously",
            names(&ruled)
        );
        let finding = Finding::broken("client.not_asked", what);
        findings.push(finding.configure(client, &ruled, false));
    }
    if !nowhere.is_empty() {
        // A user of only one client need not fix the other.
        let state = if nowhere.iter().all(|host| reader.elsewhere(host)) {
            State::Note
        } else {
            State::Warn
        };
        let what = format!("{client} does not ask this helper for {}", names(&nowhere));
        let finding = Finding::new("client.not_asked", state, what);
        findings.push(finding.configure(client, &nowhere, false));
    }
    findings
}

/// Rules for many hosts by which the node logs in, but for which the client isn't wired.
pub(super) fn untold(reader: &Reader, files: &[AuthFile]) -> Option<Finding> {
    let client = reader.name;
    let hosts: Vec<Host> = files.iter().flat_map(helped).collect();
    let told = |glob: &Pattern| hosts.iter().any(|host| glob.matches(host, ""));
    let globs = reader.served?.globs().filter(|glob| !told(glob));
    let globs: Vec<_> = globs.map(Pattern::as_str).collect();
    let what = format!(
        "by a rule this node logs in to {}, and {client} asks this helper only for hosts that are named to it: each by its name \
         (configure {client} --hosts), or all",
        globs.join(", ")
    );
    let all = format!("{PROGRAM} configure {client} --all");
    (!globs.is_empty()).then(|| Finding::note("client.rule_not_asked", what).run(&all))
}

/// The hosts for which a file names this helper.
fn helped(file: &AuthFile) -> impl Iterator<Item = Host> {
    let ours = file.cred_helpers.iter().filter(|(_, name)| name == HELPER);
    ours.filter_map(|(key, _)| ServerUrl::parse(key.as_bytes()).ok()?.host().cloned())
}

pub(super) fn names(hosts: &[&Host]) -> String {
    let names: Vec<_> = hosts.iter().map(|host| host.as_reference()).collect();
    names.join(", ")
}

fn is_there(helper: &str, env: &Env) -> bool {
    let found = find_program(&env.search_path(), &program(helper));
    matches!(found, Helper::Found(_))
}
