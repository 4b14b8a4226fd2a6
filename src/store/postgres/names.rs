//! Converts the secrets of generation 2, each a registry's whole credential, to the single secrets of generation 3,
//! whose names images are bound to. Nothing is deleted, and no existing value is replaced.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::{Serialize, Serializer};
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::PostgresStore;
use super::errors::PostgresError;
use super::fault::Fault;
use super::generation::{Columns, Generation};
use super::migrate::begin_alone;
use super::rows::{Row, Rows, seal, texts};
use super::secrets::{Content, Entry, Secrets};
use super::write::Change;
use crate::credential::Redacted;
use crate::error::Error;
use crate::host::Host;
use crate::keys::Keys;
use crate::store::name;

/// The result, or the plan in a dry run.
#[derive(Debug)]
pub struct ToNames {
    /// The database's generation.
    pub generation: Generation,
    /// The registries whose credentials are now in single secrets.
    pub converted: Vec<Converted>,
    /// The secrets that were not converted.
    pub left: Vec<Left>,
    /// How many images name no secrets, if the database does not show what they were bound to.
    pub unbound: Option<u64>,
}

/// A registry whose credential is in single secrets.
#[derive(Debug, Serialize)]
pub struct Converted {
    /// The registry.
    #[serde(rename = "registry", serialize_with = "reference")]
    pub host: Host,
    /// The secret with the whole credential, which is kept.
    pub secret: String,
    /// The names of the single secrets, sorted.
    pub names: Vec<String>,
    /// Those created now; the others existed with these values.
    pub made: Vec<String>,
    /// The images that are now bound to the names.
    pub bound: Vec<String>,
    /// Images that must be deployed again: they were bound to a secret with this name, and can't be bound to the names.
    #[serde(rename = "deploy_again")]
    pub again: Vec<String>,
}

/// A secret that was left as it is.
#[derive(Debug, Serialize)]
pub struct Left {
    /// Its name.
    pub secret: String,
    /// Why.
    pub why: String,
}

fn reference<S: Serializer>(host: &Host, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(host.as_reference())
}

impl PostgresStore {
    /// Copies the credentials of the workspace's registries into single secrets, and binds their images to the names.
    /// `sets` returns the possible sets of single secrets for a registry's keys. Runs in one transaction, which a dry
    /// run rolls back.
    pub fn to_names(
        &self,
        sets: impl Fn(&Host, &Keys) -> Result<Vec<Keys>, String>,
        dry_run: bool,
        deadline: Instant,
    ) -> Result<ToNames, Error> {
        let workspace = self.workspace_id()?;
        self.work(deadline, async |client| {
            let transaction = begin_alone(client).await?;
            let change = Change { transaction, workspace };
            let transaction = &change.transaction;
            let columns = Columns::of(transaction).await?;
            let (chosen, mut left) = chosen(Secrets::of_registries(transaction, workspace).await?.entries);
            let mut plans = Vec::new();
            for (host, (row, content)) in chosen {
                match sets(&host, &content.blob.keys) {
                    Ok(sets) => plans.push((host, row, sets)),
                    Err(why) => left.push(Left { secret: row.name, why }),
                }
            }
            // Docker Hub goes first, because it has names that other registries don't get.
            plans.sort_by_key(|(host, ..)| !host.is_docker_hub());
            let mut singles = Singles::read(transaction, workspace, &plans).await?;
            let mut converted = Vec::new();
            for (host, row, sets) in plans {
                let Some(set) = singles.place(sets) else {
                    let why = "the names that a build takes for its registry are there with other values, or for certain hosts";
                    left.push(Left { secret: row.name, why: why.to_owned() });
                    continue;
                };
                let mut one = Converted {
                    host,
                    secret: row.name.clone(),
                    names: set.names().map(str::to_owned).collect(),
                    made: singles.add(&set),
                    bound: Vec::new(),
                    again: Vec::new(),
                };
                if columns.secret {
                    bind(transaction, &row, &mut one, columns.names, dry_run).await?;
                }
                if !dry_run {
                    for name in &one.made {
                        let value = set.get(name).map_or("", Redacted::expose);
                        if !change.insert(name, &seal(&singles.key, value)?).await? {
                            return Err(PostgresError::Contended.into());
                        }
                    }
                }
                converted.push(one);
            }
            let unbound = if columns.names && !columns.secret { Some(unbound(transaction).await?) } else { None };
            if !dry_run {
                change.transaction.commit().await?;
            }
            Ok(ToNames { generation: columns.generation(), converted, left, unbound })
        })
    }
}

/// The secret that a `get` would use for each registry, and the others with the reason.
fn chosen(entries: Vec<Entry>) -> (BTreeMap<Host, (Row, Content)>, Vec<Left>) {
    let (mut chosen, mut left) = (BTreeMap::<Host, (Row, Content)>::new(), Vec::new());
    for Entry { row, content, .. } in entries {
        let readable = content.map_err(|error| error.to_string());
        let usable = readable.and_then(|content| match &content.blob.registry {
            None => Err("it does not say which registry it is for".to_owned()),
            Some(_) if !content.hosts.is_empty() => {
                Err("it is for certain hosts only, which copies would not be".to_owned())
            }
            Some(host) => Ok((host.clone(), content)),
        });
        let (host, content) = match usable {
            Ok(usable) => usable,
            Err(why) => {
                let secret = row.name;
                left.push(Left { secret, why });
                continue;
            }
        };
        let rank = |row: &Row| {
            let mut candidates = name::candidates(&host).into_iter();
            candidates
                .position(|candidate| candidate == row.name)
                .unwrap_or(usize::MAX)
        };
        let (kept, other) = match chosen.remove(&host) {
            Some(before) if rank(&before.0) <= rank(&row) => (before, Some(row.name)),
            before => ((row, content), before.map(|(row, _)| row.name)),
        };
        left.extend(other.map(|secret| Left {
            secret,
            why: format!(
                "{} is for the same registry, and takes precedence",
                kept.0.name
            ),
        }));
        chosen.insert(host, kept);
    }
    (chosen, left)
}

/// The workspace's single secrets with the names in question.
struct Singles {
    key: Result<crate::seal::SealKey, PostgresError>,
    /// By name. An unreadable secret, or one with hosts, equals no value.
    there: BTreeMap<String, Option<Redacted>>,
}

impl Singles {
    async fn read(
        transaction: &Transaction<'_>,
        workspace: &str,
        plans: &[(Host, Row, Vec<Keys>)],
    ) -> Result<Self, Fault> {
        let names: Vec<&str> = plans
            .iter()
            .flat_map(|(_, _, sets)| sets.iter().flat_map(Keys::names))
            .collect();
        let Rows { key, secrets, .. } = Rows::named(transaction, workspace, &names).await?;
        let value = |row: &Row| {
            row.single(&key)
                .ok()
                .filter(|single| single.hosts.is_empty())
                .map(|single| single.value)
        };
        let there = secrets
            .iter()
            .map(|row| (row.name.clone(), value(row)))
            .collect();
        Ok(Self { key, there })
    }

    /// The set that already exists, else the first with free names, else one that exists in part.
    fn place(&self, sets: Vec<Keys>) -> Option<Keys> {
        let same = |set: &Keys, name: &str| {
            self.there
                .get(name)
                .map(|there| there.as_ref() == set.get(name))
        };
        let all = |set: &Keys, fits: fn(Option<bool>) -> bool| {
            set.names().all(|name| fits(same(set, name)))
        };
        let kinds: [fn(Option<bool>) -> bool; 3] = [
            |same| same == Some(true),
            |same| same.is_none(),
            |same| same != Some(false),
        ];
        let index = kinds
            .iter()
            .find_map(|fits| sets.iter().position(|set| all(set, *fits)))?;
        sets.into_iter().nth(index)
    }

    /// Takes the names, and returns those that were free.
    fn add(&mut self, set: &Keys) -> Vec<String> {
        let free: Vec<String> = set
            .names()
            .filter(|name| !self.there.contains_key(*name))
            .map(str::to_owned)
            .collect();
        self.there.extend(
            free.iter()
                .map(|name| (name.clone(), set.get(name).cloned())),
        );
        free
    }
}

/// Binds the secret's images to the names, if the table has a column for names.
async fn bind(
    transaction: &Transaction<'_>,
    row: &Row,
    one: &mut Converted,
    has_names: bool,
    dry_run: bool,
) -> Result<(), Fault> {
    let secret = [row.name.as_str(), &row.id];
    for row in transaction.query_typed(BOUND, &texts(&secret)).await? {
        let (image, is_this): (String, bool) = (row.try_get(0)?, row.try_get(1)?);
        if has_names && is_this {
            one.bound.push(image);
        } else {
            one.again.push(image);
        }
    }
    if !dry_run && !one.bound.is_empty() {
        let params = [
            (&one.bound as _, Type::TEXT_ARRAY),
            (&one.names as _, Type::TEXT_ARRAY),
        ];
        transaction.execute_typed(BIND, &params).await?;
    }
    Ok(())
}

async fn unbound(transaction: &Transaction<'_>) -> Result<u64, Fault> {
    let row = transaction.query_typed_one(UNBOUND, &[]).await?;
    u64::try_from(row.try_get::<_, i64>(0)?).map_err(|_| PostgresError::NegativeCount.into())
}

/// The images without names that are bound to a secret with this name, and whether it is this very secret: another
/// workspace may have one with the same name.
const BOUND: &str = "\
SELECT i.image_id::text, coalesce(to_jsonb(i)->>'credential_secret_id', '') IN ('', $2)
FROM image i
WHERE i.credential_secret_name = $1
  AND coalesce(to_jsonb(i)->'credential_secret_names', 'null') IN ('null', '[]')
ORDER BY i.image_id";
const BIND: &str = "\
UPDATE image SET credential_secret_names = $2
WHERE image_id = ANY($1) AND coalesce(cardinality(credential_secret_names), 0) = 0";
const UNBOUND: &str =
    "SELECT count(*) FROM image WHERE coalesce(cardinality(credential_secret_names), 0) = 0";
