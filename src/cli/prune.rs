//! `prune`: removes secrets whose `--ttl` is over. Secrets without one stay.

use clap::{ArgMatches, Command};

use super::unwritable;
use crate::Io;
use crate::config::{Config, Env};
use crate::error::Error;
use crate::resolver::Resolver;

pub(super) fn command() -> Command {
    Command::new("prune")
        .about("Remove expired secrets (see provision --ttl)")
        .after_help("Exit status: 0, even if there was nothing to remove; 1 on failure.\n\nExample: docker-credential-beta9 prune")
}

pub(super) fn run(_matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let resolver = Resolver::new(Config::load(env)?)?;
    let pruned = resolver.audited("prune", None, Resolver::prune);
    super::warn(io, &resolver);
    let pruned = pruned?;
    for name in &pruned {
        writeln!(io.out, "removed the secret of {name}").map_err(unwritable)?;
    }
    writeln!(io.out, "{} removed", pruned.len()).map_err(unwritable)
}
