//! What this node has published into the workspace: a note for each registry, beside the keys and sealed like them.
//!
//! A note knows a value by its print, a keyed hash that says nothing without the store's key. Before a value is written its
//! print is noted, so that a run that is killed in between still knows its own afterwards.
//!
//! ```text
//! 1 STORE BACKEND names|blob whole|begun MINTED EXPIRES     the two times in seconds since 1970
//! NAME PRINT…                                               a line for each secret, in the order in which they are written
//! - NAME PRINT…                                             and for each that is to be removed
//! ```

use std::time::{Duration, Instant, SystemTime};

use super::dir::sealed_files;
use super::notes::PUBLISHED;
use super::{FileStore, PART};
use crate::error::{Error, Problem};
use crate::host::Host;
use crate::lock::Lock;

/// What this node has published for one registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The word of the workspace store that it was written to.
    pub store: String,
    /// The backend that minted the token.
    pub backend: String,
    /// Whether it is made of single secrets, which images name; else it is one secret with the registry recorded in it.
    pub by_names: bool,
    /// Whether the last run came to its end.
    pub is_whole: bool,
    /// When the token was minted.
    pub minted: SystemTime,
    /// When it ends.
    pub expires: SystemTime,
    /// The secrets, in the order in which they are written.
    pub secrets: Vec<Written>,
    /// Those in whose place they are, which are still to be removed.
    pub former: Vec<Written>,
}

/// A secret, and the prints of the values that this node has written to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its name in the workspace.
    pub name: String,
    /// Of the value that is there, and while a run is not over of the one before it.
    pub prints: Vec<String>,
}

impl Published {
    /// The names of its secrets.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(|secret| secret.name.as_str())
    }

    /// The prints of what this node has written under this name.
    #[must_use]
    pub fn prints(&self, name: &str) -> &[String] {
        let mut all = self.secrets.iter().chain(&self.former);
        all.find(|secret| secret.name == name)
            .map_or(&[], |secret| &secret.prints)
    }

    /// When half of the token's life is over.
    #[must_use]
    pub fn due(&self) -> SystemTime {
        self.minted + self.expires.duration_since(self.minted).unwrap_or_default() / 2
    }

    /// Whether it is to be written again: the token is past half of its life, or the last run was cut short. So it is where
    /// a clock that was set back hides how old the token is.
    #[must_use]
    pub fn is_due(&self, now: SystemTime) -> bool {
        !self.is_whole || now < self.minted || now >= self.due()
    }

    fn write(&self) -> String {
        let seconds = |time: SystemTime| {
            time.duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs()
        };
        let kind = if self.by_names { NAMES } else { BLOB };
        let state = if self.is_whole { WHOLE } else { BEGUN };
        let (minted, expires) = (seconds(self.minted), seconds(self.expires));
        let mut text = format!(
            "{VERSION} {} {} {kind} {state} {minted} {expires}\n",
            self.store, self.backend
        );
        let secrets = self.secrets.iter().map(|secret| ("", secret));
        for (mark, secret) in secrets.chain(self.former.iter().map(|secret| (FORMER, secret))) {
            text.push_str(&[mark, &secret.name, " ", &secret.prints.join(" "), "\n"].concat());
        }
        text
    }

    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let head: Vec<_> = lines.next()?.split(' ').collect();
        let [
            VERSION,
            store,
            backend,
            kind @ (NAMES | BLOB),
            state @ (WHOLE | BEGUN),
            minted,
            expires,
        ] = head[..]
        else {
            return None;
        };
        let time = |text: &str| {
            SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(text.parse().ok()?))
        };
        let secret = |line: &str| {
            let (name, prints) = line.split_once(' ')?;
            Some(Written {
                name: name.to_owned(),
                prints: prints.split(' ').map(str::to_owned).collect(),
            })
        };
        let (former, secrets): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with(FORMER));
        Some(Self {
            store: store.to_owned(),
            backend: backend.to_owned(),
            by_names: kind == NAMES,
            is_whole: state == WHOLE,
            minted: time(minted)?,
            expires: time(expires)?,
            secrets: secrets.into_iter().map(secret).collect::<Option<_>>()?,
            former: former
                .iter()
                .filter_map(|line| line.strip_prefix(FORMER))
                .map(secret)
                .collect::<Option<_>>()?,
        })
    }
}

impl FileStore {
    /// What was published for this registry.
    pub fn published(&self, host: &Host) -> Result<Option<Published>, Error> {
        let lost = |cause: &dyn std::fmt::Display| {
            Problem::new(PART, format_args!("the note of what was published for {host} cannot be used: {cause}"))
                .fix(format_args!(
                    "restore it, or take over what is published with docker-credential-beta9 publish {host} --force"
                ))
                .failed()
        };
        let text = self.open(&note(host)).map_err(|error| match &error {
            Error::Failed(problem) => lost(&problem.words().1),
            _ => error,
        })?;
        text.map(|opened| {
            Published::read(&opened.text).ok_or_else(|| lost(&"it is of another version"))
        })
        .transpose()
    }

    /// The registries for which something was published; no note is opened.
    pub fn published_hosts(&self) -> Result<Vec<Host>, Error> {
        let mut hosts = Vec::new();
        let files = self
            .checked_dir()?
            .map_or(Ok(Vec::new()), |dir| sealed_files(&dir))?;
        if files.is_empty() {
            return Ok(hosts);
        }
        let key = self.existing_key()?;
        for path in files {
            // What does not open may be such a note.
            let about = self.about(&path, &key)?;
            let host = about
                .as_ref()
                .and_then(|about| about.server.strip_prefix(PUBLISHED));
            hosts.extend(host.and_then(|host| Host::parse(host.as_bytes()).ok()));
        }
        hosts.sort();
        Ok(hosts)
    }

    /// Notes what is published for a registry.
    pub fn note_published(&self, host: &Host, published: &Published) -> Result<(), Error> {
        self.note(&note(host), &published.write())
    }

    /// Forgets that something was published for a registry.
    pub fn forget_published(&self, host: &Host) -> Result<(), Error> {
        self.erase(&note(host))
    }

    /// The print of a secret's value.
    pub fn print(&self, name: &str, value: &str) -> Result<String, Error> {
        Ok(self
            .key_or_new(&self.made_dir()?)?
            .fingerprint([PUBLISHED, name, value]))
    }

    /// The lock of whoever publishes: of two that write at once, each would take the other's value for somebody else's.
    pub fn publishing(&self, deadline: Instant) -> Result<Lock, Error> {
        let path = self.made_dir()?.join(LOCK);
        let failed =
            |cause: &str| Problem::new(PART, format_args!("the lock {} {cause}", path.display()));
        match Lock::acquire(&path, deadline) {
            Ok(Some(lock)) => Ok(lock),
            Ok(None) => Err(failed("is held by another process that publishes")
                .fix("try again")
                .failed()),
            Err(error) => Err(failed("cannot be taken")
                .source(error)
                .fix("give this user access to its directory")
                .failed()),
        }
    }
}

fn note(host: &Host) -> String {
    format!("{PUBLISHED}{host}")
}

const VERSION: &str = "1";
const NAMES: &str = "names";
const BLOB: &str = "blob";
const WHOLE: &str = "whole";
const BEGUN: &str = "begun";
/// No name of a secret that Beta9 creates begins so.
const FORMER: &str = "- ";
const LOCK: &str = "publish.lock";

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn published() -> Published {
        let secret = |name: &str, prints: &[&str]| Written {
            name: name.to_owned(),
            prints: prints.iter().map(|&print| print.to_owned()).collect(),
        };
        Published {
            store: "gateway".to_owned(),
            backend: "azure".to_owned(),
            by_names: true,
            is_whole: true,
            minted: at(1000),
            expires: at(4600),
            secrets: vec![
                secret("REGISTRY_USERNAME", &["a1"]),
                secret("REGISTRY_PASSWORD", &["b2", "c3"]),
            ],
            former: vec![secret("oci-registry-myreg-azurecr-io", &["d4"])],
        }
    }

    #[test]
    fn a_note_is_read_as_it_was_written_and_one_of_another_version_is_not() {
        let text = published().write();
        assert_eq!(
            text,
            "1 gateway azure names whole 1000 4600\nREGISTRY_USERNAME a1\nREGISTRY_PASSWORD b2 c3\n- oci-registry-myreg-azurecr-io d4\n"
        );
        assert_eq!(Published::read(&text), Some(published()));
        let begun = Published {
            is_whole: false,
            by_names: false,
            ..published()
        };
        assert_eq!(Published::read(&begun.write()), Some(begun));
        for damaged in [
            "",
            "2 gateway azure names whole 1000 4600\n",
            "1 gateway azure names whole 1000\n",
        ] {
            assert_eq!(Published::read(damaged), None, "{damaged}");
        }
        assert_eq!(Published::read(&text.replace(" a1", "")), None);
    }

    #[test]
    fn half_of_a_tokens_life_a_cut_run_and_a_clock_that_was_set_back_make_it_due() {
        let due = |seconds| published().is_due(at(seconds));
        assert_eq!(
            [due(1000), due(2799), due(2800), due(9999), due(999)],
            [false, false, true, true, true]
        );
        assert!(
            Published {
                is_whole: false,
                ..published()
            }
            .is_due(at(1000))
        );
    }
}
