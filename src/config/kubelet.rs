//! `[kubelet]`: what the `kubelet` verb may do, and how long kubelet may keep what it is answered.

use std::time::Duration;

use super::options::Kubelet;

/// How kubelet is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeletConfig {
    /// Whether a pod's service account may log in to a cloud's registry, where no rule says otherwise.
    pub workload_identity: bool,
    /// How long kubelet may keep a credential that has no end of its own.
    pub static_cache_duration: Duration,
}

impl Kubelet {
    pub(super) fn into_config(self) -> KubeletConfig {
        KubeletConfig {
            workload_identity: self.workload_identity.unwrap_or(false),
            static_cache_duration: self.static_cache_duration.unwrap_or(DEFAULT_STATIC),
        }
    }
}

/// A changed secret works within a minute, and the images of one pod are answered once.
const DEFAULT_STATIC: Duration = Duration::from_mins(1);
