//! The node's AWS identity: the first source of the SDK's default chain that has one, determined from the environment
//! and files without network requests
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>).
//!
//! If a source can't be used, the SDK's chain would fall back to the next, and finally to the instance's role.
//! Therefore only the source found here is asked for credentials.

use aws_credential_types::Credentials;

use super::files::{Files, text, token};
use super::profile::Profile;
use super::role::is_key_id;
use crate::backend::Whose;
use crate::backend::whose::{Bearer, digest};
use crate::config::Node;
use crate::credential::Redacted;
use crate::error::Error;
use crate::token::{Scope, Unnamed, shown};

/// The node's identity, and the profile files, which affect how it is used.
pub(super) struct Identity<'n> {
    pub(super) source: Source,
    pub(super) files: Files<'n>,
}

/// The source of its credentials.
pub(super) enum Source {
    /// Keys in the environment.
    Keys(Credentials),
    /// A profile of the shared files.
    Profile(Profile),
    /// Another issuer's token that a role trusts.
    WebIdentity(WebIdentity),
    /// A container's agent: ECS or EKS Pod Identity.
    Container,
    /// The instance's role, from the metadata service at this address.
    Instance { endpoint: String },
}

/// A role, and the token to assume it with.
pub(super) struct WebIdentity {
    pub(super) role: String,
    pub(super) session_name: Option<String>,
    pub(super) token: Redacted,
}

impl<'n> Identity<'n> {
    /// The identity that would be used now; `None` if the node has none. If a rule names a profile, nothing else is
    /// used.
    pub(super) fn of(node: &'n Node, rule: Option<&str>) -> Result<Option<Self>, Error> {
        let files = Files::read(node, rule)?;
        let source = match rule {
            Some(_) => Profile::chosen(&files)?.map(Source::Profile),
            None => Source::of_chain(&files)?,
        };
        Ok(source.map(|source| Self { source, files }))
    }
}

impl Source {
    fn of_chain(files: &Files) -> Result<Option<Self>, Error> {
        let node = files.node;
        if let Some(keys) = keys(node) {
            return Ok(Some(Self::Keys(keys)));
        }
        if let Some(profile) = Profile::chosen(files)? {
            return Ok(Some(Self::Profile(profile)));
        }
        if let Some(role) = text(node, "AWS_ROLE_ARN")
            && let Some(file) = node.file(TOKEN_FILE)?
        {
            let (role, session_name) = (
                role.to_owned(),
                text(node, "AWS_ROLE_SESSION_NAME").map(str::to_owned),
            );
            return Ok(Some(Self::WebIdentity(WebIdentity {
                role,
                session_name,
                token: token(TOKEN_FILE, &file)?,
            })));
        }
        if CONTAINER.iter().any(|name| node.get(name).is_some()) {
            return Ok(Some(Self::Container));
        }
        let is_off = text(node, "AWS_EC2_METADATA_DISABLED")
            .is_some_and(|word| word.eq_ignore_ascii_case("true"));
        let is_there = || files.names_metadata() || node.is_machine_of("aws");
        Ok((!is_off && is_there()).then(|| Self::Instance {
            endpoint: files.metadata().to_owned(),
        }))
    }

    fn whose(&self, node: &Node) -> Result<Whose, Error> {
        Ok(match self {
            Self::Keys(keys) => Whose::Known(of_keys(keys)),
            Self::Profile(profile) => profile.whose(),
            Self::WebIdentity(WebIdentity {
                role,
                session_name,
                token,
            }) => {
                let Bearer { subject, parts } = Bearer::of(token);
                let by = subject.map_or_else(String::new, |subject| format!(" of {subject}"));
                let session = session_name.as_deref().unwrap_or_default();
                let name = format!("role {} (web identity{by})", shown(role));
                Whose::Known(Scope::of(name, ["web identity", role, session]).with(parts))
            }
            Self::Container => of_container(node)?.map_or(Whose::Unknown, Whose::Known),
            Self::Instance { endpoint } => {
                let parts = ["instance", endpoint];
                Whose::Machine(Unnamed::new(Scope::of("instance role", parts)))
            }
        })
    }
}

/// Whose credentials are used if the node logs in as itself. `rule` is the profile of a rule.
pub(super) fn whose(node: &Node, rule: Option<&str>) -> Result<Whose, Error> {
    // The most common case, and it needs no file.
    if rule.is_none()
        && let Some(keys) = keys(node)
    {
        return Ok(Whose::Known(of_keys(&keys)));
    }
    match Identity::of(node, rule)? {
        Some(identity) => identity.source.whose(node),
        None => Ok(Whose::Nobody(NOBODY.to_owned())),
    }
}

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

const NOBODY: &str = "this node has no AWS identity: AWS_ACCESS_KEY_ID is not set, no profile in ~/.aws has credentials, no \
                      web identity or container is named, and this is not an EC2 instance";
const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
const CONTAINER_TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
const CONTAINER: [&str; 2] = [
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];
