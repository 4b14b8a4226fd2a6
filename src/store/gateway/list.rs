//! Lists the secrets by registry.

use std::time::Instant;

use super::GatewayStore;
use super::errors::GatewayError;
use super::read::{Naming, Reading};
use crate::cache::Memory;
use crate::credential::Redacted;
use crate::error::Error;
use crate::keys::Blob;
use crate::store::{Listed, Username, name};

impl GatewayStore {
    pub(in crate::store) fn list(
        &self,
        deadline: Instant,
        memory: Option<&Memory>,
        skipped: &mut dyn FnMut(&Error),
    ) -> Result<Vec<Listed>, Error> {
        self.with(deadline, memory, async |api| {
            let (_, names) = Naming::of(api, name::is_derived).names().await?;
            let names: Vec<String> = names.into_iter().collect();
            let (mut ranked, mut missing) = (Vec::new(), Vec::new());
            for names in names.chunks(SIDE_BY_SIDE) {
                let readings: Vec<_> = names.iter().map(|name| Reading::of(api, name)).collect();
                for (name, reading) in names.iter().zip(readings) {
                    let shown = async { reading?.shown().await };
                    let line = match shown.await {
                        Ok(None) => {
                            missing.push(name);
                            continue;
                        }
                        Ok(Some(shown)) => listed(name, &shown.value),
                        Err(error) => Err(error),
                    };
                    match line {
                        Ok(line) => ranked.extend(line),
                        Err(error) => {
                            skipped(&error);
                            if matches!(error, Error::Unreachable(_)) {
                                return Ok(in_order(ranked));
                            }
                        }
                    }
                }
            }
            if !missing.is_empty() {
                // Skip secrets that were deleted meanwhile.
                match Naming::of(api, name::is_derived).names().await {
                    Ok((_, names)) => {
                        for name in missing.into_iter().filter(|name| names.contains(*name)) {
                            skipped(&api.unreadable(name));
                        }
                    }
                    Err(error) => skipped(&error),
                }
            }
            Ok(in_order(ranked))
        })
    }
}

/// A line of `list`, and the precedence of its secret's name; `None` if no `get` would use the secret.
fn listed(name: &str, value: &Redacted) -> Result<Option<(usize, Listed)>, Error> {
    if value.is_empty() {
        return Ok(None);
    }
    let blob = Blob::parse(value.expose())
        .map_err(|error| GatewayError::Damaged(name.to_owned(), error))?;
    let host = blob
        .registry
        .ok_or_else(|| GatewayError::Unnamed(name.to_owned()))?;
    let rank = name::candidates(&host)
        .iter()
        .position(|candidate| candidate == name);
    let line = Listed {
        url: host.into(),
        username: Username::Of(blob.keys),
    };
    Ok(rank.map(|rank| (rank, line)))
}

/// If a host has several lines, the first one counts.
fn in_order(mut ranked: Vec<(usize, Listed)>) -> Vec<Listed> {
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, line)| line).collect()
}

/// How many secrets are read in parallel.
const SIDE_BY_SIDE: usize = 16;
