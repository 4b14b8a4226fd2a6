//! This helper's entry in a kubelet's `CredentialProviderConfig`, YAML or JSON
//! (<https://kubernetes.io/docs/reference/config-api/kubelet-config.v1/#kubelet-config-k8s-io-v1-CredentialProviderConfig>).
//!
//! Of YAML only the usual block form is taken: what looks otherwise is refused, and never guessed at.

use super::layout::{Node, layout};
use super::{Splice, line_end};
use crate::json::{self, Value};

/// The change that adds this helper's entry for these images; `None` when there is one already that names them all.
/// An entry that names others is written anew only by `force`.
pub fn add_provider(
    text: &str,
    name: &str,
    images: &[String],
    force: bool,
) -> Result<Option<Splice>, String> {
    if text.trim().is_empty() {
        return Ok(Some(Splice {
            at: 0,
            was: text.to_owned(),
            is: whole(name, images),
        }));
    }
    let providers = if text.trim_start().starts_with('{') {
        json_providers(text)?
    } else {
        yaml_providers(text)?
    };
    let Some(ours) = providers.items.iter().find(|item| item.name == name) else {
        return Ok(Some(providers.add(text, name, images)));
    };
    let entry = &text[ours.start..ours.end];
    let names_it = |image: &String| {
        let image = image.as_str();
        entry
            .split(['"', '\'', ' ', ',', '\n', '\r', '[', ']'])
            .any(|word| word == image)
    };
    if images.iter().all(names_it) {
        return Ok(None);
    }
    if !force {
        return Err(format!(
            "it has an entry {name} that names other images; --force writes that entry anew"
        ));
    }
    let is = (providers.write)(&providers.style, name, images);
    Ok(Some(Splice {
        at: ours.start,
        was: entry.to_owned(),
        is,
    }))
}

/// The names of a configuration's providers.
pub fn provider_names(text: &str) -> Result<Vec<String>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let providers = if text.trim_start().starts_with('{') {
        json_providers(text)?
    } else {
        yaml_providers(text)?
    };
    Ok(providers.items.into_iter().map(|item| item.name).collect())
}

struct Providers {
    items: Vec<Item>,
    /// Where the next entry goes, and what is replaced by it: nothing, or an empty list.
    next: (usize, usize),
    /// What stands before and behind it there.
    around: (String, String),
    style: Style,
    write: fn(&Style, &str, &[String]) -> String,
}

struct Item {
    name: String,
    start: usize,
    end: usize,
}

struct Style {
    indent: String,
    unit: String,
    end: &'static str,
    one_line: bool,
}

impl Providers {
    fn add(&self, text: &str, name: &str, images: &[String]) -> Splice {
        let entry = (self.write)(&self.style, name, images);
        let (before, behind) = &self.around;
        Splice {
            at: self.next.0,
            was: text[self.next.0..self.next.1].to_owned(),
            is: format!("{before}{entry}{behind}"),
        }
    }
}

/// A configuration of this helper alone.
fn whole(name: &str, images: &[String]) -> String {
    let style = Style {
        indent: "  ".into(),
        unit: "  ".into(),
        end: "\n",
        one_line: false,
    };
    let entry = yaml_entry(&style, name, images);
    format!("apiVersion: {CONFIG}\nkind: {KIND}\nproviders:\n  {entry}\n")
}

/// An entry from its dash on, without the last line end. Every answer names a time of its own: the default is for one that
/// does not.
fn yaml_entry(style: &Style, name: &str, images: &[String]) -> String {
    let Style { indent, end, .. } = style;
    let mut lines = vec![
        format!("- name: {name}"),
        format!("{indent}  apiVersion: {PROTOCOL}"),
        format!("{indent}  args: [\"kubelet\"]"),
        format!("{indent}  defaultCacheDuration: \"0s\""),
        format!("{indent}  matchImages:"),
    ];
    lines.extend(
        images
            .iter()
            .map(|image| format!("{indent}    - \"{image}\"")),
    );
    lines.join(end)
}

fn json_entry(style: &Style, name: &str, images: &[String]) -> String {
    let (line, inner, deep, colon) = if style.one_line {
        (String::new(), String::new(), String::new(), ":")
    } else {
        let Style {
            indent, unit, end, ..
        } = style;
        (
            format!("{end}{indent}"),
            format!("{end}{indent}{unit}"),
            format!("{end}{indent}{unit}{unit}"),
            ": ",
        )
    };
    let images: Vec<String> = images
        .iter()
        .map(|image| format!("{deep}\"{image}\""))
        .collect();
    let members = [
        format!("{inner}\"name\"{colon}\"{name}\""),
        format!("{inner}\"apiVersion\"{colon}\"{PROTOCOL}\""),
        format!("{inner}\"args\"{colon}[\"kubelet\"]"),
        format!("{inner}\"defaultCacheDuration\"{colon}\"0s\""),
        format!("{inner}\"matchImages\"{colon}[{}{inner}]", images.join(",")),
    ];
    format!("{{{}{line}}}", members.join(","))
}

fn json_providers(text: &str) -> Result<Providers, String> {
    let object = json::parse_object(text.as_bytes()).map_err(|error| error.to_string())?;
    if object.text("kind").map(crate::credential::Redacted::expose) != Some(KIND) {
        return Err(NOT_IT.into());
    }
    let Some(Value::Array(list)) = object.get("providers") else {
        return Err(NO_LIST.into());
    };
    let name = |value: &Value| match value {
        Value::Object(provider) => provider.text("name").map(|name| name.expose().to_owned()),
        _ => None,
    };
    let names: Option<Vec<String>> = list.iter().map(name).collect();
    let root = layout(text).ok_or(NO_LIST)?;
    let node = root
        .members
        .iter()
        .flatten()
        .find(|member| member.key == "providers")
        .ok_or(NO_LIST)?;
    let nodes: &[Node] = &node.value.elements;
    let items = names
        .ok_or("one of its providers has no name")?
        .into_iter()
        .zip(nodes);
    let items: Vec<Item> = items
        .map(|(name, node)| Item {
            name,
            start: node.span.start,
            end: node.span.end,
        })
        .collect();
    let one_line = !text.trim().contains('\n');
    let lead_of = |at: usize| {
        let blank = text[..at].trim_end_matches([' ', '\t', '\r', '\n']).len();
        text[blank..at]
            .rsplit_once('\n')
            .map(|(_, indent)| indent.to_owned())
    };
    let unit = lead_of(node.key_span.start)
        .filter(|unit| !unit.is_empty())
        .unwrap_or_else(|| "  ".into());
    let end = line_end(text);
    let (next, around, indent) = if let Some(last) = items.last() {
        let lead = lead_of(last.start);
        let before = lead
            .as_ref()
            .map_or_else(|| ",".to_owned(), |lead| format!(",{end}{lead}"));
        (
            (last.end, last.end),
            (before, String::new()),
            lead.unwrap_or_default(),
        )
    } else {
        let indent = format!("{unit}{unit}");
        let span = node.value.span.clone();
        let around = if one_line {
            ("[".into(), "]".into())
        } else {
            (format!("[{end}{indent}"), format!("{end}{unit}]"))
        };
        ((span.start, span.end), around, indent)
    };
    Ok(Providers {
        items,
        next,
        around,
        style: Style {
            indent,
            unit,
            end,
            one_line,
        },
        write: json_entry,
    })
}

fn yaml_providers(text: &str) -> Result<Providers, String> {
    let lines = lines(text)?;
    let top = |key: &str| {
        lines
            .iter()
            .position(|line| line.indent == 0 && line.value(key).is_some())
    };
    if top("kind").and_then(|at| lines[at].value("kind")) != Some(KIND) {
        return Err(NOT_IT.into());
    }
    let at = top("providers").ok_or(NO_LIST)?;
    let end = line_end(text);
    let style = |indent: usize| Style {
        indent: " ".repeat(indent),
        unit: "  ".into(),
        end,
        one_line: false,
    };
    match lines[at].value("providers") {
        Some("") => {}
        Some("[]") => {
            let list = lines[at].start + lines[at].text.find("[]").ok_or(NO_LIST)?;
            let start = text[..list].trim_end_matches(' ').len();
            let around = (format!("{end}  "), String::new());
            return Ok(Providers {
                items: vec![],
                next: (start, list + 2),
                around,
                style: style(2),
                write: yaml_entry,
            });
        }
        _ => return Err(NO_LIST.into()),
    }
    let list = lines[at + 1..]
        .iter()
        .take_while(|line| line.indent > 0 || line.text.starts_with('-'));
    let list: Vec<&Line> = list.collect();
    let Some(first) = list.first().filter(|line| line.is_item()) else {
        return Err(NO_LIST.into());
    };
    let indent = first.indent;
    let mut items: Vec<Item> = Vec::new();
    for line in &list {
        if line.indent < indent || (line.indent == indent && !line.is_item()) {
            return Err(NO_LIST.into());
        }
        if line.indent == indent {
            items.push(Item {
                name: String::new(),
                start: line.start + indent,
                end: 0,
            });
        }
        let Some(item) = items.last_mut() else {
            return Err(NO_LIST.into());
        };
        item.end = line.start + line.text.len();
        // The keys of an entry stand two columns behind its dash, or wherever its first one does.
        let key = line
            .text
            .trim_start()
            .strip_prefix('-')
            .filter(|_| line.indent == indent);
        let own = key.map_or(line.indent == indent + 2, |_| true);
        if let Some(name) = own
            .then(|| value_of(key.unwrap_or(line.text), "name"))
            .flatten()
            .filter(|_| item.name.is_empty())
        {
            item.name = name.to_owned();
        }
    }
    if items.iter().any(|item| item.name.is_empty()) {
        return Err("one of its providers has no name where it is looked for".into());
    }
    let behind = items.last().map_or(text.len(), |item| item.end);
    let around = (format!("{end}{}", " ".repeat(indent)), String::new());
    Ok(Providers {
        items,
        next: (behind, behind),
        around,
        style: style(indent),
        write: yaml_entry,
    })
}

struct Line<'a> {
    start: usize,
    indent: usize,
    /// Without the line end and what is blank before it.
    text: &'a str,
}

impl<'a> Line<'a> {
    fn value(&self, key: &str) -> Option<&'a str> {
        value_of(self.text, key)
    }

    fn is_item(&self) -> bool {
        let text = self.text.trim_start();
        text == "-" || text.starts_with("- ")
    }
}

/// The lines that are neither blank nor a comment.
fn lines(text: &str) -> Result<Vec<Line<'_>>, String> {
    let (mut all, mut start) = (Vec::new(), 0);
    for line in text.split_inclusive('\n') {
        let here = start;
        start += line.len();
        let text = line.trim_end();
        let inner = text.trim_start_matches(' ');
        if inner.is_empty() || inner.starts_with('#') || (text == "---" && all.is_empty()) {
            continue;
        }
        if inner.starts_with('\t') || text == "---" || text == "..." || text.starts_with('%') {
            return Err("it has more than one document, or tabs for indentation".into());
        }
        all.push(Line {
            start: here,
            indent: text.len() - inner.len(),
            text,
        });
    }
    Ok(all)
}

/// The scalar of `key: scalar`, without quotes and comment.
fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let text = text.trim_start();
    let text = text
        .strip_prefix(key)
        .or_else(|| text.strip_prefix('"')?.strip_prefix(key)?.strip_prefix('"'))?;
    let value = text.trim_start().strip_prefix(':')?;
    if !value.is_empty() && !value.starts_with(' ') {
        return None;
    }
    let value = value.find(" #").map_or(value, |at| &value[..at]).trim();
    let quoted = |quote| {
        value
            .strip_prefix(quote)
            .and_then(|value| value.strip_suffix(quote))
    };
    Some(quoted('"').or_else(|| quoted('\'')).unwrap_or(value))
}

const CONFIG: &str = "kubelet.config.k8s.io/v1";
const KIND: &str = "CredentialProviderConfig";
const PROTOCOL: &str = "credentialprovider.kubelet.k8s.io/v1";
const NOT_IT: &str = "it is no CredentialProviderConfig";
const NO_LIST: &str =
    "its providers are not a plain list, or written in a form that cannot be changed safely";

#[cfg(test)]
mod tests {
    use super::*;

    fn added(text: &str) -> String {
        let splice = add_provider(text, "beta9", &["a.example".into(), "*.b".into()], false)
            .unwrap()
            .unwrap();
        let new = splice.apply(text).unwrap();
        assert_eq!(*splice.revert(&new).unwrap(), text);
        assert_eq!(
            add_provider(&new, "beta9", &["*.b".into(), "a.example".into()], false),
            Ok(None)
        );
        new.to_string()
    }

    const HEAD: &str =
        "kind: CredentialProviderConfig # of this node\napiVersion: kubelet.config.k8s.io/v1\n";

    fn entry(indent: &str) -> String {
        let lines = [
            "- name: beta9",
            "  apiVersion: credentialprovider.kubelet.k8s.io/v1",
            "  args: [\"kubelet\"]",
            "  defaultCacheDuration: \"0s\"",
            "  matchImages:",
            "    - \"a.example\"",
            "    - \"*.b\"",
        ];
        lines.map(|line| format!("{indent}{line}\n")).concat()
    }

    #[test]
    fn an_entry_is_added_behind_the_others_in_their_indentation() {
        let other = |indent: &str| {
            format!(
                "{indent}- name: ecr\n{indent}  args:\n{indent}    - name: no\n{indent}  matchImages: []\n"
            )
        };
        for indent in ["", "  ", "    "] {
            let text = format!("---\n{HEAD}providers: # all\n\n{}# end\n", other(indent));
            let expected = format!(
                "---\n{HEAD}providers: # all\n\n{}{}# end\n",
                other(indent),
                entry(indent)
            );
            assert_eq!(added(&text), expected);
        }
        let first = format!("providers:\n{}{HEAD}", other("  "));
        assert_eq!(
            added(&first),
            format!("providers:\n{}{}{HEAD}", other("  "), entry("  "))
        );
        let none = format!("{HEAD}providers: []\n");
        assert_eq!(added(&none), format!("{HEAD}providers:\n{}", entry("  ")));
        let open = format!("{HEAD}providers:\n- matchImages: [x]\n  \"name\": 'ecr' # theirs");
        assert_eq!(added(&open), format!("{open}\n{}", entry("").trim_end()));
        assert!(added("").ends_with(&format!("providers:\n{}", entry("  "))));
    }

    #[test]
    fn json_gets_one_in_its_own_layout() {
        let compact = r#"{"kind":"CredentialProviderConfig","providers":[{"name":"ecr"}]}"#;
        let own = r#"{"name":"beta9","apiVersion":"credentialprovider.kubelet.k8s.io/v1","args":["kubelet"],"defaultCacheDuration":"0s","matchImages":["a.example","*.b"]}"#;
        assert_eq!(
            added(compact),
            compact.replace("}]}", &format!("}},{own}]}}"))
        );
        let lines = "{\n  \"kind\": \"CredentialProviderConfig\",\n  \"providers\": [\n    {\n      \"name\": \"ecr\"\n    }\n  ]\n}\n";
        let expected = "    },\n    {\n      \"name\": \"beta9\",\n      \"apiVersion\": \"credentialprovider.kubelet.k8s.io/v1\",\n      \"args\": [\"kubelet\"],\n      \"defaultCacheDuration\": \"0s\",\n      \"matchImages\": [\n        \"a.example\",\n        \"*.b\"\n      ]\n    }\n  ]\n}\n";
        assert_eq!(added(lines), lines.replace("    }\n  ]\n}\n", expected));
        crate::json::parse_object(
            added(&lines.replace("[\n    {\n      \"name\": \"ecr\"\n    }\n  ]", "[]")).as_bytes(),
        )
        .unwrap();
    }

    #[test]
    fn an_entry_that_names_other_images_is_written_anew_only_by_force() {
        let text = added(&format!("{HEAD}providers:\n  - name: ecr\n"));
        let images = ["c.example".to_owned()];
        assert!(add_provider(&text, "beta9", &images, false).is_err());
        let new = add_provider(&text, "beta9", &images, true)
            .unwrap()
            .unwrap()
            .apply(&text)
            .unwrap();
        let expected = text
            .replace("    - \"a.example\"\n", "    - \"c.example\"\n")
            .replace("      - \"*.b\"\n", "");
        assert_eq!(*new, expected);
    }

    #[test]
    fn what_cannot_be_changed_safely_is_refused() {
        for rest in [
            "providers: [{name: x}]\n",
            "providers: &a\n  - name: x\n",
            "providers:\n",
            "providers:\n\t- name: x\n",
            "providers:\n  - args: []\n",
            "providers:\n  - name: x\n---\nkind: Pod\n",
            "",
            "providers:\n  x: y\n",
        ] {
            assert!(
                add_provider(&format!("{HEAD}{rest}"), "beta9", &[], false).is_err(),
                "{rest}"
            );
        }
        assert_eq!(
            add_provider("kind: Pod\nproviders: []\n", "beta9", &[], false),
            Err(NOT_IT.into())
        );
        assert!(
            add_provider(
                "{\"kind\":\"CredentialProviderConfig\",\"providers\":{}}",
                "beta9",
                &[],
                false
            )
            .is_err()
        );
    }
}
