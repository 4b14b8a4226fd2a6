//! What `explain` and `check` say of each client: who answers it for a registry.

use super::rows::Rows;
use super::style::Style;
use crate::client::asks::{CLIENTS, program};
use crate::client::spelling::Lookup;
use crate::client::{Answerer, Asks, Clients};
use crate::config::Env;
use crate::json::ObjectWriter;
use crate::shown::shown;

/// A line for each client.
pub(super) struct ClientLines {
    registry: String,
    lines: Vec<(&'static str, Result<Asks, String>)>,
}

impl ClientLines {
    /// Of the clients of this user, for a registry as an image's name spells it, and for an image of it.
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

    /// For people.
    pub(super) fn show(&self, rows: &mut Rows, style: Style) {
        for (client, line) in &self.lines {
            match line {
                Ok(asks) if asks.is_this_helper() => rows.good(client, &text(asks), style),
                Ok(asks) => rows.plain(client, &text(asks)),
                Err(error) => rows.bad(client, &format!("fails: {error}"), style),
            }
        }
    }

    /// For programs: `clients: [{client, asks, file, key}]`.
    pub(super) fn write(&self, out: &mut ObjectWriter) {
        let objects = self.lines.iter().map(|(client, line)| {
            let mut object = ObjectWriter::with_capacity(128);
            object.text("client", client);
            match line {
                Ok(asks) => {
                    let file = asks.file.as_ref().map(|file| file.display().to_string());
                    object
                        .text("asks", &word(asks))
                        .optional("file", file.as_deref())
                        .optional("key", asks.key.as_deref());
                }
                Err(error) => {
                    object.text("asks", "error").optional("file", None);
                    object.optional("key", None).text("error", error);
                }
            }
            object
        });
        out.objects("clients", objects);
    }
}

/// What decides it stands behind it.
fn text(asks: &Asks) -> String {
    let (who, file) = (
        &asks.answerer,
        asks.file.as_ref().map(|file| file.display()),
    );
    match (&asks.key, file) {
        (Some(key), Some(file)) => format!("{who}: {} in {file}", shown(key)),
        (None, Some(file)) => format!("{who}: {file}"),
        (_, None) => who.to_string(),
    }
}

/// The word for programs.
fn word(asks: &Asks) -> String {
    match &asks.answerer {
        Answerer::ThisHelper => "this-helper".to_owned(),
        Answerer::Helper(name) => program(name),
        Answerer::PlainLogin => "own-login".to_owned(),
        Answerer::Variable => "variable".to_owned(),
        Answerer::Nobody => "nobody".to_owned(),
    }
}
