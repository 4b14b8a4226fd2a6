//! `Section`: a TOML table that is taken apart key by key; what is left over is an error that names its neighbour.

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use crate::error::{Error, Problem};
use crate::near;
use crate::shown::shown;

/// A table of a configuration file. It borrows from the file's text what needs no unescaping.
pub(super) struct Section<'a> {
    file: &'a Path,
    /// `store.file`, or empty at the top.
    name: String,
    table: DeTable<'a>,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    pub(super) fn new(file: &'a Path, name: impl Into<String>, table: DeTable<'a>) -> Self {
        Self {
            file,
            name: name.into(),
            table,
            known: Vec::new(),
        }
    }

    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, Error> {
        self.take(key, "a text", |value| {
            if let DeValue::String(text) = value {
                Some(text.into_owned())
            } else {
                None
            }
        })
    }

    /// A list of names, at least one.
    pub(super) fn texts(&mut self, key: &'static str) -> Result<Option<Vec<String>>, Error> {
        self.take(key, "a list of names such as [\"A\", \"B\"]", |value| {
            let DeValue::Array(list) = value else {
                return None;
            };
            let text = |item: Spanned<DeValue<'_>>| {
                item.get_ref()
                    .as_str()
                    .filter(|text| !text.is_empty())
                    .map(str::to_owned)
            };
            let texts: Vec<String> = list.into_iter().map(text).collect::<Option<_>>()?;
            (!texts.is_empty()).then_some(texts)
        })
    }

    pub(super) fn flag(&mut self, key: &'static str) -> Result<Option<bool>, Error> {
        self.take(key, "true or false", |value| value.as_bool())
    }

    pub(super) fn number(&mut self, key: &'static str) -> Result<Option<u64>, Error> {
        self.take(key, "a whole number", |value| match value {
            DeValue::Integer(number) => whole(&number),
            _ => None,
        })
    }

    pub(super) fn path(&mut self, key: &'static str) -> Result<Option<PathBuf>, Error> {
        let absolute = |text: &str| Some(PathBuf::from(text)).filter(|path| path.is_absolute());
        self.parsed(key, "an absolute path", absolute)
    }

    pub(super) fn duration(&mut self, key: &'static str) -> Result<Option<Duration>, Error> {
        self.take(
            key,
            "a duration such as \"10s\" or \"15m\"",
            |value| match value {
                DeValue::String(text) => parse_duration(&text),
                DeValue::Integer(number) => whole(&number)
                    .filter(|number| *number == 0)
                    .map(|_| Duration::ZERO),
                _ => None,
            },
        )
    }

    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        what: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        self.take(key, what, |value| value.as_str().and_then(parse))
    }

    pub(super) fn section(&mut self, key: &'static str) -> Result<Section<'a>, Error> {
        let table = self.take(key, "a table", |value| {
            if let DeValue::Table(table) = value {
                Some(table)
            } else {
                None
            }
        })?;
        Ok(Section::new(
            self.file,
            self.qualified(key),
            table.unwrap_or_default(),
        ))
    }

    pub(super) fn sections(&mut self, key: &'static str) -> Result<Vec<Section<'a>>, Error> {
        let list = |value| {
            if let DeValue::Array(list) = value {
                Some(list)
            } else {
                None
            }
        };
        let tables = self.take(key, "written [[registry]]", |value| {
            list(value)?
                .into_iter()
                .map(|item| {
                    if let DeValue::Table(table) = item.into_inner() {
                        Some(table)
                    } else {
                        None
                    }
                })
                .collect::<Option<Vec<_>>>()
        })?;
        let name = self.qualified(key);
        Ok(tables
            .unwrap_or_default()
            .into_iter()
            .map(|table| Section::new(self.file, name.clone(), table))
            .collect())
    }

    /// An error for a key that nobody took, with the nearest one that exists.
    pub(super) fn finish(self) -> Result<(), Error> {
        let Some(unknown) = self.table.keys().next().map(Spanned::get_ref) else {
            return Ok(());
        };
        let nearest = near::nearest(unknown, self.known.iter().copied());
        let place = if self.name.is_empty() {
            "at the top level".to_owned()
        } else {
            format!("in [{}]", self.name)
        };
        let fix = nearest.map_or_else(
            || "remove it".to_owned(),
            |key| format!("did you mean \"{key}\"?"),
        );
        Err(self
            .problem(format_args!("unknown key \"{}\" {place}", shown(unknown)))
            .fix(fix)
            .failed())
    }

    pub(super) fn problem(&self, cause: impl std::fmt::Display) -> Problem {
        Problem::new(format!("configuration {}", self.file.display()), cause)
    }

    /// Takes a key of any type; `what` says what a value that is not converted is not.
    pub(super) fn take<T>(
        &mut self,
        key: &'static str,
        what: &str,
        convert: impl FnOnce(DeValue<'a>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        self.known.push(key);
        let Some(value) = self.table.remove(key) else {
            return Ok(None);
        };
        let converted = convert(value.into_inner());
        if converted.is_none() {
            let name = self.qualified(key);
            return Err(self
                .problem(format_args!("\"{name}\" is not {what}"))
                .fix("correct it")
                .failed());
        }
        Ok(converted)
    }

    fn qualified(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        }
    }
}

fn whole(number: &DeInteger) -> Option<u64> {
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// `10s`, `500ms`, `15m`, or `0`.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        Some(Duration::ZERO)
    } else {
        humantime::parse_duration(text).ok()
    }
}
