//! JSON as Go's `encoding/json` puts it into a struct, which is how clients read their files
//! (<https://pkg.go.dev/encoding/json#Unmarshal>): names in any case, the last of equal ones, `null` for nothing.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use crate::credential::Redacted;

/// A value, as far as a client's file needs it. Every text may be a password.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// `null`
    Null,
    /// A string.
    Text(Redacted),
    /// An object's members in the order written.
    Object(Vec<(String, Value)>),
    /// An array.
    List(Vec<Value>),
    /// `true`, `false` or a number.
    Other,
}

/// The first value of a text, and whether something follows it: Go's decoder, which docker uses, leaves that alone, and
/// its `Unmarshal`, which podman uses, refuses it.
pub(crate) fn parse(text: &str) -> Result<(Value, bool), String> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Value::deserialize(&mut deserializer).map_err(|error| {
        let what = match error.classify() {
            Category::Eof => "it ends too early",
            _ => "it is not well-formed",
        };
        format!("{what} (line {}, column {})", error.line(), error.column())
    })?;
    Ok((value, deserializer.end().is_err()))
}

impl Value {
    /// The member that counts.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else {
            return None;
        };
        let mut all = members
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        all.next_back().map(|(_, value)| value)
    }

    /// The text of a member; empty where there is none, and `Err` where it is something else.
    pub(crate) fn text(&self, name: &str) -> Result<Redacted, ()> {
        match self.member(name) {
            None | Some(Self::Null) => Ok(Redacted::default()),
            Some(Self::Text(text)) => Ok(text.clone()),
            Some(_) => Err(()),
        }
    }

    /// The members of a map, each once; `Err` where it is something else.
    pub(crate) fn map(&self, name: &str) -> Result<Vec<(&str, &Self)>, ()> {
        let members = match self.member(name) {
            None | Some(Self::Null) => return Ok(Vec::new()),
            Some(Self::Object(members)) => members,
            Some(_) => return Err(()),
        };
        let mut map: Vec<(&str, &Self)> = Vec::with_capacity(members.len());
        for (key, value) in members {
            match map.iter_mut().find(|(known, _)| known == key) {
                Some((_, last)) => *last = value,
                None => map.push((key, value)),
            }
        }
        Ok(map)
    }

    /// The names of the members.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let members = match self {
            Self::Object(members) => members.as_slice(),
            _ => &[],
        };
        members.iter().map(|(name, _)| name.as_str())
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

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Value::Object(members))
    }
}
