//! `Reader`: takes a credential document apart, member by member, by the rules for its author.

use super::super::{ACCESS_TOKEN, PART};
use super::{Account, ActsAs, Author, Base, External, Source, User};
use crate::credential::Redacted;
use crate::error::{Error, Problem};
use crate::json::{Object, Value};

/// One JSON object of a document.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) origin: &'a str,
    pub(super) author: Author,
    pub(super) object: &'a Object,
}

impl<'a> Reader<'a> {
    /// Who asks; whom to impersonate is added from the outside in.
    pub(super) fn base(self, acts_as: &mut Vec<ActsAs>, outermost: bool) -> Result<Base, Error> {
        let kind = self.text("type")?;
        if self.author == Author::Tenant {
            self.check_tenants(kind)?;
        }
        match kind {
            "service_account" => Ok(Base::Account(Account {
                email: self.text("client_email")?.to_owned(),
                key_id: self.optional("private_key_id").map(|id| id.expose().to_owned()),
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
                Reader { object: self.inner("source_credentials")?, ..self }.base(acts_as, false)
            }
            _ => Err(self.problem(
                "\"type\" is none that this helper knows",
                "use a service account, a user, an external account or an impersonated service account",
            )),
        }
    }

    /// A tenant's document may say who it is, and nothing about where anybody goes.
    fn check_tenants(self, kind: &str) -> Result<(), Error> {
        let fix = format!("use a service account's own key, or {ACCESS_TOKEN}");
        let cause = match kind {
            "service_account" | "authorized_user" => None,
            "external_account" => Some(
                "\"type\" is external_account, which can read files, call addresses and run programs of the node, so \
                 no secret may bring it",
            ),
            "impersonated_service_account" => Some(
                "\"type\" is impersonated_service_account, which calls addresses that it names, so no secret may bring it",
            ),
            _ => Some(
                "\"type\" is neither service_account nor authorized_user, and a secret may bring no other",
            ),
        };
        if let Some(cause) = cause {
            return Err(self.problem(cause, &fix));
        }
        if self.object.get("token_uri").is_some() && !TOKEN_URIS.contains(&self.text("token_uri")?)
        {
            let cause =
                "\"token_uri\" is not Google's own, and a secret may not say where its key is sent";
            return Err(self.problem(cause, &format!("set it to {TOKEN_URI}, or leave it out")));
        }
        if self.object.get("universe_domain").is_some() && self.text("universe_domain")? != UNIVERSE
        {
            let cause = "\"universe_domain\" is not googleapis.com, whose registries are the ones this helper knows";
            return Err(self.problem(cause, &fix));
        }
        Ok(())
    }

    /// Where the grant is sent. Keys made years ago name the endpoint of that time, which still is the same service:
    /// they go to today's, as do all of a tenant's.
    fn token_uri(self) -> Result<String, Error> {
        let own = self
            .optional("token_uri")
            .map_or(TOKEN_URI, Redacted::expose);
        if self.author == Author::Tenant || TOKEN_URIS.contains(&own) {
            return Ok(TOKEN_URI.to_owned());
        }
        self.https("token_uri")
    }

    fn external(self) -> Result<External, Error> {
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

    fn source(self) -> Result<Source, Error> {
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
        Err(self.problem(
            "\"credential_source\" is neither a file, a URL nor AWS",
            "programs and certificates are not supported: let them write the token to a file",
        ))
    }

    /// The member that holds the token, where the whole is JSON.
    fn field(self) -> Result<Option<String>, Error> {
        match self.optional("type").map(Redacted::expose) {
            Some("json") => self
                .text("subject_token_field_name")
                .map(|name| Some(name.to_owned())),
            _ => Ok(None),
        }
    }

    fn acts_as(self) -> Result<ActsAs, Error> {
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

    fn https(self, name: &str) -> Result<String, Error> {
        let url = self.text(name)?;
        if url.starts_with("https://") {
            return Ok(url.to_owned());
        }
        Err(self.problem(
            &format!("\"{name}\" is not an https:// address"),
            "correct it",
        ))
    }

    fn inner(self, name: &str) -> Result<&'a Object, Error> {
        match self.object.get(name) {
            Some(Value::Object(object)) => Ok(object),
            _ => Err(self.problem(&format!("\"{name}\" is missing or no object"), REGENERATE)),
        }
    }

    fn text(self, name: &str) -> Result<&'a str, Error> {
        self.needed(name).map(Redacted::expose)
    }

    fn secret(self, name: &str) -> Result<Redacted, Error> {
        self.needed(name).cloned()
    }

    fn needed(self, name: &str) -> Result<&'a Redacted, Error> {
        self.optional(name)
            .ok_or_else(|| self.problem(&format!("\"{name}\" is missing or no text"), REGENERATE))
    }

    fn optional(self, name: &str) -> Option<&'a Redacted> {
        self.object.text(name).filter(|text| !text.is_empty())
    }

    fn problem(self, cause: &str, fix: &str) -> Error {
        Problem::new(PART, format_args!("{}: {cause}", self.origin))
            .fix(fix)
            .failed()
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
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
/// Its names over the years, as service-account keys carry them.
const TOKEN_URIS: [&str; 4] = [
    TOKEN_URI,
    "https://accounts.google.com/o/oauth2/token",
    "https://www.googleapis.com/oauth2/v3/token",
    "https://www.googleapis.com/oauth2/v4/token",
];
const UNIVERSE: &str = "googleapis.com";
const VERIFICATION_URL: &str =
    "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15";
const REGENERATE: &str = "put the file as Google gave it";
