//! The cached tokens for a person: a few rows each.

use std::fmt::Write;
use std::time::Duration;

use super::super::rows::Rows;
use super::super::style::Style;
use super::{View, brief};
use crate::cache::{NODE, Origin, POD, State, TokenLife};

pub(super) fn text(view: &View, style: Style) -> String {
    let mut rows = Rows::new(2, "failed ".len());
    for entry in &view.survey.entries {
        rows.heading(&entry.origin.registry, style);
        match &entry.token {
            Some(token) => life(&mut rows, token, style),
            None => rows.row("token", "none", |line| style.bad(line).to_string()),
        }
        rows.plain("for", &about(&entry.origin));
        if let Some(failure) = &entry.last_failure {
            let ago = view.now.duration_since(failure.at).unwrap_or_default();
            rows.plain("failed", &format!("{} ago: {}", brief(ago), failure.text));
        }
    }
    let mut out = rows.finish();
    if !out.is_empty() {
        out.push('\n');
    }
    footer(&mut out, view);
    out
}

fn about(origin: &Origin) -> String {
    let Origin { workspace, backend, store, identity, .. } = origin;
    let whose = match store.as_str() {
        NODE => format!("with the node's own identity: {identity}"),
        POD => format!("by the pod's {identity}"),
        store if identity.is_empty() => format!("with the secret from the {store} store"),
        store => format!("with the node's own identity, as the secret from the {store} store says: {identity}"),
    };
    format!("workspace {workspace}; {backend}, {whose}")
}

fn life(rows: &mut Rows, token: &TokenLife, style: Style) {
    let (bar, minted) = (bar(token.left, token.left + token.age), format!("minted {} ago", brief(token.age)));
    let text = match token.state {
        State::Fresh => format!("{bar}  {} left, {minted}", brief(token.left)),
        State::Due => format!("{bar}  {} left, {minted}, due", brief(token.left)),
        State::Over => format!("{bar}  over, {minted}"),
    };
    rows.row("token", &text, |line| match token.state {
        State::Fresh => style.good(line).to_string(),
        State::Due => line.to_owned(),
        State::Over => style.bad(line).to_string(),
    });
}

/// What is left of a life, from the left.
fn bar(left: Duration, whole: Duration) -> String {
    let share = left.as_secs().saturating_mul(BAR as u64) / whole.as_secs().max(1);
    let full = usize::try_from(share).unwrap_or(BAR).min(BAR);
    format!("[{}{}]", "#".repeat(full), "-".repeat(BAR - full))
}

fn footer(out: &mut String, view: &View) {
    let tokens = view.survey.entries.iter().filter_map(|entry| entry.token).collect::<Vec<_>>();
    let count = |state| tokens.iter().filter(|token| token.state == state).count();
    let Some(dir) = &view.dir else {
        return line(out, format_args!("There is no place for a cache: set HOME, or BETA9_CACHE_DIR."));
    };
    match tokens.len() {
        0 if view.exists => line(out, format_args!("No token is cached.")),
        0 => line(out, format_args!("No token has been cached yet.")),
        number => {
            let counts =
                [(count(State::Fresh), "fresh"), (count(State::Due), "due for renewal"), (count(State::Over), "over")];
            let counts: Vec<_> =
                counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
            line(out, format_args!("{}: {}", counted(number, "token"), counts.join(", ")));
        }
    }
    if view.survey.unreadable > 0 {
        let files = counted(view.survey.unreadable, "file");
        line(out, format_args!("{files} of another version or key, or damaged: not served, and minted anew"));
    }
    if !view.enabled {
        line(out, format_args!("The cache is switched off: nothing is answered from it."));
    }
    line(out, format_args!("Cache: {}", dir.display()));
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn line(out: &mut String, text: std::fmt::Arguments) {
    writeln!(out, "{text}").expect("because writing to a String cannot fail");
}

const BAR: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_said_to_be_whose_it_is() {
        let table = [
            ("node", "key AKIA", "with the node's own identity: key AKIA"),
            ("pod", "service account a/b", "by the pod's service account a/b"),
            ("gateway", "", "with the secret from the gateway store"),
            ("file", "user x", "with the node's own identity, as the secret from the file store says: user x"),
        ];
        for (store, identity, whose) in table {
            let [registry, path] = ["gcr.io", ""].map(str::to_owned);
            let (workspace, backend, store) = ("default".to_owned(), "gcp".to_owned(), store.to_owned());
            let origin = Origin { registry, workspace, backend, path, store, identity: identity.to_owned() };
            assert_eq!(about(&origin), format!("workspace default; gcp, {whose}"));
        }
    }
}
