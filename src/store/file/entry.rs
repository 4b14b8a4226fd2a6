//! The format of a sealed file. Version 2 is written; version 1 is also read.
//!
//! ```text
//! beta9-credential 2\n      format and version
//! <16 hex digits>\n         the id of the sealing key
//! <u16, big-endian>         length of the first part
//! sealed                    server URL \n path \n when it was stored \n when it may be pruned \n user name
//! sealed                    blob
//! ```
//!
//! Times are seconds since 1970; a field that does not apply is empty. Both parts are bound to the header, the file's
//! name and the workspace, and the second part to the first, so that no part opens in another file.

use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use super::first::First;
use crate::seal::{SealError, SealKey, sha256_hex};
use crate::store::Secret;

/// A secret's metadata.
#[derive(Debug, Default)]
pub(super) struct About {
    /// A host, an item's key, or a note's name.
    pub(super) server: String,
    /// The path below the host; empty for the whole host.
    pub(super) path: String,
    pub(super) username: String,
    /// Unknown for entries of 0.1.
    pub(super) stored_at: Option<SystemTime>,
    /// When `prune` may remove it.
    pub(super) expires_at: Option<SystemTime>,
}

/// A parsed file, whose parts are still sealed.
pub(super) enum Entry<'a> {
    First(First<'a>),
    Second(Second<'a>),
}

pub(super) struct Second<'a> {
    name: &'a str,
    header: &'a [u8],
    key_id: &'a str,
    about: &'a [u8],
    secret: &'a [u8],
}

/// Why an entry does not open.
#[derive(Debug)]
pub(super) enum Unopened {
    /// A newer version of this program wrote it.
    Newer,
    Damaged(String),
    /// It was sealed with a different key.
    OtherKey {
        sealed: String,
        here: String,
    },
}

impl<'a> Entry<'a> {
    /// Whether 0.1 wrote it.
    pub(super) fn is_first(&self) -> bool {
        matches!(self, Self::First(_))
    }

    /// Parses the file with this name.
    pub(super) fn parse(name: &'a str, bytes: &'a [u8]) -> Result<Self, Unopened> {
        if has_newer_name(name) || has_newer_header(bytes) {
            return Err(Unopened::Newer);
        }
        let entry = if name.ends_with(SECOND) {
            Second::parse(name, bytes).map(Self::Second)
        } else {
            First::parse(bytes).map(Self::First)
        };
        entry.map_err(|cause| Unopened::Damaged(cause.to_owned()))
    }

    pub(super) fn about(&self, key: &SealKey, workspace: &str) -> Result<About, Unopened> {
        match self {
            Self::First(first) => first.about(key, workspace).map_err(Unopened::from),
            Self::Second(second) => second.about(key, workspace),
        }
    }

    pub(super) fn secret(
        &self,
        key: &SealKey,
        workspace: &str,
    ) -> Result<Zeroizing<String>, Unopened> {
        let bytes = match self {
            Self::First(first) => first.secret(key, workspace)?,
            Self::Second(second) => second.secret(key, workspace)?,
        };
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Unopened::Damaged("what it holds is not UTF-8".to_owned()))?;
        Ok(Zeroizing::new(text.to_owned()))
    }
}

/// Seals a whole file with this name.
pub(super) fn seal(
    key: &SealKey,
    workspace: &str,
    name: &str,
    about: &About,
    secret: &Secret,
) -> Result<Vec<u8>, String> {
    let key_id = key.id();
    let mut bytes = [MAGIC, &key_id, "\n"].concat().into_bytes();
    let (stored_at, expires_at) = (seconds(about.stored_at), seconds(about.expires_at));
    let fields = [
        &about.server,
        &about.path,
        &stored_at,
        &expires_at,
        &about.username,
    ]
    .map(String::as_str);
    let seal = |associated: &[u8], text: &str| {
        key.seal(associated, text.as_bytes())
            .map_err(|error| error.to_string())
    };
    let first = seal(
        &bound(&bytes, ABOUT, name, &[], workspace),
        &fields.join("\n"),
    )?;
    let length = u16::try_from(first.len()).map_err(|_| "the user name is too long".to_owned())?;
    let second = seal(
        &bound(&bytes, SECRET, name, &first, workspace),
        secret.blob.expose(),
    )?;
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&first);
    bytes.extend_from_slice(&second);
    Ok(bytes)
}

impl<'a> Second<'a> {
    fn parse(name: &'a str, bytes: &'a [u8]) -> Result<Self, &'static str> {
        let rest = bytes
            .strip_prefix(MAGIC.as_bytes())
            .ok_or("it has another format or version")?;
        let (key_id, rest) = rest
            .split_at_checked(SealKey::ID_LENGTH)
            .ok_or("it is cut short")?;
        let key_id = std::str::from_utf8(key_id).map_err(|_| "its header is damaged")?;
        let rest = rest.strip_prefix(b"\n").ok_or("its header is damaged")?;
        let (length, parts) = rest.split_first_chunk::<2>().ok_or("it is cut short")?;
        let (about, secret) = parts
            .split_at_checked(u16::from_be_bytes(*length).into())
            .ok_or("it is cut short")?;
        let header = &bytes[..bytes.len() - rest.len()];
        Ok(Self {
            name,
            header,
            key_id,
            about,
            secret,
        })
    }

    fn about(&self, key: &SealKey, workspace: &str) -> Result<About, Unopened> {
        let text = self.open(
            key,
            &bound(self.header, ABOUT, self.name, &[], workspace),
            self.about,
        )?;
        let damaged = || Unopened::Damaged("what is said of it is damaged".to_owned());
        let text = std::str::from_utf8(&text).map_err(|_| damaged())?;
        // The rest is the user name.
        let mut fields = text.splitn(5, '\n');
        let mut field = || fields.next().ok_or_else(damaged);
        let (server, path) = (field()?.to_owned(), field()?.to_owned());
        let (stored_at, expires_at) = (time(field()?), time(field()?));
        Ok(About {
            server,
            path,
            username: field()?.to_owned(),
            stored_at,
            expires_at,
        })
    }

    fn secret(&self, key: &SealKey, workspace: &str) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        self.open(
            key,
            &bound(self.header, SECRET, self.name, self.about, workspace),
            self.secret,
        )
    }

    fn open(
        &self,
        key: &SealKey,
        associated: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        key.open(associated, sealed).map_err(|error| {
            let here = key.id();
            if self.key_id == here {
                return error.into();
            }
            Unopened::OtherKey {
                sealed: self.key_id.escape_debug().to_string(),
                here,
            }
        })
    }
}

impl From<SealError> for Unopened {
    fn from(error: SealError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// The associated data of a part: the header, the names, and for the second part also the first one.
fn bound(header: &[u8], part: &str, name: &str, before: &[u8], workspace: &str) -> Vec<u8> {
    let length = (before.len() as u64).to_be_bytes();
    [
        header,
        b"\0",
        part.as_bytes(),
        b"\0",
        name.as_bytes(),
        b"\0",
        &length,
        before,
        workspace.as_bytes(),
    ]
    .concat()
}

fn seconds(time: Option<SystemTime>) -> String {
    let since = |time: SystemTime| {
        time.duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs()
            .to_string()
    };
    time.map_or_else(String::new, since)
}

fn time(seconds: &str) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds.parse().ok()?))
}

/// The file name for a server URL or a note.
pub(super) fn file_name(server: &str) -> String {
    [&sha256_hex(server)[..40], SECOND].concat()
}

/// The file name in version 1. Names differ between versions, so 0.1 neither reads nor overwrites version 2.
pub(super) fn first_file_name(server: &str) -> String {
    [&sha256_hex(server)[..40], FIRST].concat()
}

/// The file name in the next version.
pub(super) fn next_file_name(server: &str) -> String {
    [&sha256_hex(server)[..40], THIRD].concat()
}

/// The common part of an entry's file names, and this name's version; of several versions, the newest counts. `None` if
/// this isn't an entry.
pub(super) fn stem_and_version(name: &str) -> Option<(&str, u64)> {
    let name = name.strip_suffix(FIRST)?;
    match name.rsplit_once('.') {
        Some((stem, version)) => number(version.as_bytes()).map(|version| (stem, version)),
        None => Some((name, 1)),
    }
}

/// The version 2 name for a version 1 name.
pub(super) fn name_after_first(name: &str) -> Option<String> {
    let (stem, version) = stem_and_version(name)?;
    (version == 1).then(|| [stem, SECOND].concat())
}

/// Whether this is the name of a newer version's file.
pub(super) fn has_newer_name(name: &str) -> bool {
    stem_and_version(name).is_some_and(|(_, version)| version > VERSION)
}

/// Whether the first line is a newer version's header.
pub(super) fn has_newer_header(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').next();
    let version = line.and_then(|line| line.strip_prefix(FORMAT.as_bytes()));
    version
        .and_then(number)
        .is_some_and(|version| version > VERSION)
}

/// Parses a number; one that is too large saturates.
fn number(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_number)?;
    Some(digits.parse().unwrap_or(u64::MAX))
}

const FORMAT: &str = "beta9-credential ";
const VERSION: u64 = 2;
const MAGIC: &str = "beta9-credential 2\n";
const ABOUT: &str = "about";
const SECRET: &str = "secret";
const FIRST: &str = ".sealed";
const SECOND: &str = ".2.sealed";
const THIRD: &str = ".3.sealed";
