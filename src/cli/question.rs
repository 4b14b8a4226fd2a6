//! Asks a person at a terminal.

use std::time::{Duration, Instant};

use super::print;
use crate::Output;
use crate::error::Error;
use crate::protocol::Input;

/// Whether a person says yes; `false` without a terminal.
pub(super) fn yes(
    input: &mut dyn Input,
    out: &mut dyn Output,
    question: &str,
) -> Result<bool, Error> {
    if !input.is_terminal() {
        return Ok(false);
    }
    print(out, format_args!("{question} [y/N] "))?;
    let mut line = [0; 64];
    let read = input.read_until(&mut line, Instant::now() + PATIENCE);
    let answer = line[..read.unwrap_or(0)].trim_ascii();
    Ok(answer.eq_ignore_ascii_case(b"y") || answer.eq_ignore_ascii_case(b"yes"))
}

const PATIENCE: Duration = Duration::from_mins(5);
