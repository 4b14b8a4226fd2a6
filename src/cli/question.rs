//! Asks a person at a terminal.

use std::time::{Duration, Instant};

use super::unwritable;
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
    write!(out, "{question} [y/N] ")
        .and_then(|()| out.flush())
        .map_err(unwritable)?;
    let mut line = [0; 64];
    let read = input.read_until(&mut line, Instant::now() + PATIENCE);
    let answer = line[..read.unwrap_or(0)].trim_ascii();
    Ok([b"y".as_slice(), b"yes"]
        .iter()
        .any(|yes| answer.eq_ignore_ascii_case(yes)))
}

const PATIENCE: Duration = Duration::from_mins(5);
