//! The mirror: a registry on this node's loopback that containerd asks instead of the real ones, because containerd
//! never runs credential helpers. It gets the credential from the resolver, sends it only to the requested registry,
//! and returns the registry's answer.
//!
//! | module | contents |
//! |---|---|
//! | `server` | connections: TLS, limits, shutdown |
//! | `path` | which requests are allowed |
//! | `hosts` | which registries are allowed |
//! | `pull` | one request to the registry, and its answer |
//! | `logins` | credentials and tokens for the registries, in memory |
//! | `certificates` | the certificates of the mirror and of its only client |

mod certificates;
mod errors;
mod hosts;
mod logins;
mod path;
mod pull;
mod server;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use hyper::{HeaderMap, Method, Request, StatusCode};
use reqwest::Body;
use serde_json::json;
use tokio::sync::mpsc::Sender;

pub(crate) use self::certificates::{FILES, is_good, make, server as tls};
pub(crate) use self::errors::MirrorError;
use self::errors::Refusal;
pub(crate) use self::hosts::{Hosts, NAME as HOSTS};
use self::logins::Logins;
use self::path::Asked;
use self::pull::Pull;
pub(crate) use self::server::{Limits, serve};
use crate::config::Env;
use crate::host::{Host, ImageRef};
use crate::http::{Cleartext, Http, Opened};
use crate::trusted;
use crate::verify::CertDirs;

/// The state of one mirror process.
pub(crate) struct Mirror {
    /// The environment in which each credential is looked up.
    env: Env,
    /// The directory with the certificates and the list of hosts.
    dir: PathBuf,
    /// Whether the mirror follows a registry's redirects to fetch blobs itself.
    pub(crate) stream: bool,
    /// Token servers that the operator trusts.
    pub(crate) token_hosts: Vec<Host>,
    logins: Logins,
    clients: Mutex<HashMap<Host, (Http, Instant)>>,
    log: Sender<String>,
}

impl Mirror {
    /// A mirror that sends messages for the operator to `log`.
    pub(crate) fn new(env: &Env, dir: PathBuf, log: Sender<String>) -> Self {
        Self {
            env: env.clone(),
            dir,
            stream: false,
            token_hosts: Vec::new(),
            logins: Logins::default(),
            clients: Mutex::default(),
            log,
        }
    }

    /// Answers a request.
    async fn answer<B>(&self, request: Request<B>) -> Opened {
        if has_body(request.headers()) {
            return answer(StatusCode::BAD_REQUEST, Some((CONNECTION, "close")), "");
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let allowed = Some((ALLOW, "GET, HEAD"));
            return answer(StatusCode::METHOD_NOT_ALLOWED, allowed, "");
        }
        let uri = request.uri();
        let (host, part) = match Asked::parse(uri.path(), uri.query()) {
            Ok(Asked { host, part }) if uri.authority().is_none() => (host, part),
            Ok(_) => return answer(StatusCode::NOT_FOUND, None, ""),
            Err(status) => return answer(status, None, ""),
        };
        // They may have been opened to others since the last request.
        trusted::forget_directories();
        let named = match Hosts::read(&self.dir) {
            Ok(hosts) if hosts.has(&host) => Ok(()),
            Ok(_) => Err(Refusal::not_named(&host)),
            Err(fault) => Err(Refusal::file(&host, fault)),
        };
        let done = match (named, part) {
            (Err(refusal), _) => {
                self.tell(&refusal.line);
                Err(refusal)
            }
            (Ok(()), None) => Ok(as_json(StatusCode::OK, "{}")),
            (Ok(()), Some(part)) => Pull::new(self, &host, &part, &request).answer().await,
        };
        done.unwrap_or_else(|refusal| refused(&refusal))
    }

    /// Sends a message to the operator. If they come faster than they are written, some are dropped.
    fn tell(&self, line: &str) {
        _ = self.log.try_send(line.to_owned());
    }

    /// The HTTP client for a registry, with the certificates that certs.d has for it. It is remade from time to time,
    /// because authorities change.
    fn client(&self, image: &ImageRef) -> Result<Http, Refusal> {
        let host = &image.host;
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        clients.retain(|_, (_, end)| now < *end);
        if let Some((http, _)) = clients.get(host) {
            return Ok(http.clone());
        }
        let certificates = CertDirs::of(&self.env).read(host.as_reference());
        let certificates = certificates.map_err(|fault| Refusal::file(host, fault))?;
        let http = Http::new(now, Cleartext::Loopback)
            .map_err(|fault| Refusal::verdict(image, &fault.into()))?
            .with(certificates.extra);
        if clients.len() < MOST_CLIENTS {
            clients.insert(host.clone(), (http.clone(), now + CLIENT_LIFE));
        }
        Ok(http)
    }
}

fn has_body(headers: &HeaderMap) -> bool {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    headers.contains_key(TRANSFER_ENCODING) || lengths.any(|length| length != "0")
}

fn answer(
    status: StatusCode,
    header: Option<(HeaderName, &'static str)>,
    body: impl Into<Body>,
) -> Opened {
    let mut answer = Opened::new(body.into());
    *answer.status_mut() = status;
    if let Some((name, value)) = header {
        let value = HeaderValue::from_static(value);
        answer.headers_mut().insert(name, value);
    }
    answer
}

fn as_json(status: StatusCode, text: impl Into<Body>) -> Opened {
    answer(status, Some((CONTENT_TYPE, "application/json")), text)
}

/// A refusal in the format of the OCI distribution specification. containerd 2.3 and later show its message.
fn refused(refusal: &Refusal) -> Opened {
    let code = if refusal.status == StatusCode::FORBIDDEN {
        "DENIED"
    } else {
        "UNAVAILABLE"
    };
    let errors = json!({ "errors": [{ "code": code, "message": refusal.line }] });
    as_json(refusal.status, errors.to_string())
}

/// The directory of the certificates and the list of hosts.
pub(crate) const DIR: &str = "/etc/beta9/mirror";
/// The address on which beta9-mirror.socket listens.
pub(crate) const ADDRESS: &str = "127.0.0.1:9185";
const CLIENT_LIFE: Duration = Duration::from_mins(10);
/// Limited because each client holds its own list of authorities.
const MOST_CLIENTS: usize = 16;
