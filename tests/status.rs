//! `status`, through the real binary: what is in the cache, and nothing secret of it.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs;
use std::time::Duration;

use beta9_credential::json::{Object, Value, parse_object};
use common::ecr::{self, Ecr, HOST};
use common::{Answer, Node};

const HOUR: Duration = Duration::from_hours(1);
const FROM: &str = "aws, with the secret from the file store";
const OTHER: &str = "210987654321.dkr.ecr.us-east-1.amazonaws.com";

fn status(node: &Node) -> String {
    let answer = node.run(&["status"], "");
    assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
    answer.out.replace(node.home().to_str().unwrap(), "~")
}

fn tokens(node: &Node) -> Vec<Object> {
    let answer = node.run(&["status", "--json"], "");
    assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{answer:?}");
    let Some(Value::Array(tokens)) = parse_object(answer.out.as_bytes())
        .unwrap()
        .get("tokens")
        .cloned()
    else {
        panic!("{answer:?}")
    };
    let object = |token| {
        if let Value::Object(token) = token {
            token
        } else {
            panic!("{token:?}")
        }
    };
    tokens.into_iter().map(object).collect()
}

fn part<'a>(object: &'a Object, key: &str) -> &'a Object {
    match object.get(key) {
        Some(Value::Object(part)) => part,
        other => panic!("{key}: {other:?}"),
    }
}

#[test]
fn where_nothing_was_cached_it_says_so_and_makes_nothing() {
    let node = Node::new();
    assert_eq!(
        status(&node),
        "No token has been cached yet.\nCache: ~/.cache/beta9/tokens\n"
    );
    assert_eq!(fs::read_dir(node.home()).unwrap().count(), 0);
    let homeless = Node::new().with("HOME", "/proc").run(&["status"], "");
    assert_eq!(
        homeless.out,
        "No token has been cached yet.\nCache: /proc/.cache/beta9/tokens\n"
    );
}

#[test]
fn a_minted_token_is_shown_with_its_life_and_without_its_value() {
    let ecr = Ecr::start();
    let node = ecr.node().with("BETA9_IMAGE_CREDENTIALS", ecr::blob(HOST));
    assert_eq!(node.pair(HOST).0, "AWS");
    let text = status(&node);
    let wanted = format!(
        "^{HOST}\n  token  \\[#{{15,16}}-?\\]  1[01] h( \\d+ min)? left, minted \\d+ (s|min) ago\n  \
         for    workspace default; aws, with the secret from the request store\n\n1 token: 1 fresh\nCache: ~/.cache/beta9/tokens\n$"
    );
    assert!(
        regex::Regex::new(&wanted).unwrap().is_match(&text),
        "{text}"
    );
    assert!(!text.contains("hunter2"));
    let token = &tokens(&node)[0];
    assert_eq!(token.text("secret_from").unwrap().expose(), "request");
    assert_eq!(token.get("last_failure"), Some(&Value::Null));
    assert_eq!(
        part(token, "token").text("state").unwrap().expose(),
        "fresh"
    );
    let Some(Value::Number(left)) = part(token, "token").get("left_seconds") else {
        panic!("{token:?}")
    };
    assert!(
        *left > 10.0 * 3600.0 && *left <= 11.0 * 3600.0,
        "an ECR token lives for 11 hours here: {left}"
    );
}

#[test]
fn all_workspaces_tokens_are_shown_by_registry_with_what_has_become_of_them() {
    let (ecr, node) = (Ecr::start(), Node::new());
    ecr.plant(&node, "default", HOST, (HOUR, 10 * HOUR));
    ecr.plant(&node, "other", HOST, (8 * HOUR, 10 * HOUR));
    ecr.plant(&node, "default", OTHER, (11 * HOUR, 10 * HOUR));
    let text = status(&node);
    let digits = regex::Regex::new("\\d+ (min|s)").unwrap();
    // Some seconds may have gone by; the hours have not.
    let wanted = format!(
        "{HOST}\n  token  [##############--]  8 h N left, minted 1 h ago\n  for    workspace default; {FROM}\n\
         {HOST}\n  token  [###-------------]  1 h N left, minted 8 h ago, due\n  for    workspace other; {FROM}\n\
         {OTHER}\n  token  [----------------]  over, minted 11 h ago\n  for    workspace default; {FROM}\n\n\
         3 tokens: 1 fresh, 1 due for renewal, 1 over\nCache: ~/.cache/beta9/tokens\n"
    );
    let text = digits
        .replace_all(&text, "N")
        .replace("9 h left", "8 h N left")
        .replace("2 h left", "1 h N left");
    assert_eq!(text.replace(" N ago", " ago"), wanted);
    assert!(!text.contains("hunter2"));
}

#[test]
fn the_last_failure_is_shown_after_a_later_success_and_answers_no_get() {
    let ecr = Ecr::start();
    let node = ecr.node().with("BETA9_IMAGE_CREDENTIALS", ecr::blob(HOST));
    ecr.refuse(true);
    let line = node.get(HOST).failure().to_owned();
    let failure = |node: &Node| {
        let token = tokens(node).remove(0);
        let failure = part(&token, "last_failure");
        let time = failure.text("time").unwrap().expose().to_owned();
        assert!(humantime::parse_rfc3339(&time).is_ok(), "{time}");
        (
            failure.text("text").unwrap().expose().to_owned(),
            token.get("token") == Some(&Value::Null),
        )
    };
    let (text, without_token) = failure(&node);
    assert!(without_token && line.ends_with(&text), "{line} | {text}");
    assert!(status(&node).contains(
        "\n  token  none\n  for    workspace default; aws, with the secret from the request store\n  failed "
    ));
    ecr.refuse(false);
    ecr::end_shared_failures(&node);
    assert_eq!(node.pair(HOST).0, "AWS");
    assert_eq!(failure(&node), (text, false));
    assert_eq!(node.erase(HOST), Answer::silence());
    assert!(tokens(&node).is_empty(), "what was erased has no history");
}

#[test]
fn the_failures_of_keys_that_were_changed_are_told_with_the_token_of_the_new_ones() {
    let ecr = Ecr::start();
    let node = ecr.node();
    ecr.refuse(true);
    for key in ["wrong-1", "wrong-2"] {
        node.clone_with(
            "BETA9_IMAGE_CREDENTIALS",
            ecr::blob(HOST).replace(ecr::KEY, key),
        )
        .get(HOST)
        .failure();
    }
    assert_eq!(tokens(&node).len(), 1);
    ecr.refuse(false);
    assert_eq!(
        node.clone_with("BETA9_IMAGE_CREDENTIALS", ecr::blob(HOST))
            .pair(HOST)
            .0,
        "AWS"
    );
    let [token] = tokens(&node).try_into().unwrap();
    assert!(
        part(&token, "last_failure").text("text").is_some()
            && part(&token, "token").text("state").is_some()
    );
    // Another workspace's is another matter.
    ecr.refuse(true);
    let other = node.clone_with("BETA9_WORKSPACE_ID", "other");
    other
        .with("BETA9_IMAGE_CREDENTIALS", ecr::blob(HOST))
        .get(HOST)
        .failure();
    assert_eq!(tokens(&node).len(), 2);
}

#[test]
fn where_the_first_directory_cannot_be_used_the_one_that_is_used_is_shown() {
    use std::os::unix::fs::PermissionsExt;

    let ecr = Ecr::start();
    let node = ecr.node().with("BETA9_IMAGE_CREDENTIALS", ecr::blob(HOST));
    let session = node.home().join("session");
    fs::create_dir(&session).unwrap();
    fs::create_dir_all(node.tokens_dir()).unwrap();
    fs::set_permissions(node.tokens_dir(), PermissionsExt::from_mode(0o777)).unwrap();
    let node = node.with("XDG_RUNTIME_DIR", session.to_str().unwrap());
    assert_eq!(node.get(HOST).status, 0);
    assert!(status(&node).ends_with("1 token: 1 fresh\nCache: ~/session/beta9/tokens\n"));
}

#[test]
fn a_file_that_does_not_open_is_counted_and_no_token() {
    let (ecr, node) = (Ecr::start(), Node::new());
    ecr.plant(&node, "default", HOST, (HOUR, 10 * HOUR));
    let first_version = [b"beta9-token 1\n".as_slice(), &[7; 99]].concat();
    fs::write(
        node.tokens_dir().join("0123456789abcdef-old.token"),
        first_version,
    )
    .unwrap();
    let text = status(&node);
    assert!(
        text.contains("1 token: 1 fresh\n1 file of another version or key, or damaged: not served"),
        "{text}"
    );
}

#[test]
fn a_cache_that_cannot_be_read_is_an_error_that_says_why() {
    use std::os::unix::fs::{PermissionsExt, chown};

    let (ecr, node) = (Ecr::start(), Node::new());
    ecr.plant(&node, "default", HOST, (HOUR, 10 * HOUR));
    let dir = node.tokens_dir();
    let key = dir.join("key");
    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let text = node.run(&["status"], "").failure().to_owned();
    assert!(
        text.starts_with(&format!("token cache: the key {} is gone", key.display())),
        "{text}"
    );
    fs::write(&key, kept).unwrap();
    fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    let text = node.run(&["status"], "").failure().to_owned();
    assert!(
        text.ends_with(&format!(
            "is open to others (mode 0644); chmod 600 {}",
            key.display()
        )),
        "{text}"
    );
    fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    fs::set_permissions(&dir, PermissionsExt::from_mode(0o777)).unwrap();
    let text = node.run(&["status", "--json"], "").json_refusal();
    assert!(
        text.contains("can be written by others (mode 0777); chmod 700 "),
        "{text}"
    );
    fs::set_permissions(&dir, PermissionsExt::from_mode(0o700)).unwrap();
    // Only root can give a directory away.
    if rustix::process::geteuid().is_root() {
        chown(&dir, Some(65_534), None).unwrap();
        let text = node.run(&["status"], "").failure().to_owned();
        let wanted = format!(
            "token cache: {} belongs to uid 65534, and this is uid 0; run this as that user: sudo -u '#65534' …",
            dir.display()
        );
        assert_eq!(text, wanted);
    }
}

#[test]
fn a_cache_that_is_switched_off_is_shown_and_named_so() {
    let (ecr, node) = (Ecr::start(), Node::new());
    ecr.plant(&node, "default", HOST, (HOUR, 10 * HOUR));
    let text = status(&node.with("BETA9_CACHE", "off"));
    assert!(
        text.contains(
            "1 token: 1 fresh\nThe cache is switched off: nothing is answered from it.\n"
        ),
        "{text}"
    );
}

#[test]
fn looking_is_not_a_use_of_a_token() {
    let (ecr, node) = (Ecr::start(), Node::new());
    ecr.plant(&node, "default", HOST, (HOUR, 10 * HOUR));
    let token = common::tokens::files(&node, "token").remove(0);
    let before = fs::metadata(&token).unwrap();
    let long_ago = before.accessed().unwrap() - 24 * HOUR;
    let times = fs::FileTimes::new()
        .set_accessed(long_ago)
        .set_modified(before.modified().unwrap());
    fs::File::open(&token).unwrap().set_times(times).unwrap();
    status(&node);
    assert_eq!(fs::metadata(&token).unwrap().accessed().unwrap(), long_ago);
}

#[test]
fn a_collectors_file_has_one_sample_for_each_registry_workspace_and_backend() {
    let ecr = Ecr::start();
    let node = ecr.node().with("BETA9_WORKSPACE_ID", "a \"b\" \\c");
    ecr.plant(&node, "a \"b\" \\c", HOST, (HOUR, 10 * HOUR));
    let rotated = node.clone_with(
        "BETA9_IMAGE_CREDENTIALS",
        ecr::blob(HOST).replace(ecr::KEY, "other"),
    );
    assert_eq!(rotated.pair(HOST).0, "AWS");
    ecr.refuse(true);
    let broken = node.clone_with("BETA9_IMAGE_CREDENTIALS", ecr::blob(OTHER));
    broken.get(OTHER).failure();
    let answer = node.run(&["status", "--format", "prometheus"], "");
    assert_eq!((answer.status, answer.err.as_str()), (0, ""));
    let labels =
        format!("{{registry=\"{HOST}\",workspace=\"a \\\"b\\\" \\\\c\",backend=\"aws\"}} ");
    let line = |name: &str| {
        let lines: Vec<_> = answer
            .out
            .lines()
            .filter(|line| line.starts_with(&format!("{name}{{")))
            .collect();
        assert_eq!(lines.len(), 1, "{name}: {}", answer.out);
        lines[0].to_owned()
    };
    let left = line("beta9_credential_token_expires_seconds");
    let left: u64 = left
        .strip_prefix(&format!("beta9_credential_token_expires_seconds{labels}"))
        .unwrap()
        .parse()
        .unwrap();
    assert!(
        left > 10 * 3600,
        "the one that was minted last counts: {left}"
    );
    assert!(line("beta9_credential_token_last_failure_timestamp_seconds").contains(OTHER));
    assert!(answer.out.starts_with("# HELP beta9_credential_cache_readable Whether the cache of tokens could be read.\n# TYPE beta9_credential_cache_readable gauge\nbeta9_credential_cache_readable 1\n"));
    assert!(
        answer.out.contains("\nbeta9_credential_tokens 2\n") && !answer.out.contains("hunter2")
    );
    fs::remove_file(node.tokens_dir().join("key")).unwrap();
    let answer = node.run(&["status", "--format", "prometheus"], "");
    assert_eq!(answer.status, 0);
    assert!(
        answer
            .out
            .ends_with("\nbeta9_credential_cache_readable 0\n"),
        "{}",
        answer.out
    );
    assert!(
        answer
            .err
            .starts_with("docker-credential-beta9: token cache: the key "),
        "{}",
        answer.err
    );
}
