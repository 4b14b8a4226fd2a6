//! This helper's entry in a kubelet's `CredentialProviderConfig`, YAML or JSON
//! (<https://kubernetes.io/docs/reference/config-api/kubelet-config.v1/#kubelet-config-k8s-io-v1-CredentialProviderConfig>).

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::json::{Members, laid_out, members, part, written};
use super::yaml;

/// A configuration that was read, and what it says.
pub struct Providers<'a> {
    text: &'a str,
    value: Value,
}

/// The names of a configuration's providers.
pub fn provider_names(text: &str) -> Result<Vec<String>, String> {
    Providers::parse(text).map(|read| read.names().map(str::to_owned).collect())
}

/// What becomes of one entry of the list.
pub(super) enum Edit {
    Add(Value),
    /// Its keys get these values, or go.
    Set(usize, Vec<(String, Option<Value>)>),
    Remove(usize),
}

impl<'a> Providers<'a> {
    /// Reads a configuration; a text of nothing but blanks stands for one without providers.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        let text = if text.trim().is_empty() { EMPTY } else { text };
        let value = read(text)?;
        if value["kind"] != KIND {
            return Err(NOT_IT.into());
        }
        let named = |list: &Vec<Value>| list.iter().all(|provider| provider["name"].is_string());
        match value["providers"].as_array() {
            Some(list) if named(list) => Ok(Self { text, value }),
            Some(_) => Err("one of its providers has no name".into()),
            None => Err("its providers are not a list".into()),
        }
    }

    /// The names of the providers.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.list()
            .iter()
            .filter_map(|provider| provider["name"].as_str())
    }

    fn list(&self) -> &[Value] {
        self.value["providers"]
            .as_array()
            .map_or(&[], Vec::as_slice)
    }

    /// The images of this helper's entry, and whether it is called as it must be; `None` without an entry.
    #[must_use]
    pub fn own_entry(&self) -> Option<(Vec<&str>, bool)> {
        let own = &self.list()[self.own()?];
        let images = own["matchImages"].as_array().into_iter().flatten();
        Some((images.filter_map(Value::as_str).collect(), is_called(own)))
    }

    fn own(&self) -> Option<usize> {
        self.names().position(|name| name == NAME)
    }

    /// Gives this helper an entry for these images; `None` when it has one that names them all. In one that names others,
    /// only `force` changes what says how the helper is called and for what; the second answer is what that was.
    pub fn with_own(
        &self,
        images: &[String],
        force: bool,
    ) -> Result<Option<(Zeroizing<String>, Option<Value>)>, String> {
        // Every answer names a time of its own: the default is for one that does not.
        let entry = json!({"name": NAME, "apiVersion": PROTOCOL, "args": ["kubelet"], "defaultCacheDuration": "0s", "matchImages": images});
        let Some(at) = self.own() else {
            return Ok(Some((self.edited(&Edit::Add(entry))?, None)));
        };
        let is = &self.list()[at];
        let named = is["matchImages"].as_array().map_or(&[][..], Vec::as_slice);
        let are_named = images
            .iter()
            .all(|image| named.iter().any(|name| name == image));
        if are_named && is_called(is) {
            return Ok(None);
        }
        if are_named {
            // Called otherwise, it answers nothing, so nobody wants what it was.
            let set = Edit::Set(at, vec![("args".to_owned(), Some(entry["args"].clone()))]);
            let was = json!({"args": is["args"]});
            return Ok(Some((self.edited(&set)?, Some(was))));
        }
        if !force {
            return Err(format!(
                "it has an entry {NAME} that names other images; --force changes that entry"
            ));
        }
        let set = OWN.map(|key| (key.to_owned(), Some(entry[key].clone())));
        let was = OWN
            .iter()
            .map(|key| ((*key).to_owned(), is[*key].clone()))
            .collect();
        Ok(Some((
            self.edited(&Edit::Set(at, set.into()))?,
            Some(Value::Object(was)),
        )))
    }

    /// Takes this helper's entry out, or gives it back what `was` in it; `None` when it has no entry.
    pub fn without_own(&self, was: Option<&Value>) -> Result<Option<Zeroizing<String>>, String> {
        let Some(at) = self.own() else {
            return Ok(None);
        };
        let edit = match was.and_then(Value::as_object) {
            Some(was) => Edit::Set(
                at,
                was.iter()
                    .map(|(key, value)| {
                        (
                            key.clone(),
                            Some(value.clone()).filter(|value| !value.is_null()),
                        )
                    })
                    .collect(),
            ),
            None => Edit::Remove(at),
        };
        self.edited(&edit).map(Some)
    }

    /// What the lines of this helper's entry say, its keys of the list above alone.
    fn own_lines(&self) -> Vec<String> {
        let mut lines = vec![format!("name: {NAME}"), "providers:".to_owned()];
        for (key, value) in OWN
            .iter()
            .filter_map(|key| Some((key, self.list()[self.own()?].get(key)?)))
        {
            let items: Vec<&str> = value
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            lines.push(match value.as_str() {
                Some(text) => format!("{key}: {text}"),
                None => format!("{key}:"),
            });
            lines.push(format!("{key}: [{}]", items.join(", ")));
            lines.extend(items.into_iter().map(str::to_owned));
        }
        lines
    }

    /// Whether there is nothing in it but what a new one has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        read(EMPTY).is_ok_and(|empty| empty == self.value) && !self.text.contains('#')
    }

    /// The new text. It is read again, and says what it should and nothing else.
    fn edited(&self, edit: &Edit) -> Result<Zeroizing<String>, String> {
        let mut wanted = self.value.clone();
        let list = wanted["providers"].as_array_mut().ok_or(FORM)?;
        match edit {
            Edit::Add(entry) => list.push(entry.clone()),
            Edit::Remove(at) => _ = list.remove(*at),
            Edit::Set(at, keys) => {
                let entry = list[*at].as_object_mut().ok_or(FORM)?;
                for (key, value) in keys {
                    match value {
                        Some(value) => _ = entry.insert(key.clone(), value.clone()),
                        None => _ = entry.remove(key),
                    }
                }
            }
        }
        let new = if is_json(self.text) {
            in_json(self.text, edit)?
        } else {
            yaml::edited(self.text, edit)?
        };
        let comments = |text: &str| text.matches('#').count();
        let kept = comments(&new) >= comments(self.text) || !matches!(edit, Edit::Add(_));
        if kept && read(&new).is_ok_and(|value| value == wanted) {
            Ok(new)
        } else {
            Err(FORM.into())
        }
    }
}

/// Whether an entry calls this helper as kubelet's provider, and not as docker's helper.
fn is_called(entry: &Value) -> bool {
    entry["args"] == json!(["kubelet"])
}

fn is_json(text: &str) -> bool {
    // YAML may begin with a brace too.
    text.trim_start().starts_with('{') && members(text).is_ok()
}

fn in_json(text: &str, edit: &Edit) -> Result<Zeroizing<String>, String> {
    let raw = |value: &Value| to_raw_value(value).map_err(|_| FORM);
    let mut root = members(text)?;
    let mut list: Vec<&RawValue> = part(root.get("providers").ok_or(FORM)?)?;
    let entry;
    match edit {
        Edit::Add(new) => {
            entry = raw(new)?;
            list.push(&entry);
        }
        Edit::Remove(at) => _ = list.remove(*at),
        Edit::Set(at, keys) => {
            let mut own: Members = part(list[*at])?;
            let values: Vec<_> = keys
                .iter()
                .map(|(_, value)| value.as_ref().map(raw).transpose())
                .collect::<Result<_, _>>()?;
            for ((key, _), value) in keys.iter().zip(&values) {
                match value {
                    Some(value) => _ = own.insert(key.clone(), value),
                    None => _ = own.shift_remove(key),
                }
            }
            entry = to_raw_value(&own).map_err(|_| FORM)?;
            list[*at] = &entry;
        }
    }
    let list = to_raw_value(&list).map_err(|_| FORM)?;
    root.insert("providers".to_owned(), &list);
    written(&root, text)
}

/// What a text says, in either form; scalars as text. Of YAML, what is not certain to be kept is refused.
pub(crate) fn read(text: &str) -> Result<Value, String> {
    if is_json(text) {
        return serde_json::from_str(text).map_err(|_| FORM.into());
    }
    yaml::read(text)
}

/// Both texts without their secrets, which a provider gets in its environment. Of JSON, keys are shown that hold none; of
/// YAML, what this helper's own entry says and nothing else.
#[must_use]
pub fn masked_provider(texts: [Option<&str>; 2]) -> [Option<String>; 2] {
    let own: Vec<String> = texts
        .iter()
        .flatten()
        .filter_map(|text| Some(Providers::parse(text).ok()?.own_lines()))
        .flatten()
        .collect();
    texts.map(|text| {
        let text = text?;
        if is_json(text) {
            let shown = |path: &[String]| {
                path.iter()
                    .all(|key| key.is_empty() || SHOWN.contains(&key.as_str()))
            };
            return Some(laid_out(text, &shown).to_string());
        }
        let mask = |line: &str| {
            let says = says(line);
            if says.is_empty() || own.contains(&says) {
                line.to_owned()
            } else {
                line.replacen(line.trim(), "****", 1)
            }
        };
        Some(text.split_inclusive('\n').map(mask).collect())
    })
}

/// What a line says without its dash and its quotes.
fn says(line: &str) -> String {
    let text = line.trim();
    text.strip_prefix("- ")
        .unwrap_or(text)
        .trim()
        .replace(['"', '\''], "")
}

const NAME: &str = env!("CARGO_PKG_NAME");
const KIND: &str = "CredentialProviderConfig";
const PROTOCOL: &str = "credentialprovider.kubelet.k8s.io/v1";
const EMPTY: &str =
    "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders: []\n";
/// What an entry of this helper needs beside its name.
pub(super) const OWN: [&str; 4] = ["apiVersion", "args", "defaultCacheDuration", "matchImages"];
/// What holds no secret at any depth.
const SHOWN: [&str; 8] = [
    "kind",
    "apiVersion",
    "providers",
    "name",
    "args",
    "defaultCacheDuration",
    "matchImages",
    "tokenAttributes",
];
pub(super) const NOT_IT: &str = "it isn't a CredentialProviderConfig";
pub(super) const FORM: &str = "it is written in a form that cannot be changed safely";
