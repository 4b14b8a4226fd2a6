//! `configure` on clients' files: what it writes, what it undoes, and what is left if it is killed.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use beta9_credential::client::{AuthFile, Registries, RegistriesPlaces, Scope};
use beta9_credential::config::Env;
use common::{Answer, BINARY, Node};

fn bin_dir() -> &'static str {
    Path::new(BINARY).parent().unwrap().to_str().unwrap()
}

fn node() -> Node {
    Node::new().with("PATH", bin_dir())
}

fn put(node: &Node, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = node.home().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

fn configure(node: &Node, args: &[&str]) -> String {
    let Answer { status, out, err } = node.run(&[&["configure"], args].concat(), "");
    assert_eq!((status, err.as_str()), (0, ""), "{args:?}: {out}");
    out
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn registries_of(node: &Node) -> Registries {
    let env = Env::of([("HOME", node.home().to_str().unwrap())]);
    Registries::read(RegistriesPlaces::of(&env, Scope::User)).unwrap()
}

#[test]
fn a_line_for_podman_never_lands_inside_a_value_of_several_lines() {
    for before in [
        "x.y = [\n  \"a\", # one\n  \"b\"\n]\n",
        "[aliases]\nx = \"\"\"\n[a]\n\"\"\"\n",
        "x = \"\"\"\n[a]\n\"\"\"\n[b]\n",
        "x.y = '''\ncredential-helpers = [1]\n'''\n[[registry]]\nlocation = \"[z]\"\n",
    ] {
        let node = node();
        let path = put(&node, ".config/containers/registries.conf", before);
        configure(&node, &["podman", "--all"]);
        let mut table: toml::Table = text(&path).parse().unwrap();
        let helpers = table.remove("credential-helpers").unwrap();
        assert_eq!(
            helpers,
            vec!["beta9", "containers-auth.json"].into(),
            "{before}"
        );
        assert_eq!(table, before.parse().unwrap(), "{before}");
        configure(&node, &["podman", "--undo"]);
        assert_eq!(text(&path), before);
    }
}

#[test]
fn a_registry_is_wired_under_the_key_as_typed_too() {
    for (client, file) in [
        ("docker", ".docker/config.json"),
        ("podman", ".config/containers/auth.json"),
    ] {
        let node = node();
        let auth = r#"{"auths":{"reg.example.com:443":{"auth":"b2N0bzpodW50ZXIy"}}}"#;
        let path = put(&node, file, auth);
        configure(&node, &[client, "--hosts", "reg.example.com:443,GHCR.io"]);
        let wired = AuthFile::read(&path).unwrap().unwrap();
        let keys: Vec<_> = wired.cred_helpers.iter().map(|(key, _)| key).collect();
        assert_eq!(
            keys,
            [
                "reg.example.com",
                "reg.example.com:443",
                "ghcr.io",
                "GHCR.io"
            ]
        );
    }
    let (node, path) = (node(), "provider.yaml");
    let path = node.home().join(path);
    let args = ["--config", path.to_str().unwrap(), "--bin-dir", bin_dir()];
    let hosts = ["kubelet", "--hosts", "reg.example.com:443"];
    configure(&node, &[&hosts[..], &args].concat());
    assert!(text(&path).contains("- reg.example.com\n      - reg.example.com:443\n"));
}

/// A library that makes the sync of a directory fail and lets all else through.
fn without_sync_of_directories(dir: &Path) -> PathBuf {
    let (source, library) = (dir.join("shim.c"), dir.join("shim.so"));
    let code = "#include <errno.h>\n#include <sys/stat.h>\n#include <sys/syscall.h>\n#include <unistd.h>\n\
        int fsync(int fd) { struct stat s; if (!fstat(fd, &s) && S_ISDIR(s.st_mode)) { errno = EIO; return -1; }\n\
        return syscall(SYS_fsync, fd); }\n";
    fs::write(&source, code).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"])
        .args([&library, &source]);
    assert!(cc.status().unwrap().success());
    library
}

#[test]
fn a_change_whose_directory_cannot_be_synced_is_called_a_change_and_can_be_undone() {
    let node = node();
    let path = put(&node, ".docker/config.json", "{\"detachKeys\": \"x\"}\n");
    let library = without_sync_of_directories(node.home());
    let run = |args: &[&str]| {
        let mut command = node.command(&[&["configure", "docker"], args].concat());
        Answer::of(command.env("LD_PRELOAD", &library).spawn().unwrap())
    };
    let answer = run(&["--all"]);
    let line = answer.failure();
    assert!(
        line.starts_with(&format!("{}: it is changed, ", path.display())),
        "{line}"
    );
    assert!(!line.contains("nothing was changed"), "{line}");
    assert!(text(&path).contains("\"credsStore\": \"beta9\""));
    configure(&node, &["docker", "--undo"]);
    assert_eq!(text(&path), "{\n\t\"detachKeys\": \"x\"\n}\n");
    assert_eq!(names_in(path.parent().unwrap()), ["config.json"]);
}

#[test]
fn a_kill_at_any_instant_leaves_a_whole_file_and_no_lasting_password() {
    let node = node();
    let auth = |at| format!("\"r{at}.example\":{{\"auth\":\"hunter2\"}}");
    let auths: Vec<String> = (0..2000).map(auth).collect();
    let old = format!("{{\"auths\":{{{}}}}}", auths.join(","));
    let path = put(&node, ".docker/config.json", &old);
    let dir = path.parent().unwrap();
    // The kills are spread over twice the time that a whole run takes on this machine.
    let started = Instant::now();
    (0..3).for_each(|_| _ = node.run(&["configure", "docker", "--hosts", "a.example"], ""));
    let span = started.elapsed() * 2 / 3;
    let (mut killed, mut wired) = (0, 0);
    for round in 0..60u32 {
        fs::write(&path, &old).unwrap();
        let mut run = node.start(&["configure", "docker", "--hosts", "ghcr.io"], b"");
        std::thread::sleep(span * (round * 7 % 60) / 60);
        _ = run.kill();
        killed += u32::from(run.wait().unwrap().code().is_none());
        let file = AuthFile::read(&path).unwrap().unwrap();
        assert_eq!(file.auths.len(), 2000, "round {round}");
        wired += u32::from(file.helper("ghcr.io") == Some("beta9"));
    }
    assert!(
        killed > 0 && wired > 0 && wired < 60,
        "the kills came too late or too early to show anything: {killed} killed, {wired} wired"
    );
    // What a kill may leave between the name and the rename, and what one of an earlier run did.
    fs::write(dir.join(".config.json.beta9-new"), "hunter2").unwrap();
    configure(&node, &["docker", "--hosts", "quay.io"]);
    assert_eq!(names_in(dir), ["config.json", "config.json.beta9-undo"]);
    assert!(!text(&dir.join("config.json.beta9-undo")).contains("hunter2"));
}

#[test]
fn podman_asks_this_helper_before_the_auth_files_so_that_its_login_stores_here() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/samples/registries.conf");
    let node = node();
    let path = put(
        &node,
        ".config/containers/registries.conf",
        fs::read(sample).unwrap(),
    );
    assert!(registries_of(&node).stores_here());
    assert!(configure(&node, &["podman", "--all"]).starts_with("nothing to do: "));
    // The other way round, a login goes into a file.
    let wrong = "credential-helpers = [\n  \"containers-auth.json\", # files\n  \"beta9\",\n]\n";
    fs::write(&path, wrong).unwrap();
    assert!(!registries_of(&node).stores_here());
    for way in [&["--all"][..], &["--hosts", "ghcr.io"]] {
        fs::write(&path, wrong).unwrap();
        configure(&node, &[&["podman"], way].concat());
        let helpers = registries_of(&node);
        assert_eq!(helpers.helpers(), ["beta9", "containers-auth.json"]);
        assert!(text(&path).contains("# files"));
    }
}

#[test]
fn a_clients_json_keeps_order_numbers_and_spelling_in_dockers_layout() {
    let node = node();
    let old = r#"{"zeta":1.50,"alpha":{"n":12345678901234567890123,"e":1e40,"t":"\u003c\/é"},"credHelpers":{"b.example":"pass"},"list":[1,[],{}]}"#;
    let path = put(&node, ".docker/config.json", old);
    configure(&node, &["docker", "--hosts", "a.example"]);
    let head = "{\n\t\"zeta\": 1.50,\n\t\"alpha\": {\n\t\t\"n\": 12345678901234567890123,\n\t\t\"e\": 1e40,\n\t\t\"t\": \"\\u003c\\/é\"\n\t},\n\t\"credHelpers\": {\n\t\t\"b.example\": \"pass\"";
    let tail = "\n\t},\n\t\"list\": [\n\t\t1,\n\t\t[],\n\t\t{}\n\t]\n}";
    let wired = ",\n\t\t\"a.example\": \"beta9\"";
    assert_eq!(text(&path), [head, wired, tail].concat());
    configure(&node, &["docker", "--undo"]);
    assert_eq!(text(&path), [head, tail].concat());
}

#[test]
fn a_key_that_stands_twice_is_refused_and_named_so() {
    for twice in [
        r#"{"credHelpers":{"a.example":"x","a.example":"y"}}"#,
        r#"{"auths":{"a":{"auth":"hunter2"},"a":{}}}"#,
        r#"{"credHelpers":{},"credhelpers":{}}"#,
    ] {
        let node = node();
        let path = put(&node, ".docker/config.json", twice);
        let answer = node.run(&["configure", "docker", "--hosts", "ghcr.io"], "");
        assert!(answer.failure().contains("twice"), "{answer:?}");
        assert!(!answer.failure().contains("hunter2"), "{answer:?}");
        assert_eq!(text(&path), twice);
    }
}

#[test]
fn undo_takes_out_what_somebody_wired_by_hand() {
    let node = node();
    let by_hand =
        "{\"credHelpers\":{\"ghcr.io\":\"beta9\",\"b.example\":\"pass\"},\"credsStore\":\"beta9\"}";
    let path = put(&node, ".docker/config.json", by_hand);
    configure(&node, &["docker", "--undo"]);
    let left = "{\n\t\"credHelpers\": {\n\t\t\"b.example\": \"pass\"\n\t}\n}";
    assert_eq!(text(&path), left);
    let conf = "credential-helpers = [\"beta9\", \"pass\"] # mine\n";
    let path = put(&node, ".config/containers/registries.conf", conf);
    configure(&node, &["podman", "--undo"]);
    assert_eq!(text(&path), "credential-helpers = [\"pass\"] # mine\n");
    assert!(configure(&node, &["podman", "--undo"]).starts_with("nothing to undo"));
}

#[test]
fn what_version_0_1_noted_is_undone() {
    let node = node();
    let noted = r#"{"form":"json","made":false,"dirs":"0","before":"a","after":"b","changes":["1","","\"credHelpers\":{}"],"keys":["credHelpers","=ghcr.io","=pass","credHelpers","=quay.io","","credsStore","","=desktop"]}"#;
    let wired = r#"{"credHelpers":{"ghcr.io":"beta9","quay.io":"beta9"},"credsStore":"beta9"}"#;
    let path = put(&node, ".docker/config.json", wired);
    put(&node, ".docker/config.json.beta9-undo", noted);
    configure(&node, &["docker", "--undo"]);
    let before = "{\n\t\"credHelpers\": {\n\t\t\"ghcr.io\": \"pass\"\n\t},\n\t\"credsStore\": \"desktop\"\n}";
    assert_eq!(text(&path), before);
    assert_eq!(names_in(path.parent().unwrap()), ["config.json"]);

    let noted = r#"{"form":"toml","made":true,"dirs":"0","before":"a","after":"b","changes":["0","","credential-helpers = [\"beta9\", \"containers-auth.json\"]\n"],"keys":["credential-helpers","",""]}"#;
    let dir = ".config/containers/registries.conf.d";
    let line = "credential-helpers = [\"beta9\", \"containers-auth.json\"]\n";
    let path = put(&node, &format!("{dir}/beta9.conf"), line);
    put(&node, &format!("{dir}/beta9.conf.beta9-undo"), noted);
    configure(&node, &["podman", "--undo"]);
    assert!(names_in(path.parent().unwrap()).is_empty());

    // What only its own places could bring back is not guessed at.
    let noted = r#"{"form":"text","made":false,"dirs":"0","before":"a","after":"b","changes":["9","- name: x\n  matchImages: []\n","y"],"keys":[]}"#;
    let config = "kind: CredentialProviderConfig\nproviders:\n  - name: docker-credential-beta9\n";
    let path = put(&node, "k.yaml", config);
    put(&node, "k.yaml.beta9-undo", noted);
    let undo = ["configure", "kubelet", "--undo", "--config"];
    let answer = node.run(&[&undo[..], &[path.to_str().unwrap()]].concat(), "");
    assert!(answer.failure().contains("version 0.1"), "{answer:?}");
    assert_eq!(text(&path), config);
}

#[test]
fn a_configuration_directory_of_kubelets_gets_a_file_of_its_own() {
    let node = node();
    let ecr = "kind: CredentialProviderConfig\napiVersion: kubelet.config.k8s.io/v1\nproviders:\n  - name: ecr\n";
    let other = put(&node, "providers.d/10-ecr.yaml", ecr);
    put(&node, "providers.d/README", "not kubelet's");
    let dir = other.parent().unwrap();
    let args = ["--config", dir.to_str().unwrap(), "--hosts", "ghcr.io"];
    let answer = node.run(&[&["configure", "kubelet"], &args[..]].concat(), "");
    assert!(answer.failure().contains("it has ecr too"), "{answer:?}");
    let args = [&["kubelet", "--bin-dir", bin_dir()], &args[..]].concat();
    let told = configure(&node, &args);
    let flag = format!("--image-credential-provider-config={}\n", dir.display());
    assert!(told.contains(&flag), "{told}");
    let own = dir.join("docker-credential-beta9.yaml");
    assert!(text(&own).contains("- ghcr.io\n"));
    assert_eq!(text(&other), ecr);
    assert!(configure(&node, &args).starts_with("nothing to do: "));
    configure(&node, &[&args[..], &["--undo"]].concat());
    assert_eq!(names_in(dir), ["10-ecr.yaml", "README"]);

    // An entry that is in one of the files is the one that counts: kubelet takes no provider twice.
    let both =
        format!("{ecr}  - name: docker-credential-beta9\n    matchImages:\n      - quay.io\n");
    fs::write(&other, &both).unwrap();
    configure(&node, &[&args[..], &["--force"]].concat());
    assert_eq!(
        names_in(dir),
        ["10-ecr.yaml", "10-ecr.yaml.beta9-undo", "README"]
    );
    assert!(text(&other).contains("- ghcr.io\n"));
}
