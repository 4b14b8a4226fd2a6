//! The credentials that the environment names: keys, and a container's agent. A profile can refer to both.

use aws_credential_types::Credentials;

use super::files::{text, token};
use super::role::is_key_id;
use crate::backend::whose::{Bearer, digest};
use crate::config::Node;
use crate::error::Error;
use crate::token::Scope;

/// The keys in the environment; `None` unless both are set.
pub(super) fn keys(node: &Node) -> Option<Credentials> {
    let id = text(node, "AWS_ACCESS_KEY_ID")?;
    let secret = text(node, "AWS_SECRET_ACCESS_KEY").or_else(|| text(node, "SECRET_ACCESS_KEY"))?;
    let session = text(node, "AWS_SESSION_TOKEN").map(|token| token.trim().to_owned());
    Some(Credentials::new(id, secret, session, None, "environment"))
}

/// Includes the session token and the secret, so that a wrong secret is a different identity than the right one.
pub(super) fn of_keys(keys: &Credentials) -> Scope {
    let name = key_name(keys.access_key_id());
    let secrets = [
        keys.secret_access_key(),
        keys.session_token().unwrap_or_default(),
    ];
    let digests = secrets.map(|secret| digest(secret.as_bytes()));
    Scope::of(name, ["keys", keys.access_key_id()]).with(digests)
}

/// The access key id, which isn't a secret, if it looks like one: a secret may have been put in its place.
pub(super) fn key_name(id: &str) -> String {
    let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let is_shown = is_key_id(id) && id.len() <= 32 && id.bytes().all(upper);
    if is_shown {
        format!("key {id}")
    } else {
        "an access key".to_owned()
    }
}

/// The scope of a container's agent: its address, which for ECS is the task's own, and the token sent to it. `None` for
/// an agent at a full URL without a token, because it may answer for anyone.
pub(super) fn of_container(node: &Node) -> Result<Option<Scope>, Error> {
    let token = match node.file(CONTAINER_TOKEN_FILE)? {
        Some(file) => Some(token(CONTAINER_TOKEN_FILE, &file)?),
        None => node.get("AWS_CONTAINER_AUTHORIZATION_TOKEN").cloned(),
    };
    if token.is_none() && text(node, CONTAINER[0]).is_none() {
        return Ok(None);
    }
    let [relative, full] = CONTAINER.map(|name| text(node, name).unwrap_or_default());
    let bearer = token.as_ref().map(Bearer::of);
    let name = match bearer.as_ref().and_then(|bearer| bearer.subject.as_ref()) {
        Some(subject) => format!("the container's role, as {subject}"),
        None => "the container's role".to_owned(),
    };
    let parts = bearer.map(|bearer| bearer.parts).unwrap_or_default();
    Ok(Some(
        Scope::of(name, ["container", relative, full]).with(parts),
    ))
}

const CONTAINER_TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
/// The agent's path on its usual host, or its whole URL.
pub(super) const CONTAINER: [&str; 2] = [
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];
