//! The tokens that all replicas share through the workspace's database: registries and times, without the sealed parts.

use std::fmt::Write;
use std::time::{Duration, Instant, SystemTime};

use super::human::life;
use super::{brief, rfc3339};
use crate::cache::State;
use crate::cli::rows::Rows;
use crate::cli::style::Style;
use crate::config::{Config, StoreKind};
use crate::error::{Code, Error, Problem};
use crate::json::ObjectWriter;
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
    let row = |token: &FleetToken| {
        let mut out = ObjectWriter::with_capacity(256);
        out.text("registry", &token.registry);
        if let Some((minted, expires)) = token.life {
            let left = expires.duration_since(now).unwrap_or_default();
            out.text("minted", &rfc3339(minted))
                .text("expires", &rfc3339(expires))
                .number("left_seconds", left.as_secs());
        }
        out.flag("is_leased", token.is_leased);
        out
    };
    let mut out = ObjectWriter::with_capacity(1024);
    out.text("workspace", workspace)
        .objects("shared", tokens.iter().map(row));
    out.finish().to_string()
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
