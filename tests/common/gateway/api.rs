//! What Beta9's handlers answer, and nothing else.

use std::collections::btree_map::Entry;

use serde_json::{Value, json};

use super::wire::{Answer, Request};
use super::{Kept, Mood, OTHER_WORKSPACE, State, TOKENS, WORKSPACE};

impl State {
    pub(super) fn kept(&mut self, name: &str) -> &mut Kept {
        self.secrets
            .get_mut(&(WORKSPACE.to_owned(), name.to_owned()))
            .unwrap()
    }

    /// As the handlers do: first the token, then whether it may, then whether the workspace is found, then the secret.
    pub(super) fn answer(&mut self, request: &Request) -> Answer {
        let outage = match self.mood {
            Some(Mood::DatabaseDown { secret, list }) => Some((secret, list)),
            _ => None,
        };
        let token = request.token.as_deref().unwrap_or_default();
        let known = TOKENS
            .iter()
            .find(|(known, ..)| *known == token)
            .filter(|_| !self.refused);
        let Some((_, kind, own)) =
            known.filter(|_| outage.is_none() || self.cached.contains(token))
        else {
            return unauthorized();
        };
        self.cached.insert(token.to_owned());
        if request.path == CURRENT {
            let body = json!({"external_id": own, "name": "test", "signing_key": "sk_hunter2", "storage": {"secret_key": "hunter2"}});
            return Answer::of(200, &body);
        }
        let path = routed(&request.path);
        let mut parts = path.trim_start_matches('/').split('/');
        let (Some("secret"), Some(workspace), name, None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Answer::of(404, &json!({"message": "Not Found"}));
        };
        if (workspace != *own && *kind != "cluster_admin") || *kind == "workspace_restricted" {
            return unauthorized();
        }
        let is_list = request.method == "GET" && name.is_none();
        let is_read = request.method == "GET" && name.is_some();
        let status = outage.map(|(secret, list)| if is_read { secret } else { list });
        if status == Some(400) || ![WORKSPACE, OTHER_WORKSPACE].contains(&workspace) {
            return Answer::of(400, &json!({"error": "invalid workspace ID"}));
        }
        let is_broken = outage.is_some() && !(is_list && status == Some(200));
        self.of_workspace(request, workspace, name, is_broken)
    }

    fn of_workspace(
        &mut self,
        request: &Request,
        workspace: &str,
        name: Option<&str>,
        is_broken: bool,
    ) -> Answer {
        let key = |name: &str| (workspace.to_owned(), name.to_owned());
        let body: Option<Value> = serde_json::from_slice(&request.body).ok();
        // A member that is missing is an empty text, as Go has it.
        let field = |name: &str| {
            let text = body.as_ref()?.get(name).map_or(Some(""), Value::as_str);
            text.map(str::to_owned)
        };
        let failed =
            |what: &str| Answer::of(500, &json!({"error": format!("failed to {what} secret")}));
        let invalid = || Answer::of(400, &json!({"error": "invalid secret"}));
        match (request.method.as_str(), name) {
            ("GET", None) if is_broken => failed("list"),
            ("GET", None) => self.list(workspace),
            ("GET", Some(name)) => match self.secrets.get(&key(name)) {
                Some(kept) if !is_broken && !kept.sealed => {
                    let mut secret = described(workspace, name, kept);
                    if !kept.value.is_empty() {
                        secret["value"] = kept.value.as_str().into();
                    }
                    Answer::of(200, &secret)
                }
                _ => Answer::of(404, &json!({"error": "secret not found"})),
            },
            ("POST", None) => {
                for (name, value) in std::mem::take(&mut self.faster) {
                    self.secrets.insert(
                        key(&name),
                        Kept {
                            value,
                            ..Kept::default()
                        },
                    );
                }
                let (Some(name), Some(value)) = (field("name"), field("value")) else {
                    return invalid();
                };
                if is_broken || !is_valid_name(&name) {
                    failed("create")
                } else if let Entry::Vacant(free) = self.secrets.entry(key(&name)) {
                    Answer::of(
                        200,
                        &described(
                            workspace,
                            &name,
                            free.insert(Kept {
                                value,
                                ..Kept::default()
                            }),
                        ),
                    )
                } else {
                    Answer::of(409, &json!({"error": "secret already exists"}))
                }
            }
            ("PATCH", Some(name)) => {
                let Some(value) = field("value") else {
                    return invalid();
                };
                match self.secrets.get_mut(&key(name)) {
                    Some(kept) if !is_broken => {
                        (kept.value, kept.sealed) = (value, false);
                        Answer::of(200, &described(workspace, name, kept))
                    }
                    _ => failed("update"),
                }
            }
            ("DELETE", Some(_)) if is_broken => failed("delete"),
            ("DELETE", Some(name)) => {
                self.secrets.remove(&key(name));
                Answer::raw(200, "", "")
            }
            _ => Answer::of(405, &json!({"message": "Method Not Allowed"})),
        }
    }

    fn list(&mut self, workspace: &str) -> Answer {
        let own = self
            .secrets
            .iter()
            .filter(|((owner, _), _)| owner == workspace);
        let mut list: Vec<_> = own
            .map(|((_, name), kept)| described(workspace, name, kept).to_string())
            .collect();
        let pad = "]}".repeat(PAD / 2);
        list.extend(
            (0..self.padding.div_ceil(PAD))
                .map(|number| format!(r#"{{"name":"PAD_{number}","pad":"{pad}"}}"#)),
        );
        for name in std::mem::take(&mut self.deleted) {
            self.secrets.remove(&(workspace.to_owned(), name));
        }
        Answer::json(
            200,
            &if list.is_empty() {
                "null".to_owned()
            } else {
                format!("[{}]", list.join(","))
            },
        )
    }
}

fn unauthorized() -> Answer {
    Answer::of(401, &json!({"message": "Unauthorized"}))
}

/// A secret without its value.
fn described(workspace: &str, name: &str, kept: &Kept) -> Value {
    let mut secret = json!({
        "external_id": "33333333-3333-4333-8333-333333333333",
        "created_at": "2026-08-01T00:00:00Z",
        "updated_at": "2026-08-01T00:00:00Z",
        "name": name,
        "workspace_id": workspace,
        "last_updated_by": null,
    });
    if let Some(hosts) = &kept.hosts {
        secret["hosts"] = hosts.clone();
    }
    secret
}

/// The path as echo routes it: decoded where Go would have encoded it in the same way, and else as it came.
fn routed(path: &str) -> String {
    let mut parts = path.split('%');
    let mut decoded = parts.next().unwrap().to_owned();
    for part in parts {
        let Some(code) = part
            .get(..2)
            .and_then(|code| u8::from_str_radix(code, 16).ok())
        else {
            return path.to_owned();
        };
        decoded.push(code.into());
        decoded.push_str(&part[2..]);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~$&+,/:;=@".contains(c);
    let encode = |c: char| {
        if plain(c) {
            c.to_string()
        } else {
            format!("%{:02X}", u32::from(c))
        }
    };
    if decoded.chars().map(encode).collect::<String>() == path {
        decoded
    } else {
        path.to_owned()
    }
}

/// `^[a-zA-Z_][a-zA-Z0-9_]{0,63}$`
fn is_valid_name(name: &str) -> bool {
    regex::Regex::new("^[a-zA-Z_][a-zA-Z0-9_]{0,63}$")
        .unwrap()
        .is_match(name)
}

const CURRENT: &str = "/api/v1/workspace/current";
/// How long the members are that make a list longer.
const PAD: usize = 16 << 10;
