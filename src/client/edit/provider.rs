//! This helper's entry in a kubelet's `CredentialProviderConfig`, YAML or JSON
//! (<https://kubernetes.io/docs/reference/config-api/kubelet-config.v1/#kubelet-config-k8s-io-v1-CredentialProviderConfig>).

use std::collections::BTreeSet;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::FORM;
use super::json::{laid_out, members, part, written};
use super::yaml::{self, NOT_IT, OWN};

/// A parsed configuration and its text.
pub struct Providers<'a> {
    text: &'a str,
    value: Value,
}

/// Parses a configuration and returns its providers' names.
pub fn provider_names(text: &str) -> Result<Vec<String>, String> {
    Providers::parse(text).map(|read| read.names().map(str::to_owned).collect())
}

impl<'a> Providers<'a> {
    /// Parses a configuration; a blank text has no providers.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        let text = if text.trim().is_empty() { EMPTY } else { text };
        let value = read(text)?;
        if value["kind"] != KIND {
            return Err(NOT_IT.into());
        }
        let named = |list: &Vec<Value>| list.iter().all(|provider| provider["name"].is_string());
        match value["providers"].as_array() {
            Some(list) if named(list) => {
                let own = list.iter().filter(|provider| provider["name"] == NAME);
                if own.count() > 1 {
                    return Err(format!("it names {NAME} twice, and kubelet does not start"));
                }
                Ok(Self { text, value })
            }
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

    /// The images of this helper's entry, and whether it calls the helper correctly; `None` without an entry.
    pub fn own_entry(&self) -> Option<(Vec<&str>, Option<&'static str>)> {
        let own = self.own()?;
        let images = own["matchImages"].as_array().into_iter().flatten();
        let missing = CALLED.into_iter().find(|key| !is_called(own, key));
        Some((images.filter_map(Value::as_str).collect(), missing))
    }

    fn own(&self) -> Option<&Value> {
        self.list().iter().find(|provider| provider["name"] == NAME)
    }

    /// Adds this helper's entry for these images; `None` if it already has them all. In an entry with other images,
    /// `force` is needed to replace the images and the call; the second result is what was replaced.
    pub fn with_own(
        &self,
        images: &[String],
        force: bool,
    ) -> Result<Option<(Zeroizing<String>, Option<Value>)>, String> {
        // Every response sets its own cache duration, so the default is not used.
        let entry = json!({"name": NAME, "apiVersion": PROTOCOL, "args": ["kubelet"], "defaultCacheDuration": "0s", "matchImages": images});
        let Some(is) = self.own() else {
            return Ok(Some((self.edited(Some(entry))?, None)));
        };
        let all = is["matchImages"].as_array();
        let named = |image: &String| all.is_some_and(|all| all.contains(&json!(image)));
        let are_named = images.iter().all(named);
        if are_named && CALLED.iter().all(|key| is_called(is, key)) {
            return Ok(None);
        }
        let was = OWN.map(|key| (key.to_owned(), is[key].clone()));
        let was = Some(Value::from_iter(was));
        if are_named {
            // An entry that calls the helper differently never worked, so it need not be restored.
            let mut new = is.clone();
            for key in CALLED.iter().filter(|key| !is_called(is, key)) {
                new[*key] = entry[*key].clone();
            }
            return Ok(Some((self.edited(Some(new))?, was)));
        }
        if !force {
            return Err(format!(
                "it has an entry {NAME} that names other images; --force changes that entry"
            ));
        }
        Ok(Some((self.edited(Some(changed(is, &entry)))?, was)))
    }

    /// Removes this helper's entry, or restores what `was` in it; `None` if there is no entry.
    pub fn without_own(&self, was: Option<&Value>) -> Result<Option<Zeroizing<String>>, String> {
        let was = was.filter(|was| was.is_object());
        self.own()
            .map(|is| self.edited(was.map(|was| changed(is, was))))
            .transpose()
    }

    /// Whether the configuration has only what a new one has.
    pub fn is_empty(&self) -> bool {
        read(EMPTY).is_ok_and(|empty| empty == self.value) && !self.text.contains('#')
    }

    /// The text with this helper's entry replaced or removed. The result is read again and verified.
    fn edited(&self, entry: Option<Value>) -> Result<Zeroizing<String>, String> {
        let own = self.names().position(|name| name == NAME);
        let at = own.unwrap_or(self.list().len())..own.map_or(self.list().len(), |at| at + 1);
        let new = if is_json(self.text) {
            let mut root = members(self.text)?;
            let mut list: Vec<&RawValue> = part(root.get("providers").ok_or(FORM)?)?;
            let raw = entry.as_ref().map(to_raw_value).transpose();
            let raw = raw.map_err(|_| FORM)?;
            list.splice(at.clone(), raw.as_deref());
            let list = to_raw_value(&list).map_err(|_| FORM)?;
            root.insert("providers".to_owned(), &list);
            written(&root, self.text)?
        } else {
            yaml::edited(self.text, own, entry.as_ref())?
        };
        let comments = |text: &str| text.matches('#').count();
        let kept = comments(&new) >= comments(self.text) || own.is_some();
        let mut wanted = self.value.clone();
        let list = wanted["providers"].as_array_mut().ok_or(FORM)?;
        list.splice(at, entry);
        if kept && read(&new).is_ok_and(|value| value == wanted) {
            Ok(new)
        } else {
            Err(FORM.into())
        }
    }
}

/// An entry with the images and the call of another; `null` removes a member.
fn changed(entry: &Value, with: &Value) -> Value {
    let mut entry = entry.as_object().cloned().unwrap_or_default();
    for key in OWN {
        match &with[key] {
            Value::Null => _ = entry.remove(key),
            value => _ = entry.insert(key.to_owned(), value.clone()),
        }
    }
    entry.into()
}

/// Whether an entry calls this helper as a kubelet provider rather than as a docker helper.
fn is_called(entry: &Value, key: &str) -> bool {
    match key {
        "args" => entry[key] == json!(["kubelet"]),
        "apiVersion" => entry[key] == PROTOCOL,
        _ => entry[key].is_string(),
    }
}

fn is_json(text: &str) -> bool {
    // YAML may begin with a brace too.
    text.trim_start().starts_with('{') && members(text).is_ok()
}

/// Parses either format; scalars become text. Refuses YAML that editing might not preserve.
pub(crate) fn read(text: &str) -> Result<Value, String> {
    if is_json(text) {
        return serde_json::from_str(text).map_err(|_| FORM.into());
    }
    yaml::read(text)
}

/// Both texts without secrets, which providers may have in their environment. JSON shows only keys without secrets;
/// YAML shows only lines whose words all occur in this helper's own entry.
pub fn masked_provider(texts: [Option<&str>; 2]) -> [Option<String>; 2] {
    let read = texts
        .iter()
        .flatten()
        .filter_map(|text| Providers::parse(text).ok());
    let own = read.filter_map(|read| {
        let own = read.own()?;
        let said = OWN.map(|key| own[key].to_string());
        Some(said.join(" ").replace(',', " ") + " ")
    });
    let own = own.collect::<String>() + &format!("{EMPTY} - name {NAME} ") + &OWN.join(" ");
    let own: BTreeSet<&str> = words(&own).collect();
    texts.map(|text| {
        let text = text?;
        if is_json(text) {
            let shown = |path: &[String]| path.iter().all(|key| SHOWN.contains(&key.as_str()));
            let text = laid_out(text, &shown).unwrap_or_default();
            return Some(text.to_string());
        }
        let mask = |line: &str| {
            if words(line).all(|word| own.contains(word)) {
                line.to_owned()
            } else {
                line.replacen(line.trim(), "****", 1)
            }
        };
        Some(text.split_inclusive('\n').map(mask).collect())
    })
}

/// The words of a line, without the punctuation of YAML and JSON.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let around = ['"', '\'', ',', ':', '[', ']'];
    line.split_whitespace()
        .map(move |word| word.trim_matches(around))
        .filter(|word| !word.is_empty())
}

const NAME: &str = env!("CARGO_PKG_NAME");
const KIND: &str = "CredentialProviderConfig";
const PROTOCOL: &str = "credentialprovider.kubelet.k8s.io/v1";
const EMPTY: &str =
    "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders: []\n";
/// Those of [`OWN`] that are the same for all images.
const CALLED: [&str; 3] = ["args", "apiVersion", "defaultCacheDuration"];
/// Members that have no secrets at any depth.
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
