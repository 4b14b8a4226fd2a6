//! `configure` and its `--undo`, through the real binary, over files as they are found on people's machines.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use beta9_credential::client::{AuthFile, Registries, RegistriesPlaces};
use beta9_credential::config::Env;
use beta9_credential::json::{self, Value};
use beta9_credential::registry::match_images;
use common::{Answer, BINARY, Node};

const HUB: &str = "https://index.docker.io/v1/";
/// A user who owns nothing.
const NOBODY: u32 = 65534;

/// A node on whose PATH the helper is.
fn node() -> Node {
    let bin = Path::new(BINARY).parent().unwrap().to_str().unwrap();
    Node::new().with("PATH", bin)
}

/// A file of the node, made with its directories.
fn put(node: &Node, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = node.home().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

fn docker(node: &Node, args: &[&str]) -> Answer {
    node.run(&[&["configure", "docker"], args].concat(), "")
}

fn podman(node: &Node, args: &[&str]) -> Answer {
    node.run(&[&["configure", "podman"], args].concat(), "")
}

/// What it says, its folded lines whole again: where they are folded depends on how long paths are.
fn succeeds(answer: Answer) -> String {
    let Answer { status, out, err } = answer;
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    unfolded(&out)
}

/// Lines that were folded to fit, whole again.
fn unfolded(text: &str) -> String {
    text.replace("\n  ", " ")
}

fn corpus(kind: &str) -> Vec<(String, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/clients")
        .join(kind);
    let mut all: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                fs::read(&path).unwrap(),
            )
        })
        .collect();
    all.sort();
    assert!(all.len() > 5);
    all
}

/// Everything that is in a directory and below it.
fn files_in(dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| {
            if path.is_dir() {
                files_in(&path)
            } else {
                vec![path]
            }
        })
        .collect();
    all.sort();
    all
}

/// What a JSON file says; an empty file counts as an empty object.
fn json_of(text: &[u8]) -> Value {
    let blank = text.iter().all(u8::is_ascii_whitespace);
    json::parse(if blank { b"{}" } else { text }).unwrap()
}

/// What a TOML file says.
fn toml_of(text: &[u8]) -> toml::Table {
    std::str::from_utf8(text).unwrap().parse().unwrap()
}

/// What a YAML or JSON file says, to a parser that is not the program's.
fn yaml_of(text: &[u8]) -> serde_yaml_ng::Value {
    serde_yaml_ng::from_slice(text).unwrap()
}

/// The comments of a TOML or YAML file, line by line.
fn comments(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8(text.to_vec()).unwrap();
    let comments = text.lines().filter_map(|line| line.rsplit_once('#'));
    let mut comments: Vec<String> = comments
        .map(|(_, comment)| comment.trim().to_owned())
        .collect();
    comments.sort();
    comments
}

/// A file's members but the two that are changed; an empty file counts as an empty object.
fn others(text: &[u8]) -> Vec<(String, Value)> {
    let Value::Object(object) = json_of(text) else {
        panic!("it is not an object")
    };
    let ours = |name: &str| ["credhelpers", "credsstore"].contains(&name.to_lowercase().as_str());
    object
        .iter()
        .filter(|(name, _)| !ours(name))
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect()
}

#[test]
fn each_json_file_of_the_corpus_says_what_it_said_after_configure_and_undo() {
    for (name, bytes) in corpus("auth") {
        for client in ["docker", "podman"] {
            for way in [
                ["--hosts", "ghcr.io,docker.io,registry.example.com:5000"].as_slice(),
                &["--all"],
            ] {
                if client == "podman" && way == ["--all"] {
                    continue;
                }
                let node = node();
                let path = put(&node, "config/config.json", &bytes);
                let node = node
                    .with("DOCKER_CONFIG", path.parent().unwrap().to_str().unwrap())
                    .with("REGISTRY_AUTH_FILE", path.to_str().unwrap());
                let run = |args: &[&str]| {
                    succeeds(node.run(&[&["configure", client], args].concat(), ""))
                };
                let told = run(way);
                assert!(
                    told.contains("now asks this helper") && !told.contains("hunter2"),
                    "{name}: {told}"
                );
                let changed = fs::read(&path).unwrap();
                let file = AuthFile::read(&path).unwrap().unwrap();
                if way == ["--all"] {
                    assert_eq!(file.creds_store.as_deref(), Some("beta9"), "{name}");
                } else {
                    for key in ["ghcr.io", HUB, "docker.io", "registry.example.com:5000"] {
                        assert_eq!(file.helper(key), Some("beta9"), "{name}: {key}");
                    }
                }
                assert_eq!(others(&changed), others(&bytes), "{name}");
                assert!(run(way).starts_with("nothing to do: "), "{name}");
                assert_eq!(fs::read(&path).unwrap(), changed, "{name}");

                let undo = [way, &["--undo"]].concat();
                let told = run(&undo);
                assert!(told.contains("no longer names this helper"), "{name}");
                assert!(!told.contains("hunter2"), "{name}: {told}");
                let undone = fs::read(&path).unwrap();
                assert_eq!(others(&undone), others(&bytes), "{name}");
                let helpers = |bytes: &[u8]| {
                    let text = std::str::from_utf8(bytes).unwrap();
                    let file = AuthFile::parse(&path, text).unwrap();
                    (file.cred_helpers, file.creds_store)
                };
                assert_eq!(helpers(&undone), helpers(&bytes), "{name}");
                assert_eq!(files_in(node.home()), [path], "{name}");
                assert!(run(&undo).starts_with("nothing to undo"), "{name}");
            }
        }
    }
}

#[test]
fn each_registries_conf_of_the_corpus_says_what_it_said_after_configure_and_undo() {
    for (name, bytes) in corpus("registries") {
        let node = node();
        let path = put(&node, ".config/containers/registries.conf", &bytes);
        assert!(
            succeeds(podman(&node, &["--all"])).contains("now asks this helper for every registry"),
            "{name}"
        );
        let changed = fs::read(&path).unwrap();
        let env = Env::of([("HOME", node.home().to_str().unwrap())]);
        let places = RegistriesPlaces::of(&env, beta9_credential::client::Scope::User);
        let registries = Registries::read(places).unwrap();
        assert_eq!(registries.helpers()[0], "beta9", "{name}");
        assert!(registries.helpers().len() > 1, "{name}");
        let without = |bytes: &[u8]| {
            let mut table = toml_of(bytes);
            table.remove("credential-helpers");
            table
        };
        assert_eq!(without(&changed), without(&bytes), "{name}");
        assert!(
            succeeds(podman(&node, &["--all"])).starts_with("nothing to do: "),
            "{name}"
        );
        assert_eq!(fs::read(&path).unwrap(), changed, "{name}");
        assert_eq!(comments(&changed), comments(&bytes), "{name}");
        let told = succeeds(podman(&node, &["--undo"]));
        assert!(told.contains("no longer names this helper"), "{name}");
        let undone = fs::read(&path).unwrap();
        let empty = toml::Value::Array(Vec::new());
        let meant = |bytes: &[u8]| {
            let mut table = toml_of(bytes);
            // An empty list is none to podman.
            table.retain(|key, value| key != "credential-helpers" || *value != empty);
            table
        };
        assert_eq!(meant(&undone), meant(&bytes), "{name}");
        assert_eq!(comments(&undone), comments(&bytes), "{name}");
        assert_eq!(files_in(node.home()), [path], "{name}");
    }
}

#[test]
fn what_no_client_can_read_is_refused_by_name_and_left_untouched() {
    for (name, bytes) in corpus("refused") {
        let node = node();
        let toml = Path::new(&name)
            .extension()
            .is_some_and(|extension| extension == "conf");
        let at = if toml {
            ".config/containers/registries.conf"
        } else {
            ".docker/config.json"
        };
        let path = put(&node, at, &bytes);
        for way in [["--hosts", "ghcr.io"].as_slice(), &["--all"]] {
            let answer = if toml {
                podman(&node, &["--all"])
            } else {
                docker(&node, way)
            };
            let line = answer.failure();
            assert!(
                line.starts_with(path.to_str().unwrap()) && line.contains("; "),
                "{name}: {line}"
            );
            assert!(!line.contains("hunter2"), "{name}: {line}");
        }
        assert_eq!(fs::read(&path).unwrap(), bytes, "{name}");
        assert_eq!(files_in(node.home()), [path], "{name}");
    }
}

#[test]
fn a_missing_file_is_created_for_its_owner_and_removed_with_its_directories() {
    let node = node();
    let path = node.home().join(".docker/config.json");
    let told = succeeds(docker(&node, &["--hosts", "ghcr.io"]));
    assert!(told.starts_with("--- /dev/null\n"), "{told}");
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "{\n\t\"credHelpers\": {\n\t\t\"ghcr.io\": \"beta9\"\n\t}\n}\n"
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert!(succeeds(docker(&node, &["--undo"])).contains("is removed: there was none"));
    assert!(!node.home().join(".docker").exists());

    succeeds(podman(&node, &["--hosts", "ghcr.io"]));
    succeeds(podman(&node, &["--all"]));
    let drop_in = node
        .home()
        .join(".config/containers/registries.conf.d/beta9.conf");
    let line = "credential-helpers = [\"beta9\", \"containers-auth.json\"]\n";
    assert_eq!(
        (
            fs::read_to_string(&drop_in).unwrap().as_str(),
            mode(&drop_in)
        ),
        (line, 0o644)
    );
    succeeds(podman(&node, &["--undo"]));
    assert!(!node.home().join(".config").exists());
}

#[test]
fn a_symbolic_link_stays_one_and_mode_stays_what_it_was() {
    let node = node();
    let target = put(&node, "dotfiles/docker.json", "{}");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
    fs::create_dir(node.home().join(".docker")).unwrap();
    let link = node.home().join(".docker/config.json");
    symlink("../dotfiles/docker.json", &link).unwrap();
    succeeds(docker(&node, &["--all"]));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(
        fs::read_to_string(&target)
            .unwrap()
            .contains("\"credsStore\": \"beta9\"")
    );
    assert_eq!(fs::metadata(&target).unwrap().mode() & 0o777, 0o640);
    succeeds(docker(&node, &["--undo"]));
    assert_eq!(fs::read(&target).unwrap(), b"{}");
    assert_eq!(fs::metadata(&target).unwrap().mode() & 0o777, 0o640);
    assert_eq!(files_in(node.home()), [link, target]);
}

#[test]
fn what_root_writes_stays_its_owners_and_what_root_makes_is_the_directorys() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let node = node();
    let path = put(&node, ".docker/config.json", "{}");
    chown(&path, Some(4711), Some(4712)).unwrap();
    chown(node.home(), Some(4711), Some(4712)).unwrap();
    succeeds(docker(&node, &["--all"]));
    succeeds(podman(&node, &["--hosts", "ghcr.io"]));
    let made = node.home().join(".config/containers/auth.json");
    for path in [&path, &made, made.parent().unwrap()] {
        let metadata = fs::metadata(path).unwrap();
        assert_eq!(
            (metadata.uid(), metadata.gid()),
            (4711, 4712),
            "{}",
            path.display()
        );
    }
}

#[test]
fn root_follows_no_link_of_a_users_to_what_is_not_that_users() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let [node, elsewhere] = [node(), node()];
    chown(node.home(), Some(4711), Some(4711)).unwrap();
    let dir = node.home().join(".docker");
    fs::create_dir(&dir).unwrap();
    chown(&dir, Some(4711), Some(4711)).unwrap();
    let (link, target) = (dir.join("config.json"), elsewhere.home().join("roots.json"));
    symlink(&target, &link).unwrap();
    lchown(&link, Some(4711), Some(4711)).unwrap();
    let refused = |args: &[&str]| {
        let answer = node.run(args, "");
        let error = answer.failure();
        assert!(
            error.starts_with(&format!(
                "{}: it is a symbolic link of user 4711 to ",
                link.display()
            )),
            "{error}"
        );
        assert!(
            error.ends_with("; run this as that user: sudo -u '#4711' docker-credential-beta9 …"),
            "{error}"
        );
    };
    let configure = ["configure", "docker", "--all"];
    refused(&configure);
    assert!(!target.exists());
    let text = r#"{"auths":{"ghcr.io":{"auth":"b2N0bzpz"}},"credsStore":"beta9"}"#;
    fs::write(&target, text).unwrap();
    for args in [
        &configure[..],
        &["configure", "docker", "--undo"],
        &["import", "docker", "--remove"],
    ] {
        refused(args);
    }
    refused(&["import", link.to_str().unwrap(), "--remove"]);
    // One of the directories above is no other way in.
    fs::remove_dir_all(&dir).unwrap();
    symlink(elsewhere.home(), &dir).unwrap();
    lchown(&dir, Some(4711), Some(4711)).unwrap();
    assert!(
        docker(&node, &["--all"])
            .failure()
            .contains("it is a symbolic link of user 4711 to ")
    );
    assert_eq!(fs::read_to_string(&target).unwrap(), text);
    assert_eq!(files_in(elsewhere.home()), std::slice::from_ref(&target));
    // What is the user's own behind the user's link is changed, and stays the user's.
    for path in [elsewhere.home(), &target] {
        chown(path, Some(4711), Some(4711)).unwrap();
    }
    fs::rename(&target, elsewhere.home().join("config.json")).unwrap();
    succeeds(docker(&node, &["--hosts", "quay.io"]));
    for path in files_in(elsewhere.home()) {
        assert_eq!(
            fs::metadata(&path).unwrap().uid(),
            4711,
            "{}",
            path.display()
        );
    }
}

#[test]
fn only_readers_of_the_file_can_read_its_note_and_a_diff_has_no_secret() {
    let node = node();
    let bin_dir = Path::new(BINARY).parent().unwrap().to_str().unwrap();
    let head = "kind: CredentialProviderConfig\nproviders:\n  - name: docker-credential-beta9\n";
    let env = "    env:\n      - name: BETA9_TOKEN\n        value: |\n          hunter2\n";
    let path = put(
        &node,
        "kubelet.yaml",
        format!("{head}{env}    matchImages:\n      - \"a.example\"\n"),
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let run = |args: &[&str]| {
        let config = [
            "configure",
            "kubelet",
            "--config",
            path.to_str().unwrap(),
            "--bin-dir",
            bin_dir,
        ];
        let told = succeeds(node.run(&[config.as_slice(), args].concat(), ""));
        assert!(
            !told.contains("hunter2") && told.contains("a.example"),
            "{told}"
        );
    };
    let undo = node.home().join("kubelet.yaml.beta9-undo");
    let before = yaml_of(&fs::read(&path).unwrap());
    for json in [&[][..], &["--json"]] {
        run(&[&["--hosts", "quay.io", "--force"], json].concat());
        assert_eq!(fs::metadata(&undo).unwrap().mode() & 0o777, 0o600);
        assert!(!fs::read_to_string(&undo).unwrap().contains("hunter2"));
        assert!(fs::read_to_string(&path).unwrap().contains(env));
        run(&[&["--undo"], json].concat());
        assert_eq!(yaml_of(&fs::read(&path).unwrap()), before);
    }
    fs::remove_file(&path).unwrap();
    succeeds(node.run(
        &[
            "configure",
            "kubelet",
            "--config",
            path.to_str().unwrap(),
            "--bin-dir",
            bin_dir,
        ],
        "",
    ));
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o644);
    assert_eq!(fs::metadata(&undo).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn what_a_file_holds_moves_no_cursor_and_makes_no_line() {
    let node = node();
    let file = r#"{"credHelpers":{"a.example\n\u001b[2K":"pa\u001b[2K\nss","b.example":"pass"}}"#;
    let path = put(&node, ".docker/config.json", file);
    let told = succeeds(docker(&node, &["--all"]));
    assert!(
        unfolded(&told)
            .contains(r"note: a.example\n\u{1b}[2K keeps its own helper, pa\u{1b}[2K\nss"),
        "{told}"
    );
    assert!(!told.contains('\u{1b}'), "{told}");
    succeeds(docker(&node, &["--hosts", "b.example", "--force"]));
    fs::write(
        &path,
        fs::read_to_string(&path)
            .unwrap()
            .replace(r#""b.example": "beta9""#, r#""b.example":"beta9""#),
    )
    .unwrap();
    let text = fs::read_to_string(&path)
        .unwrap()
        .replace(r#""b.example":"beta9""#, r#""b.example":"x\u001b[2K""#);
    fs::write(&path, text).unwrap();
    let told = succeeds(docker(&node, &["--undo"]));
    assert!(
        unfolded(&told).contains(r"b.example (x\u{1b}[2K) is not this helper's any more"),
        "{told}"
    );
    assert!(!told.contains('\u{1b}'), "{told}");
}

#[test]
fn the_program_that_is_tried_gets_nothing_of_the_environment_but_path_and_home() {
    let node = node();
    let script = put(
        &node,
        "script",
        "#!/bin/sh\n/usr/bin/env > \"$HOME/seen\"\necho docker-credential-beta9 0\n",
    );
    let bin = node.home().join("bin");
    fs::create_dir(&bin).unwrap();
    // Copied by another process: what this one has open for writing, a child of another test may keep open.
    let program = bin.join("docker-credential-beta9");
    let install = [
        "-m",
        "755",
        script.to_str().unwrap(),
        program.to_str().unwrap(),
    ];
    assert!(
        std::process::Command::new("install")
            .args(install)
            .status()
            .unwrap()
            .success()
    );
    let node = node
        .with("PATH", bin.to_str().unwrap())
        .with("BETA9_TOKEN", "hunter2");
    succeeds(docker(&node, &["--all"]));
    let seen = fs::read_to_string(node.home().join("seen")).unwrap();
    let names: Vec<&str> = seen
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect();
    let of_the_shell = ["PWD", "OLDPWD", "SHLVL", "_"];
    let mut names: Vec<&str> = names
        .into_iter()
        .filter(|name| !of_the_shell.contains(name))
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "PATH"]);
}

#[test]
fn a_link_to_nothing_gets_its_file_and_a_circle_of_links_is_refused() {
    let node = node();
    fs::create_dir(node.home().join(".docker")).unwrap();
    let link = node.home().join(".docker/config.json");
    symlink("real.json", &link).unwrap();
    succeeds(docker(&node, &["--all"]));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(node.home().join(".docker/real.json").exists());
    succeeds(docker(&node, &["--undo"]));
    assert!(
        !node.home().join(".docker/real.json").exists()
            && fs::symlink_metadata(&link).unwrap().is_symlink()
    );
    fs::remove_file(&link).unwrap();
    symlink("config.json", &link).unwrap();
    assert_eq!(docker(&node, &["--all"]).status, 1);
}

#[test]
fn what_is_read_only_is_refused_and_left_untouched_for_root_too() {
    for (what, mode) in [(".docker/config.json", 0o444), (".docker", 0o555)] {
        let node = node();
        let path = put(&node, ".docker/config.json", "{}");
        let marked = node.home().join(what);
        fs::set_permissions(&marked, fs::Permissions::from_mode(mode)).unwrap();
        let answer = docker(&node, &["--all"]);
        let line = answer.failure();
        assert!(line.starts_with(marked.to_str().unwrap()), "{line}");
        assert_eq!(fs::read(&path).unwrap(), b"{}");
        assert_eq!(files_in(node.home()), [path]);
        fs::set_permissions(&marked, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn another_helper_is_replaced_only_by_force_and_comes_back() {
    let node = node();
    let text =
        "{\n  \"credHelpers\": { \"ghcr.io\": \"pass\" },\n  \"credsStore\": \"desktop\"\n}\n";
    let path = put(&node, ".docker/config.json", text);
    let refused = docker(&node, &["--hosts", "ghcr.io"]);
    let expected = "ghcr.io has the helper pass already; nothing was changed; --force puts this one in its place, and --undo the other back";
    assert_eq!(refused.failure(), format!("{}: {expected}", path.display()));
    assert!(
        docker(&node, &["--all"])
            .failure()
            .contains("credsStore has the helper desktop already")
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), text);

    succeeds(docker(&node, &["--hosts", "ghcr.io", "--force"]));
    let told = succeeds(docker(&node, &["--all", "--force"]));
    assert!(!told.contains("keeps its own helper"), "{told}");
    let wired = text.replace("pass", "beta9").replace("desktop", "beta9");
    let now = fs::read(&path).unwrap();
    assert_eq!(json_of(&now), json_of(wired.as_bytes()));
    // Somebody else writes to it meanwhile.
    let theirs = wired.replace("}\n", ", \"detachKeys\": \"x\" }\n");
    fs::write(&path, &theirs).unwrap();
    succeeds(docker(&node, &["--undo"]));
    let expected = text.replace("}\n", ", \"detachKeys\": \"x\" }\n");
    assert_eq!(
        json_of(&fs::read(&path).unwrap()),
        json_of(expected.as_bytes())
    );
}

#[test]
fn undo_after_docker_wrote_the_file_again_takes_out_only_what_is_ours() {
    let node = node();
    let path = put(
        &node,
        ".docker/config.json",
        "{\"detachKeys\": \"ctrl-e,e\"}",
    );
    succeeds(docker(&node, &["--hosts", "ghcr.io,docker.io,quay.io"]));
    // As docker login leaves it, and quay.io was given to somebody else.
    let again = "{\n\t\"auths\": {\n\t\t\"ghcr.io\": {}\n\t},\n\t\"credHelpers\": {\n\t\t\"docker.io\": \"beta9\",\n\t\t\"ghcr.io\": \"beta9\",\n\
                \t\t\"https://index.docker.io/v1/\": \"beta9\",\n\t\t\"quay.io\": \"pass\"\n\t},\n\t\"detachKeys\": \"ctrl-e,e\"\n}";
    fs::write(&path, again).unwrap();
    let told = succeeds(docker(&node, &["--undo"]));
    assert!(
        told.contains("quay.io (pass) is not this helper's any more, and was left"),
        "{told}"
    );
    let expected = "{\n\t\"auths\": {\n\t\t\"ghcr.io\": {}\n\t},\n\t\"credHelpers\": {\n\t\t\"quay.io\": \"pass\"\n\t},\n\t\"detachKeys\": \"ctrl-e,e\"\n}";
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    assert_eq!(files_in(node.home()), [path]);
}

#[test]
fn a_file_that_we_made_and_somebody_else_used_stays_with_what_is_theirs() {
    let node = node();
    let path = node.home().join(".docker/config.json");
    succeeds(docker(&node, &["--hosts", "ghcr.io"]));
    fs::write(
        &path,
        "{\n\t\"credHelpers\": {\n\t\t\"ghcr.io\": \"beta9\"\n\t},\n\t\"currentContext\": \"x\"\n}",
    )
    .unwrap();
    succeeds(docker(&node, &["--undo"]));
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "{\n\t\"currentContext\": \"x\"\n}"
    );
    // And when nothing of theirs is in it, it goes.
    fs::remove_file(&path).unwrap();
    succeeds(docker(&node, &["--hosts", "ghcr.io"]));
    fs::write(&path, "{\"credHelpers\":{\"ghcr.io\":\"beta9\"}}").unwrap();
    succeeds(docker(&node, &["--undo"]));
    assert!(!path.exists());
}

#[test]
fn undo_of_registries_conf_that_was_changed_since_leaves_the_others_helpers() {
    let node = node();
    let path = put(
        &node,
        ".config/containers/registries.conf",
        "credential-helpers = ['pass'] # mine\n",
    );
    succeeds(podman(&node, &["--all"]));
    let now = fs::read_to_string(&path).unwrap() + "\n[aliases]\n";
    fs::write(&path, &now).unwrap();
    succeeds(podman(&node, &["--undo"]));
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "credential-helpers = ['pass'] # mine\n\n[aliases]\n"
    );
}

#[test]
fn several_runs_are_undone_by_one() {
    let node = node();
    let text = "{\n \"credHelpers\": {\n  \"quay.io\": \"pass\"\n }\n}\n";
    let path = put(&node, ".docker/config.json", text);
    for host in ["ghcr.io", "docker.io", "localhost:5000"] {
        succeeds(docker(&node, &["--hosts", host]));
    }
    succeeds(docker(&node, &["--all"]));
    succeeds(docker(&node, &["--undo"]));
    let now = fs::read(&path).unwrap();
    assert_eq!(json_of(&now), json_of(text.as_bytes()));
}

#[test]
fn a_helper_that_the_client_would_not_find_is_never_wired() {
    let node = node();
    let bin = node.home().join("bin");
    fs::create_dir(&bin).unwrap();
    let node = node.with("PATH", bin.to_str().unwrap());
    let missing = "it is not on your PATH, where the client looks for it";
    assert!(docker(&node, &["--all"]).failure().contains(missing));
    let helper = bin.join("docker-credential-beta9");
    fs::write(&helper, "#!/bin/sh\necho somebody else").unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(
        podman(&node, &["--all"])
            .failure()
            .contains("is not executable; nothing was changed; chmod 755")
    );
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(
        docker(&node, &["--all"])
            .failure()
            .contains("does not run on this machine, or is another program")
    );
    assert_eq!(files_in(node.home()), [helper]);
}

#[test]
fn the_diff_and_the_json_show_no_secret() {
    let node = node();
    let file = r#"{"auths":{"ghcr.io":{"auth":"b2N0bzpodW50ZXIy","password":"hunter2"}},"HttpHeaders":{"Authorization":"hunter2"}}"#;
    put(&node, ".docker/config.json", file);
    let told = succeeds(docker(&node, &["--hosts", "ghcr.io", "--dry-run"]));
    assert!(
        told.contains("+\t\"credHelpers\": {\n+\t\t\"ghcr.io\": \"beta9\"\n")
            && told.contains(" \t\t\"Authorization\": \"****\"\n"),
        "{told}"
    );
    assert!(
        unfolded(&told).contains(
            "has ghcr.io in plain text, which docker does not use once it asks this helper"
        ),
        "{told}"
    );
    assert!(told.contains("nothing was changed (--dry-run)"), "{told}");
    let json = succeeds(docker(&node, &["--hosts", "ghcr.io", "--json"]));
    assert!(
        !json.contains("hunter2") && !json.contains("b2N0"),
        "{json}"
    );
    let object = json::parse_object(json.as_bytes()).unwrap();
    assert_eq!(object.get("changed"), Some(&Value::Bool(true)));
    let undo = fs::read_to_string(node.home().join(".docker/config.json.beta9-undo")).unwrap();
    assert!(
        !undo.contains("hunter2") && !undo.contains("b2N0"),
        "{undo}"
    );
}

#[test]
fn a_dry_run_of_either_changes_nothing() {
    let node = node();
    let path = put(&node, ".docker/config.json", "{}\n");
    succeeds(docker(&node, &["--all", "--dry-run"]));
    assert_eq!(files_in(node.home()), std::slice::from_ref(&path));
    succeeds(docker(&node, &["--all"]));
    let wired = fs::read(&path).unwrap();
    assert!(
        succeeds(docker(&node, &["--undo", "--dry-run"])).contains("-\t\"credsStore\": \"beta9\"")
    );
    assert_eq!(fs::read(&path).unwrap(), wired);
}

#[test]
fn without_hosts_those_that_the_store_lists_are_wired() {
    let node = node();
    let line = docker(&node, &[]);
    assert_eq!(
        line.failure(),
        "configure: the store has no registries yet; name them with --hosts, or give --all"
    );
    node.store(HUB, "octo", "s");
    node.store("registry.example.com:5000", "octo", "s");
    succeeds(docker(&node, &[]));
    let file = AuthFile::read(&node.home().join(".docker/config.json"))
        .unwrap()
        .unwrap();
    let keys: Vec<_> = file
        .cred_helpers
        .iter()
        .map(|(key, _)| key.as_str())
        .collect();
    assert_eq!(keys, [HUB, "docker.io", "registry.example.com:5000"]);
}

#[test]
fn hosts_are_read_as_hosts() {
    let node = node();
    for (hosts, cause) in [
        ("ghcr.io/org", "clients name helpers for whole registries"),
        (
            "gcr.io@evil.example",
            "the host has a character that no registry host can have",
        ),
        ("", "the host is empty"),
    ] {
        let answer = docker(&node, &["--hosts", hosts]);
        assert!(answer.failure().contains(cause), "{answer:?}");
    }
    succeeds(docker(&node, &["--hosts", "https://GHCR.io:443, quay.io"]));
    let file = AuthFile::read(&node.home().join(".docker/config.json"))
        .unwrap()
        .unwrap();
    let keys: Vec<_> = file
        .cred_helpers
        .iter()
        .map(|(key, _)| key.as_str())
        .collect();
    assert_eq!(keys, ["ghcr.io", "GHCR.io:443", "quay.io"]);
}

#[test]
fn podman_is_reported_apart_where_it_reads_no_auth_file_or_has_none_for_the_machine() {
    let node = node();
    put(
        &node,
        ".config/containers/registries.conf",
        "credential-helpers = ['pass']\n",
    );
    let answer = podman(&node, &["--hosts", "ghcr.io"]);
    assert!(
        answer
            .failure()
            .contains("leave out containers-auth.json, so podman reads no auth file")
    );
    let answer = podman(&node, &["--hosts", "ghcr.io", "--system"]);
    assert!(
        answer
            .failure()
            .contains("it has no file of the whole machine for single registries")
    );
    succeeds(podman(&node, &["--all"]));
    assert!(succeeds(podman(&node, &["--hosts", "ghcr.io"])).starts_with("nothing to do: "));
}

#[test]
fn each_credential_provider_config_says_what_it_said_after_configure_and_undo() {
    let bin_dir = Path::new(BINARY).parent().unwrap().to_str().unwrap();
    for (name, bytes) in corpus("kubelet") {
        for way in [
            ["--hosts", "registry.example.com:5000,docker.io"].as_slice(),
            &[],
        ] {
            let node = node();
            let path = put(&node, "kubelet/config", &bytes);
            let config = [
                "configure",
                "kubelet",
                "--config",
                path.to_str().unwrap(),
                "--bin-dir",
                bin_dir,
            ];
            let run = |args: &[&str]| succeeds(node.run(&[config.as_slice(), args].concat(), ""));
            let told = run(way);
            assert!(
                told.contains("kubelet now asks this helper for ") && !told.contains("hunter2"),
                "{name}: {told}"
            );
            let flags = format!(
                "start kubelet with: --image-credential-provider-config={} --image-credential-provider-bin-dir={bin_dir}\n",
                path.display()
            );
            assert!(told.ends_with(&flags), "{name}: {told}");
            let changed = fs::read_to_string(&path).unwrap();
            let wanted = if way.is_empty() {
                match_images()
            } else {
                [
                    "registry.example.com:5000",
                    "docker.io",
                    "registry-1.docker.io",
                ]
                .map(str::to_owned)
                .to_vec()
            };
            let (before, mut after) = (yaml_of(&bytes), yaml_of(changed.as_bytes()));
            let providers = after["providers"].as_sequence_mut().unwrap();
            let own = providers.pop().unwrap();
            assert_eq!(own["name"], "docker-credential-beta9", "{name}");
            let images: Vec<_> = own["matchImages"].as_sequence().unwrap().iter().collect();
            assert!(images.into_iter().eq(&wanted), "{name}: {own:?}");
            assert_eq!(after, before, "{name}");
            assert_eq!(comments(changed.as_bytes()), comments(&bytes), "{name}");
            assert!(run(way).starts_with("nothing to do: "), "{name}");
            assert_eq!(fs::read_to_string(&path).unwrap(), changed, "{name}");
            let told = run(&[way, &["--undo"]].concat());
            assert!(!told.contains("hunter2"), "{name}: {told}");
            let undone = fs::read(&path).unwrap();
            assert_eq!(yaml_of(&undone), before, "{name}");
            assert_eq!(comments(&undone), comments(&bytes), "{name}");
            assert_eq!(files_in(node.home()), [path], "{name}");
        }
    }
}

#[test]
fn a_kubelets_file_is_made_whole_and_others_providers_stay_where_they_are_found() {
    let node = node();
    let bin_dir = Path::new(BINARY).parent().unwrap().to_str().unwrap();
    let path = node.home().join("kubernetes/credentials.yaml");
    let config = ["configure", "kubelet", "--config", path.to_str().unwrap()];
    let run = |args: &[&str]| node.run(&[config.as_slice(), args].concat(), "");
    succeeds(run(&["--bin-dir", bin_dir, "--hosts", "ghcr.io"]));
    let expected = "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n  - name: docker-credential-beta9\n    \
                    apiVersion: credentialprovider.kubelet.k8s.io/v1\n    args:\n      - kubelet\n    defaultCacheDuration: 0s\n    \
                    matchImages:\n      - ghcr.io\n";
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o644);
    let other = run(&["--bin-dir", bin_dir, "--hosts", "quay.io"]);
    assert!(
        other
            .failure()
            .contains("names other images; --force changes that entry"),
        "{other:?}"
    );
    succeeds(run(&[
        "--bin-dir",
        bin_dir,
        "--hosts",
        "quay.io",
        "--force",
    ]));
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        expected.replace("ghcr", "quay")
    );
    succeeds(run(&["--undo"]));
    assert!(!path.parent().unwrap().exists());

    put(
        &node,
        "kubernetes/credentials.yaml",
        "kind: CredentialProviderConfig\nproviders:\n  - name: ecr\n",
    );
    assert!(
        run(&[])
            .failure()
            .contains("it has ecr too, and kubelet looks for all in one directory")
    );
    let told = succeeds(run(&["--bin-dir", bin_dir]));
    assert!(
        told.contains(&format!(
            "note: {bin_dir} has no ecr, which the file names too"
        )),
        "{told}"
    );
    // Somebody adds another behind ours; ours alone goes.
    let now = fs::read_to_string(&path).unwrap() + "  - name: gcp\n";
    fs::write(&path, now).unwrap();
    succeeds(run(&["--undo"]));
    let expected = "kind: CredentialProviderConfig\nproviders:\n  - name: ecr\n  - name: gcp\n";
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
}

#[test]
fn an_entry_that_calls_the_helper_as_dockers_is_corrected_and_comes_back() {
    let bin_dir = Path::new(BINARY).parent().unwrap().to_str().unwrap();
    let head =
        "{apiVersion: kubelet.config.k8s.io/v1, kind: CredentialProviderConfig, providers: [";
    for args in ["", ", args: [get]", ", args: []"] {
        let node = node();
        let text = format!(
            "{head}{{name: docker-credential-beta9, matchImages: [ghcr.io], defaultCacheDuration: 1m{args}}}]}}\n"
        );
        let path = put(&node, "config", &text);
        let config = ["configure", "kubelet", "--config", path.to_str().unwrap()];
        let wire = ["--bin-dir", bin_dir, "--hosts", "ghcr.io"];
        succeeds(node.run(&[&config[..], &wire].concat(), ""));
        let new = yaml_of(&fs::read(&path).unwrap());
        let entry = &new["providers"][0];
        assert_eq!(entry["args"], yaml_of(b"[kubelet]"), "{text}");
        assert_eq!(entry["defaultCacheDuration"], yaml_of(b"1m"), "{text}");
        succeeds(node.run(&[&config[..], &["--undo"]].concat(), ""));
        assert_eq!(yaml_of(&fs::read(&path).unwrap()), yaml_of(text.as_bytes()));
    }
}

#[test]
fn what_only_clients_make_sense_of_stays_as_it_is_written() {
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    let text = format!(
        r#"{{"x":1e9999,"y":"\ud800","z":{deep},"credHelpers":{{"ghcr.io":null,"quay.io":""}}}}"#
    );
    let node = node();
    let path = put(&node, ".docker/config.json", &text);
    let squeezed = || {
        let text = fs::read_to_string(&path).unwrap();
        text.split_whitespace().collect::<String>()
    };
    succeeds(docker(&node, &["--hosts", "ghcr.io,quay.io"]));
    let wired = text
        .replace("null", "\"beta9\"")
        .replace(":\"\"", ":\"beta9\"");
    assert_eq!(squeezed(), wired);
    succeeds(docker(&node, &["--undo"]));
    assert_eq!(squeezed(), text.replace("null", "\"\""));
}

#[test]
fn a_refusal_has_a_code_for_programs() {
    for (args, file, code) in [
        (["--hosts", "ghcr.io/org"], "{}", "input.bad_server_url"),
        (["--hosts", "ghcr.io"], "[]", "client.file_broken"),
        (
            ["--hosts", "ghcr.io"],
            r#"{"credHelpers":{"ghcr.io":"pass"}}"#,
            "client.conflict",
        ),
        (
            ["--all", "--dry-run"],
            r#"{"credsStore":"pass"}"#,
            "client.conflict",
        ),
    ] {
        let node = node();
        put(&node, ".docker/config.json", file);
        let answer = docker(&node, &[args[0], args[1], "--json"]);
        let named = format!("\"code\":\"{code}\"");
        assert!(answer.err.contains(&named), "{answer:?}");
        assert_eq!((answer.status, answer.out.as_str()), (1, ""));
    }
}

#[test]
fn a_list_in_capitals_is_refused_and_an_empty_list_keeps_its_comment() {
    let node = node();
    let text = "Credential-Helpers = ['containers-auth.json']\n";
    let path = put(&node, ".config/containers/registries.conf", text);
    let answer = podman(&node, &["--all"]);
    assert!(answer.failure().contains("capital letters"), "{answer:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    fs::write(&path, "credential-helpers = [\n  # none yet\n]\n").unwrap();
    succeeds(podman(&node, &["--all"]));
    let wired = fs::read_to_string(&path).unwrap();
    assert!(
        wired.contains("# none yet") && wired.contains("\"beta9\""),
        "{wired}"
    );
    succeeds(podman(&node, &["--undo"]));
    assert!(fs::read_to_string(&path).unwrap().contains("# none yet"));
}

#[test]
fn a_kubelets_file_that_cannot_be_changed_safely_is_left_untouched() {
    let node = node();
    let bin_dir = Path::new(BINARY).parent().unwrap().to_str().unwrap();
    for text in [
        "kind: Pod\n",
        "kind: CredentialProviderConfig\nproviders: &a [{name: x}]\n",
        "kind: CredentialProviderConfig\nproviders: []\n---\nkind: Pod\n",
        "kind: CredentialProviderConfig\nproviders: []\nproviders: []\n",
        "{\"kind\":",
        "\t- x",
        "kind: CredentialProviderConfig\nproviders:\n-\tname: x\n",
    ] {
        let path = put(&node, "config", text);
        let answer = node.run(
            &[
                "configure",
                "kubelet",
                "--config",
                path.to_str().unwrap(),
                "--bin-dir",
                bin_dir,
            ],
            "",
        );
        assert!(
            answer.failure().starts_with(path.to_str().unwrap()),
            "{answer:?}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(files_in(node.home()), [path]);
    }
    let nowhere = node.run(
        &[
            "configure",
            "kubelet",
            "--config",
            "/nowhere/x",
            "--bin-dir",
            "/nowhere",
        ],
        "",
    );
    assert!(
        nowhere
            .failure()
            .contains("it is not in /nowhere, where the client looks for it")
    );
    assert_eq!(
        node.run(&["configure", "docker", "--config", "/x"], "")
            .failure(),
        "--config: it goes with kubelet; leave it out, or configure kubelet"
    );
}

#[test]
fn the_same_command_with_undo_added_takes_it_back() {
    let node = node();
    let text = "{\"credsStore\": \"desktop\"}\n";
    let path = put(&node, ".docker/config.json", text);
    for args in [
        ["--all", "--force"].as_slice(),
        &["--hosts", "ghcr.io,docker.io", "--force"],
    ] {
        succeeds(docker(&node, args));
        assert_ne!(fs::read_to_string(&path).unwrap(), text);
        succeeds(docker(&node, &[args, &["--undo"]].concat()));
        let now = fs::read(&path).unwrap();
        assert_eq!(json_of(&now), json_of(text.as_bytes()), "{args:?}");
    }
    succeeds(podman(&node, &["--all"]));
    assert!(succeeds(podman(&node, &["--all", "--undo"])).contains("is removed: there was none"));
    assert_eq!(files_in(node.home()), [path]);
}

#[test]
fn a_dry_run_of_undo_says_all_that_undo_would_say() {
    let node = node();
    let nothing = "nothing to undo: no configuration of docker names this helper\n";
    assert_eq!(succeeds(docker(&node, &["--undo", "--dry-run"])), nothing);
    let path = put(&node, ".docker/config.json", "{}\n");
    succeeds(docker(&node, &["--hosts", "ghcr.io,quay.io"]));
    let end = |told: &str| {
        told.lines()
            .rev()
            .take(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let told = succeeds(docker(&node, &["--undo", "--dry-run"]));
    let expected = [
        "nothing was changed (--dry-run)",
        &format!("{} would no longer name this helper", path.display()),
    ];
    assert_eq!(end(&told), expected);
    let theirs = fs::read_to_string(&path)
        .unwrap()
        .replace("\"quay.io\": \"beta9\"", "\"quay.io\": \"pass\"");
    fs::write(&path, &theirs).unwrap();
    let told = succeeds(docker(&node, &["--undo", "--dry-run"]));
    assert!(
        told.contains("would no longer name this helper\n"),
        "{told}"
    );
    assert!(
        told.contains(" quay.io (pass) is not this helper's any more, and would be left\n"),
        "{told}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), theirs);
}

#[test]
fn undo_of_a_file_that_is_gone_says_so() {
    let node = node();
    let path = put(&node, ".docker/config.json", "{\"psFormat\": \"x\"}\n");
    succeeds(docker(&node, &["--all"]));
    fs::remove_file(&path).unwrap();
    let gone = |would: &str| {
        let file = path.display();
        format!("{file} is gone; nothing {would} put back, and the note of what was changed in it ")
    };
    let told = succeeds(docker(&node, &["--undo", "--dry-run"]));
    assert!(
        told.starts_with(&gone("would be")) && told.contains("it would be removed\n"),
        "{told}"
    );
    assert_eq!(
        succeeds(docker(&node, &["--undo"])),
        gone("was") + "is removed\n"
    );
    assert!(files_in(node.home()).is_empty());
    assert!(succeeds(docker(&node, &["--undo"])).starts_with("nothing to undo"));
}

#[test]
fn what_is_in_plain_text_beside_the_helper_is_named_with_what_takes_it_over() {
    let node = node();
    let auth = "b2N0bzpodW50ZXIy";
    let text = format!(
        r#"{{"auths":{{"ghcr.io":{{"auth":"{auth}"}},"quay.io":{{"auth":"{auth}"}},"own.example":{{"auth":"{auth}"}}}},"credHelpers":{{"own.example":"pass"}}}}"#
    );
    let path = put(&node, ".docker/config.json", &text);
    let unused = |hosts: &str, lacking: &str| {
        format!(
            "note: {} has {hosts} in plain text, which docker does not use once it asks this helper{lacking}; this takes it over: \
             docker-credential-beta9 import docker --remove\n",
            path.display()
        )
    };
    let told = unfolded(&succeeds(docker(
        &node,
        &["--hosts", "ghcr.io", "--dry-run"],
    )));
    assert!(
        told.ends_with(&unused(
            "ghcr.io",
            ", and the store has nothing for ghcr.io"
        )),
        "{told}"
    );
    node.store("ghcr.io", "octo", "hunter2");
    let told = unfolded(&succeeds(docker(
        &node,
        &["--hosts", "ghcr.io", "--dry-run"],
    )));
    assert!(told.ends_with(&unused("ghcr.io", "")), "{told}");
    let told = unfolded(&succeeds(docker(&node, &["--all"])));
    assert!(
        told.ends_with(&unused(
            "ghcr.io, quay.io",
            ", and the store has nothing for quay.io"
        )),
        "{told}"
    );
    assert_eq!(node.run(&["import", "docker", "--remove"], "").status, 0);
    assert_eq!(node.pair("quay.io"), ("octo".into(), "hunter2".into()));
    assert!(!succeeds(docker(&node, &["--hosts", "ghcr.io"])).contains("plain text"));
}

#[test]
fn a_podmans_file_that_is_asked_first_is_named() {
    let node = node();
    let run = node.home().join("run");
    let node = node.with("XDG_RUNTIME_DIR", run.to_str().unwrap());
    let session = put(
        &node,
        "run/containers/auth.json",
        r#"{"auths":{"ghcr.io":{"auth":"b2N0bzpodW50ZXIy"}}}"#,
    );
    let told = unfolded(&succeeds(podman(&node, &["--hosts", "ghcr.io"])));
    let expected = format!(
        "note: {} has ghcr.io in plain text, which podman uses first; this takes it over: docker-credential-beta9 import podman --remove\n",
        session.display()
    );
    assert!(told.contains(&expected), "{told}");
}

#[test]
fn the_json_of_a_dry_run_says_whether_it_would_change_anything() {
    let node = node();
    let flags = |args: &[&str]| {
        let answer = succeeds(docker(&node, &[args, &["--json"]].concat()));
        let object = json::parse_object(answer.as_bytes()).unwrap();
        ["changed", "would_change"]
            .map(|name| object.get(name).map(|value| *value == Value::Bool(true)))
    };
    assert_eq!(flags(&["--undo", "--dry-run"]), [Some(false), Some(false)]);
    assert_eq!(flags(&["--all", "--dry-run"]), [Some(false), Some(true)]);
    assert_eq!(flags(&["--all"]), [Some(true), None]);
    assert_eq!(flags(&["--all", "--dry-run"]), [Some(false), Some(false)]);
    assert_eq!(flags(&["--undo", "--dry-run"]), [Some(false), Some(true)]);
    assert_eq!(flags(&["--undo"]), [Some(true), None]);
}

#[test]
fn kubelet_is_reported_of_the_stores_registries_and_of_those_that_rules_name() {
    let rules = "[[registry]]\nhost = \"Mirror.example/team\"\n[[registry]]\nhost = \"open.example\"\nbackend = \"public\"\n\
                 [[registry]]\nhost = \"docker.io\"\n[[registry]]\nhost = \"*.Wide.example/team\"\n\
                 [[registry]]\nhost = \"*.wide.example:5000\"\n[[registry]]\nhost = \"123456789012.dkr.ecr.*.amazonaws.com\"\n\
                 [[registry]]\nhost = \"*.open.example\"\nbackend = \"public\"\n";
    let node = node().configured(rules);
    let kept = [
        "registry.example.com:5000",
        "a.example",
        "a.wide.example",
        "a.wide.example:8443",
        "ghcr.io",
        "ghcr.io:8443",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com",
        "[::1]:5000",
        HUB,
    ];
    for host in kept {
        node.store(host, "octo", "s");
    }
    let bin_dir = Path::new(BINARY).parent().unwrap().to_str().unwrap();
    let path = node.home().join("provider.yaml");
    let run = |args: &[&str]| {
        let config = [
            "configure",
            "kubelet",
            "--config",
            path.to_str().unwrap(),
            "--bin-dir",
            bin_dir,
        ];
        node.run(&[config.as_slice(), args].concat(), "")
    };
    let told = succeeds(run(&[]));
    assert!(
        told.contains("\nnote: [::1]:5000 is left out: kubelet matches no IPv6 addresses\n"),
        "{told}"
    );
    let text = fs::read_to_string(&path).unwrap();
    let (_, images) = text.split_once("matchImages:\n").unwrap();
    let images: Vec<&str> = images
        .lines()
        .map(|line| line.trim().trim_start_matches("- ").trim_matches('\''))
        .collect();
    let table = match_images();
    assert_eq!(images[..table.len()], table);
    let beyond = [
        "*.wide.example",
        "*.wide.example:5000",
        "a.example",
        "a.wide.example:8443",
        "ghcr.io:8443",
    ];
    assert_eq!(
        images[table.len()..],
        [
            &beyond[..],
            &["mirror.example", "registry.example.com:5000"]
        ]
        .concat()
    );
    assert!(succeeds(run(&[])).starts_with("nothing to do: "));

    for (flag, cause) in [
        (
            "--all",
            "kubelet has no pattern for every registry; leave it out for all registries that this helper knows and the store lists",
        ),
        (
            "--system",
            "a kubelet's file is the whole machine's already; leave it out",
        ),
    ] {
        assert_eq!(run(&[flag]).failure(), format!("{flag}: {cause}"));
    }
}

#[test]
fn kubelets_file_is_made_also_while_the_store_cannot_be_listed() {
    let node = node().configured("[store.file]\npath = \"here\"\n");
    let bin_dir = Path::new(BINARY).parent().unwrap().to_str().unwrap();
    let path = node.home().join("provider.yaml");
    let told = succeeds(node.run(
        &[
            "configure",
            "kubelet",
            "--config",
            path.to_str().unwrap(),
            "--bin-dir",
            bin_dir,
        ],
        "",
    ));
    let told = unfolded(&told);
    assert!(
        told.contains("note: registries of the store may be left out: configuration "),
        "{told}"
    );
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        match_images()
            .iter()
            .all(|image| text.contains(&format!("- {image}\n"))
                || text.contains(&format!("- '{image}'\n"))),
        "{text}"
    );
}

/// What an ordinary user is told, anyone who runs this test: root goes through its own door.
#[test]
fn who_may_read_or_write_the_file_decides_what_is_advised() {
    let node = node();
    let path = put(&node, ".docker/config.json", "{}");
    let mode =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let run = |user: Option<u32>| {
        let mut command = node.command(&["configure", "docker", "--all"]);
        if let Some(user) = user {
            command.uid(user);
        }
        command.spawn().ok().map(Answer::of)
    };
    let dir = path.parent().unwrap();
    if !rustix::process::geteuid().is_root() {
        mode(&path, 0o000);
        let fix = format!(
            "(Permission denied (os error 13)); chmod u+r {}",
            path.display()
        );
        assert!(run(None).unwrap().failure().ends_with(&fix));
        mode(&path, 0o600);
        mode(dir, 0o000);
        let answer = run(None).unwrap();
        mode(dir, 0o700);
        assert!(
            answer
                .failure()
                .ends_with(&format!("; chmod u+x {}", dir.display())),
            "{answer:?}"
        );
        return;
    }
    mode(node.home(), 0o755);
    mode(dir, 0o700);
    // Where nobody may run the program, there is nothing to be seen.
    let Some(answer) = run(Some(NOBODY)) else {
        return;
    };
    assert!(answer.failure().ends_with(
        "it cannot be read (Permission denied (os error 13)); run this as root, or with sudo"
    ));
    mode(dir, 0o755);
    let answer = run(Some(NOBODY)).unwrap();
    assert!(
        answer
            .failure()
            .ends_with("; nothing was changed; run this as root, or with sudo"),
        "{answer:?}"
    );
    chown(&path, Some(NOBODY), None).unwrap();
    mode(&path, 0o000);
    let answer = run(Some(NOBODY)).unwrap();
    assert!(
        answer
            .failure()
            .ends_with(&format!("; chmod u+r {}", path.display())),
        "{answer:?}"
    );
    assert_eq!(fs::read(&path).unwrap(), b"{}");
}

#[test]
fn a_store_out_of_reach_is_not_taken_for_an_empty_one() {
    // Nothing listens on port 1.
    let node = node()
        .with("BETA9_STORE", "gateway")
        .with("BETA9_GATEWAY_URL", "http://127.0.0.1:1")
        .with("BETA9_TOKEN", "t");
    let answer = docker(&node, &[]);
    let line = answer.failure();
    assert!(
        line.starts_with("configure: the store's registries cannot be listed (gateway"),
        "{line}"
    );
    assert!(line.ends_with("; name them with --hosts"), "{line}");
    let bin_dir = Path::new(BINARY).parent().unwrap().to_str().unwrap();
    let path = node.home().join("provider.yaml");
    let run = [
        "configure",
        "kubelet",
        "--config",
        path.to_str().unwrap(),
        "--bin-dir",
        bin_dir,
    ];
    let told = unfolded(&succeeds(node.run(&run, "")));
    assert!(
        told.contains("note: registries of the store may be left out: gateway"),
        "{told}"
    );
}
