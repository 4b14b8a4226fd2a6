//! Standard input, limited in size and time.

use std::io::{self, IsTerminal, Read};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::stdin;
use zeroize::Zeroizing;

use crate::error::{Code, Error, Fault, Meaning};

/// An input stream with a deadline.
pub trait Input {
    /// Reads some bytes; 0 at the end. Fails with kind `TimedOut` if none arrive by the deadline.
    fn read_until(&mut self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize>;

    /// Whether the stream is a terminal.
    fn is_terminal(&self) -> bool;
}

/// The real standard input, without std's buffer of 8 KiB, which would keep a copy of a secret and hide bytes from the
/// next poll.
pub struct StdinInput;

impl Input for StdinInput {
    fn read_until(&mut self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
        let ready = poll(
            &mut [PollFd::from_borrowed_fd(stdin(), PollFlags::IN)],
            Some(&timeout),
        )?;
        if ready == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(rustix::io::read(stdin(), buffer)?)
    }

    fn is_terminal(&self) -> bool {
        stdin().is_terminal()
    }
}

impl Input for &[u8] {
    fn read_until(&mut self, buffer: &mut [u8], _deadline: Instant) -> io::Result<usize> {
        self.read(buffer)
    }

    fn is_terminal(&self) -> bool {
        false
    }
}

/// Why standard input can't be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is a terminal; nothing is piped in.
    #[error("it is a terminal")]
    Terminal,
    /// It is longer than this many bytes, the verb's limit.
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    /// It did not end in time.
    #[error("it did not end within {} s", .0.as_secs())]
    NoEnd(Duration),
    /// It cannot be read.
    #[error("it cannot be read ({0})")]
    Failed(io::ErrorKind),
}

impl ReadError {
    /// The error, with `pipe` as an example of correct use.
    pub(super) fn with_example(self, pipe: &'static str) -> Error {
        Unread(self, pipe).into()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unread(ReadError, &'static str);

impl Fault for Unread {
    fn meaning(&self) -> Meaning {
        Meaning::new(Code::InputUnreadable, "standard input").fix(match self.0 {
            ReadError::Terminal => self.1,
            ReadError::NoEnd(_) => "close it after the request",
            ReadError::TooLong(_) | ReadError::Failed(_) => "",
        })
    }
}

/// Reads to the end, even past `limit`, because a client that is still writing would otherwise fail.
pub fn read_all(
    input: &mut dyn Input,
    limit: usize,
    patience: Duration,
) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    if input.is_terminal() {
        return Err(ReadError::Terminal);
    }
    let deadline = Instant::now() + patience;
    // Filled only up to its first capacity, so that growing never leaves a copy of a secret.
    let mut bytes = Zeroizing::new(Vec::with_capacity(FIRST_CAPACITY));
    let mut chunk = Zeroizing::new([0; FIRST_CAPACITY]);
    let mut too_long = false;
    loop {
        match input.read_until(chunk.as_mut(), deadline) {
            Ok(0) if too_long => return Err(ReadError::TooLong(limit)),
            Ok(0) => return Ok(bytes),
            Ok(count) if too_long || bytes.len() + count > limit => too_long = true,
            Ok(count) => grow(&mut bytes, &chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(ReadError::NoEnd(patience));
            }
            Err(error) => return Err(ReadError::Failed(error.kind())),
        }
    }
}

fn grow(bytes: &mut Zeroizing<Vec<u8>>, more: &[u8]) {
    if bytes.len() + more.len() > bytes.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity((bytes.len() + more.len()) * 2));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
    bytes.extend_from_slice(more);
}

/// In bytes. A `get` sends a host of at most 255 bytes, and a `store` grows it. Every byte is zeroed in the end, so less is
/// faster.
const FIRST_CAPACITY: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_read_to_its_end_even_when_it_is_too_long() {
        let text = vec![b'x'; 100_000];
        let mut input = text.as_slice();
        assert_eq!(
            read_all(&mut input, 65_536, Duration::from_secs(5)),
            Err(ReadError::TooLong(65_536))
        );
        assert!(input.is_empty());
        assert_eq!(
            *read_all(&mut text.as_slice(), 100_000, Duration::from_secs(5)).unwrap(),
            text
        );
    }
}
