//! The containerds of a node: their configurations with imports, merged as containerd merges them.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use toml::{Table, Value};
use zeroize::Zeroizing;

use crate::cli::doctor::access::refused;
use crate::cli::doctor::finding::Finding;
use crate::client::file::{Text, files_in};
use crate::client::{PROGRAM, SYSTEM_PATH, processes, said, started_by};
use crate::trusted::{self, Readers};

/// A containerd and its configuration file.
#[derive(Clone, Debug)]
pub(super) struct Daemon {
    pub(super) config: PathBuf,
    program: PathBuf,
    /// The service that writes the configuration at each start: k3s or RKE2.
    pub(super) writer: Option<&'static str>,
}

/// The configuration of one containerd.
pub(super) struct Configuration {
    /// Each file that could be read, in ascending precedence.
    pub(super) files: Vec<ReadFile>,
    /// Findings for files that could not be read.
    pub(super) unread: Vec<Finding>,
    /// The merged configuration: containerd's own dump, or the result of merging the files.
    pub(super) merged: Table,
    /// Major and minor version of the program, if it could be run.
    pub(super) version: Option<(u32, u32)>,
}

pub(super) struct ReadFile {
    pub(super) path: PathBuf,
    pub(super) text: Zeroizing<String>,
    pub(super) table: Table,
}

impl Daemon {
    /// The distribution's containerd, those of k3s and RKE2, and running ones with another configuration.
    pub(super) fn all(root: &Path) -> Vec<Self> {
        let known = |(config, program, writer)| Self {
            config: root.join(config),
            program: root.join(program),
            writer,
        };
        let mut all = KNOWN.map(known).to_vec();
        let mut programs = SYSTEM_PATH
            .split(':')
            .map(|dir| root.join(&dir[1..]).join("containerd"));
        if let Some(program) = programs.find(|program| program.is_file()) {
            all[0].program = program;
        }
        for process in processes(root) {
            let Some((config, program)) = running(&process, root) else {
                continue;
            };
            if let Some(known) = all.iter_mut().find(|one| one.config == config) {
                // A program that was replaced since it started has no path.
                if program.is_file() {
                    known.program = program;
                }
            } else {
                let writer = config.ends_with(WRITTEN).then(|| writer(root));
                all.push(Self {
                    config,
                    program,
                    writer,
                });
            }
        }
        all
    }

    pub(super) fn read(&self, root: &Path) -> Configuration {
        let (files, unread) = self.files(root);
        // Running it is slow, and useless without a configuration.
        let certs = fs::read_dir(self.config.with_file_name("certs.d"));
        let may_matter = certs.is_ok_and(|mut entries| entries.next().is_some())
            || files.iter().any(|file| file.text.contains("registry"));
        let trusted =
            may_matter && trusted::check(&self.program, Readers::Anybody).is_ok_and(|there| there);
        let ask = |args: &[&str]| {
            let mut command = Command::new(&self.program);
            command.arg("--config").arg(&self.config).args(args);
            said(command.env_clear(), PATIENCE)
        };
        let version = trusted.then(|| ask(&["--version"])).flatten();
        let dump = version.as_ref().and_then(|_| ask(&["config", "dump"]));
        let dumped = dump.and_then(|dump| dump.parse::<Table>().ok());
        let mut merged = Table::new();
        for file in &files {
            merge(&mut merged, &file.table);
        }
        Configuration {
            files,
            unread,
            merged: dumped.unwrap_or(merged),
            version: version.and_then(|text| numbers(&text)),
        }
    }

    /// Reads the file and its imports, each once, breadth first (`LoadConfig` in
    /// <https://github.com/containerd/containerd/blob/main/cmd/containerd/server/config/config.go>).
    fn files(&self, root: &Path) -> (Vec<ReadFile>, Vec<Finding>) {
        let (mut files, mut unread) = (Vec::<ReadFile>::new(), Vec::new());
        let mut pending = VecDeque::from([self.config.clone()]);
        while let Some(path) = pending.pop_front() {
            if files.iter().any(|file| file.path == path) {
                continue;
            }
            match read_file(&path) {
                Ok(None) => {}
                Ok(Some(file)) => {
                    let imports = file.table.get("imports").and_then(Value::as_array);
                    let imports = imports.into_iter().flatten().filter_map(Value::as_str);
                    pending.extend(imports.flat_map(|import| resolved(&path, import, root)));
                    files.push(file);
                }
                Err(finding) => unread.push(finding),
            }
        }
        (files, unread)
    }
}

/// Reads a file of containerd's; `None` if it does not exist.
pub(super) fn read_file(path: &Path) -> Result<Option<ReadFile>, Finding> {
    let text = match Text::read(path) {
        Ok(Some(text)) => text.text,
        Ok(None) => return Ok(None),
        Err(error) => return Err(unreadable(refused(&error, [path]))),
    };
    let Ok(table) = text.parse() else {
        return Err(Finding::incorrect(path, "it is not well-formed TOML"));
    };
    let path = path.to_owned();
    Ok(Some(ReadFile { path, text, table }))
}

/// A note rather than a fault, because containerd runs as root and can read the file.
fn unreadable(finding: Finding) -> Finding {
    // Root finds no more than this, and neither does containerd.
    if rustix::process::geteuid().is_root() {
        return finding;
    }
    let command = format!("sudo {PROGRAM} doctor");
    Finding::note("containerd.unreadable", finding.what).run(&command)
}

/// The files that an import matches. A relative path is relative to the importing file.
fn resolved(parent: &Path, import: &str, root: &Path) -> Vec<PathBuf> {
    let path = match import.strip_prefix('/') {
        Some(path) => root.join(path),
        None => parent.parent().unwrap_or(root).join(import),
    };
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Vec::new();
    };
    let name = name.to_string_lossy();
    let Some((start, end)) = name.split_once('*') else {
        return vec![path];
    };
    let mut found = files_in(dir, &["toml"]).unwrap_or_default();
    found.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
    });
    found
}

/// Merges tables key by key; later values win.
fn merge(into: &mut Table, from: &Table) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Value::Table(into)), Value::Table(from)) => merge(into, from),
            _ => _ = into.insert(key.clone(), value.clone()),
        }
    }
}

/// The configuration and the program of a process, if it is a containerd started with `--config`.
fn running(process: &Path, root: &Path) -> Option<(PathBuf, PathBuf)> {
    let program = fs::read_link(process.join("exe")).ok()?;
    let line = started_by(&process.join("cmdline")).ok()?;
    let words: Vec<&str> = line.split('\0').collect();
    if Path::new(words[0]).file_name()? != "containerd" {
        return None;
    }
    let at = words.iter().position(|word| CONFIG_FLAGS.contains(word));
    let mut glued = words
        .iter()
        .filter_map(|word| word.strip_prefix("--config="));
    let config = match at {
        Some(at) => words.get(at + 1)?,
        None => glued.next()?,
    };
    Some((root.join(config.strip_prefix('/')?), program))
}

/// The version in `containerd github.com/containerd/containerd/v2 v2.2.1 …`.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let number = version.split_whitespace().nth(2)?.trim_start_matches('v');
    let mut parts = number.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The template from which k3s and RKE2 write a customised file.
pub(super) fn template(config: &Path) -> String {
    let dir = config.parent().unwrap_or(config).display();
    format!("its template ({dir}/config-v3.toml.tmpl or config.toml.tmpl)")
}

fn writer(root: &Path) -> &'static str {
    let is_rke2 = fs::symlink_metadata(root.join("etc/rancher/rke2")).is_ok();
    if is_rke2 { "rke2" } else { "k3s" }
}

/// The paths of configurations and programs; k3s and RKE2 write theirs
/// (<https://docs.k3s.io/advanced#configuring-containerd>).
const KNOWN: [(&str, &str, Option<&str>); 3] = [
    ("etc/containerd/config.toml", "usr/bin/containerd", None),
    (
        "var/lib/rancher/k3s/agent/etc/containerd/config.toml",
        "var/lib/rancher/k3s/data/current/bin/containerd",
        Some("k3s"),
    ),
    (
        "var/lib/rancher/rke2/agent/etc/containerd/config.toml",
        "var/lib/rancher/rke2/bin/containerd",
        Some("rke2"),
    ),
];
const WRITTEN: &str = "agent/etc/containerd/config.toml";
const CONFIG_FLAGS: [&str; 3] = ["-c", "--config", "-config"];
const PATIENCE: Duration = Duration::from_secs(10);
