//! `migrate`: gives Beta9's database what this program needs of it.

use std::time::Instant;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::rows::Rows;
use super::unwritable;
use crate::Io;
use crate::config::{Config, Env};
use crate::error::Error;
use crate::json::ObjectWriter;
use crate::store::{Migrated, PostgresStore};

pub(super) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    Command::new("migrate")
        .about("Prepare Beta9's database for images with secrets, and for secrets that expire")
        .arg(flag("json", "Print one JSON object"))
        .long_about(LONG)
        .after_help(HELP)
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let config = Config::load(env)?;
    let deadline = Instant::now() + config.timeout;
    let store = PostgresStore::new(&config.workspace, config.postgres);
    let done = store.migrate(deadline)?;
    let text = if matches.get_flag("json") { json(&done) } else { human(&done) };
    io.out.write_all(text.as_bytes()).map_err(unwritable)
}

fn json(done: &Migrated) -> String {
    let what = |made| done.steps.iter().filter(move |step| step.made == made).map(|step| step.what);
    let mut out = ObjectWriter::with_capacity(256);
    out.number("generation", done.generation.number().into()).texts("made", what(true)).texts("there", what(false));
    out.texts("left_over", done.left_over.iter().copied());
    out.finish().to_string()
}

fn human(done: &Migrated) -> String {
    let mut rows = Rows::new(0, 35);
    rows.plain("the database", &done.generation.to_string());
    done.steps.iter().for_each(|step| rows.plain(step.what, if step.made { "made" } else { "there already" }));
    done.left_over.iter().for_each(|what| rows.plain(what, LEFT_OVER));
    rows.finish()
}

const LEFT_OVER: &str =
    "left as it is: Beta9's migration 053 drops it and does not read it; version 0.1 of this program added it again";
const LONG: &str = "\
Looks which of Beta9's migrations the database has, and gives it what it lacks: of migration 036 the columns \
credential_secret_name and credential_secret_id of image and the index idx_image_credential_secret_name, unless migration \
053 is there, which drops them; and a table credential_helper_expiry, in which provision --ttl records when a secret \
expires. What is there is left alone, so that it can be run again at any time. All of it happens or nothing; a database \
that is not Beta9's is refused.

The database is the one of BETA9_DATABASE_URL, or of url in [store.postgres]; its user must own the table image. \
Grant SELECT, INSERT, UPDATE and DELETE on credential_helper_expiry to the user that provisions, if that is another.";
const HELP: &str = "\
Exit status: 0 when all of it is there in the end; 1 when nothing was changed, with the reason.

Example, with the URL in the environment or in the configuration:
  export BETA9_DATABASE_URL='postgres://beta9:…@db.example/beta9'
  docker-credential-beta9 migrate";
