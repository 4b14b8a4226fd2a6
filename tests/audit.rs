//! The audit log: one complete line for each request, limited in size, private, and never a reason for a failure.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use beta9_credential::json::{Object, Value, parse_object};
use common::ecr::{self, Ecr, HOST};
use common::gateway::Gateway;
use common::{Answer, Node};

fn log_of(node: &Node) -> PathBuf {
    node.home().join("audit/log.jsonl")
}

/// A node with an audit log.
fn audited(node: Node) -> Node {
    let path = log_of(&node);
    node.with("BETA9_AUDIT_LOG", path.to_str().unwrap())
}

/// A node whose log is rotated at this size, with this many old files.
fn bounded(max_bytes: u64, keep: u64) -> (Node, PathBuf) {
    let node = Node::new();
    let path = log_of(&node);
    let toml = format!(
        "[audit]\npath = \"{}\"\nmax_bytes = {max_bytes}\nkeep = {keep}\n",
        path.display()
    );
    (node.configured(&toml), path)
}

fn lines(path: &Path) -> Vec<Object> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'), "the last line is whole: {text}");
    assert!(!text.contains("hunter2"), "{text}");
    text.lines()
        .map(|line| parse_object(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn text<'a>(line: &'a Object, key: &str) -> &'a str {
    line.text(key).map_or("", |text| text.expose())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn each_request_is_a_line_that_says_who_asked_for_what_and_what_came_of_it() {
    let node = audited(Node::new());
    let began = SystemTime::now() - Duration::from_secs(1);
    assert_eq!(node.store("ghcr.io", "octo", "hunter2"), Answer::silence());
    node.pair("ghcr.io");
    assert_eq!(node.get("quay.io"), Answer::not_found());
    node.list();
    assert_eq!(node.erase("ghcr.io"), Answer::silence());
    let lines = lines(&log_of(&node));
    let told: Vec<_> = lines
        .iter()
        .map(|line| ["verb", "host", "outcome", "source"].map(|key| text(line, key)))
        .collect();
    let expected = [
        ["store", "ghcr.io", "stored", "file"],
        ["get", "ghcr.io", "answered", "file"],
        ["get", "quay.io", "not_found", "file"],
        ["list", "", "listed", "file"],
        ["erase", "ghcr.io", "erased", "file"],
    ];
    assert_eq!(told, expected);
    for line in &lines {
        let time = humantime::parse_rfc3339(text(line, "time")).unwrap();
        assert!(time > began && time < SystemTime::now() + Duration::from_secs(1));
        assert_eq!(text(line, "workspace"), "default");
        assert!(matches!(line.get("milliseconds"), Some(Value::Number(_))));
        assert_eq!(
            line.get("parent_pid"),
            Some(&Value::Number(std::process::id().into()))
        );
        let own_name = fs::read_to_string("/proc/self/comm").unwrap();
        assert_eq!(text(line, "parent"), own_name.trim_end());
    }
    assert_eq!(
        (mode(&log_of(&node)), mode(log_of(&node).parent().unwrap())),
        (0o600, 0o700)
    );
}

#[test]
fn an_item_is_the_embedded_stores_and_a_refused_list_is_an_error() {
    let gateway = Gateway::start();
    let node = audited(gateway.node());
    let item = "https://index.docker.io/v1/access-token";
    assert_eq!(node.store(item, "octo", "hunter2"), Answer::silence());
    node.pair(item);
    gateway.refuse_tokens();
    assert_eq!(node.run(&["list"], "unused").status, 1);
    let told: Vec<_> = lines(&log_of(&node))
        .iter()
        .map(|line| ["verb", "host", "outcome", "store"].map(|key| text(line, key).to_owned()))
        .collect();
    assert_eq!(
        told,
        [
            ["store", item, "stored", "file"],
            ["get", item, "answered", "file"],
            ["list", "", "error", "gateway"]
        ]
    );
}

#[test]
fn what_an_operator_does_with_secrets_is_a_line_too() {
    let node = audited(Node::new())
        .with("GITHUB_USERNAME", "octo")
        .with("GITHUB_TOKEN", "hunter2");
    let keys = [
        "--creds",
        "GITHUB_USERNAME,GITHUB_TOKEN",
        "--image-id",
        "7d1c",
    ];
    assert_eq!(
        node.run(
            &[&["provision", "ghcr.io/org/app:1"], keys.as_slice()].concat(),
            ""
        )
        .status,
        0
    );
    assert!(node.run(&["resolve", "7d1c"], "").out.contains("hunter2"));
    assert_eq!(node.run(&["prune"], "").status, 0);
    let told: Vec<_> = lines(&log_of(&node))
        .iter()
        .map(|line| ["verb", "host", "outcome"].map(|key| text(line, key).to_owned()))
        .collect();
    assert_eq!(
        told,
        [
            ["provision", "ghcr.io", "stored"],
            ["resolve", "", "answered"],
            ["prune", "", "erased"]
        ]
    );
}

#[test]
fn the_source_is_the_store_or_the_cache_and_an_error_is_one() {
    let ecr = Ecr::start();
    let node = audited(ecr.node()).with("BETA9_IMAGE_CREDENTIALS", ecr::blob(HOST));
    node.pair(HOST);
    node.pair(HOST);
    node.clone_with("BETA9_IMAGE_CREDENTIALS", "{\"hunter2")
        .get("ghcr.io")
        .failure();
    let lines = lines(&log_of(&node));
    let told: Vec<_> = lines
        .iter()
        .map(|line| ["outcome", "source", "store"].map(|key| text(line, key)))
        .collect();
    assert_eq!(
        told[..2],
        [
            ["answered", "request", "request"],
            ["answered", "cache", "request"]
        ]
    );
    assert_eq!(told[2][0], "error");
    assert_eq!(node.run(&["refresh", "--all"], "").status, 0);
    let line = &self::lines(&log_of(&node))[3];
    assert_eq!(
        ["verb", "host", "outcome"].map(|key| text(line, key)),
        ["refresh", HOST, "left"]
    );
    let gateway = common::gateway::Gateway::start();
    let node = audited(gateway.node());
    gateway.stop();
    node.get("ghcr.io").failure();
    let line = &self::lines(&log_of(&node))[0];
    assert_eq!(
        (text(line, "outcome"), text(line, "source")),
        ("error", "gateway")
    );
}

#[test]
fn nothing_is_written_unless_it_was_asked_for() {
    let node = Node::new();
    node.get("ghcr.io");
    assert_eq!(fs::read_dir(node.home()).unwrap().count(), 0);
}

#[test]
fn the_lines_of_fifty_processes_at_once_are_whole_and_all_there() {
    let node = audited(Node::new());
    let hosts: Vec<_> = (0..50)
        .map(|number| format!("registry-{number}.{}.example", "long".repeat(10)))
        .collect();
    for round in 0..4 {
        let running: Vec<_> = hosts
            .iter()
            .map(|host| node.start(&["get"], host.as_bytes()))
            .collect();
        for child in running {
            assert_eq!(Answer::of(child), Answer::not_found(), "round {round}");
        }
    }
    let mut told: Vec<_> = lines(&log_of(&node))
        .iter()
        .map(|line| text(line, "host").to_owned())
        .collect();
    told.sort();
    let mut expected: Vec<_> = [(); 4].iter().flat_map(|()| hosts.clone()).collect();
    expected.sort();
    assert_eq!(told, expected);
}

#[test]
fn it_is_put_aside_when_it_is_full_and_so_many_are_kept_also_by_many_at_once() {
    let (node, path) = bounded(2000, 3);
    for _ in 0..4 {
        let running: Vec<_> = (0..50).map(|_| node.start(&["get"], b"ghcr.io")).collect();
        for child in running {
            assert_eq!(Answer::of(child), Answer::not_found());
        }
    }
    let mut names: Vec<_> = fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "log.jsonl",
            "log.jsonl.1",
            "log.jsonl.2",
            "log.jsonl.3",
            "log.jsonl.lock"
        ]
    );
    let line = fs::read_to_string(&path)
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .len() as u64
        + 1;
    for name in &names[..4] {
        let file = path.with_file_name(name);
        assert!(!lines(&file).is_empty());
        // A process that had the file open when it was rotated still writes its line there, so the line is not lost.
        assert!(
            fs::metadata(&file).unwrap().len() < 2000 + 50 * line,
            "{name}"
        );
        assert_eq!(mode(&file), 0o600);
    }
}

#[test]
fn in_order_each_file_is_full_and_no_line_is_lost() {
    let (node, path) = bounded(1000, 20);
    for number in 0..20 {
        node.get(&format!("r{number}.example"));
    }
    let mut files: Vec<_> = (1..20)
        .rev()
        .map(|number| path.with_file_name(format!("log.jsonl.{number}")))
        .collect();
    files.push(path);
    files.retain(|file| file.exists());
    let texts: Vec<_> = files
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    assert!(
        texts.iter().all(|text| text.len() <= 1000),
        "none is too long"
    );
    assert!(texts.len() > 2, "{texts:?}");
    for full in texts.windows(2) {
        let next = full[1].split_inclusive('\n').next().unwrap();
        assert!(
            full[0].len() + next.len() > 1000,
            "{next} would have fitted into {}",
            full[0]
        );
    }
    let told: Vec<_> = files
        .iter()
        .flat_map(|file| lines(file))
        .map(|line| text(&line, "host").to_owned())
        .collect();
    assert_eq!(
        told,
        (0..20)
            .map(|number| format!("r{number}.example"))
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_fault_of_it_is_a_warning_and_never_fails_a_get() {
    let node = Node::new();
    node.store("ghcr.io", "octo", "secret");
    let home = node.home().join("logs");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    let open = home.join("open.jsonl");
    fs::write(&open, "").unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o666)).unwrap();
    let link = home.join("link.jsonl");
    symlink(home.join("elsewhere"), &link).unwrap();
    let pipe = home.join("pipe.jsonl");
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
    )
    .unwrap();
    let linked = home.join("linked.jsonl");
    fs::write(&linked, "").unwrap();
    fs::hard_link(&linked, home.join("other-name")).unwrap();
    let table = [
        (Path::new("/proc/nowhere/audit.jsonl"), "cannot be made"),
        (&open, "can be written by others (mode 0666); chmod 600 "),
        (&link, "cannot be written ("),
        (&pipe, "cannot be written ("),
        (
            &linked,
            "has another name too (a hard link); move it out of the way, or name another file",
        ),
        (&home, "cannot be written ("),
        (Path::new("/dev/full"), ""),
    ];
    for (path, cause) in table {
        let answer = node
            .clone_with("BETA9_AUDIT_LOG", path.to_str().unwrap())
            .get("ghcr.io");
        assert_eq!(answer.status, 0, "{answer:?}");
        assert!(answer.out.contains("\"Secret\":\"secret\""), "{answer:?}");
        let warning = format!(
            "docker-credential-beta9: audit log: {}",
            if cause == "cannot be made" {
                ""
            } else {
                path.to_str().unwrap()
            }
        );
        assert!(
            answer.err.starts_with(&warning) && answer.err.contains(cause),
            "{answer:?}"
        );
        assert_eq!(answer.err.lines().count(), 1, "{answer:?}");
    }
    // Commands that store or remove secrets are logged too, even when they fail.
    let node = node.with("BETA9_AUDIT_LOG", open.to_str().unwrap());
    let keys = r#"{"USERNAME":"u","PASSWORD":"p"}"#;
    let foreign = r#"{"NGC_API_KEY":"hunter2"}"#;
    let table = [
        (
            &["provision", "quay.io/a/b", "--creds-json", "-"][..],
            keys,
            0,
        ),
        (
            &["provision", "quay.io/a/b", "--creds-json", "-"],
            foreign,
            1,
        ),
        (&["prune"], "", 0),
    ];
    for (args, input, status) in table {
        let answer = node.run(args, input);
        let warning = format!(
            "docker-credential-beta9: audit log: {} can be written by others",
            open.display()
        );
        assert_eq!(
            (answer.status, answer.err.lines().count()),
            (status, if status == 0 { 1 } else { 2 }),
            "{answer:?}"
        );
        assert!(answer.err.starts_with(&warning), "{answer:?}");
    }
    assert!(!home.join("elsewhere").exists());
    assert_eq!(fs::read(&open).unwrap(), b"");
    assert_eq!(node.without("BETA9_AUDIT_LOG").pair("quay.io").1, "p");
}

#[test]
fn it_is_not_written_where_others_could_put_a_file_of_theirs() {
    let node = Node::new();
    let dir = node.home().join("shared");
    fs::create_dir(&dir).unwrap();
    let path = dir.join("log.jsonl");
    let node = node.with("BETA9_AUDIT_LOG", path.to_str().unwrap());
    // With the sticky bit, as /tmp has it, others can still be the first to make the file.
    for bits in [0o777, 0o775, 0o1777] {
        fs::set_permissions(&dir, fs::Permissions::from_mode(bits)).unwrap();
        let answer = node.get("ghcr.io");
        assert_eq!((answer.status, answer.out), (1, Answer::not_found().out));
        let expected = format!(
            "docker-credential-beta9: audit log: {} can be written by others (mode {bits:04o}); name a file in a directory that this user or root alone can write to, such as /var/log/beta9\n",
            dir.display()
        );
        assert_eq!(answer.err, expected);
        assert!(!path.exists());
    }
    for bits in [0o755, 0o750, 0o700] {
        fs::set_permissions(&dir, fs::Permissions::from_mode(bits)).unwrap();
        assert_eq!(node.get("ghcr.io"), Answer::not_found(), "{bits:o}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    assert_eq!(lines(&path).len(), 4);
}

#[test]
fn what_another_user_made_beforehand_is_not_written_to() {
    let node = Node::new();
    let dir = node.home().join("audit");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    let path = dir.join("log.jsonl");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let node = node.with("BETA9_AUDIT_LOG", path.to_str().unwrap());
    let refused = |of: &Path, fix: &str| {
        // Only root can give files away.
        if chown(of, Some(65534), None).is_err() {
            return;
        }
        let answer = node.get("ghcr.io");
        assert_eq!((answer.status, answer.out), (1, Answer::not_found().out));
        let expected = format!(
            "docker-credential-beta9: audit log: {} belongs to uid 65534, and this is uid 0; {fix}\n",
            of.display()
        );
        assert_eq!(answer.err, expected);
        chown(of, Some(0), None).unwrap();
    };
    refused(&path, "move it out of the way, or name another file");
    refused(
        &dir,
        "name a file in a directory that this user or root alone can write to, such as /var/log/beta9",
    );
    assert_eq!(fs::read(&path).unwrap(), b"");
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    assert_eq!(lines(&path).len(), 1);
}
