//! The embedded store: one sealed file per workspace and host, which needs nothing but a directory.
//!
//! What is said of a secret (whose it is, the user name, times) is sealed on its own, so that `list` and `prune` open no
//! secret. Both parts are bound to the workspace and the file's name as associated data: a file that is copied to another
//! name, host or workspace does not open.
//!
//! Files of 0.1 have another name and format. They are read where there is no newer one, and replaced by the next `store`.

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

/// A directory of sealed files, and the key that opens them.
#[derive(Debug)]
pub struct FileStore {
    workspace: String,
    /// `None` without a home directory: then there is nothing, and nothing can be kept.
    root: Option<PathBuf>,
    key: KeyFile,
}

/// A secret, and what is said of it.
struct Opened {
    about: About,
    text: Zeroizing<String>,
}

impl FileStore {
    /// The store of one workspace below `root`. Nothing is read or made yet.
    pub fn new(workspace: &str, root: Option<PathBuf>, key: KeyPlace) -> Self {
        Self {
            workspace: workspace.to_owned(),
            root,
            key: KeyFile::new(key),
        }
    }

    /// The one of this configuration.
    pub fn of(config: &Config) -> Self {
        let (path, key) = (config.file_path.clone(), config.file_key.clone());
        Self::new(&config.workspace, path, key)
    }

    pub(super) fn get(&self, host: &Host) -> Result<Option<Found>, Error> {
        let Some((blob, stored_at)) = self.blob(host.as_str())? else {
            return Ok(None);
        };
        // The associated data binds the file to this host, which is enough for a blob that names none.
        let ours = blob
            .registry
            .as_ref()
            .is_none_or(|registry| registry == host);
        let mut found = Found::of(blob, Keep::Disk);
        found.times.stored_at = stored_at;
        Ok(ours.then_some(found))
    }

    /// An item that is kept verbatim: docker's OAuth items and nerdctl's keys.
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

    /// Keeps what belongs to a server URL, a host or an item; it replaces the old one as a whole.
    pub fn store(&self, server: &str, secret: &Secret) -> Result<(), Error> {
        self.store_for(server, secret, None)
    }

    /// The same for a time, after which `prune` may remove it.
    pub(super) fn store_for(
        &self,
        server: &str,
        secret: &Secret,
        ttl: Option<Duration>,
    ) -> Result<(), Error> {
        self.put(server, secret, ttl)
            .map_err(|error| error.about(server))
    }

    /// Forgets it; it isn't an error when there is nothing.
    pub fn erase(&self, server: &str) -> Result<(), Error> {
        let erased = self.checked_dir().and_then(|dir| {
            dir.map_or(Ok(()), |dir| {
                dir::check_replaceable(&dir, server)?;
                dir::remove(&dir, server)
            })
        });
        erased.map_err(|error| error.about(server))
    }

    /// What there is of the server URLs that are wanted; entries that cannot be read are passed to `skipped`.
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
        // Without its key nothing opens, which isn't a single entry's fault.
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

    /// The other workspaces of this store that have an entry for this registry, by name where that is noted.
    pub(crate) fn elsewhere(&self, host: &Host) -> Vec<Option<String>> {
        let (Some(root), Some(own)) = (&self.root, self.dir()) else {
            return Vec::new();
        };
        // It is a hint: what cannot be read is no reason to fail.
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

    /// One line of a list; `None` for a note, and for what has gone meanwhile.
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

    /// What is said of the secret in a file; `None` where that has gone meanwhile.
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
        // A `store` in between puts the new file in place before it removes the old one, so a miss needs a last look.
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

    /// The new file is in place, whole, before what it replaces goes.
    fn put(&self, server: &str, secret: &Secret, ttl: Option<Duration>) -> Result<(), Error> {
        let dir = self.made_dir()?;
        let key = self.key_or_new(&dir)?;
        let now = SystemTime::now();
        let about = About {
            server: server.to_owned(),
            username: secret.username.clone(),
            stored_at: Some(now),
            // An end beyond all times is none.
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

    /// The key, made when there is none and no workspace has an entry yet: what is sealed would never open again.
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

    /// The workspace's directory, made if need be.
    fn made_dir(&self) -> Result<PathBuf, Error> {
        let (Some(root), Some(dir)) = (&self.root, self.dir()) else {
            return Err(FileStoreError::Homeless.into());
        };
        private::make_dir(root).map_err(problem)?;
        private::make_dir(&dir).map_err(problem)?;
        dir::note_workspace(&dir, &self.workspace)?;
        Ok(dir)
    }

    /// What came of opening the file at this path.
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

    /// The directory, where it exists: it and all above it belong to this user or to root, and nobody else could rename
    /// it away.
    fn checked_dir(&self) -> Result<Option<PathBuf>, Error> {
        let (Some(root), Some(dir)) = (&self.root, self.dir()) else {
            return Ok(None);
        };
        let judge = |dir: &Path| trusted::directory(dir).map_err(problem);
        // On the way to the one the other is passed, and is known then.
        let exists = judge(&dir);
        judge(root)?;
        Ok(exists?.then_some(dir))
    }
}

fn problem(fault: FileError) -> Error {
    fault.problem(PART)
}

const PART: &str = "file store";
