//! The change that undoes others: what names this helper goes, and what `--force` replaced comes back.

use std::path::Path;

use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    AuthFile, CRED_HELPERS, CREDENTIAL_HELPERS, CREDS_STORE, Change, Error, Form, HELPER, Note,
    PROVIDERS, Providers, Readers, helper, name, section, set_helpers,
};
use crate::client::edit::remove_helper;

impl Change {
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
            let other = helper(&file, key).filter(|other| *other != HELPER && was.value != *other);
            let other = other.filter(|_| noted);
            self.left
                .extend(other.map(|other| {
                    format!("{} ({})", name(key.unwrap_or(CREDS_STORE)), name(other))
                }));
        }
        if changes.is_empty() {
            return Ok(None);
        }
        let keep_empty = self.note.get(CRED_HELPERS, None).is_some();
        let new = set_helpers(old, &changes, keep_empty).map_err(|cause| self.refused(cause))?;
        Ok(Some(new.0))
    }

    /// Makes the change that undoes others, and removes their note.
    pub fn make_undone(&self) -> Result<(), Error> {
        let old = self.old.as_ref();
        match self.new_text() {
            _ if self.is_nothing() => {}
            Some(new) => self.place.replace(old, new, Readers::Owner)?,
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
