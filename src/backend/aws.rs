//! Amazon ECR and ECR Public: AWS credentials are exchanged for a token of twelve hours.
//!
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html>
//!
//! With a secret's keys, nothing of the node's environment, files or metadata service is read, and requests go only to
//! the registry's own API and, for `AWS_ROLE_ARN`, to STS in the registry's region. The node's identity, where allowed,
//! is the one that the SDK's default chain would find. A pod's service account presents its token to STS for the role
//! named in its annotation.

mod environment;
mod errors;
mod files;
mod host;
mod identity;
mod node;
mod profile;
mod role;
mod token;
mod wire;

use std::time::Duration;

use super::{Login, Whose};
use crate::config::{CloudSettings, Node};
use crate::credential::Redacted;
use crate::error::Error;
use crate::host::Host;
use crate::runtime;
use crate::service_account::ServiceAccount;
use crate::token::shown;
use crate::token::{Minted, Scope};
use errors::{AwsError, late};
use host::{EcrHost, PrivateRegistry};
use role::TenantKeys;
use wire::Wire;

pub(super) fn login(login: &Login) -> Result<Minted, Error> {
    let api = Api::of(login.host, login.settings)?;
    let keys = login.keys.map(TenantKeys::read).transpose()?;
    if keys.is_none() && login.pod.is_none() && !login.ambient {
        return Err(AwsError::NotAllowed.into());
    }
    let wire = wire(login)?;
    runtime::block_on(PART, login.deadline, async {
        let minted = async {
            let (config, call) = match (keys, login.pod) {
                (Some(keys), _) => identity::of_secret(keys, &api, &wire).await?,
                (None, Some(account)) => identity::of_pod(account, &api, &wire).await?,
                (None, None) => identity::of_node(login, &api, &wire).await?,
            };
            token::mint(call, &config).await
        };
        // Give up a moment before the runtime does, so that the error can name the server that did not answer.
        let end = login
            .deadline
            .checked_sub(TO_NAME_A_HANG)
            .unwrap_or(login.deadline);
        tokio::time::timeout_at(end.into(), minted)
            .await
            .unwrap_or_else(|_| Err(late(&wire)))
    })
}

/// The region in a private registry's host name.
pub fn region(host: &Host) -> Option<String> {
    match EcrHost::parse(host)? {
        EcrHost::Private(registry) => Some(registry.region),
        EcrHost::Public { .. } => None,
    }
}

/// Whether this is the public gallery, which has its own token API.
pub fn is_public(host: &Host) -> bool {
    matches!(EcrHost::parse(host), Some(EcrHost::Public { .. }))
}

/// Whether the account's annotations name a role.
pub(super) fn is_for_pod(account: &ServiceAccount) -> bool {
    POD_ROLES
        .iter()
        .any(|name| account.annotation(name).is_some())
}

pub(super) fn whose(login: &Login) -> Result<Whose, Error> {
    let settings = login.settings;
    let setting = |name: &str, value: &Option<String>| {
        [name, "=", value.as_deref().unwrap_or_default()].concat()
    };
    let asked = [
        setting("endpoint_url", &settings.endpoint_url),
        setting("region", &settings.region),
    ];
    if let Some(keys) = login.keys {
        return Ok(Whose::Known(Scope::of_keys(keys).with(asked)));
    }
    if let Some(account) = login.pod {
        let scope = Scope::new(format!("service account {account}"), account.describe());
        return Ok(Whose::Known(scope.with(asked)));
    }
    let role = [
        setting("role_arn", &settings.role_arn),
        setting("external_id", &settings.external_id),
    ];
    let by_role = |scope: Scope| match &settings.role_arn {
        Some(arn) => scope.called(|name| format!("{name}, which assumes {}", shown(arn))),
        None => scope,
    };
    let node = whose_node(login.node, settings.profile.as_deref())?;
    Ok(node.map(|scope| by_role(scope).with(asked).with(role)))
}

/// The node's own identity, before any role that a rule makes it assume. `profile` is the one that a rule names.
pub(super) fn whose_node(node: &Node, profile: Option<&str>) -> Result<Whose, Error> {
    node::whose(node, profile)
}

/// The name of the instance's role.
pub(super) fn ask_machine(login: &Login) -> Result<Option<String>, Error> {
    let wire = wire(login)?;
    runtime::block_on(PART, login.deadline, identity::instance_role(login, &wire)).map(Some)
}

fn wire(login: &Login) -> Result<Wire, Error> {
    Wire::new(
        login.deadline,
        login.node.get("AWS_CA_BUNDLE").map(Redacted::expose),
    )
}

/// Whether the node's own files can be used.
pub(super) fn check_files(node: &Node) -> Result<(), Error> {
    super::aws_files::profile_files(PART, node).map(|_| ())
}

/// The API that mints a registry's tokens.
#[derive(Debug)]
struct Api {
    is_public: bool,
    /// `None` for the public gallery, and if only a rule says that the host is ECR.
    registry: Option<PrivateRegistry>,
    region: String,
    fips: bool,
    dual_stack: bool,
    endpoint_url: Option<String>,
}

impl Api {
    fn of(host: &Host, settings: &CloudSettings) -> Result<Self, Error> {
        let api = |registry: Option<PrivateRegistry>, region: &str| Self {
            is_public: false,
            region: region.to_owned(),
            fips: registry.as_ref().is_some_and(|registry| registry.fips),
            dual_stack: (registry.as_ref()).is_some_and(|registry| registry.dual_stack),
            registry,
            endpoint_url: settings.endpoint_url.clone(),
        };
        match EcrHost::parse(host) {
            Some(EcrHost::Public { dual_stack }) => Ok(Self {
                is_public: true,
                dual_stack,
                ..api(None, PUBLIC_REGION)
            }),
            Some(EcrHost::Private(registry)) if registry.has_region_of_its_partition() => {
                let region = registry.region.clone();
                Ok(api(Some(registry), &region))
            }
            Some(EcrHost::Private(registry)) => {
                Err(AwsError::UnknownRegion(registry.region).into())
            }
            None => match &settings.region {
                Some(region) if is_region(region) => Ok(api(None, region)),
                Some(_) => Err(AwsError::RuleRegion.into()),
                None => Err(AwsError::NoRegistry.into()),
            },
        }
    }
}

/// Whether the text is safe as a label of the endpoint's host name.
fn is_region(text: &str) -> bool {
    let is_label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(is_label)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

const PART: &str = "backend aws";
/// The user name of every ECR token.
const USER: &str = "AWS";
/// ECR Public's API is only in this region
/// (<https://docs.aws.amazon.com/AmazonECR/latest/public/public-registry-auth.html>).
const PUBLIC_REGION: &str = "us-east-1";
/// The annotation that AWS's own credential provider reads
/// (<https://github.com/kubernetes/cloud-provider-aws/pull/1155>), and the one that gives pods a role on EKS
/// (<https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html>).
const POD_ROLES: [&str; 2] = [
    "eks.amazonaws.com/ecr-role-arn",
    "eks.amazonaws.com/role-arn",
];
const TO_NAME_A_HANG: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::super::tests::{test_keys as keys, test_login};
    use super::*;
    use crate::config::{Config, Env};
    use crate::service_account::tests::test_account;

    const REGISTRY: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";

    /// Session keys in the environment.
    fn in_session(token: &str) -> Node {
        let keys = [
            ("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ];
        let env = Env::of([keys[0], keys[1], ("AWS_SESSION_TOKEN", token)]);
        Config::load(&env).unwrap().node
    }

    #[test]
    fn any_key_of_a_secret_and_what_the_operator_sets_make_another_token() {
        let (one, two) = (
            keys(&[("AWS_ACCESS_KEY_ID", "A")]),
            keys(&[("AWS_ACCESS_KEY_ID", "B")]),
        );
        let login = test_login(REGISTRY, &one);
        let of = |login: &Login| whose(login).unwrap();
        assert_eq!(of(&login), of(&test_login(REGISTRY, &one)));
        assert_ne!(of(&login), of(&test_login(REGISTRY, &two)));
        let settings = CloudSettings {
            endpoint_url: Some("https://vpc.example".to_owned()),
            ..CloudSettings::default()
        };
        assert_ne!(
            of(&login),
            of(&Login {
                settings: &settings,
                ..login
            })
        );
    }

    #[test]
    fn the_nodes_token_belongs_to_its_identity_and_role_and_is_never_a_tenants() {
        let (empty, session, other) = (keys(&[]), in_session("one"), in_session("two"));
        let role = |arn: &str| test_account(&[(POD_ROLES[0], arn)]);
        let (pod, other_pod) = (
            role("arn:aws:iam::123456789012:role/a"),
            role("arn:aws:iam::123456789012:role/b"),
        );
        let node = Login {
            keys: None,
            ambient: true,
            node: &session,
            ..test_login(REGISTRY, &empty)
        };
        let with = |change: fn(&mut CloudSettings)| {
            let mut settings = CloudSettings::default();
            change(&mut settings);
            whose(&Login {
                settings: &settings,
                ..node
            })
            .unwrap()
        };
        let of = |login: Login| whose(&login).unwrap();
        let all = [
            of(node),
            of(test_login(REGISTRY, &empty)),
            of(Login {
                node: &other,
                ..node
            }),
            with(|settings| settings.role_arn = Some("x".to_owned())),
            with(|settings| settings.external_id = Some("x".to_owned())),
            of(Login {
                pod: Some(&pod),
                ..node
            }),
            of(Login {
                pod: Some(&other_pod),
                ..node
            }),
            of(Login {
                pod: Some(&test_account(&[])),
                ..node
            }),
        ];
        for (index, whose) in all.iter().enumerate() {
            assert!(
                matches!(whose, Whose::Known(_)) && !all[..index].contains(whose),
                "{whose:?}"
            );
        }
        assert_eq!(
            of(Login {
                pod: Some(&pod),
                ambient: false,
                ..node
            }),
            all[5]
        );
        assert!(matches!(
            of(Login {
                node: &Node::default(),
                ..node
            }),
            Whose::Nobody(_)
        ));
    }

    #[test]
    fn a_host_that_is_not_ecrs_needs_a_rule_that_says_which_registry_it_is() {
        let host = Host::parse(b"mirror.example.com").unwrap();
        let of = |region: Option<&str>| {
            let settings = CloudSettings {
                region: region.map(str::to_owned),
                ..CloudSettings::default()
            };
            Api::of(&host, &settings)
                .map(|api| api.region)
                .map_err(|error| error.to_string())
        };
        assert_eq!(of(Some("us-east-1")), Ok("us-east-1".to_owned()));
        assert!(of(None).unwrap_err().contains("alias_of"));
        assert!(
            of(Some("evil.example.com/"))
                .unwrap_err()
                .contains("the rule's region isn't a valid one")
        );
    }
}
