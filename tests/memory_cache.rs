//! The cache on tmpfs: tokens minted from a worker's vended keys, or from a request's keys.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::ecr::{self, Ecr, HOST};
use common::users::{TOOLS, chmod, skip};
use common::worker::{Gateway, WORKSPACE};
use common::{Answer, BINARY, Node};
use linux_keyutils::{KeyRing, KeyRingIdentifier};
use tempfile::TempDir;

/// A directory on tmpfs, whose key leaves the keyring with it.
struct InMemory {
    scratch: TempDir,
}

impl InMemory {
    /// `None` where this machine has no tmpfs, or no keyring for this process.
    fn new(test: &str) -> Option<Self> {
        const TMPFS: &str = "/dev/shm";
        let is_tmpfs = rustix::fs::statfs(TMPFS).is_ok_and(|known| known.f_type == 0x0102_1994);
        let ring = KeyRing::from_special_id(KeyRingIdentifier::User, true)
            .and_then(|ring| ring.add_key("docker-credential-beta9-probe", "probe"));
        let scratch = TempDir::new_in(TMPFS);
        match (scratch, ring) {
            (Ok(scratch), Ok(_)) if is_tmpfs => Some(Self { scratch }),
            _ => {
                skip(test, "it needs tmpfs at /dev/shm, and add_key");
                None
            }
        }
    }

    fn dir(&self) -> PathBuf {
        self.scratch.path().join("beta9/tokens")
    }

    fn on(&self, node: Node) -> Node {
        node.with("BETA9_CACHE_MEMORY_DIR", self.dir().to_str().unwrap())
    }

    /// The key goes, as at the next start of the machine; whether it was there.
    fn lose_key(&self) -> bool {
        let ring = KeyRing::from_special_id(KeyRingIdentifier::User, true).unwrap();
        let description = format!("docker-credential-beta9:{}", self.dir().display());
        let key = ring.search(&description);
        key.map(|key| ring.unlink_key(key).unwrap()).is_ok()
    }

    fn tokens(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        walk(&self.dir(), &mut |path| files.push(path.to_owned()));
        files.retain(|path| path.extension().is_some_and(|found| found == "token"));
        files
    }
}

impl Drop for InMemory {
    fn drop(&mut self) {
        self.lose_key();
    }
}

fn walk(dir: &Path, seen: &mut dyn FnMut(&Path)) {
    for file in fs::read_dir(dir).into_iter().flatten().flatten() {
        seen(&file.path());
        if file.path().is_dir() {
            walk(&file.path(), seen);
        }
    }
}

/// All that is below a directory, and when each was changed last.
fn tree(dir: &Path) -> Vec<(PathBuf, i64, i64, u64)> {
    let mut all = Vec::new();
    let mut note = |path: &Path| {
        let known = fs::symlink_metadata(path).unwrap();
        all.push((
            path.to_owned(),
            known.ctime(),
            known.ctime_nsec(),
            known.len(),
        ));
    };
    note(dir);
    walk(dir, &mut note);
    all.sort();
    all
}

/// A worker of an image whose keys are for ECR.
fn worker(gateway: &Gateway, ecr: &Ecr) -> Node {
    gateway.plant(WORKSPACE, "image-1", &ecr::blob(HOST));
    gateway.wire(ecr.wire(Node::new()))
}

fn status(node: &Node) -> serde_json::Value {
    let answer = node.run(&["status", "--json"], "");
    assert_eq!(answer.status, 0, "{answer:?}");
    serde_json::from_str(&answer.out).unwrap()
}

fn tokens_in_status(node: &Node) -> usize {
    status(node)["tokens"].as_array().unwrap().len()
}

#[test]
fn a_worker_node_mints_once_for_all_gets_and_writes_to_no_disk() {
    let Some(memory) = InMemory::new("one mint per worker node") else {
        return;
    };
    let (gateway, ecr) = (Gateway::start(), Ecr::start());
    let node = memory.on(worker(&gateway, &ecr));
    let before = tree(node.home());
    let running: Vec<_> = (0..50)
        .map(|_| node.start(&["get"], HOST.as_bytes()))
        .collect();
    for answer in running.into_iter().map(Answer::of) {
        assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
    }
    assert_eq!(ecr.mints(), 1, "50 at once");
    for _ in 0..20 {
        assert_eq!(node.pair(HOST).0, "AWS");
    }
    assert_eq!(ecr.mints(), 0, "20 in a row");
    // A miss is remembered too.
    gateway.world().images.clear();
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    assert_eq!(tree(node.home()), before);
    // What is in memory is sealed, and the keys are not there.
    walk(memory.scratch.path(), &mut |path| {
        if path.is_file() {
            let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
            assert!(!text.contains("hunter2") && !text.contains("AKIA"));
            assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o600);
        }
    });
    assert_eq!(memory.tokens().len(), 1);
}

#[test]
fn a_lost_key_costs_a_mint_and_is_not_an_error() {
    let Some(memory) = InMemory::new("a lost key") else {
        return;
    };
    let (gateway, ecr) = (Gateway::start(), Ecr::start());
    let node = memory.on(worker(&gateway, &ecr));
    node.pair(HOST);
    assert!(memory.lose_key());
    ecr.mints();
    let answer = node.get(HOST);
    assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
    assert_eq!(ecr.mints(), 1);
    node.pair(HOST);
    assert_eq!(ecr.mints(), 0);
    assert_eq!(tokens_in_status(&node), 1, "the old one does not open");
    // A look makes no key.
    assert!(memory.lose_key());
    assert_eq!(tokens_in_status(&node), 0);
    assert!(!memory.lose_key());
}

#[test]
fn status_refresh_and_erase_see_what_is_in_memory() {
    let Some(memory) = InMemory::new("status, refresh and erase") else {
        return;
    };
    let (gateway, ecr) = (Gateway::start(), Ecr::start());
    let node = memory.on(worker(&gateway, &ecr));
    node.pair(HOST);
    let said = status(&node);
    assert_eq!(said["memory_directory"], memory.dir().to_str().unwrap());
    assert_eq!(tokens_in_status(&node), 1);
    let answer = node.run(&["status"], "");
    assert!(answer.out.contains("from the worker store"), "{answer:?}");
    let explained = node.run(&["explain", "--json", HOST], "").out;
    let explained: serde_json::Value = serde_json::from_str(&explained).unwrap();
    assert!(
        explained["cached_seconds_left"].as_u64() > Some(0),
        "{explained}"
    );
    ecr.mints();
    let answer = node.run(&["refresh", "--all"], "");
    assert!(
        answer.status == 0 && answer.out.contains("renewed"),
        "{answer:?}"
    );
    assert_eq!(ecr.mints(), 1);
    node.pair(HOST);
    assert_eq!(ecr.mints(), 0);
    // Another image's secret is not this token's, which the next pull of its image renews.
    let other = node.clone_with("BETA9_IMAGE_ID", "image-2");
    let answer = other.run(&["refresh", "--all"], "");
    assert!(
        answer.status == 0 && answer.out.contains(": left: "),
        "{answer:?}"
    );
    // What was minted from a login's or a request's keys goes when the registry's credential is erased.
    let node = node
        .with("BETA9_STORE", "file")
        .with("BETA9_IMAGE_CREDENTIALS", ecr::blob(HOST));
    assert_eq!(node.erase(HOST).status, 0);
    assert_eq!(memory.tokens(), [] as [PathBuf; 0]);
}

#[test]
fn a_requests_token_is_in_memory_where_there_is_a_place_and_else_on_disk() {
    let Some(memory) = InMemory::new("a request's token") else {
        return;
    };
    let ecr = Ecr::start();
    let node = ecr.node().with("BETA9_IMAGE_CREDENTIALS", ecr::blob(HOST));
    let in_memory = memory.on(node.clone_with("A", "b"));
    let before = tree(node.home());
    for _ in 0..3 {
        in_memory.pair(HOST);
    }
    assert_eq!(ecr.mints(), 1);
    assert_eq!(tree(node.home()), before);
    for _ in 0..3 {
        node.pair(HOST);
    }
    assert_eq!(
        (ecr.mints(), common::tokens::files(&node, "token").len()),
        (1, 1)
    );
}

#[test]
fn without_tmpfs_a_worker_mints_each_time_and_the_debug_log_says_why() {
    let (gateway, ecr) = (Gateway::start(), Ecr::start());
    let node = worker(&gateway, &ecr);
    let disk = node.home().join("memory");
    if rustix::fs::statfs(node.home()).is_ok_and(|known| known.f_type == 0x0102_1994) {
        return skip(
            "a place that is not tmpfs",
            "the scratch directory is on tmpfs",
        );
    }
    let on_disk = node.clone_with("BETA9_CACHE_MEMORY_DIR", disk.to_str().unwrap());
    for node in [&on_disk, &node] {
        for _ in 0..2 {
            let answer = node.get(HOST);
            assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
        }
        assert_eq!(ecr.mints(), 2);
    }
    assert!(!disk.exists());
    let said = on_disk.clone_with("BETA9_LOG", "debug").get(HOST).err;
    assert!(
        said.contains("cache in memory: ") && said.contains("memory is not on tmpfs"),
        "{said}"
    );
    let wrong = node.clone_with("BETA9_CACHE_MEMORY_DIR", "run/tokens");
    assert!(wrong.get(HOST).failure().contains("BETA9_CACHE_MEMORY_DIR"));
}

#[test]
fn a_directory_that_both_caches_share_is_damaged_for_neither() {
    let Some(memory) = InMemory::new("a shared directory") else {
        return;
    };
    let ecr = Ecr::start();
    let request = ecr
        .node()
        .with("XDG_RUNTIME_DIR", memory.scratch.path().to_str().unwrap())
        .with("BETA9_IMAGE_CREDENTIALS", ecr::blob(HOST));
    let in_memory = memory.on(request.clone_with("A", "b"));
    let both = |node: &Node| {
        let said = status(node);
        (tokens_in_status(node), said["unreadable"].as_u64())
    };
    in_memory.pair(HOST);
    assert_eq!(both(&in_memory), (1, Some(0)));
    assert_eq!(both(&request).0, 0);
    let home = memory.scratch.path().to_str().unwrap();
    let on_disk = request
        .with("XDG_CACHE_HOME", format!("{home}/none"))
        .with("BETA9_CACHE_DIR", memory.dir().to_str().unwrap());
    on_disk.pair(HOST);
    let both_caches = memory.on(on_disk);
    assert_eq!(both(&both_caches), (2, Some(0)));
}

/// A `get` of a node by another program, which is given the helper and its verb as its last arguments.
fn get_by(node: &Node, program: &[&str]) -> Answer {
    let like = node.command(&[]);
    let variables = like
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let mut command = Command::new(program[0]);
    command
        .args(&program[1..])
        .args([BINARY, "get"])
        .env_clear()
        .env("PATH", TOOLS)
        .envs(variables);
    common::users::answered(command, HOST)
}

/// What may be wrong with the place.
const SPOILT: [(&str, fn(&Path)); 4] = [
    ("mode 0770", |dir| chmod(dir, 0o770)),
    ("mode 0702", |dir| chmod(dir, 0o702)),
    ("a file", |dir| {
        fs::remove_dir(dir).unwrap();
        fs::write(dir, "").unwrap();
    }),
    ("no directory below a file", |dir| {
        fs::remove_dir(dir).unwrap();
        fs::remove_dir(dir.parent().unwrap()).unwrap();
        fs::write(dir.parent().unwrap(), "").unwrap();
    }),
];

#[test]
fn a_place_that_others_can_change_is_not_used_and_fails_nothing() {
    let test = "a place that others can change";
    let is_root = rustix::process::geteuid().is_root();
    let mut places = Vec::from(SPOILT);
    if is_root {
        places.push(("another user's", |dir| {
            chown(dir, Some(12_345), Some(12_345)).unwrap();
        }));
        places.push(("below another user's", |dir| {
            chown(dir.parent().unwrap(), Some(12_345), Some(12_345)).unwrap();
        }));
    }
    let (gateway, ecr) = (Gateway::start(), Ecr::start());
    for (name, spoil) in places {
        let Some(memory) = InMemory::new(test) else {
            return;
        };
        fs::create_dir_all(memory.dir()).unwrap();
        for dir in [memory.dir().parent().unwrap(), &memory.dir()] {
            chmod(dir, 0o700);
        }
        spoil(&memory.dir());
        let before = tree(memory.scratch.path());
        let node = memory.on(worker(&gateway, &ecr));
        for _ in 0..2 {
            let answer = node.get(HOST);
            assert_eq!(
                (answer.status, answer.err.as_str()),
                (0, ""),
                "{name}: {answer:?}"
            );
        }
        assert_eq!(ecr.mints(), 2, "{name}");
        assert_eq!(tree(memory.scratch.path()), before, "{name}");
        let said = node.clone_with("BETA9_LOG", "debug").get(HOST).err;
        assert!(said.contains("cache in memory: "), "{name}: {said}");
        ecr.mints();
    }
}

#[test]
fn a_disk_that_a_link_or_a_mount_puts_in_the_place_of_tmpfs_is_not_written() {
    let test = "a disk in the place of tmpfs";
    let Some(memory) = InMemory::new(test) else {
        return;
    };
    let disk = tempfile::tempdir().unwrap();
    if rustix::fs::statfs(disk.path()).is_ok_and(|known| known.f_type == 0x0102_1994) {
        return skip(test, "the scratch directory is on tmpfs");
    }
    let (gateway, ecr) = (Gateway::start(), Ecr::start());
    let node = memory.on(worker(&gateway, &ecr));
    let before = tree(disk.path());
    symlink(disk.path(), memory.dir().parent().unwrap()).unwrap();
    for _ in 0..2 {
        assert_eq!(node.pair(HOST).0, "AWS");
    }
    assert_eq!(ecr.mints(), 2, "a link");
    assert_eq!(tree(disk.path()), before);
    if !rustix::process::geteuid().is_root() {
        return skip(test, "only root mounts");
    }
    fs::remove_file(memory.dir().parent().unwrap()).unwrap();
    fs::create_dir_all(memory.dir()).unwrap();
    let mount = format!(
        "mount --bind {} {} && exec \"$@\"",
        disk.path().display(),
        memory.dir().parent().unwrap().display()
    );
    for _ in 0..2 {
        let answer = get_by(
            &node,
            &["unshare", "--mount", "/bin/sh", "-c", &mount, "sh"],
        );
        if answer.err.contains("unshare:") || answer.err.contains("mount:") {
            return skip(test, "nothing may be mounted here");
        }
        assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
    }
    assert_eq!(ecr.mints(), 2, "a mount");
    // A mount changes the times of what it covers no more than of what it shows.
    assert_eq!(tree(disk.path()), before);
}

/// Runs its arguments where the kernel refuses `add_key`, `request_key` and `keyctl`, as a container's seccomp profile does.
const WITHOUT_KEYRING: &str = r#"
import ctypes, os, platform, struct, sys
calls = {"x86_64": [248, 249, 250], "aarch64": [217, 218, 219]}[platform.machine()]
steps = [(0x20, 0, 0, 0)]
steps += [(0x15, len(calls) - place, 0, call) for place, call in enumerate(calls)]
steps += [(6, 0, 0, 0x7FFF0000), (6, 0, 0, 0x50001)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]
program = Program(len(steps), ctypes.cast(code, ctypes.c_void_p))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"#;

#[test]
fn without_a_keyring_nothing_is_kept_and_each_get_mints() {
    let test = "no keyring";
    let Some(memory) = InMemory::new(test) else {
        return;
    };
    let has_python = Command::new("python3")
        .args(["-c", "import ctypes"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !has_python {
        return skip(test, "it needs python3");
    }
    let (gateway, ecr) = (Gateway::start(), Ecr::start());
    let node = memory.on(worker(&gateway, &ecr));
    for _ in 0..2 {
        let answer = get_by(&node, &["python3", "-c", WITHOUT_KEYRING]);
        assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
    }
    assert_eq!((ecr.mints(), memory.tokens().len()), (2, 0));
    let said = get_by(
        &node.clone_with("BETA9_LOG", "debug"),
        &["python3", "-c", WITHOUT_KEYRING],
    );
    assert!(
        said.err.contains("the kernel's keyring cannot be used"),
        "{said:?}"
    );
    // Where it is there again, it is used again.
    node.pair(HOST);
    ecr.mints();
    node.pair(HOST);
    assert_eq!(ecr.mints(), 0);
}
