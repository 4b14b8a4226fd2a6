//! A change of a client's file: planned, shown, made, and with it the note of how it is undone. Undoing goes by what the file
//! says: what names this helper goes, and what `--force` replaced comes back.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::auth_file::{CRED_HELPERS, CREDS_STORE};
use super::diff::{masked, unified};
use super::edit::{Providers, add_helper, masked_provider, remove_helper, set_helpers};
use super::file::{Readers, Text, problem};
use super::note::Note;
use super::place::{Place, Rights};
use super::registries::CREDENTIAL_HELPERS;
use super::{AuthFile, HELPER};
use crate::error::Error;
use crate::shown::shown as name;

/// What kind of text a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Docker's and podman's JSON.
    Auth,
    /// A registries.conf.
    Registries,
    /// A kubelet's `CredentialProviderConfig`.
    Provider,
}

/// What is to become of one file.
pub struct Change {
    /// The file, as the client names it.
    pub path: PathBuf,
    /// What is somebody else's by now, and stays.
    pub left: Vec<String>,
    form: Form,
    place: Place,
    old: Option<Text>,
    /// `None` when the file goes.
    new: Option<Zeroizing<String>>,
    note: Note,
    noted: bool,
}

impl Change {
    /// Leaves a file as it is.
    pub fn nothing(path: &Path, form: Form) -> Result<Self, Error> {
        let place = Place::of(path)?;
        let (old, note) = (place.read()?, Note::read(&place)?);
        let new = old.as_ref().map(|old| old.text.clone());
        let (path, left, noted) = (path.to_owned(), Vec::new(), note.is_some());
        Ok(Self {
            path,
            left,
            form,
            place,
            old,
            new,
            note: note.unwrap_or_default(),
            noted,
        })
    }

    /// Names this helper in `credHelpers` under each of these keys, and for `None` in `credsStore`. Another helper's is replaced
    /// only by `force`.
    pub fn helpers(path: &Path, keys: &[Option<&str>], force: bool) -> Result<Self, Error> {
        let mut change = Self::nothing(path, Form::Auth)?;
        let file = AuthFile::parse(path, change.text())?;
        let (mut wanted, is_first) = (Vec::new(), change.note.lacks(CRED_HELPERS));
        for key in keys {
            let was = helper(&file, *key);
            match was {
                Some(HELPER) => continue,
                Some(other) if !force => {
                    let cause = format_args!(
                        "{} has the helper {} already",
                        name(key.unwrap_or(CREDS_STORE)),
                        name(other)
                    );
                    let fix = "nothing was changed; --force puts this one in its place, and --undo the other back";
                    return Err(problem(path, cause).fix(fix).failed());
                }
                _ => change.note.add(section(*key), *key, json!(was)),
            }
            wanted.push((*key, Some(HELPER)));
        }
        if !wanted.is_empty() {
            let (new, had_section) =
                set_helpers(change.text(), &wanted, true).map_err(|cause| change.refused(cause))?;
            if had_section && is_first {
                change.note.add(CRED_HELPERS, None, json!(true));
            }
            AuthFile::parse(path, &new)?;
            change.new = Some(new);
        }
        Ok(change)
    }

    /// Puts this helper in front of the `credential-helpers` of a registries.conf; a file without any takes over what is
    /// `inherited` from the others.
    pub fn credential_helpers(path: &Path, inherited: &[String]) -> Result<Self, Error> {
        let mut change = Self::nothing(path, Form::Registries)?;
        let (new, made) =
            add_helper(change.text(), inherited).map_err(|cause| change.refused(cause))?;
        if made {
            change.note.add(CREDENTIAL_HELPERS, None, json!(inherited));
        }
        change.new = Some(Zeroizing::new(new));
        Ok(change)
    }

    /// Gives this helper an entry for these images in a kubelet's `CredentialProviderConfig`. One of its own that names
    /// others is changed only by `force`.
    pub fn provider(path: &Path, images: &[String], force: bool) -> Result<Self, Error> {
        let mut change = Self::nothing(path, Form::Provider)?;
        let done = Providers::parse(change.text()).and_then(|read| read.with_own(images, force));
        if let Some((new, was)) = done.map_err(|cause| change.refused(cause))? {
            change.note.add(PROVIDERS, None, json!(was));
            change.new = Some(new);
        }
        Ok(change)
    }

    /// Takes out what names this helper; `None` when nothing does, and there is no note.
    pub fn undo(path: &Path, form: Form) -> Result<Option<Self>, Error> {
        let mut change = Self::nothing(path, form)?;
        if let Some(old) = change.old.as_ref().map(|old| old.text.clone()) {
            let new = match form {
                Form::Auth => change.without_helpers(&old)?,
                Form::Registries => {
                    let made = change.note.get(CREDENTIAL_HELPERS, None).map(texts);
                    let new = remove_helper(&old, made.as_deref());
                    new.map_err(|cause| change.refused(cause))?
                        .map(Zeroizing::new)
                }
                Form::Provider => {
                    let was = change.note.get(PROVIDERS, None);
                    let new = Providers::parse(&old).and_then(|read| read.without_own(was));
                    new.map_err(|cause| change.refused(cause))?
                }
            };
            let new = new.unwrap_or(old);
            change.new = (!change.note.made || !is_empty(form, &new)).then_some(new);
        }
        Ok(Some(change).filter(|change| change.noted || !change.is_nothing()))
    }

    fn without_helpers(&mut self, old: &str) -> Result<Option<Zeroizing<String>>, Error> {
        let file = AuthFile::parse(&self.path, old)?;
        let ours = file
            .cred_helpers
            .iter()
            .filter(|(_, helper)| helper == HELPER)
            .map(|(key, _)| Some(key.as_str()));
        let store = (file.creds_store.as_deref() == Some(HELPER)).then_some(None);
        let was = |key| {
            (
                key,
                self.note.get(section(key), key).and_then(Value::as_str),
            )
        };
        let changes: Vec<_> = ours.chain(store).map(was).collect();
        for was in &self.note.was {
            let key = was.key.as_deref();
            let noted = key.is_some() || was.section == CREDS_STORE;
            match helper(&file, key)
                .filter(|other| noted && *other != HELPER && was.value != *other)
            {
                Some(other) => self.left.push(format!(
                    "{} ({})",
                    name(key.unwrap_or(CREDS_STORE)),
                    name(other)
                )),
                None => {}
            }
        }
        if changes.is_empty() {
            return Ok(None);
        }
        let keep_empty = self.note.get(CRED_HELPERS, None).is_some();
        let new = set_helpers(old, &changes, keep_empty).map_err(|cause| self.refused(cause))?;
        Ok(Some(new.0))
    }

    fn text(&self) -> &str {
        self.old.as_ref().map_or("", |old| old.text.as_str())
    }

    fn new_text(&self) -> Option<&str> {
        self.new.as_ref().map(|new| new.as_str())
    }

    fn refused(&self, cause: String) -> Error {
        problem(&self.path, cause)
            .fix("nothing was changed; correct it or change it by hand, and try again")
            .failed()
    }

    /// Whether everything is as it should be already.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.old.as_ref().map(|old| old.text.as_str()) == self.new_text()
    }

    /// Whether the file that was changed is not there any more, so that nothing can be put back into it.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.old.is_none() && !self.note.made
    }

    /// Whether the file goes, because it was made by what is undone.
    #[must_use]
    pub fn removes(&self) -> bool {
        self.new.is_none()
    }

    /// What it does, without the secrets that the file holds.
    #[must_use]
    pub fn diff(&self) -> String {
        let texts = [
            self.old.as_ref().map(|old| old.text.as_str()),
            self.new_text(),
        ];
        if self.is_nothing() {
            return String::new();
        }
        let texts = match self.form {
            Form::Auth => texts.map(|text| text.map(masked)),
            Form::Registries => texts.map(|text| text.map(str::to_owned)),
            Form::Provider => masked_provider(texts),
        };
        unified(&self.path, [texts[0].as_deref(), texts[1].as_deref()])
    }

    /// Makes the change, and notes beside the file how it is undone.
    pub fn make(&self) -> Result<(), Error> {
        let readers = if self.form == Form::Auth {
            Readers::Owner
        } else {
            Readers::All
        };
        let (place, dirs) = self.place.with_dirs(readers)?;
        let (old, new) = (self.old.as_ref(), self.new_text().unwrap_or_default());
        let mut note = self.note.clone();
        note.made |= old.is_none();
        note.made_dirs += dirs;
        // The file first would leave it without a note, should the second write fail.
        let made = note
            .write(&place, old)
            .and_then(|()| place.replace(old, new, &Rights::of(old, readers)));
        let is_new = || matches!(place.read(), Ok(Some(now)) if now.text.as_str() == new);
        if made.is_err() && !is_new() {
            if !self.noted {
                _ = Note::discard(&place, 0);
            }
            place.remove_dirs(dirs);
        }
        made
    }

    /// Makes the change that undoes others, and removes their note.
    pub fn make_undone(&self) -> Result<(), Error> {
        let old = self.old.as_ref();
        match self.new_text() {
            _ if self.is_nothing() => {}
            Some(new) => self
                .place
                .replace(old, new, &Rights::of(old, Readers::Owner))?,
            None => self.place.remove(old, 0)?,
        }
        let dirs = if self.new.is_none() {
            self.note.made_dirs
        } else {
            0
        };
        if self.noted {
            Note::discard(&self.place, dirs)
        } else {
            Ok(())
        }
    }
}

/// The section that a key stands in.
fn section(key: Option<&str>) -> &'static str {
    if key.is_some() {
        CRED_HELPERS
    } else {
        CREDS_STORE
    }
}

fn helper<'a>(file: &'a AuthFile, key: Option<&str>) -> Option<&'a str> {
    key.map_or(file.creds_store.as_deref(), |key| file.helper(key))
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(|text| Some(text.as_str()?.to_owned()))
        .collect()
}

/// Whether a file says nothing.
fn is_empty(form: Form, text: &str) -> bool {
    match form {
        Form::Auth => text.split_whitespace().collect::<String>() == "{}",
        Form::Registries => text.trim().is_empty(),
        Form::Provider => Providers::parse(text).is_ok_and(|read| read.is_empty()),
    }
}

const PROVIDERS: &str = "providers";
