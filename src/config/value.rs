//! Parses the values of settings. Errors say what a value should be, without quoting it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::env::Env;
use crate::credential::Redacted;
use crate::error::Error;
use crate::host::{Host, Pattern};

/// A type of settings.
pub(super) trait Setting: Sized {
    /// The noun for errors: an invalid value "is not" this.
    const WHAT: &'static str;

    fn parse(written: Written) -> Option<Self>;

    fn from_env(env: &Env, name: &str, what: &str) -> Result<Option<Self>, Error> {
        env.parsed(name, what, |text| Self::parse(Written::Variable(text)))
    }
}

/// A setting's value as written.
pub(super) enum Written<'a> {
    Text(Cow<'a, str>),
    Flag(bool),
    Number(u64),
    List(Vec<String>),
    /// From the environment, where every value is a text.
    Variable(String),
    /// Another list.
    Nothing,
}

impl<'a> Written<'a> {
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Variable(text) => Some(text.into()),
            _ => None,
        }
    }
}

/// Reads a setting of a file, for serde.
pub(super) fn read<'de, D: Deserializer<'de>, T: Setting>(value: D) -> Result<Option<T>, D::Error> {
    value.deserialize_any(Parser(PhantomData)).map(Some)
}

struct Parser<T>(PhantomData<T>);

impl<T: Setting> Parser<T> {
    fn parse<E: de::Error>(written: Written) -> Result<T, E> {
        T::parse(written).ok_or_else(|| E::invalid_value(Unexpected::Other("it"), &T::WHAT))
    }
}

impl<'de, T: Setting> Visitor<'de> for Parser<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(T::WHAT)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        Self::parse(Written::Text(text.into()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<T, E> {
        Self::parse(Written::Text(text.into()))
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<T, E> {
        Self::parse(Written::Flag(flag))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        Self::parse(Written::Number(number))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        let list = Vec::deserialize(SeqAccessDeserializer::new(list));
        Self::parse(list.map_or(Written::Nothing, Written::List))
    }
}

impl Setting for String {
    const WHAT: &'static str = "a text";

    fn parse(written: Written) -> Option<Self> {
        written.text().map(Cow::into_owned)
    }
}

impl Setting for Redacted {
    const WHAT: &'static str = String::WHAT;

    fn parse(written: Written) -> Option<Self> {
        String::parse(written).map(Self::from)
    }
}

impl Setting for bool {
    const WHAT: &'static str = "true or false";

    fn parse(written: Written) -> Option<Self> {
        match written {
            Written::Flag(flag) => Some(flag),
            Written::Variable(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "1" | "on" | "yes" => Some(true),
                "false" | "0" | "off" | "no" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Setting for u64 {
    const WHAT: &'static str = "a whole number";

    fn parse(written: Written) -> Option<Self> {
        match written {
            Written::Number(number) => Some(number),
            _ => None,
        }
    }
}

impl Setting for PathBuf {
    const WHAT: &'static str = "an absolute path";

    fn parse(written: Written) -> Option<Self> {
        let path = Self::from(&*written.text()?);
        path.is_absolute().then_some(path)
    }

    fn from_env(env: &Env, name: &str, _: &str) -> Result<Option<Self>, Error> {
        env.path(name)
    }
}

/// `10s`, `500ms`, `15m`, or `0`.
impl Setting for Duration {
    const WHAT: &'static str = "a duration such as \"10s\" or \"15m\"";

    fn parse(written: Written) -> Option<Self> {
        match written {
            Written::Number(0) => Some(Self::ZERO),
            other => match &*other.text()? {
                "0" => Some(Self::ZERO),
                text => humantime::parse_duration(text).ok(),
            },
        }
    }
}

impl Setting for Vec<String> {
    const WHAT: &'static str = "a list of names such as [\"A\", \"B\"]";

    fn parse(written: Written) -> Option<Self> {
        match written {
            Written::List(names) if names.iter().all(|name| !name.is_empty()) => Some(names),
            _ => None,
        }
        .filter(|names| !names.is_empty())
    }
}

impl Setting for Pattern {
    const WHAT: &'static str = "a host pattern such as \"*.example.com\" or \"ghcr.io/org\"";

    fn parse(written: Written) -> Option<Self> {
        Self::parse(&written.text()?).ok()
    }
}

impl Setting for Host {
    const WHAT: &'static str = "a registry host";

    fn parse(written: Written) -> Option<Self> {
        Self::parse(written.text()?.as_bytes()).ok()
    }
}
