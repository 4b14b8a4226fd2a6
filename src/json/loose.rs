//! `Loose`: a member of someone else's JSON whose wrong type does not make the whole document invalid.

use std::fmt;
use std::time::Duration;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::Value;

/// A member of a struct with `#[serde(default)]`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Loose<T> {
    /// The member is missing.
    #[default]
    Missing,
    /// The member has the right type.
    Is(T),
    /// The member has another type.
    Other,
}

impl<T> Loose<T> {
    /// The value, if it has the right type.
    pub fn take(self) -> Option<T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Missing | Self::Other => None,
        }
    }
}

impl<T: Default> Loose<Option<T>> {
    /// The value as Go reads it: missing or null is the default. `None` if it has another type.
    pub fn or_default(self) -> Option<T> {
        match self {
            Self::Missing => Some(T::default()),
            Self::Is(value) => Some(value.unwrap_or_default()),
            Self::Other => None,
        }
    }
}

impl Loose<f64> {
    /// The value as seconds, if a `Duration` can hold them.
    pub fn seconds(self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.take()?).ok()
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Loose<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(T::deserialize(value).map_or(Self::Other, Self::Is))
    }
}

/// A value has the wrong type. The value itself is not reported.
#[derive(Debug, thiserror::Error)]
#[error("it does not have the expected form")]
pub struct Mismatch;

impl de::Error for Mismatch {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl<'de> Deserializer<'de> for Value {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Number(value) => visitor.visit_f64(value),
            Self::Text(text) => visitor.visit_str(text.expose()),
            Self::Array(values) => visitor.visit_seq(SeqDeserializer::new(values.into_iter())),
            Self::Object(object) => visitor.visit_map(MapDeserializer::new(object.0.into_iter())),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self {
            Self::Null => visitor.visit_none(),
            value => visitor.visit_some(value),
        }
    }

    /// An array isn't a struct.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self {
            Self::Object(_) => self.deserialize_any(visitor),
            _ => Err(Mismatch),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct
        seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl IntoDeserializer<'_, Mismatch> for Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
