//! Checks `config_path`: the directories where pods' pulls find each hosts.toml.

use std::path::{Path, PathBuf};

use super::cri::{self, Cri};
use super::daemon::ReadFile;
use super::{Finding, Look, word};
use crate::shown::shown;

impl Look<'_> {
    /// Checks whether pods' pulls use the directories. Before 2.2 there is no default, and from 2.1 to 2.4 the transfer
    /// service reads a list of directories as the name of one
    /// (<https://github.com/containerd/containerd/issues/12808>).
    pub(super) fn one_directory(&self, cri: &Cri) -> Option<Finding> {
        let with_hosts = self.with_hosts();
        let dir = *with_hosts.first()?;
        let (code, why) = match cri.config_path() {
            Some(path) if path.contains(':') => {
                let is_affected = self.is_version(|version| ((2, 1)..=(2, 4)).contains(&version));
                if !is_affected || cri.pulls_locally() {
                    return None;
                }
                let path = shown(path);
                let why = format!(
                    "config_path names several directories (\"{path}\"), which containerd 2.1 to 2.4 takes for one that does not exist"
                );
                ("containerd.two_directories", why)
            }
            Some(_) => return None,
            None if self.read.files.is_empty() && self.read.version.is_none() => return None,
            None => (
                "containerd.no_config_path",
                "config_path is not set".to_owned(),
            ),
        };
        let all: Vec<String> = with_hosts.iter().map(|dir| word(dir)).collect();
        let what = format!(
            "{}: {why}: pulls of pods ignore each hosts.toml in {}",
            self.daemon.config.display(),
            all.join(" and ")
        );
        let mut finding = Finding::warn(code, what);
        let Some(set) = self.set_path(dir) else {
            let table = cri::table_for(&self.read);
            return Some(finding.words(format_args!(
                "in {}, set config_path = \"{}\" under {table}, and restart {}",
                self.source(&self.daemon.config),
                self.seen(dir),
                self.restart()
            )));
        };
        for other in &with_hosts[1..] {
            let from = format!("{}/.", other.display());
            finding = finding.command("sudo cp -rn", [from, word(dir)]);
        }
        for expression in set.1 {
            finding = finding.command("sudo sed -i", [expression, word(&set.0)]);
        }
        Some(finding.run(&format!("sudo systemctl restart {}", self.restart())))
    }

    /// A directory's path as containerd sees it.
    fn seen(&self, dir: &Path) -> String {
        let below = dir.strip_prefix(self.root).unwrap_or(dir);
        word(&Path::new("/").join(below))
    }

    /// The file and the `sed` arguments that set `config_path` to this directory.
    fn set_path(&self, dir: &Path) -> Option<(PathBuf, Vec<String>)> {
        let dir = self.seen(dir);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        if !dir.chars().all(is_plain) || self.daemon.writer.is_some() {
            return None;
        }
        for file in self.read.files.iter().rev() {
            if let Some(line) = cri::line_of_path(&file.text) {
                let expression = format!("{line}s#=.*#= \"{dir}\"#");
                return Some((file.path.clone(), vec![expression]));
            }
        }
        let has_registry = |file: &ReadFile| Cri::of(&file.table).is_some_and(|cri| cri.is_set());
        let main = self.read.files.first()?;
        if main.path != self.daemon.config || self.read.files.iter().any(has_registry) {
            return None;
        }
        // At the end, so that it does not split an existing table.
        let table = format!("$a {}", cri::table_for(&self.read));
        Some((
            main.path.clone(),
            vec![table, format!("$a config_path = \"{dir}\"")],
        ))
    }
}
