//! `[cache]`: where minted tokens are cached, and how many.

use std::path::PathBuf;
use std::time::Duration;

use super::env::Env;
use super::options::Cache;
use super::value::{Setting, Written};

/// Where minted tokens are cached, and how many.
#[derive(Clone, Debug)]
pub struct CacheConfig {
    /// Whether the cache is on.
    pub enabled: bool,
    /// The directories to try, in order. If none can be used, tokens are minted each time.
    pub dirs: Vec<PathBuf>,
    /// The most entries left after a mint.
    pub max_entries: u64,
    /// The most bytes left after a mint.
    pub max_bytes: u64,
    /// The greatest age of a store's last answer that may be used while the store can't be reached.
    pub stale_if_error: Duration,
}

impl Cache {
    /// The settings of both caches. On disk: the configured directory only, or the user's cache directory and then the
    /// session's. In memory: the configured directory, or a default one on tmpfs.
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
            ..cache.clone()
        };
        (cache, memory)
    }
}

/// Where tokens are cached that must not touch a disk.
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
