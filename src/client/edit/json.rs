//! Setting and removing members of a JSON text in the style that the text has.

use std::ops::Range;

use zeroize::Zeroizing;

use super::layout::{Member, Node, layout};
use super::{Splice, line_end};
use crate::json::write_go_string;

/// A well-formed JSON object that is being changed.
pub struct JsonText {
    /// The text as it is now.
    pub text: Zeroizing<String>,
    /// What was changed so far, in this order.
    pub splices: Vec<Splice>,
}

impl JsonText {
    /// An object, or nothing but blanks, which stands for an empty one.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self {
            text: Zeroizing::new(text.to_owned()),
            splices: Vec::new(),
        }
    }

    /// Sets `section.key`, or only `section`, to a text; `None` when something else than an object is in the way.
    pub fn set(&mut self, section: &str, key: Option<&str>, value: &str) -> Option<()> {
        let value = Value::Text(quoted(value));
        let (name, value) = match key {
            None => (section, value),
            Some(key) => {
                let root = self.root();
                match root.as_ref().and_then(|root| find(root, section)) {
                    Some(member) if member.value.members.is_some() => {
                        let one_line = self.one_line(root.as_ref()?, &member.value);
                        let indent = self.indent(member).to_owned();
                        return self.put(&member.value, key, &value, one_line, &indent);
                    }
                    _ => (section, Value::Object(quoted(key), Box::new(value))),
                }
            }
        };
        let Some(root) = self.root() else {
            // An empty file: all of it is made, as docker and podman write theirs.
            let style = Style {
                unit: "\t",
                colon: ": ",
                end: line_end(&self.text),
                pad: "",
                one_line: false,
            };
            let end = style.end;
            let new = format!(
                "{}{end}",
                style.write(&Value::Object(quoted(name), Box::new(value)), "")
            );
            return self.splice(0, self.text.len(), &new);
        };
        root.members.as_ref()?;
        let one_line = self.one_line(&root, &root);
        self.put(&root, name, &value, one_line, "")
    }

    /// Removes `section.key`, or only `section`; false when there is no such member.
    pub fn remove(&mut self, section: &str, key: Option<&str>) -> bool {
        let found = self.root().and_then(|root| {
            let Some(key) = key else {
                return stretch(&root, section);
            };
            stretch(&find(&root, section)?.value, key)
        });
        found.is_some_and(|(start, end)| self.splice(start, end, "").is_some())
    }

    /// Whether `section` is an object without members, or `None` the whole text is.
    #[must_use]
    pub fn is_empty(&self, section: Option<&str>) -> bool {
        let Some(root) = self.root() else { return true };
        let node = match section {
            None => Some(&root),
            Some(section) => find(&root, section).map(|member| &member.value),
        };
        node.is_some_and(|node| node.members.as_ref().is_some_and(Vec::is_empty))
    }

    /// The text with every value hidden that is a text, but those of the members named in `shown`.
    #[must_use]
    pub fn masked(&self, shown: &[&str]) -> String {
        let mut hidden = Vec::new();
        for member in self
            .root()
            .iter()
            .filter_map(|root| root.members.as_ref())
            .flatten()
        {
            if !shown
                .iter()
                .any(|name| member.key.eq_ignore_ascii_case(name))
            {
                member
                    .value
                    .texts(&self.text, &mut |span| hidden.push(span));
            }
        }
        self.without(hidden)
    }

    /// The text with every value hidden that is a text, but those that are under the names in `shown` alone, at any depth.
    #[must_use]
    pub fn masked_below(&self, shown: &[&str]) -> String {
        let mut hidden = Vec::new();
        if let Some(root) = self.root() {
            root.texts_but(shown, &self.text, &mut |span| hidden.push(span));
        }
        self.without(hidden)
    }

    fn without(&self, mut hidden: Vec<Range<usize>>) -> String {
        let mut out = self.text.to_string();
        hidden.sort_by_key(|span| std::cmp::Reverse(span.start));
        for span in hidden {
            out.replace_range(span, "\"****\"");
        }
        out
    }

    fn root(&self) -> Option<Node> {
        layout(&self.text)
    }

    /// Sets a member of `object`, whose closing brace stands behind `indent` where it is on a line of its own.
    fn put(
        &mut self,
        object: &Node,
        key: &str,
        value: &Value,
        one_line: bool,
        indent: &str,
    ) -> Option<()> {
        let members = object.members.as_ref()?;
        let text = self.text.clone();
        let style = self.style(one_line);
        if let Some(member) = members.iter().find(|member| member.key == key) {
            return self.splice(
                member.value.span.start,
                member.value.span.end,
                &style.write(value, indent),
            );
        }
        let Some(last) = members.last() else {
            let new = style.write(&Value::Object(quoted(key), Box::new(value.clone())), indent);
            return self.splice(object.span.start, object.span.end, &new);
        };
        let lead = blank_before(&text, last.key_span.start);
        let lead = match lead.rfind('\n') {
            Some(_) => format!("{}{}", style.end, last_line(lead)),
            None if members.len() > 1 => lead.to_owned(),
            None => if style.colon.ends_with(' ') { " " } else { "" }.to_owned(),
        };
        let colon = &text[last.key_span.end..last.value.span.start];
        let new = format!(
            ",{lead}{}{colon}{}",
            quoted(key),
            style.write(value, last_line(&lead))
        );
        self.splice(last.value.span.end, last.value.span.end, &new)
    }

    /// Whether a new member goes onto the line that the object is on.
    fn one_line(&self, root: &Node, object: &Node) -> bool {
        let blank = |node: &Node| node.members.as_ref().is_none_or(Vec::is_empty);
        let lines = |node: &Node| self.text[node.span.clone()].contains('\n');
        if blank(object) {
            !lines(object) && !blank(root) && !lines(root)
        } else {
            !lines(object)
        }
    }

    fn indent(&self, member: &Member) -> &str {
        let lead = blank_before(&self.text, member.key_span.start);
        if lead.contains('\n') {
            last_line(lead)
        } else {
            ""
        }
    }

    /// The style that the text has, by its first member.
    fn style(&self, one_line: bool) -> Style {
        let root = self.root();
        let first = root
            .as_ref()
            .and_then(|root| root.members.as_ref()?.first());
        let lead = first.map(|first| blank_before(&self.text, first.key_span.start));
        let unit = match lead.filter(|lead| lead.contains('\n')).map(last_line) {
            Some(unit) if unit.starts_with(' ') => &SPACES[..unit.len().min(SPACES.len())],
            Some("") => "",
            _ => "\t",
        };
        let spaced = first.is_none_or(|first| {
            self.text[first.key_span.end..first.value.span.start].ends_with(' ')
        });
        Style {
            unit,
            colon: if spaced { ": " } else { ":" },
            end: line_end(&self.text),
            pad: if one_line && lead == Some(" ") {
                " "
            } else {
                ""
            },
            one_line,
        }
    }

    fn splice(&mut self, start: usize, end: usize, is: &str) -> Option<()> {
        let splice = Splice {
            at: start,
            was: self.text[start..end].to_owned(),
            is: is.to_owned(),
        };
        self.text = splice.apply(&self.text)?;
        self.splices.push(splice);
        Some(())
    }
}

/// The stretch that a member takes up, with the comma that goes with it.
fn stretch(object: &Node, key: &str) -> Option<(usize, usize)> {
    let members = object.members.as_ref()?;
    let index = members.iter().position(|member| member.key == key)?;
    let (before, after) = (
        index.checked_sub(1).map(|before| &members[before]),
        members.get(index + 1),
    );
    Some(match (before, after) {
        (None, None) => (object.span.start + 1, object.span.end - 1),
        (None, Some(after)) => (members[index].key_span.start, after.key_span.start),
        (Some(before), _) => (before.value.span.end, members[index].value.span.end),
    })
}

/// A value to be written; an object has one member.
#[derive(Clone)]
enum Value {
    Text(String),
    Object(String, Box<Value>),
}

struct Style {
    unit: &'static str,
    colon: &'static str,
    end: &'static str,
    pad: &'static str,
    one_line: bool,
}

impl Style {
    fn write(&self, value: &Value, indent: &str) -> String {
        let Self {
            unit,
            colon,
            end,
            pad,
            ..
        } = self;
        match value {
            Value::Text(text) => text.clone(),
            Value::Object(key, value) if self.one_line => {
                format!("{{{pad}{key}{colon}{}{pad}}}", self.write(value, indent))
            }
            Value::Object(key, value) => {
                let inner = format!("{indent}{unit}");
                format!(
                    "{{{end}{inner}{key}{colon}{}{end}{indent}}}",
                    self.write(value, &inner)
                )
            }
        }
    }
}

/// A member by its name in any case, as Go's decoder finds it.
fn find<'a>(object: &'a Node, name: &str) -> Option<&'a Member> {
    let members = object.members.as_ref()?;
    let exact = members.iter().find(|member| member.key == name);
    exact.or_else(|| {
        members
            .iter()
            .find(|member| member.key.eq_ignore_ascii_case(name))
    })
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    write_go_string(&mut out, text);
    out
}

fn blank_before(text: &str, at: usize) -> &str {
    let start = text[..at].trim_end_matches([' ', '\t', '\r', '\n']).len();
    &text[start..at]
}

fn last_line(text: &str) -> &str {
    text.rsplit('\n').next().unwrap_or(text)
}

const SPACES: &str = "                ";

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    fn set(text: &str, section: &str, key: Option<&str>) -> String {
        let mut json = JsonText::new(text);
        json.set(section, key, "beta9").unwrap();
        crate::json::parse_object(json.text.as_bytes()).unwrap();
        let back = json
            .splices
            .iter()
            .rev()
            .fold(json.text.clone(), |text, splice| {
                splice.revert(&text).unwrap()
            });
        assert_eq!(*back, text);
        json.text.to_string()
    }

    #[test]
    fn a_member_is_added_in_the_style_of_the_text() {
        let table = [
            (
                "",
                "{\n\t\"credHelpers\": {\n\t\t\"h\": \"beta9\"\n\t}\n}\n",
            ),
            (
                "{}",
                "{\n\t\"credHelpers\": {\n\t\t\"h\": \"beta9\"\n\t}\n}",
            ),
            (
                "{}\n",
                "{\n\t\"credHelpers\": {\n\t\t\"h\": \"beta9\"\n\t}\n}\n",
            ),
            (r#"{"a":1}"#, r#"{"a":1,"credHelpers":{"h":"beta9"}}"#),
            (r#"{"a": 1}"#, r#"{"a": 1, "credHelpers": {"h": "beta9"}}"#),
            (
                r#"{ "a": 1 }"#,
                r#"{ "a": 1, "credHelpers": { "h": "beta9" } }"#,
            ),
            (
                r#"{"a": 1, "credHelpers": {}}"#,
                r#"{"a": 1, "credHelpers": {"h": "beta9"}}"#,
            ),
            (
                r#"{"credHelpers":null,"b":[{"c":"}\""}]}"#,
                r#"{"credHelpers":{"h":"beta9"},"b":[{"c":"}\""}]}"#,
            ),
            (
                "{\n  \"a\": 1\n}",
                "{\n  \"a\": 1,\n  \"credHelpers\": {\n    \"h\": \"beta9\"\n  }\n}",
            ),
            (
                "{\r\n    \"credHelpers\" : {\r\n        \"x\" : \"y\"\r\n    },\r\n    \"z\" : 1\r\n}\r\n",
                "{\r\n    \"credHelpers\" : {\r\n        \"x\" : \"y\",\r\n        \"h\" : \"beta9\"\r\n    },\r\n    \"z\" : 1\r\n}\r\n",
            ),
            (
                "{\n\t\"credhelpers\": {},\n\t\"auths\": {\"a\": {}}\n}\n",
                "{\n\t\"credhelpers\": {\n\t\t\"h\": \"beta9\"\n\t},\n\t\"auths\": {\"a\": {}}\n}\n",
            ),
            (
                "{\n  \"credHelpers\": {\"x\": \"y\"}\n}",
                "{\n  \"credHelpers\": {\"x\": \"y\", \"h\": \"beta9\"}\n}",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(set(text, "credHelpers", Some("h")), expected);
        }
    }

    #[test]
    fn a_member_that_is_there_is_replaced_in_place() {
        assert_eq!(
            set("{ \"credsStore\" :\t\"osxkeychain\" }", "credsStore", None),
            "{ \"credsStore\" :\t\"beta9\" }"
        );
        assert_eq!(
            set(
                r#"{"credHelpers":{"h":"x","i":"y"}}"#,
                "credHelpers",
                Some("h")
            ),
            r#"{"credHelpers":{"h":"beta9","i":"y"}}"#
        );
        assert!(
            JsonText::new("{\"credHelpers\":[]}")
                .set("credHelpers", Some("h"), "x")
                .is_some()
        );
    }

    #[test]
    fn a_member_is_removed_with_its_comma_and_nothing_else() {
        let table = [
            (
                "{\n  \"a\": 1,\n  \"s\": 2,\n  \"c\": 3\n}",
                "{\n  \"a\": 1,\n  \"c\": 3\n}",
            ),
            ("{\n  \"s\": 2,\n  \"c\": 3\n}", "{\n  \"c\": 3\n}"),
            ("{\n  \"c\": 3,\n  \"s\": 2\n}", "{\n  \"c\": 3\n}"),
            ("{\n  \"s\": 2\n}\n", "{}\n"),
            ("{\"a\":{\"s\":1},\"s\":{\"s\":[]}}", "{\"a\":{\"s\":1}}"),
        ];
        for (text, expected) in table {
            let mut json = JsonText::new(text);
            assert!(json.remove("s", None) && !json.remove("s", None));
            assert_eq!(*json.text, expected);
        }
        let mut json = JsonText::new(r#"{"auths":{"a":{"auth":"x"},"b":{}},"k":1}"#);
        assert!(json.remove("auths", Some("a")));
        assert_eq!(*json.text, r#"{"auths":{"b":{}},"k":1}"#);
        assert!(
            json.remove("auths", Some("b")) && json.is_empty(Some("auths")) && !json.is_empty(None)
        );
    }

    /// An object in any layout: members between blanks of all kinds.
    fn any_object() -> impl Strategy<Value = String> {
        let blank = "[ \t\r\n]{0,3}";
        let key = "(credHelpers|credsStore|auths|h|[a-z\\\\\"{}:,é]{0,4})";
        let text = |text: &str| serde_json::to_string(text).expect("because a text is JSON");
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("-1.5e+3".to_owned()),
            key.prop_map(move |key| text(&key))
        ];
        let value = leaf.prop_recursive(3, 24, 4, move |inner| {
            let members =
                proptest::collection::btree_map(key, (blank, blank, inner.clone(), blank), 0..4);
            let object = (members, blank).prop_map(move |(members, end)| {
                let members: Vec<_> = members
                    .iter()
                    .map(|(key, (a, b, value, c))| format!("{a}{}{b}:{c}{value}", text(key)))
                    .collect();
                format!("{{{}{end}}}", members.join(","))
            });
            let elements = proptest::collection::vec((blank, inner, blank), 0..4);
            let array = elements.prop_map(|elements| {
                format!(
                    "[{}]",
                    elements
                        .iter()
                        .map(|(a, value, b)| format!("{a}{value}{b}"))
                        .collect::<Vec<_>>()
                        .join(",")
                )
            });
            prop_oneof![object, array]
        });
        let members = proptest::collection::btree_map(key, (blank, blank, value, blank), 0..5);
        (blank, members, blank).prop_map(move |(before, members, behind)| {
            let members: Vec<_> = members
                .iter()
                .map(|(key, (a, b, value, c))| format!("{a}{}{b}:{c}{value}", text(key)))
                .collect();
            format!("{before}{{{}{behind}}}{before}", members.join(","))
        })
    }

    proptest! {
        #[test]
        fn setting_and_removing_touch_nothing_else_in_any_layout(text in any_object()) {
            let before = crate::json::parse_object(text.as_bytes()).unwrap();
            let mut json = JsonText::new(&text);
            json.set("credHelpers", Some("h"), "beta9").unwrap();
            json.set("credsStore", None, "beta9").unwrap();
            let after = crate::json::parse_object(json.text.as_bytes()).unwrap();
            let others = |object: &crate::json::Object| -> Vec<_> {
                let ours = |name: &str| ["credHelpers", "credsStore"].contains(&name);
                object.iter().filter(|(name, _)| !ours(name)).map(|(name, value)| (name.to_owned(), value.clone())).collect()
            };
            prop_assert_eq!(others(&before), others(&after));
            prop_assert_eq!(after.text("credsStore").unwrap().expose(), "beta9");
            let Some(crate::json::Value::Object(helpers)) = after.get("credHelpers") else { panic!("no object") };
            prop_assert_eq!(helpers.text("h").unwrap().expose(), "beta9");
            let back = json.splices.iter().rev().fold(json.text.clone(), |text, splice| splice.revert(&text).unwrap());
            prop_assert_eq!(&*back, &text);
            prop_assert!(json.remove("credHelpers", Some("h")) && json.remove("credsStore", None));
            let removed = crate::json::parse_object(json.text.as_bytes()).unwrap();
            prop_assert_eq!(others(&before), others(&removed));
            prop_assert!(removed.get("credsStore").is_none());
        }
    }
}
