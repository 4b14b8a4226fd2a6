//! Strict JSON for what others write: one document, no key twice, every text a secret until proven otherwise; and, in
//! `write`, Go's way of writing, for the bytes that Beta9 writes.
//!
//! `serde_json`'s own `Value` keeps the last of two equal keys and its type errors quote the value; neither will do here.

mod write;

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::credential::Redacted;
pub use write::{ObjectWriter, write_go_string};

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
    /// An object, in the order written, without two equal keys.
    Object(Object),
}

/// An object's members in the order written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(Vec<(String, Value)>);

/// What is wrong with a JSON text; never quotes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError(String);

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads exactly one JSON document.
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    serde_json::from_slice(text).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Eof => "it ends too early",
            // The only data error that `Value` raises is the one for a repeated key.
            serde_json::error::Category::Data => "a key stands in it twice",
            _ => "it is not well-formed",
        };
        JsonError(format!(
            "{what} (line {}, column {})",
            error.line(),
            error.column()
        ))
    })
}

/// Reads exactly one JSON object.
pub fn parse_object(text: &[u8]) -> Result<Object, JsonError> {
    match parse(text)? {
        Value::Object(object) => Ok(object),
        _ => Err(JsonError("it is not an object".to_owned())),
    }
}

impl Object {
    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0
            .iter()
            .find_map(|(name, value)| (name == key).then_some(value))
    }

    /// The text of `key`, where it has one.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&Redacted> {
        match self.get(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The number of seconds of `key`, where it has one that a time can be.
    #[must_use]
    pub fn seconds(&self, key: &str) -> Option<Duration> {
        match self.get(key) {
            Some(Value::Number(seconds)) => Duration::try_from_secs_f64(*seconds).ok(),
            _ => None,
        }
    }

    /// All members.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
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
        // Not hashed: the keys of a hash table cost a system call, and most objects have three members.
        let mut seen = std::collections::BTreeSet::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if !seen.insert(name.clone()) {
                return Err(de::Error::custom("repeated key"));
            }
            members.push((name, value));
        }
        Ok(Value::Object(Object(members)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_key_trailing_text_or_a_broken_document_is_an_error_that_quotes_nothing() {
        for text in [
            r#"{"hunter2":"hunter2","hunter2":1}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":"hunter2"} x"#,
            r#"{"a":"hunter2"#,
            "",
            "{'hunter2'}",
        ] {
            let error = parse_object(text.as_bytes()).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert_eq!(
            parse(br#"{"a":1,"a":2}"#).unwrap_err().to_string(),
            "a key stands in it twice (line 1, column 13)"
        );
        assert_eq!(
            parse_object(b"[]").unwrap_err().to_string(),
            "it is not an object"
        );
    }
}
