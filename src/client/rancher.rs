//! Nodes of k3s, RKE2 and Rancher's agent, which find kubelet's credential providers without flags.
//!
//! k3s and RKE2 pass kubelet both flags if the directory and the file exist when they start (`ImageCredProvAvailable`
//! in <https://github.com/k3s-io/k3s/blob/main/pkg/daemons/agent/agent.go>). Rancher's agent reads the file before each
//! image that it pulls itself (<https://github.com/rancher/system-agent/blob/main/pkg/image/image.go>).

use std::fs;
use std::path::{Path, PathBuf};

use super::kubelet::{Named, named_in};

/// Where such a node looks for the configuration and for the programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rancher {
    /// The `CredentialProviderConfig`.
    pub config: PathBuf,
    /// The directory of the programs.
    pub bin: PathBuf,
    /// The commands that restart the services that read them, if known.
    pub restarts: Vec<String>,
    /// The directory used only for this purpose.
    home: PathBuf,
}

impl Rancher {
    /// The places below `root`, if this is a Rancher node. If the user named a `config`, its path alone decides.
    #[must_use]
    pub fn of(root: &Path, config: Option<&Path>) -> Option<Self> {
        let is_here = MARKS
            .iter()
            .any(|mark| fs::symlink_metadata(root.join(mark)).is_ok());
        let rancher = Self::places(root);
        let is_meant = config.map_or(is_here, |config| config == rancher.config);
        is_meant.then_some(rancher)
    }

    fn places(root: &Path) -> Self {
        let mut named = Named::default();
        // Command-line flags in a unit override those in files.
        for file in setting_files(root) {
            named = named_in(&file, root).or(named);
        }
        let or_default = |path: Option<PathBuf>, name| path.unwrap_or_else(|| root.join(name));
        Self {
            config: or_default(named.config, CONFIG),
            bin: or_default(named.bin, BIN),
            restarts: restarts(root),
            home: root.join(HOME),
        }
    }

    /// Removes the directories if they are empty.
    pub fn remove_dirs(&self) {
        for dir in [&self.bin, &self.home] {
            if dir.starts_with(&self.home) {
                _ = fs::remove_dir(dir);
            }
        }
    }
}

/// The files that configure other places for k3s and RKE2, in ascending precedence
/// (<https://docs.k3s.io/installation/configuration>).
fn setting_files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for dir in ["etc/rancher/k3s", "etc/rancher/rke2"] {
        files.push(root.join(dir).join("config.yaml"));
        let more = super::file::files_in(&root.join(dir).join("config.yaml.d"), &["yaml", "yml"]);
        files.extend(more.unwrap_or_default());
    }
    for name in SERVICES {
        files.extend(UNITS.map(|dir| root.join(dir).join(format!("{name}.service"))));
    }
    files
}

/// For the enabled services, or else for all installed ones. RKE2 installs units for both of its roles.
fn restarts(root: &Path) -> Vec<String> {
    let is_there = |path: String| fs::symlink_metadata(root.join(path)).is_ok();
    let enabled = |name: &&str| {
        is_there(format!(
            "etc/systemd/system/multi-user.target.wants/{name}.service"
        ))
    };
    let installed = |name: &&str| {
        UNITS
            .iter()
            .any(|dir| is_there(format!("{dir}/{name}.service")))
    };
    let by_systemd = |name: &str| format!("systemctl restart {name}");
    for known in [&enabled as &dyn Fn(&&str) -> bool, &installed] {
        let found: Vec<_> = SERVICES.iter().copied().filter(known).collect();
        if !found.is_empty() {
            return found.into_iter().map(by_systemd).collect();
        }
    }
    let by_openrc = SERVICES
        .iter()
        .filter(|name| is_there(format!("etc/init.d/{name}")));
    by_openrc
        .map(|name| format!("rc-service {name} restart"))
        .collect()
}

/// Relative to the root directory, like all paths here.
const HOME: &str = "var/lib/rancher/credentialprovider";
const CONFIG: &str = "var/lib/rancher/credentialprovider/config.yaml";
const BIN: &str = "var/lib/rancher/credentialprovider/bin";
const SERVICES: [&str; 4] = ["k3s", "k3s-agent", "rke2-server", "rke2-agent"];
const UNITS: [&str; 4] = [
    "lib/systemd/system",
    "usr/lib/systemd/system",
    "usr/local/lib/systemd/system",
    "etc/systemd/system",
];
/// A node prepared for k3s, RKE2 or Rancher's agent has at least one of these.
const MARKS: [&str; 7] = [
    "etc/rancher/k3s",
    "etc/rancher/rke2",
    "etc/rancher/agent",
    "var/lib/rancher/k3s",
    "var/lib/rancher/rke2",
    "var/lib/rancher/agent",
    HOME,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn each_distribution_is_known_by_what_it_has_and_its_enabled_service_is_restarted() {
        let table: [(&[&str], &[&str]); 8] = [
            (&["var/lib/rancher/k3s/agent/x"], &[]),
            (&["etc/rancher/agent/config.yaml"], &[]),
            (
                &["etc/rancher/k3s/k3s.yaml", "etc/systemd/system/k3s.service"],
                &["systemctl restart k3s"],
            ),
            (
                &[
                    "var/lib/rancher/k3s/x",
                    "etc/systemd/system/k3s-agent.service",
                ],
                &["systemctl restart k3s-agent"],
            ),
            (
                &["etc/rancher/k3s/k3s.yaml", "etc/init.d/k3s"],
                &["rc-service k3s restart"],
            ),
            (
                &[
                    "var/lib/rancher/rke2/x",
                    "usr/local/lib/systemd/system/rke2-server.service",
                    "usr/local/lib/systemd/system/rke2-agent.service",
                ],
                &[
                    "systemctl restart rke2-server",
                    "systemctl restart rke2-agent",
                ],
            ),
            (
                &[
                    "var/lib/rancher/rke2/x",
                    "usr/lib/systemd/system/rke2-server.service",
                    "usr/lib/systemd/system/rke2-agent.service",
                    "etc/systemd/system/multi-user.target.wants/rke2-agent.service",
                ],
                &["systemctl restart rke2-agent"],
            ),
            (&["var/lib/rancher/credentialprovider/config.yaml"], &[]),
        ];
        for (files, restarts) in table {
            let scratch = tempfile::tempdir().unwrap();
            let root = scratch.path();
            assert_eq!(Rancher::of(root, None), None);
            for file in files {
                write(root, file, "");
            }
            let expected = Rancher {
                config: root.join(CONFIG),
                bin: root.join(BIN),
                restarts: restarts.iter().map(|&one| one.to_owned()).collect(),
                home: root.join(HOME),
            };
            assert_eq!(Rancher::of(root, None), Some(expected), "{files:?}");
            assert!(Rancher::of(root, Some(&root.join(CONFIG))).is_some());
            assert_eq!(Rancher::of(root, Some(&root.join("other.yaml"))), None);
        }
    }

    #[test]
    fn a_setting_names_another_place_each_by_itself_and_the_last_one_counts() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path();
        let places = |config: &str, bin: &str| {
            let found = Rancher::of(root, None).unwrap();
            assert_eq!(
                (found.config, found.bin),
                (root.join(config), root.join(bin))
            );
        };
        let flag = "image-credential-provider";
        write(
            root,
            "etc/rancher/k3s/config.yaml",
            &format!("token: x\n# {flag}-config: /opt/no.yaml\n{flag}-config: \"/opt/a.yaml\"\n"),
        );
        places("opt/a.yaml", BIN);
        write(
            root,
            "etc/rancher/k3s/config.yaml.d/9.yaml",
            &format!("kubelet-arg:\n- {flag}-bin-dir=/opt/bin\n{flag}-config: /opt/b.yaml\n"),
        );
        places("opt/b.yaml", "opt/bin");
        write(
            root,
            "etc/rancher/k3s/config.yaml.d/9.yaml",
            &format!("kubelet-arg: [{flag}-config=/opt/f.yaml, {flag}-bin-dir=/opt/f]\n"),
        );
        places("opt/f.yaml", "opt/f");
        write(
            root,
            "etc/systemd/system/k3s.service",
            &format!(
                "ExecStart=/usr/local/bin/k3s \\\n    server \\\n\t'--{flag}-config=/opt/c.yaml' \\\n"
            ),
        );
        places("opt/c.yaml", "opt/f");
    }
}
