//! What this node has published into the workspace: a sealed note for each registry, beside the keys.
//!
//! A note identifies a value by its print, a keyed hash that reveals nothing without the store's key. The print is
//! noted before the value is written, so that after a killed run this node still recognises its own values.

use std::time::{Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::FileStore;
use super::errors::FileStoreError;
use super::notes::PUBLISHED;
use crate::error::{Code, Error};
use crate::host::Host;
use crate::json;
use crate::lock::Lock;

/// What this node has published for one registry.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// The kind of workspace store that it was written to.
    pub store: String,
    /// The backend that minted the token.
    pub backend: String,
    /// Whether it consists of single secrets, which images name, rather than one secret with the registry recorded in
    /// it.
    pub by_names: bool,
    /// Whether the last run was completed.
    pub is_whole: bool,
    /// When the token was minted.
    #[serde(with = "seconds")]
    pub minted: SystemTime,
    /// When the token expires.
    #[serde(with = "seconds")]
    pub expires: SystemTime,
    /// The secrets, in the order of writing.
    pub secrets: Vec<Written>,
    /// Earlier secrets that these replace and that are still to be removed.
    pub former: Vec<Written>,
}

/// A secret, and the prints of the values that this node wrote to it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// Its name in the workspace.
    pub name: String,
    /// The prints of the current value and, during a run, of the previous one.
    pub prints: Vec<String>,
}

impl Published {
    /// The names of its secrets.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(|secret| secret.name.as_str())
    }

    /// The prints of the values that this node wrote under this name.
    pub fn prints(&self, name: &str) -> &[String] {
        let mut all = self.secrets.iter().chain(&self.former);
        all.find(|secret| secret.name == name)
            .map_or(&[], |secret| &secret.prints)
    }

    /// When the token is due for renewal: after half of its life.
    pub fn due(&self) -> SystemTime {
        self.minted + self.expires.duration_since(self.minted).unwrap_or_default() / 2
    }

    /// Whether it must be written again: the token is past half of its life, the last run was interrupted, or the
    /// token's age is unknown because the clock was set back.
    pub fn is_due(&self, now: SystemTime) -> bool {
        !self.is_whole || now < self.minted || now >= self.due()
    }
}

/// Times are written as seconds since 1970; earlier times as 0.
mod seconds {
    use std::time::{Duration, SystemTime};

    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    use crate::cache::wall_seconds;

    pub(super) fn serialize<S: Serializer>(time: &SystemTime, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u64(wall_seconds(*time))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
        let since = Duration::from_secs(u64::deserialize(from)?);
        let time = SystemTime::UNIX_EPOCH.checked_add(since);
        time.ok_or_else(|| Error::custom("beyond all times"))
    }
}

impl FileStore {
    /// The note for a registry.
    pub fn published(&self, host: &Host) -> Result<Option<Published>, Error> {
        let lost = |cause| FileStoreError::NoteLost {
            host: host.clone(),
            cause,
        };
        let text = self.open(&note(host)).map_err(|error| match &error {
            Error::Failed(problem) if error.code() != Some(Code::StoreNewerFormat) => {
                lost(problem.words().1).into()
            }
            _ => error,
        })?;
        text.map(|opened| {
            json::object(opened.text.as_bytes())
                .map_err(|_| lost("it is of another version".to_owned()).into())
        })
        .transpose()
    }

    /// The registries with a note. Opens no secrets.
    pub fn published_hosts(&self) -> Result<Vec<Host>, Error> {
        let mut hosts = Vec::new();
        let Some((_, files, key)) = self.sealed()? else {
            return Ok(hosts);
        };
        for path in files {
            // A file that does not open may be such a note, so it is an error.
            let about = self.about(&path, &key)?;
            let host = about
                .as_ref()
                .and_then(|about| about.server.strip_prefix(PUBLISHED));
            hosts.extend(host.and_then(|host| Host::parse(host.as_bytes()).ok()));
        }
        hosts.sort();
        Ok(hosts)
    }

    /// Writes the note for a registry.
    pub fn note_published(&self, host: &Host, published: &Published) -> Result<(), Error> {
        self.note(&note(host), &json::text(published))
    }

    /// Removes the note for a registry.
    pub fn forget_published(&self, host: &Host) -> Result<(), Error> {
        self.erase(&note(host))
    }

    /// The print of a secret's value.
    pub fn print(&self, name: &str, value: &str) -> Result<String, Error> {
        Ok(self
            .key_or_new(&self.made_dir()?)?
            .fingerprint([PUBLISHED, name, value]))
    }

    /// The lock for publishing. Without it, two processes would take each other's values for somebody else's.
    pub fn publishing(&self, deadline: Instant) -> Result<Lock, Error> {
        let lock = self.made_dir()?.join(LOCK);
        match Lock::acquire(&lock, deadline) {
            Ok(Some(lock)) => Ok(lock),
            Ok(None) => Err(FileStoreError::Publishing(lock).into()),
            Err(error) => Err(FileStoreError::NoLock { lock, error }.into()),
        }
    }
}

fn note(host: &Host) -> String {
    format!("{PUBLISHED}{host}")
}

const LOCK: &str = "publish.lock";

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
        let text = json::text(&published());
        let secret = |name: &str, prints: &str| format!(r#"{{"name":"{name}","prints":{prints}}}"#);
        assert_eq!(
            *text,
            format!(
                r#"{{"store":"gateway","backend":"azure","by_names":true,"is_whole":true,"minted":1000,"expires":4600,"secrets":[{},{}],"former":[{}]}}"#,
                secret("REGISTRY_USERNAME", r#"["a1"]"#),
                secret("REGISTRY_PASSWORD", r#"["b2","c3"]"#),
                secret("oci-registry-myreg-azurecr-io", r#"["d4"]"#),
            )
        );
        let read = |text: &str| json::object::<Published>(text.as_bytes());
        assert_eq!(read(&text), Ok(published()));
        let begun = Published {
            is_whole: false,
            by_names: false,
            ..published()
        };
        assert_eq!(read(&json::text(&begun)), Ok(begun));
        for (part, damaged) in [
            (text.as_str(), ""),
            ("{\"store", "{\"version\":2,\"store"),
            ("\"backend\":\"azure\",", ""),
            ("[\"a1\"]", "\"a1\""),
            ("1000", "-1000"),
            ("4600", "18446744073709551615"),
        ] {
            let damaged = text.replacen(part, damaged, 1);
            assert_ne!(*text, damaged);
            assert!(read(&damaged).is_err(), "{damaged}");
        }
        json::tests::no_error_quotes_a_value(
            &text.replace("a1", "hunter2"),
            json::object::<Published>,
        );
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
