//! The settings of the audit log.

use std::path::PathBuf;

use super::options::Audit;

/// `[audit]`: where it is written down who was answered what.
#[derive(Clone, Debug)]
pub struct AuditConfig {
    /// The file.
    pub path: PathBuf,
    /// How many bytes it may have before it is put aside.
    pub max_bytes: u64,
    /// How many files that were put aside are kept.
    pub keep: u64,
}

impl Audit {
    /// `None` where no file is named.
    pub(super) fn into_config(self) -> Option<AuditConfig> {
        Some(AuditConfig {
            path: self.path?,
            max_bytes: self.max_bytes.unwrap_or(DEFAULT_MAX_BYTES),
            keep: self.keep.unwrap_or(DEFAULT_KEEP).min(MOST_KEPT),
        })
    }
}

const DEFAULT_MAX_BYTES: u64 = 10 << 20;
const DEFAULT_KEEP: u64 = 5;
/// Each rotation renames all that are kept.
const MOST_KEPT: u64 = 1000;
