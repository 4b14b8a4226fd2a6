//! Credential documents: Google's JSON files that say who asks, and what a tenant's may say.
//!
//! Formats: <https://google.aip.dev/auth/4112> (service account), 4113 (user), 4117 (external account).

use std::path::PathBuf;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::{ACCESS_TOKEN, PART};
use crate::credential::Redacted;
use crate::error::{Error, Problem};
use crate::json::{self, Object, Value};

/// Who asks, and as whom in the end.
#[derive(Debug)]
pub(super) struct Identity {
    /// Where the document comes from, as errors name it: a key of the secret, or a file.
    pub(super) origin: String,
    pub(super) base: Base,
    /// The service accounts to impersonate, one after the other.
    pub(super) acts_as: Vec<ActsAs>,
}

/// Who asks.
#[derive(Debug)]
pub(super) enum Base {
    Account(Account),
    User(User),
    External(External),
}

/// A service account's key.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) email: String,
    pub(super) key_id: Option<String>,
    /// PEM of PKCS #8.
    pub(super) key: Redacted,
    pub(super) token_uri: String,
}

/// What `gcloud auth application-default login` leaves behind.
#[derive(Debug)]
pub(super) struct User {
    pub(super) client_id: String,
    pub(super) client_secret: Redacted,
    pub(super) refresh_token: Redacted,
    pub(super) token_uri: String,
}

/// An identity of somebody else's, which Google has been told to trust.
#[derive(Debug)]
pub(super) struct External {
    pub(super) audience: String,
    pub(super) subject_token_type: String,
    pub(super) token_url: String,
    /// Client id and secret, where the provider wants them.
    pub(super) client: Option<(String, Redacted)>,
    /// The project that pays, of workforce identities.
    pub(super) user_project: Option<String>,
    pub(super) source: Source,
}

/// Where the subject token comes from.
#[derive(Debug)]
pub(super) enum Source {
    File { path: PathBuf, field: Option<String> },
    Url { url: String, headers: Vec<(String, Redacted)>, field: Option<String> },
    Aws { verification_url: String },
}

/// A service account that is impersonated.
#[derive(Debug)]
pub(super) struct ActsAs {
    pub(super) url: String,
    pub(super) delegates: Vec<String>,
}

/// Who wrote a document decides what it may steer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Author {
    /// A tenant: a key, and nothing that reads a file, calls an address of its choice or runs a program.
    Tenant,
    /// The operator, who may do all that anyway.
    Operator,
}

/// The document in a secret: JSON, or base64 of it. Never a path.
pub(super) fn of_secret(name: &str, text: &Redacted) -> Result<Identity, Error> {
    let text = text.expose().trim_start_matches('\u{feff}').trim();
    if text.starts_with('{') {
        return parse(name, text.as_bytes(), Author::Tenant);
    }
    let refuse = |cause: &str| {
        Problem::new(PART, format_args!("{name} {cause}"))
            .fix("put the JSON of a service-account key itself, or base64 of it, into the secret")
            .failed()
    };
    if text.starts_with(['/', '~', '.']) || text.contains("://") {
        return Err(refuse("is a path, and a secret may not name files of the node"));
    }
    let decoded = unwrapped(text);
    match decoded.as_deref().map(|bytes| bytes.trim_ascii()) {
        Some(json) if json.starts_with(b"{") => parse(name, json, Author::Tenant),
        _ => Err(refuse("is neither JSON nor base64 of JSON")),
    }
}

/// Base64 as people make it: with line ends, with or without padding.
fn unwrapped(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let compact: Zeroizing<Vec<u8>> = Zeroizing::new(text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect());
    GeneralPurpose::new(&STANDARD, lenient).decode(compact.as_slice()).ok().map(Zeroizing::new)
}

/// The document in a text that is known to be meant as JSON.
pub(super) fn parse(origin: &str, text: &[u8], author: Author) -> Result<Identity, Error> {
    let object = json::parse_object(text).map_err(|error| {
        Problem::new(PART, format_args!("{origin} is not a JSON object: {error}"))
            .fix("put the file as Google gave it")
            .failed()
    })?;
    let mut acts_as = Vec::new();
    let base = Reader { origin, author, object: &object }.base(&mut acts_as, true)?;
    // Written from the outside in, taken from the inside out.
    acts_as.reverse();
    Ok(Identity { origin: origin.to_owned(), base, acts_as })
}

/// One JSON object of a document.
#[derive(Clone, Copy)]
struct Reader<'a> {
    origin: &'a str,
    author: Author,
    object: &'a Object,
}

impl<'a> Reader<'a> {
    fn base(self, acts_as: &mut Vec<ActsAs>, outermost: bool) -> Result<Base, Error> {
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
            _ => Some("\"type\" is neither service_account nor authorized_user, and a secret may bring no other"),
        };
        if let Some(cause) = cause {
            return Err(self.problem(cause, &fix));
        }
        if self.object.get("token_uri").is_some() && !TOKEN_URIS.contains(&self.text("token_uri")?) {
            let cause = "\"token_uri\" is not Google's own, and a secret may not say where its key is sent";
            return Err(self.problem(cause, &format!("set it to {TOKEN_URI}, or leave it out")));
        }
        if self.object.get("universe_domain").is_some() && self.text("universe_domain")? != UNIVERSE {
            let cause = "\"universe_domain\" is not googleapis.com, whose registries are the ones this helper knows";
            return Err(self.problem(cause, &fix));
        }
        Ok(())
    }

    /// Where the grant is sent. Keys made years ago name the endpoint of that time, which still is the same service:
    /// they go to today's, as do all of a tenant's.
    fn token_uri(self) -> Result<String, Error> {
        let own = self.optional("token_uri").map_or(TOKEN_URI, Redacted::expose);
        if self.author == Author::Tenant || TOKEN_URIS.contains(&own) {
            return Ok(TOKEN_URI.to_owned());
        }
        self.https("token_uri")
    }

    fn external(self) -> Result<External, Error> {
        let client = match self.optional("client_id") {
            Some(id) => Some((id.expose().to_owned(), self.optional("client_secret").cloned().unwrap_or_default())),
            None => None,
        };
        Ok(External {
            audience: self.text("audience")?.to_owned(),
            subject_token_type: self.text("subject_token_type")?.to_owned(),
            token_url: self.https("token_url")?,
            client,
            user_project: self.optional("workforce_pool_user_project").map(|name| name.expose().to_owned()),
            source: Reader { object: self.inner("credential_source")?, ..self }.source()?,
        })
    }

    fn source(self) -> Result<Source, Error> {
        let format = Reader { object: self.inner("format").unwrap_or(self.object), ..self };
        let field = match format.optional("type").map(Redacted::expose) {
            Some("json") => Some(format.text("subject_token_field_name")?.to_owned()),
            _ => None,
        };
        if let Some(path) = self.optional("file") {
            return Ok(Source::File { path: path.expose().into(), field });
        }
        if self.optional("environment_id").is_some_and(|id| id.expose().starts_with("aws")) {
            let url = self.optional("regional_cred_verification_url").map_or(VERIFICATION_URL, Redacted::expose);
            return Ok(Source::Aws { verification_url: url.to_owned() });
        }
        if let Some(url) = self.optional("url") {
            let headers = self.inner("headers").map(Object::iter).into_iter().flatten();
            let texts = headers.filter_map(|(name, value)| match value {
                Value::Text(text) => Some((name.to_owned(), text.clone())),
                _ => None,
            });
            return Ok(Source::Url { url: url.expose().to_owned(), headers: texts.collect(), field });
        }
        Err(self.problem(
            "\"credential_source\" is neither a file, a URL nor AWS",
            "programs and certificates are not supported: let them write the token to a file",
        ))
    }

    fn acts_as(self) -> Result<ActsAs, Error> {
        let delegates = match self.object.get("delegates") {
            Some(Value::Array(names)) => {
                names.iter().filter_map(as_text).map(|name| name.expose().to_owned()).collect()
            }
            _ => Vec::new(),
        };
        Ok(ActsAs { url: self.https("service_account_impersonation_url")?, delegates })
    }

    fn https(self, name: &str) -> Result<String, Error> {
        let url = self.text(name)?;
        if url.starts_with("https://") {
            return Ok(url.to_owned());
        }
        Err(self.problem(&format!("\"{name}\" is not an https:// address"), "correct it"))
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
        self.optional(name).ok_or_else(|| self.problem(&format!("\"{name}\" is missing or no text"), REGENERATE))
    }

    fn optional(self, name: &str) -> Option<&'a Redacted> {
        self.object.text(name).filter(|text| !text.is_empty())
    }

    fn problem(self, cause: &str, fix: &str) -> Error {
        Problem::new(PART, format_args!("{}: {cause}", self.origin)).fix(fix).failed()
    }
}

fn as_text(value: &Value) -> Option<&Redacted> {
    if let Value::Text(text) = value { Some(text) } else { None }
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
const VERIFICATION_URL: &str = "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15";
const REGENERATE: &str = "put the file as Google gave it";
