//! A registry that speaks TLS with a certificate of a throw-away authority, and proxies that lead to it.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use super::gateway::certificates;

/// A registry in which every image may be pulled without a login.
pub struct TlsRegistry {
    pub authority: PathBuf,
    address: SocketAddr,
}

impl TlsRegistry {
    /// One for these names, such as `IP:127.0.0.1`.
    pub fn start(dir: &Path, names: &str) -> Self {
        Self::serve(certificates::server(dir, names))
    }

    /// One that wants a certificate of every client.
    pub fn of_known_clients(dir: &Path, names: &str) -> Self {
        Self::serve(certificates::server_of_known_clients(dir, names))
    }

    fn serve((authority, tls): (PathBuf, Arc<rustls::ServerConfig>)) -> Self {
        let address = listen(move |stream| {
            let connection = rustls::ServerConnection::new(tls.clone()).unwrap();
            let mut stream = BufReader::new(rustls::StreamOwned::new(connection, stream));
            while read_head(&mut stream).is_some() {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                if stream.get_mut().write_all(answer).is_err() {
                    return;
                }
            }
        });
        Self { authority, address }
    }

    /// The registry's own address.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// A proxy that leads every request here, and what it was asked: a line for each connection.
    pub fn proxy(&self) -> Proxy {
        let address = self.address;
        Proxy::start(move |mut stream, head| {
            if head.starts_with("SOCKS") {
                stream.write_all(b"\x05\x00\x00\x01\0\0\0\0\0\0").unwrap();
            } else {
                stream
                    .write_all(b"HTTP/1.1 200 Established\r\n\r\n")
                    .unwrap();
            }
            join(stream, TcpStream::connect(address).unwrap());
        })
    }
}

/// A proxy that speaks HTTP and SOCKS 5.
pub struct Proxy {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// One that answers `CONNECT` like this.
    pub fn that_says(answer: &'static str) -> Self {
        Self::start(move |mut stream, _| {
            _ = stream.write_all(answer.as_bytes());
        })
    }

    fn start(answer: impl Fn(TcpStream, &str) + Clone + Send + 'static) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        let address = listen(move |stream| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let head = if reader.fill_buf().unwrap().first() == Some(&5) {
                socks(&mut reader, &stream)
            } else {
                read_head(&mut reader)
            };
            let Some(head) = head else { return };
            noted.lock().unwrap().push(head.clone());
            answer(stream, &head);
        });
        Self { address, asked }
    }

    /// What was asked since this was asked last.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// The first line of a request, and who it is for a proxy.
fn read_head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    reader
        .read_line(&mut head)
        .ok()
        .filter(|count| *count > 0)?;
    head.truncate(head.trim_end().len());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            None => return Some(head),
            Some((name, value)) if name.eq_ignore_ascii_case("proxy-authorization") => {
                head = format!("{head} {value}");
            }
            Some(_) => {}
        }
    }
}

/// A greeting, a login if there is one, and a request for a name (<https://www.rfc-editor.org/rfc/rfc1928>).
fn socks(reader: &mut impl BufRead, mut stream: &TcpStream) -> Option<String> {
    let mut take = |count: usize| {
        let mut bytes = vec![0; count];
        reader.read_exact(&mut bytes).ok().map(|()| bytes)
    };
    let methods = take(2)?[1];
    let login = take(methods.into())?.contains(&2);
    let mut said = "SOCKS".to_owned();
    stream.write_all(&[5, if login { 2 } else { 0 }]).ok()?;
    if login {
        for _ in 0..2 {
            let count = if said == "SOCKS" {
                take(2)?[1]
            } else {
                take(1)?[0]
            };
            said = format!("{said} {}", String::from_utf8(take(count.into())?).ok()?);
        }
        stream.write_all(&[1, 0]).ok()?;
    }
    // The version, CONNECT, nothing, a name.
    assert_eq!(take(4)?, [5, 1, 0, 3], "the proxy resolves the name");
    let count = take(1)?[0];
    let name = String::from_utf8(take(count.into())?).ok()?;
    let port = take(2)?;
    Some(format!(
        "{said} {name}:{}",
        u16::from_be_bytes([port[0], port[1]])
    ))
}

fn join(one: TcpStream, other: TcpStream) {
    let (mut from, mut to) = (one.try_clone().unwrap(), other.try_clone().unwrap());
    let there = thread::spawn(move || {
        _ = std::io::copy(&mut from, &mut to);
        _ = to.shutdown(Shutdown::Write);
    });
    let (mut from, mut to) = (other, one);
    _ = std::io::copy(&mut from, &mut to);
    _ = to.shutdown(Shutdown::Write);
    there.join().unwrap();
}

fn listen(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (serve, stream) = (serve.clone(), stream.unwrap());
            thread::spawn(move || serve(stream));
        }
    });
    address
}
