//! `Blob`: the text inside a workspace secret, in all the shapes that are in the field, and the one that is written.

use std::fmt;

use super::{Keys, KeysError};
use crate::credential::Redacted;
use crate::host::{Host, ServerUrl};
use crate::json::{self, Object, Value};

/// A workspace secret's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The registry recorded inside; `None` for flat and legacy shapes, which only their carrier binds to a registry.
    pub registry: Option<Host>,
    /// The keys.
    pub keys: Keys,
}

impl Blob {
    /// Reads any of the shapes: current, versioned (`"version":1`), flat map, nested map, `username:password`.
    ///
    /// This is the seeds' `UnmarshalCredentials`. Text that begins with `{` or `[` is JSON or an error, never a
    /// password, and the recorded `type` is not trusted: the keys and the host decide.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let text = text.trim();
        if text.starts_with(['{', '[']) {
            let object = json::parse_object(text.as_bytes())
                .map_err(|error| shape(format!("the secret is no JSON object: {error}")))?;
            return Self::from_object(&object);
        }
        let (username, password) = text
            .split_once(':')
            .filter(|(username, _)| !username.is_empty())
            .ok_or_else(|| shape("the secret is neither a JSON object nor username:password".to_owned()))?;
        Ok(Self { registry: None, keys: Keys::user_password(username.to_owned(), password.into()) })
    }

    /// Reads one blob, or a JSON array of them: the secrets of an image that is built from several private registries.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, KeysError> {
        let text = text.trim();
        if !text.starts_with('[') {
            return Self::parse(text).map(|blob| vec![blob]);
        }
        let parsed = json::parse(text.as_bytes());
        let Value::Array(all) = parsed.map_err(|error| shape(format!("the secrets are no JSON array: {error}")))?
        else {
            return Err(shape("the secrets are no JSON array".to_owned()));
        };
        all.iter()
            .map(|one| match one {
                Value::Object(object) => Self::from_object(object),
                _ => Err(shape("the array holds more than secrets' objects".to_owned())),
            })
            .collect()
    }

    fn from_object(object: &Object) -> Result<Self, KeysError> {
        if object.get("credentials").is_some() || object.get("registry").is_some() {
            recorded(object)
        } else {
            Ok(Self { registry: None, keys: flat(object)? })
        }
    }

    /// Writes the current format, byte for byte as Beta9 does: members in this order, keys sorted, Go's escapes.
    ///
    /// This is the seeds' `MarshalCredentials`.
    #[must_use]
    pub fn marshal(registry: &str, credential_type: CredentialType, keys: &Keys) -> Redacted {
        let mut out = String::from("{\"registry\":");
        json::write_go_string(&mut out, registry);
        out.push_str(",\"type\":\"");
        out.push_str(credential_type.as_str());
        out.push_str("\",\"credentials\":{");
        for (index, (name, value)) in keys.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            json::write_go_string(&mut out, name);
            out.push(':');
            json::write_go_string(&mut out, value.expose());
        }
        out.push_str("}}");
        out.into()
    }
}

/// The `type` that is recorded beside the keys, for people; nobody's code may trust it.
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
    #[must_use]
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

/// `{"registry":…,"type":…,"credentials":{…}}`, with or without `"version":1`.
fn recorded(object: &Object) -> Result<Blob, KeysError> {
    match object.get("version") {
        None => {}
        Some(Value::Number(version)) if (version - 1.0).abs() < f64::EPSILON => {}
        Some(_) => return Err(shape("the secret's format version is not 1; a newer helper may know it".to_owned())),
    }
    let registry = match object.get("registry") {
        None | Some(Value::Null) => None,
        Some(Value::Text(text)) if text.is_empty() => None,
        Some(Value::Text(text)) => Some(registry_host(text.expose())?),
        Some(_) => return Err(shape("the secret's \"registry\" is not a text".to_owned())),
    };
    let keys = match object.get("credentials") {
        None | Some(Value::Null) => Keys::default(),
        Some(Value::Object(map)) => texts(map)?,
        Some(_) => return Err(shape("the secret's \"credentials\" is not a map".to_owned())),
    };
    Ok(Blob { registry, keys })
}

fn registry_host(text: &str) -> Result<Host, KeysError> {
    let url = ServerUrl::parse(text.as_bytes());
    let host = url.as_ref().ok().and_then(ServerUrl::host).cloned();
    host.ok_or_else(|| shape("the secret's \"registry\" is not a registry host".to_owned()))
}

fn texts(map: &Object) -> Result<Keys, KeysError> {
    let mut keys = Keys::default();
    for (name, value) in map.iter() {
        let Value::Text(text) = value else { return Err(KeysError::Value { key: name.to_owned() }) };
        keys.insert(name, text.clone())?;
    }
    Ok(keys)
}

/// A flat map. A value that is itself a map of keys gives its keys and is not one itself; what stands outside wins.
fn flat(object: &Object) -> Result<Keys, KeysError> {
    let mut keys = Keys::default();
    let mut nested = Vec::new();
    for (name, value) in object.iter() {
        let Value::Text(text) = value else { return Err(KeysError::Value { key: name.to_owned() }) };
        match inner_map(text) {
            Some(inner) => nested.push(inner),
            None => keys.insert(name, text.clone())?,
        }
    }
    for (name, value) in nested.iter().flat_map(Object::iter) {
        let Value::Text(text) = value else { return Err(KeysError::Value { key: name.to_owned() }) };
        keys.insert(name, text.clone())?;
    }
    Ok(keys)
}

/// The JSON object in a text, if its names look like environment variables: a Google service-account key (`type`,
/// `project_id`, …) is a value as it stands.
fn inner_map(text: &Redacted) -> Option<Object> {
    let text = text.expose().trim_start();
    let object = text.starts_with('{').then(|| json::parse_object(text.as_bytes()).ok()).flatten()?;
    let environment_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let is_map = object.iter().next().is_some() && object.iter().all(|(name, _)| environment_name(name));
    is_map.then_some(object)
}

fn shape(what: String) -> KeysError {
    KeysError::Shape(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<String>, Vec<String>) {
        let blob = Blob::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let keys = blob.keys.iter().map(|(name, value)| format!("{name}={}", value.expose())).collect();
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
            (r#"{"registry":"ghcr.io","type":"public","credentials":null}"#, ghcr, vec![]),
            (r#"{"USERNAME":"u","PASSWORD":"p","AWS_SESSION_TOKEN":""}"#, None, vec!["PASSWORD=p", "USERNAME=u"]),
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
            ("user:pa:ss{word}\n", None, vec!["PASSWORD=pa:ss{word}", "USERNAME=user"]),
        ];
        for (text, registry, keys) in table {
            assert_eq!(read(text), (registry, keys.into_iter().map(String::from).collect()), "{text}");
        }
    }

    #[test]
    fn what_has_no_known_shape_is_an_error_that_quotes_nothing() {
        let table = [
            r#"{"registry":"hunter2@evil","type":"basic","credentials":{}}"#,
            r#"{"registry":7,"credentials":{}}"#,
            r#"{"version":2,"registry":"ghcr.io","credentials":{"A":"hunter2"}}"#,
            r#"{"credentials":"hunter2"}"#,
            r#"{"USERNAME":["hunter2"]}"#,
            r#"{"AWS_SECRET_ACCESS_KEY":"hunter2""#,
            "[\"hunter2\"]",
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
    fn the_current_format_is_written_as_beta9_writes_it() {
        let mut keys = Keys::default();
        keys.insert("GITHUB_USERNAME", "octo".into()).unwrap();
        keys.insert("GITHUB_TOKEN", "ghp_<x>&".into()).unwrap();
        assert_eq!(
            Blob::marshal("ghcr.io", CredentialType::Token, &keys).expose(),
            r#"{"registry":"ghcr.io","type":"token","credentials":{"GITHUB_TOKEN":"ghp_\u003cx\u003e\u0026","GITHUB_USERNAME":"octo"}}"#
        );
    }
}
