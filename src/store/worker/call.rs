//! `Call`: one question to the gateway over one connection, ended by the deadline and repeated at most once.

use std::error::Error as StdError;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout_at};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Status};
use zeroize::Zeroizing;

use super::address::Address;
use super::message::{Request, Unreadable, Vended, Wire};
use crate::credential::Redacted;
use crate::http::{Fault, Kind};

/// Whom to ask, as whom, and until when.
pub(super) struct Call<'a> {
    pub(super) address: &'a Address,
    pub(super) token: &'a Redacted,
    pub(super) deadline: Instant,
}

/// Why nothing was answered.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The gateway was not reached, or broke off.
    Connection(Fault),
    /// The gateway answered this status. What it said with it is another program's text and is left behind here.
    Status(Code),
    /// The gateway answered something else than the message.
    Unreadable,
    /// The token cannot be sent.
    Token,
}

impl Call<'_> {
    /// Asks; what may pass in a moment (a restart, a connection that broke) is tried once more.
    pub(super) async fn make(&self, request: &Request) -> Result<Vended, Trouble> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let end = self.deadline.checked_sub(LAST_WORDS.min(left / 10)).unwrap_or(self.deadline);
        let both = async {
            let first = self.once(request).await;
            let passing = first.as_ref().is_err_and(Trouble::may_pass_at_once);
            if !passing || Instant::now() + PAUSE + ROOM > end {
                return first;
            }
            sleep(PAUSE).await;
            self.once(request).await
        };
        timeout_at(end.into(), both).await.unwrap_or_else(|_| Err(self.fault(Kind::Timeout)))
    }

    async fn once(&self, request: &Request) -> Result<Vended, Trouble> {
        let mut request = tonic::Request::new(request.clone());
        let bearer = Zeroizing::new(format!("Bearer {}", self.token.expose()));
        let mut bearer = MetadataValue::try_from(bearer.as_str()).map_err(|_| Trouble::Token)?;
        bearer.set_sensitive(true);
        request.metadata_mut().insert("authorization", bearer);
        let mut gateway = Grpc::new(self.connect().await?).max_decoding_message_size(MAX_ANSWER);
        gateway.ready().await.map_err(|error| self.broken(&error))?;
        let answer = gateway.unary(request, PathAndQuery::from_static(METHOD), Wire).await;
        match answer.map(tonic::Response::into_inner) {
            Ok(Ok(vended)) => Ok(vended),
            Ok(Err(Unreadable)) => Err(Trouble::Unreadable),
            Err(status) => Err(self.status(&status)),
        }
    }

    async fn connect(&self) -> Result<Channel, Trouble> {
        let unusable = |_| self.fault(Kind::Request);
        let mut endpoint = Endpoint::from_shared(self.address.url())
            .and_then(|endpoint| endpoint.user_agent(AGENT))
            .map_err(unusable)?
            .connect_timeout(CONNECT);
        if self.address.is_tls() {
            let tls = ClientTlsConfig::new().with_native_roots().domain_name(self.address.server_name());
            endpoint = endpoint.tls_config(tls).map_err(|_| self.fault(Kind::Authorities))?;
        }
        endpoint.connect().await.map_err(|error| self.unreached(&error))
    }

    /// A connection that did not come about.
    fn unreached(&self, error: &tonic::transport::Error) -> Trouble {
        let kind = Kind::below(error).unwrap_or_else(|| {
            if is_from_the_resolver(error) {
                Kind::Unresolvable
            } else if self.address.is_tls() {
                Kind::Tls
            } else {
                Kind::Closed
            }
        });
        self.fault(kind)
    }

    /// A connection that broke before the answer.
    fn broken(&self, error: &(dyn StdError + 'static)) -> Trouble {
        self.fault(Kind::below(error).unwrap_or(Kind::Closed))
    }

    /// What the gateway says has nothing below it; what happened to the connection has.
    fn status(&self, status: &Status) -> Trouble {
        match status.source() {
            Some(_) => self.broken(status),
            // The one status that is made here and not by the gateway: the answer is longer than the bound.
            None if status.code() == Code::OutOfRange => self.fault(Kind::TooLarge),
            None => Trouble::Status(status.code()),
        }
    }

    fn fault(&self, kind: Kind) -> Trouble {
        Trouble::Connection(Fault::new(&self.address.to_string(), kind))
    }
}

impl Trouble {
    fn may_pass_at_once(&self) -> bool {
        match self {
            Self::Connection(fault) => matches!(fault.kind(), Kind::Refused | Kind::Closed | Kind::Truncated),
            Self::Status(code) => *code == Code::Unavailable,
            Self::Unreadable | Self::Token => false,
        }
    }
}

/// Whether an error on the way to a connection is the resolver's: its errors are the only ones that have no number of
/// the operating system's (<https://doc.rust-lang.org/std/net/trait.ToSocketAddrs.html>).
fn is_from_the_resolver(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return error.raw_os_error().is_none();
        }
        cause = error.source();
    }
    false
}

const METHOD: &str = "/WorkerRepositoryService/GetCacheOriginCredentials";
const AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
/// No blob has a tenth of this.
const MAX_ANSWER: usize = 1 << 20;
/// A gateway that has not taken the connection by then is not there.
const CONNECT: Duration = Duration::from_secs(5);
/// How long to wait before the one repetition.
const PAUSE: Duration = Duration::from_millis(200);
/// A repetition that has not this much time left is not begun.
const ROOM: Duration = Duration::from_millis(500);
/// What is kept of the deadline to tell how it was missed.
const LAST_WORDS: Duration = Duration::from_millis(250);
