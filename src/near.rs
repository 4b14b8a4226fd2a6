//! Whether a word may be a typo of another: few changes relative to its length. Every "did you mean" uses this module.

use crate::host::Host;

/// The nearest known word, if any is near.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let far = |known: &str| distance(typed, known);
    known
        .into_iter()
        .filter_map(|known| far(known).map(|far| (far, known)))
        .min_by_key(|(far, _)| *far)
        .map(|(_, known)| known)
}

/// The distance to a word that this may be a typo of. Three to five letters may have one change, up to eight letters
/// two, longer words three; the start of a word is near too.
fn distance(typed: &str, known: &str) -> Option<usize> {
    let [typed, known] = [typed, known].map(|word| word.to_lowercase().replace('-', "_"));
    let most = match typed.chars().count().min(known.chars().count()) {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    };
    let far = strsim::damerau_levenshtein(&typed, &known);
    let is_begun = typed.len() >= 3 && known.starts_with(&typed);
    (far <= most || is_begun).then_some(far)
}

/// The nearest known registries, all that are equally near: the same name with another port, or a typo in a name with
/// the same number of labels. Addresses, and names that differ in a number, are never near.
pub fn nearest_hosts<'a>(typed: &Host, known: impl IntoIterator<Item = &'a Host>) -> Vec<&'a Host> {
    let far = |known: &'a Host| host_distance(typed, known).map(|far| (far, known));
    let near: Vec<_> = known.into_iter().filter_map(far).collect();
    let least = near.iter().map(|(far, _)| *far).min();
    near.into_iter()
        .filter(|(far, _)| Some(*far) == least)
        .map(|(_, known)| known)
        .collect()
}

fn host_distance(typed: &Host, known: &Host) -> Option<usize> {
    let (one, other) = (typed.name(), known.name());
    if one == other {
        return (typed.port() != known.port()).then_some(0);
    }
    let labels = |name: &str| name.split('.').count();
    let digits = |name: &str| -> String { name.chars().filter(char::is_ascii_digit).collect() };
    let letters = |name: &str| name.chars().any(|c| c.is_ascii_alphabetic());
    if labels(one) != labels(other)
        || digits(one) != digits(other)
        || typed.port() != known.port()
        || !letters(one)
        || one.starts_with('[')
    {
        return None;
    }
    let most = match one.len().min(other.len()) {
        0..=3 => 0,
        4..=11 => 1,
        12..=23 => 2,
        _ => 3,
    };
    let far = strsim::damerau_levenshtein(one, other);
    (far <= most).then_some(far)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_near_where_few_letters_differ_for_its_length() {
        let known = [
            "workspace",
            "timeout",
            "store",
            "cache",
            "kind",
            "alias_of",
            "aws",
            "HELPER9_STORE",
        ];
        let table = [
            ("workspce", Some("workspace")),
            ("Workspace", Some("workspace")),
            ("tiemout", Some("timeout")),
            ("stoer", Some("store")),
            ("HELPER9_STOER", Some("HELPER9_STORE")),
            ("HELPER_STORE", Some("HELPER9_STORE")),
            ("kid", Some("kind")),
            ("alias", Some("alias_of")),
            ("alias-of", Some("alias_of")),
            ("awz", Some("aws")),
            ("foo", None),
            ("amazon", None),
            ("a", None),
            ("x", None),
            ("timestamps", None),
            ("", None),
        ];
        for (typed, expected) in table {
            assert_eq!(nearest(typed, known), expected, "{typed}");
        }
    }

    #[test]
    fn a_host_is_near_with_another_port_or_a_slip_and_not_with_another_number() {
        let host = |text: &str| Host::parse(text.as_bytes()).unwrap();
        let known = [
            "ghcr.io",
            "gcr.io",
            "registry.gitlab.com",
            "reg.example.com:5000",
            "reg1.example.org",
            "10.0.0.1:5000",
        ]
        .map(host);
        let table = [
            ("ghrc.io", "ghcr.io"),
            ("gchr.io", "ghcr.io gcr.io"),
            ("ghcr.oi", "ghcr.io"),
            ("ghcr.io:8443", "ghcr.io"),
            ("ghrc.io:8443", ""),
            ("registyr.gitlab.com", "registry.gitlab.com"),
            ("regsitry.gitlba.com", "registry.gitlab.com"),
            ("reg.example.com", "reg.example.com:5000"),
            ("reg.example.com:5001", "reg.example.com:5000"),
            ("reg.exmaple.com:5000", "reg.example.com:5000"),
            ("reg2.example.org", ""),
            ("10.0.0.1:5001", "10.0.0.1:5000"),
            ("10.0.0.2:5000", ""),
            ("ghcr.example.io", ""),
            ("quay.io", ""),
            ("gitlab.com", ""),
            ("quay.io:443", ""),
        ];
        for (typed, expected) in table {
            let near = nearest_hosts(&host(typed), &known);
            let near: Vec<_> = near.into_iter().map(Host::as_reference).collect();
            assert_eq!(near.join(" "), expected, "{typed}");
        }
    }
}
