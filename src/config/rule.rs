//! `Rule`: what the operator says about some hosts (`[[registry]]`).

use super::section::Section;
use crate::error::Error;
use crate::host::{Host, Pattern};

/// A `[[registry]]` table.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The hosts, and below them perhaps a path, that it is about.
    pub host: Pattern,
    /// Forces a backend by its name, or `public`: never answer, so that anonymous pulls stay possible.
    pub backend: Option<String>,
    /// A named secret instead of the derived name, in stores that name their secrets.
    pub secret: Option<String>,
    /// Whether the node's own identity may be used for these hosts.
    pub ambient: Option<bool>,
    /// The real registry that a mirror or CNAME stands for.
    pub alias_of: Option<Host>,
}

impl Rule {
    pub(super) fn from_section(mut section: Section) -> Result<Self, Error> {
        let host = section.parsed("host", "a host pattern such as \"*.example.com\" or \"ghcr.io/org\"", |text| {
            Pattern::parse(text).ok()
        })?;
        let Some(host) = host else {
            return Err(section.problem("a [[registry]] has no \"host\"").fix("add host = \"…\" to it").failed());
        };
        let rule = Self {
            host,
            backend: section.text("backend")?,
            secret: section.text("secret")?,
            ambient: section.flag("ambient")?,
            alias_of: section.parsed("alias_of", "a registry host", |text| Host::parse(text.as_bytes()).ok())?,
        };
        section.finish()?;
        Ok(rule)
    }

    pub(super) fn cover_with(&mut self, over: Self) {
        self.backend = over.backend.or(self.backend.take());
        self.secret = over.secret.or(self.secret.take());
        self.ambient = over.ambient.or(self.ambient);
        self.alias_of = over.alias_of.or(self.alias_of.take());
    }
}
