//! `Rule`: what the operator says about some hosts (`[[registry]]`).

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
    /// The hosts, and below them perhaps a path, that it is about.
    pub host: Pattern,
    /// Forces a backend by its name, or `public`: never answer, so that anonymous pulls stay possible.
    pub backend: Option<String>,
    /// A named secret instead of the derived name, in stores that name their secrets.
    pub secret: Option<String>,
    /// Single secrets by name instead of the derived name, in stores that name their secrets.
    pub secrets: Option<Vec<String>>,
    /// For which clouds the node's own identity may be used, for these hosts.
    pub ambient: Option<Ambient>,
    /// Whether these hosts must have a credential, so that "not found" is an error.
    pub required: Option<bool>,
    /// Whether a pod's service account may log in to these hosts, when kubelet asks.
    pub workload_identity: Option<bool>,
    /// The real registry that a mirror or CNAME stands for.
    pub alias_of: Option<Host>,
    /// The file that it stands in; of several, the one that has the last word.
    pub file: PathBuf,
    /// How the cloud's own service is to be asked.
    pub cloud: CloudSettings,
}

/// The operator's word on how a cloud is asked; a secret has no say in any of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudSettings {
    /// AWS: the role that the node's identity assumes.
    pub role_arn: Option<String>,
    /// AWS: the external id that goes with the role.
    pub external_id: Option<String>,
    /// AWS: the profile of the shared configuration files.
    pub profile: Option<String>,
    /// AWS: the region, where the host does not say it.
    pub region: Option<String>,
    /// AWS: the API endpoint, such as a VPC endpoint.
    pub endpoint_url: Option<String>,
    /// Google: the workload identity provider that takes the cluster's service account tokens.
    pub workload_identity_provider: Option<String>,
}

impl Rule {
    /// The word for a `backend` that never answers.
    pub const PUBLIC: &str = "public";

    /// Whether it says never to answer.
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

/// The audience of a provider: its full name, with or without the service's, or that of a GKE cluster's own pool
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
