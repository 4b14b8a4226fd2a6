//! The caches of a resolver: on disk, and on tmpfs for tokens that must not touch a disk.

use super::Resolver;
use crate::cache::Cache;
use crate::store::Keep;
use crate::trusted::FileError;

impl Resolver {
    /// The cache, opened on first use; `None` if it is off or unusable.
    pub(super) fn cache(&self) -> Option<&Cache> {
        let open = || {
            let config = &self.config;
            Cache::open(&config.cache, &config.file_key, &self.warnings)
                .map(|cache| self.as_asked(cache))
        };
        self.cache.get_or_init(open).as_ref()
    }

    /// The cache on tmpfs, opened on first use. It may be missing.
    fn memory_cache(&self) -> Option<&Cache> {
        let open = || {
            let config = &self.config.memory_cache;
            let opened = Cache::open_memory(config, &self.warnings);
            if let Err(fault) = &opened
                && config.enabled
            {
                self.log.note(format_args!("cache in memory: {fault}"));
            }
            opened.ok().map(|cache| self.as_asked(cache))
        };
        self.memory_cache.get_or_init(open).as_ref()
    }

    fn as_asked(&self, cache: Cache) -> Cache {
        cache.with_log(&self.log).with_min_life(self.min_life)
    }

    /// The cache that a token may be kept in, if there is one.
    pub(super) fn cache_for(&self, keep: Keep) -> Option<&Cache> {
        match keep {
            Keep::Disk => self.cache(),
            Keep::Memory => self.memory_cache(),
            Keep::MemoryFirst => self.memory_cache().or_else(|| self.cache()),
            Keep::Nowhere => None,
        }
    }

    /// The existing cache on disk, even while it is off, because entries may have to be removed. Makes nothing.
    pub(super) fn existing_cache(&self) -> Result<Option<Cache>, FileError> {
        Cache::existing(&self.config.cache, &self.config.file_key, &self.warnings)
    }

    /// The same; a fault is a warning.
    pub(super) fn cache_that_exists(&self) -> Option<Cache> {
        self.existing_cache().unwrap_or_else(|fault| {
            self.warnings.add(format_args!("token cache: {fault}"));
            None
        })
    }

    /// The existing cache on tmpfs.
    pub(super) fn existing_memory_cache(&self) -> Option<Cache> {
        Cache::existing_memory(&self.config.memory_cache, &self.warnings)
    }

    /// The existing cache for such tokens, if there is one.
    pub(super) fn existing_for(&self, keep: Keep) -> Option<Cache> {
        let disk = || self.existing_cache().ok()?;
        match keep {
            Keep::Disk => disk(),
            Keep::Memory => self.existing_memory_cache(),
            Keep::MemoryFirst => self.existing_memory_cache().or_else(disk),
            Keep::Nowhere => None,
        }
    }
}
