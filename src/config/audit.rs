//! `AuditConfig`: the settings of the audit log.

use std::path::PathBuf;

use super::options::Audit;

/// `[audit]`: the settings of the audit log.
#[derive(Clone, Debug)]
pub struct AuditConfig {
    /// The file.
    pub path: PathBuf,
    /// The size in bytes from which it is rotated.
    pub max_bytes: u64,
    /// How many rotated files are kept.
    pub keep: u64,
}

impl Audit {
    /// `None` if no file is named.
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
/// A limit, because each rotation renames all kept files.
const MOST_KEPT: u64 = 1000;
