//! `[kubelet]`: the settings of the `kubelet` verb.

use std::time::Duration;

use super::options::Kubelet;

/// Settings for answering kubelet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeletConfig {
    /// Whether a pod's service account may log in to cloud registries, unless a rule says otherwise.
    pub workload_identity: bool,
    /// How long kubelet may cache a credential without a known expiry.
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

/// Short enough that a changed secret takes effect within a minute, and long enough that kubelet asks once for a pod's
/// images.
const DEFAULT_STATIC: Duration = Duration::from_mins(1);
