//! `with`, with a fake ctr that asks for its password like the real one, and records everything that others can see of
//! it.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the test reads what the fake wrote"
)]

mod common;

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::terminal::{new_terminal, other_end};
use common::users::answered;
use common::{Answer, Node};
use rustix::termios::{Winsize, tcsetwinsize};

const SECRET: &str = "canary-7d1f-secret";
const PULL: [&str; 5] = ["with", "ctr", "images", "pull", "registry.test/org/app:1"];

/// The prompt and the order of steps are those of containerd's cmd/ctr/commands/resolver.go; the terminal is the first of
/// standard error, output and input that is one, as in containerd/console.
const CTR: &str = r#"#!/usr/bin/env python3
import os, sys, termios, signal
here = os.path.dirname(os.path.abspath(__file__))
def note(name, text):
    with open(os.path.join(here, name), "w") as file:
        file.write(text)
note("argv", "\n".join(sys.argv[1:]))
note("environ", open("/proc/self/environ", errors="replace").read())
note("parent", open("/proc/%d/cmdline" % os.getppid()).read())
out = lambda text: os.write(1, text.encode())
if "--user" in sys.argv and ":" not in sys.argv[sys.argv.index("--user") + 1]:
    os.write(2, b"a warning\n")
    out("Password: ")
    fd = next((fd for fd in (2, 1, 0) if os.isatty(fd)), None)
    old = termios.tcgetattr(fd)
    silent = termios.tcgetattr(fd)
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(fd, termios.TCSANOW, silent)
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(fd, 1)
    termios.tcsetattr(fd, termios.TCSANOW, old)
    out("\n")
    note("password", line[:-1].decode())
files = []
for fd in os.listdir("/proc/self/fd"):
    try:
        files.append(fd + " " + os.readlink("/proc/self/fd/" + fd))
    except OSError:
        pass
note("files", "\n".join(files))
step = os.environ.get("STEP", "")
if step == "size":
    resized = []
    signal.signal(signal.SIGWINCH, lambda *_: resized.append(1))
    size = os.get_terminal_size(0)
    out("size %dx%d\n" % (size.columns, size.lines))
    while os.get_terminal_size(0).columns == size.columns or not resized:
        signal.sigtimedwait([], 0.01)
    size = os.get_terminal_size(0)
    out("size %dx%d\n" % (size.columns, size.lines))
if step == "line":
    out("typed " + os.read(0, 99).decode())
if step == "wait":
    note("pid", str(os.getpid()))
    signal.pause()
if step == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
os.write(1, b"pulled\x00\xff\r\n\tdone\n" if step == "bytes" else b"pulled\n")
sys.exit(int(step) if step.isdigit() else 0)
"#;

struct Fake {
    node: Node,
    dir: PathBuf,
}

impl Fake {
    fn new() -> Self {
        let node = Node::new();
        let dir = node.home().join("bin");
        fs::create_dir(&dir).unwrap();
        for name in ["ctr", "nerdctl"] {
            let file = dir.join(name);
            fs::write(&file, CTR).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", dir.display());
        let node = node
            .with("PATH", path)
            .with("XDG_RUNTIME_DIR", dir.to_str().unwrap());
        let fake = Self { node, dir };
        assert_eq!(fake.node.store("registry.test", "octo", SECRET).status, 0);
        fake
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.node = self.node.with(name, value);
        self
    }

    fn run(&self, args: &[&str]) -> Answer {
        self.node.run(args, "")
    }

    fn note(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap_or_default()
    }

    fn ran(&self) -> bool {
        self.dir.join("argv").exists()
    }

    /// Nothing that others can see of the command holds the secret, and what it wrote does not either.
    fn assert_hidden(&self, written: &str) {
        for name in ["argv", "environ", "parent", "files"] {
            let text = self.note(name);
            assert!(!text.is_empty(), "{name}");
            assert!(!text.contains(SECRET), "{name}: {text}");
        }
        assert!(!written.contains(SECRET), "{written}");
    }
}

fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_mins(1);
    while !is() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn ctr_gets_the_password_at_its_prompt_and_nowhere_else() {
    let fake = Fake::new().with("DOCKERHUB_PASSWORD", SECRET);
    let answer = fake.run(&PULL);
    assert_eq!(
        (answer.status, answer.out.as_str(), answer.err.as_str()),
        (0, "pulled\n", "a warning\n")
    );
    assert_eq!(fake.note("password"), SECRET);
    assert_eq!(
        fake.note("argv"),
        "images\npull\n--user\nocto\nregistry.test/org/app:1"
    );
    assert!(fake.note("environ").contains("HOME="));
    fake.assert_hidden(&answer.out);
}

#[test]
fn a_credential_that_came_in_the_environment_is_not_handed_on_in_it() {
    let secret = format!(
        r#"{{"registry":"registry.test","type":"basic","credentials":{{"USERNAME":"octo","PASSWORD":"{SECRET}"}}}}"#
    );
    let fake = Fake::new().with("BETA9_IMAGE_CREDENTIALS", &secret);
    let answer = fake.run(&PULL);
    assert_eq!(
        (answer.status, answer.out.as_str()),
        (0, "pulled\n"),
        "{answer:?}"
    );
    assert_eq!(fake.note("password"), SECRET);
    assert!(!fake.note("environ").contains("BETA9_"));
    fake.assert_hidden(&answer.out);
}

#[test]
fn a_variable_that_is_not_utf_8_stops_no_pull_and_is_not_handed_on_with_the_secret() {
    let fake = Fake::new();
    let bytes = |text: &[u8]| OsString::from_vec([text, b"\xff"].concat());
    let mut command = fake.node.command(&PULL);
    command.env("LOCAL", bytes(b"a"));
    command.env(bytes(b"NAME"), bytes(SECRET.as_bytes()));
    let answer = answered(command, "");
    assert_eq!(
        (answer.status, answer.out.as_str()),
        (0, "pulled\n"),
        "{answer:?}"
    );
    assert!(fake.note("environ").contains("LOCAL=a"));
    fake.assert_hidden(&answer.out);
}

#[test]
fn on_a_terminal_neither_prompt_nor_password_is_shown() {
    let fake = Fake::new();
    let screen = fake.node.on_terminal(&PULL);
    assert_eq!(screen.status, 0);
    assert_eq!(screen.text, "a warning\r\npulled\r\n");
    assert_eq!(fake.note("password"), SECRET);
    fake.assert_hidden(&screen.text);
}

#[test]
fn what_is_typed_goes_to_the_command() {
    let fake = Fake::new().with("STEP", "line");
    let screen = fake.node.on_terminal_typing(&PULL, "hello\n");
    assert_eq!(screen.status, 0);
    assert!(screen.text.contains("typed hello\r\n"), "{}", screen.text);
    assert_eq!(screen.text.matches("hello").count(), 2, "{}", screen.text);
    assert_eq!(fake.note("password"), SECRET);
}

#[test]
fn output_is_passed_on_byte_by_byte() {
    let fake = Fake::new().with("STEP", "bytes");
    let output = fake.node.command(&PULL).output().unwrap();
    assert_eq!(output.stdout, b"pulled\x00\xff\r\n\tdone\n");
}

#[test]
fn the_exit_status_is_the_commands_own() {
    for (step, status) in [("7", 7), ("kill", 128 + 9)] {
        let fake = Fake::new().with("STEP", step);
        let answer = fake.run(&PULL);
        assert_eq!(
            (answer.status, answer.err.as_str()),
            (status, "a warning\n")
        );
    }
}

#[test]
fn the_terminals_size_is_passed_on_at_once_and_when_it_changes() {
    let fake = Fake::new().with("STEP", "size");
    let master = new_terminal();
    let slave = other_end(&master);
    let size = |ws_col, ws_row| Winsize {
        ws_row,
        ws_col,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&slave, size(101, 33)).unwrap();
    let out = fake.dir.join("out");
    let mut child = fake
        .node
        .command(&PULL)
        .stdin(slave.try_clone().unwrap())
        .stdout(fs::File::create(&out).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let written = || fs::read_to_string(&out).unwrap();
    eventually("the first size", || written().contains("size 101x33\n"));
    tcsetwinsize(&slave, size(64, 20)).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(written(), "size 101x33\nsize 64x20\npulled\n");
}

#[test]
fn the_command_ends_when_the_helper_is_killed() {
    let fake = Fake::new().with("STEP", "wait");
    let mut child = fake.node.start(&PULL, b"");
    eventually("the command has begun", || !fake.note("pid").is_empty());
    let process = Path::new("/proc").join(fake.note("pid"));
    assert!(process.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("the command has ended", || {
        // Where nobody reaps it, it stays as a zombie, without a command line.
        fs::read(process.join("cmdline")).map_or(true, |line| line.is_empty())
    });
}

#[test]
fn without_a_credential_or_with_a_login_of_the_users_own_the_command_runs_unchanged() {
    let fake = Fake::new();
    let table: [&[&str]; 5] = [
        &["images", "pull", "other.test/org/app:1"],
        &[
            "images",
            "pull",
            "--user",
            "me:mine",
            "registry.test/org/app:1",
        ],
        &["images", "pull", "--", "other.test/org/app:1", "--"],
        &["images", "pull", "--help"],
        &["--version"],
    ];
    for args in table {
        let answer = fake.run(&[&["with", "ctr"], args].concat());
        assert_eq!(
            (answer.status, answer.out.as_str()),
            (0, "pulled\n"),
            "{args:?}: {answer:?}"
        );
        assert_eq!(fake.note("argv"), args.join("\n"));
    }
}

#[test]
fn an_error_runs_nothing() {
    let fake = Fake::new();
    fs::write(fake.node.key_file(), "no key").unwrap();
    let answer = fake.run(&PULL);
    assert_eq!((answer.status, answer.out.as_str()), (1, ""));
    assert!(answer.err.contains("registry.test"), "{answer:?}");
    assert!(!fake.ran());
}

#[test]
fn what_ctr_cannot_be_given_in_secret_is_refused() {
    let fake = Fake::new();
    let long = "x".repeat(4095);
    for (host, username, secret) in [
        ("registry.digitalocean.com", SECRET, SECRET),
        ("token.test", "<token>", SECRET),
        ("colon.test", "octo:cat", SECRET),
        ("long.test", "octo", long.as_str()),
    ] {
        assert_eq!(fake.node.store(host, username, secret).status, 0);
        let image = format!("{host}/org/app:1");
        let answer = fake.run(&["with", "ctr", "images", "pull", &image]);
        assert_eq!((answer.status, answer.out.as_str()), (1, ""), "{host}");
        assert!(
            answer.err.contains(&format!("{host}: credential: ")),
            "{answer:?}"
        );
        assert!(answer.err.contains("with nerdctl pull"), "{answer:?}");
        assert!(!answer.err.contains(secret), "{answer:?}");
    }
    let dumps = fake.run(&[&PULL[..4], &["--http-dump", PULL[4]]].concat());
    assert!(
        dumps.status == 1 && dumps.err.contains("--http-dump"),
        "{dumps:?}"
    );
    assert!(!fake.ran());
}

#[test]
fn a_credential_goes_to_no_other_host_than_the_one_that_ctr_will_ask() {
    let fake = Fake::new();
    assert_eq!(
        fake.node
            .store("https://index.docker.io/v1/", "octo", SECRET)
            .status,
        0
    );
    for image in [
        "org/app",
        "redis:7",
        "docker://registry.test/org/app",
        "evil@registry.test/a",
    ] {
        let answer = fake.run(&["with", "ctr", "images", "pull", image]);
        assert_eq!(
            (answer.status, answer.out.as_str()),
            (1, ""),
            "{image}: {answer:?}"
        );
    }
    let answer = fake.run(&[
        "with", "ctr", "images", "pull", "--new", "a.test/b", PULL[4],
    ]);
    assert!(
        answer.status == 1 && answer.err.contains("--new"),
        "{answer:?}"
    );
    assert!(!fake.ran());
}

#[test]
fn a_vendors_credential_is_not_given_for_plain_http() {
    let fake = Fake::new();
    assert_eq!(fake.node.store("ghcr.io", "octo", SECRET).status, 0);
    let args = [
        "with",
        "ctr",
        "images",
        "pull",
        "--plain-http",
        "ghcr.io/org/app",
    ];
    assert_eq!(fake.run(&args).status, 0);
    assert_eq!(fake.note("argv"), args[2..].join("\n"));
}

#[test]
fn only_pulls_of_ctr_and_nerdctl_are_run() {
    let fake = Fake::new();
    for args in [
        ["ctr", "run", "registry.test/org/app:1"],
        ["nerdctl", "run", "registry.test/org/app:1"],
        ["docker", "pull", "registry.test/org/app:1"],
    ] {
        let answer = fake.run(&[&["with"], &args[..]].concat());
        assert!(
            answer.status == 1 && answer.err.contains("with: "),
            "{answer:?}"
        );
    }
    assert!(!fake.ran());
}

#[test]
fn nerdctl_gets_a_configuration_that_names_the_helper_and_holds_no_secret() {
    let fake = Fake::new();
    let answer = fake.run(&["with", "nerdctl", "pull", "registry.test/org/app:1"]);
    assert_eq!(
        (answer.status, answer.out.as_str()),
        (0, "pulled\n"),
        "{answer:?}"
    );
    assert_eq!(fake.note("argv"), "pull\nregistry.test/org/app:1");
    let environ = fake.note("environ");
    let variable = |name: &str| {
        let found = environ.split('\0').find_map(|line| line.strip_prefix(name));
        found.unwrap_or_default().to_owned()
    };
    let config = fs::read_to_string(Path::new(&variable("DOCKER_CONFIG=")).join("config.json"));
    assert_eq!(config.unwrap(), "{\"credsStore\":\"beta9\"}\n");
    // As docker's library looks for a helper.
    let helper = Command::new("sh")
        .args(["-c", "command -v docker-credential-beta9"])
        .env("PATH", variable("PATH="))
        .output()
        .unwrap();
    assert!(helper.status.success());
    fake.assert_hidden(&answer.out);

    let args = ["with", "nerdctl", "pull", "other.test/org/app:1"];
    assert_eq!(fake.run(&args).status, 0);
    assert!(!fake.note("environ").contains("DOCKER_CONFIG="));
}
