//! Build time and run time with the embedded store: keys become a secret, the image is bound, the payload is handed on.

#![allow(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

mod common;

use common::{Answer, Node};

const GITHUB: [&str; 2] = ["--creds", "GITHUB_USERNAME,GITHUB_TOKEN"];
const BLOB: &str =
    r#"{"registry":"ghcr.io","type":"token","credentials":{"GITHUB_TOKEN":"ghp_hunter2","GITHUB_USERNAME":"octo"}}"#;

fn node() -> Node {
    Node::new().with("GITHUB_USERNAME", "octo").with("GITHUB_TOKEN", "ghp_hunter2")
}

fn said(text: &str) -> Answer {
    Answer { status: 0, out: text.into(), err: String::new() }
}

#[test]
fn keys_named_in_the_environment_become_a_secret_and_the_image_is_bound_to_it() {
    let node = node();
    let args = [&["provision", "ghcr.io/org/app:1"], &GITHUB[..], &["--image-id", "im1"]].concat();
    let expected = "stored the secret of ghcr.io (oci-registry-ghcr-io) in the file store\nbound image im1\n";
    assert_eq!(node.run(&args, ""), said(expected));
    assert_eq!(node.pair("ghcr.io"), ("octo".into(), "ghp_hunter2".into()));
    assert_eq!(node.run(&["resolve", "im1"], ""), said(&format!("{BLOB}\n")));
    assert_eq!(node.list(), "{\"ghcr.io\":\"octo\"}\n");
    let worker = Node::new().with("BETA9_IMAGE_CREDENTIALS", node.run(&["resolve", "im1"], "").out);
    assert_eq!(worker.pair("ghcr.io"), ("octo".into(), "ghp_hunter2".into()));
}

#[test]
fn the_keys_may_come_as_json_from_a_file_or_from_standard_input() {
    let node = Node::new();
    let json = r#"{"USERNAME":"u","PASSWORD":"p"}"#;
    let answer = node.run(&["provision", "registry.example.com:5000/app", "--creds-json", "-"], json);
    assert_eq!(answer.status, 0, "{answer:?}");
    assert_eq!(node.pair("registry.example.com:5000"), ("u".into(), "p".into()));
    let file = node.home().join("creds.json");
    std::fs::write(&file, r#"["GITHUB_USERNAME","GITHUB_TOKEN"]"#).unwrap();
    let node = node.with("GITHUB_USERNAME", "octo").with("GITHUB_TOKEN", "t");
    assert_eq!(node.run(&["provision", "ghcr.io/a/b", "--creds-json", file.to_str().unwrap()], "").status, 0);
    assert_eq!(node.pair("ghcr.io"), ("octo".into(), "t".into()));
}

#[test]
fn nothing_is_stored_for_a_modified_or_a_public_image_and_it_says_so() {
    let node = node();
    let modified = [&["provision", "ghcr.io/org/app", "--modified"], &GITHUB[..]].concat();
    assert!(node.run(&modified, "").out.starts_with("nothing was stored: a modified image"));
    let public = "nothing was stored: without keys the image is public\n";
    assert_eq!(node.run(&["provision", "ghcr.io/org/app"], ""), said(public));
    assert_eq!(node.run(&["provision", "ghcr.io/org/app", "--creds-json", "-"], "{}"), said(public));
    assert_eq!(node.list(), "{}\n");
}

#[test]
fn keys_that_the_registry_cannot_take_are_refused_and_nothing_is_stored() {
    let node = node().with("NGC_API_KEY", "hunter2");
    let table: [(&[&str], &str); 5] = [
        (&["ghcr.io/a/b", "--creds", "GITHUB_TOKEN"], "credentials: GITHUB_TOKEN is set without GITHUB_USERNAME"),
        (
            &["ghcr.io/a/b", "--creds", "NOT_SET,ALSO_NOT"],
            "credentials: NOT_SET, ALSO_NOT are unset or empty in the environment",
        ),
        (
            &["ghcr.io/a/b", "--creds", "NGC_API_KEY"],
            "ghcr.io: its secret: it holds NGC_API_KEY, which this registry (ghcr) does not take",
        ),
        (&["ghcr.io@evil/a", "--creds", "NGC_API_KEY"], "ghcr.io@evil/a: image reference: "),
        (&["ghcr.io/a/b", "--creds", "GITHUB_USERNAME,GITHUB_TOKEN", "--image-id", "../x"], "image id: "),
    ];
    for (args, why) in table {
        let answer = node.run(&[&["provision"], args].concat(), "");
        let line = answer.out.lines().last().unwrap_or_default();
        assert!(answer.status == 1 && line.starts_with(why) && !answer.out.contains("hunter2"), "{answer:?}");
    }
    assert_eq!(node.list(), "{}\n");
}

#[test]
fn an_image_that_is_built_from_several_registries_has_an_array_for_a_payload() {
    let node = Node::new();
    let json = r#"{"USERNAME":"u","PASSWORD":"p"}"#;
    let args = ["provision", "ghcr.io/a/b", "quay.io/c/d:1", "ghcr.io/e/f", "--creds-json", "-", "--image-id", "im"];
    assert_eq!(node.run(&args, json).status, 0);
    let payload = node.run(&["resolve", "im"], "").out;
    let expected = r#"[{"registry":"ghcr.io","type":"basic","credentials":{"PASSWORD":"p","USERNAME":"u"}},{"registry":"quay.io","type":"basic","credentials":{"PASSWORD":"p","USERNAME":"u"}}]"#;
    assert_eq!(payload, format!("{expected}\n"));
    let worker = Node::new().with("BETA9_IMAGE_CREDENTIALS", payload);
    assert_eq!((worker.pair("ghcr.io").0, worker.pair("quay.io").0), ("u".into(), "u".into()));
    assert_eq!(worker.list(), "{\"ghcr.io\":\"u\",\"quay.io\":\"u\"}\n");
}

#[test]
fn resolve_says_on_standard_error_that_nothing_is_known_of_an_image() {
    let node = node();
    let unknown = "docker-credential-beta9: file store: there is no image im1; bind it with docker-credential-beta9 provision --image-id, or correct its id\n";
    assert_eq!(node.run(&["resolve", "im1"], ""), Answer { status: 1, out: String::new(), err: unknown.into() });
    node.store("ghcr.io", "u", "s");
    let answer = node.run(&["resolve", "im1", "--image", "ghcr.io/a/b"], "");
    assert_eq!(
        answer,
        said("{\"credentials\":{\"PASSWORD\":\"s\",\"USERNAME\":\"u\"},\"registry\":\"ghcr.io\",\"type\":\"basic\"}\n")
    );
    assert_eq!(node.run(&["provision", "ghcr.io/a/b", "--creds", GITHUB[1], "--image-id", "im1"], "").status, 0);
    node.erase("ghcr.io");
    let gone = "docker-credential-beta9: file store: image im1 is bound to the secret of ghcr.io, which is gone; store the secret again with docker-credential-beta9 provision\n";
    assert_eq!(node.run(&["resolve", "im1"], ""), Answer { status: 1, out: String::new(), err: gone.into() });
}

#[test]
fn only_what_was_given_a_time_is_pruned_and_only_when_it_is_over() {
    let node = Node::new();
    let json = r#"{"USERNAME":"u","PASSWORD":"p"}"#;
    let provision = |image: &str, ttl: &[&str]| {
        let args = [&["provision", image, "--creds-json", "-"], ttl].concat();
        assert_eq!(node.run(&args, json).status, 0);
    };
    provision("a.example/x", &["--ttl", "0s"]);
    provision("b.example/x", &["--ttl", "30d"]);
    provision("c.example/x", &[]);
    provision("d.example/x", &["--ttl", "0s"]);
    provision("d.example/x", &[]);
    node.store("e.example", "u", "p");
    assert_eq!(node.run(&["prune"], ""), said("removed the secret of a.example\n1 removed\n"));
    assert_eq!(node.run(&["prune"], ""), said("0 removed\n"));
    assert_eq!(node.get("a.example"), Answer::not_found());
    assert_eq!(node.list(), "{\"b.example\":\"u\",\"c.example\":\"u\",\"d.example\":\"u\",\"e.example\":\"u\"}\n");
    // A login after it makes the secret anew, without an end.
    provision("f.example/x", &["--ttl", "0s"]);
    node.store("f.example", "u", "p");
    assert_eq!(node.run(&["prune"], ""), said("0 removed\n"));
}

#[test]
fn a_user_name_that_is_the_token_itself_is_listed_as_a_word() {
    const HOST: &str = "registry.digitalocean.com";
    let listed = format!("{{\"{HOST}\":\"(token)\"}}\n");
    let itself = ("hunter2".to_owned(), "hunter2".to_owned());
    let node = Node::new().with("DIGITALOCEAN_ACCESS_TOKEN", "hunter2");
    let args =
        ["provision", "registry.digitalocean.com/a/b", "--creds", "DIGITALOCEAN_ACCESS_TOKEN", "--image-id", "im"];
    assert_eq!(node.run(&args, "").status, 0);
    assert_eq!((node.list(), node.pair(HOST)), (listed.clone(), itself.clone()));
    let worker = Node::new().with("BETA9_IMAGE_CREDENTIALS", node.run(&["resolve", "im"], "").out);
    assert_eq!((worker.list(), worker.pair(HOST)), (listed.clone(), itself.clone()));
    // As the vendor's page has it: the token for both, at docker login.
    let node = Node::new();
    assert_eq!(node.store(HOST, "hunter2", "hunter2"), Answer::silence());
    assert_eq!((node.list(), node.pair(HOST)), (listed, itself.clone()));
    let item = "nerdctl-experimental://h.example:5000/?host-dir=x";
    assert_eq!(node.store(item, "hunter2", "hunter2"), Answer::silence());
    assert!(node.list().contains(&format!("\"{item}\":\"(token)\"")), "{}", node.list());
    assert_eq!(node.pair(item), itself);
}

#[test]
fn a_registry_whose_name_looks_like_a_note_is_a_registry() {
    let node = Node::new();
    for host in ["image:5000", "expiry:5000"] {
        assert_eq!(node.store(host, host, "s"), Answer::silence());
    }
    let json = r#"{"USERNAME":"u","PASSWORD":"p"}"#;
    let provision = |image: &str, more: [&str; 2]| {
        assert_eq!(node.run(&["provision", image, "--creds-json", "-", more[0], more[1]], json).status, 0);
    };
    provision("a.example/x", ["--image-id", "5000"]);
    assert_eq!(node.pair("image:5000"), ("image:5000".into(), "s".into()));
    assert_eq!(node.pair("expiry:5000"), ("expiry:5000".into(), "s".into()));
    let expected = "{\"a.example\":\"u\",\"expiry:5000\":\"expiry:5000\",\"image:5000\":\"image:5000\"}\n";
    assert_eq!(node.list(), expected);
    let payload = r#"{"registry":"a.example","type":"basic","credentials":{"PASSWORD":"p","USERNAME":"u"}}"#;
    assert_eq!(node.run(&["resolve", "5000"], ""), said(&format!("{payload}\n")));
    provision("image:5000/x", ["--ttl", "0s"]);
    provision("expiry:5000/x", ["--ttl", "0s"]);
    let pruned = "removed the secret of expiry:5000\nremoved the secret of image:5000\n2 removed\n";
    assert_eq!(node.run(&["prune"], ""), said(pruned));
    assert_eq!(node.run(&["resolve", "5000"], ""), said(&format!("{payload}\n")));
}
