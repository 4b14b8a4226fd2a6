//! Where a client gets a registry's credential: from this helper, another program, its own login, a variable, or
//! nowhere. This module only evaluates configuration that was read before.

use std::fmt;
use std::path::{Path, PathBuf};

use super::auth_file::CREDS_STORE;
use super::registries::CREDENTIAL_HELPERS;
use super::spelling::{Client, Lookup};
use super::{
    AUTH_FILES, AuthEntry, AuthFile, DOCKER_AUTH_CONFIG, DockerClient, HELPER, Held, PodmanClient,
    Scope,
};
use crate::config::Env;
use crate::error::Error;
use crate::shown::shown;

/// Who answers a client, and what decides that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asks {
    /// Who answers.
    pub answerer: Answerer,
    /// The file that decides; `None` for a variable or if nothing decides.
    pub file: Option<PathBuf>,
    /// The key in that file, or the variable's name.
    pub key: Option<String>,
}

/// Who answers a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answerer {
    /// This helper.
    ThisHelper,
    /// Another helper, by the part of its name after `docker-credential-`.
    Helper(String),
    /// The client itself, which has a login in plain text.
    PlainLogin,
    /// A variable with a login, which precedes every helper.
    Variable,
    /// Nobody: the client pulls anonymously.
    Nobody,
}

impl fmt::Display for Answerer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ThisHelper => f.write_str("asks this helper"),
            Self::Helper(name) => write!(f, "asks {}", shown(&program(name))),
            Self::PlainLogin => f.write_str("has its own login"),
            Self::Variable => write!(f, "takes the login in {DOCKER_AUTH_CONFIG}"),
            Self::Nobody => f.write_str("asks nobody"),
        }
    }
}

impl Asks {
    fn new(answerer: Answerer, file: Option<&Path>, key: &str) -> Self {
        Self {
            answerer,
            file: file.map(Path::to_owned),
            key: Some(key.to_owned()),
        }
    }

    /// Nobody answers, because nothing is configured.
    pub fn nobody() -> Self {
        Self {
            answerer: Answerer::Nobody,
            file: None,
            key: None,
        }
    }

    /// Whether this helper answers.
    pub fn is_this_helper(&self) -> bool {
        self.answerer == Answerer::ThisHelper
    }

    /// The program that answers.
    pub fn program(&self) -> Option<String> {
        match &self.answerer {
            Answerer::ThisHelper => Some(program(HELPER)),
            Answerer::Helper(name) => Some(program(name)),
            Answerer::PlainLogin | Answerer::Variable | Answerer::Nobody => None,
        }
    }

    fn helper(name: &str, file: &Path, key: &str) -> Self {
        let answerer = match name {
            HELPER => Answerer::ThisHelper,
            other => Answerer::Helper(other.to_owned()),
        };
        Self::new(answerer, Some(file), key)
    }
}

/// The program that clients run for a helper's name.
pub fn program(name: &str) -> String {
    format!("docker-credential-{name}")
}

impl AuthFile {
    /// Who answers for a registry according to this file alone; `None` if it says nothing about it.
    pub fn asks(&self, lookup: &Lookup) -> Option<Asks> {
        let mut keys = lookup.helper_keys().iter();
        let named = keys.find_map(|key| Some((key.as_str(), self.helper(key)?)));
        let is_podman = lookup.client() == Client::Podman;
        let store = self.creds_store.as_deref().filter(|_| !is_podman);
        let helper = named.or(store.map(|name| (CREDS_STORE, name)));
        // To docker, an empty name means no helper; podman would run `docker-credential-`.
        let helper = helper.filter(|(_, name)| is_podman || !name.is_empty());
        if let Some((key, name)) = helper {
            return Some(Asks::helper(name, &self.path, key));
        }
        let key = &self.login(lookup)?.key;
        Some(Asks::new(Answerer::PlainLogin, Some(&self.path), key))
    }

    /// The plain-text login that a client finds. podman skips entries that aren't a pair.
    fn login(&self, lookup: &Lookup) -> Option<&AuthEntry> {
        let is_podman = lookup.client() == Client::Podman;
        let is_held = |entry: &&AuthEntry| match &entry.held {
            Held::Nothing => false,
            Held::Credential(_) => true,
            Held::Malformed(_) => entry.fails_podman || !is_podman,
        };
        let found = self.auths.iter().filter(is_held);
        let found = found.filter_map(|entry| Some((lookup.place(&entry.key)?, entry)));
        let first = found.min_by_key(|(place, _)| *place);
        first.map(|(_, entry)| entry)
    }
}

impl DockerClient {
    /// Who answers docker or a client that reads docker's file.
    pub fn asks(&self, lookup: &Lookup) -> Asks {
        let mut brought = self.variable.iter().flat_map(|variable| &variable.auths);
        if brought.any(|entry| lookup.helper_keys().contains(&entry.key)) {
            return Asks::new(Answerer::Variable, None, DOCKER_AUTH_CONFIG);
        }
        let file = self.file.as_ref();
        file.and_then(|file| file.asks(lookup))
            .unwrap_or_else(Asks::nobody)
    }
}

impl PodmanClient {
    /// Who answers podman: the first source that is this helper or has an entry. Other helpers in registries.conf may
    /// have no credential, so they count only if nothing else is left.
    pub fn asks(&self, lookup: &Lookup) -> Asks {
        let mut other = Asks::nobody();
        let list = self.registries.effective();
        let path = list.map_or(Path::new(""), |(path, _)| path);
        for name in self.registries.helpers() {
            if name == AUTH_FILES {
                if let Some(asks) = self.files.iter().find_map(|file| file.asks(lookup)) {
                    return asks;
                }
                continue;
            }
            other = Asks::helper(name, path, CREDENTIAL_HELPERS);
            if other.is_this_helper() {
                break;
            }
        }
        other
    }
}

/// The clients that read docker's and podman's files.
pub struct Clients {
    /// docker, buildx, oras, crane, ko, CLIP and nerdctl.
    pub docker: Result<DockerClient, Error>,
    /// podman, buildah, skopeo and CRI-O.
    pub podman: Result<PodmanClient, Error>,
}

impl Clients {
    /// Reads the files that the clients read when this user runs them.
    pub fn read(env: &Env) -> Self {
        Self {
            docker: DockerClient::read(env, Scope::User),
            podman: PodmanClient::read(env),
        }
    }

    /// Who answers the client of this look-up, or why it can't read its file.
    pub fn asks(&self, lookup: &Lookup) -> Result<Asks, &Error> {
        match lookup.client() {
            Client::Podman => self.podman.as_ref().map(|podman| podman.asks(lookup)),
            _ => self.docker.as_ref().map(|docker| docker.asks(lookup)),
        }
    }
}

/// The clients by name.
pub const CLIENTS: [(&str, Client); 2] = [("docker", Client::Docker), ("podman", Client::Podman)];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Registries, RegistriesFile, RegistriesPlaces};

    fn file(text: &str) -> AuthFile {
        AuthFile::parse(Path::new("/f"), text).unwrap()
    }

    fn asks(answerer: Answerer, file: &str, key: &str) -> Asks {
        Asks {
            answerer,
            file: Some(file.into()),
            key: Some(key.to_owned()),
        }
    }

    fn helper(name: &str) -> Answerer {
        Answerer::Helper(name.to_owned())
    }

    #[test]
    fn docker_uses_the_variable_then_the_registrys_helper_then_credsstore_then_auths() {
        let docker = |text: &str, variable: Option<&str>| DockerClient {
            path: "/f".into(),
            file: Some(file(text)),
            variable: variable.map(file),
        };
        let full = r#"{"credsStore":"desktop","credHelpers":{"ghcr.io":"beta9","quay.io":""},
            "auths":{"https://nvcr.io/v2/":{"auth":"dTpz"},"quay.io":{"auth":"dTpz"},"docker.io":{"auth":"dTpz"}}}"#;
        let plain = &full.replace("desktop", "");
        let brought = Some(r#"{"auths":{"ghcr.io":{"auth":"dTpz"}}}"#);
        let variable = Asks {
            answerer: Answerer::Variable,
            file: None,
            key: Some("DOCKER_AUTH_CONFIG".to_owned()),
        };
        let table = [
            (
                "ghcr.io",
                full,
                None,
                asks(Answerer::ThisHelper, "/f", "ghcr.io"),
            ),
            ("ghcr.io", full, brought, variable),
            (
                "GHCR.io",
                full,
                brought,
                asks(helper("desktop"), "/f", "credsStore"),
            ),
            (
                "nvcr.io",
                full,
                None,
                asks(helper("desktop"), "/f", "credsStore"),
            ),
            (
                "nvcr.io",
                plain,
                None,
                asks(Answerer::PlainLogin, "/f", "https://nvcr.io/v2/"),
            ),
            (
                "quay.io",
                full,
                None,
                asks(Answerer::PlainLogin, "/f", "quay.io"),
            ),
            ("gcr.io", plain, None, Asks::nobody()),
            ("docker.io", plain, None, Asks::nobody()),
            ("ghcr.io:443", plain, None, Asks::nobody()),
        ];
        for (registry, text, variable, expected) in table {
            let lookup = Lookup::new(Client::Docker, registry);
            assert_eq!(docker(text, variable).asks(&lookup), expected, "{registry}");
        }
    }

    #[test]
    fn podman_asks_in_the_order_of_its_list_and_knows_no_creds_store() {
        let podman = |helpers: &[&str], text: &str| {
            let helpers = Some(helpers.iter().map(|&name| name.to_owned()).collect());
            PodmanClient {
                registries: Registries {
                    places: RegistriesPlaces::of(&Env::of([]), Scope::User),
                    files: vec![RegistriesFile {
                        path: "/r".into(),
                        helpers,
                    }],
                },
                files: vec![file(text)],
            }
        };
        let plain = r#"{"auths":{"ghcr.io":{"auth":"dTpz"}},"credsStore":"beta9"}"#;
        let own = asks(Answerer::PlainLogin, "/f", "ghcr.io");
        let here = asks(Answerer::ThisHelper, "/r", "credential-helpers");
        let wired = r#"{"credHelpers":{"ghcr.io":"beta9"}}"#;
        let table: [(&[&str], &str, Asks); 8] = [
            (&[], plain, own.clone()),
            (&["beta9", AUTH_FILES], plain, here.clone()),
            (&[AUTH_FILES, "beta9"], plain, own),
            (&[AUTH_FILES, "beta9"], "{}", here),
            (
                &["pass"],
                "{}",
                asks(helper("pass"), "/r", "credential-helpers"),
            ),
            (
                &["pass", AUTH_FILES],
                wired,
                asks(Answerer::ThisHelper, "/f", "ghcr.io"),
            ),
            (
                &[],
                r#"{"credHelpers":{"ghcr.io":""}}"#,
                asks(helper(""), "/f", "ghcr.io"),
            ),
            (&[], r#"{"credsStore":"beta9"}"#, Asks::nobody()),
        ];
        for (helpers, text, expected) in table {
            let lookup = Lookup::new(Client::Podman, "ghcr.io");
            assert_eq!(
                podman(helpers, text).asks(&lookup),
                expected,
                "{helpers:?} {text}"
            );
        }
    }
}
