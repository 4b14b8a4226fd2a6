//! JSON as Go's `encoding/json` decodes it into a struct, which is how clients read their files
//! (<https://pkg.go.dev/encoding/json#Unmarshal>): names match in any case, the last of several equal names wins, and
//! `null` counts as missing.

use std::fmt;

use indexmap::IndexMap;
use serde::de::{Deserialize, Deserializer as _, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::credential::Redacted;

/// An unparsed value. Only what is needed is parsed, so numbers of any length and lists of any depth are accepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'a>(&'a RawValue);

/// An object's members in the order written, including repeated ones; `None` for any other value.
pub(crate) fn members(object: &RawValue) -> Option<Vec<(String, &RawValue)>> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(member) = map.next_entry()? {
                all.push(member);
            }
            Ok(all)
        }
    }
    serde_json::Deserializer::from_str(object.get())
        .deserialize_map(Members)
        .ok()
}

/// The first value of a text, and whether more text follows. Go's decoder, which docker uses, ignores that;
/// `Unmarshal`, which podman uses, refuses it.
pub(crate) fn parse(text: &str) -> Result<(Value<'_>, bool), String> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = <&RawValue>::deserialize(&mut deserializer).map_err(|error| {
        let what = match error.classify() {
            Category::Eof => "it ends too early",
            _ => "it is not well-formed",
        };
        format!("{what} (line {}, column {})", error.line(), error.column())
    })?;
    Ok((Value(value), deserializer.end().is_err()))
}

impl Value<'_> {
    pub(crate) fn is_null(self) -> bool {
        self.0.get() == "null"
    }

    pub(crate) fn is_object(self) -> bool {
        self.0.get().starts_with('{')
    }

    /// All members in the order written.
    fn members(self) -> Vec<(String, Self)> {
        let all = members(self.0).unwrap_or_default();
        all.into_iter()
            .map(|(name, value)| (name, Self(value)))
            .collect()
    }

    /// All members with this name in any case, in the order written.
    fn all(self, name: &str) -> impl Iterator<Item = Self> {
        let named = |(key, value): (String, Self)| key.eq_ignore_ascii_case(name).then_some(value);
        self.members().into_iter().filter_map(named)
    }

    /// The value as a string; `null` is empty.
    pub(crate) fn own_text(self) -> Option<Redacted> {
        let text: Result<Option<Redacted>, _> = serde_json::from_str(self.0.get());
        text.map(Option::unwrap_or_default).ok()
    }

    /// A member's string; empty if it is missing. A `null` is ignored.
    pub(crate) fn text(self, name: &str) -> Result<Redacted, String> {
        let texts = self.all(name).filter(|value| !value.is_null());
        texts
            .map(Self::own_text)
            .try_fold(Redacted::default(), |_, text| text)
            .ok_or_else(|| format!("its {name} is not a text"))
    }

    /// The members of a map, each once. Several maps with the same name are merged, and `null` empties the map.
    pub(crate) fn map(self, name: &str) -> Result<Vec<(String, Self)>, String> {
        let mut map: IndexMap<String, Self> = IndexMap::new();
        for value in self.all(name) {
            if value.is_null() {
                map.clear();
            } else if value.is_object() {
                map.extend(value.members());
            } else {
                return Err(format!("its {name} is not an object"));
            }
        }
        Ok(map.into_iter().collect())
    }

    /// The line in `text`, which contains this value, where an object with a repeated key begins, at any depth.
    pub(crate) fn line_of_equal_keys(self, text: &str) -> Option<usize> {
        let mut todo = vec![self.0];
        while let Some(value) = todo.pop() {
            if let Some(members) = members(value) {
                let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
                names.sort_unstable();
                if names.windows(2).any(|pair| pair[0] == pair[1]) {
                    let at = value.get().as_ptr().addr() - text.as_ptr().addr();
                    return Some(text[..at].matches('\n').count() + 1);
                }
                todo.extend(members.into_iter().map(|(_, value)| value));
            } else if value.get().starts_with('[') {
                let list: Result<Vec<&RawValue>, _> = serde_json::from_str(value.get());
                todo.extend(list.into_iter().flatten());
            }
        }
        None
    }

    /// The names of the members.
    pub(crate) fn names(self) -> impl Iterator<Item = String> {
        self.members().into_iter().map(|(name, _)| name)
    }
}
