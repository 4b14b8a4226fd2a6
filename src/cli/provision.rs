//! `provision IMAGE`: at build time, stores the keys for an image's registry in the workspace, and binds the image to
//! them.

mod given;
mod report;

use std::time::Duration;

use clap::{ArgGroup, ArgMatches, Command};

use super::errors::CliError;
use super::{flag, image_arg, images, option};
use crate::Io;
use crate::config::Env;
use crate::error::Error;
use crate::host::ImageRef;
use crate::keys::Keys;
use crate::resolver::{Prepared, Resolver};
use crate::verify;
use given::{asked, given};
use report::Report;

pub(super) fn command() -> Command {
    Command::new("provision")
        .about("Store the keys of an image's registry in the workspace, and bind the image to them")
        .arg(image_arg())
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
    let resolver = Resolver::of(env)?;
    let provision = Provision {
        resolver,
        matches,
        env,
    };
    let done = provision.keep(&images, keys, &missing, &mut report);
    super::warn(io, &provision.resolver);
    report.finish(&done, io)?;
    done
}

/// One run, after parsing the arguments.
struct Provision<'a> {
    resolver: Resolver,
    matches: &'a ArgMatches,
    env: &'a Env,
}

impl Provision<'_> {
    /// Stores the keys for each registry, and binds the image to them. Checks everything before it writes.
    fn keep(
        &self,
        images: &[ImageRef],
        keys: Keys,
        missing: &[String],
        report: &mut Report,
    ) -> Result<(), Error> {
        let resolver = &self.resolver;
        let image_id = self.matches.get_one::<String>("image-id");
        let image_id = image_id.map(String::as_str);
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
        let prepared = self
            .prepare(&first_of_each, keys, missing, names)
            .and_then(|prepared| self.check(images, &prepared, report).map(|()| prepared))
            .inspect_err(|_| {
                for image in &first_of_each {
                    resolver.audit("provision", Some(image.host.as_reference()), "error");
                }
            })?;
        for one in &prepared {
            let host = Some(one.image.host.as_reference());
            let written =
                resolver.audited("provision", host, |resolver| resolver.provision(one, ttl))?;
            report.stored(one, &written, resolver.workspace_store());
        }
        if let Some(id) = image_id {
            report.bound(id, &prepared, resolver.bind_image(id, &prepared)?);
        }
        if binds_names.is_none() {
            report.note(if names { FOR_OLDER } else { FOR_NEWER });
        }
        Ok(())
    }

    /// Whether to write single secrets: the store decides or, if it can't tell, the flag.
    fn writes_names(&self, binds_names: Option<bool>, ttl: bool) -> Result<bool, Error> {
        let flag = self.matches.get_flag("names");
        let store = format!("{} store", self.resolver.workspace_store());
        if binds_names == Some(false) && flag {
            return Err(CliError::NoNames { store }.into());
        }
        let names = binds_names.unwrap_or(flag);
        if names && ttl {
            return Err(CliError::NoEnd { store }.into());
        }
        Ok(names)
    }

    /// Plans what to write, and checks that all of it is possible.
    fn prepare<'i>(
        &self,
        images: &[&'i ImageRef],
        keys: Keys,
        missing: &[String],
        names: bool,
    ) -> Result<Vec<Prepared<'i>>, Error> {
        let (keys, there) = given(&self.resolver, images, keys, missing, names)?;
        if names {
            let force = self.matches.get_flag("force");
            return (self.resolver).prepare_names(images, &keys, there, force);
        }
        let images = images.iter();
        let prepare = |image: &&'i ImageRef| self.resolver.prepare_secret(image, &keys);
        images.map(prepare).collect()
    }

    /// If requested, asks each image's registry whether it accepts the credential.
    fn check(
        &self,
        images: &[ImageRef],
        prepared: &[Prepared],
        report: &mut Report,
    ) -> Result<(), Error> {
        if !self.matches.get_flag("check") {
            return Ok(());
        }
        let resolver = &self.resolver;
        for image in images {
            let (host, repository) = (&image.host, &image.repository);
            let Some(one) = prepared.iter().find(|one| one.image.host == *host) else {
                continue;
            };
            let credential = resolver
                .credential_of(image, &one.keys)
                .map_err(|error| error.about(host.as_reference()))?;
            let taken = verify::authenticate(
                image,
                &credential,
                &verify::CertDirs::of(self.env),
                resolver.deadline(),
                self.env.log(),
            )?;
            let (says, why) = if taken {
                ("accepts", "")
            } else {
                ("doesn't say whether it accepts", ": it requires none")
            };
            report.note(&format!(
                "{host} {says} the credential for {repository}{why}"
            ));
        }
        Ok(())
    }
}

const FOR_NEWER: &str = "a Beta9 since September 2026 reads single secrets instead: for it, run this again with --names";
const FOR_OLDER: &str = "a Beta9 from before September 2026 reads a registry's own secret: for it, run this again without --names";
const HELP: &str = "\
Beta9 since September 2026 binds an image to the names of single secrets, Beta9
from before it to the secret of a registry. What is written follows the database;
through a gateway, which shows neither, --names says it.

Exit status: 0 when it was stored, or nothing had to be; 1 otherwise.

Example:
  export GITHUB_USERNAME=octo GITHUB_TOKEN=…
  docker-credential-beta9 provision ghcr.io/org/app:1.2 --image-id 7d1c \\
    --creds GITHUB_USERNAME,GITHUB_TOKEN";
