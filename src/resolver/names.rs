//! Stores a login as single workspace secrets, under names that both Beta9's builds and its workers read.

use super::errors::ResolverError;
use super::provision::{Form, Prepared, left_out, other_region, usable, with_region};
use super::{Resolver, Route};
use crate::config::Singles;
use crate::credential::Redacted;
use crate::error::Error;
use crate::host::{Host, ImageRef};
use crate::keys::Keys;
use crate::registry::{
    Choice, NOBODYS_PAIRS, Names, build_names, build_sets, choose, is_taken_by_builds,
};
use crate::store::{Lookup, Single};

/// A planned single secret.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The secret's name.
    pub name: &'static str,
    value: Redacted,
    there: There,
}

/// What the workspace has under a name.
#[derive(Clone, Debug)]
enum There {
    Nothing,
    TheSame,
    Other(Redacted),
}

impl Planned {
    /// Whether the workspace must be changed.
    pub fn is_new(&self) -> bool {
        !matches!(self.there, There::TheSame)
    }
}

impl Resolver {
    /// Those of the named single secrets that the workspace has.
    pub fn singles(&self, names: &[String]) -> Result<Vec<Single>, Error> {
        if names.is_empty() {
            Ok(Vec::new())
        } else {
            self.workspace.singles(names, self.deadline())
        }
    }

    /// Plans the single secrets for the images' registries, without writing. `there` are the existing ones. A different
    /// existing value is replaced only with force.
    pub fn prepare_names<'i>(
        &self,
        images: &[&'i ImageRef],
        given: &Keys,
        mut there: Vec<Single>,
        force: bool,
    ) -> Result<Vec<Prepared<'i>>, Error> {
        let mut all = Vec::new();
        for image in images {
            let host = &image.host;
            let (planned, skipped) = self
                .plan(image, given, &there, force)
                .map_err(|error| error.about(host.as_reference()))?;
            for one in planned.iter().filter(|one| one.is_new()) {
                there.retain(|single| single.name != one.name);
                there.push(Single {
                    name: one.name.to_owned(),
                    value: one.value.clone(),
                    hosts: Vec::new(),
                });
            }
            let keys = planned.iter().fold(Keys::default(), |keys, one| {
                keys.with(one.name, one.value.clone())
            });
            let left_out = left_out(given, |name| keys.has(name));
            let skipped = skipped.iter();
            let mut notes: Vec<_> = skipped
                .map(|names| format!("{names} have other values in this workspace"))
                .collect();
            notes.extend(other_region(given, &keys));
            notes.extend(self.for_hub(host, &planned));
            notes.extend(for_builds(host, &planned));
            all.push(Prepared {
                image,
                form: Form::Names(planned),
                keys,
                left_out,
                notes,
            });
        }
        Ok(all)
    }

    /// The planned secrets, and preferred names that were already taken.
    fn plan(
        &self,
        image: &ImageRef,
        given: &Keys,
        there: &[Single],
        force: bool,
    ) -> Result<(Vec<Planned>, Vec<String>), Error> {
        let (host, route) = (&image.host, self.image_route(image)?);
        let workspace = Workspace {
            there,
            host: route.real,
        };
        let choice = buildable(&route, given)?;
        let mut sets = match build_sets(host, &choice) {
            Ok(sets) => sets,
            Err(error) => vec![workspace.published(given).ok_or(error)?],
        };
        let free = build_names(host, &choice, &|name| workspace.taken(name));
        let chosen = sets.iter().position(|set| is_given(set, given));
        let (set, skipped) = if let Some(at) = chosen.or_else(|| workspace.replaced(&sets, force)) {
            (sets.swap_remove(at), Vec::new())
        } else {
            let set = free.clone()?;
            let skipped = sets
                .iter()
                .take_while(|other| **other != set)
                .map(named)
                .collect();
            (set, skipped)
        };
        let planned = workspace.plan(set);
        let is_other = |one: &&Planned| matches!(one.there, There::Other(_));
        let names: Vec<_> = planned
            .iter()
            .filter(is_other)
            .map(|one| one.name)
            .collect();
        if !names.is_empty() && !force {
            let free = free.ok().as_ref().map(named);
            return Err(ResolverError::OtherValues { names, free }.into());
        }
        let single = |one: &Planned| workspace.single(one.name);
        let used = planned.iter().filter_map(single);
        let used = used.filter(|single| !single.value.is_empty());
        let used: Vec<_> = used.map(|single| single.name.clone()).collect();
        self.check_hosts(image, &used, there)?;
        Ok((planned, skipped))
    }

    /// Fails if a single secret is only for other hosts, because every pull would fail then.
    pub fn check_hosts(
        &self,
        image: &ImageRef,
        names: &[String],
        there: &[Single],
    ) -> Result<(), Error> {
        if names.is_empty() {
            return Ok(());
        }
        let route = self.image_route(image)?;
        let lookup = Lookup {
            named: names,
            ..self.lookup(&route, &image.host)?
        };
        lookup
            .assemble("credentials", there)
            .map(|_| ())
            .map_err(|error| error.about(image.host.as_reference()))
    }

    /// A note about Docker Hub's own names, which pulls from there use without being named.
    fn for_hub(&self, host: &Host, planned: &[Planned]) -> Option<String> {
        let hubs = planned.iter().any(|one| one.name.starts_with("DOCKERHUB_"));
        let is_guessed = hubs && !host.is_docker_hub() && self.config.singles != Singles::Named;
        is_guessed.then(|| {
            "DOCKERHUB_USERNAME and DOCKERHUB_PASSWORD are used for docker.io too; to prevent that, set single_secrets = \"named\" in [store]".to_owned()
        })
    }

    /// Writes the missing secrets, and returns all names.
    pub(super) fn write_names(&self, planned: &[Planned]) -> Result<Vec<String>, Error> {
        let mut written: Vec<&str> = Vec::new();
        for one in planned {
            let old = match &one.there {
                There::TheSame => continue,
                There::Nothing => None,
                There::Other(old) => Some(old),
            };
            self.workspace
                .change_single(one.name, old, Some(&one.value), self.deadline())
                .inspect_err(|_| {
                    if !written.is_empty() {
                        self.warnings
                            .add(format_args!("only {} was stored", written.join(", ")));
                    }
                })?;
            written.push(one.name);
        }
        Ok(planned.iter().map(|one| one.name.to_owned()).collect())
    }
}

/// A note about names that a pull uses but a build does not.
fn for_builds(host: &Host, planned: &[Planned]) -> Option<String> {
    let taken = planned.iter().all(|one| is_taken_by_builds(host, one.name));
    (!taken).then(|| format!("a Beta9 build does not take these names for {host}, and a pull does"))
}

/// The workspace's secrets, as they concern one registry.
struct Workspace<'a> {
    there: &'a [Single],
    host: &'a Host,
}

impl Workspace<'_> {
    fn single(&self, name: &str) -> Option<&Single> {
        self.there.iter().find(|single| single.name == name)
    }

    /// The value under a name; for a secret of other registries, a value that matches nothing.
    fn taken(&self, name: &str) -> Option<Redacted> {
        let single = self.single(name)?;
        let value = single.is_for(self.host).then(|| single.value.clone());
        Some(value.unwrap_or_default())
    }

    /// The given pair, if the workspace already has both values: a pull uses it, and `publish` writes such a pair where
    /// a build reads none.
    fn published(&self, given: &Keys) -> Option<Names> {
        let value = |name: &'static str| {
            let there = self.taken(name)?;
            (given.get(name) == Some(&there)).then_some((name, there))
        };
        let pair = |(username, password)| Some(vec![value(username)?, value(password)?]);
        let pair = NOBODYS_PAIRS.into_iter().find_map(pair)?;
        (pair.len() == given.names().count()).then_some(pair)
    }

    /// The set whose values are replaced: the only one or, with force, the one with the same user name.
    fn replaced(&self, sets: &[Names], force: bool) -> Option<usize> {
        let is_ours = |set: &Names| match set.first() {
            Some((name, value)) => self.taken(name).as_ref() == Some(value),
            None => false,
        };
        match sets {
            [_] => Some(0),
            sets => sets.iter().position(|set| force && is_ours(set)),
        }
    }

    fn plan(&self, set: Names) -> Vec<Planned> {
        let there = |name: &str, value: &Redacted| match self.single(name) {
            None => There::Nothing,
            Some(single) if single.value == *value => There::TheSame,
            Some(single) => There::Other(single.value.clone()),
        };
        let plan = |(name, value)| Planned {
            there: there(name, &value),
            name,
            value,
        };
        let mut planned: Vec<_> = set.into_iter().map(plan).collect();
        planned.sort_by_key(|one| one.name);
        planned
    }
}

/// The login with the keys that a build reads for the registry; else with all of them.
fn buildable(route: &Route, given: &Keys) -> Result<Choice, Error> {
    let given = with_region(route, given.clone());
    let taken = given.only(|name| is_taken_by_builds(route.host, name));
    let choice =
        choose(route.row, route.real, taken).or_else(|_| choose(route.row, route.real, given))?;
    usable(route, choice)
}

/// Whether all of these secrets are given keys. The region may come from the host instead.
fn is_given(set: &Names, given: &Keys) -> bool {
    set.iter().all(|(name, value)| {
        given
            .get(name)
            .map_or(*name == "AWS_REGION", |given| given == value)
    })
}

fn named(set: &Names) -> String {
    let names: Vec<_> = set.iter().map(|(name, _)| *name).collect();
    names.join(" and ")
}
