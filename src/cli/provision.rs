//! `provision IMAGE`: at build time, the keys for an image's registry become a workspace secret, and the image is bound to it.

use std::io::Read;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command};

use super::{images, unwritable};
use crate::Io;
use crate::config::{Config, Env};
use crate::credential::Redacted;
use crate::error::{Error, Problem};
use crate::host::ImageRef;
use crate::keys::{Keys, KeysError};
use crate::resolver::Resolver;
use crate::store::Binding;
use crate::verify;

pub(super) fn command() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Command::new("provision")
        .about("Keep the keys for an image's registry as a workspace secret, and bind the image to it")
        .arg(Arg::new("image").value_name("IMAGE").required(true).num_args(1..).help("The image references; one secret for each registry"))
        .arg(option("creds", "KEY,KEY", "Names of environment variables that hold the keys").value_delimiter(','))
        .arg(option("creds-json", "FILE", "A JSON list of names, which are looked up in this environment, or a map from names to values; - is standard input"))
        .group(ArgGroup::new("keys").args(["creds", "creds-json"]))
        .arg(option("image-id", "ID", "The image to bind to the secret"))
        .arg(option("ttl", "TIME", "When `prune` may remove the secret, such as 30d").value_parser(parse_ttl))
        .arg(Arg::new("modified").long("modified").action(ArgAction::SetTrue).help("The build changed the image: nothing is stored"))
        .arg(Arg::new("check").long("check").action(ArgAction::SetTrue).help("Authenticate against the registry first, and store nothing that it refuses"))
        .after_help("Exit status: 0 when it was stored, or nothing had to be; 1 otherwise.\n\nExample:\n  export GITHUB_USERNAME=octo GITHUB_TOKEN=…\n  docker-credential-beta9 provision ghcr.io/org/app:1.2 --image-id 7d1c \\\n    --creds GITHUB_USERNAME,GITHUB_TOKEN")
}

fn parse_ttl(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "it is not a duration such as 30d".to_owned())
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let images = images(matches)?;
    if matches.get_flag("modified") {
        return say(
            io,
            "nothing was stored: a modified image is pulled from the build registry, with that registry's credential",
        );
    }
    let keys = keys(matches, env, io)?;
    if keys.is_empty() {
        return say(io, "nothing was stored: without keys the image is public");
    }
    let resolver = Resolver::new(Config::load(env)?)?;
    let done = keep(&resolver, &images, &keys, matches, env, io);
    super::warn(io, &resolver);
    done
}

/// Stores the keys for each registry, and binds the image to them.
fn keep(
    resolver: &Resolver,
    images: &[ImageRef],
    keys: &Keys,
    matches: &ArgMatches,
    env: &Env,
    io: &mut Io,
) -> Result<(), Error> {
    let image_id = matches.get_one::<String>("image-id").map(String::as_str);
    let ttl: Option<Duration> = matches.get_one("ttl").copied();
    let hosts: std::collections::BTreeSet<_> = images.iter().map(|image| &image.host).collect();
    resolver.check_provision(hosts.len(), image_id, ttl.is_some())?;
    if matches.get_flag("check") {
        for image in images {
            let credential =
                resolver.credential_of(image, keys).map_err(|error| error.about(image.host.as_reference()))?;
            let taken = verify::authenticate(image, &credential, resolver.deadline(), env.log())?;
            let (host, repository) = (&image.host, &image.repository);
            let text = if taken {
                format!("{host} accepts the credential for {repository}")
            } else {
                format!(
                    "{host} does not tell whether it accepts the credential for {repository}: it asks nobody for one"
                )
            };
            say(io, &text)?;
        }
    }
    let mut provisioned: Vec<&ImageRef> = Vec::new();
    for image in images {
        if !provisioned.iter().any(|other| other.host == image.host) {
            let host = Some(image.host.as_reference());
            let name = resolver.audited("provision", host, |resolver| resolver.provision(image, keys, ttl))?;
            say(
                io,
                &format!("stored the secret of {} ({name}) in the {} store", image.host, resolver.workspace_store()),
            )?;
            provisioned.push(image);
        }
    }
    if let Some(id) = image_id {
        let text = match resolver.bind_image(id, &provisioned)? {
            Binding::Kept => format!("bound image {id}"),
            Binding::Elsewhere => format!("image {id} is to be bound to the secret by the gateway"),
        };
        say(io, &text)?;
    }
    Ok(())
}

fn keys(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<Keys, Error> {
    // Its value, or nothing: a variable that cannot be read is as good as unset, and named in the error.
    let lookup = |name: &str| env.secret(name).ok().flatten();
    let keys = if let Some(names) = matches.get_many::<String>("creds") {
        Keys::from_environment(names.map(String::as_str), lookup)
    } else if let Some(file) = matches.get_one::<String>("creds-json") {
        Keys::from_base_image_creds(read(file, io)?.expose().as_bytes(), lookup)
    } else {
        Ok(Keys::default())
    };
    keys.map_err(|error: KeysError| Problem::new("credentials", error).fix("nothing was stored").failed())
}

fn read(file: &str, io: &mut Io) -> Result<Redacted, Error> {
    let problem = |cause: &dyn std::fmt::Display| {
        Problem::new("credentials", format_args!("{file} {cause}")).fix("nothing was stored").failed()
    };
    let bytes = if file == "-" {
        crate::protocol::read_all(io.input, MAX_KEYS, PATIENCE)
            .map_err(|_| problem(&"(standard input) is too long, a terminal, or has no end"))?
    } else {
        let mut bytes = zeroize::Zeroizing::new(Vec::new());
        let read = std::fs::File::open(file).and_then(|file| file.take(MAX_KEYS as u64).read_to_end(&mut bytes));
        read.map_err(|error| problem(&format_args!("cannot be read ({error})")))?;
        bytes
    };
    std::str::from_utf8(&bytes).map(Redacted::from).map_err(|_| problem(&"is not UTF-8"))
}

fn say(io: &mut Io, line: &str) -> Result<(), Error> {
    writeln!(io.out, "{line}").map_err(unwritable)
}

const MAX_KEYS: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(5);
