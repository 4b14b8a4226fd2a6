//! The mirror: a registry on this node's loopback that containerd asks in the place of others, since it runs no credential helper. It
//! asks the resolver for the credential, shows it to the registry that is asked for, and to nobody else, and hands the answer back.
//!
//! | module | what lives there |
//! |---|---|
//! | `server` | connections: TLS, limits, the end |
//! | `path` | what may be asked for |
//! | `hosts` | the registries that may be asked |
//! | `pull` | one request to the registry, and its answer |
//! | `logins` | what is shown to which registry, in memory |
//! | `certificates` | the mirror's own, and its one client's |

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

/// What one process answers by.
pub(crate) struct Mirror {
    /// Where the configuration and the stores are found, by which each credential is looked up.
    env: Env,
    /// The directory of the certificates and of the list of hosts.
    dir: PathBuf,
    /// Whether blobs are fetched here where the registry redirects to another place.
    pub(crate) stream: bool,
    /// Token servers that the operator vouches for.
    pub(crate) token_hosts: Vec<Host>,
    logins: Logins,
    clients: Mutex<HashMap<Host, (Http, Instant)>>,
    log: Sender<String>,
}

impl Mirror {
    /// One that sends what the operator should know to `log`.
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

    /// Tells the operator. Of more than can be written some are left out.
    fn tell(&self, line: &str) {
        _ = self.log.try_send(line.to_owned());
    }

    /// The client for a registry, which trusts and shows what certs.d has for it. It is made again now and then, since
    /// authorities change.
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

/// A refusal in the form of the OCI's distribution specification, of which containerd from 2.3 on shows the message.
fn refused(refusal: &Refusal) -> Opened {
    let code = if refusal.status == StatusCode::FORBIDDEN {
        "DENIED"
    } else {
        "UNAVAILABLE"
    };
    let message = &refusal.line;
    let errors = [Told { code, message }];
    // Texts can always be written.
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

/// Where the certificates and the list of hosts are.
pub(crate) const DIR: &str = "/etc/beta9/mirror";
/// Where the socket of beta9-mirror.socket listens.
pub(crate) const ADDRESS: &str = "127.0.0.1:9185";
const CLIENT_LIFE: Duration = Duration::from_mins(10);
/// Each has its list of authorities.
const MOST_CLIENTS: usize = 16;
