//! `provision IMAGE`: at build time, the keys for an image's registry are kept in the workspace, and the image is bound to them.

mod report;

use std::collections::BTreeSet;
use std::io::Read;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command};

use super::images;
use crate::Io;
use crate::config::{Config, Env};
use crate::credential::Redacted;
use crate::error::{Error, Problem};
use crate::host::ImageRef;
use crate::keys::{BaseImageCreds, Keys, KeysError};
use crate::registry::build_key_names;
use crate::resolver::Resolver;
use crate::store::{Single, name};
use crate::verify;
use report::Report;

pub(super) fn command() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    Command::new("provision")
        .about("Keep the keys for an image's registry in the workspace, and bind the image to them")
        .arg(Arg::new("image").value_name("IMAGE").required(true).num_args(1..).help("The image references"))
        .arg(option("creds", "KEY,KEY", "Names of the keys; each value is read from the environment, else from the workspace's secret of that name").value_delimiter(','))
        .arg(option("creds-json", "FILE", "The same as a JSON list, or a map from names to values; - is standard input"))
        .group(ArgGroup::new("keys").args(["creds", "creds-json"]))
        .arg(option("image-id", "ID", "The image to bind to what is stored"))
        .arg(option("ttl", "TIME", "When `prune` may remove the secret, such as 30d").value_parser(parse_ttl))
        .arg(flag("names", "Write single secrets, whose names an image has, through a gateway (Beta9 since September 2026)"))
        .arg(flag("force", "Replace another value of a single secret"))
        .arg(flag("modified", "The build changed the image: nothing is stored"))
        .arg(flag("check", "Authenticate against the registry first, and store nothing that it refuses"))
        .arg(flag("json", "Print one JSON object"))
        .after_help(HELP)
}

fn parse_ttl(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "it is not a duration such as 30d".to_owned())
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let images = images(matches)?;
    let mut report = Report::new(matches.get_flag("json"));
    if matches.get_flag("modified") {
        report.note(
            "nothing was stored: a modified image is pulled from the build registry, with that registry's credential",
        );
        return report.finish(&Ok(()), io);
    }
    let (keys, missing) = asked(matches, env, io)?;
    if keys.is_empty() && missing.is_empty() {
        report.note("nothing was stored: without keys the image is public");
        return report.finish(&Ok(()), io);
    }
    let resolver = Resolver::new(Config::load(env)?)?;
    let done = Provision { resolver: &resolver, matches, env }.keep(&images, keys, &missing, &mut report);
    super::warn(io, &resolver);
    report.finish(&done, io)?;
    done
}

/// The keys whose values are at hand, and the names of the others.
fn asked(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(Keys, Vec<String>), Error> {
    // Its value, or nothing: a variable that cannot be read is as good as unset, and named in the error.
    let lookup = |name: &str| env.secret(name).ok().flatten();
    let asked = if let Some(names) = matches.get_many::<String>("creds") {
        Keys::found(names.map(String::as_str), lookup)
    } else if let Some(file) = matches.get_one::<String>("creds-json") {
        BaseImageCreds::parse(read(file, io)?.expose().as_bytes()).and_then(|creds| match creds {
            BaseImageCreds::Names(names) => Keys::found(names.iter().map(String::as_str), lookup),
            BaseImageCreds::Keys(keys) => Ok((keys, Vec::new())),
        })
    } else {
        Ok((Keys::default(), Vec::new()))
    };
    asked.map_err(refused)
}

/// One run, once it is known what is asked for.
struct Provision<'a> {
    resolver: &'a Resolver,
    matches: &'a ArgMatches,
    env: &'a Env,
}

impl Provision<'_> {
    /// Stores the keys for each registry, and binds the image to them. Nothing is written before all has been checked.
    fn keep(&self, images: &[ImageRef], keys: Keys, missing: &[String], report: &mut Report) -> Result<(), Error> {
        let resolver = self.resolver;
        let image_id = self.matches.get_one::<String>("image-id").map(String::as_str);
        let ttl: Option<Duration> = self.matches.get_one("ttl").copied();
        let mut first_of_each: Vec<&ImageRef> = Vec::new();
        for image in images {
            if !first_of_each.iter().any(|other| other.host == image.host) {
                first_of_each.push(image);
            }
        }
        resolver.check_provision(first_of_each.len(), image_id, ttl.is_some())?;
        let binds_names = resolver.binds_names()?;
        let names = self.writes_names(binds_names, ttl.is_some())?;
        let (keys, there) = self.given(&first_of_each, keys, missing, names)?;
        let prepared = if names {
            resolver.prepare_names(&first_of_each, &keys, there, self.matches.get_flag("force"))?
        } else {
            first_of_each.iter().map(|image| resolver.prepare_secret(image, &keys)).collect::<Result<_, _>>()?
        };
        if self.matches.get_flag("check") {
            for image in images {
                let keys = prepared.iter().find(|one| one.image.host == image.host).map(|one| &one.keys);
                report.note(&self.check(image, keys.unwrap_or(&Keys::default()))?);
            }
        }
        for one in &prepared {
            let host = Some(one.image.host.as_str());
            let written = resolver.audited("provision", host, |resolver| resolver.provision(one, ttl))?;
            report.stored(one, &written, resolver.workspace_store());
        }
        if let Some(id) = image_id {
            report.bound(id, &prepared, &resolver.bind_image(id, &prepared)?);
        }
        if binds_names.is_none() {
            report.note(if names { FOR_OLDER } else { FOR_NEWER });
        }
        Ok(())
    }

    /// Whether single secrets are written: what the store shows decides, and the flag where it shows nothing.
    fn writes_names(&self, binds_names: Option<bool>, ttl: bool) -> Result<bool, Error> {
        let flag = self.matches.get_flag("names");
        let store = format!("{} store", self.resolver.workspace_store());
        if binds_names == Some(false) && flag {
            let cause = "its images are bound to registries' own secrets, and not to names of single ones";
            return Err(Problem::new(store, cause).fix("leave out --names").failed());
        }
        let names = binds_names.unwrap_or(flag);
        if names && ttl {
            let cause = "its images are bound to single secrets, which have no end";
            return Err(Problem::new(store, cause).fix("leave out --ttl").failed());
        }
        Ok(names)
    }

    /// All keys, those that are missing from the workspace's single secrets; and what of it there is.
    fn given(
        &self,
        images: &[&ImageRef],
        mut keys: Keys,
        missing: &[String],
        names: bool,
    ) -> Result<(Keys, Vec<Single>), Error> {
        let resolver = self.resolver;
        if !missing.is_empty() && !resolver.names_secrets() {
            return Err(refused(KeysError::Unset(escaped(missing))));
        }
        let mut wanted: BTreeSet<String> = missing.iter().filter(|name| name::can_be_created(name)).cloned().collect();
        if names {
            wanted.extend(keys.names().map(str::to_owned));
            wanted.extend(images.iter().flat_map(|image| build_key_names(&image.host)).map(str::to_owned));
        }
        let there = resolver.singles(&wanted.into_iter().collect::<Vec<_>>())?;
        let (mut absent, mut empty) = (Vec::new(), Vec::new());
        for name in missing {
            match there.iter().find(|single| single.name == *name) {
                Some(single) if single.value.is_empty() => empty.push(name.clone()),
                Some(single) => keys.insert(name, single.value.clone()).map_err(refused)?,
                None => absent.push(name.clone()),
            }
        }
        if !absent.is_empty() {
            return Err(refused(KeysError::Absent(escaped(&absent))));
        }
        if !empty.is_empty() {
            return Err(refused(KeysError::Empty(escaped(&empty))));
        }
        keys.check_pairs().map_err(refused)?;
        if let Some(name) = keys.placeholder() {
            let cause = format_args!("{}: {}", name.escape_debug(), KeysError::Placeholder);
            return Err(Problem::new("credentials", cause).fix("give the secret itself; nothing was stored").failed());
        }
        images.iter().try_for_each(|image| resolver.check_hosts(image, missing, &there))?;
        Ok((keys, there))
    }

    fn check(&self, image: &ImageRef, keys: &Keys) -> Result<String, Error> {
        let resolver = self.resolver;
        let credential = resolver.credential_of(image, keys).map_err(|error| error.about(image.host.as_str()))?;
        let taken = verify::authenticate(image, &credential, resolver.deadline(), self.env.log())?;
        let (host, repository) = (&image.host, &image.repository);
        Ok(if taken {
            format!("{host} accepts the credential for {repository}")
        } else {
            format!("{host} does not tell whether it accepts the credential for {repository}: it asks nobody for one")
        })
    }
}

fn escaped(names: &[String]) -> Vec<String> {
    names.iter().map(|name| name.escape_debug().to_string()).collect()
}

fn refused(error: KeysError) -> Error {
    let fix = match &error {
        KeysError::Absent(names) => match names.as_slice() {
            [name] => format!("export it, or create it with: beta9 secret create {name} VALUE"),
            _ => "export them, or create each with: beta9 secret create NAME VALUE".to_owned(),
        },
        KeysError::Empty(names) => {
            let name = if let [name] = names.as_slice() { name } else { "NAME" };
            format!("delete it with: beta9 secret delete {name}, and create it again with its value")
        }
        _ => "nothing was stored".to_owned(),
    };
    Problem::new("credentials", error).fix(fix).failed()
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

const FOR_NEWER: &str =
    "a Beta9 since September 2026 reads single secrets instead: for it, run this again with --names";
const FOR_OLDER: &str =
    "a Beta9 from before September 2026 reads a registry's own secret: for it, run this again without --names";
const HELP: &str = "\
Beta9 since September 2026 binds an image to the names of single secrets, Beta9
from before it to the secret of a registry. What is written follows the database;
through a gateway, which shows neither, --names says it.

Exit status: 0 when it was stored, or nothing had to be; 1 otherwise.

Example:
  export GITHUB_USERNAME=octo GITHUB_TOKEN=…
  docker-credential-beta9 provision ghcr.io/org/app:1.2 --image-id 7d1c \\
    --creds GITHUB_USERNAME,GITHUB_TOKEN";
const MAX_KEYS: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(5);
