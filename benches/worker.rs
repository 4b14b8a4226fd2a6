//! The time of a `get` through the worker API, against a server on loopback: `cargo bench --bench worker`.
//!
//! `benches/run` measures the other stores; this one speaks gRPC, and the tests' own gateway answers it. Cold is a node that
//! has never asked, warm is every get after it. Rounds are interleaved with a process that only prints its version, and
//! medians are compared.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench stops where something is not as it should be"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::{Duration, Instant};

use common::Node;
use common::worker::{Gateway, WORKSPACE};

const BLOB: &str =
    r#"{"registry":"ghcr.io","type":"basic","credentials":{"USERNAME":"u","PASSWORD":"s"}}"#;
const ROUNDS: usize = 200;

fn main() {
    let gateway = Gateway::start();
    gateway.plant(WORKSPACE, "image-1", BLOB);
    let node = gateway.node();
    let (mut floor, mut cold, mut warm) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floor.push(time(|| _ = node.run(&["version"], "")));
        _ = std::fs::remove_dir_all(node.home().join(".cache"));
        cold.push(time(|| get(&node)));
        warm.push(time(|| get(&node)));
    }
    println!("| command | median |\n|---|---|");
    for (name, times) in [
        ("`version`", floor),
        ("`get`, cold", cold),
        ("`get`, warm", warm),
    ] {
        println!(
            "| {name} | {:.2} ms |",
            median(times).as_secs_f64() * 1000.0
        );
    }
}

fn get(node: &Node) {
    let answer = node.get("ghcr.io");
    assert_eq!(answer.status, 0, "{answer:?}");
}

fn time(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
