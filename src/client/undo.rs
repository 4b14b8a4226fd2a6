//! How a change is taken back. While the file is as it was left, that gives the old file to the byte; when somebody changed
//! it since, only what is ours is taken out of it.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::change::shown;
use super::edit::{JsonText, Splice, remove_helper};
use super::file::{Readers, Text, problem};
use super::note::{Form, NOTE, OurKey, Record, hash};
use super::place::{Place, Rights};
use super::{AuthFile, HELPER};
use crate::error::Error;
use crate::shown::shown as name;

/// What taking back comes to.
pub struct Undo {
    /// The file, as the client names it.
    pub path: PathBuf,
    /// Whether the file will be what it was, to the byte.
    pub exact: bool,
    /// What is not ours any more and stays.
    pub left: Vec<String>,
    place: Place,
    record: Record,
    old: Option<Text>,
    /// `None` when the file goes.
    new: Option<Zeroizing<String>>,
}

impl Undo {
    /// Works it out; `None` when nothing was changed here.
    pub fn of(path: &Path) -> Result<Option<Self>, Error> {
        let place = Place::of(path)?;
        let Some(record) = Record::read(&place)? else {
            return Ok(None);
        };
        let (path, old) = (path.to_owned(), place.read()?);
        let mut undo = Self {
            path,
            exact: true,
            left: Vec::new(),
            place,
            record,
            old,
            new: None,
        };
        let Some(now) = undo.old.as_ref().map(|old| old.text.clone()) else {
            return Ok(Some(undo));
        };
        // The note was written and the file was not, or it was put back by hand.
        if hash(&now) == undo.record.before && !undo.record.made {
            undo.new = Some(now);
            return Ok(Some(undo));
        }
        let exactly = (hash(&now) == undo.record.after)
            .then(|| revert(&now, &undo.record.splices))
            .flatten();
        match exactly.filter(|text| hash(text) == undo.record.before) {
            Some(text) => undo.new = (!undo.record.made).then_some(text),
            None => undo.take_out(&now)?,
        }
        Ok(Some(undo))
    }

    /// Takes what is ours out of a file that somebody else has changed since.
    fn take_out(&mut self, now: &str) -> Result<(), Error> {
        self.exact = false;
        let new = match self.record.form {
            Form::Json => self.take_out_of_json(now)?,
            Form::Toml => {
                if let Some(splice) = remove_helper(now, self.record.splices.iter().any(makes_line))
                {
                    splice.apply(now)
                } else {
                    self.left.push("credential-helpers".to_owned());
                    Some(Zeroizing::new(now.to_owned()))
                }
            }
            Form::Other => take_stretches_out(now, &self.record.splices),
        };
        let new = new.ok_or_else(|| {
            problem(&self.path, "what was put into it has been changed since")
                .fix(format_args!(
                    "nothing was changed; take this helper out by hand, and remove {NOTE} beside it"
                ))
                .failed()
        })?;
        let nothing = if self.record.form == Form::Json {
            JsonText::new(&new).is_empty(None)
        } else {
            new.trim().is_empty()
        };
        self.new = (!(self.record.made && nothing)).then_some(new);
        Ok(())
    }

    fn take_out_of_json(&mut self, now: &str) -> Result<Option<Zeroizing<String>>, Error> {
        let file = AuthFile::parse(&self.path, now)?;
        let mut json = JsonText::new(now);
        for OurKey { section, key, was } in &self.record.keys {
            let is = key
                .as_deref()
                .map_or(file.creds_store.as_deref(), |key| file.helper(key));
            match (is, was) {
                (Some(HELPER), Some(was)) => _ = json.set(section, key.as_deref(), was),
                (Some(HELPER), None) => _ = json.remove(section, key.as_deref()),
                (other, _) => {
                    let key = name(key.as_deref().unwrap_or(section));
                    self.left
                        .extend(other.map(|other| format!("{key} ({})", name(other))));
                }
            }
        }
        // An object that was made for our keys goes with the last of them.
        if json.is_empty(Some("credHelpers"))
            && self
                .record
                .splices
                .iter()
                .any(|one| one.is.contains("\"credHelpers\""))
        {
            json.remove("credHelpers", None);
        }
        Ok(Some(json.text))
    }

    /// What it does, without the secrets that the file holds.
    #[must_use]
    pub fn diff(&self) -> String {
        let old = self.old.as_ref().map(|old| old.text.as_str());
        shown(
            &self.path,
            self.record.form,
            old,
            self.new.as_ref().map(|new| new.as_str()),
        )
    }

    /// Whether the file is already what it would become.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.old.as_ref().map(|old| old.text.as_str()) == self.new.as_ref().map(|new| new.as_str())
    }

    /// Whether the file that was changed is not there any more, so that there is nothing to put anything back into.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.old.is_none() && !self.record.made
    }

    /// Whether the file goes, because it was made by what is taken back.
    #[must_use]
    pub fn removes(&self) -> bool {
        self.new.is_none()
    }

    /// The keys that were given to this helper.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.record.keys.iter().map(OurKey::name)
    }

    /// Takes it back, and removes the note.
    pub fn make(&self) -> Result<(), Error> {
        match &self.new {
            _ if self.is_nothing() => {}
            Some(new) => self.place.replace(
                self.old.as_ref(),
                new,
                &Rights::of(self.old.as_ref(), Readers::Owner),
            )?,
            None => self.place.remove(self.old.as_ref(), 0)?,
        }
        let dirs = if self.new.is_none() {
            self.record.dirs
        } else {
            0
        };
        Record::discard(&self.place, dirs)
    }
}

/// A change that made the line, and not only an element of a list.
fn makes_line(splice: &Splice) -> bool {
    splice.is.contains("credential-helpers")
}

fn revert(text: &str, splices: &[Splice]) -> Option<Zeroizing<String>> {
    let start = Zeroizing::new(text.to_owned());
    splices
        .iter()
        .rev()
        .try_fold(start, |text, splice| splice.revert(&text))
}

/// Finds each stretch wherever it is now, if it is there once.
fn take_stretches_out(now: &str, splices: &[Splice]) -> Option<Zeroizing<String>> {
    let start = Zeroizing::new(now.to_owned());
    if splices.is_empty() {
        return None;
    }
    splices.iter().rev().try_fold(start, |text, splice| {
        let mut places = text.match_indices(&splice.is);
        let (at, _) = places.next().filter(|_| places.next().is_none())?;
        Splice {
            at,
            ..splice.clone()
        }
        .revert(&text)
    })
}
