//! `Origin`: what a token is for and where its secret came from. `status` shows it, and `refresh` needs it to mint the
//! token again. It is sealed with the token, because a file's name reveals nothing.

use super::TokenId;

/// What a token is for, and where its secret came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The registry that was asked for.
    pub registry: String,
    /// The workspace.
    pub workspace: String,
    /// The backend.
    pub backend: String,
    /// The path in the first request, because a rule may have a path.
    pub path: String,
    /// The store that had the secret, or [`NODE`], [`OWN`] or [`POD`].
    pub store: String,
    /// The node's or pod's identity, for people; empty if a secret's keys logged in.
    pub identity: String,
}

/// In place of a store: the node's own identity.
pub const NODE: &str = "node";
/// In place of a store: the service account of a pod.
pub const POD: &str = "pod";
/// In place of a store: the control plane's own keys, which `publish` mints tokens from.
pub const OWN: &str = "own";

/// The number of lines of an origin.
pub(super) const LINES: usize = 6;

/// A token's origin, one member per line.
pub(super) fn lines(id: &TokenId) -> String {
    // The workspace may be any text that an operator configured; the other members have no line ends.
    let identity = id.scope.identity().replace('\n', " ");
    let lines: [&str; LINES] = [
        id.host,
        &id.workspace.replace('\n', " "),
        id.backend,
        id.path,
        id.store,
        &identity,
    ];
    lines.map(|line| format!("{line}\n")).concat()
}

impl Origin {
    pub(super) fn read(lines: &mut dyn Iterator<Item = &str>) -> Option<Self> {
        let mut line = || lines.next().map(str::to_owned);
        Some(Self {
            registry: line()?,
            workspace: line()?,
            backend: line()?,
            path: line()?,
            store: line()?,
            identity: line()?,
        })
    }
}
