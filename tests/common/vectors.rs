//! What Beta9's own code stores, and what is to be answered of it, through any store.

use super::ecr::Ecr;
use super::{Answer, Node};
use beta9_credential::host::Host;
use beta9_credential::store::name;
use serde_json::Value;

/// The one secret of a workspace.
pub struct Secret<'a> {
    /// Its name, where the store has names.
    pub name: &'a str,
    pub value: &'a str,
    /// The registry as the image spells it.
    pub registry: &'a str,
}

/// Asks for the registry of everything that Beta9's image builder stored. `node_with` puts a secret there, as the only one,
/// and answers a node that never asked for it.
pub fn assert_all_that_beta9_built_is_answered(mut node_with: impl FnMut(&Secret) -> Node) {
    let rows = rows(include_str!("../fixtures/beta9/beta9-built.json"));
    assert_eq!(rows.len(), 51);
    for row in &rows {
        let registry = text(row, "image").split('/').next().unwrap();
        let secret = Secret { name: text(row, "name"), value: text(row, "value"), registry };
        let node = patient(node_with(&secret));
        match &row["answer"] {
            // Its token is minted, of the very keys that were given.
            Value::Null => assert_eq!(Ecr::start().wire(node).pair(registry).0, "AWS", "{row}"),
            expected => assert_eq!(pair(&node.get(registry)), *expected, "{row}"),
        }
    }
}

/// Asks for the registry of secrets of every shape, each under the name that follows from it.
pub fn assert_secrets_of_every_shape_are_answered_or_refused(mut node_with: impl FnMut(&Secret) -> Node) {
    let rows = rows(include_str!("../fixtures/beta9/beta9-secrets.json"));
    assert_eq!(rows.len(), 149);
    for row in &rows {
        let registry = text(row, "registry");
        let name = name::current(&Host::parse(registry.as_bytes()).unwrap());
        let node = patient(node_with(&Secret { name: &name, value: text(row, "secret"), registry }));
        let answer = node.get(registry);
        match row["expected"].as_str() {
            Some("error") => assert!(answer.failure().starts_with(&format!("{registry}: ")), "{row}: {answer:?}"),
            Some("not found") => assert_eq!(answer, Answer::not_found(), "{row}"),
            Some(other) => panic!("{other}"),
            None => assert_eq!(pair(&answer), row["expected"], "{row}"),
        }
    }
}

/// A debug build under load has time.
fn patient(node: Node) -> Node {
    node.with("BETA9_TIMEOUT", "60s")
}

fn pair(answer: &Answer) -> Value {
    assert_eq!(answer.status, 0, "{answer:?}");
    let answer: Value = serde_json::from_str(&answer.out).unwrap();
    Value::from(vec![answer["Username"].clone(), answer["Secret"].clone()])
}

fn rows(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

fn text<'r>(row: &'r Value, member: &str) -> &'r str {
    row[member].as_str().unwrap()
}
