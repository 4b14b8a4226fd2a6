//! Reads a configuration file, TOML, into [`Options`]. Errors name the key and never quote values.

use std::fmt;
use std::path::Path;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, Deserialize, Deserializer, Expected, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::errors::{FileFault, SettingError};
use super::options::Options;
use crate::error::Error;
use crate::near;
use crate::shown::shown;
use crate::trusted::{self, MAX_TEXT, Reader, Readers};

impl Options {
    /// Reads a configuration file; `None` if it does not exist.
    pub(super) fn from_file(path: &Path, read: Reader) -> Result<Option<Self>, Error> {
        let refused = |fault: trusted::FileError| fault.problem("configuration");
        let Some(bytes) = read(path, Readers::Anybody, MAX_TEXT).map_err(refused)? else {
            return Ok(None);
        };
        let text = trusted::text_of(path, bytes).map_err(refused)?;
        Self::parse(path, &text).map(Some)
    }

    /// Not inlined: it is fifty kilobytes of code, and mostly there is no file.
    #[inline(never)]
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let table = DeTable::parse(text).map_err(|error| {
            let before = error.span().map_or("", |span| &text[..span.start]);
            let line = before.matches('\n').count() + 1;
            let expected = error.message().to_owned();
            FileFault::Toml { line, expected }.of(path)
        })?;
        let file = Value("".into(), DeValue::Table(table.into_inner()));
        let mut options =
            Self::deserialize(file).map_err(|fault| FileFault::Setting(fault).of(path))?;
        let store = &options.store;
        for (key, has_both) in [
            ("token", store.gateway.has_both()),
            ("token", store.worker.has_both()),
            ("url", store.postgres.has_both()),
        ] {
            if has_both {
                return Err(FileFault::BothForms(key).of(path).into());
            }
        }
        for rule in &mut options.registry {
            if let (true, Some(host)) = (rule.has_both(), &rule.host) {
                return Err(FileFault::BothSecrets(host.to_string()).of(path).into());
            }
            path.clone_into(&mut rule.file);
        }
        Ok(options)
    }
}

/// A value in the file, with its key.
struct Value<'a>(DeString<'a>, DeValue<'a>);

impl<'a> Value<'a> {
    fn entry((key, value): (Spanned<DeString<'a>>, Spanned<DeValue<'a>>)) -> (DeString<'a>, Self) {
        let key = key.into_inner();
        (key.clone(), Self(key, value.into_inner()))
    }
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = SettingError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SettingError> {
        let Self(key, value) = self;
        let result = match value {
            DeValue::String(text) => text.into_deserializer().deserialize_any(visitor),
            DeValue::Boolean(flag) => visitor.visit_bool(flag),
            DeValue::Integer(number) => {
                match u64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => visitor.visit_u64(number),
                    Err(_) => visitor.visit_unit(),
                }
            }
            DeValue::Array(list) => {
                let item = |item: Spanned<DeValue<'de>>| Self("".into(), item.into_inner());
                visitor.visit_seq(SeqDeserializer::new(list.into_iter().map(item)))
            }
            DeValue::Table(table) => {
                visitor.visit_map(MapDeserializer::new(table.into_iter().map(Self::entry)))
            }
            // No setting has one of these types.
            DeValue::Float(_) | DeValue::Datetime(_) => visitor.visit_unit(),
        };
        result.map_err(|fault| fault.below(&key))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SettingError> {
        visitor.visit_some(self)
    }

    // A derived struct would also accept a list of values.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SettingError> {
        match &self.1 {
            DeValue::Table(_) => self.deserialize_any(visitor),
            _ => Err(SettingError::is_not(&(&visitor as &dyn Expected)).below(&self.0)),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, SettingError> for Value<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl SettingError {
    pub(super) fn cause(&self) -> String {
        let Self { place, what, .. } = self;
        match self.unknown.as_deref().map(shown) {
            None => format!("\"{place}\" is not {what}"),
            Some(key) if place.is_empty() => format!("unknown key \"{key}\" at the top level"),
            Some(key) => format!("unknown key \"{key}\" in [{place}]"),
        }
    }

    fn is_not(what: &dyn fmt::Display) -> Self {
        Self {
            place: String::new(),
            unknown: None,
            what: what.to_string(),
            fix: "correct it".to_owned(),
        }
    }

    fn below(mut self, key: &str) -> Self {
        let is_whole = key.is_empty() || self.place.is_empty();
        let dot = if is_whole { "" } else { "." };
        self.place = format!("{key}{dot}{}", self.place);
        self
    }
}

// Discards serde's messages, which may quote values.
impl de::Error for SettingError {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::is_not(&"valid")
    }

    fn invalid_value(_: Unexpected, expected: &dyn Expected) -> Self {
        Self::is_not(&expected)
    }

    fn invalid_type(_: Unexpected, expected: &dyn Expected) -> Self {
        // "a sequence" is serde's own wording; only the rules are one.
        match expected.to_string().as_str() {
            "a sequence" => Self::is_not(&"written [[registry]]"),
            ours => Self::is_not(&ours),
        }
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        let near = near::nearest(key, known.iter().copied());
        let fix = near.map(|near| format!("did you mean \"{near}\"?"));
        Self {
            unknown: Some(key.to_owned()),
            fix: fix.unwrap_or_else(|| "remove it".to_owned()),
            ..Self::is_not(&"")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Option<String> {
        let options = Options::parse(Path::new("/f"), text);
        options.err().map(|error| error.to_string())
    }

    #[test]
    fn no_value_is_quoted_whatever_is_wrong_with_it() {
        let keys = "workspace timeout ambient store store.kind store.single_secrets store.file.path store.gateway \
                    store.gateway.url store.gateway.token store.gateway.token_file store.gateway.insecure \
                    store.worker.required store.postgres.url cache cache.max_bytes cache.stale_if_error audit.keep \
                    kubelet.static_cache_duration registry";
        let values = [
            "\"hunter2\"",
            "\"\\u0068unter2\"",
            "[\"hunter2\"]",
            "[[\"hunter2\"]]",
            "{ a = \"hunter2\" }",
            "[{ host = \"hunter2 \" }]",
            "8723382",
            "-8723382",
            "8723382.5",
            "2872-01-01",
        ];
        let mut refused = 0;
        let pairs = keys
            .split(' ')
            .flat_map(|key| values.map(|value| (key, value)));
        for error in pairs.filter_map(|(key, value)| refusal(&format!("{key} = {value}"))) {
            let quotes = error.contains("hunter2") || error.contains("872");
            assert!(!quotes, "{error}");
            refused += 1;
        }
        assert!(refused > 150, "{refused}");
        let whole = "[store]\nkind = \"gateway\"\n[store.gateway]\ntoken = \"hunter2\"\ncontext = 'hunter2'\n\
                     [[registry]]\nhost = \"a.b\"\nexternal_id = \"hunter2\"\nsecrets = [\"hunter2\", \"hunter2\"]\n";
        let mut broken = 0;
        for at in 0..whole.len() {
            for more in "\"'=[]{\n\\#1".chars() {
                let text = format!("{}{more}{}", &whole[..at], &whole[at..]);
                // The completed text is valid TOML, but a value may have become a key in it.
                if let Some(error) = refusal(&text).filter(|error| error.contains(": line ")) {
                    assert!(!error.contains("unter2"), "{text}: {error}");
                    broken += 1;
                }
            }
        }
        assert!(broken > 500, "{broken}");
    }
}
