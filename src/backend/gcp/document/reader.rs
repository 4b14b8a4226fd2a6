//! `Reader`: reads a credential document member by member, by the rules for its author.

use super::super::errors::GcpError;
use super::{Account, ActsAs, Author, Base, DocumentFault, External, Source, User};
use crate::credential::Redacted;
use crate::json::{Object, Value};

/// One JSON object of a document.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) origin: &'a str,
    pub(super) author: Author,
    pub(super) object: &'a Object,
}

impl<'a> Reader<'a> {
    /// The identity that logs in. Adds the accounts to impersonate to `acts_as`, from the outside in.
    pub(super) fn base(self, acts_as: &mut Vec<ActsAs>, outermost: bool) -> Result<Base, GcpError> {
        let kind = self.text("type")?;
        if self.author == Author::Tenant {
            self.check_tenants(kind)?;
        }
        match kind {
            "service_account" => Ok(Base::Account(Account {
                email: self.text("client_email")?.to_owned(),
                key_id: self
                    .optional("private_key_id")
                    .map(|id| id.expose().to_owned()),
                key: self.secret("private_key")?,
                token_uri: self.token_uri()?,
            })),
            "authorized_user" => Ok(Base::User(User {
                client_id: self.text("client_id")?.to_owned(),
                client_secret: self.secret("client_secret")?,
                refresh_token: self.secret("refresh_token")?,
                token_uri: self.token_uri()?,
            })),
            "external_account" => {
                if self.optional("service_account_impersonation_url").is_some() {
                    acts_as.push(self.acts_as()?);
                }
                self.external().map(Base::External)
            }
            "impersonated_service_account" if outermost => {
                acts_as.push(self.acts_as()?);
                Reader {
                    object: self.inner("source_credentials")?,
                    ..self
                }
                .base(acts_as, false)
            }
            _ => Err(DocumentFault::Type.of(self.origin)),
        }
    }

    /// Checks a tenant's document, which may only define an identity and no addresses.
    fn check_tenants(self, kind: &str) -> Result<(), GcpError> {
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
            return Err(DocumentFault::TenantsType(cause).of(self.origin));
        }
        if self.object.get("token_uri").is_some() && !TOKEN_URIS.contains(&self.text("token_uri")?)
        {
            return Err(DocumentFault::TokenUri.of(self.origin));
        }
        if self.object.get("universe_domain").is_some() && self.text("universe_domain")? != UNIVERSE
        {
            return Err(DocumentFault::Universe.of(self.origin));
        }
        Ok(())
    }

    /// The URL for the grant. Old keys name an earlier endpoint of the same service; they use today's, and so do all of
    /// a tenant's.
    fn token_uri(self) -> Result<String, GcpError> {
        let own = self
            .optional("token_uri")
            .map_or(TOKEN_URI, Redacted::expose);
        if self.author == Author::Tenant || TOKEN_URIS.contains(&own) {
            return Ok(TOKEN_URI.to_owned());
        }
        self.https("token_uri")
    }

    fn external(self) -> Result<External, GcpError> {
        let secret = || self.optional("client_secret").cloned().unwrap_or_default();
        let client = self
            .optional("client_id")
            .map(|id| (id.expose().to_owned(), secret()));
        Ok(External {
            audience: self.text("audience")?.to_owned(),
            subject_token_type: self.text("subject_token_type")?.to_owned(),
            token_url: self.https("token_url")?,
            client,
            user_project: self
                .optional("workforce_pool_user_project")
                .map(|name| name.expose().to_owned()),
            source: Reader {
                object: self.inner("credential_source")?,
                ..self
            }
            .source()?,
        })
    }

    fn source(self) -> Result<Source, GcpError> {
        let field = match self.object.get("format") {
            Some(Value::Object(object)) => Reader { object, ..self }.field()?,
            _ => None,
        };
        if let Some(path) = self.optional("file") {
            return Ok(Source::File {
                path: path.expose().into(),
                field,
            });
        }
        if self
            .optional("environment_id")
            .is_some_and(|id| id.expose().starts_with("aws"))
        {
            let url = self
                .optional("regional_cred_verification_url")
                .map_or(VERIFICATION_URL, Redacted::expose);
            return Ok(Source::Aws {
                verification_url: url.to_owned(),
            });
        }
        if let Some(url) = self.optional("url") {
            let headers = self
                .inner("headers")
                .map(Object::iter)
                .into_iter()
                .flatten();
            let texts = headers.filter_map(|(name, value)| match value {
                Value::Text(text) => Some((name.to_owned(), text.clone())),
                _ => None,
            });
            return Ok(Source::Url {
                url: url.expose().to_owned(),
                headers: texts.collect(),
                field,
            });
        }
        Err(DocumentFault::Source.of(self.origin))
    }

    /// The member with the token, if the text is JSON.
    fn field(self) -> Result<Option<String>, GcpError> {
        match self.optional("type").map(Redacted::expose) {
            Some("json") => self
                .text("subject_token_field_name")
                .map(|name| Some(name.to_owned())),
            _ => Ok(None),
        }
    }

    fn acts_as(self) -> Result<ActsAs, GcpError> {
        let delegates = match self.object.get("delegates") {
            Some(Value::Array(names)) => names
                .iter()
                .filter_map(as_text)
                .map(|name| name.expose().to_owned())
                .collect(),
            _ => Vec::new(),
        };
        Ok(ActsAs {
            url: self.https("service_account_impersonation_url")?,
            delegates,
        })
    }

    fn https(self, name: &'static str) -> Result<String, GcpError> {
        let url = self.text(name)?;
        if url.starts_with("https://") {
            return Ok(url.to_owned());
        }
        Err(DocumentFault::NotHttps(name).of(self.origin))
    }

    fn inner(self, name: &'static str) -> Result<&'a Object, GcpError> {
        match self.object.get(name) {
            Some(Value::Object(object)) => Ok(object),
            _ => Err(DocumentFault::Missing(name, "object").of(self.origin)),
        }
    }

    fn text(self, name: &'static str) -> Result<&'a str, GcpError> {
        self.needed(name).map(Redacted::expose)
    }

    fn secret(self, name: &'static str) -> Result<Redacted, GcpError> {
        self.needed(name).cloned()
    }

    fn needed(self, name: &'static str) -> Result<&'a Redacted, GcpError> {
        self.optional(name)
            .ok_or_else(|| DocumentFault::Missing(name, "text").of(self.origin))
    }

    fn optional(self, name: &str) -> Option<&'a Redacted> {
        self.object.text(name).filter(|text| !text.is_empty())
    }
}

fn as_text(value: &Value) -> Option<&Redacted> {
    if let Value::Text(text) = value {
        Some(text)
    } else {
        None
    }
}

/// Google's token endpoint.
pub(super) const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
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
