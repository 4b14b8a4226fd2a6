//! The tokens that all replicas share through the workspace's database: registries and times, without the sealed parts.

use std::fmt::Write;
use std::time::{Instant, SystemTime};

use serde::Serialize;
use zeroize::Zeroizing;

use super::human::{life, since};
use super::{brief, rfc3339};
use crate::cache::State;
use crate::cli::errors::CliError;
use crate::cli::rows::Rows;
use crate::cli::style::Style;
use crate::config::{Config, StoreKind};
use crate::error::Error;
use crate::json;
use crate::store::{FleetToken, PostgresStore};

pub(super) struct Fleet {
    workspace: String,
    tokens: Vec<FleetToken>,
    now: SystemTime,
}

impl Fleet {
    pub(super) fn of(config: Config) -> Result<Self, Error> {
        if config.store != StoreKind::Postgres {
            return Err(CliError::NothingShared(config.store.name()).into());
        }
        let (workspace, deadline) = (config.workspace, Instant::now() + config.timeout);
        Ok(Self {
            tokens: PostgresStore::new(&workspace, config.postgres).fleet(deadline)?,
            workspace,
            now: SystemTime::now(),
        })
    }

    pub(super) fn json(&self) -> Zeroizing<String> {
        #[derive(Serialize)]
        struct Object<'a> {
            workspace: &'a str,
            shared: Vec<Row<'a>>,
        }
        #[derive(Serialize)]
        struct Row<'a> {
            registry: &'a str,
            #[serde(flatten)]
            life: Option<Life>,
            is_leased: bool,
        }
        #[derive(Serialize)]
        struct Life {
            minted: String,
            expires: String,
            left_seconds: u64,
        }
        let life = |(minted, expires): (SystemTime, SystemTime)| Life {
            minted: rfc3339(minted),
            expires: rfc3339(expires),
            left_seconds: since(expires, self.now).as_secs(),
        };
        let tokens = self.tokens.iter().map(|token| Row {
            registry: &token.registry,
            life: token.life.map(life),
            is_leased: token.is_leased,
        });
        json::line(&Object {
            workspace: &self.workspace,
            shared: tokens.collect(),
        })
    }

    pub(super) fn human(&self, style: Style) -> String {
        let mut rows = Rows::new(2, "minting ".len(), style);
        for token in &self.tokens {
            rows.heading(&token.registry);
            if let Some((minted, expires)) = token.life {
                let (left, age) = (since(expires, self.now), since(self.now, minted));
                let state = if age >= left {
                    State::Due
                } else {
                    State::Fresh
                };
                life(&mut rows, left, age, state);
            }
            if token.is_leased {
                rows.plain("minting", "a replica is renewing it");
            }
        }
        let mut out = rows.finish();
        let ends = self.tokens.iter().filter_map(|token| Some(token.life?.1));
        let next = ends.min().map_or(String::new(), |end| {
            format!("; the first ends in {}", brief(since(end, self.now)))
        });
        let count = match self.tokens.len() {
            0 => "No token is shared".to_owned(),
            1 => "1 shared token".to_owned(),
            count => format!("{count} shared tokens"),
        };
        let gap = if out.is_empty() { "" } else { "\n" };
        _ = writeln!(out, "{gap}{count} in workspace {}{next}.", self.workspace);
        out
    }
}
