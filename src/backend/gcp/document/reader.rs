//! `Reader`: reads a credential document member by member, by the rules for its author.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::TOKEN_URI;
use super::super::errors::DocumentFault;
use super::{Account, ActsAs, Author, Base, External, Source, User};
use crate::credential::Redacted;
use crate::json::Loose;

type Text = Loose<Redacted>;

/// A document of any type: what its type does not have is missing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Document {
    #[serde(rename = "type")]
    kind: Text,
    client_email: Text,
    private_key_id: Text,
    private_key: Text,
    client_id: Text,
    client_secret: Text,
    refresh_token: Text,
    token_uri: Text,
    universe_domain: Text,
    audience: Text,
    subject_token_type: Text,
    token_url: Text,
    workforce_pool_user_project: Text,
    service_account_impersonation_url: Text,
    delegates: Loose<Vec<Loose<String>>>,
    credential_source: Loose<CredentialSource>,
    source_credentials: Loose<Box<Document>>,
}

/// Where the subject token is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CredentialSource {
    file: Text,
    environment_id: Text,
    regional_cred_verification_url: Text,
    url: Text,
    headers: Loose<BTreeMap<String, Text>>,
    format: Loose<Format>,
}

/// How it is written there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Format {
    #[serde(rename = "type")]
    kind: Text,
    subject_token_field_name: Text,
}

impl Document {
    /// Who asks; whom to impersonate is added from the outside in.
    pub(super) fn base(
        self,
        author: Author,
        acts_as: &mut Vec<ActsAs>,
        outermost: bool,
    ) -> Result<Base, DocumentFault> {
        let kind = needed("type", &self.kind)?;
        if author == Author::Tenant {
            self.check_tenants(kind.expose())?;
        }
        match kind.expose() {
            "service_account" => Ok(Base::Account(Account {
                email: word("client_email", &self.client_email)?,
                key_id: given(&self.private_key_id).map(plain),
                key: needed("private_key", &self.private_key)?.clone(),
                token_uri: self.token_uri(author)?,
            })),
            "authorized_user" => Ok(Base::User(User {
                client_id: word("client_id", &self.client_id)?,
                client_secret: needed("client_secret", &self.client_secret)?.clone(),
                refresh_token: needed("refresh_token", &self.refresh_token)?.clone(),
                token_uri: self.token_uri(author)?,
            })),
            "external_account" => {
                if given(&self.service_account_impersonation_url).is_some() {
                    acts_as.push(self.acts_as()?);
                }
                self.external().map(Base::External)
            }
            "impersonated_service_account" if outermost => {
                acts_as.push(self.acts_as()?);
                object("source_credentials", self.source_credentials)?.base(author, acts_as, false)
            }
            _ => Err(DocumentFault::Type),
        }
    }

    /// A tenant's document may say who it is, and nothing about where anybody goes.
    fn check_tenants(&self, kind: &str) -> Result<(), DocumentFault> {
        let cause = match kind {
            "service_account" | "authorized_user" => None,
            "external_account" => Some(
                "external_account, which can read files, call addresses and run programs of the node, so \
                 no secret may bring it",
            ),
            "impersonated_service_account" => Some(
                "impersonated_service_account, which calls addresses that it names, so no secret may bring it",
            ),
            _ => {
                Some("neither service_account nor authorized_user, and a secret may bring no other")
            }
        };
        if let Some(cause) = cause {
            return Err(DocumentFault::TenantsType(cause));
        }
        let is_one_of = |name, member: &Text, allowed: &[&str]| match member {
            Loose::Missing => Ok(true),
            _ => needed(name, member).map(|text| allowed.contains(&text.expose())),
        };
        if !is_one_of("token_uri", &self.token_uri, &TOKEN_URIS)? {
            return Err(DocumentFault::TokenUri);
        }
        if !is_one_of("universe_domain", &self.universe_domain, &[UNIVERSE])? {
            return Err(DocumentFault::Universe);
        }
        Ok(())
    }

    /// Where the grant is sent. Keys made years ago name the endpoint of that time, which still is the same service:
    /// they go to today's, as do all of a tenant's.
    fn token_uri(&self, author: Author) -> Result<String, DocumentFault> {
        let own = given(&self.token_uri).map_or(TOKEN_URI, Redacted::expose);
        if author == Author::Tenant || TOKEN_URIS.contains(&own) {
            return Ok(TOKEN_URI.to_owned());
        }
        https("token_uri", &self.token_uri)
    }

    fn external(self) -> Result<External, DocumentFault> {
        let secret = given(&self.client_secret).cloned().unwrap_or_default();
        Ok(External {
            audience: word("audience", &self.audience)?,
            subject_token_type: word("subject_token_type", &self.subject_token_type)?,
            token_url: https("token_url", &self.token_url)?,
            client: given(&self.client_id).map(|id| (plain(id), secret)),
            user_project: given(&self.workforce_pool_user_project).map(plain),
            source: object("credential_source", self.credential_source)?.source()?,
        })
    }

    fn acts_as(&self) -> Result<ActsAs, DocumentFault> {
        let name = "service_account_impersonation_url";
        let delegates = match &self.delegates {
            Loose::Is(names) => names.clone(),
            _ => Vec::new(),
        };
        Ok(ActsAs {
            url: https(name, &self.service_account_impersonation_url)?,
            delegates: delegates.into_iter().filter_map(Loose::take).collect(),
        })
    }
}

impl CredentialSource {
    fn source(self) -> Result<Source, DocumentFault> {
        let field = self.format.take().unwrap_or_default().field()?;
        if let Some(path) = given(&self.file) {
            return Ok(Source::File {
                path: path.expose().into(),
                field,
            });
        }
        if given(&self.environment_id).is_some_and(|id| id.expose().starts_with("aws")) {
            let url = given(&self.regional_cred_verification_url);
            return Ok(Source::Aws {
                verification_url: url.map_or_else(|| VERIFICATION_URL.to_owned(), plain),
            });
        }
        let url = given(&self.url).ok_or(DocumentFault::Source)?;
        let headers = self.headers.take().unwrap_or_default().into_iter();
        Ok(Source::Url {
            url: plain(url),
            headers: headers
                .filter_map(|(name, text)| Some((name, text.take()?)))
                .collect(),
            field,
        })
    }
}

impl Format {
    /// The member that holds the token, where the whole is JSON.
    fn field(&self) -> Result<Option<String>, DocumentFault> {
        match given(&self.kind).map(Redacted::expose) {
            Some("json") => {
                word("subject_token_field_name", &self.subject_token_field_name).map(Some)
            }
            _ => Ok(None),
        }
    }
}

/// A text that says something.
fn given(member: &Text) -> Option<&Redacted> {
    match member {
        Loose::Is(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

fn needed<'t>(name: &'static str, member: &'t Text) -> Result<&'t Redacted, DocumentFault> {
    given(member).ok_or(DocumentFault::Missing(name, "text"))
}

/// A text that is not secret.
fn word(name: &'static str, member: &Text) -> Result<String, DocumentFault> {
    needed(name, member).map(plain)
}

fn plain(text: &Redacted) -> String {
    text.expose().to_owned()
}

fn https(name: &'static str, member: &Text) -> Result<String, DocumentFault> {
    let url = word(name, member)?;
    if url.starts_with("https://") {
        return Ok(url);
    }
    Err(DocumentFault::NotHttps(name))
}

fn object<T>(name: &'static str, member: Loose<T>) -> Result<T, DocumentFault> {
    member.take().ok_or(DocumentFault::Missing(name, "object"))
}

/// The endpoint's earlier URLs, which service-account keys may contain.
const TOKEN_URIS: [&str; 4] = [
    TOKEN_URI,
    "https://accounts.google.com/o/oauth2/token",
    "https://www.googleapis.com/oauth2/v3/token",
    "https://www.googleapis.com/oauth2/v4/token",
];
const UNIVERSE: &str = "googleapis.com";
const VERIFICATION_URL: &str =
    "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15";
