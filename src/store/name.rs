//! Secret names: the three generations that are in the field.

use crate::host::Host;
use crate::seal::sha256_hex;

/// The current name, `oci-registry-ghcr-io`. This is the seeds' `CreateSecretName`.
///
/// It collides (`a-b.example`, `a.b.example`), so the registry inside a secret must always be compared.
#[must_use]
pub fn current(host: &Host) -> String {
    let normal: String = host.as_str().chars().map(|c| if is_separator(c) { '-' } else { c }).collect();
    format!("oci-registry-{normal}")
}

/// The first design's name, `oci-creds-` and 16 hex digits of the host's SHA-256.
#[must_use]
pub fn first_design(host: &Host) -> String {
    format!("oci-creds-{}", short_hash(host))
}

/// The name that the public API accepts on create (`^[a-zA-Z_][a-zA-Z0-9_]{0,63}$`): `OCI_REGISTRY_GHCR_IO`, or the
/// hash form where that would be too long.
#[must_use]
pub fn api(host: &Host) -> String {
    let mut normal = String::from("OCI_REGISTRY_");
    normal.extend(host.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }));
    if normal.len() <= MAX_API_NAME { normal } else { api_hashed(host) }
}

/// The hash form of [`api`], for a host whose name another host's secret already has.
#[must_use]
pub fn api_hashed(host: &Host) -> String {
    format!("OCI_CREDS_{}", short_hash(host))
}

fn short_hash(host: &Host) -> String {
    sha256_hex(host.as_str())[..16].to_owned()
}

/// The separators that Beta9 replaces, and the brackets of an IPv6 address, which it never met.
fn is_separator(c: char) -> bool {
    matches!(c, '.' | ':' | '/' | '[' | ']')
}

/// How the names begin, in the order in which they are preferred.
pub(super) const PREFIXES: [&str; 4] = ["oci-registry-", "OCI_REGISTRY_", "oci-creds-", "OCI_CREDS_"];
const MAX_API_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{self, Value};

    #[test]
    fn all_three_names_are_the_ones_in_the_field() {
        let vectors = json::parse_object(include_bytes!("../../tests/fixtures/secret-names.json")).unwrap();
        assert!(vectors.iter().count() >= 13);
        for (text, names) in vectors.iter() {
            let Value::Object(names) = names else { panic!("{text}") };
            let host = Host::parse(text.as_bytes()).unwrap();
            let expected = |key: &str| names.text(key).unwrap().expose().to_owned();
            assert_eq!(current(&host), expected("current"), "{text}");
            assert_eq!(first_design(&host), expected("first"), "{text}");
            assert_eq!(api(&host), expected("api"), "{text}");
        }
    }
}
