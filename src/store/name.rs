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

/// Every name that this host's secret may have, in the order in which they count.
#[must_use]
pub fn candidates(host: &Host) -> Vec<String> {
    let mut names = vec![current(host), api(host), first_design(host), api_hashed(host)];
    // The hash form of a long name is its API form too.
    if names[1] == names[names.len() - 1] {
        names.pop();
    }
    names
}

/// Whether a name looks like one that follows from a host.
#[must_use]
pub fn is_derived(name: &str) -> bool {
    ["oci-registry-", "OCI_REGISTRY_", "oci-creds-", "OCI_CREDS_"].iter().any(|prefix| name.starts_with(prefix))
}

/// Whether no two hosts have this name: it is a hash of one.
#[must_use]
pub fn is_one_hosts(name: &str) -> bool {
    ["oci-creds-", "OCI_CREDS_"].iter().any(|prefix| name.starts_with(prefix))
}

/// Whether the public API creates a secret of this name.
#[must_use]
pub fn can_be_created(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.len() <= MAX_API_NAME
        && name.bytes().all(word)
        && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
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
            assert!(can_be_created(&api(&host)) && !can_be_created(&current(&host)), "{text}");
            let all = candidates(&host);
            assert_eq!(all[..3], [current(&host), api(&host), first_design(&host)], "{text}");
            assert_eq!(all.len(), if api(&host) == api_hashed(&host) { 3 } else { 4 }, "{text}");
        }
        for (name, accepted) in
            [("_", true), ("a9", true), ("", false), ("9a", false), ("a-b", false), ("\u{e9}", false)]
        {
            assert_eq!(can_be_created(name), accepted, "{name}");
        }
        assert!(can_be_created(&"a".repeat(64)) && !can_be_created(&"a".repeat(65)));
    }
}
