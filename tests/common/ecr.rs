//! A fake of Amazon ECR's API, as far as one call goes: `GetAuthorizationToken`
//! (<https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html>), which it answers or
//! refuses; and tokens of it in a node's cache.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use beta9_credential::backend::{Backend, Login, Whose};
use beta9_credential::config::{CloudSettings, KeyPlace, Node as Identity};
use beta9_credential::host::Host;
use beta9_credential::keys::Keys;
use beta9_credential::store::{FileStore, Lookup, Secret, Store};
use serde_json::json;

use super::gateway::wire::{Answer, Request};
use super::{Node, tokens};

pub const HOST: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
pub const KEY_ID: &str = "AKIAHUNTER2HUNTER2AA";
pub const KEY: &str = "hunter2-aws-key";

pub struct Ecr {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    mints: usize,
    down: bool,
    delay: Duration,
    life: Option<Duration>,
}

impl Ecr {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<Mutex<State>>::default();
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (shared, stream) = (shared.clone(), stream.unwrap());
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { address, state }
    }

    /// From now on it refuses the keys, or takes them again.
    pub fn refuse(&self, down: bool) {
        self.state.lock().unwrap().down = down;
    }

    /// From now on an answer takes this long.
    pub fn be_slow(&self, delay: Duration) {
        self.state.lock().unwrap().delay = delay;
    }

    /// From now on a token lives this long, and not for 12 hours.
    pub fn live(&self, life: Duration) {
        self.state.lock().unwrap().life = Some(life);
    }

    /// How often it was asked, since its mints were taken last.
    pub fn asked(&self) -> usize {
        self.state.lock().unwrap().mints
    }

    /// How often it was asked, since this was asked last.
    pub fn mints(&self) -> usize {
        std::mem::take(&mut self.state.lock().unwrap().mints)
    }

    /// A node whose ECR this is, for every registry.
    pub fn node(&self) -> Node {
        self.wire(Node::new())
    }

    pub fn wire(&self, node: Node) -> Node {
        // A long timeout, for a debug build under load.
        node.configured(&self.config()).with("BETA9_TIMEOUT", "60s")
    }

    pub fn config(&self) -> String {
        let url = self.url();
        format!(
            "[[registry]]\nhost = \"*.dkr.ecr.us-east-1.amazonaws.com\"\nendpoint_url = \"{url}\"\n"
        )
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts a token of the keys `KEY_ID` and `KEY`, which a store has, into the node's cache.
    pub fn plant(
        &self,
        node: &Node,
        workspace: &str,
        host: &str,
        (age, life): (Duration, Duration),
    ) {
        let real = Host::parse(host.as_bytes()).unwrap();
        let settings = CloudSettings {
            endpoint_url: Some(self.url()),
            ..CloudSettings::default()
        };
        let (keys, identity, deadline) = (
            keys(),
            Identity::default(),
            Instant::now() + Duration::from_mins(1),
        );
        let login = Login {
            host: &real,
            keys: Some(&keys),
            pod: None,
            ambient: false,
            settings: &settings,
            node: &identity,
            deadline,
        };
        let Whose::Known(scope) = Backend::Aws.whose(&login).unwrap() else {
            panic!()
        };
        tokens::plant(
            node,
            &tokens::id(workspace, host, "aws", &scope),
            age,
            Ok(life),
        );
    }
}

/// Ends the time for which a failed mint is shared.
pub fn end_shared_failures(node: &Node) {
    for file in tokens::files(node, "failed") {
        std::fs::remove_file(file).unwrap();
    }
}

/// The blob of a secret with the keys.
pub fn blob(host: &str) -> String {
    json!({"registry": host, "type": "aws", "credentials": {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": KEY}})
        .to_string()
}

/// Stores a blob in the built-in store of a workspace.
pub fn keep(node: &Node, workspace: &str, host: &str, blob: &str) {
    let store = Store::File(FileStore::new(
        workspace,
        Some(node.store_dir()),
        KeyPlace::File(node.key_file()),
    ));
    let host = Host::parse(host.as_bytes()).unwrap();
    let deadline = Instant::now() + Duration::from_hours(1);
    let lookup = Lookup {
        by_shared_name: true,
        deadline,
        ..Lookup::of(&host)
    };
    store
        .store(
            &lookup,
            &Secret {
                username: "AWS".into(),
                blob: blob.into(),
            },
        )
        .unwrap();
}

pub fn keys() -> Keys {
    let mut keys = Keys::default();
    keys.insert("AWS_ACCESS_KEY_ID", KEY_ID.into()).unwrap();
    keys.insert("AWS_SECRET_ACCESS_KEY", KEY.into()).unwrap();
    keys
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    while let Some(request) = Request::read(&mut stream) {
        assert_eq!(request.method, "POST");
        let (number, down, delay, life) = {
            let mut state = state.lock().unwrap();
            state.mints += 1;
            (
                state.mints,
                state.down,
                state.delay,
                state.life.unwrap_or(Duration::from_hours(12)),
            )
        };
        thread::sleep(delay);
        let asked: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        let answer = if down {
            Answer::of(
                400,
                &json!({"__type": "UnrecognizedClientException", "message": "no: hunter2"}),
            )
        } else {
            let expires = SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap()
                .as_secs()
                + life.as_secs();
            let account = asked["registryIds"][0].as_str().unwrap();
            Answer::of(
                200,
                &json!({"authorizationData": [{
                    "authorizationToken": STANDARD.encode(format!("AWS:hunter2-minted-{number}")),
                    "expiresAt": expires,
                    "proxyEndpoint": format!("https://{account}.dkr.ecr.us-east-1.amazonaws.com"),
                }]}),
            )
        };
        if stream.write_all(&answer.bytes).is_err() {
            return;
        }
    }
}
