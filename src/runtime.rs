//! The one async runtime, current-thread, made only when something must go on the network.

use std::future::Future;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};

use crate::error::{Code, Error, Fault, Meaning};

/// Runs a future to its end or to the deadline; `part` is who is waited for, as an error names it.
pub fn block_on<T>(
    part: &str,
    deadline: Instant,
    future: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    Runtime::new(part)?.block_on(part, deadline, future)
}

/// A runtime that is kept for several futures, and with it what they leave running.
#[derive(Debug)]
pub struct Runtime(Option<tokio::runtime::Runtime>);

impl Runtime {
    /// One that waits for `part`, as an error names it.
    pub fn new(part: &str) -> Result<Self, Error> {
        let made = reserve().and_then(|()| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
        });
        made.map(|runtime| Self(Some(runtime))).map_err(|source| {
            let part = part.to_owned();
            RuntimeError::NoNetwork { part, source }.into()
        })
    }

    /// Runs a future to its end or to the deadline.
    pub fn block_on<T>(
        &self,
        part: &str,
        deadline: Instant,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        // A little before the deadline, so that there is time left to say who did not answer.
        let left = deadline.saturating_duration_since(Instant::now());
        let end = deadline
            .checked_sub(LAST_WORDS.min(left / 20))
            .unwrap_or(deadline);
        let Some(runtime) = &self.0 else {
            // Only its drop takes the runtime.
            let part = part.to_owned();
            return Err(RuntimeError::Late { part }.into());
        };
        runtime.block_on(async {
            tokio::time::timeout_at(end.into(), future)
                .await
                .unwrap_or_else(|_| {
                    let part = part.to_owned();
                    Err(RuntimeError::Late { part }.into())
                })
        })
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // A name server that does not answer holds a thread in getaddrinfo, for which a plain drop would wait.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Why nothing came of it, for the one that was waited for.
#[derive(Debug, thiserror::Error)]
enum RuntimeError {
    #[error("this process cannot use the network")]
    NoNetwork {
        part: String,
        source: std::io::Error,
    },
    #[error("it did not answer in time")]
    Late { part: String },
}

impl Fault for RuntimeError {
    fn meaning(&self) -> Meaning {
        let (Self::NoNetwork { part, .. } | Self::Late { part }) = self;
        let (code, fix) = match self {
            Self::NoNetwork { .. } => (
                Code::SystemResources,
                "raise its limits of open files and of processes (ulimit -n, ulimit -u), and check whether the node is out of either",
            ),
            Self::Late { .. } => (
                Code::unreachable(part),
                "check whether the node reaches it; timeout in the configuration says how long to wait",
            ),
        };
        Meaning::new(code, part.clone()).fix(fix).unreachable()
    }
}

/// An error where the runtime would be short of file descriptors or threads: it panics over some of those that it needs.
fn reserve() -> std::io::Result<()> {
    // A name is looked up in a thread.
    let thread = std::thread::Builder::new()
        .stack_size(THREAD_STACK)
        .spawn(|| ())?;
    _ = thread.join();
    let reserved: Result<Vec<_>, _> = (0..DESCRIPTORS)
        .map(|_| eventfd(0, EventfdFlags::CLOEXEC))
        .collect();
    Ok(reserved.map(drop)?)
}

/// The poll's two, its alarm, the three of the signals, and a connection with what looks up its name.
const DESCRIPTORS: usize = 8;
const THREAD_STACK: usize = 64 << 10;
const LAST_WORDS: Duration = Duration::from_millis(100);
