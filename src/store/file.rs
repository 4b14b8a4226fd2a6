//! The embedded store: one sealed file for each workspace and host. It needs only a directory.
//!
//! A secret's metadata (its server URL, the user name, times) is sealed separately, so that `list` and `prune` don't
//! open secrets. Both parts are bound to the workspace and the file's name as associated data: a file copied to another
//! name, host or workspace does not open.
//!
//! Files of 0.1 have another name and format. They are read if there is no newer file, and replaced by the next
//! `store`.

mod dir;
mod entry;
mod errors;
mod first;
mod health;
mod notes;
mod prune;
mod published;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use self::entry::{About, Entry, Unopened};
use self::errors::FileStoreError;
pub use self::published::{Published, Written};
use super::{Found, Keep, Listed, Secret, Username};
use crate::config::{Config, KeyPlace};
use crate::credential::Credential;
use crate::error::Error;
use crate::host::{Host, ServerUrl};
use crate::keys::Blob;
use crate::private;
use crate::seal::{KeyFile, SealKey};
use crate::trusted::{self, FileError};

/// A directory of sealed files, and their key.
#[derive(Debug)]
pub struct FileStore {
    workspace: String,
    /// `None` without a home directory: then the store is empty, and storing fails.
    root: Option<PathBuf>,
    key: KeyFile,
}

/// A secret and its metadata.
struct Opened {
    about: About,
    text: Zeroizing<String>,
}

impl FileStore {
    /// The store of one workspace below `root`. Reads and creates nothing yet.
    pub fn new(workspace: &str, root: Option<PathBuf>, key: KeyPlace) -> Self {
        Self {
            workspace: workspace.to_owned(),
            root,
            key: KeyFile::new(key),
        }
    }

    /// The store of this configuration.
    pub fn of(config: &Config) -> Self {
        let (path, key) = (config.file_path.clone(), config.file_key.clone());
        Self::new(&config.workspace, path, key)
    }

    pub(super) fn get(&self, host: &Host) -> Result<Option<Found>, Error> {
        let Some((blob, stored_at)) = self.blob(host.as_str())? else {
            return Ok(None);
        };
        // The associated data binds the file to this host, so the blob need not name it.
        let ours = blob
            .registry
            .as_ref()
            .is_none_or(|registry| registry == host);
        let mut found = Found::of(blob, Keep::Disk);
        found.times.stored_at = stored_at;
        Ok(ours.then_some(found))
    }

    /// An item that is stored verbatim: docker's OAuth items and nerdctl's keys.
    pub fn item(&self, item: &str) -> Result<Option<Credential>, Error> {
        let Some((blob, _)) = self.blob(item)? else {
            return Ok(None);
        };
        let (Some(username), Some(secret)) = (blob.keys.get("USERNAME"), blob.keys.get("PASSWORD"))
        else {
            let cause = "it holds no user name and password".to_owned();
            return Err(Error::from(FileStoreError::Damaged(cause)).about(item));
        };
        Credential::new(username.expose().to_owned(), secret.clone())
            .map(Some)
            .map_err(|error| Error::from(FileStoreError::Damaged(error.to_string())).about(item))
    }

    /// Stores the secret of a server URL (a host or an item), replacing any old one as a whole.
    pub fn store(&self, server: &str, secret: &Secret) -> Result<(), Error> {
        self.store_for(server, secret, None)
    }

    /// The same with a time to live, after which `prune` may remove it.
    pub(super) fn store_for(
        &self,
        server: &str,
        secret: &Secret,
        ttl: Option<Duration>,
    ) -> Result<(), Error> {
        self.put(server, secret, ttl)
            .map_err(|error| error.about(server))
    }

    /// Erases the entry of a server URL. A missing one is not an error.
    pub fn erase(&self, server: &str) -> Result<(), Error> {
        let erased = self.checked_dir().and_then(|dir| {
            dir.map_or(Ok(()), |dir| {
                dir::check_replaceable(&dir, server)?;
                dir::remove(&dir, server)
            })
        });
        erased.map_err(|error| error.about(server))
    }

    /// Lists the entries whose server URLs are wanted. Entries that can't be read are passed to `skipped`.
    pub fn list(
        &self,
        wanted: impl Fn(&ServerUrl) -> bool,
        skipped: &mut dyn FnMut(&Error),
    ) -> Result<Vec<Listed>, Error> {
        let Some(dir) = self.checked_dir()? else {
            return Ok(Vec::new());
        };
        let files = dir::sealed_files(&dir)?;
        let mut listed = Vec::new();
        if files.is_empty() {
            return Ok(listed);
        }
        // A missing key affects all entries, so it is reported once.
        let key = self.existing_key()?;
        for path in files {
            match self.listed(&path, &key) {
                Ok(Some(line)) if wanted(&line.url) => listed.push(line),
                Ok(_) => {}
                Err(error) => skipped(&error),
            }
        }
        listed.sort_by(|a: &Listed, b| a.url.label().cmp(b.url.label()));
        Ok(listed)
    }

    /// The other workspaces in this store with an entry for this registry; `None` for those without a recorded name.
    pub(crate) fn elsewhere(&self, host: &Host) -> Vec<Option<String>> {
        let (Some(root), Some(own)) = (&self.root, self.dir()) else {
            return Vec::new();
        };
        // This is only a hint, so unreadable directories are skipped.
        let mut dirs = match trusted::directory(root) {
            Ok(true) => dir::others(root, &own),
            _ => Vec::new(),
        };
        let server = host.as_str();
        let names = [entry::file_name(server), entry::first_file_name(server)];
        dirs.retain(|dir| {
            names
                .iter()
                .any(|name| trusted::exists(&dir.join(name)).unwrap_or(false))
        });
        dirs.iter().map(|dir| dir::workspace(dir)).collect()
    }

    /// A line of the list; `None` for a note, or if the file has disappeared.
    fn listed(&self, path: &Path, key: &SealKey) -> Result<Option<Listed>, Error> {
        let Some(about) = self
            .about(path, key)?
            .filter(|about| !notes::is_note(&about.server))
        else {
            return Ok(None);
        };
        let url = ServerUrl::parse(about.server.as_bytes()).map_err(|error| {
            Error::from(FileStoreError::Damaged(error.to_string())).about(&about.server)
        })?;
        Ok(Some(Listed {
            url,
            username: Username::Recorded(about.username),
        }))
    }

    /// A file's metadata; `None` if the file has disappeared.
    fn about(&self, path: &Path, key: &SealKey) -> Result<Option<About>, Error> {
        let Some(bytes) = dir::read(path)? else {
            return Ok(None);
        };
        let about = Entry::parse(dir::file_name(path), &bytes)
            .and_then(|entry| entry.about(key, &self.workspace));
        self.opened(path, about).map(Some)
    }

    fn blob(&self, server: &str) -> Result<Option<(Blob, Option<SystemTime>)>, Error> {
        let parse = |opened: Opened| {
            let blob = Blob::parse(&opened.text)
                .map_err(|error| FileStoreError::Damaged(error.to_string()))?;
            Ok((blob, opened.about.stored_at))
        };
        self.open(server)
            .and_then(|opened| opened.map(parse).transpose())
            .map_err(|error| error.about(server))
    }

    fn open(&self, server: &str) -> Result<Option<Opened>, Error> {
        let Some(dir) = self.checked_dir()? else {
            return Ok(None);
        };
        // A concurrent `store` creates the new file before it removes the old one, so look once more before reporting a
        // miss.
        for name in [entry::file_name, entry::first_file_name, entry::file_name] {
            let path = dir.join(name(server));
            if let Some(bytes) = dir::read(&path)? {
                dir::check_next(&dir, server)?;
                return self.open_bytes(&path, &bytes, server).map(Some);
            }
        }
        dir::check_newer(&dir, server).map(|()| None)
    }

    fn open_bytes(&self, path: &Path, bytes: &[u8], server: &str) -> Result<Opened, Error> {
        let key = self.existing_key()?;
        let opened = Entry::parse(dir::file_name(path), bytes).and_then(|entry| {
            Ok(Opened {
                about: entry.about(&key, &self.workspace)?,
                text: entry.secret(&key, &self.workspace)?,
            })
        });
        let mut opened = opened.map_err(|unopened| self.unopened(unopened))?;
        if opened.about.server != server {
            return Err(FileStoreError::Damaged("it is another registry's".to_owned()).into());
        }
        if opened.about.stored_at.is_none() {
            opened.about.stored_at = fs::metadata(path)
                .and_then(|metadata| metadata.modified())
                .ok();
        }
        Ok(opened)
    }

    /// Writes an entry. The new file is complete before the old one is removed.
    fn put(&self, server: &str, secret: &Secret, ttl: Option<Duration>) -> Result<(), Error> {
        let dir = self.made_dir()?;
        let key = self.key_or_new(&dir)?;
        let now = SystemTime::now();
        let about = About {
            server: server.to_owned(),
            username: secret.username.clone(),
            stored_at: Some(now),
            // An expiry beyond the range of times counts as none.
            expires_at: ttl.and_then(|ttl| now.checked_add(ttl)),
            ..About::default()
        };
        let name = entry::file_name(server);
        let bytes = entry::seal(&key, &self.workspace, &name, &about, secret)
            .map_err(FileStoreError::Unsealable)?;
        let _held = dir::lock(&dir)?;
        dir::check_replaceable(&dir, server)?;
        private::replace(&dir, &name, &bytes).map_err(problem)?;
        dir::remove_first(&dir, server)
    }

    fn existing_key(&self) -> Result<SealKey, Error> {
        self.key
            .existing(self.root.as_deref().unwrap_or(Path::new("")))
            .map_err(problem)
    }

    /// The key. A new one is made only if no workspace has an entry, because existing entries would never open again.
    fn key_or_new(&self, dir: &Path) -> Result<SealKey, Error> {
        if let Some(key) = self.key.read().map_err(problem)? {
            return Ok(key);
        }
        let is_new = !dir::has_entries(dir.parent().unwrap_or(dir))?;
        if is_new {
            self.key.read_or_make(dir).map_err(problem)
        } else {
            self.existing_key()
        }
    }

    /// The workspace's directory, created if necessary.
    fn made_dir(&self) -> Result<PathBuf, Error> {
        let (Some(root), Some(dir)) = (&self.root, self.dir()) else {
            return Err(FileStoreError::Homeless.into());
        };
        private::make_dir(root).map_err(problem)?;
        private::make_dir(&dir).map_err(problem)?;
        dir::note_workspace(&dir, &self.workspace)?;
        Ok(dir)
    }

    /// Turns the result of opening a file into a failure with its path.
    fn opened<T>(&self, path: &Path, opened: Result<T, Unopened>) -> Result<T, Error> {
        opened.map_err(|unopened| self.unopened(unopened).about(&path.display().to_string()))
    }

    fn unopened(&self, unopened: Unopened) -> Error {
        let error = match unopened {
            Unopened::Newer => FileStoreError::Newer,
            Unopened::Damaged(cause) => FileStoreError::Damaged(cause),
            Unopened::OtherKey { sealed, here } => {
                let place = self.key.path().unwrap_or(Path::new("the key"));
                let place = place.display().to_string();
                FileStoreError::OtherKey {
                    sealed,
                    place,
                    here,
                }
            }
        };
        error.into()
    }

    fn dir(&self) -> Option<PathBuf> {
        self.root
            .as_ref()
            .map(|root| root.join(dir::name(&self.workspace)))
    }

    /// The directory, if it exists. Fails unless it and its parents belong to this user or root, and nobody else could
    /// rename it.
    fn checked_dir(&self) -> Result<Option<PathBuf>, Error> {
        let (Some(root), Some(dir)) = (&self.root, self.dir()) else {
            return Ok(None);
        };
        let judge = |dir: &Path| trusted::directory(dir).map_err(problem);
        // Checking one directory also checks the other, which is above it.
        let exists = judge(&dir);
        judge(root)?;
        Ok(exists?.then_some(dir))
    }
}

fn problem(fault: FileError) -> Error {
    fault.problem(PART)
}

const PART: &str = "file store";
