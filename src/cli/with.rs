//! `with ctr|nerdctl …`: runs the command with the image's credential for that one pull.

mod arguments;
mod errors;
mod nerdctl;
mod prompt;
mod terminal;
mod tool;

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::process;

use clap::{Arg, ArgMatches, Command, value_parser};
use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

use self::arguments::{Pull, read};
use self::errors::{Untypable, WithError};
use self::tool::{CTR, Tool};
use super::{image, warn};
use crate::Io;
use crate::config::Env;
use crate::credential::Credential;
use crate::error::Error;
use crate::host::{ImageRef, ServerUrl};
use crate::resolver::Resolver;
use crate::shown::shown;

pub(super) fn command() -> Command {
    Command::new("with")
        .about("Run a pull of ctr or nerdctl with the image's credential")
        .arg(
            Arg::new("parent")
                .long("parent")
                .value_parser(value_parser!(i32))
                .hide(true),
        )
        .arg(
            Arg::new("command")
                .value_name("COMMAND")
                .value_parser(value_parser!(OsString))
                .required(true)
                .num_args(1..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .help("ctr or nerdctl, with its arguments"),
        )
        .after_help(AFTER_HELP)
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let words = matches.get_many("command").unwrap_or_default();
    let words: Vec<OsString> = words.cloned().collect();
    if let Some(parent) = matches.get_one("parent") {
        return follow(*parent, &words);
    }
    let tool = Tool::of(&words).ok_or_else(|| {
        let program = words.first().map(|word| word.to_string_lossy());
        WithError::Program(program.unwrap_or_default().into_owned())
    })?;
    let Some(pull) = read(tool, &words)? else {
        return Err(exec(&mut unchanged(&words)));
    };
    let image = image(pull.reference)?;
    if tool.name == CTR.name {
        return ctr(&pull, &image, &words, env, io);
    }
    let mut command = unchanged(&words);
    // nerdctl asks only for the registry, without a repository.
    if find(&image, "", &pull, env, io)?.is_some() {
        nerdctl::configure(&mut command, env)?;
    }
    Err(exec(&mut command))
}

/// Runs ctr on a terminal of our own, where it asks for the password.
fn ctr(
    pull: &Pull,
    image: &ImageRef,
    words: &[OsString],
    env: &Env,
    io: &mut Io,
) -> Result<(), Error> {
    // containerd always reads the first part as the registry: `org/app` would go to a host called `org`.
    let named = pull.reference.strip_prefix(&image.spelling);
    if !named.is_some_and(|rest| rest.starts_with('/')) {
        let whole = format!("{}/{}{}", image.host, image.repository, image.suffix);
        let error = Error::from(WithError::NoRegistry(whole));
        return Err(error.about(&shown(pull.reference).to_string()));
    }
    let Some(credential) = find(image, &image.repository, pull, env, io)? else {
        return Err(exec(&mut unchanged(words)));
    };
    let untypable = || untypable(&credential).map(WithError::Untypable);
    let dumps = pull.dumps.then_some(WithError::Dumps);
    if let Some(error) = dumps.or_else(untypable) {
        return Err(Error::from(error).about(image.host.as_reference()));
    }
    let mut child = process::Command::new("/proc/self/exe");
    child
        .args(["with", "--parent"])
        .arg(getpid().as_raw_nonzero().to_string())
        .arg("--")
        .args(&words[..pull.flags_at])
        .args(["--user", credential.username()])
        .args(&words[pull.flags_at..]);
    let is_secret = |name: &&str| name.starts_with("BETA9_") || CLOUD_SECRETS.contains(name);
    let named = env.names().filter(is_secret).map(OsStr::new);
    for name in named.chain(env.names_holding(credential.secret().expose())) {
        child.env_remove(name);
    }
    let status =
        terminal::run(&mut child, credential.secret(), io).map_err(WithError::NoTerminal)?;
    match status {
        0 => Ok(()),
        status => Err(Error::Exited(status)),
    }
}

/// The credential for a pull; `None` if there certainly is none.
fn find(
    image: &ImageRef,
    path: &str,
    pull: &Pull,
    env: &Env,
    io: &mut Io,
) -> Result<Option<Credential>, Error> {
    let resolver = Resolver::of(env)?;
    let url = ServerUrl::Registry {
        host: image.host.clone(),
        scheme: pull.scheme,
        path: path.to_owned(),
    };
    let host = Some(image.host.as_reference());
    let found = resolver.audited("with", host, |resolver| resolver.get(&url));
    warn(io, &resolver);
    match found {
        Ok(credential) => Ok(Some(credential)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

fn untypable(credential: &Credential) -> Option<Untypable> {
    let (username, secret) = (credential.username(), credential.secret().expose());
    if credential.shown_username().is_none() {
        Some(Untypable::SecretUsername)
    } else if username == IDENTITY_TOKEN {
        Some(Untypable::IdentityToken)
    } else if username.contains(':') {
        Some(Untypable::Colon)
    } else if secret.contains(char::is_control) || secret.len() >= LONGEST_LINE {
        Some(Untypable::Line)
    } else {
        None
    }
}

fn unchanged(words: &[OsString]) -> process::Command {
    let mut command = process::Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

/// Replaces this process by the command; returns only on failure.
fn exec(command: &mut process::Command) -> Error {
    let error = command.exec();
    let program = command.get_program().to_string_lossy().into_owned();
    WithError::NotRun { program, error }.into()
}

/// The child's side: replaces itself by the command, which is killed when the parent exits.
fn follow(parent: i32, words: &[OsString]) -> Result<(), Error> {
    let following = set_parent_process_death_signal(Some(Signal::TERM)).is_ok();
    if !following || getppid().is_none_or(|pid| pid.as_raw_nonzero().get() != parent) {
        return Err(Error::Told);
    }
    Err(exec(&mut unchanged(words)))
}

/// The user name that marks an OAuth identity token.
const IDENTITY_TOKEN: &str = "<token>";
/// In bytes. A terminal's line and ctr's buffer have 4,096 bytes.
const LONGEST_LINE: usize = 4095;
/// Variables that cloud logins read and that ctr must not get.
const CLOUD_SECRETS: &[&str] = &[
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_CLIENT_SECRET",
];

const AFTER_HELP: &str = "\
ctr is given the user name as --user and the password at its prompt, on a
terminal of its own; nerdctl is given a Docker configuration that names this
helper. The password is in no argument, variable or file. Without a credential,
or with a --user of yours, the command runs as it is.

ctr reads no config_path: give --hosts-dir if the registry needs it.
Exit status: the command's own, 128 and the signal's number if it was killed;
1 when it was not run, with the reason on standard error.

Example: docker-credential-beta9 with ctr images pull ghcr.io/org/app:1";
