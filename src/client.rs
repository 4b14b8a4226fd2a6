//! The clients that call this helper: which configuration files each of them reads, and what those say about it.
//!
//! Here the state is read; nothing is decided by it and no secret of theirs is answered from it. Which file a client
//! looks at first is the vendors' business and written down where the file is named.

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

/// Whose configuration is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// That of the user who runs this.
    User,
    /// That of the whole machine; for docker, which has none, root's.
    System,
}

/// What follows `docker-credential-` in this program's name, which is what clients' files call it.
pub const HELPER: &str = "beta9";
/// The name of this program's file.
pub const PROGRAM: &str = env!("CARGO_PKG_NAME");
