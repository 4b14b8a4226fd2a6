//! The HTTP client below the SDK: adds proxies and limits, and records the last exchange for exact error messages.
//!
//! The SDK's own client reads proxy settings differently from Go's clients, accepts answers of any size, and buries a
//! refused connection about five errors deep, differently for each credential source. Neither client follows redirects.

mod bounded;
mod fault;
mod retry;
mod trust;

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
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
use aws_smithy_runtime_api::client::retries::classifiers::ClassifyRetry;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use reqwest::Url;

use super::PART;
use crate::error::Error;
use crate::http::{Proxies, Proxy, ProxyName};
use crate::tls;
use bounded::bounded;
pub(super) use fault::chain;
use retry::{RetryAfter, retry_after};

/// The network access of one login.
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

#[derive(Clone, Debug, Default)]
struct Last(Arc<Mutex<Exchange>>);

impl Last {
    fn set(&self, outcome: Outcome) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .outcome = outcome;
    }
}

impl Wire {
    /// Network access until the deadline. `bundle` is a file of authorities that replaces the system's.
    pub(super) fn new(deadline: Instant, bundle: Option<&str>) -> Result<Self, Error> {
        let last = Last::default();
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
        let client = SharedHttpClient::new(Client {
            ways: Arc::new(Ways {
                secure,
                through,
                plain,
                proxies,
            }),
            last: last.clone(),
        });
        Ok(Self {
            deadline,
            last,
            client,
        })
    }

    pub(super) fn client(&self) -> SharedHttpClient {
        self.client.clone()
    }

    /// The last exchange.
    pub(super) fn last(&self) -> Exchange {
        self.last
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
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

    /// Honours `Retry-After`, unless it is later than the deadline.
    pub(super) fn retry_after(&self) -> impl ClassifyRetry + use<> {
        RetryAfter {
            deadline: self.deadline,
        }
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
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

#[derive(Debug)]
struct Client {
    ways: Arc<Ways>,
    last: Last,
}

/// The clients for the possible routes of a request.
#[derive(Debug)]
struct Ways {
    secure: SharedHttpClient,
    /// Through the proxy.
    through: Option<SharedHttpClient>,
    plain: SharedHttpClient,
    proxies: Proxies,
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

impl HttpClient for Client {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Watched {
            ways: Arc::clone(&self.ways),
            settings: settings.clone(),
            components: components.clone(),
            last: self.last.clone(),
        })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.ways.secure.connector_metadata()
    }
}

/// Makes connectors lazily, because reading the trusted certificates takes milliseconds.
#[derive(Debug)]
struct Watched {
    ways: Arc<Ways>,
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
    last: Last,
}

impl HttpConnector for Watched {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let last = self.last.clone();
        let way = self.ways.to(request.uri());
        *last.0.lock().unwrap_or_else(PoisonError::into_inner) = Exchange {
            host: host_of(request.uri()).to_owned(),
            proxy: match way {
                Ok((_, proxy)) => proxy.cloned(),
                Err((proxy, _)) => Some(proxy.clone()),
            },
            outcome: match way {
                Ok(_) => Outcome::Waiting,
                Err((_, cause)) => Outcome::ProxySetting(cause),
            },
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
            match call.await {
                Ok(response) => {
                    let status = response.status().as_u16();
                    last.set(Outcome::Answered {
                        status,
                        retry_after: retry_after(&response),
                    });
                    Ok(response.map(|body| bounded(body, last.clone())))
                }
                Err(error) => {
                    last.set(if error.is_timeout() {
                        Outcome::TimedOut
                    } else {
                        fault::classify(&error)
                    });
                    Err(error)
                }
            }
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
