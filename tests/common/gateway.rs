//! A fake of Beta9's gateway: its HTTP API for secrets, strictly as documented, over TCP or TLS, which can fail in
//! every way that a server can. It uses only threads and the standard library, so that it shares no bug with the
//! helper's own HTTP client.

mod api;
pub mod certificates;
mod serve;
pub mod wire;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use self::serve::Open;
use super::Node;

pub const WORKSPACE: &str = "11111111-1111-4111-8111-111111111111";
pub const OTHER_WORKSPACE: &str = "22222222-2222-4222-8222-222222222222";
pub const TOKEN: &str = "hunter2-workspace-token";
pub const OTHER_TOKEN: &str = "hunter2-other-token";
/// Known to the gateway, but not allowed to touch secrets.
pub const RESTRICTED_TOKEN: &str = "hunter2-restricted-token";
pub const WORKER_TOKEN: &str = "hunter2-worker-token";
pub const PRIVATE_WORKER_TOKEN: &str = "hunter2-worker-private-token";
pub const MACHINE_TOKEN: &str = "hunter2-machine-token";
/// Of the other workspace, and allowed in every one.
pub const ADMIN_TOKEN: &str = "hunter2-cluster-admin-token";

/// Every token that is good: its kind, and whose it is.
pub const TOKENS: [(&str, &str, &str); 7] = [
    (TOKEN, "workspace", WORKSPACE),
    (OTHER_TOKEN, "workspace", OTHER_WORKSPACE),
    (RESTRICTED_TOKEN, "workspace_restricted", WORKSPACE),
    (WORKER_TOKEN, "worker", WORKSPACE),
    (PRIVATE_WORKER_TOKEN, "worker_private", WORKSPACE),
    (MACHINE_TOKEN, "machine", WORKSPACE),
    (ADMIN_TOKEN, "cluster_admin", OTHER_WORKSPACE),
];

/// How the gateway behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// Every answer has this status, and a body that must never be shown.
    Status(u16),
    /// The database is down, or part of it is: a secret is answered with this status (404, 400), the list with that one
    /// (200, 400, 500), no change is made, and a token that the gateway has not cached is refused.
    DatabaseDown {
        secret: u16,
        list: u16,
    },
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
    /// A change is done, but no answer to it ever comes.
    HangOnChange,
    /// The same, for changes alone.
    LoseAnswersToChanges(usize),
    /// It redirects elsewhere.
    Redirect(String),
    /// Another server answers, with a page.
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

/// What is kept of a secret.
#[derive(Clone, Default)]
struct Kept {
    value: String,
    /// The member of later gateways.
    hosts: Option<serde_json::Value>,
    /// Whether its value can't be decrypted.
    sealed: bool,
}

#[derive(Default)]
struct State {
    secrets: BTreeMap<(String, String), Kept>,
    /// The tokens that it need not look up.
    cached: BTreeSet<String>,
    /// How many bytes of padding every list has.
    padding: usize,
    requests: Vec<String>,
    mood: Option<Mood>,
    refused: bool,
    down: bool,
    /// How many requests must be there before any of them is answered, round trip by round trip.
    batches: VecDeque<usize>,
    arrived: usize,
    generation: usize,
    lonely: bool,
    /// How many connections are open, and who has ever come, in order.
    open: usize,
    came: Vec<SocketAddr>,
    /// How far its clock is off, where it shows one.
    clock: Option<i64>,
    /// What another client creates just before the helper does.
    faster: Vec<(String, String)>,
    /// What another client deletes just after the list was sent.
    deleted: Vec<String>,
    held: Held,
}

/// Answers that are held back.
#[derive(Default)]
struct Held {
    /// How many requests go by before.
    skip: usize,
    /// How many are still to come.
    wanted: usize,
    /// How many wait.
    waiting: usize,
}

impl Gateway {
    pub fn start() -> Self {
        Self::listen(None, None)
    }

    /// Whether [`Gateway::start_tls`] can do its work; what is skipped without it is told.
    pub fn can_do_tls() -> bool {
        certificates::can_be_made()
    }

    /// Over TLS, with an authority of its own in `dir`.
    pub fn start_tls(dir: &Path) -> Self {
        let (authority, config) = certificates::server(dir, "IP:127.0.0.1");
        Self::listen(Some(config), Some(authority))
    }

    fn listen(tls: Option<Arc<rustls::ServerConfig>>, authority: Option<PathBuf>) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            moved: Condvar::new(),
            tls,
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gateway = Self {
            shared,
            address: listener.local_addr().unwrap(),
            accepting: Mutex::new(None),
            authority,
        };
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
                shared.come(&stream);
                thread::spawn(move || {
                    let _open = Open(&shared);
                    shared.serve(stream);
                });
            }
        });
        *self.accepting.lock().unwrap() = Some(accepting);
    }

    /// Nobody listens any more.
    pub fn stop(&self) {
        self.shared.state().down = true;
        // The listener looks up only when somebody comes.
        drop(TcpStream::connect(self.address));
        self.accepting
            .lock()
            .unwrap()
            .take()
            .unwrap()
            .join()
            .unwrap();
    }

    /// It is back, at the same address.
    pub fn start_again(&self) {
        self.shared.state().down = false;
        self.accept(TcpListener::bind(self.address).unwrap());
    }

    pub fn url(&self) -> String {
        let scheme = if self.shared.tls.is_some() {
            "https"
        } else {
            "http"
        };
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
        node.with("BETA9_STORE", "gateway")
            .with("BETA9_GATEWAY_URL", self.url())
            .with("BETA9_TOKEN", TOKEN)
    }

    pub fn mood(&self, mood: Mood) {
        self.shared.state().mood = Some(mood);
    }

    /// It shows its clock from now on, which is that many seconds off.
    pub fn show_clock(&self, off: i64) {
        self.shared.state().clock = Some(off);
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
        let kept = Kept {
            value: value.to_owned(),
            ..Kept::default()
        };
        self.shared
            .state()
            .secrets
            .insert((workspace.to_owned(), name.to_owned()), kept);
    }

    /// Gives a secret the member that says which hosts may get it.
    pub fn set_hosts(&self, name: &str, hosts: serde_json::Value) {
        self.shared.state().kept(name).hosts = Some(hosts);
    }

    /// A secret's value does not decrypt any more.
    pub fn seal(&self, name: &str) {
        self.shared.state().kept(name).sealed = true;
    }

    pub fn remove(&self, name: &str) {
        self.shared
            .state()
            .secrets
            .remove(&(WORKSPACE.to_owned(), name.to_owned()));
    }

    /// All secrets of the workspace.
    pub fn secrets(&self) -> BTreeMap<String, String> {
        let state = self.shared.state();
        let own = state
            .secrets
            .iter()
            .filter(|((workspace, _), _)| workspace == WORKSPACE);
        own.map(|((_, name), kept)| (name.clone(), kept.value.clone()))
            .collect()
    }

    /// It forgets which tokens are good, as it does after a while.
    pub fn forget_tokens(&self) {
        self.shared.state().cached.clear();
    }

    /// Every list is so many bytes longer than it has to be.
    pub fn pad_list(&self, bytes: usize) {
        self.shared.state().padding = bytes;
    }

    /// Somebody else deletes this just after the helper's next list.
    pub fn delete_after_list(&self, name: &str) {
        self.shared.state().deleted.push(name.to_owned());
    }

    /// After this many requests the answers to the next `count` are made when they are asked for, and given when
    /// [`Gateway::release`] says so.
    pub fn hold_back(&self, skip: usize, count: usize) {
        self.shared.state().held = Held {
            skip,
            wanted: count,
            waiting: 0,
        };
    }

    /// Once all of those have been asked for.
    pub fn wait_for_held(&self) {
        drop(self.wait_while(|state| state.held.wanted > 0, "is not asked"));
    }

    /// They are given.
    pub fn release(&self) {
        self.shared.state().held = Held::default();
        self.shared.moved.notify_all();
    }

    /// Somebody else creates this just before the helper's next create.
    pub fn be_faster(&self, name: &str, value: &str) {
        self.shared
            .state()
            .faster
            .push((name.to_owned(), value.to_owned()));
    }

    /// The requests since this was asked last, as `GET /path`.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.state().requests)
    }

    /// The same, with those of connections that are still being served.
    pub fn settled_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.settled().requests)
    }

    /// From now on requests are answered in batches: none of a batch before all of it are there, which proves that they
    /// are one round trip. [`Gateway::check_batches`] says whether they came so.
    pub fn expect_batches(&self, batches: &[usize]) {
        let mut state = self.settled();
        state.requests.clear();
        state.batches = batches.iter().copied().collect();
    }

    /// Panics unless exactly the expected batches came.
    pub fn check_batches(&self, expected: &[usize]) {
        let mut state = self.settled();
        let requests = std::mem::take(&mut state.requests);
        assert!(
            !state.lonely && state.batches.is_empty(),
            "{:?} are outstanding after {requests:?}",
            state.batches
        );
        assert_eq!(
            requests.len(),
            expected.iter().sum::<usize>(),
            "{requests:?}"
        );
    }

    /// Once all that was sent has been read: who has what it asked for goes without waiting for the rest.
    fn settled(&self) -> MutexGuard<'_, State> {
        // An earlier connection may have had the address that ours gets.
        let before = self.shared.state().came.len();
        let last = TcpStream::connect(self.address).unwrap();
        let me = last.local_addr().unwrap();
        // Connections are accepted in the order in which they came, and others may come after ours.
        drop(self.wait_while(
            |state| !state.came[before..].contains(&me),
            "accepts no connection any more",
        ));
        drop(last);
        self.wait_while(|state| state.open > 0, "still serves a connection")
    }

    fn wait_while(&self, still: impl Fn(&State) -> bool, what: &str) -> MutexGuard<'_, State> {
        // Longer than a connection waits for the rest of its batch, which may have begun just now.
        let (patience, state) = (PATIENCE * 4, self.shared.state());
        let (state, waited) = self
            .shared
            .moved
            .wait_timeout_while(state, patience, |state| still(state))
            .unwrap();
        let (open, requests) = (state.open, &state.requests);
        assert!(
            !waited.timed_out(),
            "after {patience:?} the gateway {what}: {open} are open after {requests:?}"
        );
        state
    }
}

/// Longer than the helper waits for anything.
const PATIENCE: Duration = Duration::from_secs(15);
