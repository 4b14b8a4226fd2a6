//! `Http`: the one HTTP client. Every request ends by its deadline, is retried at most twice, follows no redirects and
//! reads a bounded body. It fails with an [`HttpError`] that names the host and what happened there.
//!
//! It is reqwest (<https://docs.rs/reqwest>) on rustls: the system's certificate authorities (see [`crate::tls`]), and
//! the proxy that Go's clients would use (see [`Proxies`]). Requests without TLS ([`Cleartext`]) stay on the node, or
//! on a network that the operator trusts, so they never use a proxy. Every request is safe to retry: it reads, mints,
//! or sets a secret to the same value again.

mod cleartext;
mod error;
mod kind;
mod message;
mod proxy;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use reqwest::{Client, Url, redirect};
use rustls::RootCertStore;
use tokio::time::{sleep, timeout_at};
use zeroize::Zeroizing;

use crate::tls;
pub use cleartext::Cleartext;
pub use error::HttpError;
pub use kind::{Certificate, Kind};
pub use message::{Pieces, Request, Response};
pub(crate) use message::{basic, bearer, percent_encoded};
pub use proxy::{Proxies, Proxy, ProxyName};

/// A client for the requests of one command.
#[derive(Clone, Debug)]
pub struct Http {
    /// The client for TLS. Made on first use, because it reads the list of authorities, and once for all clones, which
    /// share its connections.
    far: Arc<OnceLock<Far>>,
    /// The client for plain HTTP, without a proxy.
    near: Option<Client>,
    cleartext: Cleartext,
    deadline: Instant,
    extra: tls::Extra,
}

/// The client for TLS, and its proxies.
#[derive(Debug)]
struct Far {
    client: Client,
    proxies: Arc<Proxies>,
}

/// An answer whose head has arrived, and whose body is read as it arrives.
pub type Opened = hyper::Response<reqwest::Body>;

impl Http {
    /// A client that gives up on answers a little before the deadline, which leaves time to report who did not answer.
    pub fn new(deadline: Instant, cleartext: Cleartext) -> Result<Self, HttpError> {
        let near = || {
            let client = Client::builder().no_proxy().tls_certs_only([]);
            build(client.connect_timeout(NEAR_CONNECT))
        };
        let is_used = cleartext != Cleartext::Never;
        Ok(Self {
            far: Arc::default(),
            near: is_used.then(near).transpose()?,
            cleartext,
            deadline: before(deadline),
            extra: tls::Extra::default(),
        })
    }

    /// The same client with additional authorities and client certificates.
    pub fn with(self, extra: tls::Extra) -> Self {
        Self { extra, ..self }
    }

    /// The same client and its connections, with another deadline.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Self {
        Self {
            deadline: before(deadline),
            ..self.clone()
        }
    }

    /// Sends a request, and sends it again if the server has just closed a kept connection. The deadline is for the
    /// answer's head; the body may take longer and be of any size.
    pub async fn open(&self, request: &Request) -> Result<Opened, HttpError> {
        match self.open_once(request).await {
            Err(fault) if fault.kind() == Kind::Closed => self.open_once(request).await,
            answer => answer,
        }
    }

    async fn open_once(&self, request: &Request) -> Result<Opened, HttpError> {
        let (client, prepared, whose) = self.prepare(request)?;
        timeout_at(self.deadline.into(), client.execute(prepared))
            .await
            .map_err(|_| Kind::Timeout)
            .and_then(|answer| answer.map_err(|error| Kind::of(&error, Kind::Closed)))
            .map(Into::into)
            .map_err(|kind| whose.fault(kind))
    }

    /// Sends a request and returns the answer, whatever its status. A temporary failure (429, some 5xx, a broken
    /// connection) is retried, after `Retry-After` if the deadline allows that.
    pub async fn send(&self, request: &Request) -> Result<Response, HttpError> {
        self.send_into(request, None).await
    }

    /// The same for a large answer: on success, `pieces` gets its body piece by piece.
    pub async fn stream(
        &self,
        request: &Request,
        pieces: &mut dyn Pieces,
    ) -> Result<Response, HttpError> {
        self.send_into(request, Some(pieces)).await
    }

    async fn send_into(
        &self,
        request: &Request,
        mut pieces: Option<&mut (dyn Pieces + '_)>,
    ) -> Result<Response, HttpError> {
        for pause in PAUSES {
            let outcome = self.send_once(request, pieces.as_deref_mut()).await;
            let asked = match &outcome {
                Ok(response) => response.worth_repeating_after(),
                Err(fault) => fault.may_pass_at_once().then_some(Duration::ZERO),
            };
            let Some(asked) = asked else { return outcome };
            let again = Instant::now().checked_add(asked.max(pause));
            let Some(again) = again.filter(|again| *again + ROOM < self.deadline) else {
                return outcome;
            };
            sleep(again.saturating_duration_since(Instant::now())).await;
        }
        self.send_once(request, pieces).await
    }

    async fn send_once(
        &self,
        request: &Request,
        pieces: Option<&mut (dyn Pieces + '_)>,
    ) -> Result<Response, HttpError> {
        let (client, prepared, whose) = self.prepare(request)?;
        timeout_at(self.deadline.into(), exchange(client, prepared, pieces))
            .await
            .unwrap_or(Err(Kind::Timeout))
            .map_err(|kind| whose.fault(kind))
    }

    fn prepare(
        &self,
        request: &Request,
    ) -> Result<(&Client, reqwest::Request, Asked<'_>), HttpError> {
        let url = Url::parse(&request.url).map_err(|_| HttpError::new("", Kind::Request))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let (client, proxy) = self.client(&url)?;
        let prepared = request.prepare(client, url);
        let prepared = prepared.ok_or_else(|| HttpError::new(&host, Kind::Request))?;
        Ok((client, prepared, Asked { host, proxy }))
    }

    fn client(&self, url: &Url) -> Result<(&Client, Option<&Proxy>), HttpError> {
        let host = url.host_str().unwrap_or_default();
        match (url.scheme(), &self.near) {
            ("https", _) => {
                let far = self.far()?;
                let proxy = far
                    .proxies
                    .of_url(url)
                    .map_err(|name| HttpError::new(host, Kind::ProxySetting).through(Some(name)))?;
                Ok((&far.client, proxy))
            }
            ("http", Some(near)) if self.cleartext.allows(host) => Ok((near, None)),
            _ => Err(HttpError::new(host, Kind::Cleartext)),
        }
    }

    fn far(&self) -> Result<&Far, HttpError> {
        if let Some(far) = self.far.get() {
            return Ok(far);
        }
        let mut roots = match tls::roots() {
            Err(nobody) if nobody.refused.is_some() || self.extra.authorities.is_empty() => {
                return Err(HttpError::no_authorities(&nobody));
            }
            roots => roots.unwrap_or_else(|_| RootCertStore::empty()),
        };
        roots.add_parsable_certificates(self.extra.authorities.iter().cloned());
        let mut config = tls::client(roots, &[b"h2", b"http/1.1"])
            .map_err(|_| HttpError::new("", Kind::Authorities))?;
        if !self.extra.identities.is_empty() {
            config.client_auth_cert_resolver = Arc::new(self.extra.clone());
        }
        let proxies = Arc::new(Proxies::named());
        let chosen = Arc::clone(&proxies);
        let through = move |url: &Url| {
            let proxy = chosen.of_url(url).ok().flatten();
            proxy.map(|proxy| proxy.url().to_owned())
        };
        let client = build(
            Client::builder()
                .https_only(true)
                .proxy(reqwest::Proxy::custom(through))
                .tls_backend_preconfigured(config),
        )?;
        Ok(self.far.get_or_init(|| Far { client, proxies }))
    }
}

/// The server that is asked, for error messages.
struct Asked<'a> {
    host: String,
    proxy: Option<&'a Proxy>,
}

impl Asked<'_> {
    fn fault(&self, kind: Kind) -> HttpError {
        HttpError::new(&self.host, kind).through(self.proxy.map(Proxy::name))
    }
}

fn build(builder: reqwest::ClientBuilder) -> Result<Client, HttpError> {
    let agent = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
    let builder = builder
        .redirect(redirect::Policy::none())
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(2 * STREAM_WINDOW)
        .retry(reqwest::retry::never())
        .user_agent(agent);
    builder
        .build()
        .map_err(|_| HttpError::new("", Kind::Authorities))
}

async fn exchange(
    client: &Client,
    request: reqwest::Request,
    pieces: Option<&mut (dyn Pieces + '_)>,
) -> Result<Response, Kind> {
    let mut answer = client
        .execute(request)
        .await
        .map_err(|error| Kind::of(&error, Kind::Closed))?;
    let mut pieces = pieces.filter(|_| answer.status().is_success());
    let (max, announced) = (
        if pieces.is_some() {
            MAX_STREAM
        } else {
            MAX_BODY
        },
        answer.content_length(),
    );
    if announced.is_some_and(|announced| announced > max) {
        return Err(Kind::TooLarge(max));
    }
    let kept = if pieces.is_some() {
        0
    } else {
        announced.unwrap_or_default()
    };
    // Allocated in full at the start, so that growing does not leave copies of secrets in memory.
    let mut body = Zeroizing::new(Vec::with_capacity(
        usize::try_from(kept).unwrap_or_default(),
    ));
    if let Some(pieces) = &mut pieces {
        pieces.begin();
    }
    let mut taken = 0;
    while let Some(chunk) = answer
        .chunk()
        .await
        .map_err(|error| Kind::of(&error, Kind::Truncated))?
    {
        taken += chunk.len() as u64;
        if taken > max {
            return Err(Kind::TooLarge(max));
        }
        match &mut pieces {
            Some(pieces) => pieces.take(&chunk),
            None => body.extend_from_slice(&chunk),
        }
    }
    Ok(Response {
        status: answer.status().as_u16(),
        headers: std::mem::take(answer.headers_mut()),
        body,
    })
}

/// A little before a deadline, which leaves time to report who missed it.
fn before(deadline: Instant) -> Instant {
    deadline.checked_sub(LAST_WORDS).unwrap_or(deadline)
}

/// In bytes. Real answers are less than a fiftieth of this.
const MAX_BODY: u64 = 1 << 20;
/// In bytes. Streamed answers are lists, and no real workspace has one this long.
const MAX_STREAM: u64 = 64 << 20;
/// In bytes; what a server may send before this process has read it, which bounds the memory that a blob takes in `mirror`.
const STREAM_WINDOW: u32 = 1 << 20;
/// The minimum wait before the first and second retry.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];
/// No retry starts with less time left than this.
const ROOM: Duration = Duration::from_millis(500);
/// The time kept back before the deadline to report who missed it.
const LAST_WORDS: Duration = Duration::from_millis(250);
/// A server on the node accepts a connection at once or isn't running.
const NEAR_CONNECT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
