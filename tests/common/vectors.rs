//! What Beta9's image builder stores, and under which name, through any store that has names.

use serde_json::Value;

use super::Node;
use super::ecr::Ecr;

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
    let rows: Vec<Value> =
        serde_json::from_str(include_str!("../fixtures/beta9/beta9-built.json")).unwrap();
    assert_eq!(rows.len(), 51);
    for row in &rows {
        let registry = text(row, "image").split('/').next().unwrap();
        let secret = Secret {
            name: text(row, "name"),
            value: text(row, "value"),
            registry,
        };
        // A debug build under load has time.
        let node = node_with(&secret).with("BETA9_TIMEOUT", "60s");
        match &row["answer"] {
            // Its token is minted.
            Value::Null => assert_eq!(Ecr::start().wire(node).pair(registry).0, "AWS", "{row}"),
            expected => {
                let (username, secret) = node.pair(registry);
                assert_eq!(serde_json::json!([username, secret]), *expected, "{row}");
            }
        }
    }
}

fn text<'r>(row: &'r Value, member: &str) -> &'r str {
    row[member].as_str().unwrap()
}
