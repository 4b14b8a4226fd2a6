//! Checks the files and directories that the configuration uses, and the sealing key.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::directory::{FULL, Place};
use super::finding::{Finding, State, word};
use crate::backend;
use crate::config::{Ambient, Config, Env, ForeignHome, KeyPlace, StoreKind};
use crate::seal::KeyFile;
use crate::tls;
use crate::trusted::{self, MAX_TEXT, Readers};

/// Whether the store can be examined: no finding prevents reading.
pub(super) fn in_order(findings: &[Finding]) -> bool {
    let broken = |one: &&Finding| one.state == State::Broken;
    findings.iter().filter(broken).all(|one| one.code == FULL)
}

/// Checks the files and directories that the configuration uses.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if config.store == StoreKind::File {
        findings.extend(match &config.file_path {
            Some(path) => Place::new("store", path, State::Broken).directory(),
            None => vec![homeless()],
        });
        // If the store can't be created, neither can its key; that is reported once.
        let is_told = findings.iter().any(|one| one.state == State::Broken);
        let absent = if is_told { State::Note } else { State::Broken };
        findings.extend(key(&config.file_key, absent));
    }
    findings.extend(match config.cache.dirs.first() {
        // Only a warning: without the cache, each answer mints a token.
        Some(dir) if config.cache.enabled => {
            Place::new("token cache", dir, State::Warn).directory()
        }
        Some(_) => vec![Finding::note(
            "cache.off",
            "the token cache is off: each answer mints a token",
        )],
        None => {
            let what = "there is no directory for the token cache";
            let finding = Finding::warn("cache.no_directory", what);
            vec![finding.words("set HOME, or cache.dir")]
        }
    });
    findings.extend(config.files.iter().filter_map(|path| open_to_others(path)));
    let refused = tls::refused();
    findings
        .extend(refused.map(|fault| Finding::fault("config.authorities", State::Broken, &fault)));
    let is_on = |ambient: Ambient| !ambient.is_off();
    let mut rules = config.rules().iter();
    if is_on(config.ambient) || rules.any(|rule| rule.ambient.is_some_and(is_on)) {
        for error in backend::check_node_files(&config.node) {
            findings.push(Finding::error("config.node_file", State::Broken, &error));
        }
    }
    findings
}

/// Warnings about files that were read although they could be safer.
pub(super) fn warned() -> Vec<Finding> {
    let faults = trusted::take_warnings().into_iter();
    let finding = |fault| Finding::fault("file.unsafe", State::Warn, &fault);
    faults.map(finding).collect()
}

/// The finding for another user's home directory: its owner, and what is used instead.
pub(super) fn foreign_home(home: &ForeignHome, env: &Env) -> Finding {
    let instead = env.home();
    let instead = instead.map_or_else(|| "none".to_owned(), |own| word(&own));
    let (owner, me) = (home.owner, rustix::process::geteuid().as_raw());
    let what = format!(
        "HOME={} belongs to uid {owner}, and this is uid {me}: the home directory is {instead}",
        home.path.display()
    );
    Finding::warn("config.foreign_home", what).words(format_args!(
        "run it as uid {owner}, or set HOME to this user's own"
    ))
}

fn homeless() -> Finding {
    Finding::broken(
        "file.no_home",
        "there is no home directory to keep credentials in",
    )
    .words("set HOME, or BETA9_STORE_PATH to an absolute path")
}

fn key(place: &KeyPlace, absent: State) -> Vec<Finding> {
    let path: &Path = match place {
        KeyPlace::File(path) | KeyPlace::Credential(path) => path,
        KeyPlace::Keyring(_) | KeyPlace::Nowhere => return Vec::new(),
    };
    let mut key = Place::new("key", path, State::Broken);
    let link = fs::symlink_metadata(path).ok();
    let mut findings: Vec<_> = link.iter().filter_map(|link| key.symlink(link)).collect();
    let metadata = fs::metadata(path).ok();
    let foreign = metadata.and_then(|metadata| key.owner(&metadata));
    findings.push(match (foreign, KeyFile::new(place.clone()).read()) {
        (Some(foreign), _) => foreign,
        (None, Err(fault)) => Finding::fault("store.key_broken", State::Broken, &fault),
        (None, Ok(Some(_))) => Finding::ok("store.key", key.shown),
        (None, Ok(None)) => {
            key.state = absent;
            key.absent()
        }
    });
    findings
}

/// A finding for a configuration file with a token that others can read.
fn open_to_others(path: &Path) -> Option<Finding> {
    let mode = fs::metadata(path).ok()?.mode() & 0o7777;
    (mode & 0o077 != 0 && holds_secret(path)).then(|| {
        let shown = path.display();
        let what = format!("{shown} holds a token and is open to others (mode {mode:04o})");
        Finding::warn("config.open_to_others", what).command("chmod 600", [word(path)])
    })
}

fn holds_secret(path: &Path) -> bool {
    let text = trusted::read(path, Readers::Anybody, MAX_TEXT);
    let text = text.ok().flatten();
    let text = text.and_then(|text| trusted::text_of(path, text).ok());
    let table = text.and_then(|text| text.parse::<toml::Table>().ok());
    let store = table.as_ref().and_then(|table| table.get("store"));
    [
        ("gateway", "token"),
        ("worker", "token"),
        ("postgres", "url"),
    ]
    .iter()
    .any(|(section, key)| store.is_some_and(|store| has(store, section, key)))
}

fn has(store: &toml::Value, section: &str, key: &str) -> bool {
    let section = store.get(section);
    section.is_some_and(|section| section.get(key).is_some())
}
