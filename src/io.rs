//! `Io`: the program's standard streams, and how a warning and a failure are written to them.

use std::io::{IsTerminal, StderrLock, StdoutLock, Write};

use crate::error::Error;
use crate::protocol::Input;
use crate::shown::one_line;

/// The program's standard streams; nothing else writes to any.
pub struct Io<'a> {
    /// Standard input.
    pub input: &'a mut dyn Input,
    /// Standard output: the answer, or the one line of a failure.
    pub out: &'a mut dyn Output,
    /// Standard error: warnings.
    pub err: &'a mut dyn Output,
}

/// Something that is written to, and may be a terminal.
pub trait Output: Write {
    /// Whether a person is reading.
    fn is_terminal(&self) -> bool;
}

impl Output for StdoutLock<'_> {
    fn is_terminal(&self) -> bool {
        IsTerminal::is_terminal(self)
    }
}

impl Output for StderrLock<'_> {
    fn is_terminal(&self) -> bool {
        IsTerminal::is_terminal(self)
    }
}

impl Output for Vec<u8> {
    fn is_terminal(&self) -> bool {
        false
    }
}

/// A line on standard error; one that cannot be written is no reason not to answer.
pub(crate) fn warn(err: &mut dyn Write, warning: &dyn std::fmt::Display) {
    _ = writeln!(err, "docker-credential-beta9: {}", one_line(warning));
}

/// The one line of a failure, on standard output, where clients look for it.
pub(crate) fn fail(error: &Error, io: &mut Io) -> u8 {
    // There is nobody left to tell when even this cannot be written; the status tells it too.
    _ = writeln!(io.out, "{}", one_line(error)).and_then(|()| io.out.flush());
    1
}
