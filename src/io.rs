//! `Io`: the program's standard streams, and how warnings and failures are written to them.

use std::io::{IsTerminal, StderrLock, StdoutLock, Write};

use crate::error::Error;
use crate::protocol::Input;
use crate::shown::one_line;

/// The program's standard streams; nothing else writes to them.
pub struct Io<'a> {
    /// Standard input.
    pub input: &'a mut dyn Input,
    /// Standard output: the answer, or the one line of a failure.
    pub out: &'a mut dyn Output,
    /// Standard error: warnings.
    pub err: &'a mut dyn Output,
}

/// An output stream, which may be a terminal.
pub trait Output: Write {
    /// Whether the stream is a terminal.
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

/// Writes a line to standard error. If that fails, the answer still counts.
pub(crate) fn warn(err: &mut dyn Write, warning: &dyn std::fmt::Display) {
    _ = writeln!(err, "docker-credential-beta9: {}", one_line(warning));
}

/// Writes each of these to standard error.
pub(crate) fn warn_all(err: &mut dyn Write, warnings: impl IntoIterator<Item = String>) {
    for warning in warnings {
        warn(err, &warning);
    }
}

/// Writes an answer to standard output; returns the exit status. If the reader closed the pipe, the command did not
/// succeed.
pub(crate) fn succeed(answer: &str, io: &mut Io) -> u8 {
    let written = io.out.write_all(answer.as_bytes());
    u8::from(written.and_then(|()| io.out.flush()).is_err())
}

/// Writes a failure's one line to standard output, where clients look for it; returns the exit status.
pub(crate) fn fail(error: &Error, io: &mut Io) -> u8 {
    // If even this can't be written, only the exit status can report the failure.
    _ = writeln!(io.out, "{}", one_line(error)).and_then(|()| io.out.flush());
    1
}
