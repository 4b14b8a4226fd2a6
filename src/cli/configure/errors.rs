//! Why nothing can be configured as it was asked for.

use thiserror::Error;

use crate::error::{Code, Fault, Meaning};
use crate::host::HostError;
use crate::shown::shown;

#[derive(Debug, Error)]
pub(super) enum ConfigureError {
    #[error("{}", .0.cause)]
    NotFor(&'static NotFor),
    /// A flag.
    #[error("it goes with kubelet")]
    Kubelets(&'static str),
    /// A flag.
    #[error("it is not an absolute path")]
    Relative(&'static str),
    /// What was given.
    #[error("clients name helpers for whole registries")]
    Part(String),
    #[error("{1}")]
    Host(String, HostError),
    /// A store that cannot be asked has not said that it is empty.
    #[error("the store's registries cannot be listed ({0})")]
    Unlisted(String),
    /// What can be done instead, if anything was found.
    #[error("the store has no registries yet")]
    Empty(Option<String>),
}

/// A flag that a client has no use for.
#[derive(Debug)]
pub(super) struct NotFor {
    pub(super) client: &'static str,
    pub(super) flag: &'static str,
    cause: &'static str,
    fix: &'static str,
}

impl Fault for ConfigureError {
    fn meaning(&self) -> Meaning {
        let usage = |flag: &str| Meaning::new(Code::InputUsage, format!("--{flag}"));
        let store = Meaning::new(Code::StoreNotFound, "configure");
        match self {
            Self::NotFor(not) => usage(not.flag).fix(not.fix),
            Self::Kubelets(flag) => usage(flag).fix("leave it out, or configure kubelet"),
            Self::Relative(flag) => usage(flag).fix("give the whole path, from /"),
            Self::Part(text) | Self::Host(text, _) => {
                Meaning::new(Code::InputBadServerUrl, format!("--hosts {}", shown(text)))
                    .fix("give hosts such as ghcr.io or registry.example.com:5000")
            }
            Self::Unlisted(_) => store.fix("name them with --hosts"),
            Self::Empty(Some(offer)) => store.fix(offer.clone()),
            Self::Empty(None) => store.fix("name them with --hosts, or give --all"),
        }
    }
}

/// What would be ignored, which nobody may find out by a pull that fails.
pub(super) const NOT_FOR: [NotFor; 3] = [
    NotFor {
        client: "kubelet",
        flag: "all",
        cause: "kubelet has no pattern for every registry",
        fix: "leave it out for all registries that this helper knows and the store lists",
    },
    NotFor {
        client: "kubelet",
        flag: "system",
        cause: "a kubelet's file is the whole machine's already",
        fix: "leave it out",
    },
    NotFor {
        client: "containerd",
        flag: "system",
        cause: "a containerd's files are the whole machine's already",
        fix: "leave it out",
    },
];
