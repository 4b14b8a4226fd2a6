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

use super::first::{self, CUT};
use crate::cache::wall_seconds;
use crate::seal::{SealKey, sha256_hex};
use crate::store::Secret;

/// A secret's metadata.
#[derive(Debug, Default)]
pub(super) struct About {
    /// A host, an item's key, or a note's name.
    pub(super) server: String,
    pub(super) username: String,
    /// Unknown for entries of 0.1.
    pub(super) stored_at: Option<SystemTime>,
    /// When `prune` may remove it.
    pub(super) expires_at: Option<SystemTime>,
}

/// A parsed file, whose parts are still sealed.
pub(super) struct Entry<'a> {
    format: Format<'a>,
    about: &'a [u8],
    secret: &'a [u8],
}

/// The format, with what the parts are bound to.
enum Format<'a> {
    First {
        server: &'a str,
    },
    Second {
        name: &'a str,
        header: &'a [u8],
        key_id: &'a str,
    },
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
        matches!(self.format, Format::First { .. })
    }

    /// Parses the file with this name.
    pub(super) fn parse(name: &'a str, bytes: &'a [u8]) -> Result<Self, Unopened> {
        if has_newer_name(name) || has_newer_header(bytes) {
            return Err(Unopened::Newer);
        }
        let format = if name.ends_with(SECOND) {
            second(name, bytes)
        } else {
            first::header(bytes).map(|(server, parts)| (Format::First { server }, parts))
        };
        let parsed = format.and_then(|(format, parts)| {
            let (length, parts) = parts.split_first_chunk::<2>().ok_or(CUT)?;
            let length = u16::from_be_bytes(*length).into();
            let (about, secret) = parts.split_at_checked(length).ok_or(CUT)?;
            Ok(Self {
                format,
                about,
                secret,
            })
        });
        parsed.map_err(|cause| Unopened::Damaged(cause.to_owned()))
    }

    pub(super) fn about(&self, key: &SealKey, workspace: &str) -> Result<About, Unopened> {
        let text = match &self.format {
            Format::First { server } => {
                let associated = first::associated(first::USERNAME, workspace, server);
                let username = self.open(key, &associated, self.about)?;
                return Ok(About {
                    server: (*server).to_owned(),
                    username: String::from_utf8_lossy(&username).into_owned(),
                    ..About::default()
                });
            }
            Format::Second { name, header, .. } => {
                let associated = bound(header, ABOUT, name, &[], workspace);
                self.open(key, &associated, self.about)?
            }
        };
        let damaged = || Unopened::Damaged("what is said of it is damaged".to_owned());
        let text = std::str::from_utf8(&text).map_err(|_| damaged())?;
        // The rest is the user name.
        let fields: Vec<_> = text.splitn(5, '\n').collect();
        let &[server, _path, stored_at, expires_at, username] = fields.as_slice() else {
            return Err(damaged());
        };
        Ok(About {
            server: server.to_owned(),
            username: username.to_owned(),
            stored_at: time(stored_at),
            expires_at: time(expires_at),
        })
    }

    pub(super) fn secret(
        &self,
        key: &SealKey,
        workspace: &str,
    ) -> Result<Zeroizing<String>, Unopened> {
        let associated = match &self.format {
            Format::First { server } => first::associated(first::SECRET, workspace, server),
            Format::Second { name, header, .. } => {
                bound(header, SECRET, name, self.about, workspace)
            }
        };
        let bytes = self.open(key, &associated, self.secret)?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Unopened::Damaged("what it holds is not UTF-8".to_owned()))?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    fn open(
        &self,
        key: &SealKey,
        associated: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        key.open(associated, sealed)
            .map_err(|error| match &self.format {
                Format::Second { key_id, .. } if **key_id != key.id() => Unopened::OtherKey {
                    sealed: key_id.escape_debug().to_string(),
                    here: key.id(),
                },
                _ => Unopened::Damaged(error.to_string()),
            })
    }
}

/// The header of version 2, and the rest.
fn second<'a>(name: &'a str, bytes: &'a [u8]) -> Result<(Format<'a>, &'a [u8]), &'static str> {
    const DAMAGED: &str = "its header is damaged";
    let rest = bytes
        .strip_prefix(MAGIC.as_bytes())
        .ok_or(first::OTHER_FORMAT)?;
    let (key_id, rest) = rest.split_at_checked(SealKey::ID_LENGTH).ok_or(CUT)?;
    let key_id = std::str::from_utf8(key_id).map_err(|_| DAMAGED)?;
    let rest = rest.strip_prefix(b"\n").ok_or(DAMAGED)?;
    let header = &bytes[..bytes.len() - rest.len()];
    let format = Format::Second {
        name,
        header,
        key_id,
    };
    Ok((format, rest))
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
    // An entry is for the whole host, so its path is empty.
    let fields = [
        about.server.as_str(),
        "",
        &stored_at,
        &expires_at,
        &about.username,
    ];
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

/// The associated data of a part: the header, the names, and for the second part also the first one.
fn bound(header: &[u8], part: &str, name: &str, before: &[u8], workspace: &str) -> Vec<u8> {
    // After the NUL that ends the name.
    let mut length = [0; 9];
    length[1..].copy_from_slice(&(before.len() as u64).to_be_bytes());
    let (name, workspace) = (name.as_bytes(), workspace.as_bytes());
    [header, part.as_bytes(), name, &length, before, workspace].concat()
}

fn seconds(time: Option<SystemTime>) -> String {
    time.map_or_else(String::new, |time| wall_seconds(time).to_string())
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
const ABOUT: &str = "\0about\0";
const SECRET: &str = "\0secret\0";
const FIRST: &str = ".sealed";
const SECOND: &str = ".2.sealed";
const THIRD: &str = ".3.sealed";
