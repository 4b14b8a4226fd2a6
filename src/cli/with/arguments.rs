//! Finds the image reference in a command line of ctr or nerdctl, which requires knowing which flags have values.

use std::ffi::OsString;
use std::path::Path;

use super::errors::WithError;
use crate::host::Scheme;

/// A client of containerd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    /// Uses Go's `flag`: one dash or two, no combined flags
    /// (<https://github.com/containerd/containerd/tree/main/cmd/ctr/commands>).
    Ctr,
    /// Uses pflag: two dashes, or one dash and combined letters
    /// (<https://github.com/containerd/nerdctl/blob/main/docs/command-reference.md>).
    Nerdctl,
}

/// What a command line requests.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked<'a> {
    /// A pull that needs a credential.
    Pull(Pull<'a>),
    /// Something else: help, or a pull with the user's own login.
    Nothing,
}

/// A pull of an image.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pull<'a> {
    /// The image as typed.
    pub(super) reference: &'a str,
    /// The position of the pull's flags.
    pub(super) flags_at: usize,
    /// How the registry is reached.
    pub(super) scheme: Scheme,
    /// Whether requests are printed, including their headers.
    pub(super) dumps: bool,
}

impl Tool {
    pub(super) fn of(words: &[OsString]) -> Result<Self, WithError> {
        let program = words.first().map_or("".as_ref(), Path::new);
        match program.file_name().and_then(|name| name.to_str()) {
            Some("ctr") => Ok(Self::Ctr),
            Some("nerdctl") => Ok(Self::Nerdctl),
            _ => Err(WithError::Program(program.to_string_lossy().into_owned())),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ctr => "ctr",
            Self::Nerdctl => "nerdctl",
        }
    }

    /// A pull of it.
    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Ctr => "ctr images pull REF",
            Self::Nerdctl => "nerdctl pull REF",
        }
    }

    /// Parses a command line that begins with the program. Fails on unknown flags.
    pub(super) fn read(self, words: &[OsString]) -> Result<Asked<'_>, WithError> {
        let mut texts = Vec::with_capacity(words.len());
        for word in words {
            texts.push(word.to_str().ok_or(WithError::NotUtf8)?);
        }
        let mut reader = Reader {
            tool: self,
            words: texts,
            at: 1,
            flags: Vec::new(),
        };
        let pulls = match self {
            Self::Ctr => CTR_PULLS,
            Self::Nerdctl => NERDCTL_PULLS,
        };
        let mut path = Vec::new();
        let known = |path: &[&str]| pulls.iter().any(|pull| pull.starts_with(path));
        while !pulls.contains(&path.as_slice()) {
            match reader.positional()? {
                Some(word) => path.push(word),
                None if path.is_empty() || reader.asks_for_help() => return Ok(Asked::Nothing),
                None => return Err(self.pulls_nothing(&path)),
            }
            if !known(&path) {
                return if reader.asks_for_help() || path.contains(&"help") {
                    Ok(Asked::Nothing)
                } else {
                    Err(self.pulls_nothing(&path))
                };
            }
        }
        let flags_at = reader.at;
        let reference = reader.positional()?;
        while reader.positional()?.is_some() {}
        let Some(reference) = reference.filter(|_| !reader.asks_for_help()) else {
            return Ok(Asked::Nothing);
        };
        if self == Self::Ctr && reader.has(&["user", "u", "refresh"]) {
            return Ok(Asked::Nothing);
        }
        let plain = reader.has(&["plain-http"]);
        Ok(Asked::Pull(Pull {
            reference,
            flags_at,
            scheme: if plain { Scheme::Http } else { Scheme::Https },
            dumps: reader.has(&["http-dump"]),
        }))
    }

    fn pulls_nothing(self, path: &[&str]) -> WithError {
        let (tool, words) = (self, path.join(" "));
        WithError::NoPull { tool, words }
    }
}

struct Reader<'a> {
    tool: Tool,
    words: Vec<&'a str>,
    at: usize,
    /// The names of the flags that are on so far.
    flags: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    /// The next word that is neither a flag nor a flag's value.
    fn positional(&mut self) -> Result<Option<&'a str>, WithError> {
        while let Some(word) = self.next() {
            if word == "--" {
                // All following words are positional, even with dashes; only the first one matters.
                let next = self.next();
                self.at = self.words.len();
                return Ok(next);
            }
            match word.strip_prefix('-').filter(|rest| !rest.is_empty()) {
                None => return Ok(Some(word)),
                Some(rest) => self.flag(word, rest)?,
            }
        }
        Ok(None)
    }

    fn flag(&mut self, word: &str, rest: &'a str) -> Result<(), WithError> {
        let long = rest.strip_prefix('-');
        if self.tool == Tool::Ctr || long.is_some() {
            let (name, value) = match long.unwrap_or(rest).split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long.unwrap_or(rest), None),
            };
            if value.is_none() {
                match self.takes_value(name) {
                    Some(true) => _ = self.next(),
                    Some(false) => {}
                    None => return Err(WithError::Flag(word.to_owned())),
                }
            }
            if value != Some("false") {
                self.flags.push(name);
            }
            return Ok(());
        }
        for (at, letter) in rest.char_indices() {
            let end = at + letter.len_utf8();
            self.flags.push(&rest[at..end]);
            match self.takes_value(&rest[at..end]) {
                Some(true) => {
                    if end == rest.len() {
                        self.next();
                    }
                    return Ok(());
                }
                Some(false) => {}
                None => return Err(WithError::Flag(word.to_owned())),
            }
        }
        Ok(())
    }

    fn takes_value(&self, name: &str) -> Option<bool> {
        let (values, switches) = match self.tool {
            Tool::Ctr => (CTR_VALUES, CTR_SWITCHES),
            Tool::Nerdctl => (NERDCTL_VALUES, NERDCTL_SWITCHES),
        };
        let among = |names: &str| names.split(' ').any(|known| known == name);
        let value = among(values);
        (value || among(switches)).then_some(value)
    }

    fn next(&mut self) -> Option<&'a str> {
        let word = self.words.get(self.at).copied();
        self.at += usize::from(word.is_some());
        word
    }

    fn has(&self, names: &[&str]) -> bool {
        self.flags.iter().any(|flag| names.contains(flag))
    }

    fn asks_for_help(&self) -> bool {
        self.has(&["help", "h", "version", "v"])
    }
}

const CTR_PULLS: &[&[&str]] = &[
    &["images", "pull"],
    &["image", "pull"],
    &["i", "pull"],
    &["content", "fetch"],
    &["c", "fetch"],
];
const CTR_VALUES: &str = "\
    address a timeout connect-timeout namespace n user u refresh hosts-dir tlscacert tlscert \
    tlskey sslkeylogfile snapshotter label platform max-concurrent-downloads";
const CTR_SWITCHES: &str = "\
    debug help h version v skip-verify k plain-http http-dump http-trace all-platforms \
    all-metadata metadata-only skip-metadata print-chainid local sync-fs";
const NERDCTL_PULLS: &[&[&str]] = &[&["pull"], &["image", "pull"]];
const NERDCTL_VALUES: &str = "\
    address a host H namespace n snapshotter storage-driver cni-path cni-netconfpath data-root \
    cgroup-manager hosts-dir host-gateway-ip bridge-ip cdi-spec-dirs userns-remap unpack \
    platform verify cosign-key cosign-certificate-identity cosign-certificate-identity-regexp \
    cosign-certificate-oidc-issuer cosign-certificate-oidc-issuer-regexp soci-index-digest \
    ipfs-address";
const NERDCTL_SWITCHES: &str = "\
    debug debug-full insecure-registry experimental kube-hide-dupe help h version v \
    all-platforms quiet q";

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference and the position of its flags, `nothing` or `refused`.
    fn read(line: &str) -> String {
        let words: Vec<OsString> = line.split(' ').map(Into::into).collect();
        match Tool::of(&words).and_then(|tool| {
            Ok(match tool.read(&words)? {
                Asked::Pull(pull) => format!("{} {}", pull.flags_at, pull.reference),
                Asked::Nothing => "nothing".to_owned(),
            })
        }) {
            Ok(read) => read,
            Err(_) => "refused".to_owned(),
        }
    }

    #[test]
    fn the_reference_is_the_first_word_that_is_not_a_flag_and_no_value() {
        let table = [
            ("ctr images pull r/i", "3 r/i"),
            ("/usr/bin/ctr i pull r/i", "3 r/i"),
            ("ctr -n k8s.io image pull -k r/i", "5 r/i"),
            (
                "ctr --namespace=k8s.io images pull --platform a/b r/i",
                "4 r/i",
            ),
            ("ctr images pull --label evil/x --label y r/i z/z", "3 r/i"),
            ("ctr images pull -snapshotter native -k=false r/i", "3 r/i"),
            ("ctr images pull r/i --platform a/b", "3 r/i"),
            ("ctr images pull -- r/i", "3 r/i"),
            ("ctr images pull --new=1 r/i", "3 r/i"),
            ("ctr content fetch --hosts-dir /etc r/i", "3 r/i"),
            ("ctr images pull --new r/i", "refused"),
            ("ctr images pull r/i --new x/x", "refused"),
            ("ctr images pull", "nothing"),
            ("ctr images pull --help", "nothing"),
            ("ctr images pull -u me r/i", "nothing"),
            ("ctr images pull --user=me:x r/i", "nothing"),
            ("ctr images pull -user me r/i", "nothing"),
            ("ctr images pull r/i --user me", "nothing"),
            ("ctr images pull --refresh t r/i", "nothing"),
            ("ctr --version", "nothing"),
            ("ctr images push r/i", "refused"),
            ("ctr images", "refused"),
            ("ctr run r/i c", "refused"),
            ("docker pull r/i", "refused"),
            ("nerdctl pull r/i", "2 r/i"),
            ("nerdctl -nk8s.io image pull -q --unpack false r/i", "4 r/i"),
            ("nerdctl --address /run/c pull --platform=x r/i", "4 r/i"),
            ("nerdctl pull -z r/i", "refused"),
            ("nerdctl pull -qa /run/c r/i", "2 r/i"),
            ("nerdctl run r/i", "refused"),
        ];
        for (line, expected) in table {
            assert_eq!(read(line), expected, "{line}");
        }
    }
}
