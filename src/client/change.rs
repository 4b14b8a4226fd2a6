//! A change to a client's file: planned, shown and made, together with the note for undoing it. Undoing looks at the
//! file's current content: it removes what names this helper, and restores what `--force` replaced.

mod undo;

use std::path::{Path, PathBuf};

use serde_json::json;
use zeroize::Zeroizing;

use super::auth_file::{CRED_HELPERS, CREDS_STORE};
use super::diff::{masked, unified};
use super::edit::{
    Providers, add_helper, add_mirror, masked_hosts, masked_provider, provider_names, set_helpers,
};
use super::file::{Readers, Text};
use super::note::{Note, noted_as};
use super::place::Place;
use super::refusal::{FileFault, unchanged};
use super::registries::CREDENTIAL_HELPERS;
use super::{AuthFile, HELPER, PROGRAM};
use crate::error::Error;
use crate::shown::shown as name;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Docker's and podman's JSON.
    Auth,
    /// A registries.conf.
    Registries,
    /// A kubelet's `CredentialProviderConfig`.
    Provider,
    /// A containerd's `hosts.toml`.
    Hosts,
}

/// A planned change to one file.
pub struct Change {
    /// The file, as the client names it.
    pub path: PathBuf,
    /// Entries that belong to another helper by now and are kept.
    pub left: Vec<String>,
    form: Form,
    place: Place,
    old: Option<Text>,
    /// `None` if the file will be removed.
    new: Option<Zeroizing<String>>,
    note: Note,
}

impl Change {
    /// A change that changes nothing.
    pub fn nothing(path: &Path, form: Form) -> Result<Self, Error> {
        let place = Place::of(path)?;
        let old = place.read()?;
        Ok(Self {
            path: path.to_owned(),
            left: Vec::new(),
            form,
            note: Note::read(&place)?,
            place,
            new: old.as_ref().map(|old| old.text.clone()),
            old,
        })
    }

    /// Sets this helper in `credHelpers` for each of these keys, and for `None` in `credsStore`. Replaces another
    /// helper only with `force`.
    pub fn helpers(path: &Path, keys: &[Option<&str>], force: bool) -> Result<Self, Error> {
        let mut change = Self::nothing(path, Form::Auth)?;
        let file = AuthFile::parse(path, change.text())?;
        let (mut wanted, is_first) = (Vec::new(), !change.note.has_helpers());
        for key in keys {
            let was = file.helper_of(*key);
            match was {
                Some(HELPER) => continue,
                // To docker, an empty name isn't a helper; podman fails on it.
                Some(other) if !(other.is_empty() || force) => {
                    let key = name(key.unwrap_or(CREDS_STORE));
                    let conflict = FileFault::Conflict(key.to_string(), name(other).to_string());
                    return Err(conflict.of(path));
                }
                _ => change.note.add(&noted_as(*key), json!(was)),
            }
            wanted.push((*key, Some(HELPER)));
        }
        if !wanted.is_empty() {
            let (new, had_section) =
                set_helpers(change.text(), &wanted, true).map_err(|cause| change.refused(cause))?;
            if had_section && is_first {
                change.note.add(CRED_HELPERS, json!(true));
            }
            AuthFile::parse(path, &new)?;
            change.new = Some(new);
        }
        Ok(change)
    }

    /// Puts this helper first in `credential-helpers` of a registries.conf. A file without that list also gets the
    /// `inherited` one of the other files.
    pub fn credential_helpers(path: &Path, inherited: &[String]) -> Result<Self, Error> {
        let mut change = Self::nothing(path, Form::Registries)?;
        let (new, made) =
            add_helper(change.text(), inherited).map_err(|cause| change.refused(cause))?;
        if made {
            change.note.add(CREDENTIAL_HELPERS, json!(inherited));
        }
        change.new = Some(Zeroizing::new(new));
        Ok(change)
    }

    /// Adds this helper's entry for these images to a kubelet's `CredentialProviderConfig`. Changes an existing entry
    /// only with `force`.
    pub fn provider(path: &Path, images: &[String], force: bool) -> Result<Self, Error> {
        let mut change = Self::nothing(path, Form::Provider)?;
        let done = Providers::parse(change.text()).and_then(|read| read.with_own(images, force));
        if let Some((new, was)) = done.map_err(|cause| change.refused(cause))? {
            change.note.add(PROVIDERS, json!(was));
            change.new = Some(new);
        }
        Ok(change)
    }

    /// Puts the mirror before all other hosts in a containerd's `hosts.toml`. A new file also names the registry
    /// itself.
    pub fn mirror(path: &Path, server: Option<&str>, url: &str, dir: &Path) -> Result<Self, Error> {
        let mut change = Self::nothing(path, Form::Hosts)?;
        let new = add_mirror(change.text(), server, url, dir);
        change.new = Some(Zeroizing::new(new.map_err(|cause| change.refused(cause))?));
        Ok(change)
    }

    /// The old text and the new one.
    fn texts(&self) -> [Option<&str>; 2] {
        [self.old.as_ref().map(|old| &old.text), self.new.as_ref()].map(|text| Some(text?.as_str()))
    }

    fn text(&self) -> &str {
        self.texts()[0].unwrap_or_default()
    }

    fn refused(&self, cause: String) -> Error {
        let fix = "correct it or change it by hand, and try again";
        unchanged(&self.path, cause, fix)
    }

    /// Whether there is nothing to change.
    pub fn is_nothing(&self) -> bool {
        self.texts()[0] == self.texts()[1]
    }

    /// Whether the changed file no longer exists, so that nothing can be restored in it.
    pub fn is_gone(&self) -> bool {
        self.old.is_none() && !self.note.made
    }

    /// Whether undoing removes the file, because the change created it.
    pub fn removes(&self) -> bool {
        self.new.is_none()
    }

    /// The providers that a kubelet's file names afterwards; `None` for other files, and if it is removed.
    fn providers(&self) -> Option<Vec<String>> {
        let new = self.texts()[1].filter(|_| self.form == Form::Provider)?;
        provider_names(new).ok()
    }

    /// Whether the file names no provider afterwards, so that kubelet does not start with it.
    pub fn leaves_no_provider(&self) -> bool {
        self.providers().is_some_and(|names| names.is_empty())
    }

    /// Whether an earlier entry of this helper stays, which was corrected or which `--force` replaced.
    pub fn leaves_own_provider(&self) -> bool {
        self.providers()
            .is_some_and(|names| names.iter().any(|name| name == PROGRAM))
    }

    /// The change as a diff, without the file's secrets.
    pub fn diff(&self) -> String {
        if self.is_nothing() {
            return String::new();
        }
        let texts = self.texts();
        let texts = match self.form {
            Form::Auth => texts.map(|text| text.map(masked)),
            Form::Registries => texts.map(|text| text.map(str::to_owned)),
            Form::Provider => masked_provider(texts),
            Form::Hosts => texts.map(|text| text.map(masked_hosts)),
        };
        unified(&self.path, [texts[0].as_deref(), texts[1].as_deref()])
    }

    /// Makes the change, and writes the note for undoing it beside the file. Fails if the file was changed meanwhile.
    pub fn make(&self) -> Result<(), Error> {
        let readers = match self.form {
            Form::Auth => Readers::Owner,
            Form::Registries | Form::Provider | Form::Hosts => Readers::All,
        };
        let (place, dirs) = self.place.with_dirs(readers)?;
        let (old, new) = (self.old.as_ref(), self.texts()[1].unwrap_or_default());
        let mut note = self.note.clone();
        note.made |= old.is_none();
        note.made_dirs += dirs;
        // The note is written first, so that a failed second write never leaves a changed file without a note.
        let made = note
            .write(&place, old)
            .and_then(|()| place.replace(old, new, readers));
        let is_new = || matches!(place.read(), Ok(Some(now)) if now.text.as_str() == new);
        if made.is_err() && !is_new() {
            if !self.note.is_there {
                _ = Note::discard(&place, 0);
            }
            place.remove_dirs(dirs);
        }
        made
    }
}

const PROVIDERS: &str = "providers";
