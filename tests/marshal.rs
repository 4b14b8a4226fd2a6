//! What is written is byte for byte what Go's `encoding/json` writes: `marshal.jsonl` holds lines that Go wrote, and
//! `tests/real/parts/helper-client.sh` shows that Go of today still writes them.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use beta9_credential::json::{self, Value};
use beta9_credential::keys::{Blob, CredentialType};

#[test]
fn a_blob_that_go_wrote_is_written_to_the_same_bytes() {
    let lines: Vec<_> = include_str!("fixtures/marshal.jsonl").lines().collect();
    assert!(lines.len() > 40);
    for line in lines {
        let object = json::parse_object(line.as_bytes()).unwrap();
        let registry = object.text("registry").unwrap().expose();
        let word = object.text("type").unwrap().expose();
        assert!(matches!(object.get("credentials"), Some(Value::Object(_))));
        let keys = Blob::parse(line).unwrap().keys;
        let kinds = [
            CredentialType::Public,
            CredentialType::Basic,
            CredentialType::Token,
            CredentialType::Aws,
            CredentialType::Gcp,
            CredentialType::Azure,
            CredentialType::Unknown,
        ];
        let kind = kinds
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .unwrap();
        assert_eq!(Blob::marshal(registry, kind, &keys).expose(), line);
    }
}
