//! `migrate`: adds the tables and columns that this program needs to Beta9's database and, on request, converts the
//! secrets of registries to single ones.

use std::time::Instant;

use clap::{ArgMatches, Command};
use serde::Serialize;
use zeroize::Zeroizing;

use super::rows::Rows;
use super::style::Style;
use super::{flag, show};
use crate::Io;
use crate::config::{Config, Env};
use crate::error::Error;
use crate::json;
use crate::registry::single_sets;
use crate::shown::shown;
use crate::store::{Converted, Generation, Left, Migrated, PostgresStore, ToNames};

pub(super) fn command() -> Command {
    let dry_run = "Show what --to-names would do, and change nothing";
    let dry_run = flag("dry-run", dry_run);
    Command::new("migrate")
        .about("Prepare Beta9's database for image secrets and for secrets that expire")
        .arg(flag("json", "Print one JSON object"))
        .arg(flag(
            "to-names",
            "Copy the secrets of registries into single secrets, and bind images to their names",
        ))
        .arg(dry_run.requires("to-names"))
        .long_about(LONG)
        .after_help(HELP)
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let config = Config::load(env)?;
    let deadline = Instant::now() + config.timeout;
    let store = PostgresStore::new(&config.workspace, config.postgres);
    if matches.get_flag("to-names") {
        let dry_run = matches.get_flag("dry-run");
        let done = store.to_names(single_sets, dry_run, deadline)?;
        let json = |done: &_| names_json(done, dry_run);
        return show(matches, env, io, &done, json, |done, _| {
            names_human(done, dry_run)
        });
    }
    let done = store.migrate(deadline)?;
    show(matches, env, io, &done, json, human)
}

fn json(done: &Migrated) -> Zeroizing<String> {
    #[derive(Serialize)]
    struct Object<'a> {
        generation: u8,
        made: Vec<&'static str>,
        there: Vec<&'static str>,
        left_over: &'a [&'static str],
    }
    let what = |made| {
        let steps = done.steps.iter().filter(|step| step.made == made);
        steps.map(|step| step.what).collect()
    };
    json::line(&Object {
        generation: done.generation.number(),
        made: what(true),
        there: what(false),
        left_over: &done.left_over,
    })
}

fn human(done: &Migrated, style: Style) -> String {
    let mut rows = Rows::new(0, 35, style);
    rows.plain("the database", &done.generation.to_string());
    for step in &done.steps {
        rows.plain(step.what, if step.made { "made" } else { "there already" });
    }
    for what in &done.left_over {
        rows.plain(what, LEFT_OVER);
    }
    rows.finish()
}

fn names_json(done: &ToNames, dry_run: bool) -> Zeroizing<String> {
    #[derive(Serialize)]
    struct Object<'a> {
        dry_run: bool,
        generation: u8,
        converted: &'a [Converted],
        left: &'a [Left],
        #[serde(skip_serializing_if = "Option::is_none")]
        images_without_names: Option<u64>,
    }
    json::line(&Object {
        dry_run,
        generation: done.generation.number(),
        converted: &done.converted,
        left: &done.left,
        images_without_names: done.unbound,
    })
}

fn names_human(done: &ToNames, dry_run: bool) -> String {
    let mut lines = vec![format!("the database is of {}", done.generation)];
    let would = if dry_run { "would have " } else { "" };
    for one in &done.converted {
        let (host, secret, names) = (&one.host, &one.secret, one.names.join(", "));
        let [made, bound, again] = [&one.made, &one.bound, &one.again].map(|all| all.join(", "));
        if made.is_empty() {
            lines.push(format!(
                "{host}: {names} are there already, as {secret} has them"
            ));
        } else {
            lines.push(format!(
                "{host}: {would}made {made} from {secret}; the names are {names}"
            ));
        }
        if !bound.is_empty() {
            lines.push(format!(
                "{host}: {would}bound the images {bound} to the names"
            ));
        }
        if !again.is_empty() {
            let why = match done.generation {
                Generation::Third => {
                    "they are bound to a secret of this name that is another workspace's, or is gone"
                }
                _ => "once Beta9's migration 053 has run, which unbinds them",
            };
            lines.push(format!(
                "{host}: deploy the images {again} again, with the names {names}: {why}"
            ));
        }
    }
    for left in &done.left {
        let secret = shown(&left.secret);
        lines.push(format!("left {secret} as it is: {}", left.why));
    }
    if let Some(unbound) = done.unbound.filter(|unbound| *unbound > 0) {
        lines.push(format!(
            "{unbound} images name no secrets, and nothing in the database says which of them are private: deploy those again, with the names of their registry"
        ));
    }
    if dry_run {
        lines.push("nothing was changed".to_owned());
    }
    lines.push(String::new());
    lines.join("\n")
}

const LEFT_OVER: &str = "left as it is: Beta9's migration 053 drops it and does not read it; version 0.1 of this program added it again";
const LONG: &str = "\
Finds out which of Beta9's migrations the database has, and adds what is missing: the columns credential_secret_name \
and credential_secret_id of image and the index idx_image_credential_secret_name of migration 036, unless migration \
053 is there, which drops them; and a table credential_helper_expiry, in which provision --ttl records when a secret \
expires. What exists is not changed, so it can be run at any time. It runs in one transaction. A database that isn't \
Beta9's is refused.

--to-names does something else: since migration 053 Beta9 binds an image to the names of single secrets, and images \
that were bound to a registry's secret have no credential. It copies the workspace's registry secrets into single \
secrets under names that a build accepts, and binds images that are still bound to such a secret to those names. It \
deletes nothing, changes no existing secret, and lists what it can't copy.

The database is that of BETA9_DATABASE_URL, or of url in [store.postgres]; its user must own the table image. \
Grant SELECT, INSERT, UPDATE and DELETE on credential_helper_expiry and credential_helper_token to the user that provisions, if that is another.";
const HELP: &str = "\
Exit status: 0 when the database has everything; 1 when nothing was changed, with the reason.

Example, with the URL in the environment or in the configuration:
  export BETA9_DATABASE_URL='postgres://beta9:…@db.example/beta9'
  docker-credential-beta9 migrate
  docker-credential-beta9 migrate --to-names --dry-run";
