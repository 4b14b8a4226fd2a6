//! `Address`: where a gateway is, in the settings of Beta9's Python SDK.

use super::env::Env;
use crate::error::Error;

/// A gateway's address, as the SDK configures it.
#[derive(Clone, Debug, Default)]
pub struct Address {
    /// The HTTP API's URL, which takes precedence over one derived from host and port.
    pub api_url: Option<String>,
    /// The gRPC host.
    pub host: Option<String>,
    /// The gRPC port.
    pub port: Option<String>,
}

impl Address {
    /// Reads the SDK's environment.
    pub(super) fn from_env(env: &Env) -> Result<Self, Error> {
        Ok(Self {
            api_url: env.text("BETA9_API_URL")?,
            host: env.text("BETA9_GATEWAY_HOST")?,
            port: env.text("BETA9_GATEWAY_PORT")?,
        })
    }

    /// Reads the hosted SDK's environment: the same settings, overridden by its own variables, of which `API_*` belongs
    /// to the gateway of `GATEWAY_*`. Unlike that SDK, this never uses the product's own API for a gateway that is set.
    pub(super) fn from_hosted_env(env: &Env) -> Result<Self, Error> {
        let own = Self::from_env(env)?;
        let or = |name, usual: &str| {
            let text = env.text(name)?;
            Ok::<_, Error>(text.unwrap_or_else(|| usual.to_owned()))
        };
        let set_host = env.text("GATEWAY_HOST")?;
        let api_host = env.text("API_HOST")?;
        let api_host = api_host.or_else(|| set_host.is_none().then(|| HOSTED_API.to_owned()));
        let api_port = or("API_PORT", TLS_PORT)?;
        let scheme = if api_port == TLS_PORT {
            "https"
        } else {
            "http"
        };
        let gateway = (
            or("GATEWAY_HOST", HOSTED_GATEWAY)?,
            or("GATEWAY_PORT", TLS_PORT)?,
        );
        let asked = (
            own.host.unwrap_or_else(|| gateway.0.clone()),
            own.port.unwrap_or_else(|| gateway.1.clone()),
        );
        let api_url = api_host
            .filter(|_| asked == gateway)
            .map(|host| format!("{scheme}://{host}:{api_port}"));
        Ok(Self {
            api_url: own.api_url.or(api_url),
            host: Some(asked.0),
            port: Some(asked.1),
        })
    }

    pub(super) fn is_set(&self) -> bool {
        self.api_url.is_some() || self.host.is_some()
    }

    /// The gRPC port, or its default.
    pub(super) fn port(&self) -> &str {
        self.port.as_deref().unwrap_or(GRPC_PORT)
    }

    /// The HTTP address derived from this gRPC host, if possible.
    pub(super) fn derived(&self, host: &str, in_clear: bool) -> Option<String> {
        let plain = host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
        match self.port() {
            _ if !plain => None,
            TLS_PORT => {
                let domain = host
                    .strip_prefix("gateway.")
                    .filter(|domain| !domain.is_empty())?;
                Some(format!("https://app.{domain}"))
            }
            GRPC_PORT => Some(format!(
                "{}://{host}:{HTTP_PORT}",
                if in_clear { "http" } else { "https" }
            )),
            _ => None,
        }
    }
}

const HOSTED_GATEWAY: &str = "gateway.beam.cloud";
const HOSTED_API: &str = "app.beam.cloud";
/// The gRPC and HTTP ports of a self-hosted gateway.
const GRPC_PORT: &str = "1993";
const HTTP_PORT: &str = "1994";
const TLS_PORT: &str = "443";
