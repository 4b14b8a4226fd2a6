//! A mirror that runs, containerd in its place, and registries that note all that they are sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};

use super::Node;

/// A registry, token server or object store, which answers each connection once where nothing else is said.
pub struct Upstream {
    pub port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    /// One without TLS. `answer` gets the head of each request, and writes what it likes.
    pub fn start(answer: impl Fn(&str, &mut dyn Write) + Send + Sync + 'static) -> Self {
        Self::serve(None, answer)
    }

    /// The same, with TLS where it is given.
    pub fn serve(
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&str, &mut dyn Write) + Send + Sync + 'static,
    ) -> Self {
        let once = move |head: &str, out: &mut dyn Write| {
            answer(head, out);
            false
        };
        Self::listen(TcpListener::bind("127.0.0.1:0").unwrap(), tls, once)
    }

    /// One that answers on a connection for as long as `answer` says so.
    pub fn lasting(answer: impl Fn(&str, &mut dyn Write) -> bool + Send + Sync + 'static) -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").unwrap(), None, answer)
    }

    pub fn listen(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&str, &mut dyn Write) -> bool + Send + Sync + 'static,
    ) -> Self {
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (noted, answer) = (Arc::clone(&heads), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, noted, answer) =
                    (stream.unwrap(), Arc::clone(&noted), Arc::clone(&answer));
                let tls = tls.clone();
                thread::spawn(move || match tls {
                    Some(tls) => {
                        let connection = rustls::ServerConnection::new(tls).unwrap();
                        converse(StreamOwned::new(connection, stream), &noted, &*answer);
                    }
                    // What Go's server says to a TLS hello.
                    None if first_byte(&stream) == Some(0x16) => {
                        let mut stream = stream;
                        _ = stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n");
                    }
                    None => converse(stream, &noted, &*answer),
                });
            }
        });
        Self { port, heads }
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// All heads that came, whole.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// The first lines of the heads, without the version.
    pub fn asked(&self) -> Vec<String> {
        let line = |head: &String| head.split(" HTTP/1.1").next().unwrap().to_owned();
        self.heads().iter().map(line).collect()
    }

    /// How many requests began like this.
    pub fn count(&self, start: &str) -> usize {
        let asked = self.asked();
        asked.iter().filter(|line| line.starts_with(start)).count()
    }
}

fn first_byte(stream: &TcpStream) -> Option<u8> {
    let mut first = [0];
    stream.peek(&mut first).ok().filter(|count| *count > 0)?;
    Some(first[0])
}

fn converse(
    stream: impl Read + Write,
    noted: &Mutex<Vec<String>>,
    answer: &dyn Fn(&str, &mut dyn Write) -> bool,
) {
    let mut stream = BufReader::new(stream);
    while let Some(head) = read_head(&mut stream) {
        noted.lock().unwrap().push(head.clone());
        let goes_on = answer(&head, stream.get_mut());
        _ = stream.get_mut().flush();
        if !goes_on {
            break;
        }
    }
}

fn read_head(stream: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        stream
            .read_line(&mut head)
            .ok()
            .filter(|count| *count > 0)?;
    }
    Some(head)
}

/// A header's value in a head; the name is in small letters.
pub fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
}

/// Writes a whole answer; one to HEAD has no body.
pub fn say(out: &mut dyn Write, head: &str, status: u16, headers: &[&str], body: &str) {
    let lines: String = headers.iter().flat_map(|line| [line, "\r\n"]).collect();
    let length = body.len();
    let body = if head.starts_with("HEAD ") { "" } else { body };
    let text = format!(
        "HTTP/1.1 {status} X\r\n{lines}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    _ = out.write_all(text.as_bytes());
}

/// A mirror that runs.
pub struct Mirror {
    pub address: SocketAddr,
    pub dir: PathBuf,
    child: Child,
    log: Option<JoinHandle<String>>,
    /// Its files are there as long as it runs.
    _node: Node,
}

impl Mirror {
    /// One that serves these registries, on a port that the system picks.
    pub fn start(node: &Node, hosts: &[String], more: &[&str]) -> Self {
        let dir = configure(node, hosts);
        let args = [
            "mirror",
            "--listen",
            "127.0.0.1:0",
            "--mirror-dir",
            dir.to_str().unwrap(),
        ];
        let node = node.clone_with("BETA9_LOG", "debug");
        let mut child = node.command(&[&args, more].concat()).spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on ");
        let address = address.unwrap_or_else(|| panic!("{line:?} {}", rest(&mut child)));
        Self::of(child, address.parse().unwrap(), dir, node)
    }

    /// One that was started in another way.
    pub fn of(mut child: Child, address: SocketAddr, dir: PathBuf, node: Node) -> Self {
        let mut err = child.stderr.take().unwrap();
        let log = thread::spawn(move || {
            let mut text = String::new();
            err.read_to_string(&mut text).unwrap();
            text
        });
        Self {
            address,
            dir,
            child,
            log: Some(log),
            _node: node,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// containerd's side of a connection.
    pub fn connect(&self) -> Connection {
        Connection::new(self.address, client(&self.dir))
    }

    /// One request on a connection of its own.
    pub fn ask(&self, method: &str, target: &str) -> Reply {
        self.connect().ask(method, target)
    }

    /// A manifest or blob of a registry, by its path.
    pub fn get(&self, upstream: &Upstream, path: &str) -> Reply {
        self.ask("GET", &at(&upstream.host(), path))
    }

    pub fn terminate(&self) {
        let id = self.id().to_string();
        let status = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(status.success());
    }

    /// Its exit status once it has ended, and all that it said.
    pub fn end(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        (status.code(), self.log.take().unwrap().join().unwrap())
    }

    /// Ends it, and answers all that it said.
    pub fn said(self) -> String {
        self.terminate();
        let (status, log) = self.end();
        assert_eq!(status, Some(0), "{log}");
        log
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn rest(child: &mut Child) -> String {
    let mut text = String::new();
    _ = child.stderr.take().unwrap().read_to_string(&mut text);
    text
}

/// A path of `/v2/` at this registry, as containerd asks for it.
pub fn at(host: &str, path: &str) -> String {
    format!("{path}?ns={}", host.replace(':', "%3A"))
}

/// Names registries, and makes the certificates: their directory.
pub fn configure(node: &Node, hosts: &[String]) -> PathBuf {
    let (dir, certs) = (node.home().join("mirror"), node.home().join("certs.d"));
    let args = [
        "configure",
        "containerd",
        "--force",
        "--hosts",
        &hosts.join(","),
        "--config",
        certs.to_str().unwrap(),
        "--mirror-dir",
        dir.to_str().unwrap(),
    ];
    let answer = node.run(&args, "");
    assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
    dir
}

fn authorities(dir: &Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(dir.join("ca.crt")).unwrap())
        .unwrap();
    roots
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    builder.with_safe_default_protocol_versions().unwrap()
}

/// A client with the certificate that is for containerd.
pub fn client(dir: &Path) -> ClientConfig {
    client_with(dir, dir)
}

/// A client that trusts what is in one directory, and shows what is in another.
pub fn client_with(trusts: &Path, shows: &Path) -> ClientConfig {
    client_of(trusts, shows, "client")
}

/// The same with the certificate of that name.
pub fn client_of(trusts: &Path, shows: &Path, name: &str) -> ClientConfig {
    let file = |end: &str| shows.join(format!("{name}.{end}"));
    let chain = vec![CertificateDer::from_pem_file(file("crt")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(file("key")).unwrap();
    let builder = builder().with_root_certificates(authorities(trusts));
    builder.with_client_auth_cert(chain, key).unwrap()
}

/// A client that shows no certificate.
pub fn stranger(dir: &Path) -> ClientConfig {
    builder()
        .with_root_certificates(authorities(dir))
        .with_no_client_auth()
}

/// A client's connection, which may be used again.
pub struct Connection(BufReader<StreamOwned<ClientConnection, TcpStream>>);

/// What a mirror answered.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

impl Connection {
    pub fn new(address: SocketAddr, config: ClientConfig) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        Self(BufReader::new(StreamOwned::new(connection, stream)))
    }

    /// Writes bytes; whether they could be written.
    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.get_mut().write_all(bytes)?;
        self.0.get_mut().flush()
    }

    /// What is read until the end, or until it breaks.
    pub fn rest(&mut self) -> (Vec<u8>, std::io::Result<usize>) {
        let mut bytes = Vec::new();
        let done = self.0.read_to_end(&mut bytes);
        (bytes, done)
    }

    pub fn head(&mut self) -> Option<String> {
        read_head(&mut self.0)
    }

    pub fn take(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    pub fn ask(&mut self, method: &str, target: &str) -> Reply {
        self.ask_with(method, target, "accept: */*\r\n")
    }

    pub fn ask_with(&mut self, method: &str, target: &str, headers: &str) -> Reply {
        self.send(format!("{method} {target} HTTP/1.1\r\nhost: m\r\n{headers}\r\n").as_bytes())
            .unwrap();
        let head = self.head().expect("the mirror answers");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = if method == "HEAD" {
            Vec::new()
        } else if let Some(length) = header(&head, "content-length") {
            self.take(length.parse().unwrap())
        } else {
            self.rest().0
        };
        let body = String::from_utf8(body).unwrap();
        Reply { status, head, body }
    }
}

// --- what the tests of the mirror have in common ---

pub const SECRET: &str = "hunter2-canary";
pub const TOKEN: &str = "bearer-canary";
pub const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
pub const MANIFEST: &str = "/v2/team/app/manifests/1";
pub const BASIC: &str = "www-authenticate: Basic realm=\"r\"";
pub const DENIED: u16 = 403;

pub fn blob() -> String {
    format!("/v2/team/app/blobs/{DIGEST}")
}

/// `Basic` with the pair that the node has.
pub fn pair() -> String {
    format!("Basic {}", STANDARD.encode(format!("octo:{SECRET}")))
}

pub fn shows(head: &str, login: &str) -> bool {
    header(head, "authorization") == Some(login)
}

/// A registry that wants the pair, and then answers this.
pub fn basic(answer: impl Fn(&str, &mut dyn Write) + Send + Sync + 'static) -> Upstream {
    Upstream::start(move |head, out| {
        if shows(head, &pair()) {
            answer(head, out);
        } else {
            say(out, head, 401, &[BASIC], "");
        }
    })
}

/// A registry whose token server gives tokens that are good for this many seconds, and which counts in the token's name how many.
pub fn bearer(seconds: u32) -> Upstream {
    let count = AtomicUsize::new(0);
    Upstream::start(move |head, out| {
        let host = header(head, "host").unwrap();
        let challenge =
            format!("www-authenticate: Bearer realm=\"http://{host}/token\",service=\"s\"");
        if head.starts_with("GET /token") {
            if !shows(head, &pair()) {
                return say(out, head, 401, &[], "");
            }
            let count = count.fetch_add(1, Ordering::Relaxed) + 1;
            let body = format!("{{\"token\":\"{TOKEN}-{count}\",\"expires_in\":{seconds}}}");
            return say(out, head, 200, &[], &body);
        }
        let last = format!("Bearer {TOKEN}-{}", count.load(Ordering::Relaxed));
        if head.contains("/revoke") {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if shows(head, &last) {
            say(
                out,
                head,
                200,
                &["docker-content-digest: sha256:1"],
                "manifest",
            );
        } else {
            say(out, head, 401, &[&challenge], "");
        }
    })
}

pub fn ok(head: &str, out: &mut dyn Write) {
    say(out, head, 200, &[], "fine");
}

/// A node that has the pair for these registries.
pub fn node(registries: &[&Upstream]) -> Node {
    let node = Node::new();
    for registry in registries {
        assert_eq!(node.store(&registry.host(), "octo", SECRET).status, 0);
    }
    node
}

/// A mirror of one registry, for which the node has the pair.
pub fn mirror(registry: &Upstream) -> Mirror {
    mirror_with(registry, &[])
}

pub fn mirror_with(registry: &Upstream, more: &[&str]) -> Mirror {
    Mirror::start(&node(&[registry]), &[registry.host()], more)
}

/// Nothing that anybody may see holds a secret.
pub fn is_clean(text: &str) {
    let encoded = STANDARD.encode(format!("octo:{SECRET}"));
    for canary in [SECRET, TOKEN, &encoded] {
        assert!(!text.contains(canary), "{canary} is in {text}");
    }
}

pub fn denied(reply: &Reply) -> &str {
    assert_eq!(reply.status, DENIED, "{reply:?}");
    let message = reply
        .body
        .strip_prefix("{\"errors\":[{\"code\":\"DENIED\",\"message\":\"");
    message.unwrap_or_else(|| panic!("{reply:?}"))
}
