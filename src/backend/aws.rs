//! Amazon ECR and ECR Public: AWS credentials are exchanged for a token of twelve hours.
//!
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html>
//!
//! A secret's keys are used by themselves: nothing of the node's environment, files or metadata services is read, and
//! the only hosts asked are the registry's own API and, for `AWS_ROLE_ARN`, STS of the registry's region. The node's
//! identity, where it may be used, comes from the SDK's whole chain. A pod's service account proves itself to STS by its
//! token, for the role that its annotation names.

mod errors;
mod host;
mod identity;
mod role;
mod token;
mod wire;

use std::time::Duration;

use super::{Login, Minted, Scope};
use crate::config::CloudSettings;
use crate::credential::Redacted;
use crate::error::{Error, Problem};
use crate::host::Host;
use crate::runtime;
use crate::service_account::ServiceAccount;
use errors::{Call, late, unknown_region};
use host::{EcrHost, PrivateRegistry};
use role::{POD_ROLES, TenantKeys};
use wire::Wire;

#[inline(never)] // Kept out of the frame and the pages of whoever needs no network.
pub(super) fn login(login: &Login) -> Result<Minted, Error> {
    let api = Api::of(login.host, login.settings)?;
    let keys = login.keys.map(TenantKeys::read).transpose()?;
    if keys.is_none() && login.pod.is_none() && !login.ambient {
        return Err(Problem::new(PART, "the node's own identity may not be used here")
            .fix("store a secret for this registry, or set ambient = true for it in the configuration")
            .failed());
    }
    let wire = Wire::new(login.deadline, login.node.get("AWS_CA_BUNDLE").map(Redacted::expose))?;
    runtime::block_on(PART, login.deadline, async {
        let minted = async {
            let (config, who) = match (keys, login.pod) {
                (Some(keys), _) => identity::of_secret(keys, &api, &wire).await?,
                (None, Some(account)) => identity::of_pod(account, &api, &wire).await?,
                (None, None) => identity::of_node(login.settings, &api, &wire).await?,
            };
            token::mint(&api, Call { api: &api, who }, &config, &wire).await
        };
        // A moment before the runtime would give up, so that the one that is waited for can be named.
        let end = login.deadline.checked_sub(TO_NAME_A_HANG).unwrap_or(login.deadline);
        tokio::time::timeout_at(end.into(), minted).await.unwrap_or_else(|_| Err(late(&wire)))
    })
}

/// The region that the host of a private registry names.
#[must_use]
pub fn region(host: &Host) -> Option<String> {
    match EcrHost::parse(host)? {
        EcrHost::Private(registry) => Some(registry.region),
        EcrHost::Public { .. } => None,
    }
}

/// Whether it is the public gallery, whose tokens another API mints.
#[must_use]
pub fn is_public(host: &Host) -> bool {
    matches!(EcrHost::parse(host), Some(EcrHost::Public { .. }))
}

/// Whether its annotations name a role.
pub(super) fn is_for_pod(account: &ServiceAccount) -> bool {
    POD_ROLES.iter().any(|name| account.annotation(name).is_some())
}

pub(super) fn scope(login: &Login) -> Option<Scope> {
    let settings = login.settings;
    let setting = |name: &str, value: &Option<String>| [name, "=", value.as_deref().unwrap_or_default()].concat();
    let mut scope = vec![setting("endpoint_url", &settings.endpoint_url), setting("region", &settings.region)];
    if let Some(keys) = login.keys {
        scope.extend(Scope::of_keys(keys).0);
        return Some(Scope(scope));
    }
    if let Some(account) = login.pod {
        scope.extend(account.describe());
        return Some(Scope(scope));
    }
    if !login.ambient {
        return None;
    }
    scope.push(setting("role_arn", &settings.role_arn));
    scope.push(setting("external_id", &settings.external_id));
    scope.push(setting("profile", &settings.profile));
    // A long-lived key in the environment is an identity; a session's key is one of the hour, and only its being there
    // says something.
    let key_id = login
        .node
        .get("AWS_ACCESS_KEY_ID")
        .map_or("", |id| if id.expose().starts_with("ASIA") { "session" } else { id.expose() });
    scope.push(format!("key={key_id}"));
    scope.extend(login.node.describe(&IDENTITY));
    Some(Scope(scope))
}

/// The API that mints a registry's tokens.
#[derive(Debug)]
enum Api {
    Private {
        /// `None` where only a rule says that the host is ECR's.
        registry: Option<PrivateRegistry>,
        region: String,
        endpoint_url: Option<String>,
    },
    Public {
        dual_stack: bool,
        endpoint_url: Option<String>,
    },
}

impl Api {
    fn of(host: &Host, settings: &CloudSettings) -> Result<Self, Error> {
        let endpoint_url = settings.endpoint_url.clone();
        match EcrHost::parse(host) {
            Some(EcrHost::Public { dual_stack }) => Ok(Self::Public { dual_stack, endpoint_url }),
            Some(EcrHost::Private(registry)) if registry.has_region_of_its_partition() => {
                Ok(Self::Private { region: registry.region.clone(), registry: Some(registry), endpoint_url })
            }
            Some(EcrHost::Private(registry)) => Err(unknown_region(&registry.region)),
            None => match &settings.region {
                Some(region) if is_region(region) => {
                    Ok(Self::Private { registry: None, region: region.clone(), endpoint_url })
                }
                Some(_) => Err(Problem::new(PART, "the rule's region is none, such as us-east-1")
                    .fix("correct it in the configuration")
                    .failed()),
                None => Err(Problem::new(PART, "the host does not say which registry of ECR it is")
                    .fix("set alias_of to the registry's own host in the rule, or region to its region")
                    .failed()),
            },
        }
    }

    fn region(&self) -> &str {
        match self {
            Self::Private { region, .. } => region,
            Self::Public { .. } => PUBLIC_REGION,
        }
    }

    fn fips(&self) -> bool {
        matches!(self, Self::Private { registry: Some(registry), .. } if registry.fips)
    }

    fn dual_stack(&self) -> bool {
        match self {
            Self::Private { registry, .. } => registry.as_ref().is_some_and(|registry| registry.dual_stack),
            Self::Public { dual_stack, .. } => *dual_stack,
        }
    }

    fn endpoint_url(&self) -> Option<&str> {
        match self {
            Self::Private { endpoint_url, .. } | Self::Public { endpoint_url, .. } => endpoint_url.as_deref(),
        }
    }
}

/// It becomes a label of the endpoint's name.
fn is_region(text: &str) -> bool {
    let is_label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(is_label) && !text.starts_with('-') && !text.ends_with('-')
}

const PART: &str = "backend aws";
/// The user name of every ECR token.
const USER: &str = "AWS";
/// ECR Public answers in this region only
/// (<https://docs.aws.amazon.com/AmazonECR/latest/public/public-registry-auth.html>).
const PUBLIC_REGION: &str = "us-east-1";
const TO_NAME_A_HANG: Duration = Duration::from_millis(500);
/// The variables that say which identity the node has, without its keys.
const IDENTITY: [&str; 11] = [
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
    "HOME",
];

#[cfg(test)]
mod tests {
    use super::super::tests::{test_keys as keys, test_login};
    use super::*;
    use crate::service_account::tests::test_account;

    const REGISTRY: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";

    #[test]
    fn any_key_of_a_secret_and_what_the_operator_sets_make_another_token() {
        let (one, two) = (keys(&[("AWS_ACCESS_KEY_ID", "A")]), keys(&[("AWS_ACCESS_KEY_ID", "B")]));
        let login = test_login(REGISTRY, &one);
        assert_eq!(scope(&login), scope(&test_login(REGISTRY, &one)));
        assert_ne!(scope(&login), scope(&test_login(REGISTRY, &two)));
        let settings =
            CloudSettings { endpoint_url: Some("https://vpc.example".to_owned()), ..CloudSettings::default() };
        assert_ne!(scope(&login), scope(&Login { settings: &settings, ..login }));
    }

    #[test]
    fn the_nodes_token_is_told_by_role_and_profile_and_never_taken_for_a_tenants() {
        let empty = keys(&[]);
        let node = Login { keys: None, ambient: true, ..test_login(REGISTRY, &empty) };
        assert!(scope(&node).is_some() && scope(&node) != scope(&test_login(REGISTRY, &empty)));
        assert!(scope(&Login { ambient: false, ..node }).is_none());
        let with = |change: fn(&mut CloudSettings)| {
            let mut settings = CloudSettings::default();
            change(&mut settings);
            scope(&Login { settings: &settings, ..node })
        };
        let all = [
            scope(&node),
            with(|settings| settings.role_arn = Some("x".to_owned())),
            with(|settings| settings.external_id = Some("x".to_owned())),
            with(|settings| settings.profile = Some("x".to_owned())),
        ];
        for (index, scope) in all.iter().enumerate() {
            assert!(!all[..index].contains(scope), "{scope:?}");
        }
    }

    #[test]
    fn a_pods_token_is_its_service_accounts_and_neither_the_nodes_nor_anothers() {
        let empty = keys(&[]);
        let role = |arn: &str| test_account(&[(POD_ROLES[0], arn)]);
        let (one, two) = (role("arn:aws:iam::123456789012:role/a"), role("arn:aws:iam::123456789012:role/b"));
        let node = Login { keys: None, ambient: true, ..test_login(REGISTRY, &empty) };
        let all = [
            scope(&node),
            scope(&Login { pod: Some(&one), ..node }),
            scope(&Login { pod: Some(&two), ..node }),
            scope(&Login { pod: Some(&test_account(&[])), ..node }),
        ];
        for (index, scope) in all.iter().enumerate() {
            assert!(scope.is_some() && !all[..index].contains(scope), "{scope:?}");
        }
        assert_eq!(scope(&Login { pod: Some(&one), ambient: false, ..node }), all[1]);
    }

    #[test]
    fn a_host_that_is_not_ecrs_needs_a_rule_that_says_which_registry_it_is() {
        let host = Host::parse(b"mirror.example.com").unwrap();
        let of = |region: Option<&str>| {
            let settings = CloudSettings { region: region.map(str::to_owned), ..CloudSettings::default() };
            Api::of(&host, &settings).map(|api| api.region().to_owned()).map_err(|error| error.to_string())
        };
        assert_eq!(of(Some("us-east-1")), Ok("us-east-1".to_owned()));
        assert!(of(None).unwrap_err().contains("alias_of"));
        assert!(of(Some("evil.example.com/")).unwrap_err().contains("the rule's region is none"));
    }
}
