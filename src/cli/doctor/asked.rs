//! Checks whether a client asks this helper for the registries that the helper serves.

use std::collections::BTreeSet;

use super::finding::{Finding, State};
use super::served::Served;
use crate::client::asks::program;
use crate::client::{Answerer, Asks, AuthFile, HELPER, Helper, PROGRAM, find_program};
use crate::config::Env;
use crate::host::{Host, Pattern, ServerUrl};
use crate::shown::shown;

/// One finding for all registries that the client asks this helper for, and one for each way of not asking.
pub(super) fn asked(
    client: &str,
    env: &Env,
    served: Option<&Served>,
    asks: &dyn Fn(&Host) -> Asks,
    elsewhere: &dyn Fn(&Host) -> bool,
) -> Vec<Finding> {
    let Some(served) = served else {
        let what = format!(
            "unknown whether {client} asks for all stored registries: the store was not checked"
        );
        return vec![Finding::note("client.not_known", what)];
    };
    let hosts = served.hosts();
    if hosts.is_empty() {
        return vec![Finding::ok(
            "client.nothing_held",
            format_args!("{client} need not ask: no registry's credential is held here"),
        )];
    }
    let (mut here, mut files, mut nowhere, mut findings) =
        (0, BTreeSet::new(), Vec::new(), Vec::new());
    let mut ruled = Vec::new();
    for host in &hosts {
        let Asks { answerer, file, .. } = asks(host);
        let file = file.map_or_else(String::new, |file| file.display().to_string());
        match answerer {
            Answerer::ThisHelper => {
                here += 1;
                files.insert(file);
            }
            // A missing helper is broken, and has its own finding.
            Answerer::Helper(helper) if !is_there(&helper, env) => {}
            Answerer::Helper(helper) => findings.push(
                Finding::warn(
                    "client.other_helper",
                    format_args!(
                        "for {host}, {client} asks the helper {}: {file}",
                        shown(&helper)
                    ),
                )
                .command(
                    configure(client, &[host])
                        .into_iter()
                        .chain(["--force".to_owned()]),
                ),
            ),
            Answerer::Variable => {}
            // The operator has a rule for it, but nobody asks. That is reported once.
            Answerer::Nobody if client == "docker" && served.by_rule(host) && !elsewhere(host) => {
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
        findings.push(Finding::broken("client.not_asked", what).command(configure(client, &ruled)));
    }
    if !nowhere.is_empty() {
        // A user of only one client need not fix the other.
        let state = if nowhere.iter().all(|host| elsewhere(host)) {
            State::Note
        } else {
            State::Warn
        };
        let what = format!("{client} does not ask this helper for {}", names(&nowhere));
        findings.push(
            Finding::new("client.not_asked", state, what).command(configure(client, &nowhere)),
        );
    }
    findings
}

/// Rules for many hosts by which the node logs in, but for which the client isn't wired.
pub(super) fn untold(client: &str, served: &Served, files: &[AuthFile]) -> Option<Finding> {
    let told = |glob: &Pattern| {
        files
            .iter()
            .flat_map(helped)
            .any(|host| glob.matches(&host, ""))
    };
    let globs: Vec<_> = served
        .globs()
        .filter(|glob| !told(glob))
        .map(Pattern::as_str)
        .collect();
    let what = format!(
        "by a rule this node logs in to {}, and {client} asks this helper only for hosts that are named to it: each by its name \
         (configure {client} --hosts), or all",
        globs.join(", ")
    );
    let all = [PROGRAM, "configure", client, "--all"];
    (!globs.is_empty()).then(|| Finding::note("client.rule_not_asked", what).command(all))
}

/// The hosts for which a file names this helper.
fn helped(file: &AuthFile) -> impl Iterator<Item = Host> {
    let ours = file.cred_helpers.iter().filter(|(_, name)| name == HELPER);
    ours.filter_map(|(key, _)| ServerUrl::parse(key.as_bytes()).ok()?.host().cloned())
}

pub(super) fn names(hosts: &[&Host]) -> String {
    hosts
        .iter()
        .map(|host| host.as_reference())
        .collect::<Vec<_>>()
        .join(", ")
}

pub(super) fn configure(client: &str, hosts: &[&Host]) -> Vec<String> {
    let hosts: Vec<_> = hosts.iter().map(|host| host.as_reference()).collect();
    [PROGRAM, "configure", client, "--hosts", &hosts.join(",")]
        .map(str::to_owned)
        .into()
}

fn is_there(helper: &str, env: &Env) -> bool {
    matches!(
        find_program(&env.search_path(), &program(helper)),
        Helper::Found(_)
    )
}
