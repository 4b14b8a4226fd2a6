//! Kubelet's credential-provider configurations: those of distributions, and those that its flags name.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::rancher::Rancher;

/// All possible configurations below `root` (files, or directories of files), each with the directory of its programs
/// if known.
#[must_use]
pub fn kubelet_files(root: &Path) -> Vec<(PathBuf, Option<PathBuf>)> {
    let mut places = Vec::new();
    for file in starters(root) {
        let named = named_in(&file, root);
        places.extend(named.config.map(|config| (config, named.bin)));
    }
    places.extend(Rancher::of(root, None).map(|found| (found.config, Some(found.bin))));
    places.extend(KNOWN.map(|(config, bin)| (root.join(config), bin.map(|bin| root.join(bin)))));
    let mut known = IndexMap::<_, Option<PathBuf>>::new();
    for (config, bin) in places {
        let known = known.entry(config).or_default();
        *known = known.take().or(bin);
    }
    known.into_iter().collect()
}

/// Where kubelet's flags may be: the files that start it, and running processes
/// (<https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/>).
fn starters(root: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = STARTERS.iter().map(|file| root.join(file)).collect();
    let listed = |dir: &str| fs::read_dir(root.join(dir)).into_iter().flatten().flatten();
    files.extend(listed("etc/systemd/system/kubelet.service.d").map(|entry| entry.path()));
    files.extend(listed("usr/lib/systemd/system/kubelet.service.d").map(|entry| entry.path()));
    files.extend(processes(root).map(|process| process.join("cmdline")));
    files
}

/// The node's own processes that belong to root or this user. Others don't count, because anyone can run a process with
/// another program's arguments and so tell root what to install where. So can a pod, which usually runs as root.
pub fn processes(root: &Path) -> impl Iterator<Item = PathBuf> {
    let me = rustix::process::geteuid().as_raw();
    let listed = fs::read_dir(root.join("proc"))
        .into_iter()
        .flatten()
        .flatten();
    listed
        .filter(move |entry| {
            (entry.metadata()).is_ok_and(|process| [0, me].contains(&process.uid()))
        })
        .map(|entry| entry.path())
        .filter(|process| !is_in_container(process))
}

/// Whether a process also has an id in another namespace (`NSpid` in `proc_pid_status(5)`).
fn is_in_container(process: &Path) -> bool {
    let status = started_by(&process.join("status")).unwrap_or_default();
    let numbers = status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))
        .unwrap_or_default();
    numbers.split_whitespace().count() > 1
}

/// The values of the two flags in one file.
#[derive(Default)]
pub(super) struct Named {
    pub(super) config: Option<PathBuf>,
    pub(super) bin: Option<PathBuf>,
}

impl Named {
    /// These values, with missing ones taken from `other`.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            config: self.config.or(other.config),
            bin: self.bin.or(other.bin),
        }
    }
}

pub(super) fn named_in(file: &Path, root: &Path) -> Named {
    let text = started_by(file).unwrap_or_default();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let words: Vec<&str> = lines
        .flat_map(|line| line.split(|c: char| c.is_whitespace() || "\0\"'[],".contains(c)))
        .filter(|word| !word.is_empty())
        .collect();
    let flag = |name: &str| {
        // The first flag of a variable's value comes right behind the variable's name.
        let said = words.iter().enumerate().rev().find_map(|(at, word)| {
            let (before, after) = word.split_once(name)?;
            let value = match after {
                "" | ":" => words.get(at + 1)?,
                _ => after.strip_prefix('=')?,
            };
            (!before.contains('/')).then_some(value)
        });
        said?.strip_prefix('/').map(|path| root.join(path))
    };
    Named {
        config: flag("image-credential-provider-config"),
        bin: flag("image-credential-provider-bin-dir"),
    }
}

/// The start of a file that starts kubelet, or of a process's arguments.
#[expect(
    clippy::disallowed_methods,
    reason = "only finds the files of a client; the content does not control this program"
)]
pub fn started_by(file: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(file)?
        .take(1 << 16)
        .read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Where `configure kubelet` writes, and the places on EKS, AKS and GKE.
const KNOWN: [(&str, Option<&str>); 6] = [
    ("etc/kubernetes/credential-provider-config.yaml", None),
    (
        "etc/eks/image-credential-provider/config.json",
        Some("etc/eks/image-credential-provider"),
    ),
    ("etc/kubernetes/credential-provider.yaml", None),
    ("var/lib/kubelet/credential-provider-config.yaml", None),
    ("etc/srv/kubernetes/cri_auth_config.yaml", None),
    ("opt/beta9/credential-provider.yaml", None),
];
/// Files that start kubelet: kubeadm's flags, and the environment files of distributions.
const STARTERS: [&str; 4] = [
    "var/lib/kubelet/kubeadm-flags.env",
    "etc/default/kubelet",
    "etc/sysconfig/kubelet",
    "etc/systemd/system/kubelet.service",
];
