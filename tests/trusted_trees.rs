//! Legitimate directory trees are accepted: those of Kubernetes, OpenShift, Nix and rootless podman; and which files
//! the helper opens in them.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::too_many_lines, reason = "one trace is read for many stores")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::ecr::{self, Ecr, HOST, blob};
use common::gateway::{Gateway, TOKEN, certificates};
use common::postgres::Database;
use common::users::{ALICE, BOB, Machine, TOOLS, answered, chmod, skip};
use common::worker::{self, Gateway as WorkerApi, WORKSPACE};
use common::{Answer, BINARY, Node, store_request};

/// That what is stored is answered, and nothing is warned of.
fn assert_works(machine: &Machine, user: (u32, u32), variables: &[(&str, &str)]) {
    let request = store_request("ghcr.io", "u", "s");
    assert_eq!(
        machine.run_in(user, &["store"], variables, &request),
        Answer::silence()
    );
    let answer = machine.run_in(user, &["get"], variables, "ghcr.io");
    assert!(
        answer.status == 0 && answer.out.contains("\"Secret\":\"s\"") && answer.err.is_empty(),
        "{answer:?}"
    );
    let listed = machine.run_in(user, &["list"], variables, "");
    assert_eq!(
        (listed.status, listed.out.as_str()),
        (0, "{\"ghcr.io\":\"u\"}\n"),
        "{listed:?}"
    );
}

#[test]
fn a_projected_kubernetes_volume_is_read_through_its_links() {
    let name = "a_projected_kubernetes_volume_is_read_through_its_links";
    let Some(machine) = Machine::new(name) else {
        return;
    };
    let gateway = Gateway::start();
    // As kubelet makes it: a sticky directory, and links that it turns to another directory when something changes.
    machine.dir("volume", 0, 0o1777);
    let text = |token: &str, mode: u32| {
        let (dir, data) = (
            format!("volume/..{token}"),
            format!("volume/..{token}/token"),
        );
        machine.dir(&dir, 0, 0o755);
        machine.file(&data, 0, mode, token);
    };
    text(TOKEN, 0o440);
    machine.link("volume/..data", 0, &format!("..{TOKEN}"));
    let token = machine.link("volume/token", 0, "..data/token");
    let config = format!(
        "[store]\nkind = \"gateway\"\n[store.gateway]\nurl = \"{}\"\ntoken_file = \"{}\"\n",
        gateway.url(),
        token.display()
    );
    machine.file(&format!("volume/..{TOKEN}/config.toml"), 0, 0o644, &config);
    let config = machine.link("volume/config.toml", 0, "..data/config.toml");
    // fsGroup of the pod.
    let data = machine.at(&format!("volume/..{TOKEN}/token"));
    chown(&data, Some(0), Some(2000)).unwrap();
    let variables = [("BETA9_CREDENTIAL_CONFIG", config.to_str().unwrap())];
    for user in [(0, 0), (ALICE, 2000)] {
        assert_eq!(
            machine.run_in(user, &["get"], &variables, "quay.io"),
            Answer::not_found()
        );
    }
    // What somebody else has put into it is not followed.
    fs::remove_file(&config).unwrap();
    machine.link("volume/config.toml", BOB, "..data/config.toml");
    let answer = machine.run_as(0, &["get"], &variables, "quay.io");
    let refused = format!(
        "{} belongs to uid {BOB}, and this is uid 0; ",
        config.display()
    );
    assert!(answer.failure().contains(&refused), "{answer:?}");
}

#[test]
fn a_named_store_in_an_empty_dir_works_with_a_warning() {
    let name = "a_named_store_in_an_empty_dir_works_with_a_warning";
    let Some(machine) = Machine::new(name) else {
        return;
    };
    let closed = machine.dir("pod", 0, 0o700);
    let volume = machine.dir("pod/volume", 0, 0o777);
    let store = volume.join("credentials");
    let variables = [
        ("BETA9_STORE_PATH", store.to_str().unwrap()),
        ("HOME", "/proc/none"),
    ];
    let warned = format!(
        "{} can be written by others (mode 0777); let nobody else reach it",
        volume.display()
    );
    let works = |run: &dyn Fn(&str, &str) -> Answer| {
        let stored = run("store", &store_request("ghcr.io", "u", "s"));
        assert!(
            stored.status == 0 && stored.err.contains(&warned),
            "{stored:?}"
        );
        let answer = run("get", "ghcr.io");
        assert!(
            answer.status == 0 && answer.out.contains("\"Secret\":\"s\""),
            "{answer:?}"
        );
        assert!(
            answer.err.contains(&warned) && answer.err.lines().count() == 1,
            "{answer:?}"
        );
    };
    works(&|verb, input| machine.run_as(0, &[verb], &variables, input));
    // Without what is closed around it, it is anybody's.
    chmod(&closed, 0o755);
    let answer = machine.run_as(0, &["get"], &variables, "ghcr.io");
    assert!(
        answer
            .failure()
            .contains("which can be written by others (mode 0777); chmod go-w "),
        "{answer:?}"
    );
    // But where it is mounted, as in a pod: no other user is there.
    let mounts = format!("mount --bind {0} {0}", volume.display());
    let run = |verb: &str, input: &str| machine.run_mounted(&mounts, &[verb], &variables, input);
    if run("version", "").is_none() {
        return skip(name, "nothing may be mounted here");
    }
    works(&|verb, input| run(verb, input).unwrap());
    // The home directory may be one too.
    let variables = [("HOME", volume.to_str().unwrap())];
    works(&|verb, input| {
        machine
            .run_mounted(&mounts, &[verb], &variables, input)
            .unwrap()
    });
}

#[test]
fn a_home_that_root_owns_is_the_home_of_any_user_of_openshift() {
    let name = "a_home_that_root_owns_is_the_home_of_any_user_of_openshift";
    let Some(machine) = Machine::new(name) else {
        return;
    };
    let home = machine.dir("app", 0, 0o775);
    machine.dir("app/.config/beta9", 0, 0o775);
    machine.file(
        "app/.config/beta9/credential-helper.toml",
        0,
        0o664,
        "workspace = \"w\"\n",
    );
    // A number that is nobody's, in root's group.
    let user = (1_000_650_000, 0);
    let variables = [("HOME", home.to_str().unwrap())];
    let configured = machine.run_in(user, &["explain", "ghcr.io"], &variables, "");
    if users_of_root_group().is_empty() {
        assert!(configured.status == 0, "{configured:?}");
        assert_works(&machine, user, &variables);
    } else {
        assert!(
            configured.failure().contains("can be written by others"),
            "{configured:?}"
        );
    }
}

fn users_of_root_group() -> String {
    let groups = fs::read_to_string("/etc/group").unwrap();
    let root = groups
        .lines()
        .find(|line| line.split(':').nth(2) == Some("0"))
        .unwrap_or_default();
    root.split(':')
        .nth(3)
        .unwrap_or_default()
        .replace("root", "")
}

#[test]
fn files_of_the_users_private_group_may_be_written_by_it() {
    let name = "files_of_the_users_private_group_may_be_written_by_it";
    let Some(machine) = Machine::new(name) else {
        return;
    };
    // What a umask of 002 makes.
    let home = machine.dir("alice", ALICE, 0o775);
    machine.dir("alice/.config/beta9", ALICE, 0o775);
    machine.dir("alice/.local/share/beta9", ALICE, 0o775);
    let config = machine.file(
        "alice/.config/beta9/credential-helper.toml",
        ALICE,
        0o664,
        "workspace = \"w\"\n",
    );
    let variables = [("HOME", home.to_str().unwrap())];
    assert_works(&machine, (ALICE, ALICE), &variables);
    // Another group is somebody else.
    chown(&config, None, Some(BOB)).unwrap();
    let answer = machine.run_as(ALICE, &["get"], &variables, "ghcr.io");
    let refused = format!(
        "configuration: {0} can be written by others (mode 0664); chmod go-w {0}",
        config.display()
    );
    assert_eq!(answer.failure(), refused);
    // Unless it cannot get there.
    chmod(&home, 0o700);
    assert_works(&machine, (ALICE, ALICE), &variables);
}

#[test]
fn a_configuration_in_a_nix_store_is_read_through_its_links() {
    let name = "a_configuration_in_a_nix_store_is_read_through_its_links";
    let Some(machine) = Machine::new(name) else {
        return;
    };
    // Builders of the group may add to the store, whose sticky bit keeps everything else root's.
    machine.dir("nix", 0, 0o755);
    let store = machine.dir("nix/store", 0, 0o1775);
    chown(&store, Some(0), Some(30_000)).unwrap();
    machine.dir("nix/store/1abc-config", 0, 0o755);
    machine.file(
        "nix/store/1abc-config/credential-helper.toml",
        0,
        0o444,
        "workspace = \"of-nix\"\n",
    );
    chmod(&machine.at("nix/store/1abc-config"), 0o555);
    let home = machine.dir("alice", ALICE, 0o700);
    machine.dir("alice/.config/beta9", ALICE, 0o755);
    let target = store.join("1abc-config/credential-helper.toml");
    machine.link(
        "alice/.config/beta9/credential-helper.toml",
        ALICE,
        target.to_str().unwrap(),
    );
    let variables = [("HOME", home.to_str().unwrap())];
    assert_works(&machine, (ALICE, ALICE), &variables);
    let answer = machine.run_as(ALICE, &["doctor", "--json"], &variables, "");
    assert!(answer.out.contains("workspace of-nix"), "{answer:?}");
}

#[test]
fn in_a_user_namespace_only_the_hosts_root_owns_directories_and_system_files() {
    // As podman without root calls the helper: as uid 0 of a namespace, in which the host's root has no number.
    let name = "in_a_user_namespace_only_the_hosts_root_owns_directories_and_system_files";
    let Some(machine) = Machine::new(name) else {
        return;
    };
    let home = machine.dir("alice", ALICE, 0o700);
    let run = |script: &str, args: &[&str], variables: &[(&str, &str)], input: &str| {
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid=12345",
            "--regid=12345",
            "--clear-groups",
            "unshare",
            "--user",
            "--map-root-user",
        ]);
        command.args([
            "--mount",
            "/bin/sh",
            "-c",
            &format!("{script} || exit 99; exec \"$0\" \"$@\""),
        ]);
        command
            .arg(&machine.helper)
            .args(args)
            .env_clear()
            .env("PATH", TOOLS)
            .envs(variables.iter().copied());
        answered(command, input)
    };
    let variables = [("HOME", home.to_str().unwrap()), ("BETA9_CACHE", "off")];
    let stored = run(
        "true",
        &["store"],
        &variables,
        &store_request("ghcr.io", "u", "s"),
    );
    if stored.status == 99
        || stored.err.starts_with("unshare:")
        || stored.err.starts_with("setpriv:")
    {
        return skip(name, "there are no user namespaces here");
    }
    assert_eq!(stored, Answer::silence());
    let answer = run("true", &["get"], &variables, "ghcr.io");
    assert!(
        answer.status == 0 && answer.out.contains("\"Secret\":\"s\"") && answer.err.is_empty(),
        "{answer:?}"
    );
    // Who is not in the namespace looks like root there: a file of theirs is obeyed as little as one of the host's root.
    machine.dir("etc", 0, 0o755);
    for owner in [BOB, 0] {
        let config = machine.file("etc/config.toml", owner, 0o644, "workspace = \"steered\"\n");
        let named = [
            variables[0],
            ("BETA9_CREDENTIAL_CONFIG", config.to_str().unwrap()),
        ];
        let answer = run("true", &["get"], &named, "ghcr.io");
        let refused = format!(
            "{} belongs to uid 65534, and this is uid 0; ",
            config.display()
        );
        assert!(answer.failure().contains(&refused), "{answer:?}");
    }
    // Where anybody makes names, a link of that uid may be anybody's.
    machine.dir("tmp", 0, 0o1777);
    let link = machine.link("tmp/config.toml", BOB, "../alice/config.toml");
    machine.file(
        "alice/config.toml",
        ALICE,
        0o644,
        "workspace = \"steered\"\n",
    );
    let named = [
        variables[0],
        ("BETA9_CREDENTIAL_CONFIG", link.to_str().unwrap()),
    ];
    let answer = run("true", &["get"], &named, "ghcr.io");
    assert!(
        answer
            .failure()
            .contains("tmp/config.toml belongs to uid 65534, and this is uid 0"),
        "{answer:?}"
    );
    // The system's own file is at a place where only root makes any.
    machine.dir("etc/beta9", 0, 0o755);
    machine.file(
        "etc/beta9/credential-helper.toml",
        0,
        0o644,
        "workspace = \"of-the-system\"\n",
    );
    let mount = format!("mount --bind {} /etc", machine.at("etc").display());
    let answer = run(&mount, &["doctor", "--json"], &variables, "");
    if answer.status == 99 {
        return skip(name, "nothing may be mounted here");
    }
    assert!(answer.out.contains("workspace of-the-system"), "{answer:?}");
}

/// A file of the node's that holds a secret.
fn secret_in(node: &Node, name: &str, text: &str) -> String {
    let path = node.home().join(name);
    fs::write(&path, text).unwrap();
    chmod(&path, 0o600);
    path.to_str().unwrap().to_owned()
}

/// The calls of a process by their order: name, arguments, result.
fn calls(trace: &Path) -> Vec<(String, String, i64)> {
    let text = fs::read_to_string(trace).unwrap();
    let call = |line: &str| {
        let (call, result) = line.rsplit_once(" = ")?;
        let (name, arguments) = call.split_once('(')?;
        let name = name.split_whitespace().last()?;
        Some((
            name.to_owned(),
            arguments.to_owned(),
            result.split_whitespace().next()?.parse().ok()?,
        ))
    };
    text.lines().filter_map(call).collect()
}

#[test]
fn controlling_and_secret_files_are_opened_without_blocking_and_checked_first() {
    let name = "controlling_and_secret_files_are_opened_without_blocking_and_checked_first";
    if Command::new("strace")
        .arg("-V")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_err()
    {
        return skip(name, "strace is not installed");
    }
    let (ecr, gateway) = (Ecr::start(), Gateway::start());
    let hour = Duration::from_hours(1);
    let of_the_file_store = ecr.node();
    ecr::keep(&of_the_file_store, "default", HOST, &ecr::blob(HOST));
    ecr.plant(&of_the_file_store, "default", HOST, (hour, 10 * hour));
    let token = of_the_file_store.home().join("token");
    fs::write(&token, TOKEN).unwrap();
    chmod(&token, 0o600);
    let of_the_gateway = Node::new().configured(&format!(
        "[store]\nkind = \"gateway\"\n[store.gateway]\nurl = \"{}\"\ntoken_file = \"{}\"\n",
        gateway.url(),
        token.display()
    ));
    let request = of_the_gateway.home().join("request.json");
    fs::write(&request, blob(HOST)).unwrap();
    let with_request = ecr
        .node()
        .with("BETA9_IMAGE_CREDENTIALS_FILE", request.to_str().unwrap());
    ecr.plant(&with_request, "default", HOST, (hour, 10 * hour));
    let worker = WorkerApi::start();
    let payload =
        r#"{"registry":"ghcr.io","type":"basic","credentials":{"USERNAME":"u","PASSWORD":"s"}}"#;
    worker.plant(WORKSPACE, "image-1", payload);
    let of_the_worker = worker.wire(Node::new()).without("BETA9_WORKER_TOKEN");
    let worker_token = secret_in(&of_the_worker, "worker.token", worker::TOKEN);
    let of_the_worker = of_the_worker.configured(&format!(
        "[store.worker]\ntoken_file = \"{worker_token}\"\n"
    ));
    // The authorities are read before anybody is asked.
    let over_tls = certificates::can_be_made().then(|| {
        let node = worker.wire(Node::new());
        let (authority, _) = certificates::server(node.home(), "DNS:localhost");
        node.configured("")
            .with("BETA9_WORKER_ADDRESS", "127.0.0.1:443")
            .with("SSL_CERT_FILE", authority.to_str().unwrap())
    });
    let database = Database::new(name);
    let of_the_database = database.as_ref().map(|database| {
        let node = database.node();
        let ca = node.home().join("ca.pem");
        let mut url = database.url();
        // Where it lies it belongs to the database's account.
        if let Some(authority) = &database.server.ca {
            fs::copy(authority, &ca).unwrap();
            let place = format!("localhost:{}", database.server.port);
            let tls = format!(
                "?sslmode=verify-full&hostaddr=127.0.0.1&sslrootcert={}",
                ca.display()
            );
            url = database.url_at(&place, &tls);
        }
        let url = secret_in(&node, "database.url", &url);
        node.without("BETA9_DATABASE_URL").configured(&format!(
            "[store]\nkind = \"postgres\"\n[store.postgres]\nurl_file = \"{url}\"\n"
        ))
    });
    let homes: Vec<String> = [
        &of_the_file_store,
        &of_the_gateway,
        &with_request,
        &of_the_worker,
    ]
    .into_iter()
    .chain(&over_tls)
    .chain(&of_the_database)
    .map(|node| node.home().to_str().unwrap().to_owned())
    .collect();
    let mut table: Vec<(&Node, &str, i32, &[&str])> = vec![
        (
            &of_the_file_store,
            HOST,
            0,
            &[
                "config.toml",
                ".sealed",
                "credentials.key",
                "tokens/key",
                ".token",
            ],
        ),
        (&of_the_gateway, "quay.io", 1, &["config.toml", "token"]),
        (
            &with_request,
            HOST,
            0,
            &["config.toml", "request.json", "tokens/key", ".token"],
        ),
        (
            &of_the_worker,
            "ghcr.io",
            0,
            &["config.toml", "worker.token"],
        ),
    ];
    if let Some(node) = &over_tls {
        table.push((node, "ghcr.io", 1, &["config.toml", "ca.pem"]));
    }
    if let Some(node) = &of_the_database {
        let has_tls = node.home().join("ca.pem").exists();
        let files: &[&str] = if has_tls {
            &["config.toml", "database.url", "tokens/key", "ca.pem"]
        } else {
            &["config.toml", "database.url", "tokens/key"]
        };
        table.push((node, "quay.io", 1, files));
    }
    for (node, host, status, files) in table {
        let trace = node.home().join("trace");
        let mut command = Command::new("strace");
        command.args([
            "-f",
            "-s",
            "300",
            "-e",
            "trace=open,openat,fstat,newfstatat,statx,read",
            "-o",
        ]);
        command
            .arg(&trace)
            .args([BINARY, "get"])
            .env_clear()
            .env("PATH", TOOLS);
        command.envs(
            node.command(&[])
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        let answer = answered(command, host);
        if answer.err.contains("strace:") {
            return skip(name, "nothing may be traced here");
        }
        assert_eq!(answer.status, status, "{answer:?}");
        let (mut open, mut seen) = (BTreeMap::new(), Vec::new());
        for (call, arguments, result) in calls(&trace) {
            let about = |open: &BTreeMap<i64, (String, bool)>| {
                let number = arguments
                    .split([',', ')'])
                    .next()
                    .and_then(|number| number.parse::<i64>().ok());
                number.filter(|number| open.contains_key(number))
            };
            match call.as_str() {
                "open" | "openat" => {
                    _ = open.remove(&result);
                    let path = arguments.split('"').nth(1).unwrap_or_default().to_owned();
                    let ours = homes.iter().any(|home| path.starts_with(home))
                        || path.starts_with("/etc/beta9");
                    let unread = ["O_PATH", "O_DIRECTORY", "O_WRONLY", "O_CREAT"];
                    let read = !unread.iter().any(|flag| arguments.contains(flag));
                    if (ours || !path.starts_with('/')) && read && result >= 0 {
                        for flag in ["O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_NOFOLLOW"] {
                            assert!(arguments.contains(flag), "{flag}: {call}({arguments}");
                        }
                        seen.push(path.clone());
                        open.insert(result, (path, false));
                    }
                }
                "read" => {
                    if let Some(number) = about(&open) {
                        assert!(
                            open[&number].1,
                            "read before it was looked at: {}",
                            open[&number].0
                        );
                    }
                }
                _ => {
                    if let Some(number) = about(&open) {
                        open.get_mut(&number).unwrap().1 = true;
                    }
                }
            }
        }
        if seen.iter().all(String::is_empty) {
            return skip(
                name,
                "only root sees what a process does that its own user must not look into",
            );
        }
        for file in files {
            assert!(
                seen.iter().any(|path| path.ends_with(file)),
                "{file} was not opened: {seen:?}"
            );
        }
    }
}
