//! Checks directories, their modes, owners and free space, and the sealing key.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, StatVfsMountFlags, accessat, statvfs};
use rustix::io::Errno;

use super::finding::{Finding, State, word};
use crate::backend;
use crate::config::{Ambient, Config, Env, ForeignHome, KeyPlace, StoreKind};
use crate::seal::KeyFile;
use crate::tls;
use crate::trusted::{self, MAX_TEXT, Readers, is_absent};

/// Whether the store can be examined: no finding prevents reading.
pub(super) fn in_order(findings: &[Finding]) -> bool {
    let broken = |one: &&Finding| one.state == State::Broken;
    findings.iter().filter(broken).all(|one| one.code == FULL)
}

/// Checks the files and directories that the configuration uses.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if config.store == StoreKind::File {
        findings.extend(
            config
                .file_path
                .as_ref()
                .map_or_else(homeless, |path| directory("store", path, State::Broken)),
        );
        // If the store can't be created, neither can its key; that is reported once.
        let is_told = findings
            .iter()
            .any(|finding| finding.state == State::Broken);
        findings.extend(key(
            &config.file_key,
            if is_told { State::Note } else { State::Broken },
        ));
    }
    findings.extend(match config.cache.dirs.first() {
        // Only a warning: without the cache, each answer mints a token.
        Some(dir) if config.cache.enabled => directory("token cache", dir, State::Warn),
        Some(_) => vec![Finding::note(
            "cache.off",
            "the token cache is off: each answer mints a token",
        )],
        None => vec![
            Finding::warn(
                "cache.no_directory",
                "there is no directory for the token cache",
            )
            .words("set HOME, or cache.dir"),
        ],
    });
    findings.extend(configuration_files(config));
    findings.extend(
        tls::refused().map(|fault| Finding::fault("config.authorities", State::Broken, &fault)),
    );
    let is_on = |ambient: Ambient| !ambient.is_off();
    if is_on(config.ambient)
        || config
            .rules()
            .iter()
            .any(|rule| rule.ambient.is_some_and(is_on))
    {
        let refused = backend::check_node_files(&config.node);
        findings.extend(
            refused
                .iter()
                .map(|error| Finding::error("config.node_file", State::Broken, error)),
        );
    }
    findings
}

/// Warnings about files that were read although they could be safer.
pub(super) fn warned() -> Vec<Finding> {
    trusted::take_warnings()
        .iter()
        .map(|fault| Finding::fault("file.unsafe", State::Warn, fault))
        .collect()
}

/// The finding for another user's home directory: its owner, and what is used instead.
pub(super) fn foreign_home(home: &ForeignHome, env: &Env) -> Finding {
    let instead = env
        .home()
        .map_or_else(|| "none".to_owned(), |own| word(&own));
    let what = format!(
        "HOME={} belongs to uid {}, and this is uid {}: the home directory is {instead}",
        home.path.display(),
        home.owner,
        me()
    );
    Finding::warn("config.foreign_home", what).words(format_args!(
        "run it as uid {}, or set HOME to this user's own",
        home.owner
    ))
}

fn homeless() -> Vec<Finding> {
    let what = "there is no home directory to keep credentials in";
    vec![
        Finding::broken("file.no_home", what)
            .words("set HOME, or BETA9_STORE_PATH to an absolute path"),
    ]
}

fn directory(what: &str, path: &Path, state: State) -> Vec<Finding> {
    let judged = trusted::directory(path);
    let link = match fs::symlink_metadata(path) {
        Ok(link) => link,
        Err(error) if is_absent(&error) => {
            return vec![judged.err().map_or_else(
                || absent(what, path, state),
                |fault| Finding::fault("file.unsafe", state, &fault),
            )];
        }
        Err(error) => return vec![out_of_reach(what, path, &error, state)],
    };
    let mut findings: Vec<_> = if link.is_symlink() {
        vec![symlink(what, path, &link)]
    } else {
        Vec::new()
    };
    let shown = format!("the {what} {}", path.display());
    let finding = match fs::metadata(path) {
        Err(error) => out_of_reach(what, path, &error, state),
        Ok(metadata) if !metadata.is_dir() => Finding::new(
            "file.not_directory",
            state,
            format_args!("{shown} is not a directory"),
        )
        .command(["mv", &word(path), &format!("{}.old", path.display())]),
        Ok(metadata) => owner(&shown, path, &metadata, state)
            .or_else(|| {
                judged
                    .err()
                    .map(|fault| Finding::fault("file.unsafe", state, &fault))
            })
            .or_else(|| room(&shown, path, state))
            .unwrap_or_else(|| {
                Finding::ok(
                    "file.directory",
                    format_args!("{shown} (mode {:04o})", metadata.mode() & 0o7777),
                )
            }),
    };
    findings.push(finding);
    findings
}

/// The finding for a missing directory, which is created on first use if its parent allows.
fn absent(what: &str, path: &Path, state: State) -> Finding {
    let exists = |dir: &&Path| matches!(trusted::exists(dir), Ok(true));
    let above = path
        .ancestors()
        .skip(1)
        .find(exists)
        .unwrap_or(Path::new("/"));
    let shown = format!("the {what} {}", path.display());
    if accessat(CWD, above, Access::WRITE_OK, AtFlags::EACCESS).is_ok() && above.is_dir() {
        return Finding::ok(
            "file.absent",
            format_args!("{shown} is made when it is first needed"),
        );
    }
    Finding::new(
        "file.absent",
        state,
        format_args!(
            "{shown} is not there and cannot be made: {} cannot be written",
            above.display()
        ),
    )
    .words("make it for this user, or choose another place in the configuration")
}

fn out_of_reach(what: &str, path: &Path, error: &io::Error, state: State) -> Finding {
    Finding::new(
        "file.unreachable",
        state,
        format_args!(
            "the {what} {} cannot be looked at ({error})",
            path.display()
        ),
    )
    .words("give this user access to it, or choose another place in the configuration")
}

/// The finding for a link, whose owner decides where it leads.
fn symlink(what: &str, path: &Path, link: &Metadata) -> Finding {
    let target =
        fs::canonicalize(path).map_or_else(|_| "nowhere".to_owned(), |target| word(&target));
    let shown = format!(
        "the {what} {} is a symbolic link to {target}",
        path.display()
    );
    if [me(), 0].contains(&link.uid()) {
        return Finding::note("file.symlink", shown);
    }
    Finding::broken(
        "file.symlink",
        format_args!("{shown}, and uid {} can change that", link.uid()),
    )
    .words(format_args!(
        "if {target} is right, name it in the configuration; else remove the link"
    ))
}

fn owner(shown: &str, path: &Path, metadata: &Metadata, state: State) -> Option<Finding> {
    let fault = trusted::check_owner(path, metadata.uid()).err()?;
    let (me, owner) = (me(), metadata.uid());
    let finding = Finding::new(
        "file.owner",
        state,
        format_args!("{shown} belongs to uid {owner}, and this is uid {me}"),
    );
    Some(if me == 0 {
        finding.command([
            "sudo",
            "-u",
            &format!("#{owner}"),
            env!("CARGO_PKG_NAME"),
            "doctor",
        ])
    } else {
        finding.words(fault.fix)
    })
}

/// Checks whether the directory can be written. `get` works without.
fn room(shown: &str, path: &Path, state: State) -> Option<Finding> {
    let stat = statvfs(path).ok();
    let read_only = stat
        .as_ref()
        .is_some_and(|stat| stat.f_flag.contains(StatVfsMountFlags::RDONLY));
    let may = |access| accessat(CWD, path, access, AtFlags::EACCESS);
    match may(Access::WRITE_OK | Access::EXEC_OK) {
        Err(Errno::ROFS) => {}
        Err(error) => {
            let what = format!("{shown} cannot be written ({error}): nothing new is kept");
            // Existing entries can still be returned.
            let reads = may(Access::READ_OK | Access::EXEC_OK).is_ok();
            let state = if reads { state.min(State::Warn) } else { state };
            return Some(
                Finding::new("file.unwritable", state, what)
                    .words("make it writable, or choose another place in the configuration"),
            );
        }
        Ok(()) if !read_only => {
            let stat = stat?;
            let full = stat.f_bavail.saturating_mul(stat.f_frsize) < ROOM
                || stat.f_files > 0 && stat.f_favail == 0;
            return full.then(|| {
                Finding::new(
                    FULL,
                    state,
                    format_args!("{shown} is on a full disk: nothing new is kept"),
                )
                .words(format_args!(
                    "make room; df -h {} shows how much there is",
                    path.display()
                ))
            });
        }
        Ok(()) => {}
    }
    let what = format!(
        "{shown} is on a read-only file system: what is there is answered, and nothing new is kept"
    );
    Some(
        Finding::note("file.read_only", what)
            .words("choose another place in the configuration, or mount it writable"),
    )
}

fn key(place: &KeyPlace, absent_state: State) -> Vec<Finding> {
    let path: &Path = match place {
        KeyPlace::File(path) | KeyPlace::Credential(path) => path,
        KeyPlace::Keyring(_) | KeyPlace::Nowhere => return Vec::new(),
    };
    let link = fs::symlink_metadata(path).ok().filter(Metadata::is_symlink);
    let mut findings: Vec<_> = link.iter().map(|link| symlink("key", path, link)).collect();
    let shown = format!("the key {}", path.display());
    let foreign = fs::metadata(path)
        .ok()
        .and_then(|metadata| owner(&shown, path, &metadata, State::Broken));
    findings.push(match (foreign, KeyFile::new(place.clone()).read()) {
        (Some(foreign), _) => foreign,
        (None, Err(fault)) => Finding::fault("store.key_broken", State::Broken, &fault),
        (None, Ok(Some(_))) => Finding::ok("store.key", shown),
        (None, Ok(None)) => absent("key", path, absent_state),
    });
    findings
}

/// Checks that nobody else can read configuration files with a token.
fn configuration_files(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in &config.files {
        let Ok(metadata) = fs::metadata(path) else {
            continue;
        };
        let mode = metadata.mode() & 0o7777;
        if mode & 0o077 != 0 && holds_secret(path) {
            let what = format!(
                "{} holds a token and is open to others (mode {mode:04o})",
                path.display()
            );
            findings.push(Finding::warn("config.open_to_others", what).command([
                "chmod",
                "600",
                &word(path),
            ]));
        }
    }
    findings
}

fn holds_secret(path: &Path) -> bool {
    let text = trusted::read(path, Readers::Anybody, MAX_TEXT)
        .ok()
        .flatten();
    let text = text.and_then(|text| trusted::text_of(path, text).ok());
    let table = text.and_then(|text| text.parse::<toml::Table>().ok());
    let store = table
        .as_ref()
        .and_then(|table| table.get("store")?.as_table());
    let has = |section: &str, key: &str| {
        store
            .and_then(|store| store.get(section)?.get(key))
            .is_some()
    };
    has("gateway", "token") || has("worker", "token") || has("postgres", "url")
}

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

const FULL: &str = "file.full";
/// In bytes. A stored credential or a token needs a few kilobytes.
const ROOM: u64 = 1 << 20;
