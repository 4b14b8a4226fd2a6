//! Bold and colour for terminals. They only emphasise: the text is complete without them.

use std::fmt::{self, Display};

use crate::Output;
use crate::config::Env;

/// Whether to use colour, decided once for an output.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Style {
    on: bool,
}

impl Style {
    /// Uses colour on a terminal, unless `NO_COLOR` is set (<https://no-color.org>) or the terminal is dumb.
    pub(super) fn of(output: &dyn Output, env: &Env) -> Self {
        let unset = |name| matches!(env.text(name), Ok(None));
        let dumb = matches!(env.text("TERM"), Ok(Some(term)) if term == "dumb");
        let on = output.is_terminal() && unset("NO_COLOR") && !dumb;
        Self { on }
    }

    /// Whether colour is on.
    pub(super) fn is_on(self) -> bool {
        self.on
    }

    /// Emphasises a text.
    pub(super) fn bold<T: Display>(self, text: T) -> Painted<T> {
        self.paint("1", text)
    }

    /// Marks something that is fine.
    pub(super) fn good<T: Display>(self, text: T) -> Painted<T> {
        self.paint("32", text)
    }

    /// Marks something that must be fixed.
    pub(super) fn bad<T: Display>(self, text: T) -> Painted<T> {
        self.paint("31", text)
    }

    fn paint<T: Display>(self, code: &'static str, text: T) -> Painted<T> {
        Painted {
            code: self.on.then_some(code),
            text,
        }
    }
}

/// A text that may be coloured. Width and alignment ignore the colour codes.
pub(super) struct Painted<T> {
    code: Option<&'static str>,
    text: T,
}

impl<T> Painted<T> {
    /// The text as it is.
    pub(super) fn plain(text: T) -> Self {
        Self { code: None, text }
    }
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(code) = self.code else {
            return self.text.fmt(f);
        };
        write!(f, "\x1b[{code}m")?;
        self.text.fmt(f)?;
        f.write_str("\x1b[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_padded_text_is_as_wide_painted_as_it_is_plain() {
        let [on, off] = [true, false].map(|on| Style { on });
        assert_eq!(format!("{:<5}|", off.bold("ab")), "ab   |");
        assert_eq!(format!("{:<5}|", on.bold("ab")), "\x1b[1mab   \x1b[0m|");
        assert_eq!(
            format!("{} {}", on.good(1), on.bad("x")),
            "\x1b[32m1\x1b[0m \x1b[31mx\x1b[0m"
        );
    }

    #[test]
    fn what_is_not_a_terminal_is_never_painted() {
        assert!(!Style::of(&Vec::new(), &Env::of([])).is_on());
    }
}
