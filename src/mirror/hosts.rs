//! The registries that were named with `configure containerd`. The mirror refuses all others.

use std::collections::BTreeSet;
use std::path::Path;

use crate::host::Host;
use crate::trusted::{self, FileError, Readers};

/// The allowed registries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hosts {
    /// Every registry.
    pub(crate) all: bool,
    /// The allowed registries, sorted by name.
    pub(crate) these: BTreeSet<Host>,
}

impl Hosts {
    /// Reads the list in the mirror's directory; empty if it does not exist.
    pub(crate) fn read(dir: &Path) -> Result<Self, FileError> {
        let path = dir.join(NAME);
        let text = trusted::read(&path, Readers::Anybody, trusted::MAX_TEXT)?;
        let text = text.map(|text| trusted::text_of(&path, text)).transpose()?;
        let mut hosts = Self::default();
        for line in text.iter().flat_map(|text| text.lines()) {
            match line.trim() {
                "" => {}
                ALL => hosts.all = true,
                name => {
                    let host = Host::parse(name.as_bytes()).map_err(|_| {
                        let cause = "has a line that is not a registry";
                        let fix = "make it again: docker-credential-beta9 configure containerd --hosts HOST,…";
                        FileError::new(&path, cause, fix)
                    })?;
                    hosts.these.insert(host);
                }
            }
        }
        Ok(hosts)
    }

    /// The list's text.
    pub(crate) fn text(&self) -> String {
        let all = self.all.then_some(ALL);
        let lines = all
            .into_iter()
            .chain(self.these.iter().map(Host::as_reference));
        lines.flat_map(|line| [line, "\n"]).collect()
    }

    /// Whether a registry is allowed.
    pub(crate) fn has(&self, host: &Host) -> bool {
        self.all || self.these.contains(host)
    }
}

/// The file's name in the mirror's directory.
pub(crate) const NAME: &str = "hosts";
/// A line that means every registry.
const ALL: &str = "*";
