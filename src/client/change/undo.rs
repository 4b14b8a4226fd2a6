//! Undoing changes: removes what names this helper, and restores what `--force` replaced.

use std::path::Path;

use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    AuthFile, CRED_HELPERS, CREDENTIAL_HELPERS, CREDS_STORE, Change, Error, Form, HELPER, Note,
    PROVIDERS, Providers, Readers, name, noted_as, set_helpers,
};
use crate::client::edit::{is_bare, remove_helper, remove_mirror};

impl Change {
    /// Plans the removal of what names this helper; `None` if nothing does and there is no note.
    pub fn undo(path: &Path, form: Form) -> Result<Option<Self>, Error> {
        let mut change = Self::nothing(path, form)?;
        if let Some(old) = change.old.as_ref().map(|old| old.text.clone()) {
            let new = match form {
                Form::Auth => change.without_helpers(&old)?,
                Form::Registries => {
                    let made = change.note.was.get(CREDENTIAL_HELPERS).map(texts);
                    let new = remove_helper(&old, made.as_deref());
                    new.map_err(|cause| change.refused(cause))?
                        .map(Zeroizing::new)
                }
                Form::Provider => {
                    let was = change.note.was.get(PROVIDERS);
                    let new = Providers::parse(&old).and_then(|read| read.without_own(was));
                    new.map_err(|cause| change.refused(cause))?
                }
                Form::Hosts => {
                    let new = remove_mirror(&old).map_err(|cause| change.refused(cause))?;
                    new.map(Zeroizing::new)
                }
            };
            let new = new.unwrap_or(old);
            change.new = (!change.note.made || !is_empty(form, &new)).then_some(new);
        }
        Ok(Some(change).filter(|change| change.note.is_there || !change.is_nothing()))
    }

    fn without_helpers(&mut self, old: &str) -> Result<Option<Zeroizing<String>>, Error> {
        let file = AuthFile::parse(&self.path, old)?;
        let ours = file.cred_helpers.iter().filter(|(_, name)| name == HELPER);
        let ours = ours.map(|(key, _)| Some(key.as_str()));
        let store = (file.creds_store.as_deref() == Some(HELPER)).then_some(None);
        let was = |key| self.note.was.get(&noted_as(key)).and_then(Value::as_str);
        let changes: Vec<_> = ours.chain(store).map(|key| (key, was(key))).collect();
        for (what, was) in &self.note.was {
            let key = what
                .strip_prefix(CRED_HELPERS)
                .and_then(|key| key.strip_prefix('.'));
            let is = file.helper_of(key).filter(|_| *what == noted_as(key));
            if let Some(other) = is.filter(|is| *is != HELPER && was != is) {
                let key = name(key.unwrap_or(CREDS_STORE));
                self.left.push(format!("{key} ({})", name(other)));
            }
        }
        if changes.is_empty() {
            return Ok(None);
        }
        let keep_empty = self.note.was.contains_key(CRED_HELPERS);
        let new = set_helpers(old, &changes, keep_empty).map_err(|cause| self.refused(cause))?;
        Ok(Some(new.0))
    }

    /// Makes the change, and removes the note.
    pub fn make_undone(&self) -> Result<(), Error> {
        match self.texts() {
            [old, new] if old == new => {}
            [_, Some(new)] => {
                self.place.replace(self.old.as_ref(), new, Readers::Owner)?;
            }
            [_, None] => self.place.remove(self.old.as_ref(), 0)?,
        }
        let made = if self.new.is_none() {
            self.note.made_dirs
        } else {
            0
        };
        if self.note.is_there {
            Note::discard(&self.place, made)?;
        }
        Ok(())
    }
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|text| Some(text.as_str()?.to_owned()))
        .collect()
}

/// Whether a file has no settings.
fn is_empty(form: Form, text: &str) -> bool {
    match form {
        Form::Auth => text.split_whitespace().collect::<String>() == "{}",
        Form::Registries => text.trim().is_empty(),
        Form::Hosts => is_bare(text),
        Form::Provider => Providers::parse(text).is_ok_and(|read| read.is_empty()),
    }
}
