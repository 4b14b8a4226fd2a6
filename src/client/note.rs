//! The note of changes to a client's file, for undoing them: `NAME.beta9-undo`, beside the file itself rather than a
//! link to it.
//!
//! It records what `--force` replaced and what was missing before, but has no copy of the file, which would keep its
//! passwords long after a logout removed them.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::auth_file::{CRED_HELPERS, CREDS_STORE};
use super::file::{Readers, Text};
use super::place::Place;
use super::refusal::FileFault;
use super::registries::CREDENTIAL_HELPERS;
use crate::error::Error;

/// All changes made to one file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Note {
    /// Whether the note exists.
    #[serde(skip)]
    pub(super) is_there: bool,
    /// Whether the file was created.
    pub(super) made: bool,
    /// How many directories were created for it.
    pub(super) made_dirs: usize,
    /// The original values: by section, or for a key of `credHelpers` by [`noted_as`].
    pub(super) was: IndexMap<String, Value>,
    /// Version 0.1's form of the same: section, key and helper, each after a `=` if present.
    #[serde(skip_serializing)]
    keys: Vec<String>,
    /// Also version 0.1's: the place, the old and the new text of each change.
    #[serde(skip_serializing)]
    changes: Vec<String>,
}

impl Note {
    /// Reads the note beside a file; empty if nothing was changed.
    pub(super) fn read(file: &Place) -> Result<Self, Error> {
        let note = file.beside(NOTE);
        let Some(text) = note.read()? else {
            return Ok(Self::default());
        };
        let Ok(mut read) = serde_json::from_str::<Self>(&text.text) else {
            return Err(FileFault::DamagedNote.of(note.path()));
        };
        if read.changed(1, "matchImages") {
            return Err(FileFault::OldNote.of(note.path()));
        }
        read.is_there = true;
        read.understand_0_1();
        Ok(read)
    }

    fn understand_0_1(&mut self) {
        let [helpers, list] = [CRED_HELPERS, CREDENTIAL_HELPERS].map(|name| self.changed(2, name));
        let keys = std::mem::take(&mut self.keys);
        for three in keys.chunks_exact(3) {
            let key = three[1].strip_prefix('=');
            match three[0].as_str() {
                CRED_HELPERS | CREDS_STORE => {
                    self.add(&noted_as(key), json!(three[2].strip_prefix('=')));
                }
                _ => {}
            }
        }
        if !keys.is_empty() && !helpers && self.has_helpers() {
            self.add(CRED_HELPERS, json!(true));
        }
        if list {
            self.add(CREDENTIAL_HELPERS, json!([]));
        }
    }

    /// Whether the old (second) or new (third) text of a change by version 0.1 has this word.
    fn changed(&self, at: usize, word: &str) -> bool {
        let mut texts = self.changes.iter().skip(at).step_by(3);
        texts.any(|text| text.contains(word))
    }

    /// Records an original value, unless an earlier change already did.
    pub(super) fn add(&mut self, what: &str, was: Value) {
        self.was.entry(what.to_owned()).or_insert(was);
    }

    /// Whether the note has values of `credHelpers`.
    pub(super) fn has_helpers(&self) -> bool {
        self.was.keys().any(|what| what.starts_with(CRED_HELPERS))
    }

    /// Writes the note. Only those who may read the file, `text`, may read it.
    pub(super) fn write(&self, file: &Place, text: Option<&Text>) -> Result<(), Error> {
        let note = file.beside(NOTE);
        let old = note.read()?;
        let new = json!(self).to_string();
        note.put(old.as_ref(), &new, text, Readers::Owner)
    }

    /// Removes the note, and the directories created for it.
    pub(super) fn discard(file: &Place, dirs: usize) -> Result<(), Error> {
        file.beside(NOTE).remove(None, dirs)
    }
}

/// The note's name for the helper of a key in `credHelpers` or, without a key, in `credsStore`.
pub(super) fn noted_as(key: Option<&str>) -> String {
    key.map_or_else(
        || CREDS_STORE.to_owned(),
        |key| format!("{CRED_HELPERS}.{key}"),
    )
}

/// The file that a note belongs to.
pub fn changed_by_note(note: &Path) -> Option<PathBuf> {
    let name = note.file_name()?.to_str()?.strip_suffix(NOTE)?;
    Some(note.with_file_name(name))
}

/// The suffix of the note's name.
const NOTE: &str = ".beta9-undo";
