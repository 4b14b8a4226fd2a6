//! A credential helper for docker and every other puller of container images.
//!
//! # The path of a request
//!
//! standard input → [`protocol::docker`] → [`host::ServerUrl`] → [`resolver::Resolver`] → the first [`store::Store`]
//! that has the host → [`keys::Keys`] → the table in [`registry`]: which [`backend::Backend`] → [`cache::Cache`] → its login →
//! [`credential::Credential`] → standard output.
//!
//! # The map
//!
//! | module | contents |
//! |---|---|
//! | [`host`] | `Host`, `ServerUrl`, `ImageRef`, `Pattern`: parsed by hand, on bytes, once |
//! | [`credential`] | `Credential`, and `Redacted`, the wrapper around every secret |
//! | [`token`] | the outcome of a login, and what distinguishes its token from others |
//! | [`keys`] | the credential map of a secret: its shapes, its pairs and its sources |
//! | [`registry`] | THE TABLE: hosts to backends; which backend a secret's keys are for |
//! | [`backend`] | keys to user name and password |
//! | [`store`] | the sources of secrets: the request, the embedded store, the gateway, the worker API, the database |
//! | [`cache`] | minted tokens, sealed, one mint at a time on the whole node |
//! | [`resolver`] | get, store, erase, list; provision, resolve and publish; cached answers of remote stores |
//! | [`client`] | the clients' own configuration files: what they say about this helper, and how to change that |
//! | [`verify`] | asks a registry whether it accepts a credential |
//! | [`config`] | configuration files and environment; nothing else reads either |
//! | [`protocol`] | docker's protocol, and kubelet's |
//! | [`cli`] | the operator's commands, one file each |
//! | `mirror` | the registry on loopback that containerd asks, and its certificates |
//! | [`http`] | the one HTTP client: deadline, bounded retries, no redirects, bounded bodies |
//! | [`log`] | the debug log of `BETA9_LOG`; never a value |
//! | [`audit`] | the optional audit log |
//! | [`service_account`] | a pod's identity, as kubelet passes it |
//! | [`trusted`] | opens every file that controls the program or contains a secret, after checking it and its directories |
//! | [`seal`], [`private`], [`lock`], [`json`], [`near`], `jwt`, `shown`, [`runtime`], [`tls`], [`error`] | small modules that all others may use |
//!
//! Imports point one way: main → lib → {cli, protocol} → resolver → {registry, store, cache}, registry → backend.

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::too_many_lines,
        reason = "tests read what they wrote, and hold tables"
    )
)]

pub mod audit;
pub mod backend;
pub mod cache;
pub mod cli;
pub mod client;
pub mod config;
pub mod credential;
pub mod error;
pub mod host;
pub mod http;
pub mod io;
pub mod json;
mod jwt;
pub mod keys;
pub mod lock;
pub mod log;
mod mirror;
pub mod near;
pub mod private;
pub mod protocol;
pub mod registry;
pub mod resolver;
pub mod runtime;
pub mod seal;
pub mod service_account;
mod shown;
pub mod store;
pub mod tls;
pub mod token;
pub mod trusted;
pub mod verify;

use std::ffi::OsString;

use config::Env;
use error::Error;
pub use io::{Io, Output};
pub(crate) use io::{fail, succeed, warn, warn_all};
use protocol::docker::{self, Verb};
use protocol::kubelet;
pub(crate) use shown::one_line;

/// Runs one command and returns its exit status. `args` begins with the program's name.
pub fn run(args: impl IntoIterator<Item = OsString>, env: &Env, io: &mut Io) -> u8 {
    let args: Vec<OsString> = args.into_iter().skip(1).collect();
    let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    let answer = match words.as_slice() {
        [verb] if let Some(verb) = Verb::parse(verb) => docker::answer(verb, env, io.input, io.err),
        [] if kubelet::is_misdirected_input(io) => return 1,
        ["kubelet", rest @ ..] => return kubelet::run(rest, env, io),
        ["version" | "--version" | "-V"] => Ok(version().into()),
        [verb, rest @ ..] if Verb::parse(verb).is_none() || matches!(rest, ["--help" | "-h"]) => {
            return cli::run(&args, env, io);
        }
        _ => Err(Error::Usage),
    };
    match answer {
        Ok(text) => succeed(&text, io),
        Err(error) => fail(&error, io),
    }
}

fn version() -> String {
    format!("{} {}\n", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
}
