//! Keys at build time: the values of a list of environment variables, or a map with the values.

use serde::Deserialize;

use super::blob::shape;
use super::{Keys, KeysError};
use crate::credential::Redacted;
use crate::json::{self, Value};
use crate::shown::shown;

/// Beta9's `base_image_creds`.
#[derive(Clone, Debug)]
pub enum BaseImageCreds {
    /// Names only.
    Names(Vec<String>),
    /// Names and values.
    Keys(Keys),
}

impl BaseImageCreds {
    /// Parses JSON: a list of names, or a map from names to values.
    pub fn parse(json: &[u8]) -> Result<Self, KeysError> {
        let parsed = json::parse(json);
        match parsed.map_err(|error| shape(format!("the credentials aren't JSON: {error}")))? {
            names @ Value::Array(_) => Vec::deserialize(names)
                .map(Self::Names)
                .map_err(|_| shape("the list of credentials holds more than names")),
            Value::Object(map) => {
                let mut keys = Keys::default();
                for (name, value) in map.iter() {
                    match value {
                        Value::Text(text) if !text.is_empty() => keys.insert(name, text.clone())?,
                        _ => return Err(KeysError::Value(name.to_owned())),
                    }
                }
                keys.check_pairs()?;
                Ok(Self::Keys(keys))
            }
            _ => Err(shape(
                "the credentials are neither a list of names nor a map",
            )),
        }
    }
}

impl Keys {
    /// The values of `names`. Fails with all names that are unset or empty, or with both names of an incomplete pair.
    ///
    /// Follows `ParseCredentialsFromEnv` in Beta9's Go code, which drops `GITHUB_USERNAME` and others, whereas this
    /// keeps every requested key. It reads through `lookup`, so tests need not change the process's environment.
    pub fn from_environment<'a>(
        names: impl IntoIterator<Item = &'a str>,
        lookup: impl Fn(&str) -> Option<Redacted>,
    ) -> Result<Self, KeysError> {
        let (keys, unset) = Self::found(names, lookup)?;
        if !unset.is_empty() {
            return Err(KeysError::Unset(unset));
        }
        keys.check_pairs()?;
        Ok(keys)
    }

    /// The values of `names`, and the names that are unset or empty.
    pub fn found<'a>(
        names: impl IntoIterator<Item = &'a str>,
        lookup: impl Fn(&str) -> Option<Redacted>,
    ) -> Result<(Self, Vec<String>), KeysError> {
        let (mut keys, mut unset) = (Self::default(), Vec::new());
        for name in names {
            if name.is_empty() || name.contains(char::is_control) {
                return Err(KeysError::Name);
            }
            // Callers who choose the names must not be able to copy the control plane's own tokens into a workspace's
            // secret.
            if SETTINGS.iter().any(|prefix| name.starts_with(prefix)) {
                return Err(KeysError::Setting(shown(name).to_string()));
            }
            match lookup(name).filter(|value| !value.is_empty()) {
                Some(value) => keys.insert(name, value)?,
                None => unset.push(name.to_owned()),
            }
        }
        Ok((keys, unset))
    }

    /// Beta9's `base_image_creds` in JSON: a list of environment names, or a map from names to values.
    pub fn from_base_image_creds(
        json: &[u8],
        lookup: impl Fn(&str) -> Option<Redacted>,
    ) -> Result<Self, KeysError> {
        match BaseImageCreds::parse(json)? {
            BaseImageCreds::Names(names) => {
                Self::from_environment(names.iter().map(String::as_str), lookup)
            }
            BaseImageCreds::Keys(keys) => Ok(keys),
        }
    }
}

const SETTINGS: [&str; 2] = ["BETA9_", "BEAM_"];

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "it stands in for the environment")]
    fn set(name: &str) -> Option<Redacted> {
        Some(
            if name == "EMPTY" {
                String::new()
            } else {
                format!("value of {name}")
            }
            .into(),
        )
    }

    #[test]
    fn a_list_is_looked_up_and_a_map_is_taken_as_it_is() {
        let list =
            Keys::from_base_image_creds(br#"["GITHUB_USERNAME","GITHUB_TOKEN"]"#, set).unwrap();
        assert_eq!(
            list.get("GITHUB_TOKEN").unwrap().expose(),
            "value of GITHUB_TOKEN"
        );
        assert_eq!(
            list.names().collect::<Vec<_>>(),
            ["GITHUB_TOKEN", "GITHUB_USERNAME"]
        );
        let map = Keys::from_base_image_creds(br#"{"NGC_API_KEY":"k"}"#, |_| None).unwrap();
        assert_eq!(map.get("NGC_API_KEY").unwrap().expose(), "k");
        assert!(Keys::from_base_image_creds(b"[]", set).unwrap().is_empty());
    }

    #[test]
    fn every_unset_or_empty_variable_is_named_at_once() {
        let lookup = |name: &str| (name == "A").then(|| "x".into());
        let error = Keys::from_environment(["A", "B", "C"], lookup).unwrap_err();
        assert_eq!(
            error.to_string(),
            "B, C are unset or empty in the environment"
        );
        let error = Keys::from_environment(["EMPTY"], set).unwrap_err();
        assert_eq!(
            error.to_string(),
            "EMPTY is unset or empty in the environment"
        );
    }

    #[test]
    fn the_programs_own_settings_are_no_keys() {
        for name in ["BETA9_TOKEN", "BETA9_DATABASE_URL", "BEAM_TOKEN"] {
            let error =
                Keys::from_environment(["GITHUB_USERNAME", "GITHUB_TOKEN", name], set).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("{name} is a setting of this program, not a registry's key")
            );
        }
    }

    #[test]
    fn half_a_pair_and_other_shapes_are_errors() {
        let creds = |json: &str| {
            Keys::from_base_image_creds(json.as_bytes(), set)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            creds(r#"["GITHUB_TOKEN"]"#),
            "GITHUB_TOKEN is set without GITHUB_USERNAME; set both or neither"
        );
        assert_eq!(
            creds(r#"{"DOCKERHUB_USERNAME":"u"}"#),
            "DOCKERHUB_USERNAME is set without DOCKERHUB_PASSWORD or DOCKERHUB_TOKEN; set both or neither"
        );
        assert_eq!(
            creds(r#"{"USERNAME":"u","PASSWORD":""}"#),
            "the value of PASSWORD is not a usable text"
        );
        assert_eq!(
            creds(r#"{"USERNAME":1}"#),
            "the value of USERNAME is not a usable text"
        );
        assert_eq!(
            creds("[1]"),
            "the list of credentials holds more than names"
        );
        assert_eq!(
            creds("7"),
            "the credentials are neither a list of names nor a map"
        );
    }

    #[test]
    fn no_error_quotes_a_value_given_at_build_time() {
        use crate::json::tests::no_error_quotes_a_value;
        no_error_quotes_a_value(r#"{"A":"hunter2"}"#, BaseImageCreds::parse);
        no_error_quotes_a_value(r#"["hunter2"]"#, BaseImageCreds::parse);
    }
}
