//! Rows of a name and a text, for people: names in a column, texts wrapped to 80 columns.

use std::fmt::Write;

use super::style::{Painted, Style};

/// Rows under construction.
pub(super) struct Rows {
    out: String,
    indent: usize,
    names: usize,
    style: Style,
}

impl Rows {
    /// Rows with names of `names` columns, indented by `indent` spaces.
    pub(super) fn new(indent: usize, names: usize, style: Style) -> Self {
        let out = String::new();
        Self {
            out,
            indent,
            names,
            style,
        }
    }

    /// Adds a heading.
    pub(super) fn heading(&mut self, text: &str) {
        _ = writeln!(self.out, "{}", self.style.bold(text));
    }

    /// Adds a row. `paint` colours the text line by line.
    fn row(&mut self, name: &str, text: &str, paint: fn(Style, String) -> Painted<String>) {
        let (indent, names) = (self.indent, self.names);
        let mut name = name;
        for line in wrap(text.split(' '), WIDTH.saturating_sub(indent + names), "") {
            let line = paint(self.style, line);
            _ = writeln!(self.out, "{:indent$}{name:<names$}{line}", "");
            name = "";
        }
    }

    /// Adds a row about something that is fine.
    pub(super) fn good(&mut self, name: &str, text: &str) {
        self.row(name, text, Style::good);
    }

    /// Adds a row about something that must be fixed.
    pub(super) fn bad(&mut self, name: &str, text: &str) {
        self.row(name, text, Style::bad);
    }

    /// Adds an emphasised row.
    pub(super) fn bold(&mut self, name: &str, text: &str) {
        self.row(name, text, Style::bold);
    }

    /// Adds a row of plain text.
    pub(super) fn plain(&mut self, name: &str, text: &str) {
        self.row(name, text, |_, line| Painted::plain(line));
    }

    /// The text of all rows.
    pub(super) fn finish(self) -> String {
        self.out
    }
}

/// Wraps a sentence to 80 columns and indents all lines but the first.
pub(super) fn fold(text: &str) -> String {
    wrap(text.split(' '), WIDTH - INDENT.len(), "").join(&format!("\n{INDENT}"))
}

/// Joins words to lines of at most `width` characters; `joint` ends each line but the last. A longer word gets its own
/// line.
pub(super) fn wrap<'w>(
    words: impl IntoIterator<Item = &'w str>,
    width: usize,
    joint: &str,
) -> Vec<String> {
    let mut words = words.into_iter();
    let mut lines = vec![words.next().unwrap_or_default().to_owned()];
    for word in words {
        let line = lines.last_mut().expect("because it begins with a line");
        if line.chars().count() + 1 + word.chars().count() + joint.len() > width {
            line.push_str(joint);
            lines.push(word.to_owned());
        } else {
            *line += " ";
            *line += word;
        }
    }
    lines
}

/// A terminal's columns.
pub(super) const WIDTH: usize = 80;
const INDENT: &str = "  ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_break_at_spaces_and_long_words_do_not_break() {
        let wrap = |text: &str, width| wrap(text.split(' '), width, "");
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("ab cd", 5), ["ab cd"]);
        assert_eq!(wrap("ab cd ef", 5), ["ab cd", "ef"]);
        assert_eq!(wrap("ab cdef", 5), ["ab", "cdef"]);
        assert_eq!(wrap("abcdefgh ij", 5), ["abcdefgh", "ij"]);
        assert_eq!(wrap("é è ê ë", 3), ["é è", "ê ë"]);
        assert_eq!(wrap("ab é", 3), ["ab", "é"]);
        assert_eq!(wrap("abcdefgh", 5), ["abcdefgh"]);
    }

    #[test]
    fn names_stand_in_a_column_and_only_on_the_first_line() {
        let mut rows = Rows::new(2, 6, Style::default());
        rows.plain("one", &"x ".repeat(40));
        let expected = format!("  one   {}x\n        x x x x \n", "x ".repeat(35));
        assert_eq!(rows.finish(), expected);
    }
}
