//! Google Artifact Registry and Container Registry: every login ends in an access token, returned with the user name
//! `oauth2accesstoken`. A long-lived key never leaves the node
//! (<https://docs.cloud.google.com/artifact-registry/docs/docker/authentication#token>).
//!
//! The exchanges are made here rather than by `gcp_auth` or `google-cloud-auth`. The first makes five attempts for any
//! answer, and can't distinguish a revoked key from a broken network. The second follows redirects with the credential,
//! quotes answers in its errors, and does not say when a token expires.

mod ambient;
mod answer;
mod aws;
mod document;
mod errors;
mod exchange;
mod federation;
mod owner;
mod pod;
mod refusal;

use std::time::{Duration, SystemTime};

use ambient::Found;
use document::Identity;
use exchange::Token;
pub(super) use pod::is_for_pod;

use super::{GCP_KEYS, Login, Whose};
use crate::config::Node;
use crate::credential::{Credential, Redacted};
use crate::error::Error;
use crate::http::{Cleartext, Http};
use crate::keys::Keys;
use crate::runtime::block_on;
use crate::service_account::ServiceAccount;
use crate::token::{Minted, Scope};
use errors::GcpError;

/// Whether this backend can use the keys. A pair fits only if its user name marks a service-account key; other pairs
/// are returned as they are. A project's name without a pair means the node's own identity.
pub(super) fn fits(keys: &Keys) -> bool {
    let mints = keys.has(ACCESS_TOKEN) || keys.has(KEY) || key_pair(keys).is_some();
    mints || (keys.has(PROJECT) && keys.pairs().next().is_none())
}

pub(super) fn login(login: &Login) -> Result<Minted, Error> {
    let asked_by = match (login.keys, login.pod) {
        (Some(keys), _) => Secret::of(keys, login.ambient)?,
        (None, Some(account)) => Secret::Pod(account),
        (None, None) => Secret::Ambient,
    };
    let asked_at = SystemTime::now();
    let token = match asked_by {
        Secret::Token(token) => Token {
            secret: token.clone(),
            expires: None,
        },
        Secret::Key { name, text } => of(login, &document::of_secret(name, text)?)?,
        Secret::Pod(account) => of(login, &pod::identity(account, login.settings)?)?,
        Secret::Ambient => {
            let found = ambient::find(login.node)?;
            let http = http(login, Cleartext::Node)?;
            let asked = async {
                match found {
                    Found::Document(document) => {
                        exchange::token(&http, &document.identity, login.node).await
                    }
                    Found::Metadata(server) => server.token(&http).await,
                    Found::Nobody(why) => Err(GcpError::NoIdentity(why).into()),
                }
            };
            block_on(PART, login.deadline, asked)?
        }
    };
    let credential = Credential::new(USER.to_owned(), token.secret).map_err(GcpError::Unusable)?;
    Ok(Minted {
        credential,
        expires: token.expires.map(|end| end.min(asked_at + LIFE)),
    })
}

/// The token of an identity other than the node's.
fn of(login: &Login, identity: &Identity) -> Result<Token, Error> {
    let http = http(login, Cleartext::Never)?;
    let token = exchange::token(&http, identity, login.node);
    block_on(PART, login.deadline, token)
}

fn http(login: &Login, cleartext: Cleartext) -> Result<Http, Error> {
    Http::new(login.deadline, cleartext).map_err(|fault| fault.error(PART))
}

pub(super) fn whose(login: &Login) -> Result<Whose, Error> {
    let keys = match (login.keys, login.pod) {
        (Some(keys), _) => keys,
        (None, Some(account)) => return Ok(Whose::Known(pod::scope(account, login.settings))),
        (None, None) => return ambient::whose(login),
    };
    match Secret::of(keys, login.ambient) {
        Ok(Secret::Key { .. }) => Ok(Whose::Known(Scope::of_keys(keys))),
        Ok(Secret::Ambient | Secret::Pod(_)) => ambient::whose(login),
        // The token's expiry is unknown. The login reports faults of the secret.
        Ok(Secret::Token(_)) | Err(_) => Ok(Whose::Unknown),
    }
}

/// The e-mail of the machine's service account, or the subject of the token that the node's document yields.
pub(super) fn ask_machine(login: &Login) -> Result<Option<String>, Error> {
    let found = ambient::find(login.node)?;
    if let Found::Document(document) = &found
        && document.is_of_aws()
    {
        return super::aws::ask_machine(login);
    }
    let http = http(login, Cleartext::Node)?;
    block_on(PART, login.deadline, async {
        match &found {
            Found::Metadata(server) => server.email(&http).await.map(Some),
            Found::Document(document) => document.subject(&http, login.node).await,
            Found::Nobody(_) => Ok(None),
        }
    })
}

/// Checks the node's own document, if there is one.
pub(super) fn check_files(node: &Node) -> Result<(), Error> {
    ambient::find(node).map(|_| ())
}

/// What a tenant's secret contains.
enum Secret<'k> {
    /// An access token.
    Token(&'k Redacted),
    /// A key to mint with, and its name in the secret.
    Key { name: &'k str, text: &'k Redacted },
    /// A pod's service account, and no secret.
    Pod(&'k ServiceAccount),
    /// A project without a proof of identity: the node's own identity is used.
    Ambient,
}

impl<'k> Secret<'k> {
    fn of(keys: &'k Keys, ambient: bool) -> Result<Self, Error> {
        if let Some(token) = keys.get(ACCESS_TOKEN) {
            return Ok(Self::Token(token));
        }
        if let Some(text) = keys.get(KEY) {
            return Ok(Self::Key { name: KEY, text });
        }
        if let Some((name, text)) = key_pair(keys) {
            return Ok(Self::Key { name, text });
        }
        if ambient {
            return Ok(Self::Ambient);
        }
        Err(GcpError::ProjectAlone.into())
    }
}

/// The password of a pair whose user name marks a service-account key.
fn key_pair(keys: &Keys) -> Option<(&str, &Redacted)> {
    keys.pairs()
        .find(|pair| {
            keys.get(pair.user)
                .is_some_and(|user| KEY_USERS.contains(&user.expose()))
        })
        .and_then(|pair| Some((pair.password, keys.get(pair.password)?)))
}

/// The longest life that is requested. It also limits an expiry by Google's clock, which would look later to a node
/// whose clock is behind.
const LIFE: Duration = Duration::from_secs(exchange::LIFE);
/// The part named in errors.
const PART: &str = "backend gcp";
/// Google's token endpoint.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
/// The variable that names the node's document.
const VARIABLE: &str = KEY;
/// The user name of every access token.
pub const USER: &str = "oauth2accesstoken";
/// The backend's own keys, in the order of `GCP_KEYS`.
const ACCESS_TOKEN: &str = GCP_KEYS[0];
const KEY: &str = GCP_KEYS[1];
const PROJECT: &str = GCP_KEYS[2];
/// The user names of service-account keys, as JSON and as base64 of JSON.
const KEY_USERS: [&str; 2] = [crate::credential::JSON_KEY_USER, "_json_key_base64"];

#[cfg(test)]
mod tests {
    use super::super::tests::{test_keys as keys, test_login};
    use super::*;
    use crate::config::{Config, Env};

    #[test]
    fn its_own_keys_and_pairs_of_a_service_account_key_fit_and_plain_pairs_do_not() {
        let table: &[(&[(&str, &str)], bool)] = &[
            (&[("GCP_ACCESS_TOKEN", "t")], true),
            (&[("GOOGLE_APPLICATION_CREDENTIALS", "{}")], true),
            (&[("GCP_PROJECT_ID", "p")], true),
            (&[("USERNAME", "_json_key"), ("PASSWORD", "{}")], true),
            (
                &[
                    ("REGISTRY_USERNAME", "_json_key_base64"),
                    ("REGISTRY_PASSWORD", "e30="),
                ],
                true,
            ),
            (
                &[("USERNAME", "oauth2accesstoken"), ("PASSWORD", "t")],
                false,
            ),
            (
                &[
                    ("USERNAME", "oauth2accesstoken"),
                    ("PASSWORD", "t"),
                    ("GCP_PROJECT_ID", "p"),
                ],
                false,
            ),
            (&[("USERNAME", "_json_key")], false),
            (&[("USERNAME", "u"), ("PASSWORD", "p")], false),
        ];
        for (pairs, fit) in table {
            assert_eq!(super::fits(&keys(pairs)), *fit, "{pairs:?}");
        }
    }

    #[test]
    fn a_token_is_answered_as_it_is_and_nobody_knows_its_end() {
        let keys = keys(&[
            ("GCP_ACCESS_TOKEN", "ya29.x"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "{}"),
        ]);
        let login = test_login("gcr.io", &keys);
        let minted = super::login(&login).unwrap();
        assert_eq!(
            (
                minted.credential.username(),
                minted.credential.secret().expose()
            ),
            ("oauth2accesstoken", "ya29.x")
        );
        assert_eq!(
            (minted.expires, whose(&login).unwrap()),
            (None, Whose::Unknown)
        );
    }

    #[test]
    fn a_project_alone_is_the_nodes_identity_where_that_is_on() {
        let keys = keys(&[("GCP_PROJECT_ID", "p")]);
        let login = test_login("gcr.io", &keys);
        let error = super::login(&login).unwrap_err().to_string();
        assert!(
            error.contains("GCP_PROJECT_ID alone means the node's own identity, which is off"),
            "{error}"
        );
        assert_eq!(whose(&login).unwrap(), Whose::Unknown);
        let on = Login {
            ambient: true,
            ..login
        };
        assert!(matches!(whose(&on).unwrap(), Whose::Nobody(_)));
        let node = Config::load(&Env::of([("GCE_METADATA_HOST", "127.0.0.1:1")]))
            .unwrap()
            .node;
        let on = Login { node: &node, ..on };
        assert!(matches!(whose(&on).unwrap(), Whose::Machine(_)));
        assert_eq!(
            whose(&on).unwrap(),
            whose(&Login { keys: None, ..on }).unwrap()
        );
    }

    #[test]
    fn a_minted_tokens_scope_is_the_key_it_is_minted_with() {
        let of = |value| {
            whose(&test_login(
                "gcr.io",
                &keys(&[("USERNAME", "_json_key"), ("PASSWORD", value)]),
            ))
            .unwrap()
        };
        assert!(matches!(of("{}"), Whose::Known(_)));
        assert_ne!(of("{}"), of("{ }"));
    }
}
