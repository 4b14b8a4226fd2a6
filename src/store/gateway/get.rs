//! Gets the secret of a host: the one with the highest precedence of its possible names, else a vendor's single
//! secrets.

use std::collections::BTreeSet;

use super::ownership::Held;
use super::read::Reader;
use super::{GatewayStore, PART, single};
use crate::error::Error;
use crate::store::{Found, Keep, Lookup, StoreError};

impl GatewayStore {
    // Its future must not lie on the stack of a `get` from a local store (benches/RESULTS.md, "What each trick gives").
    #[inline(never)]
    pub(in crate::store) fn get(&self, lookup: &Lookup) -> Result<Option<Found>, Error> {
        let (names, singles) = (lookup.names(), single_names(lookup));
        let wanted = [names.as_slice(), &singles].concat();
        self.ask(lookup, async |api| {
            let mut known = api.remembered_names(lookup.host);
            known.retain(|name| wanted.contains(name));
            let likely = match names.first() {
                None => singles.clone(),
                Some(first) if known.is_empty() => vec![first.clone()],
                Some(_) => known.clone(),
            };
            let mut reader = Reader::begin(api, &likely, &wanted)?;
            let found = match whole(&mut reader, lookup, &names, &likely).await? {
                Some(found) => Some(found),
                None => assembled(&mut reader, lookup, singles).await?,
            };
            match &found {
                Some((used, _)) if *used == known => {}
                Some((used, _)) => api.remember_names(lookup.host, used),
                None => api.remember_workspace(),
            }
            Ok(found.map(|(_, found)| found))
        })
    }
}

/// The first of these names with this host's whole credential.
async fn whole(
    reader: &mut Reader<'_>,
    lookup: &Lookup<'_>,
    names: &[String],
    likely: &[String],
) -> Result<Option<(Vec<String>, Found)>, Error> {
    let (mut likeliest, mut nobodys) = (None, None);
    if let Some(rank) = names.iter().position(|name| likely.contains(name))
        && let Some(shown) = reader.early(&names[rank]).await?
    {
        let held = Held::of(&names[rank], Some(shown), lookup);
        if matches!(held, Held::Ours(_)) {
            // Only names with a higher precedence can still change the answer.
            reader.narrow(&names[..rank]);
        }
        likeliest = Some((rank, held));
    }
    for (rank, name) in names.iter().enumerate() {
        let held = match likeliest.take_if(|(likeliest, _)| *likeliest == rank) {
            Some((_, held)) => held,
            None => Held::of(name, reader.shown(name).await?, lookup),
        };
        if matches!(held, Held::Unbound) {
            // Another secret may still have this registry recorded.
            nobodys.get_or_insert_with(|| StoreError::Unbound(name.to_owned()).at(PART));
            continue;
        }
        if let Some(blob) = held.usable(name)? {
            return Ok(Some((vec![name.clone()], Found::of(blob, Keep::Disk))));
        }
    }
    nobodys.map_or(Ok(None), Err)
}

/// The credential made from single secrets, and their names.
async fn assembled(
    reader: &mut Reader<'_>,
    lookup: &Lookup<'_>,
    mut names: Vec<String>,
) -> Result<Option<(Vec<String>, Found)>, Error> {
    let there = single::read(reader, &names).await?;
    let Some(found) = lookup.assemble(PART, &there)? else {
        return Ok(None);
    };
    names.retain(|name| found.keys.has(name));
    Ok(Some((names, found)))
}

/// The names of single secrets to look up, each once.
fn single_names(lookup: &Lookup) -> Vec<String> {
    let (names, mut seen) = (lookup.single_names(), BTreeSet::new());
    let once = names.into_iter().filter(|name| seen.insert(*name));
    once.map(str::to_owned).collect()
}
