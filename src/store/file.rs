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
mod list;
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
use super::{Found, Keep, Secret};
use crate::config::{Config, KeyPlace};
use crate::credential::Credential;
use crate::error::Error;
use crate::host::Host;
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
        let registry = blob.registry.as_ref();
        let ours = registry.is_none_or(|registry| registry == host);
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

    /// The directory, its sealed files and the key; `None` if nothing is stored. A missing key affects all entries, so
    /// it is one error.
    fn sealed(&self) -> Result<Option<(PathBuf, Vec<PathBuf>, SealKey)>, Error> {
        let Some(dir) = self.checked_dir()? else {
            return Ok(None);
        };
        let files = dir::sealed_files(&dir)?;
        if files.is_empty() {
            return Ok(None);
        }
        Ok(Some((dir, files, self.existing_key()?)))
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
        let modified = || fs::metadata(path).and_then(|file| file.modified()).ok();
        opened.about.stored_at = opened.about.stored_at.or_else(modified);
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
        if dir::has_entries(dir.parent().unwrap_or(dir))? {
            self.existing_key()
        } else {
            self.key.read_or_make(dir).map_err(problem)
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
