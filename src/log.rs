//! `Log`: the debug log of `BETA9_LOG=debug`, one line for each step with its duration. Never contains a secret.
//!
//! When the log is off, a line costs one check of an `Option`: the text is passed as unformatted `fmt::Arguments`, and
//! the clock is not read.

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The destination of the lines; none by default.
#[derive(Clone, Default)]
pub struct Log(Option<Arc<Sink>>);

struct Sink {
    out: Mutex<Box<dyn Write + Send>>,
    started: Instant,
}

/// When a step began, if the log is on.
#[derive(Clone, Copy)]
pub struct Step(Option<Instant>);

impl Log {
    /// A log that writes to `out`.
    pub fn to(out: impl Write + Send + 'static) -> Self {
        Self(Some(Arc::new(Sink {
            out: Mutex::new(Box::new(out)),
            started: Instant::now(),
        })))
    }

    /// Begins a step.
    pub fn step(&self) -> Step {
        Step(self.0.as_ref().map(|_| Instant::now()))
    }

    /// Logs a step's outcome and duration.
    pub fn done(&self, step: Step, what: fmt::Arguments) {
        if let (Some(sink), Some(began)) = (&self.0, step.0) {
            sink.write(Some(began.elapsed()), what);
        }
    }

    /// Logs a line without a duration.
    pub fn note(&self, what: fmt::Arguments) {
        if let Some(sink) = &self.0 {
            sink.write(None, what);
        }
    }
}

impl Sink {
    fn write(&self, took: Option<Duration>, what: fmt::Arguments) {
        let at = milliseconds(self.started.elapsed());
        let what = what.to_string().replace(char::is_control, " ");
        let took = took.map_or(String::new(), |took| {
            format!(" ({:.3} ms)", milliseconds(took))
        });
        // One write per line, so that lines of parallel processes don't mix. A failed write does not prevent the
        // answer.
        let line = format!("docker-credential-beta9: debug {at:9.3} ms  {what}{took}\n");
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        _ = out.write_all(line.as_bytes());
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.0.is_some() { "on" } else { "off" };
        write!(f, "Log({state})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    struct Formatted(std::cell::Cell<bool>);

    impl fmt::Display for Formatted {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.set(true);
            f.write_str("a\nb")
        }
    }

    #[test]
    fn a_line_has_its_time_and_its_duration_and_no_line_end_within() {
        let lines = Lines::default();
        let log = Log::to(lines.clone());
        log.done(log.step(), format_args!("one: {}", Formatted(false.into())));
        log.note(format_args!("two"));
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let wanted = "^docker-credential-beta9: debug +[0-9.]+ ms  one: a b \\([0-9.]+ ms\\)\n\
                      docker-credential-beta9: debug +[0-9.]+ ms  two\n$";
        assert!(regex::Regex::new(wanted).unwrap().is_match(&text), "{text}");
    }

    #[test]
    fn switched_off_nothing_is_formatted_and_no_clock_is_read() {
        let (log, formatted) = (Log::default(), Formatted(false.into()));
        let step = log.step();
        assert!(step.0.is_none());
        log.done(step, format_args!("{formatted}"));
        log.note(format_args!("{formatted}"));
        assert!(!formatted.0.get());
    }
}
