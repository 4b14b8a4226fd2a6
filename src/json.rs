//! Strict reading of others' JSON: exactly one document, no repeated key among those that are read, and every string of
//! a [`Value`] treated as a secret. `write` produces the same bytes as Go's encoder, which Beta9 uses.
//!
//! `serde`'s error texts quote values, so only the class, line and column of its errors are reported. `serde_json`'s
//! own `Value` is unsuitable: it keeps the last of two equal keys, and does not zero its strings.

mod loose;
mod write;

use std::fmt;

use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use crate::credential::Redacted;
pub use loose::Loose;
pub use write::{line, text};

/// A JSON value whose strings are secrets.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Any number.
    Number(f64),
    /// A string.
    Text(Redacted),
    /// An array.
    Array(Vec<Value>),
    /// An object: its members in the order written, without repeated keys.
    Object(Object),
}

/// An object's members in the order written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(Vec<(String, Value)>);

/// What is wrong with a JSON text, without quoting it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(String);

impl JsonError {
    /// Describes `error`: a fault of the text itself, or else a value of the wrong type.
    fn of(text: &[u8], error: serde_json::Error) -> Self {
        let (what, error) = match serde_json::from_slice::<Value>(text) {
            Ok(_) => ("it does not have the expected form", error),
            Err(error) => match error.classify() {
                Category::Eof => ("it ends too early", error),
                // The only data error that `Value` raises is the one for a repeated key.
                Category::Data => ("a key stands in it twice", error),
                _ => ("it is not well-formed", error),
            },
        };
        let (line, column) = (error.line(), error.column());
        Self(format!("{what} (line {line}, column {column})"))
    }
}

/// Reads exactly one JSON document. Fails on syntax errors, trailing text, repeated keys and wrong types.
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, JsonError> {
    serde_json::from_slice(text).map_err(|error| JsonError::of(text, error))
}

/// Reads exactly one JSON object into a struct. (`serde` alone would also accept an array.)
pub fn object<T: DeserializeOwned>(text: &[u8]) -> Result<T, JsonError> {
    if text.trim_ascii_start().starts_with(b"{") {
        return parse(text);
    }
    parse::<Value>(text)?;
    Err(JsonError("it is not an object".to_owned()))
}

/// Reads exactly one JSON object in which no key appears twice, even a key that `T` does not have.
pub fn strict_object<T: DeserializeOwned>(text: &[u8]) -> Result<T, JsonError> {
    T::deserialize(Value::Object(parse_object(text)?))
        .map_err(|mismatch| JsonError(mismatch.to_string()))
}

/// Reads exactly one JSON object with all its members.
pub fn parse_object(text: &[u8]) -> Result<Object, JsonError> {
    object(text)
}

impl Object {
    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0
            .iter()
            .find_map(|(name, value)| (name == key).then_some(value))
    }

    /// The string value of `key`, if it has one.
    pub fn text(&self, key: &str) -> Option<&Redacted> {
        match self.get(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// All members.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Object(object) => Ok(object),
            _ => Err(de::Error::custom("not an object")),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a format version is small; nothing else here is a number"
    )]
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "as above")]
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members: Vec<(String, Value)> = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(de::Error::custom("repeated key"));
        }
        Ok(Value::Object(Object(members)))
    }
}

#[cfg(test)]
pub(crate) mod tests;
