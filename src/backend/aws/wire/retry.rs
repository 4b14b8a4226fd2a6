//! `Retry-After`, which the SDK does not read.

use std::time::Duration;

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority, RetryReason,
};

use super::Wire;

/// Waits as long as the server asks, if there is time.
impl ClassifyRetry for Wire {
    fn classify_retry(&self, _: &InterceptorContext) -> RetryAction {
        RetryAction::NoActionIndicated
    }

    fn classify_retry_v2(
        &self,
        context: &InterceptorContext,
        previous: &RetryAction,
    ) -> RetryAction {
        let RetryAction::RetryIndicated(RetryReason::RetryableError { kind, .. }) = previous else {
            return RetryAction::NoActionIndicated;
        };
        let Some(seconds) = context.response().and_then(retry_after) else {
            return RetryAction::NoActionIndicated;
        };
        let delay = Duration::from_secs(seconds);
        if self.left() > delay + TIME_FOR_A_CALL && delay <= LONGEST_DELAY {
            RetryAction::retryable_error_with_explicit_delay(*kind, delay)
        } else {
            RetryAction::RetryForbidden
        }
    }

    fn name(&self) -> &'static str {
        "Retry-After"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

/// Reads seconds. The form with a date is useless to a program that waits for at most ten seconds.
pub(super) fn retry_after(response: &HttpResponse) -> Option<u64> {
    response
        .headers()
        .get("retry-after")
        .and_then(|value| value.parse().ok())
}

const TIME_FOR_A_CALL: Duration = Duration::from_millis(500);
/// The SDK waits at most for its backoff plus five seconds.
const LONGEST_DELAY: Duration = Duration::from_secs(5);
