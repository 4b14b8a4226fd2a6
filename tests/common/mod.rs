//! A separate node for each test: the real binary, an empty environment and a scratch home directory.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "test code"
)]

pub mod clip;
pub mod clouds;
pub mod ecr;
pub mod first_store;
pub mod gateway;
pub mod health;
pub mod mirror;
pub mod postgres;
pub mod registry;
pub mod terminal;
pub mod tls_registry;
pub mod tokens;
pub mod users;
pub mod vectors;
pub mod worker;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use beta9_credential::json::{self, Object};
use tempfile::TempDir;

pub const NOT_FOUND: &str = "credentials not found in native keychain\n";
pub const BINARY: &str = env!("CARGO_BIN_EXE_docker-credential-beta9");

/// A machine with nothing on it but the helper.
pub struct Node {
    scratch: Rc<TempDir>,
    variables: Vec<(String, String)>,
}

/// What the helper did.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Node {
    pub fn new() -> Self {
        let scratch = Rc::new(tempfile::tempdir().unwrap());
        let home = scratch.path().to_str().unwrap().to_owned();
        // A long list timeout, so that a busy machine does not make a list fall back on its last answer.
        Self {
            scratch,
            variables: vec![
                ("HOME".into(), home),
                ("BETA9_LIST_TIMEOUT".into(), "60s".into()),
                // The default directory belongs to the machine rather than the node.
                ("BETA9_CACHE_MEMORY_DIR".into(), "off".into()),
            ],
        }
    }

    /// The same node with one more environment variable.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Another client on the same node, with one variable that is different.
    pub fn clone_with(&self, name: &str, value: impl Into<String>) -> Self {
        let mut variables = self.variables.clone();
        variables.retain(|(known, _)| known != name);
        variables.push((name.to_owned(), value.into()));
        Self {
            scratch: Rc::clone(&self.scratch),
            variables,
        }
    }

    pub fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self
    }

    /// The same node with this configuration file.
    pub fn configured(self, toml: &str) -> Self {
        let path = self.home().join("config.toml");
        std::fs::write(&path, toml).unwrap();
        let path = path.to_str().unwrap().to_owned();
        self.with("BETA9_CREDENTIAL_CONFIG", path)
    }

    pub fn home(&self) -> &Path {
        self.scratch.path()
    }

    pub fn store_dir(&self) -> PathBuf {
        self.home().join(".local/share/beta9/credentials")
    }

    pub fn tokens_dir(&self) -> PathBuf {
        self.home().join(".cache/beta9/tokens")
    }

    pub fn key_file(&self) -> PathBuf {
        self.home().join(".local/share/beta9/credentials.key")
    }

    /// The one sealed file there is.
    pub fn sealed_file(&self) -> PathBuf {
        let mut files = self.sealed_files();
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
    }

    pub fn sealed_files(&self) -> Vec<PathBuf> {
        let Ok(workspaces) = std::fs::read_dir(self.store_dir()) else {
            return Vec::new();
        };
        workspaces
            .flat_map(|workspace| std::fs::read_dir(workspace.unwrap().path()).unwrap())
            .map(|file| file.unwrap().path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "sealed")
            })
            .collect()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command
            .args(args)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn start(&self, args: &[&str], input: &[u8]) -> Child {
        let mut child = self.command(args).spawn().unwrap();
        // Writing fails only if the helper stopped reading, which is a bug.
        child.stdin.take().unwrap().write_all(input).unwrap();
        child
    }

    pub fn run(&self, args: &[&str], input: impl AsRef<[u8]>) -> Answer {
        Answer::of(self.start(args, input.as_ref()))
    }

    pub fn get(&self, server_url: &str) -> Answer {
        self.run(&["get"], server_url)
    }

    pub fn store(&self, server_url: &str, username: &str, secret: &str) -> Answer {
        self.run(&["store"], store_request(server_url, username, secret))
    }

    pub fn erase(&self, server_url: &str) -> Answer {
        self.run(&["erase"], server_url)
    }

    pub fn list(&self) -> String {
        let answer = self.run(&["list"], "unused");
        assert_eq!((answer.status, answer.err.as_str()), (0, ""));
        answer.out
    }

    pub fn explain(&self, input: &str) -> Object {
        let answer = self.run(&["explain", "--json", input], "");
        assert_eq!(answer.status, 0, "{answer:?}");
        json::parse_object(answer.out.as_bytes()).unwrap()
    }

    /// The user name and secret that `get` answers.
    pub fn pair(&self, server_url: &str) -> (String, String) {
        let answer = self.get(server_url);
        assert_eq!(answer.status, 0, "{answer:?}");
        let object = json::parse_object(answer.out.as_bytes()).unwrap();
        let text = |key| object.text(key).unwrap().expose().to_owned();
        assert_eq!(text("ServerURL"), server_url.trim_end());
        (text("Username"), text("Secret"))
    }
}

impl Answer {
    pub fn of(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            status: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    pub fn not_found() -> Self {
        Self {
            status: 1,
            out: NOT_FOUND.into(),
            err: String::new(),
        }
    }

    pub fn silence() -> Self {
        Self {
            status: 0,
            out: String::new(),
            err: String::new(),
        }
    }

    /// Exit 1 with one line, whose text this is: on standard output of a verb of docker's, on standard error of any other command.
    pub fn failure(&self) -> &str {
        if self.out.is_empty() {
            return self.refusal();
        }
        assert_eq!((self.status, self.err.as_str()), (1, ""), "{self:?}");
        let line = self.out.strip_suffix('\n').unwrap();
        assert!(
            !line.contains('\n') && line != NOT_FOUND.trim_end(),
            "{line}"
        );
        line
    }

    /// Exit 1 with one JSON object on standard error and nothing on standard output: its part and its cause.
    pub fn json_refusal(&self) -> String {
        assert_eq!((self.status, self.out.as_str()), (1, ""), "{self:?}");
        let object = json::parse_object(self.err.strip_suffix('\n').unwrap().as_bytes()).unwrap();
        let Some(json::Value::Object(error)) = object.get("error") else {
            panic!("{self:?}");
        };
        let text = |key: &str| error.text(key).unwrap().expose().to_owned();
        format!("{}: {}; {}", text("part"), text("cause"), text("fix"))
    }

    /// Exit 1 with one line on standard error, whose text this is, and nothing on standard output.
    pub fn refusal(&self) -> &str {
        assert_eq!((self.status, self.out.as_str()), (1, ""), "{self:?}");
        let line = self.err.strip_suffix('\n').unwrap();
        assert!(!line.contains('\n'), "{line}");
        line.strip_prefix("docker-credential-beta9: ").unwrap()
    }
}

/// Two runs, of which the second must find the miss that the first cached for five seconds. If a busy machine was too
/// slow, they are repeated after the miss has expired.
pub fn within_a_miss_life<T>(mut both: impl FnMut() -> T) -> T {
    for _ in 0..9 {
        let started = Instant::now();
        let found = both();
        // Ages are in whole seconds, so four seconds may count as five.
        if started.elapsed() < Duration::from_secs(4) {
            return found;
        }
        sleep(Duration::from_secs(7));
    }
    panic!("this machine does not run the helper twice in four seconds");
}

/// What docker writes to `store`.
pub fn store_request(server_url: &str, username: &str, secret: &str) -> String {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Request<'a> {
        #[serde(rename = "ServerURL")]
        server_url: &'a str,
        username: &'a str,
        secret: &'a str,
    }
    json::line(&Request {
        server_url,
        username,
        secret,
    })
    .to_string()
}

/// The cases of `hosts.tsv`: the input's bytes and the expected word.
pub fn host_vectors() -> Vec<(Vec<u8>, String)> {
    let lines = include_str!("../fixtures/hosts.tsv")
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    let cases: Vec<_> = lines
        .map(|line| {
            let mut columns = line.split('\t');
            (
                unescape(columns.next().unwrap()),
                columns.next().unwrap().to_owned(),
            )
        })
        .collect();
    assert!(cases.len() > 90);
    cases
}

/// `\n \r \t \0 \\`, `\xNN` for a byte and `\uNNNN` for a character.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut chars = text.chars();
    let hex = |chars: &mut std::str::Chars, count| {
        let digits: String = chars.by_ref().take(count).collect();
        u32::from_str_radix(&digits, 16).unwrap()
    };
    while let Some(c) = chars.next() {
        let mut push = |c: char| bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        match c {
            '\\' => match chars.next().unwrap() {
                'n' => push('\n'),
                'r' => push('\r'),
                't' => push('\t'),
                '0' => push('\0'),
                'x' => bytes.push(hex(&mut chars, 2).try_into().unwrap()),
                'u' => push(char::from_u32(hex(&mut chars, 4)).unwrap()),
                other => push(other),
            },
            other => push(other),
        }
    }
    bytes
}
