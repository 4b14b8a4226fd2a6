//! The cloud and authority that an application logs in at.
//!
//! <https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud>

use std::sync::Arc;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};

use super::errors::AzureError;
use crate::config::Node;
use crate::host::Host;

/// An application and its directory.
pub(super) struct App {
    pub(super) tenant: String,
    pub(super) client_id: String,
    pub(super) cloud: Arc<CloudConfiguration>,
}

impl App {
    /// The URL of its authority.
    pub(super) fn authority(&self) -> &str {
        match &*self.cloud {
            CloudConfiguration::AzureChina => "https://login.chinacloudapi.cn",
            CloudConfiguration::AzureGovernment => "https://login.microsoftonline.us",
            CloudConfiguration::Custom(custom) => &custom.authority_host,
            _ => "https://login.microsoftonline.com",
        }
    }
}

/// The cloud that a registry is in. Its tokens may be sent only there, whatever row a rule forces.
pub(super) fn cloud_of(host: &Host) -> Result<CloudConfiguration, AzureError> {
    let name = host.name();
    match host.port() {
        None if name.ends_with(".azurecr.io") => Ok(CloudConfiguration::AzurePublic),
        None if name.ends_with(".azurecr.cn") => Ok(CloudConfiguration::AzureChina),
        None if name.ends_with(".azurecr.us") => Ok(CloudConfiguration::AzureGovernment),
        _ => Err(AzureError::NotAzures),
    }
}

/// The authority that the operator sets. AKS sets it for every pod with a workload identity.
pub(super) fn authority(node: &Node) -> Result<Option<CloudConfiguration>, AzureError> {
    let Some(text) = node.get(AUTHORITY_HOST) else {
        return Ok(None);
    };
    let host = text
        .expose()
        .strip_prefix("https://")
        .map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    let Some(host) = host.and_then(|host| Host::parse(host.as_bytes()).ok()) else {
        return Err(AzureError::Authority);
    };
    let mut custom = CustomConfiguration::default();
    custom.authority_host = format!("https://{host}");
    Ok(Some(custom.into()))
}

pub(super) const AUTHORITY_HOST: &str = "AZURE_AUTHORITY_HOST";
