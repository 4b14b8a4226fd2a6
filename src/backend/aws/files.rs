//! The shared configuration and credentials files.
//!
//! They are read here and parsed by the SDK's own parser, so that what is told of a profile is what the SDK will make of the
//! same bytes: <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use aws_config::profile::{Profile as Section, ProfileFileLoadError, ProfileSet};
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

/// The two files, and the profile that is chosen.
pub(super) struct Files<'n> {
    pub(super) node: &'n Node,
    pub(super) name: String,
    pub(super) by: ChosenBy,
    texts: EnvConfigFiles,
    sections: ProfileSet,
    places: Vec<PathBuf>,
}

/// What names the profile.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ChosenBy {
    Rule,
    Environment,
    /// The profile `default` is used where it is there.
    Nobody,
}

impl<'n> Files<'n> {
    /// Reads both; `rule` is the profile that a rule names.
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

    /// The same files for the SDK, which opens none itself.
    pub(super) fn texts(&self) -> EnvConfigFiles {
        self.texts.clone()
    }

    pub(super) fn profile(&self, name: &str) -> Option<&Section> {
        self.sections.get_profile(name)
    }

    /// A value of an `[sso-session NAME]`.
    pub(super) fn of_session(&self, name: &str, key: &str) -> Option<&str> {
        self.sections.sso_session(name)?.get(key)
    }

    /// As the SDK and the CLI have it, the profile `default` may be named though it is not there.
    pub(super) fn must_have_profile(&self) -> bool {
        match self.by {
            ChosenBy::Rule => true,
            ChosenBy::Environment => self.name != DEFAULT,
            ChosenBy::Nobody => false,
        }
    }

    /// A profile is named and is not there; `of` is the one that names it as its source.
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

    /// Whether the environment or the profile says where the metadata service is.
    pub(super) fn names_metadata(&self) -> bool {
        self.setting(METADATA).is_some()
    }

    /// Where the metadata service is.
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

    /// The environment's word, or else the profile's.
    fn setting(&self, (variable, key): (&str, &str)) -> Option<&str> {
        text(self.node, variable).or_else(|| self.sections.get(key))
    }
}

/// A variable that says something.
pub(super) fn text<'a>(node: &'a Node, name: &str) -> Option<&'a str> {
    node.get(name)
        .map(Redacted::expose)
        .filter(|text| !text.trim().is_empty())
}

/// Every file that is read for the node's identity at AWS is read here.
pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    trusted::read(path, Readers::Mounted, MAX_FILE).map_err(|fault| fault.problem(PART))
}

/// A token in a file, which `name` names.
pub(super) fn token(name: &str, path: &Path) -> Result<Redacted, Error> {
    let named = || (name.to_owned(), path.to_owned());
    let Some(text) = read_text(path)? else {
        let (name, path) = named();
        return Err(AwsError::NoTokenFile { name, path }.into());
    };
    Some(text.trim())
        .filter(|text| !text.is_empty())
        .map(Redacted::from)
        .ok_or_else(|| {
            let (name, path) = named();
            AwsError::EmptyTokenFile { name, path }.into()
        })
}

fn read_text(path: &Path) -> Result<Option<Zeroizing<String>>, Error> {
    let Some(bytes) = read(path)? else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| AwsError::NotUtf8(path.to_owned()))?;
    Ok(Some(Zeroizing::new(text.to_owned())))
}

fn parsed(texts: &EnvConfigFiles, name: &str) -> Result<ProfileSet, Option<ProfileFileLoadError>> {
    let (fs, env) = (Fs::real(), Env::from_slice(&[]));
    let loading = pin!(aws_config::profile::load(
        &fs,
        &env,
        texts,
        Some(name.to_owned().into())
    ));
    // With the texts given, nothing is waited for.
    match loading.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(sections) => sections.map_err(Some),
        Poll::Pending => Err(None),
    }
}

/// The parser's error says on which line, and not of which file; its words may quote the file.
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
