//! Who logs in, in words: by which of a secret's keys, or as what the node is. Names only, and the operator's own settings.

use crate::backend::Backend;
use crate::config::{CloudSettings, Node};
use crate::keys::Keys;
use crate::resolver::Route;
use crate::shown::shown;

/// The identity behind an answer from a secret's keys.
pub(super) fn of_secret(backend: &Backend, keys: &Keys, route: &Route, node: &Node) -> String {
    match backend {
        Backend::Aws if keys.has("AWS_ROLE_ARN") => "the secret's keys, and the role in its AWS_ROLE_ARN".to_owned(),
        Backend::Gcp if keys.names().all(|name| name == "GCP_PROJECT_ID") => of_node(backend, route, node),
        _ => "the secret's keys".to_owned(),
    }
}

/// The identity that the node has, as the cloud's own tools would find it.
pub(super) fn of_node(backend: &Backend, route: &Route, node: &Node) -> String {
    let found = match backend {
        Backend::Aws => aws(route.rule.map(|rule| &rule.cloud), node),
        Backend::Gcp if node.get("GOOGLE_APPLICATION_CREDENTIALS").is_some() => {
            "the file in GOOGLE_APPLICATION_CREDENTIALS".to_owned()
        }
        Backend::Gcp => "gcloud's credentials, or the metadata server".to_owned(),
        Backend::Azure if node.get("AZURE_FEDERATED_TOKEN_FILE").is_some() => "its workload identity".to_owned(),
        Backend::Azure if node.get("AZURE_CLIENT_SECRET").is_some() => "the secret in AZURE_CLIENT_SECRET".to_owned(),
        Backend::Azure => "its managed identity".to_owned(),
        Backend::Fixed { .. } => return "none".to_owned(),
    };
    format!("the node's own: {found}")
}

fn aws(settings: Option<&CloudSettings>, node: &Node) -> String {
    let profile = settings.and_then(|settings| settings.profile.as_ref());
    let role = settings.and_then(|settings| settings.role_arn.as_ref());
    let first = if let Some(profile) = profile {
        format!("profile {profile}")
    } else if node.get("AWS_ACCESS_KEY_ID").is_some() {
        "the keys in its environment".to_owned()
    } else if let Some(profile) = node.get("AWS_PROFILE") {
        format!("profile {}", shown(profile.expose()))
    } else if node.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_some() {
        "its web identity token".to_owned()
    } else if CONTAINER.iter().any(|name| node.get(name).is_some()) {
        "its container's role".to_owned()
    } else {
        "its default profile, or the instance's role".to_owned()
    };
    match role {
        Some(role) => format!("{first}, which assumes {role}"),
        None => first,
    }
}

const CONTAINER: [&str; 2] = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
