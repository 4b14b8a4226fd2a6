//! `Layer`: what one source says (a file, or the environment); layers are laid over one another key by key.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::ambient::{AMBIENT, AMBIENT_VARIABLE, Ambient};
use super::audit::AuditLayer;
use super::env::Env;
use super::kubelet::KubeletLayer;
use super::rule::Rule;
use super::section::{Section, parse_duration};
use super::stores::StoresLayer;
use super::{SINGLES, STORE_KINDS, Singles, StoreKind};
use crate::error::{Error, Problem};
use crate::trusted::{self, Fault, MAX_TEXT, Reader, Readers};

#[derive(Debug, Default)]
pub(super) struct Layer {
    pub(super) workspace: Option<String>,
    pub(super) timeout: Option<Duration>,
    pub(super) list_timeout: Option<Duration>,
    pub(super) ambient: Option<Ambient>,
    pub(super) store: Option<StoreKind>,
    pub(super) singles: Option<Singles>,
    pub(super) file_path: Option<PathBuf>,
    pub(super) file_key: Option<PathBuf>,
    pub(super) stores: StoresLayer,
    pub(super) cache: CacheLayer,
    pub(super) audit: AuditLayer,
    pub(super) kubelet: KubeletLayer,
    pub(super) rules: Vec<Rule>,
}

/// `[cache]`.
#[derive(Debug, Default)]
pub(super) struct CacheLayer {
    pub(super) enabled: Option<bool>,
    pub(super) dir: Option<PathBuf>,
    pub(super) max_entries: Option<u64>,
    pub(super) max_bytes: Option<u64>,
    pub(super) stale_if_error: Option<Duration>,
}

impl CacheLayer {
    fn from_section(mut section: Section) -> Result<Self, Error> {
        let layer = Self {
            enabled: section.flag("enabled")?,
            dir: section.path("dir")?,
            max_entries: section.number("max_entries")?,
            max_bytes: section.number("max_bytes")?,
            stale_if_error: section.duration("stale_if_error")?,
        };
        section.finish()?;
        Ok(layer)
    }

    fn cover_with(&mut self, over: Self) {
        cover(&mut self.enabled, over.enabled);
        cover(&mut self.dir, over.dir);
        cover(&mut self.max_entries, over.max_entries);
        cover(&mut self.max_bytes, over.max_bytes);
        cover(&mut self.stale_if_error, over.stale_if_error);
    }
}

impl Layer {
    /// Reads a configuration file; `None` when there is none.
    pub(super) fn from_file(path: &Path, read: Reader) -> Result<Option<Self>, Error> {
        let problem = |cause: &dyn std::fmt::Display| {
            Problem::new(format!("configuration {}", path.display()), cause)
        };
        let refused = |fault: Fault| fault.problem("configuration");
        let Some(bytes) = read(path, Readers::Anybody, MAX_TEXT).map_err(refused)? else {
            return Ok(None);
        };
        let text = trusted::text_of(path, bytes).map_err(refused)?;
        let table = toml::de::DeTable::parse(&text).map_err(|error| {
            let line = error
                .span()
                .map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            // The message names what was expected; unlike the error's Display it does not quote the file.
            problem(&format_args!("line {line}: {}", error.message()))
                .fix("correct the TOML")
                .failed()
        })?;
        Self::from_table(path, Section::new(path, "", table.into_inner())).map(Some)
    }

    fn from_table(path: &Path, mut top: Section) -> Result<Self, Error> {
        let mut layer = Self {
            workspace: top.text("workspace")?,
            timeout: top.duration("timeout")?,
            list_timeout: top.duration("list_timeout")?,
            ambient: top.take("ambient", AMBIENT, Ambient::from_toml)?,
            ..Self::default()
        };
        let mut store = top.section("store")?;
        layer.store = store.parsed("kind", STORE_KINDS, StoreKind::parse)?;
        layer.singles = store.parsed("single_secrets", SINGLES, Singles::parse)?;
        let mut file = store.section("file")?;
        layer.file_path = file.path("path")?;
        layer.file_key = file.path("key_file")?;
        file.finish()?;
        layer.stores = StoresLayer::from_section(&mut store)?;
        store.finish()?;
        layer.cache = CacheLayer::from_section(top.section("cache")?)?;
        layer.audit = AuditLayer::from_section(top.section("audit")?)?;
        layer.kubelet = KubeletLayer::from_section(top.section("kubelet")?)?;
        let rules = top.sections("registry")?;
        if !rules.is_empty() {
            let file: Rc<Path> = path.into();
            layer.rules = rules
                .into_iter()
                .map(|rule| Rule::from_section(rule, Rc::clone(&file)))
                .collect::<Result<_, _>>()?;
        }
        top.finish()?;
        Ok(layer)
    }

    /// Reads the environment's names for the same settings.
    pub(super) fn from_env(env: &Env) -> Result<Self, Error> {
        Ok(Self {
            workspace: env.text("BETA9_WORKSPACE_ID")?,
            timeout: parsed(
                env,
                "BETA9_TIMEOUT",
                "a duration such as 10s",
                parse_duration,
            )?,
            list_timeout: parsed(
                env,
                "BETA9_LIST_TIMEOUT",
                "a duration such as 2s",
                parse_duration,
            )?,
            ambient: parsed(env, "BETA9_AMBIENT", AMBIENT_VARIABLE, Ambient::parse)?,
            store: parsed(env, "BETA9_STORE", STORE_KINDS, StoreKind::parse)?,
            singles: parsed(env, "BETA9_SINGLE_SECRETS", SINGLES, Singles::parse)?,
            file_path: env.path("BETA9_STORE_PATH")?,
            file_key: env.path("BETA9_STORE_KEY_FILE")?,
            stores: StoresLayer::from_env(env)?,
            cache: CacheLayer {
                stale_if_error: parsed(
                    env,
                    "BETA9_STALE_IF_ERROR",
                    "a duration such as 15m",
                    parse_duration,
                )?,
                enabled: parsed(env, "BETA9_CACHE", "on or off", parse_flag)?,
                dir: env.path("BETA9_CACHE_DIR")?,
                ..CacheLayer::default()
            },
            audit: AuditLayer::from_env(env)?,
            kubelet: KubeletLayer {
                workload_identity: parsed(
                    env,
                    "BETA9_WORKLOAD_IDENTITY",
                    "true or false",
                    parse_flag,
                )?,
                ..KubeletLayer::default()
            },
            rules: Vec::new(),
        })
    }

    /// Lays `over` on top. Rules are the same rule when they have the same `host`; a rule of `over` wins key by key.
    pub(super) fn cover_with(&mut self, over: Self) {
        for rule in over.rules {
            match self.rules.iter_mut().find(|lower| lower.host == rule.host) {
                Some(lower) => lower.cover_with(rule),
                None => self.rules.push(rule),
            }
        }
        cover(&mut self.workspace, over.workspace);
        cover(&mut self.timeout, over.timeout);
        cover(&mut self.list_timeout, over.list_timeout);
        cover(&mut self.ambient, over.ambient);
        cover(&mut self.store, over.store);
        cover(&mut self.singles, over.singles);
        cover(&mut self.file_path, over.file_path);
        cover(&mut self.file_key, over.file_key);
        self.stores.cover_with(over.stores);
        self.cache.cover_with(over.cache);
        self.audit.cover_with(over.audit);
        self.kubelet.cover_with(over.kubelet);
    }
}

/// What is set above counts; what is not leaves what is set below.
pub(super) fn cover<T>(below: &mut Option<T>, above: Option<T>) {
    if above.is_some() {
        *below = above;
    }
}

pub(super) fn parsed<T>(
    env: &Env,
    name: &str,
    what: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Error> {
    let Some(text) = env.text(name)? else {
        return Ok(None);
    };
    let value = parse(&text);
    if value.is_none() {
        return Err(Problem::new(name, format_args!("it is not {what}"))
            .fix("correct it, or unset it")
            .failed());
    }
    Ok(value)
}

pub(super) fn parse_flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "on" | "yes" => Some(true),
        "false" | "0" | "off" | "no" => Some(false),
        _ => None,
    }
}
