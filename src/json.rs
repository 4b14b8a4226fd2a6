//! Strict JSON for what others write: one document, no key twice, every text a secret until proven otherwise; and Go's
//! way of writing strings, for the bytes that Beta9 writes.
//!
//! `serde_json`'s own `Value` keeps the last of two equal keys and its type errors quote the value; neither will do here.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use crate::credential::Redacted;

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
        JsonError(format!("{what} (line {}, column {})", error.line(), error.column()))
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
        self.0.iter().find_map(|(name, value)| (name == key).then_some(value))
    }

    /// The text of `key`, where it has one.
    #[must_use]
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

/// Appends `text` as Go's `encoding/json` writes it: `<`, `>`, `&`, U+2028 and U+2029 escaped, so that what this
/// crate writes is byte for byte what Beta9 writes (<https://pkg.go.dev/encoding/json#Marshal>).
pub fn write_go_string(out: &mut String, text: &str) {
    use fmt::Write;

    out.push('"');
    let mut rest = text;
    // What needs no escape is copied as it is, found byte by byte: a cloud's token is one such stretch of 2,600 bytes.
    while let Some(at) = rest.bytes().position(may_need_escape) {
        let (plain, from) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = from.chars();
        let Some(c) = chars.next() else { break };
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("because writing to a String cannot fail");
            }
            _ => out.push(c),
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// Whether a byte stands for itself wherever it comes; 0xE2 begins U+2028 and U+2029, among others.
fn may_need_escape(byte: u8) -> bool {
    matches!(byte, 0..=0x1f | b'"' | b'\\' | b'<' | b'>' | b'&' | 0xe2)
}

/// Writes one object, member by member, in Go's way.
pub struct ObjectWriter {
    out: Zeroizing<String>,
}

impl ObjectWriter {
    /// An object whose text will have about this many bytes: what is secret should not have to move.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        let mut out = Zeroizing::new(String::with_capacity(bytes));
        out.push('{');
        Self { out }
    }

    /// A text member.
    pub fn text(&mut self, name: &str, value: &str) -> &mut Self {
        self.name(name);
        write_go_string(&mut self.out, value);
        self
    }

    /// A text member, or `null`.
    pub fn optional(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(name, value),
            None => self.raw(name, "null"),
        }
    }

    /// `true` or `false`.
    pub fn flag(&mut self, name: &str, value: bool) -> &mut Self {
        self.raw(name, if value { "true" } else { "false" })
    }

    /// A whole number.
    pub fn number(&mut self, name: &str, value: u64) -> &mut Self {
        self.raw(name, &value.to_string())
    }

    /// A number with three decimals.
    pub fn decimal(&mut self, name: &str, value: f64) -> &mut Self {
        self.raw(name, &format!("{value:.3}"))
    }

    /// A member whose value is an object, or `null`.
    pub fn object(&mut self, name: &str, value: Option<ObjectWriter>) -> &mut Self {
        match value {
            Some(value) => self.raw(name, value.finish().trim_end()),
            None => self.raw(name, "null"),
        }
    }

    /// An array of objects.
    pub fn objects(&mut self, name: &str, values: impl IntoIterator<Item = ObjectWriter>) -> &mut Self {
        let values: Vec<_> = values.into_iter().map(|value| value.finish().trim_end().to_owned()).collect();
        self.raw(name, &format!("[{}]", values.join(",")))
    }

    /// An array of texts.
    pub fn texts<'a>(&mut self, name: &str, values: impl IntoIterator<Item = &'a str>) -> &mut Self {
        self.name(name);
        self.out.push('[');
        for (index, value) in values.into_iter().enumerate() {
            self.out.push_str(if index > 0 { "," } else { "" });
            write_go_string(&mut self.out, value);
        }
        self.out.push(']');
        self
    }

    /// An object within it, written in its place: what is secret in it is not copied.
    pub fn within(&mut self, name: &str, write: impl FnOnce(&mut Self)) -> &mut Self {
        self.raw(name, "{");
        write(self);
        self.out.push('}');
        self
    }

    /// The whole object on one line.
    #[must_use]
    pub fn finish(mut self) -> Zeroizing<String> {
        self.out.push_str("}\n");
        self.out
    }

    fn raw(&mut self, name: &str, value: &str) -> &mut Self {
        self.name(name);
        self.out.push_str(value);
        self
    }

    fn name(&mut self, name: &str) {
        if !self.out.ends_with('{') {
            self.out.push(',');
        }
        write_go_string(&mut self.out, name);
        self.out.push(':');
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

    #[expect(clippy::cast_precision_loss, reason = "a format version is small; nothing else here is a number")]
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
        assert_eq!(parse(br#"{"a":1,"a":2}"#).unwrap_err().to_string(), "a key stands in it twice (line 1, column 13)");
        assert_eq!(parse_object(b"[]").unwrap_err().to_string(), "it is not an object");
    }

    #[test]
    fn strings_are_written_as_go_writes_them() {
        let mut out = String::new();
        write_go_string(&mut out, "<a>&\"\\\n\r\t\u{8}\u{c}\u{1}\u{7f}\u{2028}\u{2029}é☃");
        assert_eq!(out, "\"\\u003ca\\u003e\\u0026\\\"\\\\\\n\\r\\t\\b\\f\\u0001\u{7f}\\u2028\\u2029é☃\"");
    }
}
