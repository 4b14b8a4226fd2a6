//! The HTTP client below the SDK: adds proxies and limits, and records the last exchange for exact error messages.
//!
//! The SDK's own client reads proxy settings differently from Go's clients, accepts answers of any size, and buries a
//! refused connection about five errors deep, differently for each credential source. Neither client follows redirects.

mod bounded;
mod fault;
mod retry;
mod trust;

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use reqwest::Url;

use super::PART;
use crate::error::Error;
use crate::http::{Proxies, Proxy, ProxyName};
use crate::tls;
use bounded::bounded;
pub(super) use fault::chain;
use retry::retry_after;

/// The network access of one login: an HTTP client for the SDK, and its rule for retries.
#[derive(Clone, Debug)]
pub(super) struct Wire(Arc<Ways>);

/// The clients for the possible routes of a request, and the last exchange.
#[derive(Debug)]
struct Ways {
    deadline: Instant,
    secure: SharedHttpClient,
    /// Through the proxy.
    through: Option<SharedHttpClient>,
    plain: SharedHttpClient,
    proxies: Proxies,
    last: Mutex<Exchange>,
}

/// The last exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exchange {
    /// The host that was asked, without the port.
    pub(super) host: String,
    /// The proxy, if one was used.
    pub(super) proxy: Option<ProxyName>,
    pub(super) outcome: Outcome,
}

/// How far the exchange got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Outcome {
    /// No answer yet.
    #[default]
    Waiting,
    /// An answer began.
    Answered {
        status: u16,
        retry_after: Option<u64>,
    },
    /// The connection was refused.
    Refused,
    /// The name has no address.
    Unresolvable,
    /// The certificate isn't trusted, for this reason.
    Certificate(&'static str),
    /// It timed out.
    TimedOut,
    /// The connection could not be made or broke.
    Broken,
    /// The proxy refused the tunnel.
    Proxy,
    /// The proxy variable's value isn't a proxy, or a kind that the SDK's client does not support.
    ProxySetting(&'static str),
    /// The answer was too large.
    TooLarge,
}

impl Wire {
    /// Network access until the deadline. `bundle` is a file of authorities that replaces the system's.
    pub(super) fn new(deadline: Instant, bundle: Option<&str>) -> Result<Self, Error> {
        if let Some(fault) = bundle.is_none().then(tls::refused).flatten() {
            return Err(fault.problem(PART));
        }
        let given = bundle.map(trust::given).transpose()?;
        let trust = Arc::new(LazyLock::new(move || given.unwrap_or_else(trust::system)));
        let proxies = Proxies::named();
        let secure = |proxy: ProxyConfig| {
            let trust = Arc::clone(&trust);
            Builder::new().build_with_connector_fn(move |settings, components| {
                let builder = Connector::builder().proxy_config(proxy.clone());
                configured(builder, settings, components)
                    .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                    .tls_context(TlsContext::clone(&trust))
                    .build()
            })
        };
        let through = proxies
            .proxy()
            .filter(|proxy| !proxy.is_socks())
            .and_then(|proxy| ProxyConfig::all(proxy.url()).ok())
            .map(secure);
        let secure = secure(ProxyConfig::disabled());
        // Plain HTTP is only for the node's own metadata services and agents, and must never go through a proxy.
        let plain = Builder::new().build_with_connector_fn(|settings, components| {
            configured(Connector::builder(), settings, components).build_http()
        });
        Ok(Self(Arc::new(Ways {
            deadline,
            secure,
            through,
            plain,
            proxies,
            last: Mutex::default(),
        })))
    }

    /// The last exchange.
    pub(super) fn last(&self) -> Exchange {
        self.exchange().clone()
    }

    fn exchange(&self) -> MutexGuard<'_, Exchange> {
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, outcome: Outcome) {
        self.exchange().outcome = outcome;
    }

    /// One attempt may take two fifths of the remaining time, so that a second one fits.
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

    fn left(&self) -> Duration {
        self.0.deadline.saturating_duration_since(Instant::now())
    }
}

fn configured<Tls>(
    mut builder: ConnectorBuilder<Tls>,
    settings: Option<&HttpConnectorSettings>,
    components: Option<&RuntimeComponents>,
) -> ConnectorBuilder<Tls> {
    builder.set_connector_settings(settings.cloned());
    builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
    builder
}

impl Ways {
    /// The client for this URI and its proxy, or what is wrong with the proxy.
    fn to(
        &self,
        uri: &str,
    ) -> Result<(&SharedHttpClient, Option<&ProxyName>), (&ProxyName, &'static str)> {
        let Some(url) = Url::parse(uri).ok().filter(|url| url.scheme() == "https") else {
            return Ok((&self.plain, None));
        };
        let proxy = self
            .proxies
            .of_url(&url)
            .map_err(|name| (name, "is not the URL of a proxy"))?;
        match (proxy.map(Proxy::name), &self.through) {
            (None, _) => Ok((&self.secure, None)),
            (Some(name), Some(through)) => Ok((through, Some(name))),
            (Some(name), None) => {
                Err((name, "names a SOCKS proxy, which AWS is not asked through"))
            }
        }
    }
}

impl HttpClient for Wire {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Watched {
            wire: self.clone(),
            settings: settings.clone(),
            components: components.clone(),
        })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.secure.connector_metadata()
    }
}

/// Makes connectors lazily, because reading the trusted certificates takes milliseconds.
#[derive(Debug)]
struct Watched {
    wire: Wire,
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
}

impl HttpConnector for Watched {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.wire.clone();
        let way = self.wire.0.to(request.uri());
        let (proxy, outcome) = match way {
            Ok((_, proxy)) => (proxy, Outcome::Waiting),
            Err((proxy, cause)) => (Some(proxy), Outcome::ProxySetting(cause)),
        };
        *wire.exchange() = Exchange {
            host: host_of(request.uri()).to_owned(),
            proxy: proxy.cloned(),
            outcome,
        };
        let client = match way {
            Ok((client, _)) => client,
            Err((_, cause)) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(cause.into())));
            }
        };
        let call = client
            .http_connector(&self.settings, &self.components)
            .call(request);
        HttpConnectorFuture::new(async move {
            let answer = call.await;
            wire.set(match &answer {
                Ok(answer) => Outcome::Answered {
                    status: answer.status().as_u16(),
                    retry_after: retry_after(answer),
                },
                Err(error) if error.is_timeout() => Outcome::TimedOut,
                Err(error) => fault::classify(error),
            });
            Ok(answer?.map(|body| bounded(body, wire.clone())))
        })
    }
}

/// The host of a URI that the SDK made from an endpoint: `scheme://host[:port]/path`.
fn host_of(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    rest.split(['/', '?', ':']).next().unwrap_or_default()
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_named_without_port_and_path() {
        for uri in [
            "https://api.ecr.us-east-1.amazonaws.com/",
            "https://api.ecr.us-east-1.amazonaws.com:443?a=b",
        ] {
            assert_eq!(host_of(uri), "api.ecr.us-east-1.amazonaws.com");
        }
    }
}
