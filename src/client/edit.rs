//! Changes of a client's file that touch no byte beside the place that they are about.

mod json;
mod layout;
mod provider;
mod toml;

pub use json::JsonText;
pub use provider::{add_provider, provider_names};
pub use toml::{add_helper, remove_helper};

use zeroize::Zeroizing;

/// One replaced stretch of a text. What is replaced is never a secret: whitespace, an empty object, a helper's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    /// Where it begins, in bytes.
    pub at: usize,
    /// What was there.
    pub was: String,
    /// What is there.
    pub is: String,
}

impl Splice {
    /// The text with the change made.
    #[must_use]
    pub fn apply(&self, text: &str) -> Option<Zeroizing<String>> {
        replaced(text, self.at, &self.was, &self.is)
    }

    /// The text with the change taken back; `None` when the change is not at its place.
    #[must_use]
    pub fn revert(&self, text: &str) -> Option<Zeroizing<String>> {
        replaced(text, self.at, &self.is, &self.was)
    }
}

fn replaced(text: &str, at: usize, was: &str, is: &str) -> Option<Zeroizing<String>> {
    let (before, rest) = text.split_at_checked(at)?;
    let after = rest.strip_prefix(was)?;
    let mut new = Zeroizing::new(String::with_capacity(before.len() + is.len() + after.len()));
    for part in [before, is, after] {
        new.push_str(part);
    }
    Some(new)
}

/// The line end that a text has.
fn line_end(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}
