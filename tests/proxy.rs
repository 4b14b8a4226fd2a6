//! Proxies from the environment, as Go's clients use them, and the errors of broken ones.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use beta9_credential::json;
use common::gateway::certificates;
use common::registry::{FakeRegistry, say};
use common::tls_registry::{Proxy, TlsRegistry};
use common::{Node, ecr};

const IMAGE: &str = "reg.example.com/team/app:1";
/// Nobody listens there.
const NOBODY: &str = "127.0.0.1:1";

/// The verdict and the cause of `check`.
fn check(node: &Node, image: &str) -> (String, String) {
    let answer = node.run(&["check", "--json", image], "");
    let text = format!("{answer:?}");
    assert!(!text.contains("hunter2"), "{text}");
    let object = json::parse_object(answer.out.as_bytes()).unwrap();
    let text = |name: &str| object.text(name).unwrap().expose().to_owned();
    (text("verdict"), text("cause"))
}

fn cause(node: &Node) -> String {
    let (verdict, cause) = check(node, IMAGE);
    assert_eq!(verdict, "network", "{cause}");
    cause
}

#[test]
fn a_registry_is_asked_through_the_proxy_that_go_would_take() {
    if !certificates::can_be_made() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let registry = TlsRegistry::start(scratch.path(), "DNS:reg.example.com");
    let proxy = registry.proxy();
    let node = Node::new().with("SSL_CERT_FILE", registry.authority.to_str().unwrap());
    let at = proxy.address;
    let connect = "CONNECT reg.example.com:443 HTTP/1.1";
    let table = [
        ("HTTPS_PROXY", format!("http://{at}"), connect.to_owned()),
        ("https_proxy", format!("http://{at}/"), connect.to_owned()),
        ("HTTPS_PROXY", at.to_string(), connect.to_owned()),
        (
            "HTTPS_PROXY",
            format!("http://octo:hunter2@{at}"),
            format!("{connect} Basic b2N0bzpodW50ZXIy"),
        ),
        (
            "HTTPS_PROXY",
            format!("socks5://{at}"),
            "SOCKS reg.example.com:443".to_owned(),
        ),
        (
            "HTTPS_PROXY",
            format!("socks5h://octo:hunter2@{at}"),
            "SOCKS octo hunter2 reg.example.com:443".to_owned(),
        ),
    ];
    for (variable, value, asked) in table {
        let (verdict, cause) = check(&node.clone_with(variable, &value), IMAGE);
        assert_eq!(verdict, "pulled", "{value}: {cause}");
        assert_eq!(proxy.asked(), [asked], "{value}");
    }
    // The upper-case name counts first, an empty one not at all, and no other variable does.
    let both = node
        .clone_with("HTTPS_PROXY", "")
        .with("https_proxy", at.to_string());
    assert_eq!(check(&both, IMAGE).0, "pulled");
    let upper = both.with("HTTPS_PROXY", NOBODY);
    assert!(cause(&upper).contains("HTTPS_PROXY"));
    assert_eq!(proxy.asked().len(), 1);
    for name in ["ALL_PROXY", "HTTP_PROXY", "all_proxy", "http_proxy"] {
        let other = node.clone_with(name, at.to_string());
        assert_eq!(check(&other, "reg.invalid/team/app").0, "network");
    }
    assert_eq!(proxy.asked(), Vec::<String>::new());
}

#[test]
fn a_proxy_that_does_not_do_its_part_is_named_and_the_registry_is_not_blamed() {
    let refused = "of HTTPS_PROXY refused the connection";
    let says = |answer| Proxy::that_says(answer).address;
    let forbids = says("HTTP/1.1 403 Forbidden\r\n\r\n");
    let login = says("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    let table = [
        (
            format!("http://octo:hunter2@{NOBODY}"),
            format!("the proxy http://{NOBODY} {refused}"),
        ),
        (
            NOBODY.to_owned(),
            format!("the proxy http://{NOBODY} {refused}"),
        ),
        (
            format!("socks5://octo:hunter2@{NOBODY}"),
            format!("nobody answers at the proxy socks5://{NOBODY} of HTTPS_PROXY"),
        ),
        (
            "http://octo:hunter2@proxy.invalid:3128".to_owned(),
            "the name of the proxy http://proxy.invalid:3128 of HTTPS_PROXY cannot be resolved"
                .to_owned(),
        ),
        (
            format!("http://octo:hunter2@{forbids}"),
            format!(
                "the proxy http://{forbids} of HTTPS_PROXY does not let connections through to reg.example.com"
            ),
        ),
        (
            format!("http://octo:hunter2@{login}"),
            format!(
                "the proxy http://{login} of HTTPS_PROXY asks for a user name and password that it takes"
            ),
        ),
    ];
    for (value, expected) in table {
        let said = cause(&Node::new().with("HTTPS_PROXY", &value));
        assert_eq!(said, expected, "{value}");
    }
    let said = cause(&Node::new().with("https_proxy", NOBODY));
    assert!(said.contains("of https_proxy refused"), "{said}");
}

#[test]
fn a_variable_that_names_no_proxy_is_an_error_that_names_it_and_not_its_value() {
    for value in [
        "garbage://octo:hunter2@x",
        "http://octo:hun#ter2hunter2@x",
        "http://",
    ] {
        let node = Node::new().with("HTTPS_PROXY", value);
        let answer = node.run(&["check", "--json", IMAGE], "");
        assert_eq!(answer.status, 1);
        assert!(!answer.out.contains("hunter2"), "{}", answer.out);
        assert!(
            answer
                .out
                .contains("\"cause\":\"HTTPS_PROXY is not the URL of a proxy\""),
            "{}",
            answer.out
        );
        // It does not affect hosts that don't use it.
        let direct = node.with("NO_PROXY", "reg.invalid");
        let (_, cause) = check(&direct, "reg.invalid/team/app");
        assert!(!cause.contains("PROXY"), "{cause}");
    }
}

#[test]
fn localhost_and_what_no_proxy_lists_are_asked_without_a_proxy() {
    let registry = FakeRegistry::start(|_| say(200, &[], ""));
    let proxy = Proxy::that_says("HTTP/1.1 403 Forbidden\r\n\r\n");
    let node = Node::new().with("HTTPS_PROXY", proxy.address.to_string());
    for host in ["localhost", "127.0.0.1"] {
        let image = format!("{host}:{}/team/app", registry.port);
        for node in [&node, &node.clone_with("HTTPS_PROXY", "garbage://x")] {
            assert_eq!(check(node, &image).0, "pulled", "{image}");
        }
    }
    let direct = node.with("NO_PROXY", ".invalid");
    let (_, cause) = check(&direct, "reg.invalid/team/app");
    assert_eq!(cause, "the name reg.invalid cannot be resolved");
    assert_eq!(proxy.asked(), Vec::<String>::new());
    check(&direct, IMAGE);
    assert_eq!(proxy.asked().len(), 1);
}

#[test]
fn backends_take_the_same_proxy_and_name_it() {
    let azure = r#"{"registry":"myreg.azurecr.io","type":"azure","credentials":{"AZURE_CLIENT_ID":"11111111-1111-1111-1111-111111111111","AZURE_CLIENT_SECRET":"hunter2","AZURE_TENANT_ID":"contoso.onmicrosoft.com"}}"#;
    for (host, blob) in [
        (ecr::HOST, ecr::blob(ecr::HOST)),
        ("myreg.azurecr.io", azure.to_owned()),
    ] {
        let failure = |name: &str, value: &str| {
            let node = Node::new()
                .with("BETA9_IMAGE_CREDENTIALS", &blob)
                .with("BETA9_CACHE", "off")
                .with(name, value);
            let answer = node.get(host);
            assert!(!answer.out.contains("hunter2"), "{}", answer.out);
            answer.failure().to_owned()
        };
        let said = failure("https_proxy", &format!("http://octo:hunter2@{NOBODY}"));
        let expected = format!("the proxy http://{NOBODY} of https_proxy refused the connection");
        assert!(said.contains(&expected), "{said}");
        let said = failure("HTTPS_PROXY", "garbage://octo:hunter2@x");
        let expected = "HTTPS_PROXY is not the URL of a proxy";
        assert!(said.contains(expected), "{said}");
        let said = failure("HTTPS_PROXY", &format!("socks5://{NOBODY}"));
        assert!(
            said.contains("HTTPS_PROXY") && (said.contains("SOCKS") || said.contains("socks5")),
            "{said}"
        );
    }
}
