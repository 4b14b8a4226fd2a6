//! The one async runtime, current-thread, made only when something must go on the network.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::error::{Error, Problem};

/// Runs a future to its end or to the deadline; `part` is who is waited for, as an error names it.
pub fn block_on<T>(part: &str, deadline: Instant, future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Problem::new(part, "no runtime could be made")
            .source(error)
            .fix("see whether the node is out of file descriptors")
            .failed()
    })?;
    let late = || {
        Problem::new(part, "it did not answer in time")
            .fix("see whether the node reaches it; timeout in the configuration says how long to wait")
            .unreachable()
    };
    // A little before the deadline, so that there is time left to say who did not answer.
    let left = deadline.saturating_duration_since(Instant::now());
    let end = deadline.checked_sub(LAST_WORDS.min(left / 20)).unwrap_or(deadline);
    let answer =
        runtime.block_on(async { tokio::time::timeout_at(end.into(), future).await.unwrap_or_else(|_| Err(late())) });
    // A name server that does not answer holds a thread in getaddrinfo, for which a plain drop would wait.
    runtime.shutdown_background();
    answer
}

const LAST_WORDS: Duration = Duration::from_millis(100);
