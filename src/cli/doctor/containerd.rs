//! Checks containerd, which never calls a helper: how its configuration uses certs.d, and its plain-text logins
//! (<https://github.com/containerd/containerd/blob/main/docs/hosts.md>,
//! <https://github.com/containerd/containerd/blob/main/docs/cri/registry.md>).

mod cri;
mod daemon;
mod logins;
mod paths;

use std::fs;
use std::path::{Path, PathBuf};

use toml::Value;

use self::cri::Cri;
use self::daemon::{Configuration, Daemon, ReadFile, read_file};
use super::finding::{Finding, word};
use crate::shown::shown;

/// The findings in the files of each containerd on a node.
pub(super) fn look(root: &Path, has_rancher_login: bool) -> Vec<Finding> {
    let daemons = Daemon::all(root);
    daemons
        .iter()
        .flat_map(|daemon| Look::at(daemon, root).all(has_rancher_login))
        .collect()
}

/// The check of one containerd.
struct Look<'a> {
    root: &'a Path,
    daemon: &'a Daemon,
    read: Configuration,
    /// The directories with a hosts.toml for each registry.
    dirs: Vec<PathBuf>,
    /// Each hosts.toml in them.
    hosts: Vec<ReadFile>,
    unread: Vec<Finding>,
}

impl<'a> Look<'a> {
    fn at(daemon: &'a Daemon, root: &'a Path) -> Self {
        let read = daemon.read(root);
        let set = Cri::of(&read.merged).and_then(|cri| cri.config_path());
        let own = daemon.config.with_file_name("certs.d");
        let set = set.unwrap_or_default().split(':');
        let set = set.filter_map(|dir| Some(root.join(dir.strip_prefix('/')?)));
        let mut dirs: Vec<PathBuf> = set.collect();
        if !dirs.contains(&own) {
            dirs.push(own);
        }
        let (mut hosts, mut unread) = (Vec::new(), Vec::new());
        for dir in &dirs {
            let entries = fs::read_dir(dir).into_iter().flatten().flatten();
            let mut files: Vec<_> = entries.map(|one| one.path().join("hosts.toml")).collect();
            files.sort();
            for file in files {
                match read_file(&file) {
                    Ok(file) => hosts.extend(file),
                    Err(finding) => unread.push(finding),
                }
            }
        }
        Self {
            root,
            daemon,
            read,
            dirs,
            hosts,
            unread,
        }
    }

    fn all(mut self, has_rancher_login: bool) -> Vec<Finding> {
        let mut findings = std::mem::take(&mut self.read.unread);
        let is_whole = findings.is_empty();
        findings.append(&mut self.unread);
        if let Some(cri) = Cri::of(&self.read.merged) {
            findings.extend(self.beside_path(&cri, has_rancher_login));
            // What is not set in what was read may be set in the rest.
            let is_known = is_whole || cri.config_path().is_some();
            findings.extend(self.one_directory(&cri).filter(|_| is_known));
        }
        let hosts = self.hosts.iter();
        findings.extend(hosts.filter_map(|file| self.no_host_table(file)));
        findings.extend(self.hosts_dir());
        // k3s and RKE2 take the login from their own file, where it is reported.
        let written = self.daemon.writer.is_some() && has_rancher_login;
        let files = self.read.files.iter().filter(|_| !written);
        let restart = self.restart();
        findings.extend(files.filter_map(|file| logins::of_config(file, self.daemon, &restart)));
        findings.extend(self.hosts.iter().filter_map(logins::of_hosts));
        findings
    }

    fn restart(&self) -> String {
        self.daemon.writer.unwrap_or("containerd").to_owned()
    }

    fn is_version(&self, is: impl Fn((u32, u32)) -> bool) -> bool {
        self.read.version.is_none_or(is)
    }

    /// Those of the configured directories that contain a hosts.toml.
    fn with_hosts(&self) -> Vec<&PathBuf> {
        let has = |dir: &&PathBuf| self.hosts.iter().any(|file| file.path.starts_with(dir));
        self.dirs.iter().filter(has).collect()
    }

    /// `mirrors` and the settings of `configs` are the older form of hosts.toml (`ValidateImageConfig` in
    /// <https://github.com/containerd/containerd/blob/main/internal/cri/config/config.go>).
    fn beside_path(&self, cri: &Cri, has_rancher_login: bool) -> Option<Finding> {
        let dir = cri.config_path()?;
        let (mirrors, configs) = (cri.hosts("mirrors"), cri.hosts("configs"));
        let has_tls = configs.iter().any(|(_, table)| table.contains_key("tls"));
        let file = |key| self.setter(key).unwrap_or(&self.daemon.config).display();
        let (key, hosts, does) = if !mirrors.is_empty() {
            ("mirrors", &mirrors, STOPS)
        } else if has_tls {
            ("configs", &configs, STOPS)
        } else if configs.is_empty() || self.daemon.writer.is_some() && has_rancher_login {
            return None;
        } else {
            ("configs", &configs, IGNORES)
        };
        let what = format!(
            "{} has registry.{key} beside config_path (\"{}\"): {does}",
            file(key),
            shown(dir)
        );
        let first = self.dirs.first().unwrap_or(&self.daemon.config).display();
        let moved = hosts.iter().map(|(host, table)| {
            let endpoints = table.get("endpoint").and_then(Value::as_array);
            let endpoints = endpoints.into_iter().flatten().filter_map(Value::as_str);
            let tables = endpoints.map(|one| format!(" [host.\"{}\"]", shown(one)));
            let tables: String = tables.collect();
            format!("{first}/{}/hosts.toml{tables}", shown(host))
        });
        let moved: Vec<String> = moved.collect();
        let fix = format!(
            "move each registry's settings into its hosts.toml ({}), remove registry.{key} from {}, and restart {}",
            moved.join("; "),
            self.source(self.setter(key).unwrap_or(&self.daemon.config)),
            self.restart()
        );
        let finding = if does == STOPS {
            Finding::broken
        } else {
            Finding::warn
        };
        Some(finding("containerd.configs_beside_path", what).words(fix))
    }

    /// The last file that sets this key of the registry table.
    fn setter(&self, key: &str) -> Option<&PathBuf> {
        let sets =
            |file: &&ReadFile| Cri::of(&file.table).is_some_and(|cri| !cri.hosts(key).is_empty());
        let file = self.read.files.iter().rev().find(sets)?;
        Some(&file.path)
    }

    /// The file that a person should edit.
    fn source(&self, file: &Path) -> String {
        match self.daemon.writer {
            Some(_) => daemon::template(file),
            None => word(file),
        }
    }

    /// A hosts.toml without a host table, which `getSortedHosts` of containerd up to 1.7 refuses as a whole ("invalid
    /// `host` tree" in its log).
    fn no_host_table(&self, file: &ReadFile) -> Option<Finding> {
        if matches!(file.table.get("host"), Some(Value::Table(_)))
            || file.table.is_empty()
            || !self.is_version(|(major, _)| major < 2)
        {
            return None;
        }
        let path = file.path.display();
        let what =
            format!("{path} has no [host] table: containerd before 2.0 ignores the whole file");
        let finding = Finding::warn("containerd.no_host_table", what);
        Some(finding.command("sudo sed -i", ["$a [host]", &word(&file.path)]))
    }

    /// `ctr` takes the directory only as a flag (<https://github.com/containerd/containerd/issues/12550>).
    fn hosts_dir(&self) -> Option<Finding> {
        let dir = word(self.with_hosts().first()?);
        let what =
            format!("ctr ignores each hosts.toml in {dir} unless it is started with --hosts-dir");
        let fix = format!(
            "pull with: docker-credential-beta9 with ctr images pull --hosts-dir {dir} IMAGE"
        );
        Some(Finding::note("containerd.ctr_hosts_dir", what).words(fix))
    }
}

const STOPS: &str = "containerd's CRI plugin does not start, or ignores these settings, so pods pull nothing, or not as configured";
const IGNORES: &str = "this form is deprecated, and containerd from 2.3 on ignores it";

#[cfg(test)]
mod tests;
