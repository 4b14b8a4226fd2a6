//! A fake of Beta9's gateway: its HTTP API as far as secrets go, strictly as documented, over TCP or TLS, and able to
//! fail in every way that a server can fail. Threads and the standard library only, so that it shares no bug with the
//! helper's own HTTP client.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;

use super::Node;

pub const WORKSPACE: &str = "11111111-1111-4111-8111-111111111111";
pub const OTHER_WORKSPACE: &str = "22222222-2222-4222-8222-222222222222";
pub const TOKEN: &str = "hunter2-workspace-token";
pub const OTHER_TOKEN: &str = "hunter2-other-token";
/// Known to the gateway, but not allowed to touch secrets: a restricted one, or a worker's.
pub const RESTRICTED_TOKEN: &str = "hunter2-restricted-token";

/// How the gateway behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// Every answer is this, with a body that must never be shown.
    Status(u16),
    /// No secret can be read or written.
    DatabaseDown,
    /// An answer takes this long.
    Slow(Duration),
    /// No answer ever comes.
    Hang,
    /// Every other request gets a 503.
    Flapping,
    /// Answers break off in the middle.
    Truncated,
    /// It restarts: this many requests are done, but their answers are lost.
    LoseAnswers(usize),
    /// It sends on to another place.
    Redirect(String),
    /// Somebody else answers, with a page.
    Page(u16),
}

pub struct Gateway {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: Mutex<Option<JoinHandle<()>>>,
    authority: Option<PathBuf>,
}

struct Shared {
    state: Mutex<State>,
    moved: Condvar,
    tls: Option<Arc<rustls::ServerConfig>>,
}

#[derive(Default)]
struct State {
    secrets: BTreeMap<(String, String), String>,
    requests: Vec<String>,
    mood: Option<Mood>,
    refused: bool,
    down: bool,
    /// How many requests must be there before any of them is answered, round trip by round trip.
    batches: VecDeque<usize>,
    arrived: usize,
    generation: usize,
    lonely: bool,
    /// What somebody else creates just before the helper does.
    faster: Vec<(String, String)>,
}

impl Gateway {
    pub fn start() -> Self {
        Self::listen(None, None)
    }

    /// Over TLS, with an authority of its own in `dir`.
    pub fn start_tls(dir: &Path) -> Self {
        let authority = make_certificates(dir);
        let certificates = CertificateDer::pem_file_iter(dir.join("server.pem")).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(dir.join("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(certificates, key).unwrap();
        Self::listen(Some(Arc::new(config)), Some(authority))
    }

    fn listen(tls: Option<Arc<rustls::ServerConfig>>, authority: Option<PathBuf>) -> Self {
        let shared = Arc::new(Shared { state: Mutex::default(), moved: Condvar::new(), tls });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gateway = Self { shared, address: listener.local_addr().unwrap(), accepting: Mutex::new(None), authority };
        gateway.accept(listener);
        gateway
    }

    fn accept(&self, listener: TcpListener) {
        let shared = self.shared.clone();
        let accepting = thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.state().down {
                    return;
                }
                let (shared, stream) = (shared.clone(), stream.unwrap());
                thread::spawn(move || shared.serve(stream));
            }
        });
        *self.accepting.lock().unwrap() = Some(accepting);
    }

    /// Nobody listens any more.
    pub fn stop(&self) {
        self.shared.state().down = true;
        // The listener looks up only when somebody comes.
        drop(TcpStream::connect(self.address));
        self.accepting.lock().unwrap().take().unwrap().join().unwrap();
    }

    /// It is back, at the same address.
    pub fn start_again(&self) {
        self.shared.state().down = false;
        self.accept(TcpListener::bind(self.address).unwrap());
    }

    pub fn url(&self) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The file of the authority that its certificate is from.
    pub fn authority(&self) -> &str {
        self.authority.as_ref().unwrap().to_str().unwrap()
    }

    /// A node that is wired to this gateway.
    pub fn node(&self) -> Node {
        self.wire(Node::new())
    }

    pub fn wire(&self, node: Node) -> Node {
        node.with("BETA9_STORE", "gateway").with("BETA9_GATEWAY_URL", self.url()).with("BETA9_TOKEN", TOKEN)
    }

    pub fn mood(&self, mood: Mood) {
        self.shared.state().mood = Some(mood);
    }

    /// From now on, no token is good.
    pub fn refuse_tokens(&self) {
        self.shared.state().refused = true;
    }

    /// Puts a secret there as the gateway's own image builder does, whatever its name.
    pub fn plant(&self, name: &str, value: &str) {
        self.plant_in(WORKSPACE, name, value);
    }

    pub fn plant_in(&self, workspace: &str, name: &str, value: &str) {
        self.shared.state().secrets.insert((workspace.to_owned(), name.to_owned()), value.to_owned());
    }

    pub fn remove(&self, name: &str) {
        self.shared.state().secrets.remove(&(WORKSPACE.to_owned(), name.to_owned()));
    }

    /// All secrets of the workspace.
    pub fn secrets(&self) -> BTreeMap<String, String> {
        let state = self.shared.state();
        let own = state.secrets.iter().filter(|((workspace, _), _)| workspace == WORKSPACE);
        own.map(|((_, name), value)| (name.clone(), value.clone())).collect()
    }

    /// Somebody else creates this just before the helper's next create.
    pub fn be_faster(&self, name: &str, value: &str) {
        self.shared.state().faster.push((name.to_owned(), value.to_owned()));
    }

    /// The requests since this was asked last, as `GET /path`.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.state().requests)
    }

    /// From now on requests are answered in batches: none of a batch before all of it are there, which proves that they
    /// are one round trip. [`Gateway::round_trips`] says how many there were.
    pub fn expect_batches(&self, batches: &[usize]) {
        let mut state = self.shared.state();
        state.requests.clear();
        state.batches = batches.iter().copied().collect();
    }

    /// Panics unless exactly the expected batches came.
    pub fn check_batches(&self, expected: &[usize]) {
        let mut state = self.shared.state();
        let requests = std::mem::take(&mut state.requests);
        assert!(!state.lonely && state.batches.is_empty(), "{:?} are outstanding after {requests:?}", state.batches);
        assert_eq!(requests.len(), expected.iter().sum::<usize>(), "{requests:?}");
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn serve(&self, stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        match &self.tls {
            None => self.converse(stream),
            Some(config) => {
                let connection = rustls::ServerConnection::new(config.clone()).unwrap();
                self.converse(rustls::StreamOwned::new(connection, stream));
            }
        }
    }

    /// Answers requests until the client goes away, or the mood says to break off.
    fn converse(&self, mut stream: impl Read + Write) {
        while let Some(request) = Request::read(&mut stream) {
            self.in_company(&request);
            let Some(answer) = self.in_mood(&request) else { return };
            if stream.write_all(&answer.bytes).and_then(|()| stream.flush()).is_err() || answer.last {
                return;
            }
        }
    }

    /// Waits for the rest of the batch.
    fn in_company(&self, request: &Request) {
        let mut state = self.state();
        state.requests.push(format!("{} {}", request.method, request.path));
        let Some(size) = state.batches.front().copied() else { return };
        state.arrived += 1;
        let generation = state.generation;
        if state.arrived == size {
            state.batches.pop_front();
            state.arrived = 0;
            state.generation += 1;
            self.moved.notify_all();
            return;
        }
        let alone = |state: &mut State| state.generation == generation;
        let (mut state, timeout) = self.moved.wait_timeout_while(state, PATIENCE, alone).unwrap();
        state.lonely |= timeout.timed_out();
    }

    /// `None` to break off without an answer.
    fn in_mood(&self, request: &Request) -> Option<Answer> {
        let mood = self.state().mood.clone().unwrap_or(Mood::Well);
        match mood {
            Mood::Well | Mood::DatabaseDown => Some(self.answer(request)),
            Mood::Status(status) => Some(Answer::of(status, &json!({"error": "hunter2 body"}))),
            Mood::Slow(time) => {
                thread::sleep(time);
                Some(self.answer(request))
            }
            Mood::Hang => {
                thread::sleep(PATIENCE);
                None
            }
            Mood::Flapping => {
                let odd = self.state().requests.len() % 2 == 1;
                if odd { Some(Answer::of(503, &json!({"error": "hunter2 body"}))) } else { Some(self.answer(request)) }
            }
            Mood::Truncated => {
                let mut answer = self.answer(request);
                answer.bytes.truncate(answer.bytes.len() - 3);
                answer.last = true;
                Some(answer)
            }
            Mood::LoseAnswers(left) => {
                self.state().mood = Some(if left > 1 { Mood::LoseAnswers(left - 1) } else { Mood::Well });
                self.answer(request);
                None
            }
            Mood::Redirect(place) => Some(Answer::raw(307, &format!("Location: {place}{}\r\n", request.path), "")),
            Mood::Page(status) => Some(Answer::raw(status, "Content-Type: text/html\r\n", "<html>hunter2</html>")),
        }
    }

    /// As the contract says.
    fn answer(&self, request: &Request) -> Answer {
        let mut state = self.state();
        let own = match request.token.as_deref() {
            Some(TOKEN) => WORKSPACE,
            Some(OTHER_TOKEN) => OTHER_WORKSPACE,
            Some(RESTRICTED_TOKEN) if request.path == CURRENT => WORKSPACE,
            _ => return unauthorized(),
        };
        if state.refused {
            return unauthorized();
        }
        if request.path == CURRENT {
            let body = json!({"external_id": own, "name": "test", "signing_key": "sk_hunter2", "storage": {"secret_key": "hunter2"}});
            return Answer::of(200, &body);
        }
        let mut parts = request.path.trim_start_matches('/').split('/');
        let (Some("secret"), Some(workspace), name, None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Answer::of(404, &json!({"message": "Not Found"}));
        };
        if !is_uuid(workspace) {
            return Answer::of(400, &json!({"error": "invalid workspace ID"}));
        }
        if workspace != own {
            return unauthorized();
        }
        let broken = state.mood == Some(Mood::DatabaseDown);
        let field = |name: &str| {
            let body: serde_json::Value = serde_json::from_slice(&request.body).ok()?;
            Some(body.get(name)?.as_str()?.to_owned())
        };
        match (request.method.as_str(), name) {
            ("GET", None) if broken => Answer::of(500, &json!({"error": "failed to list secrets"})),
            ("GET", None) => {
                let own = state.secrets.keys().filter(|(owner, _)| owner == workspace);
                let list: Vec<_> = own.map(|(_, name)| described(workspace, name, None)).collect();
                Answer::of(200, &if list.is_empty() { serde_json::Value::Null } else { list.into() })
            }
            ("GET", Some(name)) => match state.secrets.get(&(workspace.to_owned(), name.to_owned())) {
                Some(value) if !broken => Answer::of(200, &described(workspace, name, Some(value))),
                _ => Answer::of(404, &json!({"error": "secret not found"})),
            },
            ("POST", None) => {
                for (name, value) in std::mem::take(&mut state.faster) {
                    state.secrets.insert((workspace.to_owned(), name), value);
                }
                let (Some(name), Some(value)) = (field("name"), field("value")) else {
                    return Answer::of(400, &json!({"error": "invalid request"}));
                };
                let key = (workspace.to_owned(), name.clone());
                if broken || !is_valid_name(&name) {
                    Answer::of(500, &json!({"error": "failed to create secret"}))
                } else if state.secrets.contains_key(&key) {
                    Answer::of(409, &json!({"error": "secret already exists"}))
                } else {
                    state.secrets.insert(key, value);
                    Answer::of(200, &described(workspace, &name, None))
                }
            }
            ("PATCH", Some(name)) => {
                let secret = state.secrets.get_mut(&(workspace.to_owned(), name.to_owned()));
                match (secret, field("value")) {
                    (Some(secret), Some(value)) if !broken => {
                        *secret = value;
                        Answer::of(200, &described(workspace, name, None))
                    }
                    _ => Answer::of(500, &json!({"error": "failed to update secret"})),
                }
            }
            ("DELETE", Some(name)) => {
                state.secrets.remove(&(workspace.to_owned(), name.to_owned()));
                Answer::raw(200, "", "")
            }
            _ => Answer::of(405, &json!({"message": "Method Not Allowed"})),
        }
    }
}

struct Request {
    method: String,
    path: String,
    token: Option<String>,
    body: Vec<u8>,
}

impl Request {
    /// `None` when the client has gone, or is not to be understood.
    fn read(stream: &mut impl Read) -> Option<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let mut first = lines.next()?.split(' ');
        let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
        let headers: BTreeMap<_, _> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        let token = headers.get("authorization").and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
        Some(Self { method, path, token, body })
    }
}

struct Answer {
    bytes: Vec<u8>,
    last: bool,
}

impl Answer {
    fn of(status: u16, body: &serde_json::Value) -> Self {
        Self::raw(status, "Content-Type: application/json; charset=UTF-8\r\n", &body.to_string())
    }

    fn raw(status: u16, headers: &str, body: &str) -> Self {
        let bytes = format!("HTTP/1.1 {status} Status\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len());
        Self { bytes: bytes.into_bytes(), last: false }
    }
}

fn unauthorized() -> Answer {
    Answer::of(401, &json!({"message": "Unauthorized"}))
}

fn described(workspace: &str, name: &str, value: Option<&str>) -> serde_json::Value {
    let mut secret = json!({
        "external_id": "33333333-3333-4333-8333-333333333333",
        "created_at": "2026-08-01T00:00:00Z",
        "updated_at": "2026-08-01T00:00:00Z",
        "name": name,
        "workspace_id": workspace,
        "last_updated_by": null,
    });
    if let Some(value) = value {
        secret["value"] = value.into();
    }
    secret
}

/// `^[a-zA-Z_][a-zA-Z0-9_]{0,63}$`
fn is_valid_name(name: &str) -> bool {
    regex::Regex::new("^[a-zA-Z_][a-zA-Z0-9_]{0,63}$").unwrap().is_match(name)
}

fn is_uuid(text: &str) -> bool {
    regex::Regex::new("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$").unwrap().is_match(text)
}

/// A throw-away authority and a certificate for 127.0.0.1; answers the authority's file.
fn make_certificates(dir: &Path) -> PathBuf {
    let openssl = |args: &str| {
        let output = Command::new("openssl").args(args.split(' ')).current_dir(dir).output().unwrap();
        assert!(output.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=test-authority"));
    openssl(&format!("req {key} -keyout server.key -out server.csr -subj /CN=gateway"));
    std::fs::write(dir.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    openssl("x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem");
    dir.join("ca.pem")
}

const CURRENT: &str = "/api/v1/workspace/current";
/// Longer than the helper waits for anything.
const PATIENCE: Duration = Duration::from_secs(15);
