//! What the contract says that the API answers, and nothing else.

use std::collections::btree_map::Entry;

use serde_json::json;

use super::wire::{Answer, Request};
use super::{Mood, OTHER_TOKEN, OTHER_WORKSPACE, RESTRICTED_TOKEN, State, TOKEN, WORKSPACE};

impl State {
    /// As the contract says.
    pub(super) fn answer(&mut self, request: &Request) -> Answer {
        let own = match request.token.as_deref() {
            Some(TOKEN) => WORKSPACE,
            Some(OTHER_TOKEN) => OTHER_WORKSPACE,
            Some(RESTRICTED_TOKEN) if request.path == CURRENT => WORKSPACE,
            _ => return unauthorized(),
        };
        if self.refused {
            return unauthorized();
        }
        if request.path == CURRENT {
            let body = json!({"external_id": own, "name": "test", "signing_key": "sk_hunter2", "storage": {"secret_key": "hunter2"}});
            return Answer::of(200, &body);
        }
        let mut parts = request.path.trim_start_matches('/').split('/');
        let (Some("secret"), Some(workspace), name, None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Answer::of(404, &json!({"message": "Not Found"}));
        };
        if !is_uuid(workspace) {
            return Answer::of(400, &json!({"error": "invalid workspace ID"}));
        }
        if workspace != own {
            return unauthorized();
        }
        let broken = self.mood == Some(Mood::DatabaseDown);
        let field = |name: &str| {
            let body: serde_json::Value = serde_json::from_slice(&request.body).ok()?;
            Some(body.get(name)?.as_str()?.to_owned())
        };
        match (request.method.as_str(), name) {
            ("GET", None) if broken => Answer::of(500, &json!({"error": "failed to list secrets"})),
            ("GET", None) => {
                let own = self.secrets.keys().filter(|(owner, _)| owner == workspace);
                let list: Vec<_> = own.map(|(_, name)| described(workspace, name, None)).collect();
                Answer::of(200, &if list.is_empty() { serde_json::Value::Null } else { list.into() })
            }
            ("GET", Some(name)) => match self.secrets.get(&(workspace.to_owned(), name.to_owned())) {
                Some(value) if !broken => Answer::of(200, &described(workspace, name, Some(value))),
                _ => Answer::of(404, &json!({"error": "secret not found"})),
            },
            ("POST", None) => {
                for (name, value) in std::mem::take(&mut self.faster) {
                    self.secrets.insert((workspace.to_owned(), name), value);
                }
                let (Some(name), Some(value)) = (field("name"), field("value")) else {
                    return Answer::of(400, &json!({"error": "invalid request"}));
                };
                let key = (workspace.to_owned(), name.clone());
                if broken || !is_valid_name(&name) {
                    Answer::of(500, &json!({"error": "failed to create secret"}))
                } else if let Entry::Vacant(free) = self.secrets.entry(key) {
                    free.insert(value);
                    Answer::of(200, &described(workspace, &name, None))
                } else {
                    Answer::of(409, &json!({"error": "secret already exists"}))
                }
            }
            ("PATCH", Some(name)) => {
                let secret = self.secrets.get_mut(&(workspace.to_owned(), name.to_owned()));
                match (secret, field("value")) {
                    (Some(secret), Some(value)) if !broken => {
                        *secret = value;
                        Answer::of(200, &described(workspace, name, None))
                    }
                    _ => Answer::of(500, &json!({"error": "failed to update secret"})),
                }
            }
            ("DELETE", Some(name)) => {
                self.secrets.remove(&(workspace.to_owned(), name.to_owned()));
                Answer::raw(200, "", "")
            }
            _ => Answer::of(405, &json!({"message": "Method Not Allowed"})),
        }
    }
}

fn unauthorized() -> Answer {
    Answer::of(401, &json!({"message": "Unauthorized"}))
}

fn described(workspace: &str, name: &str, value: Option<&str>) -> serde_json::Value {
    let mut secret = json!({
        "external_id": "33333333-3333-4333-8333-333333333333",
        "created_at": "2026-08-01T00:00:00Z",
        "updated_at": "2026-08-01T00:00:00Z",
        "name": name,
        "workspace_id": workspace,
        "last_updated_by": null,
    });
    if let Some(value) = value {
        secret["value"] = value.into();
    }
    secret
}

/// `^[a-zA-Z_][a-zA-Z0-9_]{0,63}$`
fn is_valid_name(name: &str) -> bool {
    regex::Regex::new("^[a-zA-Z_][a-zA-Z0-9_]{0,63}$").unwrap().is_match(name)
}

fn is_uuid(text: &str) -> bool {
    regex::Regex::new("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$").unwrap().is_match(text)
}

const CURRENT: &str = "/api/v1/workspace/current";
