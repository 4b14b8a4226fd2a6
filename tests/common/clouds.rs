//! Fakes of the clouds' token services under their real names, behind a proxy that all of a node's HTTPS goes through,
//! and of the metadata services of their machines. They accept anyone, and put the caller's name into the token, so
//! that a test sees whose token it gets.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Node;
use super::gateway::certificates;
use super::gateway::wire::{Answer, Request};

pub const ECR: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
pub const GOOGLE: &str = "us-docker.pkg.dev";
pub const AZURE: &str = "myreg.azurecr.io";

/// All of them.
pub struct Clouds {
    scratch: TempDir,
    authority: PathBuf,
    proxy: SocketAddr,
    metadata: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Whose tokens were minted, in order.
    mints: Vec<String>,
    /// How often the metadata services were asked.
    asked: usize,
    /// Who the machine is; `None` when its metadata service is out of order.
    machine: Option<String>,
    /// Whose key an access key of a session is.
    sessions: BTreeMap<String, String>,
    denied: bool,
    /// How long Google says that a token of another account lives.
    life: Duration,
}

impl Clouds {
    /// `None`, with a message, if certificates can't be made.
    pub fn start() -> Option<Self> {
        if !certificates::can_be_made() {
            return None;
        }
        let scratch = tempfile::tempdir().unwrap();
        let names: Vec<_> = NAMES.iter().map(|name| format!("DNS:{name}")).collect();
        let (authority, tls) = certificates::server(scratch.path(), &names.join(","));
        let state = Arc::new(Mutex::new(State {
            life: Duration::from_hours(1),
            ..State::default()
        }));
        let proxy = listen(state.clone(), move |mut stream, state| {
            let Some(request) = Request::read(&mut stream) else {
                return;
            };
            assert_eq!(request.method, "CONNECT");
            let host = request.path.trim_end_matches(":443").to_owned();
            stream
                .write_all(b"HTTP/1.1 200 Established\r\n\r\n")
                .unwrap();
            let connection = rustls::ServerConnection::new(tls.clone()).unwrap();
            converse(rustls::StreamOwned::new(connection, stream), |request| {
                state.lock().unwrap().cloud(&host, request)
            });
        });
        let metadata = listen(state.clone(), |stream, state| {
            converse(stream, |request| state.lock().unwrap().metadata(request));
        });
        Some(Self {
            scratch,
            authority,
            proxy,
            metadata,
            state,
        })
    }

    /// A node whose HTTPS requests go here, and whose own identities may be used. It isn't a cloud machine, wherever
    /// the test runs.
    pub fn node(&self) -> Node {
        // A long timeout, for a debug build under load.
        let node = Node::new()
            .with("BETA9_TIMEOUT", "60s")
            .with("BETA9_AMBIENT", "true");
        let node = node
            .with("HTTPS_PROXY", format!("http://{}", self.proxy))
            .with("AWS_EC2_METADATA_DISABLED", "true");
        node.with("SSL_CERT_FILE", self.authority.to_str().unwrap())
    }

    /// The address of the metadata services.
    pub fn metadata(&self) -> String {
        self.metadata.to_string()
    }

    /// A place for files that are not the node's.
    pub fn scratch(&self) -> &std::path::Path {
        self.scratch.path()
    }

    /// Whose tokens were minted since this was asked last.
    pub fn mints(&self) -> Vec<String> {
        std::mem::take(&mut self.state().mints)
    }

    /// How often the metadata services were asked since this was asked last.
    pub fn asked(&self) -> usize {
        std::mem::take(&mut self.state().asked)
    }

    /// Sets the machine's identity; `None` makes its metadata service fail.
    pub fn be(&self, machine: Option<&str>) {
        self.state().machine = machine.map(str::to_owned);
    }

    /// From now on AWS denies every token.
    pub fn deny(&self) {
        self.state().denied = true;
    }

    /// From now on Google says that a token of another account lives this long.
    pub fn life(&self, life: Duration) {
        self.state().life = life;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// Whose token a node gets.
pub fn whose(node: &Node, host: &str) -> String {
    let secret = node.pair(host).1;
    let (whose, _number) = secret
        .rsplit_once('#')
        .unwrap_or_else(|| panic!("{secret}"));
    whose
        .rsplit_once('.')
        .filter(|_| host == AZURE)
        .map_or(whose, |(_, whose)| whose)
        .to_owned()
}

/// An unsigned token with these claims.
pub fn token(claims: &Value) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn claims(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

impl State {
    fn cloud(&mut self, host: &str, request: &Request) -> Answer {
        let form = form(&request.body);
        let field = |name: &str| form.get(name).cloned().unwrap_or_default();
        match host {
            "api.ecr.us-east-1.amazonaws.com" | "api.ecr-public.us-east-1.amazonaws.com" => {
                self.ecr(request)
            }
            "sts.us-east-1.amazonaws.com" => {
                let who = match field("WebIdentityToken").as_str() {
                    "" => field("RoleArn"),
                    token => format!(
                        "{} as {}",
                        field("RoleArn"),
                        claims(token)["sub"].as_str().unwrap()
                    ),
                };
                let session = self.session(who);
                let answer = format!(
                    "<{0}Response><{0}Result><Credentials><AccessKeyId>{session}</AccessKeyId><SecretAccessKey>hunter2</SecretAccessKey>\
                     <SessionToken>hunter2</SessionToken><Expiration>{1}</Expiration></Credentials></{0}Result></{0}Response>",
                    field("Action"),
                    ending(Duration::from_hours(1))
                );
                Answer::raw(200, "Content-Type: text/xml\r\n", &answer)
            }
            "oauth2.googleapis.com" => {
                let who = match field("assertion").as_str() {
                    "" => field("client_id"),
                    assertion => claims(assertion)["iss"].as_str().unwrap().to_owned(),
                };
                Answer::of(
                    200,
                    &json!({"access_token": self.mint(&who), "expires_in": 3599, "token_type": "Bearer"}),
                )
            }
            "iamcredentials.googleapis.com" => {
                let who = request
                    .path
                    .rsplit('/')
                    .next()
                    .unwrap()
                    .split(':')
                    .next()
                    .unwrap()
                    .to_owned();
                let ends = ending(self.life);
                Answer::of(
                    200,
                    &json!({"accessToken": self.mint(&who), "expireTime": ends}),
                )
            }
            "login.microsoftonline.com" => {
                let proof = match (field("client_secret"), field("client_assertion")) {
                    (secret, _) if !secret.is_empty() => format!("secret {secret}"),
                    (_, assertion) => {
                        format!("token of {}", claims(&assertion)["sub"].as_str().unwrap())
                    }
                };
                let who = format!(
                    "{} {} by {proof}",
                    request.path.split('/').nth(1).unwrap(),
                    field("client_id")
                );
                let token =
                    json!({"access_token": who, "expires_in": 3599, "token_type": "Bearer"});
                Answer::of(200, &token)
            }
            "myreg.azurecr.io" => {
                let begins = SystemTime::now()
                    .duration_since(SystemTime::UNIX_EPOCH)
                    .unwrap()
                    .as_secs();
                let token = token(&json!({"iat": begins, "exp": begins + 3 * 3600}));
                let who = match field("access_token") {
                    token if token.starts_with("e30.") => {
                        claims(&token)["appid"].as_str().unwrap().to_owned()
                    }
                    who => who,
                };
                let minted = self.mint(&who);
                let token = token.rsplit_once('.').unwrap().0;
                Answer::of(200, &json!({"refresh_token": format!("{token}.{minted}")}))
            }
            other => panic!("nobody should call {other}"),
        }
    }

    fn ecr(&mut self, request: &Request) -> Answer {
        if self.denied {
            return Answer::of(
                400,
                &json!({"__type": "AccessDeniedException", "message": "no: hunter2"}),
            );
        }
        let signed = &request.headers["authorization"];
        let key = signed
            .split_once("Credential=")
            .unwrap()
            .1
            .split_once('/')
            .unwrap()
            .0;
        let who = self
            .sessions
            .get(key)
            .cloned()
            .unwrap_or_else(|| key.to_owned());
        let expires = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs()
            + 12 * 3600;
        let data = json!({
            "authorizationToken": STANDARD.encode(format!("AWS:{}", self.mint(&who))),
            "expiresAt": expires,
            "proxyEndpoint": format!("https://{ECR}"),
        });
        let is_public = request.headers["host"].contains("ecr-public");
        Answer::of(
            200,
            &json!({"authorizationData": if is_public { data } else { json!([data]) }}),
        )
    }

    fn metadata(&mut self, request: &Request) -> Answer {
        self.asked += 1;
        let Some(machine) = self.machine.clone() else {
            return Answer::of(500, &json!({}));
        };
        let path = request.path.split('?').next().unwrap();
        let google = "Metadata-Flavor: Google\r\nContent-Type: application/json\r\n";
        match path.strip_prefix("/computeMetadata/v1/instance/service-accounts/default/") {
            Some("email") => return Answer::raw(200, google, &machine),
            Some("token") => {
                let token = json!({"access_token": self.mint(&machine), "expires_in": 3599, "token_type": "Bearer"});
                return Answer::raw(200, google, &token.to_string());
            }
            _ => {}
        }
        let roles = "/latest/meta-data/iam/security-credentials/";
        match path {
            "/latest/api/token" => Answer::raw(
                200,
                "X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n",
                "hunter2-metadata",
            ),
            _ if path == roles => Answer::raw(200, "Content-Type: text/plain\r\n", &machine),
            _ if path == format!("{roles}{machine}") => self.credentials(machine),
            // The agent of EKS Pod Identity. Without a token, it answers for the machine.
            "/v1/credentials" => {
                let token = request
                    .headers
                    .get("authorization")
                    .map(|token| claims(token));
                let subject = token.map(|claims| claims["sub"].as_str().unwrap().to_owned());
                self.credentials(subject.unwrap_or(machine))
            }
            "/msi/token" => {
                let token = token(&json!({"appid": machine, "oid": "hunter2"}));
                let ends = SystemTime::now()
                    .duration_since(SystemTime::UNIX_EPOCH)
                    .unwrap()
                    .as_secs()
                    + 3600;
                let answer = json!({"access_token": token, "expires_on": ends.to_string(), "resource": "r", "token_type": "Bearer"});
                Answer::of(200, &answer)
            }
            other => panic!("nobody should ask for {other}"),
        }
    }

    fn credentials(&mut self, who: String) -> Answer {
        let session = self.session(who);
        Answer::of(
            200,
            &json!({
                "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": ending(Duration::ZERO), "AccessKeyId": session,
                "SecretAccessKey": "hunter2", "Token": "hunter2", "Expiration": ending(Duration::from_hours(1)),
            }),
        )
    }

    /// The access key of a new session.
    fn session(&mut self, who: String) -> String {
        let key = format!("ASIA{:016}", self.sessions.len());
        self.sessions.insert(key.clone(), who);
        key
    }

    fn mint(&mut self, who: &str) -> String {
        self.mints.push(who.to_owned());
        format!("{who}#{}", self.mints.len())
    }
}

fn ending(life: Duration) -> String {
    DateTime::from(SystemTime::now() + life)
        .fmt(Format::DateTime)
        .unwrap()
}

fn form(body: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(body);
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), decoded(value)))
        .collect()
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, others @ ..] = rest {
        rest = others;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                bytes.push(
                    u8::from_str_radix(std::str::from_utf8(&others[..2]).unwrap(), 16).unwrap(),
                );
                rest = &others[2..];
            }
            byte => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn listen(
    state: Arc<Mutex<State>>,
    serve: impl Fn(TcpStream, &Mutex<State>) + Clone + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (state, serve, stream) = (state.clone(), serve.clone(), stream.unwrap());
            thread::spawn(move || serve(stream, &state));
        }
    });
    address
}

fn converse(mut stream: impl Read + Write, answer: impl Fn(&Request) -> Answer) {
    while let Some(request) = Request::read(&mut stream) {
        let answer = answer(&request);
        if stream
            .write_all(&answer.bytes)
            .and_then(|()| stream.flush())
            .is_err()
        {
            return;
        }
    }
}

const NAMES: [&str; 8] = [
    "api.ecr.us-east-1.amazonaws.com",
    "api.ecr-public.us-east-1.amazonaws.com",
    "sts.us-east-1.amazonaws.com",
    "oauth2.googleapis.com",
    "iamcredentials.googleapis.com",
    "login.microsoftonline.com",
    "myreg.azurecr.io",
    "us-docker.pkg.dev",
];
