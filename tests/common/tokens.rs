//! Puts tokens, or failed mints, from some time ago into a node's cache.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use beta9_credential::cache::{Cache, Moment, TokenId};
use beta9_credential::config::{CacheConfig, KeyPlace};
use beta9_credential::credential::Credential;
use beta9_credential::error::{Code, Problem};
use beta9_credential::token::{Minted, Scope};

use super::Node;

/// A token of a secret in the built-in store.
pub fn id<'a>(
    workspace: &'a str,
    host: &'a str,
    backend: &'a str,
    scope: &'a Scope,
) -> TokenId<'a> {
    TokenId {
        workspace,
        host,
        path: "",
        real: host,
        backend,
        store: "file",
        scope,
    }
}

/// Puts a token there that was minted that long ago and has that life, or the failure to mint one.
pub fn plant(node: &Node, id: &TokenId, age: Duration, life: Result<Duration, &str>) {
    let now = Moment::now();
    let then = Moment {
        wall: now.wall - age.as_secs(),
        boot: now.boot.saturating_sub(age.as_secs()),
    };
    plant_at(node, id, then, life);
}

/// Puts a token there that was minted while the wall clock was that many seconds ahead of where it is now.
pub fn plant_ahead(node: &Node, id: &TokenId, seconds: u64) {
    let now = Moment::now();
    plant_at(
        node,
        id,
        Moment {
            wall: now.wall + seconds,
            ..now
        },
        Ok(Duration::from_hours(12)),
    );
}

/// Puts a token there that was minted while the wall clock was that many seconds behind where it is now; `false` where the
/// machine has not been up for that long.
pub fn plant_behind(node: &Node, id: &TokenId, seconds: u64) -> bool {
    let now = Moment::now();
    plant_at(
        node,
        id,
        Moment {
            wall: now.wall - seconds,
            ..now
        },
        Ok(Duration::from_hours(12)),
    );
    now.boot > seconds + 60
}

fn plant_at(node: &Node, id: &TokenId, then: Moment, life: Result<Duration, &str>) {
    let config = CacheConfig {
        enabled: true,
        dirs: vec![node.tokens_dir()],
        max_entries: 99,
        max_bytes: 1 << 20,
        stale_if_error: Duration::ZERO,
    };
    let cache = Cache::open(&config, &KeyPlace::Nowhere, &Rc::default())
        .unwrap()
        .with_clock(move || then);
    let credential = Credential::new("AWS".into(), "hunter2-planted".into()).unwrap();
    let answer = cache.get_or_mint(
        id,
        None,
        Instant::now() + Duration::from_mins(1),
        |_| match life {
            Ok(life) => {
                let expires = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(then.wall) + life);
                Ok(Minted {
                    credential: credential.clone(),
                    expires,
                })
            }
            Err(cause) => Err(Problem::new(format!("backend {}", id.backend), cause)
                .code(Code::MintRefused)
                .fix("try again")
                .unreachable()),
        },
    );
    assert_eq!(answer.is_ok(), life.is_ok());
}

/// The cache's files of this kind.
pub fn files(node: &Node, extension: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(node.tokens_dir())
        .unwrap()
        .map(|file| file.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect()
}
