//! Errors in a command's arguments or environment.

use std::io::ErrorKind;

use thiserror::Error;

use crate::credential::CredentialError;
use crate::error::{Code, Fault, Meaning};
use crate::host::HostError;
use crate::keys::KeysError;
use crate::shown::shown;

/// Why a command failed.
#[derive(Debug, Error)]
pub(super) enum CliError {
    /// The parser's message.
    #[error("{0}")]
    Usage(String),
    #[error("there is no command \"{}\"", shown(.0))]
    NoCommand(String),
    /// If the argument is a host, the fix shows an image of it.
    #[error("it names a registry, not an image")]
    NoImage { host: Option<String> },
    #[error("{0}")]
    Reference(HostError),
    #[error("it cannot be written")]
    Unwritable(#[source] std::io::Error),
    #[error("--fix asks before it changes anything, and there is no terminal")]
    NoTerminal,
    #[error("image {} has no credential: the pull is anonymous", shown(.0))]
    Anonymous(String),
    /// The store that does not keep secrets by name.
    #[error("its images are bound to registries' own secrets, and not to names of single ones")]
    NoNames { store: String },
    #[error("its images are bound to single secrets, which have no end")]
    NoEnd { store: String },
    /// The store.
    #[error("the {0} store shares no tokens")]
    NothingShared(&'static str),
    #[error("{0}")]
    Keys(KeysError),
    #[error("{}: {}", shown(.0), KeysError::Placeholder)]
    Placeholder(String),
    /// The file with the credentials.
    #[error("{0} {1}")]
    Given(String, &'static str),
}

impl Fault for CliError {
    fn meaning(&self) -> Meaning {
        let given = |code| Meaning::new(code, "credentials");
        match self {
            Self::Usage(_) => Meaning::new(Code::InputUsage, "command line"),
            Self::NoCommand(_) => Meaning::new(Code::InputUsage, "manual")
                .fix("docker-credential-beta9 --help lists them"),
            Self::NoImage { host } => {
                let example = host.as_ref();
                let example = example.map(|host| format!(", such as {host}/org/app"));
                Meaning::new(Code::InputBadReference, REFERENCE)
                    .fix(format!("name an image{}", example.unwrap_or_default()))
            }
            Self::Reference(_) => Meaning::new(Code::InputBadReference, REFERENCE)
                .fix("give it as docker pull takes it"),
            Self::Unwritable(_) => Meaning::new(Code::OutputUnwritable, "standard output"),
            Self::NoTerminal => {
                Meaning::new(Code::InputUsage, "doctor").fix("add --yes, or run it in a terminal")
            }
            Self::Anonymous(_) => Meaning::new(Code::CredentialNotFound, ""),
            Self::NoNames { store } => {
                Meaning::new(Code::StoreUnsupported, store.clone()).fix("leave out --names")
            }
            Self::NoEnd { store } => {
                Meaning::new(Code::StoreUnsupported, store.clone()).fix("leave out --ttl")
            }
            Self::NothingShared(_) => Meaning::new(Code::StoreUnsupported, "status")
                .fix("run it where BETA9_STORE is postgres"),
            Self::Keys(error) => given(match error {
                KeysError::Absent(_) | KeysError::Empty(_) | KeysError::Unset(_) => {
                    Code::SecretNamesMissing
                }
                KeysError::HalfPair { .. } => Code::SecretHalfPair,
                _ => Code::SecretInvalid,
            })
            .fix(of_keys(error)),
            Self::Placeholder(_) => {
                given(Code::SecretInvalid).fix("give the secret itself; nothing was stored")
            }
            Self::Given(..) => given(Code::InputUnreadable).fix("nothing was stored"),
        }
    }
}

fn of_keys(error: &KeysError) -> String {
    match error {
        KeysError::Absent(names) => match names.as_slice() {
            [name] => format!(
                "export it, or create it with: beta9 secret create {} VALUE",
                shown(name)
            ),
            _ => "export them, or create each with: beta9 secret create NAME VALUE".to_owned(),
        },
        KeysError::Empty(names) => {
            let name = if let [name] = names.as_slice() {
                name
            } else {
                "NAME"
            };
            format!(
                "delete it with: beta9 secret delete {}, and create it again with its value",
                shown(name)
            )
        }
        _ => "nothing was stored".to_owned(),
    }
}

/// Why `resolve --stdin` cannot answer a line, or read any.
#[derive(Debug, Error)]
pub(super) enum LinesError {
    #[error("the line is empty")]
    Empty,
    #[error("it has more than an image id and a reference")]
    MoreWords,
    #[error("the line is longer than 4096 bytes")]
    TooLong,
    #[error("it is not UTF-8")]
    NotUtf8,
    #[error("it cannot be read ({0})")]
    Unreadable(ErrorKind),
    #[error("it cannot be waited for ({0})")]
    Signal(ErrorKind),
}

impl Fault for LinesError {
    fn meaning(&self) -> Meaning {
        match self {
            Self::Signal(_) => Meaning::new(Code::SystemResources, "SIGTERM")
                .fix("raise the limits of open files and of processes (ulimit -n, ulimit -u)"),
            _ => Meaning::new(Code::InputUnreadable, "standard input")
                .fix("send one image id per line"),
        }
    }
}

/// Why a login stays in the client's file.
#[derive(Debug, Error)]
pub(super) enum ImportError {
    #[error("a rule says that no credential is returned for it")]
    Public,
    #[error("the store has another credential for it")]
    StoredDiffers,
    /// The registry.
    #[error("the store does not answer it as it was given, so it was not taken over")]
    ReadBack(String),
}

impl Fault for ImportError {
    fn meaning(&self) -> Meaning {
        match self {
            Self::Public => Meaning::new(Code::ConfigConflict, "").fix("remove it, or the rule"),
            Self::StoredDiffers => {
                Meaning::new(Code::StoreConflict, "").fix("--force replaces that")
            }
            Self::ReadBack(registry) => Meaning::new(Code::StoreUnexpected, "").fix(format!(
                "{} explain {registry} says why",
                env!("CARGO_PKG_NAME")
            )),
        }
    }
}

/// Why a login, or all logins, were not exported.
#[derive(Debug, Error)]
pub(super) enum ExportError {
    #[error("its cloud keys become a login only here, and minted tokens are not exported")]
    Minted,
    #[error("{0}")]
    Credential(CredentialError),
    #[error("its user name has a colon, which docker's file cannot hold")]
    Colon,
    #[error("{0} is there already")]
    Exists(String),
    #[error("the store holds no login")]
    Empty,
    #[error("it writes passwords in plain text, and there is no terminal to ask at")]
    NoTerminal,
    #[error("nothing was written")]
    Declined,
    #[error("the document {0}")]
    Document(&'static str),
    #[error("the workspace's store is not the built-in one, and only that is exported")]
    OtherStore,
}

impl Fault for ExportError {
    fn meaning(&self) -> Meaning {
        let login = |code, fix: &'static str| Meaning::new(code, "").fix(fix);
        let export = |code, fix: &'static str| Meaning::new(code, "export").fix(fix);
        match self {
            Self::Minted => login(Code::SecretInvalid, "give that registry a login of its own"),
            Self::Credential(_) => login(Code::SecretInvalid, ""),
            Self::Colon => login(Code::SecretInvalid, "log in with another user name"),
            Self::Exists(_) => export(Code::ClientFileUnwritable, "name a new file"),
            Self::Empty => export(Code::CredentialNotFound, "docker login HOST stores one"),
            Self::NoTerminal => export(Code::InputUsage, "add --yes"),
            Self::Declined => export(Code::InputUsage, "answer yes, or add --yes"),
            Self::Document(_) => export(Code::OutputUnwritable, ""),
            Self::OtherStore => export(
                Code::StoreUnsupported,
                "unset BETA9_STORE, or export where its secrets are managed",
            ),
        }
    }
}

const REFERENCE: &str = "image reference";
