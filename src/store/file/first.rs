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

/// The server URL, and the rest.
pub(super) fn header(bytes: &[u8]) -> Result<(&str, &[u8]), &'static str> {
    let rest = bytes.strip_prefix(HEADER.as_bytes()).ok_or(OTHER_FORMAT)?;
    let end = rest.iter().position(|byte| *byte == b'\n').ok_or(CUT)?;
    let server = std::str::from_utf8(&rest[..end]).map_err(|_| "its server URL is damaged")?;
    Ok((server, &rest[end + 1..]))
}

/// The associated data of a part. Only the workspace, which comes last, can contain a NUL.
pub(super) fn associated(part: &str, workspace: &str, server: &str) -> Vec<u8> {
    format!("{HEADER}\0{part}\0{server}\0{workspace}").into_bytes()
}

pub(super) const OTHER_FORMAT: &str = "it has another format or version";
pub(super) const CUT: &str = "it is cut short";
pub(super) const USERNAME: &str = "username";
pub(super) const SECRET: &str = "secret";
const HEADER: &str = "beta9-credential 1\n";
