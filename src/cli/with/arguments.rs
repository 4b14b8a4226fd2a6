//! Finds the image reference in a command line of ctr or nerdctl, which requires knowing which flags have values.

use std::ffi::OsString;

use super::errors::WithError;
use super::tool::Tool;
use crate::host::Scheme;

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

/// Parses a command line that begins with the program. `None` if it needs no credential: for help, or a pull with the
/// user's own login. Fails on unknown flags.
pub(super) fn read<'a>(
    tool: &'static Tool,
    words: &'a [OsString],
) -> Result<Option<Pull<'a>>, WithError> {
    let texts = words.iter().map(|word| word.to_str());
    let mut reader = Reader {
        tool,
        words: texts.collect::<Option<_>>().ok_or(WithError::NotUtf8)?,
        at: 1,
        flags: Vec::new(),
    };
    let mut path = Vec::new();
    while !tool.pulls.contains(&path.as_slice()) {
        let word = reader.positional()?;
        path.extend(word);
        if word.is_none() || !tool.pulls.iter().any(|pull| pull.starts_with(&path)) {
            if path.is_empty() || reader.asks_for_help() || path.contains(&"help") {
                return Ok(None);
            }
            let words = path.join(" ");
            return Err(WithError::NoPull { tool, words });
        }
    }
    let flags_at = reader.at;
    let reference = reader.positional()?;
    while reader.positional()?.is_some() {}
    let needs_none = reader.asks_for_help() || reader.has(tool.logins);
    let plain = reader.has(&["plain-http"]);
    let pull = |reference| Pull {
        reference,
        flags_at,
        scheme: if plain { Scheme::Http } else { Scheme::Https },
        dumps: reader.has(&["http-dump"]),
    };
    Ok(reference.filter(|_| !needs_none).map(pull))
}

struct Reader<'a> {
    tool: &'static Tool,
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
        let unknown = || WithError::Flag(word.to_owned());
        let long = rest.strip_prefix('-');
        if !self.tool.combines || long.is_some() {
            let rest = long.unwrap_or(rest);
            let (name, value) = match rest.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (rest, None),
            };
            if value.is_none() && self.tool.takes_value(name).ok_or_else(unknown)? {
                self.next();
            }
            if value != Some("false") {
                self.flags.push(name);
            }
            return Ok(());
        }
        for (at, letter) in rest.char_indices() {
            let end = at + letter.len_utf8();
            self.flags.push(&rest[at..end]);
            if self.tool.takes_value(&rest[at..end]).ok_or_else(unknown)? {
                if end == rest.len() {
                    self.next();
                }
                return Ok(());
            }
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference and the position of its flags, `nothing` or `refused`.
    fn read(line: &str) -> String {
        let words: Vec<OsString> = line.split(' ').map(Into::into).collect();
        match Tool::of(&words).map(|tool| super::read(tool, &words)) {
            Some(Ok(Some(pull))) => format!("{} {}", pull.flags_at, pull.reference),
            Some(Ok(None)) => "nothing".to_owned(),
            Some(Err(_)) | None => "refused".to_owned(),
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
