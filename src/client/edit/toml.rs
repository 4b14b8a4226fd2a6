//! Edits `credential-helpers` of a registries.conf. Comments, order and layout of everything else are kept.

use toml_edit::{Array, DocumentMut, Item, RawString, Value, value};

use super::FORM;
use crate::client::registries::CREDENTIAL_HELPERS;
use crate::client::{AUTH_FILES, HELPER};

/// Puts this helper first in the list, because `podman login` stores with the first helper that accepts. A file without
/// a list gets one with this helper and the `inherited` names; the second result is whether it did.
pub fn add_helper(old: &str, inherited: &[String]) -> Result<(String, bool), String> {
    let mut document = parse(old)?;
    let old_form = |registries: &Item| {
        let mut keys = OLD.iter();
        keys.any(|key| registries.get(key).is_some())
    };
    if document.get("registries").is_some_and(old_form) {
        let form =
            "it is of the old form, with [registries.search], beside which no helpers can stand";
        return Err(form.into());
    }
    let mut names = names(&document)?.unwrap_or_default();
    if names.first().is_some_and(|first| first == HELPER) {
        return Ok((old.to_owned(), false));
    }
    let made = names.is_empty();
    names.retain(|name| name != HELPER);
    if names.is_empty() {
        names.extend(others(inherited));
        let all = [HELPER].into_iter().chain(names.iter().map(String::as_str));
        let mut list = Value::Array(all.collect());
        // An existing list keeps its comments and whitespace.
        let old = document.get(CREDENTIAL_HELPERS).and_then(Item::as_value);
        if let Some(old) = old {
            *list.decor_mut() = old.decor().clone();
        }
        if let (Some(list), Some(old)) = (list.as_array_mut(), old.and_then(Value::as_array)) {
            list.set_trailing(text(Some(old.trailing())));
        }
        document[CREDENTIAL_HELPERS] = value(list);
    } else if let Some(list) = document[CREDENTIAL_HELPERS].as_array_mut() {
        take_out(list, &|name| name == HELPER);
        // In a list over several lines, the new name gets its own line.
        let lead = list.get(0).map(|first| text(first.decor().prefix()));
        let indent = lead
            .as_deref()
            .and_then(|lead| Some(lead.rsplit_once('\n')?.1));
        if let Some(indent) = indent {
            list.insert_formatted(0, Value::from(HELPER).decorated(format!("\n{indent}"), ""));
        } else {
            if let (Some(first), Some("")) = (list.get_mut(0), lead.as_deref()) {
                first.decor_mut().set_prefix(" ");
            }
            list.insert(0, HELPER);
        }
    }
    names.insert(0, HELPER.to_owned());
    checked(old, &document, Some(&names)).map(|new| (new, made))
}

/// Removes this helper from the list; `None` if it is not in it. If the list was `made` for this helper and has no
/// other names since, it is removed too.
pub fn remove_helper(old: &str, made: Option<&[String]>) -> Result<Option<String>, String> {
    if !old.contains(HELPER) {
        return Ok(None);
    }
    let mut document = parse(old)?;
    let mut names = names(&document)?.unwrap_or_default();
    if !names.iter().any(|name| name == HELPER) {
        return Ok(None);
    }
    names.retain(|name| name != HELPER);
    if names.is_empty() || made.is_some_and(|inherited| others(inherited) == names) {
        names.clear();
    }
    let list = &mut document[CREDENTIAL_HELPERS];
    if names.is_empty() && !list.to_string().contains('#') {
        document.remove(CREDENTIAL_HELPERS);
        return checked(old, &document, None).map(Some);
    }
    // An empty list counts as missing, and keeps its comments.
    if let Some(list) = list.as_array_mut() {
        take_out(list, &|name| !names.iter().any(|other| other == name));
    }
    checked(old, &document, Some(&names)).map(Some)
}

/// Removes names, and moves the comments around them to the next item.
fn take_out(list: &mut Array, goes: &dyn Fn(&str) -> bool) {
    for at in (0..list.len()).rev() {
        if !list.get(at).and_then(Value::as_str).is_some_and(goes) {
            continue;
        }
        let taken = list.remove(at);
        let around = text(taken.decor().prefix()) + &text(taken.decor().suffix());
        if let Some(next) = list.get_mut(at) {
            let own = text(next.decor().prefix());
            let own = if own.trim().is_empty() { "" } else { &own };
            next.decor_mut().set_prefix(around + own);
        } else if around.contains('#') {
            let end = text(Some(list.trailing()));
            list.set_trailing(around + &end);
        }
    }
}

fn text(raw: Option<&RawString>) -> String {
    raw.and_then(RawString::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// The helpers in addition to this one; without a list, the auth files.
fn others(inherited: &[String]) -> Vec<String> {
    let others = inherited.iter().filter(|name| *name != HELPER).cloned();
    let others: Vec<String> = others.collect();
    if others.is_empty() {
        vec![AUTH_FILES.to_owned()]
    } else {
        others
    }
}

/// The names in a file's list; `None` without a list. Fails if podman and its family would refuse the file, and with it
/// every pull.
pub fn listed_helpers(text: &str) -> Result<Option<Vec<String>>, String> {
    if text.starts_with('\u{feff}') {
        return Err(
            "it begins with a byte order mark, which podman, buildah and skopeo may refuse".into(),
        );
    }
    parse(text)?;
    let table: toml::Table = text.parse().map_err(|_| FORM)?;
    for key in LISTS {
        if said(&table, key).is_some_and(|value| strings(value).is_none()) {
            return Err(format!("its {key} is not a list of names"));
        }
    }
    let place = |one: &toml::Value, key| {
        let place = said(one.as_table()?, key)?.as_str()?;
        (!place.is_empty()).then_some(())
    };
    let is_placed = |one| place(one, "location").or(place(one, "prefix")).is_some();
    let registries = said(&table, "registry");
    if !registries.is_none_or(|list| list.as_array().is_some_and(|all| all.iter().all(is_placed))) {
        return Err("a [[registry]] in it has neither location nor prefix".into());
    }
    let is_full = |value: &&toml::Value| strings(value).is_none_or(|names| !names.is_empty());
    let old = said(&table, "registries").and_then(toml::Value::as_table);
    let is_old = |part: &&str| {
        let part = old.and_then(|old| said(old, part)?.as_table());
        part.and_then(|part| said(part, "registries").filter(is_full))
            .is_some()
    };
    let is_new = |key: &&str| said(&table, key).as_ref().is_some_and(is_full);
    if OLD.iter().any(is_old) && NEW.iter().any(is_new) {
        return Err(
            "it has [registries.search] of the old form beside settings of the new one".into(),
        );
    }
    Ok(said(&table, CREDENTIAL_HELPERS).and_then(strings))
}

/// The value of a key, which clients match in any case.
fn said<'t>(table: &'t toml::Table, key: &str) -> Option<&'t toml::Value> {
    let mut all = table.iter();
    all.find_map(|(name, value)| name.eq_ignore_ascii_case(key).then_some(value))
}

fn strings(value: &toml::Value) -> Option<Vec<String>> {
    let text = |name: &toml::Value| name.as_str().map(str::to_owned);
    value.as_array()?.iter().map(text).collect()
}

fn parse(text: &str) -> Result<DocumentMut, String> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let line = error
            .span()
            .map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        format!("line {line}: it is not TOML")
    })
}

fn names(document: &DocumentMut) -> Result<Option<Vec<String>>, String> {
    // Clients match the key in any case, and use either of two.
    let other =
        |key: &str| key != CREDENTIAL_HELPERS && key.eq_ignore_ascii_case(CREDENTIAL_HELPERS);
    if document.iter().any(|(key, _)| other(key)) {
        return Err("its credential-helpers has capital letters; write it in small ones".into());
    }
    let Some(list) = document.get(CREDENTIAL_HELPERS) else {
        return Ok(None);
    };
    let name = |name: &Value| name.as_str().map(str::to_owned);
    let names = list
        .as_array()
        .and_then(|list| list.iter().map(name).collect());
    Some(names)
        .filter(Option::is_some)
        .ok_or_else(|| "its credential-helpers is not a list of names".into())
}

/// Verifies the new text with the parser: only the list may differ.
fn checked(old: &str, new: &DocumentMut, names: Option<&[String]>) -> Result<String, String> {
    let new = new.to_string();
    let read = |text: &str| text.parse::<toml::Table>().map_err(|_| FORM);
    let (mut before, mut after) = (read(old)?, read(&new)?);
    let wanted = names.map(|names| names.iter().cloned().map(toml::Value::String).collect());
    before.remove(CREDENTIAL_HELPERS);
    if after.remove(CREDENTIAL_HELPERS) != wanted.map(toml::Value::Array) || before != after {
        return Err(FORM.into());
    }
    Ok(new)
}

const LISTS: [&str; 2] = [CREDENTIAL_HELPERS, "unqualified-search-registries"];
/// The tables of the old format.
const OLD: [&str; 3] = ["search", "insecure", "block"];
/// Keys that must not be used with them.
const NEW: [&str; 5] = [
    CREDENTIAL_HELPERS,
    "unqualified-search-registries",
    "registry",
    "short-name-mode",
    "aliases",
];
