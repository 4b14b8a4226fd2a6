//! The shared configuration and credentials files.
//!
//! They are read here and parsed by the SDK's own parser, so that reports about a profile match what the SDK does with
//! the same bytes: <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use aws_config::profile::{ProfileFileLoadError, ProfileSet};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};
use zeroize::Zeroizing;

use super::PART;
use super::errors::AwsError;
use crate::backend::aws_files;
use crate::config::Node;
use crate::credential::Redacted;
use crate::error::Error;
use crate::token::shown;
use crate::trusted::{self, Readers};

/// The two files, and the chosen profile.
pub(super) struct Files<'n> {
    pub(super) node: &'n Node,
    pub(super) name: String,
    pub(super) by: ChosenBy,
    /// The contents of the files for the SDK, so that it opens none itself.
    pub(super) texts: EnvConfigFiles,
    pub(super) sections: ProfileSet,
    places: Vec<PathBuf>,
}

/// How the profile was chosen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ChosenBy {
    Rule,
    Environment,
    /// Nothing names a profile, so `default` is used if it exists.
    Nobody,
}

impl<'n> Files<'n> {
    /// Reads both files. `rule` is the profile that a rule names.
    pub(super) fn read(node: &'n Node, rule: Option<&str>) -> Result<Self, Error> {
        let (texts, places) = aws_files::profile_files(PART, node)?;
        let (name, by) = match (rule, text(node, PROFILE)) {
            (Some(name), _) => (name, ChosenBy::Rule),
            (None, Some(name)) => (name, ChosenBy::Environment),
            (None, None) => (DEFAULT, ChosenBy::Nobody),
        };
        let name = name.to_owned();
        let sections = parsed(&texts, &name).map_err(|error| unparsed(error.as_ref(), &places))?;
        Ok(Self {
            node,
            name,
            by,
            texts,
            sections,
            places,
        })
    }

    /// Whether it is an error if the profile is missing. As in the SDK and the CLI, naming a missing `default` isn't.
    pub(super) fn must_have_profile(&self) -> bool {
        match self.by {
            ChosenBy::Rule => true,
            ChosenBy::Environment => self.name != DEFAULT,
            ChosenBy::Nobody => false,
        }
    }

    /// The error for a missing profile; `of` is the profile that names it as its source.
    pub(super) fn missing(&self, name: &str, of: Option<&str>) -> Error {
        let name = shown(name);
        let who = match (of, self.by) {
            (Some(of), _) => format!("source_profile of the profile {}", shown(of)),
            (None, ChosenBy::Rule) => "the rule".to_owned(),
            (None, _) => PROFILE.to_owned(),
        };
        let places = if self.places.is_empty() {
            "any file: HOME is not set".to_owned()
        } else {
            listed(&self.places, "and")
        };
        AwsError::NoProfile { who, name, places }.into()
    }

    /// Whether the environment or the profile sets the metadata service's address.
    pub(super) fn names_metadata(&self) -> bool {
        self.setting(METADATA).is_some()
    }

    /// The metadata service's address.
    pub(super) fn metadata(&self) -> &str {
        let is_ipv6 = || {
            self.setting(METADATA_MODE)
                .is_some_and(|mode| mode.eq_ignore_ascii_case("ipv6"))
        };
        match self.setting(METADATA) {
            Some(address) => address,
            None if is_ipv6() => "http://[fd00:ec2::254]",
            None => "http://169.254.169.254",
        }
    }

    /// A setting from the environment, or else from the profile.
    fn setting(&self, (variable, key): (&str, &str)) -> Option<&str> {
        text(self.node, variable).or_else(|| self.sections.get(key))
    }
}

/// A variable that is set and not empty.
pub(super) fn text<'a>(node: &'a Node, name: &str) -> Option<&'a str> {
    node.get(name)
        .map(Redacted::expose)
        .filter(|text| !text.trim().is_empty())
}

/// Reads a file for the node's AWS identity. No other code reads such files.
pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    trusted::read(path, Readers::Mounted, MAX_FILE).map_err(|fault| fault.problem(PART))
}

/// Reads a token from a file; `name` is the setting that names the file.
pub(super) fn token(name: &str, path: &Path) -> Result<Redacted, Error> {
    let bytes = read(path)?;
    let text = bytes.as_deref().map(|bytes| std::str::from_utf8(bytes));
    let text = text.transpose();
    let text = text.map_err(|_| AwsError::NotUtf8(path.to_owned()))?;
    let token = text.map(str::trim).filter(|text| !text.is_empty());
    token.map(Redacted::from).ok_or_else(|| {
        let (name, path) = (name.to_owned(), path.to_owned());
        match text {
            None => AwsError::NoTokenFile { name, path }.into(),
            Some(_) => AwsError::EmptyTokenFile { name, path }.into(),
        }
    })
}

fn parsed(texts: &EnvConfigFiles, name: &str) -> Result<ProfileSet, Option<ProfileFileLoadError>> {
    let (fs, env) = (Fs::real(), Env::from_slice(&[]));
    let loading = pin!(aws_config::profile::load(
        &fs,
        &env,
        texts,
        Some(name.to_owned().into())
    ));
    // With the contents given, the future is ready at once.
    match loading.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(sections) => sections.map_err(Some),
        Poll::Pending => Err(None),
    }
}

/// The parser's error has the line but not the file, and its message may quote the content.
fn unparsed(error: Option<&ProfileFileLoadError>, places: &[PathBuf]) -> Error {
    let text = match error {
        Some(ProfileFileLoadError::ParseError { 0: error, .. }) => error.to_string(),
        _ => String::new(),
    };
    let line = text
        .split_once(" on line ")
        .and_then(|(_, rest)| rest.split_once(':'));
    let line = line.map_or_else(String::new, |(line, _)| format!(": line {line}"));
    AwsError::Unparsed(listed(places, "or"), line).into()
}

fn listed(places: &[PathBuf], between: &str) -> String {
    let places: Vec<_> = places
        .iter()
        .map(|place| place.display().to_string())
        .collect();
    places.join(&format!(" {between} "))
}

const PROFILE: &str = "AWS_PROFILE";
const DEFAULT: &str = "default";
const METADATA: (&str, &str) = (
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "ec2_metadata_service_endpoint",
);
const METADATA_MODE: (&str, &str) = (
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "ec2_metadata_service_endpoint_mode",
);
const MAX_FILE: u64 = 1 << 20;
