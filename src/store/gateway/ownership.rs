//! Decides who owns the secret under a name, and where a new one may be written.

use super::PART;
use super::errors::GatewayError;
use super::read::Shown;
use crate::error::Error;
use crate::keys::{Blob, KeysError};
use crate::store::{Lookup, Owner, StoreError, name};

/// The secret under one name, as it concerns one host.
#[derive(Debug)]
pub(super) enum Held {
    Nothing,
    /// An empty value, which may be replaced.
    Empty,
    /// This host's: the host is recorded in it, or no registry is and the name binds it.
    Ours(Blob),
    /// Another host's with the same name.
    Foreign,
    /// Unbound: it has no registry, and other hosts map to the same name.
    Unbound,
    /// Unreadable, so its owner is unknown.
    Damaged(KeysError),
}

impl Held {
    pub(super) fn of(name: &str, shown: Option<Shown>, lookup: &Lookup) -> Self {
        let Some(shown) = shown else {
            return Self::Nothing;
        };
        if shown.value.is_empty() {
            return Self::Empty;
        }
        match Blob::parse(shown.value.expose()) {
            Ok(blob) => match lookup.owner(name, blob.registry.as_ref()) {
                Owner::Ours => Self::Ours(blob),
                Owner::Another => Self::Foreign,
                Owner::Unknown => Self::Unbound,
            },
            Err(error) => Self::Damaged(error),
        }
    }

    /// This host's blob. An unbound or unreadable secret is an error, because it may be the one to use.
    pub(super) fn usable(self, name: &str) -> Result<Option<Blob>, Error> {
        match self {
            Self::Ours(blob) => Ok(Some(blob)),
            Self::Nothing | Self::Empty | Self::Foreign => Ok(None),
            Self::Unbound => Err(StoreError::Unbound(name.to_owned()).at(PART)),
            Self::Damaged(error) => Err(GatewayError::Damaged(name.to_owned(), error).into()),
        }
    }
}

/// How to write a secret so that `get` finds it first.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    Update(&'a str),
    Create(&'a str),
}

/// Chooses the first name with this host's secret, else the first with an empty value, else the first free one that the
/// API can create.
pub(super) fn place<'a>(names: &'a [String], held: &[Held]) -> Result<Place<'a>, Error> {
    let all = || names.iter().zip(held);
    for (name, held) in all() {
        match held {
            Held::Ours(_) => return Ok(Place::Update(name)),
            Held::Damaged(error) => {
                return Err(GatewayError::Damaged(name.to_owned(), error.clone()).into());
            }
            Held::Nothing | Held::Empty | Held::Foreign | Held::Unbound => {}
        }
    }
    if let Some((name, _)) = all().find(|(_, held)| matches!(held, Held::Empty)) {
        return Ok(Place::Update(name));
    }
    let mut free = all()
        .filter(|(_, held)| matches!(held, Held::Nothing))
        .map(|(name, _)| name);
    if let Some(name) = free.clone().find(|name| name::can_be_created(name)) {
        return Ok(Place::Create(name));
    }
    let refused = match free.next() {
        Some(name) => GatewayError::Uncreatable(name.to_owned()),
        None => GatewayError::Taken(names[..names.len().min(WRITTEN)].to_vec()),
    };
    Err(refused.into())
}

/// The number of candidates that this program itself writes: those of the canonical spelling.
const WRITTEN: usize = 4;

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::host::Host;

    fn host() -> Host {
        Host::parse(b"a.b.example").unwrap()
    }

    fn held(name: &str, value: &str, by_shared_name: bool) -> Held {
        let value = match value {
            "-" => None,
            "ours" => Some(r#"{"registry":"a.b.example","type":"basic","credentials":{}}"#),
            "other" => Some(r#"{"registry":"a-b.example","type":"basic","credentials":{}}"#),
            text => Some(text),
        };
        let host = host();
        let lookup = Lookup {
            host: &host,
            by_shared_name,
            deadline: Instant::now(),
            ..Lookup::of(&host)
        };
        let shown = value.map(|value| Shown {
            value: value.into(),
            hosts: Some(Vec::new()),
        });
        Held::of(name, shown, &lookup)
    }

    fn place_of(values: [&str; 4]) -> String {
        let names = name::candidates(&host());
        let held: Vec<Held> = names
            .iter()
            .zip(values)
            .map(|(name, value)| held(name, value, false))
            .collect();
        let place = place(&names, &held);
        let word = |name: &str| {
            ["current", "api", "first", "hash"][names.iter().position(|one| one == name).unwrap()]
        };
        match place {
            Ok(Place::Update(name)) => format!("update {}", word(name)),
            Ok(Place::Create(name)) => format!("create {}", word(name)),
            Err(error) => error.to_string().split_once("; ").unwrap().0.to_owned(),
        }
    }

    #[test]
    fn a_secret_goes_where_this_hosts_is_and_never_where_another_hosts_is() {
        let table = [
            (["-", "-", "-", "-"], "create api"),
            (["ours", "ours", "-", "-"], "update current"),
            // It may be `a-b.example`'s, which maps to the same name; a hash is unique.
            (["u:p", "-", "-", "-"], "create api"),
            (["u:p", "u:p", "-", "-"], "create hash"),
            (["-", "-", "-", "u:p"], "update hash"),
            (["-", "-", "ours", "-"], "update first"),
            (["other", "-", "-", "-"], "create api"),
            // An empty secret is preferred to a new one.
            (["", "-", "-", "-"], "update current"),
            (["other", "-", "", "-"], "update first"),
            (["", "ours", "-", "-"], "update api"),
            (["other", "other", "-", "-"], "create hash"),
            (["other", "other", "-", "ours"], "update hash"),
            (
                ["other", "other", "other", "other"],
                "gateway store: oci-registry-a-b-example, OCI_REGISTRY_A_B_EXAMPLE, oci-creds-104dd5e04b12810a, OCI_CREDS_104dd5e04b12810a are other registries' secrets",
            ),
            (
                ["other", "damaged", "-", "ours"],
                "gateway store: the secret OCI_REGISTRY_A_B_EXAMPLE cannot be used: the secret is neither a JSON object nor username:password",
            ),
        ];
        for (values, expected) in table {
            assert_eq!(place_of(values), expected, "{values:?}");
        }
    }

    #[test]
    fn a_named_secret_is_created_only_under_a_name_that_the_api_takes() {
        let place_named =
            |name: &str, value| match place(&[name.to_owned()], &[held(name, value, true)]) {
                Ok(place) => format!("{place:?}"),
                Err(error) => error.to_string(),
            };
        assert_eq!(place_named("oci-mine", "ours"), "Update(\"oci-mine\")");
        assert_eq!(place_named("oci-mine", "u:p"), "Update(\"oci-mine\")");
        assert_eq!(place_named("MINE", "-"), "Create(\"MINE\")");
        assert!(
            place_named("oci-mine", "-").contains("takes only letters, digits and underscores")
        );
        assert!(place_named("MINE", "other").contains("MINE is another registry's secret"));
    }
}
