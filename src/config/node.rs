//! `Node`: the variables that say which cloud identity the node itself has.

use std::collections::BTreeMap;

use super::env::Env;
use crate::credential::Redacted;
use crate::error::Error;

/// The well-known variables of the clouds' own tools, as far as they are set.
#[derive(Debug, Default)]
pub struct Node(BTreeMap<&'static str, Redacted>);

impl Node {
    pub(super) fn read(env: &Env) -> Result<Self, Error> {
        let mut variables = BTreeMap::new();
        for name in VARIABLES {
            if let Some(value) = env.secret(name)? {
                variables.insert(name, value);
            }
        }
        Ok(Self(variables))
    }

    /// A variable's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Redacted> {
        self.0.get(name)
    }

    /// What tells this identity from another one without being its key of the hour: the named variables that are set,
    /// and the user, as `NAME=value` lines.
    #[must_use]
    pub fn describe(&self, names: &[&str]) -> Vec<String> {
        let set = names.iter().filter_map(|name| self.get(name).map(|value| format!("{name}={}", value.expose())));
        set.chain([format!("uid={}", rustix::process::geteuid().as_raw())]).collect()
    }
}

const VARIABLES: [&str; 25] = [
    "HOME",
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
