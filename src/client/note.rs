//! The note of what was done to a client's file, beside it: `NAME.beta9-undo`; beside the file itself, not beside a link.
//!
//! It has the changed stretches alone and no copy of the file: a copy would keep the passwords that the file may hold,
//! long after a logout has removed them.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::edit::Splice;
use super::file::{Readers, Text, problem};
use super::place::{Place, Rights};
use crate::error::Error;
use crate::json::{self, Object, ObjectWriter, Value};

/// What kind of text a file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    /// Docker's and podman's JSON.
    #[default]
    Json,
    /// A registries.conf.
    Toml,
    /// One whose changed stretches are looked for again.
    Other,
}

/// A key that was given this helper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OurKey {
    pub(super) section: String,
    pub(super) key: Option<String>,
    pub(super) was: Option<String>,
}

impl OurKey {
    /// The key, and the helper that it had before.
    pub(super) fn new(section: &str, key: Option<&str>, was: Option<&str>) -> Self {
        Self {
            section: section.to_owned(),
            key: key.map(str::to_owned),
            was: was.map(str::to_owned),
        }
    }

    pub(super) fn name(&self) -> &str {
        self.key.as_deref().unwrap_or(&self.section)
    }
}

/// All that was done to one file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) form: Form,
    /// There was no file.
    pub(super) made: bool,
    /// How many directories were made for it.
    pub(super) dirs: usize,
    pub(super) before: String,
    pub(super) after: String,
    /// In the order made.
    pub(super) splices: Vec<Splice>,
    pub(super) keys: Vec<OurKey>,
}

impl Record {
    /// The note beside a file; `None` when nothing was changed.
    pub(super) fn read(file: &Place) -> Result<Option<Self>, Error> {
        let note = file.beside(NOTE);
        let Some(text) = note.read()? else {
            return Ok(None);
        };
        let record = json::parse_object(text.text.as_bytes())
            .ok()
            .and_then(|object| Self::parse(&object));
        let damaged = || {
            problem(note.path(), "it is damaged")
                .fix("change the client's file by hand, and remove it")
                .failed()
        };
        record.map(Some).ok_or_else(damaged)
    }

    /// Adds a change from `old` to `new`.
    pub(super) fn add(
        &mut self,
        form: Form,
        old: Option<&str>,
        new: &str,
        splices: &[Splice],
        keys: &[OurKey],
    ) {
        if self.after.is_empty() {
            (self.made, self.before) = (old.is_none(), hash(old.unwrap_or_default()));
        }
        self.splices.extend_from_slice(splices);
        (self.form, self.after) = (form, hash(new));
        for key in keys {
            if !self
                .keys
                .iter()
                .any(|known| (&known.section, &known.key) == (&key.section, &key.key))
            {
                self.keys.push(key.clone());
            }
        }
    }

    /// Removes the note, and the directories made for it.
    pub(super) fn discard(file: &Place, dirs: usize) -> Result<(), Error> {
        file.beside(NOTE).remove(None, dirs)
    }

    /// Writes the note of a file, for those who may read `text`, what is in the file: the note has stretches of it.
    pub(super) fn write(&self, file: &Place, text: Option<&Text>) -> Result<(), Error> {
        let note = file.beside(NOTE);
        let old = note.read()?;
        let mut out = ObjectWriter::with_capacity(1024);
        let form = FORMS
            .iter()
            .find_map(|(form, name)| (*form == self.form).then_some(*name));
        out.text("form", form.unwrap_or_default())
            .flag("made", self.made)
            .text("dirs", &self.dirs.to_string());
        out.text("before", &self.before).text("after", &self.after);
        let splices: Vec<_> = self
            .splices
            .iter()
            .flat_map(|one| [one.at.to_string(), one.was.clone(), one.is.clone()])
            .collect();
        out.texts("changes", splices.iter().map(String::as_str));
        let marked = |text: &Option<String>| {
            text.as_ref()
                .map_or(String::new(), |text| format!("={text}"))
        };
        let keys: Vec<_> = self
            .keys
            .iter()
            .flat_map(|key| [key.section.clone(), marked(&key.key), marked(&key.was)])
            .collect();
        out.texts("keys", keys.iter().map(String::as_str));
        note.replace(
            old.as_ref(),
            &out.finish(),
            &Rights::of(text, Readers::Owner),
        )
    }

    fn parse(object: &Object) -> Option<Self> {
        let text = |name| object.text(name).map(|text| text.expose().to_owned());
        let form = text("form")?;
        let unmarked = |text: &str| text.strip_prefix('=').map(str::to_owned);
        let splice = |three: &[String]| {
            Some(Splice {
                at: three[0].parse().ok()?,
                was: three[1].clone(),
                is: three[2].clone(),
            })
        };
        Some(Self {
            form: FORMS
                .iter()
                .find_map(|(known, name)| (*name == form).then_some(*known))?,
            made: *object.get("made")? == Value::Bool(true),
            dirs: text("dirs")?.parse().ok()?,
            before: text("before")?,
            after: text("after")?,
            splices: texts(object, "changes")?
                .chunks_exact(3)
                .map(splice)
                .collect::<Option<_>>()?,
            keys: texts(object, "keys")?
                .chunks_exact(3)
                .map(|three| OurKey {
                    section: three[0].clone(),
                    key: unmarked(&three[1]),
                    was: unmarked(&three[2]),
                })
                .collect(),
        })
    }
}

fn texts(object: &Object, name: &str) -> Option<Vec<String>> {
    let Value::Array(list) = object.get(name)? else {
        return None;
    };
    list.iter()
        .map(|value| {
            if let Value::Text(text) = value {
                Some(text.expose().to_owned())
            } else {
                None
            }
        })
        .collect()
}

/// The file that a note is about.
#[must_use]
pub fn changed_by_note(note: &Path) -> Option<PathBuf> {
    let name = note.file_name()?.to_str()?.strip_suffix(NOTE)?;
    Some(note.with_file_name(name))
}

/// What tells whether a text is still the same.
pub(super) fn hash(text: &str) -> String {
    STANDARD.encode(digest(&SHA256, text.as_bytes()))
}

const FORMS: [(Form, &str); 3] = [
    (Form::Json, "json"),
    (Form::Toml, "toml"),
    (Form::Other, "text"),
];
/// What the note's name adds to the file's.
pub(super) const NOTE: &str = ".beta9-undo";
