//! What a `get` takes through each store, against a server on loopback: `cargo bench --bench stores`.
//!
//! Cold is a node that has never asked: no workspace id, no secret name, no last answer, no cache. Warm is every get after
//! it. Rounds of all stores are interleaved, and medians are compared with a process that only prints its version. How many
//! round trips it takes is asserted by the tests of each store.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops where something is not as it should be")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::{Duration, Instant};

use common::Node;
use common::gateway::Gateway;
use common::postgres::Database;

const BLOB: &str = r#"{"registry":"ghcr.io","type":"basic","credentials":{"USERNAME":"u","PASSWORD":"s"}}"#;
const ROUNDS: usize = 200;

struct Subject {
    name: &'static str,
    node: Node,
    cold: Vec<Duration>,
    warm: Vec<Duration>,
}

impl Subject {
    fn new(name: &'static str, node: Node) -> Self {
        Self { name, node, cold: Vec::new(), warm: Vec::new() }
    }

    fn round(&mut self) {
        _ = std::fs::remove_dir_all(self.node.home().join(".cache"));
        self.cold.push(self.get());
        self.warm.push(self.get());
    }

    fn get(&self) -> Duration {
        let started = Instant::now();
        let answer = self.node.get("ghcr.io");
        let took = started.elapsed();
        assert_eq!(answer.status, 0, "{answer:?}");
        took
    }
}

fn main() {
    let mut subjects = Vec::new();
    let file = Node::new();
    file.store("ghcr.io", "u", "s");
    subjects.push(Subject::new("file", file));
    subjects.push(Subject::new("request", Node::new().with("BETA9_IMAGE_CREDENTIALS", BLOB)));

    let gateway = Gateway::start();
    gateway.plant("oci-registry-ghcr-io", BLOB);
    subjects.push(Subject::new("gateway, plain", gateway.node()));
    let certificates = tempfile::tempdir().unwrap();
    let tls = Gateway::can_do_tls().then(|| Gateway::start_tls(certificates.path()));
    if let Some(gateway) = &tls {
        gateway.plant("oci-registry-ghcr-io", BLOB);
        let node = gateway.node().with("SSL_CERT_FILE", gateway.authority());
        subjects.push(Subject::new("gateway, TLS", node));
    }
    let worker = common::worker::Gateway::start();
    worker.plant("w-1", "image-1", BLOB);
    subjects.push(Subject::new("worker, plain", worker.node()));
    let database = Database::new("bench");
    if let Some(database) = &database {
        database.plant("ghcr.io", BLOB);
        subjects.push(Subject::new("postgres, plain", database.node()));
    }

    let floor = Node::new();
    let mut floors = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        floor.run(&["version"], "");
        floors.push(started.elapsed());
        subjects.iter_mut().for_each(Subject::round);
    }
    let floor = median(&mut floors);
    println!("| store | cold | warm | warm, by `version` |\n|---|---|---|---|");
    println!("| (`version`) | {} | {} | 1.0 |", milliseconds(floor), milliseconds(floor));
    for mut subject in subjects {
        let (cold, warm) = (median(&mut subject.cold), median(&mut subject.warm));
        let ratio = warm.as_secs_f64() / floor.as_secs_f64();
        println!("| {} | {} | {} | {ratio:.1} |", subject.name, milliseconds(cold), milliseconds(warm));
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}
