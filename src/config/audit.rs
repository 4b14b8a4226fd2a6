//! The settings of the audit log.

use std::path::PathBuf;

use super::env::Env;
use super::layer::cover;
use super::section::Section;
use crate::error::Error;

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

#[derive(Debug, Default)]
pub(super) struct AuditLayer {
    path: Option<PathBuf>,
    max_bytes: Option<u64>,
    keep: Option<u64>,
}

impl AuditLayer {
    pub(super) fn from_section(mut section: Section) -> Result<Self, Error> {
        let layer = Self {
            path: section.path("path")?,
            max_bytes: section.number("max_bytes")?,
            keep: section.number("keep")?,
        };
        section.finish()?;
        Ok(layer)
    }

    pub(super) fn from_env(env: &Env) -> Result<Self, Error> {
        Ok(Self {
            path: env.path("BETA9_AUDIT_LOG")?,
            ..Self::default()
        })
    }

    pub(super) fn cover_with(&mut self, over: Self) {
        cover(&mut self.path, over.path);
        cover(&mut self.max_bytes, over.max_bytes);
        cover(&mut self.keep, over.keep);
    }

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
