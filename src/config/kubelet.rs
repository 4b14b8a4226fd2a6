//! `[kubelet]`: what the `kubelet` verb may do, and how long kubelet may keep what it is answered.

use std::time::Duration;

use super::layer::cover;
use super::section::Section;
use crate::error::Error;

/// How kubelet is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeletConfig {
    /// Whether a pod's service account may log in to a cloud's registry, where no rule says otherwise.
    pub workload_identity: bool,
    /// How long kubelet may keep a credential that has no end of its own.
    pub static_cache_duration: Duration,
}

/// What one source says of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KubeletLayer {
    pub(super) workload_identity: Option<bool>,
    pub(super) static_cache_duration: Option<Duration>,
}

impl KubeletLayer {
    pub(super) fn from_section(mut section: Section) -> Result<Self, Error> {
        let layer = Self {
            workload_identity: section.flag("workload_identity")?,
            static_cache_duration: section.duration("static_cache_duration")?,
        };
        section.finish()?;
        Ok(layer)
    }

    pub(super) fn cover_with(&mut self, over: Self) {
        cover(&mut self.workload_identity, over.workload_identity);
        cover(&mut self.static_cache_duration, over.static_cache_duration);
    }

    pub(super) fn into_config(self) -> KubeletConfig {
        KubeletConfig {
            workload_identity: self.workload_identity.unwrap_or(false),
            static_cache_duration: self.static_cache_duration.unwrap_or(DEFAULT_STATIC),
        }
    }
}

/// A changed secret works within a minute, and the images of one pod are answered once.
const DEFAULT_STATIC: Duration = Duration::from_mins(1);
