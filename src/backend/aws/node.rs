//! The node's AWS identity: the first source of the SDK's default chain that has one, determined from the environment
//! and files without network requests
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>).
//!
//! If a source can't be used, the SDK's chain would fall back to the next, and finally to the instance's role.
//! Therefore only the source found here is asked for credentials.

use aws_credential_types::Credentials;

use super::environment::{CONTAINER, keys, of_container, of_keys};
use super::files::{Files, text, token};
use super::profile;
use crate::backend::Whose;
use crate::backend::whose::Bearer;
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
    /// A profile of the shared files, and the identity that it leads to.
    Profile(Whose),
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
            Some(_) => profile::chosen(&files)?.map(Source::Profile),
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
        if let Some(whose) = profile::chosen(files)? {
            return Ok(Some(Self::Profile(whose)));
        }
        if let Some(role) = text(node, "AWS_ROLE_ARN")
            && let Some(file) = node.file(TOKEN_FILE)?
        {
            return Ok(Some(Self::WebIdentity(WebIdentity {
                role: role.to_owned(),
                session_name: text(node, "AWS_ROLE_SESSION_NAME").map(str::to_owned),
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
            Self::Profile(whose) => whose.clone(),
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

const NOBODY: &str = "this node has no AWS identity: AWS_ACCESS_KEY_ID is not set, no profile in ~/.aws has credentials, no \
                      web identity or container is named, and this is not an EC2 instance";
const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
