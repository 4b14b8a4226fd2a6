//! Failures of the embedded store.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::PART;
use crate::error::{Code, Fault, Meaning};
use crate::host::Host;

/// A failure of the embedded store. Files that are not trusted are a [`crate::trusted::Fault`].
#[derive(Debug, Error)]
pub(super) enum FileStoreError {
    #[error("its entry does not open: {0}")]
    Damaged(String),
    #[error(
        "its entry does not open: it was sealed with another key ({sealed}) than {place} ({here})"
    )]
    OtherKey {
        sealed: String,
        place: String,
        here: String,
    },
    #[error("its entry was written by a newer version of this program")]
    Newer,
    /// An older file that is not used because a newer one exists.
    #[error("an older version of this program stored a credential later, which is not used")]
    Shadowed,
    /// The secret can't be sealed.
    #[error("{0}")]
    Unsealable(String),
    #[error("there is no home directory to keep it in")]
    Homeless,
    #[error("{} cannot be read ({error})", dir.display())]
    Unreadable { dir: PathBuf, error: io::Error },
    #[error("{} cannot be written ({error})", lock.display())]
    Unwritable { lock: PathBuf, error: io::Error },
    #[error("another process is writing and has not finished")]
    Busy,
    #[error("there is no image {0}")]
    UnknownImage(String),
    #[error("image {image} is bound to the secret of {host}, which is gone")]
    Gone { image: String, host: String },
    #[error("the note of what was published for {host} cannot be used: {cause}")]
    NoteLost { host: Host, cause: String },
    #[error("the lock {} is held by another process that publishes", .0.display())]
    Publishing(PathBuf),
    #[error("the lock {} cannot be taken: {error}", lock.display())]
    NoLock { lock: PathBuf, error: io::Error },
}

impl Fault for FileStoreError {
    fn meaning(&self) -> Meaning {
        let of = |code| Meaning::new(code, PART);
        match self {
            Self::Damaged(_) => of(Code::StoreDamaged).fix("docker logout, then docker login again"),
            Self::OtherKey { .. } => of(Code::StoreDamaged)
                .fix("restore that key, or docker logout, then docker login again"),
            Self::Newer => of(Code::StoreNewerFormat).fix("update this program"),
            Self::Shadowed => of(Code::StoreConflict).fix("docker login again"),
            Self::Unsealable(_) => of(Code::StoreUnwritable).fix("nothing was stored"),
            Self::Homeless => of(Code::ConfigMissing).fix("set HOME, or BETA9_STORE_PATH"),
            Self::Unreadable { .. } => of(Code::SystemFile).fix("give this user access to it"),
            Self::Unwritable { .. } => of(Code::StoreUnwritable)
                .fix("make room or make it writable, or choose another place in the configuration"),
            Self::Busy | Self::Publishing(_) => of(Code::StoreConflict).fix("try again"),
            Self::UnknownImage(_) => of(Code::StoreNotFound)
                .fix("bind it with docker-credential-beta9 provision --image-id, or correct its id"),
            Self::Gone { .. } => of(Code::StoreNotFound)
                .fix("store the secret again with docker-credential-beta9 provision"),
            Self::NoteLost { host, .. } => of(Code::StoreDamaged).fix(format!(
                "restore it, or take over what is published with docker-credential-beta9 publish {host} --force"
            )),
            Self::NoLock { .. } => {
                of(Code::StoreUnwritable).fix("give this user access to its directory")
            }
        }
    }
}
