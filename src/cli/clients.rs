//! The lines of `explain` and `check` about clients: where each gets the credential for a registry.

use serde::Serialize;

use super::rows::Rows;
use crate::client::asks::{CLIENTS, program};
use crate::client::spelling::Lookup;
use crate::client::{Answerer, Asks, Clients};
use crate::config::Env;
use crate::shown::shown;

/// A line for each client.
pub(super) struct ClientLines {
    registry: String,
    lines: Vec<(&'static str, Result<Asks, String>)>,
}

impl ClientLines {
    /// For this user's clients, a registry as an image's name spells it, and a repository.
    pub(super) fn of(env: &Env, registry: &str, repository: &str) -> Self {
        let clients = Clients::read(env);
        let lookup = |client| {
            let lookup = Lookup::new(client, registry);
            if repository.is_empty() {
                lookup
            } else {
                lookup.repository(registry, repository)
            }
        };
        let line = |(name, client)| {
            let asks = clients.asks(&lookup(client));
            (name, asks.map_err(crate::one_line))
        };
        Self {
            registry: registry.to_owned(),
            lines: CLIENTS.map(line).into(),
        }
    }

    /// The registry as it was typed, where certainly none of them asks this helper for it.
    pub(super) fn nobody_asks_for(&self) -> Option<&str> {
        let another =
            |line: &Result<Asks, String>| line.as_ref().is_ok_and(|asks| !asks.is_this_helper());
        let nobody = self.lines.iter().all(|(_, line)| another(line));
        nobody.then_some(&self.registry)
    }

    /// Shows the lines to people.
    pub(super) fn show(&self, rows: &mut Rows) {
        for (client, line) in &self.lines {
            match line {
                Ok(asks) if asks.is_this_helper() => rows.good(client, &text(asks)),
                Ok(asks) => rows.plain(client, &text(asks)),
                Err(error) => rows.bad(client, &format!("fails: {error}")),
            }
        }
    }

    /// Writes the member for programs: `clients: [{client, asks, file, key}]`.
    pub(super) fn objects(&self) -> Vec<ClientObject<'_>> {
        let lines = self.lines.iter();
        lines
            .map(|(client, line)| {
                let asks = line.as_ref().ok();
                let file = asks.and_then(|asks| asks.file.as_ref());
                ClientObject {
                    client,
                    asks: asks.map_or_else(|| "error".to_owned(), word),
                    file: file.map(|file| file.display().to_string()),
                    key: asks.and_then(|asks| asks.key.as_deref()),
                    error: line.as_ref().err().map(String::as_str),
                }
            })
            .collect()
    }
}

/// A client, as a member of `clients`.
#[derive(Serialize)]
pub(super) struct ClientObject<'a> {
    client: &'static str,
    asks: String,
    file: Option<String>,
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// Who answers, followed by what decides that.
fn text(asks: &Asks) -> String {
    let who = &asks.answerer;
    match (&asks.key, asks.file.as_ref().map(|file| file.display())) {
        (Some(key), Some(file)) => format!("{who}: {} in {file}", shown(key)),
        (None, Some(file)) => format!("{who}: {file}"),
        (_, None) => who.to_string(),
    }
}

/// The value of `asks` for programs.
fn word(asks: &Asks) -> String {
    match &asks.answerer {
        Answerer::ThisHelper => "this-helper".to_owned(),
        Answerer::Helper(name) => program(name),
        Answerer::PlainLogin => "own-login".to_owned(),
        Answerer::Variable => "variable".to_owned(),
        Answerer::Nobody => "nobody".to_owned(),
    }
}
