//! `mirror` before clients and registries that mean it harm, or keep to no rule.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test stops where something is not as it should be"
)]

mod common;

use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};

use common::Node;
use common::gateway::certificates;
use common::mirror::{
    BASIC, Connection, MANIFEST, Mirror, SECRET, TOKEN, Upstream, at, basic, bearer, blob,
    client_of, denied, header, is_clean, mirror, mirror_with, node, ok, pair, say, shows,
};

/// All that comes back for these bytes, until the mirror closes.
fn answers(mirror: &Mirror, bytes: &str) -> String {
    let mut connection = mirror.connect();
    _ = connection.send(bytes.as_bytes());
    String::from_utf8_lossy(&connection.rest().0).into_owned()
}

fn count(text: &str, what: &str) -> usize {
    text.matches(what).count()
}

#[test]
fn no_body_hides_a_request_and_nothing_is_switched() {
    let registry = basic(ok);
    let mirror = mirror(&registry);
    let target = at(&registry.host(), MANIFEST);
    let hidden = format!("GET {target} HTTP/1.1\r\nhost: m\r\n\r\n");
    for heads in [
        "content-length: 80\r\n",
        "transfer-encoding: chunked\r\n",
        "content-length: 0\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 0\r\n",
        "content-length: 0\r\ncontent-length: 80\r\n",
        "content-length: 80, 80\r\n",
        "content-length: +0\r\n",
        "content-length: 00\r\n",
        "content-length: -1\r\n",
        "content-length:\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding:\x0bchunked\r\n",
        "transfer-encoding : chunked\r\n",
        "x: y\r\n content-length: 80\r\n",
        "expect: 100-continue\r\ncontent-length: 80\r\n",
    ] {
        for method in ["GET", "POST"] {
            let said = answers(
                &mirror,
                &format!("{method} {target} HTTP/1.1\r\nhost: m\r\n{heads}\r\n{hidden}"),
            );
            assert!(count(&said, "HTTP/1.1 ") <= 1, "{heads}{said}");
            assert!(!said.contains("HTTP/1.1 2"), "{heads}{said}");
            assert!(!said.contains("HTTP/1.1 1"), "{heads}{said}");
        }
    }
    assert_eq!(registry.heads(), [""; 0]);
    let close = "connection: close\r\n";
    for (line, status) in [
        ("PATCH TARGET HTTP/1.1", "405"),
        ("OPTIONS TARGET HTTP/1.1", "405"),
        ("TRACE TARGET HTTP/1.1", "405"),
        ("get TARGET HTTP/1.1", "405"),
        ("OPTIONS * HTTP/1.1", "405"),
        ("CONNECT HOST HTTP/1.1", "405"),
        ("GET * HTTP/1.1", "404"),
        ("PRI * HTTP/2.0", "400"),
        ("GET TARGET HTTP/3.0", "400"),
    ] {
        let line = line.replace("TARGET", &target);
        let line = line.replace("HOST", &registry.host());
        let said = answers(&mirror, &format!("{line}\r\nhost: m\r\n{close}\r\n"));
        assert!(said.starts_with("HTTP/1."), "{line}: {said}");
        assert_eq!(said.split(' ').nth(1), Some(status), "{line}: {said}");
    }
    assert_eq!(registry.heads(), [""; 0]);
    // What asks for another protocol is answered in this one.
    for upgrade in [
        "connection: upgrade, close\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n",
        "connection: upgrade, close\r\nupgrade: websocket\r\nsec-websocket-key: eA==\r\n",
        "expect: 100-continue\r\nconnection: close\r\n",
    ] {
        let said = answers(
            &mirror,
            &format!("GET {target} HTTP/1.1\r\nhost: m\r\n{upgrade}\r\n"),
        );
        assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("\r\n\r\nfine"));
        assert_eq!(count(&said, "HTTP/1.1 "), 1, "{said}");
    }
    let names = ["upgrade", "expect", "http2-settings", "sec-websocket-key"];
    for head in registry.heads() {
        assert!(names.iter().all(|name| header(&head, name).is_none()));
    }
}

#[test]
fn the_servers_own_certificate_is_no_clients() {
    let registry = basic(ok);
    let mirror = mirror(&registry);
    let config = client_of(&mirror.dir, &mirror.dir, "server");
    let mut connection = Connection::new(mirror.address, config);
    _ = connection.send(b"GET /v2/ HTTP/1.1\r\nhost: m\r\n\r\n");
    assert!(connection.rest().0.is_empty());
}

#[test]
fn those_who_have_no_certificate_take_no_place_from_those_who_have() {
    let registry = basic(ok);
    let mirror = mirror(&registry);
    let silent: Vec<_> = (0..150)
        .map(|_| TcpStream::connect(mirror.address).unwrap())
        .collect();
    assert_eq!(mirror.get(&registry, MANIFEST).status, 200);
    drop(silent);
    mirror.said();
}

/// What a client gets of a blob that is answered with these bytes, and whether it can tell that it is whole.
fn of_raw(raw: &'static str) -> (String, bool) {
    let registry = basic(move |head, out| {
        if head.contains("/blobs/") {
            _ = out.write_all(raw.as_bytes());
        } else {
            ok(head, out);
        }
    });
    let mirror = mirror_with(&registry, &["--idle", "3s"]);
    let target = at(&registry.host(), &blob());
    let mut connection = mirror.connect();
    let line = format!("GET {target} HTTP/1.1\r\nhost: m\r\nconnection: close\r\n\r\n");
    _ = connection.send(line.as_bytes());
    let (said, done) = connection.rest();
    let text = String::from_utf8_lossy(&said).into_owned();
    is_clean(&text);
    is_clean(&mirror.said());
    (text, done.is_ok())
}

#[test]
fn an_answer_that_keeps_to_no_rule_is_a_refusal_or_breaks_off() {
    // In an answer's head, after it, or in the place of it.
    let table = [
        (
            "HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nraw",
            "403",
        ),
        ("SSH-2.0-x\r\n", "502"),
        ("", "502"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nfine!",
            "502",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nfine", "502"),
        ("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nfine", "502"),
        (
            "HTTP/1.1 200 OK\r\nbad header\r\ncontent-length: 4\r\n\r\nfine",
            "502",
        ),
        (
            "HTTP/1.1 401 X\r\nwww-authenticate: Basic realm=\"r\"\r\ncontent-length: 0\r\n\r\n",
            "403",
        ),
        (
            "HTTP/1.1 407 X\r\nproxy-authenticate: Basic realm=\"r\"\r\ncontent-length: 4\r\n\r\nfine",
            "407",
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine",
            "200",
        ),
        (
            "HTTP/1.1 103 Early\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine",
            "200",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 4\r\n\r\nfine",
            "200",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfineHTTP/1.1 200 OK\r\n\r\nmore",
            "200",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
            "200",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: www-authenticate\r\n\r\n4\r\nfine\r\n0\r\nwww-authenticate: Basic realm=\"r\"\r\n\r\n",
            "200",
        ),
        (
            "HTTP/1.1 206 X\r\ncontent-range: bytes 0-3/9\r\ncontent-length: 4\r\n\r\nfine",
            "206",
        ),
        ("HTTP/1.1 204 X\r\ncontent-length: 4\r\n\r\nfine", "204"),
        ("HTTP/1.1 304 X\r\ncontent-length: 4\r\n\r\nfine", "304"),
        ("HTTP/1.0 200 OK\r\n\r\nfine", "200"),
    ];
    for (raw, status) in table {
        let (said, whole) = of_raw(raw);
        let (head, body) = said.split_once("\r\n\r\n").unwrap_or((&said, ""));
        assert_eq!(head.split(' ').nth(1), Some(status), "{raw}: {said}");
        assert!(!said.contains("authenticate"), "{raw}: {said}");
        assert_eq!(count(&said, "HTTP/1.1 "), 1, "{raw}: {said}");
        assert!(header(head, "upgrade").is_none(), "{raw}: {said}");
        match status {
            "502" => assert!(body.contains("UNAVAILABLE"), "{raw}: {said}"),
            "403" => assert!(body.contains("DENIED"), "{raw}: {said}"),
            "204" | "304" => assert_eq!(body, "", "{raw}"),
            _ => assert!(body.contains("fine"), "{raw}: {said}"),
        }
        assert!(whole, "{raw}");
        if header(head, "transfer-encoding").is_some() {
            assert_eq!(header(head, "content-length"), None, "{raw}: {said}");
        } else if let Some(length) = header(head, "content-length")
            && !matches!(status, "204" | "304")
        {
            assert_eq!(length, body.len().to_string(), "{raw}: {said}");
        }
    }
    // What ends before its end, in either form, is not whole for the client.
    for raw in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfine",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfine\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfine\r\nx\r\n",
    ] {
        let (said, _) = of_raw(raw);
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{said}");
        let is_whole =
            header(head, "content-length").is_some_and(|length| length == body.len().to_string());
        assert!(!is_whole && !body.ends_with("0\r\n\r\n"), "{raw}: {said}");
    }
}

#[test]
fn what_is_encoded_stays_so() {
    let registry = basic(|head, out| {
        say(
            out,
            head,
            200,
            &["content-encoding: gzip", "vary: accept-encoding"],
            "not gzip at all",
        );
    });
    let mirror = mirror(&registry);
    let mut connection = mirror.connect();
    let reply = connection.ask_with(
        "GET",
        &at(&registry.host(), MANIFEST),
        "accept-encoding: zstd, gzip\r\n",
    );
    assert_eq!(
        (reply.body.as_str(), reply.header("content-encoding")),
        ("not gzip at all", Some("gzip"))
    );
    let heads = registry.heads();
    assert_eq!(
        header(heads.last().unwrap(), "accept-encoding"),
        Some("zstd, gzip")
    );
}

#[test]
fn what_follows_an_answer_to_head_is_no_answer_to_the_next_request() {
    let registry = Upstream::lasting(|head, out| {
        if !shows(head, &pair()) {
            say(out, head, 401, &[BASIC], "");
            return false;
        }
        let (body, more) = if head.starts_with("HEAD ") {
            ("", "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\npoisoned")
        } else {
            ("fine", "")
        };
        _ = out.write_all(
            format!("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n{body}{more}").as_bytes(),
        );
        true
    });
    let mirror = mirror(&registry);
    let mut connection = mirror.connect();
    for _ in 0..20 {
        assert_eq!(
            connection
                .ask("HEAD", &at(&registry.host(), MANIFEST))
                .status,
            200
        );
        let reply = connection.ask("GET", &at(&registry.host(), "/v2/team/other/manifests/1"));
        assert_eq!((reply.status, reply.body.as_str()), (200, "fine"));
    }
}

#[test]
fn a_connection_that_the_registry_has_given_up_is_no_failure() {
    // Each connection is good for one answer, and nothing says so.
    let asked = Mutex::new(std::collections::HashSet::new());
    let registry = Upstream::lasting(move |head, out| {
        if !shows(head, &pair()) {
            say(out, head, 401, &[BASIC], "");
            return false;
        }
        if head.contains("/manifests/lost") && asked.lock().unwrap().insert(head.to_owned()) {
            return false;
        }
        _ = out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine");
        true
    });
    let mirror = mirror(&registry);
    for at in 0..5 {
        let reply = mirror.get(&registry, &format!("/v2/team/app/manifests/lost{at}"));
        assert_eq!((reply.status, reply.body.as_str()), (200, "fine"));
    }
    assert_eq!(registry.count("GET /v2/team/app/manifests/lost"), 10);
}

#[test]
fn a_token_that_is_refused_at_once_is_fetched_again_once() {
    let registry = Upstream::start(|head, out| {
        let host = header(head, "host").unwrap();
        let challenge =
            format!("www-authenticate: Bearer realm=\"http://{host}/token\",service=\"s\"");
        if head.starts_with("GET /token") {
            let body = format!("{{\"token\":\"{TOKEN}\",\"expires_in\":3600}}");
            say(out, head, 200, &[], &body);
        } else {
            say(out, head, 401, &[&challenge], "");
        }
    });
    let mirror = mirror(&registry);
    let reply = mirror.get(&registry, MANIFEST);
    assert!(denied(&reply).contains("(401)"), "{reply:?}");
    assert_eq!(registry.count("GET /token"), 2);
    assert_eq!(registry.count(&format!("GET {MANIFEST}")), 2);
    is_clean(&reply.body);
    is_clean(&mirror.said());
}

#[test]
fn a_credential_that_was_changed_is_looked_up_again() {
    let secret = Arc::new(Mutex::new(SECRET.to_owned()));
    let good = Arc::clone(&secret);
    let registry = Upstream::start(move |head, out| {
        use base64::Engine as _;
        let pair = format!("octo:{}", good.lock().unwrap());
        let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
        if shows(head, &format!("Basic {encoded}")) {
            ok(head, out);
        } else {
            say(out, head, 401, &[BASIC], "");
        }
    });
    let node = node(&[&registry]);
    let mirror = Mirror::start(&node, &[registry.host()], &[]);
    assert_eq!(mirror.get(&registry, MANIFEST).status, 200);
    "another".clone_into(&mut secret.lock().unwrap());
    assert_eq!(mirror.get(&registry, MANIFEST).status, 403);
    assert_eq!(node.store(&registry.host(), "octo", "another").status, 0);
    assert_eq!(mirror.get(&registry, MANIFEST).status, 200);
}

#[test]
fn an_identity_token_goes_in_a_form_to_the_token_server_alone() {
    let registry = Upstream::start(|head, out| {
        let host = header(head, "host").unwrap();
        let challenge =
            format!("www-authenticate: Bearer realm=\"http://{host}/token\",service=\"s\"");
        if head.starts_with("POST /token") {
            say(
                out,
                head,
                200,
                &[],
                &format!("{{\"access_token\":\"{TOKEN}\"}}"),
            );
        } else if shows(head, &format!("Bearer {TOKEN}")) {
            ok(head, out);
        } else {
            say(out, head, 401, &[&challenge], "");
        }
    });
    let node = Node::new();
    assert_eq!(node.store(&registry.host(), "<token>", SECRET).status, 0);
    let mirror = Mirror::start(&node, &[registry.host()], &[]);
    assert_eq!(mirror.get(&registry, MANIFEST).body, "fine");
    assert_eq!(
        (registry.count("POST /token"), registry.count("GET /token")),
        (1, 0)
    );
    let basic = |head: &String| {
        header(head, "authorization").is_some_and(|login| login.starts_with("Basic"))
    };
    assert!(!registry.heads().iter().any(basic));
    is_clean(&mirror.said());
}

#[test]
fn a_token_servers_odd_answers_are_refusals_or_used_for_no_longer_than_they_are_good() {
    let large = format!(
        "{{\"token\":\"{TOKEN}\",\"x\":\"{}\"}}",
        "x".repeat(2 << 20)
    );
    let of = |rest: &str| format!("{{\"token\":\"{TOKEN}\"{rest}}}");
    // What is answered, and how many tokens two requests take; none where it is of no use.
    let table = [
        (of(""), 1),
        (of(",\"expires_in\":3600"), 1),
        (of(",\"expires_in\":0"), 2),
        (of(",\"expires_in\":-5"), 1),
        (of(",\"expires_in\":1e300"), 1),
        (of(",\"expires_in\":\"3600\""), 1),
        (of(",\"access_token\":\"other\""), 1),
        (large, 0),
        ("{\"token\":\"\"}".into(), 0),
        ("{\"token\":7}".into(), 0),
        ("{}".into(), 0),
        ("[]".into(), 0),
        (String::new(), 0),
        (format!("{{\"token\":\"{TOKEN}\\r\\nx: y\"}}"), 0),
        (format!("<html>{TOKEN}</html>"), 0),
    ];
    for (body, tokens) in table {
        let shown = body.chars().take(80).collect::<String>();
        let registry = Upstream::start(move |head, out| {
            let host = header(head, "host").unwrap();
            let challenge = format!("www-authenticate: Bearer realm=\"http://{host}/token\"");
            if head.starts_with("GET /token") {
                say(out, head, 200, &[], &body);
            } else if shows(head, &format!("Bearer {TOKEN}")) {
                ok(head, out);
            } else {
                say(out, head, 401, &[&challenge], "");
            }
        });
        let mirror = mirror(&registry);
        for _ in 0..2 {
            let reply = mirror.get(&registry, MANIFEST);
            assert_eq!(reply.status == 200, tokens > 0, "{shown}: {reply:?}");
            assert!(
                [200, 403, 502].contains(&reply.status),
                "{shown}: {reply:?}"
            );
            is_clean(&reply.head);
            is_clean(&reply.body);
        }
        if tokens > 0 {
            assert_eq!(registry.count("GET /token"), tokens, "{shown}");
        }
        assert!(
            registry
                .heads()
                .iter()
                .all(|head| header(head, "x").is_none())
        );
        is_clean(&mirror.said());
    }
}

#[test]
fn a_challenge_is_read_as_it_is_meant_and_leads_nowhere_else() {
    let other = Upstream::start(ok);
    let there = other.host();
    // Whether the registry's own token server or the pair is used.
    let table = [
        (
            "Bearer realm=\"http://HOST/token\",service=\"a,b=\\\"c\\\"\",scope=\"repository:x/y:pull,push\"",
            true,
        ),
        ("Negotiate, Bearer realm=\"http://HOST/token\"", true),
        (
            "Digest realm=\"a, Basic b\", nonce=\"x\", Bearer realm=\"http://HOST/token\"",
            true,
        ),
        ("bearer realm=http://HOST/token", true),
        (
            "Basic realm=\"r\", Bearer realm=\"http://OTHER/token\"",
            true,
        ),
        ("Bearer realm=\"http://OTHER@HOST/token\"", false),
        ("Bearer realm=\"http://HOST@evil.example/token\"", false),
        ("Bearer realm=\"http://evil.example/token\"", false),
        ("Bearer realm=\"https://evil.example/token\"", false),
        ("Bearer realm=\"http://169.254.169.254/token\"", false),
        ("Bearer realm=\"file:///etc/passwd\"", false),
        ("Bearer realm=\"\"", false),
        ("Bearer service=\"s\"", false),
        ("Negotiate", false),
        ("Bearer realm=\"http://HOST/token", false),
    ];
    for (challenge, is_used) in table {
        let said = challenge.replace("OTHER", &there);
        let registry = Upstream::start(move |head, out| {
            let host = header(head, "host").unwrap();
            let challenge = format!("www-authenticate: {}", said.replace("HOST", host));
            if head.starts_with("GET /token") && shows(head, &pair()) {
                say(out, head, 200, &[], &format!("{{\"token\":\"{TOKEN}\"}}"));
            } else if shows(head, &format!("Bearer {TOKEN}")) || shows(head, &pair()) {
                ok(head, out);
            } else {
                say(out, head, 401, &[&challenge], "");
            }
        });
        let mirror = mirror(&registry);
        let reply = mirror.get(&registry, MANIFEST);
        assert_eq!(reply.status == 200, is_used, "{challenge}: {reply:?}");
        if !is_used {
            denied(&reply);
            let shown = registry
                .heads()
                .iter()
                .filter(|head| header(head, "authorization").is_some())
                .count();
            assert_eq!(shown, 0, "{challenge}");
        }
        for head in registry
            .heads()
            .iter()
            .filter(|head| head.starts_with("GET /token"))
        {
            assert!(head.contains("scope=repository:team/app:pull "), "{head}");
        }
        is_clean(&mirror.said());
    }
    assert_eq!(other.heads(), [""; 0]);
}

#[test]
fn no_redirect_takes_a_credential_along_or_goes_on_for_ever() {
    // Another registry on this node, for which there is a credential too.
    let other = basic(ok);
    let there = other.host();
    let table = [
        ("http://OTHER/v2/team/app/manifests/1", 403),
        ("/v2/team/app/manifests/loop", 403),
        ("http://octo:hunter2@HOST/v2/team/app/manifests/2", 403),
        ("http://HOST@evil.example/x", 403),
        ("http://HOST:0/x", 403),
        ("\\\\evil.example\\x", 403),
        ("https:/evil.example/x", 403),
        ("", 403),
        ("/v2/team/app/manifests/2", 200),
        ("http://HOST/v2/team/app/manifests/2", 200),
    ];
    for (to, status) in table {
        let said = to.replace("OTHER", &there);
        let registry = basic(move |head, out| {
            let host = header(head, "host").unwrap();
            let location = format!("location: {}", said.replace("HOST", host));
            if head.contains("/manifests/1 ") || head.contains("/manifests/loop ") {
                say(out, head, 307, &[&location], "");
            } else {
                ok(head, out);
            }
        });
        let node = node(&[&registry, &other]);
        let mirror = Mirror::start(&node, &[registry.host(), other.host()], &[]);
        let reply = mirror.get(&registry, MANIFEST);
        assert_eq!(reply.status, status, "{to}: {reply:?}");
        assert_eq!(reply.header("location"), None);
        assert!(registry.count("GET /v2/team/app/manifests/") < 10, "{to}");
        is_clean(&mirror.said());
    }
    assert!(
        other
            .heads()
            .iter()
            .all(|head| header(head, "authorization").is_none())
    );
}

#[test]
fn a_redirect_over_tls_to_the_same_name_takes_no_credential_along() {
    if !certificates::can_be_made() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (_, tls) = certificates::server(scratch.path(), "IP:127.0.0.1");
    let store = Upstream::serve(Some(tls), |head, out| say(out, head, 401, &[BASIC], ""));
    let to = format!("location: https://{}/v2/", store.host());
    let registry = basic(move |head, out| say(out, head, 302, &[&to], ""));
    let authority = scratch.path().join("ca.pem").display().to_string();
    let node = node(&[&registry, &store]).with("SSL_CERT_FILE", authority);
    let mirror = Mirror::start(&node, &[registry.host(), store.host()], &["--stream"]);
    for path in [MANIFEST, &blob()] {
        let reply = mirror.get(&registry, path);
        denied(&reply);
    }
    assert!(!store.heads().is_empty());
    assert!(
        store
            .heads()
            .iter()
            .all(|head| header(head, "authorization").is_none())
    );
    is_clean(&mirror.said());
}

#[test]
fn of_two_registries_neither_sees_the_others_token() {
    let (first, second) = (bearer(3600), bearer(3600));
    let node = node(&[&first, &second]);
    let mirror = Mirror::start(&node, &[first.host(), second.host()], &[]);
    for registry in [&first, &second, &first] {
        assert_eq!(mirror.get(registry, MANIFEST).status, 200);
    }
    for registry in [&first, &second] {
        assert_eq!(registry.count("GET /token"), 1);
        let foreign = |head: &String| header(head, "host") != Some(&registry.host());
        assert!(!registry.heads().iter().any(foreign));
    }
}

#[test]
fn a_registry_at_an_address_of_ip_6_is_asked_as_any_other() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        return;
    };
    let registry = Upstream::listen(listener, None, |head, out| {
        if shows(head, &pair()) {
            ok(head, out);
        } else {
            say(out, head, 401, &[BASIC], "");
        }
        false
    });
    let host = format!("[::1]:{}", registry.port);
    let node = Node::new();
    assert_eq!(node.store(&host, "octo", SECRET).status, 0);
    let mirror = Mirror::start(&node, std::slice::from_ref(&host), &[]);
    // As Go escapes it.
    let escaped = host
        .replace('[', "%5B")
        .replace(']', "%5D")
        .replace(':', "%3A");
    assert_eq!(mirror.ask("GET", &at(&escaped, MANIFEST)).body, "fine");
    assert_eq!(
        mirror
            .ask(
                "GET",
                &at(&format!("[::1]:{}", registry.port + 1), MANIFEST)
            )
            .status,
        403
    );
}

#[test]
fn a_registry_that_stops_in_the_middle_of_a_blob_holds_no_connection_for_ever() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let registry = basic(move |head, out| {
        if !head.contains("/blobs/") {
            return ok(head, out);
        }
        _ = out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
        _ = out.flush();
        _ = wait.lock().unwrap().recv();
    });
    let mirror = mirror_with(&registry, &["--idle", "1s"]);
    let mut connection = mirror.connect();
    let line = format!(
        "GET {} HTTP/1.1\r\nhost: m\r\n\r\n",
        at(&registry.host(), &blob())
    );
    connection.send(line.as_bytes()).unwrap();
    assert!(connection.head().unwrap().starts_with("HTTP/1.1 200"));
    let (said, done) = connection.rest();
    assert_eq!(said, b"half");
    assert!(done.is_err(), "it is not taken for a whole one");
    assert_eq!(mirror.get(&registry, MANIFEST).status, 200);
    drop(go);
}
