//! Adding this helper to `credential-helpers` of a registries.conf, and taking it out again.
//!
//! The parser says where a value begins and ends; everything else of the text stays as it is.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::{Splice, line_end};
use crate::client::registries::CREDENTIAL_HELPERS;
use crate::client::{AUTH_FILES, HELPER};

/// The change that puts this helper in front of the list; `Err` says why the text does not allow it.
pub fn add_helper(text: &str, inherited: &[String]) -> Result<Splice, &'static str> {
    let table = DeTable::parse(text).map_err(|_| "it is not TOML")?;
    let table = table.get_ref();
    if is_version_1(table) {
        return Err(
            "it is of the old form, with [registries.search], beside which no helpers can stand",
        );
    }
    let end = line_end(text);
    if let Some(value) = table.get(CREDENTIAL_HELPERS) {
        let DeValue::Array(list) = value.get_ref() else {
            return Err("its credential-helpers is not a list");
        };
        let Some(first) = list.first().map(toml::Spanned::span) else {
            return Ok(replace(
                text,
                value.span(),
                format!("[{}]", names(inherited)),
            ));
        };
        let lead = &text[value.span().start + 1..first.start];
        let gap = lead
            .rfind('\n')
            .map_or_else(|| " ".to_owned(), |at| format!("{end}{}", &lead[at + 1..]));
        return Ok(replace(
            text,
            first.start..first.start,
            format!("\"{HELPER}\",{gap}"),
        ));
    }
    let line = format!("{CREDENTIAL_HELPERS} = [{}]{end}", names(inherited));
    let (at, headers_follow) = place(text, table);
    let open = !text[..at].is_empty() && !text[..at].ends_with('\n');
    let before = if open { end } else { "" };
    let after = if headers_follow { end } else { "" };
    Ok(replace(text, at..at, format!("{before}{line}{after}")))
}

/// The change that takes this helper out of the list; the whole line goes where it was `made`. `None` when it is not there.
#[must_use]
pub fn remove_helper(text: &str, made: bool) -> Option<Splice> {
    let table = DeTable::parse(text).ok()?;
    let (key, value) = table
        .get_ref()
        .iter()
        .find(|(key, _)| key.get_ref() == CREDENTIAL_HELPERS)?;
    let DeValue::Array(list) = value.get_ref() else {
        return None;
    };
    let index = list
        .iter()
        .position(|name| name.get_ref().as_str() == Some(HELPER))?;
    let others = list
        .iter()
        .filter(|name| ![Some(HELPER), Some(AUTH_FILES)].contains(&name.get_ref().as_str()));
    if made && others.count() == 0 {
        let end = text[value.span().end..]
            .find('\n')
            .map_or(text.len(), |at| value.span().end + at + 1);
        return Some(replace(text, key.span().start..end, String::new()));
    }
    let own = list[index].span();
    // Up to the next name where it is the first, as it was put there; else a comment may stand on either side.
    let behind = &text[own.end..];
    let comma = if behind.trim_start().starts_with(',') {
        behind.find(',').map_or(0, |at| at + 1)
    } else {
        0
    };
    let end = match (index, list.get(1)) {
        (0, Some(next)) => next.span().start,
        _ => own.end + comma,
    };
    let span = own.start..end;
    Some(replace(text, span, String::new()))
}

/// This helper, and what was asked before it came: without a list, the auth files.
fn names(inherited: &[String]) -> String {
    let default = [AUTH_FILES.to_owned()];
    let others = if inherited.is_empty() {
        &default
    } else {
        inherited
    };
    let quoted = |name: &str| format!("\"{}\"", name.escape_default());
    let all: Vec<String> = [HELPER]
        .into_iter()
        .chain(
            others
                .iter()
                .map(String::as_str)
                .filter(|name| *name != HELPER),
        )
        .map(quoted)
        .collect();
    all.join(", ")
}

fn is_version_1(table: &DeTable) -> bool {
    let registries = table
        .get("registries")
        .and_then(|value| value.get_ref().as_table());
    registries.is_some_and(|registries| {
        ["search", "insecure", "block"]
            .iter()
            .any(|key| registries.contains_key(*key))
    })
}

/// Where a new key of the top level goes: behind the last one, else above the first table with the comment that belongs to
/// it, else to the end; and whether a table follows.
fn place(text: &str, table: &DeTable) -> (usize, bool) {
    let line_start = |at: usize| text[..at].rfind('\n').map_or(0, |before| before + 1);
    let (mut last, mut header) = (None, None::<usize>);
    for (key, value) in table {
        let start = line_start(key.span().start);
        if text[start..].trim_start().starts_with('[') {
            header = Some(header.map_or(start, |header| header.min(start)));
        } else {
            last = last.max(Some(value.span().end.max(key.span().end)));
        }
    }
    if let Some(end) = last {
        return (
            text[end..].find('\n').map_or(text.len(), |at| end + at + 1),
            false,
        );
    }
    let Some(mut at) = header else {
        return (text.len(), false);
    };
    while at > 0 {
        let above = line_start(at - 1);
        if !text[above..at].trim_start().starts_with('#') {
            break;
        }
        at = above;
    }
    (at, true)
}

fn replace(text: &str, span: Range<usize>, is: String) -> Splice {
    Splice {
        at: span.start,
        was: text[span].to_owned(),
        is,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_helper_goes_to_the_front_of_the_list_or_a_new_line_where_keys_may_stand() {
        let line = r#"credential-helpers = ["beta9", "containers-auth.json"]"#;
        let table = [
            ("", format!("{line}\n")),
            (
                "# only\r\n# comments\r\n",
                format!("# only\r\n# comments\r\n{line}\r\n"),
            ),
            ("a = 1", format!("a = 1\n{line}\n")),
            (
                "a = [\n 1, # one\n] # end\n\n[[registry]]\nlocation = 'x'\n",
                format!("a = [\n 1, # one\n] # end\n{line}\n\n[[registry]]\nlocation = 'x'\n"),
            ),
            (
                "# head\n\n# mine\n[aliases]\n",
                format!("# head\n\n{line}\n\n# mine\n[aliases]\n"),
            ),
            ("[[registry]]\n", format!("{line}\n\n[[registry]]\n")),
            (
                "credential-helpers = []  # none\n",
                format!("{line}  # none\n"),
            ),
            (
                "credential-helpers=['pass']\n",
                "credential-helpers=[\"beta9\", 'pass']\n".into(),
            ),
            (
                "credential-helpers = [\n\t# first\n\t\"pass\",\n]\n",
                "credential-helpers = [\n\t# first\n\t\"beta9\",\n\t\"pass\",\n]\n".into(),
            ),
        ];
        for (text, expected) in table {
            let splice = add_helper(text, &[]).unwrap();
            let new = splice.apply(text).unwrap();
            assert_eq!(*new, expected);
            assert_eq!(*splice.revert(&new).unwrap(), text);
            DeTable::parse(&new).unwrap();
        }
        assert!(add_helper("[registries.search]\nregistries = ['docker.io']\n", &[]).is_err());
        assert_eq!(
            add_helper("", &["pass".into()]).unwrap().is,
            "credential-helpers = [\"beta9\", \"pass\"]\n"
        );
    }

    #[test]
    fn taking_it_out_leaves_the_others_and_their_comments() {
        let removed = |text: &str, made| {
            remove_helper(text, made).map(|splice| splice.apply(text).unwrap().to_string())
        };
        assert_eq!(
            removed("credential-helpers = [\"beta9\", 'pass'] # x\n", false).unwrap(),
            "credential-helpers = ['pass'] # x\n"
        );
        assert_eq!(
            removed("credential-helpers = [\n 'pass', # a\n 'beta9',\n]\n", true).unwrap(),
            "credential-helpers = [\n 'pass', # a\n \n]\n"
        );
        assert_eq!(
            removed(
                "a = 1\ncredential-helpers = ['beta9', 'containers-auth.json']\n[b]\n",
                true
            )
            .unwrap(),
            "a = 1\n[b]\n"
        );
        assert_eq!(removed("credential-helpers = ['pass']\n", true), None);
    }
}
