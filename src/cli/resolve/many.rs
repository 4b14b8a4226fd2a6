//! `resolve --mint --stdin`: reads one image id per line and writes one line of JSON for each, in order, until the end
//! of the input or SIGTERM.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use super::super::errors::LinesError;
use super::super::{image, print, warn};
use super::{anonymous, payloads};
use crate::Io;
use crate::credential::Redacted;
use crate::error::Error;
use crate::protocol::Input;
use crate::resolver::Resolver;

pub(super) fn run(resolver: &Resolver, io: &mut Io) -> Result<(), Error> {
    let mut lines = Lines::new(terminated()?);
    while let Some(line) = lines.next(io.input)? {
        let answer = line.and_then(|line| answer(resolver, &line));
        warn(io, resolver);
        let text = answer.unwrap_or_else(|error| error.json());
        print(io.out, text + "\n")?;
    }
    Ok(())
}

/// The payload of one image, or an array of several.
fn answer(resolver: &Resolver, line: &str) -> Result<String, Error> {
    resolver.restart();
    let mut words = line.split_ascii_whitespace();
    // Anyone who counts the answers gets one for each line.
    let id = words.next().ok_or(LinesError::Empty)?;
    let reference = words.next();
    if words.next().is_some() {
        return Err(LinesError::MoreWords.into());
    }
    let image = reference.map(image).transpose()?;
    let payloads = payloads(resolver, id, image.as_ref(), true);
    let payloads = payloads.map_err(|error| anonymous(error, id))?;
    let texts: Vec<&str> = payloads.iter().map(Redacted::expose).collect();
    Ok(match texts.as_slice() {
        [one] => (*one).to_owned(),
        all => format!("[{}]", all.join(",")),
    })
}

/// Lines of an input, read as it arrives.
struct Lines {
    buffer: Vec<u8>,
    /// How much of the buffer has been processed.
    answered: usize,
    terminated: Arc<AtomicBool>,
    /// After SIGTERM: when to stop reading lines that have arrived.
    end: Option<Instant>,
}

impl Lines {
    fn new(terminated: Arc<AtomicBool>) -> Self {
        Self {
            buffer: Vec::with_capacity(LONGEST),
            answered: 0,
            terminated,
            end: None,
        }
    }

    /// The next line, or why it is invalid; `None` at the end.
    fn next(&mut self, input: &mut dyn Input) -> Result<Option<Result<String, Error>>, Error> {
        let mut is_too_long = false;
        loop {
            let fresh = &self.buffer[self.answered..];
            if let Some(length) = fresh.iter().position(|byte| *byte == b'\n') {
                let line = text(&fresh[..length]);
                self.answered += length + 1;
                return Ok(Some(if is_too_long || length > LONGEST {
                    Err(LinesError::TooLong.into())
                } else {
                    line
                }));
            }
            self.buffer.drain(..self.answered);
            self.answered = 0;
            if self.buffer.len() >= LONGEST {
                // The rest of the long line is still to come.
                self.buffer.clear();
                is_too_long = true;
            }
            if !self.read(input)? {
                let last = text(&std::mem::take(&mut self.buffer));
                return Ok(match last {
                    _ if self.end.is_some() => None,
                    _ if is_too_long => Some(Err(LinesError::TooLong.into())),
                    Ok(line) if line.is_empty() => None,
                    line => Some(line),
                });
            }
        }
    }

    /// Waits for more input; returns whether any came.
    fn read(&mut self, input: &mut dyn Input) -> Result<bool, Error> {
        let mut chunk = [0; 4096];
        loop {
            let is_terminated = self.terminated.load(Ordering::Relaxed);
            if is_terminated {
                let end = *self.end.get_or_insert_with(|| Instant::now() + DRAIN);
                if Instant::now() >= end {
                    return Ok(false);
                }
            }
            let patience = if is_terminated {
                Duration::ZERO
            } else {
                PATIENCE
            };
            let read = input.read_until(&mut chunk, Instant::now() + patience);
            match read.map_err(|error| error.kind()) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    self.buffer.extend_from_slice(&chunk[..count]);
                    return Ok(true);
                }
                Err(ErrorKind::TimedOut) if is_terminated => return Ok(false),
                Err(ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
                Err(kind) => return Err(LinesError::Unreadable(kind).into()),
            }
        }
    }
}

fn text(line: &[u8]) -> Result<String, Error> {
    let text = std::str::from_utf8(line).map_err(|_| LinesError::NotUtf8)?;
    Ok(text.trim().to_owned())
}

/// A flag that SIGTERM sets.
fn terminated() -> Result<Arc<AtomicBool>, Error> {
    let failed = |error: io::Error| LinesError::Signal(error.kind());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(failed)?;
    let mut signals = {
        let _here = runtime.enter();
        signal(SignalKind::terminate()).map_err(failed)?
    };
    let terminated = Arc::<AtomicBool>::default();
    let tell = Arc::clone(&terminated);
    std::thread::Builder::new()
        .spawn(move || {
            runtime.block_on(signals.recv());
            tell.store(true, Ordering::Relaxed);
        })
        .map_err(failed)?;
    Ok(terminated)
}

/// In bytes. An image id has at most 255 characters, and a reference is not much longer.
const LONGEST: usize = 4096;
/// How long SIGTERM may go unnoticed.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long to keep reading after SIGTERM from a writer that never stops.
const DRAIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(mut input: &[u8]) -> Vec<Result<String, String>> {
        let mut lines = Lines::new(Arc::default());
        let mut all = Vec::new();
        while let Some(line) = lines.next(&mut input).unwrap() {
            all.push(line.map_err(|error| error.to_string()));
        }
        all
    }

    #[test]
    fn a_line_is_an_image_whatever_its_neighbours_are() {
        let long = "x".repeat(3 * LONGEST);
        let input = format!("one\r\n\n  two ref \n{long}\nthree\n\u{e9}\nlast");
        let answers = lines(input.as_bytes());
        let texts: Vec<_> = answers
            .iter()
            .filter_map(|line| line.as_ref().ok())
            .collect();
        assert_eq!(texts, ["one", "", "two ref", "three", "\u{e9}", "last"]);
        assert!(
            answers[3].as_ref().unwrap_err().contains("longer than"),
            "{answers:?}"
        );
        assert!(
            lines(b"\xff\n")[0]
                .as_ref()
                .unwrap_err()
                .contains("not UTF-8")
        );
        assert_eq!(lines(b""), []);
        assert_eq!(lines(long.as_bytes()).len(), 1);
    }

    #[test]
    fn after_sigterm_what_has_come_in_is_answered_and_half_a_line_is_not() {
        let terminated = Arc::new(AtomicBool::new(true));
        let (mut lines, mut input) = (Lines::new(terminated), b"one\ntwo\nthr".as_slice());
        let mut next = || lines.next(&mut input).unwrap().map(|line| line.unwrap());
        assert_eq!(
            [next(), next(), next()],
            [Some("one".to_owned()), Some("two".to_owned()), None]
        );
    }
}
