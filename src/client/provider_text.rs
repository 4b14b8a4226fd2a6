//! A kubelet's configuration as it may be shown: its providers get secrets in their environment, in whatever form YAML has.

use super::edit::JsonText;
use crate::json;

/// The text with all hidden but what stands under keys that hold no secret.
#[must_use]
pub(super) fn without_secrets(text: &str) -> String {
    if !text.trim_start().starts_with('{') {
        return without_secrets_of_yaml(text);
    }
    if json::parse_object(text.as_bytes()).is_ok() {
        return JsonText::new(text).masked_below(&SHOWN);
    }
    text.split_inclusive('\n').map(hidden).collect()
}

/// Whatever follows a key that is not known to be harmless is hidden, up to a line that is certainly outside of it: one of
/// a known key, and not indented deeper.
fn without_secrets_of_yaml(text: &str) -> String {
    let (mut out, mut below) = (String::new(), None);
    for line in text.split_inclusive('\n') {
        let (dashes, column, rest) = key_column(line);
        let known = SHOWN.iter().any(|key| is_key(rest, key));
        let outside = below
            .is_none_or(|below| known && (column <= below) && (!dashes || indent(line) < below));
        if rest.trim().is_empty() {
            out.push_str(line);
        } else if !outside || rest.starts_with('#') {
            out.push_str(&hidden(line));
        } else if known || key_end(rest).is_none() {
            below = None;
            out.push_str(line);
        } else {
            below = Some(column);
            let end = key_end(rest).unwrap_or_default();
            let (key, value) = rest.split_at(end);
            out.push_str(&line[..column]);
            out.push_str(key);
            out.push_str(&if value.trim().is_empty() {
                value.to_owned()
            } else {
                hidden(value)
            });
        }
    }
    out
}

/// Whether there is a dash before what a line says, where that begins, and what it is.
fn key_column(line: &str) -> (bool, usize, &str) {
    let mut rest = line.trim_start_matches(' ');
    let mut dashes = false;
    while let Some(item) = rest.strip_prefix("- ") {
        (dashes, rest) = (true, item.trim_start_matches(' '));
    }
    (dashes, line.len() - rest.len(), rest)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn is_key(text: &str, key: &str) -> bool {
    key_end(text).is_some_and(|end| {
        text[..end]
            .trim_end_matches(':')
            .trim_end()
            .trim_matches(['"', '\''])
            == key
    })
}

/// The end of the key that a line begins with, colon included. A question mark begins one of a form that is not known here.
fn key_end(text: &str) -> Option<usize> {
    if text.starts_with(['?', '{', '[', '&', '*', '!', '|', '>']) {
        return Some(0);
    }
    // A colon within a text, as that of a port, has something else on either side.
    let ends = |at: usize| {
        text[at + 1..]
            .chars()
            .next()
            .is_none_or(char::is_whitespace)
            || text[..at].ends_with(['"', '\''])
    };
    text.match_indices(':')
        .map(|(at, _)| at)
        .find(|at| ends(*at))
        .map(|at| at + 1)
}

/// A line with nothing left but its indentation and its end.
fn hidden(line: &str) -> String {
    let text = line.trim();
    if text.is_empty() {
        line.to_owned()
    } else {
        line.replacen(text, "****", 1)
    }
}

/// What says which program is run, and for what.
const SHOWN: [&str; 13] = [
    "kind",
    "apiVersion",
    "providers",
    "name",
    "args",
    "matchImages",
    "defaultCacheDuration",
    "tokenAttributes",
    "serviceAccountTokenAudience",
    "cacheType",
    "requireServiceAccount",
    "requiredServiceAccountAnnotationKeys",
    "optionalServiceAccountAnnotationKeys",
];

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str =
        "kind: CredentialProviderConfig\nproviders:\n- name: x\n  args:\n  - kubelet\n";
    const BEHIND: &str = "  matchImages:\n    - \"a.example:5000\"\n- name: y\n  args: [\"get\"]\n";

    #[test]
    fn whatever_form_an_environment_has_nothing_of_it_is_shown_and_all_else_is() {
        for env in [
            "  env:\n    - name: A\n      value: hunter2\n",
            "  env:\n  - name: A\n    value: hunter2\n  - value: hunter2\n    name: A\n",
            "  env: [{name: A, value: hunter2}, {name: \"}\", value: hunter2}]\n",
            "  env: [{name: A,\n   value: hunter2},\n {value:\n  hunter2}]\n",
            "  env:\n    - name: A\n      value: |\n        hunter2\n\n        name: hunter2\n        - hunter2\n",
            "  env:\n    - name: A\n      value: \"a\n        hunter2\"\n",
            "  \"env\" :\n    - name: hunter2\n",
            "  \"env\":[{value: hunter2}]\n",
            "  'env': # hunter2\n    - {}\n",
            "  \"e\\x6ev\":\n    - value: hunter2\n",
            "  ? env\n  : - name: A\n      value: hunter2\n",
            "  other: &x\n    value: hunter2\n",
            "  # value: hunter2\n",
        ] {
            let shown = without_secrets(&format!("{BEFORE}{env}{BEHIND}"));
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(
                shown.starts_with(BEFORE) && shown.ends_with(BEHIND),
                "{shown}"
            );
            assert_eq!(
                shown.lines().count(),
                format!("{BEFORE}{env}{BEHIND}").lines().count()
            );
        }
        let first = "providers:\n  - env:\n    - name: A\n      value: hunter2\n    name: x\n";
        assert_eq!(
            without_secrets(first),
            "providers:\n  - env:\n    ****\n      ****\n    name: x\n"
        );
    }

    #[test]
    fn json_is_hidden_by_its_structure_wherever_its_lines_break() {
        let text = r#"{"kind":"K","providers":[{"name":"x","env":[{"name":"A","value":
  "hunter2"},{"v\u0061lue":"hunter2"}],"args":["kubelet"]}],"x":"hunter2"}"#;
        let shown = without_secrets(text);
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(
            shown.contains(r#""kind":"K","providers":[{"name":"x","env":[{"name":"****""#),
            "{shown}"
        );
        assert!(shown.contains(r#""args":["kubelet"]"#), "{shown}");
        assert_eq!(without_secrets("{\"env\":\n hunter2"), "****\n ****");
    }
}
