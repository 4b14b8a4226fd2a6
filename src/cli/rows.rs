//! Rows of a name and a text, for people: names in a column, texts wrapped to 80 columns.

use std::fmt::Write;

use super::style::Style;

/// Rows under construction.
pub(super) struct Rows {
    out: String,
    indent: usize,
    names: usize,
}

impl Rows {
    /// Rows with names of `names` columns, indented by `indent` spaces.
    pub(super) fn new(indent: usize, names: usize) -> Self {
        Self {
            out: String::new(),
            indent,
            names,
        }
    }

    /// Adds a heading.
    pub(super) fn heading(&mut self, text: &str, style: Style) {
        _ = writeln!(self.out, "{}", style.bold(text));
    }

    /// Adds a row. `paint` colours the text line by line.
    pub(super) fn row(&mut self, name: &str, text: &str, paint: impl Fn(&str) -> String) {
        let column = self.indent + self.names;
        for (count, line) in wrap(text, WIDTH.saturating_sub(column))
            .into_iter()
            .enumerate()
        {
            let name = if count == 0 { name } else { "" };
            let (indent, names) = (self.indent, self.names);
            _ = writeln!(self.out, "{:indent$}{name:<names$}{}", "", paint(line));
        }
    }

    /// Adds a row about something that is fine.
    pub(super) fn good(&mut self, name: &str, text: &str, style: Style) {
        self.row(name, text, |line| style.good(line).to_string());
    }

    /// Adds a row about something that must be fixed.
    pub(super) fn bad(&mut self, name: &str, text: &str, style: Style) {
        self.row(name, text, |line| style.bad(line).to_string());
    }

    /// Adds a row of plain text.
    pub(super) fn plain(&mut self, name: &str, text: &str) {
        self.row(name, text, str::to_owned);
    }

    /// The text of all rows.
    pub(super) fn finish(self) -> String {
        self.out
    }
}

/// Wraps a sentence to 80 columns and indents all lines but the first.
pub(super) fn fold(text: &str) -> String {
    wrap(text, WIDTH - INDENT.len()).join(&format!("\n{INDENT}"))
}

/// Breaks a text at spaces into lines of at most `width` characters. A longer word gets its own line.
fn wrap(text: &str, width: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while rest.chars().count() > width {
        let end = rest
            .char_indices()
            .nth(width)
            .map_or(rest.len(), |(at, _)| at);
        let (line, behind) = rest.split_at(end);
        let space = if behind.starts_with(' ') {
            Some(end)
        } else {
            line.rfind(' ').or_else(|| rest.find(' '))
        };
        let Some(space) = space.filter(|space| *space > 0) else {
            break;
        };
        lines.push(&rest[..space]);
        rest = &rest[space + 1..];
    }
    lines.push(rest);
    lines
}

const WIDTH: usize = 80;
const INDENT: &str = "  ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_break_at_spaces_and_long_words_do_not_break() {
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
        let mut rows = Rows::new(2, 6);
        rows.plain("one", &"x ".repeat(40));
        let expected = format!("  one   {}x\n        x x x x \n", "x ".repeat(35));
        assert_eq!(rows.finish(), expected);
    }
}
