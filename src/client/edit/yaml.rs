//! Reads a kubelet's YAML, and edits it without losing comments.

use serde_json::Value;
use yaml_edit::{AnchorRegistry, MappingBuilder, SequenceBuilder, YamlFile, YamlNode, YamlValue};
use zeroize::Zeroizing;

use super::FORM;

/// Adds this helper's entry to the list, or changes or removes the one at `own`.
pub(super) fn edited(
    text: &str,
    own: Option<usize>,
    entry: Option<&Value>,
) -> Result<Zeroizing<String>, String> {
    let file: YamlFile = text.parse().map_err(|_| FORM)?;
    let document = file.document().ok_or(FORM)?;
    let list = document.get_sequence("providers").ok_or(FORM)?;
    match (own, entry) {
        (Some(at), Some(entry)) => {
            let own = list.get(at).ok_or(FORM)?;
            let own = own.as_mapping().ok_or(FORM)?;
            for key in OWN {
                match entry.get(key) {
                    Some(value) => own.set(key, yaml(value)),
                    None => _ = own.remove(key),
                }
            }
        }
        (Some(at), None) => _ = list.remove(at),
        (None, entry) => {
            let entry = entry.ok_or(FORM)?;
            let add = |new: MappingBuilder, key: &&str| new.pair(*key, yaml(&entry[*key]));
            let keys = [&["name"], &OWN[..]].concat();
            let new = keys
                .iter()
                .fold(MappingBuilder::new(), add)
                .build_document();
            let new = new.as_mapping().ok_or(FORM)?;
            if list.is_empty() {
                let new = SequenceBuilder::new().item(&new).build_document();
                document.set("providers", &new.as_sequence().ok_or(FORM)?);
            } else {
                list.push(&new);
            }
        }
    }
    Ok(Zeroizing::new(file.to_string()))
}

fn yaml(value: &Value) -> YamlValue {
    match value {
        Value::Array(list) => YamlValue::Sequence(list.iter().map(yaml).collect()),
        other => YamlValue::from(other.as_str().unwrap_or_default()),
    }
}

/// Parses a text; scalars become text. Refuses YAML that editing might not preserve.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let tab = |line: &str| {
        let text = line.trim_start_matches([' ', '\t', '-', '?', ':']);
        line[..line.len() - text.len()].contains('\t')
    };
    if text.lines().any(tab) {
        return Err("it has tabs for indentation".into());
    }
    let file: YamlFile = text.parse().map_err(|_| "it isn't YAML")?;
    let mut documents = file.documents();
    let (first, None) = (documents.next(), documents.next()) else {
        return Err("it has more than one document".into());
    };
    if file.directives().next().is_some() {
        return Err("it has a directive of YAML".into());
    }
    let first = first.ok_or(NOT_IT)?;
    if AnchorRegistry::from_document(&first)
        .anchor_names()
        .next()
        .is_some()
    {
        return Err(UNKEPT.into());
    }
    let root = first.as_mapping().ok_or(NOT_IT)?;
    value_of(&YamlNode::Mapping(root))
}

fn value_of(node: &YamlNode) -> Result<Value, String> {
    match node {
        YamlNode::Scalar(text) => Ok(text.as_string().into()),
        YamlNode::Sequence(list) => list.values().map(|value| value_of(&value)).collect(),
        YamlNode::Mapping(mapping) => {
            let mut all = serde_json::Map::new();
            for entry in mapping.entries() {
                let key = entry
                    .key_node()
                    .and_then(|key| Some(key.as_scalar()?.as_string()));
                let key = key
                    .filter(|key| key != "<<" && !all.contains_key(key))
                    .ok_or(UNKEPT)?;
                let value = entry
                    .value_node()
                    .map_or(Ok(Value::Null), |value| value_of(&value))?;
                all.insert(key, value);
            }
            Ok(all.into())
        }
        _ => Err(UNKEPT.into()),
    }
}

/// The members of this helper's entry, in addition to its name.
pub(super) const OWN: [&str; 4] = ["apiVersion", "args", "defaultCacheDuration", "matchImages"];
pub(super) const NOT_IT: &str = "it isn't a CredentialProviderConfig";
const UNKEPT: &str = "it has anchors, aliases, tags or a key that stands twice";
