//! The tokens that all replicas share through the workspace's database: registries and times, without the sealed parts.

use std::fmt::Write;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use super::human::life;
use super::{brief, rfc3339};
use crate::cache::State;
use crate::cli::rows::Rows;
use crate::cli::style::Style;
use crate::config::{Config, StoreKind};
use crate::error::{Code, Error, Problem};
use crate::json;
use crate::store::{FleetToken, PostgresStore};

pub(super) fn text(config: Config, json: bool, style: Style) -> Result<String, Error> {
    if config.store != StoreKind::Postgres {
        let cause = format!("the {} store shares no tokens", config.store.name());
        return Err(Problem::new("status", cause)
            .code(Code::StoreUnsupported)
            .fix("run it where BETA9_STORE is postgres")
            .failed());
    }
    let (workspace, deadline) = (config.workspace, Instant::now() + config.timeout);
    let tokens = PostgresStore::new(&workspace, config.postgres).fleet(deadline)?;
    let now = SystemTime::now();
    Ok(if json {
        as_json(&workspace, &tokens, now)
    } else {
        human(&workspace, &tokens, now, style)
    })
}

fn as_json(workspace: &str, tokens: &[FleetToken], now: SystemTime) -> String {
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
        left_seconds: expires.duration_since(now).unwrap_or_default().as_secs(),
    };
    let tokens = tokens.iter().map(|token| Row {
        registry: &token.registry,
        life: token.life.map(life),
        is_leased: token.is_leased,
    });
    let shared = tokens.collect();
    json::line(&Object { workspace, shared }).to_string()
}

fn human(workspace: &str, tokens: &[FleetToken], now: SystemTime, style: Style) -> String {
    let mut rows = Rows::new(2, "minting ".len());
    for token in tokens {
        rows.heading(&token.registry, style);
        if let Some((minted, expires)) = token.life {
            let left = expires.duration_since(now).unwrap_or_default();
            let age = now.duration_since(minted).unwrap_or_default();
            life(&mut rows, (left, age), state(left, age), style);
        }
        if token.is_leased {
            rows.plain("minting", "a replica is renewing it");
        }
    }
    let mut out = rows.finish();
    let next = tokens
        .iter()
        .filter_map(|token| token.life)
        .map(|life| life.1)
        .min();
    let next = next.map_or(String::new(), |end| {
        format!(
            "; the first ends in {}",
            brief(end.duration_since(now).unwrap_or_default())
        )
    });
    let count = match tokens.len() {
        0 => "No token is shared".to_owned(),
        1 => "1 shared token".to_owned(),
        count => format!("{count} shared tokens"),
    };
    let gap = if out.is_empty() { "" } else { "\n" };
    _ = writeln!(out, "{gap}{count} in workspace {workspace}{next}.");
    out
}

fn state(left: Duration, age: Duration) -> State {
    if age >= left {
        State::Due
    } else {
        State::Fresh
    }
}
