//! The note of what was done to a client's file, beside it: `NAME.beta9-undo`; beside the file itself, not beside a link.
//!
//! It has what `--force` replaced and what the file lacked, and no copy of the file: a copy would keep the passwords that the
//! file may hold, long after a logout has removed them.

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

/// All that was done to one file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Note {
    /// Whether there is a note.
    #[serde(skip)]
    pub(super) is_there: bool,
    /// There was no file.
    pub(super) made: bool,
    /// How many directories were made for it.
    pub(super) made_dirs: usize,
    /// What was there before, each thing once: by section, or for a key of `credHelpers` by [`noted_as`].
    pub(super) was: IndexMap<String, Value>,
    /// What version 0.1 wrote instead: section, key and helper, each behind a `=` where there is one.
    #[serde(skip_serializing)]
    keys: Vec<String>,
    /// And the place, the old and the new text of each change.
    #[serde(skip_serializing)]
    changes: Vec<String>,
}

impl Note {
    /// The note beside a file; an empty one when nothing was changed.
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

    /// Whether the old or the new text of a change by version 0.1, which are its second and third, has this word.
    fn changed(&self, at: usize, word: &str) -> bool {
        let mut texts = self.changes.iter().skip(at).step_by(3);
        texts.any(|text| text.contains(word))
    }

    /// Notes what was there, unless an earlier change has.
    pub(super) fn add(&mut self, what: &str, was: Value) {
        self.was.entry(what.to_owned()).or_insert(was);
    }

    /// Whether anything of `credHelpers` is noted.
    pub(super) fn has_helpers(&self) -> bool {
        self.was.keys().any(|what| what.starts_with(CRED_HELPERS))
    }

    /// Writes the note of a file, for those who may read `text`, what is in the file.
    pub(super) fn write(&self, file: &Place, text: Option<&Text>) -> Result<(), Error> {
        let note = file.beside(NOTE);
        let old = note.read()?;
        let new = json!(self).to_string();
        note.put(old.as_ref(), &new, text, Readers::Owner)
    }

    /// Removes the note, and the directories made for it.
    pub(super) fn discard(file: &Place, dirs: usize) -> Result<(), Error> {
        file.beside(NOTE).remove(None, dirs)
    }
}

/// What the helper of a key of `credHelpers`, or without a key that of `credsStore`, is noted as.
pub(super) fn noted_as(key: Option<&str>) -> String {
    key.map_or_else(
        || CREDS_STORE.to_owned(),
        |key| format!("{CRED_HELPERS}.{key}"),
    )
}

/// The file that a note is about.
pub fn changed_by_note(note: &Path) -> Option<PathBuf> {
    let name = note.file_name()?.to_str()?.strip_suffix(NOTE)?;
    Some(note.with_file_name(name))
}

/// What the note's name adds to the file's.
const NOTE: &str = ".beta9-undo";
