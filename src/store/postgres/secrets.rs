//! `Secrets`: the rows of `workspace_secret` that may be one registry's, read in one query and opened.

use tokio_postgres::GenericClient;
use tokio_postgres::types::Type;
use zeroize::Zeroizing;

use super::fault::Fault;
use super::{PART, PostgresStore};
use crate::error::{Error, Problem};
use crate::host::Host;
use crate::keys::Blob;
use crate::seal::SealKey;
use crate::store::{Lookup, Owner, name, unbound, workspace_id};

/// A workspace's key, and those of its secrets that were asked for.
pub(super) struct Secrets {
    key: Result<SealKey, Error>,
    /// In the order of the names asked for.
    pub(super) entries: Vec<Entry>,
}

/// One row, opened.
pub(super) struct Entry {
    pub(super) name: String,
    /// Its `external_id`.
    pub(super) id: String,
    /// What the database holds, by which a change in the meantime is noticed.
    pub(super) sealed: String,
    pub(super) content: Result<Content, Error>,
}

/// What was sealed.
pub(super) struct Content {
    pub(super) text: Zeroizing<String>,
    pub(super) blob: Blob,
}

impl Secrets {
    /// Reads the secrets that have one of these names.
    pub(super) async fn named(client: &impl GenericClient, workspace: &str, names: &[String]) -> Result<Self, Fault> {
        let mut all = Self::read(client, NAMED, workspace, names).await?;
        all.entries.sort_by_key(|entry| names.iter().position(|name| *name == entry.name));
        Ok(all)
    }

    /// Reads all secrets with the name of a registry's, preferred names first.
    pub(super) async fn of_registries(client: &impl GenericClient, workspace: &str) -> Result<Self, Fault> {
        let patterns = name::PREFIXES.map(|prefix| format!("{}%", prefix.replace('_', r"\_")));
        let mut all = Self::read(client, LIKE, workspace, &patterns).await?;
        let kind = |name: &str| name::PREFIXES.iter().position(|prefix| name.starts_with(prefix));
        all.entries.sort_by_cached_key(|entry| (kind(&entry.name), entry.name.clone()));
        Ok(all)
    }

    async fn read(client: &impl GenericClient, sql: &str, workspace: &str, names: &[String]) -> Result<Self, Fault> {
        let rows = client.query_typed(sql, &[(&workspace, Type::TEXT), (&names, Type::TEXT_ARRAY)]).await?;
        let Some(first) = rows.first() else { return Err(no_workspace(workspace).into()) };
        let key = open_key(first.try_get(0)?);
        let mut entries = Vec::new();
        for row in &rows {
            // A workspace without such a secret is one row without a name.
            let Some(name) = row.try_get::<_, Option<&str>>(1)? else { continue };
            let sealed: &str = row.try_get::<_, Option<&str>>(2)?.unwrap_or_default();
            entries.push(Entry {
                name: name.to_owned(),
                id: row.try_get::<_, Option<&str>>(3)?.unwrap_or_default().to_owned(),
                sealed: sealed.to_owned(),
                content: open(&key, name, sealed),
            });
        }
        Ok(Self { key, entries })
    }

    /// The secret that is this registry's: the one that says so first, then one that says nothing and is bound by its
    /// name. One that cannot be read or is bound by nothing, and so may be this registry's, is an error unless another says
    /// that it is.
    pub(super) fn of(&self, lookup: &Lookup) -> Result<Option<(&Entry, &Content)>, Error> {
        if let Some(recorded) = self.recorded(lookup.host) {
            return Ok(Some(recorded));
        }
        let mut unknown = Ok(None);
        for entry in &self.entries {
            match &entry.content {
                Ok(content) => match lookup.owner(&entry.name, content.blob.registry.as_ref()) {
                    Owner::Ours => return Ok(Some((entry, content))),
                    Owner::Another => {}
                    Owner::Unknown => unknown = unknown.and(Err(unbound(PART, &entry.name))),
                },
                Err(error) => return Err(again(error)),
            }
        }
        unknown
    }

    fn recorded(&self, host: &Host) -> Option<(&Entry, &Content)> {
        let contents = self.entries.iter().filter_map(|entry| Some((entry, entry.content.as_ref().ok()?)));
        contents.into_iter().find(|(_, content)| content.blob.registry.as_ref() == Some(host))
    }

    /// Those that a writer may change for this registry, the one that answers first. One that cannot be read may be
    /// another's.
    pub(super) fn owned(&self, lookup: &Lookup) -> Vec<&Entry> {
        let recorded = |entry: &'_ Entry| entry.content.as_ref().ok().map(|content| content.blob.registry.clone());
        let ours = |entry: &&Entry| {
            recorded(entry).is_some_and(|registry| lookup.owner(&entry.name, registry.as_ref()) == Owner::Ours)
        };
        let mut owned: Vec<&Entry> = self.entries.iter().filter(ours).collect();
        owned.sort_by_key(|entry| recorded(entry).flatten().is_none());
        owned
    }

    /// Seals a value as Beta9 does.
    pub(super) fn seal(&self, text: &str) -> Result<String, Error> {
        let key = self.key.as_ref().map_err(again)?;
        key.seal_base64(text).map_err(|error| Problem::new(PART, error).fix("nothing was stored").failed())
    }
}

impl PostgresStore {
    /// The workspace's id, which the database knows as a UUID.
    pub(super) fn workspace_id(&self) -> Result<&str, Error> {
        workspace_id(PART, &self.workspace)
    }
}

/// A workspace's signing key; Beta9 gives one to every workspace, but the column may be empty.
pub(super) fn open_key(text: Option<&str>) -> Result<SealKey, Error> {
    let problem = |cause: &dyn std::fmt::Display| {
        Problem::new(PART, format_args!("the workspace's signing_key cannot be used: {cause}"))
            .fix("put the workspace's own key back into the database")
            .failed()
    };
    let text = text.filter(|text| !text.is_empty()).ok_or_else(|| problem(&"it is empty"))?;
    SealKey::from_signing_key(text).map_err(|error| problem(&error))
}

/// A value of `workspace_secret`, opened and read.
pub(super) fn open(key: &Result<SealKey, Error>, name: &str, sealed: &str) -> Result<Content, Error> {
    let problem = |cause: &dyn std::fmt::Display, fix: &str| {
        Problem::new(PART, format_args!("the secret {}: {cause}", name.escape_debug())).fix(fix).failed()
    };
    let text = key.as_ref().map_err(again)?.open_base64(sealed).map_err(|error| {
        problem(
            &format_args!("it does not open: {error}"),
            "was the workspace's signing_key changed? put it back, or store the secret anew",
        )
    })?;
    let blob = Blob::parse(&text).map_err(|error| problem(&error, "correct the secret, or store it anew"))?;
    Ok(Content { text, blob })
}

pub(super) fn no_workspace(id: &str) -> Error {
    Problem::new(PART, format_args!("the database has no workspace {id}"))
        .fix("correct workspace in the configuration, or BETA9_WORKSPACE_ID")
        .failed()
}

/// The same error once more: it stands for every secret that it hinders.
fn again(error: &Error) -> Error {
    match error {
        Error::Failed(problem) | Error::Unreachable(problem) => {
            let (part, cause, fix) = problem.words();
            Problem::new(part, cause).fix(fix).failed()
        }
        _ => Problem::new(PART, error).failed(),
    }
}

const NAMED: &str = "\
SELECT w.signing_key::text, s.name::text, s.value::text, s.external_id::text
FROM workspace w LEFT JOIN workspace_secret s ON s.workspace_id = w.id AND s.name = ANY($2)
WHERE w.external_id = $1::text::uuid";
const LIKE: &str = "\
SELECT w.signing_key::text, s.name::text, s.value::text, s.external_id::text
FROM workspace w LEFT JOIN workspace_secret s ON s.workspace_id = w.id AND s.name LIKE ANY($2)
WHERE w.external_id = $1::text::uuid";
