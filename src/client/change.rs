//! A change of a client's file: planned, shown, made, and with it the note of how it is taken back.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::diff::{AROUND, masked, unified};
use super::edit::{JsonText, Splice, add_helper, add_provider};
use super::file::{Readers, Text, problem};
use super::note::{Form, OurKey, Record};
use super::place::{Place, Rights};
use super::provider_text::without_secrets;
use super::{AuthFile, HELPER};
use crate::error::Error;
use crate::shown::shown as name;

/// What is to become of one file.
pub struct Change {
    /// The file, as the client names it.
    pub path: PathBuf,
    place: Place,
    old: Option<Text>,
    new: Zeroizing<String>,
    splices: Vec<Splice>,
    keys: Vec<OurKey>,
    form: Form,
    readers: Readers,
}

impl Change {
    /// Names this helper in `credHelpers` under each of these keys. Another helper's is replaced only by `force`.
    pub fn cred_helpers(path: &Path, keys: &[&str], force: bool) -> Result<Self, Error> {
        let mut change = Self::of_json(path)?;
        let file = AuthFile::parse(path, change.old_text())?;
        let mut json = JsonText::new(change.old_text());
        for key in keys {
            let was = file.helper(key);
            if was == Some(HELPER) {
                continue;
            }
            if let Some(other) = was.filter(|_| !force) {
                return Err(taken(path, key, other));
            }
            json.set("credHelpers", Some(key), HELPER)
                .ok_or_else(|| unexpected(path))?;
            change.keys.push(OurKey::new("credHelpers", Some(key), was));
        }
        change.finish(json)
    }

    /// Makes this helper docker's for every registry.
    pub fn creds_store(path: &Path, force: bool) -> Result<Self, Error> {
        let mut change = Self::of_json(path)?;
        let was = AuthFile::parse(path, change.old_text())?.creds_store;
        let mut json = JsonText::new(change.old_text());
        if was.as_deref() != Some(HELPER) {
            if let Some(other) = was.as_deref().filter(|_| !force) {
                return Err(taken(path, "credsStore", other));
            }
            json.set("credsStore", None, HELPER)
                .ok_or_else(|| unexpected(path))?;
            change
                .keys
                .push(OurKey::new("credsStore", None, was.as_deref()));
        }
        change.finish(json)
    }

    /// Puts this helper in front of the `credential-helpers` of a registries.conf; a file without any takes over what is
    /// `inherited` from the others.
    pub fn credential_helpers(path: &Path, inherited: &[String]) -> Result<Self, Error> {
        let mut change = Self {
            form: Form::Toml,
            readers: Readers::All,
            ..Self::of_json(path)?
        };
        let splice = add_helper(change.old_text(), inherited).map_err(|cause| {
            problem(path, cause)
                .fix("nothing was changed; correct it, and try again")
                .failed()
        })?;
        change
            .keys
            .push(OurKey::new("credential-helpers", None, None));
        change.new = splice
            .apply(change.old_text())
            .ok_or_else(|| unexpected(path))?;
        change.splices.push(splice);
        Ok(change)
    }

    /// Leaves a file as it is: all is there already.
    pub fn nothing(path: &Path) -> Result<Self, Error> {
        Self::of_json(path)
    }

    /// Gives this helper an entry for these images in a kubelet's `CredentialProviderConfig`. One of its own that names
    /// others is written anew only by `force`.
    pub fn provider(path: &Path, images: &[String], force: bool) -> Result<Self, Error> {
        let mut change = Self {
            form: Form::Other,
            readers: Readers::All,
            ..Self::of_json(path)?
        };
        let splice = add_provider(change.old_text(), env!("CARGO_PKG_NAME"), images, force)
            .map_err(|cause| problem(path, cause).fix("nothing was changed").failed())?;
        if let Some(splice) = splice {
            change.new = splice
                .apply(change.old_text())
                .ok_or_else(|| unexpected(path))?;
            change.splices.push(splice);
        }
        Ok(change)
    }

    fn of_json(path: &Path) -> Result<Self, Error> {
        let place = Place::of(path)?;
        let old = place.read()?;
        let new = Zeroizing::new(
            old.as_ref()
                .map_or(String::new(), |old| old.text.to_string()),
        );
        let (path, splices, keys) = (path.to_owned(), Vec::new(), Vec::new());
        Ok(Self {
            path,
            place,
            old,
            new,
            splices,
            keys,
            form: Form::Json,
            readers: Readers::Owner,
        })
    }

    fn old_text(&self) -> &str {
        self.old.as_ref().map_or("", |old| old.text.as_str())
    }

    fn finish(mut self, json: JsonText) -> Result<Self, Error> {
        // Only what a client can still read, and then finds the helper in, is ever written.
        AuthFile::parse(&self.path, &json.text)?;
        (self.new, self.splices) = (json.text, json.splices);
        Ok(self)
    }

    /// Whether everything is as it should be already.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.splices.is_empty()
    }

    /// What it does, without the secrets that the file holds.
    #[must_use]
    pub fn diff(&self) -> String {
        shown(
            &self.path,
            self.form,
            self.old.as_ref().map(|old| old.text.as_str()),
            Some(&self.new),
        )
    }

    /// Makes the change, and notes beside the file how it is taken back.
    pub fn make(&self) -> Result<(), Error> {
        let (place, dirs) = self.place.with_dirs(self.readers)?;
        let made = self.make_in(&place, dirs);
        if made.is_err() {
            place.remove_dirs(dirs);
        }
        made
    }

    fn make_in(&self, place: &Place, dirs: usize) -> Result<(), Error> {
        let known = Record::read(place)?;
        let (fresh, old) = (known.is_none(), self.old.as_ref());
        let mut record = known.unwrap_or_default();
        record.add(
            self.form,
            old.map(|old| old.text.as_str()),
            &self.new,
            &self.splices,
            &self.keys,
        );
        record.dirs += dirs;
        // The file first would leave it without a note, should the second write fail.
        record.write(place, old)?;
        let written = place.replace(old, &self.new, &Rights::of(old, self.readers));
        if written.is_err() && fresh {
            _ = Record::discard(place, 0);
        }
        written
    }
}

/// A diff of such a file, without its secrets.
pub(super) fn shown(path: &Path, form: Form, old: Option<&str>, new: Option<&str>) -> String {
    match form {
        Form::Json => unified(
            path,
            AROUND,
            old.map(masked).as_deref(),
            new.map(masked).as_deref(),
        ),
        Form::Toml => unified(path, AROUND, old, new),
        // What stands around it is somebody else's, and nobody asked to see it.
        Form::Other => unified(
            path,
            0,
            old.map(without_secrets).as_deref(),
            new.map(without_secrets).as_deref(),
        ),
    }
}

fn taken(path: &Path, key: &str, helper: &str) -> Error {
    problem(
        path,
        format_args!("{} has the helper {} already", name(key), name(helper)),
    )
    .fix("nothing was changed; --force puts this one in its place, and --undo the other back")
    .failed()
}

fn unexpected(path: &Path) -> Error {
    problem(path, "it has a form that cannot be changed safely")
        .fix("nothing was changed; change it by hand")
        .failed()
}
