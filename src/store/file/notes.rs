//! Sealed notes beside the secrets: which image was built from which registries. 0.1 also had notes with the time from
//! which a secret may be pruned, which is now part of its entry.

use super::errors::FileStoreError;
use super::{FileStore, Opened};
use crate::error::Error;
use crate::host::Host;
use crate::store::{ImageSecrets, Secret};

/// Server URLs and items never begin with a `#`, so notes and credentials can't be confused: the registry `image:5000`
/// is not image 5000.
const IMAGE: &str = "#image:";
const EXPIRY: &str = "#expiry:";
pub(super) const PUBLISHED: &str = "#published:";

pub(super) fn is_note(server: &str) -> bool {
    [IMAGE, EXPIRY, PUBLISHED]
        .iter()
        .any(|prefix| server.starts_with(prefix))
}

/// The name of 0.1's note with the expiry of a server's secret.
pub(super) fn expiry_note(server: &str) -> String {
    [EXPIRY, server].concat()
}

/// The server that a note of 0.1 belongs to.
pub(super) fn ended_by(note: &str) -> Option<&str> {
    note.strip_prefix(EXPIRY)
}

impl FileStore {
    /// Records the registries that an image was built from.
    pub(in crate::store) fn bind_image(
        &self,
        image_id: &str,
        hosts: &[&Host],
    ) -> Result<(), Error> {
        let hosts: Vec<_> = hosts.iter().map(|host| host.as_str()).collect();
        self.note(&format!("{IMAGE}{image_id}"), &hosts.join("\n"))
    }

    /// The blobs of the registries that an image was built from.
    pub(in crate::store) fn image_secrets(&self, image_id: &str) -> Result<ImageSecrets, Error> {
        let Some(Opened { text: hosts, .. }) = self.open(&format!("{IMAGE}{image_id}"))? else {
            let unknown = FileStoreError::UnknownImage(image_id.to_owned());
            return Ok(ImageSecrets::Unknown(unknown.into()));
        };
        let blob = |host: &str| match self.open(host)? {
            Some(opened) => Ok(opened.text.as_str().into()),
            None => Err(Error::from(FileStoreError::Gone {
                image: image_id.to_owned(),
                host: host.to_owned(),
            })),
        };
        hosts
            .lines()
            .map(blob)
            .collect::<Result<_, _>>()
            .map(ImageSecrets::Blobs)
    }

    pub(super) fn note(&self, name: &str, text: &str) -> Result<(), Error> {
        let (username, blob) = (String::new(), text.into());
        self.put(name, &Secret { username, blob }, None)
    }
}
