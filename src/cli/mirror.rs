//! `mirror`: the registry on this node's loopback that containerd asks; see [`crate::mirror`].

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};
use listenfd::ListenFd;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::check::token_host;
use super::{flag, option, print};
use crate::Io;
use crate::config::Env;
use crate::error::Error;
use crate::mirror::{self, Limits, Mirror, MirrorError};

pub(super) fn command() -> Command {
    let listen = "Listen here instead of on systemd's socket; port 0 takes a free one";
    let listen = option("listen", "ADDRESS", listen);
    let idle = "Close a connection after this long without traffic";
    let idle = option("idle", "TIME", idle);
    Command::new("mirror")
        .about("Serve containerd the images of private registries, as a mirror on this node")
        .arg(listen.value_parser(value_parser!(SocketAddr)))
        .arg(mirror_dir())
        .arg(token_host())
        .arg(flag("stream", "Fetch blobs here where a registry redirects to an object store, for nodes that cannot reach it"))
        .arg(idle.default_value("60s").value_parser(parse_idle))
        .after_help(HELP)
}

/// What was given for that option.
pub(super) fn dir_of(matches: &ArgMatches) -> PathBuf {
    let dir = matches.get_one::<PathBuf>("mirror-dir").cloned();
    dir.unwrap_or_else(|| mirror::DIR.into())
}

fn parse_idle(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text).map_err(|_| "give a time such as 60s")
}

/// The option for the directory of the certificates and the list of hosts.
pub(super) fn mirror_dir() -> Arg {
    let help = "The directory of the mirror's certificates and of its list of hosts";
    option("mirror-dir", "DIR", help)
        .default_value(mirror::DIR)
        .value_parser(value_parser!(PathBuf))
}

pub(super) fn run(matches: &ArgMatches, env: &Env, io: &mut Io) -> Result<(), Error> {
    let dir = dir_of(matches);
    let tls = mirror::tls(&dir)?;
    let listener = if let Some(address) = matches.get_one::<SocketAddr>("listen") {
        listen(*address, io)?
    } else {
        passed()?
    };
    let idle = matches.get_one::<Duration>("idle").copied();
    let limits = Limits {
        connections: CONNECTIONS,
        idle: idle.unwrap_or(IDLE).max(Duration::from_millis(1)),
    };
    let (tell, told) = mpsc::channel(LINES);
    let hosts = matches.get_many("token-host").unwrap_or_default();
    let mut mirror = Mirror::new(env, dir, tell);
    mirror.stream = matches.get_flag("stream");
    mirror.token_hosts = hosts.cloned().collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(LOOKUPS)
        .build()
        .map_err(MirrorError::Listen)?;
    let serving = mirror::serve(mirror, told, listener, tls, limits, io);
    LocalSet::new().block_on(&runtime, serving)?;
    // Look-ups still running need not finish.
    runtime.shutdown_background();
    Ok(())
}

/// Opens a socket.
fn listen(address: SocketAddr, io: &mut Io) -> Result<TcpListener, Error> {
    check(address)?;
    let listener = TcpListener::bind(address).map_err(MirrorError::Listen)?;
    let address = listener.local_addr().map_err(MirrorError::Listen)?;
    print(io.out, format_args!("listening on {address}\n"))?;
    Ok(listener)
}

/// The socket from systemd, which later passes it to the next process.
fn passed() -> Result<TcpListener, Error> {
    let mut sockets = ListenFd::from_env();
    if sockets.len() > 1 {
        return Err(MirrorError::Sockets(sockets.len()).into());
    }
    let socket = sockets.take_tcp_listener(0).map_err(MirrorError::Listen)?;
    let socket = socket.ok_or(MirrorError::NoSocket)?;
    let address = socket.local_addr().map_err(MirrorError::Listen)?;
    check(address)?;
    Ok(socket)
}

fn check(address: SocketAddr) -> Result<(), MirrorError> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    Err(MirrorError::NotLoopback(address.to_string()))
}

/// containerd fetches three layers of an image in parallel, and kubelet pulls five images.
const CONNECTIONS: usize = 64;
const IDLE: Duration = Duration::from_mins(1);
/// How many credentials are looked up in parallel.
const LOOKUPS: usize = 16;
/// How many log lines may wait to be written.
const LINES: usize = 256;

const HELP: &str = "\
containerd runs no credential helper. It asks this mirror instead, which looks the credential up as get does, shows it to the \
registry, and hands the answer back. The client never sees a credential, and blobs come straight from where the registry \
redirects to.

`configure containerd` makes the certificates and names the registries; beta9-mirror.socket starts this. Only clients with \
the certificate of that directory are answered, and only about the registries that were named.

On SIGTERM no new connection is taken, and pulls that run are finished.

Exit status: 0 after SIGTERM; 1 where it can't start.

Example: docker-credential-beta9 mirror --listen 127.0.0.1:9185";
