//! `[cache]`: where minted tokens are kept, and how many.

use std::path::PathBuf;
use std::time::Duration;

use super::env::Env;
use super::options::Cache;

/// Where minted tokens are kept, and how many.
#[derive(Clone, Debug)]
pub struct CacheConfig {
    /// Whether they are kept at all.
    pub enabled: bool,
    /// The directories to try, in order; with none of them usable, tokens are minted each time.
    pub dirs: Vec<PathBuf>,
    /// At most this many entries are left after a mint.
    pub max_entries: u64,
    /// At most this many bytes are left after a mint.
    pub max_bytes: u64,
    /// How old a store's last answer may be that stands in for a store that cannot be reached.
    pub stale_if_error: Duration,
}

impl Cache {
    /// The configured directory alone, or else the user's cache directory and, where that cannot be used, the session's.
    pub(super) fn into_config(self, env: &Env) -> CacheConfig {
        let dirs = match self.dir {
            Some(dir) => vec![dir],
            None => [env.xdg("XDG_CACHE_HOME", ".cache"), env.session_dir()]
                .into_iter()
                .flatten()
                .map(|dir| dir.join("beta9/tokens"))
                .collect(),
        };
        CacheConfig {
            enabled: self.enabled.unwrap_or(true),
            dirs,
            max_entries: self.max_entries.unwrap_or(1024),
            max_bytes: self.max_bytes.unwrap_or(8 << 20),
            stale_if_error: self.stale_if_error.unwrap_or(Duration::from_mins(15)),
        }
    }
}
