//! The files that configure the node's AWS identity. They are checked and read here, and the SDK gets their contents:
//! by itself it would read any user's file, and run the `credential_process` in it
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html>).

use std::path::{Path, PathBuf};

use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use zeroize::Zeroizing;

use crate::config::Node;
use crate::credential::Redacted;
use crate::error::{Code, Error, Fault, Meaning};
use crate::trusted::{self, FileError, MAX_TEXT, Readers};

/// The profile files for the SDK, and their paths. The token files that they and the environment name are checked too.
/// `part` is for errors.
pub(super) fn profile_files(
    part: &'static str,
    node: &Node,
) -> Result<(EnvConfigFiles, Vec<PathBuf>), Error> {
    let (mut files, mut places) = (EnvConfigFiles::builder(), Vec::new());
    let mut texts = Vec::new();
    for (kind, variable, name) in FILES {
        let place = node.file(variable)?.or_else(|| node.at_home(name));
        let text = place
            .as_deref()
            .map(read)
            .transpose()
            .map_err(|fault| fault.problem(part))?
            .unwrap_or_default();
        files = files.with_contents(kind, without_our_secrets(&text).as_str());
        texts.push(text);
        places.extend(place);
    }
    let lines: Vec<_> = texts.iter().flat_map(|text| settings(text)).collect();
    for name in TOKEN_FILES {
        let named = node.get(name).map(Redacted::expose);
        let in_profile = lines
            .iter()
            .filter(|(key, _)| name.eq_ignore_ascii_case(&format!("AWS_{key}")));
        for path in named.into_iter().chain(in_profile.map(|(_, path)| *path)) {
            check(part, &expanded(node, path))?;
        }
    }
    let follows_home = |key: &str| key.starts_with("sso_") || key == COMMAND;
    if let Some((key, _)) = lines
        .iter()
        .find(|(key, _)| node.has_foreign_home() && follows_home(key))
    {
        let key = key.clone();
        return Err(ForeignHome { part, key }.into());
    }
    if lines.iter().any(|(key, _)| key.starts_with("sso_")) {
        check_sessions(part, node)?;
    }
    Ok((files.build(), places))
}

#[derive(Debug, thiserror::Error)]
#[error("HOME is another user's, and {key} in the AWS profile files would be looked up there")]
struct ForeignHome {
    part: &'static str,
    key: String,
}

impl Fault for ForeignHome {
    fn meaning(&self) -> Meaning {
        Meaning::new(Code::ConfigForeignOwner, self.part).fix("set HOME to this user's own")
    }
}

/// The text of a file; empty if it does not exist.
fn read(path: &Path) -> Result<Zeroizing<String>, FileError> {
    let bytes = trusted::read(path, Readers::Mounted, MAX_TEXT)?;
    bytes.map_or_else(
        || Ok(Zeroizing::default()),
        |bytes| trusted::text_of(path, bytes),
    )
}

/// Checks the session files of `aws sso login`, whose names the SDK derives.
fn check_sessions(part: &str, node: &Node) -> Result<(), Error> {
    let Some(dir) = node.at_home(".aws/sso/cache") else {
        return Ok(());
    };
    for file in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = file.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            check(part, &path)?;
        }
    }
    Ok(())
}

/// Checks a file. The SDK reports a missing one.
fn check(part: &str, path: &Path) -> Result<(), Error> {
    trusted::check(path, Readers::Mounted)
        .map(|_| ())
        .map_err(|fault| fault.problem(part))
}

/// Replaces `~` by the home directory, as every AWS tool does.
fn expanded(node: &Node, path: &str) -> PathBuf {
    let below = path.strip_prefix("~/").and_then(|rest| node.at_home(rest));
    below.unwrap_or_else(|| PathBuf::from(path))
}

/// The settings of all sections, with keys in lower case as in the SDK.
fn settings(text: &str) -> impl Iterator<Item = (String, &str)> {
    text.lines().filter_map(setting)
}

fn setting(line: &str) -> Option<(String, &str)> {
    let (key, value) = line.split_once('=')?;
    let key = key.trim();
    (!key.starts_with(['#', ';'])).then(|| (key.to_ascii_lowercase(), value.trim()))
}

/// The same text, with commands changed to hide our own secrets: the SDK runs them with `sh -c` and the whole
/// environment.
fn without_our_secrets(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len() + 256));
    for line in text.split_inclusive('\n') {
        match setting(line) {
            Some((key, command))
                if key == COMMAND && !command.is_empty() && !command.starts_with(['#', ';']) =>
            {
                let indent = &line[..line.len() - line.trim_start().len()];
                out.extend([indent, COMMAND, " = unset ", &OUR_SECRETS.join(" "), " && "]);
                out.push_str(command);
                out.push('\n');
            }
            _ => out.push_str(line),
        }
    }
    out
}

const COMMAND: &str = "credential_process";
/// The variables that contain this program's secrets.
const OUR_SECRETS: [&str; 4] = [
    "BETA9_DATABASE_URL",
    "BETA9_IMAGE_CREDENTIALS",
    "BETA9_TOKEN",
    "BETA9_WORKER_TOKEN",
];
/// The later one overrides the earlier.
const FILES: [(EnvConfigFileKind, &str, &str); 2] = [
    (EnvConfigFileKind::Config, "AWS_CONFIG_FILE", ".aws/config"),
    (
        EnvConfigFileKind::Credentials,
        "AWS_SHARED_CREDENTIALS_FILE",
        ".aws/credentials",
    ),
];
/// Variables that name a token file. A profile can have the first too, in lower case and without the prefix.
const TOKEN_FILES: [&str; 2] = [
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];
