//! `Pattern`: the only code that matches hosts, for the registry table and the operator's rules alike.

use std::cmp::Reverse;
use std::fmt;

use super::{Host, HostError, names_a_registry};

/// A host pattern with an optional path: `*.dkr.ecr.*.amazonaws.com`, `ghcr.io/org`, `registry.example.com:5000`.
///
/// It follows kubelet's rules, which operators know: the same number of labels as the host, `*` only within a label,
/// the same port, and a path that is a prefix at a component boundary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    name: String,
    port: Option<u16>,
    path: String,
}

impl Pattern {
    /// Parses a pattern. With letters in place of each `*`, it must be a valid host.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        let (authority, path) = text.split_once('/').unwrap_or((text, ""));
        // A star stands for any label characters, so a pattern is valid if it is a valid host with "x" for each star.
        let shape = Host::parse(authority.replace('*', "x").as_bytes())?;
        let name = if authority.contains('*') {
            authority
                .rsplit_once(':')
                .map_or(authority, |(name, _)| name)
                .to_ascii_lowercase()
        } else {
            shape.name().to_owned()
        };
        Ok(Self {
            text: text.to_owned(),
            name,
            port: shape.port(),
            path: path.trim_matches('/').to_owned(),
        })
    }

    /// Whether the pattern covers this host and, if the pattern has a path, this path below it.
    pub fn matches(&self, host: &Host, path: &str) -> bool {
        self.port == host.port()
            && matches_name(&self.name, host.name())
            && is_below(path, &self.path)
    }

    /// A sort key that puts the most specific first: exact names before globs, longer paths before shorter.
    pub fn specificity(&self) -> impl Ord + use<> {
        (
            self.name.contains('*'),
            Reverse(self.path.len()),
            Reverse(self.name.len()),
        )
    }

    /// The pattern's path; empty if it covers the whole host.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the pattern has no star.
    pub fn is_exact(&self) -> bool {
        !self.name.contains('*')
    }

    /// The host that an exact pattern names.
    pub fn exact(&self) -> Option<Host> {
        let authority = self.text.split('/').next().unwrap_or_default();
        self.is_exact()
            .then(|| Host::parse(authority.as_bytes()).ok())
            .flatten()
    }

    /// An example of a host that it covers.
    pub fn example(&self) -> Option<Host> {
        let authority = self.text.split('/').next().unwrap_or_default();
        Host::parse(authority.replace('*', "123456789012").as_bytes()).ok()
    }

    /// The pattern without its path, which kubelet also matches against images.
    pub fn registries(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.name),
            None if names_a_registry(&self.name) => self.name.clone(),
            None => format!("{}:443", self.name),
        }
    }

    /// As the operator wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Matches label by label. In the pattern, `{account}` is an AWS account (12 digits) and `*` any part of one label.
pub fn matches_name(pattern: &str, name: &str) -> bool {
    if !may_end_alike(pattern, name) {
        return false;
    }
    let mut labels = name.split('.');
    pattern.split('.').all(|part| {
        labels
            .next()
            .is_some_and(|label| matches_label(part, label))
    }) && labels.next().is_none()
}

/// A quick check whether the name ends with the text after the pattern's last star. It only saves time: it rules out
/// most of the table's roughly seventy patterns without comparing labels.
fn may_end_alike(pattern: &str, name: &str) -> bool {
    let literal = pattern
        .bytes()
        .rev()
        .take_while(|byte| !matches!(byte, b'*' | b'}'));
    literal
        .zip(name.bytes().rev())
        .all(|(wanted, byte)| wanted == byte)
}

/// An AWS account id: exactly 12 digits.
pub fn is_account(label: &str) -> bool {
    label.len() == 12 && label.bytes().all(|byte| byte.is_ascii_digit())
}

fn matches_label(pattern: &str, label: &str) -> bool {
    if pattern == "{account}" {
        return is_account(label);
    }
    let Some((first, mut pattern)) = pattern.split_once('*') else {
        return pattern == label;
    };
    let Some(mut rest) = label.strip_prefix(first) else {
        return false;
    };
    // Each middle part matches at its leftmost position; the text after the last star must end the label.
    while let Some((part, after)) = pattern.split_once('*') {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        pattern = after;
    }
    rest.ends_with(pattern)
}

fn is_below(path: &str, prefix: &str) -> bool {
    prefix.is_empty()
        || path
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_look_alike_beside_the_real_one() {
        let table = [
            ("gcr.io", "gcr.io", true),
            ("gcr.io", "evilgcr.io", false),
            ("*.gcr.io", "us.gcr.io", true),
            ("*.gcr.io", "a.b.gcr.io", false),
            ("*.gcr.io", "gcr.io", false),
            ("*.gcr.io", "us.gcr.io.evil.com", false),
            ("*-docker.pkg.dev", "us-central1-docker.pkg.dev", true),
            ("*-docker.pkg.dev", "us-central1-npm.pkg.dev", false),
            (
                "{account}.dkr.ecr.*.amazonaws.com",
                "123456789012.dkr.ecr.us-east-1.amazonaws.com",
                true,
            ),
            (
                "{account}.dkr.ecr.*.amazonaws.com",
                "12345678901.dkr.ecr.us-east-1.amazonaws.com",
                false,
            ),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("ab*bc", "abc", false),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(matches_name(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn ports_are_equal_and_paths_are_whole_components() {
        let host = |text: &str| Host::parse(text.as_bytes()).unwrap();
        let pattern = Pattern::parse("*.example.com:5000/team").unwrap();
        assert!(pattern.matches(&host("r.example.com:5000"), "team/app"));
        assert!(!pattern.matches(&host("r.example.com:5000"), "teams/app"));
        assert!(!pattern.matches(&host("r.example.com"), "team/app"));
        assert!(
            Pattern::parse("index.docker.io")
                .unwrap()
                .matches(&host("docker.io"), "")
        );
        let exact = |text: &str| {
            Pattern::parse(text)
                .unwrap()
                .exact()
                .map(|host| host.as_str().to_owned())
        };
        assert_eq!(
            exact("R.example.com:5000/team").unwrap(),
            "r.example.com:5000"
        );
        assert_eq!(exact("*.example.com"), None);
        let registries = |text: &str| Pattern::parse(text).unwrap().registries();
        assert_eq!(registries("*.Example.com:5000/team"), "*.example.com:5000");
        assert_eq!(registries("*.example.com:443"), "*.example.com");
        assert_eq!(
            [registries("o:443/org"), registries("mirror-*")],
            ["o:443", "mirror-*:443"]
        );
    }

    #[test]
    fn a_pattern_that_no_host_can_match_is_refused() {
        for text in [
            "",
            "*..com",
            "exa mple.com",
            "*.example.com:99999",
            "http://x",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
