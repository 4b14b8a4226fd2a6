//! Connections: TLS with client certificates, limits on their number, head size and idle time, and a graceful shutdown.

use std::cell::Cell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::Receiver;
use tokio::sync::{Notify, Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Mirror, MirrorError};
use crate::Io;

/// Limits for clients.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many connections there may be at once, and as many that have not shown a certificate yet.
    pub(crate) connections: usize,
    /// How long a connection may be idle.
    pub(crate) idle: Duration,
}

/// Serves until SIGTERM or SIGINT, and then finishes running requests.
pub(crate) async fn serve(
    mirror: Mirror,
    mut log: Receiver<String>,
    listener: std::net::TcpListener,
    tls: Arc<ServerConfig>,
    limits: Limits,
    io: &mut Io<'_>,
) -> Result<(), MirrorError> {
    listener
        .set_nonblocking(true)
        .map_err(MirrorError::Listen)?;
    let listener = TcpListener::from_std(listener).map_err(MirrorError::Listen)?;
    let end = || signal(SignalKind::terminate());
    let mut terminated = end().map_err(MirrorError::Listen)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(MirrorError::Listen)?;
    let (mirror, acceptor) = (Rc::new(mirror), TlsAcceptor::from(tls));
    let free = Arc::new(Semaphore::new(limits.connections));
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut strangers = VecDeque::new();
    loop {
        tokio::select! {
            _ = terminated.recv() => break,
            _ = interrupted.recv() => break,
            Some(line) = log.recv() => crate::warn(io.err, &line),
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    strangers.retain(|stranger: &oneshot::Sender<()>| !stranger.is_closed());
                    if strangers.len() >= limits.connections {
                        // The one that has waited longest is no client.
                        strangers.pop_front();
                    }
                    let (stranger, ended) = oneshot::channel();
                    strangers.push_back(stranger);
                    let connection = Connection {
                        mirror: Rc::clone(&mirror),
                        stopped: stopped.clone(),
                        limits,
                        free: Arc::clone(&free),
                    };
                    connections.spawn_local(connection.serve(stream, acceptor.clone(), ended));
                }
                // Out of descriptors, for one.
                Err(_) => sleep(PAUSE).await,
            },
        }
    }
    // systemd keeps its socket open, and the next process accepts connections made meanwhile.
    drop(listener);
    _ = stop.send(true);
    loop {
        tokio::select! {
            Some(line) = log.recv() => crate::warn(io.err, &line),
            ended = connections.join_next() => if ended.is_none() {
                return Ok(());
            },
        }
    }
}

struct Connection {
    mirror: Rc<Mirror>,
    stopped: watch::Receiver<bool>,
    limits: Limits,
    free: Arc<Semaphore>,
}

impl Connection {
    /// `ended` comes to its end where others who show no certificate either come after.
    async fn serve(
        mut self,
        stream: TcpStream,
        acceptor: TlsAcceptor,
        mut ended: oneshot::Receiver<()>,
    ) {
        // Small answers are not worth waiting for more.
        _ = stream.set_nodelay(true);
        let patience = self.limits.idle.min(HANDSHAKE);
        let shaken = tokio::select! {
            shaken = timeout(patience, acceptor.accept(stream)) => shaken,
            _ = &mut ended => return,
        };
        let Ok(Ok(stream)) = shaken else {
            return;
        };
        drop(ended);
        // One too many is closed at once: a client that waits would wait without end.
        let Ok(_place) = Arc::clone(&self.free).try_acquire_owned() else {
            return;
        };
        let moved = Rc::new(Moved(Cell::new(Instant::now())));
        let stream = TokioIo::new(Watched {
            stream,
            moved: Rc::clone(&moved),
        });
        let (asked, first) = (Cell::new(false), Notify::new());
        let service = service_fn(|request| {
            asked.set(true);
            first.notify_one();
            let mirror = Rc::clone(&self.mirror);
            async move { Ok::<_, Infallible>(mirror.answer(request).await) }
        });
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.limits.idle)
                .max_header_size(MAX_HEAD)
                .max_buf_size(MAX_HEAD)
                .serve_connection(stream, service)
        );
        tokio::select! {
            _ = connection.as_mut() => return,
            () = moved.stands_still(self.limits.idle) => return,
            _ = self.stopped.wait_for(|stopped| *stopped) => {}
        }
        if !asked.get() {
            // A new connection is about to send a request; a shutdown before that would close it at once.
            tokio::select! {
                _ = connection.as_mut() => return,
                _ = timeout(LAST_CHANCE, first.notified()) => {}
            }
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            _ = connection => {}
            () = moved.stands_still(self.limits.idle) => {}
        }
    }
}

/// The time of the last byte in either direction.
struct Moved(Cell<Instant>);

impl Moved {
    /// Returns after this long without a byte in either direction: the client neither asks nor reads, or the registry
    /// sends nothing.
    async fn stands_still(&self, idle: Duration) {
        loop {
            let end = self.0.get() + idle;
            if end <= Instant::now() {
                return;
            }
            sleep_until(end.into()).await;
        }
    }
}

/// A connection that records traffic in either direction.
struct Watched {
    stream: TlsStream<TcpStream>,
    moved: Rc<Moved>,
}

impl Watched {
    fn noted(&self, done: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(done, Poll::Ready(Ok(count)) if count > 0) {
            self.moved.0.set(Instant::now());
        }
        done
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let done = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.moved.0.set(Instant::now());
        }
        done
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.noted(done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.noted(done)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

const MAX_HEAD: usize = 16 << 10;
const HANDSHAKE: Duration = Duration::from_secs(10);
const LAST_CHANCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(100);
