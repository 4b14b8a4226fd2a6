//! Shows cached and published tokens to people, in a few rows each.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use super::super::rows::Rows;
use super::super::style::Style;
use super::{View, brief};
use crate::cache::{NODE, OWN, Origin, POD, State, TokenLife};
use crate::store::Published;

pub(super) fn text(view: &View, style: Style) -> String {
    let mut rows = Rows::new(2, "failed ".len());
    for entry in &view.inventory.entries {
        rows.heading(&entry.origin.registry, style);
        match &entry.token {
            Some(TokenLife {
                left, age, state, ..
            }) => life(&mut rows, (*left, *age), *state, style),
            None => rows.row("token", "none", |line| style.bad(line).to_string()),
        }
        rows.plain("for", &about(&entry.origin));
        if let Some(failure) = &entry.last_failure {
            let ago = view.now.duration_since(failure.at).unwrap_or_default();
            rows.plain("failed", &format!("{} ago: {}", brief(ago), failure.text));
        }
    }
    for (host, published) in &view.published {
        rows.heading(&format!("{host}, published"), style);
        let left = published
            .expires
            .duration_since(view.now)
            .unwrap_or_default();
        let age = view
            .now
            .duration_since(published.minted)
            .unwrap_or_default();
        life(&mut rows, (left, age), state(published, view.now), style);
        let names = published.names().collect::<Vec<_>>().join(" and ");
        let cut = if published.is_whole {
            ""
        } else {
            "; the last run was cut short"
        };
        let Published { backend, store, .. } = published;
        rows.plain(
            "for",
            &format!(
                "workspace {}; {backend}, as {names} in the {store} store{cut}",
                view.workspace
            ),
        );
    }
    let mut out = rows.finish();
    if !out.is_empty() {
        out.push('\n');
    }
    footer(&mut out, view);
    out
}

fn about(origin: &Origin) -> String {
    let Origin {
        workspace,
        backend,
        store,
        identity,
        ..
    } = origin;
    let whose = match store.as_str() {
        NODE => format!("with the node's own identity: {identity}"),
        OWN => "with the control plane's own keys".to_owned(),
        POD => format!("by the pod's {identity}"),
        store if identity.is_empty() => format!("with the secret from the {store} store"),
        store => format!(
            "with the node's own identity, as the secret from the {store} store says: {identity}"
        ),
    };
    format!("workspace {workspace}; {backend}, {whose}")
}

fn state(published: &Published, now: SystemTime) -> State {
    match (now >= published.expires, published.is_due(now)) {
        (true, _) => State::Over,
        (false, true) => State::Due,
        (false, false) => State::Fresh,
    }
}

pub(super) fn life(rows: &mut Rows, (left, age): (Duration, Duration), state: State, style: Style) {
    let (bar, minted) = (bar(left, left + age), format!("minted {} ago", brief(age)));
    let text = match state {
        State::Fresh => format!("{bar}  {} left, {minted}", brief(left)),
        State::Due => format!("{bar}  {} left, {minted}, due", brief(left)),
        State::Over => format!("{bar}  over, {minted}"),
    };
    rows.row("token", &text, |line| match state {
        State::Fresh => style.good(line).to_string(),
        State::Due => line.to_owned(),
        State::Over => style.bad(line).to_string(),
    });
}

/// A bar for the remaining life.
fn bar(left: Duration, whole: Duration) -> String {
    let share = left.as_secs().saturating_mul(BAR as u64) / whole.as_secs().max(1);
    let full = usize::try_from(share).unwrap_or(BAR).min(BAR);
    format!("[{}{}]", "#".repeat(full), "-".repeat(BAR - full))
}

fn footer(out: &mut String, view: &View) {
    let tokens = view
        .inventory
        .entries
        .iter()
        .filter_map(|entry| entry.token)
        .collect::<Vec<_>>();
    let count = |state| tokens.iter().filter(|token| token.state == state).count();
    let Some(dir) = &view.dir else {
        return line(
            out,
            format_args!("There is no place for a cache: set HOME, or BETA9_CACHE_DIR."),
        );
    };
    match tokens.len() {
        0 if view.exists => line(out, format_args!("No token is cached.")),
        0 => line(out, format_args!("No token has been cached yet.")),
        number => {
            let counts = [
                (count(State::Fresh), "fresh"),
                (count(State::Due), "due for renewal"),
                (count(State::Over), "over"),
            ];
            let counts: Vec<_> = counts
                .iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, word)| format!("{count} {word}"))
                .collect();
            line(
                out,
                format_args!("{}: {}", counted(number, "token"), counts.join(", ")),
            );
        }
    }
    if view.inventory.unreadable > 0 {
        let files = counted(view.inventory.unreadable, "file");
        line(
            out,
            format_args!(
                "{files} of another version or key, or damaged: not served, minted again when asked for"
            ),
        );
    }
    if !view.enabled {
        line(
            out,
            format_args!("The cache is switched off: nothing is answered from it."),
        );
    }
    line(out, format_args!("Cache: {}", dir.display()));
    if let Some(dir) = &view.memory_dir {
        line(out, format_args!("Cache in memory: {}", dir.display()));
    }
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
            ("own", "", "with the control plane's own keys"),
            (
                "pod",
                "service account a/b",
                "by the pod's service account a/b",
            ),
            ("gateway", "", "with the secret from the gateway store"),
            (
                "file",
                "user x",
                "with the node's own identity, as the secret from the file store says: user x",
            ),
        ];
        for (store, identity, whose) in table {
            let [registry, path] = ["gcr.io", ""].map(str::to_owned);
            let (workspace, backend, store) =
                ("default".to_owned(), "gcp".to_owned(), store.to_owned());
            let origin = Origin {
                registry,
                workspace,
                backend,
                path,
                store,
                identity: identity.to_owned(),
            };
            assert_eq!(about(&origin), format!("workspace default; gcp, {whose}"));
        }
    }
}
