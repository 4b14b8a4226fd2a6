//! Shows an answer: an object for programs, rows for people.

use std::time::Duration;

use serde::Serialize;
use zeroize::Zeroizing;

use super::Answer;
use crate::cli::clients::{ClientLines, ClientObject};
use crate::cli::explain::told::Told;
use crate::cli::rows::Rows;
use crate::cli::style::Style;
use crate::json;
use crate::resolver::Cached;
use crate::shown::{shown, shown_list};

/// What programs read of it.
#[derive(Serialize)]
struct Object<'a> {
    input: &'a str,
    #[serde(flatten)]
    answer: &'a Answer,
    problem: Option<&'a str>,
    config: &'a [String],
    #[serde(rename = "answer")]
    word: &'static str,
    reason: Option<&'a str>,
    next: Option<&'a str>,
    username: Option<&'a str>,
    identity: Option<&'a str>,
    cache: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_seconds_left: Option<u64>,
    clients: Vec<ClientObject<'a>>,
}

impl Answer {
    pub(in crate::cli::explain) fn json(&self, input: &str, files: &[String]) -> Zeroizing<String> {
        let (word, username, reason) = match &self.told {
            Told::Credential { username, .. } => ("credential", username.as_deref(), None),
            Told::NotFound(why) => ("not-found", None, Some(why.as_str())),
            Told::Failure(line) => ("failure", None, Some(line.as_str())),
        };
        let clients = self.clients.as_ref();
        json::line(&Object {
            input,
            answer: self,
            // That there is nothing isn't a problem, but for what nobody can be answered.
            problem: reason.filter(|_| word == "failure" || self.class == "reject"),
            config: files,
            word,
            reason,
            next: self.next.as_deref(),
            username,
            identity: self.identity.as_deref(),
            cache: self.cached.word(),
            cached_seconds_left: match self.cached {
                Cached::Token(peek) => Some(peek.left.as_secs()),
                _ => None,
            },
            clients: clients.map_or_else(Vec::new, ClientLines::objects),
        })
    }

    pub(in crate::cli::explain) fn human(&self, files: &[String], style: Style) -> String {
        let mut rows = Rows::new(0, 10, style);
        match &self.host {
            Some(host) => rows.bold("registry", &format!("{host} ({})", self.class)),
            None => rows.plain("registry", "none"),
        }
        match &self.told {
            Told::Credential { username, secret } => match username {
                Some(name) => rows.good("answer", &format!("user name {name} and {secret}")),
                None => rows.good("answer", secret),
            },
            Told::NotFound(why) => rows.plain("answer", &format!("not found: {why}")),
            Told::Failure(line) => rows.bad("answer", &format!("fails: {line}")),
        }
        if let Some(clients) = &self.clients {
            clients.show(&mut rows);
        }
        self.show_store(&mut rows);
        self.next.iter().for_each(|next| rows.plain("next", next));
        if let Some(takes) = &self.takes {
            rows.plain("takes", takes);
        } else if let Some(backend) = self.backend {
            rows.plain("backend", &format!("{backend}: {}", what_it_does(backend)));
        }
        self.identity
            .iter()
            .for_each(|identity| rows.plain("identity", identity));
        match self.cached {
            Cached::Never => {}
            Cached::Off => rows.plain("cache", "switched off: each pull mints a token"),
            Cached::Nothing => rows.plain("cache", "no token: the next pull mints one"),
            Cached::Token(peek) => {
                let due = if peek.due {
                    ", and is renewed by the next pull"
                } else {
                    ""
                };
                let left = life(peek.left);
                let text = format!("a token, which is served for {left} more{due}");
                rows.plain("cache", &text);
            }
        }
        if self.host.is_some() {
            let mut rule = self.rule.clone().unwrap_or_else(|| "none".to_owned());
            let file = self.rule_file.iter().map(|file| format!(", in {file}"));
            rule.extend(file.chain(self.rule_notes.iter().map(|note| format!("; {note}"))));
            rows.plain("rule", &rule);
        }
        match files {
            [] => rows.plain("config", "no file: defaults and environment"),
            files => rows.plain("config", &files.join(", ")),
        }
        rows.finish()
    }

    /// The rows about the store and what it has.
    fn show_store(&self, rows: &mut Rows) {
        let Some(store) = self.store else { return };
        let workspace = match &self.workspace {
            Some(name) => format!("workspace {}", shown(name)),
            None => "the token's own workspace".to_owned(),
        };
        match store {
            "request" => rows.plain("store", store),
            store => rows.plain("store", &format!("{store}, {workspace}")),
        }
        if let Some(name) = &self.secret_name {
            rows.plain("secret", name);
        }
        match self.keys.as_slice() {
            _ if !self.found => rows.plain("found", "no"),
            [] => rows.plain("found", "yes, with no keys"),
            keys => rows.plain("found", &format!("yes, with {}", shown_list(keys))),
        }
    }
}

impl Cached {
    /// The value for programs.
    fn word(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Off => "off",
            Self::Nothing => "empty",
            Self::Token(_) => "token",
        }
    }
}

fn what_it_does(backend: &str) -> &'static str {
    match backend {
        "aws" => "a token of Amazon ECR is minted",
        "gcp" => "an access token of Google is minted, or returned as it is",
        "azure" => "a token of Azure's registry is minted",
        "public" => "no credential is ever returned",
        _ => "the secret's keys are returned as they are",
    }
}

/// A duration in at most two units.
fn life(time: Duration) -> String {
    let (hours, minutes) = (time.as_secs() / 3600, time.as_secs() / 60 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{} s", time.as_secs()),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_reported_in_two_units() {
        let table = [
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (3600, "1 h 0 min"),
            (39_000, "10 h 50 min"),
        ];
        for (seconds, expected) in table {
            assert_eq!(life(Duration::from_secs(seconds)), expected);
        }
    }
}
