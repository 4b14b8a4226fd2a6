//! Edits docker's and podman's JSON. Writes it like docker, with tabs. Members keep their order, and unchanged values
//! keep their spelling, so that no number or string changes.

use indexmap::IndexMap;
use serde::Serialize;
use serde::ser::Error;
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use zeroize::Zeroizing;

use super::FORM;
use crate::client::auth_file::{AUTHS, CRED_HELPERS, CREDS_STORE};
use crate::client::go_json;

/// An object's members as written.
pub(super) type Members<'a> = IndexMap<String, &'a RawValue>;

/// The helper for a key of `credHelpers` or, without a key, for `credsStore`; `None` to remove it.
pub type HelperChange<'a> = (Option<&'a str>, Option<&'a str>);

/// Sets the helpers of keys, and returns whether `credHelpers` existed. If it becomes empty, it is removed unless it
/// should stay.
pub fn set_helpers(
    text: &str,
    changes: &[HelperChange],
    keep_empty: bool,
) -> Result<(Zeroizing<String>, bool), String> {
    let mut root = members(text)?;
    let (section, store) = (spelled(&root, CRED_HELPERS)?, spelled(&root, CREDS_STORE)?);
    let had_section = root.contains_key(&section);
    let mut helpers: IndexMap<String, &RawValue> = match root.get(&section) {
        Some(helpers) => part::<Option<_>>(helpers)?.unwrap_or_default(),
        None => IndexMap::new(),
    };
    let values = changes.iter().map(|(_, helper)| to_raw_value(helper));
    let values: Vec<_> = values.collect::<Result<_, _>>().map_err(|_| FORM)?;
    for ((key, helper), value) in changes.iter().zip(&values) {
        match (key, helper) {
            (Some(key), Some(_)) => _ = helpers.insert((*key).to_owned(), value),
            (Some(key), None) => _ = helpers.shift_remove(*key),
            (None, Some(_)) => _ = root.insert(store.clone(), value),
            (None, None) => _ = root.shift_remove(&store),
        }
    }
    let helpers_text = to_raw_value(&helpers).map_err(|_| FORM)?;
    if changes.iter().any(|(key, _)| key.is_some()) {
        if helpers.is_empty() && !keep_empty {
            root.shift_remove(&section);
        } else {
            root.insert(section, &helpers_text);
        }
    }
    Ok((written(&root, text)?, had_section))
}

/// Removes entries of `auths`.
pub fn without_auths(text: &str, keys: &[String]) -> Result<Zeroizing<String>, String> {
    let mut root = members(text)?;
    let section = spelled(&root, AUTHS)?;
    let mut auths: Members = root
        .get(&section)
        .map_or(Ok(IndexMap::new()), |auths| part(auths))?;
    for key in keys {
        auths.shift_remove(key).ok_or(FORM)?;
    }
    let auths = to_raw_value(&auths).map_err(|_| FORM)?;
    root.insert(section, &auths);
    written(&root, text)
}

/// Parses an object's members; a blank text is an empty object. Refuses repeated keys at any depth, because clients
/// differ in which one they use.
pub(super) fn members(text: &str) -> Result<Members<'_>, String> {
    let text = if text.trim().is_empty() { "{}" } else { text };
    let root = go_json::parse(text)?;
    if !root.0.is_object() {
        return Err("it is not an object".to_owned());
    }
    if root.1 {
        return Err("more follows its first JSON value".to_owned());
    }
    if let Some(line) = root.0.line_of_equal_keys(text) {
        return Err(format!("a key stands in it twice (line {line})"));
    }
    serde_json::from_str(text).map_err(|_| FORM.to_owned())
}

/// Parses a part of a text that is known to be well-formed.
pub(super) fn part<'a, T: serde::Deserialize<'a>>(raw: &'a RawValue) -> Result<T, String> {
    serde_json::from_str(raw.get()).map_err(|_| FORM.to_owned())
}

/// The file's spelling of a member name, which Go's decoder matches in any case.
fn spelled(root: &Members, name: &str) -> Result<String, String> {
    let mut keys = root.keys().filter(|key| key.eq_ignore_ascii_case(name));
    match (keys.next(), keys.next()) {
        (_, Some(_)) => Err(format!("it has {name} twice, in two spellings")),
        (key, None) => Ok(key.map_or(name, String::as_str).to_owned()),
    }
}

/// The new text. It ends with a line end if the old text did or was empty.
pub(super) fn written(root: &Members, old: &str) -> Result<Zeroizing<String>, String> {
    let text = Zeroizing::new(serde_json::to_string(root).map_err(|_| FORM)?);
    let mut new = laid_out(&text, &|_| true)?;
    if old.ends_with('\n') || old.trim().is_empty() {
        new.push('\n');
    }
    Ok(new)
}

/// Formats a well-formed text like docker. Hides each string whose path of keys is not `shown`.
pub fn laid_out(text: &str, shown: &Shown) -> Result<Zeroizing<String>, String> {
    let raw = serde_json::from_str(text).map_err(|_| FORM)?;
    let mut out = Zeroizing::new(Vec::with_capacity(2 * text.len()));
    let mut writer = Serializer::with_formatter(&mut *out, PrettyFormatter::with_indent(b"\t"));
    let path = Vec::new();
    let laid = Laid { raw, path, shown }.serialize(&mut writer);
    laid.map_err(|_| FORM)?;
    let text = String::from_utf8(std::mem::take(&mut *out));
    text.map(Zeroizing::new).map_err(|_| FORM.to_owned())
}

type Shown<'a> = dyn Fn(&[String]) -> bool + 'a;

/// A value as written, with the keys that lead to it.
struct Laid<'a> {
    raw: &'a RawValue,
    path: Vec<String>,
    shown: &'a Shown<'a>,
}

impl Serialize for Laid<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { raw, path, shown } = self;
        match raw.get().as_bytes() {
            [b'{', ..] => {
                let members: Members = part(raw).map_err(S::Error::custom)?;
                serializer.collect_map(members.iter().map(|(key, raw)| {
                    let path = [path.as_slice(), std::slice::from_ref(key)].concat();
                    (key, Laid { raw, path, shown })
                }))
            }
            [b'[', ..] => {
                let list: Vec<&RawValue> = part(raw).map_err(S::Error::custom)?;
                serializer.collect_seq(list.into_iter().map(|raw| {
                    let path = path.clone();
                    Laid { raw, path, shown }
                }))
            }
            [b'"', ..] if !shown(path) => serializer.serialize_str("****"),
            _ => raw.serialize(serializer),
        }
    }
}
