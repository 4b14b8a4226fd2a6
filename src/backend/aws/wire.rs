//! The HTTP client below the SDK: proxies, bounds, and a memory of what happened last, which names faults exactly.
//!
//! The SDK's own client knows no proxy, takes an answer of any size, and buries a refused connection some five errors
//! deep, differently for each credential source. It follows no redirect, and neither does this one.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction, RetryClassifierPriority};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body::{Body, Frame, SizeHint};

/// One login's way to the network.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    deadline: Instant,
    last: Last,
    client: SharedHttpClient,
}

/// The last exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exchange {
    /// The host that was asked, without the port.
    pub(super) host: String,
    pub(super) outcome: Outcome,
}

/// How far it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing has come back.
    #[default]
    Waiting,
    /// An answer began.
    Answered { status: u16, retry_after: Option<u64> },
    /// Nobody listens there.
    Refused,
    /// The name has no address.
    Unresolvable,
    /// The certificate is not one to trust, for this reason.
    Certificate(&'static str),
    /// It took too long.
    TimedOut,
    /// The connection ended in the middle, or could not be made.
    Broken,
    /// More came than any honest answer holds.
    TooLarge,
}

#[derive(Clone, Debug, Default)]
struct Last(Arc<Mutex<Exchange>>);

impl Last {
    fn set(&self, outcome: Outcome) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).outcome = outcome;
    }
}

impl Wire {
    pub(super) fn new(deadline: Instant) -> Self {
        let last = Last::default();
        let tls = || Provider::Rustls(CryptoMode::AwsLc);
        let secure = Builder::new().build_with_connector_fn(move |settings, components| {
            let builder = Connector::builder().proxy_config(ProxyConfig::from_env());
            configured(builder, settings, components).tls_provider(tls()).build()
        });
        // Plain HTTP is spoken by the node's own metadata services and agents only: a proxy must never see that.
        let plain = Builder::new().build_with_connector_fn(|settings, components| {
            configured(Connector::builder(), settings, components).build_http()
        });
        let client = SharedHttpClient::new(Client { secure, plain, last: last.clone() });
        Self { deadline, last, client }
    }

    pub(super) fn client(&self) -> SharedHttpClient {
        self.client.clone()
    }

    /// What happened last.
    pub(super) fn last(&self) -> Exchange {
        self.last.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One attempt may take two fifths of what is left, so that a second one fits.
    pub(super) fn timeouts(&self) -> TimeoutConfig {
        let attempt = self.left().mul_f32(0.4).max(Duration::from_millis(50));
        TimeoutConfig::builder()
            .connect_timeout(attempt.min(CONNECT_TIMEOUT))
            .read_timeout(attempt)
            .operation_attempt_timeout(attempt)
            .build()
    }

    pub(super) fn retries() -> RetryConfig {
        RetryConfig::standard().with_max_attempts(2)
    }

    /// Lets a server say when to come again, unless that is later than anybody waits.
    pub(super) fn retry_after(&self) -> impl ClassifyRetry + use<> {
        RetryAfter { deadline: self.deadline }
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

fn configured<Tls>(
    mut builder: aws_smithy_http_client::ConnectorBuilder<Tls>,
    settings: Option<&HttpConnectorSettings>,
    components: Option<&RuntimeComponents>,
) -> aws_smithy_http_client::ConnectorBuilder<Tls> {
    builder.set_connector_settings(settings.cloned());
    builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
    builder
}

#[derive(Debug)]
struct Client {
    secure: SharedHttpClient,
    plain: SharedHttpClient,
    last: Last,
}

impl HttpClient for Client {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Watched {
            secure: self.secure.clone(),
            plain: self.plain.clone(),
            settings: settings.clone(),
            components: components.clone(),
            last: self.last.clone(),
        })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.secure.connector_metadata()
    }
}

/// Takes the connector that a request needs only when it needs it: reading the trusted certificates costs milliseconds.
#[derive(Debug)]
struct Watched {
    secure: SharedHttpClient,
    plain: SharedHttpClient,
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
    last: Last,
}

impl HttpConnector for Watched {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = if request.uri().starts_with("https:") { &self.secure } else { &self.plain };
        let last = self.last.clone();
        *last.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Exchange { host: host_of(request.uri()).to_owned(), outcome: Outcome::Waiting };
        let call = client.http_connector(&self.settings, &self.components).call(request);
        HttpConnectorFuture::new(async move {
            match call.await {
                Ok(response) => {
                    let status = response.status().as_u16();
                    last.set(Outcome::Answered { status, retry_after: retry_after(&response) });
                    Ok(response
                        .map(|body| SdkBody::from_body_1_x(Bounded { body, left: MAX_ANSWER, last: last.clone() })))
                }
                Err(error) => {
                    last.set(if error.is_timeout() { Outcome::TimedOut } else { classify(&error) });
                    Err(error)
                }
            }
        })
    }
}

/// A body that is an error once it is too long.
struct Bounded {
    body: SdkBody,
    left: u64,
    last: Last,
}

impl Body for Bounded {
    type Data = <SdkBody as Body>::Data;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, BoxError>>> {
        let this = &mut *self;
        let Some(frame) = ready!(Pin::new(&mut this.body).poll_frame(cx)) else { return Poll::Ready(None) };
        let frame = frame.inspect_err(|_| this.last.set(Outcome::Broken))?;
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(left) = this.left.checked_sub(length) else {
            this.last.set(Outcome::TooLarge);
            return Poll::Ready(Some(Err("the answer is too large".into())));
        };
        this.left = left;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[derive(Debug)]
struct RetryAfter {
    deadline: Instant,
}

impl ClassifyRetry for RetryAfter {
    fn classify_retry(&self, _: &InterceptorContext) -> RetryAction {
        RetryAction::NoActionIndicated
    }

    fn classify_retry_v2(&self, context: &InterceptorContext, previous: &RetryAction) -> RetryAction {
        let RetryAction::RetryIndicated(
            aws_smithy_runtime_api::client::retries::classifiers::RetryReason::RetryableError { kind, .. },
        ) = previous
        else {
            return RetryAction::NoActionIndicated;
        };
        let Some(seconds) = context.response().and_then(retry_after) else { return RetryAction::NoActionIndicated };
        let delay = Duration::from_secs(seconds);
        let in_time = self.deadline.saturating_duration_since(Instant::now()) > delay + TIME_FOR_A_CALL;
        if in_time && delay <= LONGEST_DELAY {
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

/// Seconds; the form with a date is of no use to a program that waits ten seconds at most.
fn retry_after(response: &HttpResponse) -> Option<u64> {
    response.headers().get("retry-after").and_then(|value| value.parse().ok())
}

/// The SDK makes the URI from an endpoint: `scheme://host[:port]/path`.
fn host_of(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    rest.split(['/', '?', ':']).next().unwrap_or_default()
}

/// What a connection failed for, found in the chain of its errors. The texts are those of rustls and hyper-util, not the
/// peer's.
fn classify(error: &(dyn StdError + 'static)) -> Outcome {
    chain(error).find_map(outcome_of).unwrap_or(Outcome::Broken)
}

fn outcome_of(error: &(dyn StdError + 'static)) -> Option<Outcome> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => return Some(Outcome::Refused),
            io::ErrorKind::TimedOut => return Some(Outcome::TimedOut),
            _ => {}
        }
    }
    let text = error.to_string();
    if text.starts_with("invalid peer certificate") {
        let reason = CERTIFICATE.iter().find(|(word, _)| text.contains(word));
        return Some(Outcome::Certificate(reason.map_or("is not valid", |(_, reason)| reason)));
    }
    (text.contains("dns error") || text.contains("failed to lookup address")).then_some(Outcome::Unresolvable)
}

/// An `io::Error`'s `source` passes over the error it wraps, which is the one that says most.
pub(super) fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
        None => error.source(),
    })
}

impl fmt::Debug for Bounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bounded").field("left", &self.left).finish_non_exhaustive()
    }
}

/// Words of rustls' `CertificateError`, old and new.
const CERTIFICATE: [(&str, &str); 6] = [
    ("xpired", "has expired"),
    ("UnknownIssuer", "is signed by an authority that this node does not trust"),
    ("not valid for name", "is for another name"),
    ("NotValidForName", "is for another name"),
    ("NotValidYet", "is not valid yet"),
    ("not valid yet", "is not valid yet"),
];
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A token is under 4 KiB and a role's session under 3.
const MAX_ANSWER: u64 = 256 << 10;
const TIME_FOR_A_CALL: Duration = Duration::from_millis(500);
/// The SDK cuts what it waits to its backoff and five seconds more.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_found_however_deep_it_lies() {
        let wrap = |error: io::Error| io::Error::other(io::Error::other(error));
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(classify(&wrap(refused)), Outcome::Refused);
        for (text, outcome) in [
            ("invalid peer certificate: UnknownIssuer", Outcome::Certificate(CERTIFICATE[1].1)),
            ("invalid peer certificate: certificate expired: verification time …", Outcome::Certificate("has expired")),
            ("invalid peer certificate: BadSignature", Outcome::Certificate("is not valid")),
            ("dns error", Outcome::Unresolvable),
            ("connection reset", Outcome::Broken),
        ] {
            assert_eq!(classify(&wrap(io::Error::other(text))), outcome, "{text}");
        }
    }

    #[test]
    fn the_host_is_named_without_port_and_path() {
        for uri in ["https://api.ecr.us-east-1.amazonaws.com/", "https://api.ecr.us-east-1.amazonaws.com:443?a=b"] {
            assert_eq!(host_of(uri), "api.ecr.us-east-1.amazonaws.com");
        }
    }
}
