//! Connects, and limits what a server may send, because the client library queues notices and buffers whole messages.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_postgres::config::{Host, TargetSessionAttrs};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault::Fault;
use super::target::Target;

/// Connects to the first of the target's servers that accepts, and returns the client and the task that drives the
/// connection.
pub(super) async fn connect(
    target: &Target,
    tls: &MakeRustlsConnect,
    meter: &Arc<Meter>,
) -> Result<(Client, JoinHandle<()>), Fault> {
    let mut last = io::Error::from(io::ErrorKind::NotFound).into();
    for index in target.order(target.config.get_hosts().len()) {
        let addresses = match addresses(target, index).await {
            Ok(addresses) => addresses,
            Err(error) => {
                last = error.into();
                continue;
            }
        };
        for address in addresses {
            match log_in(target, index, &address, tls.clone(), meter).await {
                Ok(session) => return Ok(session),
                Err(fault) => last = fault,
            }
        }
    }
    Err(last)
}

/// The address of one of the target's hosts.
enum Address {
    Tcp(std::net::SocketAddr),
    Unix(std::path::PathBuf),
}

async fn addresses(target: &Target, index: usize) -> Result<Vec<Address>, io::Error> {
    let port = target.port(index);
    if let Some(address) = target.config.get_hostaddrs().get(index) {
        return Ok(vec![Address::Tcp((*address, port).into())]);
    }
    match &target.config.get_hosts()[index] {
        Host::Unix(dir) => Ok(vec![Address::Unix(dir.join(format!(".s.PGSQL.{port}")))]),
        Host::Tcp(name) => {
            let found: Vec<_> = lookup_host((name.as_str(), port)).await?.collect();
            Ok(target
                .order(found.len())
                .map(|index| Address::Tcp(found[index]))
                .collect())
        }
    }
}

async fn log_in(
    target: &Target,
    index: usize,
    address: &Address,
    mut tls: MakeRustlsConnect,
    meter: &Arc<Meter>,
) -> Result<(Client, JoinHandle<()>), Fault> {
    let name = match &target.config.get_hosts()[index] {
        Host::Tcp(name) => name,
        Host::Unix(_) => "",
    };
    let opening = tokio::time::timeout(target.patience(), open(address));
    let inner = opening
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    let stream = Metered {
        inner,
        meter: Arc::clone(meter),
    };
    meter.allow(BEFORE_THE_LOGIN);
    let tls =
        MakeTlsConnect::<Metered>::make_tls_connect(&mut tls, name).map_err(io::Error::other)?;
    let (client, connection) = target.config.connect_raw(stream, tls).await?;
    meter.allow(IN_A_SESSION);
    // An error of the connection is also reported to the caller who waits for an answer.
    let driven = tokio::spawn(async { _ = connection.await });
    check_session(target.config.get_target_session_attrs(), &client).await?;
    Ok((client, driven))
}

async fn check_session(wanted: TargetSessionAttrs, client: &Client) -> Result<(), Fault> {
    let refused = match wanted {
        TargetSessionAttrs::ReadWrite => "on",
        TargetSessionAttrs::ReadOnly => "off",
        _ => return Ok(()),
    };
    let row = client
        .query_typed_one("SHOW transaction_read_only", &[])
        .await?;
    if row.try_get::<_, &str>(0)? == refused {
        // As while a standby is not promoted yet.
        return Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem).into());
    }
    Ok(())
}

type Stream = Box<dyn Duplex>;

/// A stream in both directions.
trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

async fn open(address: &Address) -> io::Result<Stream> {
    Ok(match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        }
        Address::Unix(path) => Box::new(UnixStream::connect(path).await?),
    })
}

/// How much the server may still send.
#[derive(Debug, Default)]
pub(super) struct Meter {
    left: AtomicU64,
    is_over: AtomicBool,
}

impl Meter {
    pub(super) fn allow(&self, bytes: u64) {
        self.left.store(bytes, Relaxed);
    }

    fn take(&self, bytes: usize) -> io::Result<()> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let take = |left: u64| left.checked_sub(bytes);
        if self.left.fetch_update(Relaxed, Relaxed, take).is_ok() {
            return Ok(());
        }
        self.is_over.store(true, Relaxed);
        Err(io::ErrorKind::QuotaExceeded.into())
    }

    /// Whether the limit was exceeded.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }
}

/// A stream that fails once the limit is exceeded.
struct Metered {
    inner: Stream,
    meter: Arc<Meter>,
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        Poll::Ready(self.meter.take(buffer.filled().len() - before))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

/// In bytes. A message of six bytes takes about a hundred in memory.
const BEFORE_THE_LOGIN: u64 = 1 << 20;
/// In bytes; enough for thousands of secrets.
pub(super) const IN_A_SESSION: u64 = 16 << 20;
