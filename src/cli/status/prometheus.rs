//! The cached tokens in Prometheus' text format, for a node exporter's textfile collector
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::time::SystemTime;

use super::View;
use crate::cache::{Origin, TokenLife};

/// A sample's labels. Tokens from before and after a secret's rotation have the same labels, of which the format allows
/// one sample.
type Labels<'a> = (&'a str, &'a str, &'a str);

pub(super) fn text(view: &View) -> String {
    let inventory = &view.inventory;
    let mut out = String::new();
    let entries = inventory.entries.iter();
    let tokens = entries.filter(|entry| entry.token.is_some()).count();
    metric(&mut out, READABLE, [(None, 1)]);
    metric(&mut out, TOKENS, [(None, tokens)]);
    metric(&mut out, UNREADABLE, [(None, inventory.unreadable)]);
    let (mut newest, mut failures) = (BTreeMap::<_, TokenLife>::new(), BTreeMap::new());
    for entry in &inventory.entries {
        let labels = labels(&entry.origin);
        if let Some(token) = entry.token {
            // The token minted last is the one in use.
            let last = newest.entry(labels).or_insert(token);
            if last.minted < token.minted {
                *last = token;
            }
        }
        if let Some(failure) = &entry.last_failure {
            let last = failures.entry(labels).or_insert(failure.at);
            *last = failure.at.max(*last);
        }
    }
    let tokens = |value: fn(&TokenLife) -> u64| {
        let newest = newest.iter();
        newest.map(move |(labels, token)| (Some(*labels), value(token)))
    };
    metric(&mut out, EXPIRES, tokens(|token| token.left.as_secs()));
    metric(&mut out, EXPIRES_AT, tokens(|token| unix(token.expires)));
    metric(&mut out, MINTED_AT, tokens(|token| unix(token.minted)));
    let failures = failures.iter();
    let failures = failures.map(|(labels, at)| (Some(*labels), unix(*at)));
    metric(&mut out, FAILED_AT, failures);
    let published = view.published.iter().map(|(host, published)| {
        let labels = (
            host.as_str(),
            view.workspace.as_str(),
            published.backend.as_str(),
        );
        (Some(labels), unix(published.expires))
    });
    metric(&mut out, PUBLISHED_UNTIL, published);
    out
}

/// The metrics for an unreadable cache.
pub(super) fn unreadable() -> String {
    let mut out = String::new();
    metric(&mut out, READABLE, [(None, 0)]);
    out
}

fn labels(origin: &Origin) -> Labels<'_> {
    (&origin.registry, &origin.workspace, &origin.backend)
}

fn unix(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn metric<'a>(
    out: &mut String,
    (name, help): (&str, &str),
    samples: impl IntoIterator<Item = (Option<Labels<'a>>, impl Display)>,
) {
    let mut samples = samples.into_iter().peekable();
    if samples.peek().is_some() {
        _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
    }
    for (labels, value) in samples {
        let labels = labels.map_or(String::new(), |(registry, workspace, backend)| {
            let [registry, workspace, backend] = [registry, workspace, backend].map(escaped);
            format!("{{registry=\"{registry}\",workspace=\"{workspace}\",backend=\"{backend}\"}}")
        });
        _ = writeln!(out, "{name}{labels} {value}");
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

const READABLE: (&str, &str) = (
    "beta9_credential_cache_readable",
    "Whether the cache of tokens could be read.",
);
const TOKENS: (&str, &str) = ("beta9_credential_tokens", "How many tokens are cached.");
const UNREADABLE: (&str, &str) = (
    "beta9_credential_cache_unreadable_files",
    "How many files of the cache do not open, and count as misses.",
);
const EXPIRES: (&str, &str) = (
    "beta9_credential_token_expires_seconds",
    "How long the cached token was still good when this was written.",
);
const EXPIRES_AT: (&str, &str) = (
    "beta9_credential_token_expires_timestamp_seconds",
    "When the cached token ends, in seconds since 1970.",
);
const MINTED_AT: (&str, &str) = (
    "beta9_credential_token_minted_timestamp_seconds",
    "When the cached token was minted, in seconds since 1970.",
);
const FAILED_AT: (&str, &str) = (
    "beta9_credential_token_last_failure_timestamp_seconds",
    "When a token could not be minted last, in seconds since 1970.",
);
const PUBLISHED_UNTIL: (&str, &str) = (
    "beta9_credential_published_expires_timestamp_seconds",
    "When the token that was published into the workspace ends, in seconds since 1970.",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_label_may_not_hold_is_escaped() {
        let mut out = String::new();
        metric(&mut out, ("m", "h"), [(Some(("r", "a\\b\"c\nd", "b")), 1)]);
        assert_eq!(
            out,
            "# HELP m h\n# TYPE m gauge\nm{registry=\"r\",workspace=\"a\\\\b\\\"c\\nd\",backend=\"b\"} 1\n"
        );
    }
}
