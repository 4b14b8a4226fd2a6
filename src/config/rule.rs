//! `Rule`: the operator's settings for some hosts (`[[registry]]`).

use std::path::PathBuf;

use super::ambient::Ambient;
use super::errors::FileFault;
use super::options::Registry;
use super::value::{Setting, Written};
use crate::error::Error;
use crate::host::{Host, Pattern};

/// A `[[registry]]` table.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The hosts, perhaps with a path, that the rule covers.
    pub host: Pattern,
    /// Forces a backend by name. With `public`, no credential is ever returned, so pulls are anonymous.
    pub backend: Option<String>,
    /// A named secret instead of the derived name, in stores that name their secrets.
    pub secret: Option<String>,
    /// Single secrets by name instead of the derived name, in stores that name their secrets.
    pub secrets: Option<Vec<String>>,
    /// The clouds for which the node's own identity may be used, for these hosts.
    pub ambient: Option<Ambient>,
    /// Whether these hosts must have a credential, so that "not found" is an error.
    pub required: Option<bool>,
    /// Whether a pod's service account may log in to these hosts if kubelet asks.
    pub workload_identity: Option<bool>,
    /// The real registry behind a mirror or CNAME.
    pub alias_of: Option<Host>,
    /// The file with the rule; of several, the one with the highest precedence.
    pub file: PathBuf,
    /// Settings for the cloud's API.
    pub cloud: CloudSettings,
}

/// The operator's settings for a cloud's API. A secret can't change any of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudSettings {
    /// AWS: the role that the node's identity assumes.
    pub role_arn: Option<String>,
    /// AWS: the role's external id.
    pub external_id: Option<String>,
    /// AWS: the profile of the shared configuration files.
    pub profile: Option<String>,
    /// AWS: the region, if the host does not contain it.
    pub region: Option<String>,
    /// AWS: the API endpoint, such as a VPC endpoint.
    pub endpoint_url: Option<String>,
    /// Google: the workload identity provider that accepts the cluster's service account tokens.
    pub workload_identity_provider: Option<String>,
}

impl Rule {
    /// The `backend` that never returns a credential.
    pub const PUBLIC: &str = "public";

    /// Whether this rule never returns a credential.
    pub fn is_public(&self) -> bool {
        self.backend.as_deref() == Some(Self::PUBLIC)
    }
}

impl Registry {
    pub(super) fn into_rule(self) -> Result<Rule, Error> {
        let Some(host) = self.host else {
            return Err(FileFault::NoHost.of(&self.file).into());
        };
        Ok(Rule {
            host,
            backend: self.backend,
            secret: self.secret,
            secrets: self.secrets,
            ambient: self.ambient,
            required: self.required,
            workload_identity: self.workload_identity,
            alias_of: self.alias_of,
            file: self.file,
            cloud: CloudSettings {
                role_arn: self.role_arn,
                external_id: self.external_id,
                profile: self.profile,
                region: self.region,
                endpoint_url: self.endpoint_url.map(|url| url.0),
                workload_identity_provider: self.workload_identity_provider.map(|name| name.0),
            },
        })
    }
}

/// The URL of a cloud's API.
#[derive(Debug)]
pub(super) struct Url(String);

impl Setting for Url {
    const WHAT: &'static str = "an http:// or https:// URL";

    fn parse(written: Written) -> Option<Self> {
        let text = written.text()?;
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))?;
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        (!rest.is_empty() && plain).then(|| Self(text.to_string()))
    }
}

/// A provider's audience: its full name, with or without the service's host, or a GKE cluster's own pool
/// (<https://docs.cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token>).
#[derive(Debug)]
pub(super) struct Provider(String);

impl Setting for Provider {
    const WHAT: &'static str = "a provider such as \"projects/1/locations/global/workloadIdentityPools/POOL/providers/PROVIDER\"";

    fn parse(written: Written) -> Option<Self> {
        let text = written.text()?;
        let plain = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._:/".contains(&byte));
        let full =
            |name: &str| name.starts_with("projects/") && name.contains("/workloadIdentityPools/");
        match text.strip_prefix(IAM).unwrap_or(&text) {
            name if plain && full(name) => Some(Self(format!("{IAM}{name}"))),
            name if plain && name.starts_with("identitynamespace:") => Some(Self(name.to_owned())),
            _ => None,
        }
    }
}

const IAM: &str = "//iam.googleapis.com/";
