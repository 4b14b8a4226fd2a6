//! `Blob`: the text inside a workspace secret. Reads all shapes in use, and writes the current one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use serde::Serialize;

use super::{Keys, KeysError, PLACEHOLDER};
use crate::credential::Redacted;
use crate::host::{Host, ServerUrl};
use crate::json::{self, Object, Value};

/// A workspace secret's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The registry recorded inside; `None` for flat and legacy shapes, which are bound to a registry from outside.
    pub registry: Option<Host>,
    /// The keys.
    pub keys: Keys,
    /// When the keys expire; `None` if unknown.
    pub expires_at: Option<SystemTime>,
}

impl Blob {
    /// Reads any of the shapes: current, versioned (`"version":1`), flat map, nested map, `username:password`, and the
    /// form that today's scheduler makes from single secrets (`"registry":""`).
    ///
    /// Follows `UnmarshalCredentials` in Beta9's Go code, except that text that begins with `{` or `[` is JSON or an
    /// error, never a password, and that the recorded `type` is ignored: the keys and the host decide.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let text = text.trim();
        if text.starts_with(['{', '[']) {
            let object = json::parse_object(text.as_bytes())
                .map_err(|error| shape(format!("the secret isn't a JSON object: {error}")))?;
            return Self::from_object(&object);
        }
        if text.starts_with(PLACEHOLDER) {
            return Err(KeysError::Placeholder);
        }
        let pair = text.split_once(':');
        let pair = pair.filter(|(username, password)| is_pair(username, password));
        let (username, password) =
            pair.ok_or_else(|| shape("the secret is neither a JSON object nor username:password"))?;
        let keys = Keys::user_password(username.to_owned(), password.into());
        Ok(Self {
            registry: None,
            keys,
            expires_at: None,
        })
    }

    /// Reads one blob, or a JSON array of blobs, for an image built from several private registries.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, KeysError> {
        let text = text.trim();
        if !text.starts_with('[') {
            return Self::parse(text).map(|blob| vec![blob]);
        }
        let all: Vec<Value> = json::parse(text.as_bytes())
            .map_err(|error| shape(format!("the secrets aren't a JSON array: {error}")))?;
        if all.is_empty() {
            return Err(shape("the array of secrets is empty"));
        }
        all.iter()
            .map(|one| match one {
                Value::Object(object) => Self::from_object(object),
                _ => Err(shape("the array holds more than secrets' objects")),
            })
            .collect()
    }

    /// Beta9 makes a secret without registry and keys if the workspace has none of the image's named secrets.
    fn from_object(object: &Object) -> Result<Self, KeysError> {
        let (registry, credentials) = (member(object, "registry")?, member(object, "credentials")?);
        if registry.is_none() && credentials.is_none() {
            // All other members are names of environment variables; only this exact spelling is not.
            let keys = flat(object.iter().filter(|(name, _)| *name != EXPIRES_AT))?;
            return Ok(Self {
                registry: None,
                keys,
                expires_at: end(object.get(EXPIRES_AT))?,
            });
        }
        let mut blob = recorded(object, registry, credentials)?;
        blob.keys.names_missing = blob.registry.is_none() && blob.keys.is_empty();
        Ok(blob)
    }

    /// Writes the current format, byte for byte as Beta9 does: members and keys in alphabetical order, Go's escapes.
    ///
    /// Follows `MarshalCredentials` in Beta9's Go code.
    pub fn marshal(registry: &str, credential_type: CredentialType, keys: &Keys) -> Redacted {
        Self::marshal_until(registry, credential_type, keys, None)
    }

    /// The same with the keys' expiry, which other readers ignore.
    pub fn marshal_until(
        registry: &str,
        credential_type: CredentialType,
        keys: &Keys,
        expires_at: Option<SystemTime>,
    ) -> Redacted {
        json::text(&Written {
            credentials: keys
                .iter()
                .map(|(name, value)| (name, value.expose()))
                .collect(),
            registry,
            credential_type: credential_type.as_str(),
            expires_at: expires_at.map(|end| humantime::format_rfc3339_seconds(end).to_string()),
        })
        .into()
    }
}

/// Whether the two parts are a user name and a password, and not JSON behind a byte order mark or in quotes, or a URL: all
/// of that would go to the registry as a password.
fn is_pair(username: &str, password: &str) -> bool {
    let is_url = password.starts_with("//") && ["http", "https"].contains(&username);
    !(username.is_empty() || username.contains(['{', '[', '"']) || is_url)
}

/// The current format.
#[derive(Serialize)]
struct Written<'a> {
    credentials: BTreeMap<&'a str, &'a str>,
    registry: &'a str,
    #[serde(rename = "type")]
    credential_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

/// The `type` recorded beside the keys, for people only; code must not trust it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the word it is written as")]
pub enum CredentialType {
    Public,
    Basic,
    Token,
    Aws,
    Gcp,
    Azure,
    Unknown,
}

impl CredentialType {
    /// The word in the blob.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Basic => "basic",
            Self::Token => "token",
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Azure => "azure",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for CredentialType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `{"credentials":{…},"registry":…,"type":…}`, with or without `"version":1`; or the keys beside the registry.
fn recorded(
    object: &Object,
    registry: Option<&Value>,
    credentials: Option<&Value>,
) -> Result<Blob, KeysError> {
    match member(object, "version")? {
        None => {}
        Some(Value::Number(version)) if (version - 1.0).abs() < f64::EPSILON => {}
        Some(_) => {
            return Err(shape(
                "the secret's format version is not 1; a newer helper may know it",
            ));
        }
    }
    let registry = match registry {
        None | Some(Value::Null) => None,
        Some(Value::Text(text)) if text.is_empty() => None,
        Some(Value::Text(text)) => Some(registry_host(text.expose())?),
        Some(_) => return Err(shape("the secret's \"registry\" is not a text")),
    };
    let inner = match credentials {
        None | Some(Value::Null) => Keys::default(),
        Some(Value::Object(map)) => texts(map.iter())?,
        Some(_) => return Err(shape("the secret's \"credentials\" is not a map")),
    };
    let beside = object.iter().filter(|(name, _)| {
        !MEMBERS
            .iter()
            .any(|member| member.eq_ignore_ascii_case(name))
    });
    Ok(Blob {
        registry,
        keys: if inner.is_empty() {
            flat(beside)?
        } else {
            inner
        },
        expires_at: end(member(object, EXPIRES_AT)?)?,
    })
}

/// When the keys expire: RFC 3339, UTC, whole seconds. An unreadable expiry is an error, because it may have passed.
fn end(member: Option<&Value>) -> Result<Option<SystemTime>, KeysError> {
    let text = match member {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Text(text)) => text.expose(),
        Some(_) => "",
    };
    let end = humantime::parse_rfc3339(text)
        .ok()
        .filter(|_| text.len() == "2026-11-27T13:00:00Z".len());
    end.map(Some).ok_or_else(|| {
        shape("the secret's \"expires_at\" is not a time such as 2026-11-27T13:00:00Z")
    })
}

/// The member with this name, in any case, as in Go. Several are an error, because it is unclear which is meant.
fn member<'o>(object: &'o Object, wanted: &str) -> Result<Option<&'o Value>, KeysError> {
    let mut all = object
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
    match (all.next(), all.next()) {
        (_, Some(_)) => Err(shape(format!("the secret has \"{wanted}\" more than once"))),
        (one, None) => Ok(one.map(|(_, value)| value)),
    }
}

fn registry_host(text: &str) -> Result<Host, KeysError> {
    let url = ServerUrl::parse(text.as_bytes());
    let host = url.as_ref().ok().and_then(ServerUrl::host).cloned();
    host.ok_or_else(|| shape("the secret's \"registry\" is not a registry host"))
}

/// Keys that are all empty are an error, unlike no keys: they must not make a registry look public.
fn texts<'m>(map: impl Iterator<Item = (&'m str, &'m Value)>) -> Result<Keys, KeysError> {
    let (mut keys, mut empty) = (Keys::default(), None);
    for (name, value) in map {
        match value {
            Value::Null => _ = empty.get_or_insert(name),
            Value::Text(text) if text.is_empty() => _ = empty.get_or_insert(name),
            Value::Text(text) if !text.expose().contains('\0') => {
                keys.insert(name, text.clone())?;
            }
            _ => keys.unusable.push(name.to_owned()),
        }
    }
    if keys.is_empty() {
        keys.unusable.extend(empty.map(str::to_owned));
    }
    Ok(keys)
}

/// A flat map. If a value is itself a map of keys, its keys are used instead; keys outside take precedence.
fn flat<'m>(map: impl Iterator<Item = (&'m str, &'m Value)>) -> Result<Keys, KeysError> {
    let mut keys = texts(map)?;
    let nested: Vec<(String, Object)> = keys
        .iter()
        .filter_map(|(name, value)| Some((name.to_owned(), inner_map(value)?)))
        .collect();
    for (name, _) in &nested {
        keys.texts.remove(name);
    }
    for (_, inner) in &nested {
        let inner = texts(inner.iter())?;
        for (name, value) in inner.iter() {
            keys.insert(name, value.clone())?;
        }
        keys.unusable.extend(inner.unusable);
    }
    Ok(keys)
}

/// The JSON object in a text, if its names look like environment variables: a Google service-account key (`type`,
/// `project_id`, …) is a value as it stands.
fn inner_map(text: &Redacted) -> Option<Object> {
    let text = text.expose().trim_start();
    if !text.starts_with('{') {
        return None;
    }
    let object = json::parse_object(text.as_bytes()).ok()?;
    let environment_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let is_map =
        object.iter().next().is_some() && object.iter().all(|(name, _)| environment_name(name));
    is_map.then_some(object)
}

pub(super) fn shape(what: impl Into<Cow<'static, str>>) -> KeysError {
    KeysError::Shape(what.into())
}

/// Members beside the keys that aren't keys.
const MEMBERS: [&str; 5] = ["credentials", EXPIRES_AT, "registry", "type", "version"];
const EXPIRES_AT: &str = "expires_at";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<String>, Vec<String>) {
        let blob = Blob::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let keys = blob
            .keys
            .iter()
            .map(|(name, value)| format!("{name}={}", value.expose()))
            .collect();
        (blob.registry.map(|host| host.as_str().to_owned()), keys)
    }

    #[test]
    fn every_shape_in_the_field_is_read() {
        let ghcr = Some("ghcr.io".to_owned());
        let table = [
            (
                r#"{"registry":"ghcr.io","type":"token","credentials":{"GITHUB_USERNAME":"octo","GITHUB_TOKEN":"t"}}"#,
                ghcr.clone(),
                vec!["GITHUB_TOKEN=t", "GITHUB_USERNAME=octo"],
            ),
            (
                r#"{"version":1,"registry":"https://GHCR.io/v2/","type":"ghcr","credentials":{"GITHUB_TOKEN":"t"}}"#,
                ghcr.clone(),
                vec!["GITHUB_TOKEN=t"],
            ),
            (
                r#"{"registry":"ghcr.io","type":"public","credentials":null}"#,
                ghcr,
                vec![],
            ),
            (
                r#"{"USERNAME":"u","PASSWORD":"p","AWS_SESSION_TOKEN":""}"#,
                None,
                vec!["PASSWORD=p", "USERNAME=u"],
            ),
            (
                r#"{"PASSWORD":"{\"AWS_ACCESS_KEY_ID\":\"A\",\"AWS_REGION\":\"in\"}","AWS_REGION":"out"}"#,
                None,
                vec!["AWS_ACCESS_KEY_ID=A", "AWS_REGION=out"],
            ),
            (
                r#"{"GOOGLE_APPLICATION_CREDENTIALS":"{\"type\":\"service_account\"}"}"#,
                None,
                vec![r#"GOOGLE_APPLICATION_CREDENTIALS={"type":"service_account"}"#],
            ),
            (
                "user:pa:ss{word}\n",
                None,
                vec!["PASSWORD=pa:ss{word}", "USERNAME=user"],
            ),
        ];
        for (text, registry, keys) in table {
            assert_eq!(
                read(text),
                (registry, keys.into_iter().map(String::from).collect()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_has_no_known_shape_is_an_error_that_quotes_nothing() {
        let table = [
            r#"{"registry":"hunter2@evil","type":"basic","credentials":{}}"#,
            r#"{"registry":7,"credentials":{}}"#,
            r#"{"version":2,"registry":"ghcr.io","credentials":{"A":"hunter2"}}"#,
            r#"{"credentials":"hunter2"}"#,
            r#"{"registry":"ghcr.io","Registry":"hunter2.example","USERNAME":"u","PASSWORD":"p"}"#,
            r#"{"registry":"ghcr.io","credentials":{},"Credentials":{"USERNAME":"u","PASSWORD":"hunter2"}}"#,
            r#"{"VERSION":1,"version":1,"registry":"ghcr.io","credentials":{"USERNAME":"u","PASSWORD":"hunter2"}}"#,
            "beam_secret_hunter2:x",
            r#"{"AWS_SECRET_ACCESS_KEY":"hunter2""#,
            "[\"hunter2\"]",
            "\u{feff}{\"USERNAME\":\"u\",\"PASSWORD\":\"hunter2\"}",
            r#"'{"USERNAME":"u","PASSWORD":"hunter2"}'"#,
            r#""{\"USERNAME\":\"u\",\"PASSWORD\":\"hunter2\"}""#,
            "\"u:hunter2\"",
            "https://u:hunter2@ghcr.io",
            "hunter2",
            ":hunter2",
            "",
        ];
        for text in table {
            let error = Blob::parse(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn an_end_is_read_from_every_json_shape_and_is_not_a_key() {
        let end = |text: &str| {
            Blob::parse(text)
                .unwrap()
                .expires_at
                .map(|end| humantime::format_rfc3339(end).to_string())
        };
        let known = Some("2026-11-27T13:00:00Z".to_owned());
        for text in [
            r#"{"credentials":{"A":"a"},"registry":"ghcr.io","type":"basic","expires_at":"2026-11-27T13:00:00Z"}"#,
            r#"{"credentials":{"A":"a"},"registry":"","Expires_At":"2026-11-27T13:00:00Z"}"#,
            r#"{"registry":"ghcr.io","A":"a","expires_at":"2026-11-27T13:00:00Z"}"#,
            r#"{"A":"a","expires_at":"2026-11-27T13:00:00Z"}"#,
        ] {
            assert_eq!(end(text), known, "{text}");
            assert_eq!(
                Blob::parse(text).unwrap().keys.names().collect::<Vec<_>>(),
                ["A"]
            );
        }
        assert_eq!(end(r#"{"credentials":{"A":"a"},"expires_at":null}"#), None);
        assert_eq!(end("u:p"), None);
        // A tenant's own key counts as a key.
        assert!(
            Blob::parse(r#"{"A":"a","EXPIRES_AT":"soon"}"#)
                .unwrap()
                .keys
                .has("EXPIRES_AT")
        );
        let blob = Blob::parse(r#"{"A":"a","expires_at":"2026-11-27T13:00:00Z"}"#).unwrap();
        let written = Blob::marshal_until(
            "ghcr.io",
            CredentialType::Basic,
            &blob.keys,
            blob.expires_at,
        );
        assert_eq!(
            written.expose(),
            r#"{"credentials":{"A":"a"},"registry":"ghcr.io","type":"basic","expires_at":"2026-11-27T13:00:00Z"}"#
        );
        assert_eq!(
            Blob::parse(written.expose()).unwrap().expires_at,
            blob.expires_at
        );
    }

    #[test]
    fn the_current_format_is_written_as_beta9_writes_it() {
        let mut keys = Keys::default();
        keys.insert("GITHUB_USERNAME", "octo".into()).unwrap();
        keys.insert("GITHUB_TOKEN", "ghp_<x>&".into()).unwrap();
        assert_eq!(
            Blob::marshal("ghcr.io", CredentialType::Token, &keys).expose(),
            r#"{"credentials":{"GITHUB_TOKEN":"ghp_\u003cx\u003e\u0026","GITHUB_USERNAME":"octo"},"registry":"ghcr.io","type":"token"}"#
        );
    }

    #[test]
    fn no_error_quotes_a_blob() {
        use crate::json::tests::no_error_quotes_a_value;
        let read = |text: &[u8]| Blob::parse(std::str::from_utf8(text).unwrap());
        let bound = r#"{"credentials":{"A":"hunter2"},"registry":"ghcr.io","type":"basic","version":1,"expires_at":null}"#;
        no_error_quotes_a_value(bound, read);
        no_error_quotes_a_value(r#"{"A":"hunter2","expires_at":null}"#, read);
        let all = |text: &[u8]| Blob::parse_all(std::str::from_utf8(text).unwrap());
        no_error_quotes_a_value(&format!("[{bound}]"), all);
    }
}
