//! `migrate`: gives Beta9's database the columns and the index of its migration 036, and the table that expiry needs.

use std::time::Instant;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::unwritable;
use crate::Io;
use crate::config::{Config, Env};
use crate::error::Error;
use crate::json::ObjectWriter;
use crate::store::{PostgresStore, Step};

pub(super) fn command() -> Command {
    Command::new("migrate")
        .about("Prepare Beta9's database for images with secrets, and for secrets that expire")
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print one JSON object"))
        .long_about(LONG)
        .after_help(HELP)
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let config = Config::load(env)?;
    let deadline = Instant::now() + config.timeout;
    let steps = PostgresStore::new(&config.workspace, config.postgres).migrate(deadline)?;
    let text = if matches.get_flag("json") { json(&steps) } else { human(&steps) };
    io.out.write_all(text.as_bytes()).map_err(unwritable)
}

fn json(steps: &[Step]) -> String {
    let what = |made| steps.iter().filter(move |step| step.made == made).map(|step| step.what);
    let mut out = ObjectWriter::with_capacity(256);
    out.texts("made", what(true)).texts("there", what(false));
    out.finish().to_string()
}

fn human(steps: &[Step]) -> String {
    let line = |step: &Step| format!("{:<34} {}\n", step.what, if step.made { "made" } else { "there already" });
    steps.iter().map(line).collect()
}

const LONG: &str = "\
Gives Beta9's database what it lacks of its migration 036 (the columns credential_secret_name and credential_secret_id \
of image, and the index idx_image_credential_secret_name), and a table credential_helper_expiry, in which provision \
--ttl records when a secret expires. What is there is left alone, so that it can be run again at any time. All of it \
happens or nothing; a database that is not Beta9's is refused.

The database is the one of BETA9_DATABASE_URL, or of url in [store.postgres]; its user must own the table image. \
Grant SELECT, INSERT, UPDATE and DELETE on credential_helper_expiry to the user that provisions, if that is another.";
const HELP: &str = "\
Exit status: 0 when all of it is there in the end; 1 when nothing was changed, with the reason.

Example, with the URL in the environment or in the configuration:
  export BETA9_DATABASE_URL='postgres://beta9:…@db.example/beta9'
  docker-credential-beta9 migrate";
