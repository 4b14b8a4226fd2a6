//! The identity behind the registry's tokens, derived from the login's inputs.

use super::authority::AUTHORITY_HOST;
use super::identity::{ENDPOINTS, Identity, Proof, TENANT_ID};
use crate::backend::whose::{Bearer, digest};
use crate::backend::{Login, Whose};
use crate::config::Node;
use crate::credential::Redacted;
use crate::error::Error;
use crate::service_account::ServiceAccount;
use crate::token::{Scope, Unnamed};

/// The scope does not include the registry; the cache adds it.
pub(in crate::backend) fn whose(login: &Login) -> Result<Whose, Error> {
    match (login.keys, login.pod) {
        (Some(keys), _) => Ok(Whose::Known(Scope::of_keys(keys))),
        (None, Some(account)) => Ok(Whose::Known(of_pod(account, login.node))),
        (None, None) => {
            let nobody = || Whose::Nobody(NOBODY.to_owned());
            Ok(Identity::of(login)?.map_or_else(nobody, |identity| of_node(&identity, login.node)))
        }
    }
}

/// The node's tenant and authority also affect a pod's login.
fn of_pod(account: &ServiceAccount, node: &Node) -> Scope {
    let told = [TENANT_ID, AUTHORITY_HOST].map(|name| format!("{name}={}", value(node, name)));
    Scope::new(format!("service account {account}"), account.describe()).with(told)
}

fn of_node(identity: &Identity, node: &Node) -> Whose {
    let (app, proof) = match identity {
        Identity::App(app, proof) => (app, proof),
        Identity::Managed(client_id) => {
            let endpoints = ENDPOINTS.map(|name| value(node, name).to_owned());
            let scope = Scope::of("managed identity", ["managed"]).with(endpoints);
            let machine = Unnamed::new(scope);
            return match client_id {
                Some(id) => Whose::Known(machine.named(id)),
                None => Whose::Machine(machine),
            };
        }
    };
    let (kind, by, parts) = match proof {
        Proof::Secret(secret) => {
            let secret = digest(secret.expose().as_bytes());
            ("secret", String::new(), vec![secret])
        }
        Proof::Certificate(certificate) => {
            let by = " (certificate)".to_owned();
            ("certificate", by, vec![certificate.digest.clone()])
        }
        Proof::Token(token) => {
            let Bearer { subject, parts } = Bearer::of(token);
            let of = subject.map_or_else(String::new, |subject| format!(" of {subject}"));
            ("workload", format!(" (workload identity{of})"), parts)
        }
    };
    let own = [kind, &app.tenant, &app.client_id, app.authority()];
    let name = format!("application {}{by}", app.client_id);
    Whose::Known(Scope::of(name, own).with(parts))
}

fn value<'a>(node: &'a Node, name: &str) -> &'a str {
    node.get(name).map_or("", Redacted::expose)
}

const NOBODY: &str = "this node has no Azure identity: AZURE_CLIENT_ID is not set, and this is not a machine of Azure's";
