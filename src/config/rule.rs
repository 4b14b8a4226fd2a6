//! `Rule`: what the operator says about some hosts (`[[registry]]`).

use std::path::Path;
use std::rc::Rc;

use super::ambient::{AMBIENT, Ambient};
use super::layer::cover;
use super::section::Section;
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
    pub file: Rc<Path>,
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

impl CloudSettings {
    /// Nothing is said.
    pub const NONE: Self = Self {
        role_arn: None,
        external_id: None,
        profile: None,
        region: None,
        endpoint_url: None,
        workload_identity_provider: None,
    };
}

impl Rule {
    /// The word for a `backend` that never answers.
    pub const PUBLIC: &str = "public";

    /// Whether it says never to answer.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.backend.as_deref() == Some(Self::PUBLIC)
    }

    pub(super) fn from_section(mut section: Section, file: Rc<Path>) -> Result<Self, Error> {
        let host = section.parsed(
            "host",
            "a host pattern such as \"*.example.com\" or \"ghcr.io/org\"",
            |text| Pattern::parse(text).ok(),
        )?;
        let Some(host) = host else {
            return Err(section
                .problem("a [[registry]] has no \"host\"")
                .fix("add host = \"…\" to it")
                .failed());
        };
        let rule = Self {
            host,
            backend: section.text("backend")?,
            secret: section.text("secret")?,
            secrets: section.texts("secrets")?,
            ambient: section.take("ambient", AMBIENT, Ambient::from_toml)?,
            required: section.flag("required")?,
            workload_identity: section.flag("workload_identity")?,
            alias_of: section.parsed("alias_of", "a registry host", |text| {
                Host::parse(text.as_bytes()).ok()
            })?,
            file,
            cloud: CloudSettings {
                role_arn: section.text("role_arn")?,
                external_id: section.text("external_id")?,
                profile: section.text("profile")?,
                region: section.text("region")?,
                endpoint_url: section.parsed(
                    "endpoint_url",
                    "an http:// or https:// URL",
                    is_url,
                )?,
                workload_identity_provider: section.parsed(
                    "workload_identity_provider",
                    PROVIDER,
                    provider,
                )?,
            },
        };
        if rule.secret.is_some() && rule.secrets.is_some() {
            let cause = format_args!(
                "the rule for {} has both \"secret\" and \"secrets\"",
                rule.host
            );
            return Err(section.problem(cause).fix("remove one of them").failed());
        }
        section.finish()?;
        Ok(rule)
    }

    pub(super) fn cover_with(&mut self, over: Self) {
        self.file = over.file;
        cover(&mut self.backend, over.backend);
        // They are two words for one thing: the one that is said above replaces either.
        if over.secret.is_some() || over.secrets.is_some() {
            (self.secret, self.secrets) = (over.secret, over.secrets);
        }
        cover(&mut self.ambient, over.ambient);
        cover(&mut self.required, over.required);
        cover(&mut self.workload_identity, over.workload_identity);
        cover(&mut self.alias_of, over.alias_of);
        let (over, cloud) = (over.cloud, &mut self.cloud);
        cover(&mut cloud.role_arn, over.role_arn);
        cover(&mut cloud.external_id, over.external_id);
        cover(&mut cloud.profile, over.profile);
        cover(&mut cloud.region, over.region);
        cover(&mut cloud.endpoint_url, over.endpoint_url);
        cover(
            &mut cloud.workload_identity_provider,
            over.workload_identity_provider,
        );
    }
}

fn is_url(text: &str) -> Option<String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))?;
    (!rest.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| text.to_owned())
}

/// The audience of a provider: its full name, with or without the service's, or that of a GKE cluster's own pool
/// (<https://docs.cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token>).
fn provider(text: &str) -> Option<String> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._:/".contains(&byte));
    let full =
        |name: &str| name.starts_with("projects/") && name.contains("/workloadIdentityPools/");
    match text.strip_prefix(IAM).unwrap_or(text) {
        name if plain && full(name) => Some(format!("{IAM}{name}")),
        name if plain && name.starts_with("identitynamespace:") => Some(name.to_owned()),
        _ => None,
    }
}

const IAM: &str = "//iam.googleapis.com/";
const PROVIDER: &str = "a provider such as \"projects/1/locations/global/workloadIdentityPools/POOL/providers/PROVIDER\"";
