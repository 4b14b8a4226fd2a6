//! The format of one sealed file, version 1.
//!
//! ```text
//! beta9-credential 1\n      format and version
//! <server URL>\n            a host, or an item's key
//! <u16, big-endian>         length of the first part
//! sealed user name
//! sealed blob
//! ```

use zeroize::Zeroizing;

use crate::seal::SealKey;
use crate::store::Secret;

/// A file, taken apart; the parts are still sealed.
pub(super) struct Entry<'a> {
    pub(super) server: String,
    username: &'a [u8],
    secret: &'a [u8],
}

impl<'a> Entry<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let rest = bytes.strip_prefix(HEADER.as_bytes()).ok_or("it has another format or version")?;
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or("it is cut short")?;
        let server = std::str::from_utf8(&rest[..end]).map_err(|_| "its server URL is damaged")?;
        let (length, parts) = rest[end + 1..].split_first_chunk::<2>().ok_or("it is cut short")?;
        let (username, secret) = parts.split_at_checked(u16::from_be_bytes(*length).into()).ok_or("it is cut short")?;
        Ok(Self { server: server.to_owned(), username, secret })
    }

    /// Seals both parts into a whole file.
    pub(super) fn seal(key: &SealKey, workspace: &str, server: &str, secret: &Secret) -> Result<Vec<u8>, String> {
        let seal = |part, text: &str| {
            key.seal(&associated(part, workspace, server), text.as_bytes()).map_err(|error| error.to_string())
        };
        let sealed_name = seal(USERNAME, &secret.username)?;
        let length = u16::try_from(sealed_name.len()).map_err(|_| "the user name is too long".to_owned())?;
        let mut bytes = format!("{HEADER}{server}\n").into_bytes();
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&sealed_name);
        bytes.extend_from_slice(&seal(SECRET, secret.blob.expose())?);
        Ok(bytes)
    }

    pub(super) fn open_username(&self, key: &SealKey, workspace: &str) -> Result<String, String> {
        Ok(self.open(key, workspace, USERNAME, self.username)?.to_string())
    }

    pub(super) fn open_secret(&self, key: &SealKey, workspace: &str) -> Result<Zeroizing<String>, String> {
        self.open(key, workspace, SECRET, self.secret)
    }

    fn open(&self, key: &SealKey, workspace: &str, part: &str, sealed: &[u8]) -> Result<Zeroizing<String>, String> {
        let bytes = key.open(&associated(part, workspace, &self.server), sealed).map_err(|error| error.to_string())?;
        let text = std::str::from_utf8(&bytes).map_err(|_| "what it holds is not UTF-8".to_owned())?;
        Ok(Zeroizing::new(text.to_owned()))
    }
}

/// What a part is bound to. No field can hold a NUL but the workspace, which stands last.
fn associated(part: &str, workspace: &str, server: &str) -> Vec<u8> {
    format!("{HEADER}\0{part}\0{server}\0{workspace}").into_bytes()
}

const HEADER: &str = "beta9-credential 1\n";
const USERNAME: &str = "username";
const SECRET: &str = "secret";
