//! The clients that call this helper: which configuration files each one reads, and what those say about the helper.
//!
//! This module only reads their state: it never affects which credential is returned. Each client has its own order of
//! files, which is documented where the file is named.

pub mod asks;
mod auth_file;
mod change;
pub mod diff;
mod docker;
pub mod edit;
pub mod file;
pub(crate) mod go_json;
mod helper;
mod kubelet;
mod note;
pub mod place;
pub mod plain_login;
mod podman;
mod program;
mod rancher;
pub(crate) mod refusal;
mod registries;
pub mod spelling;

pub use asks::{Answerer, Asks, Clients};
pub use auth_file::{AuthEntry, AuthFile, Held};
pub use change::{Change, Form};
pub use docker::{DOCKER_AUTH_CONFIG, DockerClient, docker_file};
pub use helper::{
    Helper, SYSTEM_PATH, find_helper, find_program, is_this_program, runnable_helper, said,
    unstartable,
};
pub use kubelet::{kubelet_files, processes, started_by};
pub use note::changed_by_note;
pub use podman::{PodmanClient, auth_files, closed_session, own_auth_file};
pub use program::{Put, remove_program};
pub use rancher::Rancher;
pub use registries::{AUTH_FILES, Registries, RegistriesFile, RegistriesPlaces};

/// Which configuration is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The current user's.
    User,
    /// The system-wide one; for docker, which has none, root's.
    System,
}

/// The helper's name in clients' files: what follows `docker-credential-` in the program's name.
pub const HELPER: &str = "beta9";
/// The name of this program's file.
pub const PROGRAM: &str = env!("CARGO_PKG_NAME");
