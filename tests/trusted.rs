//! Which files control the helper and which secrets it reads: never another user's, and without refusing legitimate
//! set-ups.

#![allow(clippy::disallowed_methods, reason = "a test reads what was written")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod common;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use common::gateway::{Gateway, TOKEN};
use common::users::{ALICE, BOB, Machine, TOOLS, answered, chmod, skip};
use common::{Answer, Node, store_request};

const ECR: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";

/// A server of anyone who wants to see what the helper sends.
struct Spy(TcpListener);

impl Spy {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    fn saw_nobody(&self) -> bool {
        self.0.accept().is_err()
    }
}

/// Every path below a directory that is not this user's.
fn of_others(dir: &Path, owner: u32) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let metadata = entry.metadata().unwrap();
        if metadata.uid() != owner {
            found.push(entry.path().display().to_string());
        }
        if metadata.is_dir() {
            found.extend(of_others(&entry.path(), owner));
        }
    }
    found
}

/// Where root's account has its home directory.
fn roots_home() -> String {
    let accounts = fs::read_to_string("/etc/passwd").unwrap();
    let root = accounts
        .lines()
        .find(|line| line.split(':').nth(2) == Some("0"))
        .unwrap();
    root.split(':').nth(5).unwrap().to_owned()
}

#[test]
fn root_sends_none_of_its_files_to_the_server_in_another_users_configuration() {
    let name = "root_sends_none_of_its_files_to_the_server_in_another_users_configuration";
    let Some(machine) = Machine::new(name) else {
        return;
    };
    let (spy, home) = (Spy::new(), machine.dir("alice", ALICE, 0o755));
    machine.dir("alice/.config/beta9", ALICE, 0o755);
    machine.dir("alice/.docker", ALICE, 0o755);
    let secret = machine.file("root-secret", 0, 0o600, "hunter2-of-root\n");
    let docker = machine.file(
        "alice/.docker/config.json",
        ALICE,
        0o600,
        r#"{"auths":{"a.invalid":{"auth":"dTpw"}}}"#,
    );
    let steering = format!(
        "[store]\nkind = \"gateway\"\n[store.gateway]\nurl = \"{}\"\ntoken_file = \"{}\"\n",
        spy.url(),
        secret.display()
    );
    let config = machine.file(
        "alice/.config/beta9/credential-helper.toml",
        ALICE,
        0o644,
        &steering,
    );
    let (home, xdg) = (
        home.to_str().unwrap(),
        machine.at("alice/.config").display().to_string(),
    );
    for args in [
        &["configure", "docker", "--dry-run"][..],
        &["import", docker.to_str().unwrap(), "--dry-run"],
        &["get"],
        &["list"],
        &["doctor"],
    ] {
        let answer = machine.run_as(0, args, &[("HOME", home)], "a.invalid");
        assert!(spy.saw_nobody(), "{args:?}: {answer:?}");
    }
    // Alice herself may.
    machine.run_as(ALICE, &["get"], &[("HOME", home)], "a.invalid");
    let refused = |subject: &str| {
        format!(
            "configuration: {subject} belongs to uid {ALICE}, and this is uid 0; run it without sudo, as uid {ALICE}, or choose another place that belongs to root"
        )
    };
    for (variable, value) in [
        ("BETA9_CREDENTIAL_CONFIG", config.to_str().unwrap()),
        ("XDG_CONFIG_HOME", xdg.as_str()),
    ] {
        let answer = machine.run_as(
            0,
            &["get"],
            &[("HOME", NO_HOME), (variable, value)],
            "a.invalid",
        );
        // The first that is hers on the way to it.
        let subject = format!(
            "{} is reached through {}, which",
            config.display(),
            machine.at("alice").display()
        );
        assert_eq!(answer.failure(), refused(&subject), "{variable}");
        assert!(spy.saw_nobody());
    }
    let ours = machine.dir("etc", 0, 0o755).join("config.toml");
    fs::copy(&config, &ours).unwrap();
    std::os::unix::fs::chown(&ours, Some(ALICE), Some(ALICE)).unwrap();
    let answer = machine.run_as(
        0,
        &["get"],
        &[("BETA9_CREDENTIAL_CONFIG", ours.to_str().unwrap())],
        "a.invalid",
    );
    assert_eq!(answer.failure(), refused(ours.to_str().unwrap()));
    // Nor does a user who is not root obey another one.
    let bobs = [
        ("HOME", NO_HOME),
        ("BETA9_CREDENTIAL_CONFIG", config.to_str().unwrap()),
    ];
    let answer = machine.run_as(BOB, &["get"], &bobs, "a.invalid");
    assert!(
        answer
            .failure()
            .contains(&format!("run it as uid {ALICE}, or choose another place")),
        "{answer:?}"
    );
}

#[test]
fn root_makes_no_file_that_another_users_configuration_names() {
    let name = "root_makes_no_file_that_another_users_configuration_names";
    let Some(machine) = Machine::new(name) else {
        return;
    };
    let home = machine.dir("alice", ALICE, 0o755);
    machine.dir("alice/.config/beta9", ALICE, 0o755);
    let made = machine.dir("profile.d", 0, 0o755).join("x.sh");
    let steering = format!(
        "workspace = \"$(id)\"\n[audit]\npath = \"{}\"\n",
        made.display()
    );
    let config = machine.file(
        "alice/.config/beta9/credential-helper.toml",
        ALICE,
        0o644,
        &steering,
    );
    for variable in [
        ("HOME", home.to_str().unwrap()),
        ("BETA9_CREDENTIAL_CONFIG", config.to_str().unwrap()),
    ] {
        let answer = machine.run_as(0, &["get"], &[variable], "a.invalid");
        assert!(answer.status == 1 && !made.exists(), "{answer:?}");
    }
}

#[test]
fn root_runs_no_program_that_another_users_aws_profile_names() {
    let name = "root_runs_no_program_that_another_users_aws_profile_names";
    let Some(machine) = Machine::new(name) else {
        return;
    };
    let home = machine.dir("alice", ALICE, 0o755);
    machine.dir("alice/.aws", ALICE, 0o755);
    let ran = machine.dir("roots", 0, 0o755).join("ran");
    let profile = format!(
        "[profile p]\ncredential_process = /bin/sh -c 'id > {}; exit 1'\n",
        ran.display()
    );
    let files = machine.file("alice/.aws/config", ALICE, 0o644, &profile);
    let rule = format!("[[registry]]\nhost = \"{ECR}\"\nambient = true\nprofile = \"p\"\n");
    let config = machine.file("roots/config.toml", 0, 0o644, &rule);
    let base = [
        ("BETA9_CREDENTIAL_CONFIG", config.to_str().unwrap()),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    let get = |more: (&str, &str)| machine.run_as(0, &["get"], &[base[0], base[1], more], ECR);
    let answer = get(("HOME", home.to_str().unwrap()));
    assert!(
        answer
            .failure()
            .contains("names the profile p, which is not in")
            && !ran.exists(),
        "{answer:?}"
    );
    let through = format!(
        "is reached through {}, which belongs to uid {ALICE}, and this is uid 0",
        home.display()
    );
    let refused = format!("backend aws: {} {through}; ", files.display());
    for variable in [
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    ] {
        let answer = get((variable, files.to_str().unwrap()));
        assert!(
            answer.failure().contains(&refused) && !ran.exists(),
            "{variable}: {answer:?}"
        );
    }
    // Root's own profile is obeyed, but for what would be looked up in her home directory.
    let own = machine.file("roots/aws", 0, 0o644, &profile);
    let own = ("AWS_CONFIG_FILE", own.to_str().unwrap());
    let answer = machine.run_as(
        0,
        &["get"],
        &[base[0], base[1], own, ("HOME", home.to_str().unwrap())],
        ECR,
    );
    assert!(
        answer
            .failure()
            .contains("HOME is another user's, and credential_process in the AWS"),
        "{answer:?}"
    );
    assert!(!ran.exists());
    // The SDK takes a key in any case.
    let shouted = profile.replace("credential_process", "CREDENTIAL_PROCESS");
    let shouted = machine.file("roots/shouted", 0, 0o644, &shouted);
    let shouted = ("AWS_CONFIG_FILE", shouted.to_str().unwrap());
    let answer = machine.run_as(
        0,
        &["get"],
        &[base[0], base[1], shouted, ("HOME", home.to_str().unwrap())],
        ECR,
    );
    assert!(
        answer.failure().contains("HOME is another user's") && !ran.exists(),
        "{answer:?}"
    );
    let answer = machine.run_as(
        0,
        &["get"],
        &[base[0], base[1], own, ("HOME", NO_HOME)],
        ECR,
    );
    assert!(
        answer.failure().contains("credential_process failed") && ran.exists(),
        "{answer:?}"
    );
    let answer = machine.run_as(
        0,
        &["doctor"],
        &[base[0], ("AWS_CONFIG_FILE", files.to_str().unwrap())],
        "",
    );
    let findings = answer.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(findings.contains(&through), "{answer:?}");
}

#[test]
fn what_proves_the_nodes_identity_to_google_and_azure_is_nobody_elses() {
    let name = "what_proves_the_nodes_identity_to_google_and_azure_is_nobody_elses";
    let Some(machine) = Machine::new(name) else {
        return;
    };
    machine.dir("roots", 0, 0o755);
    let config = machine.file("roots/config.toml", 0, 0o644, "ambient = true\n");
    let token = machine.file("roots/token", ALICE, 0o644, "hunter2-token");
    let document =
        r#"{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}"#;
    let google = machine.file("roots/adc.json", ALICE, 0o644, document);
    let bundle = machine.file("roots/ca.pem", ALICE, 0o644, "hunter2");
    let id = "11111111-2222-3333-4444-555555555555";
    let azure = [("AZURE_CLIENT_ID", id), ("AZURE_TENANT_ID", id)];
    let mut federated = azure.to_vec();
    federated.push(("AZURE_FEDERATED_TOKEN_FILE", token.to_str().unwrap()));
    let mut secret = azure.to_vec();
    secret.extend([
        ("AZURE_CLIENT_SECRET", "s"),
        ("SSL_CERT_FILE", bundle.to_str().unwrap()),
    ]);
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIAHUNTER2HUNTER2AA"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
    ];
    let aws = |variable| {
        [
            keys[0],
            keys[1],
            ("AWS_EC2_METADATA_DISABLED", "true"),
            (variable, bundle.to_str().unwrap()),
        ]
    };
    let table = [
        (
            "gcr.io",
            vec![("GOOGLE_APPLICATION_CREDENTIALS", google.to_str().unwrap())],
            &google,
        ),
        ("myreg.azurecr.io", federated, &token),
        ("myreg.azurecr.io", secret, &bundle),
        (ECR, aws("AWS_CA_BUNDLE").to_vec(), &bundle),
        (ECR, aws("SSL_CERT_FILE").to_vec(), &bundle),
    ];
    for (host, mut variables, file) in table {
        variables.extend([
            ("BETA9_CREDENTIAL_CONFIG", config.to_str().unwrap()),
            ("HOME", NO_HOME),
        ]);
        let answer = machine.run_as(0, &["get"], &variables, host);
        let refused = format!(
            "{} belongs to uid {ALICE}, and this is uid 0",
            file.display()
        );
        assert!(answer.failure().contains(&refused), "{host}: {answer:?}");
    }
}

#[test]
fn what_is_not_a_plain_file_is_refused_and_not_waited_for() {
    let node = Node::new();
    let pipe = node.home().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    symlink("/dev/zero", node.home().join("zero")).unwrap();
    fs::write(node.home().join("large"), vec![b'#'; (1 << 20) + 1]).unwrap();
    chmod(&node.home().join("large"), 0o600);
    for (file, cause) in [
        ("pipe", "is not a plain file"),
        ("zero", "is not a plain file"),
        ("large", "is larger than 1048576 bytes"),
        (".", "is not a plain file"),
    ] {
        let path = node.home().join(file).display().to_string();
        for variable in [
            "BETA9_CREDENTIAL_CONFIG",
            "BETA9_STORE_KEY_FILE",
            "BETA9_IMAGE_CREDENTIALS_FILE",
        ] {
            let node = node.clone_with(variable, &path);
            let mut store = node.command(&["store"]);
            if variable == "BETA9_IMAGE_CREDENTIALS_FILE" {
                store = node.command(&["get"]);
            }
            let answer = answered(store, &store_request("ghcr.io", "u", "s"));
            let cause = if file == "large" {
                "is larger than "
            } else {
                cause
            };
            let asked =
                answer.out.starts_with("credentials not found") || answer.out.contains(cause);
            assert!(answer.status == 1 && asked, "{variable}={path}: {answer:?}");
            if variable != "BETA9_IMAGE_CREDENTIALS_FILE" {
                assert!(answer.out.contains(cause), "{variable}={path}: {answer:?}");
            }
        }
    }
    // Where nobody has named one.
    fs::create_dir_all(node.home().join(".config/beta9")).unwrap();
    fs::rename(
        &pipe,
        node.home().join(".config/beta9/credential-helper.toml"),
    )
    .unwrap();
    let answer = answered(node.command(&["get"]), "ghcr.io");
    assert!(
        answer
            .failure()
            .ends_with("credential-helper.toml is not a plain file; name a file"),
        "{answer:?}"
    );
    // That one is named to leave the files out.
    assert_eq!(
        node.with("BETA9_CREDENTIAL_CONFIG", "/dev/null")
            .get("ghcr.io"),
        Answer::not_found()
    );
}

#[test]
fn root_leaves_nothing_of_its_own_in_another_users_home_and_says_how_to_do_it() {
    let name = "root_leaves_nothing_of_its_own_in_another_users_home_and_says_how_to_do_it";
    let Some(machine) = Machine::new(name) else {
        return;
    };
    let home = machine.dir("alice", ALICE, 0o755);
    let (data, request) = (
        home.join(".local/share"),
        store_request("ghcr.io", "u", "s"),
    );
    for variable in [
        ("XDG_DATA_HOME", data.to_str().unwrap()),
        ("BETA9_STORE_PATH", data.to_str().unwrap()),
    ] {
        let answer = machine.run_as(0, &["store"], &[variable, ("HOME", NO_HOME)], &request);
        let through = format!(
            "is reached through {}, which belongs to uid {ALICE}, and this is uid 0",
            home.display()
        );
        assert!(
            answer
                .failure()
                .contains(&format!("{through}; run it without sudo")),
            "{answer:?}"
        );
    }
    // A user of no account has no other home directory.
    let answer = machine.run_as(
        BOB,
        &["store"],
        &[("HOME", home.to_str().unwrap())],
        &request,
    );
    assert!(
        answer
            .out
            .contains("there is no home directory to keep it in"),
        "{answer:?}"
    );
    assert!(
        answer
            .err
            .contains(&format!("HOME={} belongs to uid {ALICE}", home.display())),
        "{answer:?}"
    );
    assert_eq!(of_others(&home, ALICE), Vec::<String>::new());
    // What she stores herself, root neither uses nor advises to take.
    assert_eq!(
        machine.run_as(
            ALICE,
            &["store"],
            &[("HOME", home.to_str().unwrap())],
            &request
        ),
        Answer::silence()
    );
    for args in [
        &["get"][..],
        &["erase"],
        &["list"],
        &["doctor"],
        &["status"],
    ] {
        let answer = machine.run_as(
            0,
            args,
            &[("XDG_DATA_HOME", data.to_str().unwrap()), ("HOME", NO_HOME)],
            "ghcr.io",
        );
        assert!(
            answer.status == 1 && !answer.out.contains("chown") || args == ["status"],
            "{args:?}: {answer:?}"
        );
    }
    let answer = machine.run_as(
        ALICE,
        &["get"],
        &[("HOME", home.to_str().unwrap())],
        "ghcr.io",
    );
    assert!(answer.out.contains("\"Secret\":\"s\""), "{answer:?}");
}

#[test]
fn root_with_another_users_home_has_its_own() {
    // As in a container of a CI service, which sets HOME to a directory of the runner's.
    let name = "root_with_another_users_home_has_its_own";
    let Some(machine) = Machine::new(name) else {
        return;
    };
    let home = machine.dir("github/home", 1001, 0o755);
    let own = machine.dir("own", 0, 0o700);
    let mounts = format!("mount --bind {} {}", own.display(), roots_home());
    let run = |verb: &str, input: &str| {
        machine.run_mounted(&mounts, &[verb], &[("HOME", home.to_str().unwrap())], input)
    };
    let Some(stored) = run("store", &store_request("ghcr.io", "u", "s")) else {
        return skip(name, "nothing may be mounted here");
    };
    let place = format!("{}/.local/share/beta9/credentials", roots_home());
    let said = format!(
        "HOME={} belongs to uid 1001, so {place} is used; for uid 1001, run it without sudo",
        home.display()
    );
    assert!(
        stored.status == 0 && stored.err.contains(&said),
        "{stored:?}"
    );
    let answer = run("get", "ghcr.io").unwrap();
    assert!(
        answer.status == 0 && answer.err.is_empty() && answer.out.contains("\"Secret\":\"s\""),
        "{answer:?}"
    );
    assert!(own.join(".local/share/beta9/credentials").exists());
    assert_eq!(of_others(&machine.at("github"), 1001), Vec::<String>::new());
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
    // Only the file of a client follows HOME, as that client does.
    let wired = machine.run_mounted(
        &mounts,
        &["configure", "docker", "--all"],
        &[
            ("HOME", home.to_str().unwrap()),
            ("PATH", &format!("{}:{TOOLS}", machine.at("").display())),
        ],
        "",
    );
    let wired = wired.unwrap();
    assert!(wired.status == 0, "{wired:?}");
    assert_eq!(
        fs::metadata(home.join(".docker/config.json"))
            .unwrap()
            .uid(),
        1001
    );
}

#[test]
fn a_store_below_another_users_directory_is_never_taken_for_empty() {
    let name = "a_store_below_another_users_directory_is_never_taken_for_empty";
    let Some(machine) = Machine::new(name) else {
        return;
    };
    let above = machine.dir("shared", BOB, 0o777);
    machine.dir("shared/ours", 0, 0o700);
    let store = machine.at("shared/ours/credentials");
    let variables = [
        ("BETA9_STORE_PATH", store.to_str().unwrap()),
        ("HOME", NO_HOME),
    ];
    let through = format!(
        "is reached through {}, which belongs to uid {BOB}, and this is uid 0",
        above.display()
    );
    let refused = format!("{} {through}; ", store.display());
    let asked = || {
        for (verb, input) in [
            ("get", "ghcr.io"),
            ("erase", "ghcr.io"),
            ("store", &store_request("ghcr.io", "u", "s")),
        ] {
            let answer = machine.run_as(0, &[verb], &variables, input);
            assert!(
                answer
                    .failure()
                    .starts_with(&format!("ghcr.io: file store: {refused}")),
                "{verb}: {answer:?}"
            );
        }
        let listed = machine.run_as(0, &["list"], &variables, "");
        assert!(
            listed.status == 1 && listed.out.contains(&refused),
            "{listed:?}"
        );
    };
    asked();
    let looked = machine.run_as(0, &["doctor", "--json"], &variables, "");
    assert!(
        looked.status == 1 && looked.out.contains(&through),
        "{looked:?}"
    );
    fs::rename(machine.at("shared/ours"), machine.at("shared/away")).unwrap();
    asked();
    // It may be anybody's directory that is open: what is in it can be renamed away all the same.
    std::os::unix::fs::chown(&above, Some(0), Some(0)).unwrap();
    let answer = machine.run_as(0, &["get"], &variables, "ghcr.io");
    let open = format!(
        "through {0}, which can be written by others (mode 0777); chmod go-w {0}",
        above.display()
    );
    assert!(answer.failure().contains(&open), "{answer:?}");
}

#[test]
fn a_configuration_that_others_could_have_written_is_not_obeyed() {
    let spy = Spy::new();
    let text = format!(
        "[store]\nkind = \"gateway\"\n[store.gateway]\nurl = \"{}\"\ntoken = \"hunter2\"\n",
        spy.url()
    );
    let node = Node::new().configured(&text);
    let file = node.home().join("config.toml");
    chmod(&file, 0o666);
    let refused = format!(
        "configuration: {0} can be written by others (mode 0666); chmod go-w {0}",
        file.display()
    );
    assert_eq!(node.get("ghcr.io").failure(), refused);
    assert!(spy.saw_nobody());
    let Some(machine) =
        Machine::new("a_configuration_that_others_could_have_written_is_not_obeyed")
    else {
        return;
    };
    machine.dir("etc", 0, 0o755);
    let file = machine.file("etc/config.toml", BOB, 0o666, &text);
    let variables = [("BETA9_CREDENTIAL_CONFIG", file.to_str().unwrap())];
    for user in [0, ALICE] {
        let answer = machine.run_as(user, &["get"], &variables, "ghcr.io");
        let refused = format!(
            "configuration: {} belongs to uid {BOB}, and this is uid {user}; ",
            file.display()
        );
        assert!(
            answer.failure().starts_with(&refused) && spy.saw_nobody(),
            "{answer:?}"
        );
    }
}

#[test]
fn a_token_file_of_roots_may_be_open_with_a_warning_and_ones_own_may_not() {
    let name = "a_token_file_of_roots_may_be_open_with_a_warning_and_ones_own_may_not";
    let Some(machine) = Machine::new(name) else {
        return;
    };
    let gateway = Gateway::start();
    gateway.plant("GHCR_IO_CREDENTIALS", "");
    let text = |file: &Path| {
        let (url, file) = (gateway.url(), file.display());
        format!(
            "[store]\nkind = \"gateway\"\n[store.gateway]\nurl = \"{url}\"\ntoken_file = \"{file}\"\n"
        )
    };
    machine.dir("etc", 0, 0o755);
    let roots = machine.file("etc/token", 0, 0o644, TOKEN);
    let config = machine.file("etc/config.toml", 0, 0o644, &text(&roots));
    let variables = [("BETA9_CREDENTIAL_CONFIG", config.to_str().unwrap())];
    for user in [0, ALICE] {
        let answer = machine.run_as(user, &["get"], &variables, "quay.io");
        assert_eq!(answer.out, Answer::not_found().out, "{answer:?}");
        let warned = format!(
            "{} holds a secret and can be read by others (mode 0644); chmod 600 ",
            roots.display()
        );
        assert!(answer.err.contains(&warned), "{answer:?}");
    }
    let own = machine.dir("alice", ALICE, 0o755).join("token");
    machine.file("alice/token", ALICE, 0o644, TOKEN);
    let config = machine.file("alice/config.toml", ALICE, 0o644, &text(&own));
    let variables = [("BETA9_CREDENTIAL_CONFIG", config.to_str().unwrap())];
    let answer = machine.run_as(ALICE, &["get"], &variables, "quay.io");
    let refused = format!(
        "{0} is open to others (mode 0644); chmod 600 {0}",
        own.display()
    );
    assert!(answer.failure().ends_with(&refused), "{answer:?}");
    chmod(&own, 0o640);
    assert_eq!(
        machine.run_as(ALICE, &["get"], &variables, "quay.io"),
        Answer::not_found()
    );
}

#[test]
fn a_clients_file_keeps_its_access_list_and_nobody_gains_by_it() {
    let name = "a_clients_file_keeps_its_access_list_and_nobody_gains_by_it";
    let node = Node::new();
    let dir = node.home().join(".docker");
    fs::create_dir(&dir).unwrap();
    let file = dir.join("config.json");
    let acl = |path: &Path, kind: &str| {
        let mut list = vec![0; 4096];
        let length = rustix::fs::getxattr(path, kind, &mut list[..]).ok()?;
        Some(list[..length].to_vec())
    };
    // user::rw- user:12345:rw- group::--- mask::rw- other::---
    let entries: [(u16, u16, u32); 5] = [
        (1, 6, !0),
        (2, 6, ALICE),
        (4, 0, !0),
        (16, 6, !0),
        (32, 0, !0),
    ];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        list.extend([tag.to_le_bytes(), rights.to_le_bytes()].concat());
        list.extend(id.to_le_bytes());
    }
    let write = |mode: u32| {
        fs::write(&file, r#"{"auths":{"a.example":{"auth":"dTpodW50ZXIy"}}}"#).unwrap();
        chmod(&file, mode);
    };
    write(0o600);
    let set = |path: &Path, kind: &str| {
        rustix::fs::setxattr(path, kind, &list, rustix::fs::XattrFlags::empty())
    };
    if set(&file, ACCESS).is_err() {
        return skip(name, "the file system has no access lists");
    }
    let configure = || {
        let path = Path::new(common::BINARY)
            .parent()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let answer = node
            .clone_with("PATH", path)
            .run(&["configure", "docker", "--hosts", "b.example"], "");
        assert_eq!(answer.status, 0, "{answer:?}");
        assert!(fs::read_to_string(&file).unwrap().contains("b.example"));
    };
    configure();
    for path in [&file, &dir.join("config.json.beta9-undo")] {
        assert_eq!(
            acl(path, ACCESS).as_deref(),
            Some(list.as_slice()),
            "{}",
            path.display()
        );
        assert_eq!(
            fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o660,
            "{}",
            path.display()
        );
    }
    assert_eq!(node.run(&["configure", "docker", "--undo"], "").status, 0);
    assert_eq!(acl(&file, ACCESS).as_deref(), Some(list.as_slice()));
    // What a directory hands down to new files, the old one's users do not get with it.
    fs::remove_file(&file).unwrap();
    write(0o640);
    set(&dir, "system.posix_acl_default").unwrap();
    configure();
    assert_eq!(acl(&file, ACCESS), None);
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o640
    );
}

#[test]
fn whether_something_exists_is_not_guessed() {
    let Some(machine) = Machine::new("whether_something_exists_is_not_guessed") else {
        return;
    };
    let home = machine.dir("alice", ALICE, 0o700);
    let run = |args: &[&str], more: (&str, &str), input: &str| {
        machine.run_as(
            ALICE,
            args,
            &[("HOME", home.to_str().unwrap()), more],
            input,
        )
    };
    machine.dir("alice/.local", 0, 0o700);
    let answer = run(&["erase"], ("A", ""), "ghcr.io");
    let refused = format!(
        "{}/.local/share cannot be read (Permission denied",
        home.display()
    );
    assert!(
        answer
            .failure()
            .starts_with(&format!("ghcr.io: file store: {refused}")),
        "{answer:?}"
    );
    let closed = machine.dir("credentials", 0, 0o700);
    let answer = run(
        &["get"],
        ("CREDENTIALS_DIRECTORY", closed.to_str().unwrap()),
        "ghcr.io",
    );
    let refused = format!(
        "CREDENTIALS_DIRECTORY: {}/beta9-token cannot be read (",
        closed.display()
    );
    assert!(answer.failure().starts_with(&refused), "{answer:?}");
    machine.dir("alice/.config", ALICE, 0o700);
    machine.dir("alice/.config/containers", 0, 0o700);
    let answer = run(
        &["configure", "podman", "--all", "--dry-run"],
        ("A", ""),
        "",
    );
    let refused = format!(
        "registries.conf: {}/.config/containers/registries.conf cannot be read (",
        home.display()
    );
    assert!(answer.failure().starts_with(&refused), "{answer:?}");
}

/// Nobody can make it.
const NO_HOME: &str = "/proc/none";
const ACCESS: &str = "system.posix_acl_access";

#[test]
fn a_login_file_of_a_pod_that_is_out_of_reach_is_an_error_and_nobody_else_logs_in() {
    let name = "a_login_file_of_a_pod_that_is_out_of_reach_is_an_error_and_nobody_else_logs_in";
    let Some(machine) = Machine::new(name) else {
        return;
    };
    machine.dir("closed", 0, 0o700);
    let files = [
        machine.file("token", 0, 0o600, "hunter2"),
        machine.file("closed/token", 0, 0o644, "hunter2"),
    ];
    let (role, id) = (
        "arn:aws:iam::123456789012:role/pull",
        "00000000-0000-4000-8000-000000000000",
    );
    let table: [(&str, &str, &[(&str, &str)]); 4] = [
        (
            ECR,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            &[(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "http://127.0.0.1:1/v1/credentials",
            )],
        ),
        (
            ECR,
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            &[("AWS_ROLE_ARN", role)],
        ),
        (
            "myreg.azurecr.io",
            "AZURE_FEDERATED_TOKEN_FILE",
            &[("AZURE_CLIENT_ID", id), ("AZURE_TENANT_ID", id)],
        ),
        ("gcr.io", "GOOGLE_APPLICATION_CREDENTIALS", &[]),
    ];
    for (host, variable, more) in table {
        for file in &files {
            let mut variables = vec![
                ("HOME", NO_HOME),
                ("BETA9_AMBIENT", "true"),
                ("AWS_EC2_METADATA_DISABLED", "true"),
                (variable, file.to_str().unwrap()),
            ];
            variables.extend(more);
            let answer = machine.run_as(ALICE, &["get"], &variables, host);
            let line = answer.failure();
            assert!(
                line.starts_with(&format!("{host}: backend "))
                    && line.contains(&format!("{} cannot be read", file.display())),
                "{variable}: {line}"
            );
        }
    }
}
