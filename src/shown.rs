//! Makes text from others (names in secrets, in clients' files, in a server's answers) safe to show: nothing that moves
//! a terminal's cursor, and cut to a readable length, so that a tenant's key name of a megabyte does not fill the
//! node's log.

use std::borrow::Cow;
use std::fmt;

/// Text from others, escaped and cut.
pub(crate) fn shown(text: &str) -> Shown<'_> {
    Shown(text)
}

/// See [`shown`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = without_logins(self.0);
        let cut = text.char_indices().nth(LONGEST).map(|(at, _)| at);
        write!(
            f,
            "{}{}",
            text[..cut.unwrap_or(text.len())].escape_debug(),
            if cut.is_some() { "…" } else { "" }
        )
    }
}

/// The text with the login of each URL masked: `https://user:password@host` appears in clients' files and arguments.
pub(crate) fn without_logins(text: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        let end = after.find(|c: char| c.is_whitespace() || "/?#\"'<>".contains(c));
        let authority = &after[..end.unwrap_or(after.len())];
        masked += before;
        masked += "://";
        rest = after;
        // A remedy's own example is shown, and what follows a digest's `@` is no host.
        if let Some((login, host)) = authority.rsplit_once('@')
            && login != "USER:PASSWORD"
            && !["sha256:", "sha512:"]
                .iter()
                .any(|digest| host.starts_with(digest))
        {
            masked += "****";
            rest = &after[login.len()..];
        }
    }
    if masked.contains("****") {
        Cow::Owned(masked + rest)
    } else {
        Cow::Borrowed(text)
    }
}

/// A list of such texts; if there are very many, the first ones and the number of the rest.
pub(crate) fn shown_list<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    let mut texts = texts.into_iter();
    let first: Vec<String> = texts
        .by_ref()
        .take(MOST)
        .map(|text| shown(text.as_ref()).to_string())
        .collect();
    match texts.count() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// A message as one line, even if a cause in it has several: clients read and compare only the first line of a failure.
pub(crate) fn one_line(message: &(impl fmt::Display + ?Sized)) -> String {
    let message = message.to_string();
    let message = without_logins(&message);
    let cut = message.char_indices().nth(LONGEST_LINE).map(|(at, _)| at);
    let mut line = message[..cut.unwrap_or(message.len())].replace(char::is_control, " ");
    line.extend(cut.map(|_| '…'));
    line
}

/// A word quoted for a shell, if it needs quotes
/// (<https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_02>).
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+%".contains(c);
    let word = without_logins(word);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

const LONGEST: usize = 128;
const MOST: usize = 16;
const LONGEST_LINE: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_and_plain_is_shown_as_it_is() {
        assert_eq!(shown("GITHUB_TOKEN").to_string(), "GITHUB_TOKEN");
        assert_eq!(shown_list(["A", "B"]), "A, B");
        assert_eq!(shown_list(Vec::<String>::new()), "");
        assert_eq!(one_line(&"ghcr.io: it failed"), "ghcr.io: it failed");
    }

    #[test]
    fn what_is_long_is_cut_and_what_moves_the_cursor_is_escaped() {
        let long = "é\n".repeat(1 << 19);
        let text = shown(&long).to_string();
        assert!(
            text.starts_with("é\\né\\n") && text.ends_with('…') && text.len() <= 8 * LONGEST,
            "{text}"
        );
        let list = shown_list(vec![long.as_str(); 1000]);
        assert!(
            list.ends_with(" and 984 more") && list.len() <= 9 * LONGEST * MOST,
            "{list}"
        );
        let line = one_line(&long);
        assert!(
            line.ends_with('…') && line.chars().count() == LONGEST_LINE + 1 && !line.contains('\n')
        );
        assert_eq!(shown(&"x".repeat(LONGEST)).to_string(), "x".repeat(LONGEST));
    }

    #[test]
    fn the_login_in_a_url_is_not_shown() {
        let table = [
            ("https://u:hunter2@ghcr.io/a", "https://****@ghcr.io/a"),
            (
                "at https://hunter2@h, http://u:hunt@er2@h:1",
                "at https://****@h, http://****@h:1",
            ),
            ("https://u:hunter2@", "https://****@"),
            ("https://u:hunter2@sha.example", "https://****@sha.example"),
            (
                "https://ghcr.io/a@b https://h",
                "https://ghcr.io/a@b https://h",
            ),
            ("docker://redis:7@sha256:00", "docker://redis:7@sha256:00"),
            ("user@host", "user@host"),
            ("http://USER:PASSWORD@HOST", "http://USER:PASSWORD@HOST"),
        ];
        for (text, expected) in table {
            assert_eq!(shown(text).to_string(), expected);
            assert_eq!(one_line(&text), expected);
        }
        assert_eq!(quoted("https://u:hunter2@h"), "'https://****@h'");
    }

    #[test]
    fn a_word_that_a_shell_would_take_apart_is_quoted() {
        let table = [
            ("/home/octo/key", "/home/octo/key"),
            ("/home/o c/key", "'/home/o c/key'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("$(id)", "'$(id)'"),
            ("#1000", "'#1000'"),
        ];
        for (word, shell) in table {
            assert_eq!(quoted(word), shell);
        }
    }
}
