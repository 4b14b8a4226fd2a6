//! The files in which kubelet is told of its credential providers: those of distributions, and those that its flags name.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Below `root`, each configuration (a file, or a directory of files) that there may be, with the directory of the programs
/// where it is known.
#[must_use]
pub fn kubelet_files(root: &Path) -> Vec<(PathBuf, Option<PathBuf>)> {
    let mut places = flags(root);
    for (config, bin) in KNOWN {
        let config = root.join(config);
        if places.iter().all(|(named, _)| *named != config) {
            places.push((config, bin.map(|bin| root.join(bin))));
        }
    }
    places
}

/// The configuration and the directory that kubelet's flags name, in the files that start it and in what runs
/// (<https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/>).
fn flags(root: &Path) -> Vec<(PathBuf, Option<PathBuf>)> {
    let mut files: Vec<PathBuf> = STARTERS.iter().map(|file| root.join(file)).collect();
    let listed = |dir: &str| fs::read_dir(root.join(dir)).into_iter().flatten().flatten();
    files.extend(listed("etc/systemd/system/kubelet.service.d").map(|entry| entry.path()));
    files.extend(listed("usr/lib/systemd/system/kubelet.service.d").map(|entry| entry.path()));
    // Anybody may run something whose arguments read like kubelet's, and be told by root what to install where.
    let is_roots_or_mine = |entry: &fs::DirEntry| {
        let me = rustix::process::geteuid().as_raw();
        (entry.metadata()).is_ok_and(|process| [0, me].contains(&process.uid()))
    };
    files.extend(
        listed("proc")
            .filter(is_roots_or_mine)
            .map(|entry| entry.path().join("cmdline")),
    );
    let mut places = Vec::new();
    for file in files {
        let Ok(text) = started_by(&file) else {
            continue;
        };
        let words: Vec<&str> = text
            .split(|c: char| c.is_whitespace() || "\0\"'".contains(c))
            .filter(|word| !word.is_empty())
            .collect();
        let flag = |name: &str| {
            let at = words
                .iter()
                .position(|word| word.trim_start_matches('-').starts_with(name))?;
            let value = match words[at].split_once('=') {
                Some((_, value)) => value,
                None => words.get(at + 1)?,
            };
            value.strip_prefix('/').map(|path| root.join(path))
        };
        let Some(config) = flag("image-credential-provider-config") else {
            continue;
        };
        if places.iter().all(|(known, _)| *known != config) {
            places.push((config, flag("image-credential-provider-bin-dir")));
        }
    }
    places
}

#[expect(
    clippy::disallowed_methods,
    reason = "it is looked at which files a kubelet was given: nothing of it steers this program"
)]
fn started_by(file: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(file)?
        .take(1 << 16)
        .read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Where `configure kubelet` writes, and where k3s and RKE2 (<https://docs.k3s.io/cli/agent>), EKS, AKS and GKE have theirs.
const KNOWN: [(&str, Option<&str>); 7] = [
    ("etc/kubernetes/credential-provider-config.yaml", None),
    (
        "var/lib/rancher/credentialprovider/config.yaml",
        Some("var/lib/rancher/credentialprovider/bin"),
    ),
    (
        "etc/eks/image-credential-provider/config.json",
        Some("etc/eks/image-credential-provider"),
    ),
    ("etc/kubernetes/credential-provider.yaml", None),
    ("var/lib/kubelet/credential-provider-config.yaml", None),
    ("etc/srv/kubernetes/cri_auth_config.yaml", None),
    ("opt/beta9/credential-provider.yaml", None),
];
/// What starts kubelet: kubeadm's flags, and the environment files of distributions.
const STARTERS: [&str; 6] = [
    "var/lib/kubelet/kubeadm-flags.env",
    "etc/default/kubelet",
    "etc/sysconfig/kubelet",
    "etc/systemd/system/kubelet.service",
    "etc/rancher/k3s/config.yaml",
    "etc/rancher/rke2/config.yaml",
];
