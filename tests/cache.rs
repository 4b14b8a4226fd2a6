//! The token cache by itself: what is a hit, what is a miss, who mints, and how much is kept.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use beta9_credential::cache::{Cache, Moment, TokenId};
use beta9_credential::config::{CacheConfig, KeyPlace};
use beta9_credential::credential::Credential;
use beta9_credential::error::{Code, Error, Problem, Warnings};
use beta9_credential::token::{Minted, Scope};

const HOUR: Duration = Duration::from_hours(1);

/// A node's cache directory.
struct Node {
    scratch: tempfile::TempDir,
    max_entries: u64,
    max_bytes: u64,
}

impl Node {
    fn new() -> Self {
        Self {
            scratch: tempfile::tempdir().unwrap(),
            max_entries: 1024,
            max_bytes: 8 << 20,
        }
    }

    fn dir(&self) -> PathBuf {
        self.scratch.path().join("tokens")
    }

    fn config(&self) -> CacheConfig {
        CacheConfig {
            enabled: true,
            dirs: vec![self.dir()],
            max_entries: self.max_entries,
            max_bytes: self.max_bytes,
            stale_if_error: HOUR,
        }
    }

    /// Asks for a token as the resolver does; mints `password` unless a token is cached.
    fn ask(&self, id: (&str, &str, &str), password: &str, life: Option<Duration>) -> String {
        let config = self.config();
        let cache = Cache::open(&config, &KeyPlace::Nowhere, &no_warnings()).unwrap();
        let scope = Scope::new("", vec![id.2.to_owned()]);
        let token = TokenId {
            workspace: id.0,
            host: id.1,
            path: "",
            real: id.1,
            backend: "aws",
            store: "file",
            scope: &scope,
        };
        let answer = cache
            .get_or_mint(&token, None, soon(), |_| Ok(minted(password, life)))
            .unwrap();
        answer.credential.secret().expose().to_owned()
    }

    fn files(&self, extension: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(self.dir())
            .unwrap()
            .map(|file| file.unwrap().path());
        files
            .filter(|path| path.extension().is_some_and(|found| found == extension))
            .collect()
    }
}

fn minted(password: &str, life: Option<Duration>) -> Minted {
    let credential = Credential::new("AWS".into(), password.into()).unwrap();
    Minted {
        credential,
        expires: life.map(|life| SystemTime::now() + life),
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

/// A sink for warnings that these tests ignore.
fn no_warnings() -> Rc<Warnings> {
    Rc::default()
}

const A: (&str, &str, &str) = ("w", "h", "keys");

#[test]
fn a_token_is_minted_once_and_then_answered_from_the_cache() {
    let node = Node::new();
    assert_eq!(node.ask(A, "first", Some(HOUR)), "first");
    assert_eq!(node.ask(A, "second", Some(HOUR)), "first");
}

#[test]
fn other_keys_another_host_and_another_workspace_are_other_tokens() {
    let node = Node::new();
    node.ask(A, "first", Some(HOUR));
    for other in [
        ("w", "h", "rotated"),
        ("w", "other", "keys"),
        ("other", "h", "keys"),
    ] {
        assert_eq!(node.ask(other, "own", Some(HOUR)), "own", "{other:?}");
    }
    assert_eq!(node.ask(A, "second", Some(HOUR)), "first");
}

#[test]
fn a_token_without_an_end_or_about_to_end_is_not_kept() {
    let node = Node::new();
    for life in [None, Some(Duration::from_mins(1)), Some(Duration::ZERO)] {
        assert_eq!(node.ask(A, "first", life), "first");
        assert_eq!(node.ask(A, "second", life), "second");
    }
    assert!(node.files("token").is_empty());
}

#[test]
fn nothing_on_disk_is_in_clear_and_nothing_is_for_others() {
    let node = Node::new();
    node.ask(
        ("hunter-workspace", "hunter.example", "hunter-keys"),
        "hunter-token",
        Some(HOUR),
    );
    for file in fs::read_dir(node.dir())
        .unwrap()
        .map(|file| file.unwrap().path())
    {
        let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o077;
        assert_eq!(mode, 0, "{}", file.display());
        assert!(!file.to_str().unwrap().contains("hunter"));
        if file.is_file() {
            assert!(!String::from_utf8_lossy(&fs::read(&file).unwrap()).contains("hunter"));
        }
    }
}

#[test]
fn a_file_of_another_token_or_a_damaged_one_is_a_miss() {
    let node = Node::new();
    node.ask(("a", "h", "keys"), "of a", Some(HOUR));
    let file_of_a = node.files("token").remove(0);
    node.ask(("b", "h", "keys"), "of b", Some(HOUR));
    let file_of_b = node
        .files("token")
        .into_iter()
        .find(|file| *file != file_of_a)
        .unwrap();
    fs::copy(&file_of_b, &file_of_a).unwrap();
    assert_eq!(node.ask(("a", "h", "keys"), "new", Some(HOUR)), "new");
    for damage in [
        &b""[..],
        b"beta9-token 0\n",
        b"beta9-token 3\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        b"\0\0\0",
    ] {
        fs::write(&file_of_b, damage).unwrap();
        assert_eq!(
            node.ask(("b", "h", "keys"), "minted again", Some(HOUR)),
            "minted again"
        );
        assert_eq!(
            node.ask(("b", "h", "keys"), "again", Some(HOUR)),
            "minted again"
        );
    }
}

#[test]
fn of_many_that_ask_at_once_one_mints_and_all_are_answered() {
    let node = Node::new();
    let mints = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                let config = node.config();
                let cache = Cache::open(&config, &KeyPlace::Nowhere, &no_warnings()).unwrap();
                let keys = Scope::new("", vec!["keys".to_owned()]);
                let id = TokenId {
                    workspace: "w",
                    host: "h",
                    path: "",
                    real: "h",
                    backend: "aws",
                    store: "file",
                    scope: &keys,
                };
                let answer = cache.get_or_mint(&id, None, soon(), |_| {
                    std::thread::sleep(Duration::from_millis(100));
                    Ok(minted(
                        &format!("token {}", mints.fetch_add(1, Ordering::SeqCst)),
                        Some(HOUR),
                    ))
                });
                assert_eq!(answer.unwrap().credential.secret().expose(), "token 0");
            });
        }
    });
    assert_eq!(mints.load(Ordering::SeqCst), 1);
}

#[test]
fn one_process_asks_for_a_note_that_many_need_and_again_when_it_is_old() {
    let node = Node::new();
    let asked = AtomicUsize::new(0);
    let recall = |seconds: u64| {
        let now = Moment::now();
        let clock = move || Moment {
            wall: now.wall + seconds,
            boot: now.boot + seconds,
        };
        let cache = Cache::open(&node.config(), &KeyPlace::Nowhere, &no_warnings())
            .unwrap()
            .with_clock(clock);
        let ask = || {
            std::thread::sleep(Duration::from_millis(100));
            Ok(Some(format!(
                "role {}",
                asked.fetch_add(1, Ordering::SeqCst)
            )))
        };
        let deadline = Instant::now() + Duration::from_mins(2);
        cache
            .memory()
            .recall_or_ask("identity", &["aws"], Duration::from_mins(5), deadline, ask)
            .unwrap()
            .unwrap()
    };
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert_eq!(recall(0), "role 0"));
        }
    });
    assert_eq!(recall(240), "role 0");
    assert_eq!(recall(301), "role 1");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

/// Asks with a failing mint, and returns the error and the number of mints.
fn fail(node: &Node, keys: &str) -> (String, usize) {
    let config = node.config();
    let cache = Cache::open(&config, &KeyPlace::Nowhere, &no_warnings()).unwrap();
    let (scope, mints) = (Scope::new("", vec![keys.to_owned()]), AtomicUsize::new(0));
    let id = TokenId {
        workspace: "w",
        host: "h",
        path: "",
        real: "h",
        backend: "aws",
        store: "file",
        scope: &scope,
    };
    let answer = cache.get_or_mint(&id, None, soon(), |_| {
        mints.fetch_add(1, Ordering::SeqCst);
        Err(Problem::new("backend aws", "it is throttled")
            .code(Code::MintThrottled)
            .fix("wait a little")
            .unreachable()
            .answered())
    });
    (answer.unwrap_err().to_string(), mints.into_inner())
}

#[test]
fn a_failed_mint_is_shared_for_some_seconds_and_a_rotated_secret_does_not_share_it() {
    let node = Node::new();
    let words = "backend aws: it is throttled; wait a little".to_owned();
    assert_eq!(fail(&node, "keys"), (words.clone(), 1));
    assert_eq!(fail(&node, "keys"), (words.clone(), 0));
    assert_eq!(fail(&node, "rotated"), (words, 1));
    assert_eq!(
        node.ask(("w", "h", "other"), "minted", Some(HOUR)),
        "minted"
    );
}

#[test]
fn a_fault_of_one_process_is_not_shared() {
    let node = Node::new();
    assert_eq!(
        ask_later(&node, 0, &down),
        (Err("backend aws: it is down".into()), 0, true)
    );
    assert_eq!(
        ask_later(&node, 0, &down),
        (Err("backend aws: it is down".into()), 0, true)
    );
    assert_eq!(node.ask(A, "minted", Some(HOUR)), "minted");
}

#[test]
fn a_process_that_waits_too_long_for_a_lock_mints_and_keeps_the_token() {
    let node = Node::new();
    node.ask(A, "of old", Some(HOUR));
    let token = node.files("token").remove(0);
    let _stopped = beta9_credential::lock::Lock::try_acquire(&token.with_extension("lock"))
        .unwrap()
        .unwrap();
    fs::remove_file(&token).unwrap();
    assert_eq!(node.ask(A, "beside it", Some(HOUR)), "beside it");
    assert_eq!(node.ask(A, "unused", Some(HOUR)), "beside it");
    // The second process that mints may be stopped too.
    fs::remove_file(&token).unwrap();
    let _too = beta9_credential::lock::Lock::try_acquire(&token.with_extension("spare"))
        .unwrap()
        .unwrap();
    assert_eq!(node.ask(A, "alone", Some(HOUR)), "alone");
    assert_eq!(node.ask(A, "unused", Some(HOUR)), "alone");
}

/// Asks at a later time by both clocks, and returns the password, the warnings and whether a token was minted.
fn ask_later(
    node: &Node,
    seconds: u64,
    mint: &dyn Fn() -> Result<Minted, Error>,
) -> (Result<String, String>, usize, bool) {
    let now = Moment::now();
    let clock = move || Moment {
        wall: now.wall + seconds,
        boot: now.boot + seconds,
    };
    let (config, warnings, mints) = (
        node.config(),
        Rc::<Warnings>::default(),
        AtomicUsize::new(0),
    );
    let cache = Cache::open(&config, &KeyPlace::Nowhere, &warnings)
        .unwrap()
        .with_clock(clock);
    let scope = Scope::new("", vec!["keys".to_owned()]);
    let id = TokenId {
        workspace: "w",
        host: "h",
        path: "",
        real: "h",
        backend: "aws",
        store: "file",
        scope: &scope,
    };
    let answer = cache.get_or_mint(&id, None, soon(), |_| {
        mints.fetch_add(1, Ordering::SeqCst);
        mint()
    });
    let answer = answer
        .map(|minted| minted.credential.secret().expose().to_owned())
        .map_err(|error| error.to_string());
    (answer, warnings.take().len(), mints.into_inner() > 0)
}

fn down() -> Result<Minted, Error> {
    Err(Problem::new("backend aws", "it is down")
        .code(Code::MintUnreachable)
        .unreachable())
}

#[test]
fn a_token_is_renewed_between_half_and_seven_tenths_of_its_life() {
    let node = Node::new();
    node.ask(A, "old", Some(HOUR));
    let new = || Ok(minted("new", Some(3 * HOUR)));
    assert_eq!(ask_later(&node, 1700, &new), (Ok("old".into()), 0, false));
    assert_eq!(ask_later(&node, 2530, &new), (Ok("new".into()), 0, true));
    assert_eq!(ask_later(&node, 2531, &new), (Ok("new".into()), 0, false));
}

#[test]
fn a_failed_renewal_keeps_the_old_token_and_is_not_retried_at_once() {
    let node = Node::new();
    node.ask(A, "old", Some(HOUR));
    assert_eq!(ask_later(&node, 2530, &down), (Ok("old".into()), 1, true));
    assert_eq!(ask_later(&node, 2560, &down), (Ok("old".into()), 0, false));
    assert_eq!(ask_later(&node, 2591, &down), (Ok("old".into()), 1, true));
    assert_eq!(ask_later(&node, 3500, &down), (Ok("old".into()), 1, true));
    assert_eq!(
        ask_later(&node, 3545, &down),
        (Err("backend aws: it is down".into()), 0, true)
    );
}

#[test]
fn a_process_that_cannot_have_the_lock_at_once_is_served_the_old_token() {
    let node = Node::new();
    node.ask(A, "old", Some(HOUR));
    let lock = node.files("token")[0].with_extension("lock");
    let held = beta9_credential::lock::Lock::try_acquire(&lock)
        .unwrap()
        .unwrap();
    assert_eq!(ask_later(&node, 1900, &down), (Ok("old".into()), 0, false));
    drop(held);
}

#[test]
fn a_clock_that_jumped_never_yields_an_expired_token() {
    let node = Node::new();
    node.ask(A, "old", Some(HOUR));
    let new = || Ok(minted("new", Some(20 * HOUR)));
    assert_eq!(ask_later(&node, 10 * 3600, &new).0, Ok("new".into()));
    // The cached token was minted while the clock was ten hours ahead.
    assert_eq!(node.ask(A, "minted again", Some(HOUR)), "minted again");
}

#[test]
fn a_cached_token_is_handed_out_with_its_own_end_and_not_with_a_new_one() {
    let node = Node::new();
    let now = Moment::now();
    node.ask(A, "token", Some(HOUR));
    let config = node.config();
    let later = move || Moment {
        wall: now.wall + 600,
        boot: now.boot + 600,
    };
    let cache = Cache::open(&config, &KeyPlace::Nowhere, &no_warnings())
        .unwrap()
        .with_clock(later);
    let scope = Scope::new("", vec![A.2.to_owned()]);
    let id = TokenId {
        workspace: A.0,
        host: A.1,
        path: "",
        real: A.1,
        backend: "aws",
        store: "file",
        scope: &scope,
    };
    let cached = cache.get_or_mint(&id, None, soon(), |_| down()).unwrap();
    let end = cached
        .expires
        .unwrap()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    assert!(
        (now.wall + 3590..=now.wall + 3660).contains(&end),
        "{end} {}",
        now.wall
    );
}

#[test]
fn a_longest_life_is_kept_to() {
    let node = Node::new();
    let config = node.config();
    let cache = Cache::open(&config, &KeyPlace::Nowhere, &no_warnings()).unwrap();
    let scope = Scope::new("", vec!["keys".to_owned()]);
    let id = TokenId {
        workspace: "w",
        host: "h",
        path: "",
        real: "h",
        backend: "aws",
        store: "file",
        scope: &scope,
    };
    cache
        .get_or_mint(&id, Some(11 * HOUR), soon(), |_| {
            Ok(minted("t", Some(12 * HOUR)))
        })
        .unwrap();
    let expires = fs::metadata(&node.files("token")[0])
        .unwrap()
        .modified()
        .unwrap();
    let left = expires.duration_since(SystemTime::now()).unwrap();
    assert!(
        left <= 11 * HOUR && left + Duration::from_mins(1) > 11 * HOUR,
        "{left:?}"
    );
}

fn set_times(path: &Path, used: SystemTime, expires: SystemTime) {
    let times = fs::FileTimes::new()
        .set_accessed(used)
        .set_modified(expires);
    fs::File::open(path).unwrap().set_times(times).unwrap();
}

#[test]
fn after_any_number_of_rotations_it_keeps_to_its_bounds() {
    let mut node = Node::new();
    node.max_entries = 8;
    for round in 0..100 {
        node.ask(("w", "h", &format!("keys {round}")), "t", Some(HOUR));
    }
    assert_eq!(node.files("token").len(), 8);
    assert!(node.files("lock").len() <= 8);
    node.max_bytes = 3 * fs::metadata(&node.files("token")[0]).unwrap().len();
    node.ask(("w", "h", "one more"), "t", Some(HOUR));
    assert_eq!(node.files("token").len(), 3);
}

#[test]
fn notes_and_tokens_share_the_bounds_and_neither_pushes_the_other_out() {
    let mut node = Node::new();
    node.max_entries = 8;
    let config = node.config();
    let write = |number: usize| {
        let cache = Cache::open(&config, &KeyPlace::Nowhere, &no_warnings()).unwrap();
        cache.memory().note("kind", &[&number.to_string()], "text");
    };
    (0..40).for_each(write);
    assert_eq!(node.files("memo").len(), 8);
    for round in 0..40 {
        node.ask(("w", "h", &format!("keys {round}")), "t", Some(HOUR));
    }
    assert_eq!(
        (node.files("token").len(), node.files("memo").len()),
        (4, 4)
    );
    (0..40).for_each(write);
    assert_eq!(
        (node.files("token").len(), node.files("memo").len()),
        (4, 4)
    );
    let recalled = Cache::open(&config, &KeyPlace::Nowhere, &no_warnings()).unwrap();
    assert_eq!(
        recalled
            .memory()
            .recall("kind", &["39"])
            .unwrap()
            .text
            .expose(),
        "text"
    );
    assert_eq!(node.ask(("w", "h", "keys 39"), "new", Some(HOUR)), "t");
}

#[test]
fn what_is_expired_goes_first_and_then_what_was_used_least_lately() {
    let mut node = Node::new();
    let name = |node: &Node, known: &[PathBuf]| {
        node.files("token")
            .into_iter()
            .find(|file| !known.contains(file))
            .unwrap()
    };
    let mut files = Vec::new();
    for keys in ["expired", "long ago", "lately"] {
        node.ask(("w", "h", keys), keys, Some(HOUR));
        files.push(name(&node, &files));
    }
    let now = SystemTime::now();
    set_times(&files[0], now, now - HOUR);
    set_times(&files[1], now - HOUR, now + HOUR);
    node.max_entries = 3;
    node.ask(("w", "h", "new"), "t", Some(HOUR));
    assert_eq!(
        files.iter().map(|file| file.exists()).collect::<Vec<_>>(),
        [false, true, true]
    );
    node.ask(("w", "h", "newer"), "t", Some(HOUR));
    assert_eq!(
        files.iter().map(|file| file.exists()).collect::<Vec<_>>(),
        [false, false, true]
    );
}

#[test]
fn a_use_is_noted_so_that_what_is_used_stays() {
    let node = Node::new();
    node.ask(A, "t", Some(HOUR));
    let file = node.files("token").remove(0);
    let (long_ago, expires) = (
        SystemTime::now() - HOUR,
        fs::metadata(&file).unwrap().modified().unwrap(),
    );
    set_times(&file, long_ago, expires);
    node.ask(A, "t", Some(HOUR));
    let after = fs::metadata(&file).unwrap();
    assert!(after.accessed().unwrap() > long_ago + HOUR / 2);
    assert_eq!(after.modified().unwrap(), expires);
}

#[test]
fn forgetting_a_host_removes_its_tokens_and_no_others() {
    let node = Node::new();
    for id in [
        ("w", "h", "1"),
        ("w", "h", "2"),
        ("w", "other", "1"),
        ("other", "h", "1"),
    ] {
        node.ask(id, "old", Some(HOUR));
    }
    let config = node.config();
    Cache::open(&config, &KeyPlace::Nowhere, &no_warnings())
        .unwrap()
        .forget("w", "h");
    assert_eq!(node.files("token").len(), 2);
    assert_eq!(node.ask(("w", "h", "1"), "new", Some(HOUR)), "new");
    assert_eq!(node.ask(("other", "h", "1"), "new", Some(HOUR)), "old");
}

#[test]
fn where_no_directory_can_be_used_the_next_one_is_or_none_with_a_warning_each() {
    let node = Node::new();
    let good = node.dir();
    let open = |dirs: Vec<PathBuf>, enabled| {
        let warnings = Rc::<Warnings>::default();
        let config = CacheConfig {
            enabled,
            dirs,
            max_entries: 9,
            max_bytes: 99,
            stale_if_error: HOUR,
        };
        let opened = Cache::open(&config, &KeyPlace::Nowhere, &warnings).is_some();
        (opened, warnings.take().len())
    };
    assert_eq!(
        open(
            vec!["/sys/beta9".into(), "/proc/beta9".into(), good.clone()],
            true
        ),
        (true, 2)
    );
    assert_eq!(open(vec!["/sys/beta9".into()], true), (false, 1));
    assert_eq!(open(vec![], true), (false, 0));
    fs::set_permissions(&good, fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(open(vec![good.clone()], true), (false, 1));
    assert_eq!(open(vec![good], false), (false, 0));
}
