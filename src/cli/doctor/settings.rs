//! Finds variables without effect, because of their name or their value.

use super::finding::{Finding, State};
use std::collections::BTreeSet;

use crate::config::{Config, Env, StoreKind};
use crate::near::nearest;
use crate::shown::shown;

/// Checks the environment.
pub(super) fn look(config: &Config, env: &Env) -> Vec<Finding> {
    unknown(env)
        .into_iter()
        .chain(log(env))
        .chain(other_stores(config, env))
        .collect()
}

/// Variables with this program's prefix that it does not read.
pub(super) fn unknown(env: &Env) -> Vec<Finding> {
    let is_unknown = |name: &&str| name.starts_with(PREFIX) && !variables().any(|one| one == *name);
    let unknown: BTreeSet<_> = env.names().filter(is_unknown).collect();
    let finding = |name| {
        let what = format!("this program does not read the variable {}", shown(name));
        match nearest(name, variables()) {
            Some(known) => Finding::warn("config.unknown_variable", what)
                .words(format_args!("set {known} in its place")),
            // Beta9's other programs have variables with this prefix too.
            None => Finding::note("config.unknown_variable", what),
        }
    };
    unknown.into_iter().map(finding).collect()
}

fn log(env: &Env) -> Option<Finding> {
    let level = env.text("BETA9_LOG").ok()??;
    let what = "BETA9_LOG has another value than debug, so nothing is logged";
    (!level.eq_ignore_ascii_case("debug"))
        .then(|| Finding::warn("config.bad_value", what).export("BETA9_LOG", "debug"))
}

/// Variables for a store other than the configured one.
fn other_stores(config: &Config, env: &Env) -> Vec<Finding> {
    let is_set = |name: &str| matches!(env.text(name), Ok(Some(_)));
    // If no store was chosen, that is probably what is missing.
    let chosen = is_set("BETA9_STORE") || !config.files.is_empty();
    let state = if chosen { State::Note } else { State::Warn };
    let is_other = |(name, kind): &(&str, StoreKind)| *kind != config.store && is_set(name);
    let others = OTHERS.into_iter().filter(is_other);
    let finding = |(name, kind): (&str, StoreKind)| {
        let (store, other) = (config.store.name(), kind.name());
        let what = format!("{name} has no effect: the store is {store}");
        Finding::new("config.no_effect", state, what)
            .words(format_args!("set BETA9_STORE={other}, or unset {name}"))
    };
    others.map(finding).collect()
}

fn variables() -> impl Iterator<Item = &'static str> {
    VARIABLES.split(' ')
}

const OTHERS: [(&str, StoreKind); 3] = [
    ("BETA9_DATABASE_URL", StoreKind::Postgres),
    ("BETA9_GATEWAY_URL", StoreKind::Gateway),
    ("BETA9_WORKER_ADDRESS", StoreKind::Worker),
];
const PREFIX: &str = "BETA9_";
/// Every variable with that prefix that this program reads.
const VARIABLES: &str = "\
    BETA9_AMBIENT BETA9_API_URL BETA9_AUDIT_LOG BETA9_CACHE BETA9_CACHE_DIR \
    BETA9_CACHE_MEMORY_DIR BETA9_CONTEXT BETA9_CREDENTIAL_CONFIG BETA9_DATABASE_URL \
    BETA9_GATEWAY_HOST BETA9_GATEWAY_PORT BETA9_GATEWAY_URL BETA9_IMAGE BETA9_IMAGE_CREDENTIALS \
    BETA9_IMAGE_CREDENTIALS_FILE BETA9_IMAGE_ID BETA9_IMAGE_SECRETS BETA9_LIST_TIMEOUT BETA9_LOG \
    BETA9_REGISTRY BETA9_SINGLE_SECRETS BETA9_STALE_IF_ERROR BETA9_STORE BETA9_STORE_KEY_FILE \
    BETA9_STORE_PATH BETA9_STUB_ID BETA9_TIMEOUT BETA9_TOKEN BETA9_WORKER_ADDRESS \
    BETA9_WORKER_REQUIRED BETA9_WORKER_TOKEN BETA9_WORKLOAD_IDENTITY BETA9_WORKSPACE_ID";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_variable_that_the_source_names_is_in_the_list_and_no_other() {
        fn texts(dir: &Path, all: &mut String) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    texts(&path, all);
                } else if !path.ends_with("doctor/settings.rs") {
                    all.push_str(&fs::read_to_string(path).unwrap());
                }
            }
        }
        let mut all = String::new();
        texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
        let name = |rest: &str| {
            let end =
                rest.find(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_');
            format!("{PREFIX}{}", &rest[..end.unwrap_or(rest.len())])
        };
        let read: BTreeSet<String> = all
            .split(&format!("\"{PREFIX}"))
            .skip(1)
            .map(name)
            .filter(|name| name != PREFIX)
            .collect();
        let listed = variables().map(str::to_owned).collect();
        let only: Vec<_> = read.symmetric_difference(&listed).collect();
        assert!(
            only.is_empty(),
            "in VARIABLES or elsewhere in src/, but not in both: {only:?}"
        );
    }
}
