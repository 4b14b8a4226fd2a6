//! What the embedded store keeps beside the secrets, sealed like them: which image was built from which registries, and
//! when a secret that nobody uses any more may go.

use std::time::{Duration, SystemTime};

use super::{FileStore, MAX_ENTRY, problem, sealed_files};
use crate::credential::Redacted;
use crate::error::Error;
use crate::host::Host;
use crate::private::{self, Readers};
use crate::store::Secret;
use crate::store::file::entry::Entry;

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
    pub(in crate::store) fn image_blobs(&self, image_id: &str) -> Result<Vec<Redacted>, Error> {
        let Some(hosts) = self.open(&format!("{IMAGE}{image_id}"))? else { return Ok(Vec::new()) };
        let blob = |host| self.open(host).map(|text| text.map(|text| text.as_str().into())).transpose();
        hosts.lines().filter_map(blob).collect()
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
            let Some(bytes) = private::read(&path, Readers::Owner, MAX_ENTRY).map_err(problem)? else { continue };
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
