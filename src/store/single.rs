//! Single workspace secrets: each is one key with the key's name, and several make up a registry's credential.

use std::time::Instant;

use super::errors::StoreError;
use super::{Binding, Found, Keep, Lookup, Store};
use crate::config::Singles;
use crate::credential::Redacted;
use crate::error::Error;
use crate::host::Host;
use crate::keys::{KeySet, Keys};
use crate::shown::shown;

/// A single secret of the workspace.
#[derive(Debug)]
pub struct Single {
    /// Its name, which is also the key's.
    pub name: String,
    /// Its value.
    pub value: Redacted,
    /// The hosts that it may be sent to, `name` or `*.name`; empty for no restriction.
    pub hosts: Vec<String>,
}

impl Store {
    /// Those of the named single secrets that the workspace has.
    pub fn singles(&self, names: &[String], deadline: Instant) -> Result<Vec<Single>, Error> {
        match self {
            Self::Gateway(store) => store.singles(names, deadline),
            Self::Postgres(store) => store.singles(names, deadline),
            other => Err(other.error(StoreError::NoSingles)),
        }
    }

    /// Writes a single secret: a new one, or a replacement if its current value is exactly the given old one. Without a
    /// new value it removes the secret, and a missing one is not an error.
    pub fn change_single(
        &self,
        name: &str,
        old: Option<&Redacted>,
        new: Option<&Redacted>,
        deadline: Instant,
    ) -> Result<(), Error> {
        match self {
            Self::Gateway(store) => store.change_single(name, old, new, deadline),
            Self::Postgres(store) => store.change_single(name, old, new, deadline),
            other => Err(other.error(StoreError::NoSingles)),
        }
    }

    /// Binds an image to the names of single secrets. Fails if this store can't.
    pub fn bind_names(
        &self,
        image_id: &str,
        names: &[String],
        deadline: Instant,
    ) -> Result<Binding, Error> {
        match self {
            Self::Postgres(store) => store
                .bind_names(image_id, names, deadline)
                .map(|()| Binding::Kept),
            Self::Gateway(_) => Ok(Binding::Elsewhere),
            other => Err(other.error(StoreError::NoSingles)),
        }
    }
}

impl Lookup<'_> {
    /// The names of the single secrets to read: the named ones, or else the vendor's own.
    pub fn single_names(&self) -> Vec<&str> {
        if self.named.is_empty() {
            self.guesses().iter().flat_map(KeySet::names).collect()
        } else {
            self.named.iter().map(String::as_str).collect()
        }
    }

    /// Makes a credential from single secrets. Fails if a named one is missing or only for other hosts. If none are
    /// named, uses the first complete set for this host.
    pub fn assemble(&self, part: &str, there: &[Single]) -> Result<Option<Found>, Error> {
        if self.named.is_empty() {
            return self.guess(part, there);
        }
        let mut missing = Vec::new();
        for name in self.named {
            let is_it = |single: &Single| single.name == *name && !single.value.is_empty();
            if !there.iter().any(is_it) {
                missing.push(shown(name).to_string());
            }
        }
        if !missing.is_empty() {
            return Err(StoreError::Missing(missing).at(part));
        }
        let mut keys = Keys::default();
        let named = |single: &&Single| self.named.contains(&single.name);
        for single in there.iter().filter(named) {
            self.check_hosts(part, single)?;
            single.add_to(&mut keys, part)?;
        }
        Ok(Some(Found::new(keys, Keep::Disk)))
    }

    /// Fails if a named secret is only for other hosts. A vendor's own key may always be sent to its registry.
    pub fn check_hosts(&self, part: &str, single: &Single) -> Result<(), Error> {
        let is_vendors = || {
            let sets = self.row.key_sets();
            let mut names = sets.iter().flat_map(KeySet::names);
            names.any(|name| name == single.name)
        };
        if single.is_for(self.real()) || is_vendors() {
            Ok(())
        } else {
            Err(StoreError::only_for(&single.name, &single.hosts, self.real()).at(part))
        }
    }

    /// Refuses to change a registry's whole credential if single secrets are named for it, because those would still be
    /// used.
    pub fn check_writable(&self, part: &str) -> Result<(), Error> {
        if self.named.is_empty() {
            return Ok(());
        }
        let named = StoreError::Named(self.named.join(", "));
        Err(named.at(part).about(self.host.as_reference()))
    }

    fn guess(&self, part: &str, there: &[Single]) -> Result<Option<Found>, Error> {
        let usable = |name: &str| {
            there
                .iter()
                .find(|one| one.name == name && !one.value.is_empty() && one.is_for(self.real()))
        };
        let is_whole = |set: &&KeySet| set.needed.iter().all(|name| usable(name).is_some());
        let sets = self.guesses();
        let Some(set) = sets.iter().find(is_whole) else {
            return Ok(None);
        };
        let mut keys = Keys::default();
        for single in set.names().filter_map(usable) {
            single.add_to(&mut keys, part)?;
        }
        Ok(Some(Found {
            guessed: true,
            ..Found::new(keys, Keep::Disk)
        }))
    }

    /// The vendor's sets that are used without being named.
    fn guesses(&self) -> Vec<KeySet> {
        if self.singles == Singles::Named {
            return Vec::new();
        }
        self.row
            .key_sets()
            .into_iter()
            .filter(|set| set.is_pair || self.singles == Singles::All)
            .collect()
    }

    fn real(&self) -> &Host {
        self.alias_of.unwrap_or(self.host)
    }
}

impl Single {
    /// Adds the secret to a registry's keys.
    pub fn add_to(&self, keys: &mut Keys, part: &str) -> Result<(), Error> {
        keys.insert(&self.name, self.value.clone())
            .map_err(|error| {
                let name = self.name.clone();
                StoreError::Single { name, error }.at(part)
            })
    }

    /// Whether the secret may be sent to this registry.
    pub fn is_for(&self, host: &Host) -> bool {
        is_for(&self.hosts, host)
    }
}

/// Whether a secret with these hosts may be sent to this registry; Docker Hub has several names.
pub(super) fn is_for(hosts: &[String], host: &Host) -> bool {
    let names = host.names();
    hosts.is_empty()
        || hosts.iter().any(|allowed| {
            let allowed = allowed.to_ascii_lowercase();
            names.iter().any(|name| match allowed.strip_prefix("*.") {
                Some(parent) => name
                    .strip_suffix(parent)
                    .is_some_and(|front| front.len() > 1 && front.ends_with('.')),
                None => *name == allowed,
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single(name: &str, hosts: &[&str]) -> Single {
        let hosts = hosts.iter().map(|&host| host.to_owned()).collect();
        let value = if name == "EMPTY" { "" } else { "hunter2" };
        Single {
            name: name.to_owned(),
            value: value.into(),
            hosts,
        }
    }

    fn keys(
        host: &str,
        singles: Singles,
        named: &[&str],
        there: &[Single],
    ) -> Result<Option<String>, String> {
        let host = Host::parse(host.as_bytes()).unwrap();
        let named: Vec<String> = named.iter().map(|&name| name.to_owned()).collect();
        let lookup = Lookup {
            singles,
            named: &named,
            ..Lookup::of(&host)
        };
        let found = lookup
            .assemble("a store", there)
            .map_err(|error| error.to_string())?;
        Ok(found.map(|found| found.keys.names().collect::<Vec<_>>().join(" ")))
    }

    #[test]
    fn a_vendors_whole_pair_is_its_registrys_and_what_else_there_is_must_be_named() {
        let all = [
            "GITHUB_USERNAME",
            "GITHUB_TOKEN",
            "NGC_API_KEY",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "EMPTY",
        ]
        .map(|name| single(name, &[]));
        let ecr = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
        let table = [
            (
                "ghcr.io",
                Singles::Pairs,
                Some("GITHUB_TOKEN GITHUB_USERNAME"),
            ),
            (
                "ghcr.io",
                Singles::All,
                Some("GITHUB_TOKEN GITHUB_USERNAME"),
            ),
            ("ghcr.io", Singles::Named, None),
            ("ghcr.io:5000", Singles::All, None),
            ("docker.io", Singles::Pairs, None),
            ("nvcr.io", Singles::Pairs, None),
            ("nvcr.io", Singles::All, Some("NGC_API_KEY")),
            (ecr, Singles::Pairs, None),
            (
                ecr,
                Singles::All,
                Some("AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY"),
            ),
        ];
        for (host, singles, expected) in table {
            assert_eq!(
                keys(host, singles, &[], &all),
                Ok(expected.map(str::to_owned)),
                "{host} {singles:?}"
            );
        }
        assert_eq!(keys("ghcr.io", Singles::Pairs, &[], &all[1..]), Ok(None));
    }

    #[test]
    fn a_named_secret_that_is_missing_or_empty_is_an_error_that_names_it() {
        let there = [single("A_USERNAME", &[]), single("EMPTY", &[])];
        let error = keys(
            "quay.io",
            Singles::Pairs,
            &["A_USERNAME", "A_PASSWORD", "EMPTY"],
            &there,
        )
        .unwrap_err();
        assert_eq!(
            error,
            "a store: the workspace has no secret A_PASSWORD, no EMPTY, or it is empty; create it with: beta9 secret create A_PASSWORD VALUE"
        );
    }

    #[test]
    fn a_secrets_hosts_decide_but_a_named_vendors_key_may_go_to_its_registry() {
        let pair = |hosts: &[&str]| {
            [
                single("GITHUB_USERNAME", hosts),
                single("GITHUB_TOKEN", hosts),
            ]
        };
        let names = ["GITHUB_USERNAME", "GITHUB_TOKEN"];
        let both = Ok(Some("GITHUB_TOKEN GITHUB_USERNAME".to_owned()));
        for hosts in [&["ghcr.io"][..], &["*.io", "x.example"], &["GHCR.IO"]] {
            assert_eq!(
                keys("ghcr.io", Singles::Pairs, &[], &pair(hosts)),
                both,
                "{hosts:?}"
            );
        }
        for hosts in [
            &["api.github.com"][..],
            &["*.ghcr.io"],
            &["hcr.io"],
            &["*.cr.io"],
        ] {
            assert_eq!(
                keys("ghcr.io", Singles::Pairs, &[], &pair(hosts)),
                Ok(None),
                "{hosts:?}"
            );
            assert_eq!(
                keys("ghcr.io", Singles::Pairs, &names, &pair(hosts)),
                both,
                "{hosts:?}"
            );
        }
        let harbor = [
            single("H_USERNAME", &["a.example"]),
            single("H_PASSWORD", &["*.b.example"]),
        ];
        assert_eq!(
            keys(
                "b.example",
                Singles::Pairs,
                &["H_USERNAME", "H_PASSWORD"],
                &harbor
            )
            .unwrap_err(),
            "a store: the secret H_USERNAME is only for a.example; add b.example to its hosts, or name another secret"
        );
        let hub = [
            single("DOCKERHUB_USERNAME", &["index.docker.io"]),
            single("DOCKERHUB_PASSWORD", &["*.docker.io"]),
        ];
        assert!(
            keys("docker.io", Singles::Pairs, &[], &hub)
                .unwrap()
                .is_some()
        );
    }
}
