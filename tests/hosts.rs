//! Checks `hosts.tsv` against the parser, the real binary, and an independent implementation.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::os::unix::ffi::OsStrExt;
use std::sync::LazyLock;

use beta9_credential::host::{Scheme, ServerUrl};
use beta9_credential::registry::Registry;
use common::{Answer, Node, host_vectors};
use proptest::prelude::*;
use regex::Regex;

/// The class of what a client asks for, in the words of `hosts.tsv`.
fn class(input: &[u8]) -> &'static str {
    match ServerUrl::parse(input) {
        Ok(ServerUrl::Registry { host, scheme, .. }) => {
            let row = Registry::of(&host);
            // Port 80 is the one of plain HTTP: such a host is the vendor's all the same.
            let vendors = Registry::of(&host.without_port_80().unwrap_or(host));
            if !vendors.is_generic() && scheme == Scheme::Http {
                "reject"
            } else {
                row.name
            }
        }
        _ => "reject",
    }
}

/// What clients never ask for, and people may: to docker these are images of Docker Hub with a tag.
const IMAGES: [&[u8]; 2] = [b"ubuntu:20.04", b"my_registry:5000"];

#[test]
fn every_vector_has_its_class() {
    for (input, expected) in host_vectors() {
        assert_eq!(class(&input), expected, "{}", input.escape_ascii());
    }
}

#[test]
fn explain_tells_the_class_of_everything_that_can_be_an_argument() {
    let node = Node::new();
    for (input, expected) in host_vectors()
        .into_iter()
        .filter(|(input, _)| !input.contains(&0))
    {
        let mut command = node.command(&["explain", "--json", "--"]);
        let answer = Answer::of(
            command
                .arg(std::ffi::OsStr::from_bytes(&input))
                .spawn()
                .unwrap(),
        );
        let is_image = IMAGES.contains(&input.as_slice());
        let expected = if is_image { "dockerhub" } else { &expected };
        // Docker's own items and a cloud over plain HTTP are well asked for, and nothing is answered.
        let status = i32::from(!is_image && ServerUrl::parse(&input).is_err());
        assert_eq!(
            (answer.status, answer.err.as_str()),
            (status, ""),
            "{answer:?}"
        );
        let object = beta9_credential::json::parse_object(answer.out.as_bytes()).unwrap();
        assert_eq!(
            object.text("class").unwrap().expose(),
            expected,
            "{}",
            input.escape_ascii()
        );
    }
}

#[test]
fn what_is_rejected_is_not_found_and_no_store_is_asked() {
    // A store that everybody can write is refused as soon as it is looked at, which shows whether it was.
    let node = Node::new();
    node.store("ghcr.io", "u", "s");
    std::fs::set_permissions(
        node.store_dir(),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .unwrap();
    for (input, expected) in host_vectors() {
        let answer = node.run(&["get"], &input);
        if input.iter().all(|byte| b"\r\n".contains(byte)) {
            assert_eq!(answer.out, "no credentials server URL\n");
        } else if expected == "reject" {
            assert_eq!(answer, Answer::not_found(), "{}", input.escape_ascii());
        } else {
            assert!(
                answer.failure().contains("can be written by others"),
                "{answer:?}"
            );
        }
    }
}

/// An independent implementation: one regular expression for valid hosts, and one for each class.
fn independent_class(input: &str) -> &'static str {
    static GRAMMAR: LazyLock<Regex> = LazyLock::new(|| {
        let label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
        let name = format!(r"(?P<name>{label}(?:\.{label})*)");
        Regex::new(&format!(r"\A(?i:(?P<scheme>https?)://)?(?i:{name})(?::(?P<port>[1-9][0-9]{{0,4}}))?(?P<path>/[A-Za-z0-9/._~:+-]*)?\r?\n?\z")).unwrap()
    });
    static NUMERIC: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?:\A|\.)(?:[0-9]+|0x[0-9a-f]*)\z").unwrap());
    static IPV4: LazyLock<Regex> = LazyLock::new(|| {
        let octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
        Regex::new(&format!(r"\A{octet}(?:\.{octet}){{3}}\z")).unwrap()
    });
    static METADATA: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\A(?:169\.254\.[0-9]+\.[0-9]+|168\.63\.129\.16|100\.100\.100\.200|metadata\.(?:google\.internal|goog)|instance-data\.ec2\.internal)\z").unwrap()
    });
    static CLOUDS: LazyLock<[(&str, Regex); 4]> = LazyLock::new(|| {
        let region = "[a-z0-9-]+";
        let aws = format!(
            r"\A(?:[0-9]{{12}}\.dkr\.ecr(?:-fips)?\.{region}\.amazonaws\.com|[0-9]{{12}}\.dkr\.ecr\.{region}\.(?:amazonaws\.com\.cn|amazonaws\.eu|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)|[0-9]{{12}}\.dkr-ecr(?:-fips)?\.{region}\.on\.aws|[0-9]{{12}}\.dkr[.-]ecr\.{region}\.on\.amazonwebservices\.com\.cn|public\.ecr\.aws|ecr-public\.aws\.com)\z"
        );
        let gcp = format!(
            r"\A(?:(?:{region}\.)?gcr\.io|{region}-docker\.pkg\.dev|docker\.{region}\.rep\.pkg\.dev)\z"
        );
        let azure = format!(r"\A{region}\.(?:azurecr\.(?:io|cn|us)|{region}\.geo\.azurecr\.io)\z");
        let hub = r"\A(?:docker\.io|index\.docker\.io|registry-1\.docker\.io)\z".to_owned();
        [
            ("aws", aws),
            ("gcp", gcp),
            ("azure", azure),
            ("dockerhub", hub),
        ]
        .map(|(class, text)| (class, Regex::new(&text).unwrap()))
    });

    let Some(parts) = GRAMMAR.captures(input) else {
        return "reject";
    };
    let name = parts["name"].to_ascii_lowercase();
    let http = parts
        .name("scheme")
        .is_some_and(|scheme| scheme.as_str().eq_ignore_ascii_case("http"));
    let port: u32 = parts
        .name("port")
        .map_or(0, |port| port.as_str().parse().unwrap());
    if port > 65535
        || name.len() > 253
        || METADATA.is_match(&name)
        || (NUMERIC.is_match(&name) && !IPV4.is_match(&name))
    {
        return "reject";
    }
    // A line end is `\n` or `\r\n`, never a lone `\r`.
    if input.ends_with('\r') {
        return "reject";
    }
    let default_port = port == 0 || port == 443 || (http && port == 80);
    match CLOUDS
        .iter()
        .find(|(_, pattern)| default_port && pattern.is_match(&name))
    {
        Some(_) if http => "reject",
        Some(("dockerhub", _))
            if parts
                .name("path")
                .is_some_and(|path| path.as_str().ends_with("-token")) =>
        {
            "other"
        }
        Some((class, _)) => class,
        None => "other",
    }
}

/// Pieces of real hosts, of attacks on them, and noise.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "gcr.io",
        "us",
        "evil.com",
        "azurecr.io",
        "azurecr.cn",
        "geo",
        "myreg",
        "docker.io",
        "index",
        "registry-1",
        "123456789012",
        "12345678901",
        "dkr",
        "ecr",
        "ecr-fips",
        "dkr-ecr",
        "us-east-1",
        "amazonaws.com",
        "cn",
        "on.aws",
        "public.ecr.aws",
        "us-docker.pkg.dev",
        "docker",
        "rep",
        "pkg.dev",
        "localhost",
        "127",
        "1",
        "0",
        "255",
        "256",
        "0x7f",
        "169.254.169.254",
        ".",
        ".",
        ".",
        ".",
        "-",
        ":",
        ":443",
        ":80",
        ":0",
        ":5000",
        ":65536",
        "/",
        "/v2/",
        "@",
        "%2e",
        "?",
        "#",
        "\\",
        " ",
        "\n",
        "\r\n",
        "https://",
        "http://",
        "HTTPS://",
        "ftp://",
        "_",
        "xn--",
        "é",
        "A",
        "GCR.io",
        "[::1]",
        "",
    ];
    prop_oneof![8 => proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned), 1 => ".{0,3}"]
}

/// Whole hosts of every class, which chance would seldom build, with something before and behind them.
fn host_like() -> impl Strategy<Value = String> {
    let hosts = [
        "gcr.io",
        "us.gcr.io",
        "us-central1-docker.pkg.dev",
        "docker.us-central1.rep.pkg.dev",
        "myreg.azurecr.io",
        "demo-abc.eastus2.geo.azurecr.io",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com",
        "123456789012.dkr-ecr.us-west-2.on.aws",
        "210987654321.dkr.ecr.cn-north-1.amazonaws.com.cn",
        "public.ecr.aws",
        "docker.io",
        "index.docker.io",
        "10.0.0.7",
        "host.example",
    ];
    let edge = || prop_oneof![3 => Just(String::new()), 2 => piece()];
    (
        edge(),
        edge(),
        proptest::sample::select(hosts.to_vec()),
        edge(),
        edge(),
    )
        .prop_map(|(a, b, host, c, d)| format!("{a}{b}{host}{c}{d}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_parser_agrees_with_a_rule_written_by_other_means(
        input in prop_oneof![host_like(), proptest::collection::vec(piece(), 0..9).prop_map(|pieces| pieces.concat())]
    ) {
        // Bracketed addresses and verbatim items are not what the regular expressions are about.
        prop_assume!(!input.contains('[') && !input.contains("-token"));
        let word = match class(input.as_bytes()) {
            word @ ("reject" | "aws" | "gcp" | "azure" | "dockerhub") => word,
            _ => "other",
        };
        prop_assert_eq!(word, independent_class(&input), "{:?}", input);
    }

    #[test]
    fn a_parsed_host_is_its_own_canonical_spelling(input in host_like()) {
        if let Ok(ServerUrl::Registry { host, .. }) = ServerUrl::parse(input.as_bytes()) {
            let again = ServerUrl::parse(host.as_str().as_bytes()).unwrap();
            prop_assert_eq!(again.host(), Some(&host));
            let key = ServerUrl::parse(host.server_url().as_bytes()).unwrap();
            prop_assert_eq!(key.host(), Some(&host));
        }
    }
}

#[test]
fn what_is_printed_of_a_host_without_a_dot_reads_back_as_itself() {
    // `o/org/app` is an image of Docker Hub's; the image of the host `o` is `o:443/org/app`.
    let rules = "[[registry]]\nhost = \"o:443/org\"\nsecret = \"x\"\n[[registry]]\nhost = \"mirror-*\"\nrequired = true\n";
    let node = Node::new().configured(rules);
    for spelling in ["o", "o:443", "https://o"] {
        assert_eq!(node.store(spelling, "u", "s"), Answer::silence());
        assert_eq!(node.list(), "{\"o:443\":\"u\"}\n");
        for asked in ["o", "o:443", "https://o:443/v2/", "o:443/org/app"] {
            assert_eq!(node.pair(asked).1, "s", "{spelling} {asked}");
        }
    }
    let text = |input: &str, key: &str| node.explain(input).text(key).unwrap().expose().to_owned();
    assert_eq!(
        (text("o:443/org/app", "host"), text("o:443/org/app", "rule")),
        ("o:443".into(), "o:443/org".into())
    );
    for (input, host) in [
        ("o:443/", "o:443"),
        ("o:443/other/app", "o:443"),
        ("o/org/app", "docker.io"),
    ] {
        assert_eq!(text(input, "host"), host, "{input}");
    }
    let said = node.run(&["explain", "o:443/org/app"], "").out;
    assert!(said.contains("registry  o:443 (generic)"), "{said}");
    assert!(text("mirror-1:443/a", "answer") == "failure");
    assert!(node.get("mirror-1").failure().starts_with("mirror-1:443: "));
    // Kubelet's patterns and keys are compared with the image, port and all.
    let config = node.home().join("providers.yaml");
    let bin = node.home().to_str().unwrap().to_owned();
    std::os::unix::fs::symlink(common::BINARY, node.home().join("docker-credential-beta9"))
        .unwrap();
    let node = node.with("PATH", bin.as_str());
    let args = [
        "configure",
        "kubelet",
        "--config",
        config.to_str().unwrap(),
        "--bin-dir",
        &bin,
        "--dry-run",
    ];
    let plan = node.run(&args, "").out;
    for pattern in ["o:443", "mirror-*:443"] {
        assert!(
            plan.lines()
                .any(|line| line.trim_end_matches(['"', '\'', ',']).ends_with(pattern)),
            "{pattern}: {plan}"
        );
    }
    // Docker looks up its helper by the host of the image.
    let configured = node.run(&["configure", "docker", "--hosts", "o"], "");
    assert!(
        configured.status == 0 && configured.out.contains("o:443"),
        "{configured:?}"
    );
    assert!(
        std::fs::read_to_string(node.home().join(".docker/config.json"))
            .unwrap()
            .contains("\"o:443\": \"beta9\"")
    );
    assert_eq!(node.erase("o:443"), Answer::silence());
    assert_eq!(node.get("o"), Answer::not_found());
}
