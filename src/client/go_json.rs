//! JSON as Go's `encoding/json` puts it into a struct, which is how clients read their files
//! (<https://pkg.go.dev/encoding/json#Unmarshal>): names in any case, the last of equal ones, `null` for nothing.

use indexmap::IndexMap;
use serde::de::DeserializeSeed;
use serde_json::error::Category;

use crate::credential::Redacted;
use crate::json::{Object, Value, ValueVisitor};

/// The first value of a text, and whether something follows it: Go's decoder, which docker uses, leaves that alone, and
/// its `Unmarshal`, which podman uses, refuses it.
pub(crate) fn parse(text: &str) -> Result<(Value, bool), String> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = ValueVisitor { strict: false }.deserialize(&mut deserializer);
    let value = value.map_err(|error| {
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
    fn member(&self, name: &str) -> Option<&Self> {
        let found = self
            .members()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found
            .last()
            .map(|(_, value)| value)
            .filter(|value| **value != Self::Null)
    }

    /// The members of an object.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &Self)> {
        let object = match self {
            Self::Object(object) => Some(object),
            _ => None,
        };
        object.into_iter().flat_map(Object::iter)
    }

    /// The text of a member; empty where there is none.
    pub(crate) fn text(&self, name: &str) -> Result<Redacted, String> {
        match self.member(name) {
            None => Ok(Redacted::default()),
            Some(Self::Text(text)) => Ok(text.clone()),
            Some(_) => Err(format!("its {name} is not a text")),
        }
    }

    /// The members of a map, each once.
    pub(crate) fn map(&self, name: &str) -> Result<IndexMap<&str, &Self>, String> {
        match self.member(name) {
            None => Ok(IndexMap::new()),
            Some(map @ Self::Object(_)) => Ok(map.members().collect()),
            Some(_) => Err(format!("its {name} is not an object")),
        }
    }
}
