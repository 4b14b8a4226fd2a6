//! `Call`: requests to the gateway over one connection, within the deadline. Each is retried at most once.

use std::cell::Cell;
use std::error::Error as StdError;
use std::io;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout_at};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, ConnectError, Status};
use zeroize::Zeroizing;

use super::address::Address;
use super::errors::Trouble;
use super::http_status::{HttpStatus, Proxied};
use super::message::{Request, Wire};
use crate::credential::Redacted;
use crate::http::{HttpError, Kind};
use crate::tls;

/// The address, the token and the deadline.
pub(super) struct Call<'a> {
    pub(super) address: &'a Address,
    token: &'a Redacted,
    deadline: Instant,
    /// The open connection, if it has answered before.
    open: Cell<Option<Channel>>,
}

impl<'a> Call<'a> {
    /// Opens nothing yet.
    pub(super) fn new(address: &'a Address, token: &'a Redacted, deadline: Instant) -> Self {
        Self {
            address,
            token,
            deadline,
            open: Cell::default(),
        }
    }

    /// Sends a request. A temporary failure (a restart, a broken connection) is retried once.
    pub(super) async fn make(&self, request: &Request) -> Result<Redacted, Trouble> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let end = self
            .deadline
            .checked_sub(LAST_WORDS.min(left / 10))
            .unwrap_or(self.deadline);
        let both = async {
            let first = self.once(request).await;
            let passing = first.as_ref().is_err_and(Trouble::may_pass_at_once);
            if !passing || Instant::now() + PAUSE + ROOM > end {
                return first;
            }
            sleep(PAUSE).await;
            self.once(request).await
        };
        timeout_at(end.into(), both)
            .await
            .unwrap_or_else(|_| Err(self.fault(Kind::Timeout)))
    }

    async fn once(&self, request: &Request) -> Result<Redacted, Trouble> {
        if self.token.is_empty() {
            return Err(Trouble::Token);
        }
        let mut request = tonic::Request::new(request.clone());
        let bearer = Zeroizing::new(format!("Bearer {}", self.token.expose()));
        let mut bearer = MetadataValue::try_from(bearer.as_str()).map_err(|_| Trouble::Token)?;
        bearer.set_sensitive(true);
        request.metadata_mut().insert("authorization", bearer);
        let channel = self.open.take().map_or_else(|| self.channel(), Ok)?;
        let mut gateway = Grpc::new(Proxied(channel.clone())).max_decoding_message_size(MAX_ANSWER);
        gateway
            .ready()
            .await
            .map_err(|error| self.broken(&*error))?;
        let answer = gateway
            .unary(request, PathAndQuery::from_static(METHOD), Wire)
            .await;
        let vended = answer
            .map_err(|status| self.status(&status))?
            .into_inner()?;
        self.open.set(Some(channel));
        Ok(vended)
    }

    /// A channel that connects on first use. One that connects at once may reconnect before the request.
    fn channel(&self) -> Result<Channel, Trouble> {
        let unusable = |_| self.fault(Kind::Request);
        let mut endpoint = Endpoint::from_shared(self.address.url())
            .and_then(|endpoint| endpoint.user_agent(AGENT))
            .map_err(unusable)?
            .connect_timeout(CONNECT);
        if self.address.is_tls() {
            let roots = tls::roots()
                .map_err(|nobody| Trouble::Connection(HttpError::no_authorities(&nobody)))?
                .roots;
            let tls = ClientTlsConfig::new()
                .trust_anchors(roots)
                .domain_name(self.address.server_name());
            endpoint = endpoint
                .tls_config(tls)
                .map_err(|_| self.fault(Kind::Authorities))?;
        }
        Ok(endpoint.connect_lazy())
    }

    /// Classifies a status. The gateway's own has no source; a proxy's answer or a broken connection has one.
    fn status(&self, status: &Status) -> Trouble {
        let Some(below) = status.source() else {
            return match status.code() {
                // The only status that our own library makes: the answer exceeds the limit.
                Code::OutOfRange => self.fault(Kind::TooLarge(MAX_ANSWER as u64)),
                code => Trouble::Status(code),
            };
        };
        if let Some(proxy) = find::<HttpStatus>(below) {
            return Trouble::Status(proxy.code());
        }
        match find::<ConnectError>(below) {
            Some(error) => self.unreached(error),
            None => self.broken(below),
        }
    }

    /// Classifies a failed connection attempt.
    fn unreached(&self, error: &ConnectError) -> Trouble {
        let kind = Kind::below(error).unwrap_or_else(|| match find::<io::Error>(error) {
            Some(error) if is_cut(error.kind()) => Kind::Closed,
            // Only name look-up errors have no operating system error code here.
            Some(error) if error.raw_os_error().is_none() => Kind::Unresolvable,
            _ if self.address.is_tls() => Kind::Tls,
            _ => Kind::Closed,
        });
        self.fault(kind)
    }

    /// Classifies a connection that broke during the answer.
    fn broken(&self, error: &(dyn StdError + 'static)) -> Trouble {
        self.fault(Kind::below(error).unwrap_or(Kind::Closed))
    }

    fn fault(&self, kind: Kind) -> Trouble {
        Trouble::Connection(HttpError::new(&self.address.to_string(), kind))
    }
}

impl Trouble {
    fn may_pass_at_once(&self) -> bool {
        match self {
            Self::Connection(fault) => {
                matches!(fault.kind(), Kind::Refused | Kind::Closed | Kind::Truncated)
            }
            Self::Status(code) => *code == Code::Unavailable,
            Self::Unreadable | Self::Token | Self::Refused => false,
        }
    }
}

fn is_cut(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(
        kind,
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
    )
}

/// The first error of type `E` in the chain of causes.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

const METHOD: &str = "/WorkerRepositoryService/GetCacheOriginCredentials";
const AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
/// In bytes. Real blobs are less than a tenth of this.
const MAX_ANSWER: usize = 1 << 20;
/// A gateway that has not accepted the connection by then is considered down.
const CONNECT: Duration = Duration::from_secs(5);
/// The wait before the retry.
const PAUSE: Duration = Duration::from_millis(200);
/// No retry starts with less time left than this.
const ROOM: Duration = Duration::from_millis(500);
/// The time kept back before the deadline to report who missed it.
const LAST_WORDS: Duration = Duration::from_millis(250);
