//! `Options`: all settings, as one source sets them: a configuration file or the environment.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::ambient::Ambient;
use super::cache::MemoryDir;
use super::env::Env;
use super::rule::{Provider, Url};
use super::stores::{Singles, StoreKind};
use super::value::{Setting, read};
use crate::credential::Redacted;
use crate::error::Error;
use crate::host::{Host, Pattern};

/// One or several settings from a source; `None` for those it does not set.
pub(super) trait Source: Default {
    /// Reads the environment; empty by default.
    fn from_env(_: &Env) -> Result<Self, Error> {
        Ok(Self::default())
    }

    /// Overrides settings with those of another source, key by key.
    fn merge(&mut self, above: Self);
}

/// A section: `key: type = "VARIABLE" "what an invalid value is not"`, then its subsections. The keys of a `pair` are
/// alternatives: one source must not set both, and a higher source's setting replaces either.
macro_rules! sections {
    ($($section:ident is $what:literal $(with pair $one:ident $other:ident)? {
        $($key:ident: $type:ty $(= $variable:literal $($is_not:literal)?)?,)*
        $($(#[$attribute:meta])* [$inner:ident: $sections:ty])*
    })*) => {$(
        #[derive(Default, Deserialize)]
        #[serde(default, deny_unknown_fields, expecting = $what)]
        pub(super) struct $section {
            $(#[serde(deserialize_with = "read")] pub(super) $key: Option<$type>,)*
            $($(#[$attribute])* pub(super) $inner: $sections,)*
        }

        $(impl $section {
            pub(super) fn has_both(&self) -> bool {
                self.$one.is_some() && self.$other.is_some()
            }

            pub(super) fn has_either(&self) -> bool {
                self.$one.is_some() || self.$other.is_some()
            }
        })?

        impl Source for $section {
            fn from_env(env: &Env) -> Result<Self, Error> {
                _ = env; // Some sections have no variables.
                Ok(Self {
                    $($key: None $(.or(<$type as Setting>::from_env(env, $variable, [$($is_not,)? <$type>::WHAT][0])?))?,)*
                    $($inner: Source::from_env(env)?,)*
                })
            }

            fn merge(&mut self, above: Self) {
                $(if above.has_either() {
                    (self.$one, self.$other) = (None, None);
                })?
                $(self.$key = above.$key.or(self.$key.take());)*
                $(self.$inner.merge(above.$inner);)*
            }
        }
    )*};
}

sections! {
    Options is "a table" {
        workspace: String = "BETA9_WORKSPACE_ID",
        timeout: Duration = "BETA9_TIMEOUT" "a duration such as 10s",
        list_timeout: Duration = "BETA9_LIST_TIMEOUT" "a duration such as 2s",
        ambient: Ambient = "BETA9_AMBIENT" "true, false or a list such as aws,gcp,azure",
        [store: Store]
        [cache: Cache]
        [audit: Audit]
        [kubelet: Kubelet]
        [registry: Vec<Registry>]
    }

    Store is "a table" {
        kind: StoreKind = "BETA9_STORE",
        single_secrets: Singles = "BETA9_SINGLE_SECRETS",
        [file: File]
        [gateway: Gateway]
        [worker: Worker]
        [postgres: Postgres]
    }

    File is "a table" {
        path: PathBuf = "BETA9_STORE_PATH",
        key_file: PathBuf = "BETA9_STORE_KEY_FILE",
    }

    Gateway is "a table" with pair token token_file {
        url: String = "BETA9_GATEWAY_URL",
        token: Redacted = "BETA9_TOKEN",
        token_file: PathBuf,
        context: String = "BETA9_CONTEXT",
        insecure: bool,
    }

    Worker is "a table" with pair token token_file {
        address: String = "BETA9_WORKER_ADDRESS",
        token: Redacted = "BETA9_WORKER_TOKEN",
        token_file: PathBuf,
        stub_id: String = "BETA9_STUB_ID",
        image_id: String = "BETA9_IMAGE_ID",
        required: bool = "BETA9_WORKER_REQUIRED",
    }

    Postgres is "a table" with pair url url_file {
        url: Redacted = "BETA9_DATABASE_URL",
        url_file: PathBuf,
    }

    Cache is "a table" {
        enabled: bool = "BETA9_CACHE" "on or off",
        dir: PathBuf = "BETA9_CACHE_DIR",
        memory_dir: MemoryDir = "BETA9_CACHE_MEMORY_DIR" "off or an absolute path",
        max_entries: u64,
        max_bytes: u64,
        stale_if_error: Duration = "BETA9_STALE_IF_ERROR" "a duration such as 15m",
    }

    Audit is "a table" {
        path: PathBuf = "BETA9_AUDIT_LOG",
        max_bytes: u64,
        keep: u64,
    }

    Kubelet is "a table" {
        workload_identity: bool = "BETA9_WORKLOAD_IDENTITY",
        static_cache_duration: Duration,
    }

    Registry is "written [[registry]]" with pair secret secrets {
        host: Pattern,
        backend: String,
        secret: String,
        secrets: Vec<String>,
        ambient: Ambient,
        required: bool,
        workload_identity: bool,
        alias_of: Host,
        role_arn: String,
        external_id: String,
        profile: String,
        region: String,
        endpoint_url: Url,
        workload_identity_provider: Provider,
        #[serde(skip)]
        [file: PathBuf]
    }
}

/// Rules with the same `host` are merged.
impl Source for Vec<Registry> {
    fn merge(&mut self, above: Self) {
        for rule in above {
            match self.iter_mut().find(|lower| lower.host == rule.host) {
                Some(lower) => lower.merge(rule),
                None => self.push(rule),
            }
        }
    }
}

/// The file of a rule; the highest source wins.
impl Source for PathBuf {
    fn merge(&mut self, above: Self) {
        *self = above;
    }
}

impl Options {
    /// Reads the environment, and secrets from systemd credentials, which other processes can't read, unlike a
    /// service's environment.
    pub(super) fn of_environment(env: &Env) -> Result<Self, Error> {
        let mut options = Self::from_env(env)?;
        let Store {
            gateway,
            worker,
            postgres,
            ..
        } = &mut options.store;
        for (secret, file, credential) in [
            (&gateway.token, &mut gateway.token_file, "beta9-token"),
            (&worker.token, &mut worker.token_file, "beta9-worker-token"),
            (&postgres.url, &mut postgres.url_file, "beta9-database-url"),
        ] {
            if secret.is_none() {
                *file = env.credential(credential)?;
            }
        }
        Ok(options)
    }
}
