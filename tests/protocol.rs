//! Docker's credential-helper protocol, against the real binary, byte for byte.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs::File;
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use beta9_credential::registry::Registry;
use common::{Answer, NOT_FOUND, Node, store_request, terminal};

const HUB: &str = "https://index.docker.io/v1/";

#[test]
fn a_stored_credential_is_answered_to_every_spelling_of_its_host() {
    let node = Node::new();
    assert_eq!(
        node.store("registry.example.com", "user", "p\"<ass>&\\ é"),
        Answer::silence()
    );
    let spellings = [
        "registry.example.com",
        "registry.example.com:443",
        "https://registry.example.com",
        "https://registry.example.com:443",
        "http://registry.example.com",
        "http://registry.example.com:80",
        "registry.example.com/path/of/repo",
        "https://registry.example.com/v1/",
        "https://registry.example.com/v2/",
        "REGISTRY.example.com",
    ];
    for spelling in spellings {
        let expected = format!(
            "{{\"ServerURL\":\"{spelling}\",\"Username\":\"user\",\"Secret\":\"p\\\"\\u003cass\\u003e\\u0026\\\\ é\"}}\n"
        );
        assert_eq!(
            node.get(spelling),
            Answer {
                status: 0,
                out: expected,
                err: String::new()
            }
        );
    }
    for other in [
        "registry.example.com:5000",
        "example.com",
        "a.registry.example.com",
        "registry.example.com:80",
    ] {
        assert_eq!(node.get(other), Answer::not_found(), "{other}");
    }
}

#[test]
fn a_host_and_its_port_80_are_two_entries_of_which_erase_and_store_mean_one() {
    let (host, port) = ("harbor.example.com", "harbor.example.com:80");
    let url = format!("http://{port}");
    let node = Node::new();
    node.store(host, "host", "s");
    assert_eq!(node.get(port), Answer::not_found());
    assert_eq!(node.pair(&url).0, "host");
    for stored in [&url, port] {
        node.store(stored, "port", "s");
        assert_eq!(node.pair(host).0, "host", "{stored}");
        assert_eq!(
            (node.pair(port).0, node.pair(&url).0),
            ("port".into(), "port".into())
        );
        assert_eq!(
            node.list(),
            format!("{{\"{host}\":\"host\",\"{port}\":\"port\"}}\n")
        );
        // As `docker logout harbor.example.com:80` erases.
        for spelling in [port.to_owned(), url.clone(), format!("https://{port}")] {
            assert_eq!(node.erase(&spelling), Answer::silence());
        }
        assert_eq!(node.get(port), Answer::not_found());
        assert_eq!(node.pair(&url).0, "host");
    }
    // A host that a rule makes public stays public, even with a stored credential.
    let public = format!("[[registry]]\nhost = \"{port}\"\nbackend = \"public\"\n");
    let node = Node::new().configured(&public);
    node.store(host, "host", "s");
    assert_eq!(node.get(&url), Answer::not_found());
}

#[test]
fn one_trailing_line_end_is_accepted_and_not_echoed() {
    let node = Node::new();
    node.store("ghcr.io", "u", "s");
    for input in ["ghcr.io", "ghcr.io\n", "ghcr.io\r\n"] {
        assert_eq!(
            node.get(input).out,
            "{\"ServerURL\":\"ghcr.io\",\"Username\":\"u\",\"Secret\":\"s\"}\n"
        );
    }
}

#[test]
fn a_second_trailing_line_end_names_no_registry() {
    let node = Node::new();
    node.store("host.example", "u", "p");
    for input in [
        "host.example\n\n",
        "host.example\r\n\r\n",
        "host.example\n\r\n",
    ] {
        assert_eq!(node.get(input), Answer::not_found(), "{input:?}");
        assert_eq!(node.run(&["erase"], input).status, 1, "{input:?}");
        assert_eq!(node.run(&["explain", input], "").status, 1, "{input:?}");
    }
    assert_eq!(node.pair("host.example").0, "u");
}

#[test]
fn docker_hub_is_one_host_under_all_of_its_names() {
    for stored in [HUB, "docker.io", "index.docker.io", "registry-1.docker.io"] {
        let node = Node::new();
        node.store(stored, "u", "s");
        for asked in [
            HUB,
            "docker.io",
            "index.docker.io",
            "registry-1.docker.io",
            "https://docker.io/v2/",
        ] {
            assert_eq!(
                node.pair(asked),
                ("u".into(), "s".into()),
                "{stored} {asked}"
            );
        }
        assert_eq!(node.list(), "{\"https://index.docker.io/v1/\":\"u\"}\n");
    }
}

#[test]
fn dockers_oauth_items_are_kept_apart_from_docker_hub_and_from_each_other() {
    let (access, refresh) = (
        "https://index.docker.io/v1/access-token",
        "https://index.docker.io/v1/refresh-token",
    );
    let node = Node::new();
    node.store(HUB, "u", "hub");
    assert_eq!(node.get(access), Answer::not_found());
    node.store(access, "u", "access");
    assert_eq!(node.get(refresh), Answer::not_found());
    node.store(refresh, "u", "refresh");
    for (key, secret) in [(HUB, "hub"), (access, "access"), (refresh, "refresh")] {
        assert_eq!(node.pair(key).1, secret);
    }
    assert_eq!(
        node.get("index.docker.io/v1/access-token"),
        Answer::not_found()
    );
    assert_eq!(node.erase(HUB), Answer::silence());
    assert_eq!(node.get(HUB), Answer::not_found());
    assert_eq!(node.pair(access).1, "access");
}

#[test]
fn nerdctls_experimental_keys_are_kept_verbatim() {
    let node = Node::new();
    let key = "nerdctl-experimental://registry.example.com:5000?host-dir=x";
    node.store(key, "u", "s");
    assert_eq!(node.pair(key), ("u".into(), "s".into()));
    assert_eq!(node.get("registry.example.com:5000"), Answer::not_found());
    assert_eq!(node.list(), format!("{{\"{key}\":\"u\"}}\n"));
    assert_eq!(node.erase(key), Answer::silence());
    assert_eq!(node.get(key), Answer::not_found());
}

#[test]
fn an_identity_token_is_answered_as_it_was_stored() {
    let node = Node::new();
    let request = "{ \"ServerURL\" : \"registry.example.com\",\"Username\":\"\\u003ctoken\\u003e\",\"Secret\":\"id\"}\n";
    assert_eq!(node.run(&["store"], request), Answer::silence());
    assert_eq!(
        node.pair("registry.example.com"),
        ("<token>".into(), "id".into())
    );
}

#[test]
fn every_key_that_list_prints_is_accepted_by_get() {
    let node = Node::new();
    for host in [
        "ghcr.io",
        HUB,
        "10.0.0.7:5000",
        "[2001:db8::1]:5000",
        "https://index.docker.io/v1/access-token",
    ] {
        node.store(host, "u", "s");
    }
    let expected = "{\"10.0.0.7:5000\":\"u\",\"[2001:db8::1]:5000\":\"u\",\"ghcr.io\":\"u\",\
                    \"https://index.docker.io/v1/\":\"u\",\"https://index.docker.io/v1/access-token\":\"u\"}\n";
    assert_eq!(node.list(), expected);
    let listed = beta9_credential::json::parse_object(expected.as_bytes()).unwrap();
    for (key, _) in listed.iter() {
        assert_eq!(node.pair(key), ("u".into(), "s".into()));
    }
    assert_eq!(
        Node::new().run(&["list"], ""),
        Answer {
            status: 0,
            out: "{}\n".into(),
            err: String::new()
        }
    );
}

#[test]
fn erase_succeeds_whether_or_not_there_is_something() {
    let node = Node::new();
    assert_eq!(node.erase("ghcr.io"), Answer::silence());
    node.store("ghcr.io", "u", "s");
    // The four spellings that `docker logout` erases.
    for spelling in ["ghcr.io", "ghcr.io", "http://ghcr.io", "https://ghcr.io"] {
        assert_eq!(node.erase(spelling), Answer::silence());
    }
    assert_eq!(node.get("ghcr.io"), Answer::not_found());
    assert_eq!(node.erase("http://myreg.azurecr.io"), Answer::silence());
    assert_eq!(node.erase("gcr.io@evil.com"), Answer::silence());
}

#[test]
fn what_a_vendors_registry_takes_goes_over_https_only() {
    let node = Node::new().configured(
        "[[registry]]\nhost = \"mirror.example\"\nalias_of = \"ghcr.io\"\n[[registry]]\nhost = \"forced.example\"\nbackend = \"quay\"\n\
         [[registry]]\nhost = \"quay.io\"\nbackend = \"generic\"\n",
    );
    let rows = Registry::names()
        .filter_map(Registry::named)
        .filter(|row| !row.is_generic());
    let first = |row: &Registry| {
        row.hosts()[0]
            .replace("{account}", "123456789012")
            .replace('*', "x1")
    };
    let vendors: Vec<String> = rows
        .map(first)
        .chain(["mirror.example", "forced.example"].map(str::to_owned))
        .collect();
    assert!(
        vendors.len() > 20 && vendors.contains(&"ghcr.io".to_owned()),
        "{vendors:?}"
    );
    for host in vendors {
        assert_eq!(node.store(&host, "u", "s"), Answer::silence(), "{host}");
        for clear in [
            format!("http://{host}"),
            format!("http://{host}:80"),
            format!("HTTP://{host}/v2/"),
        ] {
            assert_eq!(node.get(&clear), Answer::not_found(), "{clear}");
            let refused = node.store(&clear, "u", "other");
            assert_eq!(
                refused.failure(),
                format!(
                    "{host}: store: a vendor's credential never goes over plain HTTP; use https://"
                )
            );
        }
        assert_eq!(
            node.pair(&format!("https://{host}")),
            ("u".into(), "s".into()),
            "{host}"
        );
        assert_eq!(
            node.erase(&format!("http://{host}")),
            Answer::silence(),
            "{host}"
        );
        assert_eq!(node.get(&host), Answer::not_found(), "{host}");
    }
    // Another port is somebody else, and plain HTTP is up to anyone who runs that registry.
    for host in ["registry.example.com", "ghcr.io:5000", "10.0.0.7:5000"] {
        node.store(host, "u", "s");
        assert_eq!(
            node.pair(&format!("http://{host}")),
            ("u".into(), "s".into()),
            "{host}"
        );
    }
}

#[test]
fn a_secret_larger_than_64_kib_is_kept_whole() {
    let node = Node::new();
    let secret = "é".repeat(100_000);
    assert_eq!(node.store("ghcr.io", "u", &secret), Answer::silence());
    assert_eq!(node.pair("ghcr.io").1, secret);
}

#[test]
fn a_google_key_in_json_keeps_its_line_ends() {
    let node = Node::new();
    let key = "{\n  \"type\": \"service_account\"\n}\n";
    assert_eq!(
        node.store("registry.example.com", "_json_key", key),
        Answer::silence()
    );
    assert_eq!(node.pair("registry.example.com").1, key);
}

#[test]
fn bad_input_gets_the_fixed_text_or_one_clear_line_and_changes_nothing() {
    let node = Node::new();
    node.store("ghcr.io", "u", "s");
    let request =
        |url: &str, user: &str, secret: &str| store_request(url, user, secret).into_bytes();
    let long = |limit: usize| vec![b'a'; limit + 1];
    let shape =
        "store: standard input is not one JSON object with ServerURL, Username and Secret: ";
    let table: Vec<(&str, Vec<u8>, String)> = vec![
        ("get", vec![], "no credentials server URL".into()),
        ("get", b"\n".to_vec(), "no credentials server URL".into()),
        ("get", b"\xff\xfeghcr.io".to_vec(), NOT_FOUND.trim_end().into()),
        ("get", long(64 << 10), "standard input: it is longer than 65536 bytes".into()),
        ("erase", vec![], "no credentials server URL".into()),
        ("erase", b"ghcr.io\xff".to_vec(), "erase: the server URL is not a line of text; nothing was erased".into()),
        ("erase", b"ghcr.io\0".to_vec(), "erase: the server URL is not a line of text; nothing was erased".into()),
        ("erase", long(64 << 10), "standard input: it is longer than 65536 bytes".into()),
        ("store", vec![], format!("{shape}it ends too early (line 1, column 0); nothing was stored")),
        ("store", long(1 << 20), "standard input: it is longer than 1048576 bytes".into()),
        ("store", b"[]".to_vec(), format!("{shape}it is not an object; nothing was stored")),
        ("store", b"{\"ServerURL\":\"ghcr.io\",\"Username\":\"x\",\"Secret\":1}".to_vec(), format!("{shape}Secret is not a text; nothing was stored")),
        ("store", b"{\"ServerURL\":\"ghcr.io\",\"Username\":\"x\",\"Secret\":\"y\",\"Secret\":\"z\"}".to_vec(), format!("{shape}a key stands in it twice (line 1, column 64); nothing was stored")),
        ("store", b"{\"ServerURL\":\"ghcr.io\",\"Username\":\"\xff\",\"Secret\":\"y\"}".to_vec(), format!("{shape}it is not well-formed (line 1, column 36); nothing was stored")),
        ("store", [request("ghcr.io", "x", "y"), b"{}".to_vec()].concat(), format!("{shape}it is not well-formed (line 2, column 1); nothing was stored")),
        ("store", request("", "x", "y"), "no credentials server URL".into()),
        ("store", b"{\"Username\":\"x\",\"Secret\":\"y\"}".to_vec(), "no credentials server URL".into()),
        ("store", request("ghcr.io", "", "y"), "no credentials username".into()),
        ("store", b"{\"ServerURL\":\"ghcr.io\",\"Secret\":\"y\"}".to_vec(), "no credentials username".into()),
        ("store", request("ghcr.io", "x", ""), "ghcr.io: store: the secret is empty; nothing was stored".into()),
        ("store", request("ghcr.io", "x\0", "y"), "ghcr.io: store: the user name holds a control character; nothing was stored".into()),
        ("store", request("ghcr.io", "x", "hunter2\u{7}"), "ghcr.io: store: the secret holds a control character (a line end copied along with it?); nothing was stored".into()),
        ("store", request("gcr.io@evil.com", "x", "y"), "server URL: the host has a character that no registry host can have; nothing was stored".into()),
        ("store", request("http://myreg.azurecr.io", "x", "y"), "myreg.azurecr.io: store: a vendor's credential never goes over plain HTTP; use https://".into()),
        ("store", request("http://ghcr.io", "x", "y"), "ghcr.io: store: a vendor's credential never goes over plain HTTP; use https://".into()),
    ];
    for (verb, input, expected) in table {
        let answer = node.run(&[verb], &input);
        assert_eq!(
            (
                answer.status,
                answer.out.trim_end_matches('\n'),
                answer.err.as_str()
            ),
            (1, expected.as_str(), ""),
            "{verb}"
        );
        assert_eq!(node.list(), "{\"ghcr.io\":\"u\"}\n");
        assert_eq!(node.pair("ghcr.io").1, "s");
    }
}

#[test]
fn usage_is_reported_on_standard_output_with_exit_1_and_the_version_with_exit_0() {
    let node = Node::new();
    let usage = "usage: docker-credential-beta9 get|store|erase|list|version, or --help\n";
    for args in [
        vec!["get", "ghcr.io"],
        vec!["list", "x", "y"],
        vec!["store", "--helper"],
        vec![],
    ] {
        assert_eq!(
            node.run(&args, ""),
            Answer {
                status: 1,
                out: usage.into(),
                err: String::new()
            },
            "{args:?}"
        );
    }
    for verb in ["get", "version", "kubelet"] {
        let (help, asked) = (
            node.run(&[verb, "--help"], ""),
            node.run(&["help", verb], ""),
        );
        assert_eq!(
            (help.status, asked.status),
            (0, 0),
            "{verb}: {help:?} {asked:?}"
        );
        assert!(
            asked
                .out
                .contains(&format!("Usage: docker-credential-beta9 {verb}")),
            "{asked:?}"
        );
    }
    for args in [vec!["frobnicate"], vec!["explain"]] {
        let answer = node.run(&args, "");
        assert_eq!((answer.status, answer.out.as_str()), (2, ""), "{args:?}");
        assert!(answer.err.contains("Usage:"), "{}", answer.err);
    }
    let version = format!("docker-credential-beta9 {}\n", env!("CARGO_PKG_VERSION"));
    for word in ["version", "--version"] {
        assert_eq!(
            node.run(&[word], ""),
            Answer {
                status: 0,
                out: version.clone(),
                err: String::new()
            }
        );
    }
    let help = node.run(&["--help"], "");
    assert_eq!(help.status, 0);
    assert!(
        help.out
            .contains("echo ghcr.io | docker-credential-beta9 get")
    );
}

#[test]
fn standard_input_is_read_to_its_end_even_when_it_is_of_no_use() {
    // `start` fails the test when a write meets a closed pipe.
    for verb in ["get", "store", "erase"] {
        let answer = Node::new().run(&[verb], vec![b'x'; 8 << 20]);
        assert!(
            answer
                .failure()
                .starts_with("standard input: it is longer than "),
            "{answer:?}"
        );
    }
    assert_eq!(Node::new().run(&["list"], vec![b'x'; 1 << 20]).out, "{}\n");
}

#[test]
fn a_client_that_never_closes_standard_input_is_answered_after_5_seconds() {
    let node = Node::new();
    let started = Instant::now();
    let children = ["get", "store", "erase"].map(|verb| {
        let mut child = node.command(&[verb]).spawn().unwrap();
        let mut held = child.stdin.take().unwrap();
        held.write_all(b"ghcr.io").unwrap();
        (child, held)
    });
    for (child, held) in children {
        let answer = Answer::of(child);
        assert_eq!(
            answer.failure(),
            "standard input: it did not end within 5 s; close it after the request"
        );
        drop(held);
    }
    assert!(started.elapsed() >= Duration::from_secs(5));
}

#[test]
fn a_terminal_is_reported_what_to_pipe_in() {
    let master = terminal::new_terminal();
    let child = Node::new()
        .command(&["get"])
        .stdin(terminal::other_end(&master))
        .spawn()
        .unwrap();
    assert_eq!(
        Answer::of(child).failure(),
        "standard input: it is a terminal; pipe the server URL in: echo registry.example.com | docker-credential-beta9 get"
    );
}

#[test]
fn an_answer_that_cannot_be_written_is_not_a_success() {
    let node = Node::new();
    node.store("ghcr.io", "u", "s");
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let mut child = node.command(&["get"]).stdout(full()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"ghcr.io").unwrap();
    assert_eq!(Answer::of(child).status, 1);
}
