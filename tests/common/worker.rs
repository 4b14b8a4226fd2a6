//! A gateway that vends registry credentials to workers over gRPC, frame by frame and with the real one's rules and
//! words (<https://github.com/beam-cloud/beta9>, `pkg/gateway/services/repository/cache_metadata.go`): a refused token
//! gets `ok = false`; a private pool's worker is limited to its workspace, its stub and that stub's image; an image's
//! own secret is vended whatever registry is requested, before the build registry's token; and a secret that it fails
//! to read gets an empty answer. It can misbehave on request.

use std::collections::{HashMap, VecDeque};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use h2::RecvStream;
use h2::server::SendResponse;
use prost::Message;
use prost::bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tonic::codegen::http::{HeaderMap, Request, Response};

use super::Node;

/// A text that no error, log or file may contain: it is in every token, every secret and every message of the gateway.
pub const SECRET: &str = "hunter2";
pub const TOKEN: &str = "worker-hunter2";
/// The workspaces that the gateway knows: a worker asks by such an id.
pub const WORKSPACE: &str = "5d0c7a8e-91b2-4c3d-8e4f-0a1b2c3d4e01";
pub const OTHER_WORKSPACE: &str = "5d0c7a8e-91b2-4c3d-8e4f-0a1b2c3d4e02";

/// A gateway on its own port, which stops when dropped.
pub struct Gateway {
    pub address: SocketAddr,
    world: Arc<Mutex<World>>,
    accepting: AbortHandle,
    thread: Option<JoinHandle<()>>,
}

/// What the gateway knows, what it was asked, and how it behaves.
#[derive(Default)]
pub struct World {
    /// Worker tokens; one of a private pool has its workspace.
    pub tokens: HashMap<String, Option<String>>,
    /// The workspaces and the images of the stubs.
    pub stubs: HashMap<String, (String, String)>,
    /// The images' own secrets, by workspace and image.
    pub images: HashMap<(String, String), String>,
    /// The cluster's build registry and a blob for it.
    pub build_registry: Option<(String, String)>,
    /// Its database cannot be read.
    pub is_database_down: bool,
    /// Faults of the next answers, in order; later answers are right.
    pub script: VecDeque<Wrong>,
    /// All questions, as they came.
    pub asked: Vec<Asked>,
    /// Connections that were taken.
    pub connections: usize,
}

/// One thing to do wrong.
#[derive(Clone, Copy, Debug)]
pub enum Wrong {
    /// A gRPC status.
    Status(u32),
    /// An HTTP status, from a proxy that speaks no gRPC.
    Http(u16),
    /// `ok` is false, for a reason that nobody knows.
    Refuses,
    /// Not a message.
    Garbage,
    /// A message of that many bytes.
    Huge(usize),
    /// A status that says all is well, and no message.
    Nothing,
    /// The answer comes late.
    Slow(Duration),
    /// The connection ends when the question has come.
    Closes,
    /// The connection ends in the middle of the answer.
    BreaksOff,
    /// The connection is taken by something that does not speak HTTP/2.
    SpeaksHttp1,
}

/// A question, with the token that it was asked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub bearer: String,
    pub workspace: String,
    pub stub: String,
    pub registry: String,
    pub image: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Question {
    #[prost(string, tag = "1")]
    workspace_id: String,
    #[prost(string, tag = "2")]
    stub_id: String,
    #[prost(string, tag = "3")]
    registry: String,
    #[prost(string, tag = "4")]
    image_id: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Answer {
    #[prost(bool, tag = "1")]
    ok: bool,
    #[prost(string, tag = "2")]
    error_msg: String,
    #[prost(string, tag = "3")]
    registry_credentials: String,
    /// There is more in the true answer, which this helper must pass over.
    #[prost(string, tag = "4")]
    more: String,
}

impl Gateway {
    /// A gateway that knows [`TOKEN`], a worker of no private pool.
    pub fn start() -> Self {
        Self::at("127.0.0.1:0", None)
    }

    pub fn at(address: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let world = Arc::new(Mutex::new(World {
            tokens: [(TOKEN.to_owned(), None)].into_iter().collect(),
            ..World::default()
        }));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let task = runtime.spawn(accept(listener, tls, world.clone()));
        let accepting = task.abort_handle();
        // When the task is aborted, the runtime goes, and every connection with it.
        let thread = std::thread::spawn(move || drop(runtime.block_on(task)));
        Self {
            address,
            world,
            accepting,
            thread: Some(thread),
        }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Vends this blob for an image of a workspace.
    pub fn plant(&self, workspace: &str, image: &str, blob: &str) {
        self.world()
            .images
            .insert((workspace.to_owned(), image.to_owned()), blob.to_owned());
    }

    pub fn next(&self, wrong: &[Wrong]) {
        self.world().script = wrong.iter().copied().collect();
    }

    /// How many questions, over how many connections, since the last time.
    pub fn count(&self) -> (usize, usize) {
        let mut world = self.world();
        (
            std::mem::take(&mut world.asked).len(),
            std::mem::take(&mut world.connections),
        )
    }

    /// A worker node of [`WORKSPACE`], for the image `image-1`.
    pub fn node(&self) -> Node {
        self.wire(Node::new())
    }

    pub fn wire(&self, node: Node) -> Node {
        node.with("BETA9_STORE", "worker")
            .with("BETA9_WORKER_ADDRESS", self.address.to_string())
            .with("BETA9_WORKER_TOKEN", TOKEN)
            .with("BETA9_WORKSPACE_ID", WORKSPACE)
            .with("BETA9_IMAGE_ID", "image-1")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.accepting.abort();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl World {
    fn answer(&self, asked: &Asked) -> Answer {
        if let Err(error_msg) = self.authorize(asked) {
            return Answer {
                error_msg,
                ..Answer::default()
            };
        }
        let images_own = self
            .images
            .get(&(asked.workspace.clone(), asked.image.clone()));
        let images_own = images_own.filter(|_| !self.is_database_down);
        // Its token is made from the gateway's own configuration.
        let is_build = |host: &str| registry_host(host) == registry_host(&asked.registry);
        let build = self
            .build_registry
            .as_ref()
            .filter(|(host, _)| is_build(host))
            .map(|(_, blob)| blob);
        let registry_credentials = images_own.or(build).cloned().unwrap_or_default();
        Answer {
            ok: true,
            registry_credentials,
            more: SECRET.to_owned(),
            ..Answer::default()
        }
    }

    /// The real service's checks, in its order and with its words.
    fn authorize(&self, asked: &Asked) -> Result<(), String> {
        let Asked {
            bearer,
            workspace,
            stub,
            image,
            ..
        } = asked;
        let Some(pool) = self.tokens.get(bearer) else {
            return Err("unauthorized cache coordinator request".into());
        };
        // A cluster's own worker serves every workspace.
        let Some(own) = pool else { return Ok(()) };
        if workspace != own {
            return Err(format!(
                "worker token cannot request credentials for workspace {workspace:?}"
            ));
        }
        if stub.is_empty() {
            return Err("worker token credential request requires a stub".into());
        }
        if image.is_empty() {
            return Ok(());
        }
        if self.is_database_down {
            return Err(format!(
                "dial tcp 10.0.0.7:5432: connect: connection refused ({SECRET})"
            ));
        }
        match self.stubs.get(stub).filter(|(of, _)| of == workspace) {
            None => Err(format!(
                "stub {stub:?} was not found in workspace {workspace:?}"
            )),
            Some((_, own)) if own != image => Err(format!(
                "worker token cannot request credentials for image {image:?} on stub {stub:?}"
            )),
            Some(_) => Ok(()),
        }
    }
}

/// A registry's host, without a scheme and a path.
fn registry_host(registry: &str) -> &str {
    let bare = registry
        .trim_start_matches("https://")
        .trim_start_matches("http://")
        .trim_matches('/');
    bare.split_once('/').map_or(bare, |(host, _)| host)
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, world: Arc<Mutex<World>>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, world) = (tls.clone(), world.clone());
        tokio::spawn(async move {
            let first = {
                let mut world = world.lock().unwrap();
                world.connections += 1;
                world.script.front().copied()
            };
            match tls {
                // A client that goes away in the middle is its own affair.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        _ = connection(stream, &world).await;
                    }
                }
                None if matches!(first, Some(Wrong::SpeaksHttp1)) => {
                    speak_http1(&stream, &world).await;
                }
                None => _ = connection(stream, &world).await,
            }
        });
    }
}

async fn speak_http1(stream: &TcpStream, world: &Mutex<World>) {
    world.lock().unwrap().script.pop_front();
    stream.readable().await.unwrap();
    _ = stream.try_read(&mut [0; 4096]);
    _ = stream.try_write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 7\r\n\r\nhunter2");
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    world: &Arc<Mutex<World>>,
) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(stream).await?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        let wrong = world.lock().unwrap().script.pop_front();
        let answering = tokio::spawn(answer(request, respond, wrong, world.clone()));
        if matches!(wrong, Some(Wrong::Closes | Wrong::BreaksOff)) {
            // As long as it takes to read the question and to write what is to be written.
            _ = tokio::time::timeout(Duration::from_millis(100), connection.accept()).await;
            answering.abort();
            return Ok(());
        }
    }
    Ok(())
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    wrong: Option<Wrong>,
    world: Arc<Mutex<World>>,
) -> Result<(), h2::Error> {
    let header = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let bearer = header("authorization")
        .strip_prefix("Bearer ")
        .unwrap_or_default()
        .to_owned();
    let is_grpc = request.method() == "POST"
        && request.uri().path() == "/WorkerRepositoryService/GetCacheOriginCredentials"
        && header("content-type").starts_with("application/grpc")
        && header("te") == "trailers";
    let question = read(request.into_body()).await?;
    let asked = Asked {
        bearer,
        workspace: question.workspace_id,
        stub: question.stub_id,
        registry: question.registry,
        image: question.image_id,
    };
    let vended = {
        let mut world = world.lock().unwrap();
        let vended = world.answer(&asked);
        world.asked.push(asked);
        vended
    };
    let status = match wrong {
        Some(Wrong::Status(code)) => Some(code),
        _ if !is_grpc => Some(UNIMPLEMENTED),
        _ => None,
    };
    if let Some(code) = status {
        let head = head(200)
            .header("grpc-status", code.to_string())
            .header("grpc-message", "no: hunter2");
        respond.send_response(head.body(()).unwrap(), true)?;
        return Ok(());
    }
    let mut message = vended.encode_to_vec();
    match wrong {
        Some(Wrong::Http(code)) => {
            let head = Response::builder()
                .status(code)
                .header("content-type", "text/html")
                .body(())
                .unwrap();
            respond
                .send_response(head, false)?
                .send_data("hunter2".into(), true)?;
            return Ok(());
        }
        Some(Wrong::Closes) => std::future::pending().await,
        Some(Wrong::Slow(time)) => tokio::time::sleep(time).await,
        Some(Wrong::Refuses) => {
            let refusal = Answer {
                error_msg: "no: hunter2".into(),
                registry_credentials: "u:hunter2".into(),
                ..Answer::default()
            };
            message = refusal.encode_to_vec();
        }
        Some(Wrong::Garbage) => message = b"\x1a\xffhunter2".to_vec(),
        Some(Wrong::Huge(size)) => {
            message = Answer {
                ok: true,
                registry_credentials: "h".repeat(size),
                ..Answer::default()
            }
            .encode_to_vec();
        }
        _ => {}
    }
    let mut stream = respond.send_response(head(200).body(()).unwrap(), false)?;
    if matches!(wrong, Some(Wrong::BreaksOff)) {
        stream.send_data(framed(&message).slice(..7), false)?;
        std::future::pending::<()>().await;
    }
    if !matches!(wrong, Some(Wrong::Nothing)) {
        stream.send_data(framed(&message), false)?;
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    stream.send_trailers(trailers)
}

fn head(status: u16) -> tonic::codegen::http::response::Builder {
    Response::builder()
        .status(status)
        .header("content-type", "application/grpc")
}

/// gRPC's frame: not compressed, the length, the message.
fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap();
    [&[0], length.to_be_bytes().as_slice(), message]
        .concat()
        .into()
}

async fn read(mut body: RecvStream) -> Result<Question, h2::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        bytes.extend_from_slice(&chunk);
    }
    let (prefix, message) = bytes.split_at(5);
    assert_eq!(
        prefix,
        [
            &[0],
            u32::try_from(message.len())
                .unwrap()
                .to_be_bytes()
                .as_slice()
        ]
        .concat()
    );
    Ok(Question::decode(message).unwrap())
}

const UNIMPLEMENTED: u32 = 12;
