//! The format of 0.1, version 1, which is read and no longer written.
//!
//! ```text
//! beta9-credential 1\n      format and version
//! <server URL>\n            a host, an item's key, or a note's name
//! <u16, big-endian>         length of the first part
//! sealed user name
//! sealed blob
//! ```
//!
//! The time from which a secret may be pruned is in a separate file, a note.

use zeroize::Zeroizing;

use super::entry::About;
use crate::seal::{SealError, SealKey};

/// A parsed file, whose parts are still sealed.
pub(super) struct First<'a> {
    server: &'a str,
    username: &'a [u8],
    secret: &'a [u8],
}

impl<'a> First<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let rest = bytes
            .strip_prefix(HEADER.as_bytes())
            .ok_or("it has another format or version")?;
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or("it is cut short")?;
        let server = std::str::from_utf8(&rest[..end]).map_err(|_| "its server URL is damaged")?;
        let (length, parts) = rest[end + 1..]
            .split_first_chunk::<2>()
            .ok_or("it is cut short")?;
        let (username, secret) = parts
            .split_at_checked(u16::from_be_bytes(*length).into())
            .ok_or("it is cut short")?;
        Ok(Self {
            server,
            username,
            secret,
        })
    }

    pub(super) fn about(&self, key: &SealKey, workspace: &str) -> Result<About, SealError> {
        let username = self.open(key, workspace, USERNAME, self.username)?;
        let username = String::from_utf8_lossy(&username).into_owned();
        Ok(About {
            server: self.server.to_owned(),
            username,
            ..About::default()
        })
    }

    pub(super) fn secret(
        &self,
        key: &SealKey,
        workspace: &str,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.open(key, workspace, SECRET, self.secret)
    }

    fn open(
        &self,
        key: &SealKey,
        workspace: &str,
        part: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        key.open(&associated(part, workspace, self.server), sealed)
    }
}

/// The associated data of a part. Only the workspace, which comes last, can contain a NUL.
fn associated(part: &str, workspace: &str, server: &str) -> Vec<u8> {
    format!("{HEADER}\0{part}\0{server}\0{workspace}").into_bytes()
}

const HEADER: &str = "beta9-credential 1\n";
const USERNAME: &str = "username";
const SECRET: &str = "secret";
