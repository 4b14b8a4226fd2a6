//! What the embedded store keeps beside the secrets, sealed like them: which image was built from which registries, and
//! when a secret that nobody uses any more may go.

use std::time::{Duration, SystemTime};

use super::{FileStore, MAX_ENTRY, PART, problem, sealed_files};
use crate::error::{Error, Problem};
use crate::host::Host;
use crate::store::file::entry::Entry;
use crate::store::{ImageSecrets, Secret};
use crate::trusted::{self, Readers};

/// No server URL and no item has a `#` before its scheme, so no note is taken for a credential or put in its place: the
/// registry `image:5000` is not image 5000.
const IMAGE: &str = "#image:";
const EXPIRY: &str = "#expiry:";

pub(super) fn is_note(server: &str) -> bool {
    server.starts_with(IMAGE) || server.starts_with(EXPIRY)
}

impl FileStore {
    /// Notes the registries that an image was built from.
    pub(in crate::store) fn bind_image(&self, image_id: &str, hosts: &[&Host]) -> Result<(), Error> {
        let text = hosts.iter().map(|host| host.as_str()).collect::<Vec<_>>().join("\n");
        self.note(&format!("{IMAGE}{image_id}"), &text)
    }

    /// The blobs of the registries that an image was built from.
    pub(in crate::store) fn image_secrets(&self, image_id: &str) -> Result<ImageSecrets, Error> {
        let problem = |cause: String, fix: &str| Problem::new(PART, cause).fix(fix).failed();
        let Some(hosts) = self.open(&format!("{IMAGE}{image_id}"))? else {
            let cause = format!("there is no image {image_id}");
            let fix = "bind it with docker-credential-beta9 provision --image-id, or correct its id";
            return Ok(ImageSecrets::Unknown(problem(cause, fix)));
        };
        let blob = |host| match self.open(host)? {
            Some(text) => Ok(text.as_str().into()),
            None => Err(problem(
                format!("image {image_id} is bound to the secret of {host}, which is gone"),
                "store the secret again with docker-credential-beta9 provision",
            )),
        };
        hosts.lines().map(blob).collect::<Result<_, _>>().map(ImageSecrets::Blobs)
    }

    /// Notes when a host's secret may go.
    pub(in crate::store) fn set_expiry(&self, host: &Host, end: SystemTime) -> Result<(), Error> {
        let end = end.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.note(&format!("{EXPIRY}{}", host.as_str()), &end.as_secs().to_string())
    }

    /// A secret that was written anew stays, whatever end the old one had.
    pub(super) fn forget_expiry(&self, server: &str) -> Result<(), Error> {
        self.erase(&format!("{EXPIRY}{server}"))
    }

    /// Removes the secrets whose end has come, and answers their hosts.
    pub(in crate::store) fn prune(&self, now: SystemTime) -> Result<Vec<String>, Error> {
        let Some(dir) = self.checked_dir()? else { return Ok(Vec::new()) };
        let mut pruned = Vec::new();
        for path in sealed_files(&dir)? {
            let bytes = trusted::read_inside(&path, Readers::Owner, MAX_ENTRY).map_err(problem)?;
            let Some(bytes) = bytes else { continue };
            let Ok(entry) = Entry::parse(&bytes) else { continue };
            let Some(host) = entry.server.strip_prefix(EXPIRY) else { continue };
            let end = self.open(&entry.server)?.and_then(|text| text.parse().ok()).map(Duration::from_secs);
            if end.is_some_and(|end| SystemTime::UNIX_EPOCH + end <= now) {
                self.erase(host)?;
                self.erase(&entry.server)?;
                pruned.push(host.to_owned());
            }
        }
        pruned.sort();
        Ok(pruned)
    }

    fn note(&self, name: &str, text: &str) -> Result<(), Error> {
        self.put(name, &Secret { username: String::new(), blob: text.into() })
    }
}
