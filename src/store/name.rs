//! Secret names: maps a host to every name that its secret may have, in all generations of Beta9.

use crate::host::{Host, names_a_registry};
use crate::seal::sha256_hex;

/// The current name, `oci-registry-ghcr-io`. Follows `CreateSecretName` in Beta9's Go code, for the canonical spelling.
///
/// It collides (`a-b.example`, `a.b.example`), so the registry inside a secret must always be compared.
pub fn current(host: &Host) -> String {
    spelled(host.as_str())
}

/// The first design's name, `oci-creds-` and 16 hex digits of the host's SHA-256.
pub fn first_design(host: &Host) -> String {
    format!("oci-creds-{}", short_hash(host.as_str()))
}

/// The name for creating a secret with the public API (`^[a-zA-Z_][a-zA-Z0-9_]{0,63}$`): `OCI_REGISTRY_GHCR_IO`, or the
/// hash form if that would be too long.
pub fn api(host: &Host) -> String {
    let upper = host.as_str().to_ascii_uppercase();
    let word = upper.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let normal = format!("OCI_REGISTRY_{word}");
    if normal.len() <= MAX_API_NAME {
        normal
    } else {
        api_hashed(host)
    }
}

/// The hash form of [`api`], for a host whose plain name another host's secret already has.
pub fn api_hashed(host: &Host) -> String {
    format!("OCI_CREDS_{}", short_hash(host.as_str()))
}

/// Every name that this host's secret may have, in order of precedence. Beta9 derives names from the image's spelling
/// of the registry, so there is one of each kind for every spelling; this program writes the canonical ones.
pub fn candidates(host: &Host) -> Vec<String> {
    let spellings = host.spellings();
    let others = || spellings.iter().skip(1);
    let mut names = vec![
        current(host),
        api(host),
        first_design(host),
        api_hashed(host),
    ];
    // For a long name, the API form is the hash form.
    names.dedup();
    names.extend(others().map(|spelling| spelled(spelling)));
    if host.name().starts_with('[') {
        // Before version 0.2 this program replaced the brackets too.
        names.push(current(host).replace(['[', ']'], "-"));
    }
    names.extend(others().map(|spelling| format!("oci-creds-{}", short_hash(spelling))));
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

/// Whether a name looks like one derived from a host.
pub fn is_derived(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether this name of the host is unique: it is a hash, or no other valid host is the same apart from separators.
pub fn is_one_hosts(name: &str, host: &Host) -> bool {
    if PREFIXES[2..].iter().any(|prefix| name.starts_with(prefix)) {
        return true;
    }
    let mut spellings = vec![String::new()];
    for c in host.as_str().chars() {
        let separators: &[char] = if matches!(c, '.' | '-' | ':') {
            &['.', '-', ':']
        } else {
            &[c]
        };
        spellings = spellings
            .iter()
            .flat_map(|text| separators.iter().map(move |c| format!("{text}{c}")))
            .collect();
        if spellings.len() > MAX_SPELLINGS {
            return false;
        }
    }
    let is_registry =
        |text: &&String| names_a_registry(text) && Host::parse(text.as_bytes()).is_ok();
    spellings.iter().filter(is_registry).count() == 1
}

/// Whether the public API can create a secret with this name.
pub fn can_be_created(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.len() <= MAX_API_NAME
        && name.bytes().all(word)
        && name
            .bytes()
            .next()
            .is_some_and(|byte| !byte.is_ascii_digit())
}

/// `CreateSecretName` of one spelling: replaces the three separators, but not the brackets of an IPv6 address.
fn spelled(registry: &str) -> String {
    format!(
        "oci-registry-{}",
        registry.to_ascii_lowercase().replace(['.', ':', '/'], "-")
    )
}

fn short_hash(registry: &str) -> String {
    sha256_hex(registry)[..16].to_owned()
}

/// The prefixes of the names, in order of precedence.
pub(super) const PREFIXES: [&str; 4] =
    ["oci-registry-", "OCI_REGISTRY_", "oci-creds-", "OCI_CREDS_"];
const MAX_API_NAME: usize = 64;
/// A host with more spellings than this is assumed to share its name.
const MAX_SPELLINGS: usize = 729;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{self, Value};

    #[test]
    fn all_three_names_are_the_ones_in_the_field() {
        let vectors =
            json::parse_object(include_bytes!("../../tests/fixtures/secret-names.json")).unwrap();
        assert!(vectors.iter().count() >= 13);
        for (text, names) in vectors.iter() {
            let Value::Object(names) = names else {
                panic!("{text}")
            };
            let host = Host::parse(text.as_bytes()).unwrap();
            let expected = |key: &str| names.text(key).unwrap().expose().to_owned();
            assert_eq!(current(&host), expected("current"), "{text}");
            assert_eq!(first_design(&host), expected("first"), "{text}");
            assert_eq!(api(&host), expected("api"), "{text}");
            assert!(
                can_be_created(&api(&host)) && !can_be_created(&current(&host)),
                "{text}"
            );
            assert_eq!(
                candidates(&host)[..3],
                [current(&host), api(&host), first_design(&host)],
                "{text}"
            );
        }
        for (name, accepted) in [
            ("_", true),
            ("a9", true),
            ("", false),
            ("9a", false),
            ("a-b", false),
            ("\u{e9}", false),
        ] {
            assert_eq!(can_be_created(name), accepted, "{name}");
        }
        assert!(can_be_created(&"a".repeat(64)) && !can_be_created(&"a".repeat(65)));
    }

    #[test]
    fn a_secret_is_looked_for_under_the_name_that_beta9_gave_it() {
        let rows = json::parse(include_bytes!(
            "../../tests/fixtures/beta9/beta9-names.json"
        ))
        .unwrap();
        let Value::Array(rows) = rows else {
            panic!("{rows:?}")
        };
        for row in &rows {
            let Value::Object(row) = row else {
                panic!("{row:?}")
            };
            let [registry, name] =
                ["registry", "name"].map(|member| row.text(member).unwrap().expose());
            // Beta9 reads a URL's scheme as a host.
            let Ok(host) = Host::parse(registry.as_bytes()) else {
                continue;
            };
            assert!(
                candidates(&host).iter().any(|candidate| candidate == name),
                "{registry}: {name}"
            );
            assert_eq!(spelled(registry), name, "{registry}");
        }
        assert_eq!(rows.len(), 22);
    }

    #[test]
    fn no_name_stands_twice_and_the_written_ones_come_first() {
        for host in [
            "docker.io",
            "ghcr.io",
            "[::1]",
            "[::1]:5000",
            "registry.example.com:5000",
            "a.b-c.example",
        ] {
            let host = Host::parse(host.as_bytes()).unwrap();
            let names = candidates(&host);
            let unique: std::collections::BTreeSet<_> = names.iter().collect();
            assert_eq!(
                (unique.len(), &names[0]),
                (names.len(), &current(&host)),
                "{names:?}"
            );
        }
    }

    #[test]
    fn a_name_is_one_hosts_where_no_other_registry_reads_the_same() {
        let table = [
            ("ghcr.io", true),
            ("harbor.example", true),
            ("localhost:5000", true),
            // harbor-corp.example, harbor.corp-example
            ("harbor.corp.example", false),
            ("a-b.example", false),
            ("registry.example:5000", false),
            ("10.0.0.7:5000", false),
        ];
        for (host, expected) in table {
            let host = Host::parse(host.as_bytes()).unwrap();
            assert_eq!(is_one_hosts(&current(&host), &host), expected, "{host}");
            assert!(is_one_hosts(&first_design(&host), &host));
        }
    }
}
