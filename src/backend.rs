//! `Backend`: turns the keys of a secret into the user name and password that a registry accepts.

mod aws;
mod aws_files;
mod azure;
mod fixed;
mod gcp;
mod whose;

use std::time::{Duration, Instant};

use crate::config::{CloudSettings, Node};
use crate::credential::{Redacted, shown_username};
use crate::error::Error;
use crate::host::Host;
use crate::keys::{KeySet, Keys};
use crate::service_account::ServiceAccount;
use crate::token::Minted;

pub use aws::{is_public as is_ecr_public, region as ecr_region};
pub use fixed::User;
pub use gcp::USER as GCP_USER;
pub use whose::Whose;

/// A way to log in. A registry has one or more; the first one that fits the keys is used.
#[derive(Clone, Copy, Debug)]
pub enum Backend {
    /// Amazon ECR: keys are exchanged for a token.
    Aws,
    /// Google Artifact Registry and Container Registry: keys are exchanged for an access token.
    Gcp,
    /// Azure Container Registry: keys are exchanged for a refresh token.
    Azure,
    /// The registry takes the keys as they are.
    Fixed {
        /// Where the user name comes from.
        user: User,
        /// The key that holds the password or token.
        secret: &'static str,
    },
}

impl Backend {
    /// The name in `explain`, errors and the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Azure => "azure",
            Self::Fixed { .. } => "fixed",
        }
    }

    /// Whether this backend mints tokens. Such a registry is bound to its exact hosts, port 443 and TLS.
    pub fn is_cloud(&self) -> bool {
        !matches!(self, Self::Fixed { .. })
    }

    /// Whether `keys` has all the keys that this backend needs.
    pub fn fits(&self, keys: &Keys) -> bool {
        match self {
            Self::Aws => keys.has_both("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
            Self::Azure => keys.has_both("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"),
            Self::Gcp => gcp::fits(keys),
            Self::Fixed {
                user: User::Key(user),
                secret,
            } => keys.has_both(user, secret),
            Self::Fixed { secret, .. } => keys.has(secret),
        }
    }

    /// The sets of keys that this backend can log in with; any one of them is enough.
    pub fn key_sets(&self) -> Vec<KeySet> {
        let set = |needed: &[&'static str], more| KeySet {
            needed: needed.to_vec(),
            more,
            is_pair: false,
        };
        match self {
            Self::Aws => {
                vec![set(
                    &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
                    &["AWS_SESSION_TOKEN", "AWS_REGION"],
                )]
            }
            Self::Azure => vec![set(
                &["AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID"],
                &[],
            )],
            Self::Gcp => GCP_KEYS.map(|key| set(&[key], &[])).to_vec(),
            Self::Fixed {
                user: User::Key(user),
                secret,
            } => {
                vec![KeySet {
                    needed: vec![user, secret],
                    more: &[],
                    is_pair: true,
                }]
            }
            Self::Fixed { secret, .. } => vec![set(&[secret], &[])],
        }
    }

    /// The keys that this backend reads, as error messages list them.
    pub fn wants(&self) -> String {
        match self {
            Self::Aws => "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned(),
            Self::Gcp => "GCP_ACCESS_TOKEN or GOOGLE_APPLICATION_CREDENTIALS".to_owned(),
            Self::Azure => "AZURE_CLIENT_ID, AZURE_CLIENT_SECRET and AZURE_TENANT_ID".to_owned(),
            Self::Fixed {
                user: User::Key(user),
                secret,
            } => format!("{user} and {secret}"),
            Self::Fixed { secret, .. } => (*secret).to_owned(),
        }
    }

    /// The user name that [`Backend::login`] would return, without logging in.
    pub fn username<'k>(&self, keys: &'k Keys) -> &'k str {
        match self {
            Self::Aws => "AWS",
            Self::Gcp => GCP_USER,
            Self::Azure => "00000000-0000-0000-0000-000000000000",
            Self::Fixed { user, secret } => user.name(keys, secret).unwrap_or_default(),
        }
    }

    /// The user name and secret that [`Backend::login`] would return; `None` if a token has to be minted.
    pub fn plain<'k>(&self, keys: &'k Keys) -> Option<(&'k str, &'k Redacted)> {
        match self {
            Self::Fixed { user, secret } => Some((user.name(keys, secret)?, keys.get(secret)?)),
            Self::Gcp => Some((GCP_USER, keys.get(GCP_KEYS[0])?)),
            Self::Aws | Self::Azure => None,
        }
    }

    /// The user name for logs and reports; `None` if it is itself the secret.
    pub fn shown_username<'k>(&self, keys: &'k Keys) -> Option<&'k str> {
        let username = self.username(keys);
        match self {
            Self::Fixed { secret, .. } => keys
                .get(secret)
                .map_or(Some(username), |secret| shown_username(username, secret)),
            Self::Aws | Self::Gcp | Self::Azure => Some(username),
        }
    }

    /// Logs in with the keys or the node's identity, and returns what the registry accepts.
    pub fn login(&self, login: &Login) -> Result<Minted, Error> {
        match self {
            Self::Aws => aws::login(login),
            Self::Gcp => gcp::login(login),
            Self::Azure => azure::login(login),
            Self::Fixed { user, secret } => fixed::login(*user, secret, login),
        }
        .map_err(|error| error.about(login.host.as_reference()))
    }

    /// Whether this service account should log in here, according to its annotations or the operator's settings.
    pub fn is_for_pod(&self, account: &ServiceAccount, settings: &CloudSettings) -> bool {
        match self {
            Self::Aws => aws::is_for_pod(account),
            Self::Gcp => gcp::is_for_pod(account, settings),
            Self::Azure => azure::is_for_pod(account),
            Self::Fixed { .. } => false,
        }
    }

    /// How long a token may be cached at most, whatever its own expiry.
    pub fn longest_life(&self) -> Option<Duration> {
        // ECR tokens live for 12 hours from issue, and a request may return one that was issued earlier.
        matches!(self, Self::Aws).then_some(Duration::from_hours(11))
    }

    /// The identity whose token a login would mint, without asking anybody. Fails if the node's identity is configured
    /// but unusable.
    pub fn whose(&self, login: &Login) -> Result<Whose, Error> {
        match self {
            Self::Aws => aws::whose(login),
            Self::Gcp => gcp::whose(login),
            Self::Azure => azure::whose(login),
            Self::Fixed { .. } => Ok(Whose::Unknown),
        }
        .map_err(|error| error.about(login.host.as_reference()))
    }

    /// The metadata service's name for the identity of a [`Whose::Machine`]; `None` if it does not say.
    pub fn ask_machine(&self, login: &Login) -> Result<Option<String>, Error> {
        match self {
            Self::Aws => aws::ask_machine(login),
            Self::Gcp => gcp::ask_machine(login),
            Self::Azure => azure::ask_machine(login),
            Self::Fixed { .. } => Ok(None),
        }
        .map_err(|error| error.about(login.host.as_reference()))
    }
}

/// What is wrong with the files that define the node's identity.
pub fn check_node_files(node: &Node) -> Vec<Error> {
    let checked = [
        aws::check_files(node),
        gcp::check_files(node),
        azure::check_files(node),
    ];
    checked.into_iter().filter_map(Result::err).collect()
}

/// The input of a login.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    /// The registry, after a rule's `alias_of`.
    pub host: &'a Host,
    /// The keys of the workspace's secret, written by a tenant; `None` if a pod or the node itself logs in.
    pub keys: Option<&'a Keys>,
    /// The pod's service account, if that logs in. A tenant writes its annotations.
    pub pod: Option<&'a ServiceAccount>,
    /// Whether the node's own identity may be used.
    pub ambient: bool,
    /// The operator's settings for the cloud.
    pub settings: &'a CloudSettings,
    /// Where the node's identity is configured.
    pub node: &'a Node,
    /// When the client stops waiting.
    pub deadline: Instant,
}

/// The keys of Google's registries.
pub const GCP_KEYS: [&str; 3] = [
    "GCP_ACCESS_TOKEN",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GCP_PROJECT_ID",
];

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn test_keys(pairs: &[(&str, &str)]) -> Keys {
        let mut keys = Keys::default();
        for (name, value) in pairs {
            keys.insert(name, (*value).into()).unwrap();
        }
        keys
    }

    pub(crate) fn test_login<'a>(host: &str, keys: &'a Keys) -> Login<'a> {
        let host = Box::leak(Box::new(Host::parse(host.as_bytes()).unwrap()));
        let (settings, node) = (Box::leak(Box::default()), Box::leak(Box::default()));
        Login {
            host,
            keys: Some(keys),
            pod: None,
            ambient: false,
            settings,
            node,
            deadline: Instant::now() + Duration::from_secs(5),
        }
    }

    #[test]
    fn a_machine_of_a_cloud_has_its_identity_and_another_one_has_none() {
        let marks = [
            (
                Backend::Aws,
                "123456789012.dkr.ecr.us-east-1.amazonaws.com",
                "sys_vendor",
                "Amazon EC2",
            ),
            (
                Backend::Gcp,
                "gcr.io",
                "product_name",
                "Google Compute Engine",
            ),
            (
                Backend::Azure,
                "myreg.azurecr.io",
                "chassis_asset_tag",
                "7783-7084-3265-9085-8269-3286-77",
            ),
        ];
        for (_, _, file, text) in marks {
            let sysfs = tempfile::tempdir().unwrap();
            let dmi = sysfs.path().join("class/dmi/id");
            std::fs::create_dir_all(&dmi).unwrap();
            std::fs::write(dmi.join(file), text).unwrap();
            let node = Node::default().described_in(sysfs.path());
            for (cloud, host, other, _) in marks {
                let keys = Keys::default();
                let login = Login {
                    keys: None,
                    ambient: true,
                    node: &node,
                    ..test_login(host, &keys)
                };
                match cloud.whose(&login).unwrap() {
                    Whose::Machine(_) => assert_eq!(other, file),
                    Whose::Nobody(why) => assert!(
                        other != file && why.starts_with("this node has no "),
                        "{why}"
                    ),
                    whose => panic!("{whose:?}"),
                }
            }
        }
    }
}
