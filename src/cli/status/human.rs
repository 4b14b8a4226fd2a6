//! Shows cached and published tokens to people, in a few rows each.

use std::time::{Duration, SystemTime};

use super::super::rows::Rows;
use super::super::style::Style;
use super::{View, brief};
use crate::cache::{NODE, OWN, Origin, POD, State};
use crate::store::Published;

pub(super) fn text(view: &View, style: Style) -> String {
    let (mut rows, now) = (Rows::new(2, "failed ".len(), style), view.now);
    for entry in &view.inventory.entries {
        rows.heading(&entry.origin.registry);
        match &entry.token {
            Some(token) => life(&mut rows, token.left, token.age, token.state),
            None => rows.bad("token", "none"),
        }
        rows.plain("for", &about(&entry.origin));
        if let Some(failure) = &entry.last_failure {
            let ago = brief(since(now, failure.at));
            rows.plain("failed", &format!("{ago} ago: {}", failure.text));
        }
    }
    for (host, published) in &view.published {
        rows.heading(&format!("{host}, published"));
        let (left, age) = (since(published.expires, now), since(now, published.minted));
        life(&mut rows, left, age, state(published, now));
        let names = published.names().collect::<Vec<_>>().join(" and ");
        let cut = if published.is_whole {
            ""
        } else {
            "; the last run was cut short"
        };
        let Published { backend, store, .. } = published;
        let workspace = &view.workspace;
        rows.plain(
            "for",
            &format!("workspace {workspace}; {backend}, as {names} in the {store} store{cut}"),
        );
    }
    let mut out = rows.finish();
    if !out.is_empty() {
        out.push('\n');
    }
    for line in footer(view) {
        out += &line;
        out.push('\n');
    }
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

/// The time from one moment to a later one.
pub(super) fn since(later: SystemTime, earlier: SystemTime) -> Duration {
    later.duration_since(earlier).unwrap_or_default()
}

pub(super) fn life(rows: &mut Rows, left: Duration, age: Duration, state: State) {
    let (bar, minted) = (bar(left, left + age), format!("minted {} ago", brief(age)));
    let left = brief(left);
    match state {
        State::Fresh => rows.good("token", &format!("{bar}  {left} left, {minted}")),
        State::Due => rows.plain("token", &format!("{bar}  {left} left, {minted}, due")),
        State::Over => rows.bad("token", &format!("{bar}  over, {minted}")),
    }
}

/// A bar for the remaining life.
fn bar(left: Duration, whole: Duration) -> String {
    let share = left.as_secs().saturating_mul(BAR as u64) / whole.as_secs().max(1);
    let full = usize::try_from(share).unwrap_or(BAR).min(BAR);
    format!("[{}{}]", "#".repeat(full), "-".repeat(BAR - full))
}

fn footer(view: &View) -> Vec<String> {
    let Some(dir) = &view.dir else {
        return vec!["There is no place for a cache: set HOME, or BETA9_CACHE_DIR.".to_owned()];
    };
    let entries = view.inventory.entries.iter();
    let states: Vec<State> = entries
        .filter_map(|entry| Some(entry.token?.state))
        .collect();
    let counts = [
        (State::Fresh, "fresh"),
        (State::Due, "due for renewal"),
        (State::Over, "over"),
    ];
    let counts = counts.map(|(state, word)| {
        let count = states.iter().filter(|one| **one == state).count();
        (count > 0).then(|| format!("{count} {word}"))
    });
    let counts: Vec<_> = counts.into_iter().flatten().collect();
    let mut lines = vec![match states.len() {
        0 if view.exists => "No token is cached.".to_owned(),
        0 => "No token has been cached yet.".to_owned(),
        number => format!("{}: {}", counted(number, "token"), counts.join(", ")),
    }];
    if view.inventory.unreadable > 0 {
        let files = counted(view.inventory.unreadable, "file");
        lines.push(format!(
            "{files} of another version or key, or damaged: not served, minted again when asked for"
        ));
    }
    if !view.enabled {
        lines.push("The cache is switched off: nothing is answered from it.".to_owned());
    }
    lines.push(format!("Cache: {}", dir.display()));
    let memory = view.memory_dir.iter();
    lines.extend(memory.map(|dir| format!("Cache in memory: {}", dir.display())));
    lines
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
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
