//! The report of `provision`.

use serde::Serialize;

use crate::Io;
use crate::cli::print;
use crate::error::Error;
use crate::json;
use crate::resolver::{Form, Prepared};
use crate::store::Binding;

/// What was done: lines for people, one object for programs.
#[derive(Default, Serialize)]
pub(super) struct Report {
    #[serde(skip)]
    json: bool,
    #[serde(skip)]
    lines: Vec<String>,
    registries: Vec<Row>,
    image_id: Option<String>,
    bound: bool,
    notes: Vec<String>,
}

/// What was done for a registry.
#[derive(Serialize)]
struct Row {
    registry: String,
    form: &'static str,
    secrets: Vec<String>,
    written: Vec<String>,
    left_out: Vec<String>,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            ..Self::default()
        }
    }

    /// Adds a line.
    pub(super) fn note(&mut self, text: &str) {
        self.lines.push(text.to_owned());
        self.notes.push(text.to_owned());
    }

    pub(super) fn stored(&mut self, one: &Prepared, names: &[String], store: &str) {
        let host = &one.image.host;
        let (form, new, why) = match &one.form {
            Form::Secret(_) => ("secret", names.to_vec(), "this registry does not need them"),
            Form::Names(planned) => {
                let new = planned.iter().filter(|one| one.is_new());
                let new = new.map(|one| one.name.to_owned()).collect();
                ("names", new, "a Beta9 build does not take them")
            }
        };
        let kept = names.iter().filter(|name| !new.contains(name));
        let kept: Vec<&str> = kept.map(String::as_str).collect();
        self.lines.push(match &one.form {
            Form::Secret(_) => format!(
                "stored the secret of {host} ({}) in the {store} store",
                names.concat()
            ),
            Form::Names(_) if new.is_empty() => format!(
                "the {store} store has the secrets of {host}: {}",
                kept.join(", ")
            ),
            Form::Names(_) => format!(
                "stored the secrets of {host} in the {store} store: {}",
                new.join(", ")
            ),
        });
        if !new.is_empty() && !kept.is_empty() {
            self.lines
                .push(format!("it has the others: {}", kept.join(", ")));
        }
        self.registries.push(Row {
            registry: host.as_reference().to_owned(),
            form,
            secrets: names.to_vec(),
            written: new,
            left_out: one.left_out.clone(),
        });
        if !one.left_out.is_empty() {
            self.lines
                .push(format!("left out {}: {why}", one.left_out.join(", ")));
        }
        one.notes.iter().for_each(|note| self.note(note));
    }

    pub(super) fn bound(&mut self, id: &str, written: &[Prepared], binding: Binding) {
        let names = written.iter().find_map(|one| match &one.form {
            Form::Names(planned) => Some(planned.iter().map(|one| one.name).collect::<Vec<_>>()),
            Form::Secret(_) => None,
        });
        self.lines.push(match (binding, names) {
            (Binding::Kept, None) => format!("bound image {id}"),
            (Binding::Kept, Some(names)) => format!("bound image {id} to {}", names.join(", ")),
            (Binding::Elsewhere, None) => {
                format!("image {id} is to be bound to the secret by the gateway")
            }
            (Binding::Elsewhere, Some(names)) => {
                format!("to bind image {id}, deploy it with base_image_creds={names:?}")
            }
        });
        self.image_id = Some(id.to_owned());
        self.bound = matches!(binding, Binding::Kept);
    }

    /// Prints the report. After a failure, programs get only the failure.
    pub(super) fn finish(self, done: &Result<(), Error>, io: &mut Io) -> Result<(), Error> {
        match (self.json, done) {
            (true, Err(_)) => Ok(()),
            (true, Ok(())) => print(io.out, json::line(&self).as_str()),
            (false, _) => {
                let mut lines = self.lines.iter();
                lines.try_for_each(|line| print(io.out, format_args!("{line}\n")))
            }
        }
    }
}
