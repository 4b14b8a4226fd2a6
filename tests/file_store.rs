//! The embedded store: its files, its key, and the permissions that it requires.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::{Answer, BINARY, Node, first_store, store_request};

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn nothing_on_disk_is_in_clear_and_nothing_is_for_others() {
    let node = Node::new();
    node.store("ghcr.io", "hunter-user", "hunter-secret");
    let bytes = fs::read(node.sealed_file()).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.starts_with("beta9-credential 2\n"));
    assert!(!text.contains("hunter") && !text.contains("ghcr.io"));
    assert_eq!(
        (mode(&node.sealed_file()), mode(&node.key_file())),
        (0o600, 0o600)
    );
    assert_eq!(
        (
            mode(&node.store_dir()),
            mode(node.sealed_file().parent().unwrap())
        ),
        (0o700, 0o700)
    );
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_remedy_and_nothing_is_written() {
    let node = Node::new();
    node.store("ghcr.io", "u", "s");
    let sealed = fs::read(node.sealed_file()).unwrap();
    for bits in [0o640, 0o604, 0o660] {
        chmod(&node.key_file(), bits);
        let key = node.key_file();
        let expected = format!(
            "ghcr.io: file store: {0} is open to others (mode {bits:04o}); chmod 600 {0}",
            key.display()
        );
        assert_eq!(node.get("ghcr.io").failure(), expected);
        assert_eq!(node.store("ghcr.io", "u", "new").failure(), expected);
        assert_eq!(fs::read(node.sealed_file()).unwrap(), sealed);
    }
    chmod(&node.key_file(), 0o600);
    assert_eq!(node.pair("ghcr.io").1, "s");
}

#[test]
fn a_directory_that_others_can_write_is_refused_with_the_remedy() {
    let node = Node::new();
    node.store("ghcr.io", "u", "s");
    for dir in [
        node.store_dir(),
        node.sealed_file().parent().unwrap().to_owned(),
    ] {
        for bits in [0o770, 0o707, 0o777] {
            chmod(&dir, bits);
            let expected = format!(
                "ghcr.io: file store: {0} can be written by others (mode {bits:04o}); chmod 700 {0}",
                dir.display()
            );
            assert_eq!(node.get("ghcr.io").failure(), expected);
            assert_eq!(node.store("ghcr.io", "u", "new").failure(), expected);
        }
        chmod(&dir, 0o700);
    }
    assert_eq!(node.pair("ghcr.io").1, "s");
}

#[test]
fn what_belongs_to_another_user_is_refused() {
    // Only root can give files away; without root the check of the owner is shown by the unit tests' own files.
    let node = Node::new();
    node.store("ghcr.io", "u", "s");
    for path in [node.key_file(), node.store_dir()] {
        if chown(&path, Some(65534), None).is_err() {
            return;
        }
        let answer = node.get("ghcr.io");
        let refused = "belongs to uid 65534, and this is uid 0; run it without sudo, as uid 65534, or choose another place";
        assert!(
            answer.failure().contains(refused) && !answer.out.contains("chown"),
            "{answer:?}"
        );
        chown(&path, Some(0), None).unwrap();
    }
    assert_eq!(node.pair("ghcr.io").1, "s");
}

#[test]
fn a_file_that_is_moved_copied_or_damaged_does_not_open_but_can_be_erased() {
    let node = Node::new();
    node.store("ghcr.io", "u", "hunter2");
    let ghcr = node.sealed_file();
    let good = fs::read(&ghcr).unwrap();
    node.store("quay.io", "q", "s");
    let quay = node
        .sealed_files()
        .into_iter()
        .find(|path| *path != ghcr)
        .unwrap();
    let own = fs::read(&quay).unwrap();
    fs::copy(&ghcr, &quay).unwrap();
    assert!(
        node.get("quay.io")
            .failure()
            .contains("it was sealed with another key, or is damaged")
    );
    // What is said of one secret does not go with another, nor one key's id with what another key sealed.
    let header = "beta9-credential 2\n0123456789abcdef\n".len();
    let about = header + 2 + usize::from(u16::from_be_bytes([own[header], own[header + 1]]));
    fs::write(&quay, [&own[..about], &good[about..]].concat()).unwrap();
    assert!(
        node.get("quay.io")
            .failure()
            .contains("it was sealed with another key, or is damaged")
    );
    let mut foreign = own.clone();
    foreign[header - 2] ^= 1;
    fs::write(&quay, foreign).unwrap();
    assert!(
        node.get("quay.io")
            .failure()
            .contains("it was sealed with another key (")
    );
    fs::write(&quay, own).unwrap();
    assert_eq!(node.pair("quay.io").1, "s");
    for length in 0..good.len() {
        fs::write(&ghcr, &good[..length]).unwrap();
        assert!(
            node.get("ghcr.io")
                .failure()
                .contains("ghcr.io: file store: its entry does not open"),
            "{length}"
        );
    }
    fs::write(&ghcr, &good[..30]).unwrap();
    let list = node.run(&["list"], "");
    assert_eq!(
        (list.status, list.out.as_str()),
        (0, "{\"quay.io\":\"q\"}\n")
    );
    assert!(list.err.contains("left out of the list: ") && !list.err.contains("hunter2"));
    assert_eq!(node.erase("ghcr.io"), Answer::silence());
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
}

#[test]
fn a_workspace_does_not_see_anothers_secrets_even_when_its_files_are_copied() {
    let a = Node::new().with("BETA9_WORKSPACE_ID", "a");
    a.store("ghcr.io", "u", "of a");
    let file_of_a = a.sealed_file();
    let b = a.with("BETA9_WORKSPACE_ID", "b");
    assert_eq!(b.get("ghcr.io"), Answer::not_found());
    assert_eq!(b.list(), "{}\n");
    b.store("ghcr.io", "u", "of b");
    let file_of_b = b
        .sealed_files()
        .into_iter()
        .find(|path| *path != file_of_a)
        .unwrap();
    fs::copy(&file_of_a, &file_of_b).unwrap();
    assert!(
        b.get("ghcr.io")
            .failure()
            .contains("it was sealed with another key, or is damaged")
    );
    let a = b.with("BETA9_WORKSPACE_ID", "a");
    assert_eq!(a.pair("ghcr.io").1, "of a");
}

#[test]
fn two_workspaces_that_work_at_the_same_time_never_see_each_others_secrets() {
    let mut node = Node::new();
    let (mut writers, mut readers) = (Vec::new(), Vec::new());
    for round in 0..32 {
        let workspace = ["a", "b"][round % 2];
        node = node.with("BETA9_WORKSPACE_ID", workspace);
        writers.push(node.start(
            &["store"],
            store_request("ghcr.io", workspace, "s").as_bytes(),
        ));
        readers.push((workspace, node.start(&["get"], b"ghcr.io")));
    }
    for writer in writers {
        assert_eq!(Answer::of(writer), Answer::silence());
    }
    for (workspace, reader) in readers {
        let answer = Answer::of(reader);
        let own = answer
            .out
            .contains(&format!("\"Username\":\"{workspace}\""));
        assert!(answer == Answer::not_found() || own, "{answer:?}");
    }
    for workspace in ["a", "b"] {
        node = node.with("BETA9_WORKSPACE_ID", workspace);
        assert_eq!(node.pair("ghcr.io").0, workspace);
        assert_eq!(node.list(), format!("{{\"ghcr.io\":\"{workspace}\"}}\n"));
    }
}

#[test]
fn a_lost_key_is_an_error_and_no_new_one_is_made_over_what_it_sealed() {
    let node = Node::new();
    node.store("ghcr.io", "u", "s");
    let key = fs::read(node.key_file()).unwrap();
    fs::remove_file(node.key_file()).unwrap();
    assert!(
        node.get("ghcr.io")
            .failure()
            .contains("is gone, and nothing opens without it; restore it")
    );
    // An empty list would be taken for an empty store.
    assert!(
        node.run(&["list"], "")
            .failure()
            .contains("is gone, and nothing opens without it; restore it")
    );
    assert!(
        node.store("quay.io", "u", "s")
            .failure()
            .contains("is gone, and nothing opens without it; restore it")
    );
    assert!(!node.key_file().exists());
    fs::write(node.key_file(), b"short").unwrap();
    chmod(&node.key_file(), 0o600);
    assert!(node.get("ghcr.io").failure().contains("is unusable: "));
    fs::write(node.key_file(), key).unwrap();
    assert_eq!(node.pair("ghcr.io").1, "s");
}

#[test]
fn no_workspace_gets_a_new_key_while_another_one_has_entries() {
    let node = Node::new();
    node.store("ghcr.io", "u", "s");
    let key = fs::read(node.key_file()).unwrap();
    fs::remove_file(node.key_file()).unwrap();
    let other = node.clone_with("BETA9_WORKSPACE_ID", "other");
    let expected = format!(
        "ghcr.io: file store: the key {} is gone, and nothing opens without it; restore it, or remove all entries (rm -r {}) and log in again",
        node.key_file().display(),
        node.store_dir().display()
    );
    for node in [&other, &node] {
        assert_eq!(node.store("ghcr.io", "u", "new").failure(), expected);
        assert!(!node.key_file().exists());
    }
    // Both remedies work.
    fs::write(node.key_file(), key).unwrap();
    chmod(&node.key_file(), 0o600);
    assert_eq!(
        (node.pair("ghcr.io").1.as_str(), other.get("ghcr.io")),
        ("s", Answer::not_found())
    );
    fs::remove_file(node.key_file()).unwrap();
    fs::remove_dir_all(node.store_dir()).unwrap();
    assert_eq!(other.store("ghcr.io", "u", "new"), Answer::silence());
    assert_eq!(
        (other.pair("ghcr.io").1.as_str(), node.get("ghcr.io")),
        ("new", Answer::not_found())
    );
}

#[test]
fn an_entry_that_another_key_sealed_says_so_and_a_new_login_replaces_it() {
    let node = Node::new();
    node.store("ghcr.io", "u", "s");
    let key = fs::read(node.key_file()).unwrap();
    fs::write(
        node.key_file(),
        "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n",
    )
    .unwrap();
    let answer = node.get("ghcr.io");
    let line = answer.failure();
    assert!(
        line.starts_with(
            "ghcr.io: file store: its entry does not open: it was sealed with another key ("
        ),
        "{line}"
    );
    assert!(
        line.contains(&format!(") than {} (", node.key_file().display())),
        "{line}"
    );
    assert!(
        line.ends_with("); restore that key, or docker logout, then docker login again"),
        "{line}"
    );
    // The key that is back opens what it sealed, and names what the other one did.
    node.store("quay.io", "u", "by the other key");
    fs::write(node.key_file(), key).unwrap();
    assert_eq!(node.pair("ghcr.io").1, "s");
    assert!(
        node.get("quay.io")
            .failure()
            .contains("it was sealed with another key (")
    );
    assert_eq!(node.store("quay.io", "u", "new"), Answer::silence());
    assert_eq!(node.pair("quay.io").1, "new");
}

#[test]
fn erasing_from_a_store_that_cannot_be_read_is_an_error() {
    let node = Node::new();
    node.store("ghcr.io", "u", "s");
    let aside = node.home().join("aside");
    fs::rename(node.store_dir(), &aside).unwrap();
    // Nobody, root included, gets through a link to itself.
    std::os::unix::fs::symlink(node.store_dir(), node.store_dir()).unwrap();
    for answer in [
        node.erase("ghcr.io"),
        node.get("ghcr.io"),
        node.run(&["list"], ""),
        node.run(&["prune"], ""),
    ] {
        assert!(
            answer.status == 1
                && answer
                    .failure()
                    .contains("leads in a circle of symbolic links"),
            "{answer:?}"
        );
    }
    fs::remove_file(node.store_dir()).unwrap();
    assert_eq!(
        node.erase("ghcr.io"),
        Answer::silence(),
        "certainly nothing is there"
    );
    fs::rename(&aside, node.store_dir()).unwrap();
    let above = node.store_dir().parent().unwrap().to_owned();
    chmod(&above, 0o000);
    let as_user = fs::metadata(&above).unwrap().uid() != 0;
    let answer = node.erase("ghcr.io");
    chmod(&above, 0o700);
    if as_user {
        assert!(
            answer
                .failure()
                .contains("cannot be read (Permission denied"),
            "{answer:?}"
        );
        assert_eq!(node.pair("ghcr.io").1, "s");
    } else {
        assert_eq!(
            (answer, node.get("ghcr.io")),
            (Answer::silence(), Answer::not_found())
        );
    }
}

#[test]
fn what_0_1_stored_is_read_listed_and_erased() {
    let node = Node::new();
    first_store::plant(&node);
    let other = node.clone_with("BETA9_WORKSPACE_ID", "other");
    let before = node.sealed_files().len();
    assert_eq!(
        node.pair("ghcr.io"),
        ("octo".into(), "secret-of-format-1".into())
    );
    assert_eq!(
        node.pair("https://index.docker.io/v1/access-token"),
        ("octo".into(), "item-of-format-1".into())
    );
    assert_eq!(
        other.pair("ghcr.io"),
        ("other".into(), "secret-of-other".into())
    );
    let expected = "{\"built.example\":\"u\",\"europe-docker.pkg.dev\":\"oauth2accesstoken\",\"ghcr.io\":\"octo\",\"https://index.docker.io/v1/access-token\":\"octo\",\"later.example\":\"u\",\"over.example\":\"u\"}\n";
    assert_eq!(node.list(), expected);
    assert_eq!(
        node.run(&["resolve", "im1"], "").out,
        "{\"credentials\":{\"PASSWORD\":\"p\",\"USERNAME\":\"u\"},\"registry\":\"built.example\",\"type\":\"basic\"}\n"
    );
    assert_eq!(node.sealed_files().len(), before, "reading changes nothing");
    assert_eq!(node.erase("ghcr.io"), Answer::silence());
    assert_eq!(node.erase("later.example"), Answer::silence());
    assert_eq!(
        (node.get("ghcr.io"), node.get("later.example")),
        (Answer::not_found(), Answer::not_found())
    );
    assert_eq!(
        node.sealed_files().len(),
        before - 3,
        "with the note about its end"
    );
    assert_eq!(other.pair("ghcr.io").1, "secret-of-other");
}

#[test]
fn a_login_replaces_what_0_1_stored_and_erase_leaves_neither() {
    let node = Node::new();
    first_store::plant(&node);
    let before = first_store::files(&node).len();
    let stem = node
        .sealed_files()
        .into_iter()
        .find(|path| {
            path.to_str()
                .unwrap()
                .contains("/37a8eec1ce19687d132fe29051dca629/0fd460f0")
        })
        .unwrap();
    let old = fs::read(&stem).unwrap();
    assert_eq!(node.store("ghcr.io", "new", "s2"), Answer::silence());
    assert_eq!(
        (
            node.pair("ghcr.io").1.as_str(),
            first_store::files(&node).len()
        ),
        ("s2", before - 1)
    );
    // As after a crash between the two: the new one counts, once.
    fs::write(&stem, old).unwrap();
    chmod(&stem, 0o600);
    assert_eq!(node.pair("ghcr.io"), ("new".into(), "s2".into()));
    assert_eq!(node.list().matches("ghcr.io").count(), 1);
    assert!(node.list().contains("\"ghcr.io\":\"new\""));
    assert_eq!(node.erase("ghcr.io"), Answer::silence());
    assert_eq!(
        node.get("ghcr.io"),
        Answer::not_found(),
        "and the old one does not come back"
    );
}

#[test]
fn a_get_while_the_format_changes_always_finds_a_credential() {
    for _ in 0..20 {
        let node = Node::new();
        first_store::plant(&node);
        let readers: Vec<_> = (0..4).map(|_| node.start(&["get"], b"ghcr.io")).collect();
        let writer = node.start(
            &["store"],
            store_request("ghcr.io", "octo", "s2").as_bytes(),
        );
        for reader in readers {
            let answer = Answer::of(reader);
            assert!(
                answer.status == 0 && answer.out.contains("\"Username\":\"octo\""),
                "{answer:?}"
            );
        }
        assert_eq!(Answer::of(writer), Answer::silence());
    }
}

/// Every command that would answer from an entry of a newer version, or lose it.
fn assert_newer(node: &Node, files: &[(PathBuf, Vec<u8>)], about: &str) {
    let newer = "its entry was written by a newer version of this program; update this program";
    let line = format!("ghcr.io: file store: {newer}");
    for answer in [
        node.get("ghcr.io"),
        node.store("ghcr.io", "u", "new"),
        node.erase("ghcr.io"),
    ] {
        assert_eq!(answer.failure(), line, "{about}");
    }
    let list = node.run(&["list"], "");
    assert_eq!(
        (list.status, list.out.as_str()),
        (0, "{\"quay.io\":\"q\"}\n")
    );
    assert!(list.err.contains(newer), "{about}: {}", list.err);
    for words in [&["explain", "ghcr.io"][..], &["doctor"]] {
        let answer = node.run(words, "");
        let all = [answer.out, answer.err].concat();
        assert!(all.contains("newer version"), "{about}: {words:?}: {all}");
    }
    let provision = [
        "provision",
        "ghcr.io/org/app",
        "--creds",
        "GITHUB_USERNAME,GITHUB_TOKEN",
        "--json",
    ];
    let node = node
        .clone_with("GITHUB_USERNAME", "u")
        .with("GITHUB_TOKEN", "t");
    let given = node.run(&provision, "");
    let code = r#"{"error":{"code":"store.newer_format","#;
    assert!(given.err.starts_with(code), "{about}: {}", given.err);
    for (path, bytes) in files {
        assert_eq!(fs::read(path).unwrap(), *bytes, "{about}");
    }
}

#[test]
fn a_newer_versions_entry_is_not_missing_overwritten_or_erased() {
    let node = Node::new();
    node.store("ghcr.io", "u", "old");
    let own = node.sealed_file();
    node.store("quay.io", "q", "s");
    let good = fs::read(&own).unwrap();
    let stem = own.to_str().unwrap().strip_suffix(".2.sealed").unwrap();
    let header = |version: &str| {
        let rest = &good["beta9-credential 2".len()..];
        [b"beta9-credential ", version.as_bytes(), rest].concat()
    };
    let put = |ending: &str, bytes: &[u8]| {
        let path = PathBuf::from(format!("{stem}{ending}"));
        fs::write(&path, bytes).unwrap();
        chmod(&path, 0o600);
        (path, bytes.to_vec())
    };
    for version in ["3", "10", "99999999999999999999999"] {
        let newer = header(version);
        let file = put(".2.sealed", &newer);
        assert_newer(&node, &[file], &format!("header {version}"));
        fs::remove_file(&own).unwrap();
        let first = put(".sealed", &newer);
        assert_newer(
            &node,
            std::slice::from_ref(&first),
            &format!("first format's name, header {version}"),
        );
        fs::remove_file(first.0).unwrap();
        put(".2.sealed", &good);
    }
    for ending in [".3.sealed", ".4.sealed", ".12.sealed"] {
        fs::remove_file(&own).unwrap();
        let newer = put(ending, b"whatever it is");
        chmod(&newer.0, 0o644);
        assert_newer(&node, std::slice::from_ref(&newer), ending);
        let beside = put(".2.sealed", &good);
        if ending == ".3.sealed" {
            assert_newer(&node, &[newer.clone(), beside], "beside its own");
        }
        fs::remove_file(newer.0).unwrap();
    }
    assert_eq!(node.pair("ghcr.io").1, "old");
    // What is damaged, or of no version, is replaced as before.
    for version in ["2x", "", "-3", "1"] {
        put(".2.sealed", &header(version));
        assert!(
            node.get("ghcr.io").failure().contains("does not open"),
            "{version}"
        );
        assert_eq!(node.store("ghcr.io", "u", "again"), Answer::silence());
        assert_eq!(node.pair("ghcr.io").1, "again");
    }
}

#[test]
fn systemds_credential_is_the_key_where_there_is_one() {
    let node = Node::new();
    let credentials = node.home().join("credentials");
    fs::create_dir(&credentials).unwrap();
    let key = credentials.join("beta9-credential-key");
    fs::write(&key, "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n").unwrap();
    // systemd's access list shows as group bits.
    chmod(&key, 0o440);
    let node = node.with("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap());
    assert_eq!(node.store("ghcr.io", "u", "s"), Answer::silence());
    assert_eq!(node.pair("ghcr.io").1, "s");
    assert!(!node.key_file().exists());
    chmod(&key, 0o444);
    assert!(
        node.get("ghcr.io")
            .failure()
            .contains("is open to others (mode 0444)")
    );
}

#[test]
fn it_works_without_home_and_says_what_is_missing_where_nothing_can_be_kept() {
    let node = Node::new();
    let elsewhere = node.home().join("store");
    let node = node
        .without("HOME")
        .with("BETA9_STORE_PATH", elsewhere.to_str().unwrap());
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    assert_eq!(node.store("ghcr.io", "u", "s"), Answer::silence());
    assert_eq!(node.pair("ghcr.io").1, "s");
    // Nobody, root included, can make a directory in these.
    for home in ["/sys", "/proc", "/dev/null"] {
        let node = Node::new().with("HOME", home);
        assert_eq!(node.get("ghcr.io"), Answer::not_found(), "{home}");
        assert_eq!(node.list(), "{}\n");
        assert_eq!(node.erase("ghcr.io"), Answer::silence());
        let answer = node.store("ghcr.io", "u", "s");
        let line = answer.failure();
        assert!(
            line.starts_with(&format!(
                "ghcr.io: file store: {home}/.local/share/beta9/credentials cannot be made ("
            )),
            "{line}"
        );
    }
}

#[test]
fn a_read_only_home_still_answers_what_is_in_it() {
    let node = Node::new();
    node.store("ghcr.io", "u", "s");
    let root = fs::metadata(node.home()).unwrap().uid() == 0;
    // Root writes everywhere, so root gives everything to nobody and asks as nobody.
    let binary = node.home().join("helper");
    // By another process: a program that this one has open for writing, in any thread's fork, cannot be started.
    assert!(
        std::process::Command::new("cp")
            .args([BINARY.as_ref(), binary.as_os_str()])
            .status()
            .unwrap()
            .success()
    );
    let mut everything = vec![node.home().to_owned()];
    while let Some(path) = everything.pop() {
        if path.is_dir() {
            everything.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            chmod(&path, 0o500);
        }
        if root {
            chown(&path, Some(65534), Some(65534)).unwrap();
        }
    }
    let run = |verb: &str, input: &str| {
        let mut command = std::process::Command::new(&binary);
        command.arg(verb).env_clear().env("HOME", node.home());
        command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        if root {
            command.uid(65534).gid(65534);
        }
        let mut child = command.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        Answer::of(child)
    };
    let answer = run("get", "ghcr.io");
    let stored = run("store", &store_request("ghcr.io", "u", "new"));
    let listed = run("list", "");
    let everything = [
        node.home().to_owned(),
        node.store_dir(),
        node.sealed_file().parent().unwrap().to_owned(),
    ];
    for dir in everything.iter().chain(&[
        node.home().join(".local"),
        node.home().join(".local/share"),
        node.home().join(".local/share/beta9"),
    ]) {
        chmod(dir, 0o700);
    }
    assert_eq!(
        answer.out,
        "{\"ServerURL\":\"ghcr.io\",\"Username\":\"u\",\"Secret\":\"s\"}\n"
    );
    assert_eq!(listed.out, "{\"ghcr.io\":\"u\"}\n");
    assert!(
        stored
            .failure()
            .contains("cannot be written (Permission denied"),
        "{stored:?}"
    );
}

#[test]
fn killing_the_first_writer_after_0_1_leaves_its_credential_or_the_new_one() {
    let mut seen = std::collections::BTreeSet::new();
    let started = Instant::now();
    (0..5).for_each(|_| assert_eq!(Node::new().store("ghcr.io", "u", "s"), Answer::silence()));
    let span = started.elapsed() * 2 / 5;
    for round in 0..150 {
        let node = Node::new();
        first_store::plant(&node);
        let mut writer = node.start(&["store"], store_request("ghcr.io", "new", "s2").as_bytes());
        std::thread::sleep(span * (round * 7 % 100) / 100);
        _ = writer.kill();
        writer.wait().unwrap();
        let pair = node.pair("ghcr.io");
        assert!(
            pair == ("octo".into(), "secret-of-format-1".into())
                || pair == ("new".into(), "s2".into()),
            "{pair:?}"
        );
        assert_eq!(node.list().matches("ghcr.io").count(), 1);
        assert_eq!(node.erase("ghcr.io"), Answer::silence());
        assert_eq!(node.get("ghcr.io"), Answer::not_found());
        seen.insert(pair.0);
    }
    assert_eq!(
        seen.len(),
        2,
        "the kills came too late or too early to show anything"
    );
}

#[test]
fn killing_a_writer_at_any_instant_leaves_the_old_credential_or_the_new_one() {
    let node = Node::new();
    let secret = |round: u64| format!("{round:06}").repeat(500);
    node.store("ghcr.io", "u0", &secret(0));
    // The kills are spread over twice the time that a whole `store` takes on this machine.
    let started = Instant::now();
    (0..10).for_each(|_| assert_eq!(node.store("ghcr.io", "u0", &secret(0)), Answer::silence()));
    let span = started.elapsed() / 5;
    let (mut old, mut killed) = (0, 0);
    for round in 1..=300u64 {
        let mut writer = node.start(
            &["store"],
            store_request("ghcr.io", &format!("u{round}"), &secret(round)).as_bytes(),
        );
        std::thread::sleep(span * u32::try_from(round * 7 % 100).unwrap() / 100);
        _ = writer.kill();
        killed += u32::from(writer.wait().unwrap().code().is_none());
        let (username, password) = node.pair("ghcr.io");
        let seen: u64 = username[1..].parse().unwrap();
        assert!(seen == old || seen == round, "round {round}: {username}");
        assert_eq!(password, secret(seen));
        old = seen;
    }
    assert!(
        killed > 0 && old > 0,
        "the kills came too late or too early to show anything: {killed} killed, {old} last"
    );
    assert_eq!(node.sealed_files().len(), 1);
}

#[test]
fn killing_the_first_writer_never_leaves_half_a_key() {
    for round in 0..100 {
        let node = Node::new();
        let mut writer = node.start(&["store"], store_request("ghcr.io", "u", "s").as_bytes());
        std::thread::sleep(Duration::from_micros(round * 30));
        _ = writer.kill();
        writer.wait().unwrap();
        let answer = node.get("ghcr.io");
        assert!(
            answer == Answer::not_found() || answer.status == 0,
            "{answer:?}"
        );
        assert_eq!(node.store("ghcr.io", "u", "s2"), Answer::silence());
        assert_eq!(node.pair("ghcr.io").1, "s2");
    }
}

#[test]
fn list_opens_no_secret() {
    // With every sealed secret damaged and every sealed user name whole, `list` has nothing to complain of.
    let node = Node::new();
    node.store("ghcr.io", "u", "s");
    let file = node.sealed_file();
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    assert!(node.get("ghcr.io").failure().contains("does not open"));
    assert_eq!(node.list(), "{\"ghcr.io\":\"u\"}\n");
}
