//! The registry settings of containerd's CRI plugin.

use toml::{Table, Value};
use toml_edit::{Document, Item};

use super::daemon::Configuration;

/// The plugin's tables, under all names that it has had.
pub(super) struct Cri<'a> {
    tables: Vec<&'a Table>,
}

impl<'a> Cri<'a> {
    /// `None` if the plugin is off, as in docker's package.
    pub(super) fn of(config: &'a Table) -> Option<Self> {
        let disabled = config.get("disabled_plugins").and_then(Value::as_array);
        let mut disabled = disabled.into_iter().flatten().filter_map(Value::as_str);
        if disabled.any(|name| PLUGINS.contains(&name)) {
            return None;
        }
        let plugins = config.get("plugins").and_then(Value::as_table);
        let tables = PLUGINS
            .iter()
            .filter_map(|name| plugins?.get(*name)?.as_table());
        Some(Self {
            tables: tables.collect(),
        })
    }

    /// Whether any registry setting exists.
    pub(super) fn is_set(&self) -> bool {
        self.registry().next().is_some()
    }

    fn registry(&self) -> impl Iterator<Item = &'a Table> {
        let tables = self.tables.iter();
        tables.filter_map(|table| table.get("registry")?.as_table())
    }

    /// The directories, separated by colons.
    pub(super) fn config_path(&self) -> Option<&'a str> {
        let tables = self.registry();
        let mut paths = tables.filter_map(|table| table.get("config_path")?.as_str());
        paths.find(|path| !path.is_empty())
    }

    /// The registries in `mirrors`, `configs` or `auths`, with their settings.
    pub(super) fn hosts(&self, key: &str) -> Vec<(&'a String, &'a Table)> {
        let tables = self.registry();
        let entries = tables
            .filter_map(|table| table.get(key)?.as_table())
            .flatten();
        entries
            .filter_map(|(host, value)| Some((host, value.as_table()?)))
            .collect()
    }

    /// Whether images are pulled without the transfer service, as `CheckLocalImagePullConfigs` decides
    /// (<https://github.com/containerd/containerd/blob/main/internal/cri/config/config.go>).
    pub(super) fn pulls_locally(&self) -> bool {
        let tables = self.tables.iter();
        let inner = tables.filter_map(|table| table.get("containerd")?.as_table());
        let all: Vec<&Table> = self.tables.iter().copied().chain(inner).collect();
        let is = |key: &str, not: &Value| {
            let mut values = all.iter().filter_map(|table| table.get(key));
            values.any(|value| value != not)
        };
        let (no, yes) = (Value::Boolean(false), Value::Boolean(true));
        is("use_local_image_pull", &no)
            || is("discard_unpacked_layers", &no)
            || is("image_pull_with_sync_fs", &no)
            || is("disable_snapshot_annotations", &yes)
            || is("max_concurrent_downloads", &Value::Integer(3))
            || ["mirrors", "configs", "auths"]
                .iter()
                .any(|key| !self.hosts(key).is_empty())
    }
}

/// The header of the registry table for the configuration's version.
pub(super) fn table_for(read: &Configuration) -> String {
    let version = read
        .files
        .first()
        .and_then(|file| file.table.get("version"));
    let is_new = read.version.is_some_and(|(major, _)| major > 1);
    let name = match version.and_then(Value::as_integer) {
        Some(3..) => PLUGINS[0],
        None if is_new || read.files.is_empty() => PLUGINS[0],
        Some(2) => PLUGINS[1],
        _ => PLUGINS[2],
    };
    format!("[plugins.\"{name}\".registry]")
}

/// The number of the line that sets only `config_path`.
pub(super) fn line_of_path(text: &str) -> Option<usize> {
    let document = Document::parse(text).ok()?;
    let plugins = document.get("plugins")?;
    let mut items = PLUGINS
        .iter()
        .filter_map(|name| plugins.get(name)?.get("registry")?.get("config_path"));
    let start = items.find_map(Item::span)?.start;
    let before = text.get(..start)?;
    let line = before.rsplit('\n').next()?.trim_start();
    line.starts_with("config_path")
        .then(|| before.matches('\n').count() + 1)
}

/// The plugin's names in versions 3, 2 and 1 of the configuration.
const PLUGINS: [&str; 3] = [
    "io.containerd.cri.v1.images",
    "io.containerd.grpc.v1.cri",
    "cri",
];
