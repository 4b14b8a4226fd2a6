//! A node whose program is upgraded from 0.1, goes back, and is upgraded again. `tests/upgrade` does the same with a program of
//! 0.1; this is what its files, `tests/fixtures/store-1`, show without one.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use common::health::{Finding, chmod, doctor};
use common::{Answer, Node, first_store};

/// The file that 0.1 keeps `ghcr.io` in, of the workspace that the node has.
const GHCR: &str =
    "37a8eec1ce19687d132fe29051dca629/0fd460f0568e29c129d5164443c22dc23e1fa5ad.sealed";

#[test]
fn doctor_counts_what_0_1_stored_until_it_is_stored_again() {
    let node = Node::new();
    first_store::plant(&node);
    let older = |node: &Node| finding(node, "store.older_format");
    let found = older(&node).unwrap();
    assert_eq!(found.state, "note");
    assert_eq!(
        found.what,
        "6 of them are in the format of 0.1, and stay in it until the next docker login for their registry"
    );
    node.store("ghcr.io", "octo", "s2");
    assert!(older(&node).unwrap().what.starts_with("5 of them "));
    for server in [
        "built.example",
        "europe-docker.pkg.dev",
        "https://index.docker.io/v1/access-token",
        "later.example",
        "over.example",
    ] {
        node.erase(server);
    }
    assert_eq!(older(&node), None);
}

#[test]
fn doctor_names_a_login_that_0_1_took_after_a_newer_one() {
    let node = Node::new();
    first_store::plant(&node);
    let old = fs::read(node.store_dir().join(GHCR)).unwrap();
    assert_eq!(node.store("ghcr.io", "new", "s2"), Answer::silence());
    let path = node.store_dir().join(GHCR);
    let write = |at: SystemTime| {
        fs::write(&path, &old).unwrap();
        chmod(&path, 0o600);
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(at)
            .unwrap();
    };
    // As after a crash between writing the new one and removing the old one.
    write(SystemTime::now() - Duration::from_hours(1));
    assert_eq!(finding(&node, "store.older_login"), None);
    write(SystemTime::now() + Duration::from_secs(5));
    let found = finding(&node, "store.older_login").unwrap();
    assert_eq!(
        (
            found.state.as_str(),
            found.what.as_str(),
            found.fix.as_deref()
        ),
        (
            "warning",
            "ghcr.io: file store: an older version of this program stored a credential later, which is not used",
            Some("docker login again")
        )
    );
    assert_eq!(node.pair("ghcr.io"), ("new".into(), "s2".into()));
    node.store("ghcr.io", "new", "s3");
    assert_eq!(finding(&node, "store.older_login"), None);
    assert!(!path.exists());
}

#[test]
fn what_0_1_stored_of_other_registries_is_there_byte_for_byte_for_the_way_back() {
    let node = Node::new();
    first_store::plant(&node);
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store-1");
    node.store("ghcr.io", "new", "s2");
    node.store("new.example", "u", "p");
    doctor(&node);
    node.list();
    let left = first_store::files(&node);
    assert!(left.len() > 5, "{left:?}");
    for path in left {
        let name = path.strip_prefix(node.store_dir()).unwrap();
        let before = fs::read(fixture.join("credentials").join(name)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), before, "{}", path.display());
    }
    let key = fs::read(fixture.join("credentials.key")).unwrap();
    assert_eq!(fs::read(node.key_file()).unwrap(), key);
}

fn finding(node: &Node, code: &str) -> Option<Finding> {
    doctor(node)
        .findings
        .into_iter()
        .find(|finding| finding.code == code)
}
