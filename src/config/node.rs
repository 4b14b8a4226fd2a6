//! `Node`: the variables that say which cloud identity the node itself has.

use std::collections::BTreeMap;

use super::env::Env;
use crate::credential::Redacted;
use crate::error::Error;

/// The well-known variables of the clouds' own tools, as far as they are set, and the home directory.
#[derive(Debug, Default)]
pub struct Node {
    variables: BTreeMap<&'static str, Redacted>,
    foreign_home: bool,
}

impl Node {
    pub(super) fn read(env: &Env) -> Result<Self, Error> {
        let mut variables = BTreeMap::new();
        for name in VARIABLES {
            if let Some(value) = env.secret(name)? {
                variables.insert(name, value);
            }
        }
        // Whatever HOME says, files are looked for in the home directory that is this user's.
        variables.remove(HOME);
        let home = env.home().and_then(|home| home.to_str().map(Redacted::from));
        variables.extend(home.map(|home| (HOME, home)));
        Ok(Self { variables, foreign_home: env.foreign_home().is_some() })
    }

    /// A variable's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Redacted> {
        self.variables.get(name)
    }

    /// Whether `HOME` is another user's, so that what follows it by itself looks in the wrong place.
    #[must_use]
    pub fn has_foreign_home(&self) -> bool {
        self.foreign_home
    }

    /// What tells this identity from another one without being its key of the hour: the named variables that are set,
    /// and the user, as `NAME=value` lines.
    #[must_use]
    pub fn describe(&self, names: &[&str]) -> Vec<String> {
        let set = names.iter().filter_map(|name| self.get(name).map(|value| format!("{name}={}", value.expose())));
        set.chain([format!("uid={}", rustix::process::geteuid().as_raw())]).collect()
    }
}

const HOME: &str = "HOME";
const VARIABLES: [&str; 24] = [
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_CA_BUNDLE",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "CLOUDSDK_CONFIG",
    "GCE_METADATA_HOST",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_TENANT_ID",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_AUTHORITY_HOST",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "MSI_ENDPOINT",
    "MSI_SECRET",
];
