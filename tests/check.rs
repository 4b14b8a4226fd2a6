//! `check` and `provision --check`, against registries that behave well and badly.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier, Once};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use beta9_credential::json;
use common::gateway::certificates;
use common::registry::{Asked, FakeRegistry, say};
use common::tls_registry::TlsRegistry;
use common::{Answer, Node};

const SECRET: &str = "hunter2";
const MANIFEST: &str = "/v2/team/app/manifests/1";
const TAGS: &str = "/v2/team/app/tags/list?n=1";
const BASIC: &[(&str, &str)] = &[("www-authenticate", "Basic realm=\"r\"")];
const BEARER: &[(&str, &str)] = &[(
    "www-authenticate",
    "Bearer realm=\"http://127.0.0.1:PORT/token\",service=\"s\"",
)];

/// `Basic` with the pair that the node has.
fn right() -> String {
    format!("Basic {}", STANDARD.encode(format!("octo:{SECRET}")))
}

fn ok() -> String {
    say(200, &[("docker-content-digest", "sha256:0123")], "")
}

/// A registry that requires the right pair at `/v2/`, and then answers this.
fn basic(answer: impl Fn(&Asked) -> String + Send + 'static) -> FakeRegistry {
    FakeRegistry::start(move |asked| {
        if asked.authorization != right() {
            return say(401, BASIC, "");
        }
        if asked.path == "/v2/" {
            say(200, &[], "{}")
        } else {
            answer(asked)
        }
    })
}

/// A registry with a token server, and the answers of both.
fn bearer(
    token: impl Fn(&Asked) -> String + Send + 'static,
    answer: impl Fn(&Asked) -> String + Send + 'static,
) -> FakeRegistry {
    FakeRegistry::start(move |asked| match asked.path.as_str() {
        path if path.starts_with("/token") => token(asked),
        _ if asked.authorization.starts_with("Bearer ") => answer(asked),
        _ => say(401, BEARER, ""),
    })
}

fn token(claims: &str) -> String {
    let jwt = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
    say(
        200,
        &[("content-type", "application/json")],
        &format!("{{\"access_token\":\"{jwt}\"}}"),
    )
}

fn opaque(asked: &Asked) -> String {
    if asked.authorization == right() {
        say(200, &[], "{\"token\":\"t\"}")
    } else {
        say(401, &[], "")
    }
}

/// A node with the right pair for this registry.
fn node(registry: &FakeRegistry) -> Node {
    let node = Node::new();
    node.store(&registry.host(), "octo", SECRET);
    node
}

/// Runs a command whose output must not contain the secret.
fn run(node: &Node, args: &[&str]) -> Answer {
    let answer = node.run(args, "");
    let text = format!("{answer:?}");
    assert!(
        !text.contains(SECRET) && !text.contains(&STANDARD.encode(format!("octo:{SECRET}"))),
        "{text}"
    );
    assert_eq!(answer.err, "");
    answer
}

/// The verdict, whether the credential is accepted, and the cause.
fn check(node: &Node, image: &str, more: &[&str]) -> (String, Option<String>, String) {
    let answer = run(node, &[&["check", "--json", image], more].concat());
    let object = json::parse_object(answer.out.as_bytes()).unwrap();
    let text = |name: &str| object.text(name).map(|text| text.expose().to_owned());
    assert_eq!(
        answer.status == 0,
        text("verdict").unwrap() == "pulled",
        "{answer:?}"
    );
    (
        text("verdict").unwrap(),
        text("accepted"),
        text("cause").unwrap(),
    )
}

fn verdict(registry: &FakeRegistry) -> (String, Option<String>) {
    let (verdict, accepted, _) = check(&node(registry), &registry.image(), &[]);
    (verdict, accepted)
}

fn is(verdict: &str, accepted: &str) -> (String, Option<String>) {
    (
        verdict.to_owned(),
        Some(accepted.to_owned()).filter(|accepted| !accepted.is_empty()),
    )
}

#[test]
fn what_can_be_pulled_is_said_in_a_few_lines() {
    let registry = basic(|_| ok());
    let image = registry.image();
    let expected = format!(
        "{image}\n  credential  found, user name octo\n  docker      asks nobody\n  podman      asks nobody\n  login       user name and password, to the registry itself\n  \
         accepted    yes\n  pull        works: the manifest is there and may be pulled\n"
    );
    assert_eq!(
        run(&node(&registry), &["check", &image]),
        Answer {
            status: 0,
            out: expected,
            err: String::new()
        }
    );
    let login = right();
    assert_eq!(
        registry.asked(),
        ["GET /v2/".to_owned(), format!("HEAD {MANIFEST} {login}")]
    );
    let object = format!(
        "{{\"image\":\"{image}\",\"host\":\"{}\",\"pulled\":true,\"verdict\":\"pulled\",\"cause\":\"the manifest is there and may be \
         pulled\",\"fix\":\"\",\"credential\":\"found\",\"accepted\":\"yes\",\"login\":\"basic\",\"token_host\":null,\"digest\":\"sha256:0123\",\"certs\":[],\"clients\":[{{\"client\":\"docker\",\"asks\":\"nobody\",\"file\":null,\"key\":null}},{{\"client\":\"podman\",\"asks\":\"nobody\",\"file\":null,\"key\":null}}]}}\n",
        registry.host()
    );
    assert_eq!(
        run(&node(&registry), &["check", &image, "--json"]).out,
        object
    );
}

#[test]
fn a_bearer_registry_is_asked_with_its_own_token_servers_token() {
    let registry = bearer(opaque, |_| ok());
    assert_eq!(verdict(&registry), is("pulled", "yes"));
    let expected = [
        "GET /v2/".to_owned(),
        format!(
            "GET /token?service=s&scope=repository:team/app:pull {}",
            right()
        ),
        format!("HEAD {MANIFEST} Bearer t"),
    ];
    assert_eq!(registry.asked(), expected);
}

#[test]
fn an_identity_token_goes_to_the_token_server_in_a_form() {
    let registry = bearer(
        |asked| {
            let good = asked.method == "POST"
                && asked.body.contains("refresh_token=hunter2")
                && asked.authorization.is_empty();
            if good {
                say(200, &[], "{\"access_token\":\"t\"}")
            } else {
                say(401, &[], "")
            }
        },
        |_| ok(),
    );
    let node = Node::new();
    node.store(&registry.host(), "<token>", SECRET);
    assert_eq!(check(&node, &registry.image(), &[]).0, "pulled");
    let form = "grant_type=refresh_token&client_id=docker-credential-beta9&service=s&refresh_token=hunter2&scope=repository%3Ateam%2Fapp%3Apull";
    assert_eq!(registry.bodies(), [form]);
    assert!(
        run(&node, &["check", &registry.image()])
            .out
            .contains("found, an identity token\n")
    );
    node.store(&registry.host(), "<token>", "another");
    assert_eq!(check(&node, &registry.image(), &[]).0, "wrong-credential");
}

#[test]
fn without_a_credential_it_is_asked_as_everybody_may() {
    let public = bearer(
        |asked| {
            if asked.authorization.is_empty() {
                say(200, &[], "{\"token\":\"t\"}")
            } else {
                say(500, &[], "")
            }
        },
        |_| ok(),
    );
    let answer = run(&Node::new(), &["check", &public.image()]);
    assert_eq!(answer.status, 0, "{answer:?}");
    assert!(
        answer
            .out
            .contains("  credential  not found; asked anonymously\n"),
        "{}",
        answer.out
    );
    for registry in [
        basic(|_| ok()),
        bearer(opaque, |_| ok()),
        bearer(|_| token("{\"access\":[]}"), |_| say(401, BEARER, "")),
    ] {
        let (verdict, accepted, cause) = check(&Node::new(), &registry.image(), &[]);
        assert_eq!((verdict.as_str(), accepted), ("needs-credential", None));
        assert_eq!(cause, "it needs a credential, and has none (401)");
    }
}

#[test]
fn a_wrong_credential_a_missing_right_and_a_missing_image_are_told_apart() {
    let missing_tag = |asked: &Asked| {
        if asked.path == TAGS {
            say(200, &[], "{}")
        } else {
            say(404, &[], "")
        }
    };
    let pull =
        "{\"access\":[{\"type\":\"repository\",\"name\":\"team/app\",\"actions\":[\"pull\"]}]}";
    let table = [
        (basic(missing_tag), is("no-manifest", "yes")),
        (basic(|_| say(404, &[], "")), is("no-repository", "yes")),
        (basic(|_| say(403, &[], "")), is("no-access", "yes")),
        (basic(|_| say(401, BASIC, "")), is("no-access", "yes")),
        (
            FakeRegistry::start(|_| say(401, BASIC, "")),
            is("wrong-credential", "no"),
        ),
        (
            bearer(|_| say(401, &[], ""), |_| ok()),
            is("wrong-credential", "no"),
        ),
        (
            bearer(|_| say(403, &[], ""), |_| ok()),
            is("wrong-credential", "no"),
        ),
        (
            bearer(
                |asked| {
                    if asked.path.contains("scope=") {
                        say(403, &[], "")
                    } else {
                        opaque(asked)
                    }
                },
                |_| ok(),
            ),
            is("no-access", "yes"),
        ),
        (
            bearer(opaque, |_| say(403, &[], "")),
            is("no-access", "yes"),
        ),
        (
            bearer(opaque, |_| say(401, &[], "")),
            is("no-access-or-repository", "yes"),
        ),
        (bearer(opaque, missing_tag), is("no-manifest", "yes")),
        (
            bearer(|_| token("{\"access\":[]}"), |_| say(401, BEARER, "")),
            is("no-access-or-repository", "yes"),
        ),
        (
            bearer(move |_| token(pull), |_| say(401, BEARER, "")),
            is("token-refused", "yes"),
        ),
    ];
    for (registry, expected) in table {
        assert_eq!(verdict(&registry), expected, "{:?}", registry.asked());
    }
}

#[test]
fn a_registry_that_misbehaves_is_reported_as_that() {
    let challenge = |text: &'static str| {
        FakeRegistry::start(move |_| say(401, &[("www-authenticate", text)], ""))
    };
    let early = |word: &str| is(word, "");
    let table = [
        (challenge("\u{1}"), early("network")),
        (challenge("\"Bearer realm="), early("no-login")),
        (challenge("Negotiate"), early("no-login")),
        (
            FakeRegistry::start(|_| say(401, &[], "")),
            early("no-login"),
        ),
        (
            FakeRegistry::start(|_| say(302, &[("location", "http://169.254.169.254/latest")], "")),
            early("redirected"),
        ),
        (
            FakeRegistry::start(|asked| say(307, &[("location", &asked.path)], "")),
            early("redirected"),
        ),
        (
            challenge("Bearer realm=\"file:///etc/passwd\""),
            is("foreign-token-server", "unknown"),
        ),
        (
            bearer(|_| say(404, &[], ""), |_| ok()),
            is("token-server", "unknown"),
        ),
        (
            bearer(
                |_| say(302, &[("location", "http://localhost:PORT/token")], ""),
                |_| ok(),
            ),
            is("token-server", "unknown"),
        ),
        (
            bearer(|_| say(200, &[], "<html>"), |_| ok()),
            is("token-server", "unknown"),
        ),
        (
            bearer(|_| say(200, &[], "{\"token\":\"\"}"), |_| ok()),
            is("token-server", "unknown"),
        ),
        (basic(|_| say(418, &[], "")), is("failed", "yes")),
        (basic(|_| say(429, &[], "")), is("throttled", "yes")),
        (FakeRegistry::start(|_| say(400, &[], "")), early("failed")),
        (
            bearer(
                |asked| {
                    say(
                        if asked.path.contains("scope=") {
                            403
                        } else {
                            400
                        },
                        &[],
                        "",
                    )
                },
                |_| ok(),
            ),
            is("token-server", "unknown"),
        ),
    ];
    for (registry, expected) in table {
        assert_eq!(verdict(&registry), expected, "{:?}", registry.asked());
    }
}

#[test]
fn a_token_server_on_another_host_gets_no_credential_unless_the_operator_trusts_it() {
    let foreign = FakeRegistry::start(|asked| {
        if asked.path.starts_with("/token") {
            opaque(asked)
        } else {
            ok()
        }
    });
    let realm = format!("Bearer realm=\"http://localhost:{}/token\"", foreign.port);
    let registry = FakeRegistry::start(move |asked| {
        if asked.authorization == "Bearer t" {
            ok()
        } else {
            say(401, &[("www-authenticate", &realm)], "")
        }
    });
    let (node, image) = (node(&registry), registry.image());
    let (verdict, _, cause) = check(&node, &image, &[]);
    assert_eq!(verdict, "foreign-token-server");
    let server = format!("localhost:{}", foreign.port);
    assert_eq!(
        cause,
        format!(
            "it names a token server that is not its own ({server}); the credential was not sent there"
        )
    );
    assert_eq!(
        (registry.asked(), foreign.asked()),
        (vec!["GET /v2/".to_owned()], vec![])
    );
    assert!(
        run(&node, &["check", &image])
            .out
            .contains(&format!("check --token-host {server}\n"))
    );

    assert_eq!(check(&node, &image, &["--token-host", &server]).0, "pulled");
    assert_eq!(
        foreign.asked(),
        [format!(
            "GET /token?scope=repository:team/app:pull {}",
            right()
        )]
    );
    // Without a credential, there is none to leak.
    assert_eq!(check(&Node::new(), &image, &[]).0, "needs-credential");
}

#[test]
fn a_redirect_to_another_host_is_followed_without_the_credential() {
    let elsewhere = FakeRegistry::start(|_| ok());
    let location = format!("http://127.0.0.1:{}/cdn", elsewhere.port);
    let registry = basic(move |asked| {
        let to = if asked.path == MANIFEST {
            "/v2/moved"
        } else {
            location.as_str()
        };
        say(307, &[("location", to)], "")
    });
    assert_eq!(verdict(&registry), is("pulled", "yes"));
    assert_eq!(
        registry.asked()[1..],
        [
            format!("HEAD {MANIFEST} {}", right()),
            format!("HEAD /v2/moved {}", right())
        ]
    );
    assert_eq!(elsewhere.asked(), ["HEAD /cdn"]);
}

#[test]
fn where_nobody_is_asked_for_a_credential_it_is_known_only_if_the_registry_shows_it() {
    let manifest = |asked: &Asked| asked.path == MANIFEST;
    // It gives everybody the same answer.
    let blind = FakeRegistry::start(|asked| {
        if asked.path == "/v2/" {
            ok()
        } else {
            say(404, &[], "")
        }
    });
    assert_eq!(verdict(&blind), is("no-repository", "unknown"));
    // It checks a credential if one is sent.
    let looks = FakeRegistry::start(move |asked| match asked.authorization.as_str() {
        shown if manifest(asked) && !shown.is_empty() && shown != right() => say(401, BASIC, ""),
        _ if asked.path == "/v2/" => ok(),
        _ => say(404, &[], ""),
    });
    assert_eq!(verdict(&looks), is("no-repository", "yes"));
    let node = Node::new();
    node.store(&looks.host(), "octo", "wrong");
    let (verdict, accepted, _) = check(&node, &looks.image(), &[]);
    assert_eq!((verdict, accepted), is("no-repository", "no"));
    // It requires a login at the repository but not at `/v2/`.
    let late = FakeRegistry::start(|asked| {
        if asked.path == "/v2/" || asked.authorization == right() {
            ok()
        } else {
            say(401, BASIC, "")
        }
    });
    assert_eq!(self::verdict(&late), is("pulled", "yes"));
}

#[test]
fn no_answer_is_reported_by_what_happened() {
    let (verdict, _, cause) = check(&Node::new(), "127.0.0.1:1/a/b", &[]);
    assert_eq!(
        (verdict.as_str(), cause.as_str()),
        ("network", "127.0.0.1 refused the connection")
    );
    let (verdict, _, cause) = check(
        &Node::new().with("BETA9_TIMEOUT", "60s"),
        "registry.invalid/a/b",
        &[],
    );
    assert_eq!(
        (verdict.as_str(), cause.as_str()),
        ("network", "the name registry.invalid cannot be resolved")
    );
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let node = Node::new().with("BETA9_TIMEOUT", "1s");
    let (verdict, _, cause) = check(&node, &format!("{}/a/b", silent.local_addr().unwrap()), &[]);
    assert!(
        verdict == "network" && cause.contains("did not answer in time"),
        "{verdict} {cause}"
    );
}

#[test]
fn a_store_that_fails_is_reported_and_the_registry_is_not_asked() {
    let registry = basic(|_| ok());
    let node = node(&registry);
    std::fs::set_permissions(
        node.key_file(),
        std::os::unix::fs::PermissionsExt::from_mode(0o644),
    )
    .unwrap();
    let answer = run(&node, &["check", &registry.image()]);
    assert_eq!(answer.status, 1);
    assert!(
        answer
            .out
            .contains("  credential  failed\n  docker      asks nobody\n  podman      asks nobody\n  pull        fails: "),
        "{}",
        answer.out
    );
    assert!(answer.out.contains("chmod 600"), "{}", answer.out);
    assert_eq!(registry.asked(), Vec::<String>::new());
}

#[test]
fn several_images_have_a_block_or_an_object_each_and_fail_together() {
    let (good, bad) = (basic(|_| ok()), basic(|_| say(403, &[], "")));
    let node = node(&good);
    node.store(&bad.host(), "octo", SECRET);
    let images = [good.image(), bad.image()];
    let answer = run(&node, &["check", &images[0], &images[1]]);
    assert_eq!(answer.status, 1);
    let blocks: Vec<_> = answer
        .out
        .split("\n\n")
        .map(|block| block.lines().next().unwrap().to_owned())
        .collect();
    assert_eq!(blocks, images);
    let objects = run(&node, &["check", "--json", &images[0], &images[1]]).out;
    let pulled: Vec<_> = objects
        .lines()
        .map(|line| line.contains("\"pulled\":true"))
        .collect();
    assert_eq!(pulled, [true, false]);
    assert_eq!(run(&node, &["check", &images[0], &images[0]]).status, 0);
    let answer = node.run(&["check", "ghcr.io@evil/x"], "");
    assert!(
        answer
            .refusal()
            .starts_with("ghcr.io@evil/x: image reference: ")
    );
}

#[test]
fn a_secret_that_is_its_own_user_name_is_not_shown() {
    let registry = FakeRegistry::start(|_| ok());
    let node = Node::new();
    node.store(&registry.host(), SECRET, SECRET);
    assert!(
        run(&node, &["check", &registry.image()])
            .out
            .contains("found, a token for user name and password\n")
    );
}

#[test]
fn a_rule_for_a_path_is_obeyed_and_docker_is_said_not_to_see_it() {
    let registry = basic(|_| ok());
    let rule = format!(
        "[[registry]]\nhost = \"{}/team\"\nbackend = \"public\"\n",
        registry.host()
    );
    let node = node(&registry).configured(&rule);
    let answer = run(&node, &["check", &registry.image()]);
    assert!(
        answer
            .out
            .contains("\n  podman      asks nobody\n  rule        one for this path; "),
        "{answer:?}"
    );
    assert_eq!(answer.status, 1);
    let other = format!("{}/other/app", registry.host());
    let answer = run(&node, &["check", &other]);
    assert!(
        answer.status == 0 && !answer.out.contains("rule  "),
        "{answer:?}"
    );
}

#[test]
fn provision_stores_nothing_that_the_registry_refuses() {
    let keys = "{\"USERNAME\":\"octo\",\"PASSWORD\":\"hunter2\"}";
    let provision = |registry: &FakeRegistry| {
        let node = Node::new();
        let answer = node.run(
            &[
                "provision",
                &registry.image(),
                "--creds-json",
                "-",
                "--check",
            ],
            keys,
        );
        (
            format!("{}{}", answer.out, answer.err).replace(&registry.port.to_string(), "PORT"),
            node.list() != "{}\n",
        )
    };
    let (text, stored) = provision(&FakeRegistry::start(|_| say(401, BASIC, "")));
    let line = "docker-credential-beta9: 127.0.0.1:PORT: registry: it refuses this credential (401); docker login 127.0.0.1:PORT, or correct the workspace's secret; nothing was stored\n";
    assert_eq!((text.as_str(), stored), (line, false));
    let (text, stored) = provision(&basic(|_| say(404, &[], "")));
    assert!(
        text.starts_with("127.0.0.1:PORT accepts the credential for team/app\n") && stored,
        "{text}"
    );
    let (text, stored) = provision(&FakeRegistry::start(|_| say(404, &[], "")));
    assert!(
        text.starts_with(
            "127.0.0.1:PORT doesn't say whether it accepts the credential for team/app"
        ) && stored,
        "{text}"
    );
    // It serves the image to everybody, but refuses wrong credentials.
    let fussy = FakeRegistry::start(|asked| {
        if asked.authorization.is_empty() {
            ok()
        } else {
            say(401, BASIC, "")
        }
    });
    let (text, stored) = provision(&fussy);
    assert!(
        text.contains("it refuses this credential") && !stored,
        "{text}"
    );
}

/// Puts files of a registry's directory where a client of this node's user looks for them.
fn put(node: &Node, certs_d: &str, registry: &str, files: &[(&Path, &str)]) -> PathBuf {
    let dir = node.home().join(certs_d).join(registry);
    fs::create_dir_all(&dir).unwrap();
    for (from, name) in files {
        fs::copy(from, dir.join(name)).unwrap();
    }
    dir
}

#[test]
fn an_authority_of_certs_d_is_trusted_for_its_registry_and_port_only() {
    if !certificates::can_be_made() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let registry = TlsRegistry::start(scratch.path(), "IP:127.0.0.1");
    let (host, image) = (registry.host(), format!("{}/team/app:1", registry.host()));
    let authority = registry.authority.as_path();
    for certs_d in [
        ".config/containers/certs.d",
        ".config/docker/certs.d",
        ".docker/certs.d",
    ] {
        let node = Node::new();
        for (registry, name) in [
            ("127.0.0.1", "ca.crt"),
            ("127.0.0.1:1", "ca.crt"),
            (&host, "ca.pem"),
        ] {
            put(&node, certs_d, registry, &[(authority, name)]);
        }
        let (verdict, _, cause) = check(&node, &image, &[]);
        assert_eq!(
            (verdict.as_str(), cause.as_str()),
            (
                "tls",
                "the certificate of 127.0.0.1 is signed by nobody that this system trusts"
            )
        );
        let answer = run(&node, &["check", &image]);
        let expected = format!("/etc/docker/certs.d/{host} for docker");
        assert!(
            answer
                .out
                .replace("\n              ", " ")
                .contains(&expected),
            "{answer:?}"
        );
        let dir = put(&node, certs_d, &host, &[(authority, "ca.crt")]);
        assert_eq!(check(&node, &image, &[]).0, "pulled", "{certs_d}");
        let said = run(&node, &["check", "--json", &image]).out;
        let used = format!("\"certs\":[\"{}\"]", dir.join("ca.crt").display());
        assert!(said.contains(&used), "{said}");
    }
    // podman reads the first directory that there is.
    let node = Node::new();
    put(
        &node,
        ".config/containers/certs.d",
        &host,
        &[(authority, "ca.crt")],
    );
    fs::remove_file(
        node.home()
            .join(format!(".config/containers/certs.d/{host}/ca.crt")),
    )
    .unwrap();
    assert_eq!(check(&node, &image, &[]).0, "tls");
}

#[test]
fn a_client_certificate_of_certs_d_is_shown_and_half_a_pair_is_an_error() {
    if !certificates::can_be_made() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let registry = TlsRegistry::of_known_clients(scratch.path(), "IP:127.0.0.1");
    let image = format!("{}/team/app:1", registry.host());
    let [cert, key, other] =
        ["client.cert", "client.key", "server.key"].map(|name| scratch.path().join(name));
    let node = Node::new();
    let put =
        |files: &[(&Path, &str)]| put(&node, ".config/docker/certs.d", &registry.host(), files);
    let said = |expected: &str| {
        let (verdict, _, cause) = check(&node, &image, &[]);
        assert_eq!(verdict, "tls", "{cause}");
        assert!(cause.contains(expected), "{cause}");
    };
    let dir = put(&[(&registry.authority, "ca.crt")]);
    said("127.0.0.1 wants a client certificate that it trusts");
    put(&[(&cert, "client.cert")]);
    said("client.cert has no ");
    put(&[(&other, "client.key")]);
    said("client.key is not the key of ");
    fs::write(dir.join("client.key"), "hunter2").unwrap();
    said("client.key holds no private key");
    put(&[(&key, "client.key")]);
    assert_eq!(check(&node, &image, &[]).0, "pulled");
    fs::remove_file(dir.join("client.cert")).unwrap();
    said("client.key has no ");
}

#[test]
fn images_are_checked_side_by_side_and_shown_in_the_order_given() {
    let all = Arc::new(Barrier::new(3));
    // Each answers once all of them are asked.
    let registries: Vec<_> = (0..3)
        .map(|_| {
            let (all, first) = (Arc::clone(&all), Once::new());
            FakeRegistry::start(move |_| {
                first.call_once(|| {
                    all.wait();
                });
                say(200, &[], "")
            })
        })
        .collect();
    let images: Vec<_> = registries.iter().map(FakeRegistry::image).collect();
    let mut args = vec!["check", "--json"];
    args.extend(images.iter().map(String::as_str));
    let answer = run(&Node::new().with("BETA9_TIMEOUT", "30s"), &args);
    assert_eq!(answer.status, 0, "{answer:?}");
    let names: Vec<_> = answer
        .out
        .lines()
        .map(|line| {
            let object = json::parse_object(line.as_bytes()).unwrap();
            object.text("image").unwrap().expose().to_owned()
        })
        .collect();
    assert_eq!(names, images);
}

#[test]
fn many_images_have_an_answer_each() {
    let registry = FakeRegistry::start(|_| say(200, &[], ""));
    let images: Vec<_> = (0..30)
        .map(|count| format!("{}/team/app:{count}", registry.host()))
        .collect();
    let mut args = vec!["check"];
    args.extend(images.iter().map(String::as_str));
    let answer = run(&Node::new().with("BETA9_TIMEOUT", "60s"), &args);
    let names: Vec<_> = answer
        .out
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with(' '))
        .collect();
    assert_eq!(names, images);
}

#[test]
fn a_terminal_is_reported_how_far_it_is_and_nothing_else_is() {
    let slow = || {
        let first = Once::new();
        FakeRegistry::start(move |_| {
            first.call_once(|| std::thread::sleep(Duration::from_secs(3)));
            say(200, &[], "")
        })
    };
    let node = Node::new().with("BETA9_TIMEOUT", "60s");
    let screen = node.on_terminal(&["check", &slow().image()]);
    assert!(screen.text.contains("0 of 1 checked\r"), "{}", screen.text);
    assert_eq!(run(&node, &["check", &slow().image()]).err, "");
}

#[test]
fn where_another_port_is_held_that_is_the_fix() {
    let (registry, node) = (basic(|_| ok()), Node::new());
    node.store("127.0.0.1:1", "octo", SECRET);
    let said = run(&node, &["check", "--json", &registry.image()]).out;
    let fix = "\"fix\":\"the store has a credential for 127.0.0.1:1; ask for that port, or docker login 127.0.0.1:";
    assert!(
        said.contains(fix) && said.contains("needs-credential"),
        "{said}"
    );
}
