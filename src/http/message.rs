//! `Request` and `Response`.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, Url};
use zeroize::Zeroizing;

use crate::credential::Redacted;

/// A request. Its headers and body count as secret.
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    pub(super) url: String,
    headers: Vec<(String, Redacted)>,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    Empty,
    Form(Vec<(&'static str, Redacted)>),
    Text(Redacted),
}

impl Request {
    /// A GET request.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::GET, url.into())
    }

    /// A HEAD request.
    pub fn head(url: impl Into<String>) -> Self {
        Self::new(Method::HEAD, url.into())
    }

    /// A POST request.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new(Method::POST, url.into())
    }

    /// A PATCH request.
    pub fn patch(url: impl Into<String>) -> Self {
        Self::new(Method::PATCH, url.into())
    }

    /// A DELETE request.
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new(Method::DELETE, url.into())
    }

    fn new(method: Method, url: String) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: Body::Empty,
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: impl Into<Redacted>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a bearer token.
    pub fn bearer(self, token: &Redacted) -> Self {
        self.header("authorization", bearer(token))
    }

    /// Adds a user name and a password.
    pub fn basic(self, username: &str, secret: &Redacted) -> Self {
        self.header("authorization", basic(username, secret))
    }

    /// Sets the body to a form.
    pub fn form(mut self, fields: impl IntoIterator<Item = (&'static str, Redacted)>) -> Self {
        self.body = Body::Form(fields.into_iter().collect());
        self
    }

    /// Sets the body to JSON.
    pub fn json(self, text: Redacted) -> Self {
        self.header(CONTENT_TYPE.as_str(), "application/json")
            .text(text)
    }

    /// Sets the body to a text; its type must be set in a header.
    pub fn text(mut self, text: Redacted) -> Self {
        self.body = Body::Text(text);
        self
    }

    /// The method.
    pub fn method(&self) -> &str {
        self.method.as_str()
    }

    /// The URL without its query, which may contain secrets.
    pub fn place(&self) -> &str {
        self.url.split(['?', '#']).next().unwrap_or_default()
    }

    /// Builds the client's request; `None` if a header's value is invalid.
    pub(super) fn prepare(&self, client: &Client, url: Url) -> Option<reqwest::Request> {
        let mut builder = client.request(self.method.clone(), url);
        for (name, value) in &self.headers {
            let mut value = HeaderValue::from_str(value.expose()).ok()?;
            value.set_sensitive(true);
            builder = builder.header(name, value);
        }
        match &self.body {
            Body::Empty => builder,
            Body::Form(fields) => builder.form(
                &fields
                    .iter()
                    .map(|(name, value)| (*name, value.expose()))
                    .collect::<Vec<_>>(),
            ),
            Body::Text(text) => builder.body(text.expose().to_owned()),
        }
        .build()
        .ok()
    }
}

/// The `Authorization` header for a user name and a password.
pub(crate) fn basic(username: &str, secret: &Redacted) -> Redacted {
    let pair = Zeroizing::new(format!("{username}:{}", secret.expose()));
    format!("Basic {}", STANDARD.encode(pair.as_bytes())).into()
}

/// A text for a URL, with `also` left as it is.
pub(crate) fn percent_encoded(text: &str, also: &[u8]) -> String {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || also.contains(&byte);
    let encoded = text.bytes().map(|byte| match byte {
        byte if is_plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    encoded.collect()
}

/// The `Authorization` header for a token.
pub(crate) fn bearer(token: &Redacted) -> Redacted {
    format!("Bearer {}", token.expose()).into()
}

/// Receives a body piece by piece.
pub trait Pieces: Send {
    /// A body begins. Pieces of an earlier, interrupted one don't count.
    fn begin(&mut self);
    /// Takes the next piece.
    fn take(&mut self, piece: &[u8]);
}

/// An answer of any status, read completely.
pub struct Response {
    /// The status.
    pub status: u16,
    /// The body, which may contain tokens or text from anyone, so it must never be quoted. Empty if it went to
    /// [`Pieces`].
    pub body: Zeroizing<Vec<u8>>,
    pub(super) headers: HeaderMap,
}

impl Response {
    /// Whether the status is a success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All headers of this name.
    pub fn headers<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.headers
            .get_all(name)
            .into_iter()
            .filter_map(|value| value.to_str().ok())
    }

    /// Whether the content type is JSON, unlike a captive portal's page.
    pub fn is_json(&self) -> bool {
        let media_type = self.header(CONTENT_TYPE.as_str()).unwrap_or_default();
        let media_type = media_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        media_type == "application/json"
            || media_type.starts_with("application/") && media_type.ends_with("+json")
    }

    /// The `Retry-After` in seconds; `None` if it is missing or a date.
    pub fn retry_after(&self) -> Option<Duration> {
        self.header(RETRY_AFTER.as_str())?
            .trim()
            .parse()
            .ok()
            .map(Duration::from_secs)
    }

    /// The server's `Date`.
    pub fn date(&self) -> Option<SystemTime> {
        DateTime::from_str(self.header(DATE.as_str())?, Format::HttpDate)
            .ok()?
            .try_into()
            .ok()
    }

    /// How long to wait before a retry; `None` if a retry is pointless.
    pub(super) fn worth_repeating_after(&self) -> Option<Duration> {
        REPEATED
            .contains(&self.status)
            .then(|| self.retry_after().unwrap_or_default())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Statuses to retry: too many requests, and temporary failures of a server or gateway.
const REPEATED: [u16; 5] = [429, 500, 502, 503, 504];
