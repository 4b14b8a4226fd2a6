//! `mirror`, with requests like containerd's, in front of registries that record what they get.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may panic"
)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::Node;
use common::gateway::certificates;
use common::mirror::{
    BASIC, Connection, DENIED, MANIFEST, Mirror, Upstream, at, basic, bearer, blob, client,
    client_with, configure, denied, header, is_clean, mirror, mirror_with, node, ok, pair, say,
    shows, stranger,
};

#[test]
fn what_containerd_asks_for_comes_with_the_credential_that_it_never_sees() {
    let registry = basic(|head, out| {
        let headers = [
            "content-type: application/vnd.oci.image.manifest.v1+json",
            "docker-content-digest: sha256:1",
            "etag: \"e\"",
            "set-cookie: session=1",
            BASIC,
            "x-internal: 1",
        ];
        say(out, head, 200, &headers, "body");
    });
    let mirror = mirror(&registry);
    let mut connection = mirror.connect();
    let target = at(&registry.host(), MANIFEST);
    let sent = "accept: a/b\r\naccept: c/d\r\nuser-agent: containerd/1\r\nauthorization: Basic Ym9iOmJhZA==\r\ncookie: c=1\r\nrange: bytes=0-1\r\n";
    let head = connection.ask_with("HEAD", &target, sent);
    let whole = connection.ask_with("GET", &target, sent);
    let layer = connection.ask("GET", &at(&registry.host(), &blob()));
    assert_eq!((head.status, whole.status, layer.status), (200, 200, 200));
    assert_eq!((whole.body.as_str(), layer.body.as_str()), ("body", "body"));
    assert_eq!(head.header("content-length"), Some("4"));
    for reply in [&head, &whole] {
        assert_eq!(reply.header("docker-content-digest"), Some("sha256:1"));
        assert_eq!(reply.header("etag"), Some("\"e\""));
        for hidden in ["www-authenticate", "set-cookie", "x-internal"] {
            assert_eq!(reply.header(hidden), None, "{hidden}");
        }
        is_clean(&reply.head);
    }
    let heads = registry.heads();
    let last: Vec<_> = heads
        .iter()
        .filter(|head| head.contains("/manifests/"))
        .collect();
    assert_eq!(last.len(), 2);
    for head in last {
        assert!(shows(head, &pair()), "{head}");
        assert_eq!(header(head, "accept"), Some("a/b, c/d"));
        assert_eq!(header(head, "user-agent"), Some("containerd/1"));
        assert_eq!(header(head, "range"), Some("bytes=0-1"));
        assert!(!head.contains("Ym9iOmJhZA") && !head.to_lowercase().contains("cookie"));
    }
    is_clean(&mirror.said());
}

#[test]
fn hundreds_of_heads_at_once_take_one_lookup_and_one_token() {
    let registry = bearer(3600);
    let log = tempfile::tempdir().unwrap();
    let audit = log.path().join("audit.log");
    let node = node(&[&registry]).configured(&format!("[audit]\npath = {audit:?}\n"));
    let mirror = Mirror::start(&node, &[registry.host()], &[]);
    let target = at(&registry.host(), MANIFEST);
    let (address, dir) = (mirror.address, &mirror.dir);
    thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                let mut connection = Connection::new(address, client(dir));
                for _ in 0..25 {
                    assert_eq!(connection.ask("HEAD", &target).status, 200);
                }
            });
        }
    });
    assert_eq!(registry.count("HEAD /v2/team/app/manifests/1"), 1000);
    assert_eq!(registry.count("GET /token"), 1);
    let lookups = fs::read_to_string(&audit).unwrap();
    assert_eq!(
        lookups.matches("\"verb\":\"mirror\"").count(),
        1,
        "{lookups}"
    );
    let token = registry
        .heads()
        .into_iter()
        .find(|head| head.contains("/token"));
    assert!(
        token
            .unwrap()
            .starts_with("GET /token?service=s&scope=repository:team/app:pull ")
    );
    is_clean(&mirror.said());
}

#[test]
fn a_token_that_is_refused_or_about_to_end_is_fetched_again() {
    let registry = bearer(3600);
    let mirror_of = mirror(&registry);
    assert_eq!(mirror_of.get(&registry, MANIFEST).status, 200);
    // From here on, the registry accepts only the next one.
    mirror_of.get(&registry, "/v2/team/app/manifests/revoke");
    assert_eq!(mirror_of.get(&registry, MANIFEST).status, 200);
    assert!(registry.count("GET /token") > 1);

    let registry = bearer(30);
    let mirror_of = mirror(&registry);
    for _ in 0..2 {
        assert_eq!(mirror_of.get(&registry, MANIFEST).status, 200);
    }
    assert_eq!(
        registry.count("GET /token"),
        2,
        "30 s before its end it is over"
    );
    is_clean(&mirror_of.said());
}

#[test]
fn each_repository_has_its_own_token() {
    let registry = bearer(3600);
    let mirror = mirror(&registry);
    mirror.get(&registry, "/v2/team/app/manifests/1");
    mirror.get(&registry, "/v2/team/other/manifests/1");
    assert_eq!(
        registry.count("GET /token?service=s&scope=repository:team/app:pull"),
        1
    );
    assert_eq!(
        registry.count("GET /token?service=s&scope=repository:team/other:pull"),
        1
    );
}

#[test]
fn what_nobody_has_a_credential_for_is_asked_for_anonymously() {
    let registry = Upstream::start(|head, out| {
        let host = header(head, "host").unwrap();
        if head.starts_with("GET /token") {
            assert_eq!(header(head, "authorization"), None);
            say(out, head, 200, &[], "{\"access_token\":\"everybodys\"}");
        } else if shows(head, "Bearer everybodys") {
            ok(head, out);
        } else {
            let challenge = format!("www-authenticate: Bearer realm=\"http://{host}/token\"");
            say(out, head, 401, &[&challenge], "");
        }
    });
    let mirror = Mirror::start(&Node::new(), &[registry.host()], &[]);
    assert_eq!(mirror.get(&registry, MANIFEST).body, "fine");
}

/// An object store with TLS, and a registry whose blobs are there.
fn store_and_registry(dir: &std::path::Path) -> (Upstream, Upstream) {
    let (_, tls) = certificates::server(dir, "IP:127.0.0.1");
    let store = Upstream::serve(Some(tls), |head, out| {
        say(out, head, 200, &[], "from the store");
    });
    let to = format!(
        "location: https://{}/bucket/object?signature=s",
        store.host()
    );
    let registry = basic(move |head, out| {
        if head.contains("/blobs/") {
            say(
                out,
                head,
                307,
                &[&to, "content-type: text/html"],
                "<a>there</a>",
            );
        } else {
            ok(head, out);
        }
    });
    (store, registry)
}

#[test]
fn a_blobs_redirect_is_the_clients_and_its_store_is_not_asked() {
    if !certificates::can_be_made() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (store, registry) = store_and_registry(scratch.path());
    let mirror = mirror(&registry);
    let reply = mirror.get(&registry, &blob());
    assert_eq!((reply.status, reply.body.as_str()), (307, ""));
    let to = format!("https://{}/bucket/object?signature=s", store.host());
    assert_eq!(reply.header("location"), Some(to.as_str()));
    assert_eq!(store.heads(), [""; 0]);
    is_clean(&reply.head);
    let log = mirror.said();
    is_clean(&log);
    assert!(!log.contains("signature"), "{log}");
}

#[test]
fn with_stream_the_store_is_asked_here_and_sees_no_credential() {
    if !certificates::can_be_made() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (store, registry) = store_and_registry(scratch.path());
    let authority = scratch.path().join("ca.pem").display().to_string();
    let node = node(&[&registry]).with("SSL_CERT_FILE", authority);
    let mirror = Mirror::start(&node, &[registry.host()], &["--stream"]);
    assert_eq!(mirror.get(&registry, &blob()).body, "from the store");
    let heads = store.heads();
    assert_eq!(heads.len(), 1);
    assert_eq!(header(&heads[0], "authorization"), None);
    is_clean(&heads[0]);
    let log = mirror.said();
    is_clean(&log);
    assert!(!log.contains("signature"), "{log}");
}

#[test]
fn a_redirect_to_cleartext_or_to_the_nodes_metadata_goes_nowhere() {
    for to in [
        "http://store.example/x",
        "https://169.254.169.254/x",
        "//store.example/x",
        "ftp://store.example/x",
    ] {
        let location = format!("location: {to}");
        let registry = basic(move |head, out| say(out, head, 307, &[&location], ""));
        let mirror = mirror(&registry);
        let reply = mirror.get(&registry, &blob());
        if to.starts_with("http:") {
            // A registry without TLS may redirect only to another server on this node.
            assert_eq!(
                (reply.status, reply.header("location")),
                (502, None),
                "{reply:?}"
            );
        } else {
            denied(&reply);
            assert_eq!(reply.header("location"), None);
        }
    }
}

#[test]
fn what_is_out_of_grammar_or_not_set_up_reaches_no_registry() {
    let registry = basic(ok);
    let mirror = mirror(&registry);
    let here = registry.host();
    let twice = format!("{MANIFEST}?ns={here}&ns={here}");
    let table = [
        ("GET", at(&here, "/v2/_catalog"), 404),
        ("GET", at(&here, "/v2/team/app/tags/list"), 404),
        ("GET", at(&here, "/v2/team/../app/manifests/1"), 404),
        ("GET", at(&here, "/"), 404),
        ("GET", MANIFEST.to_owned(), 404),
        ("GET", twice, 404),
        ("GET", format!("http://{here}{MANIFEST}?ns={here}"), 404),
        ("POST", at(&here, "/v2/team/app/blobs/uploads/"), 405),
        ("PUT", at(&here, MANIFEST), 405),
        ("DELETE", at(&here, MANIFEST), 405),
        ("GET", at("other.example", MANIFEST), 403),
        ("GET", at("127.0.0.1:1", MANIFEST), 403),
    ];
    let mut connection = mirror.connect();
    for (method, target, status) in table {
        assert_eq!(
            connection.ask(method, &target).status,
            status,
            "{method} {target}"
        );
    }
    for head in ["content-length: 3\r\n", "transfer-encoding: chunked\r\n"] {
        let mut connection = mirror.connect();
        let reply = connection.ask_with("GET", &at(&here, MANIFEST), head);
        assert_eq!(
            (reply.status, reply.header("connection")),
            (400, Some("close"))
        );
    }
    assert_eq!(registry.heads(), [""; 0]);
    // Clients check like this whether a registry answers.
    assert_eq!(mirror.get(&registry, "/v2/").status, 200);
    let reply = mirror.ask("GET", &at("other.example", MANIFEST));
    assert!(
        denied(&reply).starts_with("other.example: mirror: it is not set up for the mirror; docker-credential-beta9 configure containerd --hosts other.example"),
        "{reply:?}"
    );
}

#[test]
fn a_registry_that_is_named_while_it_runs_is_served_without_a_restart() {
    let (first, second) = (basic(ok), basic(ok));
    let node = node(&[&first, &second]);
    let mirror = Mirror::start(&node, &[first.host()], &[]);
    assert_eq!(mirror.get(&second, MANIFEST).status, DENIED);
    configure(&node, &[second.host()]);
    for registry in [&first, &second] {
        assert_eq!(mirror.get(registry, MANIFEST).status, 200);
    }
}

#[test]
fn what_fails_is_said_in_a_line_that_has_the_remedy() {
    let registry = Upstream::start(|head, out| say(out, head, 401, &[BASIC], "wrong, octo"));
    let mirror_of = mirror(&registry);
    let reply = mirror_of.get(&registry, MANIFEST);
    let line = denied(&reply);
    let start = format!(
        "{}: registry: it refuses this credential (401); ",
        registry.host()
    );
    assert!(line.starts_with(&start), "{line}");
    assert_eq!(reply.header("www-authenticate"), None);
    assert!(mirror_of.said().contains(&start));

    let mirror_of = Mirror::start(&Node::new(), &[registry.host()], &[]);
    let reply = mirror_of.get(&registry, MANIFEST);
    assert!(
        denied(&reply).contains("it needs a credential, and has none (401)"),
        "{reply:?}"
    );

    // Another host's token server does not get the credential.
    let other = bearer(3600);
    let realm = format!(
        "www-authenticate: Bearer realm=\"https://{}/token\"",
        other.host()
    );
    let registry = Upstream::start(move |head, out| say(out, head, 401, &[&realm], ""));
    let mirror_of = mirror(&registry);
    let reply = mirror_of.get(&registry, MANIFEST);
    assert_eq!(other.heads(), [""; 0]);
    assert!(!reply.body.is_empty() && reply.status >= 400, "{reply:?}");
    is_clean(&mirror_of.said());
}

#[test]
fn a_store_that_fails_is_reported_and_no_registry_is_asked() {
    let registry = basic(ok);
    let node = Node::new().configured("[store]\nkind = \"gateway\"\n[store.gateway]\nurl = \"http://127.0.0.1:1\"\ntoken = \"t\"\n");
    let mirror = Mirror::start(&node, &[registry.host()], &[]);
    let reply = mirror.get(&registry, MANIFEST);
    assert!(denied(&reply).contains("gateway"), "{reply:?}");
    assert_eq!(registry.heads(), [""; 0]);
}

#[test]
fn a_store_below_a_directory_that_is_open_to_others_since_the_last_pull_is_not_read() {
    let registry = bearer(3600);
    let node = node(&[&registry]);
    let mirror = Mirror::start(&node, &[registry.host()], &[]);
    assert_eq!(mirror.get(&registry, MANIFEST).status, 200);
    let data = node.home().join(".local/share");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
    let reply = mirror.get(&registry, "/v2/team/other/manifests/1");
    let said = format!("{}, which can be written by others", data.display());
    assert!(denied(&reply).contains(&said), "{reply:?}");
    assert_eq!(registry.count("GET /v2/team/other/"), 0);
}

#[test]
fn a_list_of_registries_in_a_directory_that_is_open_to_others_since_the_last_pull_is_not_read() {
    let registry = bearer(3600);
    let node = node(&[&registry]);
    let mirror = Mirror::start(&node, &[registry.host()], &[]);
    assert_eq!(mirror.get(&registry, MANIFEST).status, 200);
    fs::set_permissions(&mirror.dir, fs::Permissions::from_mode(0o777)).unwrap();
    let reply = mirror.get(&registry, "/v2/team/other/manifests/1");
    let said = format!("{}, which can be written by others", mirror.dir.display());
    assert!(denied(&reply).contains(&said), "{reply:?}");
    assert_eq!(registry.count("GET /v2/team/other/"), 0);
}

#[test]
fn what_the_registry_says_of_the_image_is_passed_on_as_it_is() {
    for (status, header) in [
        (404, "x: y"),
        (403, "x: y"),
        (429, "retry-after: 7"),
        (500, "x: y"),
    ] {
        let registry = basic(move |head, out| {
            if head.contains("/manifests/1 ") {
                say(out, head, status, &[header, BASIC], "said the registry");
            } else {
                ok(head, out);
            }
        });
        let reply = mirror(&registry).get(&registry, MANIFEST);
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (status, "said the registry")
        );
        assert_eq!(reply.header("retry-after"), (status == 429).then_some("7"));
        assert_eq!(reply.header("www-authenticate"), None);
    }
}

#[test]
fn a_registry_that_is_not_there_is_a_bad_gateway() {
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let mirror = Mirror::start(&Node::new(), std::slice::from_ref(&gone), &[]);
    let reply = mirror.ask("GET", &at(&gone, MANIFEST));
    assert_eq!(reply.status, 502, "{reply:?}");
    assert!(
        reply
            .body
            .starts_with("{\"errors\":[{\"code\":\"UNAVAILABLE\""),
        "{reply:?}"
    );
}

#[test]
fn only_the_client_of_the_same_authority_is_answered() {
    let registry = basic(ok);
    let mirror = mirror(&registry);
    let other = Node::new();
    let others = configure(&other, &[registry.host()]);
    for config in [stranger(&mirror.dir), client_with(&mirror.dir, &others)] {
        let mut connection = Connection::new(mirror.address, config);
        let line = format!(
            "GET {} HTTP/1.1\r\nhost: m\r\n\r\n",
            at(&registry.host(), MANIFEST)
        );
        _ = connection.send(line.as_bytes());
        let (said, done) = connection.rest();
        assert!(said.is_empty() && done.is_err());
    }
    // Without TLS, and with an older one.
    let mut plain = TcpStream::connect(mirror.address).unwrap();
    plain
        .write_all(b"GET /v2/ HTTP/1.1\r\nhost: m\r\n\r\n")
        .unwrap();
    let mut said = Vec::new();
    _ = plain.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP"));
    assert_eq!(registry.heads(), [""; 0]);
    // Another program on the port has no certificate that containerd trusts, so it is sent nothing.
    let mut misled = Connection::new(mirror.address, client_with(&others, &mirror.dir));
    assert!(misled.send(b"GET /v2/ HTTP/1.1\r\n\r\n").is_err());
    assert_eq!(mirror.get(&registry, MANIFEST).status, 200);
}

#[test]
fn a_head_of_a_megabyte_is_refused_and_nobody_else_is_disturbed() {
    let registry = basic(ok);
    let mirror = mirror(&registry);
    let mut other = mirror.connect();
    assert_eq!(
        other.ask("GET", &at(&registry.host(), MANIFEST)).status,
        200
    );
    let asked = registry.heads().len();
    let mut connection = mirror.connect();
    let long = format!("x: {}\r\n", "y".repeat(1 << 20));
    let line = format!(
        "GET {} HTTP/1.1\r\nhost: m\r\n{long}\r\n",
        at(&registry.host(), MANIFEST)
    );
    _ = connection.send(line.as_bytes());
    let (said, _) = connection.rest();
    assert!(
        said.is_empty() || said.starts_with(b"HTTP/1.1 431"),
        "{}",
        String::from_utf8_lossy(&said)
    );
    assert_eq!(registry.heads().len(), asked);
    assert_eq!(
        other.ask("GET", &at(&registry.host(), MANIFEST)).status,
        200
    );
    // containerd's heads are far smaller; one just below the limit is accepted.
    let fits = format!("accept: {}\r\n", "y".repeat(12 << 10));
    assert_eq!(
        other
            .ask_with("GET", &at(&registry.host(), MANIFEST), &fits)
            .status,
        200
    );
}

#[test]
fn the_sixty_fifth_connection_is_closed_at_once_and_a_free_place_is_given_again() {
    let registry = basic(ok);
    let mirror = mirror(&registry);
    let target = at(&registry.host(), MANIFEST);
    let mut all: Vec<_> = (0..64).map(|_| mirror.connect()).collect();
    for connection in &mut all {
        assert_eq!(connection.ask("HEAD", &target).status, 200);
    }
    let mut more = mirror.connect();
    _ = more.send(b"GET /v2/ HTTP/1.1\r\n\r\n");
    let (said, done) = more.rest();
    assert!(said.is_empty() && done.is_err());
    for connection in &mut all {
        assert_eq!(connection.ask("HEAD", &target).status, 200);
    }
    all.pop();
    // The place is free once the mirror has noticed that the connection ended.
    let again = (0..500).find_map(|_| {
        let mut connection = mirror.connect();
        let line = format!("HEAD {target} HTTP/1.1\r\nhost: m\r\n\r\n");
        let head = connection
            .send(line.as_bytes())
            .ok()
            .and_then(|()| connection.head());
        thread::sleep(Duration::from_millis(20));
        head
    });
    assert!(again.unwrap().starts_with("HTTP/1.1 200"));
}

/// A registry with an endless blob, which reports when the client stops reading.
fn endless() -> (Upstream, Receiver<()>) {
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let registry = basic(move |head, out| {
        if !head.contains("/blobs/") {
            return ok(head, out);
        }
        _ = out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n");
        while out.write_all(&[0; 1 << 14]).is_ok() {}
        tell.lock().unwrap().send(()).unwrap();
    });
    (registry, told)
}

#[test]
fn a_client_that_does_not_read_loses_its_connection_and_holds_up_nobody() {
    let (registry, ended) = endless();
    let mirror = mirror_with(&registry, &["--idle", "2s"]);
    let mut slow = mirror.connect();
    let line = format!(
        "GET {} HTTP/1.1\r\nhost: m\r\n\r\n",
        at(&registry.host(), &blob())
    );
    slow.send(line.as_bytes()).unwrap();
    assert!(slow.head().unwrap().starts_with("HTTP/1.1 200"));
    assert_eq!(mirror.get(&registry, MANIFEST).status, 200);
    ended.recv_timeout(Duration::from_mins(1)).unwrap();
    // A client that is silent during or after the handshake loses its connection too.
    let mut silent = TcpStream::connect(mirror.address).unwrap();
    let mut idle = mirror.connect();
    assert_eq!(idle.ask("GET", &at(&registry.host(), MANIFEST)).status, 200);
    assert!(idle.rest().0.is_empty());
    assert_eq!(silent.read(&mut [0]).unwrap_or_default(), 0);
}

#[test]
fn a_client_that_goes_away_takes_its_blob_with_it() {
    let (registry, ended) = endless();
    let mirror = mirror(&registry);
    let mut connection = mirror.connect();
    let line = format!(
        "GET {} HTTP/1.1\r\nhost: m\r\n\r\n",
        at(&registry.host(), &blob())
    );
    connection.send(line.as_bytes()).unwrap();
    assert!(connection.head().unwrap().starts_with("HTTP/1.1 200"));
    drop(connection);
    ended.recv_timeout(Duration::from_mins(1)).unwrap();
}

#[test]
fn a_blob_that_breaks_off_is_not_whole_for_the_client_either() {
    let registry = basic(|head, out| {
        if head.contains("/blobs/") {
            _ = out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
        } else {
            ok(head, out);
        }
    });
    let mirror = mirror(&registry);
    let mut connection = mirror.connect();
    let line = format!(
        "GET {} HTTP/1.1\r\nhost: m\r\n\r\n",
        at(&registry.host(), &blob())
    );
    connection.send(line.as_bytes()).unwrap();
    assert_eq!(
        header(&connection.head().unwrap(), "content-length"),
        Some("100")
    );
    assert!(connection.rest().0.len() < 100);
}

/// A registry whose blob pauses in the middle until the test continues it.
fn halting() -> (Upstream, mpsc::Sender<()>) {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let registry = basic(move |head, out| {
        if !head.contains("/blobs/") {
            return ok(head, out);
        }
        out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf")
            .unwrap();
        out.flush().unwrap();
        wait.lock().unwrap().recv().unwrap();
        out.write_all(b"half").unwrap();
    });
    (registry, go)
}

#[test]
fn told_to_end_in_the_middle_of_a_blob_it_takes_nobody_new_and_ends_the_blob_whole() {
    let (registry, go) = halting();
    let mirror = mirror(&registry);
    let mut idle = mirror.connect();
    assert_eq!(idle.ask("GET", &at(&registry.host(), MANIFEST)).status, 200);
    let mut connection = mirror.connect();
    let line = format!(
        "GET {} HTTP/1.1\r\nhost: m\r\n\r\n",
        at(&registry.host(), &blob())
    );
    connection.send(line.as_bytes()).unwrap();
    assert!(connection.head().unwrap().starts_with("HTTP/1.1 200"));
    assert_eq!(connection.take(4), b"half");
    mirror.terminate();
    // An idle connection is closed.
    assert!(idle.rest().0.is_empty());
    while TcpStream::connect(mirror.address).is_ok() {
        thread::sleep(Duration::from_millis(20));
    }
    go.send(()).unwrap();
    assert_eq!(connection.rest().0, b"half");
    let (status, log) = mirror.end();
    assert_eq!(status, Some(0), "{log}");
    is_clean(&log);
}

/// A mirror that gets its socket as from systemd.
fn activated(node: &Node, dir: &std::path::Path, socket: &TcpListener) -> Mirror {
    let address = socket.local_addr().unwrap();
    let script =
        "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" mirror --mirror-dir \"$1\"";
    let template = node.command(&[]);
    let mut command = Command::new("sh");
    command.args(["-c", script, common::BINARY, dir.to_str().unwrap()]);
    command.env_clear();
    for (name, value) in template.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
        .stdin(Stdio::from(OwnedFd::from(socket.try_clone().unwrap())))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let node = node.clone_with("BETA9_LOG", "debug");
    Mirror::of(command.spawn().unwrap(), address, dir.to_owned(), node)
}

#[test]
fn restarted_under_load_with_the_socket_that_systemd_holds_no_request_fails() {
    let registry = basic(ok);
    let node = node(&[&registry]);
    let dir = configure(&node, &[registry.host()]);
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let target = at(&registry.host(), MANIFEST);
    let (first, stop) = (
        activated(&node, &dir, &socket),
        Arc::new(AtomicUsize::new(0)),
    );
    thread::scope(|scope| {
        let pullers: Vec<_> = (0..4)
            .map(|_| {
                let (stop, dir, target) = (Arc::clone(&stop), &dir, &target);
                scope.spawn(move || {
                    let mut count = 0;
                    while stop.load(Ordering::Relaxed) == 0 {
                        let reply = Connection::new(address, client(dir)).ask("GET", target);
                        assert_eq!(reply.status, 200);
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        while registry.count("GET") < 20 {
            thread::sleep(Duration::from_millis(20));
        }
        first.terminate();
        assert_eq!(first.end().0, Some(0));
        let second = activated(&node, &dir, &socket);
        let before = registry.count("GET");
        while registry.count("GET") < before + 20 {
            thread::sleep(Duration::from_millis(20));
        }
        stop.store(1, Ordering::Relaxed);
        assert!(
            pullers
                .into_iter()
                .map(|puller| puller.join().unwrap())
                .sum::<usize>()
                > 20
        );
        second.said();
    });
}

#[test]
fn it_does_not_start_where_it_could_not_be_trusted() {
    let node = Node::new();
    let dir = configure(&node, &["r.example".to_owned()]);
    let start = |args: &[&str]| {
        let all = [&["mirror", "--mirror-dir", dir.to_str().unwrap()], args].concat();
        node.run(&all, "").refusal().to_owned()
    };
    assert!(start(&[]).contains("systemctl enable --now beta9-mirror.socket"));
    assert!(
        start(&["--listen", "0.0.0.0:0"]).contains("is not an address of this node's loopback")
    );
    let key = dir.join("server.key");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(&key, open).unwrap();
    assert!(start(&["--listen", "127.0.0.1:0"]).contains("server.key"));
    fs::remove_file(&key).unwrap();
    assert!(start(&["--listen", "127.0.0.1:0"]).contains("server.key does not exist; make it: "));
}
