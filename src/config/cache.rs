//! `[cache]`: where minted tokens are kept, and how many.

use std::path::PathBuf;
use std::time::Duration;

use super::env::Env;
use super::options::Cache;
use super::value::{Setting, Written};

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
    /// The configured directory alone, or else the user's cache directory and, where that cannot be used, the session's; and
    /// the cache for what may not touch a disk, whose default directory is one that is on tmpfs.
    pub(super) fn into_configs(self, env: &Env) -> (CacheConfig, CacheConfig) {
        let memory_dir = match self.memory_dir {
            Some(MemoryDir::Off) => None,
            Some(MemoryDir::At(dir)) => Some(dir),
            None if rustix::process::geteuid().is_root() => Some(PathBuf::from(MEMORY_DIR_OF_ROOT)),
            None => env.session_dir().map(|dir| dir.join(BELOW)),
        };
        let dirs = match self.dir {
            Some(dir) => vec![dir],
            None => [env.xdg("XDG_CACHE_HOME", ".cache"), env.session_dir()]
                .into_iter()
                .flatten()
                .map(|dir| dir.join(BELOW))
                .collect(),
        };
        let cache = CacheConfig {
            enabled: self.enabled.unwrap_or(true),
            dirs,
            max_entries: self.max_entries.unwrap_or(1024),
            max_bytes: self.max_bytes.unwrap_or(8 << 20),
            stale_if_error: self.stale_if_error.unwrap_or(Duration::from_mins(15)),
        };
        let memory = CacheConfig {
            enabled: cache.enabled && memory_dir.is_some(),
            dirs: memory_dir.into_iter().collect(),
            max_entries: cache.max_entries,
            max_bytes: cache.max_bytes,
            stale_if_error: cache.stale_if_error,
        };
        (cache, memory)
    }
}

/// Where tokens are kept that may not touch a disk.
pub(super) enum MemoryDir {
    /// Nowhere.
    Off,
    /// In this directory, if it is on tmpfs.
    At(PathBuf),
}

impl Setting for MemoryDir {
    const WHAT: &'static str = "\"off\" or an absolute path";

    fn parse(written: Written) -> Option<Self> {
        match written {
            Written::Flag(false) => Some(Self::Off),
            other => match &*other.text()? {
                "off" => Some(Self::Off),
                path => Some(Self::At(path.into())).filter(|_| path.starts_with('/')),
            },
        }
    }
}

const MEMORY_DIR_OF_ROOT: &str = "/run/beta9/tokens";
const BELOW: &str = "beta9/tokens";
