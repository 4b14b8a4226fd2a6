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

use hyper::header::{ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use hyper::{HeaderMap, Method, Request, StatusCode};
use reqwest::Body;
use serde::Serialize;
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
use crate::host::Host;
use crate::http::{Cleartext, Http, HttpError, Opened};
use crate::trusted::FileError;
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
            let mut answer = bare(StatusCode::BAD_REQUEST);
            let close = hyper::header::HeaderValue::from_static("close");
            answer.headers_mut().insert(CONNECTION, close);
            return answer;
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let mut answer = bare(StatusCode::METHOD_NOT_ALLOWED);
            let allowed = hyper::header::HeaderValue::from_static("GET, HEAD");
            answer.headers_mut().insert(ALLOW, allowed);
            return answer;
        }
        let uri = request.uri();
        let (host, part) = match Asked::parse(uri.path(), uri.query()) {
            Ok(Asked { host, part }) if uri.authority().is_none() => (host, part),
            Ok(_) => return bare(StatusCode::NOT_FOUND),
            Err(status) => return bare(status),
        };
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
            (Ok(()), None) => Ok(json(StatusCode::OK, "{}".to_owned())),
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
    fn client(&self, host: &Host) -> Result<Http, NoClient> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        clients.retain(|_, (_, end)| now < *end);
        if let Some((http, _)) = clients.get(host) {
            return Ok(http.clone());
        }
        let certificates = CertDirs::of(&self.env).read(host.as_reference())?;
        let http = Http::new(now, Cleartext::Loopback)?.with(certificates.extra);
        if clients.len() < MOST_CLIENTS {
            clients.insert(host.clone(), (http.clone(), now + CLIENT_LIFE));
        }
        Ok(http)
    }
}

/// Why there is no client.
enum NoClient {
    File(FileError),
    Http(HttpError),
}

impl From<FileError> for NoClient {
    fn from(fault: FileError) -> Self {
        Self::File(fault)
    }
}

impl From<HttpError> for NoClient {
    fn from(fault: HttpError) -> Self {
        Self::Http(fault)
    }
}

fn has_body(headers: &HeaderMap) -> bool {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    headers.contains_key(TRANSFER_ENCODING) || lengths.any(|length| length != "0")
}

fn bare(status: StatusCode) -> Opened {
    let mut answer = Opened::new(Body::from(""));
    *answer.status_mut() = status;
    answer
}

fn json(status: StatusCode, text: String) -> Opened {
    let mut answer = Opened::new(Body::from(text));
    *answer.status_mut() = status;
    let form = hyper::header::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, form);
    answer
}

/// A refusal in the format of the OCI distribution specification. containerd 2.3 and later show its message.
fn refused(refusal: &Refusal) -> Opened {
    let code = if refusal.status == StatusCode::FORBIDDEN {
        "DENIED"
    } else {
        "UNAVAILABLE"
    };
    let message = &refusal.line;
    let errors = [Told { code, message }];
    // Serializing strings cannot fail.
    let text = serde_json::to_string(&Errors { errors }).unwrap_or_default();
    json(refusal.status, text)
}

#[derive(Serialize)]
struct Errors<'a> {
    errors: [Told<'a>; 1],
}

#[derive(Serialize)]
struct Told<'a> {
    code: &'static str,
    message: &'a str,
}

/// The directory of the certificates and the list of hosts.
pub(crate) const DIR: &str = "/etc/beta9/mirror";
/// The address on which beta9-mirror.socket listens.
pub(crate) const ADDRESS: &str = "127.0.0.1:9185";
const CLIENT_LIFE: Duration = Duration::from_mins(10);
/// Limited because each client holds its own list of authorities.
const MOST_CLIENTS: usize = 16;
