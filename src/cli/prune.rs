//! `prune`: removes secrets whose `--ttl` is over. Secrets without one stay.

use clap::{ArgMatches, Command};

use super::{print, warn};
use crate::Io;
use crate::config::Env;
use crate::error::Error;
use crate::resolver::Resolver;

pub(super) fn command() -> Command {
    Command::new("prune")
        .about("Remove expired secrets (see provision --ttl)")
        .after_help("Exit status: 0, even if there was nothing to remove; 1 on failure.\n\nExample: docker-credential-beta9 prune")
}

pub(super) fn run(_matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let resolver = Resolver::of(env)?;
    let pruned = resolver.audited("prune", None, Resolver::prune);
    warn(io, &resolver);
    let pruned = pruned?;
    for name in &pruned {
        print(io.out, format_args!("removed the secret of {name}\n"))?;
    }
    print(io.out, format_args!("{} removed\n", pruned.len()))
}
