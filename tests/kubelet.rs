//! The `kubelet` verb, and the `matchImages` that kubelet is to be given.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use beta9_credential::host::ServerUrl;
use beta9_credential::registry::{Registry, match_images};
use common::ecr::{self, Ecr};
use common::{Answer, Node, host_vectors};

/// Kubelet's rule, from its documentation: as many labels, each a glob of its own, the same port, and the path a prefix
/// (<https://kubernetes.io/docs/reference/config-api/kubelet-credentialprovider.v1/>). tests/real asks kubelet's own code.
fn kubelet_matches(pattern: &str, image: &str) -> bool {
    let split = |text: &'_ str| {
        let (authority, path) = text.split_once('/').unwrap_or((text, ""));
        let (name, port) = authority.split_once(':').unwrap_or((authority, ""));
        (name.to_owned(), port.to_owned(), format!("/{path}"))
    };
    let ((glob, glob_port, prefix), (name, port, path)) = (split(pattern), split(image));
    let (globs, labels): (Vec<_>, Vec<_>) = (glob.split('.').collect(), name.split('.').collect());
    let label = |glob: &str, label: &str| {
        let expression = regex::escape(glob).replace(r"\*", ".*");
        regex::Regex::new(&format!(r"\A{expression}\z"))
            .unwrap()
            .is_match(label)
    };
    globs.len() == labels.len()
        && globs
            .iter()
            .zip(&labels)
            .all(|(glob, one)| label(glob, one))
        && glob_port == port
        && path.starts_with(&prefix)
}

fn is_asked_about(image: &str) -> bool {
    match_images()
        .iter()
        .any(|pattern| kubelet_matches(pattern, image))
}

#[test]
fn kubelet_asks_about_every_host_of_a_cloud_and_of_docker_hub() {
    let mut classes = std::collections::BTreeSet::new();
    for (input, expected) in host_vectors() {
        let Ok(ServerUrl::Registry { host, .. }) = ServerUrl::parse(&input) else {
            continue;
        };
        if !["aws", "gcp", "azure", "dockerhub"].contains(&expected.as_str()) {
            continue;
        }
        assert!(is_asked_about(&format!("{host}/team/app")), "{host}");
        classes.insert(expected);
    }
    assert_eq!(classes.len(), 4);
}

#[test]
fn every_pattern_is_of_a_registry_that_takes_credentials_and_matches_a_host_of_it() {
    for pattern in match_images() {
        let example = pattern
            .strip_prefix("*.dkr")
            .map_or(pattern.clone(), |rest| format!("123456789012.dkr{rest}"));
        let host =
            beta9_credential::host::Host::parse(example.replace('*', "x").as_bytes()).unwrap();
        assert_ne!(Registry::of(&host).name, "generic", "{pattern}: {host}");
        assert!(
            is_asked_about(&format!("{}/team/app", example.replace('*', "x"))),
            "{pattern}"
        );
    }
}

/// What kubelet writes, with these members after the image.
fn request(image: &str, rest: &str) -> String {
    format!(
        "{{\"kind\":\"CredentialProviderRequest\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/v1\",\"image\":\"{image}\"{rest}}}\n"
    )
}

fn ask(node: &Node, image: &str) -> Answer {
    node.run(&["kubelet"], request(image, ""))
}

/// The answer for a user `u` with the secret `s`.
fn answered(cache_key: &str, duration: &str, key: &str) -> Answer {
    let out = format!(
        "{{\"kind\":\"CredentialProviderResponse\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/v1\",\"cacheKeyType\":\"{cache_key}\",\"cacheDuration\":\"{duration}\",\"auth\":{{\"{key}\":{{\"username\":\"u\",\"password\":\"s\"}}}}}}\n"
    );
    Answer {
        status: 0,
        out,
        err: String::new(),
    }
}

fn nothing() -> Answer {
    let out = "{\"kind\":\"CredentialProviderResponse\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/v1\",\"cacheKeyType\":\"Image\",\"cacheDuration\":\"0s\",\"auth\":{}}\n";
    Answer {
        status: 0,
        out: out.to_owned(),
        err: String::new(),
    }
}

/// Exit 1 with one line on standard error, and nothing where kubelet looks for an answer; the line.
fn failure(answer: &Answer) -> &str {
    assert_eq!((answer.status, answer.out.as_str()), (1, ""), "{answer:?}");
    let line = answer
        .err
        .strip_prefix("docker-credential-beta9: ")
        .unwrap()
        .strip_suffix('\n')
        .unwrap();
    assert!(!line.contains('\n'), "{line}");
    line
}

#[test]
fn a_stored_credential_is_answered_for_the_registry_and_kept_for_a_minute() {
    let node = Node::new();
    for host in ["ghcr.io", "docker.io", "registry.example.com:5000"] {
        node.store(host, "u", "s");
    }
    for (image, key) in [
        ("ghcr.io/org/app", "ghcr.io"),
        ("registry.example.com:5000/app", "registry.example.com:5000"),
        ("docker.io/library/nginx", "docker.io"),
        ("index.docker.io/library/nginx", "index.docker.io"),
        ("registry-1.docker.io/library/nginx", "registry-1.docker.io"),
        ("nginx", "index.docker.io"),
    ] {
        assert_eq!(
            ask(&node, image),
            answered("Registry", "1m0s", key),
            "{image}"
        );
    }
}

#[test]
fn the_operator_says_how_long_a_credential_without_an_end_is_kept() {
    for (setting, duration) in [("0s", "0s"), ("90m", "1h30m0s")] {
        let node =
            Node::new().configured(&format!("[kubelet]\nstatic_cache_duration = \"{setting}\""));
        node.store("ghcr.io", "u", "s");
        assert_eq!(
            ask(&node, "ghcr.io/org/app"),
            answered("Registry", duration, "ghcr.io")
        );
    }
}

#[test]
fn kubelet_keeps_a_credential_for_half_of_its_remaining_life() {
    let cases = [
        (7200, 3300..=3600),
        (43_200, 20_000..=21_600),
        (300, 90..=150),
    ];
    for (left, expected) in cases {
        let end = std::time::SystemTime::now() + std::time::Duration::from_secs(left);
        let end = humantime::format_rfc3339_seconds(end);
        let blob = format!(
            "{{\"credentials\":{{\"USERNAME\":\"u\",\"PASSWORD\":\"s\"}},\"registry\":\"ghcr.io\",\"type\":\"basic\",\"expires_at\":\"{end}\"}}"
        );
        let node = Node::new().with("BETA9_IMAGE_CREDENTIALS", blob);
        assert!(
            expected.contains(&kept(&node, "ghcr.io/org/app")),
            "{left} s"
        );
    }
    let ecr = Ecr::start();
    let node = ecr
        .node()
        .with("BETA9_IMAGE_CREDENTIALS", ecr::blob(ecr::HOST));
    // Of a minted token and of the same one from the cache. It lives for 12 hours, and is cached for 11.
    for _ in 0..2 {
        let kept = kept(&node, &format!("{}/app", ecr::HOST));
        assert!((19_000..=21_600).contains(&kept), "{kept}");
    }
    assert_eq!(ecr.mints(), 1);
}

/// How long kubelet is told to keep the answer.
fn kept(node: &Node, image: &str) -> u64 {
    let answer = ask(node, image);
    let object = beta9_credential::json::parse_object(answer.out.as_bytes()).unwrap();
    humantime::parse_duration(object.text("cacheDuration").unwrap().expose())
        .unwrap()
        .as_secs()
}

#[test]
fn where_a_path_decides_each_image_of_the_host_is_kept_by_itself() {
    let rules = "[[registry]]\nhost = \"ghcr.io/private\"\nsecret = \"s\"\n[[registry]]\nhost = \"ghcr.io/open\"\nbackend = \"public\"";
    let node = Node::new().configured(rules);
    for host in ["ghcr.io", "quay.io"] {
        node.store(host, "u", "s");
    }
    assert_eq!(
        ask(&node, "ghcr.io/private/app"),
        answered("Image", "1m0s", "ghcr.io/private")
    );
    // Else kubelet would answer the next image of the host with this one's credential.
    assert_eq!(
        ask(&node, "ghcr.io/other/app"),
        answered("Image", "1m0s", "ghcr.io")
    );
    assert_eq!(ask(&node, "ghcr.io/open/app"), nothing());
    assert_eq!(
        ask(&node, "quay.io/org/app"),
        answered("Registry", "1m0s", "quay.io")
    );
}

#[test]
fn nothing_is_an_answer_that_is_not_kept() {
    let node = Node::new();
    for image in [
        "ghcr.io/org/app",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/app",
        "registry.k8s.io/pause",
    ] {
        assert_eq!(ask(&node, image), nothing(), "{image}");
    }
    node.store("ghcr.io", "u", "s");
    assert_eq!(
        ask(&node, "ghcr.io/org/app"),
        answered("Registry", "1m0s", "ghcr.io")
    );
}

#[test]
fn no_look_alike_is_answered_and_what_is_not_a_host_reaches_no_store() {
    let node = Node::new();
    for host in ["gcr.io", "ghcr.io", "docker.io", "myreg.azurecr.io"] {
        assert_eq!(node.store(host, "u", "s"), Answer::silence());
    }
    // From here on, a store that is asked fails.
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    let mut asked = 0;
    for (input, expected) in host_vectors() {
        let (Ok(text), true) = (String::from_utf8(input), expected == "generic") else {
            continue;
        };
        let image = text
            .trim_end_matches('/')
            .trim_start_matches("https://")
            .to_owned()
            + "/team/app";
        let answer = ask(&node, &image);
        assert_eq!(answer, nothing(), "{image}");
        asked += 1;
    }
    assert!(asked > 30, "{asked}");
    std::fs::set_permissions(node.store_dir(), closed).unwrap();
    assert!(failure(&ask(&node, "gcr.io/team/app")).contains("can be written by others"));
    for (input, _) in host_vectors()
        .into_iter()
        .filter(|(_, expected)| expected == "reject")
    {
        let Ok(text) = String::from_utf8(input) else {
            continue;
        };
        // Go writes what isn't a letter as an escape.
        let escaped: Vec<String> = text
            .encode_utf16()
            .map(|unit| format!("\\u{unit:04x}"))
            .collect();
        let text = escaped.concat();
        assert_eq!(ask(&node, &format!("{text}/team/app")), nothing(), "{text}");
    }
}

#[test]
fn a_broken_request_is_one_line_on_standard_error_and_no_answer() {
    let node = Node::new();
    let whole = request("ghcr.io/a/b", "");
    for (input, why) in [
        (
            String::new(),
            "kubelet's request: standard input is not one JSON object: it ends too early (line 1, column 0); it is kubelet that runs this; by hand, see --help",
        ),
        (whole.repeat(2), "it is not well-formed"),
        (
            whole.replace("\"image\"", "\"kind\""),
            "a key stands in it twice",
        ),
        (
            whole.replace("Request", "Response"),
            "\"kind\" is not CredentialProviderRequest",
        ),
        (
            whole.replace("/v1", "/v1beta1"),
            "kubelet's request: \"apiVersion\" is not credentialprovider.kubelet.k8s.io/v1; set it as the provider's apiVersion in kubelet's CredentialProviderConfig",
        ),
        (
            format!("{}{}", whole, " ".repeat(1 << 20)),
            "standard input: it is longer than 1048576 bytes",
        ),
    ] {
        let answer = node.run(&["kubelet"], input);
        assert!(failure(&answer).contains(why), "{answer:?}");
    }
}

#[test]
fn a_failure_is_reported_to_kubelet_as_it_is_to_docker_on_the_other_stream() {
    let node = Node::new().configured("tmeout = \"1s\"");
    assert!(failure(&ask(&node, "ghcr.io/a/b")).contains("did you mean \"timeout\"?"));
    let node = Node::new();
    node.store("ghcr.io", "<token>", "s");
    let expected = "ghcr.io: kubelet: the credential is an OAuth identity token, which kubelet cannot pass on; store a user name and a password or access token for this registry";
    assert_eq!(failure(&ask(&node, "ghcr.io/a/b")), expected);
}

#[test]
fn its_help_is_for_people_and_it_takes_no_other_argument() {
    let node = Node::new();
    let help = node.run(&["kubelet", "--help"], "");
    assert_eq!((help.status, help.err.as_str()), (0, ""));
    assert!(help.out.contains("Exit status: ") && help.out.contains("Example:"));
    let wrong = node.run(&["kubelet", "get"], request("ghcr.io/a/b", ""));
    let expected = "kubelet: it takes no arguments; let args be [\"kubelet\"] in kubelet's CredentialProviderConfig";
    assert_eq!(failure(&wrong), expected);
}

#[test]
fn a_pods_token_is_looked_at_only_where_workload_identity_is_on_and_is_never_told() {
    let image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/app";
    let rest = ",\"serviceAccountToken\":\"hunter2\",\"serviceAccountAnnotations\":{\"eks.amazonaws.com/role-arn\":\"x\"}";
    let off = Node::new();
    assert_eq!(off.run(&["kubelet"], request(image, rest)), nothing());
    let on = Node::new().with("BETA9_WORKLOAD_IDENTITY", "true");
    let answer = on.run(&["kubelet"], request(image, rest));
    assert!(
        failure(&answer).contains("the pod's service account token: it isn't a JSON Web Token"),
        "{answer:?}"
    );
    assert!(!answer.err.contains("hunter2"));
    // A registry that nobody logs in to by identity has no use for it.
    off.store("ghcr.io", "u", "s");
    let on = off.clone_with("BETA9_WORKLOAD_IDENTITY", "true");
    assert_eq!(
        on.run(&["kubelet"], request("ghcr.io/a/b", rest)),
        answered("Registry", "1m0s", "ghcr.io")
    );
    let rule = "[kubelet]\nworkload_identity = true\n[[registry]]\nhost = \"*.dkr.ecr.*.amazonaws.com\"\nworkload_identity = false";
    assert_eq!(
        Node::new()
            .configured(rule)
            .run(&["kubelet"], request(image, rest)),
        nothing()
    );
}

#[test]
fn a_secret_that_proves_nothing_never_turns_a_pod_into_the_node() {
    let rule = "[[registry]]\nhost = \"gcr.io\"\nambient = true\nworkload_identity = true\n";
    let blob = r#"{"registry":"gcr.io","type":"gcp","credentials":{"GCP_PROJECT_ID":"p"}}"#;
    let node = Node::new()
        .configured(rule)
        .with("BETA9_IMAGE_CREDENTIALS", blob);
    let answer = node.get("gcr.io");
    let line = answer.failure();
    assert!(
        line.contains("GCP_PROJECT_ID alone means the node's own identity, which is off"),
        "{line}"
    );
}

#[test]
fn a_kubelet_request_without_the_argument_is_recognised_and_reported() {
    let node = Node::new();
    let request = r#"{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"ghcr.io/org/app"}"#;
    let line = "docker-credential-beta9: kubelet: its request came without the argument \"kubelet\"; let args be [\"kubelet\"] in kubelet's CredentialProviderConfig\n";
    for args in [
        &[][..],
        &["get"],
        &["get-credentials"],
        &["-v2", "get-credentials"],
    ] {
        let answer = node.run(args, request);
        assert_ne!(answer.status, 0, "{args:?}");
        assert_eq!(answer.err, line, "{args:?}");
        assert!(!answer.out.contains("auth"), "{args:?}");
    }
}

#[test]
fn a_mistake_on_the_command_line_has_exit_status_2_and_a_failure_in_json_has_a_code() {
    let node = Node::new();
    let mistake = node.run(&["explain"], "");
    assert_eq!((mistake.status, mistake.out.as_str()), (2, ""));
    assert!(
        mistake
            .err
            .contains("Usage: docker-credential-beta9 explain")
    );
    let mistake = node.run(&["explain", "--json"], "");
    assert_eq!((mistake.status, mistake.out.as_str()), (2, ""));
    assert!(
        mistake
            .err
            .starts_with(r#"{"error":{"code":"input.usage","#),
        "{mistake:?}"
    );
    let refused = node.run(&["check", "--json", "ghcr.io@evil/x"], "");
    assert_eq!((refused.status, refused.out.as_str()), (1, ""));
    assert_eq!(
        refused.err,
        "{\"error\":{\"code\":\"input.bad_reference\",\"registry\":\"ghcr.io@evil/x\",\"part\":\"image reference\",\"cause\":\"the host has a character that no registry host can have\",\"fix\":\"give it as docker pull takes it\"}}\n"
    );
}
