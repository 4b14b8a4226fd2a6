//! How a mint that fails, is stopped or lacks resources affects the node's other processes.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::process::{Command, Stdio};
use std::time::Duration;

use common::ecr::{self, Ecr, HOST};
use common::gateway::Gateway;
use common::users::{Machine, TOOLS, answered, skip};
use common::worker;
use common::{Answer, BINARY, Node};
use rustix::process::{Pid, Signal, kill_process};

fn wait_for(mut done: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it did not happen within a minute");
}

/// A node with an AWS secret that came with the request.
fn node(ecr: &Ecr) -> Node {
    ecr.node().with("BETA9_IMAGE_CREDENTIALS", ecr::blob(HOST))
}

#[test]
fn a_process_that_is_stopped_while_it_mints_holds_up_nobody() {
    let ecr = Ecr::start();
    let node = node(&ecr);
    ecr.be_slow(Duration::from_hours(1));
    let mut stopped = node.start(&["get"], HOST.as_bytes());
    wait_for(|| ecr.mints() == 1);
    kill_process(Pid::from_child(&stopped), Signal::STOP).unwrap();
    ecr.be_slow(Duration::ZERO);
    let others = node.clone_with("BETA9_TIMEOUT", "10s");
    let running: Vec<_> = (0..4)
        .map(|_| others.start(&["get"], HOST.as_bytes()))
        .collect();
    for answer in running.into_iter().map(Answer::of) {
        assert_eq!(answer.status, 0, "{answer:?}");
    }
    // What they minted is there for anyone who comes later.
    ecr.mints();
    assert_eq!(others.get(HOST).status, 0);
    assert_eq!(ecr.mints(), 0);
    stopped.kill().unwrap();
    stopped.wait().unwrap();
}

#[test]
fn the_short_patience_of_one_process_is_not_the_failure_of_the_next() {
    let ecr = Ecr::start();
    let node = node(&ecr);
    ecr.be_slow(Duration::from_secs(5));
    let hasty = node.clone_with("BETA9_TIMEOUT", "1s").get(HOST);
    assert!(
        hasty.failure().contains("did not answer in time"),
        "{hasty:?}"
    );
    ecr.be_slow(Duration::ZERO);
    assert_eq!(node.pair(HOST).0, "AWS");
}

/// Runs it with that many file descriptors; `None` where so few do not even start it.
fn starved(node: &Node, limit: usize, verb: &str, input: &str) -> Option<Answer> {
    let script = format!("ulimit -n {limit}; exec {BINARY} {verb}");
    let own = node.command(&[]);
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).env_clear();
    command
        .envs(
            own.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("PATH", "/usr/bin:/bin");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that stops before it has read is seen by its answer.
    _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes());
    let answer = Answer::of(child);
    // A program that is linked dynamically needs one for each library in turn.
    (!answer.err.contains("error while loading shared libraries")).then_some(answer)
}

const LIMITS: std::ops::RangeInclusive<usize> = 3..=12;

fn check(answer: &Answer, limit: usize) {
    assert!(!answer.err.contains("panicked"), "{limit}: {answer:?}");
    assert!(matches!(answer.status, 0 | 1), "{limit}: {answer:?}");
    assert!(
        answer.out.ends_with('\n') && answer.out.len() > 1,
        "{limit}: {answer:?}"
    );
    assert_ne!(answer.out, common::NOT_FOUND, "{limit}");
}

#[test]
fn a_process_without_file_descriptors_fails_with_a_line_and_shares_no_failure() {
    let ecr = Ecr::start();
    let mut ran = 0;
    for limit in LIMITS {
        let node = node(&ecr);
        let Some(answer) = starved(&node, limit, "get", HOST) else {
            continue;
        };
        ran += 1;
        check(&answer, limit);
        assert_eq!(node.pair(HOST).0, "AWS", "{limit}: {answer:?}");
    }
    assert!(ran > 5, "{ran}");
}

#[test]
fn a_token_that_is_still_good_is_served_to_a_process_with_few_file_descriptors() {
    let ecr = Ecr::start();
    let node = ecr.node();
    node.run(
        &["store"],
        common::store_request(HOST, ecr::KEY_ID, ecr::KEY),
    );
    let node = node.with("BETA9_IMAGE_CREDENTIALS", ecr::blob(HOST));
    let hour = Duration::from_hours(1);
    for (age, life) in [(Duration::ZERO, 11 * hour), (6 * hour, 11 * hour)] {
        for limit in LIMITS {
            ecr.plant(&node, "default", HOST, (age, life));
            // A renewal is tried each time.
            ecr::end_shared_failures(&node);
            let Some(answer) = starved(&node, limit, "get", HOST) else {
                continue;
            };
            check(&answer, limit);
            if limit >= 8 {
                assert!(
                    answer.status == 0 && answer.out.contains("hunter2-planted"),
                    "{limit} {age:?}: {answer:?}"
                );
            }
        }
    }
}

#[test]
fn a_store_that_a_process_without_file_descriptors_cannot_reach_is_out_of_reach() {
    let (gateway, worker) = (Gateway::start(), worker::Gateway::start());
    let blob = r#"{"registry":"ghcr.io","type":"basic","credentials":{"USERNAME":"u","PASSWORD":"hunter2"}}"#;
    gateway.plant("oci-registry-ghcr-io", blob);
    worker.plant(worker::WORKSPACE, "image-1", blob);
    let (far, vended) = (
        gateway.node(),
        worker.node().with("BETA9_IMAGE", "ghcr.io/org/app"),
    );
    for limit in LIMITS {
        for node in [&far, &vended] {
            let Some(answer) = starved(node, limit, "get", "ghcr.io") else {
                continue;
            };
            check(&answer, limit);
        }
        if let Some(answer) = starved(&far, limit, "list", "") {
            check(&answer, limit);
        }
    }
    // What it said last bridges this too.
    assert_eq!(far.pair("ghcr.io").1, "hunter2");
    let answer = starved(&far, 8, "get", "ghcr.io").unwrap();
    assert!(
        answer.status == 0 && answer.err.contains("its last answer is used"),
        "{answer:?}"
    );
}

#[test]
fn a_process_that_may_start_no_thread_fails_with_a_line() {
    let name = "a_process_that_may_start_no_thread_fails_with_a_line";
    // The limit is one of a user's, and root has none.
    let Some(machine) = Machine::new(name) else {
        return;
    };
    let home = machine.dir("home", LONELY, 0o700);
    let mut command = Command::new("prlimit");
    command
        .args(["--nproc=1"])
        .arg("setpriv")
        .args([&format!("--reuid={LONELY}"), "--clear-groups"])
        .arg(&machine.helper)
        .arg("get")
        .env_clear()
        .env("PATH", TOOLS)
        .env("HOME", home)
        .env("BETA9_STORE", "gateway")
        .env("BETA9_TOKEN", "hunter2")
        .env("BETA9_GATEWAY_URL", "http://localhost:1");
    let answer = answered(command, "ghcr.io");
    if answer.err.starts_with("prlimit:") || answer.err.starts_with("setpriv:") {
        return skip(name, "no process can be limited here");
    }
    assert!(
        answer
            .failure()
            .starts_with("ghcr.io: gateway store: this process cannot use the network: "),
        "{answer:?}"
    );
}

/// A user who has no process.
const LONELY: u32 = 31_313;
