//! The note of what was done to a client's file, beside it: `NAME.beta9-undo`; beside the file itself, not beside a link.
//!
//! It has what `--force` replaced and what the file lacked, and no copy of the file: a copy would keep the passwords that the
//! file may hold, long after a logout has removed them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::auth_file::CRED_HELPERS;
use super::file::{Readers, Text};
use super::place::Place;
use super::refusal::problem;
use super::registries::CREDENTIAL_HELPERS;
use crate::error::Error;

/// All that was done to one file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Note {
    /// There was no file.
    pub(super) made: bool,
    /// How many directories were made for it.
    pub(super) made_dirs: usize,
    /// What was there before, each thing once.
    pub(super) was: Vec<Was>,
    /// What version 0.1 wrote instead: section, key and helper, each behind a `=` where there is one.
    #[serde(skip_serializing)]
    keys: Vec<String>,
    /// And the place, the old and the new text of each change.
    #[serde(skip_serializing)]
    changes: Vec<String>,
}

/// What stood in a section, or in a key of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Was {
    pub(super) section: String,
    pub(super) key: Option<String>,
    pub(super) value: Value,
}

impl Note {
    /// The note beside a file; `None` when nothing was changed.
    pub(super) fn read(file: &Place) -> Result<Option<Self>, Error> {
        let note = file.beside(NOTE);
        let Some(text) = note.read()? else {
            return Ok(None);
        };
        let Ok(mut read) = serde_json::from_str::<Self>(&text.text) else {
            let fix = "change the client's file by hand, and remove it";
            return Err(problem(note.path(), "it is damaged").fix(fix).failed());
        };
        if read.changed(1, "matchImages") {
            let cause = "version 0.1 wrote it over an entry that --force replaced";
            let fix = "put that entry back into kubelet's file by hand, and remove the note";
            return Err(problem(note.path(), cause).fix(fix).failed());
        }
        read.understand_0_1();
        Ok(Some(read))
    }

    fn understand_0_1(&mut self) {
        let [helpers, list] = [CRED_HELPERS, CREDENTIAL_HELPERS].map(|name| self.changed(2, name));
        let keys = std::mem::take(&mut self.keys);
        for three in keys
            .chunks_exact(3)
            .filter(|three| three[0] != CREDENTIAL_HELPERS)
        {
            let [key, was] = [&three[1], &three[2]].map(|text| text.strip_prefix('='));
            self.add(&three[0], key, json!(was));
        }
        if !keys.is_empty() && !helpers && !self.lacks(CRED_HELPERS) {
            self.add(CRED_HELPERS, None, json!(true));
        }
        if list {
            self.add(CREDENTIAL_HELPERS, None, json!([]));
        }
    }

    /// Whether the old or the new text of a change by version 0.1, which are its second and third, has this word.
    fn changed(&self, at: usize, word: &str) -> bool {
        let mut texts = self.changes.iter().skip(at).step_by(3);
        texts.any(|text| text.contains(word))
    }

    /// Notes what was there, unless an earlier change has.
    pub(super) fn add(&mut self, section: &str, key: Option<&str>, value: Value) {
        if self.get(section, key).is_none() {
            let (section, key) = (section.to_owned(), key.map(str::to_owned));
            self.was.push(Was {
                section,
                key,
                value,
            });
        }
    }

    /// Whether nothing of a section is noted.
    pub(super) fn lacks(&self, section: &str) -> bool {
        self.was.iter().all(|was| was.section != section)
    }

    pub(super) fn get(&self, section: &str, key: Option<&str>) -> Option<&Value> {
        let mut was = self.was.iter();
        let found = was.find(|was| was.section == section && was.key.as_deref() == key);
        found.map(|was| &was.value)
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

/// The file that a note is about.
#[must_use]
pub fn changed_by_note(note: &Path) -> Option<PathBuf> {
    let name = note.file_name()?.to_str()?.strip_suffix(NOTE)?;
    Some(note.with_file_name(name))
}

/// What the note's name adds to the file's.
const NOTE: &str = ".beta9-undo";
