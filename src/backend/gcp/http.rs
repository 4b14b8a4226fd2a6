//! One bounded question to a token endpoint: no redirect followed, no more than 64 KiB read, at most two more tries.

use std::error::Error as _;
use std::io;
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, redirect};
use zeroize::Zeroizing;

use super::PART;
use crate::error::{Error, Problem};
use crate::json::{self, Object};

/// A client and the time it has.
pub(super) struct Http {
    client: Client,
    deadline: Instant,
}

/// What an endpoint said, success or refusal.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Zeroizing<Vec<u8>>,
    /// The host that was asked, as errors name it.
    pub(super) host: String,
}

impl Http {
    /// A client of endpoints on the internet: TLS only, through the proxy that the environment names.
    pub(super) fn new(deadline: Instant) -> Result<Self, Error> {
        Self::build(deadline, Client::builder().https_only(true))
    }

    /// A client of this machine's own services, which no proxy can know.
    pub(super) fn local(deadline: Instant) -> Result<Self, Error> {
        Self::build(deadline, Client::builder().no_proxy().connect_timeout(LOCAL_CONNECT))
    }

    /// A client of this machine's own services with the time that this one has.
    pub(super) fn beside(&self) -> Result<Self, Error> {
        Self::build(self.deadline + HEADROOM, Client::builder().no_proxy().connect_timeout(LOCAL_CONNECT))
    }

    fn build(deadline: Instant, builder: reqwest::ClientBuilder) -> Result<Self, Error> {
        let client = builder.redirect(redirect::Policy::none()).user_agent(AGENT).build().map_err(|error| {
            Problem::new(PART, format_args!("no TLS client can be made ({})", innermost(&error)))
                .fix("install the system's CA certificates (ca-certificates), or name them in SSL_CERT_FILE")
                .failed()
        })?;
        // What hangs is told by the one who knows its name, before the clock of the whole login runs out.
        Ok(Self { client, deadline: deadline.checked_sub(HEADROOM).unwrap_or(deadline) })
    }

    /// How much time is left.
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Asks, and asks again twice at most where that may help and there is time.
    pub(super) async fn ask(
        &self,
        url: &str,
        request: impl Fn(&Client, Url) -> RequestBuilder,
    ) -> Result<Answer, Fault> {
        let url = Url::parse(url).map_err(|_| Fault::failed("an address in it", "is not a URL", "correct it"))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let mut pauses = PAUSES.iter();
        loop {
            let outcome = self.once(&host, request(&self.client, url.clone())).await;
            let (pause, fault) = match outcome {
                Ok(answer) if answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS => {
                    (answer.retry_after(), answer.unavailable())
                }
                Ok(answer) if answer.status.is_redirection() => return Err(answer.redirected()),
                Ok(answer) => return Ok(answer),
                Err(fault) if fault.passing => (None, fault),
                Err(fault) => return Err(fault),
            };
            let Some(next) = pauses.next() else { return Err(fault) };
            let pause = pause.unwrap_or(*next);
            if pause + LAST_TRY > self.left() {
                return Err(fault);
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn once(&self, host: &str, request: RequestBuilder) -> Result<Answer, Fault> {
        let mut response = request.timeout(self.left()).send().await.map_err(|error| Fault::of(host, &error))?;
        let body = read(host, &mut response).await?;
        Ok(Answer { status: response.status(), headers: response.headers().clone(), body, host: host.to_owned() })
    }
}

/// The body, as far as it may reach.
async fn read(host: &str, response: &mut Response) -> Result<Zeroizing<Vec<u8>>, Fault> {
    // All at once, so that nothing secret is left where the vector was before it grew.
    let mut body = Zeroizing::new(Vec::with_capacity(MAX_BODY));
    while let Some(chunk) = response.chunk().await.map_err(|error| Fault::of(host, &error))? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Fault::failed(host, "answered more than 64 KiB, which no token is", INTERFERENCE));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

impl Answer {
    /// The JSON object of a success.
    pub(super) fn object(&self) -> Result<Object, Fault> {
        if !self.is_json() {
            return Err(Fault::failed(&self.host, "answered something that is not JSON", INTERFERENCE));
        }
        json::parse_object(&self.body)
            .map_err(|_| Fault::failed(&self.host, "answered JSON that is damaged or no object", INTERFERENCE))
    }

    /// The JSON object of a refusal, or an empty one.
    pub(super) fn refusal(&self) -> Object {
        json::parse_object(&self.body).unwrap_or_default()
    }

    fn is_json(&self) -> bool {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    }

    fn retry_after(&self) -> Option<Duration> {
        self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
    }

    fn unavailable(&self) -> Fault {
        if self.status != StatusCode::TOO_MANY_REQUESTS {
            let what = format!("fails (status {})", self.status.as_u16());
            return Fault { away: true, ..Fault::failed(&self.host, &what, "try again; it is Google's to mend") };
        }
        let again = self.retry_after().map_or("later".to_owned(), |after| format!("in {} s", after.as_secs()));
        let fix = format!("try again {again}, and see who else asks for tokens with this identity");
        Fault { away: true, ..Fault::failed(&self.host, "throttles: too many requests (status 429)", &fix) }
    }

    fn redirected(&self) -> Fault {
        let what = format!("redirects to another place (status {}), which is not followed", self.status.as_u16());
        Fault::failed(&self.host, &what, INTERFERENCE)
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) cause: String,
    fix: String,
    /// Out of reach, rather than wrong.
    away: bool,
    /// Likely gone at the next try.
    passing: bool,
}

impl Fault {
    fn failed(who: &str, what: &str, fix: &str) -> Self {
        Self { cause: format!("{who} {what}"), fix: fix.to_owned(), away: false, passing: false }
    }

    fn of(host: &str, error: &reqwest::Error) -> Self {
        let away = |what: &str, passing: bool| Self {
            away: true,
            passing,
            ..Self::failed(host, what, "see whether this node reaches it (name service, firewall, HTTPS_PROXY)")
        };
        let chain = || std::iter::successors(error.source(), |&below| below.source());
        let refused = |below: &(dyn std::error::Error + 'static)| {
            below.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        };
        let innermost = innermost(error);
        if error.is_timeout() {
            away("did not answer in time", false)
        } else if chain().any(refused) {
            away("refuses connections", false)
        } else if chain().any(|below| below.to_string() == "dns error") {
            away("does not resolve", false)
        } else if innermost.contains("certificate") {
            let what = format!("shows a certificate that is not accepted ({innermost})");
            Self::failed(
                host,
                &what,
                "see whether a proxy stands before it, whose CA this node must trust, and its clock",
            )
        } else if error.is_connect() {
            away(&format!("cannot be reached ({innermost})"), true)
        } else {
            away("broke off before its answer was whole", true)
        }
    }

    /// The same, and what was tried before.
    pub(super) fn after(mut self, tried: &str, fix: &str) -> Self {
        self.cause = format!("{tried}{}", self.cause);
        fix.clone_into(&mut self.fix);
        self
    }

    pub(super) fn into_error(self) -> Error {
        let problem = Problem::new(PART, self.cause).fix(self.fix);
        if self.away { problem.unreachable() } else { problem.failed() }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        fault.into_error()
    }
}

/// What lies under all the layers that only repeat each other.
fn innermost(error: &reqwest::Error) -> String {
    std::iter::successors(error.source(), |&below| below.source()).last().map_or_else(String::new, ToString::to_string)
}

const AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
const INTERFERENCE: &str = "see whether a proxy or a sign-in page of the network answers in its place";
const MAX_BODY: usize = 64 << 10;
/// Waits before the second and the third try.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];
/// With less time than this no further try is begun.
const LAST_TRY: Duration = Duration::from_millis(500);
const HEADROOM: Duration = Duration::from_millis(400);
/// A neighbour on the same machine answers at once, or is not there.
const LOCAL_CONNECT: Duration = Duration::from_secs(2);
