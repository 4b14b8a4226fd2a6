//! The one async runtime: single-threaded, and made only when the network is needed.

use std::future::Future;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};

use crate::error::{Code, Error, Fault, Meaning};

/// Runs a future until it finishes or the deadline passes. `part` names who is waited for in errors.
pub fn block_on<T>(
    part: &str,
    deadline: Instant,
    future: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    Runtime::new(part)?.block_on(part, deadline, future)
}

/// A runtime for several futures, which keeps what they leave running.
#[derive(Debug)]
pub struct Runtime(Option<tokio::runtime::Runtime>);

impl Runtime {
    /// Makes a runtime. `part` names who is waited for in errors. Fails if file descriptors or threads are short.
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

    /// Runs a future until it finishes or the deadline passes.
    pub fn block_on<T>(
        &self,
        part: &str,
        deadline: Instant,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        // Stops a little before the deadline, to leave time to report who did not answer.
        let left = deadline.saturating_duration_since(Instant::now());
        let end = deadline
            .checked_sub(LAST_WORDS.min(left / 20))
            .unwrap_or(deadline);
        let Some(runtime) = &self.0 else {
            // Only `drop` takes the runtime out.
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
        // An unresponsive name server blocks a thread in getaddrinfo, and a plain drop would wait for it.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Why a future did not finish.
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

/// Fails if file descriptors or threads are too few, because the runtime would panic without some of them.
fn reserve() -> std::io::Result<()> {
    // Name look-ups use a thread.
    let thread = std::thread::Builder::new()
        .stack_size(THREAD_STACK)
        .spawn(|| ())?;
    _ = thread.join();
    let reserved: Result<Vec<_>, _> = (0..DESCRIPTORS)
        .map(|_| eventfd(0, EventfdFlags::CLOEXEC))
        .collect();
    Ok(reserved.map(drop)?)
}

/// Two for polling, one for its wake-up, three for signals, and two for a connection and its name look-up.
const DESCRIPTORS: usize = 8;
const THREAD_STACK: usize = 64 << 10;
const LAST_WORDS: Duration = Duration::from_millis(100);
