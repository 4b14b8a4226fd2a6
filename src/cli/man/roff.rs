//! `Page`: a manual page in the macros that man(7) and mandoc(1) share.

use std::fmt::Write;

/// A page as it grows.
pub(super) struct Page(String);

impl Page {
    pub(super) fn new(name: &str, version: &str) -> Self {
        // Without a date, which would be the build's: the same source gives the same page.
        let title = quoted(&name.to_uppercase());
        // Neither hyphens nor stretched blanks: both would be taken for a part of a command.
        Self(format!(
            ".TH {title} 1 \"\" \"{name} {version}\" \"User Commands\"\n.nh\n.ad l\n"
        ))
    }

    pub(super) fn section(&mut self, title: &str) {
        self.line(&format!(".SH {}", quoted(title)));
    }

    pub(super) fn subsection(&mut self, title: &str) {
        self.line(&format!(".SS {}", quoted(title)));
    }

    pub(super) fn paragraph(&mut self) {
        self.line(".PP");
    }

    /// A command in bold, and what may follow it.
    pub(super) fn synopsis(&mut self, command: &str, rest: &str) {
        self.line(
            &format!("\\fB{}\\fR {}", escaped(command), escaped(rest))
                .trim_end()
                .to_owned(),
        );
    }

    pub(super) fn text(&mut self, text: &str) {
        let text = escaped(text);
        // A dot or an apostrophe in front would make it a macro.
        let shield = if text.starts_with(['.', '\'']) {
            "\\&"
        } else {
            ""
        };
        self.line(&format!("{shield}{text}"));
    }

    /// An option or argument, and its explanation.
    pub(super) fn term(&mut self, term: &str, explanation: &str) {
        self.line(".TP");
        self.line(&format!("\\fB{}\\fR", escaped(term)));
        self.text(if explanation.is_empty() {
            "–"
        } else {
            explanation
        });
    }

    /// Text as `--help` has it: an empty line ends a paragraph, and indented lines stay as they are.
    pub(super) fn block(&mut self, text: &str) {
        let (mut kept, mut joined, mut first) = (false, true, true);
        for line in text.lines() {
            let indented = line.starts_with(' ');
            if line.trim_end().is_empty() {
                joined = false;
                continue;
            }
            if kept && !indented {
                self.line(".fi");
            }
            if !first && (!joined || indented != kept) {
                self.paragraph();
            } else if !first && !indented {
                self.line(".br");
            }
            if indented && !kept {
                self.line(".nf");
            }
            self.text(line.trim_end());
            (kept, joined, first) = (indented, true, false);
        }
        if kept {
            self.line(".fi");
        }
    }

    pub(super) fn finish(self) -> String {
        self.0
    }

    fn line(&mut self, line: &(impl AsRef<str> + ?Sized)) {
        writeln!(self.0, "{}", line.as_ref()).expect("because a String can always grow");
    }
}

/// A hyphen is a minus in commands and options, or they could not be copied from the page; quotes and the ellipsis have names.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '\'' => out.push_str("\\(aq"),
            '`' => out.push_str("\\(ga"),
            '~' => out.push_str("\\(ti"),
            '^' => out.push_str("\\(ha"),
            '…' => out.push_str("..."),
            '–' => out.push_str("\\(en"),
            c if c.is_ascii() => out.push(c),
            c => {
                write!(out, "\\[u{:04X}]", u32::from(c)).expect("because a String can always grow");
            }
        }
    }
    out
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text).replace('"', "\\(dq"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_taken_for_a_macro_and_options_can_be_copied() {
        let mut page = Page::new("p", "1");
        page.text(".so /etc/passwd");
        page.text("'\\fB --json it's ~ ^ ` é");
        page.section("a \"b\"");
        let wanted = ".TH \"P\" 1 \"\" \"p 1\" \"User Commands\"\n.nh\n.ad l\n\\&.so /etc/passwd\n\
                      \\(aq\\efB \\-\\-json it\\(aqs \\(ti \\(ha \\(ga \\[u00E9]\n.SH \"a \\(dqb\\(dq\"\n";
        assert_eq!(page.finish(), wanted);
    }

    #[test]
    fn a_block_keeps_indented_lines_and_ends_paragraphs() {
        let mut page = Page(String::new());
        page.block("One\ntwo\n\nthree:\n  a  b\n  c\n\nfour");
        assert_eq!(
            page.finish(),
            "One\n.br\ntwo\n.PP\nthree:\n.PP\n.nf\n  a  b\n  c\n.fi\n.PP\nfour\n"
        );
    }
}
