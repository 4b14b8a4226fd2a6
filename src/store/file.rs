//! The embedded store: one sealed file per workspace and host, which needs nothing but a directory.
//!
//! Beside the sealed secret a file has the server URL in clear and the user name sealed on its own, so that `list`
//! opens no secret. Both parts are bound to the workspace, the server URL and the format version as associated data: a
//! file that is copied to another name, host or workspace does not open.

mod entry;
mod health;
mod notes;

use std::fs;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use self::entry::Entry;
use super::{Found, Keep, Listed, Secret, Username};
use crate::config::KeyPlace;
use crate::credential::Credential;
use crate::error::{Error, Problem};
use crate::host::{Host, ServerUrl};
use crate::keys::Blob;
use crate::private;
use crate::seal::{KeyFile, SealKey, sha256_hex};
use crate::trusted::{self, Fault, Readers};

/// A directory of sealed files, and the key that opens them.
#[derive(Debug)]
pub struct FileStore {
    workspace: String,
    /// `None` without a home directory: then there is nothing, and nothing can be kept.
    root: Option<PathBuf>,
    key: KeyFile,
}

impl FileStore {
    /// The store of one workspace below `root`. Nothing is read or made yet.
    #[must_use]
    pub fn new(workspace: &str, root: Option<PathBuf>, key: KeyPlace) -> Self {
        Self { workspace: workspace.to_owned(), root, key: KeyFile::new(key) }
    }

    pub(super) fn get(&self, host: &Host) -> Result<Option<Found>, Error> {
        let Some(blob) = self.blob(host.as_str())? else { return Ok(None) };
        // The associated data binds the file to this host, which is enough for a blob that names none.
        let ours = blob.registry.is_none_or(|registry| registry == *host);
        Ok(ours.then_some(Found::new(blob.keys, Keep::Disk)))
    }

    /// An item that is kept verbatim: docker's OAuth items and nerdctl's keys.
    pub fn item(&self, item: &str) -> Result<Option<Credential>, Error> {
        let Some(blob) = self.blob(item)? else { return Ok(None) };
        let (Some(username), Some(secret)) = (blob.keys.get("USERNAME"), blob.keys.get("PASSWORD")) else {
            return Err(damaged("it holds no user name and password").about(item));
        };
        Credential::new(username.expose().to_owned(), secret.clone())
            .map(Some)
            .map_err(|error| damaged(&error.to_string()).about(item))
    }

    /// Keeps what belongs to a server URL, a host or an item; it replaces the old one as a whole.
    pub fn store(&self, server: &str, secret: &Secret) -> Result<(), Error> {
        self.put(server, secret).and_then(|()| self.forget_expiry(server)).map_err(|error| error.about(server))
    }

    /// Forgets it; it is no error when there is nothing.
    pub fn erase(&self, server: &str) -> Result<(), Error> {
        let Some(dir) = self.checked_dir().map_err(|error| error.about(server))? else { return Ok(()) };
        private::remove(&dir, &file_name(server)).map_err(|fault| problem(fault).about(server))?;
        Ok(())
    }

    /// What there is of the server URLs that are wanted; entries that cannot be read are passed to `skipped`.
    pub fn list(
        &self,
        wanted: impl Fn(&ServerUrl) -> bool,
        skipped: &mut dyn FnMut(&Error),
    ) -> Result<Vec<Listed>, Error> {
        let Some(dir) = self.checked_dir()? else { return Ok(Vec::new()) };
        let mut listed = Vec::new();
        let mut key = None;
        for path in sealed_files(&dir)? {
            let bytes = match trusted::read_inside(&path, Readers::Owner, MAX_ENTRY) {
                Ok(Some(bytes)) => bytes,
                // It has gone in the meantime.
                Ok(None) => continue,
                Err(fault) => {
                    skipped(&problem(fault));
                    continue;
                }
            };
            match named(&bytes, &path) {
                Ok(Some((entry, url))) if wanted(&url) => {
                    // Without its key nothing opens, which is no single entry's fault.
                    let key = match &key {
                        Some(key) => key,
                        None => key.insert(self.key.existing().map_err(problem)?),
                    };
                    match entry.open_username(key, &self.workspace) {
                        Ok(username) => listed.push(Listed { url, username: Username::Recorded(username) }),
                        Err(error) => skipped(&damaged(&error).about(&entry.server)),
                    }
                }
                Ok(_) => {}
                Err(error) => skipped(&error),
            }
        }
        listed.sort_by(|a: &Listed, b| a.url.label().cmp(b.url.label()));
        Ok(listed)
    }

    fn blob(&self, server: &str) -> Result<Option<Blob>, Error> {
        let parse = |text: Zeroizing<String>| Blob::parse(&text).map_err(|error| damaged(&error.to_string()));
        self.open(server).and_then(|text| text.map(parse).transpose()).map_err(|error| error.about(server))
    }

    fn open(&self, server: &str) -> Result<Option<Zeroizing<String>>, Error> {
        let Some(dir) = self.checked_dir()? else { return Ok(None) };
        let path = dir.join(file_name(server));
        let bytes = trusted::read_inside(&path, Readers::Owner, MAX_ENTRY).map_err(problem)?;
        let Some(bytes) = bytes else { return Ok(None) };
        let entry = Entry::parse(&bytes).map_err(damaged)?;
        if entry.server != server {
            return Err(damaged("it is another registry's"));
        }
        let key = self.key.existing().map_err(problem)?;
        entry.open_secret(&key, &self.workspace).map(Some).map_err(|error| damaged(&error))
    }

    fn put(&self, server: &str, secret: &Secret) -> Result<(), Error> {
        let (Some(root), Some(dir)) = (&self.root, self.dir()) else { return Err(homeless()) };
        private::make_dir(root).map_err(problem)?;
        private::make_dir(&dir).map_err(problem)?;
        let key = self.key_or_new(&dir)?;
        let bytes = Entry::seal(&key, &self.workspace, server, secret)
            .map_err(|cause| Problem::new(PART, cause).fix("nothing was stored").failed())?;
        private::replace(&dir, &file_name(server), &bytes).map_err(problem)
    }

    /// The key, made when there is none and nothing is sealed yet: what is sealed would never open again.
    fn key_or_new(&self, dir: &Path) -> Result<SealKey, Error> {
        if let Some(key) = self.key.read().map_err(problem)? {
            return Ok(key);
        }
        let is_new = sealed_files(dir)?.is_empty();
        if is_new { self.key.read_or_make(dir) } else { self.key.existing() }.map_err(problem)
    }

    fn dir(&self) -> Option<PathBuf> {
        // A workspace id may be any text; its hash is a file name that no other id has.
        self.root.as_ref().map(|root| root.join(&sha256_hex(&self.workspace)[..32]))
    }

    /// The directory, where it exists: it and all above it belong to this user or to root, and nobody else could rename
    /// it away.
    fn checked_dir(&self) -> Result<Option<PathBuf>, Error> {
        let (Some(root), Some(dir)) = (&self.root, self.dir()) else { return Ok(None) };
        let judge = |dir: &Path| trusted::directory(dir).map_err(problem);
        // On the way to the one the other is passed, and is known then.
        let exists = judge(&dir);
        judge(root)?;
        Ok(exists?.then_some(dir))
    }
}

/// An entry, still sealed, and whose it is; `None` for a note.
fn named<'b>(bytes: &'b [u8], path: &Path) -> Result<Option<(Entry<'b>, ServerUrl)>, Error> {
    let entry = Entry::parse(bytes).map_err(|error| damaged(error).about(&path.display().to_string()))?;
    if notes::is_note(&entry.server) {
        return Ok(None);
    }
    let url = ServerUrl::parse(entry.server.as_bytes()).map_err(|error| damaged(error.0).about(&entry.server))?;
    Ok(Some((entry, url)))
}

/// The sealed files of a workspace, notes among them, in no order.
fn sealed_files(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let unreadable = |error: std::io::Error| {
        problem(Fault {
            cause: format!("{} cannot be read ({error})", dir.display()),
            fix: "give this user access to it".to_owned(),
        })
    };
    let mut files = Vec::new();
    for file in fs::read_dir(dir).map_err(unreadable)? {
        let path = file.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            files.push(path);
        }
    }
    Ok(files)
}

fn file_name(server: &str) -> String {
    [&sha256_hex(server)[..40], ".", EXTENSION].concat()
}

fn problem(fault: Fault) -> Error {
    Problem::new(PART, fault.cause).fix(fault.fix).failed()
}

fn damaged(cause: &str) -> Error {
    Problem::new(PART, format_args!("its entry does not open: {cause}"))
        .fix("docker logout, then docker login again")
        .failed()
}

fn homeless() -> Error {
    Problem::new(PART, "there is no home directory to keep it in").fix("set HOME, or BETA9_STORE_PATH").failed()
}

const PART: &str = "file store";
const EXTENSION: &str = "sealed";
const MAX_ENTRY: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_cannot_be_read_is_no_damaged_entry() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(
            sealed_files(&file).unwrap_err().to_string(),
            format!(
                "file store: {} cannot be read (Not a directory (os error 20)); give this user access to it",
                file.display()
            )
        );
    }
}
