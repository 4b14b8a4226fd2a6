//! Checks whether the workspace store can be reached, accepts its token, and has entries that open.

use std::time::SystemTime;

use super::finding::{Finding, State};
use crate::config::{Env, StoreKind};
use crate::error::Error;
use crate::host::{Host, Scheme, ServerUrl};
use crate::registry::choose;
use crate::resolver::Resolver;

/// The result of asking the store.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) findings: Vec<Finding>,
    /// The registries with credentials, as far as they are known.
    pub(super) stored: Option<Vec<Host>>,
    /// Whether these are all: everything was reachable and opened.
    pub(super) whole: bool,
    /// The store's clock, and this node's at the same time.
    pub(super) clock: Option<(SystemTime, SystemTime)>,
}

/// Asks the store.
pub(super) fn ask(resolver: &Resolver, env: &Env) -> Asked {
    let mut asked = Asked::default();
    let findings = &mut asked.findings;
    let is_set = |name: &&str| !matches!(env.text(name), Ok(None));
    if let Some(variable) = BROUGHT.iter().copied().find(is_set) {
        let what = format!("{variable} is set, and is asked before the store");
        findings.push(Finding::note("store.request_first", what));
    }
    let health = resolver.examine();
    let now = SystemTime::now();
    let reached = health.is_ok();
    match health {
        Ok(health) => {
            let faults = |code, state, errors: Vec<Error>| {
                let errors = errors.into_iter();
                errors.map(move |error| Finding::error(code, state, &error))
            };
            let words = |code, state, texts: Vec<String>| {
                let texts = texts.into_iter();
                texts.map(move |what| Finding::new(code, state, what))
            };
            findings.extend(words("store.well", State::Ok, health.well));
            findings.extend(faults("store.entry_broken", State::Broken, health.ill));
            findings.extend(faults("store.lacking", State::Warn, health.lacking));
            findings.extend(words("store.older_format", State::Note, health.older));
            findings.extend(faults("store.older_login", State::Warn, health.shadowed));
            findings.extend(
                health
                    .workspace
                    .and_then(|own| other_workspace(&own, resolver, env)),
            );
            asked.clock = health.clock.map(|clock| (clock, now));
        }
        Err(error) => findings.push(Finding::error("store.unusable", State::Broken, &error)),
    }
    let mut skipped = Vec::new();
    match resolver.list(&mut |error: &Error| {
        skipped.push(Finding::error("store.entry_skipped", State::Warn, error));
    }) {
        Ok(lines) => {
            let host = |url: &String| ServerUrl::parse(url.as_bytes()).ok()?.host().cloned();
            asked.stored = Some(lines.keys().filter_map(host).collect())
                .filter(|stored: &Vec<_>| reached || !stored.is_empty());
        }
        // The store has been reported already; this error is about the request's credential.
        Err(error) if reached => {
            let finding = Finding::error("store.list_failed", State::Broken, &error);
            asked.findings.push(finding);
        }
        Err(_) => {}
    }
    asked.whole = skipped.is_empty();
    let stored = asked.stored.iter().flatten().take(LOOKED_AT);
    let ended: Vec<_> = stored.filter_map(|host| ended(resolver, host)).collect();
    asked.findings.extend(ended);
    // The other stores have just opened all entries.
    if reached && resolver.config().store == StoreKind::Gateway {
        asked.findings.extend(skipped);
    }
    asked
}

/// A finding if the token is for another workspace, because the gateway then refuses it.
fn other_workspace(own: &str, resolver: &Resolver, env: &Env) -> Option<Finding> {
    let configured = resolver.config().gateway.workspace.as_deref();
    let configured = configured.filter(|configured| *configured != own)?;
    let what = format!("the token is for the workspace {own}, and {configured} is configured");
    let finding = Finding::broken("store.wrong_workspace", what);
    let from_variable = matches!(env.text("BETA9_WORKSPACE_ID"), Ok(Some(_)));
    Some(if from_variable {
        finding.export("BETA9_WORKSPACE_ID", own)
    } else {
        finding.words(format_args!(
            "set workspace = \"{own}\" in the configuration, or remove it from there"
        ))
    })
}

/// A finding for an expired credential, which is not returned.
fn ended(resolver: &Resolver, host: &Host) -> Option<Finding> {
    let route = resolver.route(host, Scheme::Https, "")?;
    let (store, found) = resolver.find(&route).ok()??;
    let choice = choose(route.row, route.real, found.keys).ok()?;
    let error = resolver.ended(&route, store, &choice, found.times)?;
    // If allowed, the node logs in as itself then.
    let state = if route.ambient {
        State::Warn
    } else {
        State::Broken
    };
    Some(Finding::error("credential.expired", state, &error))
}

/// What a request brings with it.
const BROUGHT: [&str; 2] = ["BETA9_IMAGE_CREDENTIALS", "BETA9_IMAGE_CREDENTIALS_FILE"];
/// A limit, because each costs another request to a remote store.
const LOOKED_AT: usize = 50;
