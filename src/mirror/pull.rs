//! `Pull`: one request to a registry with its credential, and the answer for the client.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, LINK, LOCATION, RANGE, RETRY_AFTER,
    TRANSFER_ENCODING, USER_AGENT,
};
use hyper::{HeaderMap, Method, StatusCode};
use reqwest::Body;
use tokio::time::timeout_at;

use super::Mirror;
use super::errors::Refusal;
use super::logins::{Login, Outcome};
use super::path::{Kind, Part};
use crate::credential::Credential;
use crate::error::Error;
use crate::host::{Host, ImageRef, Scheme, ServerUrl};
use crate::http::{Http, Opened, Request};
use crate::resolver::Resolver;
use crate::trusted;
use crate::verify::{Certificates, MAX_REDIRECTS, Question, Verdict, is_redirect, origin, target};

/// A client's request for something in a repository.
pub(super) struct Pull<'a> {
    mirror: &'a Mirror,
    part: &'a Part,
    image: ImageRef,
    head_only: bool,
    headers: Vec<(HeaderName, String)>,
    deadline: Instant,
}

impl<'a> Pull<'a> {
    pub(super) fn new<B>(
        mirror: &'a Mirror,
        host: &Host,
        part: &'a Part,
        request: &hyper::Request<B>,
    ) -> Self {
        let suffix = match part.kind {
            Kind::Manifest if part.reference.contains(':') => format!("@{}", part.reference),
            Kind::Manifest => format!(":{}", part.reference),
            Kind::Blob | Kind::Referrers => String::new(),
        };
        Self {
            mirror,
            part,
            image: ImageRef {
                host: host.clone(),
                spelling: host.as_reference().to_owned(),
                repository: part.repository.clone(),
                suffix,
            },
            head_only: request.method() == Method::HEAD,
            headers: passed_up(request.headers()),
            deadline: Instant::now() + FIRST_BYTE,
        }
    }

    /// The answer, or why there is none.
    pub(super) async fn answer(&self) -> Result<Opened, Refusal> {
        let late = |_| Err(Refusal::late(&self.image.host));
        let answer = timeout_at(self.deadline.into(), self.ask())
            .await
            .unwrap_or_else(late);
        if let Err(refusal) = &answer {
            self.mirror.tell(&refusal.line);
        }
        answer
    }

    async fn ask(&self) -> Result<Opened, Refusal> {
        let key = (
            self.image.host.as_str().to_owned(),
            self.image.repository.clone(),
        );
        let logins = &self.mirror.logins;
        let mut is_last = false;
        loop {
            let login = logins.of(&key, self.log_in()).await?;
            let (answer, to) = self.fetch(&login).await?;
            if answer.status() != StatusCode::UNAUTHORIZED {
                return Ok(passed_down(answer, to));
            }
            logins.forget(&key, &login).await;
            if is_last {
                let verdict = if login.known {
                    Verdict::WrongCredential(401)
                } else {
                    Verdict::NeedsCredential(401)
                };
                return Err(self.refused(&verdict));
            }
            is_last = true;
        }
    }

    async fn log_in(&self) -> Outcome {
        match self.try_log_in().await {
            Ok((login, life)) => (Ok(Arc::new(login)), life),
            Err(refusal) => (Err(refusal), SHORT),
        }
    }

    async fn try_log_in(&self) -> Result<(Login, Duration), Refusal> {
        let credential = self.credential().await?;
        let question = Question {
            image: &self.image,
            credential: credential.as_ref(),
            token_hosts: &self.mirror.token_hosts,
            // The HTTP client already has the certificates.
            certificates: &Certificates::default(),
            deadline: self.deadline,
            log: self.mirror.env.log(),
        };
        let pass = question.pass(self.client()?).await;
        let pass = pass.map_err(|report| self.refused(&report.verdict))?;
        let life = match (pass.life, &credential) {
            (Some(life), _) => life.saturating_sub(BEFORE_END),
            (None, Some(_)) => LONG,
            (None, None) => SHORT,
        };
        let login = Login {
            base: pass.base,
            shown: pass.shown,
            known: credential.is_some(),
        };
        Ok((login, life))
    }

    /// The credential for the repository, looked up as by `get`; `None` if there is none.
    async fn credential(&self) -> Result<Option<Credential>, Refusal> {
        let (env, host) = (self.mirror.env.clone(), self.image.host.clone());
        let url = ServerUrl::Registry {
            host: host.clone(),
            scheme: Scheme::Https,
            path: self.image.repository.clone(),
        };
        // The resolver blocks on its stores, with a runtime of its own.
        let looked_up = tokio::task::spawn_blocking(move || {
            let looked_up = Resolver::of(&env).map(|resolver| {
                let name = Some(host.as_reference());
                let found = resolver.audited("mirror", name, |resolver| resolver.get(&url));
                (found, resolver.warnings())
            });
            // The thread lives on, and the next look-up checks all paths again.
            trusted::forget();
            looked_up
        });
        let error = |error| Refusal::error(&self.image.host, error);
        let Ok(looked_up) = looked_up.await else {
            return Err(Refusal::late(&self.image.host));
        };
        let (found, warnings) = looked_up.map_err(error)?;
        for warning in warnings {
            self.mirror.tell(&warning);
        }
        match found {
            Ok(credential) => Ok(Some(credential)),
            Err(Error::NotFound) => Ok(None),
            Err(other) => Err(error(other)),
        }
    }

    fn client(&self) -> Result<Http, Refusal> {
        Ok(self.mirror.client(&self.image)?.until(self.deadline))
    }

    /// Sends the request to the registry and follows redirects, never with the credential to another host. The second
    /// result is the URL where the client itself should fetch a blob.
    async fn fetch(&self, login: &Login) -> Result<(Opened, Option<String>), Refusal> {
        let http = self.client()?;
        let log = self.mirror.env.log();
        let mut url = format!("{}{}", login.base, self.part.path);
        for _ in 0..=MAX_REDIRECTS {
            let mut request = if self.head_only {
                Request::head(url.clone())
            } else {
                Request::get(url.clone())
            };
            for (name, value) in &self.headers {
                request = request.header(name.as_str(), value.as_str());
            }
            let is_registry = origin(&url) == Some(login.base.as_str());
            if let Some(shown) = login.shown.as_ref().filter(|_| is_registry) {
                request = request.header("authorization", shown.clone());
            }
            let step = log.step();
            let answer = http.open(&request).await;
            let said = answer.as_ref().map_or_else(ToString::to_string, |answer| {
                answer.status().as_str().to_owned()
            });
            log.done(
                step,
                format_args!("registry: {} {}: {said}", request.method(), request.place()),
            );
            let answer = answer.map_err(|fault| self.refused(&fault.into()))?;
            // Nobody asked for another protocol.
            if answer.status().is_informational() {
                return Err(self.refused(&Verdict::Failed(answer.status().as_u16())));
            }
            if !is_redirect(answer.status().as_u16()) {
                // A 401 from another host is not about our login.
                return if answer.status() == StatusCode::UNAUTHORIZED && !is_registry {
                    Err(self.refused(&Verdict::Redirected))
                } else {
                    Ok((answer, None))
                };
            }
            let to = answer.headers().get(LOCATION);
            let to = to.and_then(|to| target(&url, to.to_str().ok()?));
            url = to.ok_or_else(|| self.refused(&Verdict::Redirected))?;
            let is_elsewhere = url.starts_with("https://") && origin(&url) != Some(&login.base);
            if self.part.kind == Kind::Blob && is_elsewhere && !self.mirror.stream {
                return Ok((answer, Some(url)));
            }
        }
        Err(self.refused(&Verdict::Redirected))
    }

    fn refused(&self, verdict: &Verdict) -> Refusal {
        Refusal::verdict(&self.image, verdict)
    }
}

/// The request headers that are passed to the registry. A client's own credential is not; the node's is sent instead.
fn passed_up(headers: &HeaderMap) -> Vec<(HeaderName, String)> {
    let mut passed = Vec::new();
    for name in UP {
        let values = headers.get_all(&name).iter();
        let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
        if !values.is_empty() {
            let value = values.join(", ");
            passed.push((name, value));
        }
    }
    passed
}

/// The answer for the client, without headers that would make it send a credential.
fn passed_down(answer: Opened, to: Option<String>) -> Opened {
    let (head, body) = answer.into_parts();
    // A redirect's body only repeats the URL for people.
    let body = if to.is_some() { Body::from("") } else { body };
    let mut passed = Opened::new(body);
    *passed.status_mut() = head.status;
    // Of two lengths the one that counts is in the body itself.
    let in_chunks = head.headers.contains_key(TRANSFER_ENCODING);
    for name in DOWN {
        let is_bodys = name.as_str().starts_with("content-");
        let is_wrong = in_chunks && name == CONTENT_LENGTH;
        for value in head.headers.get_all(&name) {
            if !(is_bodys && to.is_some() || is_wrong) {
                passed.headers_mut().append(name.clone(), value.clone());
            }
        }
    }
    if let Some(to) = to.and_then(|to| HeaderValue::try_from(to).ok()) {
        passed.headers_mut().insert(LOCATION, to);
    }
    passed
}

const UP: [HeaderName; 5] = [ACCEPT, ACCEPT_ENCODING, RANGE, IF_NONE_MATCH, USER_AGENT];
const DOWN: [HeaderName; 10] = [
    CONTENT_TYPE,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_ENCODING,
    ACCEPT_RANGES,
    HeaderName::from_static("docker-content-digest"),
    ETAG,
    RETRY_AFTER,
    LINK,
    HeaderName::from_static("oci-filters-applied"),
];
/// Clients wait for half a minute or forever.
const FIRST_BYTE: Duration = Duration::from_secs(29);
/// How long before its expiry a token is no longer used.
const BEFORE_END: Duration = Duration::from_secs(30);
/// How long a credential that is sent as it is stays cached.
const LONG: Duration = Duration::from_mins(1);
/// How long a failure or a miss is cached, as elsewhere in the program.
const SHORT: Duration = Duration::from_secs(5);
