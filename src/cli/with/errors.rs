//! Why a command is not run, or not with a credential.

use std::io;

use thiserror::Error;

use super::tool::Tool;
use crate::error::{Code, Fault, Meaning};
use crate::shown::shown;

#[derive(Debug, Error)]
pub(super) enum WithError {
    #[error("{} is not ctr or nerdctl", shown(.0))]
    Program(String),
    #[error("an argument is not UTF-8")]
    NotUtf8,
    #[error("{} {} is not a pull", .tool.name, shown(.words))]
    NoPull { tool: &'static Tool, words: String },
    #[error("the flag {} is not known here", shown(.0))]
    Flag(String),
    /// The reference in full.
    #[error("ctr needs the registry's name in it")]
    NoRegistry(String),
    #[error("ctr would print the password with the requests")]
    Dumps,
    #[error("{0}")]
    Untypable(Untypable),
    #[error("it cannot be run on a terminal of its own")]
    NoTerminal(#[source] io::Error),
    #[error("it cannot be run")]
    NotRun {
        program: String,
        #[source]
        error: io::Error,
    },
}

/// Why ctr cannot be given a credential: the user name is an argument, and the password a line that is typed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum Untypable {
    #[error("the user name is the secret, and ctr's arguments would show it")]
    SecretUsername,
    #[error("it is an identity token, which ctr takes only as an argument")]
    IdentityToken,
    #[error("the user name has a colon, where ctr reads a password")]
    Colon,
    #[error("the password has a line end or is longer than the line that ctr reads")]
    Line,
}

impl Fault for WithError {
    fn meaning(&self) -> Meaning {
        let usage = Meaning::new(Code::InputUsage, "with");
        match self {
            Self::Program(_) => usage.fix(
                "name ctr or nerdctl; other clients ask the helper themselves (`docker-credential-beta9 configure`)",
            ),
            Self::NotUtf8 => usage.fix("correct it"),
            Self::NoPull { tool, .. } => usage.fix(format!(
                "pull first with `docker-credential-beta9 with {}`, and run this without `with`",
                tool.example
            )),
            // The word behind it may be its value or the image; a guess may send a password to a wrong host.
            Self::Flag(_) => {
                usage.fix("write its value behind an equals sign (--flag=value, --flag=true)")
            }
            Self::NoRegistry(whole) => Meaning::new(Code::InputBadReference, "image reference")
                .fix(format!("write {}", shown(whole))),
            Self::Dumps => {
                Meaning::new(Code::InputUsage, "--http-dump").fix("leave --http-dump out")
            }
            Self::Untypable(_) => Meaning::new(Code::SecretInvalid, "credential").fix(
                "pull with `docker-credential-beta9 with nerdctl pull`, which asks the helper",
            ),
            Self::NoTerminal(_) => Meaning::new(Code::SystemResources, "ctr").fix(
                "check whether /dev/ptmx and /proc are there, and whether the node is out of processes (ulimit -u)",
            ),
            Self::NotRun { program, .. } => {
                Meaning::new(Code::SystemFile, shown(program).to_string())
                    .fix("install it, or give its path")
            }
        }
    }
}
